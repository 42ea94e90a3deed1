"""The calls that tell what an account has: authorities, balances, licences, profiles, its organization."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import Response

from sectigo_iot.emulator import documents
from sectigo_iot.emulator.accounts import Profile
from sectigo_iot.emulator.paths import path_id
from sectigo_iot.emulator.replies import RefusalError, json_reply
from sectigo_iot.emulator.service import Handler, Service


async def devices(service: Service, _request: Request) -> Response:
    """Licences ordered and issued."""
    ordered, issued = service.state.licences()
    return json_reply({"ordered": ordered, "issued": issued})


async def authorities(service: Service, _request: Request) -> Response:
    """Every authority of the account."""
    return json_reply(documents.authority_documents(service.state))


async def balance(service: Service, request: Request) -> Response:
    """The licences left with one authority, as a bare integer."""
    authority = service.state.authority(path_id(request))
    if authority is None:
        raise RefusalError(404, "there is no such authority")
    return json_reply(service.state.balance(authority.id))


async def profiles(service: Service, _request: Request) -> Response:
    """Every profile that may be ordered from."""
    key_type = service.settings.key_type
    return json_reply(
        [documents.profile_document(each.profile, key_type) for each in service.state.account.authorities]
    )


async def profile_detail(service: Service, request: Request) -> Response:
    """One profile."""
    return json_reply(documents.profile_detail_document(_profile(service, request), service.settings.key_type))


async def profile_parameters(service: Service, request: Request) -> Response:
    """The parameters of one profile."""
    return json_reply([documents.parameter_document(each) for each in _profile(service, request).parameters])


async def organization(service: Service, _request: Request) -> Response:
    """The organization of the account."""
    return json_reply(documents.organization_document(service.state.account, service.state))


def _profile(service: Service, request: Request) -> Profile:
    authority = service.state.authority_of_profile(path_id(request))
    if authority is None:
        raise RefusalError(404, "there is no such profile")
    return authority.profile


HANDLERS: dict[str, Handler] = {
    "devices": devices,
    "userAuthorities": authorities,
    "authorityUserBalanceAvailable": balance,
    "profiles": profiles,
    "profileDetail": profile_detail,
    "profileParameters": profile_parameters,
    "currentUserOrganization": organization,
}
