"""Authorities: what may be ordered from, and how many licences are left."""

from __future__ import annotations

from sectigo_iot.calls import call_of
from sectigo_iot.errors import InvalidReplyError
from sectigo_iot.models import Authority
from sectigo_iot.transport import Transport


def user_authorities(transport: Transport) -> tuple[Authority, ...]:
    """API: GET /api/v1/authorities/allowed"""
    return Authority.read_list(transport.send(call_of(transport, "userAuthorities")).document())


def available_balance(transport: Transport, authority_id: int) -> int:
    """API: GET /api/v1/authorities/{authorityId}/balanceavailable"""
    balance = transport.send(call_of(transport, "authorityUserBalanceAvailable", authority_id)).document()
    try:
        return int(str(balance))
    except ValueError:
        raise InvalidReplyError("the service sent no number where a balance is due") from None
