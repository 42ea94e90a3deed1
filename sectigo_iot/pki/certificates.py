"""What an issued batch holds: certificates with their chains, and their keys where the service made them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import PurePosixPath

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    pkcs7,
)
from cryptography.x509.oid import NameOID

from sectigo_iot.errors import BundleError, InvalidInputError
from sectigo_iot.pki.bundle import Limits, read_entries
from sectigo_iot.pki.chain import check_readable, dns_names, is_authority, is_self_signed, order_chain
from sectigo_iot.pki.pem import Block, read_blocks
from sectigo_iot.pki.pkcs12 import open_pkcs12
from sectigo_iot.pki.serial import serial_text
from sectigo_iot.pki.verification import verify_path

_PKCS12_SUFFIXES = (".p12", ".pfx")
CERTIFICATE_SUFFIXES = (".pem", ".crt", ".cer", ".der", ".p7b", ".p7c")
_CERTIFICATE_LABELS = ("CERTIFICATE", "X509 CERTIFICATE")


@dataclass(frozen=True, slots=True)
class IssuedCertificate:
    """One certificate of a batch.

    `name` is that of its entry without folder and suffix. `chain` leads from the issuing CA towards the root, as far
    as the bundle goes, and does not hold the leaf. `private_key` is None where the request came from elsewhere.
    `others` are the CA certificates of the bundle that the chain did without, such as the other side of a
    cross-certification: `verify` may go by way of them.
    """

    name: str
    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    private_key: PrivateKeyTypes | None = field(default=None, repr=False, compare=False)
    others: tuple[x509.Certificate, ...] = field(default=(), repr=False, compare=False)

    @property
    def common_name(self) -> str:
        """The first common name of the subject; empty where there is none that can be read."""
        try:
            names = self.leaf.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        except ValueError:
            return ""
        return str(names[0].value) if names else ""

    @property
    def dns_names(self) -> tuple[str, ...]:
        """The dNSNames of the subjectAltName."""
        return dns_names(self.leaf)

    @property
    def serial_number(self) -> str:
        """Whole octets of upper-case hexadecimal without `0x`: what the service's revocation takes."""
        return serial_text(self.leaf.serial_number)

    @property
    def not_before(self) -> datetime:
        """The first second of validity, in UTC."""
        return self.leaf.not_valid_before_utc

    @property
    def not_after(self) -> datetime:
        """The last second of validity, in UTC."""
        return self.leaf.not_valid_after_utc

    @property
    def certificate_pem(self) -> bytes:
        """The leaf alone."""
        return self.leaf.public_bytes(Encoding.PEM)

    @property
    def chain_pem(self) -> bytes:
        """The chain without the leaf; empty where the bundle has none."""
        return b"".join(certificate.public_bytes(Encoding.PEM) for certificate in self.chain)

    @property
    def fullchain_pem(self) -> bytes:
        """The leaf, then the chain."""
        return self.certificate_pem + self.chain_pem

    def private_key_pem(self, password: str | None = None) -> bytes:
        """The private key as PKCS#8, encrypted if a password is given.

        Raises `BundleError` when there is no key, `InvalidInputError` when the password is empty.
        """
        if self.private_key is None:
            raise BundleError(
                f"there is no private key for {self.name!r}",
                hint="it stayed where the signing request was made",
            )
        return self.private_key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(password))

    def verify(self, root: bytes | None = None, name: str | None = None, at: datetime | None = None) -> None:
        """Prove the leaf at the time `at` (aware; now, if None), and that it is for the DNS name `name`.

        `root` holds the trusted roots as PEM. Without it the bundle's own self-signed certificates are the anchors:
        then it is proven that the bundle is consistent and in date, and nothing about who made it, since anyone can
        make a root of any name. With `name` the path must be good for TLS servers, without it for TLS clients or
        servers.

        One path that holds is enough. Checked along it are names and signatures, every validity, keys (RSA with 2048
        bits at the least), CA:TRUE, pathLenConstraint, keyCertSign, extendedKeyUsage, and nameConstraints on DNS
        names and IP addresses; other critical extensions are refused. A dNSName of the leaf must fit `name`, where
        `*` may stand for the whole first label; the common name does not count. Not checked are revocation (see
        `check_ocsp`, `check_crl`), the leaf's keyUsage, and policies.

        Raises `BundleError` that says which certificate fails and why, `InvalidInputError` for a time without zone
        or a root that cannot be read.
        """
        moment = datetime.now(UTC) if at is None else at
        if moment.tzinfo is None:
            raise InvalidInputError("the time to verify at has no time zone")
        roots = self._own_roots() if root is None else _load_roots(root)
        verify_path(self.leaf, (*self.chain, *self.others), roots, at=moment, name=name)

    def _own_roots(self) -> list[x509.Certificate]:
        roots = [one for one in (self.leaf, *self.chain, *self.others) if is_self_signed(one)]
        if not roots:
            raise BundleError(
                f"the chain of {self.name!r} does not reach a root",
                hint="give the root certificate to verify against",
            )
        return roots


def open_bundle(
    data: bytes, password: str | None = None, limits: Limits | None = None
) -> tuple[IssuedCertificate, ...]:
    """Every certificate in a downloaded ZIP, in the order of its entries.

    Read are PKCS#12 (`.p12`, `.pfx`), and certificates as PEM, DER or PKCS#7. CA certificates in entries of their own
    complete the chains of the others; what holds no certificate at all is passed over. An entry with several
    certificates for end entities gives one each, numbered from `-1`. Raises `BundleError` when the ZIP, an entry or a
    key is not what it should be or no certificate is found, `PKCSPasswordRequiredError` when a password is needed.
    """
    entries = read_entries(data) if limits is None else read_entries(data, limits)
    loose = {name: certificates_in(name, content) for name, content in entries.items() if not is_pkcs12(name)}
    authorities = [one for several in loose.values() for one in several if is_authority(one)]
    issued: list[IssuedCertificate] = []
    for name, content in entries.items():
        if is_pkcs12(name):
            issued.append(from_pkcs12(name, content, password, authorities))
        else:
            issued += from_certificates(name, loose[name], authorities)
    if not issued:
        raise BundleError("the ZIP holds no certificate of an end entity")
    return tuple(issued)


def is_pkcs12(name: str) -> bool:
    """Whether a file of this name is a PKCS#12."""
    return name.lower().endswith(_PKCS12_SUFFIXES)


def from_pkcs12(
    name: str,
    content: bytes,
    password: str | None,
    authorities: Sequence[x509.Certificate] = (),
    at: datetime | None = None,
) -> IssuedCertificate:
    """Return the certificate of a PKCS#12 in a file of this name, its chain completed from `authorities`.

    `at` is the time that `order_chain` takes. Raises what `open_pkcs12` raises, with the name in front.
    """
    try:
        opened = open_pkcs12(content, password)
    except BundleError as fault:
        raise BundleError(f"{name}: {fault.message}", hint=fault.hint) from None
    stem = PurePosixPath(name).stem
    if at is None and not authorities:
        return IssuedCertificate(stem, opened.leaf, opened.chain, opened.key, _authorities_among(opened.others))
    return _issued(stem, opened.leaf, (*opened.chain, *opened.others, *authorities), opened.key, at)


def from_certificates(
    name: str,
    certificates: Sequence[x509.Certificate],
    authorities: Sequence[x509.Certificate],
    at: datetime | None = None,
) -> Iterator[IssuedCertificate]:
    """Yield each certificate of an end entity among those of one file; `at` is the time that `order_chain` takes."""
    stem = PurePosixPath(name).stem
    leaves = [certificate for certificate in certificates if not is_authority(certificate)]
    for number, leaf in enumerate(leaves, 1):
        own = stem if len(leaves) == 1 else f"{stem}-{number}"
        yield _issued(own, leaf, tuple(authorities), None, at)


def _issued(
    name: str,
    leaf: x509.Certificate,
    known: tuple[x509.Certificate, ...],
    key: PrivateKeyTypes | None,
    at: datetime | None,
) -> IssuedCertificate:
    chain = order_chain(leaf, known, at)
    others = [one for one in dict.fromkeys(known) if one not in (leaf, *chain)]
    return IssuedCertificate(name, leaf, chain, key, _authorities_among(others))


def _authorities_among(certificates: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    return tuple(filter(is_authority, certificates))


def certificates_in(name: str, content: bytes) -> list[x509.Certificate]:
    """Return every certificate in a file as PEM, DER or PKCS#7, none where it is of another kind.

    Raises `BundleError`, with the name in front, where they cannot be read, or where the name promises some.
    """
    promised, is_der = name.lower().endswith(CERTIFICATE_SUFFIXES), content[:1] == b"\x30"
    try:
        found = _load_der(content) if is_der else list(_load_blocks(read_blocks(content)))
        check_readable(found)
    except (ValueError, x509.InvalidVersion, BundleError) as fault:
        if is_der and not promised:
            # A request, a CRL or a key, or a text that begins with the digit 0.
            return []
        raise BundleError(f"{name}: its certificates cannot be read: {fault}") from fault
    if not found and promised:
        raise BundleError(f"{name}: holds no certificate")
    return found


def _load_der(content: bytes) -> list[x509.Certificate]:
    try:
        return [x509.load_der_x509_certificate(content)]
    except ValueError:
        return pkcs7.load_der_pkcs7_certificates(content)


def _load_blocks(blocks: Iterable[Block]) -> Iterator[x509.Certificate]:
    for block in blocks:
        wanted = block.label in (*_CERTIFICATE_LABELS, "PKCS7", "CMS")
        der = block.der()
        if wanted and (block.fault or der is None):
            raise BundleError(block.fault or f"the block on line {block.line} is not base64")
        if wanted and der is not None:
            yield from _load_der(der)


def _load_roots(root: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(root)
    except ValueError:
        raise InvalidInputError("the root certificates to verify against are not PEM") from None


def _encryption(password: str | None) -> KeySerializationEncryption:
    if password is None:
        return NoEncryption()
    if not password:
        raise InvalidInputError("the password for the private key is empty")
    return BestAvailableEncryption(password.encode())
