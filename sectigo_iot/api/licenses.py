"""Licences: how many certificates were ordered and issued."""

from __future__ import annotations

from sectigo_iot.calls import call_of
from sectigo_iot.models import LicensesUsed
from sectigo_iot.transport import Transport


def licenses_used(transport: Transport) -> LicensesUsed:
    """API: GET /api/v1/devices"""
    return LicensesUsed.read(transport.send(call_of(transport, "devices")).document())
