"""The chain, the revocation lists and the OCSP responder, judged by programs that are not ours."""

from __future__ import annotations

import base64
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509 import ocsp, verification

from sectigo_iot.emulator import Emulator
from sectigo_iot.reasons import CRLReason
from tests.emulator.api import PARAMETERS, PASSWORD, Api


def fetch(emulator: Emulator, path: str) -> requests.Response:
    reply = requests.get(emulator.url + path, timeout=10)
    assert reply.status_code == 200, reply.text
    return reply


def issue(api: Api) -> x509.Certificate:
    number = api.order(PARAMETERS).json()["batchId"]
    certificate = pkcs12.load_pkcs12(api.files(number)["example.com.p12"], PASSWORD.encode()).cert
    assert certificate is not None
    return certificate.certificate


@pytest.fixture(scope="module", params=["p256", "rsa2048"])
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[Emulator, Api]]:
    with Emulator(key_type=request.param) as emulator:
        api = Api(emulator)
        yield emulator, api
        api.session.close()


@pytest.fixture
def folder(pair: tuple[Emulator, Api], tmp_path: Path) -> Path:
    return laid_out(*pair, tmp_path)


def laid_out(emulator: Emulator, api: Api, tmp_path: Path) -> Path:
    """Return a folder with the CAs and a certificate."""
    (tmp_path / "root.pem").write_bytes(emulator.root_certificate)
    (tmp_path / "issuing.pem").write_bytes(emulator.issuing_certificate)
    (tmp_path / "leaf.pem").write_bytes(issue(api).public_bytes(Encoding.PEM))
    return tmp_path


def openssl(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        ["openssl", *arguments], cwd=folder, capture_output=True, text=True, timeout=20, check=False
    )
    return done.stdout + done.stderr


def serial_in(folder: Path) -> str:
    return f"{x509.load_pem_x509_certificate((folder / 'leaf.pem').read_bytes()).serial_number:X}"


@pytest.mark.needs("openssl")
def test_openssl_verifies_with_the_crl(pair: tuple[Emulator, Api], folder: Path) -> None:
    emulator, api = pair
    verify = ("verify", "-x509_strict", "-crl_check_all", "-CAfile", "root.pem", "-untrusted", "issuing.pem")
    lists = ("-CRLfile", "issuing.crl", "-CRLfile", "root.crl")
    for expected in ("leaf.pem: OK", "certificate revoked"):
        for name in ("issuing", "root"):
            (folder / f"{name}.crl").write_bytes(fetch(emulator, f"/crl/{name}.crl").content)
        assert expected in openssl(folder, *verify, *lists, "leaf.pem")
        api.revoke(serial_in(folder), CRLReason.keyCompromise)


@pytest.mark.needs("openssl")
def test_openssl_asks_the_responder(pair: tuple[Emulator, Api], folder: Path) -> None:
    emulator, api = pair
    ask = ("ocsp", "-issuer", "issuing.pem", "-url", f"{emulator.url}/ocsp", "-CAfile", "root.pem")
    good = openssl(folder, *ask, "-cert", "leaf.pem")
    assert "Response verify OK" in good and "leaf.pem: good" in good
    api.revoke(serial_in(folder), CRLReason.superseded)
    revoked = openssl(folder, *ask, "-cert", "leaf.pem")
    assert "Response verify OK" in revoked and "leaf.pem: revoked" in revoked and "Reason: superseded" in revoked
    unknown = openssl(folder, *ask, "-serial", "0x1234")
    assert "Response verify OK" in unknown and "0x1234: unknown" in unknown
    root = (
        "ocsp",
        "-issuer",
        "root.pem",
        "-cert",
        "issuing.pem",
        "-url",
        f"{emulator.url}/ocsp",
        "-CAfile",
        "root.pem",
    )
    assert "issuing.pem: good" in openssl(folder, *root)


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("lifts", [True, False])
def test_a_hold_that_is_lifted_is_good_again_for_crl_and_ocsp(lifts: bool, tmp_path: Path) -> None:
    with Emulator(lift_holds=lifts) as emulator:
        api = Api(emulator)
        folder = laid_out(emulator, api, tmp_path)
        verify = (
            "verify",
            "-crl_check",
            "-CAfile",
            "root.pem",
            "-untrusted",
            "issuing.pem",
            "-CRLfile",
            "issuing.crl",
        )
        ask = ("ocsp", "-issuer", "issuing.pem", "-url", f"{emulator.url}/ocsp", "-CAfile", "root.pem")
        seen = []
        for reason in (CRLReason.certificateHold, CRLReason.removeFromCRL):
            accepted = api.revoke(serial_in(folder), reason).status_code == 200
            (folder / "issuing.crl").write_bytes(fetch(emulator, "/crl/issuing.crl").content)
            listed = "certificate revoked" in openssl(folder, *verify, "leaf.pem")
            told = openssl(folder, *ask, "-cert", "leaf.pem")
            seen.append((accepted, listed, "leaf.pem: good" in told, "Reason: certificateHold" in told))
        api.session.close()
    held, good = (True, True, False, True), (True, False, True, False)
    assert seen == [held, good if lifts else (False, *held[1:])]


def test_cryptography_verifies_the_server(pair: tuple[Emulator, Api]) -> None:
    emulator, api = pair
    store = verification.Store([x509.load_pem_x509_certificate(emulator.root_certificate)])
    # The service marks extendedKeyUsage critical, which the default policy for the web does not have.
    leaf = verification.ExtensionPolicy.webpki_defaults_ee().may_be_present(
        x509.ExtendedKeyUsage, verification.Criticality.CRITICAL, None
    )
    above = verification.ExtensionPolicy.webpki_defaults_ca()
    verifier = verification.PolicyBuilder().store(store).extension_policies(ee_policy=leaf, ca_policy=above)
    issuing = x509.load_pem_x509_certificate(emulator.issuing_certificate)
    chain = verifier.build_server_verifier(x509.DNSName("www.example.com")).verify(issue(api), [issuing])
    assert len(chain) == 3
    assert verifier.build_client_verifier().verify(issue(api), [issuing]).chain


def test_the_crl_says_when_and_why(pair: tuple[Emulator, Api]) -> None:
    emulator, api = pair
    before = x509.load_der_x509_crl(fetch(emulator, "/crl/issuing.crl").content)
    reasons = [each for each in CRLReason if each is not CRLReason.removeFromCRL]
    serials = {reason: issue(api).serial_number for reason in reasons}
    for reason, serial in serials.items():
        assert api.revoke(f"{serial:X}", int(reason)).status_code == 200
    reply = fetch(emulator, "/crl/issuing.crl")
    assert reply.headers["Content-Type"] == "application/pkix-crl"
    crl = x509.load_der_x509_crl(reply.content)
    assert crl.next_update_utc is not None and crl.next_update_utc > datetime.now(UTC)
    numbers = [each.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number for each in (before, crl)]
    assert numbers[0] < numbers[1]
    for reason, serial in serials.items():
        entry = crl.get_revoked_certificate_by_serial_number(serial)
        assert entry is not None
        said = [each.value.reason.value for each in entry.extensions if isinstance(each.value, x509.CRLReason)]
        assert said == ([] if reason is CRLReason.unspecified else [reason.name])


def test_ocsp_by_get_and_nonce(pair: tuple[Emulator, Api]) -> None:
    emulator, api = pair
    issuing = x509.load_pem_x509_certificate(emulator.issuing_certificate)
    builder = ocsp.OCSPRequestBuilder().add_certificate(issue(api), issuing, hashes.SHA256())
    request = builder.add_extension(x509.OCSPNonce(b"0123456789abcdef"), critical=False).build()
    encoded = base64.b64encode(request.public_bytes(Encoding.DER)).decode()
    for path in (quote(encoded, safe=""), encoded):
        reply = fetch(emulator, f"/ocsp/{path}")
        assert reply.headers["Content-Type"] == "application/ocsp-response"
        answer = ocsp.load_der_ocsp_response(reply.content)
        assert answer.certificate_status is ocsp.OCSPCertStatus.GOOD
        assert answer.extensions.get_extension_for_class(x509.OCSPNonce).value.nonce == b"0123456789abcdef"


@pytest.mark.parametrize("body", [b"", b"rubbish", b"\x30\x00", b"\x30\x80"])
def test_malformed_ocsp_requests(emulator: Emulator, body: bytes) -> None:
    reply = requests.post(emulator.url + "/ocsp", data=body, timeout=10)
    answer = ocsp.load_der_ocsp_response(reply.content)
    assert answer.response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST
    reply = fetch(emulator, "/ocsp/***")
    assert ocsp.load_der_ocsp_response(reply.content).response_status is ocsp.OCSPResponseStatus.MALFORMED_REQUEST


def test_a_responder_answers_for_its_own_cas(emulator: Emulator) -> None:
    with Emulator() as other:
        issuing = x509.load_pem_x509_certificate(other.issuing_certificate)
        root = x509.load_pem_x509_certificate(other.root_certificate)
    request = ocsp.OCSPRequestBuilder().add_certificate(issuing, root, hashes.SHA1()).build()
    reply = requests.post(emulator.url + "/ocsp", data=request.public_bytes(Encoding.DER), timeout=10)
    assert ocsp.load_der_ocsp_response(reply.content).response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED


def asked_of(emulator: Emulator, below: x509.Certificate, above: x509.Certificate) -> ocsp.OCSPResponse:
    request = ocsp.OCSPRequestBuilder().add_certificate(below, above, hashes.SHA384()).build()
    reply = requests.post(emulator.url + "/ocsp", data=request.public_bytes(Encoding.DER), timeout=10)
    return ocsp.load_der_ocsp_response(reply.content)


def test_a_ca_answers_for_what_it_issued_itself(pair: tuple[Emulator, Api]) -> None:
    emulator, api = pair
    root = x509.load_pem_x509_certificate(emulator.root_certificate)
    issuing = x509.load_pem_x509_certificate(emulator.issuing_certificate)
    leaf = issue(api)
    assert asked_of(emulator, leaf, issuing).certificate_status is ocsp.OCSPCertStatus.GOOD
    assert asked_of(emulator, issuing, root).certificate_status is ocsp.OCSPCertStatus.GOOD
    # The request's name is that of what was asked about, the key that of whom it is said to be from.
    assert asked_of(emulator, leaf, root).response_status is ocsp.OCSPResponseStatus.UNAUTHORIZED
    for serial, names in ((leaf.serial_number, root), (issuing.serial_number, issuing)):
        own = asked_by_hash(emulator, serial, names)
        assert own.certificate_status is ocsp.OCSPCertStatus.UNKNOWN


def asked_by_hash(emulator: Emulator, serial: int, above: x509.Certificate) -> ocsp.OCSPResponse:
    sha1 = hashes.Hash(hashes.SHA1())
    sha1.update(above.subject.public_bytes())
    key = x509.SubjectKeyIdentifier.from_public_key(above.public_key()).digest
    request = ocsp.OCSPRequestBuilder().add_certificate_by_hash(sha1.finalize(), key, serial, hashes.SHA1()).build()
    reply = requests.post(emulator.url + "/ocsp", data=request.public_bytes(Encoding.DER), timeout=10)
    return ocsp.load_der_ocsp_response(reply.content)


def test_every_signature_is_of_sha_384(pair: tuple[Emulator, Api]) -> None:
    emulator, api = pair
    chain = x509.load_pem_x509_certificates(fetch(emulator, "/ca/chain.pem").content)
    crl = x509.load_der_x509_crl(fetch(emulator, "/crl/issuing.crl").content)
    used = [each.signature_hash_algorithm for each in (issue(api), *chain)] + [crl.signature_hash_algorithm]
    assert {type(each) for each in used} == {hashes.SHA384}


def list_of(emulator: Emulator) -> tuple[datetime, int]:
    crl = x509.load_der_x509_crl(fetch(emulator, "/crl/issuing.crl").content)
    return crl.last_update_utc, crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number


def test_a_new_list_has_a_greater_number_in_the_next_run_too() -> None:
    now = [1_800_000_000.0]
    seen = []
    for _ in range(2):
        with Emulator(clock=lambda: now[0]) as emulator:
            for step in (0, 1, 0.001):
                now[0] += step
                seen.append(list_of(emulator))
        now[0] += 1
    numbers = [number for _, number in seen]
    assert [seen[1][0] - seen[0][0], numbers] == [timedelta(seconds=1), sorted(set(numbers))]


def test_ca_certificates_are_there_for_all(emulator: Emulator) -> None:
    root = x509.load_pem_x509_certificate(emulator.root_certificate)
    issuing = x509.load_pem_x509_certificate(emulator.issuing_certificate)
    assert x509.load_der_x509_certificate(fetch(emulator, "/ca/issuing.crt").content) == issuing
    assert x509.load_der_x509_certificate(fetch(emulator, "/ca/root.crt").content) == root
    assert x509.load_pem_x509_certificates(fetch(emulator, "/ca/chain.pem").content) == [issuing, root]
    for path in ("/ca/other.crt", "/crl/other.crl"):
        assert requests.get(emulator.url + path, timeout=10).status_code == 404
