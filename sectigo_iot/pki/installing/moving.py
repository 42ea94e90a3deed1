"""The steps by which staged files become the version in force, each of which can be taken back."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sectigo_iot.errors import TargetExistsError
from sectigo_iot.files import sync_filesystem
from sectigo_iot.pki.installing.grants import User, grant, let_enter
from sectigo_iot.pki.installing.holding import Held
from sectigo_iot.pki.installing.layout import Layout
from sectigo_iot.pki.installing.staging import Staged, Staging, make_folder


@dataclass(frozen=True, slots=True)
class Move:
    """A staged certificate, the version that it becomes, the one before and all older ones, and who is let in."""

    staged: Staged
    version: str
    before: str | None
    older: Sequence[str]
    users: tuple[User, ...]

    @property
    def name(self) -> str:
        """The name of the certificate."""
        return self.staged.name


@dataclass(frozen=True, slots=True)
class Mover:
    """Moves between the staging folder of a run and the places of a layout. Each step may raise OSError."""

    layout: Layout
    staging: Staging

    def place(self, moves: Sequence[Move], undoing: contextlib.ExitStack) -> None:
        """Open the files to the users, and have them on the disk under their final names; no link leads there yet."""
        for move in moves:
            if move.users:
                with self.staging.own.folder(move.name) as folder:
                    grant(move.users, folder, move.staged.files)
            self._make_link(self.staging.links, move.name, move.version)
            # Made now, so that switching back takes no more room on the disk.
            if move.before is not None:
                self._make_link(self.staging.back, move.name, move.before)
        placed: list[Move] = []
        undoing.callback(_each_backwards, self._take_back, placed)
        for move in moves:
            # Noted before it happens, for a signal may strike in between.
            placed.append(move)
            self._move_in(move)
        self._open_way(moves)
        self._sync()

    def _move_in(self, move: Move) -> None:
        versions = self.staging.versions
        with _naming(self.layout.home(move.name)), contextlib.suppress(FileExistsError):
            make_folder(self.layout.home(move.name))
        with versions.folder(move.name) as home:
            self.staging.own.move(move.name, home, move.version)

    def _open_way(self, moves: Sequence[Move]) -> None:
        versions = self.staging.versions
        everybody = dict.fromkeys(user for move in moves for user in move.users)
        let_enter(everybody, (self.staging.root, versions))
        for move in moves:
            if move.users:
                with versions.folder(move.name) as home:
                    let_enter(move.users, (home,))

    def switch(self, moves: Sequence[Move], undoing: contextlib.ExitStack) -> None:
        """Have each link lead to the new version: one rename each, and the disk time to have them.

        Raises TargetExistsError where something else has come to stand in the place of a link.
        """
        switched: list[Move] = []
        undoing.callback(_each_backwards, self._switch_back, switched)
        for move in moves:
            switched.append(move)
            self.layout.current(move.name)
            self._use_link(self.staging.links, move.name)
        self._sync()

    def _sync(self) -> None:
        with _naming(self.layout.versions):
            sync_filesystem(self.layout.versions)

    def prune(self, move: Move, keep: int) -> None:
        """Take all versions but the last `keep` out of sight, whole, to go with the staging folder.

        Nothing is raised: what could not be taken stays.
        """
        kept = [each for each in (move.version, move.before) if each][:keep]
        others = [each for each in move.older if each not in kept]
        for version in others[: max(0, len(others) - (keep - len(kept)))]:
            with contextlib.suppress(OSError), self.staging.versions.folder(move.name) as home:
                home.move(version, self.staging.removed, f"{move.name}.{version}")

    def _make_link(self, folder: Held, name: str, version: str) -> None:
        target = self.layout.target(name, version)
        try:
            with contextlib.suppress(FileExistsError):
                os.symlink(target, name, dir_fd=folder.descriptor)
                return
            # It is left of a commit that failed.
            os.unlink(name, dir_fd=folder.descriptor)
            os.symlink(target, name, dir_fd=folder.descriptor)
        except OSError as error:
            message = f"no symbolic link can be made in it: {error.strerror}"
            raise OSError(error.errno, message, str(self.layout.root)) from None

    def _use_link(self, folder: Held, name: str) -> None:
        folder.move(name, self.staging.root, name)

    def _take_back(self, move: Move) -> None:
        with contextlib.suppress(OSError, TargetExistsError):
            if self.layout.current(move.name) == move.version:
                # It could not be switched back, and is whole where it is.
                return
        with contextlib.suppress(OSError), self.staging.versions.folder(move.name) as home:
            home.move(move.version, self.staging.own, move.name)
        with contextlib.suppress(OSError):
            os.rmdir(move.name, dir_fd=self.staging.versions.descriptor)

    def _switch_back(self, move: Move) -> None:
        with contextlib.suppress(OSError, TargetExistsError):
            if self.layout.current(move.name) != move.version:
                return
            if move.before is None:
                os.unlink(move.name, dir_fd=self.staging.root.descriptor)
            else:
                self._use_link(self.staging.back, move.name)


def _each_backwards(undo: Callable[[Move], None], moves: Sequence[Move]) -> None:
    # One callback for all: one for each of 10,000 certificates would take 10 MiB.
    for move in reversed(moves):
        undo(move)


@contextlib.contextmanager
def _naming(path: Path) -> Iterator[None]:
    """Have an OSError name the path that a user knows."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
