"""Answers that no service should give: documents, bodies, head fields and status lines, wrong in every way."""

from __future__ import annotations

import copy
import gzip
import json
import math
import re
import zlib
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.reliability.answering import Said

Draw = Callable[[st.SearchStrategy[Any]], Any]

DEEP: Any = 1
for _ in range(90):
    DEEP = [DEEP]
CHARACTERS = st.text(st.characters(), max_size=12)
ODD = st.one_of(
    st.sampled_from((None, True, False, 0, -1, 10**400, -(10**400), 1 << 63, 1e308, math.inf, -math.inf, math.nan)),
    st.sampled_from(("", "null", "0", "-0", "1e5", "NaN", "\u0661\u0662", "9" * 5000, "x" * 100_000, "\ud800")),
    st.sampled_from(("\x1b[2J\x07", "x\x00y", "\u202egnp.exe", "\x9b31m", "a\r\nb: c", "../../x", "%s{0}")),
    st.sampled_from(([], {}, [[]], [None], {"": None}, {"\ud800": 1}, DEEP, [1, "x", {}])),
    CHARACTERS,
    st.integers(),
    st.floats(),
).map(copy.deepcopy)
"""What may stand where something else is due."""
BODIES = (b"", b"null", b"NaN", b"-Infinity", b"[" * 100_000, b'{"a":' * 100_000, b"\x00", b"9" * 5000, b'"', b"{}{}")
PAGES = (
    b"<!DOCTYPE html><html><body>503</body></html>",
    b"\xef\xbb\xbf",
    b"\xff\xfe\x00\xd8",
    b"Not Acceptable. Status:",
)
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
FIELDS = (
    *("Retry-After: soon", "Retry-After: -5", "Retry-After: 1e400", "Retry-After: " + "9" * 400, "Retry-After: \x80"),
    *("Retry-After: Wed, 21 Oct 9999 07:28:00 GMT", "Retry-After: Wed, 99 Foo 2015 07:28:00 +9999", "Retry-After:"),
    *(
        "Content-Disposition: attachment; filename=../../etc/passwd",
        "Content-Disposition: attachment; filename*=x''%",
    ),
    *(
        "Content-Disposition: ;;;=",
        'Content-Disposition: attachment; filename="\x1b.zip',
        "Content-Disposition: \xff",
    ),
    *("Content-Disposition: attachment; filename*0*=utf-8''a; filename*2=b", "Content-Disposition: a; filename=.zip"),
    *("Content-Disposition: x; filename*=idna''%ff.zip", "Content-Disposition: x; filename*=rot13''%ff.zip"),
    *(
        "Location: http://[::1",
        "Location: //",
        "Location: http://other.test/\r\n x",
        "Location: \xff",
        "Location: /again",
    ),
    *(
        "Set-Cookie: a=b; Expires=never",
        "Set-Cookie: \x80",
        "no colon",
        ": no name",
        " folded: x",
        "a b: c",
        "X: \x00",
    ),
    *("X: " + "x" * 70_000, "\r\n".join(f"X-{n}: y" for n in range(150)), "Date: tomorrow", "Connection: close, x"),
    *("Transfer-Encoding: gzip", "Content-Length: 1, 2", "Content-Type: text/plain", "Trailer: X", "Upgrade: h2c"),
)
LENGTHS = ("-1", "0", "1", "x", "1e3", "5, 5", "5, 6", "\xb2", "9" * 30, "", "+5", "0x5")
STATUSES = st.one_of(st.integers(100, 999), st.sampled_from((201, 204, 205, 206, 301, 307, 401, 403, 404, 429, 503)))


def _places(document: Any) -> list[tuple[Any, Any]]:
    """Return where something stands in a document: a list or an object, and the index or key."""
    keys: Any = document if isinstance(document, dict) else range(len(document)) if isinstance(document, list) else ()
    return [place for key in keys for place in ((document, key), *_places(document[key]))]


def mutated(draw: Draw, document: Any) -> Any:
    """Return the document with up to three things in it that are otherwise."""
    document = copy.deepcopy(document)
    for _ in range(draw(st.integers(0, 3))):
        places = _places(document)
        if not places or draw(st.integers(0, 9)) == 0:
            document = draw(st.sampled_from((draw(ODD), [document], {"items": document})))
            continue
        holder, key = draw(st.sampled_from(places))
        how = draw(st.integers(0, 3))
        if how == 0 and isinstance(holder, dict):
            del holder[key]
        elif how == 1 and isinstance(holder, dict):
            holder[draw(CHARACTERS)] = draw(ODD)
        elif how == 1:
            holder.extend(copy.deepcopy(holder))
        else:
            holder[key] = draw(ODD)
    return document


def _written(draw: Draw, document: Any) -> bytes:
    text = json.dumps(
        document, ensure_ascii=draw(st.booleans()), separators=draw(st.sampled_from((None, (",", ":"))))
    )
    return text.encode(
        draw(st.sampled_from(("utf-8", "utf-8", "utf-8", "utf-8-sig", "utf-16", "utf-32"))), "surrogatepass"
    )


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


def body_of(draw: Draw, valid: Any) -> bytes:
    """Return a body: the document, or bytes, that is valid, spoilt somehow."""
    body = valid if isinstance(valid, bytes) else _written(draw, mutated(draw, valid))
    if draw(st.integers(0, 2)) == 0:
        body = draw(st.sampled_from(SPOILT))(body, draw(st.integers(0, 10_000)))
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


def _framed(draw: Draw, body: bytes) -> tuple[list[str], bytes, bool]:
    """Return the fields that say how long the body is, what is sent of it, and whether that fits."""
    how = draw(st.integers(0, 9))
    if how == 0:
        return ["Transfer-Encoding: chunked"], draw(st.sampled_from(CHUNKED))(body), False
    if how == 1:
        return [f"Content-Length: {draw(st.sampled_from(LENGTHS))}"], body, False
    if how == 2:
        return [], body, False
    return [f"Content-Length: {len(body)}"], body, True


@st.composite
def answers(draw: Draw, valid: Any, media_type: str) -> Said:
    """Answers that begin with a valid one: its document or bytes, and its content type."""
    body, fields = body_of(draw, valid), []
    if draw(st.integers(0, 7)) == 0:
        encoding, encode = draw(st.sampled_from(ENCODINGS))
        fields.append(f"Content-Encoding: {encoding}")
        body = encode(body)
    framing, body, fits = _framed(draw, body)
    shown = media_type if draw(st.integers(0, 4)) else draw(st.sampled_from(TYPES))
    fields += [*framing, f"Content-Type: {shown}"]
    if draw(st.integers(0, 2)) == 0:
        fields += draw(st.lists(st.sampled_from(FIELDS), min_size=1, max_size=2))
    status = draw(STATUSES) if draw(st.integers(0, 4)) == 0 else 200
    line = draw(st.sampled_from(LINES)) if draw(st.integers(0, 19)) == 0 else f"HTTP/1.1 {status} Word"
    head = "\r\n".join((line, *fields, "", "")).encode("latin-1", "replace")
    whole = fits and len(fields) == 2 and line.endswith("Word") and status >= 200 and status not in (204, 304)
    return Said(head + body, keep=whole)
