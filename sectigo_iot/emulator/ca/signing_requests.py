"""Certificate signing requests: told apart in what was uploaded, and checked before they are signed."""

from __future__ import annotations

import io
import re
import struct
import zipfile
import zlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

from sectigo_iot.emulator.config.world import DNS_PATTERN

CONTENT_LIMIT = 32 * 1024 * 1024
"""The most bytes that the files in a ZIP may have together."""

NO_DNS_NAME = "Cert subject name error: SubjectAlternativeName dNSName value is missing"

NO_PLAIN_NAME = "Cert subject name error: a name is not a DNS name in ASCII"

# The body has no hyphen: otherwise each beginning without an end would be searched to the end of the text.
_BLOCK = re.compile(rb"-----BEGIN (NEW )?CERTIFICATE REQUEST-----[^-]*-----END (NEW )?CERTIFICATE REQUEST-----")
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_UNREADABLE = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, IndexError, KeyError, OverflowError),
)


class UnusableRequestError(Exception):
    """A signing request that cannot be signed; its text is what a batch gives as the reason."""


@dataclass(frozen=True, slots=True)
class SigningRequest:
    """What a signing request asks for."""

    subject: x509.Name
    common_name: str
    dns_names: list[str]
    key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey


def split_requests(content: bytes) -> tuple[bytes, ...]:
    """Return the PEM blocks of a text, or of the `.csr` and `.pem` files in a ZIP; ValueError for a bad ZIP."""
    texts = _unzip(content) if content.startswith(b"PK\x03\x04") else [content]
    return tuple(match.group() for text in texts for match in _BLOCK.finditer(text))


def read_request(block: bytes) -> SigningRequest:
    """Return what a request in PEM asks for. Raises UnusableRequestError."""
    try:
        request = x509.load_pem_x509_csr(block)
        if not request.is_signature_valid:
            raise UnusableRequestError("The signature of the certificate signing request is not valid")
        key = request.public_key()
        names = _dns_names(request)
        common = _common_name(request.subject, names)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm, x509.DuplicateExtension):
        raise UnusableRequestError("The certificate signing request cannot be read") from None
    if not isinstance(key, rsa.RSAPublicKey | ec.EllipticCurvePublicKey) or not _strong(key):
        raise UnusableRequestError(
            "The public key is neither RSA of 2048 bits or more, with an exponent of 65537 or more,"
            " nor EC of 256 bits or more"
        )
    if not all(re.fullmatch(DNS_PATTERN, name) for name in (common, *names)):
        raise UnusableRequestError(NO_PLAIN_NAME)
    return SigningRequest(request.subject, common, names, key)


def common_name_of(block: bytes) -> str | None:
    """Return the name in a request's subject, or None where that cannot be read."""
    try:
        return read_request(block).common_name
    except UnusableRequestError:
        return None


def _strong(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bool:
    if isinstance(key, rsa.RSAPublicKey):
        return key.key_size >= 2048 and key.public_numbers().e >= 65537
    return key.key_size >= 256


def _dns_names(request: x509.CertificateSigningRequest) -> list[str]:
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        raise UnusableRequestError(NO_DNS_NAME) from None
    names = extension.value.get_values_for_type(x509.DNSName)
    if not names or not all(names):
        raise UnusableRequestError(NO_DNS_NAME)
    return names


def _common_name(subject: x509.Name, dns_names: list[str]) -> str:
    values = subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(values[0].value) if values else dns_names[0]


def _unzip(content: bytes) -> list[bytes]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            members = [each for each in archive.infolist() if each.filename.lower().endswith((".csr", ".pem"))]
            if sum(each.file_size for each in members) > CONTENT_LIMIT:
                raise ValueError("the files in the ZIP are too long")
            if any(each.compress_type not in _METHODS for each in members):
                raise ValueError("a file in the ZIP is neither stored nor deflated")
            return [archive.read(each) for each in members]
    except _UNREADABLE:
        raise ValueError("the ZIP cannot be read") from None
