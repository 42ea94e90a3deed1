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
from sectigo_iot.redaction import LONGEST, MOST, REDACTED, Hider, redacted, secrets_of
from sectigo_iot.sensitive import names_secret, secrets_in

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


def drawn(alphabet: str, length: int, number: int) -> list[str]:
    draw = random.Random(3)
    return ["".join(draw.choices(alphabet, k=length)) for _ in range(number)]


def test_of_many_secrets_each_is_found_and_nothing_else() -> None:
    secrets = drawn("abcdefABC012-_", 16, MOST)
    hide = Hider(secrets)
    begun = time.process_time()
    for secret in secrets[:50]:
        assert hide(f"x {secret} {quote(json.dumps(secret))} y") == f"x {REDACTED} %22{REDACTED}%22 y"
        assert hide(base64.b64encode(f"jane:{secret}".encode()).decode()) == REDACTED
    for number in range(20_000):
        assert hide(f"certificate {number}") == f"certificate {number}"
    assert time.process_time() - begun < 4


def test_where_there_are_too_many_secrets_nothing_is_shown() -> None:
    hide = Hider([*drawn("abcdefABC012-_", 16, MOST), "one-more-secret"])
    assert [hide("certificate 24"), hide("one-more-secret"), hide("")] == [REDACTED, REDACTED, ""]


@pytest.mark.parametrize(
    "secrets",
    [
        drawn("!$%&#@^*()+<>", 12, 3000),
        ["aaaa" + secret for secret in drawn("abc012", 10, 9000)],
        ["!a$%c!%&" + secret for secret in drawn("!$%&", 10, 9000)],
        [secret + "x" * 9000 for secret in drawn("abc012", 10, 200)],
    ],
    ids=["of no letter", "of one beginning", "of one beginning in base64", "as long as a book"],
)
def test_what_would_take_long_to_tell_is_hidden_whole(secrets: list[str]) -> None:
    hide = Hider(secrets)
    begun = time.process_time()
    for secret in secrets[:3000]:
        shown = hide(f"{secret} aaaabbbb IWEkJWMhJSY= {secret[::-1]}")
        assert secret not in shown
        assert REDACTED in shown
    assert hide("certificate 24") in ("certificate 24", REDACTED)
    # About a second; without a limit it would be minutes.
    assert time.process_time() - begun < 6


def test_one_that_hides_more_draws_on_the_same_effort() -> None:
    hide = Hider(["giv3n-Pa55word"])
    more = hide.joined(["giv3n-Pa55word-and", "an0ther"])
    assert more("giv3n-Pa55word-and an0ther") == f"{REDACTED} {REDACTED}"
    assert hide("giv3n-Pa55word-and an0ther") == f"{REDACTED}-and an0ther"
    for secret in drawn("!$%&#@^*()+<>", 200, 200):
        hide.joined([secret])(secret)
    assert hide("giv3n-Pa55word and more") == REDACTED
    assert hide("nothing of the kind") == "nothing of the kind"


PAIR = {"name": "pkcs12Password", "value": "hunter2"}


@pytest.mark.parametrize(
    ("document", "found"),
    [
        ({"pkcs12Password": "hunter2", "commonName": "a.example.com"}, {"hunter2"}),
        ([PAIR, {"name": "commonName", "value": "a.example.com"}], {"hunter2"}),
        ({"Name": "pkcs12Password", "Value": 12345678}, {"12345678"}),
        ({"field": "PIN", "defaultValue": [1234, "5678", True, None]}, {"1234", "5678"}),
        ({"key": "passphrase", "values": {"old": "o1d", "new": 2.5}}, {"passphrase", "o1d", "2.5"}),
        (json.dumps([PAIR]), {"hunter2"}),
        ({"a": [{"b": json.dumps({"c": json.dumps([PAIR])})}]}, {"hunter2"}),
        ({1: PAIR, "list": (PAIR,)}, {"hunter2"}),
        ({"name": 7, "value": "x", "message": "[1"}, set()),
    ],
)
def test_what_is_secret_in_a_document(document: object, found: set[str]) -> None:
    assert set(secrets_in(document)) == found


@pytest.mark.parametrize("text", ["pkcs12Password=hunter2; ok", "the password: 'hunter2'", '"token" = "hunter2"'])
def test_what_is_secret_in_words(text: str) -> None:
    assert set(secrets_in({"message": text}, words=True)) == {"hunter2"}
    assert set(secrets_in({"message": text})) == set()


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
