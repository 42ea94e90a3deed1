"""Revoking what was issued: what was withdrawn while it was on its way, and what was replaced."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_iot.errors import APIError, BundleError, InvalidInputError, OutcomeUnknownError
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.steps.fetching import kept_archive, password_of
from sectigo_iot.pki import normalise_serial, open_bundle
from sectigo_iot.reasons import CRLReason
from sectigo_iot.statuses import BatchStatus

if TYPE_CHECKING:
    from sectigo_iot.models import Certificate
    from sectigo_iot.orders.work import Work

_REFUSED = frozenset({400, 404, 409, 410, 422})
"""What a revocation may be answered with where there is nothing left to revoke: which of them is not known."""


def withdraw(work: Work) -> None:
    """Revoke what was issued for an order that was withdrawn; then it is cancelled."""
    order = work.order
    for serial in _serials(work):
        if not revoke(work, serial, CRLReason.cessationOfOperation):
            return
    work.move(
        OrderState.CANCELLED,
        f"withdrawn ({order.withdrawn}); what had been issued is revoked",
        after=None,
        revoked_at=work.clock(),
        renew_at=None,
    )


def revoke(work: Work, serial: str, reason: CRLReason) -> bool:
    """Revoke a certificate, write that down, and return whether it is revoked for certain.

    Where it is not, the order is looked at again later. A second time does no harm: the search tells that it is
    revoked already. Raises what `IoTManager.revoke_certificate` raises for what has nothing to do with it.
    """
    profile_id = _profile_of(work)
    if profile_id is None:
        what = f"certificate {serial} is not revoked: the profile that it belongs to is not known"
        work.retry_later(what, attention=what)
        return False
    work.go_on()
    try:
        work.service.revoke_certificate(profile_id, reason, serial)
    except OutcomeUnknownError as error:
        if not _is_revoked(work, serial):
            work.retry_later(f"certificate {serial} may not be revoked: {error.message}")
            return False
    except APIError as error:
        if error.status not in _REFUSED:
            raise
        if not _is_revoked(work, serial):
            what = f"certificate {serial} is not revoked: {error.message}"
            work.retry_later(what, attention=what)
            return False
    work.remark("revoked", f"certificate {serial} is revoked: {reason.name}")
    return True


def _serials(work: Work) -> tuple[str, ...]:
    """Return the numbers of all that was issued for an order: one, unless the service made too many."""
    known = work.order.certificate
    numbers = [] if known is None else [known.serial_number]
    archive = kept_archive(work)
    if archive is not None:
        try:
            numbers += [each.serial_number for each in open_bundle(archive, password_of(work))]
        except (BundleError, InvalidInputError):
            if known is None:
                raise
    return tuple(dict.fromkeys(numbers))


def _profile_of(work: Work) -> int | None:
    """Return the id of the profile that an order was issued under: a revocation takes it, an order may not."""
    order = work.order
    if order.profile_id is not None:
        return order.profile_id
    found = (each.profile_id for each in work.service.user_authorities() if each.id == order.authority_id)
    return next(found, None)


def _is_revoked(work: Work, serial: str) -> bool:
    work.go_on()
    found = work.service.find_certificate(serial_number=serial).items or ()
    return any(_is_it(each, serial) and each.status == BatchStatus.REVOKED for each in found)


def _is_it(found: Certificate, serial: str) -> bool:
    """Whether it bears this number; how many zeros stand in front is not the service's to say."""
    try:
        return int(normalise_serial(found.serial_number or ""), 16) == int(serial, 16)
    except InvalidInputError:
        return False
