"""Files that hold a secret: private from the first instant, and whole or not there at all."""

from __future__ import annotations

import contextlib
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

from sectigo_iot.errors import TargetExistsError

if TYPE_CHECKING:
    from collections.abc import Iterator


def private_folder(path: Path) -> Path:
    """Make the folder, 0700, with what is missing above it, and return it."""
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


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

    Raises TargetExistsError where something stands there already and `replace` is false: before the block, and
    again at its end should something have come in between.
    """
    target = Path(path)
    if not replace or target.is_dir():
        _refuse_existing(target)
    beside = target.with_name(f".{target.name[:100]}.{secrets.token_hex(6)}.part")
    try:
        # In here, because a signal may strike as soon as the file exists.
        descriptor = os.open(beside, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "w+b") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        _give_name(beside, target, replace=replace)
    except OSError as error:
        if error.filename in (None, os.fspath(beside)):
            raise OSError(error.errno, error.strerror, os.fspath(target)) from None
        raise
    finally:
        with contextlib.suppress(OSError):
            beside.unlink()


def _refuse_existing(target: Path) -> None:
    if os.path.lexists(target):
        what = "is a folder" if target.is_dir() else "exists already"
        raise TargetExistsError(f"{target} {what}, and is left as it is", path=str(target))


def _give_name(beside: Path, target: Path, *, replace: bool) -> None:
    if replace:
        beside.replace(target)
    else:
        _link(beside, target)
    folder = os.open(target.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


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
