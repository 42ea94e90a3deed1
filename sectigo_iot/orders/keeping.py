"""Keeping a lease for as long as a step takes, and no longer than the process that takes it is awake."""

from __future__ import annotations

import contextlib
import copy
import dataclasses
import logging
import threading
import time
from typing import TYPE_CHECKING

from sectigo_iot.errors import LeaseLostError, OrderBookError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_iot.orders.book import OrderBook
    from sectigo_iot.orders.work import Work

_log = logging.getLogger("sectigo_iot.orders")

LONG = 900.0
"""Seconds after which a human is told of a step that does not end: whoever took the order over would hang, too."""


class Keeper:
    """Renews leases again and again while the steps last that they are held for; `seconds` from each time on.

    One thread does it for all of them; it comes when it is needed and goes when it is not.
    """

    def __init__(self, book: OrderBook, seconds: float) -> None:
        self._book, self._seconds = book, seconds
        self._lock = threading.Lock()
        # With the time since when; None where a human was told how long that is.
        self._held: dict[int, tuple[Work, float | None]] = {}
        self._thread: threading.Thread | None = None
        self._looked_at = threading.Event()

    def end(self) -> None:
        """Have the thread go, if no lease is held any more."""
        self._looked_at.set()

    @contextlib.contextmanager
    def holding(self, work: Work) -> Iterator[None]:
        """Keep the lease of an order during the block; none is renewed any more once the block is left."""
        before = work.order
        with self._lock:
            self._held[id(work)] = (work, time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="orders-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                _, since = self._held.pop(id(work), (work, 0.0))
            if since is None and work.order is not before:
                # It may have been said when the step had ended already: then nothing would take it back.
                with contextlib.suppress(OrderBookError):
                    _beside(work).note(attention=work.order.attention)

    def _keep(self) -> None:
        while True:
            self._looked_at.wait(self._seconds / 4)
            with self._lock:
                self._looked_at.clear()
                if not self._held:
                    self._thread = None
                    return
                for work, since in list(self._held.values()):
                    if work.lease.left() < self._seconds / 2:
                        self._renew(work)
                    if since is not None and time.monotonic() - since > LONG:
                        self._say(work)

    def _renew(self, work: Work) -> None:
        try:
            self._book.renew_lease(work.lease, self._seconds)
        except LeaseLostError:
            self._held.pop(id(work), None)
        except OrderBookError as error:
            _log.warning("the lease of order %s is not renewed: %s", work.order.key, error)

    def _say(self, work: Work) -> None:
        what = f"a step from {work.order.state} on does not end, and is waited for as long as this process lives"
        same = _beside(work)
        with contextlib.suppress(OrderBookError):
            same.ask(what)
            same.note(attention=what)
            self._held[id(work)] = (work, None)


def _beside(work: Work) -> Work:
    """Return the same with a lease of its own: the step goes on with what it knows of its order, not with this."""
    return dataclasses.replace(work, lease=copy.copy(work.lease))
