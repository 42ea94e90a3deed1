"""One piece of the work, for a process of its own: certificates opened, proven, and their files written aside."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from cryptography import x509

from sectigo_iot.errors import BundleError, InvalidInputError
from sectigo_iot.pki.certificates import (
    IssuedCertificate,
    certificates_in,
    from_certificates,
    from_pkcs12,
    is_pkcs12,
)
from sectigo_iot.pki.installing.staging import Staged, stage_files
from sectigo_iot.pki.unpacking.forms import Format, der_files, p12_file, pem_files
from sectigo_iot.pki.unpacking.keys import FittingKey, fingerprint_of, proven_key
from sectigo_iot.pki.unpacking.names import folder_name
from sectigo_iot.pki.unpacking.proving import prove


@dataclass(frozen=True, slots=True)
class Order:
    """What holds for all entries. `authorities` are CA certificates as DER, `roots` trusted roots as PEM."""

    staging_root: Path
    form: Format
    at: datetime | None
    password: str | None = field(repr=False)
    roots: bytes | None
    authorities: tuple[bytes, ...]
    modernize: bool
    allow_incomplete: bool


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry, and by the public key the private keys that fit certificates in it."""

    name: str
    content: bytes = field(repr=False)
    keys: Mapping[bytes, FittingKey]


@dataclass(frozen=True, slots=True)
class Made:
    """The files of one certificate, written but not in place, and what is told of it.

    `key_source` names the file that its key stands in, and is empty for a PKCS#12's own, None where there is no key.
    """

    staged: Staged
    entry: str
    common_name: str
    dns_names: tuple[str, ...]
    serial_number: str
    not_before: datetime
    not_after: datetime
    key_source: str | None
    out_of_date: tuple[str, ...]
    incomplete: bool


def stage_entries(order: Order, entries: Sequence[Entry]) -> list[Made]:
    """Open, prove and write aside every certificate of some entries. Raises `BundleError` that names the entry."""
    authorities = [x509.load_der_x509_certificate(der) for der in order.authorities]
    roots = [] if order.roots is None else x509.load_pem_x509_certificates(order.roots)
    known = [*authorities, *roots]
    return [_stage(order, entry, issued, roots) for entry in entries for issued in _issued_in(order, entry, known)]


def _issued_in(order: Order, entry: Entry, known: Sequence[x509.Certificate]) -> Iterator[IssuedCertificate]:
    if is_pkcs12(entry.name):
        yield from_pkcs12(entry.name, entry.content, order.password, known, order.at)
    else:
        yield from from_certificates(entry.name, certificates_in(entry.name, entry.content), known, order.at)


def _stage(order: Order, entry: Entry, issued: IssuedCertificate, roots: Sequence[x509.Certificate]) -> Made:
    try:
        name = folder_name(issued)
        issued, source = _with_key(entry, issued)
        proof = prove(issued, roots, order.at or datetime.now(UTC), allow_incomplete=order.allow_incomplete)
        files = _files(order, entry, name, issued)
    except BundleError as fault:
        raise BundleError(f"{entry.name}: {fault.message}", hint=fault.hint) from None
    try:
        staged = stage_files(order.staging_root, name, files)
    except InvalidInputError:
        raise BundleError(f"{entry.name}: another entry leads to the name {name} as well") from None
    return Made(
        staged,
        entry.name,
        issued.common_name,
        issued.dns_names,
        issued.serial_number,
        issued.not_before,
        issued.not_after,
        source,
        *proof,
    )


def _with_key(entry: Entry, issued: IssuedCertificate) -> tuple[IssuedCertificate, str | None]:
    if issued.private_key is not None:
        return issued, ""
    key = entry.keys.get(fingerprint_of(issued.leaf))
    if key is None:
        return issued, None
    return replace(issued, private_key=proven_key(key.der, issued.leaf)), key.source


def _files(order: Order, entry: Entry, name: str, issued: IssuedCertificate) -> Mapping[str, bytes]:
    if order.form == "pem":
        return pem_files(issued)
    if order.form == "der":
        return der_files(issued)
    store = entry.content if is_pkcs12(entry.name) else None
    return {f"{name}.p12": p12_file(issued, store, order.password, modernize=order.modernize)}
