"""A secret is hidden however it is spelt, and what is none is left."""

from __future__ import annotations

import base64
import html
import json
import random
import re
import time
from collections.abc import Callable
from urllib.parse import quote, quote_plus

import pytest

from sectigo_iot.calls import Call
from sectigo_iot.endpoints import ENDPOINTS
from sectigo_iot.redaction import LONGEST, REDACTED, names_secret, redacted, secrets_of

SECRETS = (
    "giv3n-Pa55word",
    "hünter 2/+\"'\\&%<é>",
    "Schlüssel🔑\twith\nlines",
    "p@ss:word?=1",
    "%2F%41",
    "aaaaaaaa",
    "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiIvYWNjb3VudC8xIn0.c2lnbmF0dXJl_-x",
)


def coded(before: bytes, after: bytes = b"", *, safe: bool = False) -> Callable[[str], str]:
    encode = base64.urlsafe_b64encode if safe else base64.b64encode
    return lambda secret: encode(before + secret.encode() + after).decode()


FORMS: dict[str, Callable[[str], str]] = {
    "as it is": str,
    "JSON": lambda s: json.dumps(s)[1:-1],
    "JSON with letters as they are": lambda s: json.dumps(s, ensure_ascii=False)[1:-1],
    "JSON with upper-case escapes": lambda s: re.sub(
        r"\\u....", lambda u: f"\\u{u[0][2:].upper()}", json.dumps(s)[1:-1]
    ),
    "JSON with slashes escaped": lambda s: json.dumps(s)[1:-1].replace("/", "\\/"),
    "JSON in JSON": lambda s: json.dumps(json.dumps(s)[1:-1])[1:-1],
    "percent-encoded": lambda s: quote(s, safe=""),
    "percent-encoded in lower case": lambda s: "".join(c if c.isalnum() else quote(c, safe="").lower() for c in s),
    "percent-encoded but for slashes": quote,
    "percent-encoded twice": lambda s: quote(quote(s, safe=""), safe=""),
    "in a form": quote_plus,
    "HTML": html.escape,
    "HTML by numbers": lambda s: "".join(c if c.isalnum() and c.isascii() else f"&#{ord(c)};" for c in s),
    "HTML by hexadecimal numbers": lambda s: "".join(
        c if c.isalnum() and c.isascii() else f"&#x{ord(c):X};" for c in s
    ),
    "Python": lambda s: repr(s)[1:-1],
    "Python's bytes": lambda s: repr(s.encode())[2:-1],
    "hexadecimal": lambda s: s.encode().hex(),
    "hexadecimal in upper case": lambda s: s.encode().hex().upper(),
    "UTF-8 taken for Latin-1": lambda s: s.encode().decode("latin-1"),
    "base64": coded(b""),
    "base64 of a log-in": coded(b"jane:"),
    "base64 of a longer log-in": coded(b"janet:"),
    "base64 in the middle": coded(b"4444", b"tail"),
    "base64 for URLs": coded(b"jane:", b"??>>", safe=True),
    "base64 in a URL": lambda s: quote(coded(b"?>>")(s), safe=""),
    "base64 in JSON": lambda s: coded(b"?>>")(s).replace("/", "\\/"),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("secret", SECRETS)
def test_every_spelling_is_hidden(form: str, secret: str) -> None:
    spelt = FORMS[form](secret)
    assert redacted(f"the word <{spelt}> is wrong", (secret,)) == f"the word <{REDACTED}> is wrong"
    left = redacted(f"key={spelt}&next", SECRETS)
    assert "next" in left
    assert spelt not in left


def test_of_two_secrets_the_longer_is_hidden_first() -> None:
    assert redacted("it is secret-and-more", ("secret-and", "secret-and-more")) == f"it is {REDACTED}"


@pytest.mark.parametrize("secret", ["", " ", "\t\n"])
def test_what_is_blank_is_no_secret(secret: str) -> None:
    assert redacted("a text\twith\nblanks", (secret,)) == "a text\twith\nblanks"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("STATUS of US: US", f"STATUS of {REDACTED}: {REDACTED}"),
        ("BUSY, USA, us, US1, 1US", "BUSY, USA, us, US1, 1US"),
        ("US_US-US", f"{REDACTED}_{REDACTED}-{REDACTED}"),
        ("country%3DUS&x", f"country%3D{REDACTED}&x"),
        (r"country\nUS", rf"country\n{REDACTED}"),
        ('{"c":"US"}', f'{{"c":"{REDACTED}"}}'),
    ],
)
def test_a_short_word_is_hidden_where_it_stands_alone(text: str, shown: str) -> None:
    assert redacted(text, ("US",)) == shown


def test_a_longer_word_is_hidden_inside_of_others() -> None:
    assert redacted("xxpasswordxx", ("password",)) == f"xx{REDACTED}xx"
    assert redacted("xxpa-ss1xx", ("pa-ss1",)) == f"xx{REDACTED}xx"


def test_a_text_is_cut_and_no_beginning_of_a_secret_is_left() -> None:
    secret = "correct-horse-battery"
    for cut in range(1, len(secret)):
        text = "x" * (LONGEST - cut) + secret + " and more"
        shown = redacted(text, (secret,))
        assert len(shown) < LONGEST
        assert not shown.strip("x")
    assert redacted("x" * LONGEST, (secret,)) == "x" * LONGEST


def test_a_secret_as_long_as_a_book_is_hidden_too() -> None:
    secret = "a line of it\n" * 2000
    assert redacted(f"you sent {secret}!", (secret,)) == f"you sent {REDACTED}!"
    assert redacted("you sent nothing", (secret * 100,)) == "you sent nothing"


def test_it_takes_no_time_whatever_the_text() -> None:
    draw = random.Random(1)
    secrets = ["".join(draw.choices("abcAB01-_.+/\\\"' é", k=k)) for k in (12, 60, 700, 700, 2000)]
    texts = ["a" * LONGEST, "ab-" * LONGEST, "YWJj" * LONGEST, "%61" * LONGEST, "\\" * LONGEST, "&#x" * LONGEST]
    begun = time.perf_counter()
    for text in texts:
        assert REDACTED not in redacted(text, secrets)
    # It takes less than 2 s, most of it to make patterns; what backtracks would take minutes.
    assert time.perf_counter() - begun < 10


@pytest.mark.parametrize(
    "name",
    ["password", "pkcs12Password", "accessToken", "pwd", "client_secret", "Set-Cookie", "apiKey", "PIN", "jwt"],
)
def test_names_that_say_secret(name: str) -> None:
    assert names_secret(name)


@pytest.mark.parametrize(
    "name", ["authorityId", "authorities", "keyAlgorithmInfo", "batchName", "status", "spinning"]
)
def test_names_that_do_not(name: str) -> None:
    assert not names_secret(name)


CALL = Call(ENDPOINTS["batches"], "https://iot.example.com/api/v1/batches?token=in-the-url&size=20", "POST")


@pytest.mark.parametrize(
    ("call", "found"),
    [
        (CALL, {"in-the-url"}),
        (CALL._replace(secrets=("given",)), {"given", "in-the-url"}),
        (CALL._replace(payload={"a": [{"Pass": 1, "password": ["x1", {"n": "x2"}], "pin": 1234}]}),
         {"in-the-url", "x1", "x2", "1234"}),
        (CALL._replace(body=b'{"private": true, "secret": "s3", "other": "o"}'), {"in-the-url", "s3"}),
        (CALL._replace(body=b" eyJ.eyJ.x \n"), {"in-the-url", "eyJ.eyJ.x"}),
        (CALL._replace(body=b"user=jane&password=p%20w"), {"in-the-url", "user=jane&password=p%20w", "p w"}),
        (CALL._replace(body=b"[" * 100_000), {"in-the-url", "[" * 100_000}),
    ],
)  # fmt: skip
def test_the_secrets_of_a_call(call: Call, found: set[str]) -> None:
    assert set(secrets_of(call)) == found
