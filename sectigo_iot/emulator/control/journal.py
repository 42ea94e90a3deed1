"""The journal as others may read it: each request and its reply, without what is secret."""

from __future__ import annotations

import difflib
import time
from collections import deque

from msgspec import Struct

from sectigo_iot.emulator.control.asking import Asked, Limit, iso
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.memory.journal import NAME_LIMIT, PATH_LIMIT, Entry, cut
from sectigo_iot.emulator.memory.masking import Masker
from sectigo_iot.emulator.service import Service
from sectigo_iot.endpoints import ENDPOINTS, find_endpoint


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
    """Which requests are shown: the newest of those behind the number `after`, and how many at the most.

    `call` is the name of an endpoint, or the path of what is none.
    """

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
    call = None if query.call is None else _call_of(query.call)
    kept = asked.service.journal.entries(query.after)
    found = (each for each in kept if call in (None, each.call) and query.batch in (None, each.batch_id))
    masker = _masker(asked.service)
    return [_shown(each, masker) for each in deque(found, maxlen=query.limit)]


async def clear(asked: Asked) -> JournalSize:
    """Forget every request."""
    asked.service.journal.clear()
    return JournalSize(last=asked.service.journal.last, kept=len(asked.service.journal))


def _call_of(name: str) -> str:
    """Return the call of this name as it is noted. Refuses (422) what can be none."""
    if name.startswith("/"):
        return cut(name, PATH_LIMIT)
    endpoint = find_endpoint(name)
    if endpoint is None:
        near = difflib.get_close_matches(name[:NAME_LIMIT], ENDPOINTS, n=1)
        hint = f"did you mean {near[0]!r}?" if near else "it is one of those, or a path that begins with '/'"
        raise RefusalError(422, f"call: there is no endpoint {cut(name, NAME_LIMIT)!r}; {hint}")
    return endpoint.name


def _masker(service: Service) -> Masker:
    words = [member.user.password for member in service.users.by_name.values()]
    return Masker(words, service.records.table("profiles").values(), service.journal.known)


def _shown(entry: Entry, masker: Masker) -> JournalEntry:
    return JournalEntry(
        number=entry.number,
        time=iso(entry.time),
        method=entry.method,
        path=masker.address(entry.path),
        call=masker.text(entry.call),
        client=entry.client,
        user=None if entry.user is None else masker.text(entry.user),
        batch=entry.batch_id,
        status=entry.status,
        handled=entry.handled,
        fault=entry.fault,
        seconds=round(entry.seconds if entry.ended else time.monotonic() - entry.seconds, 6),
        ended=entry.ended,
        request=_request(entry, masker),
        reply=_reply(entry, masker),
    )


def _request(entry: Entry, masker: Masker) -> Message:
    headers, size = entry.request_headers, entry.request_size
    shown = masker.request(entry.call, entry.request_body, _media_type(headers), size)
    return Message(headers=masker.headers(headers), body=_readable(shown), size=size)


def _reply(entry: Entry, masker: Masker) -> Message:
    headers, size = entry.reply_headers, entry.reply_size
    shown = masker.reply(entry.call, entry.reply_body, _media_type(headers), size)
    return Message(headers=masker.headers(headers), body=_readable(shown), size=size)


def _media_type(headers: list[tuple[str, str]]) -> str:
    return next((value for name, value in headers if name.lower() == "content-type"), "")


def _readable(text: str | None) -> str | None:
    # A JSON text may spell half a surrogate pair, which no encoding can carry.
    return None if text is None else text.encode("utf-8", "replace").decode()
