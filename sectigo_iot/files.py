"""Files that hold a secret: private from the first instant, and whole or not there at all.

A file is written beside its place, under a name of its own that ends in `UNFINISHED`, and locked while it is written.
What a process that was killed has left there is locked by nobody, and goes as soon as the next file is written.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import itertools
import os
import re
import stat
import time
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sectigo_iot.errors import TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator

UNFINISHED = ".sectigo-part"
ABANDONED = 24 * 3600.0
"""Seconds after which an unfinished file that cannot be locked, as on some network file systems, is nobody's."""

_UNFINISHED_NAME = re.compile(rf"\..*\.[0-9a-f]{{12}}{re.escape(UNFINISHED)}", re.DOTALL)


def private_folder(path: Path, *, tighten: bool = False) -> Path:
    """Make the folder, 0700 under any umask, with what is missing above it, 0700 too, and return it.

    `tighten`: where it exists, is ours and is open to others, they are shut out; for a folder that only we use.
    Raises OSError.
    """
    missing = itertools.takewhile(lambda folder: not folder.is_dir(), (path, *path.parents))
    for folder in reversed(list(missing)):
        _make_folder(folder)
    if tighten:
        state = path.stat()
        if state.st_uid == os.geteuid() and state.st_mode & 0o077:
            _shut(path)
    return path


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700)
    except FileExistsError:
        # Another process may have been quicker.
        if not folder.is_dir():
            raise
    else:
        _shut(folder)


def _shut(folder: Path) -> None:
    """Have only its owner in, and give them back what the umask took."""
    # FAT knows no modes.
    with contextlib.suppress(OSError):
        folder.chmod(0o700)


def write_private(path: str | os.PathLike[str], data: bytes, *, replace: bool = False) -> Path:
    """Write the file, 0600, in one step: a reader sees the old whole or the new whole, a failure leaves the old.

    Raises TargetExistsError where something stands there already and `replace` is false, OSError otherwise.
    """
    with private_file(path, replace=replace) as file:
        file.write(data)
    return Path(path)


@contextlib.contextmanager
def private_file(path: str | os.PathLike[str], *, replace: bool = False) -> Iterator[BinaryIO]:
    """Open a file beside `path`, 0600, that takes its name when the block ends well and vanishes when it does not.

    What killed processes have left in the folder goes, too. Raises TargetExistsError where something stands there
    already and `replace` is false: before the block, and again at its end should something have come in between.
    """
    target = Path(path)
    sweep(target.parent)
    if not replace or target.is_dir():
        _refuse_existing(target)
    for beside in _names_beside(target):
        try:
            with _made(beside) as file:
                if not _claimed(file, beside):
                    continue
                yield file
                file.flush()
                os.fsync(file.fileno())
                # Still locked: who is given its name is never swept.
                _give_name(beside, target, replace=replace)
                return
        except OSError as error:
            if error.filename in (None, os.fspath(beside)):
                raise OSError(error.errno, error.strerror, os.fspath(target)) from None
            raise


def _names_beside(target: Path) -> Iterator[Path]:
    # Of the name only as much as leaves a valid name, 255 bytes at the most.
    while True:
        yield target.with_name(f".{target.name[:50]}.{os.urandom(6).hex()}{UNFINISHED}")


@contextlib.contextmanager
def _made(beside: Path) -> Iterator[BinaryIO]:
    """Make the file, 0600, for the block; after it that name is gone."""
    try:
        # In here, because a signal may strike as soon as the file exists.
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            # A umask may take from the owner, too; and FAT knows no modes.
            with contextlib.suppress(OSError):
                os.fchmod(descriptor, 0o600)
            yield file
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _claimed(file: BinaryIO, beside: Path) -> bool:
    """Lock a new file. Return False where it was swept between the moments in which it was made and locked."""
    return try_lock(file.fileno()) is not False and os.path.lexists(beside)


def try_lock(descriptor: int) -> bool | None:
    """Lock an open file or folder without waiting: False where another has it, None where there are no locks.

    The lock ends with the process, or when all descriptors of this opening are closed (flock(2)).
    """
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def sweep(folder: Path) -> None:
    """Remove the unfinished files of ours in a folder that nobody writes any more. Nothing is raised."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if _UNFINISHED_NAME.fullmatch(entry.name)]
        for path in found:
            _remove_abandoned(path)


def _remove_abandoned(path: Path) -> None:
    with contextlib.suppress(OSError), contextlib.ExitStack() as held:
        state = path.lstat()
        if not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid():
            return
        locked = None
        with contextlib.suppress(PermissionError):
            # No link is followed and no FIFO waited for, should one have come in between. NFS asks for O_RDWR.
            descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            held.callback(os.close, descriptor)
            locked = try_lock(descriptor)
        if locked or (locked is None and time.time() - state.st_mtime > ABANDONED):
            path.unlink()


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        what = "is a folder" if target.is_dir() else "exists already"
        raise TargetExistsError(f"{target} {what}, and is left as it is", path=str(target))


def _give_name(beside: Path, target: Path, *, replace: bool) -> None:
    if replace:
        beside.replace(target)
    else:
        _link(beside, target)
    _sync_folder(target.parent)


def _sync_folder(folder: Path) -> None:
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
    except OSError as error:
        # The file has its name: a folder that may not be read, or that cannot be synchronized, is no failure.
        if error.errno not in (errno.EACCES, errno.EINVAL, errno.ENOTSUP):
            raise


def sync_filesystem(path: Path) -> None:
    """Have everything that was written to the file system of this path on the disk: one wait for any number of files.

    Waiting for each of 50,000 files would take a minute. Raises OSError.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _syncfs(descriptor)
    finally:
        os.close(descriptor)


def _syncfs(descriptor: int) -> None:
    import ctypes

    # Python has no name for it (https://man7.org/linux/man-pages/man2/syncfs.2.html); where the C library has none
    # either, everything is synchronized.
    syncfs = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None)
    if syncfs is None:
        os.sync()
    elif syncfs(descriptor) != 0:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def _link(beside: Path, target: Path) -> None:
    try:
        # A link fails where the name is taken, which a rename does not.
        os.link(beside, target)
    except FileExistsError:
        _refuse_existing(target)
    except OSError:
        # FAT and some network file systems have no hard links.
        _refuse_existing(target)
        beside.replace(target)
