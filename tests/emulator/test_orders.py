"""Ordering one certificate, looking at its batch, downloading it."""

from __future__ import annotations

import subprocess
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import load_pem_private_key, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sectigo_iot.emulator import Emulator
from sectigo_iot.pki import check_zip
from tests.emulator.api import PARAMETERS, PASSWORD, Api, refused
from tests.emulator.csrs import make_csr


def test_an_order_reads_created_and_is_ready(api: Api) -> None:
    before = api.get("/api/v1/authorities/423/balanceavailable").json()
    counted = api.get("/api/v1/devices").json()
    reply = api.order()
    batch = reply.json()
    number = batch["batchId"]
    assert reply.status_code == 201
    assert (batch["status"], batch["active"], batch["downloadable"], batch["size"]) == ("CREATED", False, True, 1)
    assert (batch["profile"], batch["userId"]) == ("CipherTrace EE", 295)
    assert batch["orderNumber"] != number >= 10000
    assert api.batch(number)["status"] == "READY_FOR_DOWNLOAD"
    assert api.get(f"/api/v1/batches/{number}/processing_info").json() == {"active": 0, "success": 1, "failed": 0}
    status = api.get(f"/api/v1/batches/{number}/status")
    assert (status.text, status.headers["Content-Type"]) == ("Ready for download", "text/plain; charset=utf-8")
    assert api.get("/api/v1/authorities/423/balanceavailable").json() == before - 1
    assert api.get("/api/v1/devices").json() == {name: number + 1 for name, number in counted.items()}


def test_download_is_repeatable_and_collects(api: Api) -> None:
    number = api.order().json()["batchId"]
    replies = [api.get(f"/api/v1/batches/{number}/download") for _ in range(2)]
    assert replies[0].content == replies[1].content
    assert replies[0].headers["Content-Type"] == "application/octet-stream"
    assert replies[0].headers["Content-Disposition"] == f'attachment; filename="{number}.zip"'
    assert api.batch(number)["status"] == "COLLECTED"
    assert api.get(f"/api/v1/batches/{number}/status").text == "Ready for download"


def opened(api: Api, number: int, name: str = "example.com") -> pkcs12.PKCS12KeyAndCertificates:
    return pkcs12.load_pkcs12(api.files(number)[f"{name}.p12"], PASSWORD.encode())


def test_the_leaf_is_what_the_service_issues(emulator: Emulator, api: Api) -> None:
    bundle = opened(api, api.order().json()["batchId"])
    assert bundle.cert is not None
    leaf = bundle.cert.certificate
    now = datetime.now(UTC)
    assert leaf.not_valid_before_utc <= now < leaf.not_valid_before_utc + timedelta(days=1, minutes=1)
    assert timedelta(days=394) < leaf.not_valid_after_utc - leaf.not_valid_before_utc < timedelta(days=399)
    assert leaf.not_valid_after_utc.second == 59
    assert leaf.serial_number.bit_length() == 127
    extensions = {each.oid._name: each for each in leaf.extensions}
    assert {name for name, each in extensions.items() if each.critical} == {
        *("keyUsage", "basicConstraints", "extendedKeyUsage"),
    }
    usage = leaf.extensions.get_extension_for_class(x509.KeyUsage).value
    assert (usage.digital_signature, usage.content_commitment, usage.key_encipherment) == (True, True, True)
    assert not usage.key_cert_sign and not usage.crl_sign and not usage.key_agreement
    assert not leaf.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    assert set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value) == {
        ExtendedKeyUsageOID.CLIENT_AUTH,
        ExtendedKeyUsageOID.SERVER_AUTH,
    }
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["example.com", "www.example.com"]
    points = leaf.extensions.get_extension_for_class(x509.CRLDistributionPoints).value
    assert points[0].full_name is not None
    assert points[0].full_name[0].value == f"{emulator.url}/crl/issuing.crl"


def test_key_and_chain_belong_to_the_leaf(emulator: Emulator, api: Api) -> None:
    bundle = opened(api, api.order().json()["batchId"])
    assert bundle.cert is not None and bundle.key is not None
    assert bundle.cert.certificate.public_key() == bundle.key.public_key()
    issuing, root = (each.certificate for each in bundle.additional_certs)
    bundle.cert.certificate.verify_directly_issued_by(issuing)
    issuing.verify_directly_issued_by(root)
    assert root == x509.load_pem_x509_certificate(emulator.root_certificate)
    assert issuing == x509.load_pem_x509_certificate(emulator.issuing_certificate)
    assert "TEST" in root.subject.rfc4514_string() and "TEST" in issuing.subject.rfc4514_string()


@pytest.mark.needs("unzip")
@pytest.mark.needs("openssl")
def test_unzip_and_openssl_open_it(api: Api, tmp_path: Path) -> None:
    number = api.order().json()["batchId"]
    (tmp_path / "b.zip").write_bytes(api.get(f"/api/v1/batches/{number}/download").content)
    subprocess.run(["unzip", "-q", "b.zip"], cwd=tmp_path, check=True)
    command = ["openssl", "pkcs12", "-in", "example.com.p12", "-nodes", "-passin", f"pass:{PASSWORD}"]
    text = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True).stdout
    assert text.count(b"BEGIN CERTIFICATE") == 3
    load_pem_private_key(text[text.index(b"-----BEGIN PRIVATE KEY") :], None)


@pytest.mark.needs("unzip")
def test_the_zip_is_as_java_writes_it(api: Api, tmp_path: Path) -> None:
    number = api.order().json()["batchId"]
    content = api.get(f"/api/v1/batches/{number}/download").content
    (tmp_path / "b.zip").write_bytes(content)
    with zipfile.ZipFile(tmp_path / "b.zip") as archive:
        [entry] = archive.infolist()
        assert archive.testzip() is None
    assert (entry.filename, entry.compress_type) == ("example.com.p12", zipfile.ZIP_DEFLATED)
    # Bit 11 says UTF-8, bit 3 that the lengths follow, in the directory and before the file.
    assert entry.flag_bits == int.from_bytes(content[6:8], "little") == 1 << 11 | 1 << 3
    assert content[14:26] == bytes(12)
    assert check_zip(tmp_path / "b.zip") == ["example.com.p12"]
    subprocess.run(["unzip", "-tq", "b.zip"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"commonName": None}, "commonName"),
        ({"dNSName": None}, "dNSName"),
        ({"pkcs12Password": None}, "pkcs12Password"),
        ({"commonName": ""}, "commonName"),
        ({"commonName": "x" * 65}, "commonName"),
        ({"commonName": "a\nb"}, "commonName"),
        ({"commonName": " "}, "commonName"),
        ({"commonName": " example.com"}, "commonName"),
        ({"commonName": "example.com "}, "commonName"),
        ({"dNSName": "example.com\nnot a name"}, "dNSName"),
        ({"dNSName": "example.com\n\nwww.example.com"}, "dNSName"),
        ({"dNSName": "bücher.example.com"}, "dNSName"),
        ({"dNSName": "*.*.example.com"}, "dNSName"),
        ({"pkcs12Password": "short"}, "pkcs12Password"),
        ({"organizationName": "Example"}, "organizationName"),
    ],
)
def test_parameters_against_the_rules(api: Api, change: dict[str, str | None], words: str) -> None:
    parameters = {name: value for name, value in (PARAMETERS | change).items() if value is not None}
    refused(api.order(parameters), 400, words)


@pytest.mark.parametrize("value", [1, ["x"], {"a": "b"}, True, "\ud800"])
def test_parameters_of_another_type(api: Api, value: object) -> None:
    refused(api.order(PARAMETERS | {"commonName": value}), 400, "commonName")


@pytest.mark.parametrize("authority", ["423", 1.5, None, True, 17, -1, 10**400])
def test_authorities_that_are_none(api: Api, authority: object) -> None:
    refused(api.order(authority=authority), 400, "authorityId")


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b"{}", b'{"authorityId": 423, "profileParams": []}', b"9" * 5000])
def test_malformed_orders(api: Api, body: bytes) -> None:
    refused(api.call("PUT", "/api/v1/batches/createSingleCertBatch", data=body), 400)


def test_an_error_shows_no_password(api: Api) -> None:
    assert "geheim" not in api.order(PARAMETERS | {"pkcs12Password": "geheim"}).text


@pytest.mark.parametrize("path", ["99", "abc", "-1", "9" * 5000, "99/status", "99/processing_info", "99/download"])
def test_batches_that_are_none(api: Api, path: str) -> None:
    refused(api.get(f"/api/v1/batches/{path}"), 404)


@pytest.mark.parametrize(
    ("name", "file"),
    [("*.example.com", "_.example.com.p12"), ("../../x", "__.._x.p12"), ("Bücher & <Söhne>", "Bücher & _Söhne_.p12")],
)
def test_names_in_the_zip_are_plain_files(api: Api, name: str, file: str) -> None:
    number = api.order(PARAMETERS | {"commonName": name}).json()["batchId"]
    assert list(api.files(number)) == [file]


def test_every_subject_field_and_a_wildcard() -> None:
    with Emulator(balances={489: 1}) as emulator:
        api = Api(emulator)
        subject = {
            "organizationName": "Example",
            "localityName": "Queenstown",
            "stateOrProvinceName": "Maryland",
            "countryName": "US",
        }
        refused(api.order(PARAMETERS, 489), 400, "organizationName")
        refused(api.order(PARAMETERS | subject | {"countryName": "us"}, 489), 400, "countryName")
        order = PARAMETERS | subject | {"dNSName": "*.example.com\nxn--bcher-kva.example.com"}
        bundle = opened(api, api.order(order, 489).json()["batchId"])
        api.session.close()
    assert bundle.cert is not None
    leaf = bundle.cert.certificate
    assert leaf.subject.rfc4514_string() == "CN=example.com,O=Example,L=Queenstown,ST=Maryland,C=US"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["example.com", "*.example.com", "xn--bcher-kva.example.com"]


@pytest.mark.parametrize("status", [400, 409])
def test_no_licence_left(status: int) -> None:
    with Emulator(balances={423: 1}, no_balance_status=status) as emulator:
        api = Api(emulator)
        assert api.order().status_code == 201
        refused(api.order(), status, "balance")
        assert api.get("/api/v1/authorities/423/balanceavailable").json() == 0
        refused(api.get("/api/v1/batches/10001"), 404)
        api.session.close()


def test_a_delayed_batch_passes_through_its_statuses() -> None:
    seen: list[tuple[str, str, int]] = []
    with Emulator(delay=0.3) as emulator:
        api = Api(emulator)
        number = api.order().json()["batchId"]
        refused(api.get(f"/api/v1/batches/{number}/download"), 400, "CREATED")
        end = time.monotonic() + 5
        while (not seen or seen[-1][0] != "READY_FOR_DOWNLOAD") and time.monotonic() < end:
            now = (
                api.batch(number)["status"],
                api.get(f"/api/v1/batches/{number}/status").text,
                api.get(f"/api/v1/batches/{number}/processing_info").json()["active"],
            )
            if now not in seen:
                seen.append(now)
            time.sleep(0.01)
        api.session.close()
    assert seen[0] == ("CREATED", "Not Acceptable. Status: CREATED", 0)
    assert ("PROCESSING", "Processing", 1) in seen
    assert seen[-1] == ("READY_FOR_DOWNLOAD", "Ready for download", 0)


@pytest.mark.parametrize(("key_type", "size"), [("p256", 256), ("p384", 384), ("rsa2048", 2048)])
def test_key_types(key_type: str, size: int) -> None:
    with Emulator(key_type=key_type) as emulator:
        api = Api(emulator)
        bundle = opened(api, api.order().json()["batchId"])
        api.session.close()
    assert isinstance(bundle.key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    assert bundle.key.key_size == size
    assert bundle.cert is not None
    assert bundle.cert.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "example.com"


def test_what_could_not_be_issued_was_not_ordered_after_all() -> None:
    with Emulator() as emulator:
        api = Api(emulator)
        batch = api.upload(make_csr("a.example.com")).json()["batchId"]
        assert api.batch(batch)["status"] == "BROKEN"
        assert api.get("/api/v1/devices").json() == {"ordered": 1000, "issued": 0}
        api.session.close()
