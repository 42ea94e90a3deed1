"""What the journal may show of a request: never a password, a token or the password of a PKCS#12.

Of the calls that carry such things only what is known to be harmless is shown, whatever it was that the client sent.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from sectigo_iot.emulator.config.world import PASSWORD, Profile
from sectigo_iot.emulator.memory.form_parts import harmless_requests, parts_of
from sectigo_iot.emulator.memory.known import MASK, KnownSecrets, mask_words
from sectigo_iot.endpoints import ENDPOINTS

CUT = "…"
"""What a text ends with that was cut, and what stands for headers that were left out."""

_SECRET = "password|secret|token|passphrase"  # noqa: S105 - what such a field is called
_SECRET_NAME = re.compile(_SECRET, re.IGNORECASE)
_JWT = re.compile(r"eyJ[\w-]+\.[\w-]+\.[\w-]*")
_PRIVATE_KEY = re.compile(r"-----BEGIN [A-Z ]*PRIVATE KEY-----.*?(-----END [A-Z ]*PRIVATE KEY-----|\Z)", re.DOTALL)
_BINARY = ("application/octet-stream", "application/zip", "application/pkix", "application/ocsp")
_USER_INFO = re.compile(r"((?:[a-z][a-z0-9+.-]*:)?//)[^/?#]*@", re.IGNORECASE)
_NUMBER = re.compile(r"[0-9]{1,9}")
_PLAIN_QUERY = ("page", "size")


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_SCHEMES = ("basic", "bearer", "digest", "negotiate", "ntlm")
_ADDRESSES = ("content-location", "location", "origin", "referer")
_HARMLESS_HEADERS = _names(
    """
    accept accept-charset accept-encoding accept-language accept-ranges age allow cache-control connection
    content-disposition content-encoding content-language content-length content-range content-security-policy
    content-type date expect expires host if-modified-since if-unmodified-since keep-alive last-modified pragma range
    retry-after server te traceparent trailer transfer-encoding upgrade user-agent vary via x-content-type-options
    x-correlation-id x-request-id
    """
)

_ORDER = frozenset(("authorityId", "batchName", "profileId", "batchType", "profileParams"))
_REQUESTS = {
    "authenticate": frozenset(("username",)),
    "refresh": frozenset[str](),
    "createSingleCertBatch": _ORDER,
    "upload": _ORDER,
}
_REPLY = _names(
    """
    batchId orderNumber creationDate profile size status active batchName rejectReason generatorParametersValues
    userId downloadable rejectable message errorCode timestamp
    """
)
"""The fields of a batch, and those of an error."""


def secret_parameters(profiles: Iterable[Profile]) -> frozenset[str]:
    """Return the names of the parameters that hold a password."""
    found = {
        each.name for profile in profiles for each in profile.parameters if each.input_type.lower() == "password"
    }
    return frozenset(found | {PASSWORD})


def _harmless_parameters(profiles: Iterable[Profile]) -> frozenset[str]:
    found = {each.name for profile in profiles for each in profile.parameters}
    return frozenset(each for each in found - secret_parameters(profiles) if not _SECRET_NAME.search(each))


class Masker:
    """Masks what was said. `words` are the passwords that are known: they are masked wherever they stand.

    `profiles` tell which parameters hold a secret, and which are known not to; `known` are the passwords of orders.
    """

    def __init__(self, words: Iterable[str], profiles: Iterable[Profile], known: KnownSecrets) -> None:
        kinds = tuple(profiles)
        spelled = {spelling for each in words if len(each) >= 4 for spelling in _spellings(each)}
        self._words = sorted(spelled, key=len, reverse=True)
        self._known = known
        self._harmless = _harmless_parameters(kinds)
        self._field = _field_of(secret_parameters(kinds))

    def text(self, text: str) -> str:
        """Return a text without what looks like a token or a key, and without the passwords that are known."""
        text = self._field.sub(rf'\1"{MASK}"', _PRIVATE_KEY.sub(MASK, _JWT.sub(MASK, text)))
        return mask_words(self._known.mask(text), self._words)

    def address(self, address: str) -> str:
        """Return a path or a URL without its user and password, the values in its query, and its fragment."""
        address, hash_sign, _ = address.partition("#")
        place, mark, query = address.partition("?")
        fields = "&".join(self._field_in_query(*each.partition("=")) for each in query.split("&"))
        place = _USER_INFO.sub(rf"\1{MASK}@", place, count=1)
        return self.text(place) + mark + fields + (f"#{MASK}" if hash_sign else "")

    def headers(self, headers: Iterable[tuple[str, str]]) -> dict[str, str]:
        """Return headers. `Authorization` tells its scheme alone, and one that may hold a secret nothing."""
        return {self.text(name): self._header(name.lower(), value) for name, value in headers}

    def request(self, call: str, body: bytes, media_type: str, size: int) -> str | None:
        """Return what was kept of a request's body of `size` bytes as text, or None where it is binary.

        One that may hold a secret and is of another form than is known is not shown at all.
        """
        if not body or media_type.lower().startswith(_BINARY):
            return None if body else ""
        if call == "upload":
            return self._form(body, media_type, size)
        endpoint = ENDPOINTS.get(call)
        if call in _REQUESTS or endpoint is None or not endpoint.typed:
            return self._document(body, _REQUESTS.get(call, frozenset()), size)
        return self.text(body.decode("utf-8", "replace"))

    def reply(self, call: str, body: bytes, media_type: str, size: int) -> str | None:
        """Return what was kept of a reply's body in the same way."""
        if not body or media_type.lower().startswith(_BINARY):
            return None if body else ""
        if call in _REQUESTS:
            return self._document(body, _REPLY, size)
        return self.text(body.decode("utf-8", "replace"))

    def _header(self, name: str, value: str) -> str:
        if name == "authorization":
            scheme, blank, _ = value.partition(" ")
            return f"{scheme} {MASK}" if blank and scheme.lower() in _SCHEMES else MASK
        if name in _ADDRESSES:
            return self.address(value)
        return self.text(value) if name in _HARMLESS_HEADERS or value in ("", CUT) else MASK

    def _field_in_query(self, name: str, equals: str, value: str) -> str:
        if not equals:
            return MASK if name else ""
        plain = name in _PLAIN_QUERY and _NUMBER.fullmatch(value)
        return self.text(name) + equals + (value if plain or not value else MASK)

    def _form(self, body: bytes, media_type: str, size: int) -> str:
        """Return the form of an upload, of which the requests are shown, and what is harmless beside them."""
        parts = parts_of(media_type, body)
        if not parts:
            return _not_shown(size)
        shown = [f"{self.text(part.head)}\n\n{self._content(part.name, part.content)}\n" for part in parts]
        return "--\n".join(shown) + (CUT if len(body) < size else "")

    def _content(self, name: str, content: bytes) -> str:
        if name == "csrBatchRequest":
            return self._document(content, _ORDER, len(content))
        if name == "profileId" and _NUMBER.fullmatch(content.decode("latin-1").strip()):
            return content.decode("latin-1").strip()
        requests = harmless_requests(content) if name == "files" else []
        rest = content
        for each in requests:
            rest = rest.replace(each.encode(), b"")
        hidden = len(rest.strip())
        return "\n".join([*requests, *([_not_shown(hidden)] if hidden else [])])

    def _document(self, body: bytes, harmless: frozenset[str], size: int) -> str:
        """Return a JSON object with the values that are harmless."""
        document = _read(body)
        if document is None:
            return "null"
        if not isinstance(document, dict):
            return _not_shown(size)
        shown = {self.text(name): self._value(name, value, harmless) for name, value in document.items()}
        return json.dumps(shown, ensure_ascii=False)

    def _value(self, name: str, value: Any, harmless: frozenset[str]) -> Any:
        if value is None or name not in harmless:
            return None if value is None else MASK
        if name == "profileParams":
            return self._parameters(value)
        if isinstance(value, bool):
            return value
        shown = self.text(str(value)) if isinstance(value, str | int | float) else MASK
        return value if shown == str(value) else shown

    def _parameters(self, value: object) -> object:
        if not isinstance(value, Mapping):
            return MASK
        return {self.text(name): self._parameter(name, each) for name, each in value.items()}

    def _parameter(self, name: str, value: object) -> str | None:
        if value is None:
            return None
        return self.text(value) if name in self._harmless and isinstance(value, str) else MASK


def _spellings(word: str) -> set[str]:
    """Return a word as it is, and as it may stand within JSON."""
    return {word} | {json.dumps(word, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)}


def _field_of(names: Iterable[str]) -> re.Pattern[str]:
    """Return what finds a field of JSON that holds a secret, in a text that need not be JSON as a whole."""
    own = "".join(f"|{re.escape(json.dumps(each)[1:-1])}" for each in sorted(names))
    name = rf'"(?:[^"\\]*(?:{_SECRET})[^"\\]*{own})"'
    return re.compile(rf'({name}\s*:\s*)"(?:[^"\\]|\\.)*"?', re.IGNORECASE | re.DOTALL)


def _read(body: bytes) -> Any:
    """Return the JSON in some bytes, or an ellipsis where it is none."""
    try:
        return json.loads(body.decode())
    except (ValueError, RecursionError):
        return ...


def _not_shown(size: int) -> str:
    return f"(not shown: {size} bytes that may hold a secret)"
