"""What a recording of a real account becomes before it is written: shapes and types stay, whose it is does not.

Nothing is kept because it looks harmless: of texts those fields alone are kept that hold the service's own words, of
numbers those that are counts, and everything else gets a placeholder, the same wherever the same thing stands.
Recordings go through it twice: what the first pass has learned is taken out of the service's words in the second.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator
from itertools import zip_longest
from typing import Any

from sectigo_iot import Param
from tests.replay.scrubbing import SCRUBBED, TOKEN

LIVE = "https://live.example.com"
"""Where a recording is played."""
SHORTEST = 4
"""Characters that something has at the least to be taken out of the service's words."""
WORDS = frozenset(
    {
        *("status", "orgStatus", "inputType", "validationPattern", "message", "error", "title", "algorithms"),
        *("scopes", "Authorities", "alg", "typ", "batchType", "keyAlgorithmInfo", "keyType", "keySize"),
    }
)
"""Fields whose texts are the service's own words."""
COUNTS = frozenset(
    {
        *("balance", "size", "ordered", "issued", "active", "success", "failed", "totalCount", "total", "count"),
        *("page", "status", "errorCode", "timestamp", "iat", "exp", "nbf", "keySize"),
    }
)
"""Fields whose numbers say nothing of whose they are."""
_SECRET = re.compile(r"passw|passphrase|secret|token|credential|private", re.IGNORECASE)
_TIME = re.compile(r"\d{4}-\d\d-\d\d([T ])\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:?\d\d)?")
_MOMENT, _FRACTION = ("2020-12-10", "16:35:32"), "805000000"
_EMAIL = re.compile(r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_HOST = re.compile(r"(?:\*\.)?(?:[A-Za-z0-9_](?:[\w-]*\w)?\.)+[A-Za-z]{2,}\.?")
_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_HEX = re.compile(r"(?=[0-9A-Fa-f]*[A-Fa-f])[0-9A-Fa-f]{12,}|[0-9]{20,}")
_PHONE = re.compile(r"(?=(?:\D*\d){5})[+\d][\d\s()./-]+")
_URL = re.compile(r"(\w+)://[^\s\"'<>]+")
_SUFFIX = re.compile(r"(.*[#/])(\d+)", re.DOTALL)
_NUMBER = re.compile(r"(?<![\d.:+-])\d{4,}(?![\d-])")
_INLINE = re.compile("|".join(f"(?:{each.pattern})" for each in (_URL, _EMAIL, _UUID, _HOST)))


class Disguise:
    """The placeholders of one recording."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        """What was seen, and what stands in its place."""
        self.parameters = {str(each) for each in Param}
        """Names of profile parameters."""
        self.tokens: set[str] = set()
        self.passwords: set[str] = set()
        self._numbers: dict[int, int] = {}
        self._counts: dict[str, int] = {}

    # Whole bodies

    def body(self, body: bytes) -> bytes:
        """Return a body without anything that says whose it is. Raises ValueError for what is no text."""
        text = body.decode()
        if not text.strip():
            return body
        try:
            document = json.loads(text)
        except ValueError:
            return self._plain(text).encode()
        spaced = '": ' in text or ", " in text
        separators = (", ", ": ") if spaced else (",", ":")
        return json.dumps(self.value(document), separators=separators, ensure_ascii=text.isascii()).encode()

    def _plain(self, text: str) -> str:
        if TOKEN.fullmatch(text.strip()):
            return self._token(text.strip())
        if "<" in text or len(text) > 300:
            return f"<html>{SCRUBBED}</html>" if "<" in text else SCRUBBED
        return self.words(text)

    def path(self, path: str) -> str:
        """Return a path with other ids in it."""
        return re.sub(r"(?<=/)\d+(?=/|$)", lambda found: self._digits(found[0]), path)

    # Documents

    def value(self, value: Any, key: str = "", *, kept: bool = False, secret: bool = False) -> Any:
        """Return a value of a document; `key` is the field that it stands in."""
        kept, secret = kept or key in WORDS, secret or bool(_SECRET.search(key))
        if isinstance(value, dict):
            return {self._key(name): self._member(value, name, kept, secret) for name in value}
        if isinstance(value, list):
            return [self.value(each, key, kept=kept, secret=secret) for each in value]
        if isinstance(value, str):
            return self._text(value, key, kept, secret)
        if isinstance(value, bool) or value is None or key in COUNTS | {""}:
            return value
        return self.number(value) if isinstance(value, int) else 0.5

    def _key(self, name: str) -> str:
        return self.names.get(name, name) if len(name) >= SHORTEST else name

    def _member(self, members: dict[str, Any], name: str, kept: bool, secret: bool) -> Any:
        rule = "inputType" in members or "validationPattern" in members
        beside = name == "value" and bool(_SECRET.search(str(members.get("name"))))
        if rule and name == "name":
            return self._parameter(members[name])
        return self.value(members[name], name, kept=kept, secret=secret or beside)

    def _parameter(self, name: Any) -> Any:
        """Keep the name of a parameter, which is the service's word, wherever it stands."""
        if isinstance(name, str):
            self.parameters.add(name)
            self.names.pop(name, None)
            self.passwords.discard(name)
        return name

    def _text(self, text: str, key: str, kept: bool, secret: bool) -> str:
        if TOKEN.fullmatch(text):
            return self._token(text)
        if text in self.parameters:
            return text
        if secret and text:
            (self.tokens if "token" in key.lower() else self.passwords).add(text)
            return SCRUBBED
        if key == "validationPattern":
            return self._learned(text)
        return self.words(text) if kept else self.name(text, key)

    def name(self, text: str, key: str) -> str:
        """Return what stands in place of a text: a document in it, each line of it, or what has its shape."""
        try:
            document = json.loads(text) if text[:1] in ("{", "[") else None
        except ValueError:
            document = None
        if document is not None:
            return json.dumps(self.value(document), ensure_ascii=False)
        if "\n" in text:
            return "\n".join(self.name(line, key) for line in text.split("\n"))
        return self._shaped(text, key) if text.strip() else text

    def _shaped(self, text: str, key: str) -> str:
        if text in self.parameters:
            return text
        if text in self.names or text in self.names.values():
            return self.names.get(text, text)
        for pattern, shape in self._shapes():
            found = pattern.fullmatch(text)
            if found:
                shaped = shape(found, key)
                break
        else:
            shaped = f"{key or 'text'} {self._next(key)}".ljust(min(len(text), 200), "x")
        if shaped != text:
            self.names[text] = shaped
        return shaped

    def _shapes(self) -> Iterator[tuple[re.Pattern[str], Callable[[re.Match[str], str], str]]]:
        yield _TIME, lambda found, _: self._time(found)
        yield re.compile(r"\d{1,19}"), lambda found, _: self._digits(found[0])
        yield _UUID, lambda _, __: f"00000000-0000-4000-8000-{self._next('uuid'):012d}"
        yield _HEX, lambda found, _: f"4{self._next('serial'):0{len(found[0]) - 1}d}"
        yield _EMAIL, lambda _, __: f"person-{self._next('email')}@example.com"
        yield _URL, lambda found, _: f"{found[1]}://host-{self._next('host')}.example.com/"
        yield re.compile(r"(?:/\w+)+"), lambda found, _: self.path(found[0])
        yield _HOST, lambda found, _: self._host(found[0])
        yield _PHONE, lambda found, _: re.sub(r"\d", "5", found[0])
        yield _SUFFIX, lambda found, key: self._suffixed(found, key)

    def _host(self, text: str) -> str:
        return f"{'*.' if text.startswith('*.') else ''}host-{self._next('host')}.example.com"

    def _suffixed(self, found: re.Match[str], key: str) -> str:
        base = found[1].rstrip("_#/ ")
        return f"{self._shaped(base, key) if base else key}{found[1][len(base) :]}{self._digits(found[2])}"

    @staticmethod
    def _time(found: re.Match[str]) -> str:
        fraction = f".{_FRACTION[: len(found[2]) - 1]}" if found[2] else ""
        return f"{_MOMENT[0]}{found[1]}{_MOMENT[1]}{fraction}{found[3] or ''}"

    # The service's words

    def words(self, text: str) -> str:
        """Return words of the service without what was learned, and without what looks like somebody's."""
        tokens = [found[0] for found in TOKEN.finditer(text)]
        around = TOKEN.sub("\0", text).split("\0")
        worded = [self._worded(each) for each in around]
        return "".join(map("".join, zip_longest(worded, map(self._token, tokens), fillvalue="")))

    def _worded(self, text: str) -> str:
        text = _TIME.sub(self._time, self._learned(text))
        text = _INLINE.sub(lambda found: self._shaped(found[0], "text"), text)
        return _NUMBER.sub(lambda found: self._digits(found[0]), text)

    def _learned(self, text: str) -> str:
        for original in sorted(self.names, key=len, reverse=True):
            if len(original) >= SHORTEST and not original.isdigit():
                text = text.replace(original, self.names[original])
        return text

    # Tokens and numbers

    def _token(self, token: str) -> str:
        head, claims, signature = token.split(".")
        if signature == SCRUBBED:
            return token
        self.tokens |= {token, signature}
        return f"{self._claims(head)}.{self._claims(claims)}.{SCRUBBED}"

    def _claims(self, part: str) -> str:
        document = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
        text = json.dumps(self.value(document), separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    def number(self, number: int) -> int:
        """Return the number that stands for an id: of as many digits, and 0 for 0."""
        if number <= 0:
            return number
        if number not in self._numbers:
            digits = len(str(number))
            chosen = (10 ** (digits - 1) if digits > 1 else 0) + self._next(f"{digits} digits")
            while chosen in self._numbers.values():
                chosen += 1
            self._numbers[number] = chosen
        return self._numbers[number]

    def _digits(self, text: str) -> str:
        return str(self.number(int(text))).zfill(len(text))

    def _next(self, kind: str) -> int:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return self._counts[kind]
