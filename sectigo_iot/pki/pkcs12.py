"""PKCS#12 (RFC 7292): opening and writing one, and telling what other programs need to open it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from sectigo_iot.errors import BundleError, InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki.chain import check_readable, order_chain
from sectigo_iot.pki.pfx.bounds import check_iterations
from sectigo_iot.pki.pfx.derivation import with_longer_mac
from sectigo_iot.pki.pfx.opening import open_quickly
from sectigo_iot.pki.pfx.protection import is_well_protected
from sectigo_iot.pki.pfx.rsa_numbers import holds_together
from sectigo_iot.pki.pfx.structure import read_store

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
_KEPT = (
    rsa.RSAPrivateKey,
    dsa.DSAPrivateKey,
    ec.EllipticCurvePrivateKey,
    ed25519.Ed25519PrivateKey,
    ed448.Ed448PrivateKey,
)
_ITERATIONS = 20_000
"""What `cryptography` takes for the encryption. The MAC gets as many: with the 2,048 that it and OpenSSL take there,
passwords would be guessed at the MAC, and all other iterations would be for nothing."""
_MODERN = (
    PrivateFormat.PKCS12.encryption_builder()
    .kdf_rounds(_ITERATIONS)
    .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
    .hmac_hash(SHA256())
)
_WRONG_PASSWORD = "the password does not open this PKCS#12"  # noqa: S105 - no password, what is said of one


@dataclass(frozen=True, slots=True)
class PKCS12Contents:
    """What a PKCS#12 holds: the private key, the certificate made for it, its issuers in order, and the others."""

    key: PrivateKeyTypes = field(repr=False, compare=False)
    leaf: x509.Certificate
    chain: tuple[x509.Certificate, ...]
    others: tuple[x509.Certificate, ...] = ()


def open_pkcs12(data: bytes, password: str | None) -> PKCS12Contents:
    """Open a PKCS#12, whatever RFC 7292 algorithms protect it, and prove that the key belongs to the leaf.

    The proof compares the public numbers; names and ids in the file are not believed. An RSA key is loaded without
    testing its primes again, where all else about it is proven: see the page on security. `password` may be empty.
    Raises `PKCSPasswordRequiredError` when it is None, and `BundleError` when it is wrong, when the file is damaged,
    asks for more than ten million iterations, or holds no key, or no certificate for its key.
    """
    if password is None:
        raise PKCSPasswordRequiredError("a password is needed to open the PKCS#12")
    _check_outer_length(data)
    store = read_store(data)
    check_iterations(store)
    if not _is_possible(password):
        raise BundleError(_WRONG_PASSWORD)
    found = open_quickly(store, password)
    return _contents(*found) if found is not None else open_pkcs12_plainly(store.der(), password)


def open_pkcs12_plainly(data: bytes, password: str) -> PKCS12Contents:
    """Open a PKCS#12 by `cryptography` alone, which tests the primes of an RSA key again.

    It is for `open_pkcs12`, which has checked the iterations. Raises `BundleError`.
    """
    try:
        loaded = pkcs12.load_pkcs12(data, password.encode())
    except (ValueError, UnsupportedAlgorithm, x509.InvalidVersion) as fault:
        raise BundleError(_why(fault)) from None
    certificates = [entry.certificate for entry in (loaded.cert, *loaded.additional_certs) if entry is not None]
    if loaded.key is None:
        raise BundleError("the PKCS#12 holds no private key")
    return _contents(loaded.key, certificates)


def _contents(key: PrivateKeyTypes, certificates: list[x509.Certificate]) -> PKCS12Contents:
    leaf = _leaf_for(key, certificates)
    try:
        chain = order_chain(leaf, certificates)
        check_readable((leaf, *chain))
    except (ValueError, KeyError, BundleError):
        # `cryptography` reads dates and names when they are asked for.
        raise BundleError("a certificate in the PKCS#12 is damaged") from None
    others = tuple(one for one in certificates if one not in (leaf, *chain))
    return PKCS12Contents(key, leaf, chain, others)


def write_pkcs12(
    key: PrivateKeyTypes, leaf: x509.Certificate, chain: Iterable[x509.Certificate], password: str, name: str = ""
) -> bytes:
    """A PKCS#12 of a private key, its certificate and its issuers, which OpenSSL 3 opens without `-legacy`.

    It is encrypted by AES-256-CBC under PBES2 (RFC 8018), with a MAC by HMAC-SHA-256. `name` is the friendlyName of
    the key and its certificate. Raises `BundleError` when the key is not the certificate's, and `InvalidInputError`
    when it is of a kind that PKCS#12 does not hold here, or when nothing could be opened with the password.
    """
    if not password or not _is_possible(password):
        raise InvalidInputError("the password for a PKCS#12 is empty, or has characters that it cannot have")
    if not isinstance(key, _KEPT):
        raise InvalidInputError("a private key of this kind cannot be put into a PKCS#12")
    if not _is_key_of(key, leaf):
        raise BundleError("the private key does not belong to the certificate")
    encryption = _MODERN.build(password.encode())
    made = pkcs12.serialize_key_and_certificates(name.encode() or None, key, leaf, list(chain), encryption)
    return with_longer_mac(made, password, _ITERATIONS)


def needs_legacy(data: bytes) -> bool:
    """Whether OpenSSL 3 opens this PKCS#12 only with `-legacy`: some of it is under RC2, RC4, DES or the like.

    Told from the object identifiers in the bytes, without the password.
    """
    return any(encoded in data for encoded in map(_der_oid, _LEGACY_OIDS))


def is_consistent(key: PrivateKeyTypes) -> bool:
    """Whether each number of an RSA key, whose primes were not tested, follows from the others, as is usual.

    Keys of other kinds are tested whole when they are loaded.
    """
    return not isinstance(key, rsa.RSAPrivateKey) or holds_together(key.private_numbers())


def is_modern(data: bytes) -> bool:
    """Whether a PKCS#12 that was opened has a SHA-2 MAC, and no private key that is not under PBES2 with AES.

    Raises `BundleError` where its structure cannot be read.
    """
    return is_well_protected(read_store(data))


def _is_possible(password: str) -> bool:
    """Whether it is text without NUL, at which OpenSSL would end it and `cryptography` panics."""
    try:
        return b"\0" not in password.encode()
    except UnicodeEncodeError:
        return False


def _why(fault: Exception) -> str:
    if "password" in str(fault):
        return _WRONG_PASSWORD
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
        if _is_key_of(key, certificate):
            return certificate
    raise BundleError("the private key in the PKCS#12 belongs to none of its certificates")


def _is_key_of(key: PrivateKeyTypes, certificate: x509.Certificate) -> bool:
    try:
        return certificate.public_key() == key.public_key()
    except (ValueError, UnsupportedAlgorithm):
        # A CA's key may be of a kind that is not known here.
        return False


def _der_oid(dotted: str) -> bytes:
    first, second, *rest = map(int, dotted.split("."))
    body = bytes([40 * first + second]) + b"".join(map(_base128, rest))
    return bytes([0x06, len(body)]) + body


def _base128(arc: int) -> bytes:
    octets = [arc & 0x7F]
    while arc := arc >> 7:
        octets.append(0x80 | arc & 0x7F)
    return bytes(reversed(octets))
