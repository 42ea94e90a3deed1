"""What a folder has kept of an earlier time, held against what is asked for now."""

from __future__ import annotations

import secrets
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.emulator.ca.authority import CertificateAuthority, create_authority
from sectigo_iot.emulator.ca.given import load_ca, says_test
from sectigo_iot.emulator.ca.packed import pack_authority, unpack_authority
from sectigo_iot.emulator.config.world import World
from sectigo_iot.emulator.memory.clock import Clock
from sectigo_iot.emulator.memory.fingerprint import difference
from sectigo_iot.emulator.memory.ledger import fresh_tables
from sectigo_iot.emulator.memory.records import Records, Tables
from sectigo_iot.emulator.memory.store import Store

if TYPE_CHECKING:
    from sectigo_iot.emulator.settings import EmulatorSettings


def kept_tables(world: World, store: Store | None) -> Tables:
    """Return the world's tables, and over them what was kept. Raises ValueError where that is of another world."""
    tables = fresh_tables(world)
    if store is not None:
        _check_world(world, store)
        for name, rows in store.load().items():
            tables[name].update(rows)
        known = {(o.id, a.id, a.profile) for o in world.organizations for a in o.authorities}
        batches = tables["batches"].values()
        if not known.issuperset((each.organization_id, each.authority_id, each.profile_id) for each in batches):
            raise ValueError(f"{store.path}: it holds orders with authorities that there are not")
    return tables


def _check_world(world: World, store: Store) -> None:
    kept_for = store.world()
    unlike = None if kept_for is None else difference(kept_for, world)
    if unlike is not None:
        why = f"it was kept for another world ({unlike})"
        raise ValueError(f"{store.path}: {why}: use another folder, or the one world that it was kept for")


def kept_or_new_authority(
    settings: EmulatorSettings, url: str, clock: Clock, records: Records
) -> CertificateAuthority:
    """Return the CA that was kept, or a new one. Raises OSError, ValueError for a file or a CA of no use."""
    kept = records.table("secrets").get("authority")
    if kept is not None:
        return _kept_authority(kept, settings, url, clock)
    authority = create_authority(settings.key_type, url, clock, settings.ca_path, foreign=settings.foreign_ca)
    if settings.state_path is not None:
        with records.change():
            records.put("secrets", "authority", pack_authority(authority))
    return authority


def _kept_authority(kept: bytes, settings: EmulatorSettings, url: str, clock: Clock) -> CertificateAuthority:
    """Return the CA that was kept. Raises ValueError where another one is given, or it may not be used."""
    try:
        authority = unpack_authority(kept, url, clock)
    except ValueError as fault:
        raise ValueError(f"{settings.state_path}: {fault}") from None
    if not settings.foreign_ca and not says_test(authority.top):
        why = "the subject of the CA that was kept does not say TEST"
        raise ValueError(f"{settings.state_path}: {why}; foreign_ca=True takes it all the same")
    if settings.ca_path is not None:
        given, *_ = load_ca(Path(settings.ca_path), None, foreign=settings.foreign_ca)
        if given != authority.top:
            why = f"{settings.state_path} was kept under another CA"
            raise ValueError(f"{settings.ca_path}: {why}: use another folder, or the one CA that it was kept under")
    return authority


def token_secret(records: Records) -> bytes:
    """Return the key of the tokens: that of the last time, so that they are good after a restart."""
    secret: bytes | None = records.table("secrets").get("tokens")
    if secret is None:
        secret = secrets.token_bytes(64)
        with records.change():
            records.put("secrets", "tokens", secret)
    return secret
