"""One running server: uvicorn in a thread of its own, on a socket that was bound before."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from sectigo_iot.emulator.replies import RefusalError, error_reply

_GRACE = 1.0
"""Seconds that requests under way get to finish when the server is ended."""
_LAST_WORDS = 0.2
"""Seconds that those get which did not, to be answered so."""


class ServerThread:
    """Serves an application until it is stopped: `stopping` is called before that, `ended` when it is over."""

    def __init__(
        self, app: ASGIApp, listener: socket.socket, stopping: Callable[[], None], ended: Callable[[], None]
    ) -> None:
        self._listener = listener
        self._ended = ended
        self._ready = threading.Event()
        self._server = _Server(_config(app), self._ready, stopping)
        self._thread = threading.Thread(target=self._run, name="sectigo-emulator", daemon=True)

    def start(self) -> None:
        """Return once requests are answered. Raises RuntimeError if the server ends before."""
        self._thread.start()
        self._ready.wait()
        if not self._server.started:
            self._thread.join()
            raise RuntimeError("the emulator's server did not start")

    def stop(self) -> None:
        """End the server, and return once its thread is gone."""
        self._server.ask_to_stop()
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._server.serve(sockets=[self._listener]))
        finally:
            self._listener.close()
            self._ready.set()
            self._ended()


class _Server(uvicorn.Server):
    """Wakes at once to stop, where uvicorn looks ten times a second; leaves signals alone, being in a thread."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event, stopping: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready
        self._stopping = stopping
        self._asked: asyncio.Event | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    def ask_to_stop(self) -> None:
        """May be called from any thread, once the server is ready."""
        self.should_exit = True
        if self._loop is not None and self._asked is not None and not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._asked.set)

    async def main_loop(self) -> None:
        """Serve until asked to stop; the reply's date is set once a second."""
        self._loop = asyncio.get_running_loop()
        self._asked = asyncio.Event()
        await self.on_tick(0)
        self._ready.set()
        while not self.should_exit:
            try:
                await asyncio.wait_for(self._asked.wait(), 1)
            except TimeoutError:
                await self.on_tick(0)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Let requests under way finish for a while, cancel what is left, which is still answered, and end."""
        self._stopping()
        for server in self.servers:
            server.close()
        for connection in tuple(self.server_state.connections):
            connection.shutdown()
        if not await self._is_idle_within(_GRACE):
            for task in tuple(self.server_state.tasks):
                task.cancel()
            await self._is_idle_within(_LAST_WORDS)
        await self.lifespan.shutdown()

    async def _is_idle_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while self.server_state.tasks or self.server_state.connections:
            if time.monotonic() > end:
                return False
            await asyncio.sleep(0.005)
        return True


class _Protocol(H11Protocol):
    """Answers what is not even HTTP in the same four fields as every other fault."""

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

    def _refuse(self, refusal: RefusalError) -> None:
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


def _config(app: ASGIApp) -> uvicorn.Config:
    quiet = logging.getLogger("uvicorn")
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    return uvicorn.Config(
        app,
        http=_Protocol,
        ws="none",
        lifespan="on",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
