"""Answers to a download: a sound ZIP, and those that are none."""

from __future__ import annotations

import io
import random
import struct
import zipfile
import zlib

from sectigo_iot import BundleError, InvalidReplyError, SectigoError, TransportError
from tests.unit.lying_server import RESET, answer, json_answer

CONTENT = random.Random(7).randbytes(3000)


def packed(**entries: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as made:
        for name, content in entries.items():
            made.writestr(zipfile.ZipInfo(name.replace("_", ".")), content)
    return file.getvalue()


NEW = packed(example_com_p12=CONTENT, example_org_p12=CONTENT[::-1])


def of_length(promised: int | None, body: bytes, name: str = "24.zip", media_type: str = "application/zip") -> bytes:
    """Return an answer that promises a length, or nothing but the end of the connection."""
    length = "Connection: close\r\n" if promised is None else f"Content-Length: {promised}\r\n"
    head = f'Content-Type: {media_type}\r\n{length}Content-Disposition: attachment; filename="{name}"\r\n'
    return f"HTTP/1.1 200 OK\r\n{head}\r\n".encode() + body


def bomb() -> bytes:
    """Return a ZIP whose one entry unpacks to a thousand times its size."""
    return deflated(b"\0" * (16 << 20))


def deflated(content: bytes) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        made.writestr("example.com.p12", content)
    return file.getvalue()


def overlapping() -> bytes:
    """Return a ZIP whose second entry is the first one again."""
    data = bytearray(packed(a_p12=CONTENT, b_p12=CONTENT))
    second = data.rindex(b"PK\x01\x02")
    struct.pack_into("<I", data, second + 42, 0)
    return bytes(data)


def beyond_its_size() -> bytes:
    """Return a ZIP whose entry declares fewer bytes than it unpacks to, with their right checksum."""
    data = bytearray(deflated(CONTENT))
    for start, place in ((data.index(b"PK\x03\x04"), 14), (data.index(b"PK\x01\x02"), 16)):
        struct.pack_into("<I", data, start + place, zlib.crc32(CONTENT[:100]))
        struct.pack_into("<I", data, start + place + 8, 100)
    return bytes(data)


TRAVERSAL = packed(example_com_p12=CONTENT).replace(b"example.com.p12", b"../../other.txt")
BAD = {
    "a length too long": (of_length(len(NEW) + 1, NEW), TransportError),
    "a length far too long": (of_length(1 << 40, NEW), TransportError),
    "a length too short": (of_length(len(NEW) - 1, NEW), BundleError),
    "a length of nothing": (of_length(0, NEW), BundleError),
    "a length below nothing": (of_length(-1, NEW[:-1]), SectigoError),
    "HTML": (answer(200, "<html>Sorry</html>", "text/html"), InvalidReplyError),
    "HTML that says that it is a ZIP": (of_length(18, b"<html>Sorry</html>"), BundleError),
    "JSON": (json_answer({"success": False, "error": "no"}), InvalidReplyError),
    "JSON that says that it is a ZIP": (of_length(2, b"{}"), BundleError),
    "nothing": (of_length(0, b""), BundleError),
    "half, and a reset": (RESET, TransportError),
    "a bomb": (of_length(None, bomb()), BundleError),
    "an entry beyond its size": (of_length(None, beyond_its_size()), BundleError),
    "two entries of one name": (
        of_length(None, packed(a_p12=CONTENT, b_p12=CONTENT).replace(b"b.p12", b"a.p12")),
        BundleError,
    ),
    "entries that overlap": (of_length(None, overlapping()), BundleError),
    "an entry that leads outside": (of_length(None, TRAVERSAL), BundleError),
    "an absolute entry": (of_length(None, TRAVERSAL.replace(b"../../other.txt", b"/tmp/./other.tx")), BundleError),
}
