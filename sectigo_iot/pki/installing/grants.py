"""Users who may read what is installed, by POSIX ACLs: nobody else's rights change."""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.pki.installing.acl import ENTER, READ, read_acl, write_acl
from sectigo_iot.pki.installing.holding import Held

_HIGHEST = 0xFFFFFFFE
_EACH_RIGHT = (4, 2, 1)


@dataclass(frozen=True, slots=True)
class User:
    """A user of this machine: its name, or number where it has none, its number, its groups."""

    name: str
    number: int
    group: int
    groups: frozenset[int]

    def may(self, path: Path, rights: int) -> bool:
        """Whether they have these rights on a file or folder, were they on the way already. Raises OSError."""
        return self.number == 0 or read_acl(path).allows(self.number, self.groups, rights)


def known_user(user: str | int) -> User:
    """Return the user of this name or number; a number need not be known here, for a container may know it.

    A text of digits is a name where there is a user of that name. Raises InvalidInputError where there is none.
    """
    entry = (_by_name(user) if isinstance(user, str) else None) or _by_number(str(user))
    if entry is None:
        raise InvalidInputError(f"there is no user {user!r} on this machine", hint="give a user's name or number")
    return entry


def _by_name(name: str) -> User | None:
    try:
        return _of_entry(pwd.getpwnam(name))
    except (KeyError, ValueError):
        return None


def _by_number(text: str) -> User | None:
    if not (text.isascii() and text.isdigit()) or int(text) > _HIGHEST:
        return None
    try:
        return _of_entry(pwd.getpwuid(int(text)))
    except KeyError:
        return User(text, int(text), _no_group(), frozenset())


def _of_entry(entry: pwd.struct_passwd) -> User:
    groups = frozenset(os.getgrouplist(entry.pw_name, entry.pw_gid))
    return User(entry.pw_name, entry.pw_uid, entry.pw_gid, groups)


def _no_group() -> int:
    with contextlib.suppress(KeyError):
        return grp.getgrnam("nogroup").gr_gid
    return 65534


def grant(users: Sequence[User], folder: Held, files: Iterable[str]) -> None:
    """Let the users list a folder and read these files in it. Raises OSError, as where there are no ACLs."""
    for user in users:
        _allow(user, folder, READ | ENTER)
    for name in files if users else ():
        with folder.file(name) as file:
            for user in users:
                _allow(user, file, READ)


def let_enter(users: Iterable[User], folders: Sequence[Held]) -> None:
    """Let the users pass through folders in which they may not yet. Raises OSError."""
    for user in users:
        for folder in folders:
            _allow(user, folder, ENTER)


def _allow(user: User, held: Held, rights: int) -> None:
    try:
        acl = read_acl(held.descriptor)
        if user.number in (0, acl.owner) or acl.allows(user.number, user.groups, rights):
            return
        # An entry of their own hides what a group or everybody has, and so takes that up too.
        had = sum(each for each in _EACH_RIGHT if acl.allows(user.number, user.groups, each))
        write_acl(held.descriptor, acl.allowing(user.number, rights | had))
    except OSError as error:
        message = f"it cannot be opened to {user.name}: {error.strerror}"
        raise OSError(error.errno, message, str(held.path)) from None


def granted(folder: Path) -> list[int]:
    """Return the numbers of the users whom a grant lets into a folder, none where there is no such folder."""
    try:
        return read_acl(folder).users(READ | ENTER)
    except FileNotFoundError:
        return []


def is_masked(path: Path) -> bool:
    """Whether a file's ACL, which it has from the folder's default ACL, names somebody whom its mask shuts out."""
    return read_acl(path).is_masked()
