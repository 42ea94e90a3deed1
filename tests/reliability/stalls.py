"""A server that stops, or goes on by one byte a time, at a chosen place of an exchange, over TCP or TLS."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Self

ANSWER_HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nX-Padding: "
PLACES = (
    "accept",
    "handshake",
    "dribbled-handshake",
    "request",
    "status",
    "head",
    "dribbled-head",
    "endless-head",
    "body",
    "dribbled-body",
    "dribbled-chunks",
    "endless-100s",
)
"""Where it stops, or begins to dribble."""
PAUSE = 0.2
"""Seconds between two bytes: a timeout that counts for each read never strikes."""


class Stalls:
    """Listens on loopback until it is closed. `context` for TLS; `place` is one of PLACES."""

    def __init__(self, place: str, context: ssl.SSLContext | None = None) -> None:
        self.place, self._context = place, context
        # Connections beyond the backlog are not accepted: they hang as if the host did not answer.
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0 if place == "accept" else 50)
        self.port: int = self._listener.getsockname()[1]
        self.connections = 0
        self._closed = threading.Event()
        self._fillers: list[socket.socket] = []

    def __enter__(self) -> Self:
        if self.place == "accept":
            self._fill()
        else:
            threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closed.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for filler in self._fillers:
            filler.close()

    @property
    def url(self) -> str:
        return f"{'https' if self._context else 'http'}://127.0.0.1:{self.port}"

    def _fill(self) -> None:
        for _ in range(4):
            filler = socket.socket()
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", self.port))
            self._fillers.append(filler)
        self._closed.wait(0.1)

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), plain:
            if self.place == "handshake":
                self._closed.wait()
            elif self.place == "dribbled-handshake":
                self._dribble(plain, b"\x16\x03\x03\x3f\xff" + bytes(16_000))
            elif self._context is None:
                self._answer(plain)
            else:
                with self._context.wrap_socket(plain, server_side=True) as connection:
                    self._answer(connection)

    def _answer(self, connection: socket.socket) -> None:
        connection.recv(65_536)
        for piece, dribbled in self._pieces():
            if dribbled:
                self._dribble(connection, piece)
            else:
                connection.sendall(piece)
        self._closed.wait()

    def _pieces(self) -> Iterator[tuple[bytes, bool]]:
        """What is sent, and whether byte by byte; after that, nothing."""
        whole = ANSWER_HEAD + b"x\r\nContent-Length: 1000\r\n\r\n"
        chunked = ANSWER_HEAD + b"x\r\nTransfer-Encoding: chunked\r\n\r\n"
        yield from {
            "request": (),
            "status": ((ANSWER_HEAD[:10], False),),
            "head": ((ANSWER_HEAD, False),),
            "dribbled-head": ((ANSWER_HEAD[:12], False), (whole[12:] * 20, True)),
            "endless-head": ((ANSWER_HEAD, False), (b"x\r\n" * 1000, True)),
            "body": ((whole + b"{", False),),
            "dribbled-body": ((whole, False), (b" " * 999, True)),
            "dribbled-chunks": ((chunked, False), (b"1\r\n \r\n" * 200, True)),
            "endless-100s": ((b"HTTP/1.1 100 Continue\r\n\r\n" * 200, True),),
        }[self.place]

    def _dribble(self, connection: socket.socket, data: bytes) -> None:
        for position in range(len(data)):
            connection.sendall(data[position : position + 1])
            if self._closed.wait(PAUSE):
                return


class TLSProxy:
    """A proxy that is itself spoken to by TLS, and connects to whatever it is asked for."""

    def __init__(self, context: ssl.SSLContext) -> None:
        self._context = context
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"https://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listener.accept()[:1], daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError), self._context.wrap_socket(plain, server_side=True) as client:
            host, _, port = client.recv(65_536).split()[1].decode().rpartition(":")
            with socket.create_connection((host, int(port)), 5) as server:
                client.sendall(b"HTTP/1.1 200 OK\r\n\r\n")
                back = threading.Thread(target=_carry, args=(server, client), daemon=True)
                back.start()
                _carry(client, server)
                back.join(5)


def _carry(source: socket.socket, target: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65_536):
            target.sendall(data)
    with contextlib.suppress(OSError):
        target.shutdown(socket.SHUT_RDWR)
