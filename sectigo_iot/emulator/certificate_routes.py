"""The calls about single certificates: find and revoke."""

from __future__ import annotations

import re
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sectigo_iot.emulator import documents
from sectigo_iot.emulator.bodies import integer_in, read_object, text_in
from sectigo_iot.emulator.paths import path_id
from sectigo_iot.emulator.replies import RefusalError, json_reply
from sectigo_iot.emulator.service import Handler, Service
from sectigo_iot.emulator.state import AlreadyRevokedError, Certificate, NotOnHoldError
from sectigo_iot.reasons import CRLReason

_SERIAL = re.compile(r"[0-9A-Fa-f]{1,40}")
_UPPER_SERIAL = re.compile(r"[0-9A-F]{1,40}")


async def find(service: Service, request: Request) -> Response:
    """The certificates with this name and this serial number, where both are given."""
    document = await read_object(request)
    name = text_in(document, "commonName", "") or None
    serial_text = text_in(document, "serialNumber", "")
    if name is None and not serial_text:
        raise RefusalError(400, "commonName or serialNumber is required")
    found = service.state.find(name, _serial(serial_text) if serial_text else None)
    items = [_document(service, each) for each in found]
    return json_reply({"totalCount": len(items), "items": items})


async def revoke(service: Service, request: Request) -> Response:
    """Revoke a certificate of the profile in the path."""
    document = await read_object(request)
    reason = _reason(document)
    text = text_in(document, "serialNumber")
    if not _UPPER_SERIAL.fullmatch(text):
        raise RefusalError(400, "serialNumber: up to 40 hexadecimal digits in upper case are required")
    serial = int(text, 16)
    certificate = service.state.certificate(serial)
    if certificate is None or certificate.profile_id != path_id(request):
        raise RefusalError(404, "the profile has no certificate with this serial number")
    try:
        service.state.revoke(serial, reason, again=service.settings.revoke_twice)
    except AlreadyRevokedError:
        raise RefusalError(400, "the certificate is already revoked") from None
    except NotOnHoldError:
        raise RefusalError(400, "reasonCode: removeFromCRL lifts a hold, and the certificate is on none") from None
    return json_reply({"success": True})


def _document(service: Service, certificate: Certificate) -> dict[str, object]:
    batch = service.state.batch(certificate.batch_id)
    if batch is None:
        raise RefusalError(500, "the batch of the certificate is not known")
    return documents.certificate_document(certificate, batch)


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
