"""Makes the certificates of batches, in threads, so that they are there when a batch's time has come."""

from __future__ import annotations

import asyncio
import logging
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from sectigo_iot.emulator.ca.authority import CertificateAuthority, EndedError, der
from sectigo_iot.emulator.ca.keypool import KeyPool
from sectigo_iot.emulator.ca.making import Made, Maker, StoppedError, serial_numbers
from sectigo_iot.emulator.ca.signing_requests import UnusableRequestError
from sectigo_iot.emulator.config.world import Profile
from sectigo_iot.emulator.exchange.replies import ENDING
from sectigo_iot.emulator.memory.entities import Batch, Certificate, Job
from sectigo_iot.emulator.memory.state import State
from sectigo_iot.emulator.memory.store import NotKeptError

logger = logging.getLogger("sectigo_iot.emulator")

Outcome = Made | tuple[str, str]
"""What was made, or a status and a reason."""
_PAUSE = 1.0
"""Seconds after which a batch is made anew that could not be kept."""


class Issuer:
    """Makes each batch once. Lives in one event loop, in which alone the state changes."""

    def __init__(
        self,
        state: State,
        authority: CertificateAuthority,
        keys: KeyPool,
        *,
        legacy: bool,
        clock: Callable[[], float],
        fraction: Callable[..., float],
    ) -> None:
        self._state = state
        self._keys = keys
        self._clock = clock
        self._fraction = fraction
        self._stopped = threading.Event()
        self._maker = Maker(authority, keys, legacy, self._stopped.is_set)
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="sectigo-emulator-issuing")
        self._tasks: dict[int, asyncio.Task[None]] = {}

    async def accept(self, batch: Batch) -> None:
        """Begin a batch, unless its life has no certificate in it; one that is due at once is made on return."""
        due = next((step.after for step in batch.life.steps if step.issues), None)
        if due is not None:
            task = self._begin(batch)
            if due == 0:
                await asyncio.shield(task)

    async def make(self, batch_id: int) -> None:
        """Make a batch now, whatever its life is. Its job is gone on return, whether or not that went well."""
        batch = self._state.batch(batch_id)
        if batch is not None and self._state.job(batch_id) is not None:
            await asyncio.shield(self._begin(batch))

    async def settled(self) -> None:
        """Return once everything is made for which the time has come."""
        now = self._clock()
        due = [task for number, task in self._tasks.items() if _is_due(self._state.batch(number), now)]
        await asyncio.gather(*due, return_exceptions=True)
        self._state.settle()

    async def idle(self) -> None:
        """Return once everything is made that was begun. A clock that is moved after that makes nothing late."""
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)

    def resume(self) -> None:
        """Go on with what an emulator that was killed left undone."""
        for batch in self._state.batches.values():
            waits = any(step.issues for step in batch.life.steps[batch.done :])
            if not batch.pushed and waits and self._state.job(batch.id) is not None:
                self._begin(batch)

    def forget(self) -> None:
        """Let what is being made count no more, since the state is another now, and of another age."""
        self._tasks = {}

    @property
    def stopped(self) -> bool:
        """Whether no more certificates are made."""
        return self._stopped.is_set()

    def stop(self) -> None:
        """Give up what is not ready, without waiting. May be called from any thread."""
        self._stopped.set()
        self._keys.stop()

    async def close(self) -> None:
        """Stop, and end the threads; waits for the certificate in the making alone."""
        self.stop()
        await asyncio.gather(*self._tasks.values(), return_exceptions=True)
        self._keys.close()
        self._threads.shutdown(wait=True, cancel_futures=True)

    def _begin(self, batch: Batch) -> asyncio.Task[None]:
        task = self._tasks.get(batch.id)
        if task is None:
            task = self._tasks[batch.id] = asyncio.create_task(self._issue(batch, self._state.registry.age))
            task.add_done_callback(_tell)
        return task

    async def _issue(self, batch: Batch, age: int) -> None:
        job = self._state.job(batch.id) or Job()
        profile = self._state.ledger.profile(batch.profile_id)
        loop = asyncio.get_running_loop()
        outcome = await loop.run_in_executor(self._threads, self._make, batch, job, profile, age)
        if age != self._state.registry.age:
            return
        self._tasks.pop(batch.id, None)
        try:
            self._note(batch, outcome)
        except NotKeptError as fault:
            logger.error("batch %d is made again later: %s", batch.id, fault)
            loop.call_later(_PAUSE, self._again, batch.id, age)

    def _note(self, batch: Batch, outcome: Outcome) -> None:
        if isinstance(outcome, Made):
            self._state.finish(
                batch.id, self._certificates(batch, outcome), outcome.archive, batch.size - len(outcome.certificates)
            )
        elif not self.stopped or outcome[1] != ENDING:
            self._state.fail(batch.id, *outcome)

    def _again(self, batch_id: int, age: int) -> None:
        batch = self._state.batch(batch_id)
        if age != self._state.registry.age or self.stopped:
            return
        if batch is not None and self._state.job(batch_id) is not None:
            self._begin(batch)

    def _make(self, batch: Batch, job: Job, profile: Profile, age: int) -> Outcome:
        count = batch.size - batch.life.fails
        if count <= 0:
            return "FAILED", ""
        try:
            serials = serial_numbers(self._fraction, age, batch.id)
            if job.requests:
                return self._maker.from_requests(job.requests, profile, serials, count)
            return self._maker.from_parameters(job.parameters, profile, next(serials))
        except (UnusableRequestError, EndedError) as fault:
            return "BROKEN", str(fault)
        except StoppedError:
            return "FAILED", ENDING
        except ValueError:
            return "BROKEN", "Cert subject name error: a name cannot be certified"
        except Exception:
            logger.exception("a batch could not be issued")
            return "FAILED", "internal error"

    def _certificates(self, batch: Batch, made: Made) -> list[Certificate]:
        now = self._clock()
        return [
            Certificate(
                device_id=str(uuid.UUID(int=certificate.serial_number ^ batch.id, version=4)),
                common_name=name,
                number=f"{certificate.serial_number:X}",
                created=now,
                organization_id=batch.organization_id,
                profile_id=batch.profile_id,
                batch_id=batch.id,
                der=der(certificate),
            )
            for name, certificate in made.certificates
        ]


def _tell(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        logger.error("what was made could not be kept", exc_info=task.exception())


def _is_due(batch: Batch | None, now: float) -> bool:
    due = next((step.after for step in batch.life.steps if step.issues), None) if batch is not None else None
    return batch is not None and due is not None and batch.created + due <= now
