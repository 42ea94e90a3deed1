"""When a certificate is to be renewed, and when an order that is delivered is looked at next."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sectigo_iot.orders.order import Order, OrderedCertificate, Renewal

DAY = 86_400.0
JITTER = 0.1
"""Of the time before the end: by up to so much earlier, so that what was issued together is not renewed together."""
_EARLIEST = 0.5
"""Of its lifetime: days that reach back beyond it are those of another certificate, and would renew it for ever."""


def renewal_time(uid: str, renewal: Renewal, certificate: OrderedCertificate) -> float:
    """Return when a certificate is to be renewed, in seconds since the epoch: when asked for, or a bit earlier.

    How much earlier follows from the order's `uid`, and stays. Days before the end count back to the middle of the
    lifetime at the most; a fraction counts as it is.
    """
    start, end = certificate.not_before.timestamp(), certificate.not_after.timestamp()
    lifetime = end - start
    before = renewal.before * lifetime if renewal.before < 1 else min(renewal.before * DAY, _EARLIEST * lifetime)
    share = int(uid, 16) / 16.0 ** len(uid)
    return max(end - max(before, 0.0) * (1 + JITTER * share), start)


def next_look(order: Order) -> float | None:
    """Return when something is to be done with an order that is delivered; None for never."""
    if order.revoked_at is not None:
        return None
    times = [order.revoke_at]
    if order.renewed_by is None:
        times.append(order.renew_at)
    return min((each for each in times if each is not None), default=None)


def is_over(order: Order, now: float) -> bool:
    """Whether an order's certificate is at its end, or there is none."""
    return order.certificate is None or now > order.certificate.not_after.timestamp()
