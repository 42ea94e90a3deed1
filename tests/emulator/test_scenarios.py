"""Each scenario: what it says happens, a bad client is convicted as it says, and our own client gets along."""

from __future__ import annotations

import io
import re
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import requests

from sectigo_iot import (
    APIError,
    BatchFailedError,
    BundleError,
    DeadlineError,
    InvalidReplyError,
    IoTManager,
    OutcomeUnknownError,
    RedirectError,
    SectigoError,
    check_params,
    choose_authority,
)
from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.setup import find_scenario, scenarios
from sectigo_iot.pki import IssuedCertificate, open_bundle
from tests.conftest import settings_for
from tests.emulator.api import PARAMETERS, PASSWORD, Api, refused

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "scenarios.md"
ORDER = "/api/v1/batches/createSingleCertBatch"
TRIED: set[str] = set()
HURRIED = {"accepted-late": 1.5, "kill-window": 1}
"""What takes many seconds, and how many it takes here."""
UNTIL_ANSWERED = """
import sys, requests
url, token = sys.argv[1:]
order = {"authorityId": 423, "batchName": "first"}
order["profileParams"] = {"commonName": "example.com", "dNSName": "example.com", "pkcs12Password": "secrtpasswrd"}
reply = requests.put(url, json=order, headers={"Authorization": token}, timeout=30)
print(reply.json()["batchId"])
"""
"""A program that orders and notes nothing before the reply."""


class Day:
    """An emulator on one of its bad days, with a bare client, our own, and what convicts either."""

    def __init__(self, emulator: Emulator, scenario: str) -> None:
        self.emulator = emulator
        self.scenario = scenario
        self.control = emulator.control
        self.api = Api(emulator)

    def client(self, **changes: object) -> IoTManager:
        """Return our own client, for which time passes at the emulator alone."""
        return IoTManager(settings_for(self.emulator, **changes), sleep=self._pass)

    def _pass(self, seconds: float) -> None:
        self.control.advance(seconds)

    def order(self) -> int:
        """Order with the bare client."""
        reply = self.api.order()
        assert reply.status_code == 201, reply.text
        number: int = reply.json()["batchId"]
        return number

    def doubled(self) -> list[str]:
        """Return the batch names that were bought more than once."""
        return [each["name"] for each in self.control.doubled() if each["by"] == "batchName"]

    def unfetched(self) -> list[int]:
        return [each["batch"] for each in self.control.unfetched()]

    def faults(self, call: str) -> list[str | None]:
        """Return what struck each request of one kind."""
        return [each["fault"] for each in self.control.journal(call=call)]


def issue(client: IoTManager, name: str = "ours") -> IssuedCertificate:
    """Order, wait, download and open, with our own client."""
    return fetch(client, client.create_single_cert_batch(423, name, PARAMETERS).batch_id)


def fetch(client: IoTManager, batch: int) -> IssuedCertificate:
    client.wait(batch, timeout=900)
    (issued,) = open_bundle(client.download_bytes(batch), PASSWORD)
    return issued


@pytest.fixture
def day(request: pytest.FixtureRequest) -> Iterator[Day]:
    with _emulator(request.param) as emulator:
        made = Day(emulator, request.param)
        yield made
        made.api.session.close()


def _emulator(name: str) -> Emulator:
    """Return an emulator with a scenario, whose faults take less time here than they say."""
    if name not in HURRIED:
        return Emulator(scenario=name, seed=1)
    faults = [{**each, "seconds": HURRIED[name]} for each in find_scenario(name).config["faults"]]
    return Emulator(config={"faults": faults}, seed=1)


def on(*names: str) -> pytest.MarkDecorator:
    """Run a test on each of these days."""
    TRIED.update(names)
    return pytest.mark.parametrize("day", names, indirect=True)


def until(what: Callable[[], Any]) -> Any:
    end = time.monotonic() + 10
    while not (found := what()):
        assert time.monotonic() < end
        time.sleep(0.02)
    return found


@on("lost-reply", "garbled-order")
def test_an_order_whose_reply_does_not_arrive_is_there(day: Day) -> None:
    fault = {"lost-reply": "lost-reply", "garbled-order": "garbled-reply"}[day.scenario]
    with day.client() as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            client.create_single_cert_batch(423, "ours", PARAMETERS)
        (order,) = day.control.orders(batch_name="ours")["orders"]
        assert (order["fault"], caught.value.batch_name) == (fault, "ours")
        assert client.find_certificate("example.com").total_count == 1
        (portal,) = day.control.batches()
        assert fetch(client, portal["id"]).common_name == "example.com"
    assert (day.control.doubled(), day.unfetched()) == ([], [])


@on("lost-reply", "garbled-order")
def test_whoever_orders_again_after_a_lost_reply_is_convicted(day: Day) -> None:
    with pytest.raises((requests.ConnectionError, ValueError)):
        day.api.order().json()
    assert day.api.order().json()["batchName"] == "first"
    assert [(each["by"], len(each["orders"])) for each in day.control.doubled()] == [
        ("batchName", 2),
        ("commonName", 2),
    ]


@pytest.mark.parametrize("name", ["lost-reply", "garbled-order"])
def test_an_order_whose_reply_did_not_arrive_is_found_once_it_is_issued(name: str) -> None:
    with Emulator(scenario=name, delay=2, seed=1) as emulator, IoTManager(settings_for(emulator)) as client:
        with pytest.raises(OutcomeUnknownError):
            client.create_single_cert_batch(423, "ours", PARAMETERS)
        assert client.find_certificate("example.com").total_count == 0
        assert emulator.control.orders(batch_name="ours")["accepted"] == 1
        emulator.control.advance(2)
        assert client.find_certificate("example.com").total_count == 1


@on("lost-reply")
def test_the_first_request_to_order_is_struck_even_if_it_is_refused(day: Day) -> None:
    day.control.set_balance(423, 0)
    with pytest.raises(requests.ConnectionError):
        day.api.order()
    assert (day.control.batches(), day.control.orders()["refused"]) == ([], 1)
    day.control.set_balance(423, 1)
    assert day.order() == day.control.batches()[0]["id"]


@on("accepted-late")
def test_an_order_that_is_accepted_late_is_found_by_whoever_looks_again(day: Day) -> None:
    with day.client(timeout=0.5) as client:
        with pytest.raises(OutcomeUnknownError):
            client.create_single_cert_batch(423, "first", PARAMETERS)
        assert client.find_certificate("example.com").total_count == 0
        assert until(lambda: client.find_certificate("example.com").total_count) == 1
    assert day.doubled() == []


@on("accepted-late")
def test_an_order_is_accepted_when_nobody_waits_any_more(day: Day) -> None:
    with day.client(timeout=0.5) as client, pytest.raises(OutcomeUnknownError):
        client.create_single_cert_batch(423, "first", PARAMETERS)
    assert day.control.batches() == []
    day.order()
    assert day.doubled() == []
    assert until(day.doubled) == ["first"]


@on("kill-window")
def test_a_client_that_is_killed_before_the_reply_orders_again(day: Day) -> None:
    token = str(day.api.session.headers["Authorization"])
    command = [sys.executable, "-c", UNTIL_ANSWERED, day.emulator.url + ORDER, token]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as client:
        until(day.control.batches)
        client.kill()
        assert client.communicate()[0] == b""
    again = subprocess.run(command, capture_output=True, text=True, check=True)
    day.api.files(int(again.stdout))
    assert until(day.doubled) == ["first"]
    assert all(len({order["client"] for order in each["orders"]}) == 2 for each in day.control.doubled())
    (lost,) = day.unfetched()
    with day.client() as ours:
        assert fetch(ours, lost).common_name == "example.com"


@on("last-licence")
def test_one_of_many_orders_gets_the_last_licence(day: Day) -> None:
    with ThreadPoolExecutor(5) as pool:
        replies = list(pool.map(lambda number: day.api.order(name=f"order {number}"), range(5)))
    assert sorted(reply.status_code for reply in replies) == [201, 400, 400, 400, 400]
    told = day.control.orders()
    assert (told["accepted"], told["refused"]) == (1, 4)
    assert [each["count"] for each in day.control.repeated()] == [4]
    with day.client() as client, pytest.raises(APIError) as caught:
        client.create_single_cert_batch(423, "ours", PARAMETERS)
    assert caught.value.status == 400
    day.control.set_balance(423, 1)
    assert day.api.order(name="later").status_code == 201


@on("hung-connection")
def test_the_first_look_at_a_batch_hangs(day: Day) -> None:
    batch = day.order()
    address = f"{day.emulator.url}/api/v1/batches/{batch}"
    with pytest.raises(requests.Timeout):
        requests.get(address, headers=day.api.session.headers, timeout=0.3)
    (hung,) = until(lambda: [each for each in day.control.journal(call="batchDetail") if each["ended"]])
    assert (hung["fault"], hung["status"]) == ("hang", None)
    assert hung["seconds"] > 0.2
    assert day.unfetched() == [batch]
    assert day.api.batch(batch)["status"] == "READY_FOR_DOWNLOAD"


@on("hung-connection")
def test_our_client_gives_a_hung_connection_up(day: Day) -> None:
    batch = day.order()
    with day.client(timeout=1) as client:
        with pytest.raises(DeadlineError):
            client.look(batch)
        assert fetch(client, batch).common_name == "example.com"
    assert day.unfetched() == []


@on("download-fails-once", "download-html")
def test_the_first_download_is_none(day: Day) -> None:
    batch = day.order()
    first = day.api.get(f"/api/v1/batches/{batch}/download")
    assert not first.content.startswith(b"PK")
    assert first.status_code == {"download-fails-once": 500, "download-html": 200}[day.scenario]
    assert (day.unfetched(), day.control.unfetched()[0]["revoked"]) == ([batch], False)
    assert day.faults("download") in (["json-error"], ["html"])
    assert day.api.files(batch)
    assert (day.unfetched(), day.faults("download")[1:]) == ([], [None])


@on("download-fails-once", "download-html")
def test_our_client_does_not_take_an_error_for_a_download(day: Day) -> None:
    batch = day.order()
    with day.client() as client:
        with pytest.raises((APIError, InvalidReplyError, BundleError)):
            fetch(client, batch)
        assert day.unfetched() == [batch]
        assert fetch(client, batch).common_name == "example.com"


BAD_ZIPS = {
    "wrong-password": "zip-wrong-password",
    "empty-zip": "zip-no-entries",
    "two-entries": "zip-two-entries",
    "corrupt-pkcs12": "zip-corrupt",
    "bomb": "zip-bomb",
}


@on(*BAD_ZIPS)
def test_the_first_zip_is_of_no_use(day: Day) -> None:
    batch = day.order()
    content = day.api.get(f"/api/v1/batches/{batch}/download").content
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        count, size = len(archive.namelist()), sum(each.file_size for each in archive.infolist())
    assert (count == {"empty-zip": 0, "two-entries": 2}.get(day.scenario, 1), size > 2**30) == (
        True,
        day.scenario == "bomb",
    )
    assert (day.control.downloads()["count"], day.faults("download")) == (1, [BAD_ZIPS[day.scenario]])


@on(*BAD_ZIPS)
def test_our_client_downloads_again_what_did_not_open(day: Day) -> None:
    batch = day.order()
    with day.client() as client:
        with pytest.raises((BundleError, ValueError)):
            fetch(client, batch)
        assert fetch(client, batch).common_name == "example.com"
    assert day.control.downloads(batch)["count"] == 2


@on("slow-issue")
def test_what_is_withdrawn_is_issued_all_the_same(day: Day) -> None:
    batch = day.order()
    refused(day.api.get(f"/api/v1/batches/{batch}/download"), 400)
    assert day.control.unfetched() == []
    day.control.advance(60)
    (left,) = day.control.unfetched()
    assert (left["batch"], left["revoked"]) == (batch, False)
    with day.client() as client:
        issued = fetch(client, batch)
        client.revoke_certificate(423, "cessationOfOperation", issued.serial_number)
    assert day.control.unfetched() == []
    assert day.control.batch(batch)["status"] == "REVOKED"
    other = day.order()
    day.control.advance(60)
    day.control.revoke_batch(other)
    assert [(each["batch"], each["revoked"]) for each in day.control.unfetched()] == [(other, True)]


@on("rejected", "failed", "broken")
def test_a_batch_that_ends_without_a_certificate(day: Day) -> None:
    batch = day.order()
    with day.client() as client, pytest.raises(BatchFailedError) as caught:
        client.wait(batch, timeout=60)
    assert (caught.value.status or "").casefold() == day.scenario
    assert bool(caught.value.reason) is (day.scenario != "failed")
    assert day.control.late_polls() == []
    for _ in range(4):
        assert day.api.batch(batch)["status"] == day.scenario.upper()
    assert [each["batch"] for each in day.control.late_polls()] == [batch]
    assert day.control.authorities()[1]["balance"] == 100
    day.order()
    day.control.advance(2)
    assert (day.doubled(), day.control.orders(batch_name="first")["count"]) == ([], 2)


MADE_OUT_AS = {
    "unknown-status": ("AWAITING_CEREMONY", 0),
    "zero-counts": ("PROCESSING", 0),
    "disagreeing": ("READY_FOR_DOWNLOAD", 1),
}
"""What a batch's detail says half-way, and how many certificates are being made by its counts."""


@on(*MADE_OUT_AS)
def test_a_batch_that_cannot_be_made_out_becomes_ready(day: Day) -> None:
    batch = day.order()
    day.control.advance(1.2)
    seen, info = day.api.batch(batch), day.api.get(f"/api/v1/batches/{batch}/processing_info").json()
    assert (seen["status"], info["active"]) == MADE_OUT_AS[day.scenario]
    assert info["success"] == 0
    refused(day.api.get(f"/api/v1/batches/{batch}/download"), 400)
    day.control.advance(1.2)
    assert day.unfetched() == [batch]
    assert day.control.polls(batch)["count"] == 2
    with day.client() as client:
        assert issue(client).common_name == "example.com"
    assert day.unfetched() == [batch]


@on("removed-after-expiration")
def test_a_batch_is_gone_after_a_day(day: Day) -> None:
    batch = day.order()
    with day.client() as client:
        assert issue(client).common_name == "example.com"
        day.control.advance(86401)
        fresh = Api(day.emulator)
        assert fresh.batch(batch)["status"] == "REMOVED_AFTER_EXPIRATION"
        refused(fresh.get(f"/api/v1/batches/{batch}/download"), 400)
        assert (day.unfetched(), day.control.late_polls()) == ([batch], [])
        with pytest.raises(BatchFailedError):
            client.wait(batch, timeout=60)
    fresh.batch(batch)
    fresh.session.close()
    assert [each["batch"] for each in day.control.late_polls()] == [batch]


@on("batch-id-zero")
def test_the_first_batch_is_number_zero(day: Day) -> None:
    with day.client() as client:
        assert issue(client).common_name == "example.com"
    assert day.control.downloads(0)["count"] == 1
    day.control.reset()
    if not day.order():
        day.order()
    assert day.control.polls()["count"] == 0
    assert day.unfetched() == [0, 1]
    assert day.doubled() == ["first"]


@on("no-balance")
def test_no_licence_is_left(day: Day) -> None:
    for _ in range(4):
        refused(day.api.order(), 400, "balance")
    assert [(each["name"], each["count"]) for each in day.control.repeated()] == [("example.com", 4)]
    with day.client() as client:
        with pytest.raises(SectigoError):
            choose_authority(client.user_authorities())
        day.control.set_balance(423, 1)
        assert choose_authority(client.user_authorities()).authority.id == 423
        assert issue(client).common_name == "example.com"


@on("mandatory-parameter")
def test_a_parameter_becomes_mandatory_with_the_first_order(day: Day) -> None:
    with day.client() as client:
        assert check_params(client.profile_params(423), PARAMETERS) == ()
        for _ in range(4):
            refused(day.api.order(), 400, "organizationName")
        assert [each["count"] for each in day.control.repeated()] == [4]
        assert "organizationName" in day.control.orders()["orders"][3]["refused"]
        assert "organizationName" in str(check_params(client.profile_params(423), PARAMETERS))
        more = {**PARAMETERS, "organizationName": "Example"}
        batch = client.create_single_cert_batch(423, "ours", more)
        assert fetch(client, batch.batch_id).common_name == "example.com"


@on("wrong-authority-first")
def test_the_first_authority_with_licences_is_the_wrong_one(day: Day) -> None:
    first = next(each["id"] for each in day.api.get("/api/v1/authorities/allowed").json() if each["balance"])
    for _ in range(4):
        refused(day.api.order(authority=first), 400, "organizationName")
    assert [each["count"] for each in day.control.repeated()] == [4]
    with day.client() as client:
        authorities = client.user_authorities()
        with pytest.raises(SectigoError):
            choose_authority(authorities)
        assert choose_authority(authorities, profile="CipherTrace EE").authority.id == 423
        assert issue(client).common_name == "example.com"
    assert [each["profile"] for each in day.control.batches()] == ["CipherTrace EE"]


@on("expiring")
def test_certificates_live_for_eight_days(day: Day) -> None:
    with day.client() as client:
        issued = issue(client)
    assert (issued.not_after - issued.not_before).days in (7, 8)
    (shown,) = day.control.certificates(common_name="example.com")
    assert shown["status"] == "good"
    day.control.advance(8 * 86400)
    (shown,) = day.control.certificates(common_name="example.com")
    assert shown["status"] == "expired"
    (only,) = day.control.orders(common_name="example.com")["orders"]
    assert only["time"] < shown["notAfter"]


@on("busy")
def test_the_service_asks_to_come_back_later(day: Day) -> None:
    batch = day.order()
    address = f"/api/v1/batches/{batch}"
    first = day.api.get(address)
    assert (first.status_code, first.headers["Retry-After"]) == (503, "1")
    replies = [day.api.get(address) for _ in range(30)]
    assert {reply.status_code for reply in replies} == {200, 429}
    assert all("GMT" in reply.headers["Retry-After"] for reply in replies if reply.status_code == 429)
    assert day.control.polls(batch)["perMinute"]["most"] > 15
    with day.client() as client:
        assert issue(client).common_name == "example.com"


@on("session-lost")
def test_the_session_ends_and_cannot_be_renewed(day: Day) -> None:
    with day.client() as client:
        client.user_authorities()
        assert issue(client).common_name == "example.com"
    assert day.faults("refresh") == ["refresh-refused"]
    assert day.control.logins()["accepted"] == 3  # two of them of our client
    refused(day.api.call("POST", "/auth/refresh", data=day.api.tokens["refreshToken"]), 401)
    for _ in range(10):
        Api(day.emulator).session.close()
    assert day.control.logins("tester")["accepted"] == 13


@on("redirects")
def test_requests_are_sent_elsewhere(day: Day) -> None:
    reply = day.api.order()
    assert (reply.status_code, reply.headers["Location"]) == (308, f"http://other.test{ORDER}")
    assert day.api.get("/api/v1/authorities/allowed").headers["Location"].startswith("http://other.test/")
    assert day.control.batches() == []
    assert day.faults("devices") == []
    with pytest.raises(requests.TooManyRedirects):
        day.api.session.get(f"{day.emulator.url}/api/v1/devices", timeout=10)
    assert len(day.control.journal(call="devices")) > 20


@on("redirects")
def test_our_client_is_not_sent_elsewhere(day: Day) -> None:
    with day.client() as client:
        for call in (client.user_authorities, client.licenses_used, lambda: issue(client)):
            with pytest.raises(RedirectError):
                call()
        assert day.control.batches() == []
        assert len(day.control.journal(call="devices")) < 10
        assert issue(client).common_name == "example.com"


@on("hostile")
def test_our_client_gets_every_certificate_in_spite_of_everything(day: Day) -> None:
    with day.client() as client:
        for number in range(12):
            batch = _ordered(day, client, f"order {number}")
            assert fetch(client, batch).common_name == "example.com"
    assert day.doubled() == []
    assert day.unfetched() == []
    assert len({each["fault"] for each in day.control.journal()}) > 5


def _ordered(day: Day, client: IoTManager, name: str) -> int:
    try:
        return client.create_single_cert_batch(423, name, PARAMETERS).batch_id
    except OutcomeUnknownError as unknown:
        (found,) = [each["id"] for each in day.control.batches() if each["name"] == unknown.batch_name]
        number: int = found
        return number


FAILURES = tuple(f"F{number}" for number in range(1, 20))


def test_every_scenario_is_tried() -> None:
    assert set(scenarios()) == TRIED


def test_how_long_what_is_hurried_takes_outside() -> None:
    longer = {name: find_scenario(name).config["faults"][0]["seconds"] for name in HURRIED}
    assert longer == {"accepted-late": 65, "kill-window": 5}


def test_every_failure_has_a_scenario_or_a_question() -> None:
    provoked = {failure for scenario in scenarios().values() for failure in scenario.provokes}
    asked = set(re.findall(r"^### (F\d+): ", PAGE.read_text(), re.MULTILINE))
    assert provoked.isdisjoint(asked)
    assert provoked | asked == set(FAILURES)


def test_the_table_leads_from_a_failure_to_its_scenarios_or_its_question() -> None:
    rows = re.findall(r"^\| (F\d+) \| .* \| [DLSO, ]+ \| (.*) \|$", PAGE.read_text(), re.MULTILINE)
    assert [failure for failure, _ in rows] == list(FAILURES)
    for failure, cell in rows:
        named = set(re.findall(r"\[`([a-z0-9-]+)`\]\(#\1\)", cell))
        assert named == {name for name, scenario in scenarios().items() if failure in scenario.provokes}
        assert named or re.fullmatch(rf"\[`GET /journal/[a-z]+`\]\(#{failure.lower()}-[a-z0-9-]+\)", cell)


@pytest.mark.parametrize("name", scenarios())
def test_a_scenario_says_what_it_is(name: str) -> None:
    scenario = scenarios()[name]
    assert "\n" not in scenario.title
    assert not scenario.title.endswith(".")
    assert all(text.strip().endswith(".") for text in (scenario.happens, scenario.client, scenario.journal))
    assert re.search(r"`GET /(journal|batches|certificates)\b", scenario.journal)


def test_the_page_has_every_scenario() -> None:
    command = [sys.executable, "-m", "cogapp", "--check", "-I", "docs", str(PAGE.relative_to(ROOT))]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done}; `.venv/bin/cog -r -I docs docs/scenarios.md` writes it anew"
    assert re.findall(r"^### `([a-z0-9-]+)`$", PAGE.read_text(), re.MULTILINE) == list(scenarios())
