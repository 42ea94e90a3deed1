"""The calls about single certificates: find and revoke."""

from __future__ import annotations

import re
from typing import Any

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import integer_in, read_object, text_in
from sectigo_iot.emulator.exchange.paths import path_id
from sectigo_iot.emulator.exchange.replies import RefusalError, json_reply
from sectigo_iot.emulator.exchange.visit import Handler, Visit
from sectigo_iot.emulator.memory.entities import Certificate
from sectigo_iot.emulator.memory.registry import AlreadyRevokedError, NotOnHoldError
from sectigo_iot.emulator.routes import documents
from sectigo_iot.reasons import CRLReason

_SERIAL = re.compile(r"[0-9A-Fa-f]{1,40}")
_UPPER_SERIAL = re.compile(r"[0-9A-F]{1,40}")


async def find(visit: Visit) -> Response:
    """The organization's certificates with this name and this serial number, where both are given."""
    document = await read_object(visit.request)
    name = text_in(document, "commonName", "") or None
    serial_text = text_in(document, "serialNumber", "")
    if name is None and not serial_text:
        raise RefusalError(400, "commonName or serialNumber is required")
    found = _found(visit, name, _serial(serial_text) if serial_text else None)
    items = [_document(visit, each) for each in found]
    return json_reply({"totalCount": len(items), "items": items[: visit.service.settings.find_limit]})


async def revoke(visit: Visit) -> Response:
    """Revoke a certificate of the profile in the path."""
    document = await read_object(visit.request)
    reason = _reason(document)
    text = text_in(document, "serialNumber")
    if not _UPPER_SERIAL.fullmatch(text):
        raise RefusalError(400, "serialNumber: up to 40 hexadecimal digits in upper case are required")
    state, serial = visit.service.state, int(text, 16)
    certificate = state.registry.certificate(serial)
    if certificate is None or not _is_own(visit, certificate) or certificate.profile_id != path_id(visit.request):
        raise RefusalError(404, "the profile has no certificate with this serial number")
    visit.batch_id = certificate.batch_id
    try:
        state.revoke(serial, reason)
    except AlreadyRevokedError:
        raise RefusalError(400, "the certificate is already revoked") from None
    except NotOnHoldError:
        held = certificate.reason is CRLReason.certificateHold
        why = "is on none" if not held else "is on one that is for ever"
        raise RefusalError(400, f"reasonCode: removeFromCRL lifts a hold, and the certificate {why}") from None
    return json_reply({"success": True})


def _found(visit: Visit, name: str | None, serial: int | None) -> list[Certificate]:
    """Return what matches, oldest first."""
    settings, registry = visit.service.settings, visit.service.state.registry
    named = [] if name is None else registry.named(name)
    if settings.find_case:
        named = [each for each in named if each.common_name == name]
    numbered = [] if serial is None else [each for each in [registry.certificate(serial)] if each is not None]
    if name is not None and serial is not None and settings.find_match == "all":
        found = [each for each in named if each in numbered]
    elif named and numbered:
        found = [each for each in registry.all() if each in named or each in numbered]
    else:
        found = named or numbered
    return [each for each in found if _is_own(visit, each)]


def _is_own(visit: Visit, certificate: Certificate) -> bool:
    return certificate.organization_id == visit.organization.id


def _document(visit: Visit, certificate: Certificate) -> dict[str, object]:
    service = visit.service
    numbered = service.settings.device_id == "number"
    return documents.certificate_document(certificate, service.state.batches[certificate.batch_id], numbered=numbered)


def _serial(text: str) -> int:
    if not _SERIAL.fullmatch(text):
        raise RefusalError(400, "serialNumber: up to 40 hexadecimal digits are required")
    return int(text, 16)


def _reason(document: dict[str, Any]) -> CRLReason:
    code = integer_in(document, "reasonCode", CRLReason.unspecified)
    try:
        return CRLReason(code)
    except ValueError:
        raise RefusalError(400, "reasonCode: RFC 5280 knows no such reason") from None


HANDLERS: dict[str, Handler] = {"findCertificate": find, "revokeCertificate": revoke}
