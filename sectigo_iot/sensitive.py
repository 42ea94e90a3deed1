"""What is secret in a value of whatever shape, by the names that stand beside it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

LARGEST = 1 << 20
"""Bytes of what is searched: this service sends nothing that is longer, and whatever is comes to be hidden whole."""

_NAMES = re.compile(
    r"passw|passphrase|pwd|secret|token|credential|private|authorization|cookie|jwt|bearer|pin$|key$", re.IGNORECASE
)
_BESIDE = frozenset({"name", "key", "field"})
"""Members of an object whose text may be the name of what stands in its `value`."""
_ASSIGNED = re.compile(r"(?<!\w)(\w{1,64})[\"']?\s{0,9}[:=]\s{0,9}[\"']?([^\s\"',;&]+)")


def names_secret(name: str) -> bool:
    """Whether a field, parameter or header of this name holds a secret."""
    return bool(_NAMES.search(name))


def members(document: dict[Any, Any], *, secret: bool = False) -> Iterator[tuple[str, Any, bool]]:
    """Yield the members of an object, and whether each is secret: by its own name, or by one that stands beside it.

    `secret` says that all are, because the object stands under a name that says so.
    """
    named = (text for key, text in document.items() if str(key).lower() in _BESIDE and isinstance(text, str))
    beside = any(map(names_secret, named))
    for key, value in document.items():
        name = str(key)
        yield name, value, secret or names_secret(name) or (beside and "value" in name.lower())


def secrets_in(document: Any, *, words: bool = False) -> Iterator[str]:
    """Yield the texts and numbers of a value that are secret: in objects, pairs of name and value, JSON in a text.

    `words` says that a text may tell one too, as in `password=…` and `password: …`.
    """
    left: list[tuple[Any, bool]] = [(document, False)]
    while left:
        each, secret = left.pop()
        if isinstance(each, dict):
            left += ((value, hidden) for _, value, hidden in members(each, secret=secret))
        elif isinstance(each, list | tuple):
            left += ((value, secret) for value in each)
        elif secret and isinstance(each, str | int | float) and not isinstance(each, bool):
            yield str(each)
        elif isinstance(each, str):
            yield from _assigned(each) if words else ()
            left.append((_document_in(each), False))


def _assigned(text: str) -> Iterator[str]:
    return (value for name, value in _ASSIGNED.findall(text) if names_secret(name))


def _document_in(text: str) -> Any:
    """Return the object or list that a text is, or None."""
    if not text.lstrip().startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
