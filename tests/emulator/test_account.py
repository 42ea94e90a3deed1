"""Authorities, balances, licences, profiles, organization: the staging account and the manual's."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from sectigo_iot.emulator import Emulator
from tests.emulator.api import PASSWORD, Api, refused
from tests.transcripts import shown

END_ENTITY = {
    "id": 489,
    "ecosystemId": 21,
    "signerCertificateId": 0,
    "ecosystemName": "Staging",
    "balance": 0,
    "enabled": True,
    "profileId": 489,
    "profileName": "CipherTrace End Entity Certificate_#85",
}
EE = END_ENTITY | {"id": 423, "balance": 100, "profileId": 423, "profileName": "CipherTrace EE_#17"}


def test_authorities(api: Api) -> None:
    assert api.get("/api/v1/authorities/allowed").json() == [END_ENTITY, EE]


def test_balance_is_a_bare_integer(api: Api) -> None:
    reply = api.get("/api/v1/authorities/423/balanceavailable")
    assert (reply.text, reply.headers["Content-Type"]) == ("100", "application/json;charset=UTF-8")


@pytest.mark.parametrize("path", ["authorities/1/balanceavailable", "profiles/1", "profiles/x/parameters"])
def test_what_is_not_there(api: Api, path: str) -> None:
    refused(api.get(f"/api/v1/{path}"), 404)


def test_licences(api: Api) -> None:
    assert api.get("/api/v1/devices").text == '{"ordered":1000,"issued":0}'


def test_organization(api: Api) -> None:
    assert api.get("/api/v1/organizations/user").json() == {
        "organizationId": 1042,
        "organizationName": "Staging",
        "address": "123 Main Street",
        "primaryContactName": "Jane Wilkerson",
        "primaryContactEmail": "jw@example.com",
        "primaryContactPhone": "555-555-5555",
        "manufactureId": "",
        "logo": "",
        "authorities": [END_ENTITY, EE],
        "ecosystemId": 21,
        "organizationParameters": {"Organization": "Staging"},
        "orgStatus": "ACTIVE",
    }


def test_profiles(api: Api) -> None:
    profiles = api.get("/api/v1/profiles").json()
    assert [list(each) for each in profiles] == [["profileId", "algorithms", "ca"]] * 2
    assert [each["profileId"] for each in profiles] == [489, 423]


def test_profile_detail(api: Api) -> None:
    detail = api.get("/api/v1/profiles/423").json()
    assert list(detail) == ["profileName", "profileId", "rawProfileConfig", "name", "keyAlgorithmInfo"]
    assert isinstance(detail["rawProfileConfig"], str)
    assert json.loads(detail["rawProfileConfig"])["profileId"] == 423


def test_profile_parameters(api: Api) -> None:
    parameters: list[dict[str, Any]] = api.get("/api/v1/profiles/489/parameters").json()
    assert list(parameters[0]) == [
        *("name", "inputType", "required", "placeholder", "validationPattern"),
        *("message", "value", "title", "scopes", "dynamic"),
    ]
    patterns = {each["name"]: each["validationPattern"] for each in parameters}
    assert set(patterns) == {
        *("commonName", "dNSName", "pkcs12Password"),
        *("organizationName", "localityName", "stateOrProvinceName", "countryName"),
    }
    assert re.fullmatch(patterns["countryName"], "US") and not re.fullmatch(patterns["countryName"], "us")
    names = [each["name"] for each in api.get("/api/v1/profiles/423/parameters").json()]
    assert names == ["commonName", "dNSName", "pkcs12Password"]


@pytest.fixture(scope="module")
def manual() -> Iterator[Emulator]:
    with Emulator("manual") as running:
        yield running


def test_the_manual_account_to_the_letter(manual: Emulator) -> None:
    api = Api(manual)
    assert api.get("/api/v1/authorities/allowed").json() == shown.AUTHORITIES
    assert api.get("/api/v1/devices").json() == shown.LICENSES
    names = [each["name"] for each in api.get("/api/v1/profiles/42/parameters").json()]
    assert names == shown.PARAMETERS
    parameters = {"commonName": "example.com", "pkcs12Password": PASSWORD}
    batch = api.order(parameters, 1, "example.com certs").json()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", batch["creationDate"])
    assert batch == {**shown.CREATED, "creationDate": batch["creationDate"]}
    assert list(api.files(24)) == ["example.com.p12"]
    assert api.get("/api/v1/devices").json() == {"ordered": 3, "issued": 3}
    assert api.get("/api/v1/authorities/1/balanceavailable").json() == 9
    refused(api.revoke("12345", 5, 42), 404)
    assert api.revoke(api.serial("example.com"), 5, 42).status_code == 200
    api.session.close()


def test_an_authority_is_no_profile(manual: Emulator) -> None:
    api = Api(manual)
    refused(api.order({"commonName": "example.com", "pkcs12Password": PASSWORD}, 42), 400, "authorityId")
    api.session.close()


def test_the_manual_account_names_no_profile(manual: Emulator) -> None:
    assert "SECTIGO_PROFILE" not in manual.environ
