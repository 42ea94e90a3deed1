"""The watch: what it shuts, what it says was sent, and what it does where the system has no thread to spare."""

from __future__ import annotations

import threading
import time
from typing import Any

import pytest

from sectigo_iot import Exchange, OutcomeUnknownError, UnreachableError, watch
from sectigo_iot.watch import NoConnectionError, NoThreadError, Watch, WatchedAdapter
from tests.unit.lying_server import HANG, PARAMS, RESET, json_answer, lies


class Connection:
    """What the watch needs to know of a connection."""

    def __init__(self) -> None:
        self.closed = threading.Event()

    def close(self) -> None:
        self.closed.set()


def test_a_connection_that_takes_too_long_is_left_behind_and_closed_when_it_stands() -> None:
    connection, made = Connection(), threading.Event()
    with Watch(0.05) as over, pytest.raises(NoConnectionError):
        over.connect(connection, lambda: made.wait(5))
    assert (over.over, over.sent, connection.closed.is_set()) == (True, False, False)
    made.set()
    assert connection.closed.wait(5)


def test_a_connection_that_is_made_in_the_last_moment_is_not_used() -> None:
    # Nobody would shut it any more, and an order would be sent late.
    with Watch(60) as late, pytest.raises(NoConnectionError):
        late.connect(Connection(), late.shut)
    assert not late.sent


def test_what_connecting_raises_is_raised_here() -> None:
    def connect() -> None:
        raise ConnectionRefusedError

    with Watch(60) as watching, pytest.raises(ConnectionRefusedError):
        watching.connect(Connection(), connect)


def test_a_watch_within_another_gives_it_back() -> None:
    with Watch(60) as outer:
        with Watch(60):
            pass
        assert watch._current() is outer
    assert watch._current() is None


def test_a_pool_is_known_only_when_its_connections_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    adapter, known, show = WatchedAdapter(), [], watch._show_connections

    def showing(pool: Any) -> None:
        known.append(pool in adapter._pools)
        show(pool)

    monkeypatch.setattr(watch, "_show_connections", showing)
    with lies(login=HANG, timeout=0.2) as (_, client):
        client._transport._pool._session.mount("http://", adapter)
        with pytest.raises(Exception, match="within"):
            client.authenticate()
    assert known == [False]


@pytest.mark.parametrize("name", ["sectigo-iot-watch", "sectigo-iot-connect"])
def test_a_machine_without_a_thread_to_spare_sends_nothing_and_recovers(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    start = threading.Thread.start

    def starved(thread: threading.Thread) -> None:
        if thread.name == name:
            raise RuntimeError("can't start new thread")
        start(thread)

    _wait_until_nothing_is_watched()
    with lies(HANG, login=HANG, timeout=0.5) as (server, client):
        monkeypatch.setattr(threading.Thread, "start", starved)
        with pytest.raises(UnreachableError, match="no thread to spare"):
            client.authenticate()
        assert server.seen == []
        monkeypatch.undo()
        begun = time.monotonic()
        with pytest.raises(Exception, match=r"within 0.5 s"):
            client.authenticate()
        assert time.monotonic() - begun < 5


def _wait_until_nothing_is_watched() -> None:
    until = time.monotonic() + 10
    while watch._WATCHERS[0]._thread is not None and time.monotonic() < until:
        time.sleep(0.02)


def test_no_thread_is_told_apart_from_no_time() -> None:
    assert issubclass(NoThreadError, NoConnectionError)


def test_an_observer_may_ask_the_service_and_may_fail() -> None:
    told: list[str] = []

    def observer(exchange: Exchange) -> None:
        told.append(exchange.name)
        if exchange.name == "createSingleCertBatch":
            asked = client.licenses_used()
            raise ValueError(f"the disk is full after {asked.issued}")

    answers = RESET, json_answer({"ordered": 1, "issued": 1})
    with lies(*answers, observer=observer, timeout=5) as (_, client), pytest.raises(OutcomeUnknownError):
        client.create_single_cert_batch(1, "first", PARAMS)
    assert told == ["authenticate", "createSingleCertBatch", "devices"]
