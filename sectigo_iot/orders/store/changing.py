"""Changing one order in the book: its row, its place in the queue, its history. Legal moves alone, all or nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sqlalchemy import bindparam, delete, insert, select, update

from sectigo_iot.errors import InvalidInputError, LeaseLostError, OrderNotFoundError, clean
from sectigo_iot.orders.order import LONGEST_REASON, Order
from sectigo_iot.orders.states import FINISHED, OrderState, check_move
from sectigo_iot.orders.store.rows import certificate_text, event_of, order_of, turn_of
from sectigo_iot.orders.store.schema import events, orders

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.order import OrderEvent
    from sectigo_iot.orders.store.engine import Store
    from sectigo_iot.orders.store.rows import Row

GIVEN_BACK = 0.0
"""Until when a lease lasts that was given back: it is over, by any clock of any machine."""
LAST_EVENTS = 49
"""How many of the last events of an order are kept, beside the first."""
FIELDS = frozenset(
    {
        "next_at",
        "attention",
        "failures",
        "attempt",
        "batch_name",
        "sent_at",
        "sent_until",
        "known_batch_id",
        "batch_id",
        "authority_id",
        "profile_id",
        "ready_at",
        "certificate",
        "withdrawn",
        "renews",
        "renewed_by",
        "renew_at",
        "revoke_at",
        "revoked_at",
    }
)
"""What of an order can be changed beside its state."""
# They are built once: building one takes as long as the database takes to answer.
_BY_UID = select(orders).where(orders.c.uid == bindparam("value")).with_for_update()
_BY_KEY = select(orders).where(orders.c.key == bindparam("value")).with_for_update()
_APPEND = insert(events)
_CHANGE = update(orders).where(orders.c.id == bindparam("row_id"))
_WAITING = frozenset({"next_at", "failures"})
"""What may be forgotten in a power cut: the order is looked at earlier, that is all."""


def row_by(connection: Connection, *, uid: str | None = None, key: str | None = None) -> Row | None:
    """Return a row, which nobody else changes before this transaction is over, or None."""
    query, given = (_BY_UID, {"value": uid}) if uid is not None else (_BY_KEY, {"value": key})
    found = connection.execute(query, given).mappings().first()
    return None if found is None else dict(found)


def row_of_key(connection: Connection, key: str) -> Row:
    """Return the row of a key, as `row_by` does. Raises OrderNotFoundError."""
    row = row_by(connection, key=key)
    if row is None:
        raise not_found(key)
    return row


def not_found(key: str) -> OrderNotFoundError:
    """Return the error that says that there is no order with a key."""
    shown = clean(str(key))
    return OrderNotFoundError(
        f"the order book has no order with the key {shown!r}",
        key=key,
        hint="`sectigo orders` lists those that it has",
    )


def row_of_lease(connection: Connection, lease: Lease) -> Row:
    """Return the row of a leased order, as `row_by` does. Raises LeaseLostError where another has the lease."""
    row = row_by(connection, uid=lease.order.uid)
    if row is None or row["lease_number"] != lease.number:
        raise lost(lease)
    return row


def lost(lease: Lease, why: str = "another worker may be at it, or somebody has decided otherwise") -> LeaseLostError:
    """Return the error that says that a lease holds no more."""
    return LeaseLostError(
        f"the order {lease.order.key!r} is not gone on with: {why}", hint="whoever has it now goes on with it"
    )


def moved(
    connection: Connection, row: Row, now: float, new: OrderState, reason: str, *, worker: str = "", **fields: Any
) -> Row:
    """Have an order go to another state, and its history say so. Raises InvalidInputError for an illegal move."""
    old = OrderState(row["state"])
    check_move(old, new)
    reason = clean(reason, LONGEST_REASON)
    values = {"next_at": None if new in FINISHED else now, **fields, **_of_outcome(new, now)}
    changed = written(connection, row, now, state=new.value, reason=reason, events=row["events"] + 1, **values)
    _append(connection, changed, now, "state", reason, worker, old)
    return changed


def _of_outcome(new: OrderState, now: float) -> Row:
    """What the book notes for itself: whether the service has accepted an order, and since when that is known."""
    if new is OrderState.UNKNOWN:
        return {"doubtful": True}
    if new is OrderState.PLACED:
        return {"doubtful": False, "placed_at": now}
    if new in (OrderState.PLANNED, OrderState.REJECTED):
        return {"doubtful": False}
    return {}


def written(connection: Connection, row: Row, now: float, **values: Any) -> Row:
    """Write columns of a row, and return the row as it is then."""
    changed = {**row, **values, "changed_at": now, "version": row["version"] + 1}
    changed["attention"] = _with_second_batch(changed)
    changed["urgency"], changed["turn"] = turn_of(changed)
    different = {name: value for name, value in changed.items() if value != row[name]}
    connection.execute(_CHANGE, {"row_id": row["id"], **different})
    return changed


def _with_second_batch(row: Row) -> str | None:
    """Return what a human has to see to: that something is to be revoked is not forgotten when the order goes on."""
    first: str | None = row["second_batch"]
    rest: str | None = row["attention"]
    if first is None or (rest is not None and first in rest):
        return rest
    return first if rest is None else f"{first}; {rest}"


def told(connection: Connection, row: Row, now: float, kind: str, reason: str, *, worker: str = "") -> Row:
    """Have the history of an order say something, and return the row as it is then."""
    changed = written(connection, row, now, events=row["events"] + 1)
    _append(connection, changed, now, kind, reason, worker, None)
    return changed


def _append(
    connection: Connection, row: Row, now: float, kind: str, reason: str, worker: str, old: OrderState | None
) -> None:
    """Append to an order's history, of which the first event and the last 49 are kept."""
    number, state = row["events"], OrderState(row["state"])
    event = {"order_id": row["id"], "number": number, "at": now, "kind": kind, "old": (old or state).value}
    event |= {
        "new": state.value,
        "reason": clean(reason, LONGEST_REASON),
        "worker": worker,
        "batch_id": row["batch_id"],
    }
    connection.execute(_APPEND, event)
    if number > LAST_EVENTS + 1:
        middle = (events.c.number > 1) & (events.c.number <= number - LAST_EVENTS)
        connection.execute(delete(events).where((events.c.order_id == row["id"]) & middle))


def columns_of(fields: Row) -> Row:
    """Return fields of an order as columns. Raises InvalidInputError for what is none."""
    wrong = sorted(fields.keys() - FIELDS)
    if wrong:
        raise InvalidInputError(f"an order has nothing to change that is called {wrong[0]!r}")
    values = {
        name: clean(value, LONGEST_REASON) if isinstance(value, str) else value for name, value in fields.items()
    }
    if "certificate" in fields:
        certificate = fields["certificate"]
        values["certificate"] = certificate_text(certificate)
        values["serial_number"] = certificate and certificate.serial_number
    return values


def change(
    store: Store, now: float, lease: Lease, new: OrderState | None, reason: str | None, fields: dict[str, Any]
) -> Order:
    """Do what `OrderBook.change` says."""
    values = columns_of(fields)
    durable = new is not None or not values.keys() <= _WAITING
    given_back = "next_at" in values and not (values["next_at"] is not None and values["next_at"] <= now)
    if given_back:
        # It is not due: nobody has to keep it from others, and that needs no transaction of its own.
        values["lease_until"] = None
    with store.writing(durable=durable) as connection:
        row = row_of_lease(connection, lease)
        if new is None:
            more = {} if reason is None else {"reason": clean(reason, LONGEST_REASON)}
            row = written(connection, row, now, **values, **more)
        else:
            if new is OrderState.DELIVERED and row["withdrawn"] and not lease.order.withdrawn:
                raise lost(lease, "it was withdrawn meanwhile")
            row = moved(connection, row, now, new, reason or "", worker=lease.worker, **values)
    lease.order = order_of(row)
    if given_back:
        lease.until = GIVEN_BACK
    return lease.order


def remark(store: Store, now: float, lease: Lease, kind: str, what: str) -> None:
    """Do what `OrderBook.remark` says."""
    what = clean(what, LONGEST_REASON)
    with store.writing() as connection:
        row = row_of_lease(connection, lease)
        last = (events.c.order_id == row["id"]) & (events.c.number == row["events"])
        before = connection.execute(select(events.c.kind, events.c.reason).where(last)).first()
        if before is None or tuple(before) != (kind, what):
            told(connection, row, now, kind, what, worker=lease.worker)


def history(connection: Connection, key: str) -> tuple[OrderEvent, ...]:
    """Return what happened to the order of a key, the earliest first. Raises OrderNotFoundError."""
    if connection.execute(select(orders.c.id).where(orders.c.key == key)).scalar() is None:
        raise not_found(key)
    rows = connection.execute(
        select(events)
        .join(orders, orders.c.id == events.c.order_id)
        .where(orders.c.key == key)
        .order_by(events.c.number)
    )
    return tuple(event_of(key, dict(row)) for row in rows.mappings())
