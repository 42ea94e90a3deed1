"""What one check found."""

from __future__ import annotations

import enum
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.errors import SectigoError

if TYPE_CHECKING:
    from collections.abc import Mapping

_SETTINGS = "`sectigo validate` shows each setting, and where it comes from"
_NOTHING: Mapping[str, object] = MappingProxyType({})


class Health(enum.Enum):
    """How a check ended."""

    OK = "ok"
    ATTENTION = "attention"
    """It works, and something about it will not for long, or not as it should."""
    WRONG = "wrong"
    NOT_CHECKED = "not checked"
    """It could not be, or it does not apply here: the facts say why."""


class Finding(NamedTuple):
    """What one check found. `facts` is one line that shows no secret; `hint` says what to do.

    `error` is what the client would raise because of it, where it is wrong. `details` holds the same facts for
    programs: text, numbers, lists.
    """

    check: str
    """Its name: `clock`, `dns`, `tcp`, …"""
    health: Health
    facts: str
    hint: str | None = None
    error: SectigoError | None = None
    details: Mapping[str, object] = _NOTHING


def well(check: str, facts: str, **details: object) -> Finding:
    """Return that all is well."""
    return Finding(check, Health.OK, printable(facts), details=details)


def doubtful(check: str, facts: str, hint: str, **details: object) -> Finding:
    """Return that somebody should look at it."""
    return Finding(check, Health.ATTENTION, printable(facts), printable(hint), details=details)


def wrong(check: str, error: SectigoError, hint: str | None = None, **details: object) -> Finding:
    """Return that nothing will work like this; the error's own hint stands where none is given."""
    advice = error.hint or hint or _SETTINGS
    return Finding(check, Health.WRONG, printable(error.message), printable(advice), error, details)


def unchecked(check: str, facts: str, **details: object) -> Finding:
    """Return why it was not checked."""
    return Finding(check, Health.NOT_CHECKED, printable(facts), details=details)


def short(source: str) -> str:
    """Return where a setting comes from, in as few words as will do."""
    return source.removeprefix("environment variable ")


def printable(text: str) -> str:
    """Return the text as one line without control characters, which a terminal would obey."""
    return " ".join("".join(c if c.isprintable() else " " for c in text).split())
