"""The MAC of a PKCS#12 made anew with one iteration, as the live service has it: `cryptography` cannot be told so."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterator

_SEQUENCE, _OCTETS = 0x30, 0x04
_SHA1 = bytes.fromhex("300906052b0e03021a0500")
"""The AlgorithmIdentifier in DER."""
_BLOCK = 64
"""Bytes that SHA-1 takes at a time."""
_FOR_A_MAC = 3
"""What a key is derived for (RFC 7292, B.3)."""


def with_one_iteration(pkcs12: bytes, password: str) -> bytes:
    """Return a PKCS#12 in DER, whose content is under no signature, with an HMAC-SHA1 of one iteration.

    One is what MacData has by default, and so DER leaves the number out.
    """
    version, auth_safe, _ = _elements(_value(pkcs12))
    _, explicit = _elements(_value(auth_safe))
    salt = secrets.token_bytes(8)
    digest = hmac.digest(_key(password, salt), _value(_value(explicit)), "sha1")
    info = _element(_SEQUENCE, _SHA1 + _element(_OCTETS, digest))
    return _element(_SEQUENCE, version + auth_safe + _element(_SEQUENCE, info + _element(_OCTETS, salt)))


def _key(password: str, salt: bytes) -> bytes:
    """Return the key of RFC 7292, B.2, whose loops fall away: a digest is as long as the key, and iterated once."""
    characters = (password + "\0").encode("utf-16-be")
    content = bytes([_FOR_A_MAC]) * _BLOCK + _in_blocks(salt) + _in_blocks(characters)
    return hashlib.sha1(content, usedforsecurity=False).digest()


def _in_blocks(content: bytes) -> bytes:
    """Return content repeated up to the end of its last block."""
    length = -(-len(content) // _BLOCK) * _BLOCK
    return (content * length)[:length]


def _element(tag: int, value: bytes) -> bytes:
    length = len(value)
    if length < 0x80:
        return bytes([tag, length]) + value
    size = (length.bit_length() + 7) // 8
    return bytes([tag, 0x80 | size]) + length.to_bytes(size, "big") + value


def _value(element: bytes) -> bytes:
    start, end = _bounds(element, 0)
    return element[start:end]


def _elements(value: bytes) -> Iterator[bytes]:
    at = 0
    while at < len(value):
        _, end = _bounds(value, at)
        yield value[at:end]
        at = end


def _bounds(content: bytes, at: int) -> tuple[int, int]:
    """Return where the value of the element at some place begins and ends, its tag being of one byte."""
    first, start = content[at + 1], at + 2
    if first < 0x80:
        return start, start + first
    size = first & 0x7F
    return start + size, start + size + int.from_bytes(content[start : start + size], "big")
