"""What the real `openssl` makes is read, and what is made here the real `openssl` reads."""

from __future__ import annotations

import subprocess
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sectigo_iot.errors import BundleError, InvalidRequestError
from sectigo_iot.pki import IssuedCertificate, needs_legacy, normalise_serial, open_bundle, open_pkcs12, read_requests
from tests.unit.pki.home import PASSWORD, home, pem

pytestmark = pytest.mark.needs("openssl")

LIVE_FORM = ("-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-iter", "1")
LEGACY = (
    "PBE-SHA1-RC2-40",
    "PBE-SHA1-RC2-128",
    "PBE-SHA1-RC4-40",
    "PBE-SHA1-RC4-128",
    "PBE-MD5-DES",
    "PBE-SHA1-DES",
    "PBE-MD5-RC2-64",
    "PBE-SHA1-RC2-64",
    "rc2-cbc",
    "des-cbc",
    "bf-cbc",
    "cast5-cbc",
)
MODERN = ("PBE-SHA1-3DES", "PBE-SHA1-2DES", "aes-256-cbc", "camellia-128-cbc", "NONE")


def openssl(*arguments: str | Path, check: bool = True) -> subprocess.CompletedProcess[bytes]:
    return subprocess.run(["openssl", *arguments], capture_output=True, check=check)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    own = home()
    key = own.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "key.pem").write_bytes(key)
    (tmp_path / "leaf.pem").write_bytes(pem(own.leaf))
    (tmp_path / "chain.pem").write_bytes(pem(own.root, own.issuing))
    (tmp_path / "issuing.pem").write_bytes(pem(own.issuing))
    (tmp_path / "root.pem").write_bytes(pem(own.root))
    return tmp_path


def export(folder: Path, *options: str) -> bytes:
    inputs = ("-inkey", folder / "key.pem", "-in", folder / "leaf.pem", "-certfile", folder / "chain.pem")
    openssl("pkcs12", "-export", *inputs, "-passout", f"pass:{PASSWORD}", "-out", folder / "a.p12", *options)
    return (folder / "a.p12").read_bytes()


def opens_without_legacy(folder: Path) -> bool:
    password = f"pass:{PASSWORD}"
    return openssl("pkcs12", "-in", folder / "a.p12", "-passin", password, "-nodes", check=False).returncode == 0


def test_the_form_of_the_live_service_is_opened(folder: Path) -> None:
    data = export(folder, *LIVE_FORM)
    assert needs_legacy(data)
    assert not opens_without_legacy(folder)
    contents = open_pkcs12(data, PASSWORD)
    assert (contents.leaf, contents.chain) == (home().leaf, (home().issuing, home().root))
    with pytest.raises(BundleError, match="the password does not open"):
        open_pkcs12(data, "wrong")


@pytest.mark.parametrize("algorithm", [*LEGACY, *MODERN])
def test_needs_legacy_agrees_with_openssl(folder: Path, algorithm: str) -> None:
    data = export(folder, "-legacy", "-certpbe", algorithm, "-keypbe", algorithm)
    assert needs_legacy(data) is (algorithm in LEGACY) is not opens_without_legacy(folder)
    assert open_pkcs12(data, PASSWORD).leaf == home().leaf


def test_openssl_needs_no_legacy_by_default(folder: Path) -> None:
    assert not needs_legacy(export(folder))
    assert opens_without_legacy(folder)


def test_a_file_without_a_mac_is_opened(folder: Path) -> None:
    assert open_pkcs12(export(folder, "-nomac"), PASSWORD).leaf == home().leaf


def test_a_bundle_verifies_here_and_there(folder: Path) -> None:
    with zipfile.ZipFile(folder / "7.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.example.com.p12", export(folder, *LIVE_FORM))
    [one] = open_bundle((folder / "7.zip").read_bytes(), PASSWORD)
    one.verify(pem(home().root), "a.example.com")
    (folder / "out.pem").write_bytes(one.certificate_pem)
    (folder / "mid.pem").write_bytes(one.chain_pem)
    (folder / "out.key").write_bytes(one.private_key_pem("pass"))
    roots = ("-CAfile", folder / "root.pem", "-untrusted", folder / "mid.pem", "-verify_hostname", "a.example.com")
    openssl("verify", "-x509_strict", "-purpose", "sslserver", *roots, folder / "out.pem")
    public = openssl("pkey", "-in", folder / "out.key", "-passin", "pass:pass", "-pubout").stdout
    assert public == openssl("x509", "-in", folder / "leaf.pem", "-noout", "-pubkey").stdout


def test_serial_numbers_are_written_as_openssl_writes_them(folder: Path) -> None:
    printed = openssl("x509", "-in", folder / "leaf.pem", "-noout", "-serial").stdout.decode().strip()
    one = IssuedCertificate("a", home().leaf, ())
    assert printed == f"serial={one.serial_number}"
    text = openssl("x509", "-in", folder / "leaf.pem", "-noout", "-text").stdout.decode()
    colons = text.split("Serial Number:")[1].split("Signature")[0]
    assert normalise_serial(colons) == one.serial_number


def test_pkcs7_of_openssl_is_read(folder: Path) -> None:
    certificates = ("-certfile", folder / "chain.pem", "-certfile", folder / "leaf.pem")
    openssl("crl2pkcs7", "-nocrl", *certificates, "-out", folder / "a.p7b")
    with zipfile.ZipFile(folder / "7.zip", "w") as archive:
        archive.write(folder / "a.p7b", "a.p7b")
    [one] = open_bundle((folder / "7.zip").read_bytes())
    assert (one.leaf, one.chain) == (home().leaf, (home().issuing, home().root))


def request(folder: Path, *options: str) -> bytes:
    openssl("req", "-new", "-key", folder / "key.pem", "-out", folder / "a.csr", *options)
    return (folder / "a.csr").read_bytes()


def test_requests_of_openssl_are_read(folder: Path) -> None:
    names = ("-subj", "/C=DE/O=Example/CN=a.example.com", "-addext", "subjectAltName=DNS:a.example.com")
    [one] = read_requests(request(folder, *names, "-sha384", "-text"))
    described = (one.common_name, one.dns_names, one.key, one.signature_hash)
    assert described == ("a.example.com", ("a.example.com",), "RSA-2048", "SHA-384")
    [old] = read_requests(request(folder, *names, "-newhdr", "-sha256"))
    assert old.signature_hash == "SHA-256"
    assert old.public_key_fingerprint == one.public_key_fingerprint
    [der] = read_requests(request(folder, *names, "-outform", "DER"))
    assert der.common_name == "a.example.com"


@pytest.mark.parametrize(("digest", "printed"), [("-md5", "MD5"), ("-sha1", "SHA-1")])
def test_broken_hashes_are_refused(folder: Path, digest: str, printed: str) -> None:
    data = request(folder, "-subj", "/CN=a.example.com", digest)
    with pytest.raises(InvalidRequestError) as caught:
        read_requests(data, "a.csr")
    assert caught.value.faults == (
        f"a.csr, request 1: it is signed with {printed}, which is broken: use SHA-256 or better",
    )


def test_a_chain_signed_with_sha1_is_refused(folder: Path) -> None:
    own = home()
    (folder / "ca.key").write_bytes(own.issuing_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    request(folder, "-subj", "/CN=a.example.com")
    signer = ("-CA", folder / "issuing.pem", "-CAkey", folder / "ca.key", "-set_serial", "9", "-days", "9")
    made = openssl("x509", "-req", "-in", folder / "a.csr", *signer, "-sha1").stdout
    leaf = x509.load_pem_x509_certificate(made)
    with pytest.raises(BundleError, match=r"'a\.example.com' is signed with SHA1"):
        IssuedCertificate("a", leaf, (own.issuing, own.root)).verify(at=datetime.now(UTC) + timedelta(minutes=1))
