"""Where a book is: the URL or path that names it, its folder and file, made private before SQLite opens them."""

from __future__ import annotations

import contextlib
import os
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from sectigo_iot.errors import InvalidInputError, OrderBookError
from sectigo_iot.files import private_folder

if TYPE_CHECKING:
    from sectigo_iot.orders.protocols import SecretStore

_FILE = "orders.sqlite3"
_HINT = "a path, sqlite:////path, or postgresql://user@host/database"
_HOST = re.compile(r"[A-Za-z0-9.:,_/%-]*")
_POSTGRESQL = ("postgresql", "postgres", "postgresql+psycopg")


def book_url(named: str | os.PathLike[str] | None) -> URL:
    """Return the URL of the book that somebody named; without a name, that of the file in the user's data folder.

    Raises InvalidInputError for what names no book; the message does not repeat it, for a password may stand in it.
    """
    if named is None:
        return _file_url(data_folder() / _FILE)
    text = os.fspath(named)
    if not text or "\0" in text:
        raise InvalidInputError("that names no order book", hint=_HINT)
    if "://" not in text or not isinstance(named, str):
        return _file_url(Path(text))
    return _parsed(text)


def _parsed(text: str) -> URL:
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):
        raise InvalidInputError("that is no URL of an order book", hint=_HINT) from None
    if url.drivername == "sqlite":
        if not url.database or url.database == ":memory:" or url.query or url.host:
            raise InvalidInputError("an order book in SQLite is a file: sqlite:////path", hint=_HINT)
        return _file_url(Path(url.database))
    if url.drivername in _POSTGRESQL and not _HOST.fullmatch(url.host or ""):
        # A part of the password, it may be.
        raise InvalidInputError("what should be the host in the URL is none", hint="@ in a password is written %40")
    if url.drivername in _POSTGRESQL:
        return url.set(drivername="postgresql+psycopg")
    raise InvalidInputError("an order book is kept in SQLite or in PostgreSQL", hint=_HINT)


def _file_url(path: Path) -> URL:
    # No link is followed, and where there is no such user ~ stands for itself.
    return URL.create("sqlite", database=os.path.abspath(os.path.expanduser(path)))  # noqa: PTH100, PTH111


def shown(url: URL) -> str:
    """Return a URL as it may be told: without a password, wherever one stands in it."""
    query = {name: value for name, value in url.query.items() if "password" not in name.lower()}
    name = url.drivername.partition("+")[0]
    shown = URL.create(name, url.username, None, url.host, url.port, url.database, query)
    return shown.render_as_string(hide_password=False)


def data_folder() -> Path:
    """Return the platform's folder for this user's data. Raises OrderBookError where the user has no home."""
    from platformdirs import user_data_path

    try:
        folder = user_data_path("sectigo-iot", appauthor=False)
    except RuntimeError:
        folder = Path()
    # Older versions of platformdirs take a home that they do not find for a folder of this name, here.
    if not folder.is_absolute():
        raise OrderBookError("this user has no home folder for an order book", hint="name a file for it")
    return folder


def default_secrets(url: URL) -> SecretStore:
    """Return the folder of private files that belongs to a book."""
    from sectigo_iot.orders.secrets import FileSecretStore

    if url.database and url.drivername == "sqlite":
        return FileSecretStore(f"{url.database}.secrets")
    return FileSecretStore(data_folder() / "orders.secrets")


def make_private(path: Path, *, own_folder: bool) -> None:
    """Make the book's file, 0600, where there is none, in a folder that is made 0700; SQLite finds it empty.

    Its -wal and -shm get the modes of the file (https://www.sqlite.org/src/info/84b324606adc32c1). A file of ours
    that others can read is closed to them. Raises OSError, and OrderBookError where something else stands there.
    """
    private_folder(path.parent, tighten=own_folder)
    with contextlib.suppress(FileExistsError):
        _make(path)
    state = path.stat()
    if not stat.S_ISREG(state.st_mode):
        raise OrderBookError(f"the order book {path}: that is no file", hint="name another file")
    if state.st_uid == os.geteuid() and state.st_mode & 0o077:
        # FAT knows no modes.
        with contextlib.suppress(OSError):
            for each in (path, Path(f"{path}-wal"), Path(f"{path}-shm")):
                each.chmod(0o600)


def _make(path: Path) -> None:
    """Make an empty file without opening it: closing it would end the locks of whoever opened it meanwhile.

    https://www.sqlite.org/howtocorrupt.html, section 2.2.
    """
    try:
        os.mknod(path, stat.S_IFREG | 0o600)
    except PermissionError:
        # Not everywhere may everybody do that.
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))
    with contextlib.suppress(OSError):
        path.chmod(0o600)
    descriptor = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
