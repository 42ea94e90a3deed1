"""A folder that keys and their requests are put into: whole pairs, nothing replaced, nothing lost.

Pairs are written into a folder of their own inside it, and linked to their places when they are on the disk: many at
once, so that one wait is enough for all of them. What a process that was killed has left is put right by the next.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.pki import CertificateRequest

KEY, REQUEST = ".key", ".csr"
MOST = 1000
"""Pairs that are written before they are put in their places."""
LONGEST = 5.0
"""Seconds after which they are, however few they are: so much work a killed process loses."""
FEW = 16
"""Files up to which waiting for each is quicker than for all that anybody has written."""

_STAGE = re.compile(r"\.requests\.[0-9a-f]{12}\.sectigo-part")


def stem_of(name: str) -> str:
    """Return what the files for a common name are called, as `write_zip` calls its entries."""
    return name.replace("*", "_")


def entry(request: CertificateRequest, key: str | Path, path: Path) -> dict[str, Any]:
    """Return what is printed of one request."""
    return {
        "name": request.common_name,
        "dns": list(request.dns_names),
        "keyType": request.key,
        "keyFile": str(key),
        "csrFile": str(path),
        "publicKeySHA256": request.public_key_fingerprint,
    }


def say_next(args: argparse.Namespace, context: Context, what: str, keys: str, rest: str) -> None:
    """Say which line orders `what` and puts it beside `keys`, both as words of a shell; `rest` says more of it."""
    given = context.options.profile
    named = given or os.environ.get("SECTIGO_PROFILE")
    which = f"-P {shlex.quote(given)} " if given else "" if named else "-p PROFILE_ID "
    path = args.key_password_file
    opened = f" --password-file {shlex.quote(path)}" if path and Path(path).is_file() else ""
    context.note(f"next: `sectigo upload {which}{what} --download certs --extract --key {keys}{opened}` {rest}")
    if not named:
        context.note("PROFILE_ID is one of the ids that `sectigo profiles` lists")


class RequestFolder:
    """A folder that is being filled, through another one in which files are made."""

    def __init__(self, folder: Path, stage: Path) -> None:
        self._folder = folder
        self._stage = stage
        self._staged = f"{stage}/"
        self._waiting: list[str] = []
        self.settled = 0
        """How many pairs are in their places."""
        self._since = time.monotonic()

    def add(self, stem: str, key: bytes, request: bytes) -> None:
        """Take one pair; it is in its place when `settle` has returned."""
        # As texts: thousands of paths would take longer than the keys.
        with _named(f"{self._folder / stem}{KEY}"):
            _write(f"{self._staged}{stem}{KEY}", key)
            _write(f"{self._staged}{stem}{REQUEST}", request)
        self._waiting.append(stem)
        if len(self._waiting) >= MOST or time.monotonic() - self._since > LONGEST:
            self.settle()

    def settle(self) -> None:
        """Put what waits in its place. Raises TargetExistsError where something has come there meanwhile."""
        if self._waiting:
            _sync([f"{self._staged}{stem}{suffix}" for stem in self._waiting for suffix in (KEY, REQUEST)])
            for stem in self._waiting:
                place(self._stage, self._folder, stem)
                self.settled += 1
            _sync_folder(self._folder)
        self._waiting.clear()
        self._since = time.monotonic()


@contextlib.contextmanager
def filling(folder: Path) -> Iterator[RequestFolder]:
    """Yield the folder to put pairs into; those that wait when the block ends well are put in their places."""
    _put_right(folder)
    with _stage_in(folder) as stage:
        target = RequestFolder(folder, stage)
        yield target
        target.settle()


def in_the_way(folder: Path, stems: Iterable[str], suffixes: tuple[str, ...] = (KEY, REQUEST)) -> list[Path]:
    """Return what stands where pairs are to be put; first what a killed process has left is put right."""
    _put_right(folder)
    wanted = [folder / f"{stem}{suffix}" for stem in stems for suffix in suffixes]
    return [path for path in wanted if os.path.lexists(path)]


def refuse_existing(
    folder: Path, stems: Sequence[str], suffixes: tuple[str, ...] = (KEY, REQUEST), *, hint: str | None = None
) -> None:
    """Raise an InvalidInputError that names everything that stands where pairs are to be put."""
    from sectigo_iot import InvalidInputError, TargetExistsError

    found = in_the_way(folder, stems, suffixes)
    if len(found) == 1:
        raise TargetExistsError(_left_alone(found[0]), path=str(found[0]), hint=hint)
    if found:
        faults = tuple(map(_left_alone, found))
        raise InvalidInputError(f"{len(found)} files are in the way, nothing was made:", faults=faults, hint=hint)


def _left_alone(path: str | Path) -> str:
    return f"{path} exists already, and is left as it is"


def place(stage: Path, folder: Path, stem: str) -> None:
    """Link both files of a pair to their places, or neither: a request without its key would be paid for in vain."""
    try:
        for suffix in (KEY, REQUEST):
            _link(f"{stage}/{stem}{suffix}", f"{folder}/{stem}{suffix}")
    except BaseException:
        # By what is there, because a signal may strike between any two steps.
        staged, key = stage / f"{stem}{KEY}", folder / f"{stem}{KEY}"
        complete = _is_placed(stage / f"{stem}{REQUEST}", folder / f"{stem}{REQUEST}")
        if not complete and _is_placed(staged, key):
            key.unlink()
        raise


def _is_placed(staged: Path, target: Path) -> bool:
    """Whether the target is what was staged: linked, or moved where there are no links."""
    return os.path.lexists(target) and (not staged.exists() or _is_same(staged, target))


def _is_same(one: Path, other: Path) -> bool:
    try:
        return os.path.samestat(one.lstat(), other.lstat())
    except OSError:
        return False


def _link(staged: str, target: str) -> None:
    try:
        # A link fails where the name is taken, which a rename does not.
        os.link(staged, target, follow_symlinks=False)
    except FileExistsError:
        _refuse(target)
    except OSError:
        # FAT and some network file systems have no hard links.
        if os.path.lexists(target):
            _refuse(target)
        with _named(target):
            Path(staged).rename(target)


def _refuse(target: str) -> None:
    from sectigo_iot import TargetExistsError

    raise TargetExistsError(_left_alone(target), path=target) from None


@contextlib.contextmanager
def _named(target: str) -> Iterator[None]:
    """Have an error name the file that somebody asked for, not the one that stands for it meanwhile."""
    try:
        yield
    except OSError as error:
        raise OSError(error.errno, error.strerror, target) from None


def _write(path: str, data: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        # A umask may take from the owner, too; and FAT knows no modes.
        with contextlib.suppress(OSError):
            os.fchmod(descriptor, 0o600)
        file.write(data)


def _sync(paths: list[str]) -> None:
    if len(paths) > FEW:
        from sectigo_iot import sync_filesystem

        sync_filesystem(Path(paths[0]))
        return
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _sync_folder(folder: Path) -> None:
    try:
        _sync([str(folder)])
    except OSError as error:
        # The pairs are there: a folder that may not be read, or that cannot be synchronized, is no failure.
        if error.errno not in (errno.EACCES, errno.EINVAL, errno.ENOTSUP):
            raise


@contextlib.contextmanager
def _stage_in(folder: Path) -> Iterator[Path]:
    """Make a folder in which files are made, locked as long as this process lives, for the block."""
    while True:
        stage = folder / f".requests.{os.urandom(6).hex()}.sectigo-part"
        with contextlib.ExitStack() as held, contextlib.ExitStack() as made:
            # Before it is made, because a signal may strike as soon as it is there.
            made.callback(_remove, stage)
            with _named(str(folder)):
                stage.mkdir(mode=0o700)
                locked = _claimed(stage, held)
            # Another process may have taken it for abandoned before it was locked.
            if locked is not False and stage.exists():
                yield stage
                return


def _claimed(stage: Path, held: contextlib.ExitStack) -> bool | None:
    """Lock a new folder, as `_locked` does; False too where it is gone already."""
    # FAT knows no modes.
    with contextlib.suppress(OSError):
        stage.chmod(0o700)
    try:
        return _locked(stage, held)
    except FileNotFoundError:
        return False


def _remove(stage: Path) -> None:
    import shutil

    # Requests first: one without its key means that the key was moved to its place, as without hard links.
    for request in stage.glob(f"*{REQUEST}"):
        with contextlib.suppress(OSError):
            request.unlink()
    shutil.rmtree(stage, ignore_errors=True)


def _locked(path: Path, held: contextlib.ExitStack) -> bool | None:
    """Lock a folder without waiting: False where another has it, None where the file system has no locks."""
    from sectigo_iot import try_lock

    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    held.callback(os.close, descriptor)
    return try_lock(descriptor)


def _put_right(folder: Path) -> None:
    """Finish what a killed process was about to do, and remove what it had not come to. Nothing is raised."""
    with contextlib.suppress(OSError):
        with os.scandir(folder) as entries:
            found = [Path(entry.path) for entry in entries if _STAGE.fullmatch(entry.name)]
        for stage in found:
            with contextlib.suppress(OSError), contextlib.ExitStack() as held:
                if stage.lstat().st_uid == os.geteuid() and _locked(stage, held):
                    _complete(stage, folder)
                    _remove(stage)


def _complete(stage: Path, folder: Path) -> None:
    """Put the request beside a key that a killed process put into its place last of all."""
    for request in stage.glob(f"*{REQUEST}"):
        staged, target = request.with_suffix(KEY), folder / request.name
        if _is_placed(staged, folder / staged.name) and not os.path.lexists(target):
            _link(str(request), str(target))
