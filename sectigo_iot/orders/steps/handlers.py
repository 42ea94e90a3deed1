"""Which handler takes the next step from each state; there is one for every state."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType

from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.steps.delivering import deliver
from sectigo_iot.orders.steps.fetching import fetch
from sectigo_iot.orders.steps.looking import look
from sectigo_iot.orders.steps.reconciling import interrupted, reconcile
from sectigo_iot.orders.steps.renewing import mind
from sectigo_iot.orders.steps.sending import send
from sectigo_iot.orders.work import Work

Handler = Callable[[Work], None]
"""Takes one step with an order, and says in the book when the next is due."""


def rest(work: Work) -> None:
    """Leave an order alone that goes on no more until somebody says so."""
    work.note(next_at=None)


HANDLERS: Mapping[OrderState, Handler] = MappingProxyType(
    {
        OrderState.PLANNED: send,
        OrderState.ORDERING: interrupted,
        OrderState.UNKNOWN: reconcile,
        OrderState.PLACED: look,
        OrderState.ISSUING: look,
        OrderState.READY: fetch,
        OrderState.FETCHED: deliver,
        OrderState.DELIVERED: mind,
        OrderState.REJECTED: rest,
        OrderState.FAILED: rest,
        OrderState.EXPIRED: rest,
        OrderState.CANCELLED: rest,
    }
)
"""The handler of each state."""
