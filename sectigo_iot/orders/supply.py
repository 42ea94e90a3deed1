"""What the threads of a worker take their work from: one of them asks the book for all that wait."""

from __future__ import annotations

import contextlib
import logging
import queue
import threading
from collections import deque
from collections.abc import Callable, Collection
from typing import TYPE_CHECKING

from sectigo_iot.errors import OrderBookError
from sectigo_iot.orders.order import OrderEvent
from sectigo_iot.orders.states import OrderState

if TYPE_CHECKING:
    from sectigo_iot.orders.book import OrderBook
    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.protocols import OnEvent

_log = logging.getLogger("sectigo_iot.orders")

LONGEST_SLEEP = 1.0
"""Seconds after which the book is asked again, so that what others have placed is seen."""
FIRST_PAUSE, LONGEST_PAUSE = 1.0, 30.0
"""Seconds between attempts to reach a book that is away: the first, and those after a while."""


class Supply:
    """Hands out leases of one book, each to one thread.

    One thread at a time asks the book, for as many orders as there are threads without one, and sleeps for all of
    them while nothing is due. An order is never kept behind another: whoever is slow holds up nobody.

    `idle` is asked, where nothing is due, whether there is nothing more to come, which ends it. `tell` is told of
    those that were about to be sent when somebody else's lease ended. `first` is called before the book is asked.
    `keys` is asked each time which orders may be
    taken; all, where it is None.
    """

    def __init__(
        self,
        book: OrderBook,
        worker: str,
        seconds: float,
        *,
        clock: Callable[[], float],
        idle: Callable[[], bool],
        tell: OnEvent,
        first: Callable[[], None] = lambda: None,
        keys: Callable[[], Collection[str]] | None = None,
    ) -> None:
        self._book, self._worker, self._seconds = book, worker, seconds
        self._clock, self._idle, self._tell, self._keys = clock, idle, tell, keys
        self._first = first
        self._asking, self._counting = threading.Lock(), threading.Lock()
        self._ready: deque[Lease] = deque()
        self._waiting = self._busy = 0
        self._asleep = False
        self._outages = 0
        # A put into a SimpleQueue may come from a signal handler in the midst of a get; setting an Event may not.
        self._wake: queue.SimpleQueue[None] = queue.SimpleQueue()
        self.over = False

    def end(self) -> None:
        """Hand out nothing more. It may be called from anywhere, a signal handler included."""
        self.over = True
        self._wake.put(None)

    def take(self) -> Lease | None:
        """Return the next order to carry, once there is one; None where there will be none any more.

        Raises OrderBookError where the book cannot be used, and that does not pass.
        """
        self._count(waiting=1)
        if self._asleep:
            # Whoever comes back has carried something, after which other things may be due.
            self._wake.put(None)
        try:
            with self._asking:
                while not self._ready and not self.over:
                    self._ask()
                if self.over:
                    return None
                self._count(busy=1)
                return self._ready.popleft()
        finally:
            self._count(waiting=-1)

    def claim(self, limit: int) -> list[Lease]:
        """Return leases on what is due now, at most `limit`. Raises OrderBookError, and what `first` does."""
        self._first()
        keys = None if self._keys is None else self._keys()
        before = self._clock()
        leases = self._book.claim(self._worker, seconds=self._seconds, limit=limit, keys=keys)
        for order in (lease.order for lease in leases):
            if order.state is OrderState.UNKNOWN and order.changed_at >= before:
                # By the claim itself: nobody else tells it.
                old, new, at = OrderState.ORDERING, OrderState.UNKNOWN, order.changed_at
                self._tell(OrderEvent(order.key, at, "state", old, new, order.reason, self._worker, order.batch_id))
        return leases

    def next_due(self) -> float | None:
        """Return when the next order is due, in epoch seconds; None for never. Raises OrderBookError."""
        return self._book.next_due(None if self._keys is None else self._keys())

    def give_back(self) -> None:
        """Say that an order that was taken is carried."""
        self._count(busy=-1)

    def free_all(self) -> None:
        """Let others have what nobody took."""
        while self._ready:
            self._book.release(self._ready.popleft())

    def _count(self, *, waiting: int = 0, busy: int = 0) -> None:
        with self._counting:
            self._waiting += waiting
            self._busy += busy

    def _ask(self) -> None:
        try:
            self._ready.extend(self.claim(max(self._waiting, 1)))
            self._outages = 0
            if not self._ready:
                self._rest()
        except OrderBookError as error:
            if not error.passes:
                raise
            self._outages += 1
            pause = min(FIRST_PAUSE * 2.0 ** min(self._outages - 1, 10), LONGEST_PAUSE)
            _log.warning("the order book is away: %s; again in %.0f s", error, pause)
            self._sleep(pause)

    def _rest(self) -> None:
        """Sleep until something is due, or end where nothing will be."""
        if self._idle_now():
            self.end()
            return
        due = self.next_due()
        self._sleep(LONGEST_SLEEP if due is None else min(max(due - self._clock(), 0.01), LONGEST_SLEEP))

    def _idle_now(self) -> bool:
        with self._counting:
            busy = self._busy > 0
        return not busy and self._idle()

    def _sleep(self, seconds: float) -> None:
        self._asleep = True
        with contextlib.suppress(queue.Empty):
            self._wake.get(timeout=seconds)
            while True:
                # However many came back meanwhile, the book is asked once.
                self._wake.get_nowait()
        self._asleep = False
