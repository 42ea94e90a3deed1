"""The certificate authority: a root, an issuing CA below it, and the certificates of end entities."""

from __future__ import annotations

import calendar
import os
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric.types import CertificateIssuerPublicKeyTypes
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

from sectigo_iot.emulator.ca.given import load_ca
from sectigo_iot.emulator.ca.keypool import PrivateKey, make_key, make_keys

DIGEST = hashes.SHA384()
"""The hash in every signature, whatever the key: that of the live service's certificates."""

_ROOT_YEARS, _ISSUING_YEARS = 40, 39
"""How long a CA of the emulator's own lives: its clock may be moved far ahead."""

_LEAF_USAGE = ("digital_signature", "content_commitment", "key_encipherment")
_CA_USAGE = ("digital_signature", "key_cert_sign", "crl_sign")
_ALL_USAGES = (
    *("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement"),
    *("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"),
)


class EndedError(ValueError):
    """The CA is expired by the emulator's clock, and signs no more."""


@dataclass(frozen=True, slots=True)
class Signer:
    """A CA certificate with its key; `name` is what its files are called under the emulator's URL."""

    name: str
    certificate: x509.Certificate
    key: PrivateKey


@dataclass(frozen=True, slots=True)
class CertificateAuthority:
    """Who signs. `chain` leads from the issuing CA up to the root; `root` is None where its key is not at hand."""

    issuing: Signer
    root: Signer | None
    chain: tuple[x509.Certificate, ...]
    base_url: str
    clock: Callable[[], float]

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Every CA whose key is at hand, the issuing one first."""
        return (self.issuing,) if self.root is None else (self.issuing, self.root)

    @property
    def top(self) -> x509.Certificate:
        """The certificate of the highest CA whose key is at hand: the one that was given, where one was."""
        return self.signers[-1].certificate

    def issue(
        self,
        subject: x509.Name,
        dns_names: list[str],
        key: CertificateIssuerPublicKeyTypes,
        serial: int | None = None,
        days: int | None = None,
        addresses: Sequence[IPv4Address | IPv6Address] = (),
    ) -> x509.Certificate:
        """Return a certificate for a subject, its names and its public key: of `days` or 13 months, less a second.

        It ends no later than that of the CA. Raises ValueError for a DNS name that is not ASCII, and EndedError.
        """
        start, end = self._validity(days)
        signer = self.issuing
        builder = _builder(
            subject, signer.certificate, key, start, end, self.base_url, signer.name, serial or new_serial()
        )
        builder = (
            builder.add_extension(_usage(*_LEAF_USAGE), critical=True)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]),
                critical=True,
            )
        )
        names: list[x509.GeneralName] = [x509.DNSName(name) for name in dict.fromkeys(dns_names)]
        names += [x509.IPAddress(address) for address in addresses]
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return builder.sign(self.issuing.key, DIGEST)

    def _validity(self, days: int | None) -> tuple[datetime, datetime]:
        now, last = self.clock(), self.issuing.certificate.not_valid_after_utc
        if datetime.fromtimestamp(now, UTC) >= last:
            raise EndedError(f"the CA of the emulator ended on {last:%Y-%m-%d}")
        start = midnight(now)
        end = add_months(start, 13) if days is None else start + timedelta(days=days)
        return start, min(end - timedelta(seconds=1), last)


def create_authority(
    key_type: str,
    base_url: str,
    clock: Callable[[], float],
    ca_path: str | os.PathLike[str] | None = None,
    *,
    foreign: bool = False,
) -> CertificateAuthority:
    """Return a new authority, or one under the CA in `ca_path`, which must say TEST unless it may be `foreign`.

    Raises OSError, and ValueError for an unusable file.
    """
    # Ready within a second: RSA-2048 takes 50 ms where RSA-4096 takes half a second.
    ca_type = "rsa2048" if key_type.startswith("rsa") else key_type
    above: tuple[x509.Certificate, ...]
    spare: list[PrivateKey] = []
    if ca_path is None:
        key, *spare = make_keys(ca_type, 2)
        top = Signer("root", _ca_certificate("TEST Root CA", key, None, clock, base_url), key)
        above = ()
    else:
        certificate, key, above = load_ca(Path(ca_path), clock(), foreign=foreign)
        top = Signer("root", certificate, key)
    if _path_length(top.certificate) == 0:
        issuing = Signer("issuing", top.certificate, top.key)
        return CertificateAuthority(issuing, None, (top.certificate, *above), base_url, clock)
    key = spare.pop() if spare else make_key(ca_type)
    certificate = _ca_certificate("TEST Issuing CA", key, top, clock, base_url)
    issuing = Signer("issuing", certificate, key)
    return CertificateAuthority(issuing, top, (certificate, top.certificate, *above), base_url, clock)


def midnight(seconds: float) -> datetime:
    """Return the start of the day, UTC, that a time in seconds since the epoch falls on."""
    return datetime.fromtimestamp(seconds, UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def add_months(start: datetime, months: int) -> datetime:
    """Return the same day some months later, or the last one of that month where it has no such day."""
    years, month = divmod(start.month - 1 + months, 12)
    last = calendar.monthrange(start.year + years, month + 1)[1]
    return start.replace(year=start.year + years, month=month + 1, day=min(start.day, last))


def authority_key(signer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    """Return the identifier by which what a CA signs refers to its key."""
    try:
        own = signer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    except x509.ExtensionNotFound:
        key = signer.public_key()
        return x509.AuthorityKeyIdentifier.from_issuer_public_key(key)  # type: ignore[arg-type]
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(own)


def pem(*certificates: x509.Certificate) -> bytes:
    """Return certificates in PEM, one after the other."""
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def der(certificate: x509.Certificate) -> bytes:
    """Return a certificate in DER."""
    return certificate.public_bytes(serialization.Encoding.DER)


def _path_length(certificate: x509.Certificate) -> int | None:
    return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.path_length


def _ca_certificate(
    name: str, key: PrivateKey, signer: Signer | None, clock: Callable[[], float], base_url: str
) -> x509.Certificate:
    subject = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "TEST - not a public authority"),
            x509.NameAttribute(NameOID.COMMON_NAME, f"{name} {secrets.token_hex(4)}"),
        ]
    )
    start = midnight(clock())
    above = None if signer is None else signer.certificate
    end = add_months(start, 12 * (_ROOT_YEARS if above is None else _ISSUING_YEARS))
    if above is not None:
        end = min(end, above.not_valid_after_utc)
    constraints = x509.BasicConstraints(ca=True, path_length=None if signer is None else 0)
    builder = _builder(subject, above, key.public_key(), start, end, base_url, "root", new_serial())
    builder = builder.add_extension(constraints, critical=True).add_extension(_usage(*_CA_USAGE), critical=True)
    by = key if signer is None else signer.key
    return builder.sign(by, DIGEST)


def _builder(
    subject: x509.Name,
    issuer: x509.Certificate | None,
    key: CertificateIssuerPublicKeyTypes,
    start: datetime,
    end: datetime,
    base_url: str,
    signer_name: str,
    serial: int,
) -> x509.CertificateBuilder:
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.subject)
        .public_key(key)
        .serial_number(serial)
        .not_valid_before(start)
        .not_valid_after(end)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )
    if issuer is None:
        return builder
    return (
        builder.add_extension(authority_key(issuer), critical=False)
        .add_extension(_distribution_points(f"{base_url}/crl/{signer_name}.crl"), critical=False)
        .add_extension(_access(f"{base_url}/ocsp", f"{base_url}/ca/{signer_name}.crt"), critical=False)
    )


def new_serial() -> int:
    """Return a random serial number of 16 bytes."""
    # 16 bytes whose first is neither 00 nor negative: always 32 digits in hex.
    return int.from_bytes(bytes([0x40 | secrets.randbits(6)]) + secrets.token_bytes(15), "big")


def _usage(*names: str) -> x509.KeyUsage:
    return x509.KeyUsage(**{each: each in names for each in _ALL_USAGES})


def _distribution_points(url: str) -> x509.CRLDistributionPoints:
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    return x509.CRLDistributionPoints([point])


def _access(ocsp_url: str, issuer_url: str) -> x509.AuthorityInformationAccess:
    described = x509.AccessDescription
    return x509.AuthorityInformationAccess(
        [
            described(AuthorityInformationAccessOID.OCSP, x509.UniformResourceIdentifier(ocsp_url)),
            described(AuthorityInformationAccessOID.CA_ISSUERS, x509.UniformResourceIdentifier(issuer_url)),
        ]
    )
