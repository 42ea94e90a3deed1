"""Orders that are as far as a test needs them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sectigo_iot.orders import Lease, Order, OrderBook, OrderedCertificate, OrderRequest, OrderState

_S = OrderState
PATHS: dict[OrderState, tuple[OrderState, ...]] = {
    _S.PLANNED: (),
    _S.ORDERING: (_S.ORDERING,),
    _S.UNKNOWN: (_S.ORDERING, _S.UNKNOWN),
    _S.PLACED: (_S.ORDERING, _S.PLACED),
    _S.ISSUING: (_S.ORDERING, _S.PLACED, _S.ISSUING),
    _S.READY: (_S.ORDERING, _S.PLACED, _S.READY),
    _S.FETCHED: (_S.ORDERING, _S.PLACED, _S.READY, _S.FETCHED),
    _S.DELIVERED: (_S.ORDERING, _S.PLACED, _S.READY, _S.FETCHED, _S.DELIVERED),
    _S.REJECTED: (_S.REJECTED,),
    _S.FAILED: (_S.ORDERING, _S.PLACED, _S.FAILED),
    _S.EXPIRED: (_S.ORDERING, _S.PLACED, _S.EXPIRED),
    _S.CANCELLED: (_S.CANCELLED,),
}
"""How an order gets into each state."""


def wanted(*names: str, **values: Any) -> OrderRequest:
    """What is wanted, with as little as may be."""
    return OrderRequest(names=names or ("example.com",), **values)


def certificate(serial_number: str = "0A1B", *names: str) -> OrderedCertificate:
    """Facts of a certificate."""
    return OrderedCertificate(
        serial_number=serial_number,
        fingerprint="ab" * 32,
        not_before=datetime(2026, 1, 1, tzinfo=UTC),
        not_after=datetime(2027, 1, 1, tzinfo=UTC),
        dns_names=names or ("example.com",),
    )


def lease_of(book: OrderBook, key: str, seconds: float = 60.0) -> Lease:
    """A lease on an order that is due."""
    (lease,) = book.claim("worker", seconds=seconds, keys=[key])
    return lease


def bring(book: OrderBook, key: str, state: OrderState, *, batch_id: int = 100, **values: Any) -> Order:
    """Place an order, and have it go to a state as a worker does, one legal move after the other."""
    book.place(key, wanted(**values) if "names" not in values else OrderRequest(**values))
    if not PATHS[state]:
        return book.get(key)
    lease = lease_of(book, key)
    for each in PATHS[state]:
        _move(book, lease, each, batch_id)
    book.release(lease)
    return book.get(key)


def _move(book: OrderBook, lease: Lease, state: OrderState, batch_id: int) -> None:
    fields: dict[str, Any] = {}
    if state is _S.ORDERING:
        intent = {"authority_id": 1, "profile_id": 2, "password_number": lease.number}
        assert book.begin_sending(lease, **intent, seconds=30, balance=None)
        return
    if state is _S.PLACED:
        fields["batch_id"] = batch_id
    if state is _S.READY:
        fields["ready_at"] = lease.order.changed_at
    if state is _S.FETCHED:
        fields["certificate"] = certificate(f"{batch_id:04X}", *lease.order.wanted.names)
    book.change(lease, state, reason=f"it is {state}", **fields)
