"""Every fault as users get it: asked for by name, struck on a real connection, told by the journal, and over."""

from __future__ import annotations

import contextlib
import socket
import time
from typing import Any

import pytest
import requests

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.faults.catalogue import FAULTS
from sectigo_iot.emulator.faults.hostile import HOSTILE
from tests.emulator.api import PARAMETERS, PASSWORD, Api

QUICK = {"late-reply": ",seconds=0.2", "accepted-late": ",seconds=0.2", "refuse": ",seconds=0.3"}
"""Details that keep the tests short."""
NO_ANSWER = ("lost-reply", "reset", "refuse", "silent-reply", "hang", "cut-reply")
"""After these a client has no reply, or not a whole one."""
SLOW = {"slow-body": ",bytes=2000", "slow-head": ",bytes=4000"}


def call_of(name: str) -> str:
    """Return a call that the fault can strike."""
    calls = FAULTS[name].calls
    for each in ("download", "createSingleCertBatch", "userAuthorities", "authenticate", "refresh"):
        if each in calls or (not calls and each == "createSingleCertBatch"):
            return each
    return calls[0]


def act(api: Api, call: str, seconds: float) -> requests.Response:
    """Make a call, and give up after so long."""
    document = {"authorityId": 423, "batchName": "struck", "profileParams": PARAMETERS}
    calls: dict[str, tuple[str, str, dict[str, Any]]] = {
        "createSingleCertBatch": ("PUT", "/api/v1/batches/createSingleCertBatch", {"json": document}),
        "download": ("GET", "/api/v1/batches/10000/download", {}),
        "userAuthorities": ("GET", "/api/v1/authorities/allowed", {}),
        "authenticate": ("POST", "/auth/pwd", {"json": {"username": "tester", "password": "supersecretsquirrel"}}),
        "refresh": ("POST", "/auth/refresh", {"data": api.tokens["refreshToken"]}),
    }
    method, path, options = calls[call]
    return api.session.request(method, api.url + path, timeout=seconds, allow_redirects=False, **options)


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_strikes_once_and_is_over(name: str, caplog: pytest.LogCaptureFixture) -> None:
    call = call_of(name)
    # The first log-in is that of the test's own client.
    number = 2 if call == "authenticate" else 1
    rule = f"{name},call={call},nth={number}{QUICK.get(name, '')}{SLOW.get(name, '')}"
    with Emulator(faults=(rule,), lock_after=0) as emulator:
        api = Api(emulator)
        if call == "download":
            api.order()
        try:
            reply = act(api, call, 1.0 if name in NO_ANSWER else 10.0)
        except requests.RequestException:
            assert name in NO_ANSWER or name == "zip-wrong-length"
        else:
            assert name not in NO_ANSWER
            assert reply.status_code < 600
        struck = [each for each in emulator.control.journal() if each["fault"] == name]
        assert [each["call"] for each in struck] == [call]
        if name == "refuse":
            wait_until_open(emulator)
        api.session.close()
        again = Api(emulator)
        assert again.get("/status").status_code == 200
        assert again.get("/api/v1/devices").status_code == 200
        again.session.close()
    assert PASSWORD not in str(struck)
    assert not [each for each in caplog.records if each.exc_info]


def wait_until_open(emulator: Emulator) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    end = time.monotonic() + 10
    while time.monotonic() < end:
        with contextlib.suppress(OSError), socket.create_connection((host, int(port)), timeout=1):
            return
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("name", "accepted"),
    [
        *(("lost-reply", 1), ("silent-reply", 1), ("late-reply", 1), ("garbled-reply", 1), ("accepted-late", 1)),
        *(("cut-reply", 1), ("reset", 0), ("hang", 0), ("unavailable", 0), ("html", 0), ("null", 0), ("empty", 0)),
        *(("html,value=handled", 1), ("null,value=handled", 1), ("json-error,value=handled", 1)),
    ],
)
def test_the_journal_knows_whether_an_order_exists(name: str, accepted: int) -> None:
    rule = f"{name},call=createSingleCertBatch{QUICK.get(name, '')}"
    with Emulator(faults=(rule,)) as emulator:
        api = Api(emulator)
        with contextlib.suppress(requests.RequestException):
            act(api, "createSingleCertBatch", 1.0 if name in NO_ANSWER else 10.0)
        api.session.close()
        told = emulator.control.orders(batch_name="struck")
        assert (told["count"], told["accepted"]) == (1, accepted)
        assert len(emulator.control.batches()) == accepted


def test_an_order_that_is_accepted_after_the_client_has_gone() -> None:
    with Emulator(faults=("accepted-late,call=createSingleCertBatch,seconds=0.6",)) as emulator:
        api = Api(emulator)
        document: Any = {"authorityId": 423, "batchName": "late", "profileParams": PARAMETERS}
        with pytest.raises(requests.ReadTimeout):
            api.session.put(api.url + "/api/v1/batches/createSingleCertBatch", json=document, timeout=0.2)
        api.session.close()
        assert emulator.control.batches() == []
        assert wait_for_batches(emulator) == ["late"]


def wait_for_batches(emulator: Emulator) -> list[str]:
    end = time.monotonic() + 5
    while not (found := emulator.control.batches()) and time.monotonic() < end:
        time.sleep(0.05)
    return [each["name"] for each in found]


def test_redirect_to_the_tls_port() -> None:
    with Emulator(tls=True) as emulator:
        login = {"username": emulator.username, "password": emulator.password}
        reply = requests.post(emulator.url + "/auth/pwd", json=login, timeout=5, allow_redirects=False)
        assert (reply.status_code, reply.headers["Location"]) == (307, f"{emulator.tls_url}/auth/pwd")


def test_the_hostile_mixture_is_off_unless_it_is_asked_for() -> None:
    with Emulator() as calm, Emulator(hostile=True, seed=1) as hostile:
        assert calm.control.faults()["rules"] == []
        assert [each["fault"] for each in hostile.control.faults()["rules"]] == [rule.fault for rule in HOSTILE]
