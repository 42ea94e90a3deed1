"""What no log and no error may show of a call, should a server repeat it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_iot.calls import Call

REDACTED = "[redacted]"
_NAMES = re.compile(r"passw|passphrase|secret|token|credential|private|pin$|key$", re.IGNORECASE)


def secrets_of(call: Call) -> tuple[str, ...]:
    """Return the secrets that a call carries: values under a name that says so, and a body that is no JSON whole."""
    return (*call.secrets, *_in(call.payload), *_in_body(call.body))


def _in_body(body: bytes | None) -> Iterator[str]:
    if not body:
        return
    text = body.decode("utf-8", "replace")
    try:
        yield from _in(json.loads(text))
    except (ValueError, RecursionError):
        yield text.strip()


def _in(document: Any, *, secret: bool = False) -> Iterator[str]:
    if isinstance(document, dict):
        for name, value in document.items():
            yield from _in(value, secret=secret or bool(_NAMES.search(str(name))))
    elif isinstance(document, list):
        for item in document:
            yield from _in(item, secret=secret)
    elif secret and isinstance(document, str):
        yield document


def redacted(text: str, secrets: tuple[str, ...]) -> str:
    """Return the text with every one of these secrets hidden, as it is or as JSON writes it."""
    forms = {form for s in secrets if s for form in (s, json.dumps(s)[1:-1], json.dumps(s, ensure_ascii=False)[1:-1])}
    for secret in sorted(forms, key=len, reverse=True):
        text = text.replace(secret, REDACTED)
    return text
