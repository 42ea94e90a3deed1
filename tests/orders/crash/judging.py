"""What became of an order, held against what the emulator has: doubled, lost, stuck, or before a human."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

_COUNTS = ("points", "struck", "placed", "delivered", "asked", "answered", "doubled", "lost", "stuck", "bytes")


@dataclass(slots=True)
class Tally:
    """How many times something was tried, and what came of it. `faults` say where it went wrong, and how."""

    points: int = 0
    struck: int = 0
    placed: int = 0
    delivered: int = 0
    asked: int = 0
    answered: int = 0
    doubled: int = 0
    lost: int = 0
    stuck: int = 0
    bytes: int = 0
    faults: list[str] = field(default_factory=list)

    def add(self, other: Tally) -> None:
        """Count what another has counted."""
        for name in _COUNTS:
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.faults += other.faults

    def in_words(self) -> str:
        """Say it in one line."""
        counts = [f"{self.struck:,} strikes" if self.struck else "", f"{self.points:,} orders"]
        counts += [f"{self.placed:,} at the service", f"{self.delivered:,} delivered"]
        counts += [f"{self.doubled} doubled", f"{self.lost} lost", f"{self.stuck} stuck"]
        counts += [f"{self.asked} told to a human" if self.asked else ""]
        counts += [f"{self.answered} of them answered by one" if self.answered else ""]
        counts += [f"grown by {self.bytes / 2**20:.1f} MiB" if self.bytes else ""]
        return ", ".join(filter(None, counts))

    @property
    def clean(self) -> bool:
        """Whether nothing was doubled, lost or stuck."""
        return not (self.doubled or self.lost or self.stuck or self.faults)


def judge(
    where: str, outcome: Mapping[str, Any] | None, batches: Sequence[Mapping[str, Any]], *, struck: bool, blind: bool
) -> Tally:
    """Judge one order: `outcome` is what `carrying.settle` wrote, `batches` those that the emulator has for it.

    With a list or probing the order has to come to its end by itself wherever the service has it. `blind`: neither.
    """
    tally = Tally(points=1, struck=int(struck), placed=len(batches))
    if outcome is None:
        tally.stuck, tally.faults = 1, [f"{where}: the second run came to no end"]
        return tally
    tally.asked, tally.answered = int(bool(outcome["asked"])), int(outcome["by_human"])
    tally.doubled = max(len(batches) - 1, 0)
    serials = [serial for batch in batches for serial in batch["serials"]]
    tally.delivered = int(outcome["delivered"] is not None)
    tally.lost = len([each for each in serials if each not in (outcome["delivered"], outcome["serial"])])
    tally.stuck = int(outcome["state"] != "delivered" or outcome["delivered"] != outcome["serial"])
    # Only what nobody can know without a list may be asked of a human: whether it was sent at all.
    unneeded = outcome["by_human"] and not blind and outcome["found"]
    if tally.doubled or tally.lost or tally.stuck or unneeded:
        tally.faults = [f"{where}: {len(batches)} placed, {dict(outcome)}"]
    return tally


def total(tallies: Sequence[Tally]) -> Tally:
    """Return all of them together."""
    whole = Tally()
    for each in tallies:
        whole.add(each)
    return whole


def by_name(batches: Sequence[Mapping[str, Any]]) -> Counter[str]:
    """Return how many batches there are for each common name."""
    return Counter(name for batch in batches for name in batch["commonNames"])
