"""What `inspect` tells is what the real `openssl` tells: of certificates, requests, PKCS#12, lists and keys."""

from __future__ import annotations

import re
import subprocess
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sectigo_iot.pki import (
    CertificateDescription,
    Inspection,
    KeyDescription,
    PKCS12Description,
    RequestDescription,
    RevocationListDescription,
    inspect,
    inventory,
)
from tests.unit.pki.home import NOW, PASSWORD, home, pem

pytestmark = pytest.mark.needs("openssl")

SUBJECT = "/C=DE/ST=Bavaria/L=M\u00fcnchen/O=Example, Inc./CN=a.example.com"
NAMES = "subjectAltName=DNS:a.example.com,DNS:*.b.example.com,IP:192.0.2.1,email:jane@example.com"
NEW_KEYS = {
    "rsa": ("RSA", "-pkeyopt", "rsa_keygen_bits:2048"),
    "p256": ("EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "p384": ("EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    "ed25519": ("ed25519",),
}
ALGORITHMS = {
    "modern": (),
    "live": ("-legacy", "-certpbe", "PBE-SHA1-RC2-40", "-keypbe", "PBE-SHA1-3DES", "-macalg", "sha1", "-iter", "1"),
    "3des": ("-certpbe", "PBE-SHA1-3DES", "-keypbe", "PBE-SHA1-2DES", "-maciter"),
    "aes": ("-certpbe", "aes-128-cbc", "-keypbe", "aes-192-cbc", "-macalg", "sha512", "-iter", "5000"),
    "no MAC": ("-nomac",),
    "open certificates": ("-certpbe", "NONE"),
}


def openssl(*arguments: str | Path) -> str:
    done = subprocess.run(["openssl", *arguments], capture_output=True, check=True)
    return (done.stdout + done.stderr).decode()


@cache
def key(kind: str) -> str:
    """A private key of openssl, made once: those of RSA take long."""
    return openssl("genpkey", "-quiet", "-algorithm", *NEW_KEYS[kind])


def made(folder: Path, kind: str, *options: str) -> Path:
    (folder / "key.pem").write_text(key(kind))
    words: tuple[str | Path, ...] = ("req", "-new", "-key", folder / "key.pem", "-out", folder / "out.pem", "-utf8")
    openssl(*words, "-subj", SUBJECT, "-addext", NAMES, *options)
    return folder / "out.pem"


def field(text: str, name: str) -> str:
    found = re.search(rf"^ *{name} ?[=:] ?(.*)$", text, re.MULTILINE | re.IGNORECASE)
    assert found is not None, (name, text)
    return found[1]


def printed(path: Path, *options: str) -> str:
    return openssl("x509", "-in", path, "-noout", *options)


def public_key_of(path: Path, command: str) -> str:
    (path.parent / "public.pem").write_text(openssl(command, "-in", path, "-noout", "-pubkey"))
    der = path.parent / "public.der"
    openssl("pkey", "-pubin", "-in", path.parent / "public.pem", "-outform", "DER", "-out", der)
    return openssl("dgst", "-sha256", "-r", der).split()[0]


def time_of(text: str) -> datetime:
    return datetime.strptime(text, "%b %d %H:%M:%S %Y GMT").replace(tzinfo=UTC)


def one(told: Inspection) -> CertificateDescription:
    (certificate,) = told.certificates
    return certificate


@pytest.mark.parametrize(("key", "form"), [*((key, "PEM") for key in NEW_KEYS), ("p256", "DER")])
def test_a_certificate_is_told_as_openssl_tells_it(tmp_path: Path, key: str, form: str) -> None:
    usage = ("-addext", "keyUsage=digitalSignature,keyAgreement", "-addext", "extendedKeyUsage=clientAuth,1.2.3.4")
    path = made(tmp_path, key, "-x509", "-days", "90", *usage)
    data = path.read_bytes()
    if form == "DER":
        openssl("x509", "-in", path, "-outform", "DER", "-out", tmp_path / "out.der")
        data = (tmp_path / "out.der").read_bytes()
    told = one(inspect(data))
    text = printed(path, "-serial", "-dates", "-subject", "-issuer", "-nameopt", "RFC2253,utf8,-esc_msb", "-ext", EXT)
    assert told.serial_number == field(text, "serial")
    assert (told.not_before, told.not_after) == tuple(
        time_of(field(text, name)) for name in ("notBefore", "notAfter")
    )
    assert told.days_left == 89
    assert (told.subject, told.issuer) == (field(text, "subject"), field(text, "issuer"))
    for digest, value in (("sha256", told.sha256), ("sha1", told.sha1)):
        shown = field(printed(path, "-fingerprint", f"-{digest}"), f"{digest} Fingerprint")
        assert value == shown.replace(":", "").lower()
    assert told.public_key_sha256 == public_key_of(path, "x509")
    assert told.signature_algorithm == field(printed(path, "-text"), "Signature Algorithm")
    listed = ", ".join((*(f"DNS:{name}" for name in told.dns_names), *told.other_names))
    assert listed in text.replace("IP Address:", "IP:")
    assert told.key_usage == ("digitalSignature", "keyAgreement") and "Digital Signature, Key Agreement" in text
    assert told.extended_key_usage == ("clientAuth", "1.2.3.4") and "TLS Web Client Authentication, 1.2.3.4" in text


EXT = "subjectAltName,keyUsage,extendedKeyUsage"


@pytest.mark.parametrize("key", NEW_KEYS)
def test_a_request_is_told_as_openssl_tells_it(tmp_path: Path, key: str) -> None:
    path = made(tmp_path, key, "-new")
    (told,) = inspect(path.read_bytes()).items
    assert isinstance(told, RequestDescription)
    options = ("-noout", "-text", "-subject", "-nameopt", "RFC2253,utf8,-esc_msb", "-verify")
    text = openssl("req", "-in", path, *options)
    assert told.signature_fits and "verify OK" in text
    assert told.subject == field(text, "subject")
    assert told.public_key_sha256 == public_key_of(path, "req")
    assert told.signature_algorithm == field(text, "Signature Algorithm")
    (private,) = inspect((tmp_path / "key.pem").read_bytes()).items
    assert isinstance(private, KeyDescription)
    assert (private.key, private.public_key_sha256) == (told.key, told.public_key_sha256)


def test_a_request_that_was_changed_fits_neither_here_nor_there(tmp_path: Path) -> None:
    path = made(tmp_path, "p256", "-new", "-outform", "DER")
    path.write_bytes(path.read_bytes().replace(b"a.example.com", b"z.example.com", 1))
    (told,) = inspect(path.read_bytes()).items
    assert isinstance(told, RequestDescription)
    assert not told.signature_fits
    # Some versions end with 0 all the same.
    words = ["openssl", "req", "-in", str(path), "-inform", "DER", "-noout", "-verify"]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert "verify failure" in done.stdout + done.stderr


@pytest.mark.parametrize("algorithms", ALGORITHMS)
def test_a_pkcs12_is_told_as_openssl_tells_it(tmp_path: Path, algorithms: str) -> None:
    own = home()
    key = own.leaf_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "all.pem").write_bytes(key + pem(own.leaf))
    (tmp_path / "chain.pem").write_bytes(pem(own.root, own.issuing))
    path, password = tmp_path / "a.p12", f"pass:{PASSWORD}"
    files = ("-in", tmp_path / "all.pem", "-certfile", tmp_path / "chain.pem", "-out", path)
    openssl("pkcs12", "-export", *files, "-passout", password, *ALGORITHMS[algorithms])
    text = openssl("pkcs12", "-in", path, "-info", "-noout", "-passin", password, "-legacy")
    for given in (None, PASSWORD):
        told = inspect(path.read_bytes(), password=given, at=NOW)
        (store,) = (item for item in told.items if isinstance(item, PKCS12Description))
        assert store.certificate_encryption == tuple(re.findall(r"PKCS7 Encrypted data: (.*)", text))
        assert store.key_encryption == tuple(re.findall(r"Shrouded Keybag: (.*)", text))
        assert store.mac == "".join(re.findall(r"^MAC: (.*)", text, re.MULTILINE))
        assert store.needs_legacy is (algorithms == "live")
        assert (store.locked, told.faults) == (given is None, ())
    serials = [each.serial_number for each in told.certificates]
    (tmp_path / "leaf.pem").write_text(
        openssl("pkcs12", "-in", path, "-nokeys", "-clcerts", "-passin", password, "-legacy")
    )
    assert printed(tmp_path / "leaf.pem", "-serial").strip() == f"serial={serials[0]}"
    assert len(serials) == 3


def test_a_revocation_list_is_told_as_openssl_tells_it(tmp_path: Path) -> None:
    builder = x509.CertificateRevocationListBuilder().issuer_name(home().issuing.subject)
    builder = builder.last_update(NOW).next_update(NOW + timedelta(days=7)).add_extension(x509.CRLNumber(4095), False)
    gone = x509.RevokedCertificateBuilder().serial_number(0xBEEF).revocation_date(NOW).build()
    path = tmp_path / "a.crl"
    crl = builder.add_revoked_certificate(gone).sign(home().issuing_key, hashes.SHA256())
    path.write_bytes(crl.public_bytes(Encoding.PEM))
    (told,) = inspect(path.read_bytes()).items
    assert isinstance(told, RevocationListDescription)
    options = ("-issuer", "-lastupdate", "-nextupdate", "-crlnumber", "-fingerprint", "-sha256", "-text")
    text = openssl("crl", "-in", path, "-noout", *options, "-nameopt", "RFC2253")
    assert told.issuer == field(text, "issuer")
    assert told.number is not None
    assert int(field(text, "crlNumber"), 16) == told.number
    assert told.this_update == time_of(field(text, "lastUpdate"))
    assert told.next_update == time_of(field(text, "nextUpdate"))
    assert told.sha256 == field(text, "SHA2?-?256 Fingerprint").replace(":", "").lower()
    assert told.count == text.count("Serial Number:")
    assert told.signature_algorithm == field(text, "Signature Algorithm")


def test_pkcs7_of_openssl_is_told(tmp_path: Path) -> None:
    (tmp_path / "all.pem").write_bytes(pem(home().leaf, home().issuing, home().root))
    for form in ("PEM", "DER"):
        path = tmp_path / f"a.{form}"
        openssl("crl2pkcs7", "-nocrl", "-certfile", tmp_path / "all.pem", "-outform", form, "-out", path)
        told = inspect(path.read_bytes(), at=NOW)
        text = openssl("pkcs7", "-in", path, "-inform", form, "-print_certs", "-noout")
        assert len(told.certificates) == text.count("subject=") == 3
        (leaf,) = (each for each in told.certificates if each.chain is not None)
        assert leaf.chain is not None
        assert leaf.chain.state == "self-contained"


@pytest.mark.parametrize("cipher", ["-aes256", "-des3"])
def test_an_encrypted_key_of_openssl_is_told(tmp_path: Path, cipher: str) -> None:
    made(tmp_path, "rsa", "-x509")
    for traditional in ((), ("-traditional",)):
        path = tmp_path / "secret.pem"
        openssl("rsa", "-in", tmp_path / "key.pem", cipher, "-passout", "pass:x", "-out", path, *traditional)
        (closed,), (opened,) = (inspect(path.read_bytes(), password=given).items for given in (None, "x"))
        assert isinstance(closed, KeyDescription)
        assert isinstance(opened, KeyDescription)
        assert (closed.encrypted, closed.key, opened.encrypted, opened.key) == (True, "", True, "RSA-2048")


def test_a_trusted_certificate_of_openssl_is_a_certificate(tmp_path: Path) -> None:
    path = made(tmp_path, "p256", "-x509", "-days", "9")
    openssl("x509", "-in", path, "-trustout", "-addtrust", "serverAuth", "-setalias", "a", "-out", tmp_path / "t.pem")
    assert b"TRUSTED CERTIFICATE" in (tmp_path / "t.pem").read_bytes()
    told = one(inspect((tmp_path / "t.pem").read_bytes()))
    assert told.serial_number == field(printed(path, "-serial"), "serial")
    (tmp_path / "key.pem").unlink()
    path.unlink()
    (item,) = inventory([tmp_path]).authorities
    assert item.sha256 == told.sha256
