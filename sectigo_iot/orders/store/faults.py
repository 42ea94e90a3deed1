"""What can be wrong with the book itself, said in one line: no SQL, no password, no path but the book's own."""

from __future__ import annotations

import contextlib
import errno
import os
import sqlite3
from typing import TYPE_CHECKING, Any

from sqlalchemy import exc

from sectigo_iot.errors import OrderBookError

if TYPE_CHECKING:
    from collections.abc import Iterator


class CommitUnknownError(OrderBookError):
    """The book went away while it was writing, and did not say whether the change stands."""


_SQLITE = {
    "SQLITE_FULL": ("the disk is full", True, "make room, and try again: nothing was changed"),
    "SQLITE_BUSY": ("other processes keep it busy", True, "try again"),
    "SQLITE_LOCKED": ("other processes keep it busy", True, "try again"),
    "SQLITE_READONLY": ("it may not be written", False, "look at the owner and the mode of the file and its folder"),
    "SQLITE_IOERR": ("reading or writing the disk failed", True, "look at the disk and its quota, then try again"),
    "SQLITE_CORRUPT": ("it is damaged", False, "put a backup in its place; `sectigo orders backup` makes them"),
    "SQLITE_NOTADB": (
        "it is no order book, or it is damaged",
        False,
        "name another file, or put a backup in its place",
    ),
    "SQLITE_CANTOPEN": ("it cannot be opened", False, "look at the owner and the mode of the file and its folder"),
    "SQLITE_PERM": ("it may not be opened", False, "look at the owner and the mode of the file and its folder"),
    "SQLITE_AUTH": ("it may not be opened", False, "look at the owner and the mode of the file and its folder"),
    "SQLITE_NOMEM": ("there is no memory left", True, "try again"),
}
# The classes of https://www.postgresql.org/docs/current/errcodes-appendix.html.
_POSTGRESQL = {
    "28": ("the server does not let this user in", False, "look at the user, the password and pg_hba.conf"),
    "3D": ("there is no such database", False, "create it: createdb NAME"),
    "42501": ("this user may not do that", False, "the user needs CREATE on the schema, once, and its own tables"),
    "25006": ("it may not be written", True, "is that a standby server?"),
    "53100": ("the server's disk is full", True, "make room, and try again: nothing was changed"),
    "53": ("the server has no more connections or memory to give", True, "try again"),
    "57014": ("it took too long", True, "try again"),
    "57": ("the server is stopping or starting", True, "try again"),
    "55": ("other processes keep it busy", True, "try again"),
    "40": ("other processes were quicker", True, "try again"),
    "58": ("the server cannot read or write its disk", True, "look at the server's log"),
    "XX": ("the server says that it is damaged", False, "look at the server's log"),
    "08": ("the server is away", True, "try again"),
}
_REFUSALS = (
    ("role ", "28"),
    ("authentication", "28"),
    ("password", "28"),
    ("pg_hba.conf", "28"),
    ("does not exist", "3D"),
    ("too many clients", "53"),
    ("starting up", "57"),
)
_AWAY = ("the server is away", True, "look whether it runs, and at its name and port; then try again")
_ROOM = 64 << 10
"""Bytes: with fewer left SQLite cannot make the index beside a book, which reading takes, too."""
_OTHER = ("its tables are not what they should be", False, "put a backup in its place, or name another book")


@contextlib.contextmanager
def told(book: str) -> Iterator[None]:
    """Have what the database raises in the block come out as OrderBookError; `book` is how the message calls it."""
    try:
        yield
    except exc.IntegrityError:
        raise
    except (exc.SQLAlchemyError, sqlite3.Error) as error:
        raise book_error(book, error) from None
    except OSError as error:
        if error.errno == errno.ENOSPC:
            why, passes, hint = _SQLITE["SQLITE_FULL"]
            raise OrderBookError(f"the order book {book}: {why}", passes=passes, hint=hint) from None
        hint = "look at the owner and the mode of the file and its folder, and at the disk"
        raise OrderBookError(f"the order book {book}: {error.strerror}", passes=True, hint=hint) from None


def book_error(book: str, error: Exception, *, committing: bool = False) -> OrderBookError:
    """Return what an error of the database means. `committing`: it came when all was done but the last word."""
    why, passes, hint = _SQLITE["SQLITE_FULL"] if _for_want_of_room(book, error) else _meaning(error)
    if committing and _in_doubt(error):
        hint = "it is not known whether the last change was written; doing it again does no harm"
        return CommitUnknownError(f"the order book {book}: {why}", passes=passes, hint=hint)
    return OrderBookError(f"the order book {book}: {why}", passes=passes, hint=hint)


def _meaning(error: Exception) -> tuple[str, bool, str]:
    if isinstance(error, exc.TimeoutError):
        return _SQLITE["SQLITE_BUSY"]
    origin: Any = getattr(error, "orig", None) or error
    if isinstance(origin, sqlite3.Error):
        return _of_sqlite(origin)
    code = getattr(origin, "sqlstate", None)
    if code is None:
        return _of_no_code(error, str(origin))
    return _POSTGRESQL.get(code) or _POSTGRESQL.get(code[:2]) or (f"{_OTHER[0]} ({code})", *_OTHER[1:])


def _of_sqlite(origin: sqlite3.Error) -> tuple[str, bool, str]:
    name = getattr(origin, "sqlite_errorname", None) or ""
    # The longer names say what was being read or written: SQLITE_IOERR_FSYNC.
    return _SQLITE.get("_".join(name.split("_")[:2])) or (f"{_OTHER[0]} ({name or 'no code'})", *_OTHER[1:])


def _for_want_of_room(book: str, error: Exception) -> bool:
    """Whether the disk of a file has no room: SQLite says so of the file itself, and not of those beside it.

    https://www.sqlite.org/rescode.html#ioerr_shmsize
    """
    name = getattr(getattr(error, "orig", None) or error, "sqlite_errorname", None) or ""
    if not name.startswith(("SQLITE_IOERR", "SQLITE_CANTOPEN")):
        return False
    with contextlib.suppress(OSError):
        disk = os.statvfs(os.path.dirname(book.removeprefix("sqlite:///")))  # noqa: PTH120 - it is a part of a URL
        return disk.f_bavail * disk.f_frsize < _ROOM
    return False


def _of_no_code(error: Exception, words: str) -> tuple[str, bool, str]:
    """Tell the refusals of a server, which come without a code while connecting, by the server's words."""
    for part, code in _REFUSALS:
        if part in words and isinstance(error, exc.DBAPIError):
            return _POSTGRESQL[code]
    return _AWAY


def _in_doubt(error: Exception) -> bool:
    """Whether the change may stand all the same.

    A full disk cuts the log before the mark that makes the change valid (https://www.sqlite.org/walformat.html).
    """
    origin: Any = getattr(error, "orig", None) or error
    if isinstance(origin, sqlite3.Error):
        return (getattr(origin, "sqlite_errorname", None) or "").startswith("SQLITE_IOERR")
    return getattr(origin, "sqlstate", None) is None or origin.sqlstate[:2] in ("08", "57")
