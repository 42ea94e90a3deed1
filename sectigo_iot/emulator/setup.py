"""From settings to what an emulator starts with: world, lives and faults, out of a configuration and a scenario."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Any

from msgspec.structs import replace

from sectigo_iot.emulator.config.file import CheckBehaviour, Config, read_config, world_of
from sectigo_iot.emulator.config.lives import Life
from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.config.world import Organization, User, World
from sectigo_iot.emulator.faults.checking import check_rule, parse_rule
from sectigo_iot.emulator.faults.hostile import HOSTILE
from sectigo_iot.emulator.sense import as_setting

if TYPE_CHECKING:
    from sectigo_iot.emulator.settings import EmulatorSettings, Source


@dataclass(frozen=True, slots=True)
class Scenario:
    """A bad day that is shipped: what happens, what a good client does, and what the journal shows of it."""

    name: str
    title: str
    happens: str
    client: str
    journal: str
    provokes: tuple[str, ...]
    """The numbers of the failures of an embedding service that it brings about: `F1` and so on."""
    config: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Setup:
    """What a configuration and a scenario say together; the configuration goes first."""

    configs: tuple[Config, ...]

    @property
    def account(self) -> str | None:
        """The account that they name."""
        return next((each.account for each in self.configs if each.account), None)

    @property
    def behaviour(self) -> dict[str, Any]:
        """The settings that they name."""
        merged: dict[str, Any] = {}
        for each in reversed(self.configs):
            merged.update(each.behaviour)
        return {name: as_setting(value) for name, value in merged.items()}

    @property
    def lives(self) -> tuple[Life, ...]:
        """The lives that batches may take."""
        return tuple(life for each in self.configs for life in each.lives)

    @property
    def rules(self) -> tuple[Rule, ...]:
        """The faults that strike."""
        return tuple(rule for each in self.configs for rule in each.faults)

    def world(self, account: str) -> World:
        """Return the world of the first that has one of its own, or that of an account."""
        own = next((each for each in self.configs if each.organizations or each.profiles), None)
        numbered = next((each for each in self.configs if each.first_batch is not None), None)
        world = world_of(own or (self.configs[0] if self.configs else Config()), account)
        if numbered is None or numbered.first_batch is None:
            return world
        return replace(world, first_batch=numbered.first_batch)


def read_setup(config: Source | None, scenario: str | None, check_behaviour: CheckBehaviour) -> Setup:
    """Read a configuration and a scenario, whose behaviour is checked by who knows the settings.

    Raises OSError, and ValueError for what is wrong with them.
    """
    sources: list[Source] = [] if config is None else [config]
    if scenario is not None:
        sources.append(find_scenario(scenario).config)
    return Setup(tuple(read_config(each, check_behaviour=check_behaviour, check_rule=check_rule) for each in sources))


def rules_of(settings: EmulatorSettings, setup: Setup) -> tuple[Rule, ...]:
    """Return every fault that may strike: those that were asked for one by one go first."""
    asked = tuple(parse_rule(each) for each in settings.faults)
    return (*asked, *setup.rules, *(HOSTILE if settings.hostile else ()))


def world_for(settings: EmulatorSettings, setup: Setup) -> World:
    """Return the world, with the first user and the balances that the settings name. Raises ValueError."""
    world = setup.world(settings.account)
    known = {a.id for o in world.organizations for a in o.authorities}
    unknown = set(settings.balances or {}) - known
    if unknown:
        raise ValueError(f"balances: there is no authority {min(unknown)} among {', '.join(map(str, sorted(known)))}")
    first = next(each for each in world.organizations if each.users)
    organizations = [
        _with_balances(_with_user(o, settings) if o is first else o, settings) for o in world.organizations
    ]
    return replace(world, organizations=tuple(organizations))


def _with_user(organization: Organization, settings: EmulatorSettings) -> Organization:
    first, *others = organization.users
    user: User = replace(
        first,
        username=settings.username or first.username,
        password=settings.password or first.password,
        subject=settings.subject or first.subject,
    )
    return replace(organization, users=(user, *others))


def _with_balances(organization: Organization, settings: EmulatorSettings) -> Organization:
    balances = settings.balances or {}
    authorities = [replace(each, balance=balances.get(each.id, each.balance)) for each in organization.authorities]
    return replace(organization, authorities=tuple(authorities))


def first_login(settings: EmulatorSettings, setup: Setup) -> tuple[str, str]:
    """Return the name and the password of the first user."""
    world = world_for(settings, setup)
    user = next(user for organization in world.organizations for user in organization.users)
    return user.username, user.password


@cache
def scenarios() -> dict[str, Scenario]:
    """Return every scenario by its name."""
    folder = resources.files("sectigo_iot.emulator.config") / "scenarios"
    files = sorted((each for each in folder.iterdir() if each.name.endswith(".toml")), key=lambda each: each.name)
    return {each.name.removesuffix(".toml"): _scenario(each.name, each.read_text("utf-8")) for each in files}


def find_scenario(name: str) -> Scenario:
    """Return a scenario. Raises ValueError that names those there are."""
    known = scenarios()
    if name not in known:
        near = difflib.get_close_matches(name, known, 1)
        hint = f"; did you mean {near[0]}?" if near else ""
        raise ValueError(f"scenario {name!r} is none of {', '.join(known)}{hint}")
    return known[name]


def _scenario(file: str, text: str) -> Scenario:
    document = tomllib.loads(text)
    told = document.pop("scenario")
    provokes = tuple(told.pop("provokes", ()))
    return Scenario(name=file.removesuffix(".toml"), config=document, provokes=provokes, **told)
