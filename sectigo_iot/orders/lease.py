"""The right to act on one order for a time, and the clock by which that time is counted."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from sectigo_iot.errors import LeaseLostError

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.orders.order import Order

# It counts while the machine sleeps, too (clock_gettime(2)); where there is none, as on macOS, the usual one.
_CLOCK = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)


def boot_time() -> float:
    """Return the seconds since this machine was started, those in which it slept included."""
    return time.clock_gettime(_CLOCK)


class Lease:
    """The right to act on one order until `until`, by the clock of this machine's start.

    `number` tells it from every other lease of that order: who has an older one can change nothing any more.
    `order` is the order as this worker knows it.
    """

    def __init__(
        self, order: Order, worker: str, number: int, until: float, clock: Callable[[], float] = boot_time
    ) -> None:
        self.order = order
        self.worker = worker
        self.number = number
        self.until = until
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Lease {self.number} of {self.order.key!r} for {self.worker}>"

    def left(self) -> float:
        """Return how many seconds are left."""
        return self.until - self._clock()

    def check(self, seconds: float) -> None:
        """Raise LeaseLostError where less than so many seconds are left."""
        if self.left() < seconds:
            raise LeaseLostError(
                f"the order {self.order.key!r} is not acted on: another worker may be at it by now",
                hint="it is gone on with at the next turn",
            )
