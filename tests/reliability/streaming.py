"""A service whose one batch is a ZIP that is made while it is sent, so that it may be large and slow."""

from __future__ import annotations

import contextlib
import random
import threading
import time
import zipfile
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import IO, Self, cast

from tests.commands.lying_service import environ_at, tokens

BLOCK = random.Random(5).randbytes(1 << 16)
"""Nothing that deflate could make smaller."""

Write = Callable[[bytes], object]
Archive = Callable[[Write], None]
"""Writes a ZIP with the function that it is given."""


class _Sink:
    """What `zipfile` writes to, and cannot go back in."""

    def __init__(self, write: Write) -> None:
        self._write = write

    def write(self, data: bytes) -> int:
        self._write(data)
        return len(data)

    def flush(self) -> None:
        """Nothing is kept back."""


def archive(entries: int, blocks: int, last: int = len(BLOCK)) -> Archive:
    """Return a ZIP of so many stored entries, each of so many blocks, the last of them cut to `last` bytes."""

    def write(to: Write) -> None:
        with zipfile.ZipFile(cast(IO[bytes], _Sink(to)), "w") as made:
            for number in range(entries):
                with made.open(zipfile.ZipInfo(f"host{number}.example.com.p12"), "w") as entry:
                    for _ in range(blocks - 1):
                        entry.write(BLOCK)
                    entry.write(BLOCK[:last])

    return write


def length(made: Archive) -> int:
    """Return how many bytes it has."""
    total = 0

    def count(data: bytes) -> None:
        nonlocal total
        total += len(data)

    made(count)
    return total


class StreamingService:
    """Logs in whoever asks, and sends the ZIP with `pause` seconds after each piece.

    As long as `halts` is true, it sends no more than half of it.
    """

    def __init__(self, made: Archive, *, pause: float = 0) -> None:
        self.archive = made
        self.pause = pause
        self.length = length(made)
        self.halts = False

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self) -> None:
                self.rfile.read(int(self.headers.get("Content-Length") or 0))
                body = tokens().body
                service.head(self, "application/json", len(body))
                self.wfile.write(body)

            def do_GET(self) -> None:
                service.head(self, "application/octet-stream", service.length)
                with contextlib.suppress(OSError):
                    service.send(self.wfile.write)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def head(self, handler: BaseHTTPRequestHandler, media_type: str, size: int) -> None:
        handler.send_response(200)
        handler.send_header("Content-Type", media_type)
        handler.send_header("Content-Length", str(size))
        handler.end_headers()

    def send(self, write: Write) -> None:
        sent = 0

        def piece(data: bytes) -> None:
            nonlocal sent
            write(data)
            sent += len(data)
            if self.pause:
                time.sleep(self.pause)
            while self.halts and sent > self.length // 2:
                time.sleep(0.005)

        self.archive(piece)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environ(self) -> Mapping[str, str]:
        return environ_at(self.url)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: that a client is killed is what some tests want."""
