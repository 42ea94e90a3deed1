"""What a trace may show of texts, URLs, header fields and bodies: what is known to be harmless, and no secret."""

from __future__ import annotations

import contextlib
import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import SplitResult, parse_qsl, urlsplit

from sectigo_iot.endpoints import ENDPOINTS
from sectigo_iot.pages import is_page
from sectigo_iot.redaction import LONGEST, REDACTED, SHORT, Hider
from sectigo_iot.sensitive import LARGEST, members, names_secret, secrets_in

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sectigo_iot.exchanges import Exchange

_FIELDS = """
    algorithms authority authorityId batchName batchType ca commonName countryName creationDate dNSName deviceId
    ecosystemName error inputType keyAlgorithmInfo localityName message name organizationName orgStatus placeholder
    profile profileId profileName reason reasonCode rejectReason scopes serialNumber stateOrProvinceName status title
    username validationPattern
"""
_HEADERS = """
    accept accept-encoding accept-ranges age allow cache-control connection content-disposition content-encoding
    content-length content-type date expires host keep-alive last-modified pragma retry-after server
    strict-transport-security transfer-encoding upgrade user-agent vary via
"""
SHOWN_FIELDS = frozenset(_FIELDS.split())
"""Fields of the service's documents whose texts are shown, and searched for secrets; numbers and flags all are."""
SHOWN_HEADERS = frozenset(_HEADERS.split())
"""Header fields whose values are shown, and searched for secrets."""
_URLS = ("location", "content-location")
_LONGEST = 10_000
"""Characters of a text that is shown."""
_SEGMENTS = frozenset(part for endpoint in ENDPOINTS.values() for part in endpoint.path.split("/"))
"""What URLs are made of anyway: hidden because it is a password, it would tell the password."""
_SUSPICIOUS = re.compile(
    r"eyJ[\w-]{8,}\.|PRIVATE KEY|\b(?:bearer|basic|digest|negotiate) +\S{8}|[A-Za-z0-9+/=_-]{160}|://[^/\s]*@"
    r"|(?:passw\w{0,64}|passphrase|pwd|secret|token|key) ?= ?\S",
    re.IGNORECASE,
)
"""A token, a key, credentials or a long run of base64, whoever it belongs to."""


class Body(NamedTuple):
    """What is shown of a body: its text, or a remark on why there is none."""

    text: str | None
    remark: str | None = None


class Mask:
    """Hides the secrets of these exchanges, and what looks like one.

    A text with a secret in it is hidden whole: what stands around a gap would tell what belongs there.
    """

    def __init__(self, exchanges: Iterable[Exchange], secrets: Sequence[str] = ()) -> None:
        known = {*secrets, *(secret for exchange in exchanges for secret in _secrets(exchange))}
        self._known: dict[str, str] = {}
        self._hide = Hider(known)
        self._hide_in_path = Hider(known - _SEGMENTS) if known & _SEGMENTS else self._hide

    def text(self, text: str) -> str:
        """Return a text, or what stands for it."""
        # The same few names and numbers stand in every document.
        if text not in self._known:
            self._known[text] = self._judged(text)
        return self._known[text]

    def _judged(self, text: str) -> str:
        suspicious = len(text) > _LONGEST or _SUSPICIOUS.search(text) or any(secrets_in(text, words=True))
        return REDACTED if suspicious or self._hide(text) != text else text

    def url(self, url: str) -> str:
        """Return a URL with the values of its query masked; of one with a secret in it only the host."""
        parts = _split(url)
        if parts is None:
            return REDACTED
        host = self.text(parts.netloc.rpartition("@")[2])
        path = "/".join(part if part in _SEGMENTS else self.text(part) for part in parts.path.split("/"))
        query = "&".join(f"{name}={value}" for name, value in self.query(url))
        shown = f"/{REDACTED}" if self._tells(parts) else f"{path}{query and f'?{query}'}"
        return f"{parts.scheme and f'{parts.scheme}://'}{host}{shown}"

    def query(self, url: str) -> list[tuple[str, str]]:
        """Return the names in a URL's query, and what is shown of their values."""
        parts = _split(url)
        if parts is None or self._tells(parts):
            return []
        pairs = parse_qsl(parts.query, keep_blank_values=True)
        return [(self.text(name), self.document(value, name)) for name, value in pairs]

    def _tells(self, parts: SplitResult) -> bool:
        # A secret may hold what divides a URL, and would stand in several of its parts.
        rest = parts._replace(scheme="", netloc="").geturl()
        return self._hide_in_path(rest) != rest

    def header(self, name: str, value: str) -> str:
        """Return what is shown of a header field's value."""
        if name.lower() in _URLS:
            return self.url(value)
        return self.text(value) if name.lower() in SHOWN_HEADERS else REDACTED

    def document(self, document: Any, name: str = "", *, secret: bool = False) -> Any:
        """Return a JSON document, or a value that stands under this name, with what is shown of it."""
        secret = secret or names_secret(name)
        if isinstance(document, dict):
            inside = members(document, secret=secret)
            return {self.text(key): self.document(value, key, secret=hidden) for key, value, hidden in inside}
        if isinstance(document, list):
            return [self.document(item, name, secret=secret) for item in document]
        if document is None or isinstance(document, bool):
            return document
        if secret or (isinstance(document, str) and name not in SHOWN_FIELDS):
            return REDACTED
        return document if self.text(str(document)) == str(document) else REDACTED

    def body(self, body: bytes, media_type: str, *, plain: bool) -> Body:
        """Return what is shown of a body; `plain` says whether a plain text may be."""
        kind = media_type.partition(";")[0].strip().lower()
        if len(body) > LARGEST:
            return Body(None, "left out: longer than what this service sends")
        with contextlib.suppress(ValueError, RecursionError):
            return Body(json.dumps(self.document(json.loads(body)), ensure_ascii=False))
        text = body[: 2 * _LONGEST].decode("utf-8", "replace")
        if plain and kind == "text/plain":
            return Body(self.text(text))
        title = re.search(r"<title>([^<]*)", text, re.IGNORECASE) if is_page(kind, body) else None
        about = f" (its title: {self.text(title[1].strip())})" if title else ""
        return Body(None, f"left out{about}: not known to hold no secret")


def _split(url: str) -> SplitResult | None:
    try:
        return urlsplit(url)
    except ValueError:
        return None


def _secrets(exchange: Exchange) -> Iterator[str]:
    """Yield what an exchange's values, header fields and bodies say is secret."""
    yield from exchange.secrets
    for name, value in (*exchange.request_headers, *exchange.response_headers):
        if names_secret(name):
            yield from (part for part in (value, *re.split("[ =;,]+", value)) if len(part) >= SHORT)
    for body in (exchange.request_body, exchange.response_body):
        # Of a strange document a short value may be any word, and a name of a field is no secret.
        found = secrets_in(_read(body or b""), words=True)
        yield from (secret for secret in found if len(secret) >= SHORT and secret not in SHOWN_FIELDS)


def _read(body: bytes) -> Any:
    """Return a body as a document or as a text; nothing of one that is not shown anyway."""
    if len(body) > LARGEST:
        return None
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return body[:LONGEST].decode("utf-8", "replace")
