"""A CA that is given in a file."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12
from cryptography.x509.oid import NameOID

from sectigo_iot.emulator import Emulator
from tests.emulator.api import PASSWORD, Api
from tests.emulator.csrs import make_csr

USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


def made_ca(
    path: Path,
    path_length: int | None,
    *,
    ca: bool = True,
    days: int = 3650,
    usage: str = "",
    name: str = "TEST given CA",
) -> x509.Certificate:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    start = datetime.now(UTC) - timedelta(days=1)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 7, start, start + timedelta(days=days))
    builder = builder.add_extension(
        x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True
    )
    if usage:
        builder = builder.add_extension(x509.KeyUsage(**{each: each == usage for each in USAGES}), critical=True)
    certificate = builder.sign(key, hashes.SHA256())
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    path.write_bytes(certificate.public_bytes(Encoding.PEM) + pem)
    return certificate


@pytest.mark.parametrize(("path_length", "length"), [(None, 3), (1, 3), (0, 2)])
def test_a_ca_that_is_given(tmp_path: Path, path_length: int | None, length: int) -> None:
    root = made_ca(tmp_path / "ca.pem", path_length)
    for _ in range(2):
        with Emulator(ca_path=tmp_path / "ca.pem") as emulator:
            api = Api(emulator)
            number = api.order().json()["batchId"]
            bundle = pkcs12.load_pkcs12(api.files(number)["example.com.p12"], PASSWORD.encode())
            assert requests.get(emulator.url + "/crl/issuing.crl", timeout=10).status_code == 200
            assert x509.load_pem_x509_certificate(emulator.root_certificate) == root
            api.session.close()
        assert bundle.cert is not None
        chain = [bundle.cert.certificate, *(each.certificate for each in bundle.additional_certs)]
        assert len(chain) == length and chain[-1] == root
        for below, above in pairwise(chain):
            below.verify_directly_issued_by(above)


def test_a_ca_that_is_of_no_use(tmp_path: Path) -> None:
    path = tmp_path / "ca.pem"
    with pytest.raises(FileNotFoundError):
        Emulator(ca_path=path).start()
    made_ca(path, None, ca=False)
    whole = path.read_bytes()
    cut = whole.index(b"-----BEGIN EC")
    made_ca(tmp_path / "other.pem", None)
    other = (tmp_path / "other.pem").read_bytes()
    contents = {
        b"": "no certificate",
        b"rubbish": "no certificate",
        whole[:cut]: "no unencrypted",
        whole[cut:]: "no certificate",
        whole: "not that of a CA",
        other[: other.index(b"-----BEGIN EC")] + whole[cut:]: "belongs to none",
    }
    for content, words in contents.items():
        path.write_bytes(content)
        with pytest.raises(ValueError, match=words):
            Emulator(ca_path=path).start()


@pytest.mark.parametrize(
    ("days", "usage", "words"),
    [(3650, "crl_sign", "keyCertSign"), (1, "", "expired"), (1, "key_cert_sign", "expired")],
)
def test_a_ca_that_may_not_sign(tmp_path: Path, days: int, usage: str, words: str) -> None:
    made_ca(tmp_path / "ca.pem", None, days=days, usage=usage)
    with pytest.raises(ValueError, match=words):
        Emulator(ca_path=tmp_path / "ca.pem").start()


@pytest.mark.parametrize("path_length", [None, 0])
def test_nothing_outlives_the_ca(tmp_path: Path, path_length: int | None) -> None:
    root = made_ca(tmp_path / "ca.pem", path_length, days=30, usage="key_cert_sign")
    with Emulator(ca_path=tmp_path / "ca.pem") as emulator:
        api = Api(emulator)
        bundle = pkcs12.load_pkcs12(api.files(api.order().json()["batchId"])["example.com.p12"], PASSWORD.encode())
        issuing = x509.load_pem_x509_certificate(emulator.issuing_certificate)
        api.session.close()
    assert bundle.cert is not None
    leaf = bundle.cert.certificate
    assert leaf.not_valid_after_utc == issuing.not_valid_after_utc == root.not_valid_after_utc


def test_beginnings_without_an_end_are_read_in_no_time(tmp_path: Path) -> None:
    (tmp_path / "ca.pem").write_bytes(b"-----BEGIN PRIVATE KEY-----\n" * 70_000)
    with pytest.raises(ValueError, match="no certificate"):
        Emulator(ca_path=tmp_path / "ca.pem").start()


@pytest.mark.parametrize("days", [1826, 1827, 37 * 365])
def test_a_ca_of_its_own_outlives_what_is_tried(days: int) -> None:
    with Emulator() as emulator:
        emulator.control.advance(days=days)
        leaf, chain = ordered(emulator)
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc > timedelta(days=365)
    assert leaf.not_valid_before_utc - datetime.now(UTC) > timedelta(days=days - 2)
    assert chain[0].not_valid_after_utc > leaf.not_valid_after_utc
    assert chain[1].not_valid_after_utc > chain[0].not_valid_after_utc


def ordered(emulator: Emulator) -> tuple[x509.Certificate, list[x509.Certificate]]:
    """Order a certificate, and return it with its CAs."""
    api = Api(emulator)
    bundle = pkcs12.load_pkcs12(api.files(api.order().json()["batchId"])["example.com.p12"], PASSWORD.encode())
    api.session.close()
    assert bundle.cert is not None
    return bundle.cert.certificate, [each.certificate for each in bundle.additional_certs]


@pytest.mark.parametrize("path_length", [None, 0])
def test_a_ca_at_its_end_breaks_what_is_ordered(tmp_path: Path, path_length: int | None) -> None:
    root = made_ca(tmp_path / "ca.pem", path_length, days=30)
    end = root.not_valid_after_utc
    with Emulator(ca_path=tmp_path / "ca.pem") as emulator:
        emulator.control.advance(end.timestamp() - emulator.control.now() - 30)
        leaf, _ = ordered(emulator)
        assert leaf.not_valid_before_utc < leaf.not_valid_after_utc == end
        emulator.control.advance(31)
        api = Api(emulator)
        numbers = [
            api.order().json()["batchId"],
            api.upload(make_csr("up.example.com", "up.example.com")).json()["batchId"],
        ]
        broken = [api.batch(number) for number in numbers]
        api.session.close()
    assert [each["status"] for each in broken] == ["BROKEN", "BROKEN"]
    assert all(f"the CA of the emulator ended on {end:%Y-%m-%d}" in json.dumps(each) for each in broken)


def test_an_identity_for_tls_is_not_issued_after_the_end(tmp_path: Path) -> None:
    made_ca(tmp_path / "ca.pem", None, days=30)
    with Emulator(ca_path=tmp_path / "ca.pem", state_path=tmp_path / "state") as emulator:
        emulator.control.advance(days=30)
    with pytest.raises(ValueError, match=r"^the CA of the emulator ended on 20\d\d-\d\d-\d\d$"):
        Emulator(state_path=tmp_path / "state", tls=True).start()


def test_a_ca_is_told_of_where_it_does_not_say_test(tmp_path: Path) -> None:
    made_ca(tmp_path / "test.pem", None)
    made_ca(tmp_path / "foreign.pem", 0, name="Example CA")
    remarks = {}
    for path in (None, tmp_path / "test.pem", tmp_path / "foreign.pem"):
        with Emulator(ca_path=path, foreign_ca=True) as emulator:
            remarks[path and path.name] = emulator.remarks
    told = "the CA is CN=Example CA: keep what it signs to yourself"
    assert remarks == {None: [], "test.pem": [], "foreign.pem": [told]}


def test_a_ca_that_does_not_say_test_is_taken_when_that_is_asked_for(tmp_path: Path) -> None:
    made_ca(tmp_path / "foreign.pem", 0, name="Example CA")
    with pytest.raises(ValueError, match="does not say TEST; foreign_ca=True takes it all the same"):
        Emulator(ca_path=tmp_path / "foreign.pem").start()
    with Emulator(ca_path=tmp_path / "foreign.pem", foreign_ca=True) as emulator:
        assert "Example CA" in x509.load_pem_x509_certificate(emulator.issuing_certificate).subject.rfc4514_string()
