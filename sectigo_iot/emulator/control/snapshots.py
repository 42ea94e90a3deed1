"""Snapshots: everything as it was at a moment, kept under a name, and the moment of the start."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Annotated, Any

from msgspec import Meta, Struct

from sectigo_iot.emulator.control.asking import Asked, missing
from sectigo_iot.emulator.control.clock import Status, status
from sectigo_iot.emulator.exchange.jwts import Notes
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.faults import plan as faults
from sectigo_iot.emulator.memory import destiny
from sectigo_iot.emulator.memory.journal import Journal
from sectigo_iot.emulator.memory.ledger import fresh_tables
from sectigo_iot.emulator.memory.records import Tables

if TYPE_CHECKING:
    from sectigo_iot.emulator.service import Service

_NAME_LIMIT = 64
_MOST = 100
"""Snapshots that are kept at the same time."""
_COUNTED = ("orders", "logins", "polls")


class Moment(Struct, frozen=True, kw_only=True):
    """An emulator at a moment: tables, clock, seed, faults, lives, sessions, and what the journal had counted."""

    tables: Tables
    ahead: float
    seed: int
    faults: faults.Counts
    lives: destiny.Counts
    tokens: Notes
    counted: dict[str, Any]

    def __repr__(self) -> str:
        return f"<Moment of {len(self.tables['batches'])} batches>"


class Snapshots(Struct, frozen=True, kw_only=True):
    """The names under which snapshots are kept, oldest first."""

    snapshots: list[str]


class Reset(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From which seed chance is drawn from then on; the same one where it is left out."""

    seed: Annotated[int, Meta(ge=0, le=2**63 - 1)] | None = None


def moment_of(service: Service) -> Moment:
    """Return how everything is now."""
    return _moment(service, service.state.snapshot(), service.clock.ahead)


def start_of(service: Service) -> Moment:
    """Return how everything was before anything happened, whatever a folder has kept of an earlier time."""
    return _moment(service, fresh_tables(service.world), 0.0)


async def reset(asked: Asked) -> Status:
    """Put everything back to the start. What is kept of requests is forgotten, snapshots stay."""
    service, start = asked.service, asked.start
    seed = service.plan.seed if asked.body.seed is None else asked.body.seed
    _go_back(service, start, seed)
    service.journal.clear()
    service.started = service.now
    await _admit(service)
    return await status(asked)


async def snapshots(asked: Asked) -> Snapshots:
    """The snapshots that there are."""
    return Snapshots(snapshots=list(asked.service.snapshots))


async def keep(asked: Asked) -> Snapshots:
    """Keep everything as it is under a name; an older snapshot of that name is given up."""
    kept, name = asked.service.snapshots, asked.word("name")
    if len(name) > _NAME_LIMIT:
        raise RefusalError(422, f"name: {_NAME_LIMIT} characters at the most")
    kept.pop(name, None)
    if len(kept) >= _MOST:
        raise RefusalError(409, f"there are {_MOST} snapshots already")
    kept[name] = moment_of(asked.service)
    return await snapshots(asked)


async def restore(asked: Asked) -> Status:
    """Put everything back as it was; the requests in the journal stay, what it counts of them does not."""
    moment = _found(asked)
    _go_back(asked.service, moment, moment.seed)
    asked.service.issuer.resume()
    await _admit(asked.service)
    return await status(asked)


async def forget(asked: Asked) -> Snapshots:
    """Give a snapshot up."""
    _found(asked)
    del asked.service.snapshots[asked.word("name")]
    return await snapshots(asked)


def _found(asked: Asked) -> Moment:
    kept, name = asked.service.snapshots, asked.word("name")
    found = kept.get(name)
    if found is None:
        raise missing("snapshot", name, kept)
    return found


def _moment(service: Service, tables: Tables, ahead: float) -> Moment:
    return Moment(
        tables=_without_secrets(tables),
        ahead=ahead,
        seed=service.plan.seed,
        faults=service.plan.counts(),
        lives=service.destiny.counts(),
        tokens=service.mint.notes(),
        counted=_counted(service.journal),
    )


async def _admit(service: Service) -> None:
    if service.door is not None:
        await service.door.admit()


def _without_secrets(tables: Tables) -> Tables:
    # The keys of the CA and of the tokens are those of a run, not of a moment.
    return {name: rows for name, rows in tables.items() if name != "secrets"}


def _go_back(service: Service, moment: Moment, seed: int) -> None:
    numbers = service.state.registry.numbers_after(moment.tables["numbers"])
    secrets = dict(service.records.table("secrets"))
    # First what may fail: where it cannot be kept, everything stays as it is.
    service.state.restore(moment.tables | {"secrets": secrets, "numbers": numbers})
    service.issuer.forget()
    service.clock.ahead = moment.ahead
    service.mint.restore(moment.tokens)
    service.plan.restore(moment.faults)
    service.plan.seed = service.seed = seed
    service.destiny.restore(moment.lives)
    journal = service.journal
    for name, value in _copied(moment.counted).items():
        setattr(journal, name, value)
    journal.changes += 1


def _counted(journal: Journal) -> dict[str, Any]:
    return _copied({name: getattr(journal, name) for name in (*_COUNTED, "downloads")})


def _copied(counted: dict[str, Any]) -> dict[str, Any]:
    copied = {name: copy.copy(counted[name]) for name in _COUNTED}
    return copied | {"downloads": {batch: list(times) for batch, times in counted["downloads"].items()}}
