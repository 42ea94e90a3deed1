"""Finding orders in the book, page by page, and counting them."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import and_, exists, false, func, select, true

from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.store.changing import not_found
from sectigo_iot.orders.store.rows import order_of
from sectigo_iot.orders.store.schema import labels, orders

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping

    from sqlalchemy import ColumnElement, Connection

    from sectigo_iot.orders.order import Order


_HIGHEST = select(func.max(orders.c.batch_id))


class Wish(NamedTuple):
    """Which orders somebody wants to see; `states` None for all."""

    states: Collection[OrderState] | None
    attention: bool
    text: str
    labels: Mapping[str, str]
    after: str | None
    limit: int
    archived: bool


def get(connection: Connection, key: str) -> Order:
    """Return the order of a key. Raises OrderNotFoundError."""
    row = connection.execute(select(orders).where(orders.c.key == key)).mappings().first()
    if row is None:
        raise not_found(key)
    return order_of(dict(row))


def find(connection: Connection, wish: Wish) -> tuple[Order, ...]:
    """Return the orders of a page, in the order in which they were placed."""
    conditions = _conditions(connection, wish)
    numbers: list[int] = []
    # Those of one state stand in order in the index; those of several would all have to be read and sorted.
    for state in OrderState if wish.states is None else {OrderState(each) for each in wish.states}:
        page = select(orders.c.id).where(orders.c.state == state.value, *conditions)
        numbers += connection.execute(page.order_by(orders.c.id).limit(wish.limit)).scalars()
    found = select(orders).where(orders.c.id.in_(sorted(numbers)[: wish.limit])).order_by(orders.c.id)
    return tuple(order_of(dict(row)) for row in connection.execute(found).mappings())


def _conditions(connection: Connection, wish: Wish) -> list[ColumnElement[bool]]:
    conditions = [_archived(wish.archived)]
    if wish.after is not None:
        conditions.append(orders.c.id > _number(connection, wish.after))
    if wish.attention:
        conditions.append(orders.c.attention.is_not(None))
    if wish.text:
        conditions.append(orders.c.searched.contains(wish.text.lower(), autoescape=True))
    conditions += [_labelled(name, value) for name, value in wish.labels.items()]
    return conditions


def _archived(wanted: bool) -> ColumnElement[bool]:
    return orders.c.archived == (true() if wanted else false())


def _labelled(name: str, value: str) -> ColumnElement[bool]:
    mine = and_(labels.c.order_id == orders.c.id, labels.c.name == name, labels.c.value == value)
    return exists(select(labels.c.order_id).where(mine))


def _number(connection: Connection, key: str) -> int:
    number = connection.execute(select(orders.c.id).where(orders.c.key == key)).scalar()
    if number is None:
        raise not_found(key)
    return int(number)


def counts(connection: Connection) -> dict[OrderState, int]:
    """Return how many orders are in each state, those in the archive left out."""
    number = func.count()
    rows = connection.execute(select(orders.c.state, number).where(_archived(False)).group_by(orders.c.state))
    found = {OrderState(state): int(count) for state, count in rows}
    return {state: found.get(state, 0) for state in OrderState}


def attention_count(connection: Connection) -> int:
    """Return how many orders wait for a human, those in the archive left out."""
    waiting = select(func.count()).select_from(orders).where(orders.c.attention.is_not(None), _archived(False))
    return int(connection.execute(waiting).scalar_one())


def highest_batch_id(connection: Connection) -> int | None:
    """Return the highest batch id that the book knows of."""
    number = connection.execute(_HIGHEST).scalar()
    return None if number is None else int(number)


def known_batches(connection: Connection, numbers: Iterable[int]) -> frozenset[int]:
    """Return those of these batch ids that belong to an order of the book."""
    asked = sorted(set(numbers))
    found: set[int] = set()
    for first in range(0, len(asked), 500):
        some = orders.c.batch_id.in_(asked[first : first + 500])
        found.update(int(each) for each in connection.execute(select(orders.c.batch_id).where(some)).scalars())
    return frozenset(found)


def known_serials(connection: Connection, common_name: str) -> frozenset[str]:
    """Return the serial numbers of the certificates that the book has for a common name."""
    same = and_(orders.c.common_name == common_name, orders.c.serial_number.is_not(None))
    return frozenset(connection.execute(select(orders.c.serial_number).where(same)).scalars())
