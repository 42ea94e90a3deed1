"""Small ZIPs that unpack to more than a gibibyte, made without holding as much."""

from __future__ import annotations

import functools
import struct
import zlib

EXPANDED = (1 << 30) + (1 << 20)
"""How many bytes each unpacks to, at least."""

_CHUNK = bytes(1 << 20)
_LOCAL = struct.Struct("<4s5HIIIHH")
_CENTRAL = struct.Struct("<4s6HIIIHHHHHII")
_END = struct.Struct("<4sHHHHIIH")
_DEFLATED = 8
_DATE = (46 << 9) | (1 << 5) | 1  # 2026-01-01
_ENTRIES = 257
_QUOTE = struct.Struct("<BHH")


@functools.cache
def plain_bomb(expanded: int = EXPANDED) -> bytes:
    """Return a ZIP of one entry, a thousandth of the whole mebibytes that it unpacks to."""
    chunks = expanded // len(_CHUNK)
    packed = _flushed_chunk() * chunks + _last_block()
    entry = _Entry("1.p12", _checksum(b"", chunks), len(packed), chunks * len(_CHUNK))
    return entry.local + packed + _directory([(entry, 0)], len(entry.local) + len(packed))


@functools.cache
def overlapping_bomb() -> bytes:
    """Return a ZIP of many entries that share their bytes: some 30 kB that unpack to a gibibyte.

    Each entry holds, as literal text, the header of the next one, and goes on with that one's data.
    """
    chunks = EXPANDED // len(_CHUNK) // _ENTRIES + 1
    kernel = _flushed_chunk() * chunks + _last_block()
    entries: list[_Entry] = []
    text, packed_length = b"", len(kernel)
    for number in range(_ENTRIES, 0, -1):
        if entries:
            quoted = entries[-1].local
            text = quoted + text
            packed_length += _QUOTE.size + len(quoted)
        length = len(text) + chunks * len(_CHUNK)
        entries.append(_Entry(f"{number:03d}.p12", _checksum(text, chunks), packed_length, length))
    return _chained(entries[::-1], kernel)


class _Entry:
    """The headers of one entry."""

    def __init__(self, name: str, checksum: int, packed: int, unpacked: int) -> None:
        self._name = name.encode("ascii")
        self._facts = (_DEFLATED, 0, _DATE, checksum, packed, unpacked, len(self._name))
        self.local = _LOCAL.pack(b"PK\3\4", 20, 0, *self._facts, 0) + self._name

    def central(self, offset: int) -> bytes:
        return _CENTRAL.pack(b"PK\1\2", 20, 20, 0, *self._facts, 0, 0, 0, 0, 0, offset) + self._name


def _chained(entries: list[_Entry], kernel: bytes) -> bytes:
    content = bytearray(entries[0].local)
    placed = [(entries[0], 0)]
    for entry in entries[1:]:
        length = len(entry.local)
        content += _QUOTE.pack(0, length, length ^ 0xFFFF)
        placed.append((entry, len(content)))
        content += entry.local
    content += kernel
    return bytes(content) + _directory(placed, len(content))


def _directory(placed: list[tuple[_Entry, int]], offset: int) -> bytes:
    directory = b"".join(entry.central(place) for entry, place in placed)
    return directory + _END.pack(b"PK\5\6", 0, 0, len(placed), len(placed), len(directory), offset, 0)


@functools.cache
def _flushed_chunk() -> bytes:
    """Return a chunk as blocks of deflate that stand for themselves, so that they can be repeated."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    return packer.compress(_CHUNK) + packer.flush(zlib.Z_FULL_FLUSH)


def _last_block() -> bytes:
    return zlib.compressobj(9, zlib.DEFLATED, -15).flush()


def _checksum(text: bytes, chunks: int) -> int:
    checksum = zlib.crc32(text)
    for _ in range(chunks):
        checksum = zlib.crc32(_CHUNK, checksum)
    return checksum
