"""The common time line of many certificates: which part of time it shows, and where on it a moment lies."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_NAMES = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_STEPS = (1, 2, 3, 6, 12, 24, 60, 120)
"""Months from one tick to the next."""
_MOST_TICKS = 9
_SHORT = timedelta(days=60)
"""A time line up to which it has ticks by the week."""
_PAST = 0.18
"""The part of the time to come that is shown of the time gone by."""


@dataclass(frozen=True, slots=True)
class Axis:
    """A time line from `start` to `end`, on which it is `now`."""

    start: datetime
    now: datetime
    end: datetime

    def place(self, moment: datetime) -> float:
        """Where a moment lies, in per cent of the length; what lies outside is put at the nearer end."""
        part = (moment - self.start) / (self.end - self.start)
        return round(100 * min(1.0, max(0.0, part)), 2)

    def ticks(self) -> Iterator[tuple[float, str]]:
        """Yield where the marks stand, and what they say."""
        for moment, label in self._weeks() if self.end - self.start <= _SHORT else self._months():
            # Nearer to an end a label would be cut off.
            if 3 <= self.place(moment) <= 96:
                yield self.place(moment), label

    def _weeks(self) -> Iterator[tuple[datetime, str]]:
        midnight = self.now.replace(hour=0, minute=0, second=0, microsecond=0)
        for week in range(-8, 9):
            moment = midnight + timedelta(weeks=week)
            if self.start <= moment <= self.end:
                yield moment, f"{moment.day} {month_name(moment)}"

    def _months(self) -> Iterator[tuple[datetime, str]]:
        months = (self.end - self.start).days / 30
        step = next((step for step in _STEPS if months / step <= _MOST_TICKS), _STEPS[-1])
        number = (self.start.year * 12 + self.start.month - 1) // step * step
        named = False
        while (moment := _month(number)) <= self.end:
            if moment >= self.start:
                yield moment, _label(moment, step, with_year=not named)
                named = True
            number += step


def axis_for(ends: Iterable[datetime], now: datetime, *, least: float, most: float) -> Axis:
    """The time line on which all these moments lie, but for those more than `most` days off; `least` are shown."""
    shown = min(max([*ends, now + timedelta(days=least)]), now + timedelta(days=most))
    ahead = (shown - now) * 1.04
    return Axis(now - ahead * _PAST, now, now + ahead)


def month_name(moment: datetime) -> str:
    """The month in three letters; `strftime` would have the language of the process."""
    return _NAMES[moment.month - 1]


def _month(number: int) -> datetime:
    year, month = divmod(number, 12)
    return datetime(year, month + 1, 1, tzinfo=UTC)


def _label(moment: datetime, step: int, *, with_year: bool) -> str:
    if step >= 12:
        return str(moment.year)
    return f"{month_name(moment)} {moment.year}" if with_year or moment.month == 1 else month_name(moment)
