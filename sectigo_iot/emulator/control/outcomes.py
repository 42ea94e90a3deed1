"""Questions to the journal that set it against what became of the batches: unfetched, cut off, looked at in vain."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from itertools import pairwise

from msgspec import Struct

from sectigo_iot.emulator.config.lives import FAILED
from sectigo_iot.emulator.control.asking import Asked, iso, iso_or_none
from sectigo_iot.emulator.control.certificates import content_of
from sectigo_iot.emulator.memory.entities import Batch, Certificate
from sectigo_iot.emulator.memory.journal import POLLS, Entry
from sectigo_iot.emulator.memory.state import REMOVED
from sectigo_iot.emulator.service import Service

_FAILED = (*FAILED, "NOT_ACCEPTABLE")
_ENDED = (*_FAILED, REMOVED, "REVOKED")


class Living(Struct, frozen=True, kw_only=True):
    """A batch that is alive."""

    batch: int
    name: str
    status: str
    created: str


class Twins(Struct, frozen=True, kw_only=True, rename="camel"):
    """Batches under different names that are alive for the same common name."""

    common_name: str
    batches: list[Living]


class Fetched(Struct, frozen=True, kw_only=True, rename="camel"):
    """A batch that became ready, and how often it was downloaded."""

    batch: int
    name: str
    common_names: list[str]
    status: str
    ready: str | None
    revoked: bool
    downloads: int


class FetchedQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Whether batches that were downloaded are listed too."""

    downloads: bool = False


class Gap(Struct, frozen=True, kw_only=True, rename="camel"):
    """A time without a certificate: from the end of the old one to the first download of its successor, or until now.

    `revoked` is when the old one ended, be it by revocation or by its own date, `seconds` how long the time is.
    """

    common_name: str
    revoked: str
    successor: int
    successor_downloaded: str | None
    seconds: float


class LatePolls(Struct, frozen=True, kw_only=True):
    """How often a batch was looked at after each call about it had told that it has ended."""

    batch: int
    status: str
    polls: int


def has_failed(batch: Batch | None) -> bool:
    """Whether a batch ended without a certificate."""
    return batch is not None and batch.status in _FAILED


async def twins(asked: Asked) -> list[Twins]:
    """Common names for which batches under different names are alive."""
    alive = {
        name: [each for each in batches if each.status not in _ENDED]
        for name, batches in _by_common_name(asked.service).items()
    }
    return [
        Twins(common_name=name, batches=list(map(_living, batches)))
        for name, batches in alive.items()
        if len({each.name for each in batches}) > 1
    ]


async def unfetched(asked: Asked) -> list[Fetched]:
    """Batches that became ready and were never downloaded."""
    service = asked.service
    ready = (_fetched(service, each) for each in service.state.batches.values() if each.ready is not None)
    return [each for each in ready if asked.query.downloads or each.downloads == 0]


async def gaps(asked: Asked) -> list[Gap]:
    """Common names whose certificate ended before its successor was downloaded."""
    found: list[Gap | None] = []
    for name, batches in _by_common_name(asked.service).items():
        lasting = [each for each in batches if each.status not in _FAILED]
        found += [_gap(asked.service, name, old, new) for old, new in pairwise(lasting)]
    return [each for each in found if each is not None]


async def late_polls(asked: Asked) -> list[LatePolls]:
    """Batches that were looked at although their end was known.

    Of each call, the first that tells of the end does not count, nor does one that a fault has struck.
    """
    service = asked.service
    looks: defaultdict[int, list[Entry]] = defaultdict(list)
    for entry in service.journal.entries():
        if entry.call in POLLS and entry.batch_id is not None:
            looks[entry.batch_id].append(entry)
    minutes: defaultdict[int, list[tuple[int, int]]] = defaultdict(list)
    for (number, minute), count in service.journal.polls.items():
        minutes[number].append((minute, count))
    ended = [each for each in service.state.batches.values() if each.status in _ENDED]
    counts = [(each, _late(_ended_at(each), minutes[each.id], looks[each.id])) for each in ended]
    return [LatePolls(batch=each.id, status=each.status, polls=count) for each, count in counts if count > 0]


def _by_common_name(service: Service) -> dict[str, list[Batch]]:
    found: defaultdict[str, list[Batch]] = defaultdict(list)
    for batch in service.state.batches.values():
        for name in dict.fromkeys(each.casefold() for each in batch.common_names if each):
            found[name].append(batch)
    return found


def _living(batch: Batch) -> Living:
    return Living(batch=batch.id, name=batch.name, status=batch.status, created=iso(batch.created))


def _fetched(service: Service, batch: Batch) -> Fetched:
    return Fetched(
        batch=batch.id,
        name=service.journal.as_noted(batch.name, service),
        common_names=[service.journal.as_noted(each, service) for each in batch.common_names],
        status=batch.status,
        ready=iso_or_none(batch.ready),
        revoked=batch.revoked,
        downloads=len(service.journal.downloads.get(batch.id, ())),
    )


def _gap(service: Service, name: str, old: Batch, new: Batch) -> Gap | None:
    ends = [_end(each) for each in service.state.registry.of_batch(old.id) if each.common_name.casefold() == name]
    ended = max(ends, default=None)
    downloaded = min(service.journal.downloads.get(new.id, ()), default=None)
    until = service.now if downloaded is None else downloaded
    if ended is None or ended >= until:
        return None
    return Gap(
        common_name=name,
        revoked=iso(ended),
        successor=new.id,
        successor_downloaded=iso_or_none(downloaded),
        seconds=round(until - ended, 3),
    )


def _end(certificate: Certificate) -> float:
    """Return when a certificate ends, or ended: by revocation, or by its own date."""
    own = content_of(certificate.der).end.timestamp()
    return own if certificate.revoked is None else min(own, certificate.revoked)


def _late(end: float, minutes: list[tuple[int, int]], looks: list[Entry]) -> int:
    # Within the minute of the end only what is kept whole tells what came behind it.
    behind = [each for each in looks if each.time > end]
    later = sum(count for minute, count in minutes if minute > end // 60)
    later += sum(each.time // 60 == end // 60 for each in behind)
    struck = sum(each.fault is not None for each in behind)
    told = {each.call for each in behind if each.fault is None}
    return later - struck - len(told)


def _ended_at(batch: Batch) -> float:
    """Return since when a batch has been in statuses from which nothing leads back."""
    return min(_trailing(batch), default=batch.created)


def _trailing(batch: Batch) -> Iterator[float]:
    for each in reversed(batch.past):
        if each.status not in _ENDED:
            return
        yield each.time
