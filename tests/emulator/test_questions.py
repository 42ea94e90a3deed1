"""The questions to the journal: each convicts the client that it is about, and acquits one that behaves."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.control.client import Control
from tests.emulator.api import PARAMETERS, Api
from tests.emulator.csrs import make_csr

OTHER = PARAMETERS | {"commonName": "www.example.com"}


@pytest.fixture
def scene(emulator: Emulator) -> Iterator[tuple[Control, Api]]:
    """The emulator as it was at the start, and a client that has just logged in."""
    control = emulator.control
    control.reset()
    control.clear_lives()
    api = Api(emulator)
    yield control, api
    api.session.close()


@pytest.fixture
def other(emulator: Emulator, scene: tuple[Control, Api]) -> Iterator[Api]:
    """Another client, with tokens of its own."""
    scene[0].advance(1)
    api = Api(emulator)
    yield api
    api.session.close()


def order(api: Api, **details: Any) -> int:
    number: int = api.order(**details).json()["batchId"]
    return number


def lose(control: Control, api: Api, **details: Any) -> None:
    """Order, and never hear the answer."""
    control.queue_fault("lost-reply")
    with pytest.raises(requests.ConnectionError):
        api.order(**details)


def names(found: list[dict[str, Any]]) -> set[tuple[str, str]]:
    return {(each["by"], each["name"]) for each in found}


def test_orders(scene: tuple[Control, Api]) -> None:
    control, api = scene
    first = order(api)
    api.order(authority=1)
    lose(control, api)
    control.queue_fault("reset")
    with pytest.raises(requests.ConnectionError):
        api.order()
    order(api, parameters=OTHER, name="second")
    found = control.orders(batch_name="first")
    assert (found["count"], found["accepted"], found["refused"]) == (4, 2, 1)
    assert found["orders"][0]["batch"] == first
    assert "authorityId" in found["orders"][1]["refused"]
    assert [each["fault"] for each in found["orders"]] == [None, None, "lost-reply", "reset"]
    assert control.orders(common_name="WWW.example.com")["count"] == 1
    assert control.orders()["count"] == 5


def test_logins(scene: tuple[Control, Api]) -> None:
    control, api = scene
    for password in ("wrong", "supersecretsquirrel"):
        api.login("tester", password)
    api.login("nobody", "wrong")
    assert control.logins("tester") == {"count": 3, "accepted": 2, "refused": 1}
    assert control.logins()["count"] == 4


def test_polls(scene: tuple[Control, Api]) -> None:
    control, api = scene
    one, two = order(api), order(api)
    # At the begin of a minute, so that none begins in between.
    control.advance(60 - control.now() % 60)
    for path in ("", "/status", "/processing_info"):
        api.get(f"/api/v1/batches/{one}{path}")
    control.advance(60)
    for number in (one, two):
        api.get(f"/api/v1/batches/{number}")
    found = control.polls()
    assert found["count"] == 5
    assert found["perMinute"] == {"most": 3, "latest": 2}
    assert found["batches"] == [{"batch": one, "count": 4, "most": 3}, {"batch": two, "count": 1, "most": 1}]
    assert control.polls(two)["count"] == 1
    assert control.polls(1) == {"count": 0, "perMinute": {"most": 0, "latest": 0}, "batches": []}


def test_downloads(scene: tuple[Control, Api]) -> None:
    control, api = scene
    one, two = order(api), order(api)
    for number in (one, one, two):
        api.files(number)
    found = control.downloads()
    assert found["count"] == 3
    assert [(each["batch"], each["count"], len(each["times"])) for each in found["batches"]] == [
        (one, 2, 2),
        (two, 1, 1),
    ]
    assert control.downloads(two)["count"] == 1


def test_an_order_that_was_lost_and_repeated_is_doubled(scene: tuple[Control, Api]) -> None:
    control, api = scene
    lose(control, api)
    assert control.doubled() == []
    order(api)
    found = control.doubled()
    assert names(found) == {("batchName", "first"), ("commonName", "example.com")}
    assert [each["fault"] for each in found[0]["orders"]] == ["lost-reply", None]
    assert control.simultaneous() == [], "it was one client after all"


def test_what_failed_or_never_arrived_may_be_ordered_again(scene: tuple[Control, Api]) -> None:
    control, api = scene
    control.next_life("rejected")
    rejected = order(api)
    control.advance(10)
    assert control.batch(rejected)["status"] == "REJECTED"
    control.queue_fault("reset")
    with pytest.raises(requests.ConnectionError):
        api.order()
    api.order(authority=1)
    order(api)
    assert control.doubled() == []


def test_two_that_order_the_same(scene: tuple[Control, Api], other: Api) -> None:
    control, api = scene
    order(api)
    control.advance(30)
    order(other)
    order(other, parameters=OTHER, name="other")
    assert names(control.simultaneous()) == {("batchName", "first"), ("commonName", "example.com")}
    assert control.simultaneous(within=20) == []


def test_two_that_share_a_token_and_order_at_the_same_time(emulator: Emulator, scene: tuple[Control, Api]) -> None:
    control, api = scene
    control.add_fault("late-reply", calls=["createSingleCertBatch"], seconds=0.3)
    token = str(api.session.headers["Authorization"])
    document: Any = {"authorityId": 423, "batchName": "both", "profileParams": PARAMETERS}

    def send() -> None:
        path = emulator.url + "/api/v1/batches/createSingleCertBatch"
        requests.put(path, json=document, headers={"Authorization": token}, timeout=10)

    threads = [threading.Thread(target=send) for _ in range(2)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    found = [each for each in control.simultaneous(within=0) if each["by"] == "batchName"]
    assert len({each["session"] for each in found[0]["orders"]}) == 1
    assert len({each["client"] for each in found[0]["orders"]}) == 2


def test_twins_are_alive_under_different_names(scene: tuple[Control, Api]) -> None:
    control, api = scene
    one, two = order(api, name="automatic"), order(api, name="by hand")
    order(api, parameters=OTHER)
    found = control.twins()
    assert [each["commonName"] for each in found] == ["example.com"]
    assert [(each["batch"], each["name"]) for each in found[0]["batches"]] == [(one, "automatic"), (two, "by hand")]
    control.revoke_batch(one)
    assert control.twins() == []


def test_what_was_paid_for_and_never_fetched(scene: tuple[Control, Api]) -> None:
    control, api = scene
    fetched, left, revoked = (order(api, name=name) for name in ("fetched", "left", "revoked"))
    control.next_life("stuck")
    order(api)
    for _ in range(2):
        api.files(fetched)
    control.revoke_batch(revoked)
    assert [(each["batch"], each["revoked"]) for each in control.unfetched()] == [(left, False), (revoked, True)]
    every = {each["batch"]: each["downloads"] for each in control.unfetched(downloads=True)}
    assert every == {fetched: 2, left: 0, revoked: 0}


def test_a_gap_between_two_certificates(scene: tuple[Control, Api]) -> None:
    control, api = scene
    old, new = order(api, name="old"), order(api, name="new")
    api.files(old)
    control.revoke_batch(old, "superseded")
    control.advance(100)
    gap = control.gaps()[0]
    assert (gap["commonName"], gap["successor"], gap["successorDownloaded"]) == ("example.com", new, None)
    assert 100 <= gap["seconds"] < 110
    api.files(new)
    closed = control.gaps()[0]
    assert closed["successorDownloaded"] > closed["revoked"]
    control.advance(100)
    assert control.gaps() == [closed]


def test_a_successor_that_was_there_in_time(scene: tuple[Control, Api]) -> None:
    control, api = scene
    old, new = order(api, name="old"), order(api, name="new")
    api.files(old)
    api.files(new)
    control.revoke_batch(old, "superseded")
    control.revoke_batch(new, "cessationOfOperation")
    assert control.gaps() == []


def test_a_certificate_that_expired_before_its_successor_came(scene: tuple[Control, Api], emulator: Emulator) -> None:
    control, api = scene
    api.files(order(api, name="old"))
    control.advance(days=400)
    late = Api(emulator)
    with contextlib.closing(late.session):
        late.files(order(late, name="new"))
    gap = control.gaps()[0]
    assert gap["seconds"] > 86400
    assert gap["successorDownloaded"] is not None


def test_orders_that_are_refused_again_and_again(scene: tuple[Control, Api]) -> None:
    control, api = scene
    for _ in range(3):
        api.order(authority=1, name="hopeless")
    assert control.repeated() == []
    api.order(authority=1, name="hopeless")
    api.order(parameters={}, name="something else")
    found = control.repeated()
    assert [(each["by"], each["name"], each["count"]) for each in found] == [("commonName", "example.com", 4)]
    assert "authorityId" in found[0]["refused"]
    assert found[0]["numbers"] == [each["number"] for each in control.orders("hopeless")["orders"]]
    assert len(control.repeated(times=0)) == 2


def test_polls_in_vain(scene: tuple[Control, Api]) -> None:
    control, api = scene
    control.next_life("stuck", times=2)
    one, two = order(api), order(api)
    api.batch(one)
    for number in (one, two):
        control.reject(number)
        api.batch(number)
        api.get(f"/api/v1/batches/{number}/status")
    assert control.late_polls() == [], "each call tells of the end once"
    api.batch(one)
    assert control.late_polls() == [{"batch": one, "status": "REJECTED", "polls": 1}]
    control.advance(120)
    api.batch(one)
    assert control.late_polls() == [{"batch": one, "status": "REJECTED", "polls": 2}]


def test_a_poll_that_a_fault_struck_tells_of_nothing(scene: tuple[Control, Api]) -> None:
    control, api = scene
    control.next_life("stuck")
    number = order(api)
    control.reject(number)
    control.queue_fault("unavailable", calls=["batchDetail"])
    for _ in range(2):
        api.get(f"/api/v1/batches/{number}")
    assert control.late_polls() == []


def test_an_upload_counts_by_the_name_of_its_file(scene: tuple[Control, Api]) -> None:
    control, api = scene
    for _ in range(2):
        assert api.upload(make_csr("example.org", "example.org"), name="fleet.csr").status_code == 201
    assert names(control.doubled()) == {("batchName", "fleet.csr"), ("commonName", "example.org")}
