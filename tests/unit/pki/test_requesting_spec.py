"""The subject of a request, and all of what it is to say."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest

from sectigo_iot.errors import InvalidRequestError
from sectigo_iot.pki import RequestSpec, checked_spec, warnings_of
from sectigo_iot.pki.requesting.spec import SUBJECT_FIELDS
from sectigo_iot.pki.requesting.subject import subject_field

FULL = RequestSpec(("node.example.com", "*.example.com"), "Example Inc.", "Menlo Park", "California", "US")


def refusal(spec: RequestSpec) -> InvalidRequestError:
    with pytest.raises(InvalidRequestError) as caught:
        checked_spec(spec)
    return caught.value


RIGHT = [
    ("organization", "Soci\u00e9t\u00e9 G\u00e9n\u00e9rale"),
    ("organization", "'t Hooft & Zn. (Ltd.), #1"),
    ("organization", "x" * 64),
    ("organization", "Yourgene Example plc"),
    ("locality", "'s-Hertogenbosch"),
    ("locality", "x" * 128),
    ("state", "Baden-W\u00fcrttemberg"),
    ("country", "DE"),
    ("country", ""),
]
WRONG = [
    ("organization", "Example ", "begins or ends with a blank", "write 'Example'"),
    ("organization", "\tExample", "begins or ends with a blank", "write 'Example'"),
    ("organization", "  ", "begins or ends with a blank", ""),
    ("organization", "Ex\u00a0ample", r"holds U\+00A0, a blank of another kind", "ordinary blank"),
    ("organization", "Ex\nample", r"holds U\+000A, which cannot be seen", ""),
    ("organization", "Ex\x00ample", r"holds U\+0000, which cannot be seen", ""),
    ("organization", "Ex\u200bample", r"holds U\+200B", ""),
    ("organization", "Soci\ufffdt\ufffd", "was damaged when it was read", ""),
    ("organization", "[organization]", "is a placeholder", "write what"),
    ("organization", "The [Name] Company", "is a placeholder", "write what"),
    ("organization", "<org>", "is a placeholder", "write what"),
    ("organization", "${ORG}", "is a placeholder", "write what"),
    ("organization", "YOUR_ORG", "is a placeholder", "write what"),
    ("organization", "Your Company Ltd", "is a placeholder", "write what"),
    ("organization", "your organisation's legal name", "is a placeholder", "write what"),
    ("organization", "Internet Widgits Pty Ltd", "is what openssl suggests", "write what"),
    ("organization", "x" * 65, "has 65 characters, and 64 are allowed", ""),
    ("locality", "Default City", "is what openssl suggests", "write what"),
    ("locality", "x" * 129, "has 129 characters, and 128 are allowed", ""),
    ("state", "Some-State", "is what openssl suggests", "write what"),
    ("state", "x" * 129, "has 129 characters, and 128 are allowed", ""),
    ("country", "UK", "no country code of ISO 3166", r"write GB \(United Kingdom"),
    ("country", "Turkey", "no country code of ISO 3166", r"write TR \(T"),
    ("country", "Ivory Coast", "no country code of ISO 3166", r"write CI \(C"),
    ("country", "Czech Republic", "no country code of ISO 3166", r"write CZ \(C"),
    ("country", "Macedonia", "no country code of ISO 3166", r"write MK \(North M"),
    ("country", "Swaziland", "no country code of ISO 3166", r"write SZ \(E"),
    ("country", "Cape Verde", "no country code of ISO 3166", r"write CV \(C"),
    ("country", "Burma", "no country code of ISO 3166", r"write MM \(M"),
    ("country", "East Timor", "no country code of ISO 3166", r"write TL \(T"),
    ("country", "usa", "no country code of ISO 3166", r"write US \(United States of America\)"),
    ("country", "U.S.", "no country code of ISO 3166", r"write US \("),
    ("country", "840", "no country code of ISO 3166", r"write US \("),
    ("country", "Germany", "no country code of ISO 3166", r"write DE \(Germany\)"),
    ("country", "germny", "no country code of ISO 3166", r"write DE \(Germany\)"),
    ("country", "Korea", "no country code of ISO 3166", r"write KP \(.*\) or KR \("),
    ("country", "South Korea", "no country code of ISO 3166", r"write KR \("),
    ("country", "XX", "no country code of ISO 3166", "two letters"),
    ("country", "EU", "no country code of ISO 3166", "two letters"),
    ("country", "\u00df", "no country code of ISO 3166", "two letters"),
    ("country", "\u0131t", "no country code of ISO 3166", "two letters"),
    ("country", "DE ", "begins or ends with a blank", "write 'DE'"),
    ("country", "[country]", "is a placeholder", "write what"),
]


@pytest.mark.parametrize(("field", "text"), RIGHT)
def test_a_field_of_the_subject_stays_as_it_is(field: str, text: str) -> None:
    assert subject_field(field, text) == text


@pytest.mark.parametrize(("field", "text", "words", "hint"), WRONG)
def test_what_no_subject_may_hold_is_refused(field: str, text: str, words: str, hint: str) -> None:
    spec = RequestSpec(FULL.names, *(text if field == one else getattr(FULL, one) for one in SUBJECT_FIELDS))
    refused = refusal(spec)
    assert refused.message.startswith(f"{field}: ")
    assert re.search(words, refused.message), refused.message
    assert re.search(hint, refused.hint or "") and bool(refused.hint) == bool(hint)
    assert refused.message.isprintable()
    assert refused.faults == (refused.message,)


def test_a_country_in_lower_case_is_meant_in_upper_case() -> None:
    assert checked_spec(replace(FULL, country="us")) == FULL


def test_names_are_brought_into_form_and_stay_there() -> None:
    checked = checked_spec(replace(FULL, names=("Node.Example.COM", "b\u00fccher.example")))
    assert checked.names == ("node.example.com", "xn--bcher-kva.example")
    assert checked_spec(checked) == checked


def test_nothing_but_a_name_is_needed() -> None:
    assert checked_spec(RequestSpec(("example.com",))) == RequestSpec(("example.com",))


def test_without_a_name_there_is_no_request() -> None:
    assert refusal(RequestSpec(())).message == "common name: there is none"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("example.com", "example.com"),
        ("Example.com", "example.COM"),
        ("b\u00fccher.example", "xn--bcher-kva.example"),
    ],
)
def test_the_same_name_twice_is_refused_and_both_are_named(first: str, second: str) -> None:
    refused = refusal(replace(FULL, names=(first, "other.example.com", second)))
    assert refused.message == f"DNS name: the same name twice: {first!r} and {second!r}"


def test_a_long_name_may_be_a_further_one() -> None:
    long = "x" * 60 + ".example.com"
    assert checked_spec(replace(FULL, names=("example.com", long))).names == ("example.com", long)
    assert "common name: " in refusal(replace(FULL, names=(long,))).message


def test_all_faults_are_told_at_once_each_with_its_field_and_what_would_be_right() -> None:
    spec = RequestSpec(("https://example.com", "10.0.0.1", "ok.example.com"), " X", "[city]", "", "UK")
    refused = refusal(spec)
    assert refused.message == "5 faults in what the request is to say"
    places = [fault.split(": ")[0] for fault in refused.faults]
    assert places == ["common name", "DNS name", "organization", "locality", "country"]
    assert refused.faults[2].endswith("(write 'X')")


def test_nothing_is_unusual_about_what_trisa_asks_for() -> None:
    assert warnings_of(FULL) == ()


@pytest.mark.parametrize("state", ["CA", "ca", "N.Y.", "NY."])
def test_an_abbreviated_state_is_told_and_not_refused(state: str) -> None:
    [warning] = warnings_of(checked_spec(replace(FULL, state=state)))
    assert warning == f"state: {state!r} is an abbreviation, and TRISA asks for the state spelt out"


def test_what_is_missing_or_unusual_is_told() -> None:
    told = warnings_of(checked_spec(RequestSpec(("a_b.example.com", "localhost"), country="XK")))
    assert [line.split(": ")[0] for line in told] == [
        "common name",
        "DNS name",
        "organization",
        "locality",
        "state",
        "country",
    ]
    assert "is missing, and TRISA asks for it" in told[2]
    assert "not assigned by ISO 3166-1" in told[5]
