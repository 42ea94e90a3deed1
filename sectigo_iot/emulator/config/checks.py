"""The rules of a configuration that types cannot say: ranges, names, and what must fit together."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from itertools import pairwise
from typing import Any

from msgspec import Struct

from sectigo_iot.emulator.config.lives import KNOWN, Life, Step
from sectigo_iot.emulator.config.places import Path, key_text
from sectigo_iot.emulator.config.tables import Mistake, Table, Tables, none_of, shown
from sectigo_iot.emulator.config.world import Authority, Organization, Parameter, Profile, User

Check = Callable[[Any], str | None]

LARGEST = 2**53 - 1
"""The largest integer that every reader of JSON keeps exactly."""
LONGEST_DAYS = 36500
"""A hundred years; later times than the year 9999 cannot be told."""


def mistakes_in(kind: type[Struct], key: str, value: Any, path: Path) -> Iterator[Mistake]:
    """Tell what is wrong with a value of the right type by itself."""
    check = _CHECKS[kind.__name__].get(key, _text if isinstance(value, str) else None)
    return iter(()) if check is None else _checked(check, value, path)


def mistakes_of(tables: Tables) -> Iterator[Mistake]:
    """Tell what does not fit together among the values that are right by themselves."""
    yield from _repeats(tables)
    for profile in tables.of(Profile):
        yield from _parameter_mistakes(profile, tables)
    for organization in tables.of(Organization):
        yield from _organization_mistakes(organization, tables)
    for life in tables.of(Life):
        yield from _life_mistakes(life, tables)


def unknown_profiles(tables: Tables, profiles: Collection[int]) -> Iterator[Mistake]:
    """Tell which authorities name a profile that is none of those."""
    for table in tables.of(Authority):
        profile = table.good.get("profile")
        if profile is not None and profile not in profiles:
            text = f"there is no profile {shown(profile)}; the profiles are {_some(profiles)}"
            yield Mistake((*table.path, "profile"), text)


def _between(least: float, most: float) -> Check:
    def check(value: float) -> str | None:
        if least <= value <= most:
            return None
        return f"{shown(value)} is out of range; a number from {least} to {most} is wanted"

    return check


def _text(value: str) -> str | None:
    """A half of a surrogate pair cannot be encoded, and so not be sent."""
    if any(unicodedata.category(each) == "Cs" for each in value):
        return "a half of a surrogate pair stands in it; whole characters are wanted"
    return None


def _line(value: str) -> str | None:
    if any(unicodedata.category(each) == "Cc" for each in value):
        return "a control character stands in it; one line of text is wanted"
    return _text(value)


def _name(value: str) -> str | None:
    return _line(value) if value.strip() else "it is empty; at least one character is wanted"


def _pattern(value: str) -> str | None:
    """Refuse what Python warns of too: it will mean something else one day."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            re.compile(value)
    except (re.error, OverflowError, RecursionError, Warning) as fault:
        return f"it is no regular expression: {fault}; one in Python's syntax is wanted"
    return _text(value)


_ID = _between(0, LARGEST)
_DAYS = _between(1, LONGEST_DAYS)
_PERCENT = _between(0, 100)
_COUNT = _between(1, LARGEST)

_CHECKS: Mapping[str, Mapping[str, Check]] = {
    "Config": {"first_batch": _ID, "first_order": _ID},
    "Parameter": {"name": _name, "title": _line, "pattern": _pattern, "input_type": _name},
    "Profile": {
        "id": _ID,
        "name": _name,
        "title": _line,
        "days_to_live": _DAYS,
        "validity_days": _DAYS,
        "password_minimum": _between(1, 64),
    },
    "Authority": {
        "id": _ID,
        "profile": _ID,
        "balance": _ID,
        "ecosystem_name": _line,
        "signer_certificate_id": _ID,
    },
    "User": {"id": _ID, "username": _name, "password": _name, "authorities": _ID, "subject": _line},
    "Organization": {
        "id": _ID,
        "name": _name,
        "address": _line,
        "contact_name": _line,
        "contact_email": _line,
        "contact_phone": _line,
        "ecosystem_id": _ID,
        "ordered": _ID,
        "issued": _ID,
    },
    "Step": {"after": _between(0, LONGEST_DAYS * 86400), "info": _ID},
    "Life": {"name": _line, "match": _line, "percent": _PERCENT, "times": _COUNT, "fails": _ID},
    "Rule": {"fault": _name, "percent": _PERCENT, "nth": _COUNT, "times": _COUNT},
}


def _checked(check: Check, value: Any, path: Path) -> Iterator[Mistake]:
    """What holds for a value holds for each element of an array; None is what was left out."""
    if isinstance(value, tuple):
        for index, each in enumerate(value):
            yield from _checked(check, each, (*path, index))
    elif value is not None:
        text = check(value)
        if text:
            yield Mistake(path, text)


def _repeats(tables: Tables) -> Iterator[Mistake]:
    for kind in (Profile, Organization, Authority, User):
        yield from _repeated("id", tables.of(kind))
    yield from _repeated("username", tables.of(User))
    yield from _repeated_subjects(tables)


def _repeated(key: str, tables: Iterable[Table]) -> Iterator[Mistake]:
    first: dict[Any, Table] = {}
    for table in tables:
        value = table.good.get(key)
        if value is not None and first.setdefault(value, table) is not table:
            yield Mistake((*table.path, key), _taken(value, first[value]))


def _repeated_subjects(tables: Tables) -> Iterator[Mistake]:
    """The service tells users apart by the subject of their tokens."""
    first: dict[str, Table] = {}
    for organization in tables.of(Organization):
        for user in tables.inside(organization, User):
            subject = _subject(organization, user)
            if subject and first.setdefault(subject, user) is not user:
                yield Mistake((*user.path, "subject"), _taken(subject, first[subject]))


def _subject(organization: Table, user: Table) -> str | None:
    if user.made is None or "id" not in organization.good:
        return None
    subject: str = user.made.subject_in(organization.good["id"])
    return subject


def _taken(value: object, owner: Table) -> str:
    return f"{shown(value)} is that of {key_text(owner.path)} too; one of its own is wanted"


def _parameter_mistakes(profile: Table, tables: Tables) -> Iterator[Mistake]:
    parameters = tables.inside(profile, Parameter)
    yield from _repeated("name", parameters)
    names = {each.good.get("name") for each in parameters}
    if "commonName" not in names and tables.is_clean((*profile.path, "parameters")):
        yield Mistake((*profile.path, "parameters"), "none is named commonName; every profile needs that one")


def _organization_mistakes(organization: Table, tables: Tables) -> Iterator[Mistake]:
    users = tables.inside(organization, User)
    if not users and tables.is_clean((*organization.path, "users")):
        yield Mistake((*organization.path, "users"), "it has none; at least one [[organizations.users]] is wanted")
    if tables.is_clean((*organization.path, "authorities")):
        own = {each.good["id"] for each in tables.inside(organization, Authority)}
        for user in users:
            yield from _foreign_authorities(user, own)


def _foreign_authorities(user: Table, own: Collection[int]) -> Iterator[Mistake]:
    for index, authority in enumerate(user.good.get("authorities") or ()):
        if authority not in own:
            text = f"the organization has no authority {shown(authority)}; it has {_some(own)}"
            yield Mistake((*user.path, "authorities", index), text)


def _life_mistakes(life: Table, tables: Tables) -> Iterator[Mistake]:
    steps, like = tables.inside(life, Step), life.good.get("like", "")
    if like and steps:
        yield Mistake((*life.path, "like"), "it stands beside steps; only one of the two is wanted")
    elif like and like not in KNOWN:
        yield Mistake((*life.path, "like"), none_of(like, KNOWN))
    elif not like and not steps and tables.is_clean((*life.path, "steps")) and tables.is_clean((*life.path, "like")):
        yield Mistake(
            (*life.path, "steps"), "there is none; at least one step is wanted, or the name of a life in like"
        )
    yield from _backward_steps(steps)


def _backward_steps(steps: Iterable[Table]) -> Iterator[Mistake]:
    made = [(each.path, each.made.after) for each in steps if each.made is not None]
    for (_, before), (path, after) in pairwise(made):
        if after < before:
            text = f"{shown(after)} is earlier than the step before it; {shown(before)} or later is wanted"
            yield Mistake((*path, "after"), text)


def _some(ids: Collection[int]) -> str:
    """Return the first of the ids, as many as a line holds."""
    first = ", ".join(map(str, sorted(ids)[:8]))
    return f"{first}, ..." if len(ids) > 8 else first or "none"
