"""Questions to the journal about single calls: orders, log-ins, polls, downloads, and the whole of what was asked."""

from __future__ import annotations

from collections import Counter, defaultdict

from msgspec import Struct

from sectigo_iot.emulator.control.asking import Asked, iso
from sectigo_iot.emulator.memory.journal import Ordered


class Order(Struct, frozen=True, kw_only=True, rename="camel"):
    """One order. `batch` is what it made, `refused` the words of a refusal; neither where it was never handled."""

    number: int
    time: str
    batch_name: str
    common_name: str
    user: str | None
    batch: int | None
    refused: str | None
    fault: str | None
    session: str
    client: str


class Orders(Struct, frozen=True, kw_only=True):
    """Orders, and how many of them were accepted or refused."""

    count: int
    accepted: int
    refused: int
    orders: list[Order]


class OrderQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """For which names; the common name is meant in any case."""

    batch_name: str | None = None
    common_name: str | None = None


class Logins(Struct, frozen=True, kw_only=True):
    """How many log-ins there were, and how many of them were accepted or refused. A redirect is neither."""

    count: int
    accepted: int
    refused: int


class LoginQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whose log-ins."""

    username: str | None = None


class PerMinute(Struct, frozen=True, kw_only=True):
    """Polls in the minute that had the most of them, and in the latest that had any."""

    most: int
    latest: int


class BatchPolls(Struct, frozen=True, kw_only=True):
    """How often a batch was looked at, and how often in a minute at the most."""

    batch: int
    count: int
    most: int


class Polls(Struct, frozen=True, kw_only=True, rename="camel"):
    """How often batches were looked at: detail, status and processing info count alike."""

    count: int
    per_minute: PerMinute
    batches: list[BatchPolls]


class BatchDownloads(Struct, frozen=True, kw_only=True):
    """When a batch was downloaded."""

    batch: int
    count: int
    times: list[str]


class Downloads(Struct, frozen=True, kw_only=True):
    """How often batches were downloaded."""

    count: int
    batches: list[BatchDownloads]


class OfBatch(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Of which batch."""

    batch: int | None = None


async def orders(asked: Asked) -> Orders:
    """The orders for a name, oldest first."""
    query, noted = asked.query, asked.service.journal.as_noted
    batch_name, common_name = (
        None if name is None else noted(name, asked.service) for name in (query.batch_name, query.common_name)
    )
    found = [each for each in asked.service.journal.orders if _fits(each, batch_name, common_name)]
    return Orders(
        count=len(found),
        accepted=sum(each.batch_id is not None for each in found),
        refused=sum(each.refused is not None for each in found),
        orders=list(map(shown, found)),
    )


async def logins(asked: Asked) -> Logins:
    """How many log-ins there were."""
    by_status: Counter[int | None] = Counter()
    for (name, status), count in asked.service.journal.logins.items():
        if asked.query.username in (None, name):
            by_status[status] += count
    return Logins(
        count=by_status.total(),
        accepted=sum(count for status, count in by_status.items() if status is not None and status < 300),
        refused=sum(count for status, count in by_status.items() if status is not None and status >= 400),
    )


async def polls(asked: Asked) -> Polls:
    """How often batches were looked at."""
    minutes: Counter[int] = Counter()
    by_batch: defaultdict[int, list[int]] = defaultdict(list)
    for (batch, minute), count in asked.service.journal.polls.items():
        if asked.query.batch in (None, batch):
            minutes[minute] += count
            by_batch[batch].append(count)
    latest = minutes[max(minutes)] if minutes else 0
    return Polls(
        count=minutes.total(),
        per_minute=PerMinute(most=max(minutes.values(), default=0), latest=latest),
        batches=[BatchPolls(batch=b, count=sum(c), most=max(c)) for b, c in sorted(by_batch.items())],
    )


async def downloads(asked: Asked) -> Downloads:
    """How often batches were downloaded, and when."""
    journal, wanted = asked.service.journal, asked.query.batch
    found = [(batch, times) for batch, times in sorted(journal.downloads.items()) if wanted in (None, batch)]
    return Downloads(
        count=sum(len(times) for _, times in found),
        batches=[BatchDownloads(batch=b, count=len(times), times=list(map(iso, times))) for b, times in found],
    )


def shown(order: Ordered) -> Order:
    """Return an order as others may read it."""
    return Order(
        number=order.number,
        time=iso(order.time),
        batch_name=order.batch_name,
        common_name=order.common_name,
        user=order.user,
        batch=order.batch_id,
        refused=order.refused,
        fault=order.fault,
        session=order.session,
        client=order.client,
    )


def _fits(order: Ordered, batch_name: str | None, common_name: str | None) -> bool:
    if batch_name not in (None, order.batch_name):
        return False
    return common_name is None or common_name.casefold() == order.common_name.casefold()
