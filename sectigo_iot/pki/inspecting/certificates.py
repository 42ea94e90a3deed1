"""Certificates, requests and revocation lists, described. What cannot be read of one is told, and is no error."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import NamedTuple, TypeVar

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_iot.pki import request_rules
from sectigo_iot.pki.chain import is_self_signed
from sectigo_iot.pki.inspecting.chains import Chains
from sectigo_iot.pki.inspecting.descriptions import (
    CertificateDescription,
    RequestDescription,
    RevocationListDescription,
    ValidityState,
)
from sectigo_iot.pki.inspecting.naming import (
    common_name,
    key_and_encoding,
    other_names,
    purposes,
    signature_name,
    usages,
)
from sectigo_iot.pki.serial import serial_text

_UNREADABLE = (
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.UnsupportedGeneralNameType,
)
_Value = TypeVar("_Value")
_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def fingerprint_of(holder: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """The SHA-256 of the SubjectPublicKeyInfo in hexadecimal; empty where the key cannot be read."""
    encoding = key_and_encoding(holder)[1]
    return hashlib.sha256(encoding).hexdigest() if encoding else ""


def display_of(holder: x509.Certificate | x509.CertificateSigningRequest) -> str:
    """What to call it: its common name, else its whole subject."""
    return _name(holder).common_name or _name(holder).text


def describe_certificate(
    certificate: x509.Certificate, chains: Chains | None, keys: Mapping[str, str], at: datetime
) -> CertificateDescription:
    """Describe a certificate at the time `at` (aware); with a verdict on its chain, if `chains` are given.

    `keys` lead from the SHA-256 of a public key to where its private key stands.
    """
    der = certificate.public_bytes(Encoding.DER)
    subject, extensions = _name(certificate), _extensions(certificate)
    key = fingerprint_of(certificate)
    chain, issuers = chains.judged(certificate) if chains is not None else (None, ())
    return CertificateDescription(
        subject=subject.text,
        common_name=subject.common_name,
        dns_names=extensions.dns_names,
        other_names=extensions.other_names,
        serial_number=serial_text(certificate.serial_number),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        days_left=(certificate.not_valid_after_utc - at).days,
        validity=_validity(certificate, at),
        key=key_and_encoding(certificate)[0],
        signature_algorithm=signature_name(certificate.signature_algorithm_oid),
        sha256=hashlib.sha256(der).hexdigest(),
        sha1=hashlib.sha1(der, usedforsecurity=False).hexdigest(),
        public_key_sha256=key,
        issuer=_read(lambda: certificate.issuer.rfc4514_string(), ""),
        self_signed=_read(lambda: is_self_signed(certificate), False),
        ca=extensions.ca,
        key_usage=extensions.key_usage,
        extended_key_usage=extensions.extended_key_usage,
        chain=chain,
        private_key=keys.get(key) if key else None,
        faults=(*subject.faults, *extensions.faults, *([] if key else ["the public key cannot be read"])),
        certificate=certificate,
        issuers=issuers,
    )


def describe_request(request: x509.CertificateSigningRequest, keys: Mapping[str, str]) -> RequestDescription:
    """Describe a signing request; `keys` are those of `describe_certificate`."""
    subject, extensions = _name(request), _extensions(request)
    key = fingerprint_of(request)
    faults = _read(lambda: request_rules.faults(request), ["it cannot be read"])
    return RequestDescription(
        subject=subject.text,
        common_name=subject.common_name,
        dns_names=extensions.dns_names,
        other_names=extensions.other_names,
        key=key_and_encoding(request)[0],
        signature_algorithm=signature_name(request.signature_algorithm_oid),
        signature_fits=_read(lambda: request.is_signature_valid, False),
        public_key_sha256=key,
        key_usage=extensions.key_usage,
        extended_key_usage=extensions.extended_key_usage,
        private_key=keys.get(key) if key else None,
        faults=tuple(faults),
    )


def describe_crl(crl: x509.CertificateRevocationList, at: datetime) -> RevocationListDescription:
    """Describe a revocation list at the time `at` (aware)."""
    until = crl.next_update_utc
    return RevocationListDescription(
        issuer=_read(lambda: crl.issuer.rfc4514_string(), ""),
        number=_read(lambda: crl.extensions.get_extension_for_class(x509.CRLNumber).value.crl_number, None),
        this_update=crl.last_update_utc,
        next_update=until,
        stale=until is not None and until < at,
        count=_read(lambda: len(crl), 0),
        signature_algorithm=signature_name(crl.signature_algorithm_oid),
        sha256=hashlib.sha256(crl.public_bytes(Encoding.DER)).hexdigest(),
    )


def _read(read: Callable[[], _Value], otherwise: _Value) -> _Value:
    try:
        return read()
    except (*_UNREADABLE, x509.ExtensionNotFound):
        return otherwise


def _validity(certificate: x509.Certificate, at: datetime) -> ValidityState:
    if at < certificate.not_valid_before_utc:
        return "not yet valid"
    return "expired" if at > certificate.not_valid_after_utc else "valid"


class _Name(NamedTuple):
    text: str = ""
    common_name: str = ""
    faults: tuple[str, ...] = ()


def _name(holder: x509.Certificate | x509.CertificateSigningRequest) -> _Name:
    try:
        subject = holder.subject
        return _Name(subject.rfc4514_string(), common_name(subject))
    except _UNREADABLE:
        return _Name(faults=("the subject cannot be read",))


class _Extensions(NamedTuple):
    dns_names: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    ca: bool = False
    key_usage: tuple[str, ...] = ()
    extended_key_usage: tuple[str, ...] = ()
    faults: tuple[str, ...] = ()


def _extensions(holder: x509.Certificate | x509.CertificateSigningRequest) -> _Extensions:
    try:
        extensions = holder.extensions
    except _UNREADABLE:
        return _Extensions(faults=("the extensions cannot be read",))
    names = _value(extensions, x509.SubjectAlternativeName)
    constraints = _value(extensions, x509.BasicConstraints)
    return _Extensions(
        () if names is None else tuple(names.get_values_for_type(x509.DNSName)),
        other_names(names),
        constraints is not None and constraints.ca,
        usages(_value(extensions, x509.KeyUsage)),
        purposes(_value(extensions, x509.ExtendedKeyUsage)),
    )


def _value(extensions: x509.Extensions, kind: type[_Extension]) -> _Extension | None:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
