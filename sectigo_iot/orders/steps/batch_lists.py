"""Reading the service's list of batches, whose form is not public: tolerantly, and never more into it than it says.

Its path and the portal's columns (id, size, status, creation date, name) are all that is known of it. What is read
here is believed as presence alone; whether a list is complete is settled by the numbers in it.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from sectigo_iot.errors import APIError, DeadlineError, InvalidReplyError, NotAuthenticatedError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sectigo_iot.orders.protocols import Service

LARGEST_LIST = 64 << 20
"""Bytes of a list that are read; a list that is longer counts as not answered."""
MOST_BATCHES = 250_000
MOST_PAGES = 50
PAGE_SIZE = 200
PASSING = frozenset({429, 502, 503, 504})
"""Statuses of a fault that passes."""

_LISTS = ("items", "content", "batches", "data", "results", "list", "rows", "records", "_embedded")
_TOTALS = ("total", "totalCount", "totalElements", "totalItems", "totalRecords", "total_count")
_IDS = ("batchId", "batch_id", "batchID", "id")
_NAMES = ("batchName", "batch_name", "name")
_TIMES = ("creationDate", "creation_date", "createdAt", "created_at", "created", "createdDate", "createDate")
_SIZES = ("size", "batchSize", "batch_size")
_FURTHER = ("hasNext", "hasMore", "has_next", "has_more", "next", "nextPage")


class ListedBatch(NamedTuple):
    """One batch of a list; what it does not say, or not usably, is None. `created` in seconds since the epoch."""

    batch_id: int | None
    name: str | None
    created: float | None
    size: int | None


class BatchList(NamedTuple):
    """What a list said. `total`: how many batches it says that there are; None where it says nothing of it."""

    batches: tuple[ListedBatch, ...]
    total: int | None
    further: bool = False
    """Whether it says that there is more to come."""

    @property
    def complete(self) -> bool:
        """Whether it has provably all that there are: each with an id of its own, as many as it counts."""
        ids = {each.batch_id for each in self.batches}
        return not self.further and None not in ids and self.total == len(ids) == len(self.batches)


def ask_for_batches(
    service: Service, enough: Callable[[ListedBatch], bool], before: Callable[[], None] = lambda: None
) -> BatchList | None:
    """Return the list of batches, page by page until a batch is `enough`; None where the service has none to show.

    `before` is called before each request, and may end it by what it raises.

    How pages are asked for is not public: `page` from 0 and `size` are tried, and only numbers that come out right
    make the list complete. Raises NotAuthenticatedError, and the errors that pass.

    API: GET /api/v1/batches. Source: known by its path alone.
    """
    first = _asked(service, "batches", before)
    if first is None or first.complete or any(map(enough, first.batches)):
        return first
    if first.total is None and not first.further:
        return first
    found = {each.batch_id: each for each in first.batches}
    totals = {first.total}
    for page in _pages(service, before):
        had = len(found)
        found.update((each.batch_id, each) for each in page.batches)
        totals.add(page.total)
        if len(found) in (had, first.total) or any(map(enough, page.batches)):
            break
    # A total that changes meanwhile proves nothing.
    return BatchList(tuple(found.values()), first.total, further=len(totals) > 1)


def _pages(service: Service, before: Callable[[], None]) -> Iterator[BatchList]:
    for number in range(MOST_PAGES):
        page = _asked(service, f"/api/v1/batches?page={number}&size={PAGE_SIZE}", before)
        if page is None:
            return
        yield page


def _asked(service: Service, call: str, before: Callable[[], None]) -> BatchList | None:
    before()
    try:
        reply = service.raw(call)
    except NotAuthenticatedError:
        raise
    except APIError as error:
        if error.status in PASSING:
            raise
        return None
    except (InvalidReplyError, DeadlineError):
        return None
    return read_batch_list(reply.body)


def read_batch_list(body: bytes) -> BatchList | None:
    """Read an array of batches, or an object that holds one; None for what is neither."""
    if len(body) > LARGEST_LIST or body.lstrip()[:1] not in (b"[", b"{"):
        return None
    try:
        document = json.loads(body, object_pairs_hook=_Reading().take)
    except (ValueError, RecursionError, OverflowError):
        return None
    if isinstance(document, list):
        return _list_of(document, {})
    return _in_object(document, 0) if isinstance(document, dict) else None


class _Reading:
    """Turns each object into what is needed of it as soon as it is read, so that a long list stays small."""

    def __init__(self) -> None:
        self._objects = 0

    def take(self, pairs: list[tuple[str, Any]]) -> object:
        self._objects += 1
        if self._objects > MOST_BATCHES:
            raise ValueError("too many")
        document = dict(pairs)
        holds_a_list = any(isinstance(document.get(key), list | dict) for key in _LISTS)
        if holds_a_list or not any(key in document for key in (*_IDS, *_NAMES)):
            return document
        return _listed(document)


def _listed(document: dict[str, Any]) -> ListedBatch:
    number = integer(_first(document, _IDS))
    name = _first(document, _NAMES)
    return ListedBatch(
        number if number is not None and number > 0 else None,
        name if isinstance(name, str) else None,
        moment(_first(document, _TIMES)),
        integer(_first(document, _SIZES)),
    )


def _first(document: dict[str, Any], keys: tuple[str, ...]) -> Any:
    return next((document[key] for key in keys if document.get(key) is not None), None)


def _in_object(document: dict[str, Any], depth: int) -> BatchList | None:
    for key in (*_LISTS, *(key for key in document if key not in _LISTS)):
        held = document.get(key)
        if isinstance(held, list) and (key in _LISTS or _has_batches(held)):
            return _list_of(held, document)
        if key in _LISTS and isinstance(held, dict) and depth < 3:
            found = _in_object({**document, **held, key: None}, depth + 1)
            if found is not None:
                return found
    return None


def _has_batches(held: list[Any]) -> bool:
    return any(isinstance(each, ListedBatch) for each in held)


def _list_of(held: list[Any], around: dict[str, Any]) -> BatchList | None:
    if held and not _has_batches(held):
        return None
    strange = ListedBatch(None, None, None, None)
    batches = tuple(each if isinstance(each, ListedBatch) else strange for each in held)
    page = around.get("page")
    told = {**page, **around} if isinstance(page, dict) else around
    totals = [number for number in (integer(told.get(key)) for key in _TOTALS) if number is not None]
    # Where several are given, and for `count`, which may be that of a page: the largest.
    counts = [integer(told.get("count")) or 0, *totals]
    return BatchList(batches, max(counts) if totals else None, _says_more(told))


def _says_more(told: dict[str, Any]) -> bool:
    return told.get("last") is False or any(told.get(key) not in (None, False, "") for key in _FURTHER)


def integer(value: object) -> int | None:
    """Return a whole number that came as such or as text, else None."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    usable = isinstance(value, str) and value.isascii() and value.isdigit() and len(value) < 20
    return int(str(value)) if usable else None


def moment(value: object) -> float | None:
    """Return a time in seconds since the epoch, from ISO 8601 or from a number of seconds or milliseconds."""
    number = integer(value)
    if number is not None:
        return number / 1000 if number > 100_000_000_000 else float(number)
    try:
        time = datetime.fromisoformat(str(value))
        return (time if time.tzinfo else time.replace(tzinfo=UTC)).timestamp()
    except (ValueError, OverflowError):
        return None
