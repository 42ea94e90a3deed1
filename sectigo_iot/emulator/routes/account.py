"""The calls that tell what an account has: authorities, balances, licences, profiles, its organization."""

from __future__ import annotations

from starlette.responses import Response

from sectigo_iot.emulator.config.world import Authority, Profile
from sectigo_iot.emulator.exchange.paths import path_id
from sectigo_iot.emulator.exchange.replies import RefusalError, json_reply
from sectigo_iot.emulator.exchange.visit import Handler, Visit
from sectigo_iot.emulator.routes import documents


def allowed_authorities(visit: Visit) -> list[Authority]:
    """Return the authorities that the caller may order with."""
    return visit.service.state.ledger.authorities(*visit.caller)


async def devices(visit: Visit) -> Response:
    """Licences ordered and issued."""
    licences = visit.service.state.ledger.licences(visit.organization.id)
    return json_reply({"ordered": licences.ordered, "issued": licences.issued})


async def authorities(visit: Visit) -> Response:
    """Every authority that the user may order with."""
    return json_reply(_authority_documents(visit))


async def balance(visit: Visit) -> Response:
    """The licences left with one authority, as a bare integer."""
    number = path_id(visit.request)
    if number not in {each.id for each in allowed_authorities(visit)}:
        raise RefusalError(404, "there is no such authority")
    return json_reply(visit.service.state.ledger.balance(number))


async def profiles(visit: Visit) -> Response:
    """Every profile that may be ordered from."""
    key_type = visit.service.settings.key_type
    return json_reply([documents.profile_document(each, key_type) for each in _profiles(visit)])


async def profile_detail(visit: Visit) -> Response:
    """One profile."""
    return json_reply(documents.profile_detail_document(_profile(visit), visit.service.settings.key_type))


async def profile_parameters(visit: Visit) -> Response:
    """The parameters of one profile."""
    return json_reply([documents.parameter_document(each) for each in _profile(visit).rules])


async def organization(visit: Visit) -> Response:
    """The organization of the user."""
    return json_reply(documents.organization_document(visit.organization, _authority_documents(visit)))


def _authority_documents(visit: Visit) -> list[dict[str, object]]:
    ledger = visit.service.state.ledger
    return [
        documents.authority_document(each, visit.organization, ledger.profile(each.profile), ledger.balance(each.id))
        for each in allowed_authorities(visit)
    ]


def _profiles(visit: Visit) -> list[Profile]:
    ledger = visit.service.state.ledger
    return [ledger.profile(each) for each in dict.fromkeys(each.profile for each in allowed_authorities(visit))]


def _profile(visit: Visit) -> Profile:
    number = path_id(visit.request)
    found = next((each for each in _profiles(visit) if each.id == number), None)
    if found is None:
        raise RefusalError(404, "there is no such profile")
    return found


HANDLERS: dict[str, Handler] = {
    "devices": devices,
    "userAuthorities": authorities,
    "authorityUserBalanceAvailable": balance,
    "profiles": profiles,
    "profileDetail": profile_detail,
    "profileParameters": profile_parameters,
    "currentUserOrganization": organization,
}
