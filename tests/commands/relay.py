"""What stands between the command and a service, hands everything on, and counts connections and requests."""

from __future__ import annotations

import contextlib
import re
import socket
import threading
from collections.abc import Iterator

REQUEST = re.compile(rb"(?:GET|POST|PUT) /\S* HTTP/1\.1\r\n")
"""A request line; what stands before it on a kept connection is the body of the request before."""


class Relay:
    """Counts from the first connection on; `start_anew` forgets."""

    def __init__(self, port: int) -> None:
        self._target = ("127.0.0.1", port)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        self.start_anew()
        threading.Thread(target=self._accept, daemon=True).start()

    def start_anew(self) -> None:
        self.connections = 0
        self._sent = b""

    @property
    def requests(self) -> list[str]:
        return [line.decode().split(" HTTP")[0] for line in REQUEST.findall(self._sent)]

    def close(self) -> None:
        # Closing alone leaves accept() waiting.
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = self._listener.accept()
                self.connections += 1
                service = socket.create_connection(self._target)
                threading.Thread(target=self._pass, args=(client, service, True), daemon=True).start()
                threading.Thread(target=self._pass, args=(service, client, False), daemon=True).start()

    def _pass(self, source: socket.socket, target: socket.socket, counted: bool) -> None:
        with source, contextlib.suppress(OSError):
            while data := source.recv(65536):
                if counted:
                    self._sent += data
                target.sendall(data)
            target.shutdown(socket.SHUT_WR)


@contextlib.contextmanager
def relay(port: int) -> Iterator[Relay]:
    """Stand in front of a service."""
    standing = Relay(port)
    try:
        yield standing
    finally:
        standing.close()
