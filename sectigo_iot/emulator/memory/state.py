"""Batches: accepted, carried on as time passes, put into a state by hand, collected, revoked."""

from __future__ import annotations

import heapq
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING

from msgspec.structs import replace

from sectigo_iot.emulator.config.lives import FAILED, Life, Step
from sectigo_iot.emulator.config.world import World
from sectigo_iot.emulator.memory.entities import Batch, Certificate, Job, Passed
from sectigo_iot.emulator.memory.ledger import Ledger
from sectigo_iot.emulator.memory.records import Records, Tables
from sectigo_iot.emulator.memory.registry import Registry
from sectigo_iot.reasons import CRLReason

if TYPE_CHECKING:
    from sectigo_iot.emulator.settings import EmulatorSettings

REMOVED = "REMOVED_AFTER_EXPIRATION"
REVOKED = "REVOKED"
REJECTABLE = ("CREATED", "PENDING", "PROCESSING")
_PAST_LIMIT = 50


class NotRejectableError(Exception):
    """A batch is too far on to be rejected."""


class State:
    """The memory of one emulator, of which the batches are kept here. To be changed from one thread at a time."""

    def __init__(
        self, world: World, settings: EmulatorSettings, clock: Callable[[], float], records: Records
    ) -> None:
        self.ledger = Ledger(world, records)
        self.registry = Registry(records, clock)
        self._world = world
        self._settings = settings
        self._clock = clock
        self._records = records
        self._agenda: list[tuple[float, int]] = []
        self._plan_all()

    @property
    def version(self) -> int:
        """A number that rises with each change."""
        return self._records.version

    def snapshot(self) -> Tables:
        """Return everything as it is, which later changes leave so."""
        return self._records.snapshot()

    def restore(self, tables: Tables) -> None:
        """Put everything back as it was."""
        self._records.restore(tables)
        self.registry.reindex()
        self._plan_all()

    @property
    def batches(self) -> Mapping[int, Batch]:
        """Every batch by its id, oldest first."""
        return self._records.table("batches")

    def batch(self, batch_id: int) -> Batch | None:
        """Return a batch as it stands."""
        return self.batches.get(batch_id)

    def job(self, batch_id: int) -> Job | None:
        """Return what is still to be issued for a batch."""
        return self._records.table("jobs").get(batch_id)

    def archive(self, batch_id: int) -> bytes | None:
        """Return what a batch is downloaded as, once it is made and until it is removed."""
        return self._records.table("archives").get(batch_id)

    def open_batch(self, wanted: Batch, job: Job) -> Batch:
        """Take the licences for a batch and return it with its numbers; an upload may be named by one of them.

        Raises NoBalanceError, and then nothing is taken.
        """
        with self._records.change():
            self.ledger.take(wanted.organization_id, wanted.authority_id, wanted.size)
            index = len(self.batches)
            first_batch, first_order = self._world.first_batch, self._world.first_order
            past = (Passed(wanted.created, wanted.step.status),)
            batch = replace(wanted, id=first_batch + index, order_number=first_order + index, past=past)
            if job.requests and self._settings.upload_name == "number":
                batch = replace(batch, name=str(batch.id))
            self._put(batch)
            self._records.put("jobs", batch.id, job)
        self._plan(batch)
        return batch

    def settle(self) -> None:
        """Let every batch go on as far as the time has come for it."""
        now = self._clock()
        if not self._agenda or self._agenda[0][0] > now:
            return
        try:
            with self._records.change():
                while self._agenda and self._agenda[0][0] <= now:
                    batch = self.batch(heapq.heappop(self._agenda)[1])
                    if batch is not None:
                        self._go_on(batch, now)
        except BaseException:
            # Nothing of it has happened: it is due still.
            self._plan_all()
            raise

    def finish(self, batch_id: int, issued: Iterable[Certificate], archive: bytes, failed: int) -> None:
        """Note the certificates of a batch and what it is downloaded as.

        Nobody sees them before the time has come; the licences count as used from then on.
        """
        certificates = tuple(issued)
        with self._records.change():
            batch = self.batches[batch_id]
            self._records.put("jobs", batch_id, None)
            self._records.put("archives", batch_id, archive)
            self._records.put("unissued", batch_id, certificates)
            made = replace(batch, made=self._clock(), success=len(certificates), failed=failed)
            self._put(made)
            if made.ready is not None:
                self._issue(made, self._clock())
            self._go_on(made, self._clock())

    def fail(self, batch_id: int, status: str, reason: str) -> None:
        """Let a batch end without a certificate, when the time has come at which it would have had one."""
        with self._records.change():
            batch = self.batches[batch_id]
            self._records.put("jobs", batch_id, None)
            life = _cut_short(batch.life, status, reason)
            failed = replace(batch, life=life, failed=batch.size)
            self._put(failed)
            if batch.done >= len(life.steps) - 1:
                self._enter(failed, life.steps[-1], self._clock())
            else:
                self._go_on(failed, self._clock())

    def push(self, batch_id: int, step: Step) -> Batch:
        """Put a batch into a state, from which it does not go on by itself.

        One that had its licences given back takes them again to be issued. Raises NoBalanceError where they are not
        there, and then nothing has changed.
        """
        with self._records.change():
            batch = replace(self.batches[batch_id], pushed=True)
            if step.issues and batch.refunded and batch.ready is None:
                self.ledger.take(batch.organization_id, batch.authority_id, batch.size)
                batch = replace(batch, refunded=False)
            return self._enter(batch, step, self._clock())

    def reject(self, batch_id: int, reason: str) -> Batch:
        """Reject a batch as the portal does. Raises NotRejectableError for one that is too far on."""
        if self.batches[batch_id].status not in REJECTABLE:
            raise NotRejectableError
        return self.push(batch_id, Step(status="REJECTED", reason=reason))

    def collect(self, batch_id: int) -> None:
        """Note that a batch was downloaded."""
        batch = self.batches[batch_id]
        if batch.step.status == "READY_FOR_DOWNLOAD":
            with self._records.change():
                self._enter(batch, replace(batch.step, status="COLLECTED"), self._clock())

    def revoke(self, serial: int, reason: CRLReason) -> None:
        """Revoke a certificate; a batch all of whose certificates are revoked is revoked with them.

        Raises NotOnHoldError and AlreadyRevokedError, as the settings have it.
        """
        settings = self._settings
        with self._records.change():
            certificate = self.registry.revoke(serial, reason, again=settings.revoke_twice, lifts=settings.lift_holds)
            self._follow_revocation(self.batches[certificate.batch_id])

    def _put(self, batch: Batch) -> None:
        self._records.put("batches", batch.id, batch)

    def _plan_all(self) -> None:
        self._agenda = []
        for batch in self.batches.values():
            self._plan(batch)

    def _plan(self, batch: Batch) -> None:
        for time in _times_to_come(batch):
            heapq.heappush(self._agenda, (time, batch.id))

    def _go_on(self, batch: Batch, now: float) -> None:
        while not batch.pushed and batch.done + 1 < len(batch.life.steps):
            step = batch.life.steps[batch.done + 1]
            due = batch.created + step.after
            if due > now or (step.issues and batch.made is None):
                break
            batch = self._enter(replace(batch, done=batch.done + 1), step, max(due, batch.made or 0.0))
        if batch.expires is not None and batch.expires <= now and batch.step.status != REMOVED:
            self._enter(batch, Step(status=REMOVED), batch.expires)

    def _enter(self, batch: Batch, step: Step, time: float) -> Batch:
        batch = _with_past(replace(batch, step=step), time, step.status)
        if step.issues and batch.ready is None:
            batch = replace(batch, ready=time)
            self._issue(batch, time)
            heapq.heappush(self._agenda, (time + batch.days_to_live * 86400.0, batch.id))
        if self._settings.refund_failed and _failed_for_nothing(batch):
            self.ledger.give_back(batch.organization_id, batch.authority_id, batch.size)
            batch = replace(batch, refunded=True)
        if step.status == REMOVED:
            self._records.put("archives", batch.id, None)
        if step.status == REVOKED:
            batch = replace(batch, revoked=self._revoke_all(batch))
        self._put(batch)
        return batch

    def _revoke_all(self, batch: Batch) -> bool:
        """Revoke the certificates of a batch; return whether there are any."""
        certificates = self.registry.of_batch(batch.id)
        for each in certificates:
            if each.revoked is None:
                self.registry.revoke(each.serial, CRLReason.unspecified, again=False, lifts=False)
        return bool(certificates)

    def _issue(self, batch: Batch, time: float) -> None:
        """Let what was made for a batch be known to all: how long it took to make must not be seen."""
        certificates = self._records.table("unissued").get(batch.id, ())
        self._records.put("unissued", batch.id, None)
        self.registry.add(replace(each, created=time) for each in certificates)
        self.ledger.use(batch.organization_id, len(certificates))

    def _follow_revocation(self, batch: Batch) -> None:
        gone = all(each.revoked is not None for each in self.registry.of_batch(batch.id))
        if gone != batch.revoked:
            changed = replace(batch, revoked=gone)
            self._put(_with_past(changed, self._clock(), changed.status))


def _with_past(batch: Batch, time: float, status: str) -> Batch:
    return replace(batch, past=(*batch.past, Passed(time, status))[-_PAST_LIMIT:])


def _failed_for_nothing(batch: Batch) -> bool:
    if batch.step.status not in FAILED or batch.ready is not None or batch.refunded:
        return False
    return batch.pushed or not any(step.issues for step in batch.life.steps[batch.done + 1 :])


def _times_to_come(batch: Batch) -> Iterator[float]:
    if not batch.pushed:
        yield from (batch.created + step.after for step in batch.life.steps[batch.done + 1 :])
    if batch.expires is not None and batch.step.status != REMOVED:
        yield batch.expires


def _cut_short(life: Life, status: str, reason: str) -> Life:
    end = next((index for index, step in enumerate(life.steps) if step.issues), len(life.steps) - 1)
    steps = (*life.steps[:end], Step(status=status, reason=reason, after=life.steps[end].after))
    return replace(life, steps=steps)
