"""Files and folders held by descriptors, so that whoever may write above them cannot put others in their way.

A path is followed anew by each call, and who owns the target folder can swap what is in it between two of them: a
link where a file of ours was would then be opened to a user. A descriptor stays with what was looked at (openat(2)).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


@dataclass(frozen=True, slots=True)
class Held:
    """A file or folder that is open: its descriptor, and the path by which a user knows it."""

    descriptor: int
    path: Path

    @contextlib.contextmanager
    def folder(self, name: str) -> Iterator[Held]:
        """Hold a folder in this one, which is no link, for the block. Raises OSError."""
        with self._opened(name, os.O_DIRECTORY) as held:
            yield held

    @contextlib.contextmanager
    def file(self, name: str) -> Iterator[Held]:
        """Hold a file in this folder, which is no link, for the block. Raises OSError."""
        with self._opened(name, 0) as held:
            yield held

    @contextlib.contextmanager
    def above(self) -> Iterator[Held]:
        """Hold the folder in which this one really stands, for the block. Raises OSError."""
        with self._opened("..", os.O_DIRECTORY) as held:
            yield Held(held.descriptor, self.path.parent)

    @contextlib.contextmanager
    def _opened(self, name: str, flags: int) -> Iterator[Held]:
        with held_folder(self.path / name, name, self.descriptor, flags) as held:
            yield held

    def move(self, name: str, target: Held, new_name: str) -> None:
        """Rename what is in this folder into another one. Raises OSError that names where it should have gone."""
        try:
            os.rename(name, new_name, src_dir_fd=self.descriptor, dst_dir_fd=target.descriptor)
        except OSError as error:
            raise OSError(error.errno, error.strerror, str(target.path / new_name)) from None


@contextlib.contextmanager
def held_folder(
    path: Path, name: str | None = None, folder: int | None = None, flags: int = os.O_DIRECTORY
) -> Iterator[Held]:
    """Hold what stands at `path`, which is no link, for the block; by its name where its folder is held.

    Raises OSError that names the path.
    """
    try:
        descriptor = os.open(path if name is None else name, _FLAGS | flags, dir_fd=folder)
    except OSError as error:
        raise OSError(error.errno, error.strerror, str(path)) from None
    try:
        yield Held(descriptor, path)
    finally:
        os.close(descriptor)
