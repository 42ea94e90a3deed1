"""Ending an emulator that has something to do."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sectigo_iot.emulator import Emulator, EmulatorSettings
from sectigo_iot.emulator.app import Call
from sectigo_iot.emulator.ca import keypool
from sectigo_iot.emulator.exchange.replies import binary_reply
from sectigo_iot.emulator.net import running
from sectigo_iot.emulator.service import create_service
from tests.emulator.api import Api, refused
from tests.emulator.csrs import make_csr

KEYS = "sectigo-emulator-keys"


@pytest.fixture
def slow_keys(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[str]]:
    """Keys whose making takes a while; the names of the threads that make them."""
    makers: list[str] = []
    key = rsa.generate_private_key(65537, 2048)

    def make(key_type: str) -> rsa.RSAPrivateKey:
        makers.append(threading.current_thread().name)
        time.sleep(0.4)
        return key

    monkeypatch.setattr(keypool, "make_key", make)
    # This key is for nobody else.
    monkeypatch.setattr(keypool, "_reserve", keypool._Reserve())
    yield makers
    wait_for(lambda: not threads_named(KEYS))


def wait_for(true: Any) -> None:
    end = time.monotonic() + 5
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def threads_named(name: str) -> list[threading.Thread]:
    return [each for each in threading.enumerate() if each.name == name]


def test_an_order_that_is_being_made_is_given_up(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_GRACE", 10)
    emulator = Emulator(balances={423: 10_000})
    emulator.start()
    api = Api(emulator)
    with ThreadPoolExecutor(1) as pool:
        uploading = pool.submit(api.upload, make_csr("example.com", "example.com") * 10_000)
        wait_for(lambda: api.get("/api/v1/authorities/423/balanceavailable").json() == 0)
        start = time.monotonic()
        emulator.stop()
        assert time.monotonic() - start < 5
        refused(uploading.result(), 503, "ended")
    api.session.close()
    assert not [each for each in caplog.records if each.exc_info]


def test_a_request_that_does_not_end_is_answered(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_GRACE", 0.2)
    emulator = Emulator()
    emulator.start()
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /auth/pwd HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        time.sleep(0.1)
        start = time.monotonic()
        emulator.stop()
        assert time.monotonic() - start < 1.8
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 503")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["errorCode"] == 503
    assert not [each for each in caplog.records if each.exc_info]


def test_a_fault_that_waits_for_a_body_is_ended_in_the_four_fields(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "_GRACE", 0.2)
    emulator = Emulator(faults=("hang,call=createSingleCertBatch",))
    emulator.start()
    host, port = emulator.url.removeprefix("http://").split(":")
    head = b"PUT /api/v1/batches/createSingleCertBatch HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf"
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(head)
        time.sleep(0.1)
        emulator.stop()
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    assert reply.startswith(b"HTTP/1.1 503")
    assert json.loads(reply.partition(b"\r\n\r\n")[2])["status"] == 503
    assert not [each for each in caplog.records if each.exc_info]


def test_an_answer_that_nobody_reads_is_given_up() -> None:
    settings = EmulatorSettings()
    call = Call(create_service(settings, "http://127.0.0.1:1"), "", None, _answer, False)
    scope: Any = {"type": "http", "method": "GET", "path": "/", "raw_path": b"/", "headers": []}

    async def send(_message: Any) -> None:
        await asyncio.sleep(60)

    async def cancelled() -> None:
        task = asyncio.create_task(call(scope, send, send))  # type: ignore[arg-type]
        await asyncio.sleep(0.01)
        task.cancel()
        await task

    asyncio.run(cancelled())


async def _answer(_visit: object) -> Any:
    return binary_reply(b"x", "text/plain")


def test_no_key_is_begun_once_it_ends(slow_keys: list[str]) -> None:
    with Emulator(key_type="rsa4096", key_pool=3):
        start = time.monotonic()
    assert time.monotonic() - start < 2
    assert not threads_named(KEYS)
    assert slow_keys.count(KEYS) == 1


def test_a_start_that_fails_leaves_no_thread(slow_keys: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def start(self: object) -> None:
        raise RuntimeError("no server")

    monkeypatch.setattr(running.ServerThread, "start", start)
    with pytest.raises(RuntimeError, match="no server"):
        Emulator(key_type="rsa4096", key_pool=100).start()
    wait_for(lambda: not threads_named(KEYS))
    assert slow_keys.count(KEYS) == 1
