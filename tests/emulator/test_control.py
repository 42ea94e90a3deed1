"""The control port over HTTP: who may call, what each call does to the emulator, and what the journal shows."""

from __future__ import annotations

import contextlib
import json
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.control import events
from sectigo_iot.emulator.control.client import Control, ControlError
from sectigo_iot.emulator.control.page import policy_of
from sectigo_iot.emulator.control.routes import CALLS
from sectigo_iot.emulator.routes import documents
from tests.emulator.api import PARAMETERS, PASSWORD, Api, refused
from tests.emulator.csrs import make_csr, spoil


@pytest.fixture(scope="module")
def control(emulator: Emulator) -> Control:
    return emulator.control


@pytest.fixture
def fresh(emulator: Emulator, control: Control) -> Iterator[tuple[Control, Api]]:
    """The emulator as it was at the start."""
    control.reset()
    control.clear_lives()
    api = Api(emulator)
    yield control, api
    api.session.close()


def ask(control: Control, method: str, path: str, **options: Any) -> requests.Response:
    return requests.request(method, control.url + path, timeout=10, **options)


def says(reply: requests.Response, status: int, words: str = "") -> None:
    """Assert that a reply is a refusal in one line that holds some words."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/json"
    assert list(reply.json()) == ["error"]
    assert words in reply.json()["error"]
    assert "\n" not in reply.json()["error"]


def order(api: Api, **details: Any) -> int:
    number: int = api.order(**details).json()["batchId"]
    return number


@contextlib.contextmanager
def refusing(status: int, words: str = "") -> Iterator[None]:
    with pytest.raises(ControlError, match=words) as caught:
        yield
    assert caught.value.status == status


# Who may call, and how


@pytest.mark.parametrize("host", ["example.com", "127.0.0.1.example.com", "localhost.", "10.0.0.1", "", "[::2]:80"])
def test_a_name_made_to_lead_here_is_refused(control: Control, host: str) -> None:
    says(ask(control, "GET", "/status", headers={"Host": host}), 403, "Host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:65535", "[::1]:80"])
def test_the_loopback_has_several_names(control: Control, host: str) -> None:
    assert ask(control, "GET", "/status", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("origin", ["http://example.com", "null", "http://127.0.0.1:1", "https://{host}"])
def test_a_page_from_elsewhere_is_refused(control: Control, origin: str) -> None:
    header = {"Origin": origin.format(host=urlsplit(control.url).netloc)}
    says(ask(control, "POST", "/reset", headers=header), 403, "Origin")
    assert ask(control, "GET", "/clock", headers={"Origin": control.url}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("GET", "/nothing", 404, "nothing"),
        ("GET", "/batches/1/push/x", 404, ""),
        ("GET", "/api/v1/batches", 404, "this is the control port; the service is at http://127.0.0.1:"),
        ("POST", "/auth/pwd", 404, "this is the control port; the service is at http://127.0.0.1:"),
        ("GET", "/batches/1", 404, "there is no batch 1"),
        ("GET", "/batches/first", 404, "there is no batch 'first'"),
        ("GET", "/batches/%E2%80%AE", 404, r"there is no batch '\u202e'"),
        ("GET", "/batches?limit=0", 422, "limit"),
        ("GET", "/batches?limit=many", 422, "limit"),
        ("GET", "/batches?unknown=1", 422, "unknown: there is no such field"),
        ("GET", "/certificates?commonname=x", 422, "no such field; did you mean 'commonName'?"),
        ("GET", "/certificates/xyz", 404, "there is no certificate with the serial number 'xyz'"),
        ("GET", "/certificates/12.pem", 404, "there is no certificate with the serial number 12"),
        ("GET", "/crl/other.crl", 404, "no such CA"),
        ("PUT", "/authorities/1/balance", 422, "balance: the field is missing"),
        ("POST", "/profiles/1/require", 422, "parameter: the field is missing"),
        ("POST", "/clock/advance", 422, "seconds or days is wanted"),
        ("POST", "/users/nobody/unlock", 404, "there is no user 'nobody'"),
        ("POST", "/users/Testr/unlock", 404, "there is no user 'Testr'; did you mean 'tester'?"),
        ("POST", "/snapshots/none/restore", 404, "there is no snapshot 'none'"),
        ("DELETE", "/snapshots/none", 404, "there is no snapshot 'none'"),
        ("DELETE", "/faults/rules/0", 404, "there is no rule 0"),
    ],
)
def test_what_there_is_not_is_named(
    fresh: tuple[Control, Api], method: str, path: str, status: int, words: str
) -> None:
    says(ask(fresh[0], method, path), status, words)


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [("POST", "/status", "GET"), ("PATCH", "/faults", "DELETE, GET, POST"), ("HEAD", "/journal", "DELETE, GET")],
)
def test_a_wrong_method_is_told_the_right_ones(control: Control, method: str, path: str, allowed: str) -> None:
    reply = ask(control, method, path)
    assert reply.status_code == 405
    assert reply.headers["Allow"] == allowed


@pytest.mark.parametrize(
    ("path", "body", "words"),
    [
        ("/clock/advance", {"seconds": "1"}, "seconds: expected float, got str"),
        ("/clock/advance", {"seconds": -1}, "seconds"),
        ("/clock/advance", {"days": 1e300}, "clock"),
        ("/clock/advance", [], "the request: expected object"),
        ("/lives", {"steps": [{"status": 1}]}, "steps[0].status: expected str, got int"),
        ("/lives", {"steps": [{"status": "A", "after": 2}, {"status": "B", "after": 1}]}, "steps"),
        ("/lives", {"steps": [{"status": "A", "after": -1}]}, "steps"),
        ("/lives", {"steps": [{"status": "A", "info": [0, -1, 0]}]}, "steps"),
        ("/lives", {"like": "rejectd"}, "like: 'rejectd' is none of ready, rejected"),
        ("/lives", {"like": "rejectd"}, "; did you mean 'rejected'?"),
        ("/lives", {"like": "ready", "steps": [{"status": "A"}]}, "like: not together with steps"),
        ("/lives", {}, "like: either the name of a life or steps are wanted"),
        ("/profiles/423/require", {"parameter": "DnsName"}, "there is no 'DnsName'; did you mean 'dNSName'?"),
        ("/faults", {"fault": "lost-repli"}, "did you mean 'lost-reply'"),
        ("/faults", {"fault": "lost-reply", "calls": ["x"]}, "calls"),
        ("/faults/rules", {"fault": "lost-reply", "percent": 101}, "percent"),
        ("/reset", {"seed": -1}, "seed"),
    ],
)
def test_a_wrong_value_is_named(control: Control, path: str, body: object, words: str) -> None:
    says(ask(control, "POST", path, json=body), 422, words)


@pytest.mark.parametrize("body", [b"{", b"\xff", b"{}x", b'{"seconds": NaN}', b'{"seconds": "\\ud800"}'])
def test_what_is_no_json_is_refused(control: Control, body: bytes) -> None:
    header = {"Content-Type": "application/json; charset=utf-8"}
    reply = ask(control, "POST", "/clock/advance", data=body, headers=header)
    assert reply.status_code in (400, 422)
    says(reply, reply.status_code)


def test_a_body_is_json_and_short(control: Control) -> None:
    says(ask(control, "POST", "/reset", data="{}", headers={"Content-Type": "text/plain"}), 415, "application/json")
    says(ask(control, "POST", "/reset", data=b"{}"), 415)
    says(ask(control, "POST", "/reset", data=b" " * (1 << 20) + b"{}"), 413)


def test_a_mistake_of_ours_is_one_line(
    fresh: tuple[Control, Api], monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    order(fresh[1])
    monkeypatch.setattr(documents, "status_text", lambda _batch: 1 / 0)
    says(ask(fresh[0], "GET", "/batches"), 500, "internal error")
    assert "could not be answered" in caplog.text


# The emulator and its clock


def test_status(emulator: Emulator, control: Control) -> None:
    status = control.status()
    assert status["status"] == "ok"
    assert status["service"] == emulator.url
    assert status["tls"] is None
    assert status["seed"] == emulator.seed
    assert status["account"] == "staging"
    assert status["banner"].startswith("TEST")


OTHER = {"id": 9, "name": "Other", "authorities": [{"id": 423, "profile": 423}], "users": []}


@pytest.mark.parametrize(
    ("options", "account"),
    [
        ({"username": "other", "balances": {423: 7}, "config": {"behaviour": {"delay": 1}}}, "staging"),
        ({"account": "manual"}, "manual"),
        ({"scenario": "no-balance"}, "own configuration"),
        ({"scenario": "rejected"}, "staging"),
        (
            {"config": {"organizations": [OTHER | {"users": [{"id": 1, "username": "me", "password": "mine"}]}]}},
            "own configuration",
        ),
    ],
)
def test_whose_account_is_played(options: dict[str, Any], account: str) -> None:
    with Emulator(**options) as emulator:
        assert emulator.control.status()["account"] == account


# Which port it is


def test_the_service_says_what_the_control_port_has(emulator: Emulator, control: Control) -> None:
    nothing, elsewhere = "there is nothing at this path", "there is nothing at this path; the control port has it"
    alone = {call.path.split("/")[1] for call in CALLS} - {"status", "ca", "crl", "ocsp"}
    for first, words in [*((each, elsewhere) for each in alone), ("nothing", nothing), ("batchesx", nothing)]:
        reply = requests.get(f"{emulator.url}/{first}", timeout=10)
        assert (first, reply.status_code, reply.json()["message"]) == (first, 404, words)
    assert control.url not in elsewhere


def test_the_service_does_not_name_a_control_port_that_there_is_not() -> None:
    with Emulator(control_port=None) as emulator:
        reply = requests.get(f"{emulator.url}/journal", timeout=10)
        assert reply.json()["message"] == "there is nothing at this path"


def test_the_client_says_what_the_service_said(emulator: Emulator) -> None:
    with refusing(404, "^404: there is nothing at this path; the control port has it$"):
        Control(emulator.url).batches()


def test_a_refusal_shows_no_inside_of_the_client(control: Control) -> None:
    with pytest.raises(ControlError) as caught:
        control.batch(99)
    shown = [each.name for each in caught.traceback.filter(caught)]
    assert shown == ["test_a_refusal_shows_no_inside_of_the_client", "batch"]


def test_the_clock_is_moved_by_nothing_only_where_that_is_said(control: Control) -> None:
    assert control.advance(0)["ahead"] == control.advance(days=0)["ahead"]
    with refusing(422, "seconds or days is wanted"):
        control.advance()


def test_a_snapshot_that_is_meant_is_named(fresh: tuple[Control, Api]) -> None:
    control, _ = fresh
    control.snapshot("before the order")
    with refusing(404, "no snapshot 'before the oder'; did you mean 'before the order'"):
        control.restore("before the oder")
    control.forget_snapshot("before the order")


def test_what_is_due_is_there_once_the_clock_was_moved() -> None:
    with Emulator(delay=3600) as emulator:
        control, api = emulator.control, Api(emulator)
        number = order(api)
        assert control.batch(number)["status"] == "CREATED"
        before = control.now()
        moved = control.advance(1800)
        assert moved["ahead"] == 1800
        assert 1800 <= moved["seconds"] - before < 1810
        refused(api.get(f"/api/v1/batches/{number}"), 401, "expired")
        assert control.batch(number)["status"] == "PROCESSING"
        control.advance(days=1)
        found = control.batch(number)
        assert [each["status"] for each in found["past"]] == ["CREATED", "PROCESSING", "READY_FOR_DOWNLOAD"]
        assert found["serials"]
        control.advance(days=31)
        assert control.batch(number)["status"] == "REMOVED_AFTER_EXPIRATION"
        api.session.close()


def test_the_clock_is_kept_with_the_state(tmp_path: Path) -> None:
    with Emulator(state_path=tmp_path) as emulator:
        emulator.control.advance(days=3)
        before = emulator.control.now()
    with Emulator(state_path=tmp_path) as emulator:
        assert emulator.control.status()["ahead"] == 3 * 86400
        assert emulator.control.now() >= before
        emulator.control.reset()
        assert emulator.control.status()["ahead"] == 0
    with Emulator(state_path=tmp_path) as emulator:
        assert emulator.control.status()["ahead"] == 0


# Accounts


def test_a_balance_is_set(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    assert control.set_balance(423, 1)["balance"] == 1
    assert order(api)
    refused(api.order(), 400, "balance")
    found = {each["id"]: each["balance"] for each in control.authorities()}
    assert found[423] == 0
    with refusing(404, "no authority 1"):
        control.set_balance(1, 1)
    with refusing(422, "balance"):
        control.set_balance(423, -1)


def test_a_parameter_becomes_mandatory_overnight(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    parameters = control.require_parameter(423, "employeeNumber")
    assert parameters[-1]["name"] == "employeeNumber"
    assert parameters[-1]["required"] is True
    refused(api.order(), 400, "employeeNumber")
    with refusing(404, "no profile 1"):
        control.require_parameter(1, "employeeNumber")


def test_an_account_is_unlocked(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    for _ in range(5):
        api.login("tester", "not the right one")
    user = control.users()[0]
    assert (user["refused"], user["locked"]) == (5, True)
    assert "supersecretsquirrel" not in json.dumps(control.users())
    assert api.login("tester", "supersecretsquirrel").status_code == 401
    assert control.unlock("tester")["locked"] is False
    assert api.login("tester", "supersecretsquirrel").status_code == 200


# Batches and lives


def test_batches_are_listed_newest_first(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    numbers = [order(api, name=f"batch {index}") for index in range(4)]
    assert [each["id"] for each in control.batches()] == numbers[::-1]
    assert [each["id"] for each in control.batches(limit=2, before=numbers[3])] == [numbers[2], numbers[1]]
    assert control.batches()[0]["commonNames"] == ["example.com"]


def test_a_batch_is_pushed(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    control.next_life("stuck")
    number = order(api)
    found = control.push(number, "AWAITING_CEREMONY", text="Nobody knows", info=(3, 2, 1), reason="why")
    assert (found["status"], found["text"], found["reason"]) == ("AWAITING_CEREMONY", "Nobody knows", "why")
    assert found["info"] == {"active": 3, "success": 2, "failed": 1}
    assert found["pushed"] is True
    assert found["serials"] == []
    assert api.batch(number)["status"] == "AWAITING_CEREMONY"
    found = control.push(number, "READY_FOR_DOWNLOAD")
    assert len(found["serials"]) == 1
    assert len(api.files(number)) == 1
    assert control.batch(number)["downloads"] == 1
    assert control.batch(number)["status"] == "COLLECTED"


def test_what_cannot_be_issued_cannot_be_pushed_to_ready(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    control.next_life("stuck")
    number = api.upload(spoil(make_csr("bad.example.com"))).json()["batchId"]
    with refusing(409, "cannot be issued"):
        control.push(number, "READY_FOR_DOWNLOAD")
    with refusing(422, "info"):
        control.push(number, "PROCESSING", info=(-1, 0, 0))


def test_what_is_removed_is_not_to_be_had_again(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    number = order(api)
    control.push(number, "REMOVED_AFTER_EXPIRATION")
    for step in ({"status": "READY_FOR_DOWNLOAD"}, {"status": "PROCESSING", "text": "Ready for download"}):
        with refusing(409, "its files were removed"):
            control.push(number, **step)
    assert control.batch(number)["status"] == "REMOVED_AFTER_EXPIRATION"
    assert control.push(number, "PROCESSING")["status"] == "PROCESSING"
    with refusing(409, "its files were removed"):
        control.push(number, "COLLECTED")


def test_what_is_removed_before_it_is_made_can_be_made(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    control.next_life("rejected")
    number = order(api)
    control.push(number, "REMOVED_AFTER_EXPIRATION")
    control.push(number, "READY_FOR_DOWNLOAD")
    assert len(api.files(number)) == 1


def test_what_is_revoked_stays_revoked(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    number = order(api)
    control.push(number, "REVOKED")
    for status in ("PROCESSING", "READY_FOR_DOWNLOAD", "REJECTED"):
        with refusing(409, "its certificates are revoked"):
            control.push(number, status)
    assert [each["status"] for each in control.batch(number)["past"]][-1] == "REVOKED"
    assert control.push(number, "REVOKED")["status"] == "REVOKED"


def test_what_was_refunded_is_paid_for_again(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    control.set_balance(423, 1)
    control.next_life("stuck")
    number = order(api)
    control.reject(number)
    assert api.get("/api/v1/authorities/423/balanceavailable").json() == 1
    before = api.get("/api/v1/devices").json()
    control.set_balance(423, 0)
    with refusing(409, "balance of authority 423"):
        control.push(number, "READY_FOR_DOWNLOAD")
    assert (control.batch(number)["status"], control.certificates()) == ("REJECTED", [])
    assert api.get("/api/v1/devices").json() == before
    control.set_balance(423, 1)
    control.push(number, "READY_FOR_DOWNLOAD")
    after = {"ordered": before["ordered"] + 1, "issued": before["issued"] + 1}
    assert api.get("/api/v1/devices").json() == after
    control.push(number, "REJECTED")
    assert api.get("/api/v1/authorities/423/balanceavailable").json() == 0


def test_a_batch_is_rejected(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    control.next_life("stuck")
    number = order(api)
    assert control.batch(number)["rejectable"] is True
    found = control.reject(number, "The organization could not be verified")
    assert found["status"] == "REJECTED"
    assert api.batch(number)["rejectReason"] == "The organization could not be verified"
    with refusing(409, "REJECTED"):
        control.reject(number)


def test_a_batch_is_revoked(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    number = order(api)
    assert control.revoke_batch(number, "keycompromise")["status"] == "REVOKED"
    found = control.certificates(batch=number)[0]
    assert (found["status"], found["reason"]) == ("revoked", "keyCompromise")
    with refusing(409, "already revoked"):
        control.revoke_batch(number)
    with refusing(422, "RFC 5280 knows"):
        control.revoke_batch(number, 7)
    control.next_life("stuck")
    with refusing(409, "no certificate"):
        control.revoke_batch(order(api))


def test_the_next_batches_take_a_life(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    steps: list[dict[str, Any]] = [{"status": "CREATED"}, {"status": "FAILED"}]
    assert len(control.next_life(steps, times=2)["queued"]) == 2
    assert [control.batch(order(api))["status"] for _ in range(3)] == ["FAILED", "FAILED", "READY_FOR_DOWNLOAD"]
    control.next_life("rejected")
    assert control.clear_lives()["queued"] == []
    assert "rejected" in control.lives()["known"]


# Certificates and the CA


def test_a_certificate_and_its_pem(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    number = order(api)
    listed = control.certificates()[0]
    assert (listed["commonName"], listed["subject"], listed["batch"]) == ("example.com", "CN=example.com", number)
    assert listed["names"] == ["example.com", "www.example.com"]
    assert listed["status"] == "good"
    whole = control.certificate(listed["serial"].lower())
    read = x509.load_pem_x509_certificate(whole["pem"].encode())
    assert f"{read.serial_number:X}" == listed["serial"]
    saved = ask(control, "GET", f"/certificates/{listed['serial']}.pem")
    assert saved.text == whole["pem"]
    assert saved.headers["Content-Disposition"] == f'attachment; filename="{listed["serial"]}.pem"'
    assert "PRIVATE" not in json.dumps(whole)


def test_certificates_are_found(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    first = order(api)
    second = order(api, parameters=PARAMETERS | {"commonName": "www.example.com"})
    assert [each["batch"] for each in control.certificates()] == [second, first]
    assert [each["batch"] for each in control.certificates(batch=first)] == [first]
    assert [each["batch"] for each in control.certificates(common_name="WWW.Example.com")] == [second]
    assert control.certificates(common_name="www.example.com", batch=first) == []
    assert len(control.certificates(limit=1)) == 1


def test_a_hold_is_laid_and_lifted(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    order(api)
    serial = control.certificates()[0]["serial"]
    with refusing(409, "no hold"):
        control.revoke(serial, "removeFromCRL")
    assert control.revoke(serial, 6)["status"] == "on hold"
    assert control.revoke(serial, "removeFromCRL")["status"] == "good"
    assert control.revoke(serial, "superseded")["reason"] == "superseded"
    with refusing(409, "already revoked"):
        control.revoke(serial)
    crl = x509.load_der_x509_crl(ask(control, "GET", "/crl/issuing.crl").content)
    assert [f"{each.serial_number:X}" for each in crl] == [serial]


def test_a_certificate_expires(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    order(api)
    control.advance(days=400)
    assert control.certificates()[0]["status"] == "expired"


def test_the_ca_is_that_of_the_service(emulator: Emulator, control: Control) -> None:
    issuing = x509.load_pem_x509_certificate(emulator.issuing_certificate)
    assert ask(control, "GET", "/ca/issuing.crt").content == issuing.public_bytes(Encoding.DER)
    assert ask(control, "GET", "/ca/chain.pem").content.startswith(emulator.issuing_certificate)
    header = {"Content-Type": "application/ocsp-request"}
    assert (
        ask(control, "POST", "/ocsp", data=b"x", headers=header).content == ask(control, "GET", "/ocsp/eA==").content
    )


# Faults


def test_a_fault_strikes_once(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    found = control.queue_fault("unavailable", calls=["devices"])
    assert found["queued"] == [{"fault": "unavailable", "calls": ["devices"], "times": 1}]
    assert [api.get("/api/v1/devices").status_code for _ in range(2)] == [503, 200]
    assert control.faults()["queued"] == []


def test_a_rule_stays_until_it_is_removed(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    control.add_fault("unavailable", calls=["devices"], nth=[2, 3])
    control.add_fault("unavailable", calls=["profiles"])
    assert [api.get("/api/v1/devices").status_code for _ in range(4)] == [200, 503, 503, 200]
    assert [each["calls"] for each in control.remove_fault(0)["rules"]] == [["profiles"]]
    assert control.clear_faults()["rules"] == []
    assert api.get("/api/v1/profiles").status_code == 200


def test_every_fault_is_described(control: Control) -> None:
    known = {each["name"]: each for each in control.faults()["known"]}
    assert known["unavailable"]["summary"]
    assert all(each["summary"] for each in known.values())


# Back


def test_a_reset_brings_back_the_start() -> None:
    with Emulator(faults=("unavailable,call=devices,nth=1",), seed=5) as emulator:
        control, api = emulator.control, Api(emulator)
        control.snapshot("start")
        assert api.get("/api/v1/devices").status_code == 503
        number = order(api)
        control.advance(100)
        control.queue_fault("lost-reply")
        control.next_life("rejected")
        status = control.reset(seed=6)
        assert (status["seed"], status["ahead"], emulator.seed) == (6, 0, 6)
        assert control.batches() == control.certificates() == control.journal() == []
        assert control.faults()["queued"] == control.lives()["queued"] == []
        assert control.snapshots() == ["start"]
        assert api.get("/api/v1/devices").status_code == 503, "the token is still good, and the rule counts anew"
        assert order(api) == number
        api.session.close()


def test_a_snapshot_brings_back_its_moment(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    first = order(api)
    control.next_life("rejected")
    control.snapshot("one")
    second = order(api, name="second")
    api.files(first)
    control.set_balance(423, 1)
    control.advance(3)
    control.add_fault("lost-reply")
    assert control.restore("one")["ahead"] == 0
    assert [each["id"] for each in control.batches()] == [first]
    assert [each["downloads"] for each in control.batches()] == [0]
    assert control.orders()["count"] == 1
    assert control.faults()["rules"] == []
    assert order(api, name="other") == second
    assert control.batch(second)["name"] == "other"
    assert len(control.lives()["queued"]) == 0
    control.forget_snapshot("one")
    assert control.snapshots() == []


def test_what_was_being_made_goes_on_after_a_restore() -> None:
    with Emulator(delay=1000) as emulator:
        control, api = emulator.control, Api(emulator)
        control.next_life("stuck")
        stuck, number = order(api), order(api)
        control.snapshot("one")
        control.reset()
        control.restore("one")
        control.advance(1000)
        assert control.batch(number)["status"] == "READY_FOR_DOWNLOAD"
        assert control.batch(stuck)["status"] == "PROCESSING"
        api.session.close()


def test_snapshots_are_limited(control: Control) -> None:
    with refusing(422, "64"):
        control.snapshot("x" * 65)
    for index in range(100):
        control.snapshot(f"s {index}")
    control.snapshot("s 7")
    with refusing(409, "100"):
        control.snapshot("one more")
    for name in control.snapshots():
        control.forget_snapshot(name)


# The journal


def test_the_journal_shows_no_secret(fresh: tuple[Control, Api], emulator: Emulator) -> None:
    control, api = fresh
    api.login("tester", "a wrong password")
    api.call("GET", "/api/v1/devices?password=seen&x=1")
    api.call("POST", "/auth/refresh", data=api.tokens["refreshToken"])
    order(api)
    api.call("POST", "/auth/pwd", data=b'{"username": "tester", "password": "half of a bo')
    api.upload(b"x", batch_request={"profileId": 423, "profileParams": {"pkcs12Password": "in a form"}})
    text = json.dumps(control.journal())
    for secret in (
        emulator.password,
        PASSWORD,
        "a wrong password",
        "seen",
        "half of",
        "in a form",
        *api.tokens.values(),
    ):
        assert secret not in text
    assert "********" in text


PIN = """
[[profiles]]
id = 1
name = "With a PIN"
parameters = [{ name = "commonName" }, { name = "pin", input_type = "password", required = false }]
[[organizations]]
id = 2
name = "Example"
authorities = [{ id = 3, profile = 1 }]
users = [{ id = 4, username = "me", password = "mine and mine alone" }]
"""


def test_a_parameter_that_is_a_password_is_a_secret(tmp_path: Path) -> None:
    file = tmp_path / "world.toml"
    file.write_text(PIN)
    with Emulator(config=file) as emulator:
        api = Api(emulator)
        assert api.order({"commonName": "example.com", "pin": "four digits"}, authority=3).status_code == 201
        api.upload(b"x", batch_request={"profileId": 1, "profileParams": {"pin": "five digits"}})
        text = json.dumps(emulator.control.journal())
        assert "digits" not in text
        assert "mine and" not in text
        assert "example.com" in text
        api.session.close()


def test_a_request_and_its_reply(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    number = order(api)
    entry = control.journal(call="createSingleCertBatch")[-1]
    assert (entry["method"], entry["path"]) == ("PUT", "/api/v1/batches/createSingleCertBatch")
    assert (entry["user"], entry["batch"], entry["status"], entry["fault"]) == ("tester", number, 201, None)
    assert json.loads(entry["request"]["body"])["profileParams"]["commonName"] == "example.com"
    assert json.loads(entry["reply"]["body"])["batchId"] == number
    assert entry["request"]["headers"]["authorization"] == "Bearer ********"
    api.files(number)
    download = control.journal(batch=number)[-1]
    assert (download["call"], download["reply"]["body"]) == ("download", None)
    assert download["reply"]["size"] > 500


def test_a_reply_that_was_lost(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    control.queue_fault("lost-reply")
    with pytest.raises(requests.ConnectionError):
        api.order()
    entry = control.journal()[-1]
    assert (entry["status"], entry["handled"], entry["fault"]) == (None, 201, "lost-reply")


def test_the_journal_is_read_on_and_forgotten(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    for _ in range(3):
        api.get("/api/v1/devices")
    numbers = [each["number"] for each in control.journal()]
    assert numbers == sorted(numbers)
    assert [each["number"] for each in control.journal(after=numbers[1])] == numbers[2:]
    assert [each["number"] for each in control.journal(limit=1)] == numbers[-1:]
    assert control.clear_journal() == {"last": numbers[-1], "kept": 0}
    assert control.journal() == []


def test_half_a_surrogate_pair_is_shown(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    api.call("POST", "/auth/pwd", data=b'{"username": "\\ud800", "password": "x"}')
    assert "?" in control.journal()[-1]["request"]["body"]


# Events


def test_a_stream_shows_that_it_lives(control: Control, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(events, "_BEATS", 1)
    with contextlib.closing(Events(control)) as stream:
        stream.next()
        assert any(line.startswith(b":") for line in stream.file)


class Events:
    """A stream of events."""

    def __init__(self, control: Control) -> None:
        parts = urlsplit(control.url)
        self.socket = socket.create_connection((parts.hostname or "", parts.port or 0), timeout=5)
        self.socket.sendall(f"GET /events HTTP/1.1\r\nHost: {parts.netloc}\r\n\r\n".encode())
        self.file = self.socket.makefile("rb")

    def next(self) -> dict[str, Any]:
        """Return what the next event says."""
        for line in self.file:
            if line.startswith(b"data: "):
                change: dict[str, Any] = json.loads(line[6:])
                return change
        raise EOFError

    def close(self) -> None:
        self.file.close()
        self.socket.close()


def test_changes_are_told(fresh: tuple[Control, Api]) -> None:
    control, api = fresh
    with contextlib.closing(Events(control)) as one, contextlib.closing(Events(control)) as two:
        first = one.next()
        assert first == two.next() | {"time": first["time"]}
        api.get("/api/v1/devices")
        assert one.next()["journal"] == two.next()["journal"] == first["journal"] + 1
        control.queue_fault("lost-reply")
        assert one.next()["faults"] == 1
        control.clear_faults()
        assert one.next()["faults"] == 0


def test_a_batch_that_becomes_ready_by_itself_is_told() -> None:
    with Emulator(delay=0.6) as emulator:
        control, api = emulator.control, Api(emulator)
        number = order(api)
        with contextlib.closing(Events(control)) as stream:
            seen = stream.next()["state"]
            while control.batch(number)["status"] != "READY_FOR_DOWNLOAD":
                change = stream.next()["state"]
                assert change > seen
                seen = change
        api.session.close()


def test_the_stop_does_not_wait_for_streams() -> None:
    before = set(threading.enumerate())
    emulator = Emulator()
    emulator.start()
    streams = [Events(emulator.control) for _ in range(3)]
    for each in streams:
        each.next()
    begun = time.monotonic()
    emulator.stop()
    assert time.monotonic() - begun < 0.5
    for each in streams:
        assert each.file.read().endswith(b"0\r\n\r\n")
        each.close()
    assert set(threading.enumerate()) <= before


def test_a_stream_that_is_left_is_forgotten(emulator: Emulator, control: Control) -> None:
    server = emulator._assembly.thread._servers[1]
    before = len(server.server_state.tasks)
    stream = Events(control)
    stream.next()
    assert len(server.server_state.tasks) == before + 1
    stream.close()
    end = time.monotonic() + 5
    while len(server.server_state.tasks) > before:
        assert time.monotonic() < end
        time.sleep(0.01)


# The page and the client


def test_the_page_runs_nothing_but_itself(control: Control) -> None:
    reply = ask(control, "GET", "/")
    assert reply.headers["Content-Type"] == "text/html; charset=utf-8"
    assert reply.headers["Cache-Control"] == "no-store"
    policy = reply.headers["Content-Security-Policy"]
    assert policy == policy_of(reply.text)
    assert "unsafe" not in policy
    assert policy.count("sha256-") == 2
    other = policy_of(reply.text.replace("</script>", ";</script>"))
    assert other != policy


CHILD = """
import sys
sys.modules["msgspec"] = sys.modules["starlette"] = sys.modules["requests"] = None
from sectigo_iot.emulator.control.client import Control
print(Control("http://127.0.0.1:1"))
"""


def test_the_client_needs_nothing() -> None:
    done = subprocess.run([sys.executable, "-c", CHILD], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, "<Control http://127.0.0.1:1>\n"), done.stderr


@pytest.mark.parametrize("url", [None, "", "127.0.0.1:1", "https://127.0.0.1:1", "http://127.0.0.1:1/x"])
def test_the_client_wants_a_url(url: Any) -> None:
    with pytest.raises(
        ValueError, match=f"^{url!r} is no URL such as http://127.0.0.1:8832, where a control port is"
    ):
        Control(url)
