"""What a PKCS#12 consists of (RFC 7292, section 4), read without a password and without computing anything.

It is read by `cryptography`'s ASN.1, which takes DER alone; BER is put into DER first, and that is noted.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar, cast

from cryptography import x509
from cryptography.hazmat import asn1

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.pfx.ber import header, to_der

_Kind = TypeVar("_Kind")
DATA = "1.2.840.113549.1.7.1"
ENCRYPTED_DATA = "1.2.840.113549.1.7.6"
KEY_BAG = "1.2.840.113549.1.12.10.1.1"
SHROUDED_KEY_BAG = "1.2.840.113549.1.12.10.1.2"
SAFE_CONTENTS_BAG = "1.2.840.113549.1.12.10.1.6"
_OCTET_STRING, _SEQUENCE, _EXPLICIT = 0x04, 0x30, 0xA0
_VERSION = b"\x02\x01\x03"
"""The INTEGER 3, as PFX has it."""
_NULL = b"\x05"
_DEEPEST = 8
"""How deep bags may lie in bags."""


@asn1.sequence
class ContentInfo:
    """ContentInfo of PKCS#7: a type, and what it calls for."""

    kind: x509.ObjectIdentifier
    content: Annotated[asn1.TLV, asn1.Explicit(0)]


@asn1.sequence
class DigestInfo:
    """An algorithm, which is an OBJECT IDENTIFIER and most often NULL, and a value."""

    algorithm: list[asn1.TLV]
    digest: bytes


@asn1.sequence
class MacData:
    """MacData; without a number, one iteration is meant."""

    mac: DigestInfo
    salt: bytes
    iterations: int | None


@asn1.sequence
class PFX:
    """The outermost structure."""

    version: int
    auth_safe: ContentInfo
    mac_data: MacData | None


@asn1.sequence
class _EncryptedContentInfo:
    kind: x509.ObjectIdentifier
    algorithm: list[asn1.TLV]
    content: asn1.TLV


@asn1.sequence
class _EncryptedData:
    version: int
    info: _EncryptedContentInfo


@asn1.sequence
class EncryptedPrivateKeyInfo:
    """EncryptedPrivateKeyInfo (RFC 5958, section 3)."""

    algorithm: list[asn1.TLV]
    content: bytes


@asn1.sequence
class _Contents:
    items: list[ContentInfo]


@asn1.sequence
class _Bags:
    items: list[list[asn1.TLV]]


@dataclass(frozen=True, slots=True)
class Bag:
    """A SafeBag: its type, its value in DER, and its elements: type, value, and attributes if there are any."""

    kind: str
    value: bytes
    elements: list[asn1.TLV]


@dataclass(frozen=True, slots=True)
class Part:
    """One ContentInfo of the AuthenticatedSafe: bags that lie open, or the algorithm that they are encrypted by."""

    info: ContentInfo
    bags: tuple[Bag, ...] = ()
    algorithm: list[asn1.TLV] | None = None


@dataclass(frozen=True, slots=True)
class Store:
    """A PKCS#12: what the MAC is over, the MAC, the parts, and whether all that was read was DER."""

    outer: PFX
    authenticated: bytes
    parts: tuple[Part, ...]
    is_der: bool

    @property
    def mac(self) -> MacData | None:
        """The MAC, if there is one."""
        return self.outer.mac_data

    def der(self) -> bytes:
        """The file in DER; what stands in its octet strings, which the MAC is over, is as it was."""
        mac = () if self.mac is None else (_mac_data(self.mac),)
        return in_sequence(asn1.encode_der(self.outer.version), _content_info(self.outer.auth_safe), *mac)

    def with_mac(self, mac: MacData) -> bytes:
        """The file in DER with another MAC."""
        return in_sequence(asn1.encode_der(self.outer.version), _content_info(self.outer.auth_safe), _mac_data(mac))


def read_store(data: bytes) -> Store:
    """The structure of a PKCS#12. Raises `BundleError` when it cannot be read."""
    try:
        return _store(data, bytes, is_der=True)
    except ValueError:
        pass
    try:
        return _store(to_der(data), to_der, is_der=False)
    except ValueError:
        raise BundleError("the PKCS#12 is damaged, or it is none") from None


def parse(element: asn1.TLV, kind: type[_Kind]) -> _Kind:
    """An element as a type of ASN.1. Raises ValueError when it is none."""
    return cast(_Kind, element.parse(kind))


def identifier(element: asn1.TLV) -> str:
    """An OBJECT IDENTIFIER in dots. Raises ValueError when the element is none."""
    return parse(element, x509.ObjectIdentifier).dotted_string


def is_null(parameters: Sequence[asn1.TLV]) -> bool:
    """Whether the parameters of an algorithm are NULL or absent."""
    return not parameters or (len(parameters) == 1 and parameters[0].tag_bytes == _NULL and not parameters[0].data)


def flattened(bags: Iterable[Bag], depth: int = 0) -> Iterator[Bag]:
    """The bags, and those in them. Raises ValueError when they are nested too deep."""
    if depth > _DEEPEST:
        raise ValueError("the bags are nested too deep")
    for bag in bags:
        yield bag
        if bag.kind == SAFE_CONTENTS_BAG:
            yield from flattened(_bags(bag.value), depth + 1)


def without_mac(parts: Iterable[ContentInfo | list[Bag]]) -> bytes:
    """A PKCS#12 in DER, without a MAC, of parts as they are, and of parts made of open bags."""
    contents = (_open_part(one) if isinstance(one, list) else _content_info(one) for one in parts)
    return in_sequence(_VERSION, _data(in_sequence(*contents)))


def in_sequence(*contents: bytes) -> bytes:
    """A SEQUENCE of these contents, in DER."""
    return _element(_SEQUENCE, *contents)


def _store(data: bytes, clean: Callable[[bytes], bytes], *, is_der: bool) -> Store:
    outer = asn1.decode_der(PFX, data)
    if outer.auth_safe.kind.dotted_string != DATA:
        raise ValueError("the authSafe is under a signature")
    authenticated = parse(outer.auth_safe.content, bytes)
    contents = asn1.decode_der(_Contents, in_sequence(clean(authenticated)))
    return Store(outer, authenticated, tuple(_part(info, clean) for info in contents.items), is_der)


def _part(info: ContentInfo, clean: Callable[[bytes], bytes]) -> Part:
    kind = info.kind.dotted_string
    if kind == DATA:
        return Part(info, _bags(clean(parse(info.content, bytes))))
    if kind == ENCRYPTED_DATA:
        return Part(info, (), parse(info.content, _EncryptedData).info.algorithm)
    # Neither OpenSSL nor this library looks into any other.
    return Part(info)


def _bags(safe_contents: bytes) -> tuple[Bag, ...]:
    return tuple(map(_bag, asn1.decode_der(_Bags, in_sequence(safe_contents)).items))


def _bag(elements: list[asn1.TLV]) -> Bag:
    if len(elements) not in (2, 3) or elements[1].tag_bytes != bytes([_EXPLICIT]):
        raise ValueError("no SafeBag")
    return Bag(identifier(elements[0]), bytes(elements[1].data), elements)


def _open_part(bags: list[Bag]) -> bytes:
    return _data(in_sequence(*(_sequence_of(bag.elements) for bag in bags)))


def _data(content: bytes) -> bytes:
    """A ContentInfo of the type data."""
    kind = asn1.encode_der(x509.ObjectIdentifier(DATA))
    return in_sequence(kind, _element(_EXPLICIT, _element(_OCTET_STRING, content)))


def _content_info(info: ContentInfo) -> bytes:
    return in_sequence(asn1.encode_der(info.kind), _element(_EXPLICIT, _whole(info.content)))


def _mac_data(mac: MacData) -> bytes:
    info = in_sequence(_sequence_of(mac.mac.algorithm), _element(_OCTET_STRING, mac.mac.digest))
    # DER leaves out the one iteration that is meant without it, and some writers do not.
    count = b"" if mac.iterations in (None, 1) else asn1.encode_der(mac.iterations)
    return in_sequence(info, _element(_OCTET_STRING, mac.salt), count)


def _sequence_of(elements: Iterable[asn1.TLV]) -> bytes:
    return in_sequence(*map(_whole, elements))


def _whole(element: asn1.TLV) -> bytes:
    """An element as it stands; `cryptography` 49 writes none that it has not read as a type."""
    return element.tag_bytes + header(0, len(element.data))[1:] + bytes(element.data)


def _element(tag: int, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return header(tag, len(content)) + content
