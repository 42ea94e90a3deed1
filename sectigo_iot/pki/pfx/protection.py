"""Whether all of a PKCS#12 is under algorithms of today, told without the password."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cryptography.hazmat import asn1

from sectigo_iot.pki.pfx.algorithms import PBES2, PBMAC1, Schemes
from sectigo_iot.pki.pfx.structure import (
    KEY_BAG,
    SHROUDED_KEY_BAG,
    EncryptedPrivateKeyInfo,
    MacData,
    Part,
    Store,
    flattened,
    identifier,
    parse,
)

_AES = "2.16.840.1.101.3.4.1."
_SHA2 = tuple(f"2.16.840.1.101.3.4.2.{number}" for number in range(1, 7))
"""SHA-256, SHA-384, SHA-512, SHA-224, and the cut ones (NIST's register of algorithms)."""


def is_well_protected(store: Store) -> bool:
    """Whether a SHA-2 MAC is over all of it, no private key lies open, and what is encrypted is so by PBES2 with AES.

    Certificates may lie open. What is within an encrypted part is not looked into.
    """
    try:
        return store.mac is not None and _is_sha2(store.mac) and all(_of_parts(store.parts))
    except ValueError:
        return False


def _is_sha2(mac: MacData) -> bool:
    return identifier(mac.mac.algorithm[0]) in (*_SHA2, PBMAC1)


def _of_parts(parts: Sequence[Part]) -> Iterator[bool]:
    for part in parts:
        if part.algorithm is not None:
            yield _is_aes(part.algorithm)
        for bag in flattened(part.bags):
            if bag.kind == SHROUDED_KEY_BAG:
                yield _is_aes(asn1.decode_der(EncryptedPrivateKeyInfo, bag.value).algorithm)
            elif bag.kind == KEY_BAG:
                yield False


def _is_aes(algorithm: Sequence[asn1.TLV]) -> bool:
    identified, *parameters = algorithm
    if identifier(identified) != PBES2:
        return False
    (schemes,) = parameters
    return identifier(parse(schemes, Schemes).use[0]).startswith(_AES)
