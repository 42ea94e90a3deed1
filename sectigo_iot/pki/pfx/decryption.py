"""Decrypting a private key, under what files of today have: PBES2 with AES or 3DES, and PKCS#12's own 3DES."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cryptography.hazmat import asn1
from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import BlockCipherAlgorithm, Cipher, algorithms
from cryptography.hazmat.primitives.ciphers.modes import CBC
from cryptography.hazmat.primitives.kdf.pbkdf2 import PBKDF2HMAC
from cryptography.hazmat.primitives.padding import PKCS7

from sectigo_iot.pki.pfx.algorithms import PBES2, PBKDF2, PBEParameters, PBKDF2Parameters, Schemes
from sectigo_iot.pki.pfx.derivation import FOR_ENCRYPTION, FOR_IV, Secret, derive
from sectigo_iot.pki.pfx.structure import identifier, is_null, parse

_SHA1_AND_TRIPLE_DES = "1.2.840.113549.1.12.1.3"
_PSEUDORANDOM: dict[str, Callable[[], hashes.HashAlgorithm]] = {
    "1.2.840.113549.2.7": hashes.SHA1,
    "1.2.840.113549.2.8": hashes.SHA224,
    "1.2.840.113549.2.9": hashes.SHA256,
    "1.2.840.113549.2.10": hashes.SHA384,
    "1.2.840.113549.2.11": hashes.SHA512,
}
_CIPHERS: dict[str, tuple[Callable[[bytes], BlockCipherAlgorithm], int]] = {
    "1.2.840.113549.3.7": (TripleDES, 24),
    "2.16.840.1.101.3.4.1.2": (algorithms.AES, 16),
    "2.16.840.1.101.3.4.1.22": (algorithms.AES, 24),
    "2.16.840.1.101.3.4.1.42": (algorithms.AES, 32),
}
"""By identifier: the cipher, and how many octets its key has."""


def decrypt(algorithm: Sequence[asn1.TLV], content: bytes, secret: Secret) -> bytes:
    """The plaintext. Raises ValueError when the algorithm is another one, or the padding is wrong."""
    cipher, block = _cipher(algorithm, secret)
    decryptor = cipher.decryptor()
    unpadder = PKCS7(block).unpadder()
    return unpadder.update(decryptor.update(content) + decryptor.finalize()) + unpadder.finalize()


def _cipher(algorithm: Sequence[asn1.TLV], secret: Secret) -> tuple[Cipher[CBC], int]:
    identified, parameters = algorithm
    kind = identifier(identified)
    if kind == _SHA1_AND_TRIPLE_DES:
        return _of_pkcs12(parse(parameters, PBEParameters), secret)
    if kind == PBES2:
        return _of_pbes2(parse(parameters, Schemes), secret)
    raise ValueError("an algorithm that is left to the plain way")


def _of_pkcs12(parameters: PBEParameters, secret: Secret) -> tuple[Cipher[CBC], int]:
    """pbeWithSHAAnd3-KeyTripleDES-CBC (RFC 7292, appendix C)."""
    salt, iterations = parameters.salt, parameters.iterations
    key = derive("sha1", secret.characters, salt, FOR_ENCRYPTION, iterations, 24)
    iv = derive("sha1", secret.characters, salt, FOR_IV, iterations, 8)
    return Cipher(TripleDES(key), CBC(iv)), TripleDES.block_size


def _of_pbes2(schemes: Schemes, secret: Secret) -> tuple[Cipher[CBC], int]:
    """PBES2 (RFC 8018, section 6.2), its key by PBKDF2, its initialisation vector from the file."""
    identified, iv = schemes.use
    make, length = _CIPHERS.get(identifier(identified), (None, 0))
    if make is None:
        raise ValueError("a cipher that is left to the plain way")
    algorithm = make(_by_pbkdf2(schemes.derivation, secret, length))
    return Cipher(algorithm, CBC(parse(iv, bytes))), algorithm.block_size


def _by_pbkdf2(derivation: Sequence[asn1.TLV], secret: Secret, length: int) -> bytes:
    identified, wrapped = derivation
    if identifier(identified) != PBKDF2:
        raise ValueError("a derivation that is left to the plain way")
    parameters = parse(wrapped, PBKDF2Parameters)
    if parameters.key_length not in (None, length):
        raise ValueError("a key of another length than the cipher has")
    digest = _digest(parameters.prf)
    return PBKDF2HMAC(digest, length, parameters.salt, parameters.iterations).derive(secret.utf8)


def _digest(pseudorandom: Sequence[asn1.TLV] | None) -> hashes.HashAlgorithm:
    if pseudorandom is None:
        return hashes.SHA1()  # noqa: S303 - what RFC 8018 means by none
    make = _PSEUDORANDOM.get(identifier(pseudorandom[0]))
    if make is None or not is_null(pseudorandom[1:]):
        raise ValueError("a pseudorandom function that is left to the plain way")
    return make()
