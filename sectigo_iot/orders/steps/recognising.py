"""Telling the batch of an order among others: by its name, and where the name may be another's, by its key."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from sectigo_iot.errors import APIError, BatchError, BundleError, InvalidInputError, InvalidReplyError
from sectigo_iot.orders.steps.evidence import Evidence, Sought, batch_of, keep_lease, raise_passing

if TYPE_CHECKING:
    from sectigo_iot.orders.steps.batch_lists import ListedBatch
    from sectigo_iot.orders.work import Work

EARLIER = 86_400.0
"""Seconds before the order was sent from which on a batch of unknown origin keeps its absence from being proven."""
MOST_DOWNLOADS = 20


def recognise(work: Work, sought: Sought, evidence: Evidence, batches: Iterable[ListedBatch], where: str) -> None:
    """Look for the order's batch among these, and note what comes of it; `where` says in words what they are."""
    each = tuple(batches)
    _note_kin(sought, evidence, each, where)
    if not _told_by_name(work, sought, evidence, each, where):
        _told_by_key(work, sought, evidence, each, where)


def _note_kin(sought: Sought, evidence: Evidence, batches: Iterable[ListedBatch], where: str) -> None:
    kin = [each for each in batches if sought.is_kin(each.name)]
    if kin:
        evidence.stray = f"{where} has {_told(kin)}, which is of another attempt of this order"
        evidence.doubt(evidence.stray, news=True)


def _told_by_name(work: Work, sought: Sought, evidence: Evidence, batches: Iterable[ListedBatch], where: str) -> bool:
    """Look for the batch by its name. Return whether one has it, sure or not."""
    named = [each for each in batches if sought.is_named(each.name)]
    if len(named) > 1:
        evidence.doubt(f"{where} has its name more than once: {_told(named)}; none of them is taken", news=True)
    elif named and named[0].batch_id is None:
        evidence.doubt(f"{where} has its name, and no batch id with it", news=True)
    elif named and named[0].batch_id is not None:
        _confirm(work, sought, evidence, named[0].batch_id, where)
    return bool(named)


def _confirm(work: Work, sought: Sought, evidence: Evidence, batch_id: int, where: str) -> None:
    """Have the batch itself say that it is the one: what stands in a list may be another number."""
    batch = batch_of(work, batch_id)
    if batch is None or not (batch.batch_name is None or sought.is_named(batch.batch_name)):
        evidence.doubt(f"{where} has its name beside {batch_id}, which is no batch of that name", news=True)
    else:
        evidence.prove(batch_id, f"{where} has it by its name")


def _told(batches: Iterable[ListedBatch]) -> str:
    return ", ".join(f"batch {each.batch_id} {each.name!r}" for each in batches)


def _told_by_key(work: Work, sought: Sought, evidence: Evidence, batches: Iterable[ListedBatch], where: str) -> None:
    """Look for the batch by its key: what the service calls an upload is not known for certain."""
    if sought.fingerprint is None:
        if any(each.name is None for each in batches):
            evidence.doubt(f"{where} has batches without a name")
        return
    possible = _possible(work, sought, batches)
    likely = [each for each in possible if each.created is None or sought.start <= each.created <= sought.end]
    tried = [(each.batch_id, _holds_key(work, each, sought.fingerprint)) for each in likely[:MOST_DOWNLOADS]]
    holders = [number for number, holds in tried if holds and number is not None]
    if len(holders) == 1:
        evidence.prove(holders[0], f"{where} has it: its certificate is for the order's own key")
    elif holders:
        what = f"several batches have certificates for its key: {holders}; none of them is taken"
        evidence.doubt(what, news=True)
    elif len(tried) < len(possible) or any(holds is None for _, holds in tried):
        evidence.doubt(f"{where} has batches of which it is not clear whether they are for its key")


def _possible(work: Work, sought: Sought, batches: Iterable[ListedBatch]) -> list[ListedBatch]:
    """Return the batches that may hold this order's request under a name that is not ours, oldest first."""
    floor = work.order.known_batch_id or 0
    untold = [
        each
        for each in batches
        if each.size in (1, None)
        and not sought.is_kin(each.name)
        and (each.batch_id is None or each.batch_id > floor)
        and (each.created is None or each.created >= sought.start - EARLIER)
    ]
    taken = work.book.known_batches([each.batch_id for each in untold if each.batch_id is not None])
    return sorted((each for each in untold if each.batch_id not in taken), key=lambda each: each.batch_id or 0)


def _holds_key(work: Work, batch: ListedBatch, fingerprint: bytes) -> bool | None:
    """Whether the download of a batch holds a certificate for this key; None where that cannot be told."""
    if batch.batch_id is None:
        return None
    from sectigo_iot import pki
    from sectigo_iot.pki.unpacking.keys import fingerprint_of

    keep_lease(work, downloading=True)
    try:
        issued = pki.open_bundle(work.service.download_bytes(batch.batch_id))
    except (BatchError, BundleError, InvalidInputError, InvalidReplyError):
        return None
    except APIError as error:
        raise_passing(error)
        return None
    return any(fingerprint_of(each.leaf) == fingerprint for each in issued)
