"""A PKCS#12 made piece by piece (RFC 7292), so that each piece can be another than programs make it."""

from __future__ import annotations

import hashlib
import hmac
import os

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.unit.pki.home import PASSWORD

DATA, ENCRYPTED = "1.2.840.113549.1.7.1", "1.2.840.113549.1.7.6"
KEY_BAG, SHROUDED_KEY_BAG, CERT_BAG, CRL_BAG, SECRET_BAG, SAFE_CONTENTS_BAG = (
    f"1.2.840.113549.1.12.10.1.{n}" for n in range(1, 7)
)
FRIENDLY_NAME, LOCAL_KEY_ID = "1.2.840.113549.1.9.20", "1.2.840.113549.1.9.21"
PBES2, PBMAC1, PBKDF2, SCRYPT = (
    "1.2.840.113549.1.5.13",
    "1.2.840.113549.1.5.14",
    "1.2.840.113549.1.5.12",
    "1.3.6.1.4.1.11591.4.11",
)
HMAC_SHA256, AES256_CBC, SHA256 = "1.2.840.113549.2.9", "2.16.840.1.101.3.4.1.42", "2.16.840.1.101.3.4.2.1"


def element(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    size = len(content)
    if size < 0x80:
        return bytes([tag, size]) + content
    octets = size.to_bytes((size.bit_length() + 7) // 8, "big")
    return bytes([tag, 0x80 | len(octets)]) + octets + content


def sequence(*contents: bytes) -> bytes:
    return element(0x30, *contents)


def oid(dotted: str) -> bytes:
    return asn1.encode_der(x509.ObjectIdentifier(dotted))


def number(value: int) -> bytes:
    return asn1.encode_der(value)


def octets(content: bytes) -> bytes:
    return element(0x04, content)


def explicit(*contents: bytes) -> bytes:
    return element(0xA0, *contents)


def pbkdf2(salt: bytes, iterations: int, *more: bytes) -> bytes:
    return sequence(oid(PBKDF2), sequence(octets(salt), number(iterations), *more, sequence(oid(HMAC_SHA256), NULL)))


NULL = b"\x05\0"


def encrypted(content: bytes, password: str = PASSWORD, iterations: int = 1) -> tuple[bytes, bytes]:
    """The AlgorithmIdentifier of AES-256-CBC under PBES2, and the ciphertext."""
    salt, iv = os.urandom(8), os.urandom(16)
    padder = PKCS7(128).padder()
    key = hashlib.pbkdf2_hmac("sha256", password.encode(), salt, min(iterations, 10_000), 32)
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    scheme = sequence(oid(AES256_CBC), octets(iv))
    algorithm = sequence(oid(PBES2), sequence(pbkdf2(salt, iterations), scheme))
    return algorithm, encryptor.update(padder.update(content) + padder.finalize()) + encryptor.finalize()


def private_key_info(key: PrivateKeyTypes) -> bytes:
    return key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())


def bag(kind: str, value: bytes, *attributes: bytes) -> bytes:
    return sequence(oid(kind), explicit(value), *([element(0x31, *attributes)] if attributes else []))


def attribute(kind: str, *values: bytes) -> bytes:
    return sequence(oid(kind), element(0x31, *values))


def shrouded_bag(content: bytes, *attributes: bytes, iterations: int = 1) -> bytes:
    algorithm, ciphertext = encrypted(content, iterations=iterations)
    return bag(SHROUDED_KEY_BAG, sequence(algorithm, octets(ciphertext)), *attributes)


def certificate_bag(certificate: x509.Certificate | bytes, *attributes: bytes) -> bytes:
    der = certificate if isinstance(certificate, bytes) else certificate.public_bytes(Encoding.DER)
    return bag(CERT_BAG, sequence(oid("1.2.840.113549.1.9.22.1"), explicit(octets(der))), *attributes)


def open_part(*bags: bytes) -> bytes:
    return sequence(oid(DATA), explicit(octets(sequence(*bags))))


def encrypted_part(*bags: bytes, iterations: int = 1) -> bytes:
    algorithm, ciphertext = encrypted(sequence(*bags), iterations=iterations)
    info = sequence(oid(DATA), algorithm, element(0x80, ciphertext))
    return sequence(oid(ENCRYPTED), explicit(sequence(number(0), info)))


def made(*parts: bytes, password: str = PASSWORD, iterations: int = 1, told: int | None = None) -> bytes:
    """The whole, with a MAC of some iterations; `told` is what the file says that they are."""
    return made_of(sequence(*parts), password=password, iterations=iterations, told=told)


def made_of(authenticated: bytes, *, password: str = PASSWORD, iterations: int = 1, told: int | None = None) -> bytes:
    salt = os.urandom(8)
    digest = hmac.digest(_mac_key(password, salt, iterations), authenticated, "sha256")
    count = iterations if told is None else told
    mac = sequence(
        sequence(sequence(oid(SHA256), NULL), octets(digest)), octets(salt), *([number(count)] if count != 1 else [])
    )
    return sequence(number(3), sequence(oid(DATA), explicit(octets(authenticated))), mac)


def without_mac(*parts: bytes) -> bytes:
    return sequence(number(3), sequence(oid(DATA), explicit(octets(sequence(*parts)))))


def _mac_key(password: str, salt: bytes, iterations: int) -> bytes:
    """RFC 7292, appendix B.2, for a key that is as long as a digest."""
    key = bytes([3]) * 64 + _in_blocks(salt) + _in_blocks((password + "\0").encode("utf-16-be"))
    for _ in range(iterations):
        key = hashlib.sha256(key).digest()
    return key


def _in_blocks(content: bytes) -> bytes:
    size = -(-len(content) // 64) * 64
    return (content * size)[:size]
