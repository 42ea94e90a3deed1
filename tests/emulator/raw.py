"""A tiny application on real servers, and bare sockets to look at what they send."""

from __future__ import annotations

import contextlib
import io
import socket
import time
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import Any

from sectigo_iot.emulator.net.door import Doors
from sectigo_iot.emulator.net.running import Listening, ServerThread
from sectigo_iot.emulator.net.wire import Wire

BODY = b"0123456789" * 4
Strike = Callable[[Wire], Awaitable[bool]]


class App:
    """Answers `/` with a body; at `/fault` strikes first, and answers then if the strike says so."""

    def __init__(self, strike: Strike | None = None) -> None:
        self.strike = strike
        self.over: list[str] = []
        self.door: Doors | None = None

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["path"] == "/fault" and self.strike is not None:
            answer = await self.strike(scope["extensions"]["wire"])
            self.over.append("fault")
            if not answer:
                return
        if scope["path"] == "/refuse":
            assert self.door is not None
            self.door.refuse(0.4)
        headers = [(b"content-length", str(len(BODY)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": BODY})

    async def _live(self, receive: Any, send: Any) -> None:
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        self.over.append("lifespan")
        await send({"type": "lifespan.shutdown.complete"})


def listener() -> socket.socket:
    made = socket.socket(proto=socket.IPPROTO_TCP)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.bind(("127.0.0.1", 0))
    made.listen()
    return made


@contextlib.contextmanager
def serving(app: App, beside: Sequence[Listening] = ()) -> Iterator[tuple[str, int]]:
    first = listener()
    address = first.getsockname()
    thread = ServerThread(app, first, lambda: None, lambda: None, beside)
    app.door = thread.door
    thread.start()
    try:
        yield address
    finally:
        begun = time.monotonic()
        thread.stop()
        assert time.monotonic() - begun < 3


def connect(address: tuple[str, int]) -> socket.socket:
    return socket.create_connection(address, timeout=10)


def ask(connection: socket.socket, path: str, more: str = "") -> None:
    connection.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n".encode())


def answer(connection: socket.socket) -> bytes:
    """Read one reply, and nothing of the next."""
    with connection.makefile("rb", 0) as file:
        return read_reply(file)


def read_reply(file: io.RawIOBase) -> bytes:
    while file.readline() not in (b"\r\n", b""):
        pass
    return b"".join(file.read(1) or b"" for _ in BODY)


def until_end(connection: socket.socket) -> bytes:
    return b"".join(iter(lambda: connection.recv(65536), b""))


def wait_for(true: Callable[[], object]) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def opens(address: tuple[str, int]) -> bool:
    try:
        connect(address).close()
    except ConnectionRefusedError:
        return False
    return True


async def reset(wire: Wire) -> bool:
    wire.reset()
    return False


async def hang(wire: Wire) -> bool:
    await wire.gone()
    return False


def dribble(rate: float, head: bool = False) -> Strike:
    async def strike(wire: Wire) -> bool:
        wire.dribble(rate, head)
        return True

    return strike
