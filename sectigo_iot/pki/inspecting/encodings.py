"""What bytes are at first sight, and where a DER value ends."""

from __future__ import annotations

_ZIP = (b"PK\3\4", b"PK\5\6", b"PK\7\10")
"""The signatures that a ZIP begins with: an entry, the end of an empty one, a part of several."""
_VERSION = b"\x02\x01\x03\x30"
_LONG = 0x80


def is_zip(data: bytes) -> bool:
    """Whether bytes begin as a ZIP does; a text may begin with `PK` as well."""
    return data.startswith(_ZIP)


def is_pkcs12(data: bytes) -> bool:
    """Whether bytes begin as a PFX does: a SEQUENCE of the version 3 and another SEQUENCE (RFC 7292, section 4)."""
    return data[:1] == b"\x30" and any(data[start:].startswith(_VERSION) for start in range(2, 7))


def first_value(data: bytes) -> bytes:
    """The first DER value, without what follows it; all of it where it is none.

    In a TRUSTED CERTIFICATE the settings of OpenSSL follow the certificate (openssl-x509(1), Trust Settings).
    """
    length, start = data[1:2], 2
    if length > bytes([_LONG]):
        start += length[0] - _LONG
        length = data[2:start]
    return data[: start + int.from_bytes(length)] if length != bytes([_LONG]) else data
