"""Subject fields beside the common name: organization, locality, state and country.

RFC 5280, appendix A.1, sets their lengths, and ISO 3166-1 the two letters of a country (X.520, section 6.3.1).
"""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator

from sectigo_iot.errors import InvalidRequestError
from sectigo_iot.pki.requesting.typed import check_typed, refuse_placeholder, shown

LONGEST = {"organization": 64, "locality": 128, "state": 128}
"""Characters of each field: ub-organization-name, ub-locality-name and ub-state-name."""
# What openssl.cnf and its packages suggest, and whoever only presses Enter gets.
_SUGGESTED = {"some-state", "internet widgits pty ltd", "default city", "default company ltd"}
_ALSO_KNOWN_AS = {
    "UK": "GB",
    "GREAT BRITAIN": "GB",
    "BRITAIN": "GB",
    "ENGLAND": "GB",
    "SCOTLAND": "GB",
    "WALES": "GB",
    "EL": "GR",
    "HOLLAND": "NL",
    "SOUTH KOREA": "KR",
    "TURKEY": "TR",
    "IVORY COAST": "CI",
    "CZECH REPUBLIC": "CZ",
    "MACEDONIA": "MK",
    "SWAZILAND": "SZ",
    "CAPE VERDE": "CV",
    "BURMA": "MM",
    "EAST TIMOR": "TL",
}
_PLACEHOLDER = re.compile(
    r"YOUR\W.*|YOUR_.*|(?i:your[ _-]?(?:own[ _-]?)?(?:business|city|company|country|entity|firm|legal|locality|name"
    r"|org|organi[sz]ation|province|region|state|town|vasp)\b.*)"
)
_KOSOVO = "XK"
_TWO_LETTERS = re.compile(r"[A-Za-z]\.?[A-Za-z]\.?")


def subject_field(field: str, text: str) -> str:
    """Return the text of `organization`, `locality`, `state` or `country` as it stands in a subject; "" is none.

    A country in lower case becomes upper case. Raises `InvalidRequestError`: a blank at an end, a character that
    cannot be seen, a placeholder, a value that openssl suggests, too many characters (64 for an organization, 128 for
    a locality or state), or a country that ISO 3166-1 does not know.
    """
    if not text:
        return ""
    check_typed(text)
    if _PLACEHOLDER.fullmatch(text):
        refuse_placeholder(text)
    if field == "country":
        return _country(text)
    for letter in () if text.isascii() else text:
        if letter != " " and unicodedata.category(letter) == "Zs":
            words = f"{shown(text)} holds U+{ord(letter):04X}, a blank of another kind"
            raise InvalidRequestError(words, hint="write an ordinary blank")
    if text.casefold() in _SUGGESTED:
        raise InvalidRequestError(f"{shown(text)} is what openssl suggests", hint="write what is to stand there")
    if len(text) > LONGEST[field]:
        words = f"{shown(text)} has {len(text)} characters, and {LONGEST[field]} are allowed (RFC 5280)"
        raise InvalidRequestError(words)
    return text


def oddities(field: str, text: str) -> Iterator[str]:
    """What is unusual about a value that `subject_field` returned, and TRISA or an authority may refuse."""
    if field == "state" and _TWO_LETTERS.fullmatch(text):
        yield f"{shown(text)} is an abbreviation, and TRISA asks for the state spelt out"
    if field == "country" and text == _KOSOVO:
        yield f"{_KOSOVO} is in use for Kosovo, but not assigned by ISO 3166-1"


def _country(text: str) -> str:
    from iso3166 import countries_by_alpha2

    code = text.upper()
    # Upper case of what is not ASCII may be: `ß` becomes the two letters of South Sudan.
    if text.isascii() and code in countries_by_alpha2:
        return code
    meant = _meant(code) if text.isascii() or len(text) > 3 else None
    hint = f"write {meant}" if meant else "write its two letters, such as US, DE or SG"
    raise InvalidRequestError(f"{shown(text)} is no country code of ISO 3166", hint=hint)


def _meant(text: str) -> str | None:
    """Return the code and name of the country that was probably meant, of a text in upper case."""
    from iso3166 import countries_by_alpha2, countries_by_alpha3, countries_by_apolitical_name, countries_by_numeric

    names = countries_by_apolitical_name
    plain = text.replace(".", "").strip()
    alpha2 = countries_by_alpha2.get(_ALSO_KNOWN_AS.get(plain, plain))
    exact = alpha2 or countries_by_alpha3.get(plain) or countries_by_numeric.get(plain) or names.get(plain)
    if exact:
        return f"{exact.alpha2} ({exact.name})"
    begun = [name for name in names if len(plain) > 3 and name.startswith(plain)]
    close = begun or difflib.get_close_matches(plain, names, 1, 0.8)
    return " or ".join(f"{names[name].alpha2} ({names[name].name})" for name in close[:3]) or None
