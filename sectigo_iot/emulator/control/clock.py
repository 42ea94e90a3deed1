"""Whether the emulator runs and as what, and its clock."""

from __future__ import annotations

import contextlib
import math
from typing import TYPE_CHECKING, Annotated, Literal

from msgspec import UNSET, Meta, Struct, UnsetType
from msgspec.structs import replace

from sectigo_iot.emulator.config.file import shipped_world
from sectigo_iot.emulator.config.world import Organization
from sectigo_iot.emulator.control.asking import Asked, iso
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.memory.store import NotKeptError
from sectigo_iot.emulator.routes.pki import version
from sectigo_iot.emulator.service import Service

if TYPE_CHECKING:
    from sectigo_iot.emulator.settings import EmulatorSettings

_BANNER = "TEST - an emulator, not a public authority: trust none of its certificates"
_OWN = "own configuration"


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """An emulator that runs, and whose account it plays. `ahead` is in seconds."""

    status: Literal["ok"]
    version: str
    service: str
    tls: str | None
    seed: int
    account: str
    time: str
    ahead: float
    started: str
    banner: str


class ClockTime(Struct, frozen=True, kw_only=True, rename="camel"):
    """The emulator's time, also in seconds since the epoch, and how many seconds it was moved ahead."""

    time: str
    seconds: float
    ahead: float


Length = Annotated[float, Meta(ge=0)]


class Advance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the clock is moved: seconds, days, or both together."""

    seconds: Length | UnsetType = UNSET
    days: Length | UnsetType = UNSET

    @property
    def length(self) -> float:
        """How far in seconds. Refuses (422) where neither is given."""
        if self.seconds is UNSET and self.days is UNSET:
            raise RefusalError(422, "seconds or days is wanted")
        length = (self.seconds or 0.0) + (self.days or 0.0) * 86400.0
        return length if math.isfinite(length) else math.inf


async def status(asked: Asked) -> Status:
    """Tell that it runs."""
    service = asked.service
    return Status(
        status="ok",
        version=version(),
        service=service.url,
        tls=service.tls_url,
        seed=service.seed,
        account=_account(service),
        time=iso(service.now),
        ahead=service.clock.ahead,
        started=iso(service.started),
        banner=_BANNER,
    )


async def clock(asked: Asked) -> ClockTime:
    """Tell the time."""
    now = asked.service.now
    return ClockTime(time=iso(now), seconds=now, ahead=asked.service.clock.ahead)


async def advance(asked: Asked) -> ClockTime:
    """Move the clock. Whatever is due by then is there on return."""
    service, length = asked.service, asked.body.length
    await service.issuer.idle()
    try:
        ahead = service.clock.further(length)
    except ValueError as fault:
        raise RefusalError(422, str(fault)) from None
    with service.records.change():
        service.records.put("numbers", "ahead", ahead)
    service.clock.ahead = ahead
    # The clock is moved now: a refusal would have it moved again. What cannot be written waits.
    with contextlib.suppress(NotKeptError):
        service.state.settle()
    with contextlib.suppress(NotKeptError):
        await service.issuer.settled()
    return await clock(asked)


def _account(service: Service) -> str:
    """Return the name of the account whose organizations are played, or that they are of a configuration."""
    settings = service.settings
    played, shipped = (
        [_as_set(each, settings) for each in world.organizations]
        for world in (service.world, shipped_world(settings.account))
    )
    return settings.account if played == shipped else _OWN


def _as_set(organization: Organization, settings: EmulatorSettings) -> Organization:
    """Return an organization with all that the settings say of it, so that the rest can be compared."""
    balances = settings.balances or {}
    return replace(
        organization,
        authorities=tuple(replace(a, balance=balances.get(a.id, a.balance)) for a in organization.authorities),
        users=tuple(
            replace(
                user,
                username=settings.username or user.username,
                password=settings.password or user.password,
                subject=settings.subject or user.subject,
            )
            for user in organization.users
        ),
    )
