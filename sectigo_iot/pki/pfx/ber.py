"""BER made DER, as far as a PKCS#12 has need of it: definite lengths, and strings in one piece (X.690, 8.1.3, 8.7).

`cryptography.hazmat.asn1` reads DER alone. What is read here is never decrypted or loaded: it tells how many
iterations a file asks for, before OpenSSL, which reads BER, is given it.
"""

from __future__ import annotations

_DEEPEST = 30
"""How deep elements may be nested, as in OpenSSL (ASN1_MAX_CONSTRUCTED_NEST)."""
_CONSTRUCTED = 0x20
_OCTET_STRING = 0x04


def to_der(content: bytes) -> bytes:
    """The first element of `content` with definite, shortest lengths and its octet strings in one piece.

    What follows it is left out, as by OpenSSL. Raises ValueError when it is cut short, nested too deep, or has tags
    of more than one octet.
    """
    return _element(content, 0, 0)[0]


def header(tag: int, length: int) -> bytes:
    """The identifier octet and the length octets, in DER."""
    if length < 0x80:
        return bytes((tag, length))
    size = (length.bit_length() + 7) // 8
    return bytes((tag, 0x80 | size)) + length.to_bytes(size, "big")


def _element(content: bytes, at: int, depth: int) -> tuple[bytes, int]:
    """One element in DER, and where it ends in `content`."""
    tag, length, start = _opening(content, at)
    if not tag & _CONSTRUCTED:
        return _primitive(content, tag, length, start)
    inner, end = _inner(content, start, length, depth + 1)
    if tag == _OCTET_STRING | _CONSTRUCTED:
        tag, inner = _OCTET_STRING, [_octets(piece) for piece in inner]
    joined = b"".join(inner)
    return header(tag, len(joined)) + joined, end


def _primitive(content: bytes, tag: int, length: int | None, start: int) -> tuple[bytes, int]:
    if length is None:
        raise ValueError("a primitive element of indefinite length")
    end = start + length
    return header(tag, length) + content[start:end], end


def _opening(content: bytes, at: int) -> tuple[int, int | None, int]:
    """The tag, the length (None: indefinite), and where the contents begin."""
    if len(content) < at + 2 or content[at] & 0x1F == 0x1F:
        raise ValueError("no element that a PKCS#12 can have")
    tag, first, start = content[at], content[at + 1], at + 2
    if first == 0x80:
        return tag, None, start
    octets = first & 0x7F if first & 0x80 else 0
    length = int.from_bytes(content[start : start + octets], "big") if octets else first
    if len(content) < start + octets + length:
        raise ValueError("an element is cut short")
    return tag, length, start + octets


def _inner(content: bytes, at: int, length: int | None, depth: int) -> tuple[list[bytes], int]:
    """The elements of a constructed one, each in DER, and where it ends."""
    if depth > _DEEPEST:
        raise ValueError("the elements are nested too deep")
    found: list[bytes] = []
    end = None if length is None else at + length
    while at != end:
        if end is None and content[at : at + 2] == b"\0\0":
            return found, at + 2
        if end is not None and at > end:
            raise ValueError("an element is longer than the one around it")
        element, at = _element(content, at, depth)
        found.append(element)
    return found, at


def _octets(element: bytes) -> bytes:
    """The contents of an octet string in DER."""
    tag, _, start = _opening(element, 0)
    if tag != _OCTET_STRING:
        raise ValueError("an octet string made of something else")
    return element[start:]
