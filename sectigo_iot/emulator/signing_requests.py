"""Certificate signing requests: told apart in what was uploaded, and checked before they are signed."""

from __future__ import annotations

import io
import re
import zipfile
import zlib
from dataclasses import dataclass

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID

CONTENT_LIMIT = 32 * 1024 * 1024
"""The most bytes that the files in a ZIP may have together."""

NO_DNS_NAME = "Cert subject name error: SubjectAlternativeName dNSName value is missing"

_BLOCK = re.compile(rb"-----BEGIN (NEW )?CERTIFICATE REQUEST-----.*?-----END (NEW )?CERTIFICATE REQUEST-----", re.S)


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
        raise UnusableRequestError("The public key is neither RSA of 2048 bits or more nor EC of 256 bits or more")
    return SigningRequest(request.subject, common, names, key)


def common_name_of(block: bytes) -> str | None:
    """Return the name in a request's subject, or None where that cannot be read."""
    try:
        return read_request(block).common_name
    except UnusableRequestError:
        return None


def _strong(key: rsa.RSAPublicKey | ec.EllipticCurvePublicKey) -> bool:
    return key.key_size >= (2048 if isinstance(key, rsa.RSAPublicKey) else 256)


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
            return [archive.read(each) for each in members]
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, zlib.error, OSError):
        raise ValueError("the ZIP cannot be read") from None
