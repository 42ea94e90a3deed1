"""Waiting for a batch: what the service says of it, read together, decides whether it is ready.

No single field tells: a fresh batch reads `downloadable` true, and the detail and the status text disagree for a
while. The table is that of the wire's reference, "Ready or not".
"""

from __future__ import annotations

import enum
import logging
import time
from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.api import batches
from sectigo_iot.errors import (
    APIError,
    BatchFailedError,
    InvalidReplyError,
    NotReadyError,
    RedirectError,
    SectigoError,
    TransportError,
    clean,
)
from sectigo_iot.failures import PASSING
from sectigo_iot.statuses import COLLECTABLE, BatchStatus, StatusText

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.models import Batch, ProcessingInfo
    from sectigo_iot.transport import Transport

_log = logging.getLogger("sectigo_iot.polling")

FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0
GROWTH = 1.5
DEFAULT_TIMEOUT = 900.0
"""Seconds that a batch is waited for."""
LONGEST_OUTAGE = 120.0
"""Seconds that the service may fail to answer in mid-wait: a wait outlives a restart or a dropped connection."""


class Verdict(enum.Enum):
    """What a look at a batch means."""

    WAITING = "waiting"
    """Issuing is not over; the order stands."""
    READY = "ready"
    """It can be fetched."""
    FAILED = "failed"
    """Issuing is over, and there is nothing to fetch."""


class Look(NamedTuple):
    """One look at a batch: the counts, the status text, the detail where it was needed, and what they mean."""

    batch_id: int
    verdict: Verdict
    info: ProcessingInfo
    text: StatusText
    detail: Batch | None
    elapsed: float = 0.0

    @property
    def status(self) -> str:
        """The most telling status there is."""
        if self.detail is not None and self.detail.status.terminal:
            return str(self.detail.status)
        return str(self.text.internal or self.text.status)


def judge(info: ProcessingInfo, text: StatusText, detail: Batch | None) -> Verdict:
    """Return what the counts, the status text and the detail, read together, mean."""
    if text.terminal or (detail is not None and detail.status.terminal):
        return Verdict.FAILED
    if info.active > 0:
        return Verdict.WAITING
    if info.success > 0:
        collectable = text.status in COLLECTABLE or (detail is not None and detail.status in COLLECTABLE)
        return Verdict.READY if collectable else Verdict.WAITING
    return Verdict.FAILED if info.failed > 0 else Verdict.WAITING


def look(transport: Transport, batch_id: int, elapsed: float = 0.0) -> Look:
    """Look at a batch once: two requests, and a third where those two do not decide."""
    info = batches.processing_info(transport, batch_id)
    text = batches.batch_status(transport, batch_id)
    verdict, detail = judge(info, text, None), None
    if verdict is not Verdict.READY and not (info.active > 0 and text.status is BatchStatus.PROCESSING):
        detail = batches.batch_detail(transport, batch_id)
        verdict = judge(info, text, detail)
    return Look(batch_id, verdict, info, text, detail, elapsed)


def wait(
    transport: Transport,
    batch_id: int,
    *,
    timeout: float = DEFAULT_TIMEOUT,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    on_progress: Callable[[Look], None] | None = None,
) -> ProcessingInfo:
    """Wait until a batch can be fetched, and return how many certificates were issued and how many failed."""
    began = clock()
    service = _Service(transport, batch_id, clock, began + timeout)
    seen = service.look()
    pause = FIRST_PAUSE
    while True:
        if on_progress is not None:
            on_progress(seen)
        if seen.verdict is Verdict.READY:
            return seen.info
        if seen.verdict is Verdict.FAILED:
            raise failed(seen)
        left = timeout - (clock() - began)
        if left <= 0:
            raise not_ready(seen, f" after {timeout:g} s")
        sleep(min(pause, left))
        pause = min(pause * GROWTH, LONGEST_PAUSE)
        seen = service.look_again(seen)


class _Service:
    """Looks at one batch, and forgives the service a while without answers once it has given one."""

    def __init__(self, transport: Transport, batch_id: int, clock: Callable[[], float], deadline: float) -> None:
        self._transport = transport
        self._deadline = deadline
        self._batch_id = batch_id
        self._clock = clock
        self._began = self._answered = clock()

    def look(self) -> Look:
        now = self._clock()
        seen = look(self._transport.limited(self._deadline - now), self._batch_id, now - self._began)
        self._answered = self._clock()
        return seen

    def look_again(self, last: Look) -> Look:
        """Return a new look, or the last one where the service does not answer just now."""
        try:
            return self.look()
        except (TransportError, APIError) as error:
            if not _passes(error) or self._clock() - self._answered >= LONGEST_OUTAGE:
                raise
            _log.warning("still waiting for batch %d: %s", self._batch_id, error, extra={"batch_id": self._batch_id})
            return last._replace(elapsed=self._clock() - self._began)


def _passes(error: TransportError | APIError) -> bool:
    if isinstance(error, APIError):
        return error.status == 429 or error.status >= 500
    return not isinstance(error, RedirectError)


def not_ready(seen: Look, when: str = "") -> NotReadyError:
    """Return the error that says: not over yet."""
    return NotReadyError(
        f"batch {seen.batch_id} is not ready{when or ' yet'}: the service says {clean(seen.status)}",
        batch_id=seen.batch_id,
        status=seen.status,
        hint=f"the order stands; wait for it {'longer, with --timeout' if when else 'with --wait'}",
    )


def failed(seen: Look, said: str | None = None) -> BatchFailedError:
    """Return the error that says: over, and nothing to fetch; without a reason in the detail, with what was said."""
    reason = (seen.detail.reject_reason if seen.detail is not None else None) or said
    why = f": {clean(reason)}" if reason else ""
    return BatchFailedError(
        f"batch {seen.batch_id} ended as {clean(seen.status)}{why}",
        batch_id=seen.batch_id,
        status=seen.status,
        reason=reason,
    )


def why_not(transport: Transport, batch_id: int, error: APIError) -> SectigoError:
    """Return what a refused download means: not ready yet, over, or just what the service said."""
    if error.status in (401, 403) or error.status in PASSING:
        return error
    try:
        seen = look(transport, batch_id)
    except (APIError, InvalidReplyError):
        return error
    if seen.verdict is Verdict.READY:
        return error
    return failed(seen, error.server_message) if seen.verdict is Verdict.FAILED else not_ready(seen)
