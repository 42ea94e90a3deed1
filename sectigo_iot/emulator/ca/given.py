"""A CA that is given: a PEM file of its certificate and its key."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sectigo_iot.emulator.ca.keypool import PrivateKey
from sectigo_iot.inputs import read_input

_LARGEST = 10 * 1024 * 1024
"""Bytes of a file: far more than a CA and those above it need."""
_KEY_BLOCK = re.compile(rb"-----BEGIN ([A-Z]+ )?PRIVATE KEY-----[^-]*-----END ([A-Z]+ )?PRIVATE KEY-----")


def load_ca(
    path: Path, now: float | None, *, foreign: bool
) -> tuple[x509.Certificate, PrivateKey, tuple[x509.Certificate, ...]]:
    """Return certificate and key of the CA in a file, and what further certificates stand in it.

    Raises OSError, and ValueError where the file has no key, the key belongs to none of the certificates, or that
    one is no CA, may not sign certificates, is expired at `now`, in seconds since the epoch (None: whenever), or does
    not say TEST in its subject, unless it may be `foreign`.
    """
    content = read_input(path, _LARGEST)
    key = _key_among(content)
    try:
        certificates = x509.load_pem_x509_certificates(content)
    except ValueError:
        raise ValueError(f"{path}: no certificate in PEM can be read") from None
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise ValueError(f"{path}: no unencrypted RSA or EC private key in PEM can be read")
    own = next((each for each in certificates if each.public_key() == key.public_key()), None)
    if own is None:
        raise ValueError(f"{path}: the private key belongs to none of the certificates")
    fault = _fault(own, None if now is None else datetime.fromtimestamp(now, UTC))
    if fault:
        raise ValueError(f"{path}: the certificate {fault}")
    if not foreign and not says_test(own):
        raise ValueError(f"{path}: the subject of the CA does not say TEST; foreign_ca=True takes it all the same")
    return own, key, tuple(each for each in certificates if each != own)


def says_test(certificate: x509.Certificate) -> bool:
    """Whether the subject says that this is for tests."""
    return "TEST" in certificate.subject.rfc4514_string()


def _key_among(content: bytes) -> object:
    block = _KEY_BLOCK.search(content)
    try:
        return None if block is None else serialization.load_pem_private_key(block.group(), None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        return None


def _fault(certificate: x509.Certificate, now: datetime | None) -> str | None:
    if not _is_ca(certificate):
        return "is not that of a CA"
    if not _may_sign(certificate):
        return "may not sign others: its keyUsage has no keyCertSign"
    return "is expired" if now is not None and certificate.not_valid_after_utc <= now else None


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _may_sign(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.KeyUsage).value.key_cert_sign
    except x509.ExtensionNotFound:
        return True
