"""One emulated service: what every call can reach."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response

from sectigo_iot.emulator.ca import CertificateAuthority, create_authority
from sectigo_iot.emulator.issuing import Issuer
from sectigo_iot.emulator.jwts import TokenMint
from sectigo_iot.emulator.keypool import KeyPool
from sectigo_iot.emulator.revocation import Responder
from sectigo_iot.emulator.settings import EmulatorSettings
from sectigo_iot.emulator.state import State


@dataclass(frozen=True, slots=True)
class Service:
    """The parts of one emulator. `started` is a time in seconds since the epoch."""

    settings: EmulatorSettings
    state: State
    authority: CertificateAuthority
    issuer: Issuer
    responder: Responder
    mint: TokenMint
    started: float

    @property
    def now(self) -> float:
        """Seconds since the epoch, by the emulator's clock."""
        return self.settings.clock()


Handler = Callable[[Service, Request], Awaitable[Response]]
"""Answers one call, or raises RefusalError."""


def create_service(settings: EmulatorSettings, url: str) -> Service:
    """Return a service that will be reached under `url`. Raises OSError and ValueError for an unusable CA file."""
    account = settings.played_account
    authority = create_authority(settings.key_type, url, settings.clock, settings.ca_path)
    state = State(account, settings.balances, settings.clock)
    mint = TokenMint(
        secret=settings.secret,
        issuer=settings.issuer or f"{url}/",
        subject=settings.subject or account.subject,
        scopes=settings.scopes,
        access_lifetime=settings.access_lifetime,
        refresh_lifetime=settings.refresh_lifetime,
        clock=settings.clock,
    )
    keys = KeyPool(settings.key_type, settings.key_pool)
    issuer = Issuer(state, authority, keys, settings.delay)
    return Service(settings, state, authority, issuer, Responder(authority.signers), mint, settings.clock())
