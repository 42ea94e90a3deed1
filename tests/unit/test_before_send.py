"""The last look before an order leaves: on the wire, whoever is asked may keep every byte of it back."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

import pytest
import requests

from sectigo_iot import (
    DeadlineError,
    IoTManager,
    LeaseLostError,
    MemoryTokenStore,
    SectigoError,
    TokenPair,
    UnreachableError,
)
from sectigo_iot.emulator.ca.authority import pem
from tests.commands.signing_requests import request
from tests.unit.lying_server import BATCH, PARAMS, USERNAME, answer, json_answer, lies, settings_at, token
from tests.unit.tls_server import new_authority, open_to_all

CSR = request("one.example.com")
Order = Callable[[IoTManager, Callable[[], None]], object]
ORDERS: Mapping[str, Order] = {
    "create": lambda client, ask: client.create_single_cert_batch(423, "first", PARAMS, before_send=ask),
    "upload": lambda client, ask: client.upload_csr_batch(423, "first.csr", CSR, before_send=ask),
}


class CountingServer:
    """Takes connections, keeps every byte that comes, and answers each whole request with a batch.

    `context`: TLS is spoken, and the server lets `slow` seconds pass before it does.
    """

    def __init__(self, context: ssl.SSLContext | None = None, slow: float = 0.0) -> None:
        self.received: list[bytearray] = []
        self._context, self._slow = context, slow
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []
        scheme = "http" if context is None else "https"
        self.url = f"{scheme}://127.0.0.1:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._open:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(connection, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    @property
    def bytes(self) -> int:
        """How many bytes have come in all."""
        return sum(len(each) for each in self.received)

    def ended(self, connections: int) -> bool:
        """Whether so many connections were made, and the clients have closed them all."""
        until = time.monotonic() + 5
        while time.monotonic() < until:
            if len(self.received) == connections and not any(t.is_alive() for t in self._threads[1:]):
                return True
            time.sleep(0.01)
        return False

    def _start(self, work: Callable[..., None], *arguments: Any) -> None:
        thread = threading.Thread(target=work, args=arguments, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                self._open.append(connection)
                self._start(self._serve, connection)

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            if self._context is None:
                self._read(connection)
                return
            time.sleep(self._slow)
            with self._context.wrap_socket(connection, server_side=True) as secure:
                self._read(secure)

    def _read(self, connection: socket.socket) -> None:
        received = bytearray()
        self.received.append(received)
        while chunk := connection.recv(65536):
            received += chunk
            if _whole(received):
                connection.sendall(json_answer(BATCH))


def _whole(received: bytearray) -> bool:
    head, found, body = bytes(received).rpartition(b"PUT ")[2].partition(b"\r\n\r\n")
    length = head.lower().partition(b"content-length:")[2].partition(b"\r\n")[0]
    return bool(found) and len(body) >= int(length or b"0")


@contextlib.contextmanager
def logged_in(server: CountingServer, **changes: Any) -> Iterator[IoTManager]:
    """Give a client that has a token already: all that it sends is the order."""
    store = MemoryTokenStore()
    store.save(server.url, USERNAME, TokenPair(token(), token(7200), time.time()))
    with IoTManager(settings_at(server.url, token_store=store, **changes)) as client:
        yield client


def raising(error: BaseException) -> Callable[[], None]:
    def ask() -> None:
        raise error

    return ask


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
def test_not_a_byte_leaves_and_the_connection_is_closed(order: Order) -> None:
    lost = LeaseLostError("another worker has it")
    with CountingServer() as server, logged_in(server) as client:
        with pytest.raises(LeaseLostError) as raised:
            order(client, raising(lost))
        assert server.ended(connections=1)
    assert raised.value is lost
    assert server.bytes == 0


@pytest.mark.parametrize(
    "error",
    [
        # What the HTTP library, or the client, would wrap, send again, or take for a lost answer.
        BrokenPipeError("a pipe"),
        TimeoutError("a database"),
        ValueError("a value"),
        ssl.SSLError("a certificate"),
        requests.ConnectionError("a connection of somebody else's"),
        DeadlineError("a deadline of somebody else's"),
        UnreachableError("a server of somebody else's"),
        SectigoError("the book"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_is_raised_comes_out_as_it_is_and_nothing_is_tried_again(error: Exception) -> None:
    with CountingServer() as server, logged_in(server) as client:
        with pytest.raises(type(error)) as raised:
            ORDERS["create"](client, raising(error))
        assert raised.value is error
        assert server.ended(connections=1)
    assert server.bytes == 0


def test_an_interrupt_comes_out_and_nothing_was_sent() -> None:
    with CountingServer() as server, logged_in(server) as client:
        with pytest.raises(KeyboardInterrupt):
            ORDERS["create"](client, raising(KeyboardInterrupt()))
        assert server.ended(connections=1)
    assert server.bytes == 0


def test_it_is_asked_once_when_the_connection_stands_and_nothing_has_left() -> None:
    asked: list[tuple[int, int]] = []
    with CountingServer() as server, logged_in(server) as client:
        for _ in range(2):
            ORDERS["create"](client, lambda: asked.append((len(server.received), server.bytes)))
        first = len(server.received[0]) // 2
        # The second order goes over the connection that stands already.
        assert len(server.received) == 1
    assert [sent for _, sent in asked] == [0, first]


def test_after_connecting_slowly_it_is_asked_late(tmp_path: Path) -> None:
    begun, asked = time.monotonic(), list[float]()
    authority = new_authority()
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(pem(*authority.chain))
    with (
        CountingServer(open_to_all(authority), slow=0.4) as server,
        logged_in(server, ca_file=str(trusted)) as client,
    ):
        ORDERS["create"](client, lambda: asked.append(time.monotonic() - begun))
    assert len(asked) == 1
    assert asked[0] >= 0.4


def test_who_answers_too_late_has_kept_it_back() -> None:
    with CountingServer() as server, logged_in(server, timeout=0.3) as client:
        with pytest.raises(UnreachableError):
            ORDERS["create"](client, lambda: time.sleep(0.5))
        assert server.ended(connections=1)
    assert server.bytes == 0


def test_it_is_asked_again_before_the_repetition_after_a_401() -> None:
    asked: list[int] = []
    with lies(answer(401), json_answer(BATCH)) as (server, client):
        ORDERS["create"](client, lambda: asked.append(len(server.calls)))
    assert asked == [0, 1]


def test_the_repetition_after_a_401_can_be_kept_back() -> None:
    lost = LeaseLostError("another worker has it")
    answers = iter([None, lost])

    def ask() -> None:
        error = next(answers)
        if error is not None:
            raise error

    with lies(answer(401), json_answer(BATCH)) as (server, client):
        with pytest.raises(LeaseLostError):
            ORDERS["create"](client, ask)
        assert len(server.calls) == 1


def test_a_log_in_is_not_asked_about() -> None:
    asked: list[int] = []
    with lies(json_answer(BATCH)) as (server, client):
        ORDERS["create"](client, lambda: asked.append(len(server.seen)))
        assert [seen.path for seen in server.logins] == ["/auth/pwd"]
    assert asked == [1]
