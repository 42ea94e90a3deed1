"""Listeners that can be shut for a while."""

from __future__ import annotations

import asyncio
import errno
import socket
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress

BACKLOG = 2048
"""How many connections wait to be accepted, at the most."""


class Door:
    """A listener that can be shut for a while, connecting is refused at once then; nobody else gets its port."""

    def __init__(
        self, listener: socket.socket, open_on: Callable[[socket.socket], Awaitable[asyncio.Server]]
    ) -> None:
        self._listener = listener
        self._open_on = open_on
        self._server: asyncio.Server | None = None
        self._until = 0.0
        self._opening: asyncio.Task[None] | None = None
        self._wanted = asyncio.Event()

    def refuse(self, seconds: float) -> None:
        """Refuse connections for so long from now, in the loop's thread. Those that are open go on.

        Called again, it lasts until the later of the two ends. Nobody is refused before the server has started and
        after it ended.
        """
        loop = asyncio.get_running_loop()
        self._until = max(self._until, loop.time() + seconds)
        if self._server is None:
            return
        self._leave()
        _stop_listening(self._listener)
        self._opening = loop.create_task(self._open_again())

    async def admit(self) -> None:
        """Refuse connections no longer, whatever was asked for, and return once they are accepted."""
        self._until = 0.0
        self._wanted.set()
        if self._opening is not None:
            # The task is not ours to cancel, and what goes wrong in it is not for who asks.
            await asyncio.wait((self._opening,))

    async def open(self) -> None:
        """Accept connections. Raises OSError if the socket cannot listen."""
        # The loop gets a duplicate, which it closes when it is to accept no more: ours keeps the port.
        duplicate = self._listener.dup()
        try:
            self._server = await self._open_on(duplicate)
        except BaseException:
            duplicate.close()
            raise

    async def close(self) -> None:
        """Accept no more connections."""
        if self._opening is not None:
            self._opening.cancel()
        if self._server is not None:
            self._leave()
            await asyncio.sleep(0)

    def _leave(self) -> None:
        server, self._server = self._server, None
        if server is None:
            return
        loop = asyncio.get_running_loop()
        for each in server.sockets:
            loop.remove_reader(each.fileno())
        # What was accepted in this round of the loop needs its server until it is a connection.
        loop.call_soon(server.close)

    async def _open_again(self) -> None:
        loop = asyncio.get_running_loop()
        while (left := self._until - loop.time()) > 0:
            self._wanted.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), left)
        self._listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._listener.listen(BACKLOG)
        await self.open()


class Doors:
    """Every listener of one service, shut and opened together."""

    def __init__(self, doors: Sequence[Door]) -> None:
        self._doors = doors

    def refuse(self, seconds: float) -> None:
        """Refuse connections everywhere for so long from now, as `Door.refuse` does."""
        for each in self._doors:
            each.refuse(seconds)

    async def admit(self) -> None:
        """Refuse connections nowhere any longer, and return once they are accepted."""
        for each in self._doors:
            await each.admit()


def _stop_listening(listener: socket.socket) -> None:
    """Stop, and keep the port. Without SO_REUSEADDR nobody else gets it, with or without that option."""
    address = listener.getsockname()
    listener.shutdown(socket.SHUT_RDWR)
    try:
        # Linux takes back a port that it chose itself; one that was asked for by number it leaves.
        listener.bind(address)
    except OSError as error:
        if error.errno != errno.EINVAL:
            raise
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 0)
