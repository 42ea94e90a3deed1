"""One installation at a time into one folder."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from sectigo_iot.errors import TargetExistsError
from sectigo_iot.files import private_folder
from sectigo_iot.pki.installing.layout import Layout

_LOCK = ".lock"
_PAUSE = 0.05
"""Seconds between two attempts."""


@contextlib.contextmanager
def locked(layout: Layout, patience: float) -> Iterator[None]:
    """Hold the target folder for the block, making it, 0700, where it is missing; an empty one goes afterwards again.

    Raises BlockingIOError where another holds it for more than `patience` seconds, TargetExistsError where
    `.versions` is no folder, OSError otherwise.
    """
    made = [folder for folder in (layout.root, *layout.root.parents) if not folder.exists()]
    descriptor = _held(layout, time.monotonic() + patience)
    try:
        yield
    finally:
        _tidy(layout, made)
        # Whoever was forked meanwhile has this descriptor too, and closing it would not unlock it.
        fcntl.flock(descriptor, fcntl.LOCK_UN)
        os.close(descriptor)


def _held(layout: Layout, until: float) -> int:
    for _ in itertools.count():
        with contextlib.suppress(FileNotFoundError):
            descriptor = _attempt(_versions_folder(layout) / _LOCK)
            if descriptor is not None:
                return descriptor
        if time.monotonic() > until:
            break
        time.sleep(_PAUSE)
    raise BlockingIOError(errno.EAGAIN, "another installation into this folder is under way", str(layout.root))


def _versions_folder(layout: Layout) -> Path:
    folder = layout.versions
    if os.path.lexists(folder) and not stat.S_ISDIR(folder.lstat().st_mode):
        raise TargetExistsError(f"{folder} is no folder, and is left as it is", path=str(folder))
    return private_folder(folder)


def _attempt(path: Path) -> int | None:
    """Return a descriptor with the lock, None where another has it or took its file away meanwhile."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        if _is_free(descriptor, path) and os.path.samestat(os.fstat(descriptor), path.lstat()):
            return descriptor
    except BaseException:
        os.close(descriptor)
        raise
    os.close(descriptor)
    return None


def _is_free(descriptor: int, path: Path) -> bool:
    """Lock the file, or return False where another has it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        # As on some network file systems.
        message = f"it cannot be locked against another installation: {error.strerror}"
        raise OSError(error.errno, message, str(path.parent.parent)) from None
    return True


def _tidy(layout: Layout, made: list[Path]) -> None:
    """Leave no empty folders where nothing was installed."""
    with contextlib.suppress(OSError):
        if [each.name for each in layout.versions.iterdir()] == [_LOCK]:
            (layout.versions / _LOCK).unlink()
            layout.versions.rmdir()
            for folder in made:
                folder.rmdir()
