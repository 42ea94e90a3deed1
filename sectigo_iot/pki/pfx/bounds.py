"""How many iterations a PKCS#12 asks for, told before any of them is computed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

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
    KEY_BAG,
    SHROUDED_KEY_BAG,
    EncryptedPrivateKeyInfo,
    Part,
    Store,
    flattened,
    identifier,
    parse,
)

MOST_ITERATIONS = 10_000_000
"""In the whole file, which is a second or two of computing. OpenSSL makes 2,048 of each."""
_LARGEST_BAG = 12 << 10
"""Octets of a bag with a private key: RSA with 16,384 bits, the most that OpenSSL takes, has 9,300. The primes of a
larger one, which can be looked up, would be tested for hours."""
_LONGEST_KEY = 64
"""Octets that a key derived here can have. The MAC of RFC 9579 takes its key's length from the file."""


def check_iterations(store: Store) -> None:
    """Refuse a PKCS#12 that asks for more than ten million iterations in all, as far as that lies open.

    What is encrypted is not looked into. Raises `BundleError`, also when a number cannot be read.
    """
    try:
        asked = sum(_asked(store))
    except ValueError:
        raise BundleError("the PKCS#12 is damaged, or it is none") from None
    if asked > MOST_ITERATIONS:
        raise BundleError(f"the PKCS#12 asks for {_told(asked)} iterations; at most {MOST_ITERATIONS:,} are computed")


def _told(number: int) -> str:
    # Python refuses to write out the longest numbers, and nobody wants to read them.
    return f"{number:,}" if number < 1 << 64 else "more than 2^64"


def _asked(store: Store) -> Iterator[int]:
    if store.mac is not None:
        yield _counted(1 if store.mac.iterations is None else store.mac.iterations)
        algorithm = store.mac.mac.algorithm
        if algorithm and identifier(algorithm[0]) == PBMAC1:
            yield _of_algorithm(algorithm)
    for part in store.parts:
        yield from _of_part(part)


def _of_part(part: Part) -> Iterator[int]:
    if part.algorithm is not None:
        yield _of_algorithm(part.algorithm)
    for bag in flattened(part.bags):
        if bag.kind in (KEY_BAG, SHROUDED_KEY_BAG) and len(bag.value) > _LARGEST_BAG:
            raise ValueError("a private key larger than any in use")
        if bag.kind == SHROUDED_KEY_BAG:
            yield _of_algorithm(asn1.decode_der(EncryptedPrivateKeyInfo, bag.value).algorithm)


def _of_algorithm(algorithm: Sequence[asn1.TLV]) -> int:
    """The iterations that an AlgorithmIdentifier asks for."""
    identified, parameters = algorithm
    if identifier(identified) in (PBES2, PBMAC1):
        identified, parameters = parse(parameters, Schemes).derivation
    return _of_derivation(identifier(identified), parameters)


def _of_derivation(kind: str, parameters: asn1.TLV) -> int:
    """What derives keys, and is not known here, has its salt first and its iterations second."""
    if kind == PBKDF2:
        return _of_pbkdf2(parse(parameters, PBKDF2Parameters))
    if kind == SCRYPT:
        return _of_scrypt(parse(parameters, ScryptParameters))
    return _counted(parse(parameters, PBEParameters).iterations)


def _of_pbkdf2(parameters: PBKDF2Parameters) -> int:
    if parameters.key_length is not None and not 1 <= parameters.key_length <= _LONGEST_KEY:
        raise ValueError("no length that a key has")
    return _counted(parameters.iterations)


def _of_scrypt(parameters: ScryptParameters) -> int:
    return _counted(parameters.cost) * _counted(parameters.block_size) * _counted(parameters.parallelization)


def _counted(number: int) -> int:
    if number < 1:
        raise ValueError("less than one iteration")
    return number
