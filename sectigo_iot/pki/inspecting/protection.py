"""How a PKCS#12 or a private key is encrypted, told without the password (RFC 7292, 8018 and 5958)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cryptography.hazmat import asn1

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.pfx.algorithms import (
    PBES2,
    PBKDF2,
    PBMAC1,
    SCRYPT,
    PBEParameters,
    PBKDF2Parameters,
    Schemes,
    ScryptParameters,
)
from sectigo_iot.pki.pfx.structure import (
    SHROUDED_KEY_BAG,
    EncryptedPrivateKeyInfo,
    MacData,
    Store,
    flattened,
    identifier,
    parse,
    read_store,
)

_HMAC_SHA1 = "1.2.840.113549.2.7"
_NAMES = {
    "1.2.840.113549.1.12.1.1": "pbeWithSHA1And128BitRC4",
    "1.2.840.113549.1.12.1.2": "pbeWithSHA1And40BitRC4",
    "1.2.840.113549.1.12.1.3": "pbeWithSHA1And3-KeyTripleDES-CBC",
    "1.2.840.113549.1.12.1.4": "pbeWithSHA1And2-KeyTripleDES-CBC",
    "1.2.840.113549.1.12.1.5": "pbeWithSHA1And128BitRC2-CBC",
    "1.2.840.113549.1.12.1.6": "pbeWithSHA1And40BitRC2-CBC",
    "1.2.840.113549.1.5.3": "pbeWithMD5AndDES-CBC",
    "1.2.840.113549.1.5.6": "pbeWithMD5AndRC2-CBC",
    "1.2.840.113549.1.5.10": "pbeWithSHA1AndDES-CBC",
    "1.2.840.113549.1.5.11": "pbeWithSHA1AndRC2-CBC",
    PBES2: "PBES2",
    PBKDF2: "PBKDF2",
    SCRYPT: "scrypt",
    PBMAC1: "PBMAC1",
    _HMAC_SHA1: "hmacWithSHA1",
    "1.2.840.113549.2.8": "hmacWithSHA224",
    "1.2.840.113549.2.9": "hmacWithSHA256",
    "1.2.840.113549.2.10": "hmacWithSHA384",
    "1.2.840.113549.2.11": "hmacWithSHA512",
    "1.2.840.113549.3.2": "RC2-CBC",
    "1.2.840.113549.3.7": "DES-EDE3-CBC",
    "1.3.14.3.2.7": "DES-CBC",
    "2.16.840.1.101.3.4.1.2": "AES-128-CBC",
    "2.16.840.1.101.3.4.1.22": "AES-192-CBC",
    "2.16.840.1.101.3.4.1.42": "AES-256-CBC",
    "1.2.840.113549.2.5": "md5",
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
"""As `openssl pkcs12 -info` prints them."""


@dataclass(frozen=True, slots=True)
class Scheme:
    """One way of protecting: in words, and how often something is computed for a password."""

    text: str
    iterations: int


@dataclass(frozen=True, slots=True)
class Protection:
    """How the keys, the certificates and the whole of a PKCS#12 are protected, each way once, in words.

    `mac` is empty where there is none.
    """

    keys: tuple[str, ...] = ()
    certificates: tuple[str, ...] = ()
    mac: str = ""


def protection_of(data: bytes) -> Protection:
    """How a PKCS#12 is protected, as far as that can be read without its password."""
    try:
        store = read_store(data)
        keys = dict.fromkeys(_keys(store))
        parts = dict.fromkeys(_scheme(part.algorithm).text for part in store.parts if part.algorithm is not None)
        return Protection(tuple(keys), tuple(parts), "" if store.mac is None else _mac(store.mac))
    except (BundleError, ValueError):
        return Protection()


def key_protection(data: bytes) -> Scheme | None:
    """How an EncryptedPrivateKeyInfo is protected; None where it is none, or cannot be read."""
    try:
        return _scheme(asn1.decode_der(EncryptedPrivateKeyInfo, data).algorithm)
    except ValueError:
        return None


def _keys(store: Store) -> Iterator[str]:
    for part in store.parts:
        for bag in flattened(part.bags):
            if bag.kind == SHROUDED_KEY_BAG:
                yield _scheme(asn1.decode_der(EncryptedPrivateKeyInfo, bag.value).algorithm).text


def _mac(data: MacData) -> str:
    algorithm = data.mac.algorithm
    if not algorithm:
        raise ValueError("an algorithm without a name")
    if identifier(algorithm[0]) == PBMAC1:
        # RFC 9579: its parameters derive the key, and the number that stands beside them does not count.
        return f"PBMAC1, {', '.join(_derivation(parse(_parameters(algorithm), Schemes).derivation)[0])}"
    return f"{_name(algorithm)}, Iteration {1 if data.iterations is None else data.iterations}"


def _scheme(algorithm: Sequence[asn1.TLV]) -> Scheme:
    parameters = _parameters(algorithm)
    if identifier(algorithm[0]) != PBES2:
        iterations = parse(parameters, PBEParameters).iterations
        return Scheme(f"{_name(algorithm)}, Iteration {iterations}", iterations)
    schemes = parse(parameters, Schemes)
    (kind, *numbers), iterations = _derivation(schemes.derivation)
    return Scheme(", ".join(("PBES2", kind, _name(schemes.use), *numbers)), iterations)


def _derivation(algorithm: Sequence[asn1.TLV]) -> tuple[tuple[str, ...], int]:
    """What derives a key, in words, and how much it computes."""
    parameters = _parameters(algorithm)
    if identifier(algorithm[0]) == SCRYPT:
        scrypt = parse(parameters, ScryptParameters)
        cost, size, parallel = scrypt.cost, scrypt.block_size, scrypt.parallelization
        return ("scrypt", f"N {cost}", f"r {size}", f"p {parallel}"), cost * size * parallel
    pbkdf2 = parse(parameters, PBKDF2Parameters)
    function = _name(pbkdf2.prf) if pbkdf2.prf else _NAMES[_HMAC_SHA1]
    return (_name(algorithm), f"Iteration {pbkdf2.iterations}", f"PRF {function}"), pbkdf2.iterations


def _parameters(algorithm: Sequence[asn1.TLV]) -> asn1.TLV:
    """The parameters of an algorithm that has some. Raises ValueError."""
    _, parameters = algorithm
    return parameters


def _name(algorithm: Sequence[asn1.TLV]) -> str:
    if not algorithm:
        raise ValueError("an algorithm without a name")
    oid = identifier(algorithm[0])
    return _NAMES.get(oid, oid)
