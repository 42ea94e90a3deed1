"""The emulator's time: a clock that can be moved ahead, so that nobody has to wait for what takes days."""

from __future__ import annotations

import math
from collections.abc import Callable

LATEST = 253_370_764_800.0
"""9999-01-01: no certificate can be dated later."""


class Clock:
    """Tells the seconds since the epoch: those of another clock, and what it was moved ahead."""

    def __init__(self, base: Callable[[], float]) -> None:
        self._base = base
        self.ahead = 0.0

    def __call__(self) -> float:
        return self._base() + self.ahead

    def further(self, seconds: float) -> float:
        """Return what `ahead` is after a step. Raises ValueError for a step back, or one that leads too far."""
        if not math.isfinite(seconds) or seconds < 0:
            raise ValueError("seconds: the clock goes ahead only")
        if self() + seconds > LATEST - 40 * 366 * 86400:
            raise ValueError("seconds: the clock would be too far ahead for certificates to be dated")
        return self.ahead + seconds
