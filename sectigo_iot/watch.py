"""A deadline for a whole exchange, and whether its request may have left this machine.

The HTTP library counts its timeout for each read, so that an answer of one byte a second passes it for ever. A watch
shuts the connection when the time is over, whatever has come by then.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any, Self

from requests.adapters import HTTPAdapter

_HERE = threading.local()


class Watch:
    """Shuts the connection that this thread uses after these seconds.

    `over` tells whether it did. `sent` tells whether a connection stood, its TLS agreed, so that the request may have
    left: what went wrong before is certain to have reached nobody.
    """

    def __init__(self, seconds: float) -> None:
        self.due = time.monotonic() + seconds
        self.over = False
        self.sent = False
        self._shut: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        _HERE.watch = self
        _WATCHERS[0].add(self)
        return self

    def __exit__(self, *_: object) -> None:
        _WATCHERS[0].remove(self)
        _HERE.watch = None

    def look_at(self, shut: Callable[[], object]) -> None:
        """Shut what is read from by this from now on; at once, if the time is over already."""
        self._shut = shut
        if self.over:
            self.shut()

    def shut(self) -> None:
        """Say that the time is over, and shut the connection, if there is one yet."""
        self.over = True
        with contextlib.suppress(OSError, AttributeError, TypeError, ValueError, RuntimeError):
            self._shut()


class _Watcher:
    """One thread for all watches: a timer for each request would cost more than the request."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._live: set[Watch] = set()
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        with self._changed:
            self._live.add(watch)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="sectigo-iot-watch", daemon=True)
                self._thread.start()
            elif watch.due < self._wakes:
                self._changed.notify()

    def remove(self, watch: Watch) -> None:
        with self._changed:
            self._live.discard(watch)

    def _run(self) -> None:
        with self._changed:
            while self._live:
                now = time.monotonic()
                for watch in [each for each in self._live if each.due <= now]:
                    self._live.discard(watch)
                    watch.shut()
                if self._live:
                    self._wakes = min(each.due for each in self._live)
                    self._changed.wait(self._wakes - now)
            self._thread = None


_WATCHERS = [_Watcher()]


def _after_fork() -> None:
    # The thread is not there in a child, and its lock may have been held.
    _WATCHERS[0] = _Watcher()


os.register_at_fork(after_in_child=_after_fork)


def watch_body(response: Any) -> None:
    """Watch the reading of this answer's body: by then its connection may no longer know the socket."""
    _show(lambda: response.raw.shutdown())


def _current() -> Watch | None:
    watch: Watch | None = getattr(_HERE, "watch", None)
    return watch


def _show(shut: Callable[[], object]) -> None:
    watch = _current()
    if watch is not None:
        watch.look_at(shut)


def _shut_connection(connection: Any) -> None:
    # The plain shutdown: that of a TLS socket takes its state away from the thread that reads.
    socket.socket.shutdown(connection.sock, socket.SHUT_RDWR)


class WatchedAdapter(HTTPAdapter):
    """Shows every connection that a request takes from a pool to the watch of its thread, if there is one."""

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """Return the pool for a request; it is told once to show its connections."""
        pool = super().get_connection_with_tls_context(*arguments, **options)
        if not hasattr(pool, "shows_connections"):
            _show_connections(pool)
        return pool


def _show_connections(pool: Any) -> None:
    take, validate = pool._get_conn, pool._validate_conn

    def take_and_show(timeout: float | None = None) -> Any:
        connection = take(timeout)
        _show(lambda: _shut_connection(connection))
        return connection

    def validate_and_note(connection: Any) -> None:
        # This makes the TLS connection, and the request follows; a plain connection is made with the request.
        validate(connection)
        watch = _current()
        if watch is not None:
            watch.sent = True

    # On the pool, not by classes of our own: recorders of HTTP exchanges put their own classes into urllib3.
    pool._get_conn = take_and_show
    pool._validate_conn = validate_and_note
    pool.shows_connections = True
