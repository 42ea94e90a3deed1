"""What a doctor is shown: services that are well or not, certificates that are good or not, and what it found."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta
from email.utils import formatdate
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from sectigo_iot import Finding, Health, Settings, examine
from tests.unit.lying_server import HANG, PASSWORD, Seen, answer, json_answer

ORDER = (
    *("clock", "dns", "tcp", "tls", "http", "proxy", "environment", "cache", "keyring"),
    *("credentials", "role", "balance"),
)
AUTHORITY = {"id": 7, "balance": 50, "enabled": True, "profileId": 8, "profileName": "CipherTrace EE_#8"}


def examined(settings: Settings, clock: Callable[[], float] = time.time) -> dict[str, Finding]:
    """Return the findings by check, having seen that they come in order, in one line each and without a secret."""
    findings = list(examine(settings, clock=clock))
    assert [each.check for each in findings if each.check != "client certificate"] == list(ORDER)
    for each in findings:
        assert PASSWORD not in repr(each) + repr(vars(each.error) if each.error else "")
        assert each.facts
        assert (each.facts + (each.hint or "")).isprintable()
        assert (each.error is not None) is (each.health is Health.WRONG)
        if each.health in (Health.WRONG, Health.ATTENTION):
            assert each.hint, "whoever reads of something wrong must know what to do"
        json.dumps(dict(each.details))
    return {each.check: each for each in findings}


def healths(found: dict[str, Finding]) -> dict[str, str]:
    """Return the checks that are neither well nor left out, and how they ended."""
    return {
        check: each.health.value for check, each in found.items() if each.health in (Health.WRONG, Health.ATTENTION)
    }


def unchecked(found: dict[str, Finding]) -> set[str]:
    return {check for check, each in found.items() if each.health is Health.NOT_CHECKED}


def service(
    *, skew: float = 0.0, date: str | None = "", authorities: bytes | None = None, balance: bytes = b"50"
) -> Callable[[Seen], bytes]:
    """Return what answers as an IoT Manager; its clock, its list of authorities and its balances can be chosen."""

    def reply(seen: Seen) -> bytes:
        headers = {} if date is None else {"Date": date or formatdate(time.time() + skew, usegmt=True)}
        if "authorization" not in seen.headers:
            return json_answer({"status": 401, "message": "no token"}, 401, **headers)
        if seen.path.endswith("/allowed"):
            return authorities or json_answer([AUTHORITY])
        return balance if balance == HANG else answer(200, balance)

    return reply


Swap = tuple[bytes, bytes]
"""What stands in a certificate, and what is to stand there instead."""
LATIN_1 = b"\x0c\x08AAAABBBB", b"\x14\x08AAAA\xe9\xe9\xe9\xe9"
"""A name as a T61String that holds Latin-1, as some authorities have made them."""
X400 = b"\x82\x09localhost", b"\xa3\x09\x30\x07calhost"
"""An address of X.400 for the name of a host."""
VERSION_6 = b"\xa0\x03\x02\x01\x02", b"\xa0\x03\x02\x01\x05"


class Maker:
    """Makes certificates: its own, of an authority, and those that it issues; `spoilt` is put into all of them."""

    def __init__(self, name: str = "Example Test Authority", *, spoilt: Swap | None = None) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = _name(name)
        self.spoilt = spoilt
        own = _built(self.name, self.key, self.name, self.key, days=(-400, 3000), authority=True)
        self.certificate = x509.load_der_x509_certificate(spoil(own, self.key, spoilt))

    def below(self, days: tuple[float, float]) -> Maker:
        """Return an authority that this one has issued."""
        lower = Maker("Example Test Issuer")
        lower.certificate = _built(lower.name, lower.key, self.name, self.key, days=days, authority=True)
        return lower

    def file(self, folder: Path) -> str:
        path = folder / f"ca-{time.monotonic_ns()}.pem"
        path.write_bytes(self.certificate.public_bytes(serialization.Encoding.PEM))
        return str(path)

    def context(
        self,
        folder: Path,
        *,
        days: tuple[float, float] = (-1, 300),
        names: Sequence[str] = ("127.0.0.1", "localhost"),
        chain: Sequence[Maker] = (),
        self_signed: bool = False,
        spoilt: Swap | None = None,
    ) -> ssl.SSLContext:
        """Return the context of a server whose certificate is this maker's, valid between these days from now."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = _name(names[0] if names else "nobody")
        issuer, signer = (subject, key) if self_signed else (self.name, self.key)
        leaf = _built(subject, key, issuer, signer, days=days, names=names)
        path = folder / f"server-{time.monotonic_ns()}.pem"
        form = serialization.PrivateFormat.PKCS8
        pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
        pem += ssl.DER_cert_to_PEM_cert(spoil(leaf, signer, spoilt or self.spoilt)).encode()
        for other in chain:
            pem += other.certificate.public_bytes(serialization.Encoding.PEM)
        path.write_bytes(pem)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context


def client_certificate(key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    """Return a certificate of its own for a client."""
    name = _name("AAAABBBB")
    return _built(name, key, name, key, days=(-1, 300))


def spoil(certificate: x509.Certificate, signer: ec.EllipticCurvePrivateKey, swap: Swap | None) -> bytes:
    """Return a certificate, DER, with something else in it, and a signature that fits."""
    if swap is None:
        return certificate.public_bytes(serialization.Encoding.DER)
    changed = certificate.tbs_certificate_bytes.replace(*swap)
    signature = b"\0" + signer.sign(changed, ec.ECDSA(hashes.SHA256()))
    ecdsa_with_sha256 = bytes.fromhex("300a06082a8648ce3d040302")
    return _tagged(0x30, changed + ecdsa_with_sha256 + _tagged(0x03, signature))


def _tagged(tag: int, content: bytes) -> bytes:
    length = len(content)
    return bytes([tag, *([length] if length < 128 else [0x82, length >> 8, length & 0xFF])]) + content


def _name(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def _built(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    signer: ec.EllipticCurvePrivateKey,
    *,
    days: tuple[float, float],
    names: Sequence[str] = (),
    authority: bool = False,
) -> x509.Certificate:
    now = datetime.now(UTC)
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
    )
    if names:
        builder = builder.add_extension(
            x509.SubjectAlternativeName([_general(name) for name in names]), critical=False
        )
    return builder.sign(signer, hashes.SHA256())


def _general(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(name))
    except ValueError:
        return x509.DNSName(name)


def staging(url: str, **changes: Any) -> dict[str, Any]:
    """Return what changes settings so that proxies count, which the environment testing leaves out."""
    return {"environment": "staging", "endpoint": url, **changes}
