"""A configuration file of the emulator: TOML that is read with every mistake named by file, line and key."""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cache
from importlib import resources
from itertools import islice
from typing import Any, Literal

from msgspec import Struct, structs

from sectigo_iot.emulator.config.checks import mistakes_in, mistakes_of, unknown_profiles
from sectigo_iot.emulator.config.lives import Life
from sectigo_iot.emulator.config.places import Places, key_text
from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.config.source import ConfigError, Source, one_line, read_source
from sectigo_iot.emulator.config.tables import Mistake, Tables
from sectigo_iot.emulator.config.world import Authority, Organization, Profile, World

__all__ = ["ACCOUNTS", "Config", "ConfigError", "read_config", "shipped_text", "shipped_world", "world_of"]

ACCOUNTS = ("staging", "manual")
"""The names of the worlds that come with the emulator."""

CheckBehaviour = Callable[[Mapping[str, Any]], None]
"""Raises ValueError whose text begins with the name at fault."""

CheckRule = Callable[[Rule], None]
"""Raises ValueError whose text begins with the field at fault."""

_MOST_PLACED = 50
"""How many mistakes are looked up in the file to find the first of them."""

_NAMED = re.compile(r"([A-Za-z_]\w*)[:,]?\s+(.*)", re.DOTALL)
"""The name at fault, and what is said of it."""

_WORLD_KEYS = ("profiles", "organizations", "first_batch", "first_order")
_COUNTED = ("profiles", "organizations", "behaviour", "lives", "faults")


class Config(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a configuration file says."""

    account: Literal["staging", "manual"] | None = None
    """The world that stands for the profiles and organizations that are left out."""
    profiles: tuple[Profile, ...] = ()
    organizations: tuple[Organization, ...] = ()
    first_batch: int | None = None
    first_order: int | None = None
    behaviour: dict[str, Any] = {}
    """Settings by name."""
    lives: tuple[Life, ...] = ()
    faults: tuple[Rule, ...] = ()

    def __repr__(self) -> str:
        """Tell the size; a setting may be a secret."""
        counts = (f"{name}={len(getattr(self, name))}" for name in _COUNTED)
        return f"Config(account={self.account!r}, {', '.join(counts)})"


def read_config(
    source: str | os.PathLike[str] | Mapping[str, Any],
    *,
    account: str | None = None,
    check_behaviour: CheckBehaviour | None = None,
    check_rule: CheckRule | None = None,
) -> Config:
    """Return the configuration in a TOML file, or in a mapping of the same form.

    `account` goes before the file's own, as it does in `world_of`. The two checks judge what only others know:
    the names and values of `behaviour`, and each of the `faults`.

    Raises OSError for a file that cannot be read, and ConfigError for the first mistake in the file.
    """
    read = read_source(source)
    tables = Tables(mistakes_in)
    config: Config | None = tables.read(Config, read.data)
    mistakes = [*tables.mistakes, *mistakes_of(tables), *_misfits(tables, account)]
    if check_behaviour is not None:
        mistakes += _behaviour_mistakes(tables, check_behaviour)
    if check_rule is not None:
        mistakes += _rule_mistakes(tables, mistakes, check_rule)
    if config is None or mistakes:
        raise ConfigError(_message(mistakes, read))
    return config


def world_of(config: Config, account: str) -> World:
    """Return the world that a configuration describes; what it leaves out or leaves empty is that of `account`.

    Raises ConfigError if the two do not fit together, and ValueError for an unknown account.
    """
    world = structs.replace(shipped_world(account), **_given(config))
    stranger = next(_strangers(world), None)
    if stranger is not None:
        raise ConfigError(f"profiles: {_stranger(stranger, account)}")
    return world


def shipped_text(account: str) -> str:
    """Return the world that comes with the emulator for an account, as TOML with comments.

    Raises ValueError for an unknown account.
    """
    if account not in ACCOUNTS:
        raise ValueError(f"account {account!r} is none of {', '.join(ACCOUNTS)}")
    return resources.files(__package__).joinpath("worlds", f"{account}.toml").read_text(encoding="utf-8")


@cache
def shipped_world(account: str) -> World:
    """Return the world that comes with the emulator for an account. Raises ValueError for an unknown one."""
    config = read_config(tomllib.loads(shipped_text(account)))
    return World(**_given(config))


def _given(config: Config) -> dict[str, Any]:
    values = {key: getattr(config, key) for key in _WORLD_KEYS}
    return {key: value for key, value in values.items() if value not in (None, ())}


def _strangers(world: World) -> Iterator[Authority]:
    known = {profile.id for profile in world.profiles}
    authorities = (each for organization in world.organizations for each in organization.authorities)
    return (each for each in authorities if each.profile not in known)


def _stranger(authority: Authority, account: str) -> str:
    return (
        f"none has the id {authority.profile}, which the organization of the account {account!r} orders from; "
        "organizations that order from these profiles are wanted too"
    )


def _misfits(tables: Tables, account: str | None) -> Iterator[Mistake]:
    """Tell which authorities name a profile that is not there, unless the profiles themselves are at fault."""
    if not (tables.is_clean(("profiles",)) and tables.is_clean(("account",))):
        return
    chosen = account or tables.of(Config)[0].good.get("account") or ACCOUNTS[0]
    profiles = [table.made for table in tables.of(Profile)]
    known = profiles or shipped_world(chosen).profiles
    yield from unknown_profiles(tables, {profile.id for profile in known})
    if profiles and not tables.of(Organization) and tables.is_clean(("organizations",)):
        world = structs.replace(shipped_world(chosen), profiles=tuple(profiles))
        yield from (Mistake(("profiles",), _stranger(each, chosen)) for each in _strangers(world))


def _behaviour_mistakes(tables: Tables, check: CheckBehaviour) -> Iterator[Mistake]:
    behaviour = tables.of(Config)[0].good.get("behaviour", {})
    try:
        check(behaviour)
    except ValueError as fault:
        yield _named(("behaviour",), str(fault))


def _rule_mistakes(tables: Tables, before: Iterable[Mistake], check: CheckRule) -> Iterator[Mistake]:
    faulty = {mistake.path[:2] for mistake in before}
    for table in tables.of(Rule):
        if table.path in faulty:
            continue
        try:
            check(table.made)
        except ValueError as fault:
            yield _named(table.path, str(fault))


def _named(path: tuple[str | int, ...], text: str) -> Mistake:
    match = _NAMED.fullmatch(text)
    if match is None:
        return Mistake(path, text)
    return Mistake((*path, match[1]), match[2])


def _message(mistakes: Iterable[Mistake], read: Source) -> str:
    """Tell the first mistake in the file. The tables are read in nearly its order already."""
    placed = [(0, each) for each in islice(mistakes, _MOST_PLACED)]
    if read.text is not None:
        places = Places(read.text)
        placed = [(places.line(each.path), each) for _, each in placed]
    line, first = min(placed, key=lambda each: each[0])
    place = f"{read.place}:{line}: " if read.text is not None else ""
    return one_line(f"{place}{key_text(first.path)}: {first.text}")
