"""Faults 24 to 27, those of the Go tool's staging server: what this project's emulator does in its place."""

from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import pkcs12

from sectigo_iot.emulator import Emulator, EmulatorSettings
from sectigo_iot.revocation import check_crl, check_ocsp
from tests.commands.test_serve import serving
from tests.conftest import Runner
from tests.emulator.api import PARAMETERS, PASSWORD, Api, refused
from tests.emulator.csrs import make_csr
from tests.emulator.test_given_ca import made_ca

SUBJECT = {
    "organizationName": "Example",
    "localityName": "Queenstown",
    "stateOrProvinceName": "Maryland",
    "countryName": "US",
}


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator(balances={423: 100, 489: 10}) as running:
        yield running


@pytest.fixture(scope="module")
def api(service: Emulator) -> Iterator[Api]:
    client = Api(service)
    yield client
    client.session.close()


def order(api: Api, name: str = "example.com") -> tuple[int, x509.Certificate]:
    """Order a certificate for this name, and return its batch and itself."""
    number: int = api.order(PARAMETERS | {"commonName": name, "dNSName": f"{name}\nwww.{name}"}).json()["batchId"]
    bundle = pkcs12.load_pkcs12(api.files(number)[f"{name}.p12"], PASSWORD.encode())
    assert bundle.cert is not None
    return number, bundle.cert.certificate


def serial_of(certificate: x509.Certificate) -> str:
    return f"{certificate.serial_number:X}"


def balance(api: Api, authority: int = 423) -> int:
    left: int = api.get(f"/api/v1/authorities/{authority}/balanceavailable").json()
    return left


def test_fault_24a_errors_have_the_four_fields(api: Api) -> None:
    refused(api.login("tester", "wrong"), 401)
    refused(api.login("nobody", "supersecretsquirrel"), 401)
    refused(api.get("/api/v1/batches/99"), 404)
    refused(api.order({}), 400)
    refused(api.get("/nowhere"), 404)


def test_fault_24b_no_token_does_for_the_other(api: Api) -> None:
    def devices(token: str) -> requests.Response:
        return api.call("GET", "/api/v1/devices", headers={"Authorization": f"Bearer {api.tokens[token]}"})

    assert devices("accessToken").status_code == 200
    refused(devices("refreshToken"), 401)
    assert api.call("POST", "/auth/refresh", data=api.tokens["refreshToken"]).status_code == 200
    refused(api.call("POST", "/auth/refresh", data=api.tokens["accessToken"]), 401)


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("/api/v1/profiles", {"profileId", "algorithms", "ca"}),
        ("/api/v1/profiles/423", {"profileName", "profileId", "rawProfileConfig", "name", "keyAlgorithmInfo"}),
        ("/api/v1/profiles/423/parameters", {"name", "required", "validationPattern", "message", "scopes"}),
    ],
)
def test_fault_25a_profiles_are_answered(api: Api, path: str, fields: set[str]) -> None:
    reply = api.get(path)
    assert reply.status_code == 200
    document = reply.json()
    assert fields <= set(document[0] if isinstance(document, list) else document)


def test_fault_25b_an_upload_is_answered_with_a_certificate(api: Api) -> None:
    reply = api.upload(make_csr("upload.example.com", "upload.example.com", "www.example.org"))
    assert reply.status_code == 201
    pem = api.files(reply.json()["batchId"])["upload.example.com.pem"]
    assert names_of(x509.load_pem_x509_certificates(pem)[0]) == ["upload.example.com", "www.example.org"]


def names_of(certificate: x509.Certificate) -> list[str]:
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def test_fault_25c_dns_names_and_subject_come_into_the_certificate(api: Api) -> None:
    assert names_of(order(api)[1]) == ["example.com", "www.example.com"]
    number = api.order(PARAMETERS | SUBJECT, 489).json()["batchId"]
    certificate = pkcs12.load_pkcs12(api.files(number)["example.com.p12"], PASSWORD.encode()).cert
    assert certificate is not None
    assert {each.value for each in certificate.certificate.subject} == {"example.com", *SUBJECT.values()}


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {name: value for name, value in PARAMETERS.items() if name != "dNSName"},
        PARAMETERS | {"commonName": ""},
        PARAMETERS | {"dNSName": "two words"},
        PARAMETERS | {"pkcs12Password": "short"},
        PARAMETERS | {"colour": "red"},
    ],
    ids=["none", "one is missing", "an empty one", "no DNS name", "a short password", "an unknown one"],
)
def test_fault_25d_parameters_are_validated_and_nothing_is_spent(api: Api, parameters: dict[str, str]) -> None:
    before = balance(api)
    refused(api.order(parameters), 400)
    assert balance(api) == before


def test_fault_25e_the_balance_moves_until_there_is_none(api: Api) -> None:
    before = balance(api)
    order(api)
    assert balance(api) == before - 1
    with Emulator(balances={423: 1}) as service:
        other = Api(service)
        assert [other.order().status_code for _ in range(2)] == [201, 400]
        assert balance(other) == 0
        other.session.close()


def test_fault_26a_a_revocation_checks_profile_and_reason_and_happens_once(api: Api) -> None:
    number, certificate = order(api, "revoke.example.com")
    serial = serial_of(certificate)
    refused(api.revoke(serial, 4, profile=489), 404)
    for reason in (7, 11, -1, "superseded"):
        refused(api.revoke(serial, reason), 400)
    assert api.find(serialNumber=serial).json()["items"][0]["status"] == "COLLECTED"
    assert api.revoke(serial, 4).status_code == 200
    assert api.find(serialNumber=serial).json()["items"][0]["status"] == "REVOKED"
    refused(api.revoke(serial, 4), 400)
    for _ in range(2):
        refused(api.get(f"/api/v1/batches/{number}/download"), 400)


def test_fault_26b_find_is_and_in_any_case_and_names_the_common_name(api: Api) -> None:
    serials = {name: serial_of(order(api, name)[1]) for name in ("one.example.com", "two.example.com")}
    one = serials["one.example.com"]
    (item,) = api.find(commonName="ONE.Example.com").json()["items"]
    assert (item["commonName"], item["serialNumber"]) == ("one.example.com", one)
    assert api.find(commonName="one.example.com", serialNumber=one.lower()).json()["totalCount"] == 1
    assert api.find(commonName="two.example.com", serialNumber=one).json() == {"totalCount": 0, "items": []}


def test_fault_27a_sigterm_ends_it_in_order() -> None:
    with serving(env={}) as (process, told):
        assert requests.get(f"{told['SECTIGO_ENDPOINT']}/status", timeout=10).json()["status"] == "ok"
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 0


def test_fault_27b_it_binds_the_loopback_unless_told_otherwise(sectigo: Runner) -> None:
    for environ in ({}, {"SIAS_BIND_ADDR": ":8831"}):
        settings = EmulatorSettings.from_environ(environ)
        assert (settings.host, settings.port) == ("127.0.0.1", 8831)
    done = sectigo("serve", env={"SIAS_BIND_ADDR": "0.0.0.0:0"})
    assert (done.code, done.out) == (2, "")


def test_fault_27c_the_delay_is_two_seconds_and_can_be_chosen(sectigo: Runner) -> None:
    assert json.loads(sectigo("validate").out)["server"]["delay"] == 2
    for delay, status in ((0, "READY_FOR_DOWNLOAD"), (60, "CREATED")):
        with Emulator(delay=delay) as service:
            api = Api(service)
            assert api.batch(api.order().json()["batchId"])["status"] == status
            api.session.close()


def test_fault_27d_crl_and_ocsp_tell_of_a_revocation(service: Emulator, api: Api) -> None:
    _, certificate = order(api, "status.example.com")
    issuer = x509.load_pem_x509_certificate(service.issuing_certificate)
    asked = check_crl, check_ocsp
    assert [ask(certificate, issuer).status for ask in asked] == ["good", "good"]
    assert api.revoke(serial_of(certificate), 1).status_code == 200
    found = [ask(certificate, issuer) for ask in asked]
    assert [(each.status, each.reason) for each in found] == [("revoked", "keyCompromise")] * 2


def test_fault_27e_a_ca_that_is_given_stays_the_same(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    root = made_ca(path, None)
    for settings in (
        EmulatorSettings(ca_path=path),
        EmulatorSettings.from_environ({"SIAS_CA_PATH": str(path)}, port=0, key_type="p256", key_pool=0),
    ):
        with Emulator.from_settings(settings) as service:
            assert x509.load_pem_x509_certificate(service.root_certificate) == root
