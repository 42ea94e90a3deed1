"""Orders as rows of the book, and rows as orders."""

from __future__ import annotations

import dataclasses
import json
from datetime import datetime
from typing import Any

from sectigo_iot.orders.order import Order, OrderedCertificate, OrderEvent, OrderRequest, Renewal
from sectigo_iot.orders.states import OrderState

Row = dict[str, Any]
"""A row, by the names of its columns."""

_AS_THEY_ARE = tuple(
    field.name for field in dataclasses.fields(Order) if field.name not in ("wanted", "state", "certificate")
)
_URGENCY = {
    OrderState.UNKNOWN: 0,
    OrderState.ORDERING: 0,
    OrderState.READY: 1,
    OrderState.FETCHED: 2,
    OrderState.PLACED: 3,
    OrderState.ISSUING: 3,
    OrderState.PLANNED: 4,
}
LEAST_URGENT = 5
"""The urgency of what is in no state that is on its way."""
READY = _URGENCY[OrderState.READY]
_DAY = 86400.0


def wanted_text(wanted: OrderRequest) -> str:
    """Return what is wanted as the book keeps it."""
    document = dataclasses.asdict(dataclasses.replace(wanted, params=dict(wanted.params), labels=dict(wanted.labels)))
    document["csr"] = wanted.csr and wanted.csr.decode("ascii")
    return json.dumps({name: value for name, value in document.items() if value not in (None, {}, ())})


def _wanted(text: str) -> OrderRequest:
    document = json.loads(text)
    renewal, csr = document.pop("renewal", None), document.pop("csr", None)
    return OrderRequest(
        names=tuple(document.pop("names")),
        renewal=Renewal(**renewal) if renewal else None,
        csr=csr.encode() if csr else None,
        **document,
    )


def certificate_text(certificate: OrderedCertificate | None) -> str | None:
    """Return a certificate's facts as the book keeps them."""
    if certificate is None:
        return None
    document = dataclasses.asdict(certificate)
    for name in ("not_before", "not_after"):
        document[name] = document[name].isoformat()
    return json.dumps(document)


def _certificate(text: str | None) -> OrderedCertificate | None:
    if text is None:
        return None
    document = json.loads(text)
    for name in ("not_before", "not_after"):
        document[name] = datetime.fromisoformat(document[name])
    return OrderedCertificate(**{**document, "dns_names": tuple(document["dns_names"])})


def order_of(row: Row) -> Order:
    """Return the order that stands in a row."""
    return Order(
        **{name: row[name] for name in _AS_THEY_ARE},
        wanted=_wanted(row["wanted"]),
        state=OrderState(row["state"]),
        certificate=_certificate(row["certificate"]),
    )


def event_of(key: str, row: Row) -> OrderEvent:
    """Return the event that stands in a row of the table of events."""
    old = row["old"] and OrderState(row["old"])
    return OrderEvent(
        key, row["at"], row["kind"], old, OrderState(row["new"]), row["reason"], row["worker"], row["batch_id"]
    )


def turn_of(row: Row) -> tuple[int, float | None]:
    """Return how urgent an order is, and its place among those that are as urgent.

    Of those that are ready the one comes first that can be fetched for the shortest time; where that is not known,
    it may be over at any time.
    """
    state = OrderState(row["state"])
    turn = row["next_at"]
    if state is OrderState.READY and turn is not None and row["ready_at"] is not None:
        turn = row["ready_at"] + _DAY * (json.loads(row["wanted"]).get("days_to_live") or 0.0)
    return _URGENCY.get(state, LEAST_URGENT), turn
