"""Profiles: what a certificate will look like, and what an order must say."""

from __future__ import annotations

from sectigo_iot.calls import call_of
from sectigo_iot.models import Profile, ProfileDetail, ProfileParameter
from sectigo_iot.transport import Transport


def profiles(transport: Transport) -> tuple[Profile, ...]:
    """API: GET /api/v1/profiles"""
    return Profile.read_list(transport.send(call_of(transport, "profiles")).document())


def profile_detail(transport: Transport, profile_id: int) -> ProfileDetail:
    """API: GET /api/v1/profiles/{profileId}"""
    return ProfileDetail.read(transport.send(call_of(transport, "profileDetail", profile_id)).document())


def profile_params(transport: Transport, profile_id: int) -> tuple[ProfileParameter, ...]:
    """API: GET /api/v1/profiles/{profileId}/parameters"""
    return ProfileParameter.read_list(transport.send(call_of(transport, "profileParameters", profile_id)).document())
