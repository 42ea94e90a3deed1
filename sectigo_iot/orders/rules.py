"""What a worker may do by itself, and how long it waits."""

from __future__ import annotations

from dataclasses import dataclass

from sectigo_iot.errors import InvalidInputError

SETTLE = 1800.0
"""Seconds after the last possible send before absence may count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WorkerRules:
    """What a worker may do by itself, and how long it waits. Times are in seconds.

    About an order whose outcome is unknown: `use_list` asks for the list of batches, whose form is not public;
    `probe` is how many batch ids above the last known one are looked at; `reorder` lets it be ordered anew, once a
    list that was complete did not have it, and `settle` seconds have passed since it can have been sent.

    `roots`: PEM of the roots that what is issued must lead to; without, the root that came with it has to do.
    `first_look` and `longest_pause`: between looks at a batch. `longest_wait`: between attempts that fail.
    `told_after`: attempts that fail on end before a human is told.
    """

    use_list: bool = True
    probe: int = 0
    reorder: bool = False
    settle: float = SETTLE
    roots: bytes | None = None
    first_look: float = 1.0
    longest_pause: float = 60.0
    first_wait: float = 5.0
    longest_wait: float = 3600.0
    told_after: int = 3

    def __post_init__(self) -> None:
        if self.probe < 0:
            raise InvalidInputError(f"probe {self.probe} is below 0")
        for name in ("settle", "first_look", "longest_pause", "first_wait", "longest_wait"):
            if not getattr(self, name) >= 0:
                raise InvalidInputError(f"{name} {getattr(self, name)!r} is no number of seconds")
