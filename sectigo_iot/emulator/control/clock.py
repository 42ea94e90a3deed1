"""Whether the emulator runs and as what, and its clock."""

from __future__ import annotations

import math
from typing import Annotated, Literal

from msgspec import Meta, Struct

from sectigo_iot.emulator.control.asking import Asked, iso
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.routes.pki import version

_BANNER = "TEST - an emulator, not a public authority: trust none of its certificates"


class Status(Struct, frozen=True, kw_only=True, rename="camel"):
    """An emulator that runs. `ahead` is in seconds."""

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


class Advance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How far the clock is moved: seconds, days, or both together."""

    seconds: Annotated[float, Meta(ge=0)] = 0.0
    days: Annotated[float, Meta(ge=0)] = 0.0


async def status(asked: Asked) -> Status:
    """Tell that it runs."""
    service = asked.service
    return Status(
        status="ok",
        version=version(),
        service=service.url,
        tls=service.tls_url,
        seed=service.seed,
        account=service.settings.account,
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
    service, body = asked.service, asked.body
    await service.issuer.idle()
    try:
        seconds = body.seconds + body.days * 86400.0
        service.clock.advance(seconds if math.isfinite(seconds) else math.inf)
    except ValueError as fault:
        raise RefusalError(422, str(fault)) from None
    with service.records.change():
        service.records.put("numbers", "ahead", service.clock.ahead)
    service.state.settle()
    await service.issuer.settled()
    return await clock(asked)
