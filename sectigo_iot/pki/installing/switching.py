"""New versions of certificates put in force: all whole on the disk first, then one rename each."""

from __future__ import annotations

import contextlib
import filecmp
import os
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from types import TracebackType

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.files import sync_filesystem
from sectigo_iot.pki.installing.acl import ENTER, READ
from sectigo_iot.pki.installing.grants import User, granted, is_masked, known_user
from sectigo_iot.pki.installing.layout import Layout, next_version
from sectigo_iot.pki.installing.locking import locked
from sectigo_iot.pki.installing.moving import Move, Mover
from sectigo_iot.pki.installing.staging import Staged, Staging, stage_files, staging

PATIENCE = 10.0
"""Seconds for which another installation into the same folder is waited for."""


@dataclass(frozen=True, slots=True)
class Installed:
    """A certificate that is in force.

    `path` is the link that leads to the version in force, `folder` that version's folder, without links on the way,
    and `file_names` the names of the files in it. `previous` is the folder of the version before, which is gone where
    one version is kept. `users` are those who may read the files besides the owner, by a grant of now or before;
    `remarks` are sentences about what an administrator would want to know.
    """

    name: str
    path: Path
    folder: Path
    previous: Path | None
    file_names: tuple[str, ...]
    users: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()

    @property
    def files(self) -> dict[str, Path]:
        """The files of the version by name, without links on the way."""
        return {name: self.folder / name for name in self.file_names}


class Installer:
    """Installs many certificates into one folder, all of them or none; a context manager.

    Between `stage` and `commit` nothing can be seen. Each version stands in a folder of its own whose files never
    change, and `DIR/NAME` is a link to the one in force. Of each certificate the last `keep` versions stay.

    `grants` are users, by name or number, who may read every file, by POSIX ACLs on files and folders; nobody else's
    rights change. Those who were let into the version before are let into the new one, too, unless `carry_grants` is
    false.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        keep: int = 3,
        grants: Iterable[str] | None = (),
        carry_grants: bool = True,
        patience: float = PATIENCE,
    ) -> None:
        """Raises InvalidInputError where `keep` is less than 1, and for a user whom this machine does not know."""
        if keep < 1:
            raise InvalidInputError(f"at least one version must be kept, not {keep}")
        self._layout = Layout(Path(folder).absolute())
        self._keep = keep
        self._users = dict.fromkeys(known_user(user) for user in grants or ())
        self._carry = carry_grants
        self._patience = patience
        self._held = contextlib.ExitStack()
        self._staging: Staging | None = None

    def __enter__(self) -> Installer:
        """Lock the folder, making it where it is missing, and clear away what killed runs have left in it.

        Raises BlockingIOError where another installation is under way for `patience` seconds, TargetExistsError where
        `.versions` is not ours, OSError otherwise.
        """
        with contextlib.ExitStack() as held:
            held.enter_context(locked(self._layout, self._patience))
            self._staging = held.enter_context(staging(self._layout))
            self._held = held.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Remove what was staged and not committed, and unlock the folder."""
        self._staging = None
        self._held.close()

    @property
    def staging_root(self) -> Path:
        """The folder for `stage_files`, which other processes may call. Raises RuntimeError outside the block."""
        return self._held_folders().own.path

    def _held_folders(self) -> Staging:
        if self._staging is None:
            raise RuntimeError("an Installer is used in a `with` block")
        return self._staging

    def stage(self, name: str, files: Mapping[str, bytes]) -> Staged:
        """Write the files of one certificate, 0600, where nobody looks for them.

        Raises InvalidInputError for a name that cannot be used or was staged before, TargetExistsError where
        something else stands at `DIR/NAME`, OSError otherwise.
        """
        staged = stage_files(self.staging_root, name, files)
        self._layout.current(staged.name)
        return staged

    def standing(self, staged: Staged) -> Installed | None:
        """Return the version in force where it has the same files, and the users are let in; None where not.

        Whoever put it there may have been killed before the disk had it, which has it now. Raises what `commit` does.
        """
        self._held_folders()
        before = self._layout.current(staged.name)
        folder = None if before is None else self._layout.versions.resolve() / staged.name / before
        if folder is None or not _is_same(staged, folder):
            return None
        there = _users_of(folder)
        if not all(_is_let_in(user, folder, staged.files) for user in self._users):
            return None
        if not self._carry and not set(there) <= self._users.keys():
            return None
        sync_filesystem(self._layout.versions)
        users = dict.fromkeys(user.name for user in (*self._users, *there))
        return Installed(staged.name, self._layout.link(staged.name), folder, None, staged.files, tuple(users))

    def commit(self, staged: Sequence[Staged]) -> list[Installed]:
        """Put what was staged in force: everything on the disk first, then a rename for each certificate.

        What is raised leaves all as it was: InvalidInputError where two names differ by upper and lower case alone,
        TargetExistsError where something else stands in the way, OSError otherwise, for instance where the file
        system keeps no ACLs and somebody is granted. Only a process that is killed between two renames leaves some
        certificates new and some old, each of them whole.
        """
        _refuse_twins([one.name for one in staged])
        mover, now = Mover(self._layout, self._held_folders()), datetime.now(UTC)
        moves = [self._move(one, now) for one in staged]
        remarks = self._remarks(staged)
        with contextlib.ExitStack() as undoing:
            mover.place(moves, undoing)
            mover.switch(moves, undoing)
            undoing.pop_all()
        for move in moves:
            mover.prune(move, self._keep)
        versions = self._layout.versions.resolve()
        return [self._installed(move, versions / move.name, remarks) for move in moves]

    def _move(self, staged: Staged, now: datetime) -> Move:
        before = self._layout.current(staged.name)
        users = dict(self._users)
        if before and self._carry:
            users |= dict.fromkeys(_users_of(self._layout.home(staged.name) / before))
        known = self._layout.known(staged.name)
        return Move(staged, next_version(known, now), before, known, tuple(users))

    def _remarks(self, staged: Sequence[Staged]) -> tuple[str, ...]:
        # All are born in one folder, so that the first file tells of all of them.
        first = next((one.folder / one.files[0] for one in staged if one.files), None)
        if first is None or not is_masked(first):
            return ()
        remark = (
            f"the default ACL of {self._layout.root} names users or groups, but private files are born with the mask "
            "---, which shuts them out: only whoever is granted may read"
        )
        return (remark,)

    def _installed(self, move: Move, home: Path, remarks: tuple[str, ...]) -> Installed:
        return Installed(
            name=move.name,
            path=self._layout.link(move.name),
            folder=home / move.version,
            previous=None if move.before is None else home / move.before,
            file_names=move.staged.files,
            users=tuple(user.name for user in move.users),
            remarks=remarks,
        )


def install(
    folder: str | os.PathLike[str],
    name: str,
    files: Mapping[str, bytes],
    *,
    keep: int = 3,
    grants: Iterable[str] | None = (),
) -> Installed:
    """Install one certificate as `Installer` does many: the old one is in force, whole, until the new one is.

    `files` are the contents by file name. Raises what `Installer` raises.
    """
    with Installer(folder, keep=keep, grants=grants) as installer:
        return installer.commit([installer.stage(name, files)])[0]


def _is_same(staged: Staged, folder: Path) -> bool:
    """Whether these files, and no others, stand in the folder of a version. Raises OSError."""
    try:
        if {each.name for each in folder.iterdir()} != set(staged.files):
            return False
        return all(filecmp.cmp(staged.folder / name, folder / name, shallow=False) for name in staged.files)
    except FileNotFoundError:
        return False


def _is_let_in(user: User, folder: Path, names: Iterable[str]) -> bool:
    return user.may(folder, READ | ENTER) and all(user.may(folder / name, READ) for name in names)


def _users_of(folder: Path) -> list[User]:
    return [known_user(number) for number in granted(folder)]


def _refuse_twins(names: Iterable[str]) -> None:
    seen: dict[str, str] = {}
    for name in names:
        folded = unicodedata.normalize("NFC", name).casefold()
        if folded in seen:
            message = f"{seen[folded]} and {name} would be one certificate"
            raise InvalidInputError(message, hint="some file systems do not tell upper from lower case")
        seen[folded] = name
