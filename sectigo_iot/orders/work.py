"""One order under one lease, and all that its handler works with."""

from __future__ import annotations

import logging
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from sectigo_iot.errors import clean
from sectigo_iot.orders.order import LONGEST_REASON, Order, OrderEvent
from sectigo_iot.orders.pace import Pace
from sectigo_iot.orders.protocols import Deliver, Service
from sectigo_iot.orders.rules import WorkerRules

if TYPE_CHECKING:
    from sectigo_iot.orders.book import OrderBook
    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.states import OrderState

_log = logging.getLogger("sectigo_iot.orders")


class StoppedError(Exception):
    """The worker is to end, and makes no further request: the order is left as it is, and is due at once."""


def _never() -> bool:
    return False


@dataclass(slots=True)
class Work:
    """One order under one lease, and all that its handler works with.

    `stopping` says whether the worker is to end: then no further request is made. `pace`: of all its orders.
    """

    book: OrderBook
    service: Service
    rules: WorkerRules
    lease: Lease
    deliver: Deliver | None
    tell: Callable[[OrderEvent], None]
    clock: Callable[[], float]
    stopping: Callable[[], bool] = _never
    pace: Pace = field(default_factory=Pace)

    @property
    def order(self) -> Order:
        """The order as it stands."""
        return self.lease.order

    def go_on(self) -> None:
        """See whether another request may be made in a step. Raises StoppedError where the worker is to end."""
        if self.stopping():
            raise StoppedError("the worker is to end")

    def move(self, new: OrderState, reason: str, *, after: float | None = 0.0, **fields: Any) -> None:
        """Have the order go to another state, and tell it. It is looked at again `after` seconds; None for never."""
        old = self.order.state
        next_at = None if after is None else self.clock() + after
        self.book.change(
            self.lease,
            new,
            reason=reason,
            next_at=next_at,
            failures=fields.pop("failures", 0),
            attention=fields.pop("attention", None),
            **fields,
        )
        self._told("state", old, reason)

    def note(self, **fields: Any) -> None:
        """Change what the book has of the order beside its state."""
        self.book.change(self.lease, **fields)

    def wait(self, seconds: float) -> None:
        """Look at the order again after so many seconds; nothing is wrong."""
        self.book.change(self.lease, next_at=self.clock() + seconds, failures=0)

    def retry_later(
        self, reason: str, *, attention: str | None = None, news: Sequence[str] = (), at_least: float = 0.0
    ) -> None:
        """Look at the order again later, ever later: something stands in the way.

        A human is told `attention` at once where it is given, else after some attempts on end, and once only. `news`
        are the parts of it for which a human is told anew; what else changes in it is written down, and not told.
        """
        failures = self.order.failures + 1
        pause = min(self.rules.first_wait * 2.0 ** min(failures - 1, 20), self.rules.longest_wait)
        pause = max(pause * random.uniform(0.75, 1.0), at_least)  # noqa: S311 - no secret
        if attention is None and failures >= self.rules.told_after:
            attention = reason
        told = clean(attention, LONGEST_REASON) if attention is not None else self.order.attention
        new = attention is not None and self._is_news(news or (told or "",))
        if new:
            # First: once the order has its attention nobody tells it any more.
            self.ask(told or reason)
        self.book.change(self.lease, next_at=self.clock() + pause, failures=failures, attention=told)
        _log.warning("order %s: %s; again in %.0f s", self.order.key, reason, pause)

    def _is_news(self, parts: Sequence[str]) -> bool:
        """Whether a human was not told one of these yet, as far as the order has come now."""
        if self.order.attention is None:
            # Or has seen to it: then it is told anew.
            return True
        said = [self.order.attention]
        for event in self.book.history(self.order.key):
            if event.kind == "state":
                said = [self.order.attention]
            elif event.kind == "attention":
                said.append(event.reason)
        return any(all(part not in each for each in said) for part in parts)

    def ask(self, what: str) -> None:
        """Have the history say that a human has to see to something, and tell it."""
        self.book.remark(self.lease, "attention", what)
        self._told("attention", self.order.state, what)

    def remark(self, kind: str, what: str) -> None:
        """Have the history say something, and tell it."""
        self.book.remark(self.lease, kind, what)
        self._told(kind, self.order.state, what)

    def _told(self, kind: str, old: OrderState, reason: str) -> None:
        order = self.order
        _log.log(
            logging.ERROR if kind == "attention" else logging.INFO, "order %s: %s: %s", order.key, order.state, reason
        )
        self.tell(
            OrderEvent(order.key, self.clock(), kind, old, order.state, reason, self.lease.worker, order.batch_id)
        )
