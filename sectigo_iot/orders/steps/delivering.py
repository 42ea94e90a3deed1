"""Handing over what was issued, again and again until whoever ordered has taken it."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from sectigo_iot.errors import BundleError, SectigoError, clean
from sectigo_iot.orders.order import Bundle
from sectigo_iot.orders.secrets import KEY, secret_name
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.steps.dates import DAY, next_look
from sectigo_iot.orders.steps.fetching import NO_PASSWORD, download, keep_archive, kept_archive, password_of
from sectigo_iot.orders.steps.verifying import examine, facts_of
from sectigo_iot.orders.steps.withdrawing import withdraw
from sectigo_iot.redaction import redacted

if TYPE_CHECKING:
    from sectigo_iot.orders.protocols import Deliver
    from sectigo_iot.orders.work import Work

_FAILED = "not delivered"
_NO_KEY = "the private key that was given with it is not in the secret store"


def deliver(work: Work) -> None:
    """Hand over what is kept for an order that is fetched, or revoke it where the order was withdrawn.

    A delivery that fails is told, once for each reason, and tried again. One that went well and of which nothing
    could be written down any more is made again: `Deliver` says that it does no harm.
    """
    if work.order.withdrawn is not None:
        withdraw(work)
    elif work.deliver is None:
        _delivered(work, "kept for whoever ordered")
    elif _handed_over(work, work.deliver):
        _delivered(work, "delivered")


def bundle_of(work: Work) -> Bundle | None:
    """Return what was issued for an order; None where the secret that opens it, or its own key, is lost.

    A ZIP that is lost is fetched again. Raises BundleError where that is no longer what it was, and what
    `IoTManager.download_bytes` raises.
    """
    order, secrets = work.order, work.book.secrets
    password, key = password_of(work), secrets.get(secret_name(order.uid, KEY))
    if (password is None and order.wanted.csr is None) or (key is None and order.key_given):
        return None
    archive = kept_archive(work)
    if archive is None:
        archive = download(work)
        _prove_same(work, archive, password)
        keep_archive(work, archive)
    return Bundle(archive, password, key)


def _prove_same(work: Work, archive: bytes, password: str | None) -> None:
    found = examine(work.order, archive, password, work.rules.roots, work.clock())
    known = work.order.certificate
    came = None if found.fault is not None else facts_of(found.certificates[0])
    if came is not None and known is not None and came.fingerprint == known.fingerprint:
        return
    raise BundleError("the ZIP that was kept is lost, and the service sends another")


def _handed_over(work: Work, hand_over: Deliver) -> bool:
    bundle = bundle_of(work)
    if bundle is None:
        reason = NO_PASSWORD if work.order.wanted.csr is None else _NO_KEY
        work.retry_later(reason, attention=reason)
        return False
    work.go_on()
    try:
        hand_over(work.order, bundle)
    except BaseException as error:
        _put_off(work, f"{_FAILED}: {_told(error, bundle)}")
        if isinstance(error, KeyboardInterrupt | SystemExit) and _is_asked_to_end():
            raise
        return False
    return True


def _put_off(work: Work, reason: str) -> None:
    """Have it delivered later, and tell why, where that is another reason than the last time."""
    told = [event.reason for event in work.book.history(work.order.key) if event.kind == "delivery"]
    if told[-1:] != [reason]:
        work.remark("delivery", reason)
    work.retry_later(reason, news=(_FAILED,))


def _is_asked_to_end() -> bool:
    """Whether what ends this thread ends the process: elsewhere a delivery that exits has only failed."""
    return threading.current_thread() is threading.main_thread()


def _told(error: BaseException, bundle: Bundle) -> str:
    """Return what a delivery failed of, without what it was to deliver."""
    words = error.message if isinstance(error, SectigoError) else f"{type(error).__name__}: {error}"
    lines = (bundle.private_key or b"").decode("utf-8", "replace").splitlines()
    return clean(redacted(words, (bundle.password or "", *lines)))


def _delivered(work: Work, reason: str) -> None:
    order = work.order
    renewal = order.wanted.renewal
    if order.renews is not None and renewal is not None and renewal.revoke_after is not None:
        # It is not done before this order is delivered, whatever becomes of us in between.
        work.book.schedule_revocation(order.renews, work.clock() + renewal.revoke_after * DAY)
    due = next_look(order)
    work.move(OrderState.DELIVERED, reason, after=None if due is None else due - work.clock())
