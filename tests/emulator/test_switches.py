"""Where nobody knows what the service does: each answer that a setting can give."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import jwt
import pytest
import requests
from cryptography import x509

from sectigo_iot.emulator import Emulator
from tests.emulator.api import PARAMETERS, Api, refused
from tests.emulator.csrs import make_csr


@contextmanager
def api_of(**options: Any) -> Iterator[Api]:
    with Emulator(**options) as emulator:
        api = Api(emulator)
        yield api
        api.session.close()


@pytest.mark.parametrize("status", [200, 201])
def test_the_status_of_an_accepted_order(status: int) -> None:
    with api_of(create_status=status) as api:
        assert api.order().status_code == status
        assert api.upload(make_csr("a.example.com", "a.example.com")).status_code == status


@pytest.mark.parametrize(
    ("body", "media_type", "text"),
    [
        ("json", "application/json;charset=UTF-8", None),
        ("text", "text/plain; charset=utf-8", "the batch 10000 cannot be downloaded in status CREATED"),
        ("html", "text/html; charset=utf-8", None),
        ("empty", None, ""),
    ],
)
def test_a_download_too_early(body: str, media_type: str | None, text: str | None) -> None:
    with api_of(not_ready_status=409, not_ready_body=body, delay=60) as api:
        api.order()
        reply = api.get("/api/v1/batches/10000/download")
    assert (reply.status_code, reply.headers.get("Content-Type")) == (409, media_type)
    assert "CREATED" in reply.text or body == "empty"
    assert text in (None, reply.text)


@pytest.mark.parametrize("refunds", [True, False])
def test_the_licences_of_a_batch_that_failed(refunds: bool) -> None:
    with api_of(refund_failed=refunds) as api:
        api.upload(make_csr("a.example.com"))
        assert api.batch(10000)["status"] == "BROKEN"
        assert api.get("/api/v1/authorities/423/balanceavailable").json() == (100 if refunds else 99)
        assert api.get("/api/v1/devices").json()["ordered"] == (1000 if refunds else 1001)


@pytest.mark.parametrize(("setting", "reason"), [("empty", ""), ("null", None)])
def test_the_reason_of_a_batch_that_has_none(setting: str, reason: str | None) -> None:
    with api_of(no_reason=setting) as api:
        assert api.order().json()["rejectReason"] == reason
        assert api.batch(10000)["rejectReason"] == reason


def test_the_list_of_batches_is_off() -> None:
    with api_of() as api:
        refused(api.get("/api/v1/batches"), 501)


def test_the_list_of_batches_as_an_array() -> None:
    with api_of(batch_list="array") as api:
        for name in ("one", "two"):
            api.order(name=name)
        assert [each["batchName"] for each in api.get("/api/v1/batches").json()] == ["two", "one"]
        assert api.call("POST", "/api/v1/batches").headers["Allow"] == "GET"


def test_the_list_of_batches_as_a_page() -> None:
    with api_of(batch_list="page", balances={423: 50}) as api:
        for number in range(25):
            api.order(name=str(number))
        first, second = (api.get(f"/api/v1/batches?page={page}").json() for page in (0, 1))
        assert [set(first), first["total"], len(first["items"]), len(second["items"])] == [
            {"items", "total"},
            25,
            20,
            5,
        ]
        assert [each["batchName"] for each in api.get("/api/v1/batches?size=2&page=1").json()["items"]] == [
            "22",
            "21",
        ]
        refused(api.get("/api/v1/batches?page=x"), 400, "page")


@pytest.mark.parametrize(("setting", "name"), [("file", "requests.csr"), ("number", "10000")])
def test_the_name_of_an_upload(setting: str, name: str) -> None:
    with api_of(upload_name=setting) as api:
        assert api.upload(make_csr("a.example.com", "a.example.com")).json()["batchName"] == name


def test_holds_that_are_for_ever() -> None:
    with api_of(lift_holds=False) as api:
        api.order()
        serial = api.serial("example.com")
        assert api.revoke(serial, 6).status_code == 200
        refused(api.revoke(serial, 8), 400, "on one that is for ever")
        refused(api.revoke(serial, 6), 400, "already revoked")
        assert api.find(serialNumber=serial).json()["items"][0]["status"] == "REVOKED"


def test_a_search_for_any_or_all() -> None:
    for match, found in (("all", 0), ("any", 2)):
        with api_of(find_match=match) as api:
            api.order()
            api.order(PARAMETERS | {"commonName": "other.example.com"})
            serial = api.serial("example.com")
            assert api.find(commonName="other.example.com", serialNumber=serial).json()["totalCount"] == found


@pytest.mark.parametrize(("heeds", "found"), [(False, 1), (True, 0)])
def test_upper_and_lower_case(heeds: bool, found: int) -> None:
    with api_of(find_case=heeds) as api:
        api.order()
        assert api.find(commonName="EXAMPLE.com").json()["totalCount"] == found
        assert api.find(commonName="example.com").json()["totalCount"] == 1


def test_more_is_found_than_is_sent() -> None:
    with api_of(find_limit=2) as api:
        for _ in range(3):
            api.order()
        found = api.find(commonName="example.com").json()
    assert (found["totalCount"], len(found["items"])) == (3, 2)


@pytest.mark.parametrize(("setting", "kind"), [("text", str), ("number", int)])
def test_the_device_id(setting: str, kind: type) -> None:
    with api_of(device_id=setting) as api:
        api.order()
        assert type(api.find(commonName="example.com").json()["items"][0]["deviceId"]) is kind


def test_claims_of_2019() -> None:
    with api_of(jwt_claims="2019") as api:
        claims = jwt.decode(api.tokens["accessToken"], options={"verify_signature": False})
        assert api.get("/api/v1/devices").status_code == 200
        renewed = api.call("POST", "/auth/refresh", data=api.tokens["refreshToken"])
    assert (claims["sub"], claims["Authorities"]) == ("tester", ["ROLE_USER"])
    assert "iss" not in claims and "scopes" not in claims
    assert renewed.status_code == 200


def login(emulator: Emulator, password: str) -> requests.Response:
    given = {"username": emulator.username, "password": password}
    return requests.post(emulator.url + "/auth/pwd", json=given, timeout=10)


@pytest.mark.parametrize("status", [401, 403])
def test_refused_passwords_lock_the_account(status: int) -> None:
    with Emulator(lock_after=3, locked_status=status) as emulator:
        tokens = login(emulator, emulator.password).json()
        for _ in range(2):
            refused(login(emulator, "wrong"), 401, "wrong user name or password")
        assert login(emulator, emulator.password).status_code == 200
        for _ in range(3):
            refused(login(emulator, "wrong"), 401, "wrong user name or password")
        refused(login(emulator, emulator.password), status, "locked")
        bearer = {"Authorization": f"Bearer {tokens['accessToken']}"}
        assert requests.get(emulator.url + "/api/v1/devices", headers=bearer, timeout=10).status_code == 200
        emulator.control.unlock(emulator.username)
        assert login(emulator, emulator.password).status_code == 200


def test_no_password_locks_an_account() -> None:
    with Emulator(lock_after=0) as emulator:
        for _ in range(8):
            refused(login(emulator, "wrong"), 401)
        assert login(emulator, emulator.password).status_code == 200


def test_a_shorter_body_limit() -> None:
    with api_of(body_limit=1000) as api:
        refused(api.call("POST", "/auth/pwd", data=b" " * 1001), 413, "1000 bytes")


@pytest.mark.parametrize(
    ("form", "suffix", "beginning"),
    [("pem", ".pem", b"-----BEGIN"), ("der", ".cer", b"0\x82"), ("pkcs7", ".p7b", b"0\x82")],
)
def test_what_the_zip_of_an_upload_holds(form: str, suffix: str, beginning: bytes) -> None:
    profile = {"id": 5, "name": "devices", "certificate_format": form, "parameters": [{"name": "commonName"}]}
    authority = {"id": 6, "profile": 5}
    user = {"id": 1, "username": "jane", "password": "correct-horse"}
    organization = {"id": 1, "name": "Example", "authorities": [authority], "users": [user]}
    with api_of(config={"profiles": [profile], "organizations": [organization]}) as api:
        batch = api.upload(make_csr("a.example.com", "a.example.com"), profile=5).json()["batchId"]
        ((name, content),) = api.files(batch).items()
    assert (name, content[: len(beginning)]) == (f"a.example.com{suffix}", beginning)
    if form == "der":
        assert x509.load_der_x509_certificate(content).subject.rfc4514_string() == "CN=a.example.com"


def test_the_behaviour_of_a_configuration() -> None:
    with api_of(config={"behaviour": {"no_balance_status": 402, "create_status": 200}}, balances={423: 1}) as api:
        assert api.order().status_code == 200
        refused(api.order(), 402)
    with api_of(config={"behaviour": {"create_status": 200}}, create_status=201) as api:
        assert api.order().status_code == 201


def test_balances_of_a_configuration() -> None:
    with api_of(config={"behaviour": {"balances": {"423": 7}}}) as api:
        assert api.get("/api/v1/authorities/423/balanceavailable").json() == 7
    with pytest.raises(ValueError, match="balances: there is no authority"):
        Emulator(config={"behaviour": {"balances": {"5": 7}}}).start()
