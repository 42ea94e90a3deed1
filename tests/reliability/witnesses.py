"""Servers that keep every byte that reaches them, and TLS in front of a service, under a CA of the test's own."""

from __future__ import annotations

import contextlib
import socket
import ssl
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Self

from sectigo_iot.emulator.ca.authority import create_authority, pem
from sectigo_iot.emulator.net.tls import LOOPBACK, identity

CHUNK = 65536


class Authority(NamedTuple):
    """A CA that no list of authorities knows, and what a server under it speaks TLS with."""

    root: bytes
    context: ssl.SSLContext


def authority(names: Sequence[str] = LOOPBACK) -> Authority:
    """Return a new CA, with a server certificate for these names."""
    ca = create_authority("p256", "http://127.0.0.1:1", time.time)
    certificate, key = identity(ca, names)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "server.pem")
        path.write_bytes(key + certificate)
        context.load_cert_chain(path)
    return Authority(pem(ca.chain[-1]), context)


class Listener:
    """Accepts connections, each in a thread of its own, and counts them; with a context it speaks TLS."""

    def __init__(self, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._listener = socket.create_server((host, 0), family=family)
        self._context = context
        self._open: list[socket.socket] = []
        self.closing = threading.Event()
        self.connections = 0
        self.port = int(self._listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        for each in (self._listener, *self._open):
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)
        self._listener.close()

    def at(self, name: str, scheme: str | None = None) -> str:
        """Return the URL under which this host name finds it."""
        host = f"[{name}]" if ":" in name else name
        return f"{scheme or ('https' if self._context else 'http')}://{host}:{self.port}"

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self.connections += 1
                self._open.append(connection)
                threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, plain: socket.socket) -> None:
        with contextlib.suppress(OSError, ValueError), plain:
            if self._context is None:
                self.serve(plain)
                return
            with self._context.wrap_socket(plain, server_side=True) as secured:
                self.serve(secured)

    def serve(self, connection: socket.socket) -> None:
        """Speak on one connection."""


class Witness(Listener):
    """Keeps whatever is sent to it, and answers all of it alike, be it a request or none."""

    def __init__(self, reply: bytes, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self.reply = reply
        self._heard = bytearray()
        super().__init__(host, context)

    def serve(self, connection: socket.socket) -> None:
        while data := connection.recv(CHUNK):
            self._heard += data
            connection.sendall(self.reply)

    @property
    def heard(self) -> bytes:
        return bytes(self._heard)

    def hears(self, words: bytes) -> bool:
        """Whether these are sent to it, which may be a moment after its answer."""
        until = time.monotonic() + 2
        while words not in self.heard and time.monotonic() < until:
            time.sleep(0.01)
        return words in self.heard


class Relay(Listener):
    """Hands everything on to a port of this machine, and keeps what was sent there."""

    def __init__(self, port: int, host: str = "127.0.0.1", context: ssl.SSLContext | None = None) -> None:
        self._target = ("127.0.0.1", port)
        self._heard = bytearray()
        super().__init__(host, context)

    def serve(self, connection: socket.socket) -> None:
        with socket.create_connection(self._target) as service:
            threading.Thread(target=self._back, args=(service, connection), daemon=True).start()
            while data := connection.recv(CHUNK):
                self._heard += data
                service.sendall(data)
            service.shutdown(socket.SHUT_WR)
            self.closing.wait(0.05)

    def _back(self, service: Any, connection: Any) -> None:
        with contextlib.suppress(OSError, ValueError):
            while data := service.recv(CHUNK):
                connection.sendall(data)
            socket.socket.shutdown(connection, socket.SHUT_RDWR)

    @property
    def heard(self) -> bytes:
        return bytes(self._heard)


@contextlib.contextmanager
def secured(port: int, names: Sequence[str] = LOOPBACK) -> Iterator[tuple[Relay, bytes]]:
    """Put TLS before a service; gives the relay and the PEM of the CA that its certificate is from."""
    ca = authority(names)
    with Relay(port, context=ca.context) as relay:
        yield relay, ca.root
