"""Keeping a lease for as long as a step takes, and no longer than the process that takes it is awake."""

from __future__ import annotations

import contextlib
import copy
import logging
import threading
import time
from typing import TYPE_CHECKING

from sectigo_iot.errors import LeaseLostError, OrderBookError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_iot.orders.book import OrderBook
    from sectigo_iot.orders.lease import Lease

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
        self._held: dict[int, tuple[Lease, float | None]] = {}
        self._thread: threading.Thread | None = None
        self._looked_at = threading.Event()

    def end(self) -> None:
        """Have the thread go, if no lease is held any more."""
        self._looked_at.set()

    @contextlib.contextmanager
    def holding(self, lease: Lease) -> Iterator[None]:
        """Keep a lease during the block; none is renewed any more once the block is left."""
        with self._lock:
            self._held[id(lease)] = (lease, time.monotonic())
            if self._thread is None:
                self._thread = threading.Thread(target=self._keep, name="orders-leases", daemon=True)
                self._thread.start()
        try:
            yield
        finally:
            with self._lock:
                self._held.pop(id(lease), None)

    def _keep(self) -> None:
        while True:
            self._looked_at.wait(self._seconds / 4)
            with self._lock:
                self._looked_at.clear()
                if not self._held:
                    self._thread = None
                    return
                for lease, since in list(self._held.values()):
                    if lease.left() < self._seconds / 2:
                        self._renew(lease)
                    if since is not None and time.monotonic() - since > LONG:
                        self._say(lease)

    def _renew(self, lease: Lease) -> None:
        try:
            self._book.renew_lease(lease, self._seconds)
        except LeaseLostError:
            self._held.pop(id(lease), None)
        except OrderBookError as error:
            _log.warning("the lease of order %s is not renewed: %s", lease.order.key, error)

    def _say(self, lease: Lease) -> None:
        what = f"a step from {lease.order.state} on does not end, and is waited for as long as this process lives"
        _log.error("order %s: %s", lease.order.key, what)
        # The step may end meanwhile and change the order: what it knows of it is not replaced by what was before.
        same = copy.copy(lease)
        with contextlib.suppress(OrderBookError):
            self._book.remark(same, "attention", what)
            self._book.change(same, attention=what)
            self._held[id(lease)] = (lease, None)
