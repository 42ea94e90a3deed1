"""The stream that tells a page whenever something changed."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

import msgspec
from msgspec import Struct
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sectigo_iot.emulator.control.asking import Asked, iso
from sectigo_iot.emulator.memory.store import NotKeptError
from sectigo_iot.emulator.net.wire import Wire
from sectigo_iot.emulator.service import Service

_TICK = 0.1
_BEATS = 150
"""Ticks after which a line is sent that says nothing, so that a connection that is dead is found out."""


class Change(Struct, frozen=True, kw_only=True):
    """Where the emulator stands: numbers that rise, its time, and how many rules and one-shots there are."""

    state: int
    journal: int
    time: str
    faults: int


async def events(asked: Asked) -> Response:
    """Tell of each change, as server-sent events."""
    return EventStream(asked.service)


class EventStream(Response):
    """A reply that goes on until the client goes or the server ends."""

    media_type = "text/event-stream"

    def __init__(self, service: Service) -> None:
        super().__init__()
        del self.headers["content-length"]
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send what changes."""
        wire: Wire = scope["extensions"]["wire"]
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        gone, told = asyncio.ensure_future(wire.gone()), asyncio.ensure_future(self._tell(send))
        try:
            await asyncio.wait((gone, told), return_when=asyncio.FIRST_COMPLETED)
        finally:
            gone.cancel()
            told.cancel()
            await asyncio.gather(gone, told, return_exceptions=True)
        # A client that does not read cannot be told that this is the end.
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(send({"type": "http.response.body", "body": b""}), _TICK)
            return
        wire.abort()

    async def _tell(self, send: Send) -> None:
        async for piece in _pieces(self._service):
            await send({"type": "http.response.body", "body": piece, "more_body": True})


async def _pieces(service: Service) -> AsyncIterator[bytes]:
    before: object = None
    quiet = 0
    while True:
        with contextlib.suppress(NotKeptError):
            service.state.settle()
        now = _standing(service)
        quiet += 1
        if now != before:
            yield _event(service)
            before, quiet = now, 0
        elif quiet >= _BEATS:
            yield b": still here\n\n"
            quiet = 0
        await asyncio.sleep(_TICK)


def _standing(service: Service) -> object:
    """Return what differs from before whenever a page would show something else."""
    plan, destiny = service.plan, service.destiny
    return (
        service.state.version,
        service.journal.changes,
        service.clock.ahead,
        plan.rules,
        plan.queued,
        tuple(destiny.queued),
        tuple(service.snapshots),
    )


def _event(service: Service) -> bytes:
    change = Change(
        state=service.state.version,
        journal=service.journal.last,
        time=iso(service.now),
        faults=len(service.plan.rules) + len(service.plan.queued),
    )
    return b"event: change\ndata: " + msgspec.json.encode(change) + b"\n\n"
