"""One batch seen from every side: what each call says of it, what contradicts, and what it all means together.

It judges by `polling.judge`, the table by which a batch is waited for, and has no opinion of its own. Each call may
fail by itself; only where none of the three that count answers is there nothing to explain.
"""

from __future__ import annotations

import json
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple, TypeVar

from sectigo_iot.api import batches, raw
from sectigo_iot.errors import APIError, NotAuthenticatedError, NotAuthorizedError, SectigoError, TransportError
from sectigo_iot.pages import is_page
from sectigo_iot.polling import Verdict, judge
from sectigo_iot.redaction import REDACTED, Hider
from sectigo_iot.sensitive import LARGEST, secrets_in
from sectigo_iot.statuses import COLLECTABLE, TERMINAL, BatchStatus, StatusText

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from sectigo_iot.models import Batch, ProcessingInfo, RawReply
    from sectigo_iot.transport import Transport

AUDIT_SECONDS = 10.0
"""Seconds that the audit log may take: it decides nothing, and must neither hold up what does nor cost a session."""
DETAIL, COUNTS, TEXT, AUDIT_LOG = "batchDetail", "batchProcessingInfo", "batchStatus", "batchAuditLog"
_ENDED_LATER = frozenset({BatchStatus.REVOKED, BatchStatus.REMOVED_AFTER_EXPIRATION})

_T = TypeVar("_T")


class _Statements(NamedTuple):
    batch_id: int
    verdict: Verdict | None
    detail: Batch | None
    info: ProcessingInfo | None
    text: StatusText | None
    audit_log: str | None
    contradictions: tuple[str, ...]
    missing: Mapping[str, SectigoError]


class Explanation(_Statements):
    """What the service says of a batch, call by call, and what it means.

    What a call did not answer is None, and `missing` has its error, by the call's name. `verdict` is None where what
    is missing might decide. `audit_log` is the text that came, of which no shape is known: passwords hidden, cut to
    64 KiB, None where this service offers none. `contradictions` has a sentence for each pair of statements that do
    not agree.
    """

    def __repr__(self) -> str:
        return f"<Explanation of batch {self.batch_id}: {self.verdict.value if self.verdict else 'unknown'}>"

    @property
    def partly(self) -> bool:
        """Whether it can be fetched, and some of its certificates failed."""
        return self.verdict is Verdict.READY and self.info is not None and self.info.failed > 0

    @property
    def status(self) -> str:
        """The most telling status there is; empty where there is none."""
        return str(_telling(self.detail, self.text))

    @property
    def reason(self) -> str | None:
        """Why it was rejected, in the service's words, if it says so."""
        return (self.detail.reject_reason if self.detail is not None else None) or None

    def redacted(self, text: str) -> str:
        """Return a text without the passwords that it and this batch's own documents hold.

        What has more than a MiB, or holds more of them than can be looked for in a second or two, is hidden whole.
        """
        if self._hide is None or len(text) > LARGEST:
            return REDACTED
        return self._hide.joined(secrets_in(text, words=True))(text)

    @cached_property
    def _hide(self) -> Hider | None:
        """What hides the passwords that the detail holds; None where that is too much to be searched."""
        held = self.detail.generator_parameters_values if self.detail is not None else None
        if held is not None and len(json.dumps(held)) > LARGEST:
            return None
        return Hider(secrets_in(held, words=True))


def explain(transport: Transport, batch_id: int) -> Explanation:
    """Ask everything that the service says of a batch. Raises the first error where no call that counts answers."""
    missing: dict[str, SectigoError] = {}
    detail = _asked(missing, DETAIL, lambda: batches.batch_detail(transport, batch_id))
    info = _asked(missing, COUNTS, lambda: batches.processing_info(transport, batch_id))
    text = _asked(missing, TEXT, lambda: batches.batch_status(transport, batch_id))
    if len(missing) == 3:
        raise missing[DETAIL]
    log = _audit_log(transport.unrenewed().limited(AUDIT_SECONDS), batch_id, missing)
    told = weighed(batch_id, detail, info, text)._replace(missing=missing)
    return told._replace(audit_log=told.redacted(log) if log is not None else None)


def weighed(batch_id: int, detail: Batch | None, info: ProcessingInfo | None, text: StatusText | None) -> Explanation:
    """Return what these statements mean together, as far as there are any."""
    told = Explanation(batch_id, _judged(detail, info, text), detail, info, text, None, (), {})
    return told._replace(contradictions=tuple(_contradictions(told)))


def _asked(missing: dict[str, SectigoError], name: str, ask: Callable[[], _T]) -> _T | None:
    """Ask, and note what goes wrong. A log-in that fails is not tried again for the next call."""
    try:
        return ask()
    except NotAuthenticatedError:
        raise
    except (APIError, TransportError) as error:
        if isinstance(error, NotAuthorizedError) and error.action == "authenticate":
            raise
        missing[name] = error
        return None


def _judged(detail: Batch | None, info: ProcessingInfo | None, text: StatusText | None) -> Verdict | None:
    """Return the table's verdict, as far as what is known decides; what is missing must not be able to change it."""
    said = text or StatusText("", BatchStatus(""))
    if info is None:
        over = said.terminal or (detail is not None and detail.status.terminal)
        return Verdict.FAILED if over else None
    verdict = judge(info, said, detail)
    open_yet = verdict is Verdict.WAITING and info.active <= 0
    return None if open_yet and (detail is None or text is None) else verdict


def _telling(detail: Batch | None, text: StatusText | None) -> BatchStatus:
    """Return the status that ends it, wherever it stands; else that of the words, else that of the detail."""
    said = [text.internal or text.status] if text is not None else []
    said += [detail.status] if detail is not None else []
    return next((each for each in said if each.terminal), said[0] if said else BatchStatus(""))


# The audit log


def _audit_log(transport: Transport, batch_id: int, missing: dict[str, SectigoError]) -> str | None:
    """Return what came; None where there is no such call here, which is no fault of the batch's."""
    try:
        reply = raw.raw(transport, AUDIT_LOG, (batch_id,), "GET", None, None)
    except SectigoError as error:
        if not (isinstance(error, APIError) and error.status in (404, 405, 501)):
            missing[AUDIT_LOG] = error
        return None
    return _log_in(reply)


def _log_in(reply: RawReply) -> str | None:
    text = reply.text.strip()
    return None if is_page(reply.media_type, reply.body) or text in ("", "null") else text


# What contradicts


def _contradictions(told: Explanation) -> Iterator[str]:
    if told.detail is not None:
        yield from _within_the_detail(told.detail, told.batch_id, told.verdict)
    if told.detail is not None and told.text is not None:
        yield from _detail_against_text(told.detail.status, told.text)
    for what, status in _statuses(told.detail, told.text):
        if told.info is not None:
            yield from _status_against_counts(what, status, told.info)
    if told.detail is not None and told.info is not None:
        yield from _detail_against_counts(told.detail, told.info)


def _statuses(detail: Batch | None, text: StatusText | None) -> Iterator[tuple[str, BatchStatus]]:
    """Return each status once, and where it stands."""
    said = text.internal or text.status if text is not None else None
    if detail is not None and detail.status != said:
        yield f"the detail says {detail.status or 'nothing'}", detail.status
    if said is not None:
        both = detail is not None and detail.status == said
        yield f"{'detail and status text say' if both else 'the status text says'} {said}", said


def _within_the_detail(detail: Batch, batch_id: int, verdict: Verdict | None) -> Iterator[str]:
    if detail.batch_id != batch_id:
        yield f"batch {batch_id} was asked for, and the detail is that of batch {detail.batch_id}"
    if detail.downloadable and verdict in (Verdict.WAITING, Verdict.FAILED):
        yield "downloadable is true, but there is nothing to fetch: it reads so from the order on, and means nothing"
    if not detail.downloadable and verdict is Verdict.READY:
        yield "downloadable is false, although it can be fetched by all that counts"
    if detail.reject_reason and verdict not in (Verdict.FAILED, None):
        yield "there is a reject reason, but nothing says that it was rejected"
    if detail.active and detail.status.terminal:
        yield f"active is true, but the detail says {detail.status}, which is an end"


def _detail_against_text(status: BatchStatus, text: StatusText) -> Iterator[str]:
    said = text.internal or text.status
    if status == said:
        return
    both = f"the detail says {status or 'nothing'} while the status text says {text.text!r}"
    if said in COLLECTABLE and (status in COLLECTABLE or not status):
        yield f"{both}: seen live in December 2021, and no fault"
    elif said.terminal or status.terminal:
        yield f"{both}: an end counts, wherever it stands"
    elif status in COLLECTABLE or said in COLLECTABLE:
        yield f"{both}: one of them is ahead of the other, and the counts decide"
    else:
        yield both


def _status_against_counts(what: str, status: BatchStatus, info: ProcessingInfo) -> Iterator[str]:
    counts = f"{info.active} in work, {info.success} issued, {info.failed} failed"
    nothing = info.active <= 0 and info.success <= 0 and info.failed <= 0
    if status in COLLECTABLE and info.active > 0:
        yield f"{what}, but {info.active} in work: it waits for them"
    elif status in COLLECTABLE and info.success <= 0:
        yield f"{what}, but none is issued ({counts})"
    elif status in TERMINAL - _ENDED_LATER and info.success > 0:
        yield f"{what}, although {info.success} issued: they may be paid for"
    elif status in TERMINAL and info.active > 0:
        yield f"{what}, but {info.active} in work"
    elif status is BatchStatus.PROCESSING and nothing:
        yield f"{what}, but the counts are 0/0/0"
    elif status and status not in TERMINAL | COLLECTABLE and info.active <= 0 and not nothing:
        yield f"{what}, but nothing is in work any more ({counts})"
    elif status in COLLECTABLE and info.failed > 0:
        yield f"{what}, but {info.failed} failed: it is issued in part"
    if status and not status.known:
        yield f"{what}: a status that nobody has heard of, which counts as not ready"


def _detail_against_counts(detail: Batch, info: ProcessingInfo) -> Iterator[str]:
    total = info.active + info.success + info.failed
    if detail.active and info.active <= 0:
        yield "active is true, but the counts have nothing in work"
    if not detail.active and info.active > 0:
        yield f"active is false, but {info.active} in work"
    if not detail.active and total == 0 and not detail.status.terminal:
        yield "active is false and the counts are 0/0/0: neither in work nor done, as it reads right after an order"
    if detail.size is not None and total not in (0, detail.size):
        # Python writes no number of more than 4300 digits.
        yield f"the counts add up to {total if total < 10**1000 else 'far more'}, but the size is {detail.size}"
