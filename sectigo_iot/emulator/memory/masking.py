"""What the journal may show of a request: never a password, a token or the password of a PKCS#12."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

MASK = "********"

_SECRET = "password|secret|token|passphrase"  # noqa: S105 - what such a field is called
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_BINARY = ("application/octet-stream", "application/zip", "application/pkix", "application/ocsp")
_SECRET_HEADERS = ("authorization", "proxy-authorization", "cookie")


class Masker:
    """Masks what was said. `words` are the passwords that are known: they are masked wherever they stand.

    `names` are those of fields that hold a secret, beside those that are called so.
    """

    def __init__(self, words: Iterable[str], names: Iterable[str] = ()) -> None:
        found = sorted({each for each in words if len(each) >= 4}, key=len, reverse=True)
        self._words = re.compile("|".join(map(re.escape, found))) if found else None
        self._names = frozenset(names)
        self._field = _field_of(self._names)

    def text(self, text: str) -> str:
        """Return a text without what looks like a token or a key, and without the passwords that are known."""
        text = self._field.sub(rf'\1"{MASK}"', _PRIVATE_KEY.sub(MASK, _JWT.sub(MASK, text)))
        return text if self._words is None else self._words.sub(MASK, text)

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return headers, of which those that carry secrets tell their scheme alone."""
        return {name: self._header(name, value) for name, value in headers}

    def body(self, body: bytes, media_type: str, *, whole: bool, secret: bool) -> str | None:
        """Return a body as text, or None where it is binary.

        `whole` says whether nothing was cut off. One that may hold a `secret` and cannot be read is not shown at all.
        """
        if not body:
            return ""
        if media_type.startswith(_BINARY):
            return None
        text = body.decode("utf-8", "replace")
        if not secret:
            return self.text(text)
        document = _document(text) if whole else None
        if document is None:
            return f"(not shown: {len(body)} bytes that may hold a secret)"
        return self.text(json.dumps(self._without_secrets(document), ensure_ascii=False))

    def _header(self, name: str, value: str) -> str:
        if name.lower() in _SECRET_HEADERS:
            scheme, blank, _ = value.partition(" ")
            return f"{scheme} {MASK}" if blank and scheme.isalpha() else MASK
        return self.text(value)

    def _without_secrets(self, value: Any) -> Any:
        if isinstance(value, Mapping):
            return {
                name: MASK if self._is_secret(name) and each is not None else self._without_secrets(each)
                for name, each in value.items()
            }
        return [self._without_secrets(each) for each in value] if isinstance(value, list) else value

    def _is_secret(self, name: str) -> bool:
        return name in self._names or _SECRET_NAME.search(name) is not None


def _field_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return what finds a field of JSON that holds a secret, in a text that need not be JSON as a whole."""
    own = "".join(f"|{re.escape(json.dumps(each)[1:-1])}" for each in sorted(names))
    name = rf'"(?:[^"\\]*(?:{_SECRET})[^"\\]*{own})"'
    return re.compile(rf'({name}\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE | re.DOTALL)


def _document(text: str) -> Any:
    try:
        document = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return document if isinstance(document, dict | list) else None
