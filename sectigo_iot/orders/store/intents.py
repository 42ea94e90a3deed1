"""What is written down before an order is sent, and what is known of it after: the middle of the whole matter."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import BigInteger, Double, and_, bindparam, false, func, select

from sectigo_iot.errors import OrderNotFoundError
from sectigo_iot.orders.order import Order
from sectigo_iot.orders.states import MAY_BE_PAID, MOVES, OrderState
from sectigo_iot.orders.store.changing import lost, moved, row_by, row_of_lease, told, written
from sectigo_iot.orders.store.faults import CommitUnknownError
from sectigo_iot.orders.store.listing import highest_batch_id
from sectigo_iot.orders.store.rows import order_of
from sectigo_iot.orders.store.schema import orders

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.store.engine import Store
    from sectigo_iot.orders.store.rows import Row

_UNPLAIN = re.compile(r"[^A-Za-z0-9.-]+")
_MINE = and_(orders.c.authority_id == bindparam("authority", type_=BigInteger), orders.c.archived == false())
_UNDER_WAY = and_(_MINE, orders.c.state.in_(sorted(MAY_BE_PAID)))
_SINCE = and_(_MINE, orders.c.placed_at >= bindparam("asked_at", type_=Double))
# Built once: building it takes longer than the database takes to answer.
_TAKEN = select(
    select(func.count()).select_from(orders).where(_UNDER_WAY).scalar_subquery()
    + select(func.count()).select_from(orders).where(_SINCE).scalar_subquery()
)


class AskedBalance(NamedTuple):
    """How many licences an authority had left, and when that was asked: the time before the request, by the clock."""

    licences: int
    asked_at: float


class Intent(NamedTuple):
    """What is about to be sent, how long that may take, and what the authority has left, where that is known.

    `password_number`: of the password that goes with it, as `Order.password_number`.
    """

    authority_id: int | None
    profile_id: int | None
    seconds: float
    balance: AskedBalance | None
    password_number: int


def begin_sending(store: Store, now: float, lease: Lease, intent: Intent) -> bool:
    """Do what `OrderBook.begin_sending` says."""
    try:
        with store.writing() as connection:
            row = _begun(connection, store, now, lease, intent)
    except CommitUnknownError:
        # Nothing was sent yet, and it may be that the book is back.
        row = _found_begun(store, lease)
        if row is None:
            raise
    if row is None:
        return False
    lease.order = order_of(row)
    return True


def _begun(connection: Connection, store: Store, now: float, lease: Lease, intent: Intent) -> Row | None:
    if intent.authority_id is not None:
        # Before the row is read: what others have reserved is seen then.
        store.exclude(connection, intent.authority_id + 2)
    row = row_of_lease(connection, lease)
    if row["state"] != OrderState.PLANNED:
        raise lost(lease, "it was found meanwhile to have been accepted")
    if row["withdrawn"] and not lease.order.withdrawn:
        raise lost(lease, "it was withdrawn meanwhile")
    if intent.balance is not None and _left(connection, intent.authority_id, intent.balance) <= 0:
        return None
    attempt = row["attempt"] + 1
    values = {
        "attempt": attempt,
        "batch_name": batch_name(row["key"], row["uid"], attempt),
        "authority_id": intent.authority_id,
        "profile_id": intent.profile_id,
        "password_number": intent.password_number,
        "sent_at": now,
        "sent_until": now + intent.seconds,
        "settles_at": store.clock(connection) + intent.seconds,
        "settles_boot": store.boot,
        "known_batch_id": highest_batch_id(connection),
        "next_at": now,
    }
    reason = f"attempt {attempt} is about to be sent"
    return moved(connection, row, now, OrderState.ORDERING, reason, worker=lease.worker, **values)


def batch_name(key: str, uid: str, attempt: int) -> str:
    """Return the name of an attempt's batch: no other attempt, of any order, has it."""
    plain = _UNPLAIN.sub("-", key)[:40].strip("-.") or "order"
    return f"{plain}-{uid}-{attempt}"


def _left(connection: Connection, authority_id: int | None, balance: AskedBalance) -> int:
    """Return how many licences nobody has reserved.

    An order that was accepted before the balance was asked is counted in it; any other may or may not be.
    """
    # Two counts, each by its index. An order that is sent for the second time is in both, and has taken two.
    taken = connection.execute(_TAKEN, {"authority": authority_id, "asked_at": balance.asked_at}).scalar_one()
    return balance.licences - int(taken)


def _found_begun(store: Store, lease: Lease) -> Row | None:
    with store.reading() as connection:
        row = connection.execute(select(orders).where(orders.c.uid == lease.order.uid)).mappings().first()
    if row is None or row["lease_number"] != lease.number:
        return None
    begun = row["state"] == OrderState.ORDERING and row["attempt"] == lease.order.attempt + 1
    return dict(row) if begun else None


def is_settled(store: Store, uid: str, seconds: float) -> bool:
    """Do what `OrderBook.is_settled` says."""
    with store.reading() as connection:
        columns = select(orders.c.settles_at, orders.c.settles_boot).where(orders.c.uid == uid)
        until, boot = connection.execute(columns).one()
        now = store.clock(connection)
    if boot != store.boot:
        # Sent before this machine was started, which is as long ago as it runs, or longer.
        return now >= seconds
    return until is not None and now >= until + seconds


def record_unsent(store: Store, now: float, uid: str, attempt: int, reason: str) -> Order:
    """Do what `OrderBook.record_unsent` says."""
    with store.writing() as connection:
        row = row_by(connection, uid=uid)
        if row is None:
            raise OrderNotFoundError("the order book has no such order", key=uid)
        current = row["attempt"] == attempt and row["batch_id"] is None and not row["archived"]
        if current and row["state"] in MAY_BE_PAID:
            # Whoever asks what became of it finds its lease gone.
            free = {"lease_number": row["lease_number"] + 1, "lease_until": None, "attention": None, "failures": 0}
            row = moved(connection, row, now, OrderState.PLANNED, reason, **free)
        return order_of(row)


def record_batch(store: Store, now: float, uid: str, attempt: int, batch_id: int, reason: str, after: float) -> Order:
    """Do what `OrderBook.record_batch` says."""
    with store.writing() as connection:
        row = row_by(connection, uid=uid)
        if row is None:
            raise OrderNotFoundError("the order book has no such order", key=uid)
        return order_of(_recorded(connection, row, now, attempt, batch_id, reason, after))


def _recorded(
    connection: Connection, row: Row, now: float, attempt: int, batch_id: int, reason: str, after: float
) -> Row:
    if row["batch_id"] == batch_id:
        return row
    current = row["attempt"] == attempt and row["batch_id"] is None and not row["archived"]
    if current and OrderState.PLACED in MOVES[OrderState(row["state"])]:
        accepted: Row = {"batch_id": batch_id, "failures": 0, "attention": None, "next_at": now + after}
        return moved(connection, row, now, OrderState.PLACED, reason, **accepted)
    what = f"attempt {attempt} was accepted as batch {batch_id}, too: revoke what it issues"
    before = row["second_batch"] or ""
    if what in before:
        return row
    values: Row = {"second_batch": f"{before}; {what}" if before else what}
    if row["attempt"] == attempt and row["batch_id"] is None:
        values["batch_id"] = batch_id
    # Out of the archive, where nobody looks.
    row = written(connection, row, now, **values, archived=False)
    return told(connection, row, now, "evidence", f"{what} ({reason})")
