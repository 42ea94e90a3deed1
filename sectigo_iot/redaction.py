"""What no log, no error and no trace may show of a call, should a server repeat it."""

from __future__ import annotations

import base64
import copy
import itertools
import json
import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlsplit

from sectigo_iot.sensitive import secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from sectigo_iot.calls import Call

REDACTED = "[redacted]"
LONGEST = 64 * 1024
"""Characters of a text that are looked at; what comes after them is cut off."""
SHORT = 8
"""Characters below which a secret of letters and digits alone may be a word that stands in any text."""
CODED = 6
"""Bytes that a secret has at the least to be looked for in base64 and in hexadecimal digits."""
MOST = 10_000
"""Secrets above which all texts are hidden."""
EFFORT = 20_000_000
"""What one hider may spend, in steps of some 50 ns: about a second. Of texts alone it spends nothing."""
EFFORT_PER_FORM = 16
"""What it takes to see whether one may stand in a text."""
EFFORT_PER_CHARACTER = 5000
"""What a pattern costs for each character that may be written in many ways."""
GRAM = 4
"""Letters and digits in a row by which a secret is looked for, where it has so many."""

_RUN = re.compile("[A-Za-z0-9]+")
_CODED_RUN = re.compile(rf"[A-Za-z0-9+/=_%\\-]{{{CODED},}}")
_ALPHABET = {"-": "+", "%2B": "+", "%2b": "+", "_": "/", "%2F": "/", "%2f": "/", "\\": ""}
"""How the two alphabets of base64 differ, and what URLs and JSON make of them."""
_OTHERWISE = dict(zip("&<>\"' ", ("&amp;", "&lt;", "&gt;", "&quot;", "&apos;", "+"), strict=True))
"""How HTML and forms write what they do not leave as it is."""
_WORD_BEGINS = r"(?:(?<![^\W_])|(?<=%[0-9A-Fa-f]{2})|(?<=\\[nrt]))"
_WORD_ENDS = r"(?![^\W_])"


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


def redacted(text: str, secrets: Iterable[str]) -> str:
    """Return the text, cut to 64 KiB characters, with every one of these secrets hidden, however it is spelt.

    They are found as they are, and as JSON, HTML, Python's repr and percent-encoding write them; in base64, also in
    the middle of something longer such as `user:password`; and in hexadecimal digits. One of less than 8 letters and
    digits is found only where it stands alone: inside of other words a gap would tell what it is.
    """
    return Hider(secrets)(text)


class Hider:
    """Hides the same secrets in many texts, as `redacted` does in one.

    What all these texts may cost is limited: one that would cost more than is left is hidden whole, and so is every
    text where there are more than MOST secrets.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self.secrets: frozenset[str] = frozenset()
        self._whole: list[str] = []
        self._spare = 0
        self._spelt, self._coded = _Index(GRAM), _Index(CODED)
        self._left = [EFFORT]
        self._patterns: dict[tuple[str, ...], re.Pattern[str]] = {}
        self._learn(frozenset(secret for secret in secrets if secret.strip()))

    def joined(self, secrets: Iterable[str]) -> Hider:
        """Return one that hides these secrets too, and draws on the same effort."""
        other = copy.copy(self)
        other._learn(frozenset(secret for secret in secrets if secret.strip()) - self.secrets)
        return other

    def _learn(self, secrets: frozenset[str]) -> None:
        """Hide these too; what a copy has in common with this one is not changed."""
        self.secrets |= secrets
        self._blind = len(self.secrets) > MOST
        if self._blind:
            return
        self._spare = max(self._spare, *(6 * len(secret) for secret in secrets), 0)
        spelt = [secret for secret in secrets if len(secret) <= LONGEST // 8]
        self._whole = sorted({*self._whole, *secrets.difference(spelt)}, key=len, reverse=True)
        self._spelt = self._spelt.joined((s, max(_RUN.findall(s), key=len, default="")) for s in spelt)
        self._coded = self._coded.joined((form, form) for secret in spelt for form in _coded(secret))

    def __call__(self, text: str) -> str:
        """Return the text, cut to LONGEST characters, with the secrets hidden."""
        if self._blind or not self._affords(len(self._whole)):
            return text and REDACTED
        shown = text[:LONGEST]
        for secret in self._whole:
            shown = shown.replace(secret, REDACTED)
        shown = self._hide_coded(self._hide_spelt(shown))
        # Where it was cut, the beginning of a secret may stand.
        return shown if len(text) <= LONGEST or shown == REDACTED else shown[: max(len(shown) - self._spare, 0)]

    def _affords(self, effort: int) -> bool:
        """Whether so much effort is left; it is spent then."""
        enough = self._left[0] >= effort
        self._left[0] = self._left[0] - effort if enough else 0
        return enough

    def _near(self, index: _Index, *texts: str) -> list[str] | None:
        """Return what may stand in these texts, or None where there is too much of it to be looked for."""
        most = self._left[0] // EFFORT_PER_FORM + 1
        near = list(itertools.islice(index.near(*texts), most))
        return near if self._affords(EFFORT_PER_FORM * len(near)) else None

    def _hide_spelt(self, text: str) -> str:
        near = self._near(self._spelt, text)
        if near is None:
            return REDACTED
        # Letters and digits stand as they are in every spelling.
        found = [secret for secret in near if all(run in text for run in _RUN.findall(secret))]
        found.sort(key=lambda secret: (-len(secret), secret))
        if not found:
            return text
        pattern = self._pattern(tuple(found)) if self._affords(len(found) * len(text)) else None
        return pattern.sub(REDACTED, text) if pattern else REDACTED

    def _pattern(self, secrets: tuple[str, ...]) -> re.Pattern[str] | None:
        """Return a pattern of all spellings of these secrets, or None where there is no effort left to make it."""
        if secrets not in self._patterns:
            simple = sum(len(run) for secret in secrets for run in _RUN.findall(secret))
            if not self._affords(EFFORT_PER_CHARACTER * (sum(map(len, secrets)) - simple) + 50 * simple):
                return None
            self._patterns[secrets] = re.compile("|".join(map(_spelling, secrets)))
        return self._patterns[secrets]

    def _hide_coded(self, text: str) -> str:
        if len(text) <= CODED:
            return text
        near = self._near(self._coded, _plain(text), text.lower())
        if near is None or not self._affords(len(near) * len(text)):
            return REDACTED
        return text if not near else _CODED_RUN.sub(lambda run: REDACTED if _holds(run[0], near) else run[0], text)


class _Index:
    """Tells which of many forms may stand in a text, by the first characters of what cannot be written otherwise."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._anywhere: tuple[str, ...] = ()
        self._by_gram: dict[str, tuple[str, ...]] = {}
        self._sizes: frozenset[int] = frozenset()

    def joined(self, forms: Iterable[tuple[str, str]]) -> _Index:
        """Return one that knows these forms too, each with what of it cannot be written otherwise."""
        other = copy.copy(self)
        more: dict[str, list[str]] = {}
        for form, sure in forms:
            more.setdefault(sure[: self._size], []).append(form)
        other._anywhere += tuple(more.pop("", ()))
        other._by_gram = {**self._by_gram, **{gram: (*self._by_gram.get(gram, ()), *more[gram]) for gram in more}}
        other._sizes |= {len(gram) for gram in more}
        return other

    def near(self, *texts: str) -> Iterator[str]:
        """Yield the forms that may stand in one of these texts: few, but for those of which nothing is sure."""
        yield from self._anywhere
        for size in self._sizes:
            grams = {text[i : i + size] for text in texts for i in range(len(text) - size + 1)}
            for gram in grams & self._by_gram.keys():
                yield from self._by_gram[gram]


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
    plain, digits = _plain(text), text.lower()
    return any(form in plain or form in digits for form in coded)


def _plain(text: str) -> str:
    for spelt, meant in _ALPHABET.items():
        text = text.replace(spelt, meant)
    return text
