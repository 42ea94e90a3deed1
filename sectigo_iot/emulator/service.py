"""One emulated service: what every call can reach."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.emulator.ca.authority import CertificateAuthority
from sectigo_iot.emulator.ca.keypool import KeyPool
from sectigo_iot.emulator.ca.revocation import Responder
from sectigo_iot.emulator.config.world import World
from sectigo_iot.emulator.exchange.jwts import TokenMint
from sectigo_iot.emulator.faults.plan import Plan
from sectigo_iot.emulator.memory.clock import Clock
from sectigo_iot.emulator.memory.destiny import Destiny
from sectigo_iot.emulator.memory.fingerprint import without_passwords
from sectigo_iot.emulator.memory.issuing import Issuer
from sectigo_iot.emulator.memory.journal import Journal
from sectigo_iot.emulator.memory.kept import kept_or_new_authority, kept_tables, token_secret
from sectigo_iot.emulator.memory.records import Records
from sectigo_iot.emulator.memory.state import State
from sectigo_iot.emulator.memory.store import Store
from sectigo_iot.emulator.memory.users import Users
from sectigo_iot.emulator.settings import EmulatorSettings, setup_of
from sectigo_iot.emulator.setup import Setup, rules_of, world_for

if TYPE_CHECKING:
    from sectigo_iot.emulator.control.snapshots import Moment
    from sectigo_iot.emulator.net.door import Doors


@dataclass(slots=True)
class Service:
    """The parts of one emulator. `started` is a time in seconds since the epoch."""

    settings: EmulatorSettings
    url: str
    world: World
    clock: Clock
    records: Records
    store: Store | None
    state: State
    users: Users
    authority: CertificateAuthority
    issuer: Issuer
    responder: Responder
    mint: TokenMint
    plan: Plan
    destiny: Destiny
    journal: Journal
    started: float
    seed: int
    tls_url: str | None = None
    door: Doors | None = None
    """What lets nobody in for a while; None until there is a listener."""
    snapshots: dict[str, Moment] = field(default_factory=dict)

    @property
    def now(self) -> float:
        """Seconds since the epoch, by the emulator's clock."""
        return self.clock()

    def close(self) -> None:
        """Close the file, if there is one. Everything else ends with the server."""
        if self.store is not None:
            self.store.close()


def create_service(settings: EmulatorSettings, url: str) -> Service:
    """Return a service that will be reached under `url`.

    Raises OSError and ValueError for a configuration, a CA file or a state folder that cannot be used.
    """
    setup = setup_of(settings.config, settings.scenario)
    world = world_for(settings, setup)
    store = None if settings.state_path is None else Store(Path(settings.state_path))
    try:
        return _assembled(settings, url, setup, world, store)
    except BaseException:
        if store is not None:
            store.close()
        raise


def _assembled(settings: EmulatorSettings, url: str, setup: Setup, world: World, store: Store | None) -> Service:
    clock = Clock(settings.clock)
    records = Records(kept_tables(world, store), None if store is None else store.keep)
    clock.ahead = float(records.table("numbers").get("ahead", 0))
    seed = secrets.randbits(32) if settings.seed is None else settings.seed
    plan = Plan(seed, rules_of(settings, setup))
    authority = kept_or_new_authority(settings, url, clock, records)
    if store is not None and store.world() is None:
        store.keep_for(without_passwords(world))
    state = State(world, settings, clock, records)
    mint = TokenMint(
        secret=settings.secret or token_secret(records),
        issuer=settings.issuer or f"{url}/",
        access_lifetime=settings.access_lifetime,
        refresh_lifetime=settings.refresh_lifetime,
        clock=clock,
        claims="2019" if settings.jwt_claims == "2019" else "2020",
    )
    keys = KeyPool(settings.key_type, settings.key_pool)
    return Service(
        settings=settings,
        url=url,
        world=world,
        clock=clock,
        records=records,
        store=store,
        state=state,
        users=Users(world, settings.scopes),
        authority=authority,
        issuer=Issuer(state, authority, keys, legacy=settings.legacy_pkcs12, clock=clock, fraction=plan.fraction),
        responder=Responder(authority.signers),
        mint=mint,
        plan=plan,
        destiny=Destiny(setup.lives, settings.delay, plan.fraction),
        journal=Journal(settings.journal_size),
        started=clock(),
        seed=seed,
    )
