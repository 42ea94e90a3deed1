"""Finding and revoking."""

from __future__ import annotations

import pytest

from sectigo_iot.emulator import Emulator
from sectigo_iot.reasons import CRLReason
from tests.emulator.api import PARAMETERS, Api, refused


def ordered(api: Api, name: str) -> tuple[int, str]:
    number = api.order(PARAMETERS | {"commonName": name}).json()["batchId"]
    return number, api.serial(name)


def test_find_by_name_in_any_case(api: Api) -> None:
    ordered(api, "find.example.com")
    found = api.find(commonName="FIND.example.COM").json()
    assert found["totalCount"] == 1
    item = found["items"][0]
    assert list(item) == ["deviceId", "commonName", "serialNumber", "creationDate", "status"]
    assert isinstance(item["deviceId"], str)
    assert item["commonName"] == "find.example.com"
    assert item["serialNumber"] == item["serialNumber"].upper() and len(item["serialNumber"]) == 32
    assert item["creationDate"].endswith("+0000")
    assert item["status"] == "READY_FOR_DOWNLOAD"


def test_two_criteria_must_both_hold(api: Api) -> None:
    _, one = ordered(api, "one.example.com")
    ordered(api, "two.example.com")
    assert api.find(serialNumber=one.lower()).json()["items"][0]["commonName"] == "one.example.com"
    assert api.find(commonName="one.example.com", serialNumber=one).json()["totalCount"] == 1
    assert api.find(commonName="two.example.com", serialNumber=one).json() == {"totalCount": 0, "items": []}


@pytest.mark.parametrize(
    "criteria", [{}, {"commonName": ""}, {"commonName": 1}, {"serialNumber": "xyz"}, {"serialNumber": "A" * 41}]
)
def test_criteria_that_are_none(api: Api, criteria: dict[str, object]) -> None:
    refused(api.find(**criteria), 400)


def test_the_status_follows_the_batch(api: Api) -> None:
    number, _ = ordered(api, "follow.example.com")
    api.files(number)
    assert api.find(commonName="follow.example.com").json()["items"][0]["status"] == "COLLECTED"


def test_revoking_ends_the_batch(api: Api) -> None:
    number, serial = ordered(api, "end.example.com")
    assert api.revoke(serial, 5).status_code == 200
    assert api.find(serialNumber=serial).json()["items"][0]["status"] == "REVOKED"
    batch = api.batch(number)
    assert (batch["status"], batch["downloadable"]) == ("REVOKED", False)
    assert api.get(f"/api/v1/batches/{number}/status").text == "Not Acceptable. Status: REVOKED"
    refused(api.get(f"/api/v1/batches/{number}/download"), 400, "REVOKED")
    refused(api.revoke(serial, 5), 400, "already")


@pytest.mark.parametrize("reason", list(CRLReason))
def test_every_reason_of_the_rfc(api: Api, reason: CRLReason) -> None:
    _, serial = ordered(api, "reason.example.com")
    if reason is CRLReason.removeFromCRL:
        refused(api.revoke(serial, int(reason)), 400, "hold")
        assert api.revoke(serial, CRLReason.certificateHold).status_code == 200
    assert api.revoke(serial, int(reason)).status_code == 200


@pytest.mark.parametrize("reason", [7, 11, -1, "5", 1.0, True, 10**30])
def test_reasons_that_are_none(api: Api, reason: object) -> None:
    refused(api.revoke("AB", reason), 400, "reasonCode")


@pytest.mark.parametrize("serial", ["", "0xAB", "xyz", "ab", 17, None])
def test_serial_numbers_that_are_none(api: Api, serial: object) -> None:
    refused(api.revoke(serial), 400, "serialNumber")


@pytest.mark.parametrize("profile", [489, 1, "x"])
def test_the_profile_must_be_the_certificates(api: Api, profile: object) -> None:
    _, serial = ordered(api, "profile.example.com")
    refused(api.revoke(serial, 0, profile), 404)
    assert api.find(serialNumber=serial).json()["items"][0]["status"] == "READY_FOR_DOWNLOAD"


def test_an_unknown_serial_number(api: Api) -> None:
    refused(api.revoke("12345"), 404)


def test_a_hold_can_be_lifted(api: Api) -> None:
    number, serial = ordered(api, "hold.example.com")
    assert api.revoke(serial, CRLReason.certificateHold).status_code == 200
    assert api.batch(number)["status"] == "REVOKED"
    assert api.revoke(serial, CRLReason.removeFromCRL).status_code == 200
    assert api.batch(number)["status"] == "READY_FOR_DOWNLOAD"
    assert api.find(serialNumber=serial).json()["items"][0]["status"] == "READY_FOR_DOWNLOAD"


def test_a_lifted_hold_gives_the_status_back(api: Api) -> None:
    number, serial = ordered(api, "collected.example.com")
    api.files(number)
    assert api.revoke(serial, CRLReason.certificateHold).status_code == 200
    refused(api.revoke(serial, CRLReason.certificateHold), 400, "already revoked")
    assert api.revoke(serial, CRLReason.removeFromCRL).status_code == 200
    assert api.batch(number)["status"] == "COLLECTED"
    assert api.find(serialNumber=serial).json()["items"][0]["status"] == "COLLECTED"


def test_revoking_twice_can_be_allowed() -> None:
    with Emulator(revoke_twice=True) as emulator:
        api = Api(emulator)
        _, serial = ordered(api, "twice.example.com")
        assert [api.revoke(serial, reason).status_code for reason in (1, 4)] == [200, 200]
        refused(api.revoke(serial, CRLReason.removeFromCRL), 400, "hold")
        api.session.close()
