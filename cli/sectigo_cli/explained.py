"""What `batches --explain` shows: for somebody who reads it at a terminal, in lines of at most 80 characters."""

from __future__ import annotations

import json
import re
import textwrap
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import harmless

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_iot import Explanation

WIDTH = 80
LABEL = 15
LONGEST_VALUE = 300
"""Characters of one value."""
LOG_LINES, LOG_CHARACTERS = 60, 4000
"""How much of an audit log is shown."""
FIELDS = (
    ("status", "status"),
    ("active", "active"),
    ("downloadable", "downloadable"),
    ("size", "size"),
    ("created", "creationDate"),
    ("name", "batchName"),
    ("order number", "orderNumber"),
    ("profile", "profile"),
    ("reject reason", "rejectReason"),
)
"""What is shown of a detail, and the document's key for it."""


def lines(told: Explanation) -> Iterator[str]:
    """Return the whole view, line by line, without control characters and without passwords."""
    yield f"batch {told.batch_id}"
    sections = (
        ("detail", "batchDetail", _detail(told)),
        ("status text", "batchStatus", _text(told)),
        ("counts", "batchProcessingInfo", _counts(told)),
        ("audit log", "batchAuditLog", _log(told)),
        ("what contradicts", "", _contradictions(told)),
        ("verdict", "", _wrapped(_verdict(told))),
        ("next", "", _next(told)),
    )
    for name, call, content in sections:
        yield f"{name} ({call})" if call else name
        if call in told.missing:
            yield from _wrapped(_one_line(told.redacted(f"not known: {told.missing[call]}")))
        else:
            yield from content


def _detail(told: Explanation) -> Iterator[str]:
    document = told.detail.document if told.detail is not None else {}
    for label, key in FIELDS:
        value = _one_line(told.redacted(_given(document.get(key))))
        yield from _wrapped(value, f"  {label:<{LABEL}}")


def _given(value: Any) -> str:
    if value is None or value == "":
        return "none"
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _text(told: Explanation) -> Iterator[str]:
    yield from _wrapped(_one_line(told.redacted(told.text.text if told.text is not None else "")))


def _counts(told: Explanation) -> Iterator[str]:
    info = told.info
    if info is not None:
        yield from _wrapped(f"{info.active} in work, {info.success} issued, {info.failed} failed")


def _log(told: Explanation) -> Iterator[str]:
    if told.audit_log is None:
        yield "  this service does not offer it"
        return
    text = _indented(told.audit_log)
    shown = [part for line in text[:LOG_CHARACTERS].splitlines() for part in _wrapped(line) or ["  "]]
    yield from shown[:LOG_LINES]
    if len(text) > LOG_CHARACTERS or len(shown) > LOG_LINES:
        yield f"  … `sectigo call batchAuditLog {told.batch_id}` prints all of it"


def _indented(text: str) -> str:
    """Return a document as the other commands print it, and anything else as it came."""
    try:
        return json.dumps(json.loads(text), indent=2, ensure_ascii=False)
    except (ValueError, RecursionError):
        return text


def _contradictions(told: Explanation) -> Iterator[str]:
    for each in told.contradictions or ("nothing",):
        first, *rest = _wrapped(_one_line(told.redacted(each)), "  - " if told.contradictions else "  ")
        yield first
        yield from rest


def _verdict(told: Explanation) -> str:
    from sectigo_iot import Verdict

    if told.verdict is None or told.verdict is Verdict.WAITING:
        return _open(told)
    if told.verdict is Verdict.READY:
        assert told.info is not None
        failed = f", {told.info.failed} failed; what there is can be fetched" if told.partly else ""
        return f"{'partly ready' if told.partly else 'ready'}: {told.info.success} issued{failed}"
    reason = f": {told.redacted(told.reason)}" if told.reason else "; the service gives no reason"
    all_failed = "every certificate failed, at " if not _ended(told) else ""
    return _one_line(f"over: {all_failed}{told.status or 'no status'}{reason}")


def _open(told: Explanation) -> str:
    if told.verdict is None:
        missing = ", ".join(name for name in told.missing if name != "batchAuditLog")
        return f"unknown: without {missing} it cannot be told"
    return f"wait: the service says {_one_line(told.redacted(told.status)) or 'nothing'}; the order stands"


def _ended(told: Explanation) -> bool:
    """Whether a status says that it is over, and not the counts alone."""
    said = (told.detail.status.terminal if told.detail else False, told.text.terminal if told.text else False)
    return any(said)


def _next(told: Explanation) -> Iterator[str]:
    from sectigo_iot import Verdict

    if told.verdict is Verdict.READY:
        yield f"  sectigo download -i {told.batch_id}"
        if told.partly:
            yield from _wrapped("for each name of the order, what became of it:")
            yield "  sectigo find -n NAME"
    elif told.verdict is Verdict.WAITING:
        yield f"  sectigo batches -i {told.batch_id} --wait"
    elif told.verdict is Verdict.FAILED:
        yield from _after_the_end(told)
    else:
        yield from _wrapped("ask again:")
        yield f"  sectigo batches -i {told.batch_id} --explain"


def _after_the_end(told: Explanation) -> Iterator[str]:
    from sectigo_iot import BatchStatus

    if told.status in (BatchStatus.REVOKED, BatchStatus.REMOVED_AFTER_EXPIRATION):
        gone = "they were revoked" if told.status == BatchStatus.REVOKED else "the days for fetching them are over"
        yield from _wrapped(f"its certificates cannot be fetched any more: {gone}. How each of them stands:")
        yield "  sectigo find -n NAME"
        return
    why = "Change what the reason names" if told.reason else "Find out why (the portal may tell)"
    yield from _wrapped(f"nothing can be fetched. {why}, then order again, under a new name.")
    profile = re.search(r"#(\d{1,18})$", (told.detail.profile or "") if told.detail else "")
    known = "" if profile else " (`sectigo authorities` lists each profileId)"
    yield from _wrapped(f"What an order must have{known}:")
    yield f"  sectigo profiles -i {profile[1] if profile else 'ID'} -p"


def _one_line(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= LONGEST_VALUE else f"{line[:LONGEST_VALUE]}…"


def _wrapped(text: str, begin: str = "  ") -> list[str]:
    """Return a text as lines that fit, the first after `begin`, the others below it."""
    return textwrap.wrap(
        harmless(text),
        WIDTH,
        initial_indent=begin,
        subsequent_indent=" " * len(begin),
        break_on_hyphens=False,
    )
