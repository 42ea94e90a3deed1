"""Batches: how they stand and what they went through, and what a portal does to them."""

from __future__ import annotations

import itertools
from typing import Annotated

from msgspec import Meta, Struct

from sectigo_iot.emulator.config.lives import Step
from sectigo_iot.emulator.control.accounts import organization_name
from sectigo_iot.emulator.control.asking import Asked, Limit, iso, iso_or_none, missing
from sectigo_iot.emulator.control.revoking import revoke_one
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.memory.entities import Batch
from sectigo_iot.emulator.memory.ledger import NoBalanceError
from sectigo_iot.emulator.memory.state import REJECTABLE, REMOVED, REVOKED, NotRejectableError
from sectigo_iot.emulator.routes import documents
from sectigo_iot.emulator.service import Service
from sectigo_iot.reasons import CRLReason


class Counts(Struct, frozen=True, kw_only=True):
    """How many certificates are being made, made, and not to be had."""

    active: int
    success: int
    failed: int


class PastStatus(Struct, frozen=True, kw_only=True):
    """A status, and since when."""

    time: str
    status: str


class BatchState(Struct, frozen=True, kw_only=True, rename="camel"):
    """One batch. `status` is what its detail says, `text` the words of the status call."""

    id: int
    order_number: int
    name: str
    status: str
    text: str
    info: Counts
    organization: str
    profile: str
    authority: int
    size: int
    common_names: list[str]
    reason: str
    created: str
    ready: str | None
    expires: str | None
    downloads: int
    rejectable: bool
    pushed: bool
    past: list[PastStatus]
    serials: list[str]


class BatchQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many batches are listed at the most, and before which number."""

    limit: Limit = 100
    before: int | None = None


class Rejection(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a batch is rejected."""

    reason: Annotated[str, Meta(max_length=1000)] = ""


async def batches(asked: Asked) -> list[BatchState]:
    """The batches, the newest first."""
    before, every = asked.query.before, reversed([*asked.service.state.batches.values()])
    found = (each for each in every if before is None or each.id < before)
    return [_state(asked.service, each) for each in itertools.islice(found, asked.query.limit)]


async def batch(asked: Asked) -> BatchState:
    """One batch."""
    return _state(asked.service, _found(asked))


async def push(asked: Asked) -> BatchState:
    """Put a batch into a state, from which it does not go on by itself.

    Where the certificates exist in that state, they are made first; refuses (409) where they cannot be made or paid
    for, and a state that contradicts what has happened to them.
    """
    service, step = asked.service, asked.body
    _check(step)
    _check_past(service, _found(asked), step)
    if step.issues and _found(asked).made is None:
        await service.issuer.make(_found(asked).id)
        _check_made(_found(asked))
        _check_past(service, _found(asked), step)
    try:
        return _state(service, service.state.push(_found(asked).id, step))
    except NoBalanceError:
        number = _found(asked).authority_id
        raise RefusalError(409, f"the balance of authority {number} does not suffice to issue the batch") from None


async def reject(asked: Asked) -> BatchState:
    """Reject a batch, as the portal does."""
    found = _found(asked)
    try:
        return _state(asked.service, asked.service.state.reject(found.id, asked.body.reason))
    except NotRejectableError:
        raise RefusalError(409, f"a batch in status {found.status} cannot be rejected any more") from None


async def revoke(asked: Asked) -> BatchState:
    """Revoke every certificate of a batch, as the portal does."""
    found, state, reason = _found(asked), asked.service.state, asked.body.code
    certificates = state.registry.of_batch(found.id)
    if not certificates:
        raise RefusalError(409, "the batch has no certificate")
    refusals = [each for each in (_refusal(asked, each.serial, reason) for each in certificates) if each is not None]
    if len(refusals) == len(certificates):
        raise refusals[0]
    return await batch(asked)


def _refusal(asked: Asked, serial: int, reason: CRLReason) -> RefusalError | None:
    try:
        revoke_one(asked.service.state, serial, reason)
    except RefusalError as refusal:
        return refusal
    return None


def _check(step: Step) -> None:
    if any(each < 0 for each in step.info or ()):
        raise RefusalError(422, "info: a count is 0 or more")


def _check_past(service: Service, batch: Batch, step: Step) -> None:
    """Refuse (409) a state that a batch cannot be in any more."""
    if batch.revoked and step.status != REVOKED:
        raise RefusalError(409, "the batch stays revoked: its certificates are revoked")
    removed = batch.made is not None and service.state.archive(batch.id) is None
    if removed and step.issues and step.status not in (REMOVED, REVOKED):
        raise RefusalError(409, "the batch cannot be downloaded any more: its files were removed")


def _check_made(batch: Batch) -> None:
    if batch.made is None:
        last = batch.life.steps[-1]
        why = batch.step.reason or last.reason or last.status
        raise RefusalError(409, " ".join(f"the batch cannot be issued: {why}".splitlines()))


def _found(asked: Asked) -> Batch:
    batch = asked.service.state.batch(asked.number)
    if batch is None:
        raise missing("batch", asked.word("id"))
    return batch


def _state(service: Service, batch: Batch) -> BatchState:
    return BatchState(
        id=batch.id,
        order_number=batch.order_number,
        name=service.journal.as_noted(batch.name, service),
        status=batch.status,
        text=documents.status_text(batch),
        info=Counts(**documents.processing_document(batch)),
        organization=organization_name(service, batch.organization_id),
        profile=batch.profile_name,
        authority=batch.authority_id,
        size=batch.size,
        common_names=[service.journal.as_noted(each, service) for each in batch.common_names],
        reason=batch.step.reason,
        created=iso(batch.created),
        ready=iso_or_none(batch.ready),
        expires=iso_or_none(batch.expires),
        downloads=len(service.journal.downloads.get(batch.id, ())),
        rejectable=batch.status in REJECTABLE,
        pushed=batch.pushed,
        past=[PastStatus(time=iso(each.time), status=each.status) for each in batch.past],
        serials=[f"{each.serial:X}" for each in service.state.registry.of_batch(batch.id)],
    )
