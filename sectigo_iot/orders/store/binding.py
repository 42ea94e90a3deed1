"""Which service the orders of a book are for: what was meant for one is never asked of another, and paid for."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.orders.store.schema import service

if TYPE_CHECKING:
    from sectigo_iot.orders.store.engine import Store

_ONLY = 1


def bind(store: Store, endpoint: str) -> None:
    """Do what `OrderBook.bind` says."""
    if bound_to(store) is None:
        with contextlib.suppress(IntegrityError), store.writing() as connection:
            connection.execute(insert(service).values(number=_ONLY, endpoint=endpoint))
    known = bound_to(store)
    if known != endpoint:
        raise InvalidInputError(
            f"the order book {store.name} is that of {known}, and this is {endpoint}: nothing is ordered here",
            hint="name another book for another service, one file or database for each",
        )


def bound_to(store: Store) -> str | None:
    """Return whose orders the book has, None where nobody has said yet."""
    with store.reading() as connection:
        endpoint: str | None = connection.execute(select(service.c.endpoint)).scalar()
    return endpoint
