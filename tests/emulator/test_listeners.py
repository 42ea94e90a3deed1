"""Several listeners in one thread: how they start and end together, and the door of the first."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest

from sectigo_iot.emulator.net.running import Listening, ServerThread
from tests.emulator.raw import (
    BODY,
    App,
    answer,
    ask,
    connect,
    dribble,
    hang,
    listener,
    opens,
    serving,
    until_end,
    wait_for,
)


def test_a_door_is_shut_for_a_while_and_its_port_is_kept() -> None:
    with serving(App()) as address, connect(address) as connection:
        ask(connection, "/refuse")
        assert answer(connection) == BODY
        with pytest.raises(ConnectionRefusedError):
            connect(address)
        for reuse in (0, 1):
            with socket.socket() as other:
                other.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, reuse)
                with pytest.raises(OSError, match="in use"):
                    other.bind(address)
        ask(connection, "/")
        assert answer(connection) == BODY
        wait_for(lambda: opens(address))
        with connect(address) as again:
            ask(again, "/")
            assert answer(again) == BODY


def test_a_door_that_is_shut_again_stays_so_for_longer_and_opens_once() -> None:
    with serving(App()) as address, connect(address) as connection:
        for _ in range(3):
            for _ in range(2):
                ask(connection, "/refuse")
                assert answer(connection) == BODY
                assert not opens(address)
            wait_for(lambda: opens(address))


def test_a_server_can_end_while_its_door_is_shut() -> None:
    with serving(App()) as address, connect(address) as connection:
        ask(connection, "/refuse")
        assert answer(connection) == BODY
    time.sleep(0.5)
    assert not opens(address)


async def events(scope: Any, receive: Any, send: Any) -> None:
    """Server-sent events without end."""
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"data: 1\n\n", "more_body": True})
    await scope["extensions"]["wire"].gone()


def test_everything_ends_in_time_whatever_is_open() -> None:
    app, beside = App(dribble(1)), listener()
    hanging = Listening("hanging", App(hang), listener())
    addresses = [beside.getsockname(), hanging.socket.getsockname()]
    with contextlib.ExitStack() as stack:
        with serving(app, [Listening("control", events, beside), hanging]) as address:
            for each in (address, *addresses):
                stack.enter_context(connect(each))
                for _ in range(3):
                    ask(stack.enter_context(connect(each)), "/fault")
            stream = stack.enter_context(connect(addresses[0]))
            ask(stream, "/")
            assert stream.recv(1) == b"H"
            wait_for(lambda: len(app.over) == 3)
        assert until_end(stream).endswith(b"data: 1\n\n\r\n")


def test_events_alone_do_not_delay_the_end() -> None:
    beside = listener()
    with contextlib.ExitStack() as stack:
        with serving(App(), [Listening("control", events, beside)]):
            stream = stack.enter_context(connect(beside.getsockname()))
            ask(stream, "/")
            assert stream.recv(1) == b"H"
            begun = time.monotonic()
        assert time.monotonic() - begun < 0.9


async def broken(scope: Any, _receive: Any, _send: Any) -> None:
    raise RuntimeError("no way")


def test_nothing_is_left_if_one_of_several_does_not_start() -> None:
    first, second = listener(), listener()
    address, app, ended = first.getsockname(), App(), []
    beside = [Listening("control", broken, second, lifespan=True)]
    thread = ServerThread(app, first, lambda: None, lambda: ended.append(True), beside)
    with pytest.raises(RuntimeError, match="did not start: the application of control failed"):
        thread.start()
    assert app.over == ["lifespan"] and ended == [True]
    assert not opens(address)


def test_a_socket_that_cannot_listen_is_a_server_that_does_not_start() -> None:
    closed = listener()
    closed.close()
    with pytest.raises(RuntimeError, match="did not start"):
        ServerThread(App(), closed, lambda: None, lambda: None).start()
