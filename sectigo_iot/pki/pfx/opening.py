"""The fast way to open a PKCS#12 with an RSA key: in the usual shape alone; whatever is doubtful goes the plain way.

OpenSSL reads all of the file but the bag with the key, which is taken out. The key is decrypted here, and its primes
are not tested again: `docs/security.md` says what is proven instead.
"""

from __future__ import annotations

import os

from cryptography import x509
from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    pkcs12,
)

from sectigo_iot.pki.pfx.attributes import are_usual
from sectigo_iot.pki.pfx.decryption import decrypt
from sectigo_iot.pki.pfx.derivation import Secret, verified_secret
from sectigo_iot.pki.pfx.rsa_numbers import holds_together
from sectigo_iot.pki.pfx.structure import (
    KEY_BAG,
    SHROUDED_KEY_BAG,
    Bag,
    ContentInfo,
    EncryptedPrivateKeyInfo,
    Part,
    Store,
    without_mac,
)

_SMALLEST = 1024
"""Octets: a bag with an RSA key of 2,048 bits is larger, and whatever is smaller is loaded in no time."""


class _DoubtError(ValueError):
    """The plain way shall decide."""


def open_quickly(store: Store, password: str) -> tuple[RSAPrivateKey, list[x509.Certificate]] | None:
    """The key, its certificate, and the other certificates in the order of the file; None: go the plain way.

    The MAC has been verified then, the key's numbers hold together, and the certificate verifies what the key signs.
    It is for `open_pkcs12`, which has checked the iterations.
    """
    try:
        return _opened(store, password)
    except (ValueError, TypeError, UnsupportedAlgorithm, InvalidSignature, InternalError, x509.InvalidVersion):
        return None


def _opened(store: Store, password: str) -> tuple[RSAPrivateKey, list[x509.Certificate]]:
    bag = _key_bag(store)
    secret = verified_secret(store, password)
    if secret is None:
        raise _DoubtError("the MAC does not hold")
    key = _load(_private_key_info(bag, secret))
    certificates = _certificates(store, bag, password)
    return key, _with_leaf_first(key, certificates)


def _key_bag(store: Store) -> Bag:
    """The only bag with a private key, where it and all else is as usual."""
    found = [bag for part in store.parts for bag in part.bags if bag.kind in (KEY_BAG, SHROUDED_KEY_BAG)]
    if not store.is_der or len(found) != 1:
        raise _DoubtError("BER, no key, or several")
    if len(found[0].value) < _SMALLEST or not are_usual(found[0].elements[2:]):
        raise _DoubtError("no RSA key, or attributes that are seldom seen")
    return found[0]


def _private_key_info(bag: Bag, secret: Secret) -> bytes:
    if bag.kind == KEY_BAG:
        return bag.value
    encrypted = asn1.decode_der(EncryptedPrivateKeyInfo, bag.value)
    return decrypt(encrypted.algorithm, encrypted.content, secret)


def _load(private_key_info: bytes) -> RSAPrivateKey:
    """The RSA key, when these bytes are what DER makes of it, no more and no less, and its numbers hold together."""
    key = load_der_private_key(private_key_info, None, unsafe_skip_rsa_key_validation=True)
    if not isinstance(key, RSAPrivateKey):
        raise _DoubtError("another kind of key")
    if key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()) != private_key_info:
        raise _DoubtError("a private key with attributes, or in another form")
    if not holds_together(key.private_numbers()):
        raise _DoubtError("the numbers do not belong together")
    return key


def _certificates(store: Store, bag: Bag, password: str) -> list[x509.Certificate]:
    """The certificates of the file, as OpenSSL reads it without this bag.

    There is no MAC then, which has been verified before. Were there another key, it would be found.
    """
    rest = without_mac(_without(bag, part) for part in store.parts)
    loaded = pkcs12.load_pkcs12(rest, password.encode())
    if loaded.key is not None:
        raise _DoubtError("several private keys")
    return [entry.certificate for entry in loaded.additional_certs]


def _without(bag: Bag, part: Part) -> ContentInfo | list[Bag]:
    if all(one is not bag for one in part.bags):
        return part.info
    return [one for one in part.bags if one is not bag]


def _with_leaf_first(key: RSAPrivateKey, certificates: list[x509.Certificate]) -> list[x509.Certificate]:
    """The certificates, the first with this public key in front, which verifies a signature made with the key."""
    for at, certificate in enumerate(certificates):
        public_key = certificate.public_key()
        if public_key == key.public_key() and isinstance(public_key, RSAPublicKey):
            _prove(key, public_key)
            return [certificate, *certificates[:at], *certificates[at + 1 :]]
    raise _DoubtError("no certificate for the key")


def _prove(key: RSAPrivateKey, public_key: RSAPublicKey) -> None:
    """Have the key sign what it cannot foresee. Raises InvalidSignature when the public key does not verify it."""
    challenge = os.urandom(32)
    public_key.verify(key.sign(challenge, PKCS1v15(), SHA256()), challenge, PKCS1v15(), SHA256())
