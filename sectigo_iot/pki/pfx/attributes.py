"""The attributes that are usual on a bag with a private key; what OpenSSL refuses in others is not known here."""

from __future__ import annotations

from collections.abc import Sequence

from cryptography import x509
from cryptography.hazmat import asn1

from sectigo_iot.pki.pfx.structure import in_sequence

_OCTET_STRING, _BMP_STRING, _SET = b"\x04", b"\x1e", b"\x31"
_TYPES = {
    "1.2.840.113549.1.9.20": _BMP_STRING,  # friendlyName
    "1.2.840.113549.1.9.21": _OCTET_STRING,  # localKeyId
    "1.3.6.1.4.1.311.17.1": _BMP_STRING,  # the name of Microsoft's cryptographic provider
}


@asn1.sequence
class _Attribute:
    kind: x509.ObjectIdentifier
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _Attributes:
    items: list[_Attribute]


def are_usual(elements: Sequence[asn1.TLV]) -> bool:
    """Whether what follows the value of a bag is nothing, or attributes of the usual kinds with one value each.

    Raises ValueError when it is something else.
    """
    if not elements:
        return True
    (attributes,) = elements
    wrapped = in_sequence(in_sequence(bytes(attributes.data)))
    return attributes.tag_bytes == _SET and all(map(_is_usual, asn1.decode_der(_Attributes, wrapped).items))


def _is_usual(attribute: _Attribute) -> bool:
    (value,) = attribute.values.as_list()
    expected = _TYPES.get(attribute.kind.dotted_string)
    return value.tag_bytes == expected and (expected != _BMP_STRING or len(value.data) % 2 == 0)
