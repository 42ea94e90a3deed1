"""Telling what bytes are: PEM, DER, PKCS#7, PKCS#12 or a ZIP of these, and taking out what is in them."""

from __future__ import annotations

import codecs
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import load_der_public_key, pkcs7

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.bundle import read_entries
from sectigo_iot.pki.inspecting.descriptions import KeyDescription, OtherDescription, PKCS12Description
from sectigo_iot.pki.inspecting.encodings import first_value, is_pkcs12, is_zip
from sectigo_iot.pki.inspecting.keys import PRIVATE_KEY, read_der_key, read_pem_key, told_public
from sectigo_iot.pki.inspecting.pkcs12_contents import read_pkcs12
from sectigo_iot.pki.pem import Block, read_blocks

_CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
_REQUESTS = ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST")
_PKCS7 = ("PKCS7", "CMS")
_LISTS = ("X509 CRL", "CRL")
_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
_MOST_BLOCKS = 100_000
"""Blocks of a file that are read, as many as entries of a ZIP."""
_MOST_FAULTS = 100
# pkcs7-signedData, as it stands in DER.
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_UNREADABLE = (ValueError, TypeError, UnsupportedAlgorithm, x509.InvalidVersion)
_Thing = TypeVar("_Thing")

Found = (
    x509.Certificate
    | x509.CertificateSigningRequest
    | x509.CertificateRevocationList
    | KeyDescription
    | PKCS12Description
    | OtherDescription
)


@dataclass(slots=True)
class Reading:
    """What was read of one file: its form, what it holds, what cannot be read, and the entries of a ZIP."""

    source: str
    form: str = ""
    found: list[Found] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)
    entries: list[Reading] = field(default_factory=list)

    def everything(self) -> Iterable[Reading]:
        """Yield this reading, and those of its entries."""
        yield self
        for entry in self.entries:
            yield from entry.everything()


def read(data: bytes, source: str, password: str | None, *, within: bool = False) -> Reading:
    """Read one file, or `within` a ZIP one entry; what is wrong with it stands in `faults`."""
    if is_zip(data):
        return (
            Reading(source, "ZIP", faults=["it is a ZIP, and is not opened"])
            if within
            else _zip(data, source, password)
        )
    reading = _der(data, source, password) if data[:1] == b"\x30" else None
    if reading is None:
        reading = _pem(data, source, password)
    _leave_out_timeless(reading)
    if not (reading.found or reading.faults):
        reading.faults.append(_why_nothing(data))
    return reading


def _leave_out_timeless(reading: Reading) -> None:
    """Leave out what is of a year that Python has no date for, such as 0."""
    kept = [thing for thing in reading.found if _has_times(thing)]
    if len(kept) < len(reading.found):
        reading.faults.append("a certificate or a CRL in it has dates that cannot be read")
    reading.found = kept


def _has_times(thing: Found) -> bool:
    try:
        if isinstance(thing, x509.Certificate):
            return bool(thing.not_valid_before_utc and thing.not_valid_after_utc)
        return not isinstance(thing, x509.CertificateRevocationList) or bool(
            (thing.last_update_utc, thing.next_update_utc)
        )
    except ValueError:
        return False


def _zip(data: bytes, source: str, password: str | None) -> Reading:
    reading = Reading(source, "ZIP")
    try:
        entries = read_entries(data)
    except BundleError as error:
        reading.faults.append(error.message)
        return reading
    reading.entries += [read(content, f"{source}/{name}", password, within=True) for name, content in entries.items()]
    return reading


def _why_nothing(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data[:1] == b"\x30":
        return "it is damaged, or DER of a kind that is not known here"
    if data.startswith(b"\xfe\xed\xfe\xed"):
        return (
            "it is a Java keystore of the old form: `keytool -importkeystore -deststoretype pkcs12` makes a PKCS#12"
        )
    return "it is neither PEM, DER nor a ZIP"


def _der(data: bytes, source: str, password: str | None) -> Reading | None:
    """What one DER value is; None where it is nothing that is known."""
    if is_pkcs12(data):
        reading = Reading(source, "PKCS#12")
        reading.found += read_pkcs12(data, password)
        return reading
    if _SIGNED_DATA in data[:40]:
        certificates = _attempt(pkcs7.load_der_pkcs7_certificates, data)
        return None if certificates is None else Reading(source, "PKCS#7", [*certificates])
    readers: tuple[Callable[[bytes], Found | None], ...] = (
        lambda der: _attempt(x509.load_der_x509_certificate, der),
        lambda der: _attempt(x509.load_der_x509_csr, der),
        lambda der: _attempt(x509.load_der_x509_crl, der),
        lambda der: read_der_key(der, password),
        _public_der,
    )
    found = next((thing for reader in readers if (thing := reader(data)) is not None), None)
    return None if found is None else Reading(source, "DER", [found])


def _attempt(load: Callable[[bytes], _Thing], data: bytes) -> _Thing | None:
    try:
        return load(data)
    except _UNREADABLE:
        return None


def _public_der(data: bytes) -> KeyDescription | None:
    key = _attempt(load_der_public_key, data)
    return None if key is None else told_public(key)


def _pem(data: bytes, source: str, password: str | None) -> Reading:
    reading = Reading(source)
    # To look for lines in what has none takes long, if it is large.
    blocks = read_blocks(data) if b"-----" in data or data.startswith(_UTF16) else []
    if blocks:
        reading.form = "PEM"
    for block in blocks[:_MOST_BLOCKS]:
        if block.fault is not None:
            reading.faults.append(block.fault)
        else:
            _read_block(reading, block, password)
    _shorten(reading, len(blocks))
    return reading


def _shorten(reading: Reading, blocks: int) -> None:
    """Leave out what nobody reads: a file may consist of faults, millions of them."""
    if len(reading.faults) > _MOST_FAULTS:
        reading.faults[_MOST_FAULTS:] = [f"{len(reading.faults) - _MOST_FAULTS} more blocks cannot be read"]
    if blocks > _MOST_BLOCKS:
        reading.faults.append(f"it holds {blocks} blocks, and what follows the first {_MOST_BLOCKS} is not read")


def _read_block(reading: Reading, block: Block, password: str | None) -> None:
    if block.is_private_key and block.label in PRIVATE_KEY:
        reading.found.append(read_pem_key(block, password))
        return
    load = _LOADERS.get(block.label)
    if load is None:
        reading.found.append(OtherDescription(block.label))
        return
    der = block.der()
    found = None if der is None else _attempt(load, der)
    if found is None:
        why = "not base64" if der is None else "damaged"
        reading.faults.append(f"the block that begins on line {block.line} as {block.label} is {why}")
    else:
        reading.found += found


def _public(der: bytes) -> list[Found]:
    return [told_public(load_der_public_key(der))]


_LOADERS: dict[str, Callable[[bytes], Sequence[Found]]] = {
    **dict.fromkeys(_CERTIFICATES, lambda der: [x509.load_der_x509_certificate(der)]),
    "TRUSTED CERTIFICATE": lambda der: [x509.load_der_x509_certificate(first_value(der))],
    **dict.fromkeys(_REQUESTS, lambda der: [x509.load_der_x509_csr(der)]),
    **dict.fromkeys(_LISTS, lambda der: [x509.load_der_x509_crl(der)]),
    **dict.fromkeys(_PKCS7, pkcs7.load_der_pkcs7_certificates),
    "PUBLIC KEY": _public,
}
