"""Looking at a batch that the service is at work on, until it can be fetched or has come to nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_iot.errors import NotFoundError, clean
from sectigo_iot.orders.states import MOVES, OrderState
from sectigo_iot.orders.steps.dates import DAY
from sectigo_iot.polling import Verdict, failed
from sectigo_iot.statuses import BatchStatus

if TYPE_CHECKING:
    from sectigo_iot.errors import BatchFailedError
    from sectigo_iot.orders.order import Order
    from sectigo_iot.orders.rules import WorkerRules
    from sectigo_iot.orders.work import Work
    from sectigo_iot.polling import Look

LONG = 7.0
"""Days after which a human is told that a batch is still not ready, where its days to live are not known."""
_GROWTH = 0.5
"""Of an order's age: each look comes half as late again, as where a batch is waited for (`polling.GROWTH`)."""

_ENDS = {
    BatchStatus.REJECTED: OrderState.REJECTED,
    BatchStatus.REMOVED_AFTER_EXPIRATION: OrderState.EXPIRED,
}
"""What becomes of an order whose batch ended so; with any other end it has failed."""


def look(work: Work) -> None:
    """Look at the batch of an order that is placed or being issued, once."""
    batch_id = batch_of(work.order)
    try:
        seen = work.service.look(batch_id)
    except NotFoundError as error:
        work.retry_later(str(error), attention=f"the service knows no batch {batch_id}, as which it was accepted")
        return
    if seen.verdict is Verdict.READY:
        work.pace.learn(work.order, work.rules)
        first = work.order.ready_at
        # One that was ready before and not handed out: what a human was told of it still stands, and is told once.
        attention = None if first is None else work.order.attention
        ready_at = work.clock() if first is None else first
        work.move(OrderState.READY, f"batch {batch_id} can be fetched", ready_at=ready_at, attention=attention)
    elif seen.verdict is Verdict.FAILED:
        end(work, failed(seen), issued=seen.info.success > 0)
    else:
        _wait(work, seen)


def batch_of(order: Order) -> int:
    """Return the id of an order's batch, which every order has that was placed; 0 is an id like any other."""
    if order.batch_id is None:
        raise AssertionError(f"the order {order.key!r} is {order.state} and has no batch")
    return order.batch_id


def pause_at(order: Order, now: float, rules: WorkerRules) -> float:
    """Return the seconds until the next look: the older the order, the more, within what the rules say."""
    return min(max(_age(order, now) * _GROWTH, rules.first_look), max(rules.first_look, rules.longest_pause))


def overdue(order: Order, now: float, status: str) -> str | None:
    """Return what a human is told of a batch that is very late, else None."""
    limit = order.wanted.days_to_live or LONG
    if _age(order, now) < limit * DAY:
        return None
    return f"batch {order.batch_id} is not ready after {limit:g} days: the service says {clean(status) or 'nothing'}"


def end(work: Work, why: BatchFailedError, *, issued: bool) -> None:
    """Have an order end whose batch has: there is nothing to fetch, and whoever ordered is told why.

    `issued`: whether a certificate may exist all the same. Where it was withdrawn and none does, it is cancelled.
    """
    reason = why.message
    revoked = why.status == BatchStatus.REVOKED
    expired = why.status == BatchStatus.REMOVED_AFTER_EXPIRATION
    if work.order.withdrawn is not None and (revoked or not (issued or expired)):
        told = f"withdrawn ({work.order.withdrawn}); {reason}"
        work.move(OrderState.CANCELLED, told, after=None, revoked_at=work.clock() if revoked else None)
        return
    if (issued or expired) and not revoked:
        reason = f"{reason}; what was issued was not fetched and is not revoked"
    work.move(_end_of(work.order, why.status), reason, after=None, attention=reason)


def _end_of(order: Order, status: str | None) -> OrderState:
    state = _ENDS.get(BatchStatus(status or ""), OrderState.FAILED)
    return state if state in MOVES[order.state] else OrderState.FAILED


def _age(order: Order, now: float) -> float:
    return now - (order.created_at if order.sent_at is None else order.sent_at)


def _wait(work: Work, seen: Look) -> None:
    """Look again later. Of the looks in between nothing is written down but when the next is due."""
    order, now = work.order, work.clock()
    work.pace.in_vain(order, work.rules)
    pause = pause_at(order, now, work.rules)
    attention = overdue(order, now, seen.status)
    if attention is not None and attention not in (order.attention or ""):
        work.ask(attention)
    if order.state is OrderState.PLACED:
        said = clean(seen.status) or "nothing"
        reason = f"the service is at work on batch {order.batch_id}, and says {said}"
        work.move(OrderState.ISSUING, reason, after=pause, attention=attention)
    else:
        work.note(next_at=now + pause, failures=0, attention=attention)
