"""PKCS#12 (RFC 7292): opening one, and telling what other programs need to open it."""

from __future__ import annotations

from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import pkcs12

from sectigo_iot.errors import BundleError, PKCSPasswordRequiredError
from sectigo_iot.pki.chain import order_chain

# Tried with OpenSSL 3.0: each of these fails without its legacy provider, and pbeWithSHAAnd3-KeyTripleDES-CBC,
# pbeWithSHAAnd2-KeyTripleDES-CBC and every SHA-1 or MD5 MAC open without it.
_LEGACY_OIDS = (
    "1.2.840.113549.1.12.1.1",  # pbeWithSHAAnd128BitRC4
    "1.2.840.113549.1.12.1.2",  # pbeWithSHAAnd40BitRC4
    "1.2.840.113549.1.12.1.5",  # pbeWithSHAAnd128BitRC2-CBC
    "1.2.840.113549.1.12.1.6",  # pbeWithSHAAnd40BitRC2-CBC
    "1.2.840.113549.1.5.1",  # pbeWithMD2AndDES-CBC
    "1.2.840.113549.1.5.3",  # pbeWithMD5AndDES-CBC
    "1.2.840.113549.1.5.4",  # pbeWithMD2AndRC2-CBC
    "1.2.840.113549.1.5.6",  # pbeWithMD5AndRC2-CBC
    "1.2.840.113549.1.5.10",  # pbeWithSHA1AndDES-CBC
    "1.2.840.113549.1.5.11",  # pbeWithSHA1AndRC2-CBC
    "1.2.840.113549.3.2",  # rc2-cbc under PBES2
    "1.3.14.3.2.7",  # des-cbc under PBES2
    "1.3.6.1.4.1.3029.1.2",  # bf-cbc under PBES2
    "1.2.840.113533.7.66.10",  # cast5-cbc under PBES2
)


@dataclass(frozen=True, slots=True)
class PKCS12Contents:
    """What a PKCS#12 holds: the private key, the certificate made for it, its issuers in order, and the others."""

    key: PrivateKeyTypes = field(repr=False, compare=False)
    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    others: tuple[x509.Certificate, ...] = ()


def open_pkcs12(data: bytes, password: str | None) -> PKCS12Contents:
    """Open a PKCS#12, whatever RFC 7292 algorithms protect it, and prove that the key belongs to the leaf.

    The proof compares the public numbers; names and ids in the file are not believed. `password` may be empty.
    Raises `PKCSPasswordRequiredError` when it is None, and `BundleError` when it is wrong, when the file is damaged,
    or when it holds no key, or no certificate for its key.
    """
    if password is None:
        raise PKCSPasswordRequiredError("a password is needed to open the PKCS#12")
    _check_outer_length(data)
    try:
        loaded = pkcs12.load_pkcs12(data, password.encode())
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise BundleError(_why(fault)) from None
    certificates = [entry.certificate for entry in (loaded.cert, *loaded.additional_certs) if entry is not None]
    if loaded.key is None:
        raise BundleError("the PKCS#12 holds no private key")
    leaf = _leaf_for(loaded.key, certificates)
    chain = order_chain(leaf, certificates)
    others = tuple(one for one in certificates if one not in (leaf, *chain))
    return PKCS12Contents(loaded.key, leaf, chain, others)


def needs_legacy(data: bytes) -> bool:
    """Whether OpenSSL 3 opens this PKCS#12 only with `-legacy`: some of it is under RC2, RC4, DES or the like.

    Told from the object identifiers in the bytes, without the password.
    """
    return any(encoded in data for encoded in map(_der_oid, _LEGACY_OIDS))


def _why(fault: Exception) -> str:
    if "password" in str(fault):
        return "the password does not open this PKCS#12"
    return "the PKCS#12 is damaged, or it is none"


def _check_outer_length(data: bytes) -> None:
    """A PFX is one SEQUENCE that fills the file; an indefinite length (BER) is left to the library."""
    if data[:1] != b"\x30" or len(data) < 2:
        raise BundleError("the PKCS#12 is damaged, or it is none")
    if data[1] == 0x80:
        return
    octets = data[1] & 0x7F if data[1] & 0x80 else 0
    declared = int.from_bytes(data[2 : 2 + octets], "big") if octets else data[1]
    present = len(data) - 2 - octets
    if present < declared:
        raise BundleError("the PKCS#12 is cut short")
    if present > declared:
        raise BundleError("the PKCS#12 is damaged: there is more behind its end")


def _leaf_for(key: PrivateKeyTypes, certificates: list[x509.Certificate]) -> x509.Certificate:
    for certificate in certificates:
        if certificate.public_key() == key.public_key():
            return certificate
    raise BundleError("the private key in the PKCS#12 belongs to none of its certificates")


def _der_oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    body = bytes([40 * first + second]) + b"".join(map(_base128, rest))
    return bytes([0x06, len(body)]) + body


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets))
