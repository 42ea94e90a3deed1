"""What stands in the way of bytes that are written to a connection: nothing passes, a part, or all of it slowly."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Protocol

_TICK = 0.01
"""Seconds between two pieces of what is slowed down, at the least."""


class Gate(Protocol):
    """What becomes of that which is written."""

    @property
    def busy(self) -> bool:
        """Whether something is held back."""

    def write(self, data: bytes) -> None:
        """Take what is written."""

    def ends_with_reply(self) -> bool:
        """Hear that the reply is complete; tell whether the fault is over."""

    def drop(self) -> bytes:
        """Give back what is held, and do nothing more."""


class Shut:
    """Lets nothing through."""

    busy = False

    def write(self, data: bytes) -> None:
        pass

    def ends_with_reply(self) -> bool:
        return False

    def drop(self) -> bytes:
        return b""


class Cut:
    """Lets the head through and so many bytes of the body, then closes."""

    busy = False

    def __init__(self, transport: asyncio.Transport, after: int) -> None:
        self._transport = transport
        self._left = after
        self._head = _Head()

    def write(self, data: bytes) -> None:
        head, body = self._head.split(data)
        self._transport.write(head + body[: self._left])
        self._left = max(self._left - len(body), 0)
        if self._head.passed and self._left == 0:
            self._transport.close()

    def ends_with_reply(self) -> bool:
        return True

    def drop(self) -> bytes:
        return b""


class Dribble:
    """Lets bytes out at a pace. What belongs to later replies waits behind them, and goes out at once then."""

    def __init__(
        self, transport: asyncio.Transport, drained: Callable[[bool], None], rate: float, with_head: bool
    ) -> None:
        self._transport = transport
        self._drained = drained
        self._rate = rate
        self._head = None if with_head else _Head()
        self._loop = asyncio.get_running_loop()
        self._next = self._loop.time()
        self._timer: asyncio.TimerHandle | None = None
        self._held = bytearray()
        self._later: bytearray | None = None

    @property
    def busy(self) -> bool:
        return bool(self._held)

    def write(self, data: bytes) -> None:
        if self._later is not None:
            self._later += data
            return
        if self._head is not None:
            head, data = self._head.split(data)
            self._transport.write(head)
        self._held += data
        if self._held and self._timer is None:
            self._next = max(self._next, self._loop.time())
            self._timer = self._loop.call_at(self._next, self._send)

    def ends_with_reply(self) -> bool:
        if self._held and self._later is None:
            self._later = bytearray()
        return not self._held

    def drop(self) -> bytes:
        if self._timer is not None:
            self._timer.cancel()
        held = bytes(self._held + (self._later or b""))
        self._held.clear()
        return held

    def _send(self) -> None:
        now = self._loop.time()
        count = min(max(int((now - self._next) * self._rate) + 1, 1), len(self._held))
        self._transport.write(bytes(self._held[:count]))
        del self._held[:count]
        self._next += count / self._rate
        if self._held:
            self._timer = self._loop.call_at(max(self._next, now + _TICK), self._send)
            return
        self._timer = None
        self._transport.write(bytes(self._later or b""))
        self._drained(self._later is not None)


class _Head:
    """Tells the head of a reply from its body, and passes over a `100 Continue` before it."""

    def __init__(self) -> None:
        self._seen = b""
        self.passed = False

    def split(self, data: bytes) -> tuple[bytes, bytes]:
        """Return what of the data belongs to the head, and what to the body."""
        if self.passed:
            return b"", data
        before, self._seen = len(self._seen), self._seen + data
        end = self._seen.find(b"\r\n\r\n")
        if end < 0:
            return data, b""
        if self._seen.startswith(b"HTTP/1.1 1"):
            self._seen = b""
            return data, b""
        self.passed = True
        return data[: end + 4 - before], data[end + 4 - before :]
