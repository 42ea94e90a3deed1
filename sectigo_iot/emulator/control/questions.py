"""Questions to the journal that convict a client: each finds one of the ways in which orders are lost or doubled."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Annotated, Literal

from msgspec import Meta, Struct

from sectigo_iot.emulator.control.asking import Asked
from sectigo_iot.emulator.control.orders import Order, shown
from sectigo_iot.emulator.control.outcomes import has_failed
from sectigo_iot.emulator.memory.journal import Ordered

By = Literal["batchName", "commonName"]


class SameName(Struct, frozen=True, kw_only=True):
    """Orders for one name, oldest first; `by` tells which name is the same."""

    by: By
    name: str
    orders: list[Order]


class Repeated(Struct, frozen=True, kw_only=True, rename="camel"):
    """Orders for one name that were refused with the same words."""

    by: By
    name: str
    refused: str
    count: int
    numbers: list[int]


class WithinQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many seconds may lie between two orders."""

    within: Annotated[float, Meta(ge=0)] = 60.0


class TimesQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often is not too often yet."""

    times: Annotated[int, Meta(ge=0)] = 3


async def doubled(asked: Asked) -> list[SameName]:
    """Names that were ordered more than once with success.

    An order whose batch has failed does not count, since it cost nothing. A renewal does, by its common name.
    """
    return [_same(by, name, found) for by, name, found in _groups(_bought(asked)) if len(found) > 1]


async def simultaneous(asked: Asked) -> list[SameName]:
    """Names that two ordered with success at the same time, or one shortly after the other.

    Two are different sessions, or, where the orders overlap, different connections. A retry of one client is none.
    """
    clashes = ((by, name, _clashing(found, asked.query.within)) for by, name, found in _groups(_bought(asked)))
    return [_same(by, name, found) for by, name, found in clashes if found]


async def repeated(asked: Asked) -> list[Repeated]:
    """Names for which orders were refused with the same words again and again."""
    found: defaultdict[tuple[By, str, str], list[int]] = defaultdict(list)
    for order in asked.service.journal.orders:
        if order.refused is not None:
            by: By = "commonName" if order.common_name else "batchName"
            found[by, order.common_name.casefold() or order.batch_name, order.refused].append(order.number)
    return [
        Repeated(by=by, name=name, refused=words, count=len(numbers), numbers=numbers)
        for (by, name, words), numbers in found.items()
        if len(numbers) > asked.query.times
    ]


def _bought(asked: Asked) -> Iterator[Ordered]:
    """Yield the orders that were accepted and did not fail."""
    batches = asked.service.state.batches
    for order in asked.service.journal.orders:
        if order.batch_id is not None and not has_failed(batches.get(order.batch_id)):
            yield order


def _groups(orders: Iterable[Ordered]) -> Iterator[tuple[By, str, list[Ordered]]]:
    """Yield the orders by each of their names."""
    found: defaultdict[tuple[By, str], list[Ordered]] = defaultdict(list)
    for order in orders:
        if order.batch_name:
            found["batchName", order.batch_name].append(order)
        if order.common_name:
            found["commonName", order.common_name.casefold()].append(order)
    return ((by, name, group) for (by, name), group in found.items())


def _clashing(orders: list[Ordered], within: float) -> list[Ordered]:
    """Return those of the orders that clash with one before or behind them, oldest first."""
    ordered = sorted(orders, key=lambda each: (each.time, each.number))
    clashing = {each.number for pair in pairwise(ordered) if _clash(*pair, within) for each in pair}
    return [each for each in ordered if each.number in clashing]


def _clash(earlier: Ordered, later: Ordered, within: float) -> bool:
    other = earlier.session != later.session
    if later.time < earlier.until:
        return other or earlier.client != later.client
    return other and later.time - earlier.until <= within


def _same(by: By, name: str, orders: list[Ordered]) -> SameName:
    return SameName(by=by, name=name, orders=list(map(shown, orders)))
