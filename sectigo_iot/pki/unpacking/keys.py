"""Private keys that stayed where the requests were made, and the certificates that they fit."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes, PublicKeyTypes
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_der_private_key,
    load_pem_private_key,
)

from sectigo_iot.errors import BundleError, InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki.pem import Block, read_blocks
from sectigo_iot.pki.pkcs12 import is_consistent


@dataclass(frozen=True, slots=True)
class FittingKey:
    """A private key as PKCS#8 (RFC 5958), and the name of the file that it stands in."""

    source: str
    der: bytes = field(repr=False)


class KeyRing:
    """Private keys for certificates that were issued for requests: each finds the one that fits it."""

    def __init__(self, files: Mapping[str, bytes], password: str | None = None) -> None:
        """`files` are contents by name: PEM with any number of keys, or DER with one; encrypted ones take `password`.

        Raises `InvalidInputError` for a file without a key that can be read, `PKCSPasswordRequiredError` where a
        password is needed.
        """
        self._keys: dict[bytes, FittingKey] = {}
        for source, data in files.items():
            for key in _keys_in(source, data, password):
                der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
                self._keys.setdefault(_fingerprint(key.public_key()), FittingKey(source, der))

    def __bool__(self) -> bool:
        return bool(self._keys)

    @property
    def sources(self) -> frozenset[str]:
        """The names of the files."""
        return frozenset(key.source for key in self._keys.values())

    def holds(self, public_key_fingerprint: str) -> bool:
        """Whether a key fits this SHA-256 of a SubjectPublicKeyInfo, in hexadecimal, as requests have it."""
        return bytes.fromhex(public_key_fingerprint) in self._keys

    def fitting(self, certificates: Iterable[x509.Certificate]) -> dict[bytes, FittingKey]:
        """Return the keys whose public halves these certificates hold, by `fingerprint_of`."""
        wanted = map(fingerprint_of, certificates)
        return {each: self._keys[each] for each in wanted if each in self._keys}


def fingerprint_of(certificate: x509.Certificate) -> bytes:
    """Return the SHA-256 of the SubjectPublicKeyInfo, empty where the key is of a kind that cannot be read."""
    try:
        return _fingerprint(certificate.public_key())
    except (ValueError, UnsupportedAlgorithm):
        return b""


def _fingerprint(key: PublicKeyTypes) -> bytes:
    return hashlib.sha256(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).digest()


def proven_key(der: bytes, certificate: x509.Certificate) -> PrivateKeyTypes:
    """Load a key as PKCS#8, proven to be the certificate's by the public numbers, and where it is RSA by a signature.

    The primes of an RSA key are not tested again, which would be nearly all of the time, where its numbers hold
    together; OpenSSL would sign with some that do not, and other programs refuse them. Raises `BundleError`.
    """
    key = load_der_private_key(der, None, unsafe_skip_rsa_key_validation=True)
    public = certificate.public_key()
    if key.public_key() != public or not _signs(key, public):
        raise BundleError("the private key does not fit the certificate")
    return key if is_consistent(key) else _tested(der)


def _tested(der: bytes) -> PrivateKeyTypes:
    try:
        return load_der_private_key(der, None)
    except ValueError:
        raise BundleError("the private key is damaged: its numbers do not belong together") from None


def _signs(key: PrivateKeyTypes, public: PublicKeyTypes) -> bool:
    if not isinstance(key, rsa.RSAPrivateKey) or not isinstance(public, rsa.RSAPublicKey):
        return True
    nonce, scheme, digest = os.urandom(32), padding.PKCS1v15(), hashes.SHA256()
    try:
        public.verify(key.sign(nonce, scheme, digest), nonce, scheme, digest)
    except (InvalidSignature, ValueError):
        return False
    return True


def _keys_in(source: str, data: bytes, password: str | None) -> Iterator[PrivateKeyTypes]:
    if data[:1] == b"\x30":
        yield _loaded(source, data, password, pem=False)
        return
    blocks = [block for block in read_blocks(data) if block.is_private_key]
    if not blocks:
        raise InvalidInputError(f"{source} holds no private key")
    for block in blocks:
        if block.fault:
            raise InvalidInputError(f"{source}: {block.fault}")
        yield _loaded(source, _armoured(block), password, pem=True)


def _armoured(block: Block) -> bytes:
    return f"-----BEGIN {block.label}-----\n{block.body}\n-----END {block.label}-----\n".encode()


def _loaded(source: str, data: bytes, password: str | None, *, pem: bool) -> PrivateKeyTypes:
    load = load_pem_private_key if pem else load_der_private_key
    try:
        return load(data, None, unsafe_skip_rsa_key_validation=True)
    except TypeError:
        # It is encrypted: https://cryptography.io/en/latest/hazmat/primitives/asymmetric/serialization/
        return _decrypted(source, data, password, pem=pem)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInputError(f"{source}: its private key cannot be read") from None


def _decrypted(source: str, data: bytes, password: str | None, *, pem: bool) -> PrivateKeyTypes:
    if not password:
        raise PKCSPasswordRequiredError(f"a password is needed to open the private key in {source}")
    load = load_pem_private_key if pem else load_der_private_key
    try:
        return load(data, password.encode(), unsafe_skip_rsa_key_validation=True)
    except (ValueError, UnsupportedAlgorithm):
        raise InvalidInputError(f"the password does not open the private key in {source}") from None
