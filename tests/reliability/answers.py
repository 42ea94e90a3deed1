"""Answers that no service should give: documents, bodies, head fields and status lines, wrong in every way.

All chance comes from one `random.Random`: to have hypothesis draw each part by itself takes more time than to have
the answer judged, and gives the same answers again and again.
"""

from __future__ import annotations

import copy
import gzip
import json
import math
import random
import re
import struct
import zlib
from collections.abc import Callable, Iterator
from typing import Any

from tests.reliability.answering import Said

DEEP: Any = 1
for _ in range(90):
    DEEP = [DEEP]
ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 10**400, -(10**400), 1 << 63, 1e308, math.inf, -math.inf, math.nan),
    *("", "null", "0", "-0", "1e5", "NaN", "\u0661\u0662", "9" * 5000, "x" * 100_000, "\ud800"),
    *("\x1b[2J\x07", "x\x00y", "\u202egnp.exe", "\x9b31m", "a\r\nb: c", "../../x", "%s{0}"),
    *([], {}, [[]], [None], {"": None}, {"\ud800": 1}, DEEP, [1, "x", {}]),
)
"""What may stand where something else is due."""
BODIES = (b"", b"null", b"NaN", b"-Infinity", b"[" * 100_000, b'{"a":' * 100_000, b"\x00", b"9" * 5000, b'"', b"{}{}")
PAGES = (
    b"<!DOCTYPE html><html><body>503</body></html>",
    b"\xef\xbb\xbf",
    b"\xff\xfe\x00\xd8",
    b"Not Acceptable. Status:",
)
JSON, BINARY = "application/json;charset=UTF-8", "application/octet-stream"
TYPES = (
    "text/html",
    "",
    "application/json; charset=\xff",
    "APPLICATION/JSON",
    ";;;",
    "x" * 9000,
    "image/png",
    "\x1b[2J",
)
LINES = (
    *("HTTP/1.1 2e2 OK", "HTTP/1.1 20 OK", "HTTP/1.1 1000 OK", "HTTP/1.1 -200 OK", "HTTP/1.0 200", "HTTP/9.9 200 OK"),
    *("ICY 200 OK", "", "\x16\x03\x01\x02", "HTTP/1.1 200", "HTTP/1.1", "x" * 70_000, "HTTP/1.1 200 \x1b[2J\x80"),
)
NAMING = (
    "Content-Disposition: attachment; filename=../../etc/passwd",
    "Content-Disposition: attachment; filename*=x''%",
    "Content-Disposition: ;;;=",
    'Content-Disposition: attachment; filename="\x1b.zip',
    "Content-Disposition: \xff",
    "Content-Disposition: attachment; filename*0*=utf-8''a; filename*2=b",
    "Content-Disposition: a; filename=.zip",
    "Content-Disposition: x; filename*=idna''%ff.zip",
    "Content-Disposition: x; filename*=rot13''%ff.zip",
    "Content-Disposition: x; filename*=undefined''a.zip",
    "Content-Disposition: x; filename*=utf-8''a.zip; filename*0*=utf-8''b.zip",
    "Content-Disposition: x; filename*=punycode''%ff.zip",
)
"""Head fields about the name of a file."""
FIELDS = (
    *("Retry-After: soon", "Retry-After: -5", "Retry-After: 1e400", "Retry-After: " + "9" * 400, "Retry-After: \x80"),
    *("Retry-After: Wed, 21 Oct 9999 07:28:00 GMT", "Retry-After: Wed, 99 Foo 2015 07:28:00 +9999", "Retry-After:"),
    *("Location: http://[::1", "Location: //", "Location: http://other.test/\r\n x", "Location: \xff"),
    *("Location: /again", "Set-Cookie: a=b; Expires=never", "Set-Cookie: \x80", "no colon", ": no name"),
    *(" folded: x", "a b: c", "X: \x00", "X: " + "x" * 70_000, "\r\n".join(f"X-{n}: y" for n in range(150))),
    *("Date: tomorrow", "Connection: close, x", "Transfer-Encoding: gzip", "Content-Length: 1, 2"),
    *("Content-Type: text/plain", "Trailer: X", "Upgrade: h2c"),
)
"""Other head fields."""
LENGTHS = ("-1", "0", "1", "x", "1e3", "5, 5", "5, 6", "\xb2", "9" * 30, "", "+5", "0x5")
STATUSES = (201, 204, 205, 206, 301, 307, 400, 401, 403, 404, 405, 429, 500, 501, 503)
REFUSAL = {
    "status": 400,
    "message": "the profile takes no such parameter",
    "error": "Bad Request",
    "errorCode": 7,
    "timestamp": 1624470823484,
}
"""What the service says with an error."""


def _text(chance: random.Random) -> str:
    """Return a few characters, of ASCII, of one byte, or any, halves of pairs too."""
    last = chance.choice((0x7F, 0xFF, 0x10FFFF))
    return "".join(chr(chance.randint(0, last)) for _ in range(chance.randrange(12)))


def odd(chance: random.Random) -> Any:
    """Return what nobody expects."""
    how = chance.randrange(10)
    if how == 0:
        return _text(chance)
    if how == 1:
        return chance.getrandbits(chance.choice((3, 31, 33, 64, 200))) * chance.choice((1, -1))
    if how == 2:
        return struct.unpack("d", chance.randbytes(8))[0]
    return copy.deepcopy(chance.choice(ODD))


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Return where something stands in a document: a list or an object, and the index or key."""
    keys: Any = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [place for key in keys for place in ((document, key), *_places(document[key]))]


def mutated(chance: random.Random, document: Any) -> Any:
    """Return the document with up to three things in it that are otherwise."""
    document = copy.deepcopy(document)
    for _ in range(chance.randrange(4)):
        places = _places(document)
        if not places or chance.randrange(10) == 0:
            document = chance.choice((odd(chance), [document], {"items": document}))
            continue
        holder, key = chance.choice(places)
        how = chance.randrange(4)
        if how == 0 and isinstance(holder, dict):
            del holder[key]
        elif how == 1 and isinstance(holder, dict):
            holder[_text(chance)] = odd(chance)
        elif how == 1:
            holder.extend(copy.deepcopy(holder))
        else:
            holder[key] = odd(chance)
    return document


def _written(chance: random.Random, document: Any) -> bytes:
    text = json.dumps(document, ensure_ascii=chance.random() < 0.5, separators=chance.choice((None, (",", ":"))))
    return text.encode(chance.choice(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32")), "surrogatepass")


def _doubled(body: bytes) -> bytes:
    """Return the body with a first key that comes twice."""
    return re.sub(rb'\{("[^"]*"):', rb"{\1: null, \1:", body, count=1)


SPOILT: tuple[Callable[[bytes, int], bytes], ...] = (
    lambda body, n: body[: n % (len(body) + 1)],
    lambda body, n: body[: n % (len(body) + 1)] + b"\xff\x80\x00" + body[n % (len(body) + 1) :],
    lambda body, _: _doubled(body),
    lambda body, _: b"\xef\xbb\xbf" + body,
    lambda body, _: body + b"}",
    lambda body, _: re.sub(rb"\d+", b"9" * 5000, body, count=1),
    lambda body, _: body.replace(b'"', b"'"),
    lambda body, n: body[: n % (len(body) + 1)] + bytes((n % 256,)) + body[n % (len(body) + 1) + 1 :],
    lambda _, n: (*BODIES, *PAGES)[n % (len(BODIES) + len(PAGES))],
)
"""What becomes of a body on its way, by a number."""


def body_of(chance: random.Random, valid: Any) -> bytes:
    """Return a body: the document, or bytes, that is valid, spoilt somehow."""
    body = valid if isinstance(valid, bytes) else _written(chance, mutated(chance, valid))
    if chance.randrange(3) == 0:
        body = chance.choice(SPOILT)(body, chance.randrange(10_000))
    return body


ENCODINGS: tuple[tuple[str, Callable[[bytes], bytes]], ...] = (
    ("gzip", gzip.compress),
    ("gzip", lambda body: body),
    ("gzip", lambda body: gzip.compress(body)[:-5]),
    ("deflate", lambda body: zlib.compress(body)[: len(body) // 2]),
    ("deflate", lambda body: b"\x78\x9c" + body),
    ("gzip, gzip", lambda body: gzip.compress(gzip.compress(body))),
    ("gzip, deflate, br, gzip, gzip, gzip", gzip.compress),
    ("br", lambda body: body),
    ("zstd", lambda body: b"\x28\xb5\x2f\xfd" + body),
    ("x-\xff", lambda body: body),
)
CHUNKED: tuple[Callable[[bytes], bytes], ...] = (
    lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body) if body else b"0\r\n\r\n",
    lambda body: b'%x;a="b\r\n%s\r\n0\r\nX: y\r\n\r\n' % (len(body), body),
    lambda body: b"%x\r\n%s\r\n" % (len(body), body),
    lambda body: b"%x\r\n%s\r\n0\r\n\r\n" % (len(body) + 5, body),
    lambda body: b"xyz\r\n%s\r\n0\r\n\r\n" % body,
    lambda body: b"-5\r\n%s\r\n0\r\n\r\n" % body,
    lambda body: b"f" * 40 + b"\r\n%s\r\n0\r\n\r\n" % body,
    lambda body: b"0" * 70_000 + b"5\r\n%s\r\n0\r\n\r\n" % body,
    lambda body: body,
    lambda _: b"",
)


def _framed(chance: random.Random, body: bytes) -> tuple[list[str], bytes, bool]:
    """Return the fields that say how long the body is, what is sent of it, and whether that fits."""
    how = chance.randrange(10)
    if how == 0:
        return ["Transfer-Encoding: chunked"], chance.choice(CHUNKED)(body), False
    if how == 1:
        return [f"Content-Length: {chance.choice(LENGTHS)}"], body, False
    if how == 2:
        return [], body, False
    return [f"Content-Length: {len(body)}"], body, True


def _fields(chance: random.Random, media_type: str) -> list[str]:
    """Return head fields that are odd; about the name of a file where there is one."""
    some = NAMING if media_type == BINARY and chance.random() < 0.7 else FIELDS
    return chance.sample(some, chance.randint(1, 2))


def _status(chance: random.Random) -> int:
    if chance.randrange(10) < 7:
        return 200
    return chance.choice(STATUSES) if chance.random() < 0.7 else chance.randint(100, 999)


def made(chance: random.Random, valid: Any, media_type: str) -> Said:
    """Return an answer that begins with a valid one: its document or bytes, and its content type."""
    status, fields = _status(chance), list[str]()
    refused = status >= 400 and chance.random() < 0.5
    body = body_of(chance, REFUSAL if refused else valid)
    if chance.randrange(8) == 0:
        encoding, encode = chance.choice(ENCODINGS)
        fields.append(f"Content-Encoding: {encoding}")
        body = encode(body)
    framing, body, fits = _framed(chance, body)
    shown = (JSON if refused else media_type) if chance.randrange(5) else chance.choice(TYPES)
    fields += [*framing, f"Content-Type: {shown}"]
    if chance.randrange(3) == 0:
        fields += _fields(chance, media_type)
    line = chance.choice(LINES) if chance.randrange(20) == 0 else f"HTTP/1.1 {status} Word"
    whole = fits and len(fields) == 2 and line.endswith("Word") and status >= 200 and status not in (204, 304)
    return Said(_head(line, *fields) + body, keep=whole)


def _head(line: str, *fields: str) -> bytes:
    return "\r\n".join((line, *fields, "", "")).encode("latin-1", "replace")


def _refused(status: int, body: bytes) -> Said:
    fields = (f"Content-Length: {len(body)}", f"Content-Type: {JSON}")
    return Said(_head(f"HTTP/1.1 {status} Word", *fields) + body, keep=True)


def each_once(valid: bytes, media_type: str) -> Iterator[Said]:
    """Yield a valid answer with each odd field and line, and each oddity in each place of an error document."""
    fits = (f"Content-Length: {len(valid)}", f"Content-Type: {media_type}")
    for field in (*FIELDS, *NAMING):
        yield Said(_head("HTTP/1.1 200 Word", *fits, field) + valid)
    for line in LINES:
        yield Said(_head(line, *fits) + valid)
    for place, value in enumerate(ODD):
        for key in REFUSAL:
            yield _refused((400, 401, 500)[place % 3], json.dumps({**REFUSAL, key: value}).encode())
    for place, body in enumerate((*BODIES, *PAGES)):
        yield _refused((400, 404, 500)[place % 3], body)
