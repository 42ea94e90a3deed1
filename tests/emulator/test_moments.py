"""Going back to an earlier moment, and moving the clock: as a whole, or not at all where the folder takes nothing."""

from __future__ import annotations

import contextlib
import logging
import socket
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.control.client import Control, ControlError
from sectigo_iot.emulator.memory.records import Records
from sectigo_iot.emulator.memory.store import NotKeptError
from tests.emulator.api import Api, refused
from tests.emulator.raw import opens, wait_for

FULL = "500: the emulator cannot write to its folder"


@contextlib.contextmanager
def calling(emulator: Emulator) -> Iterator[tuple[Control, Api]]:
    api = Api(emulator)
    with contextlib.closing(api.session):
        yield emulator.control, api


def _not_kept(_change: Mapping[Any, Any]) -> None:
    raise NotKeptError("batches.sqlite: disk is full")


@contextlib.contextmanager
def full_disk(emulator: Emulator, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let nothing be kept for a while."""
    records: Records = emulator._assembly.service.records
    with monkeypatch.context() as patch:
        patch.setattr(records, "_keep", _not_kept)
        yield


def is_ready(control: Control, number: int) -> bool:
    return bool(control.batch(number)["status"] == "READY_FOR_DOWNLOAD")


def serials(control: Control) -> set[str]:
    return {each["serial"] for each in control.certificates()}


def crl_number(emulator: Emulator) -> int:
    content = requests.get(f"{emulator.url}/crl/issuing.crl", timeout=10).content
    found = x509.load_der_x509_crl(content).extensions.get_extension_for_class(x509.CRLNumber)
    return found.value.crl_number


# A disk that is full


@pytest.mark.parametrize("back", ["reset", "restore"])
def test_going_back_that_cannot_be_kept_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, back: str
) -> None:
    with Emulator(state_path=tmp_path, delay=0.6) as emulator, calling(emulator) as (control, api):
        control.snapshot("none")
        control.advance(50)
        number = api.order().json()["batchId"]
        with full_disk(emulator, monkeypatch), pytest.raises(ControlError, match=FULL):
            control.reset() if back == "reset" else control.restore("none")
        assert control.status()["ahead"] == 50
        wait_for(lambda: is_ready(control, number))
        assert control.reset()["ahead"] == 0
    assert "Traceback" not in caplog.text


def test_the_clock_stays_where_a_step_cannot_be_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with Emulator(state_path=tmp_path) as emulator, calling(emulator) as (control, _api):
        control.advance(7)
        with full_disk(emulator, monkeypatch), pytest.raises(ControlError, match=FULL):
            control.advance(1000)
        assert control.status()["ahead"] == 7
        assert control.advance(1)["ahead"] == 8
    assert "Traceback" not in caplog.text
    with Emulator(state_path=tmp_path) as again:
        assert again.control.status()["ahead"] == 8


def test_what_is_there_can_be_read_while_the_disk_is_full(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.ERROR)
    with Emulator(state_path=tmp_path, delay=1.0) as emulator, calling(emulator) as (control, api):
        number = api.order().json()["batchId"]
        with full_disk(emulator, monkeypatch), requests.get(f"{control.url}/events", stream=True, timeout=10) as page:
            time.sleep(1.3)
            assert control.batch(number)["status"] != "READY_FOR_DOWNLOAD"
            lines = page.iter_lines()
            assert next(lines) == b"event: change"
            control.queue_fault("lost-reply")
            assert b"event: change" in (next(lines), next(lines), next(lines))
        wait_for(lambda: is_ready(control, number))
    assert "Traceback" not in caplog.text


# Sessions and the port


def test_a_session_that_was_ended_is_as_it_was(emulator: Emulator) -> None:
    with calling(emulator) as (control, api):
        control.snapshot("before")
        service = emulator._assembly.service
        service.mint.revoke(api.tokens["accessToken"])
        control.snapshot("after")
        refused(api.get("/api/v1/devices"), 401, "revoked")
        control.restore("before")
        assert api.get("/api/v1/devices").status_code == 200
        control.restore("after")
        refused(api.get("/api/v1/devices"), 401, "revoked")
        control.reset()
        assert api.get("/api/v1/devices").status_code == 200


def test_a_clock_that_stands_still_tells_sessions_apart_anew() -> None:
    with Emulator(clock=lambda: 1_600_000_000.0) as emulator, calling(emulator) as (control, first):
        with calling(emulator) as (_, second):
            assert second.tokens["accessToken"] != first.tokens["accessToken"]
        control.reset()
        with calling(emulator) as (_, third):
            assert third.tokens["accessToken"] == first.tokens["accessToken"]


@pytest.mark.parametrize("back", ["reset", "restore"])
def test_nobody_can_connect_until_everything_is_put_back(back: str) -> None:
    with Emulator(tls=True) as emulator:
        control = emulator.control
        control.snapshot("open")
        ports = [_address(emulator.url), _address(emulator.tls_url)]
        assert [opens(each) for each in ports] == [True, True]
        control.queue_fault("refuse", seconds=600)
        with pytest.raises(requests.ConnectionError):
            requests.get(f"{emulator.url}/api/v1/devices", timeout=10)
        assert [opens(each) for each in ports] == [False, False]
        control.reset() if back == "reset" else control.restore("open")
        assert [opens(each) for each in ports] == [True, True]
        assert requests.get(f"{emulator.url}/api/v1/devices", timeout=10).status_code == 401


def _address(url: str | None) -> tuple[str, int]:
    parts = urlsplit(url or "")
    assert parts.hostname is not None
    assert parts.port is not None
    return socket.gethostbyname(parts.hostname), parts.port


# What a CA may not give twice


def test_no_serial_number_comes_again_under_a_ca_that_was_kept(tmp_path: Path) -> None:
    seen: list[str] = []
    for _ in range(3):
        with Emulator(state_path=tmp_path, seed=7) as emulator, calling(emulator) as (control, api):
            before = serials(control)
            assert [api.order(name=name).status_code for name in ("one", "two")] == [201, 201]
            seen += serials(control) - before
            control.reset()
            api.order(name="three")
            seen += serials(control)
    assert len(seen) == 9
    assert len(set(seen)) == 9


def test_no_serial_number_comes_again_after_a_reset_in_memory() -> None:
    with Emulator(seed=7) as emulator, calling(emulator) as (control, api):
        api.order()
        first = serials(control)
        control.reset()
        api.order()
        assert len(first | serials(control)) == 2


def test_a_new_emulator_of_the_same_seed_gives_the_same_serial_numbers() -> None:
    seen = []
    for _ in range(2):
        with Emulator(seed=7) as emulator, calling(emulator) as (control, api):
            control.reset(seed=7)
            api.order()
            seen.append(serials(control))
    assert seen[0] == seen[1]


def test_the_numbers_of_crls_never_go_back(tmp_path: Path) -> None:
    with Emulator(state_path=tmp_path) as emulator:
        emulator.control.snapshot("start")
        emulator.control.advance(days=3)
        numbers = [crl_number(emulator)]
        emulator.control.reset()
        numbers.append(crl_number(emulator))
        emulator.control.restore("start")
        numbers.append(crl_number(emulator))
    with Emulator(state_path=tmp_path) as emulator:
        numbers.append(crl_number(emulator))
    assert numbers == sorted(set(numbers))
