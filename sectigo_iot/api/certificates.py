"""Certificates: finding and revoking them."""

from __future__ import annotations

from sectigo_iot.calls import call_of
from sectigo_iot.errors import InvalidInputError
from sectigo_iot.failures import outcome_unknown
from sectigo_iot.models import CertificateSearch
from sectigo_iot.pages import is_page
from sectigo_iot.pki import normalise_serial
from sectigo_iot.reasons import revoke_reason_code
from sectigo_iot.transport import Transport


def find_certificate(transport: Transport, common_name: str, serial_number: str) -> CertificateSearch:
    """API: POST /api/v1/certificates/find"""
    criteria = {}
    if common_name.strip():
        criteria["commonName"] = common_name.strip()
    if serial_number.strip():
        criteria["serialNumber"] = normalise_serial(serial_number)
    if not criteria:
        raise InvalidInputError("a search needs a common name or a serial number")
    call = call_of(transport, "findCertificate")._replace(payload=criteria)
    return CertificateSearch.read(transport.send(call).document())


def revoke_certificate(transport: Transport, profile_id: int, reason_code: int | str, serial_number: str) -> None:
    """API: POST /api/v1/certificates/{profileId}/revoke"""
    payload = {
        "reasonCode": int(revoke_reason_code(reason_code)),
        "serialNumber": normalise_serial(serial_number),
    }
    call = call_of(transport, "revokeCertificate", profile_id)._replace(payload=payload)
    reply = transport.send(call)
    # The wire's reference: the body is to be ignored, any 2xx is done. A page is no body of this service, though, but
    # that of a proxy or a portal which answered in its place, so that nothing says that the request went any further.
    if is_page(reply.media_type, reply.body):
        raise outcome_unknown(call, f"the answer, {reply.status}, is an HTML page, which this service does not send")
