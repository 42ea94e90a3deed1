"""Keys from passwords, as PKCS#12 derives them (RFC 7292, appendix B), and the MAC made with one."""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Callable
from itertools import repeat
from typing import NamedTuple

from cryptography.hazmat import asn1

from sectigo_iot.pki.pfx.structure import DigestInfo, MacData, Store, identifier, is_null, read_store

_SALT = 16
"""Octets; RFC 8018, section 4.1, asks for 8 at the least."""
_DIGESTS = {
    "1.3.14.3.2.26": "sha1",
    "2.16.840.1.101.3.4.2.4": "sha224",
    "2.16.840.1.101.3.4.2.1": "sha256",
    "2.16.840.1.101.3.4.2.2": "sha384",
    "2.16.840.1.101.3.4.2.3": "sha512",
}
FOR_ENCRYPTION, FOR_IV, FOR_MAC = 1, 2, 3
"""What a key is derived for (RFC 7292, appendix B.3)."""


class Secret(NamedTuple):
    """A password as PBES2 takes it, and as PKCS#12 itself takes it: a BMPString with two NULs (RFC 7292, B.1)."""

    utf8: bytes
    characters: bytes


def readings(password: str) -> tuple[Secret, ...]:
    """What a password may mean: an empty one is a string of no characters, or no string at all, as in OpenSSL."""
    whole = Secret(password.encode(), (password + "\0").encode("utf-16-be"))
    return (whole,) if password else (Secret(b"", b""), whole)


def verified_secret(store: Store, password: str) -> Secret | None:
    """The reading of the password that the MAC holds under; None if it holds under none, or cannot be made here."""
    mac = store.mac
    digest = None if mac is None else _digest_name(mac.mac.algorithm)
    if mac is None or digest is None:
        return None
    for secret in readings(password):
        made = _mac(digest, store.authenticated, secret, mac.salt, mac.iterations or 1)
        if hmac.compare_digest(made, mac.mac.digest):
            return secret
    return None


def with_longer_mac(data: bytes, password: str, iterations: int) -> bytes:
    """A PKCS#12 in DER with its MAC made anew, by the same digest, with as many iterations and a salt of its own.

    Raises ValueError when it has none, or one that cannot be made here.
    """
    store = read_store(data)
    digest = None if store.mac is None else _digest_name(store.mac.mac.algorithm)
    if store.mac is None or digest is None:
        raise ValueError("no MAC of PKCS#12's own kind")
    salt = os.urandom(_SALT)
    made = _mac(digest, store.authenticated, readings(password)[-1], salt, iterations)
    info = DigestInfo(algorithm=store.mac.mac.algorithm, digest=made)
    return store.with_mac(MacData(mac=info, salt=salt, iterations=iterations))


def _mac(digest: str, content: bytes, secret: Secret, salt: bytes, iterations: int) -> bytes:
    key = derive(digest, secret.characters, salt, FOR_MAC, iterations, hashlib.new(digest).digest_size)
    return hmac.digest(key, content, digest)


def _digest_name(algorithm: list[asn1.TLV]) -> str | None:
    return _DIGESTS.get(identifier(algorithm[0])) if algorithm and is_null(algorithm[1:]) else None


def derive(digest: str, characters: bytes, salt: bytes, purpose: int, iterations: int, length: int) -> bytes:
    """A key of `length` octets (RFC 7292, appendix B.2). `digest` is a name that `hashlib` knows."""
    maker: Callable[..., hashlib._Hash] = getattr(hashlib, digest)
    block = maker().block_size
    content = _in_blocks(salt, block) + _in_blocks(characters, block)
    found = b""
    while True:
        piece = bytes([purpose]) * block + content
        for _ in repeat(None, iterations):
            piece = maker(piece).digest()
        found += piece
        if len(found) >= length:
            return found[:length]
        content = _advanced(content, piece, block)


def _in_blocks(content: bytes, block: int) -> bytes:
    """Content repeated up to the end of its last block."""
    length = -(-len(content) // block) * block
    return (content * (length // max(len(content), 1) + 1))[:length]


def _advanced(content: bytes, piece: bytes, block: int) -> bytes:
    """Each block of the content plus the piece, repeated to a block, plus one (step 6 C)."""
    addend = int.from_bytes((piece * block)[:block], "big") + 1
    numbers = (int.from_bytes(content[at : at + block], "big") for at in range(0, len(content), block))
    return b"".join(((number + addend) % (1 << 8 * block)).to_bytes(block, "big") for number in numbers)
