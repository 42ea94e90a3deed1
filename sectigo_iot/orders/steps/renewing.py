"""Minding what was delivered: renewed in time, and revoked when what replaces it is in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.orders.replacements import renewed_names, renewed_request
from sectigo_iot.orders.secrets import KEY, secret_name
from sectigo_iot.orders.states import FINISHED, OrderState
from sectigo_iot.orders.steps.dates import DAY, is_over, next_look
from sectigo_iot.orders.steps.withdrawing import revoke
from sectigo_iot.reasons import CRLReason

if TYPE_CHECKING:
    from sectigo_iot.orders.order import Order
    from sectigo_iot.orders.work import Work

WATCH = 6 * 3600.0
"""Seconds between looks at an order whose certificate is being replaced: a renewal that fails is told of."""
_NEEDS_REQUEST = "its renewal needs a new signing request"


def mind(work: Work) -> None:
    """Do what is due with an order that is delivered: revoke it, renew it, or look how its renewal goes."""
    order, now = work.order, work.clock()
    if order.revoked_at is not None:
        _rest(work)
    elif order.withdrawn is not None:
        _revoke(work, CRLReason.cessationOfOperation)
    elif order.renewed_by is not None:
        _mind_replaced(work, order.renewed_by, now)
    elif order.renew_at is not None and order.renew_at <= now:
        _renew(work, now)
    else:
        _rest(work)


def _rest(work: Work) -> None:
    work.note(next_at=next_look(work.order), failures=0, attention=None)


def _revoke(work: Work, reason: CRLReason) -> None:
    certificate, now = work.order.certificate, work.clock()
    if is_over(work.order, now) or certificate is None:
        # Nobody takes it any more, and an issuer need not say so.
        work.note(revoke_at=None, next_at=None, failures=0, attention=None)
    elif revoke(work, certificate.serial_number, reason):
        work.note(revoked_at=now, next_at=None, failures=0, attention=None)


def _renew(work: Work, now: float) -> None:
    """Have the order renewed, however late it is."""
    order = work.order
    csr = private_key = None
    if order.wanted.csr is not None:
        try:
            csr, private_key = _new_request(work, order.wanted.csr)
        except InvalidInputError as error:
            _ask_for_request(work, f"{_NEEDS_REQUEST}: {error.message}", now)
            return
    work.book.plan_renewal(work.lease, csr=csr, private_key=private_key)
    work.note(next_at=now + WATCH, failures=0, attention=None)


def _new_request(work: Work, csr: bytes) -> tuple[bytes, bytes]:
    if work.book.secrets.get(secret_name(work.order.uid, KEY)) is None:
        raise InvalidInputError("its key is not kept here")
    return renewed_request(csr, renewed_names(work.order))


def _ask_for_request(work: Work, what: str, now: float) -> None:
    if what not in (work.order.attention or ""):
        work.ask(what)
    work.note(next_at=None if is_over(work.order, now) else now + DAY, failures=0, attention=what)


def _mind_replaced(work: Work, successor: str, now: float) -> None:
    """Revoke what was replaced when its time has come; until then see to it that it is being replaced."""
    order = work.order
    new = work.book.get(successor)
    if new.state is not OrderState.DELIVERED:
        _watch(work, new, now)
    elif order.revoke_at is not None and order.revoke_at <= now:
        _revoke(work, CRLReason.superseded)
    else:
        _rest(work)


def _watch(work: Work, new: Order, now: float) -> None:
    attention = None
    if new.state in FINISHED:
        attention = f"its renewal {new.key!r} is {new.state}: {new.reason}"
        if attention not in (work.order.attention or ""):
            work.ask(attention)
    over = is_over(work.order, now)
    work.note(next_at=None if over else now + WATCH, failures=0, attention=attention)
