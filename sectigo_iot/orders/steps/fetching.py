"""Fetching what was issued: downloaded, verified, kept. Each step may be the last, and is gone on from."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_iot.errors import BatchFailedError, BundleError, NotReadyError
from sectigo_iot.orders.secrets import ARCHIVE, PASSWORD, secret_name
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.steps.dates import renewal_time
from sectigo_iot.orders.steps.looking import batch_of, end, overdue, pause_at
from sectigo_iot.orders.steps.verifying import Examined, examine, facts_of

if TYPE_CHECKING:
    from sectigo_iot.orders.order import Order
    from sectigo_iot.orders.work import Work

NO_PASSWORD = "the password of its PKCS#12 is not in the secret store: without it nothing can be opened"  # noqa: S105


def fetch(work: Work) -> None:
    """Fetch what was issued for an order that is ready, and keep it; it is fetched once it is proven.

    What does not come whole is fetched again, for as long as the service has it. What comes whole and is not what was
    ordered is fetched again some times, for it may be somebody else's; then the order has failed.
    """
    password = password_of(work)
    if password is None and work.order.wanted.csr is None:
        work.move(OrderState.FAILED, NO_PASSWORD, after=None, attention=NO_PASSWORD)
        return
    kept = kept_archive(work)
    try:
        archive = download(work) if kept is None else kept
        found = examine(work.order, archive, password, work.rules.roots, work.clock())
    except NotReadyError as error:
        _step_back(work, error)
    except BatchFailedError as error:
        end(work, error, issued=True)
    except BundleError as error:
        if kept is not None:
            _drop(work)
        work.retry_later(f"what came cannot be used: {error.message}")
    else:
        if _is_taken(work.order, found):
            if kept is None:
                keep_archive(work, archive)
            _fetched(work, found)
        else:
            if kept is not None:
                _drop(work)
            _not_as_ordered(work, found)


def password_of(work: Work) -> str | None:
    """Return the password of the PKCS#12 that the service makes for an order; None where none is kept."""
    name = secret_name(work.order.uid, PASSWORD, work.order.password_number)
    kept = work.book.secrets.get(name)
    return None if kept is None else kept.decode()


def kept_archive(work: Work) -> bytes | None:
    """Return the ZIP of an order's batch that is kept: whoever kept it had proven it."""
    kept: bytes | None = work.book.secrets.get(_archive_name(work.order))
    return kept


def download(work: Work) -> bytes:
    """Return the ZIP that the service sends. Raises what `IoTManager.download_bytes` raises."""
    archive: bytes = work.service.download_bytes(batch_of(work.order))
    return archive


def keep_archive(work: Work, archive: bytes) -> None:
    """Keep a ZIP that is proven to be that of an order's batch: whoever does it, and however late, does no harm."""
    work.book.secrets.put(_archive_name(work.order), archive)


def _archive_name(order: Order) -> str:
    return secret_name(order.uid, ARCHIVE, order.batch_id or 0)


def _drop(work: Work) -> None:
    """Forget a ZIP that was kept and is of no use any more, so that another is fetched."""
    work.lease.check(0.0)
    work.book.secrets.remove(_archive_name(work.order))


def _step_back(work: Work, why: NotReadyError) -> None:
    """Look at the batch again: what said that it is ready and what hands it out are of different opinions."""
    now = work.clock()
    attention = overdue(work.order, now, why.status or "")
    if attention is not None and attention not in (work.order.attention or ""):
        work.ask(attention)
    work.move(OrderState.ISSUING, why.message, after=pause_at(work.order, now, work.rules), attention=attention)


def _is_taken(order: Order, found: Examined) -> bool:
    """Whether it is what was ordered; what was withdrawn is revoked, whatever else it is."""
    if found.fault is None:
        return True
    return order.withdrawn is not None and bool(found.certificates) and not found.foreign


def _fetched(work: Work, found: Examined) -> None:
    order, certificate = work.order, facts_of(found.certificates[0])
    if found.further:
        work.ask(f"the certificate has names that were not ordered: {', '.join(found.further)}")
    renew_at = None
    if order.withdrawn is None and order.wanted.renewal is not None:
        renew_at = renewal_time(order.uid, order.wanted.renewal, certificate)
    reason = f"verified and kept: certificate {certificate.serial_number}, until {certificate.not_after:%F %T} UTC"
    work.move(OrderState.FETCHED, reason, certificate=certificate, renew_at=renew_at)


def _not_as_ordered(work: Work, found: Examined) -> None:
    """Fetch it again, and after some times have a human look at it; what came is then told as far as it can be."""
    fault = found.fault or ""
    if work.order.failures + 1 < work.rules.told_after:
        work.retry_later(f"what came is not what was ordered: {fault}")
        return
    certificate = facts_of(found.certificates[0]) if found.certificates else None
    serials = ", ".join(each.serial_number for each in found.certificates)
    withdrawn = "" if work.order.withdrawn is None else "; it was withdrawn, and is to be revoked"
    rest = f"; not revoked: certificate {serials}" if serials else ""
    reason = f"what came is not what was ordered: {fault}{rest}{withdrawn}"
    work.move(OrderState.FAILED, reason, after=None, attention=reason, certificate=certificate)
