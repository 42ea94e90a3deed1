"""DNS names as they are typed, and what stands in a certificate."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectigo_iot.errors import InvalidRequestError
from sectigo_iot.pki import read_requests
from sectigo_iot.pki.requesting.names import common_name, dns_name, oddities
from tests.unit.pki.home import request

RIGHT = {
    "example.com": "example.com",
    "Node.Example.COM": "node.example.com",
    "localhost": "localhost",
    "*.example.com": "*.example.com",
    "_acme.example.com": "_acme.example.com",
    "a_b.example.com": "a_b.example.com",
    "1.example.com": "1.example.com",
    "r3---sn.example.com": "r3---sn.example.com",
    "b\u00fccher.example": "xn--bcher-kva.example",
    "B\u00dcCHER.example": "xn--bcher-kva.example",
    "bu\u0308cher.example": "xn--bcher-kva.example",
    "*.b\u00fccher.example": "*.xn--bcher-kva.example",
    "fa\u00df.example": "xn--fa-hia.example",
    "XN--BCHER-KVA.example": "xn--bcher-kva.example",
    "b\u00fccher\u3002example": "xn--bcher-kva.example",
    "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example": "xn--mgba3gch31f060k.example",
    "x" * 63 + ".example.com": "x" * 63 + ".example.com",
    "your.example.com": "your.example.com",
    "yourdomains.example": "yourdomains.example",
}

WRONG = {
    "empty": ("", "the name is empty", "example.com"),
    "blank": (" ", "the name is empty", "example.com"),
    "blank before": (" example.com", "begins or ends with a blank, which would stand in", "write 'example.com'"),
    "blank behind": ("example.com ", "begins or ends with a blank", "write 'example.com'"),
    "newline behind": ("example.com\n", "begins or ends with a blank", "write 'example.com'"),
    "another blank": ("example.com\u00a0", "begins or ends with a blank", "write 'example.com'"),
    "zero width": ("exam\u200bple.com", r"U\+200B, which cannot be seen", None),
    "byte order mark": ("\ufeffexample.com", r"U\+FEFF, which cannot be seen", None),
    "soft hyphen": ("exam\u00adple.com", r"U\+00AD, which cannot be seen", None),
    "lone surrogate": ("\udcff.example.com", r"U\+DCFF, which cannot be seen", None),
    "damaged": ("b\ufffdcher.example", r"was damaged when it was read: it holds U\+FFFD", None),
    "square brackets": ("[your domain]", "is a placeholder", "write what is to stand there"),
    "one label in brackets": ("www.[domain].com", "is a placeholder", "write what"),
    "angle brackets": ("<name>", "is a placeholder", "write what"),
    "variable in braces": ("${DOMAIN}", "is a placeholder", "write what"),
    "variable": ("$DOMAIN", "is a placeholder", "write what"),
    "template": ("{{ domain }}", "is a placeholder", "write what"),
    "batch variable": ("%DOMAIN%", "is a placeholder", "write what"),
    "your domain": ("YOUR_DOMAIN", "is a placeholder", "write what"),
    "your domain with a suffix": ("your-domain.com", "is a placeholder", "write what"),
    "version 4": ("10.0.0.1", "is an IP address", "name the host"),
    "version 4 in other digits": ("\uff11\uff10.0.0.1", "ends in a number", "name the host"),
    "short version 4": ("127.1", "ends in a number", "name the host"),
    "hexadecimal version 4": ("0x7f.0x1", "ends in a number", "name the host"),
    "one number": ("2130706433", "ends in a number", "name the host"),
    "too many parts": ("1.2.3.4.5", "ends in a number", "name the host"),
    "version 4 and port": ("10.0.0.1:443", "has a port", "bare name"),
    "network": ("10.0.0.0/8", "is an IP address", "name the host"),
    "version 6": ("2001:db8::1", "is an IP address", "name the host"),
    "version 6 in brackets": ("[2001:db8::1]", "is an IP address", "name the host"),
    "version 6 in brackets with port": ("[2001:db8::1]:443", "is an IP address", "name the host"),
    "version 6 with zone": ("fe80::1%eth0", "is an IP address", "name the host"),
    "top level": ("*.com", "stands for every name under a top-level label", r"\*\.example\.com"),
    "star alone": ("*", "stands for every name", r"\*\.example\.com"),
    "part of a label": ("f*.example.com", r"has a \* that is not the whole first label", r"\*\.example\.com"),
    "second label": ("a.*.example.com", r"has a \* that is not", r"\*\.example\.com"),
    "two stars": ("*.*.example.com", r"has a \* that is not", r"\*\.example\.com"),
    "URL": ("https://example.com/", "is a URL", "bare name"),
    "port": ("example.com:443", "has a port", "bare name"),
    "path": ("example.com/path", "has a path", "bare name"),
    "mail": ("me@example.com", "is an e-mail address", "bare name"),
    "two": ("a.example.com,b.example.com", "has a blank, comma or semicolon", "each name by itself"),
    "blank within": ("a example.com", "has a blank, comma or semicolon", "each name by itself"),
    "dot at the end": ("example.com.", "ends in a dot", "^write example.com$"),
    "a dot alone": (".", "ends in a dot", "^write the bare name"),
    "dots alone": ("..", "ends in a dot", "^write the bare name"),
    "a star and a dot": ("*.", "ends in a dot", "^write the bare name"),
    "ideographic stop at the end": ("example.com\u3002", "ends in a dot", "^write example.com$"),
    "dot at the beginning": (".example.com", "has an empty label", "bare name"),
    "two dots": ("a..example.com", "has an empty label", "bare name"),
    "hyphen first": ("-a.example.com", "'-a' is no label", "bare name"),
    "hyphen last": ("a-.example.com", "'a-' is no label", "bare name"),
    "other sign": ("a!.example.com", "'a!' is no label", "bare name"),
    "label of 64": ("x" * 64 + ".example.com", "has a label of 64 characters, and 63", None),
    "label of 64 in the end": ("\u00e9" * 60 + ".example.com", "is no name of IDNA 2008: Label too long", None),
    "very long": ("x" * 100_000, "has 100000 characters, and no field", None),
    "symbol": ("\u2603.example.com", r"is no name of IDNA 2008: Codepoint U\+2603", "look at"),
    "no A-label": ("xn--zzzz999.example.com", "is no name of IDNA 2008", "look at 'xn--zzzz999'"),
    "A-label of a capital": ("xn--example", "is no name of IDNA 2008", None),
}


@pytest.mark.parametrize(("typed", "name"), RIGHT.items())
def test_a_name_as_it_stands_in_a_certificate(typed: str, name: str) -> None:
    assert dns_name(typed) == name
    assert dns_name(name) == name


@pytest.mark.parametrize("name", sorted(set(RIGHT.values())))
def test_what_is_right_is_right_for_an_upload_too(name: str) -> None:
    [read] = read_requests(request(name[-64:].lstrip(".-"), (name,)))
    assert read.dns_names == (name,)


@pytest.mark.parametrize(("typed", "words", "hint"), WRONG.values(), ids=WRONG)
def test_what_is_no_name_is_refused_with_the_reason(typed: str, words: str, hint: str | None) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        dns_name(typed)
    assert re.search(words, caught.value.message), caught.value.message
    assert bool(caught.value.hint) or hint is None
    assert re.search(hint or "", caught.value.hint or ""), caught.value.hint
    assert len(caught.value.message) < 300
    assert caught.value.message.isprintable()


def test_253_characters_are_a_name() -> None:
    name = ".".join(["x" * 49] * 5) + ".ab"
    assert len(dns_name(name)) == 252
    assert len(dns_name(f"{name}c")) == 253
    with pytest.raises(InvalidRequestError, match="has 254 characters, and 253"):
        dns_name(f"{name}cd")


def test_a_common_name_holds_64_characters() -> None:
    name = "x" * 52 + ".example.com"
    assert len(common_name(name)) == 64
    with pytest.raises(InvalidRequestError, match="has 65 characters, and a common name holds 64") as caught:
        common_name(f"x{name}")
    assert "put a shorter name first" in str(caught.value.hint)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a_b.example.com", "has an underscore"),
        ("*.a_b.example.com", "has an underscore"),
        ("ab--c.example.com", "has -- where RFC 5890 keeps it"),
        ("localhost", "is a single label"),
    ],
)
def test_what_is_unusual_is_told(name: str, words: str) -> None:
    [told] = oddities(name)
    assert words in told


@pytest.mark.parametrize("name", ["example.com", "*.example.com", "xn--bcher-kva.example", "a-b.example.com"])
def test_what_is_usual_is_not_told(name: str) -> None:
    assert list(oddities(name)) == []


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(), max_size=20) | st.from_regex(r"[a-z*.\[\]:0-9_xn-]{0,20}", fullmatch=True))
def test_whatever_is_typed_is_a_name_that_stays_or_is_refused(text: str) -> None:
    try:
        name = dns_name(text)
    except InvalidRequestError as refusal:
        name = None
        told = refusal.message
    if name is None:
        assert told.isprintable()
    else:
        assert dns_name(name) == name
        assert re.fullmatch(r"(\*\.)?[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?", name)
