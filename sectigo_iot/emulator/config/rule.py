"""When a fault strikes: how often, at which calls, with which details."""

from __future__ import annotations

from msgspec import Struct


class Rule(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """One fault and when it strikes: at each call that fits, unless `percent`, `nth` or `times` say otherwise."""

    fault: str
    """Its name in the catalogue."""
    calls: tuple[str, ...] = ()
    """Names of endpoints; none means every call that this fault can strike."""
    percent: float | None = None
    """How many of the calls that fit, decided by the seed."""
    nth: tuple[int, ...] = ()
    """Which of the calls that fit, counted from 1."""
    times: int | None = None
    """How often at the most."""
    seconds: float | None = None
    status: int | None = None
    bytes: int | None = None
    value: str | None = None
