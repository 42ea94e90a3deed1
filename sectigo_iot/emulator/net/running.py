"""The running servers: uvicorn's protocol on one or more sockets that were bound before, in one thread."""

from __future__ import annotations

import asyncio
import functools
import itertools
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import uvicorn
from starlette.types import ASGIApp

from sectigo_iot.emulator.net.connection import Connection
from sectigo_iot.emulator.net.door import BACKLOG, Door, Doors

_GRACE = 1.0
"""Seconds that requests under way get to finish when the server is ended."""
_LAST_WORDS = 0.2
"""Seconds that those get which did not, to be answered so."""


@dataclass(frozen=True, slots=True)
class Listening:
    """An application and the bound socket that it is served on."""

    name: str
    """What it is called when it cannot be started."""
    app: ASGIApp
    socket: socket.socket
    context: ssl.SSLContext | None = None
    """By which TLS is spoken; None for none."""
    lifespan: bool = False
    """Whether the application is told when it starts and ends. Of several that share one, only one tells it."""


class ServerThread:
    """Serves an application until it is stopped: `stopping` is called before that, `ended` when it is over.

    What stands `beside` it starts and ends with it, in the same thread and loop. `door` is that of all
    that serve the same application.
    """

    def __init__(
        self,
        app: ASGIApp,
        listener: socket.socket,
        stopping: Callable[[], None],
        ended: Callable[[], None],
        beside: Sequence[Listening] = (),
    ) -> None:
        first = Listening("service", app, listener, lifespan=True)
        self._servers = tuple(_Server(each) for each in (first, *beside))
        self._stopping = stopping
        self._ended = ended
        self._ready = threading.Event()
        self._serving = False
        self._error: Exception | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._asked = asyncio.Event()
        self._thread = threading.Thread(target=self._run, name="sectigo-emulator", daemon=True)

    @property
    def door(self) -> Doors:
        """The doors of all listeners of the first one's application, known before the start."""
        app = self._servers[0].listening.app
        return Doors([each.door for each in self._servers if each.listening.app is app])

    def start(self) -> None:
        """Return once requests are answered everywhere. Raises RuntimeError if a server ends before: all end then."""
        self._thread.start()
        self._ready.wait()
        if not self._serving:
            self._thread.join()
            raise RuntimeError(f"the emulator's server did not start: {self._error}") from self._error

    def stop(self) -> None:
        """End all servers, and return once their thread is gone."""
        if self._loop is not None:
            # It may have ended by itself.
            with suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._asked.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except Exception as error:
            self._error = error
            if self._serving:
                raise
        finally:
            for each in self._servers:
                each.listening.socket.close()
            self._ready.set()
            self._ended()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        try:
            for server in self._servers:
                await server.open()
            self._serving = True
            self._ready.set()
            await self._until_asked()
            self._stopping()
        finally:
            await _end(self._servers)

    async def _until_asked(self) -> None:
        # The date in the replies is set once a second.
        while not self._asked.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._asked.wait(), 1)
            for server in self._servers:
                await server.on_tick(0)


class _Server(uvicorn.Server):
    """What uvicorn keeps for one listener: its connections, its tasks, the application's lifespan."""

    def __init__(self, listening: Listening) -> None:
        super().__init__(_config(listening.app, listening.lifespan))
        self.listening = listening
        self.door = Door(listening.socket, self._open_on)

    async def open(self) -> None:
        """Start the application and accept connections. Raises RuntimeError, OSError if that fails."""
        self.config.load()
        self.lifespan = self.config.lifespan_class(self.config)
        await self.lifespan.startup()
        if self.lifespan.should_exit:
            raise RuntimeError(f"the application of {self.listening.name} failed")
        self.started = True
        await self.on_tick(0)
        await self.door.open()

    async def close(self) -> None:
        """End the application."""
        if self.started:
            await self.lifespan.shutdown()

    @property
    def connections(self) -> tuple[Connection, ...]:
        """The connections that are open."""
        return tuple(each for each in self.server_state.connections if isinstance(each, Connection))

    async def _open_on(self, listener: socket.socket) -> asyncio.Server:
        make = functools.partial(Connection, self.config, self.server_state, self.lifespan.state)
        loop = asyncio.get_running_loop()
        return await loop.create_server(make, sock=listener, ssl=self.listening.context, backlog=BACKLOG)


async def _end(servers: Sequence[_Server]) -> None:
    """Let requests under way finish for a while, cancel what is left, which is still answered, and end."""
    for server in servers:
        await server.door.close()
    for connection in _connections(servers):
        connection.wire.end()
        connection.shutdown()
    if not await _is_idle_within(_GRACE, servers):
        for task in itertools.chain(*(each.server_state.tasks for each in servers)):
            task.cancel()
        if not await _is_idle_within(_LAST_WORDS, servers):
            for connection in _connections(servers):
                connection.wire.abort()
            await _is_idle_within(_LAST_WORDS, servers)
    for server in servers:
        await server.close()


def _connections(servers: Sequence[_Server]) -> list[Connection]:
    return [connection for server in servers for connection in server.connections]


async def _is_idle_within(seconds: float, servers: Sequence[_Server]) -> bool:
    end = time.monotonic() + seconds
    while any(each.server_state.tasks or each.server_state.connections for each in servers):
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.005)
    return True


def _config(app: ASGIApp, lifespan: bool) -> uvicorn.Config:
    quiet = logging.getLogger("uvicorn")
    if not quiet.handlers:
        quiet.addHandler(logging.NullHandler())
    return uvicorn.Config(
        app,
        http=Connection,
        ws="none",
        lifespan="on" if lifespan else "off",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
