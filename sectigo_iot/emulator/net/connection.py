"""One connection: uvicorn's protocol with a wire under it."""

from __future__ import annotations

import asyncio
import time

import h11
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from sectigo_iot.emulator.exchange.replies import RefusalError, error_reply
from sectigo_iot.emulator.net.wire import Wire


class Connection(H11Protocol):
    """Has a wire under it; answers what is not even HTTP in the same four fields as every other fault."""

    wire: Wire

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Put the wire between, and give the application its own way in."""
        self.wire = Wire(transport)
        self._served, self.app = self.app, self._call
        super().connection_made(self.wire)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell the wire too."""
        self.wire.lost()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Receive, unless nobody listens any more."""
        if not self.wire.deaf:
            super().data_received(data)

    def timeout_keep_alive_handler(self) -> None:
        """Close a connection that is not used, but not one whose last reply is still on its way."""
        if self.wire.busy:
            wait, again = self.timeout_keep_alive, self.timeout_keep_alive_handler
            self.timeout_keep_alive_task = self.loop.call_later(wait, again)
        else:
            super().timeout_keep_alive_handler()

    def send_400_response(self, msg: str) -> None:
        """Answer and close."""
        self._refuse(RefusalError(400, msg))

    def eof_received(self) -> None:
        """Answer, as the service does, a request whose body ends before the length that it declares, and close."""
        cycle: RequestResponseCycle | None = self.cycle
        if cycle is not None and cycle.more_body and not cycle.response_started:
            # Nobody is left to hear what the application would say.
            cycle.disconnected = True
            cycle.message_event.set()
            self._refuse(RefusalError(500, "the body ends before its Content-Length"))

    async def _call(self, scope: Scope, receive: Receive, send: Send) -> None:
        cycle = self.cycle
        scope.setdefault("extensions", {})["wire"] = self.wire
        self.wire.begin()
        await self._served(scope, receive, send)
        if self.wire.silent and not cycle.response_complete:
            # Otherwise uvicorn would answer in the application's place.
            cycle.disconnected = True
            self.wire.close()

    def _refuse(self, refusal: RefusalError) -> None:
        if self.conn.our_state not in (h11.IDLE, h11.SEND_RESPONSE):
            # A reply has begun, and there cannot be two.
            self.transport.close()
            return
        reply = error_reply(refusal, time.time())
        headers = [*reply.raw_headers, (b"connection", b"close")]
        events = (
            h11.Response(status_code=refusal.status, headers=headers),
            h11.Data(data=bytes(reply.body)),
            h11.EndOfMessage(),
        )
        for event in events:
            self.transport.write(self.conn.send(event))
        self.transport.close()
