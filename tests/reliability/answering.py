"""A server on the loopback that answers each request with the bytes that a function says, and ends as it says."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
from collections.abc import Callable
from typing import Any, NamedTuple, Self

from tests.unit.lying_server import Seen

NOW = struct.pack("ii", 1, 0)


PIECES = 20


class Said(NamedTuple):
    """What is sent, and then: the connection stays, is closed, or, with `reset`, broken off.

    `pause`: seconds before each of the pieces that it is sent in; `hang` sends nothing before the server is closed.
    """

    data: bytes = b""
    keep: bool = False
    reset: bool = False
    pause: float = 0.0
    hang: bool = False


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    block_on_close = False
    allow_reuse_address = True
    request_queue_size = 128

    def handle_error(self, *_: object) -> None:
        """Say nothing: that a client goes away is what some tests want."""


class Answering:
    """Gives each request to `answer`, one at a time, and sends what that returns; counts the connections."""

    def __init__(self, answer: Callable[[Seen], Said]) -> None:
        self.connections = 0
        self._answer = answer
        self._guard = threading.Lock()
        self._over = threading.Event()
        server = self

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                server._serve(self)

        self._server = _Server(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def _serve(self, handler: socketserver.StreamRequestHandler) -> None:
        with self._guard:
            self.connections += 1
        with contextlib.suppress(OSError):
            while (seen := _read(handler.rfile)) is not None:
                with self._guard:
                    said = self._answer(seen)
                if said.hang:
                    self._over.wait()
                    return
                self._send(handler.connection, said)
                if said.reset:
                    handler.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, NOW)
                    handler.connection.close()
                if not said.keep:
                    return

    def _send(self, connection: socket.socket, said: Said) -> None:
        size = -(-len(said.data) // PIECES) if said.pause else len(said.data)
        for place in range(0, len(said.data), size or 1):
            if said.pause:
                self._over.wait(said.pause)
            connection.sendall(said.data[place : place + size])


def _read(file: Any) -> Seen | None:
    """Return the next request, None where there is none."""
    method, _, rest = file.readline().decode("latin-1").partition(" ")
    if not rest:
        return None
    headers: dict[str, str] = {}
    while line := file.readline().decode("latin-1").strip():
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(method, rest.partition(" ")[0], headers, file.read(int(headers.get("content-length", "0"))))
