"""POSIX access control lists, acl(5), as Linux keeps them in the extended attribute `system.posix_acl_access`.

The form is that of linux/posix_acl_xattr.h: a version, then entries of tag, rights and id, little-endian, sorted.
pylibacl would do the same, but has no wheels: it takes a compiler and libacl's headers to install.
"""

from __future__ import annotations

import errno
import os
import stat
import struct
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

READ = 4
ENTER = 1

_ATTRIBUTE = "system.posix_acl_access"
_HEADER = struct.Struct("<I")
_ENTRY = struct.Struct("<HHI")
_VERSION = 2
_OWNER, _USER, _OWNING_GROUP, _GROUP, _MASK, _OTHER = 0x01, 0x02, 0x04, 0x08, 0x10, 0x20
_NOBODY_IN_PARTICULAR = 0xFFFFFFFF
_MASKED = (_USER, _OWNING_GROUP, _GROUP)


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry: its tag, its rights (read 4, write 2, execute or enter 1), and the user or group that it names."""

    tag: int
    rights: int
    holder: int = _NOBODY_IN_PARTICULAR


@dataclass(frozen=True, slots=True)
class AccessList:
    """Who may do what with a file or folder; `owner` and `group` are whom it belongs to."""

    owner: int
    group: int
    entries: tuple[Entry, ...]

    @property
    def mask(self) -> int:
        """What the named and the groups have at the most."""
        return next((each.rights for each in self.entries if each.tag == _MASK), 7)

    def users(self, rights: int) -> list[int]:
        """Return the users that are named and have these rights, behind the mask."""
        named = (each for each in self.entries if each.tag == _USER)
        return [each.holder for each in named if each.rights & self.mask & rights == rights]

    def is_masked(self) -> bool:
        """Whether somebody is named who has less than stands there, because of the mask."""
        return any(each.tag in (_USER, _GROUP) and each.rights & ~self.mask for each in self.entries)

    def allows(self, user: int, groups: Collection[int], rights: int) -> bool:
        """Whether the user, who is in these groups, has the rights: the algorithm of acl(5). Root is not asked."""
        if user == self.owner:
            return _first(self.entries, _OWNER) & rights == rights
        for each in self.entries:
            if each.tag == _USER and each.holder == user:
                return each.rights & self.mask & rights == rights
        theirs = [each for each in self.entries if self._is_theirs(each, groups)]
        if theirs:
            return any(each.rights & self.mask & rights == rights for each in theirs)
        return _first(self.entries, _OTHER) & rights == rights

    def _is_theirs(self, entry: Entry, groups: Collection[int]) -> bool:
        if entry.tag == _OWNING_GROUP:
            return self.group in groups
        return entry.tag == _GROUP and entry.holder in groups

    def allowing(self, user: int, rights: int) -> AccessList:
        """Return a list by which the user has these rights more, and everybody else what they had.

        A wider mask alone would give others what it had kept from them, so it is taken out of their entries first.
        """
        kept = [
            Entry(each.tag, each.rights & self.mask, each.holder) if each.tag in _MASKED else each
            for each in self.entries
            if each.tag != _MASK
        ]
        theirs = [each for each in kept if each.tag == _USER and each.holder == user]
        added = Entry(_USER, rights | sum(each.rights for each in theirs), user)
        entries = [added, *(each for each in kept if each not in theirs)]
        mask = 0
        for each in entries:
            mask |= each.rights if each.tag in _MASKED else 0
        entries.append(Entry(_MASK, mask))
        return AccessList(self.owner, self.group, tuple(sorted(entries, key=lambda each: (each.tag, each.holder))))


def read_acl(path: Path | int) -> AccessList:
    """Return the access list of a file or folder; where it has none, what its mode amounts to. Raises OSError.

    A number is a descriptor of it.
    """
    state = path.stat() if isinstance(path, Path) else os.fstat(path)
    data = _attribute(path)
    if data is None:
        return AccessList(state.st_uid, state.st_gid, _of_mode(state.st_mode))
    entries = tuple(Entry(*fields) for fields in _ENTRY.iter_unpack(data[_HEADER.size :]))
    return AccessList(state.st_uid, state.st_gid, entries)


def _attribute(path: Path | int) -> bytes | None:
    if not hasattr(os, "getxattr"):
        # Only Linux has it.
        return None
    try:
        return os.getxattr(path, _ATTRIBUTE)
    except OSError as error:
        if error.errno in (errno.ENODATA, errno.ENOTSUP):
            return None
        raise


def write_acl(path: Path | int, acl: AccessList) -> None:
    """Give a file or folder this access list. Raises OSError, whose `strerror` says where there can be none.

    A number is a descriptor of it.
    """
    packed = (_ENTRY.pack(each.tag, each.rights, each.holder) for each in acl.entries)
    if not hasattr(os, "setxattr"):
        raise OSError(errno.ENOTSUP, "this operating system keeps no POSIX ACLs where Linux does", str(path))
    try:
        os.setxattr(path, _ATTRIBUTE, _HEADER.pack(_VERSION) + b"".join(packed))
    except OSError as error:
        if error.errno == errno.ENOTSUP:
            raise OSError(error.errno, "this file system keeps no POSIX ACLs", str(path)) from None
        raise


def _of_mode(mode: int) -> tuple[Entry, ...]:
    bits = stat.S_IMODE(mode)
    return Entry(_OWNER, bits >> 6 & 7), Entry(_OWNING_GROUP, bits >> 3 & 7), Entry(_OTHER, bits & 7)


def _first(entries: Collection[Entry], tag: int) -> int:
    return next(each.rights for each in entries if each.tag == tag)
