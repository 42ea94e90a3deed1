"""What is printed of orders: as documents, as lines of a table. No secret is among it."""

from __future__ import annotations

import shlex
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import harmless

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sectigo_iot.orders import Order, OrderedCertificate, OrderEvent, OrderRequest, Renewal

HEADING = ("KEY", "STATE", "SINCE", "BATCH", "WHAT")
WIDEST = 60
"""Characters of a key in a table."""


def document(order: Order) -> dict[str, Any]:
    """Return an order as JSON has it."""
    wanted = order.wanted
    return {
        "key": order.key,
        "state": str(order.state),
        "reason": order.reason,
        "attention": order.attention,
        **request_document(wanted),
        "createdAt": moment(order.created_at),
        "changedAt": moment(order.changed_at),
        "nextAt": moment(order.next_at),
        "attempts": order.attempt,
        "batchName": order.batch_name,
        "sentAt": moment(order.sent_at),
        "batchId": order.batch_id,
        "authorityId": order.authority_id,
        "profileId": order.profile_id,
        "readyAt": moment(order.ready_at),
        "certificate": _certificate(order.certificate),
        "withdrawn": order.withdrawn,
        "renews": order.renews,
        "renewedBy": order.renewed_by,
        "renewAt": moment(order.renew_at),
        "revokeAt": moment(order.revoke_at),
        "revokedAt": moment(order.revoked_at),
    }


def event_document(event: OrderEvent) -> dict[str, Any]:
    """Return something that happened to an order as JSON has it."""
    return {
        "at": moment(event.at),
        "kind": event.kind,
        "from": None if event.old is None else str(event.old),
        "to": str(event.new),
        "reason": event.reason,
        "worker": event.worker,
        "batchId": event.batch_id,
    }


def _renewal(renewal: Renewal | None) -> dict[str, Any] | None:
    return None if renewal is None else {"before": renewal.before, "revokeAfter": renewal.revoke_after}


def _certificate(certificate: OrderedCertificate | None) -> dict[str, Any] | None:
    if certificate is None:
        return None
    return {
        "serialNumber": certificate.serial_number,
        "fingerprint": certificate.fingerprint,
        "notBefore": certificate.not_before.isoformat(),
        "notAfter": certificate.not_after.isoformat(),
        "dnsNames": list(certificate.dns_names),
    }


def moment(at: float | None) -> str | None:
    """Return a time, in seconds since the epoch, as it is printed: in UTC, to the second."""
    return None if at is None else f"{datetime.fromtimestamp(at, UTC):%Y-%m-%dT%H:%M:%SZ}"


def cells(order: Order) -> tuple[str, ...]:
    """Return what a line of the table says of an order: what a human has to see to, or else why it is where it is."""
    said = order.attention or order.reason
    mark = "! " if order.attention is not None or order.state in ("unknown", "rejected", "failed", "expired") else ""
    batch = "" if order.batch_id is None else str(order.batch_id)
    return (_plain(order.key), str(order.state), moment(order.changed_at) or "", batch, f"{mark}{_plain(said)}")


def lines(orders: Sequence[Order], *, heading: bool = True) -> Iterator[str]:
    """Yield the lines of a table."""
    rows = [*([HEADING] if heading else []), *map(cells, orders)]
    widths = [min(WIDEST, max(len(row[column]) for row in rows)) for column in range(len(HEADING))]
    for row in rows:
        yield "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()


def counted(orders: Iterable[Order]) -> str:
    """Return in words how many orders are in which state."""
    numbers: dict[str, int] = {}
    for order in orders:
        numbers[order.state] = numbers.get(order.state, 0) + 1
    return ", ".join(f"{number} {state}" for state, number in sorted(numbers.items()))


def _plain(text: str) -> str:
    return harmless(text.replace("\n", " "))


def request_document(wanted: OrderRequest) -> dict[str, Any]:
    """Return what is wanted as JSON has it."""
    return {
        "names": list(wanted.names),
        "params": dict(wanted.params),
        "profile": wanted.profile,
        "authority": wanted.authority,
        "ownRequest": wanted.csr is not None,
        "renewal": _renewal(wanted.renewal),
        "labels": dict(wanted.labels),
    }


_ANSWERS = {
    "unknown": "`sectigo orders resolve {key}` answers it",
    "rejected": "`sectigo orders retry {key}` orders it once more",
    "failed": "`sectigo orders show {key}` tells more, `sectigo orders retry {key}` goes on",
    "given up": "`sectigo orders resolve {key} --batch ID` or `sectigo orders resolve {key} --absent` goes on",
    "expired": "`sectigo orders retry {key} --order-anew` orders it once more",
    "needs a request": "`sectigo orders renew {key} --csr FILE` gives it one",
    "ordering": "nobody knows yet what became of it: the same line, or `sectigo worker`, finds out",
    "cancelled": "another order of this name takes another --key",
}


def is_given_up(order: Order) -> bool:
    """Whether somebody has said of an order that nobody will know: only who finds it out goes on with it."""
    return order.state == "failed" and order.batch_id is None and order.reason.startswith("it was given up")


def _case(order: Order) -> str:
    """Return which of the answers an order needs."""
    if order.state == "delivered" and "needs a new signing request" in (order.attention or ""):
        return "needs a request"
    return "given up" if is_given_up(order) else str(order.state)


def trouble(order: Order) -> str | None:
    """Return in a line what is wrong with an order, or not done yet, and what to do; None where nothing is."""
    if order.attention is None and order.state == "delivered":
        return None
    what = f"{order.key}: {order.state}: {_plain(order.attention or order.reason)}"
    if order.withdrawn and not order.finished:
        return f"{what}; it is withdrawn: what is issued for it is revoked as soon as it is found"
    if order.attention is not None and "`sectigo " in order.attention:
        return what
    answer = _ANSWERS.get(_case(order), "the same line, or `sectigo worker`, goes on with it")
    return f"{what}; {answer.format(key=shlex.quote(order.key))}"
