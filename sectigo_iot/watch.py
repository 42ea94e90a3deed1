"""A deadline for a whole exchange, and whether its request may have left this machine.

The HTTP library counts its timeout for each read, so that an answer of one byte a second passes it for ever. A watch
shuts the connection when the time is over, whatever has come by then. A connection is made in a thread of its own,
which is left behind when the time is over: nothing else ends a search for a host name.
"""

from __future__ import annotations

import contextlib
import os
import socket
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Self

from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError

if TYPE_CHECKING:
    import ssl

_HERE = threading.local()


class Watch:
    """Shuts the connection that this thread uses after these seconds.

    `over` tells whether it did. `sent` tells whether a connection stood, its TLS agreed, so that the request may have
    left: what went wrong before is certain to have reached nobody. `before_send` is asked at that moment, and may
    keep the request from leaving by what it raises.
    """

    def __init__(self, seconds: float, before_send: Callable[[], None] | None = None) -> None:
        self._before_send = before_send
        self.due = time.monotonic() + seconds
        self.over = False
        self.sent = False
        self._outer: Watch | None = None
        self._shut: Callable[[], object] = lambda: None

    def __enter__(self) -> Self:
        _WATCHERS[0].add(self)
        # Whoever is told of an exchange may make another in the midst of it.
        self._outer, _HERE.watch = _current(), self
        return self

    def __exit__(self, *_: object) -> None:
        _WATCHERS[0].remove(self)
        _HERE.watch = self._outer

    def look_at(self, shut: Callable[[], object]) -> None:
        """Shut what is read from by this from now on; at once, if the time is over already."""
        self._shut = shut
        if self.over:
            self.shut()

    def connect(self, connection: Any, connect: Callable[[], object]) -> None:
        """Connect, in the time that is left. Raises what `connect` does, NoConnectionError when the time is over."""
        attempt = _Attempt(connection, connect)
        seconds = self.due - time.monotonic()
        try:
            attempt.ended.wait(max(seconds, 0))
        finally:
            # Here also when a signal has struck: what is made then belongs to nobody.
            made = attempt.claim()
        if not made or (self.over and attempt.failure is None):
            # If it was made in the last moment, nobody would shut it any more.
            self.over = True
            raise NoConnectionError(None, "it took too long")
        if attempt.failure is not None:
            raise attempt.failure

    def let_leave(self) -> None:
        """Say that the request may leave from now on.

        Raises WithheldError where it may not, NoConnectionError where the time was over before its first byte.
        """
        if self._before_send is not None:
            try:
                self._before_send()
            except Exception as error:
                raise WithheldError(error) from error
        if self.over:
            raise NoConnectionError(None, "the time was over before it was sent")
        self.sent = True

    def shut(self) -> None:
        """Say that the time is over, and shut the connection, if there is one yet."""
        self.over = True
        with contextlib.suppress(OSError, AttributeError, TypeError, ValueError, RuntimeError):
            self._shut()


class NoConnectionError(ConnectTimeoutError):
    """Finding the host, connecting and agreeing on TLS took longer than the whole exchange may. Nothing was sent."""


class WithheldError(Exception):
    """Whoever was asked whether the request may leave raised `reason`. Nothing was sent.

    It is of no kind that the HTTP library would catch, wrap or send again.
    """

    def __init__(self, reason: Exception) -> None:
        super().__init__("the request was withheld")
        self.reason = reason


class NoThreadError(NoConnectionError):
    """The system has no thread to spare, without which no exchange can be broken off. Nothing was sent."""


def _start(name: str, run: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=run, name=name, daemon=True)
    try:
        thread.start()
    except RuntimeError:
        raise NoThreadError(None, "no thread can be started") from None
    return thread


class _Attempt:
    """A connection that is being made, in a thread that nobody has to wait for."""

    def __init__(self, connection: Any, connect: Callable[[], object]) -> None:
        self.ended = threading.Event()
        self.failure: BaseException | None = None
        self._connection, self._connect = connection, connect
        self._guard = threading.Lock()
        self._left = False
        _start("sectigo-iot-connect", self._run)

    def claim(self) -> bool:
        """Whether it has come to an end; if not, it is closed as soon as it does."""
        with self._guard:
            self._left = not self.ended.is_set()
            return not self._left

    def _run(self) -> None:
        try:
            self._connect()
        except BaseException as failure:  # noqa: BLE001 - raised again where it is waited for
            self.failure = failure
        with self._guard:
            self.ended.set()
            if self._left:
                self._connection.close()


class _Watcher:
    """One thread for all watches: a timer for each request would cost more than the request."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._live: set[Watch] = set()
        self._wakes = 0.0
        self._thread: threading.Thread | None = None

    def add(self, watch: Watch) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = _start("sectigo-iot-watch", self._run)
            self._live.add(watch)
            if watch.due < self._wakes:
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


@contextlib.contextmanager
def body_watched(response: Any, seconds: float) -> Iterator[Watch]:
    """Watch the reading of this answer's body alone, whatever else this thread asks for meanwhile."""
    watch = Watch(seconds)
    watch.look_at(lambda: response.raw.shutdown())
    _WATCHERS[0].add(watch)
    try:
        yield watch
    finally:
        _WATCHERS[0].remove(watch)


def _current() -> Watch | None:
    watch: Watch | None = getattr(_HERE, "watch", None)
    return watch


def _show(shut: Callable[[], object]) -> None:
    watch = _current()
    if watch is not None:
        watch.look_at(shut)


def _shut_connection(connection: Any) -> None:
    # The plain shutdown: that of a TLS socket takes its state away from the thread that reads.
    socket.socket.shutdown(_plain(connection.sock), socket.SHUT_RDWR)


def _plain(sock: Any) -> Any:
    """Return the socket below, where TLS is spoken inside the TLS of a proxy."""
    return sock if isinstance(sock, socket.socket) else sock.socket


def _let_shut(connection: Any) -> None:
    """Let an answer's body be shut also where TLS is spoken inside the TLS of a proxy."""
    sock = connection.sock
    if sock is not None and not isinstance(sock, socket.socket):
        sock.shutdown = lambda how: socket.socket.shutdown(_plain(sock), how)


class WatchedAdapter(HTTPAdapter):
    """Shows every connection that a request takes from a pool to the watch of its thread, if there is one.

    `context`: what TLS connections are made with, in place of the HTTP library's own; `proxy_context`: those to a
    proxy that speaks TLS itself, which is shown no certificate of ours.
    """

    def __init__(
        self, context: ssl.SSLContext | None = None, proxy_context: ssl.SSLContext | None = None, **options: Any
    ) -> None:
        self._context, self._proxy_context = context, proxy_context
        self._pools: weakref.WeakSet[Any] = weakref.WeakSet()
        super().__init__(**options)

    def build_connection_pool_key_attributes(self, request: Any, verify: Any, cert: Any = None) -> Any:
        """Return what a pool is chosen and made by, the context among it."""
        host, pool = super().build_connection_pool_key_attributes(request, verify, cert)
        if self._context is not None:
            # The library would load its own authorities into it.
            pool = {"cert_reqs": "CERT_REQUIRED", "ssl_context": self._context}
        return host, pool

    def get_connection_with_tls_context(self, *arguments: Any, **options: Any) -> Any:
        """Return the pool for a request; it is told once to show its connections."""
        pool = super().get_connection_with_tls_context(*arguments, **options)
        if pool not in self._pools:
            # Shown before it is known: another thread would use it as it is. Twice does no harm.
            _show_connections(pool)
            self._pools.add(pool)
        return pool

    def close(self) -> None:
        """Close the connections that nobody uses; the library would leave that to the garbage collector."""
        for pool in list(self._pools):
            pool.close()
        super().close()

    def proxy_manager_for(self, proxy: str, **options: Any) -> Any:
        """Return the pools behind a proxy."""
        context = {} if self._proxy_context is None else {"proxy_ssl_context": self._proxy_context}
        return super().proxy_manager_for(proxy, **{**context, **options})

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Leave a pool with a context as it is; it needs no authorities beside those of the context."""
        if self._context is None:
            super().cert_verify(conn, url, verify, cert)


def _show_connections(pool: Any) -> None:
    # On the pool, not by classes of our own: recorders of HTTP exchanges put their own classes into urllib3.
    pool._get_conn = _taken_and_shown(pool._get_conn)
    pool._validate_conn = _validated_and_noted(pool._validate_conn)
    pool._prepare_proxy = _connected_in_time(pool._prepare_proxy)


def _taken_and_shown(take: Callable[..., Any]) -> Callable[..., Any]:
    def take_and_show(timeout: float | None = None) -> Any:
        connection = take(timeout)
        _show(lambda: _shut_connection(connection))
        return connection

    return take_and_show


def _validated_and_noted(validate: Callable[[Any], None]) -> Callable[[Any], None]:
    def connect(connection: Any) -> None:
        # The library makes a plain connection later, with the request: too late to tell what never left.
        connection.connect()

    connected = _connected_in_time(connect)

    def validate_and_note(connection: Any) -> None:
        if connection.is_closed:
            connected(connection)
        validate(connection)
        _let_shut(connection)
        watch = _current()
        if watch is not None:
            watch.let_leave()

    return validate_and_note


def _connected_in_time(connect: Callable[[Any], None]) -> Callable[[Any], None]:
    def connect_in_time(connection: Any) -> None:
        watch = _current()
        if watch is None:
            connect(connection)
        else:
            watch.connect(connection, lambda: connect(connection))

    return connect_in_time
