"""A small document for each (endpoint, user), in a private file, trusted only where nobody else can have written it.

What stands in the place of such a file and is none, a link, a FIFO, an empty folder, somebody else's file, is never
read or written through, and makes way for the next document.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import json
import logging
import os
import stat
from typing import TYPE_CHECKING

from sectigo_iot.files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

_log = logging.getLogger("sectigo_iot.records")

LARGEST = 64 * 1024
"""Bytes; a file above this is none of ours."""


class Records:
    """The documents of one kind, in one folder, which need not exist.

    `ending`: of the files' names. `own`: whether only we use the folder, so that others may be shut out of it.
    """

    def __init__(self, folder: Path, ending: str, *, own: bool = False) -> None:
        self._folder = folder
        self._ending = ending
        self._own = own
        self._told: set[Path] = set()

    def path(self, endpoint: str, username: str) -> Path:
        """Where the document of this endpoint and user is kept; its name tells neither."""
        from hashlib import sha256

        name = sha256(f"{endpoint}\0{username}".encode("utf-8", "surrogatepass")).hexdigest()[:32]
        return self._folder / f"{name}{self._ending}"

    def read(self, endpoint: str, username: str) -> dict[str, object] | None:
        """Return the document, or None where there is none that can be trusted and read; that is said once."""
        path = self.path(endpoint, username)
        document, why_not = _judged(path)
        if why_not is not None:
            self._tell(path, why_not)
        return document if document is not None and _is_of(document, endpoint, username) else None

    def write(self, endpoint: str, username: str, fields: Mapping[str, object]) -> None:
        """Keep this document in place of any other. Raises OSError, TargetExistsError."""
        path = self.path(endpoint, username)
        self.make_folder()
        make_way(path)
        document = {"endpoint": endpoint, "username": username, **fields}
        write_private(path, json.dumps(document).encode(), replace=True)
        self._told.discard(path)

    def remove(self, endpoint: str, username: str) -> None:
        """Forget the document. Raises OSError where it stays."""
        path = self.path(endpoint, username)
        with contextlib.suppress(FileNotFoundError, NotADirectoryError):
            if not stat.S_ISDIR(path.lstat().st_mode):
                path.unlink()

    def all(self, endpoint: str) -> dict[str, dict[str, object]]:
        """Return the documents of every user of this endpoint, without a word about those that cannot be read."""
        found = {}
        with contextlib.suppress(OSError):
            for path in self._folder.glob(f"*{self._ending}"):
                with contextlib.suppress(OSError, ValueError):
                    document = _document(path)
                    username = str(document.get("username"))
                    if _is_of(document, endpoint, username) and path == self.path(endpoint, username):
                        found[username] = document
        return found

    def make_folder(self) -> None:
        """Make the folder. Raises OSError."""
        private_folder(self._folder, tighten=self._own and not self._folder.is_symlink())

    def _tell(self, path: Path, fault: str) -> None:
        if path not in self._told:
            self._told.add(path)
            _log.warning("%s %s, so it is not trusted", path, fault)


def fault(path: Path) -> str | None:
    """Return why the document in a file is not trusted, as `is a link`; None where it is, or where there is none."""
    return _judged(path)[1]


def _judged(path: Path) -> tuple[dict[str, object] | None, str | None]:
    """Return the document in a file, and why it is not trusted; neither, where nothing is there."""
    try:
        return _document(path), None
    except (FileNotFoundError, NotADirectoryError):
        return None, None
    except OSError as error:
        return None, "is a link" if error.errno == errno.ELOOP else f"cannot be read: {error.strerror}"
    except ValueError as error:
        return None, str(error)


def _is_of(document: dict[str, object], endpoint: str, username: str) -> bool:
    return (document.get("endpoint"), document.get("username")) == (endpoint, username)


def _document(path: Path) -> dict[str, object]:
    """Read a file. Raises ValueError that says what is wrong with it, OSError."""
    data = _content(path)
    try:
        document = json.loads(data)
    except (ValueError, RecursionError):
        document = None
    if not isinstance(document, dict):
        raise ValueError("is damaged")
    return document


def _content(path: Path) -> bytes:
    """Read a plain file that only its owner, who is us, can open; never through a link, never blocking on a FIFO."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor))
        with open(descriptor, "rb", closefd=False) as file:
            return file.read(LARGEST)
    finally:
        os.close(descriptor)


def _check(state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("is no file")
    if state.st_uid != os.geteuid():
        raise ValueError("belongs to somebody else")
    if state.st_mode & 0o077:
        raise ValueError("can be read by others")
    if state.st_size > LARGEST:
        raise ValueError("is too large")


def make_way(path: Path) -> None:
    """Remove what stands at `path` and is no file of ours: a link, not what it points to; a folder only if empty.

    Raises OSError where it stays.
    """
    if _is_in_the_way(path):
        with _held(path.parent):
            # Another process may have been quicker, and what stands there now may be its new file.
            if _is_in_the_way(path):
                _remove(path)


def _is_in_the_way(path: Path) -> bool:
    try:
        state = path.lstat()
    except FileNotFoundError:
        return False
    return not stat.S_ISREG(state.st_mode) or state.st_uid != os.geteuid()


def _remove(path: Path) -> None:
    if stat.S_ISDIR(path.lstat().st_mode):
        path.rmdir()
    else:
        path.unlink()


@contextlib.contextmanager
def _held(folder: Path) -> Iterator[None]:
    """Exclude the other processes that remove something here, where the file system can lock a folder."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        with contextlib.suppress(OSError):
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)
