"""What is done about an order of which nobody knows whether it was accepted."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from sectigo_iot.errors import clean
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.steps.gathering import gather

if TYPE_CHECKING:
    from sectigo_iot.orders.steps.evidence import Evidence
    from sectigo_iot.orders.work import Work

UNANSWERED = "it was sent, or was about to be, and nobody knows what became of it"


def interrupted(work: Work) -> None:
    """Take an order that somebody was sending, and did not finish with, for what it is: of unknown outcome."""
    work.move(OrderState.UNKNOWN, UNANSWERED)


def reconcile(work: Work) -> None:
    """Find out what became of an order that was sent and not answered, and go on with it, or ask a human.

    Presence with a batch id has it go on. Absence has it ordered anew only where the rules allow that, a complete
    list does not have it, no search shows it, and the time is over in which it could still have been accepted; never
    where it was withdrawn. Else it waits, ever longer, and a human is told what is known.

    Raises as `gather` does.
    """
    # Before it is asked: what is answered then is of a time when it had settled.
    may = may_order_anew(work, work.clock())
    evidence = gather(work)
    if evidence.batch_id is not None:
        _found(work, evidence)
    elif evidence.absent and may:
        _order_anew(work)
    else:
        _ask(work, evidence)


def may_order_anew(work: Work, asked_at: float) -> bool:
    """Whether an order that was absent in answers to questions asked at that time, or later, may be sent again."""
    order = work.order
    settle = max(work.rules.settle, 2 * work.service.settings.timeout)
    return (
        work.rules.reorder
        and order.withdrawn is None
        and order.sent_until is not None
        and asked_at >= order.sent_until + settle
        and work.book.is_settled(order, settle)
    )


def _found(work: Work, evidence: Evidence) -> None:
    reason = f"it was accepted as batch {evidence.batch_id}: {evidence.how}"
    work.remark("evidence", reason)
    stray = evidence.stray and f"{evidence.stray}: revoke what it issues"
    if stray:
        work.ask(stray)
    work.move(OrderState.PLACED, reason, batch_id=evidence.batch_id, attention=stray)


def _order_anew(work: Work) -> None:
    reason = "it was not accepted: a complete list of batches does not have it, and no search shows its certificate"
    work.remark("evidence", reason)
    work.move(OrderState.PLANNED, f"{reason}; it is ordered anew")


def _ask(work: Work, evidence: Evidence) -> None:
    """Ask a human: what is known, where to look, and the command that answers.

    That is told once, and anew where something has turned up that speaks for the one or the other.
    """
    order = work.order
    unknown = f"nobody knows whether batch {order.batch_name} was accepted"
    resolve = f"`sectigo orders resolve {shlex.quote(order.key)} --batch ID`"
    question = (
        f"{unknown}: {'; '.join([*evidence.news, *evidence.known])}. Look for it in the portal, then say {resolve}, "
        "or --absent, or --give-up in place of --batch ID. That licences are missing is a hint, and no proof"
    )
    work.retry_later(
        "nobody knows whether it was accepted", attention=question, news=(clean(unknown), *evidence.news)
    )
