"""What lies below HTTP: connections that are reset, held, cut short and slowed down."""

from __future__ import annotations

import asyncio
import contextlib
import time

import pytest

from sectigo_iot.emulator.net.wire import Wire
from tests.emulator.raw import (
    BODY,
    App,
    Strike,
    answer,
    ask,
    connect,
    dribble,
    hang,
    read_reply,
    reset,
    serving,
    until_end,
    wait_for,
)


async def reset_after_writing(wire: Wire) -> bool:
    wire.write(b"HTTP/1.1 200 OK\r\n" + b"x" * 10_000_000)
    wire.reset()
    return False


async def reset_and_answer(wire: Wire) -> bool:
    wire.reset()
    return True


async def swallow(wire: Wire) -> bool:
    wire.swallow()
    return True


def cut(after: int) -> Strike:
    async def strike(wire: Wire) -> bool:
        wire.cut(after)
        return True

    return strike


def pieces_of(strike: Strike) -> tuple[list[bytes], float]:
    """Return what comes until the end of a connection, as it comes, and how long that takes."""
    with serving(App(strike)) as address, connect(address) as connection:
        begun = time.monotonic()
        ask(connection, "/fault", "Connection: close\r\n")
        return list(iter(lambda: connection.recv(65536), b"")), time.monotonic() - begun


@pytest.mark.parametrize("strike", [reset, reset_and_answer])
def test_a_reset_is_a_reset(strike: Strike, caplog: pytest.LogCaptureFixture) -> None:
    with serving(App(strike)) as address, connect(address) as connection:
        ask(connection, "/fault")
        with pytest.raises(ConnectionResetError):
            connection.recv(1)
    assert not caplog.records


def test_a_reset_drops_what_was_not_sent() -> None:
    with serving(App(reset_after_writing)) as address, connect(address) as connection:
        ask(connection, "/fault")
        time.sleep(0.2)
        with pytest.raises(ConnectionResetError):
            until_end(connection)


@pytest.mark.parametrize("after", [0, 7, len(BODY) - 1])
def test_a_body_is_cut_after_so_many_bytes(after: int, caplog: pytest.LogCaptureFixture) -> None:
    with serving(App(cut(after))) as address, connect(address) as connection:
        ask(connection, "/fault")
        head, _, body = until_end(connection).partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 200") and b"content-length: 40" in head
    assert body == BODY[:after]
    assert not caplog.records


def test_a_body_shorter_than_the_cut_passes_and_the_next_reply_too() -> None:
    with serving(App(cut(len(BODY) + 5))) as address, connect(address) as connection:
        for path in ("/fault", "/", "/"):
            ask(connection, path)
            assert answer(connection) == BODY


def test_a_slow_body_comes_after_its_head_and_piece_by_piece() -> None:
    pieces, took = pieces_of(dribble(60))
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    assert pieces[0].startswith(head)
    assert body == BODY
    assert len(pieces) > 2 and took > 0.4


def test_a_slow_head_does_not_come_at_once() -> None:
    pieces, took = pieces_of(dribble(300, head=True))
    head, _, body = b"".join(pieces).partition(b"\r\n\r\n")
    assert len(pieces[0]) < len(head)
    assert body == BODY
    assert took > 0.3


def test_a_fast_trickle_is_not_slowed_by_the_timer() -> None:
    pieces, took = pieces_of(dribble(1e6))
    assert b"".join(pieces).endswith(BODY)
    assert took < 5


@pytest.mark.parametrize("rate", [0, -1, float("nan"), float("inf")])
def test_a_rate_is_above_nothing(rate: float) -> None:
    with pytest.raises(ValueError, match="bytes a second above 0"):
        Wire(asyncio.Transport()).dribble(rate, False)


def test_the_reply_after_a_slow_one_does_not_overtake_it_and_is_not_slow() -> None:
    with serving(App(dribble(100))) as address, connect(address) as connection:
        ask(connection, "/fault")
        ask(connection, "/")
        file = connection.makefile("rb", 0)
        assert [read_reply(file) for _ in range(2)] == [BODY, BODY]
        begun = time.monotonic()
        for _ in range(20):
            ask(connection, "/")
            assert read_reply(file) == BODY
        # At the pace of the first it would be eight seconds.
        assert time.monotonic() - begun < 4


def test_a_slow_reply_ends_with_its_client(caplog: pytest.LogCaptureFixture) -> None:
    app = App(dribble(10))
    with serving(app) as address:
        with connect(address) as connection:
            ask(connection, "/fault")
            assert connection.recv(1) == b"H"
        time.sleep(0.3)
        with connect(address) as connection:
            ask(connection, "/")
            assert answer(connection) == BODY
    assert not caplog.records


def test_a_connection_that_hangs_is_let_go_with_its_client() -> None:
    app = App(hang)
    with serving(app) as address:
        with connect(address) as connection:
            ask(connection, "/fault")
            connection.settimeout(0.2)
            with pytest.raises(TimeoutError):
                connection.recv(1)
            assert not app.over
        wait_for(lambda: app.over == ["fault"])


def test_a_client_that_hangs_is_let_go_though_its_body_was_not_read() -> None:
    app = App(hang)
    with serving(app) as address:
        with connect(address) as connection:
            connection.sendall(b"POST /fault HTTP/1.1\r\nHost: x\r\nContent-Length: 9999999\r\n\r\n" + b"x" * 500_000)
        wait_for(lambda: app.over == ["fault"])


def test_a_hung_request_ends_with_the_server(caplog: pytest.LogCaptureFixture) -> None:
    app = App(hang)
    with contextlib.ExitStack() as stack:
        with serving(app) as address:
            connection = stack.enter_context(connect(address))
            ask(connection, "/fault")
            time.sleep(0.1)
            begun = time.monotonic()
        assert time.monotonic() - begun < 0.9
        assert until_end(connection) == b""
    assert app.over == ["fault", "lifespan"]
    assert not caplog.records


def test_a_swallowed_reply_leaves_the_connection_open(caplog: pytest.LogCaptureFixture) -> None:
    app = App(swallow)
    with contextlib.ExitStack() as stack:
        with serving(app) as address:
            connection = stack.enter_context(connect(address))
            ask(connection, "/fault", "Connection: close\r\n")
            wait_for(lambda: app.over == ["fault"])
            connection.settimeout(0.3)
            with pytest.raises(TimeoutError):
                connection.recv(1)
        assert until_end(connection) == b""
    assert not caplog.records
