"""What stands in a file that somebody names, or comes through a pipe: within a limit, and never waited for for ever.

Whoever names a file may name a pipe: a shell does for `<(…)`, and `/dev/stdin` is one as often as not. So all kinds
are read, and no kind without end.
"""

from __future__ import annotations

import contextlib
import errno
import os
import select
import stat
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

PATIENCE = 30.0
"""Seconds that a pipe may be silent: whoever writes into it may have to type a password first."""
LONGEST_LINE = 4096
"""Bytes of a first line; what is longer is no password."""
_PIECE = 1 << 20
_MIB = 1 << 20


def read_input(path: str | os.PathLike[str], limit: int) -> bytes:
    """Return what stands in a file, or comes through a pipe until it ends: `limit` bytes at the most.

    Raises OSError, whose `strerror` says why: it cannot be opened, is a folder or too large, or is a pipe through
    which nothing came for thirty seconds.
    """
    with _opened(path) as descriptor:
        state = os.fstat(descriptor)
        data = b"" if _is_larger(state, limit) else b"".join(_pieces(descriptor, path, limit + 1))
    if len(data) > limit or _is_larger(state, limit):
        size = f"{limit // _MIB} MiB" if limit % _MIB == 0 else f"{limit} bytes"
        raise OSError(errno.EFBIG, f"it is larger than {size}", os.fspath(path))
    return data


def read_first_line(source: str | os.PathLike[str] | IO[bytes]) -> str:
    """Return the first line of a file, a pipe or an open stream, which holds a password; the rest does not matter.

    Raises OSError, whose `strerror` says why, as `read_input` does, and where the line is longer than 4096 bytes, is
    not UTF-8, or holds control characters.
    """
    if isinstance(source, str | os.PathLike):
        with _opened(source) as descriptor:
            data = _up_to_line_end(_pieces(descriptor, source, LONGEST_LINE + 2))
    else:
        data = source.readline(LONGEST_LINE + 2)
    line = data.split(b"\n", 1)[0].rstrip(b"\r")
    if len(line) > LONGEST_LINE:
        raise OSError(errno.EFBIG, f"its first line is longer than {LONGEST_LINE} bytes")
    return _text(line)


def _up_to_line_end(pieces: Iterator[bytes]) -> bytes:
    data = b""
    for piece in pieces:
        data += piece
        if b"\n" in piece:
            break
    return data


def _text(line: bytes) -> str:
    try:
        text = line.decode("utf-8-sig")
    except UnicodeError:
        raise OSError(errno.EILSEQ, "its first line is not UTF-8 text") from None
    if any(ord(each) < 0x20 or 0x7F <= ord(each) < 0xA0 for each in text.replace("\t", " ")):
        raise OSError(errno.EILSEQ, "its first line holds control characters")
    return text


@contextlib.contextmanager
def _opened(path: str | os.PathLike[str]) -> Iterator[int]:
    """Open without waiting for whoever may write into a FIFO, and whatever it is but a folder."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    except ValueError:
        raise OSError(errno.EINVAL, "that is no name of a file", os.fspath(path)) from None
    try:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
        yield descriptor
    finally:
        os.close(descriptor)


def _is_larger(state: os.stat_result, limit: int) -> bool:
    """Whether a plain file need not be read to know that."""
    return stat.S_ISREG(state.st_mode) and state.st_size > limit


def _pieces(descriptor: int, path: str | os.PathLike[str], most: int) -> Iterator[bytes]:
    """Yield what comes until the end, or until so many bytes have come."""
    while most > 0 and (piece := _piece(descriptor, path, most)):
        most -= len(piece)
        yield piece


def _piece(descriptor: int, path: str | os.PathLike[str], most: int) -> bytes:
    while _comes(descriptor):
        # Somebody else may have read it first.
        with contextlib.suppress(BlockingIOError):
            return os.read(descriptor, min(most, _PIECE))
    raise OSError(errno.ETIMEDOUT, f"nothing came through it for {PATIENCE:g} seconds", os.fspath(path))


def _comes(descriptor: int) -> bool:
    """Wait until there is something to read, or the end; at a terminal as long as somebody likes to type."""
    waiting = select.poll()
    waiting.register(descriptor, select.POLLIN)
    return bool(waiting.poll(None if os.isatty(descriptor) else PATIENCE * 1000))
