"""What was asked of the emulator and what it answered: the last requests whole, and of all of them what counts."""

from __future__ import annotations

import hashlib
import time
from collections import Counter, deque
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import parse_object
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.exchange.visit import Visit
from sectigo_iot.emulator.memory.known import KnownSecrets, mask_words
from sectigo_iot.emulator.memory.masking import CUT, secret_parameters

if TYPE_CHECKING:
    from sectigo_iot.emulator.service import Service

BODY_LIMIT = 4096
"""The most bytes of a body that are kept."""
NAME_LIMIT = 256
"""The most characters of a user's name, a batch's name and a common name that are kept."""
PATH_LIMIT = 2048
"""The most characters of a path with its query that are kept."""
_HEADER_LIMIT = 1024
_HEADERS_LIMIT = 8192
_METHOD_LIMIT = 32
_REFUSAL_LIMIT = 512
_LOOKED_AT = 4096
"""The most characters of a name in which a password is looked for, before it is cut."""
_ORDERS_KEPT = 20_000
_DOWNLOADS_KEPT = 1_000
"""Of each batch."""
ORDERS = ("createSingleCertBatch", "upload")
POLLS = ("batchDetail", "batchStatus", "batchProcessingInfo")


@dataclass(slots=True)
class Entry:
    """One request. Times are seconds since the epoch, by the emulator's clock; `seconds` is what it really took."""

    number: int
    time: float
    method: str
    path: str
    call: str
    client: str
    request_headers: list[tuple[str, str]] = field(repr=False)
    request_body: bytes = field(default=b"", repr=False)
    request_size: int = 0
    user: str | None = None
    status: int | None = None
    """What was answered; None while nothing is, and where nothing was."""
    handled: int | None = None
    """How the service would have answered, had no fault struck; None if it never came to that."""
    reply_headers: list[tuple[str, str]] = field(default_factory=list, repr=False)
    reply_body: bytes = field(default=b"", repr=False)
    reply_size: int = 0
    fault: str | None = None
    batch_id: int | None = None
    ended: bool = False
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Ordered:
    """One order that was asked for. `session` tells the access tokens apart; it is none of them."""

    number: int
    time: float
    until: float
    batch_name: str
    common_name: str
    user: str | None
    session: str
    client: str
    batch_id: int | None
    """The batch that it made; None where it was refused, or never came to be handled."""
    refused: str | None
    """The words of the refusal."""
    fault: str | None


class Journal:
    """The last `size` requests, every order and download, and counts of log-ins and polls."""

    def __init__(self, size: int) -> None:
        self._entries: deque[Entry] = deque(maxlen=size)
        self.known = KnownSecrets()
        """The passwords of orders; they stay known when everything else is forgotten."""
        self.clear()

    def clear(self) -> None:
        """Forget everything but how many requests there were."""
        self.changes += 1
        self._entries.clear()
        self.orders: deque[Ordered] = deque(maxlen=_ORDERS_KEPT)
        self.logins: Counter[tuple[str, int | None]] = Counter()
        """How often each user name was answered with which status; names that are nobody's count as empty."""
        self.polls: Counter[tuple[int, int]] = Counter()
        """How often each batch was looked at in each minute since the epoch."""
        self.downloads: dict[int, list[float]] = {}
        """When each batch was downloaded."""

    def __len__(self) -> int:
        return len(self._entries)

    @property
    def last(self) -> int:
        """The number of the latest request."""
        return self._last

    _last = 0

    changes = 0
    """Rises whenever a request comes or ends, and when everything is forgotten."""

    def entries(self, after: int = 0) -> Iterator[Entry]:
        """Yield the requests that are kept, from the first behind a number on."""
        yield from (each for each in tuple(self._entries) if each.number > after)

    def begin(self, visit: Visit) -> Entry:
        """Note that a request has come."""
        if not self._last:
            self._note_pending(visit.service)
        self._last += 1
        self.changes += 1
        scope = visit.request.scope
        query = scope.get("query_string", b"")
        client = scope.get("client") or ("", 0)
        entry = Entry(
            number=self._last,
            time=visit.service.now,
            method=cut(scope["method"], _METHOD_LIMIT),
            path=_latin(scope["raw_path"] + b"?" + query if query else scope["raw_path"], PATH_LIMIT),
            call=cut(visit.endpoint, PATH_LIMIT),
            client=f"{client[0]}:{client[1]}",
            request_headers=_headers(scope["headers"]),
            seconds=time.monotonic(),
        )
        self._entries.append(entry)
        return entry

    def end(self, entry: Entry, visit: Visit, response: Response | None) -> None:
        """Note what came of it; a response of None was not sent."""
        entry.seconds = time.monotonic() - entry.seconds
        entry.ended = True
        self.changes += 1
        body = visit.body
        entry.request_body, entry.request_size = body[:BODY_LIMIT], len(body)
        user = visit.user.username if visit.user is not None else visit.login
        entry.user = None if user is None else cut(user, NAME_LIMIT)
        entry.fault, entry.batch_id = visit.fault, visit.batch_id
        entry.handled = visit.handled.status_code if visit.handled is not None else None
        if response is not None:
            content = bytes(response.body)
            entry.status = response.status_code
            entry.reply_headers = _headers(response.raw_headers)
            entry.reply_body, entry.reply_size = content[:BODY_LIMIT], len(content)
        self._count(entry, visit)

    def as_noted(self, name: str, service: Service) -> str:
        """Return the name of an order as it is noted: cut, and without the passwords that are known."""
        passwords = (each.user.password for each in service.users.by_name.values())
        clean = mask_words(self.known.mask(name[:_LOOKED_AT]), (each for each in passwords if len(each) >= 4))
        return cut(clean if len(name) <= _LOOKED_AT else clean + CUT, NAME_LIMIT)

    def _note_pending(self, service: Service) -> None:
        """Note the passwords of what a folder has kept to be made."""
        for job in service.records.table("jobs").values():
            self._note_secrets(job.parameters, service)

    def _note_secrets(self, parameters: Mapping[str, object], service: Service) -> None:
        for name in secret_parameters(service.records.table("profiles").values()):
            value = parameters.get(name)
            if isinstance(value, str):
                self.known.note(value)

    def _note_order(self, entry: Entry, visit: Visit) -> None:
        if entry.call == "createSingleCertBatch":
            self._note_secrets(_parameters(visit.body), visit.service)
        accepted = entry.handled is not None and entry.handled < 300
        refusal = None if accepted else visit.refusal
        self.orders.append(
            Ordered(
                number=entry.number,
                time=entry.time,
                until=visit.service.now,
                batch_name=self.as_noted(visit.batch_name, visit.service),
                common_name=self.as_noted(visit.common_name, visit.service),
                user=entry.user,
                session=_session(visit),
                client=entry.client,
                batch_id=entry.batch_id if accepted else None,
                refused=None if refusal is None else cut(refusal, _REFUSAL_LIMIT),
                fault=entry.fault,
            )
        )

    def _count(self, entry: Entry, visit: Visit) -> None:
        if entry.call in POLLS and entry.batch_id is not None:
            self._count_poll(entry.batch_id, int(entry.time // 60))
        elif entry.call in ORDERS:
            self._note_order(entry, visit)
        elif entry.call == "authenticate":
            known = visit.login is not None and visit.login in visit.service.users.by_name
            status = entry.handled if entry.status is None else entry.status
            self.logins[visit.login or "" if known else "", status] += 1
        elif entry.call == "download" and entry.batch_id is not None and entry.handled == 200:
            times = self.downloads.setdefault(entry.batch_id, [])
            if len(times) < _DOWNLOADS_KEPT:
                times.append(entry.time)

    def _count_poll(self, batch_id: int, minute: int) -> None:
        self.polls[batch_id, minute] += 1
        if len(self.polls) > 2 * _ORDERS_KEPT:
            oldest = sorted(self.polls, key=lambda each: each[1])[:_ORDERS_KEPT]
            for each in oldest:
                del self.polls[each]


def cut(text: str, limit: int) -> str:
    """Return a text of so many characters at the most; what was cut ends with an ellipsis."""
    return text if len(text) <= limit else text[: limit - 1] + CUT


def _latin(raw: bytes, limit: int) -> str:
    return cut(raw[: limit + 1].decode("latin-1"), limit)


def _headers(raw: Iterable[tuple[bytes, bytes]]) -> list[tuple[str, str]]:
    """Return headers as they are kept: each cut, and no more of them than fit."""
    kept: list[tuple[str, str]] = []
    room = _HEADERS_LIMIT
    for name, value in raw:
        room -= min(len(name), _HEADER_LIMIT) + min(len(value), _HEADER_LIMIT)
        if room < 0:
            return [*kept, (CUT, CUT)]
        kept.append((_latin(name, _HEADER_LIMIT), _latin(value, _HEADER_LIMIT)))
    return kept


def _parameters(body: bytes) -> Mapping[str, object]:
    try:
        found = parse_object(body).get("profileParams")
    except RefusalError:
        return {}
    return found if isinstance(found, dict) else {}


def _session(visit: Visit) -> str:
    header = visit.request.headers.get("authorization", "")
    return hashlib.sha256(header.encode("utf-8", "replace")).hexdigest()[:12]
