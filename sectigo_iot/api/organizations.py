"""Organizations: the one of the user who is logged in."""

from __future__ import annotations

from sectigo_iot.calls import call_of
from sectigo_iot.models import Organization
from sectigo_iot.transport import Transport


def organization(transport: Transport) -> Organization:
    """API: GET /api/v1/organizations/user"""
    return Organization.read(transport.send(call_of(transport, "currentUserOrganization")).document())
