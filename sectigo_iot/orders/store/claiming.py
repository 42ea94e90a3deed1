"""Leases: which order is next, and that two workers never act on one at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Double, Integer, and_, bindparam, select, union_all, update

from sectigo_iot.orders.lease import Lease, boot_time
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.store.changing import lost, moved
from sectigo_iot.orders.store.rows import LEAST_URGENT, READY, order_of
from sectigo_iot.orders.store.schema import orders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from sqlalchemy import ColumnElement, Connection, Executable

    from sectigo_iot.orders.store.engine import Store
    from sectigo_iot.orders.store.rows import Row

_MORE = 32
"""How many more are looked at where others may have claimed some in between."""
_MOST_KEYS = 10_000
_NOW = bindparam("now", type_=Double)
_INTERRUPTED = "it was about to be sent, and who was at it has not said what became of it"


class _Searches(NamedTuple):
    """Built once: building them takes longer than the database takes to answer."""

    due: Executable
    due_of_keys: Executable
    held: Executable
    next_due: Executable
    next_due_of_keys: Executable


_BUILT: dict[bool, _Searches] = {}


def _searches(store: Store) -> _Searches:
    if store.is_file not in _BUILT:
        is_free = store.lease_is_over()
        of_keys = and_(is_free, orders.c.key.in_(bindparam("keys", expanding=True)))
        built = (_due_by_urgency(is_free), _due_anyhow(of_keys), _hold(is_free), _first(is_free), _first(of_keys))
        _BUILT[store.is_file] = _Searches(*built)
    return _BUILT[store.is_file]


def claim(
    store: Store, now: float, worker: str, seconds: float, limit: int, keys: Collection[str] | None
) -> list[Lease]:
    """Do what `OrderBook.claim` says."""
    # Before anything is asked: what is left here is never more than what the book says.
    until = boot_time() + seconds
    with store.reading() as connection:
        numbers = _due(connection, store, now, limit, keys)
    if not numbers:
        # Who only looks whether there is something does not keep others from writing.
        return []
    with store.writing(durable=False) as connection:
        if store.is_file:
            numbers = _due(connection, store, now, limit, keys)
        rows = _held(connection, store, now, numbers, limit)
        return [_leased(connection, store, row, now, worker, seconds, until) for row in rows]


def _due(connection: Connection, store: Store, now: float, limit: int, keys: Collection[str] | None) -> list[int]:
    """Return the numbers of orders that are due and free, and of some more: others may claim at the same moment."""
    most = limit if store.is_file else 2 * limit + _MORE
    given = {"now": now, "most": most, **store.lease_clock()}
    if keys is None:
        rows = connection.execute(_searches(store).due, given).all()
    else:
        rows = [
            row
            for some in _pieces(keys)
            for row in connection.execute(_searches(store).due_of_keys, {**given, "keys": some}).all()
        ]
    by_urgency = sorted((urgency, turn, number) for number, urgency, turn in rows)
    return [number for *_, number in by_urgency[:most]]


def _held(connection: Connection, store: Store, now: float, numbers: list[int], limit: int) -> list[Row]:
    """Return the rows of those that are still due and free, the most urgent first; nobody else changes them now."""
    given = {"now": now, "most": limit, "numbers": numbers, **store.lease_clock()}
    return [dict(row) for row in connection.execute(_searches(store).held, given).mappings()]


def _due_by_urgency(is_free: ColumnElement[bool]) -> Executable:
    """Of each urgency the first few: each is one look at the index."""
    columns = (orders.c.id, orders.c.urgency, orders.c.turn)
    most = bindparam("most", type_=Integer)
    each = [
        select(*columns).where(_is_due(urgency), is_free).order_by(orders.c.turn, orders.c.id).limit(most).subquery()
        for urgency in range(LEAST_URGENT + 1)
    ]
    return union_all(*(select(part) for part in each))


def _due_anyhow(is_wanted: ColumnElement[bool]) -> Executable:
    found = select(orders.c.id, orders.c.urgency, orders.c.turn).where(orders.c.next_at <= _NOW, is_wanted)
    return found.order_by(orders.c.urgency, orders.c.turn, orders.c.id).limit(bindparam("most", type_=Integer))


def _first(is_wanted: ColumnElement[bool]) -> Executable:
    ever = and_(orders.c.next_at.is_not(None), is_wanted)
    return select(orders.c.next_at).where(ever).order_by(orders.c.next_at).limit(1)


def _hold(is_free: ColumnElement[bool]) -> Executable:
    wanted = orders.c.id.in_(bindparam("numbers", expanding=True))
    still = and_(wanted, orders.c.next_at <= _NOW, is_free)
    ordered = select(orders).where(still).order_by(orders.c.urgency, orders.c.turn, orders.c.id)
    return ordered.limit(bindparam("most", type_=Integer)).with_for_update(skip_locked=True)


def _is_due(urgency: int) -> ColumnElement[bool]:
    same = orders.c.urgency == urgency
    if urgency == READY:
        # Their turn is not when they are due. Adding nothing keeps the index of the turns in use.
        return and_(same, orders.c.turn.is_not(None), orders.c.next_at + 0.0 <= _NOW)
    return and_(same, orders.c.turn <= _NOW)


def _leased(
    connection: Connection, store: Store, row: Row, now: float, worker: str, seconds: float, until: float
) -> Lease:
    number = row["lease_number"] + 1
    values = {"lease_number": number, "lease_worker": worker, **store.lease_values(seconds)}
    connection.execute(update(orders).where(orders.c.id == row["id"]).values(values))
    if row["state"] == OrderState.ORDERING:
        row = moved(connection, row, now, OrderState.UNKNOWN, _INTERRUPTED, worker=worker)
    return Lease(order_of(row), worker, number, until)


def renew_lease(store: Store, lease: Lease, seconds: float) -> None:
    """Do what `OrderBook.renew_lease` says."""
    until = boot_time() + seconds
    with store.writing(durable=False) as connection:
        mine = and_(orders.c.uid == lease.order.uid, orders.c.lease_number == lease.number)
        changed = connection.execute(update(orders).where(mine).values(store.lease_values(seconds)))
        if changed.rowcount != 1:
            raise lost(lease)
    lease.until = until


def release(store: Store, lease: Lease) -> None:
    """Do what `OrderBook.release` says."""
    with store.writing(durable=False) as connection:
        mine = and_(orders.c.uid == lease.order.uid, orders.c.lease_number == lease.number)
        connection.execute(update(orders).where(mine).values(lease_until=None))


def next_due(store: Store, keys: Collection[str] | None) -> float | None:
    """Do what `OrderBook.next_due` says."""
    searches, clock = _searches(store), store.lease_clock()
    with store.reading() as connection:
        if keys is None:
            found = [connection.execute(searches.next_due, clock).scalar()]
        else:
            search = searches.next_due_of_keys
            found = [connection.execute(search, {**clock, "keys": some}).scalar() for some in _pieces(keys)]
    return min((float(each) for each in found if each is not None), default=None)


def _pieces(keys: Collection[str]) -> Iterator[list[str]]:
    """Yield the keys, as many at once as a statement takes (https://www.sqlite.org/limits.html)."""
    ordered = sorted(keys)
    for first in range(0, len(ordered), _MOST_KEYS):
        yield ordered[first : first + _MOST_KEYS]
