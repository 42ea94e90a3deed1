"""Files written where nobody looks for them, before they are put in place."""

from __future__ import annotations

import contextlib
import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sectigo_iot.errors import InvalidInputError, TargetExistsError
from sectigo_iot.files import UNFINISHED
from sectigo_iot.pki.installing.holding import Held, held_folder
from sectigo_iot.pki.installing.layout import Layout, checked_file_name, installed_name
from sectigo_iot.pki.installing.sweeping import BACK, LINKS, REMOVED, sweep


@dataclass(frozen=True, slots=True)
class Staged:
    """The files of one certificate, written but not in place: its name, the folder they are in, their names."""

    name: str
    folder: Path
    files: tuple[str, ...]


def stage_files(staging_root: Path, name: str, files: Mapping[str, bytes]) -> Staged:
    """Write the files of one certificate, 0600, into a new folder, 0700, of a staging folder.

    `staging_root` is `Installer.staging_root`; processes other than the installer's may call this. Nothing is
    synchronized. Raises InvalidInputError for a name that cannot be used or was staged before, OSError otherwise.
    """
    stored = installed_name(name)
    names = tuple(checked_file_name(each) for each in files)
    folder = staging_root / stored
    try:
        make_folder(folder)
    except FileExistsError:
        raise InvalidInputError(f"two certificates would be installed as {stored}") from None
    for each, data in files.items():
        _write(f"{folder}/{each}", data)
    return Staged(stored, folder, names)


def make_folder(path: Path) -> None:
    """Make one folder, 0700 under any umask. Raises OSError, of which FileExistsError says that there is one."""
    path.mkdir(mode=0o700)
    if stat.S_IMODE(path.stat().st_mode) != 0o700:
        path.chmod(0o700)


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        # A umask may take from the owner, too. To ask is cheaper than to set what is set.
        if stat.S_IMODE(os.fstat(descriptor).st_mode) != 0o600:
            os.fchmod(descriptor, 0o600)
        left = memoryview(data)
        while left:
            left = left[os.write(descriptor, left) :]
    except OSError as error:
        raise OSError(error.errno, error.strerror, path) from None
    finally:
        os.close(descriptor)


@dataclass(frozen=True, slots=True)
class Staging:
    """The folders of a run, held: its own, those for the links to come, for the links back and for what is removed.

    `root` is the target folder, `versions` the folder of all versions.
    """

    root: Held
    versions: Held
    own: Held
    links: Held
    back: Held
    removed: Held


@contextlib.contextmanager
def staging(layout: Layout) -> Iterator[Staging]:
    """Make a staging folder for the block; what killed runs have left goes first. The target must be locked.

    Raises TargetExistsError where others than this user may change what is in `.versions`, OSError otherwise.
    """
    with contextlib.ExitStack() as stack:
        versions = stack.enter_context(held_folder(layout.versions))
        folder = layout.versions / f".{os.urandom(6).hex()}{UNFINISHED}"
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        make_folder(folder)
        own = stack.enter_context(versions.folder(folder.name))
        _refuse_open(versions, own)
        sweep(layout, versions, but=folder.name)
        for name in (LINKS, BACK, REMOVED):
            make_folder(folder / name)
        links, back, removed = (stack.enter_context(own.folder(name)) for name in (LINKS, BACK, REMOVED))
        root = stack.enter_context(versions.above())
        yield Staging(root, versions, own, links, back, removed)


def _refuse_open(versions: Held, ours: Held) -> None:
    state = os.fstat(versions.descriptor)
    # Whom a new folder belongs to need not be who we are, on network file systems.
    if state.st_uid != os.fstat(ours.descriptor).st_uid:
        why, hint = "belongs to another user, who", "install as that user, or into another folder"
    elif state.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
        why, hint = "is a folder in which others may write, who", f"`chmod go-w {versions.path}` shuts them out"
    else:
        return
    message = f"{versions.path} {why} could change what is put into it"
    raise TargetExistsError(message, path=str(versions.path), hint=hint)
