"""The thin layer between HTTP and the socket: where a connection can be reset, held, cut short or slowed down."""

from __future__ import annotations

import asyncio
import contextlib
import math
import socket
import struct
from typing import Any

from sectigo_iot.emulator.net.gates import Cut, Dribble, Gate, Shut

_AT_ONCE = struct.pack("ii", 1, 0)
"""The value of SO_LINGER by which closing a socket sends a reset, and drops what was not sent."""


class Wire(asyncio.Transport):
    """The transport of one connection, as uvicorn sees it. Without a fault it only hands on.

    `cut` and `dribble` hold for the reply that is written next; `swallow` and `reset` for the connection.
    """

    def __init__(self, transport: asyncio.Transport) -> None:
        super().__init__()
        self._transport = transport
        self._gate: Gate | None = None
        self._over = asyncio.Event()
        self._closing = False
        self._swallows = False
        self._waiting = 0
        self._silent = False

    @property
    def silent(self) -> bool:
        """Whether no answer is owed any more: the connection was reset, swallows, is lost, or was waited out."""
        return self._silent

    @property
    def deaf(self) -> bool:
        """Whether what arrives is to be thrown away: somebody awaits `gone`, or the connection is being closed."""
        return self._waiting > 0 or self.is_closing()

    @property
    def busy(self) -> bool:
        """Whether bytes that were written wait here for their turn."""
        return self._gate is not None and self._gate.busy

    def reset(self) -> None:
        """Send RST. Nothing that was written but not sent goes out."""
        self._silent = True
        self._set(Shut())
        end = self.get_extra_info("socket")
        if end is not None:
            with contextlib.suppress(OSError):
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
        self._transport.abort()

    def cut(self, after: int) -> None:
        """Let the head of the reply through and `after` bytes of its body, then close in order (FIN).

        A body that is shorter passes whole, and the connection stays open.
        """
        self._flush()
        self._set(Cut(self._transport, after))

    def dribble(self, rate: float, head: bool) -> None:
        """Let the reply out at `rate` bytes a second, its head too if `head`; the first byte leaves at once.

        Closing waits until all is out. Raises ValueError for a rate that is not a number above 0.
        """
        if not (math.isfinite(rate) and rate > 0):
            raise ValueError("the rate must be a number of bytes a second above 0")
        self._flush()
        self._set(Dribble(self._transport, self._drained, rate, head))

    def swallow(self) -> None:
        """Throw away what is written from now on; the connection stays open until the client or the server ends."""
        self._silent = self._swallows = True
        self._set(Shut())

    async def gone(self) -> None:
        """Return when the connection is lost, or the server begins to end.

        What arrives meanwhile is thrown away, and so is never read: read the request's body before.
        """
        self._waiting += 1
        # The end of a connection that is not read is not noticed.
        self._transport.resume_reading()
        try:
            await self._over.wait()
        finally:
            self._waiting -= 1
        self._silent = True

    def begin(self) -> None:
        """Tell that the next request is handled from here on: a fault of the reply before does not hold for it."""
        if self._gate is not None and self._gate.ends_with_reply():
            self._gate = None

    def end(self) -> None:
        """Tell that the server begins to end: whoever awaits `gone` goes on, and nothing is swallowed any more."""
        self._over.set()
        if self._swallows:
            self._transport.close()

    def lost(self) -> None:
        """Tell that the connection is lost."""
        self._silent = True
        self._set(Shut())
        self._over.set()

    def write(self, data: bytes | bytearray | memoryview[Any]) -> None:
        """Send, as the fault has it if there is one."""
        if self._gate is None:
            self._transport.write(data)
        else:
            self._gate.write(bytes(data))

    def close(self) -> None:
        """Close once everything that is still due is out; never while what is written is swallowed."""
        self._closing = True
        if not self.busy and not (self._swallows and not self._over.is_set()):
            self._transport.close()

    def abort(self) -> None:
        """Close at once."""
        self._set(Shut())
        self._transport.abort()

    def is_closing(self) -> bool:
        """Whether it is closed, or will be once everything is out."""
        return self._closing or self._transport.is_closing()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        """Return what is known of the connection: its socket, its addresses, its TLS."""
        return self._transport.get_extra_info(name, default)

    def pause_reading(self) -> None:
        """Let what arrives wait in the kernel."""
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Receive again."""
        self._transport.resume_reading()

    def is_reading(self) -> bool:
        """Whether what arrives is received."""
        return self._transport.is_reading()

    def get_write_buffer_size(self) -> int:
        """Return how many bytes wait in the transport below."""
        return self._transport.get_write_buffer_size()

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        """Set at how many waiting bytes the protocol is asked to pause."""
        self._transport.set_write_buffer_limits(high, low)

    def get_protocol(self) -> asyncio.BaseProtocol:
        """Return who is told of what arrives."""
        return self._transport.get_protocol()

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        """Set who is told of what arrives."""
        self._transport.set_protocol(protocol)

    def can_write_eof(self) -> bool:
        """Whether one direction can be closed alone: never, because what is held back would be overtaken."""
        return False

    def _set(self, gate: Gate) -> None:
        if self._gate is not None:
            self._gate.drop()
        self._gate = gate

    def _flush(self) -> None:
        if self._gate is not None:
            self._transport.write(self._gate.drop())

    def _drained(self, over: bool) -> None:
        if over:
            self._gate = None
        if self._closing:
            self._transport.close()
