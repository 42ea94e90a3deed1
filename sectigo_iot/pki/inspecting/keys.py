"""What a key tells of itself: its kind and its public half. Nothing else of a private key is kept."""

from __future__ import annotations

import hashlib

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from sectigo_iot.pki.inspecting.descriptions import KeyDescription
from sectigo_iot.pki.inspecting.protection import key_protection
from sectigo_iot.pki.pem import Block
from sectigo_iot.pki.pfx.bounds import MOST_ITERATIONS
from sectigo_iot.pki.request_rules import key_name

ENCRYPTED = "ENCRYPTED PRIVATE KEY"
PRIVATE_KEY = ("PRIVATE KEY", ENCRYPTED, "RSA PRIVATE KEY", "EC PRIVATE KEY", "DSA PRIVATE KEY")
"""The labels of the forms that are read: PKCS#8 (RFC 5958), PKCS#1 (RFC 8017) and SEC 1 (RFC 5915)."""
_WRONG_PASSWORD = "the password does not open the private key"  # noqa: S105 - a message
_DAMAGED = "the private key is damaged, or of a kind that is not known here"
_TOO_MANY = f"the private key asks for more than {MOST_ITERATIONS:,} iterations, and is not opened"


def told_public(key: PublicKeyTypes) -> KeyDescription:
    """Describe a public key that stands by itself."""
    return KeyDescription("PUBLIC KEY", False, False, key_name(key), _fingerprint(key))


def told_private(key: PrivateKeyTypes, form: str, *, encrypted: bool) -> KeyDescription:
    """Describe a private key that was opened."""
    public = key.public_key()
    return KeyDescription(form, True, encrypted, key_name(public), _fingerprint(public))


def read_pem_key(block: Block, password: str | None) -> KeyDescription:
    """Describe the private key in a PEM block, opened with the password where it is encrypted and there is one."""
    encrypted = block.label == ENCRYPTED or "Proc-Type: 4,ENCRYPTED" in block.body
    if encrypted and password is None:
        return _closed(block.label, "", encrypted=True)
    if block.label == ENCRYPTED and _costs_too_much(block.der() or b""):
        return _closed(block.label, _TOO_MANY, encrypted=True)
    text = f"-----BEGIN {block.label}-----\n{block.body}\n-----END {block.label}-----\n".encode()
    try:
        key = load_pem_private_key(text, (password or "").encode() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        return _closed(block.label, _why(fault, encrypted), encrypted=encrypted)
    return told_private(key, block.label, encrypted=encrypted)


def read_der_key(data: bytes, password: str | None) -> KeyDescription | None:
    """Describe the private key that DER bytes are; None where they are none."""
    scheme = key_protection(data)
    encrypted = scheme is not None
    if scheme is not None and (password is None or scheme.iterations > MOST_ITERATIONS):
        return _closed(ENCRYPTED, "" if password is None else _TOO_MANY, encrypted=True)
    try:
        key = load_der_private_key(data, (password or "").encode() if encrypted else None)
    except (ValueError, TypeError, UnsupportedAlgorithm) as fault:
        return _closed(ENCRYPTED, _why(fault, encrypted), encrypted=True) if encrypted else None
    return told_private(key, ENCRYPTED if encrypted else "PRIVATE KEY", encrypted=encrypted)


def _costs_too_much(der: bytes) -> bool:
    scheme = key_protection(der)
    return scheme is not None and scheme.iterations > MOST_ITERATIONS


def _closed(form: str, fault: str, *, encrypted: bool) -> KeyDescription:
    return KeyDescription(form, True, encrypted, "", "", fault)


def _why(fault: Exception, encrypted: bool) -> str:
    return _DAMAGED if isinstance(fault, UnsupportedAlgorithm) or not encrypted else _WRONG_PASSWORD


def _fingerprint(key: PublicKeyTypes) -> str:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).hexdigest()
