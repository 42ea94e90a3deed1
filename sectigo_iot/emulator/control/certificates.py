"""Certificates: what is in them, how they stand, their revocation. A private key is never among it."""

from __future__ import annotations

import functools
import itertools
import re
from datetime import datetime
from typing import Literal, NamedTuple

from cryptography import x509
from msgspec import Struct
from starlette.responses import Response

from sectigo_iot.emulator.ca.authority import pem
from sectigo_iot.emulator.control.accounts import organization_name
from sectigo_iot.emulator.control.asking import Asked, Limit, iso, iso_or_none, missing
from sectigo_iot.emulator.control.revoking import revoke_one
from sectigo_iot.emulator.exchange.replies import binary_reply
from sectigo_iot.emulator.memory.entities import Certificate
from sectigo_iot.emulator.service import Service
from sectigo_iot.reasons import CRLReason

_SERIAL = re.compile(r"[0-9A-Fa-f]{1,40}")

Standing = Literal["good", "revoked", "on hold", "expired"]


class CertificateState(Struct, frozen=True, kw_only=True, rename="camel"):
    """One certificate. The serial number is in hexadecimal, the subject as RFC 4514 writes it."""

    serial: str
    common_name: str
    subject: str
    names: list[str]
    not_before: str
    not_after: str
    status: Standing
    reason: str | None
    revoked_at: str | None
    batch: int
    organization: str


class WholeCertificate(CertificateState, frozen=True, kw_only=True, rename="camel"):
    """One certificate, and itself in PEM."""

    pem: str


class CertificateQuery(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, rename="camel"):
    """Which certificates are listed, and how many at the most. The common name is meant in any case."""

    batch: int | None = None
    common_name: str | None = None
    limit: Limit = 100


class Content(NamedTuple):
    """What is read out of a certificate."""

    subject: str
    names: tuple[str, ...]
    start: datetime
    end: datetime


async def certificates(asked: Asked) -> list[CertificateState]:
    """The certificates, the newest first."""
    query, registry = asked.query, asked.service.state.registry
    if query.common_name is not None:
        found = registry.named(query.common_name)
    else:
        found = registry.all() if query.batch is None else registry.of_batch(query.batch)
    wanted = (each for each in reversed(found) if query.batch in (None, each.batch_id))
    return [_state(asked.service, each) for each in itertools.islice(wanted, query.limit)]


async def certificate(asked: Asked) -> WholeCertificate:
    """One certificate."""
    return _whole(asked.service, _found(asked))


async def certificate_pem(asked: Asked) -> Response:
    """One certificate in PEM, to be saved."""
    found = _found(asked)
    return binary_reply(_pem(found), "application/x-pem-file", f"{found.serial:X}.pem")


async def revoke(asked: Asked) -> WholeCertificate:
    """Revoke a certificate, or lift its hold."""
    revoke_one(asked.service.state, _found(asked).serial, asked.body.code)
    return _whole(asked.service, _found(asked))


@functools.lru_cache(maxsize=2000)
def content_of(der: bytes) -> Content:
    """Return what stands in a certificate."""
    read = x509.load_der_x509_certificate(der)
    try:
        named = read.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = tuple(map(str, named.get_values_for_type(x509.DNSName)))
    except x509.ExtensionNotFound:
        names = ()
    return Content(read.subject.rfc4514_string(), names, read.not_valid_before_utc, read.not_valid_after_utc)


def _found(asked: Asked) -> Certificate:
    text = asked.word("serial")
    found = asked.service.state.registry.certificate(int(text, 16)) if _SERIAL.fullmatch(text) else None
    if found is None:
        raise missing("certificate with the serial number", text)
    return found


def _standing(certificate: Certificate, end: datetime, now: float) -> Standing:
    if certificate.revoked is not None:
        return "on hold" if certificate.reason is CRLReason.certificateHold else "revoked"
    return "expired" if end.timestamp() < now else "good"


def _state(service: Service, certificate: Certificate) -> CertificateState:
    content = content_of(certificate.der)
    return CertificateState(
        serial=f"{certificate.serial:X}",
        common_name=certificate.common_name,
        subject=content.subject,
        names=list(content.names),
        not_before=iso(content.start.timestamp()),
        not_after=iso(content.end.timestamp()),
        status=_standing(certificate, content.end, service.now),
        reason=None if certificate.reason is None else certificate.reason.name,
        revoked_at=iso_or_none(certificate.revoked),
        batch=certificate.batch_id,
        organization=organization_name(service, certificate.organization_id),
    )


def _whole(service: Service, certificate: Certificate) -> WholeCertificate:
    state = _state(service, certificate)
    fields = {name: getattr(state, name) for name in state.__struct_fields__}
    return WholeCertificate(**fields, pem=_pem(certificate).decode())


def _pem(certificate: Certificate) -> bytes:
    return pem(x509.load_der_x509_certificate(certificate.der))
