"""What no log, no error and no trace may show of a call, should a server repeat it."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from sectigo_iot.calls import Call

REDACTED = "[redacted]"
LONGEST = 64 * 1024
"""Characters of a text that are looked at; what comes after them is cut off."""
SHORT = 8
"""Characters below which a secret of letters and digits alone may be a word that stands in any text."""
CODED = 6
"""Bytes that a secret has at the least to be looked for in base64 and in hexadecimal digits."""

_NAMES = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|private|authorization|cookie|jwt|bearer|pin$|key$", re.IGNORECASE
)
_CODED_RUN = re.compile(rf"[A-Za-z0-9+/=_%\\-]{{{CODED},}}")
_ALPHABET = {"-": "+", "%2B": "+", "%2b": "+", "_": "/", "%2F": "/", "%2f": "/", "\\": ""}
"""How the two alphabets of base64 differ, and what URLs and JSON make of them."""
_OTHERWISE = dict(zip("&<>\"' ", ("&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "+"), strict=True))
"""How HTML and forms write what they do not leave as it is."""
_WORD_BEGINS = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
_WORD_ENDS = r"(?![^\W_])"


def names_secret(name: str) -> bool:
    """Whether a field, parameter or header of this name holds a secret."""
    return bool(_NAMES.search(name))


def secrets_of(call: Call) -> tuple[str, ...]:
    """Return the secrets that a call carries: values under a name that says so, and a body that is no JSON whole."""
    query = dict(parse_qsl(urlsplit(call.url).query))
    return (*call.secrets, *secrets_in(query), *secrets_in(call.payload), *_in_body(call.body))


def _in_body(body: bytes | None) -> Iterator[str]:
    if not body:
        return
    text = body.decode("utf-8", "replace")
    try:
        yield from secrets_in(json.loads(text))
    except (ValueError, RecursionError):
        yield text.strip()
        yield from secrets_in(dict(parse_qsl(text[:LONGEST])))


def secrets_in(document: Any, *, secret: bool = False) -> Iterator[str]:
    """Yield the values of a JSON document that stand under a name that says that they are secret."""
    if isinstance(document, dict):
        for name, value in document.items():
            yield from secrets_in(value, secret=secret or names_secret(str(name)))
    elif isinstance(document, list):
        for item in document:
            yield from secrets_in(item, secret=secret)
    elif secret and isinstance(document, str | int) and not isinstance(document, bool):
        yield str(document)


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text, cut to LONGEST characters, with every one of these secrets hidden; see `hider`."""
    return hider(secrets)(text)


def hider(secrets: Iterable[str]) -> Callable[[str], str]:
    """Return a function that hides these secrets in a text, cut to LONGEST characters.

    They are found as they are, and as JSON, HTML, Python's repr and percent-encoding write them; in base64, also in
    the middle of something longer such as `user:password`; and in hexadecimal digits. One of less than SHORT
    letters and digits is found only where it stands alone: inside of other words a gap would tell what it is.
    """
    known = sorted({secret for secret in secrets if secret.strip()}, key=len, reverse=True)
    spelt = _any_of(_spelling(secret) for secret in known if len(secret) <= LONGEST // 8)
    coded = [form for secret in known if len(secret) <= LONGEST // 8 for form in _coded(secret)]
    whole = [secret for secret in known if len(secret) > LONGEST // 8]
    spare = 6 * len(known[0]) if known else 0

    def hide(text: str) -> str:
        shown = text[:LONGEST]
        for secret in whole:
            shown = shown.replace(secret, REDACTED)
        shown = spelt.sub(REDACTED, shown)
        if _holds(shown, coded):
            shown = _CODED_RUN.sub(lambda run: REDACTED if _holds(run[0], coded) else run[0], shown)
        # Where it was cut, the beginning of a secret may stand.
        return shown if len(text) <= LONGEST else shown[: max(len(shown) - spare, 0)]

    return hide


def _any_of(patterns: Iterable[str]) -> re.Pattern[str]:
    # What matches nothing: of no patterns an empty one would be made, which matches everywhere.
    return re.compile("|".join(patterns) or r"(?!)")


def _spelling(secret: str) -> str:
    """Return a pattern of all the ways in which this may be written, character by character."""
    pattern = "".join(map(_ways, re.findall(r"\\+|.", secret, re.DOTALL)))
    is_word = len(secret) < SHORT and secret.isalnum()
    return f"{_WORD_BEGINS}{pattern}{_WORD_ENDS}" if is_word else pattern


def _ways(character: str) -> str:
    """Return a pattern of how one character, or a row of backslashes, may be written; it has no end that is open."""
    if character.isascii() and character.isalnum():
        return character
    if character.startswith("\\"):
        number = len(character)
        return rf"(?:\\{{{number},{4 * number}}}|(?i:%(?:25)?5c|&\#(?:92|x5c);){{{number}}})"
    data = character.encode("utf-8", "surrogatepass")
    units = character.encode("utf-16-be", "surrogatepass")
    # Of backslashes there may be up to four: what stands in JSON may stand in JSON once more.
    ways = {
        re.escape(character),
        rf"\\{{1,4}}{re.escape(repr(character)[-2])}",
        # How it looks where what is UTF-8 was taken for Latin-1, as header fields are.
        re.escape(data.decode("latin-1")),
        re.escape(_OTHERWISE.get(character, character)),
        "(?i:" + "".join(f"%(?:25)?{byte:02x}" for byte in data) + ")",
        "(?i:" + "".join(rf"\\{{1,4}}x{byte:02x}" for byte in data) + ")",
        "(?i:" + "".join(rf"\\{{1,4}}u{unit.hex()}" for unit in (units[:2], units[2:]) if unit) + ")",
        rf"(?i:&\#(?:0{{0,4}}{ord(character)}|x0{{0,4}}{ord(character):x});)",
    }
    return f"(?:{'|'.join(sorted(ways, key=len, reverse=True))})"


def _coded(secret: str) -> Iterator[str]:
    """Yield what stands in any base64 of a text that holds this, and its hexadecimal digits."""
    data = secret.encode("utf-8", "surrogatepass")
    if len(data) < CODED:
        return
    yield data.hex()
    # What stands before it shifts it by 0 to 2 bytes; the characters at either end depend on its neighbours.
    for shift, unsure in ((0, 0), (1, 2), (2, 3)):
        text = base64.b64encode(bytes(shift) + data).decode()
        yield text[unsure : (shift + len(data)) * 8 // 6]


def _holds(text: str, coded: list[str]) -> bool:
    digits, plain = text.lower(), text
    for spelt, meant in _ALPHABET.items():
        plain = plain.replace(spelt, meant)
    return any(form in plain or form in digits for form in coded)
