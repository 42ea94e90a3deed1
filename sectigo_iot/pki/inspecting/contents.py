"""What a file of certificates and keys holds, as far as an inventory needs it: no private key stays in memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_der_private_key, pkcs7

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.inspecting.encodings import first_value
from sectigo_iot.pki.pem import Block, read_blocks
from sectigo_iot.pki.pkcs12 import open_pkcs12

_TRUSTED = "TRUSTED CERTIFICATE"
_LABELS = ("CERTIFICATE", "X509 CERTIFICATE", _TRUSTED)
_PKCS7_LABELS = ("PKCS7", "CMS")


@dataclass(slots=True)
class Contents:
    """What was found: certificates in DER, the fingerprints of the public halves of private keys, and faults.

    `encrypted` counts the private keys that a password protects, `others` what is neither, such as a CRL.
    """

    certificates: list[bytes] = field(default_factory=list)
    keys: list[bytes] = field(default_factory=list)
    encrypted: int = 0
    others: int = 0
    faults: list[str] = field(default_factory=list)


class LockedError(Exception):
    """A PKCS#12 is not opened: by none of the passwords, or there are none."""


def contents_of(data: bytes, *, expected: bool) -> Contents:
    """What stands in a file of PEM or DER. `expected`: that it holds no certificate is a fault."""
    found = Contents()
    blocks = read_blocks(data)
    if data[:1] == b"\x30" and not blocks:
        _take_der(data, found)
    for block in blocks:
        _take_block(block, found)
    if expected and found == Contents():
        found.faults.append("it holds no certificate")
    return found


def contents_of_pkcs12(data: bytes, passwords: Iterable[str]) -> Contents:
    """What stands in a PKCS#12. Raises `LockedError`, and `BundleError` for one that is damaged."""
    fault = None
    for password in passwords:
        try:
            opened = open_pkcs12(data, password)
        except BundleError as error:
            if "password" not in error.message:
                raise
            fault = error.message
        else:
            chain = (opened.leaf, *opened.chain, *opened.others)
            return Contents([each.public_bytes(Encoding.DER) for each in chain], [_public_half(opened.key)])
    raise LockedError(fault or "its password is needed")


def key_fingerprint(key: PublicKeyTypes) -> bytes:
    """The SHA-256 of the SubjectPublicKeyInfo."""
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def _public_half(key: PrivateKeyTypes) -> bytes:
    return key_fingerprint(key.public_key())


def _take_block(block: Block, found: Contents) -> None:
    wanted = block.label in (*_LABELS, *_PKCS7_LABELS)
    der = None if block.fault else block.der()
    if block.is_private_key:
        _take_key(block, der, found)
    elif wanted and der is None:
        found.faults.append(block.fault or f"the block on line {block.line} is not base64")
    elif block.label in _PKCS7_LABELS and der is not None:
        _take_pkcs7(der, found)
    elif wanted and der is not None:
        found.certificates.append(first_value(der) if block.label == _TRUSTED else der)


def _take_key(block: Block, der: bytes | None, found: Contents) -> None:
    # The traditional form of OpenSSL is PEM with headers, of which one is `Proc-Type: 4,ENCRYPTED` (RFC 1421).
    if "ENCRYPTED" in block.label or "ENCRYPTED" in block.body:
        found.encrypted += 1
    elif der is None or not _take_key_der(der, found):
        found.faults.append(f"the private key on line {block.line} cannot be read")


def _take_key_der(der: bytes, found: Contents) -> bool:
    try:
        # The public half alone is compared: that the primes are primes does not matter here, and costs 0.2 seconds.
        key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        found.encrypted += 1
    except (ValueError, UnsupportedAlgorithm):
        return False
    else:
        found.keys.append(_public_half(key))
    return True


def _take_der(der: bytes, found: Contents) -> None:
    try:
        x509.load_der_x509_certificate(der)
    except ValueError:
        if _is_other(der):
            found.others += 1
        elif not _take_key_der(der, found):
            _take_pkcs7(der, found)
    else:
        found.certificates.append(der)


def _is_other(der: bytes) -> bool:
    """Whether it is a signing request or a CRL, which an inventory passes over."""
    for load in (x509.load_der_x509_csr, x509.load_der_x509_crl):
        try:
            load(der)
        except ValueError:
            continue
        return True
    return False


def _take_pkcs7(der: bytes, found: Contents) -> None:
    try:
        certificates = pkcs7.load_der_pkcs7_certificates(der)
    except (ValueError, UnsupportedAlgorithm):
        found.faults.append("it is damaged, or it holds no certificate")
    else:
        found.certificates += [each.public_bytes(Encoding.DER) for each in certificates]
