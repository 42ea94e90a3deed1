"""Carrying one order as far as it goes now: one step after the other, under one lease, whatever goes wrong."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING

from sectigo_iot.errors import (
    APIError,
    LeaseLostError,
    NotAuthenticatedError,
    OrderBookError,
    SectigoError,
    TransportError,
)
from sectigo_iot.orders.keeping import Keeper
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.work import StoppedError

if TYPE_CHECKING:
    from sectigo_iot.orders.book import OrderBook
    from sectigo_iot.orders.steps.handlers import Handler
    from sectigo_iot.orders.work import Work

_log = logging.getLogger("sectigo_iot.orders")


class Carrier:
    """Carries orders of one book. `lease_seconds`: how long a lease is taken for; `deadline`: of one request."""

    def __init__(
        self,
        book: OrderBook,
        handlers: Mapping[OrderState, Handler],
        *,
        lease_seconds: float,
        deadline: float,
    ) -> None:
        self._handlers = handlers
        self._lease_seconds = lease_seconds
        self._deadline = deadline
        self._keeper = Keeper(book, lease_seconds)

    def carry(self, work: Work) -> None:
        """Take steps with an order for as long as one is due now and the worker is not to end, and let go of it.

        Raises OrderBookError where the book cannot be used; the order is then free when the lease is over. An order
        that another worker has by now is left to that one.
        """
        try:
            while not work.stopping() and self._step(work) and _due(work):
                pass
        except LeaseLostError as lost:
            # Where it is this one's own still, as of an order that was withdrawn meanwhile, it is due again.
            _log.info("order %s: %s", work.order.key, lost)
        except (KeyboardInterrupt, SystemExit):
            # Nothing of it is under way any more: who comes next need not wait for the end of the lease.
            _let_go(work)
            raise
        _let_go(work)

    def end(self) -> None:
        """End the thread that keeps leases, where none is to be kept."""
        self._keeper.end()

    def _step(self, work: Work) -> bool:
        """Take a step, and return whether the next may follow at once."""
        self._keep(work)
        version = work.order.version
        try:
            with self._held(work):
                self._handlers[work.order.state](work)
            if work.order.version == version:
                # Else it would be due again at once, and for ever.
                raise AssertionError("a step that changed nothing")
            return True
        except OrderBookError:
            raise
        except StoppedError:
            _log.info("order %s: left as it is, %s: the worker is to end", work.order.key, work.order.state)
        except SectigoError as error:
            _put_off(work, error)
        except Exception as error:  # noqa: BLE001 - one order shall not end the work on all others
            _log.exception("order %s: in state %s", work.order.key, work.order.state)
            what = f"an error of the program, in state {work.order.state}: {type(error).__name__}"
            work.retry_later(what, attention=what)
        return False

    def _keep(self, work: Work) -> None:
        """Have the lease last for the step, and not much longer: who dies in it shall not keep the order for long."""
        if not 2 * self._deadline <= work.lease.left() <= self._lease_seconds:
            work.book.renew_lease(work.lease, self._lease_seconds)

    def _held(self, work: Work) -> contextlib.AbstractContextManager[None]:
        """Return what keeps the lease meanwhile. Nothing does while an order is sent: it leaves by a fixed time."""
        sends = work.order.state in (OrderState.PLANNED, OrderState.ORDERING)
        return contextlib.nullcontext() if sends else self._keeper.holding(work)


def _let_go(work: Work) -> None:
    """Let others have the order, where it was not given back with the last change."""
    if work.lease.left() > 0:
        work.book.release(work.lease)


def _due(work: Work) -> bool:
    next_at = work.order.next_at
    return next_at is not None and next_at <= work.clock()


def _put_off(work: Work, error: SectigoError) -> None:
    """Have the order wait; a human is told at once of what does not pass by itself."""
    reason = str(error)
    after = getattr(error, "retry_after", None) or 0.0
    work.retry_later(reason, attention=None if _passes(error) else reason, at_least=after)


def _passes(error: SectigoError) -> bool:
    if isinstance(error, NotAuthenticatedError):
        return True
    if isinstance(error, APIError):
        return error.status == 429 or (error.status >= 500 and error.status != 501)
    return isinstance(error, TransportError) and getattr(error, "passes", True)
