"""A public key infrastructure of our own: a root, an issuing CA, and leaves of the service's form."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, pkcs12
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

Key = ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey
NOW = datetime.now(UTC).replace(microsecond=0)
PASSWORD = "correct horse"
LEAF_SERIAL = 0x0A << 120 | 0xBEEF


@cache
def rsa_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@cache
def ec_key(label: str) -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)] if common_name else [])


def usage(*, ca: bool) -> x509.KeyUsage:
    return x509.KeyUsage(not ca, not ca, not ca, False, False, ca, ca, False, False)


def build(
    subject: str,
    key: Key,
    issuer: str,
    signer: Key,
    *,
    ca: bool,
    pathlen: int | None = None,
    start: datetime = NOW - timedelta(days=1),
    days: int = 395,
    serial: int | None = None,
    extra: tuple[tuple[x509.ExtensionType, bool], ...] = (),
    key_usage: x509.KeyUsage | None = None,
    digest: hashes.SHA256 | hashes.SHA384 | None = None,
) -> x509.Certificate:
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + timedelta(days=days, seconds=-1))
        .add_extension(x509.BasicConstraints(ca, pathlen), critical=True)
        .add_extension(key_usage or usage(ca=ca), critical=True)
    )
    builder = builder.add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
    builder = builder.add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key()), False)
    for extension, critical in extra:
        builder = builder.add_extension(extension, critical)
    return builder.sign(signer, digest or hashes.SHA256())


def leaf_extensions(url: str = "http://pki.example.com") -> tuple[tuple[x509.ExtensionType, bool], ...]:
    places = [x509.UniformResourceIdentifier(f"{url}/issuing.crl")]
    return (
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), True),
        (x509.SubjectAlternativeName([x509.DNSName("a.example.com"), x509.DNSName("*.b.example.com")]), False),
        (x509.CRLDistributionPoints([x509.DistributionPoint(places, None, None, None)]), False),
        (
            x509.AuthorityInformationAccess(
                [
                    x509.AccessDescription(
                        AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(f"{url}/ocsp")
                    )
                ]
            ),
            False,
        ),
    )


class Home:
    """The root, the issuing CA and one leaf, each with its key; the leaf's is RSA."""

    def __init__(self) -> None:
        self.root_key, self.issuing_key, self.leaf_key = ec_key("root"), ec_key("issuing"), rsa_key()
        self.root = build("TEST Root", self.root_key, "TEST Root", self.root_key, ca=True, pathlen=1, days=3650)
        self.issuing = self.sub_ca()
        self.leaf = self.issue()

    def sub_ca(self, **changes: object) -> x509.Certificate:
        arguments = {"ca": True, "pathlen": 0, "days": 1800} | changes
        return build("TEST Issuing", self.issuing_key, "TEST Root", self.root_key, **arguments)  # type: ignore[arg-type]

    def issue(self, subject: str = "a.example.com", **changes: object) -> x509.Certificate:
        arguments = {"ca": False, "serial": LEAF_SERIAL, "extra": leaf_extensions()} | changes
        return build(subject, self.leaf_key, "TEST Issuing", self.issuing_key, **arguments)  # type: ignore[arg-type]


@cache
def home() -> Home:
    return Home()


def pem(*certificates: x509.Certificate) -> bytes:
    return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in certificates)


def pfx(leaf: x509.Certificate, others: list[x509.Certificate], key: Key | None = None) -> bytes:
    protection = BestAvailableEncryption(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(b"leaf", key or home().leaf_key, leaf, others, protection)


def request(
    common_name: str = "a.example.com",
    dns: tuple[str, ...] = (),
    key: Key | None = None,
    digest: hashes.SHA256 | hashes.SHA384 | None = None,
    change: Callable[[x509.CertificateSigningRequestBuilder], x509.CertificateSigningRequestBuilder] = lambda b: b,
) -> bytes:
    builder = x509.CertificateSigningRequestBuilder().subject_name(name(common_name))
    if dns:
        builder = builder.add_extension(x509.SubjectAlternativeName([x509.DNSName(n) for n in dns]), critical=False)
    made = change(builder).sign(key or ec_key("request"), digest or hashes.SHA384())
    return made.public_bytes(Encoding.PEM)
