"""Authorities and their balances, the rules of profiles, and users."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from sectigo_iot.emulator.config.world import Authority, Organization, Parameter
from sectigo_iot.emulator.control.asking import Asked, Name, meant, missing
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.memory.users import Member
from sectigo_iot.emulator.service import Service


class AuthorityState(Struct, frozen=True, kw_only=True, rename="camel"):
    """The right of an organization to order from a profile, and the licences left."""

    id: int
    organization: str
    organization_id: int
    profile: str
    profile_id: int
    enabled: bool
    balance: int


class Balance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How many licences are left."""

    balance: Annotated[int, Meta(ge=0, le=1_000_000_000)]


class Required(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which parameter is mandatory from now on."""

    parameter: Name


class ParameterState(Struct, frozen=True, kw_only=True, rename="camel"):
    """One parameter of a profile, and the rule that its value must keep."""

    name: str
    title: str
    required: bool
    pattern: str
    message: str
    input_type: str


class UserState(Struct, frozen=True, kw_only=True, rename="camel"):
    """A user; `refused` is how often in a row the password was."""

    username: str
    id: int
    organization: str
    role: str
    refused: int
    locked: bool


async def authorities(asked: Asked) -> list[AuthorityState]:
    """Every authority of every organization."""
    service = asked.service
    return [_authority(service, each, one) for one in service.world.organizations for each in one.authorities]


async def set_balance(asked: Asked) -> AuthorityState:
    """Set the licences that are left."""
    service, number = asked.service, asked.number
    for organization in service.world.organizations:
        for authority in organization.authorities:
            if authority.id == number:
                service.state.ledger.set_balance(number, asked.body.balance)
                return _authority(service, authority, organization)
    raise missing("authority", asked.word("id"))


async def require(asked: Asked) -> list[ParameterState]:
    """Make a parameter mandatory; one that the profile lacks is added, unless it is another in nothing but case."""
    ledger, number, name = asked.service.state.ledger, asked.number, asked.body.parameter
    if all(each.id != number for each in asked.service.world.profiles):
        raise missing("profile", asked.word("id"))
    names = [each.name for each in ledger.profile(number).parameters]
    if name not in names and name.casefold() in map(str.casefold, names):
        raise RefusalError(422, f"parameter: there is no {name!r}{meant(name, names)}")
    ledger.require_parameter(number, name)
    return [_parameter(each) for each in ledger.profile(number).parameters]


async def users(asked: Asked) -> list[UserState]:
    """Every user, never the password."""
    return [_user(asked.service, member) for member in asked.service.users.by_name.values()]


async def unlock(asked: Asked) -> UserState:
    """Let a user log in again."""
    known, name = asked.service.users.by_name, asked.word("username")
    member = known.get(name)
    if member is None:
        raise missing("user", name, known)
    asked.service.state.ledger.unlock(member.user.username)
    return _user(asked.service, member)


def organization_name(service: Service, number: int) -> str:
    """Return the name of an organization; an empty text for one that there is not any more."""
    return next((each.name for each in service.world.organizations if each.id == number), "")


def _authority(service: Service, authority: Authority, organization: Organization) -> AuthorityState:
    ledger = service.state.ledger
    profile = ledger.profile(authority.profile)
    return AuthorityState(
        id=authority.id,
        organization=organization.name,
        organization_id=organization.id,
        profile=profile.title or profile.name,
        profile_id=profile.id,
        enabled=authority.enabled,
        balance=ledger.balance(authority.id),
    )


def _parameter(parameter: Parameter) -> ParameterState:
    return ParameterState(
        name=parameter.name,
        title=parameter.title or parameter.name,
        required=parameter.required,
        pattern=parameter.pattern,
        message=parameter.message,
        input_type=parameter.input_type,
    )


def _user(service: Service, member: Member) -> UserState:
    user, trust = member.user, service.state.ledger.trust(member.user.username)
    return UserState(
        username=user.username,
        id=user.id,
        organization=member.organization.name,
        role=user.role,
        refused=trust.refused,
        locked=trust.locked,
    )
