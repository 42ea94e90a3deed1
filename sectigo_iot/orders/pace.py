"""How long the service takes to issue just now, so that an order is first looked at when that is of use."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sectigo_iot.orders.states import OrderState

if TYPE_CHECKING:
    from sectigo_iot.orders.order import Order
    from sectigo_iot.orders.rules import WorkerRules

_SHORTER = 0.9
"""What is left of the expectation when it was long enough: whether less would do can be found out in no other way."""


class Pace:
    """What the orders of one worker have shown. Its threads share it.

    Where nothing is known, an order is looked at as soon as it is accepted. It is nothing but an expectation: no
    order is given up by it, and none is looked at later than the rules allow.
    """

    def __init__(self) -> None:
        self._expected = 0.0
        self._late: float | None = None
        self._guard = threading.Lock()

    def first_look(self, rules: WorkerRules) -> float:
        """Return the seconds from an order to the first look at it."""
        return self._expected if self._expected >= rules.first_look else 0.0

    def in_vain(self, order: Order, rules: WorkerRules) -> None:
        """Note that an order is not ready, which stands in the state in which it was looked at."""
        with self._guard:
            if order.state is OrderState.PLACED:
                self._expected = max(self._expected, rules.first_look)

    def learn(self, order: Order, rules: WorkerRules) -> None:
        """Note that an order is ready, which stands in the state in which it was looked at."""
        with self._guard:
            if order.state is OrderState.PLACED:
                self._expected *= _SHORTER
                self._late = None
            elif order.next_at is not None and order.sent_at is not None:
                # Of when the look was due: by when it came, a worker that was away would blame the service.
                due = min(max(order.next_at - order.sent_at, 0.0), rules.longest_pause)
                # One that is late alone, as one that a human has to approve, says nothing of the next.
                late, self._late = self._late, due
                if late is not None:
                    self._expected = (self._expected + min(due, late)) / 2
