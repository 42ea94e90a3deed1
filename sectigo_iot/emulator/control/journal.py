"""The journal as others may read it: each request and its reply, without what is secret."""

from __future__ import annotations

import re
import time
from collections import deque
from collections.abc import Iterable

from msgspec import Struct

from sectigo_iot.emulator.control.asking import Asked, Limit, iso
from sectigo_iot.emulator.memory.journal import Entry
from sectigo_iot.emulator.memory.masking import MASK, Masker
from sectigo_iot.emulator.service import Service

_SECRET_CALLS = ("authenticate", "refresh", "createSingleCertBatch")
_SECRET_IN_QUERY = re.compile(r"([?&][^=&]*(?:password|secret|token|passphrase)[^=&]*=)[^&]+", re.IGNORECASE)


class Message(Struct, frozen=True, kw_only=True):
    """A request or a reply. A binary body is null; `size` counts all of its bytes, of which the first are kept."""

    headers: dict[str, str]
    body: str | None
    size: int


class JournalEntry(Struct, frozen=True, kw_only=True):
    """One request. `status` is what was answered, `handled` what would have been, had no fault struck."""

    number: int
    time: str
    method: str
    path: str
    call: str
    client: str
    user: str | None
    batch: int | None
    status: int | None
    handled: int | None
    fault: str | None
    seconds: float
    ended: bool
    request: Message
    reply: Message


class JournalQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which requests are shown: the newest of those behind the number `after`, and how many at the most."""

    after: int = 0
    limit: Limit = 100
    call: str | None = None
    batch: int | None = None


class JournalSize(Struct, frozen=True, kw_only=True):
    """The number of the latest request, and how many are kept."""

    last: int
    kept: int


async def journal(asked: Asked) -> list[JournalEntry]:
    """The requests, the newest last."""
    query = asked.query
    found = (each for each in asked.service.journal.entries(query.after) if _fits(each, query))
    masker = _masker(asked.service)
    return [_shown(each, masker) for each in deque(found, maxlen=query.limit)]


async def clear(asked: Asked) -> JournalSize:
    """Forget every request."""
    asked.service.journal.clear()
    return JournalSize(last=asked.service.journal.last, kept=len(asked.service.journal))


def _fits(entry: Entry, query: JournalQuery) -> bool:
    return query.call in (None, entry.call) and query.batch in (None, entry.batch_id)


def _masker(service: Service) -> Masker:
    words = [member.user.password for member in service.users.by_name.values()]
    profiles = service.records.table("profiles").values()
    names = [p.name for profile in profiles for p in profile.parameters if p.input_type == "password"]
    return Masker(words, names)


def _shown(entry: Entry, masker: Masker) -> JournalEntry:
    return JournalEntry(
        number=entry.number,
        time=iso(entry.time),
        method=entry.method,
        path=masker.text(_SECRET_IN_QUERY.sub(rf"\1{MASK}", entry.path)),
        call=entry.call,
        client=entry.client,
        user=None if entry.user is None else masker.text(entry.user),
        batch=entry.batch_id,
        status=entry.status,
        handled=entry.handled,
        fault=entry.fault,
        seconds=round(entry.seconds if entry.ended else time.monotonic() - entry.seconds, 6),
        ended=entry.ended,
        request=_message(entry, entry.request_headers, entry.request_body, entry.request_size, masker),
        reply=_message(entry, entry.reply_headers, entry.reply_body, entry.reply_size, masker),
    )


def _message(entry: Entry, headers: Iterable[tuple[str, str]], body: bytes, size: int, masker: Masker) -> Message:
    media_type = next((value for name, value in headers if name.lower() == "content-type"), "")
    whole = len(body) == size
    shown = masker.body(body, media_type.lower(), whole=whole, secret=entry.call in _SECRET_CALLS)
    # A JSON text may spell half a surrogate pair, which no encoding can carry.
    readable = None if shown is None else shown.encode("utf-8", "replace").decode()
    return Message(headers=masker.headers(headers), body=readable, size=size)
