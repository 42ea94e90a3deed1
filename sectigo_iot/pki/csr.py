"""Certificate signing requests (PKCS#10, RFC 2986): reading them from a file, and packing them for an upload."""

from __future__ import annotations

import hashlib
import io
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from sectigo_iot.errors import BundleError, InvalidInputError, InvalidRequestError
from sectigo_iot.pki import request_rules
from sectigo_iot.pki.bundle import read_entries, safe_stem
from sectigo_iot.pki.pem import Block, read_blocks

_LABELS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_SUFFIXES = (".csr", ".pem")
_KEY_FAULT = "holds a private key: it must not be uploaded"
# A fixed time and mode make the same requests the same bytes.
_ZIP_TIME = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class CertificateRequest:
    """One request that was read and found usable.

    `common_name` is empty when the subject has none; `dns_names` are those of the subjectAltName. `pem` is the
    request alone, with plain line ends. `key` reads like `RSA-4096`, `P-256` or `Ed25519`, `signature_hash` like
    `SHA-384` (None where the algorithm brings its own). `source` is the file, and the entry of a ZIP after a slash;
    `position` counts the requests in it from 1. `public_key_fingerprint` is the SHA-256 of the
    SubjectPublicKeyInfo in hexadecimal: what a certificate issued for this request shares with it. `subject` has the
    attributes of the subject in order, as pairs of name and value; a name is that of RFC 4519 or RFC 2985 in its long
    form (`organizationName`), which is also what the service calls its parameters, or the OID in dots.
    """

    common_name: str
    dns_names: tuple[str, ...]
    pem: bytes
    key: str
    signature_hash: str | None
    position: int
    source: str
    public_key_fingerprint: str
    subject: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class ExaminedRequest:
    """One request as it was found, usable or not, or a file in which there is none.

    `position` counts the requests of `source` from 1; it is None where a fault is about the file as a whole.
    `request` is None where it cannot be read. `faults` say in words what keeps it from being used: nothing of a good
    one.
    """

    source: str
    position: int | None
    request: CertificateRequest | None
    faults: tuple[str, ...] = ()

    @property
    def place(self) -> str:
        """Where it stands, in words that a message begins with."""
        return self.source if self.position is None else f"{self.source}, request {self.position}"


class _Reader:
    """Collects what stands in a file, the usable and the other."""

    def __init__(self) -> None:
        self.found: list[ExaminedRequest] = []
        self._seen: dict[bytes, str] = {}

    def read(self, data: bytes, source: str) -> None:
        """Read one file that is not a ZIP."""
        if data[:1] == b"\x30":
            self._read_der(data, source, 1)
            return
        blocks = read_blocks(data)
        if _holds_key(data, blocks):
            self._refuse(source, _KEY_FAULT)
        wanted = [block for block in blocks if block.label in _LABELS]
        if not wanted:
            self._refuse(source, _why_none(blocks))
        for position, block in enumerate(wanted, 1):
            self._read_block(block, source, position)

    def read_zip(self, data: bytes, source: str) -> None:
        """Read every entry of a ZIP."""
        try:
            entries = read_entries(data)
        except BundleError as fault:
            self._refuse(source, fault.message)
            return
        for name, content in entries.items():
            if name.lower().endswith(_SUFFIXES):
                self.read(content, f"{source}/{name}")
            else:
                self._refuse(f"{source}/{name}", _why_foreign(content))

    def _read_block(self, block: Block, source: str, position: int) -> None:
        der = None if block.fault else block.der()
        if der is None:
            self._refuse(source, block.fault or "what stands between BEGIN and END is not base64", position)
        else:
            self._read_der(der, source, position)

    def _read_der(self, der: bytes, source: str, position: int) -> None:
        try:
            request = x509.load_der_x509_csr(der)
        except (ValueError, x509.InvalidVersion):
            self._refuse(source, "it is not a PKCS#10 request, or it is damaged", position)
            return
        faults = (*request_rules.faults(request), *self._repetition(der, source, position))
        self.found.append(ExaminedRequest(source, position, _described(request, source, position), faults))

    def _repetition(self, der: bytes, source: str, position: int) -> list[str]:
        here = f"{source}, request {position}"
        first = self._seen.setdefault(der, here)
        return [] if first == here else [f"it is the same as {first}, and each would be paid for"]

    def _refuse(self, source: str, fault: str, position: int | None = None) -> None:
        self.found.append(ExaminedRequest(source, position, None, (fault,)))


def examine_requests(data: bytes, source: str = "request") -> tuple[ExaminedRequest, ...]:
    """Whatever `read_requests` would read, each with its own faults, so that the good ones are told from the others.

    `source` names the file. Raises nothing: what cannot be read is among the faults, and there is at least one entry.
    """
    reader = _Reader()
    if data[:2] == b"PK":
        reader.read_zip(data, source)
    else:
        reader.read(data, source)
    return tuple(reader.found)


def read_requests(data: bytes, source: str = "request") -> list[CertificateRequest]:
    """Every request in a PEM text (one or many), a DER file (one) or a ZIP of `.csr` and `.pem` files, in order.

    `source` names the file in messages. Each request is checked: signature, key (RSA from 2048 bits, P-256, P-384,
    P-521, Ed25519), hash (not MD5, not SHA-1), and names (X.520: a common name has at most 64 characters).
    Raises `InvalidRequestError` whose `faults` list everything that was found wrong, a private key in the file
    and one request standing there twice included.
    """
    found = examine_requests(data, source)
    faults = tuple(f"{each.place}: {fault}" for each in found for fault in each.faults)
    if faults:
        message = faults[0] if len(faults) == 1 else f"{len(faults)} faults in {source}"
        raise InvalidRequestError(message, faults=faults)
    return [each.request for each in found if each.request is not None]


def write_zip(requests: Iterable[CertificateRequest]) -> bytes:
    """One ZIP with an entry `<common name>.csr` for each request; the same requests make the same bytes.

    Names are made safe and unique. Raises `InvalidInputError` when there is no request.
    """
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, request in _named(requests):
            entry = zipfile.ZipInfo(name, _ZIP_TIME)
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.create_system = 3
            entry.external_attr = 0o644 << 16
            archive.writestr(entry, request.pem)
        if not archive.namelist():
            raise InvalidInputError("there is no request to put into a ZIP")
    return target.getvalue()


def _described(request: x509.CertificateSigningRequest, source: str, position: int) -> CertificateRequest | None:
    """Return what the request says; None where its key, its algorithm or its extensions cannot be read."""
    try:
        key = request.public_key()
        encoded = key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        subject = tuple(request_rules.subject(request))
        return CertificateRequest(
            common_name=next((value for name, value in subject if name == request_rules.COMMON_NAME), ""),
            dns_names=tuple(request_rules.dns_names(request)),
            pem=request.public_bytes(Encoding.PEM),
            key=request_rules.key_name(key),
            signature_hash=request_rules.hash_name(request.signature_hash_algorithm),
            position=position,
            source=source,
            public_key_fingerprint=hashlib.sha256(encoded).hexdigest(),
            subject=subject,
        )
    except (ValueError, UnsupportedAlgorithm):
        return None


def _why_none(blocks: list[Block]) -> str:
    others = sorted({block.label for block in blocks})
    return (
        f"holds no certificate signing request, only {', '.join(others)}"
        if others
        else ("holds no certificate signing request")
    )


def _holds_key(content: bytes, blocks: list[Block]) -> bool:
    """Whether a private key stands there, though no reader of PEM may find it: what is sent is the file as it is."""
    return any(block.is_private_key for block in blocks) or b"PRIVATE KEY-----" in content.replace(b"\0", b"")


def _why_foreign(content: bytes) -> str:
    if _holds_key(content, read_blocks(content)):
        return _KEY_FAULT
    return "is neither a .csr nor a .pem file"


def _named(requests: Iterable[CertificateRequest]) -> Iterator[tuple[str, CertificateRequest]]:
    taken: set[str] = set()
    for request in requests:
        stem = _stem(request)
        name, number = stem, 1
        while name.casefold() in taken:
            number += 1
            name = f"{stem}-{number}"
        taken.add(name.casefold())
        yield f"{name}.csr", request


def _stem(request: CertificateRequest) -> str:
    name = request.common_name or request.dns_names[0]
    return safe_stem(name) or "request"
