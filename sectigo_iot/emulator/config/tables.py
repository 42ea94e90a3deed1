"""The tables of a configuration, held against the types that they stand for: every mistake, not only the first."""

from __future__ import annotations

import difflib
import functools
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

import msgspec

from sectigo_iot.emulator.config.places import Path

_WORDS = {int: "an integer", float: "a number", str: "a string", bool: "true or false"}
_MANY = {int: "integers", float: "numbers", str: "strings"}
_COUNTS = {2: "two", 3: "three"}


class Mistake(NamedTuple):
    """What is wrong at a place, and what would be right. The last key of the path may be one that is missing."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """One table of the configuration: what it stands for, and those of its values that are right by themselves."""

    path: Path
    kind: type[msgspec.Struct]
    good: Mapping[str, Any]
    made: Any
    """The object, or None where something in the table is wrong."""


Check = Callable[[type[msgspec.Struct], str, Any, Path], Iterable[Mistake]]


@dataclass(slots=True)
class Tables:
    """All the tables of a configuration and the mistakes in them, both in the order in which they are found."""

    check: Check
    """Tells what is wrong with a value of the right type: the kind of table, the key, the value, the path."""
    found: list[Table] = field(default_factory=list)
    mistakes: list[Mistake] = field(default_factory=list)
    _inside: dict[tuple[Path, type[msgspec.Struct]], list[Table]] = field(default_factory=dict)

    def of(self, kind: type[msgspec.Struct]) -> list[Table]:
        """Return the tables of one kind."""
        return [table for table in self.found if table.kind is kind]

    def inside(self, table: Table, kind: type[msgspec.Struct]) -> list[Table]:
        """Return the tables of one kind that stand in an array of another table."""
        return self._inside.get((table.path, kind), [])

    def is_clean(self, path: Path) -> bool:
        """Whether all that stands at a path, and below it, is right by itself."""
        return all(mistake.path[: len(path)] != path for mistake in self.mistakes)

    def read(self, kind: type[msgspec.Struct], value: Any, path: Path = ()) -> Any:
        """Return the object that a table stands for, or None if there is a mistake in it."""
        if type(value) is kind:
            value = msgspec.structs.asdict(value)
        if not isinstance(value, Mapping):
            self.mistakes.append(Mistake(path, f"{_found(value)} stands here; a table is wanted"))
            return None
        before = len(self.mistakes)
        good = self._values(kind, value, path)
        made = kind(**good) if len(self.mistakes) == before else None
        table = Table(path, kind, good, made)
        self.found.append(table)
        self._inside.setdefault((path[:-2], kind), []).append(table)
        return made

    def _values(self, kind: type[msgspec.Struct], table: Mapping[Any, Any], path: Path) -> dict[str, Any]:
        known = {each.name: each for each in _fields(kind)}
        self._report_unknown(known, table, path)
        good = {}
        for key in filter(known.__contains__, table):
            before = len(self.mistakes)
            value = self._value(known[key].type, table[key], (*path, key))
            if len(self.mistakes) == before:
                self.mistakes += self.check(kind, key, value, (*path, key))
            if len(self.mistakes) == before:
                good[key] = value
        return good

    def _report_unknown(self, known: Mapping[str, Any], table: Mapping[Any, Any], path: Path) -> None:
        """A key that is missing is not reported where one that is unknown was probably meant for it."""
        missing = [name for name, each in known.items() if each.required and name not in table]
        for key in table:
            if key not in known:
                meant = closest(key, [name for name in known if name not in table])
                missing = [name for name in missing if name != meant]
                self.mistakes.append(Mistake((*path, str(key)), _unknown(meant, known)))
        for name in missing:
            self.mistakes.append(Mistake((*path, name), f"is missing; {wanted(known[name].type)} is wanted"))

    def _value(self, kind: Any, value: Any, path: Path) -> Any:
        element = _element(kind)
        if element is None:
            return self._leaf(kind, value, path)
        if not isinstance(value, list | tuple):
            self.mistakes.append(Mistake(path, f"{_found(value)} stands here; an array of tables is wanted"))
            return None
        return tuple([self.read(element, each, (*path, index)) for index, each in enumerate(value)])

    def _leaf(self, kind: Any, value: Any, path: Path) -> Any:
        try:
            return msgspec.convert(value, kind)
        except (msgspec.ValidationError, RecursionError):
            self.mistakes.append(_misfit(kind, value, path))
        return None


_fields = functools.cache(msgspec.structs.fields)
"""The fields of a class: to look them up takes longer than to read a table."""


def closest(word: object, names: Iterable[str]) -> str | None:
    """Return the one of the names that was probably meant, if any."""
    return next(iter(difflib.get_close_matches(str(word)[:80], list(names), 1)), None)


def wanted(kind: Any) -> str:
    """Return in words what a type takes."""
    kind = _without_none(kind)
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    if get_origin(kind) is tuple:
        return _wanted_array(get_args(kind))
    return _WORDS.get(kind, "a table")


def _wanted_array(elements: tuple[Any, ...]) -> str:
    if issubclass(elements[0], msgspec.Struct):
        return "an array of tables"
    count = "" if elements[-1] is Ellipsis else f"{_COUNTS.get(len(elements), len(elements))} "
    return f"an array of {count}{_MANY[elements[0]]}"


def _element(kind: Any) -> type[msgspec.Struct] | None:
    """Return the kind of table in an array of tables."""
    arguments = get_args(kind)
    is_table = (
        get_origin(kind) is tuple and isinstance(arguments[0], type) and issubclass(arguments[0], msgspec.Struct)
    )
    return arguments[0] if is_table else None


def _without_none(kind: Any) -> Any:
    """Return what an optional type takes beside None, which TOML cannot say."""
    if get_origin(kind) in (Union, UnionType):
        return next(each for each in get_args(kind) if each is not type(None))
    return kind


def _misfit(kind: Any, value: Any, path: Path) -> Mistake:
    """Say why a value is not of a type: at the element, if one is wrong in an array of the right length."""
    kind = _without_none(kind)
    if get_origin(kind) is Literal and isinstance(value, str):
        return Mistake(path, none_of(value, get_args(kind)))
    if get_origin(kind) is tuple and isinstance(value, list | tuple):
        return _misfit_in_array(get_args(kind), value, path)
    if isinstance(value, Mapping) and get_origin(kind) is dict:
        return Mistake(path, "not all of its keys are strings; a table of settings by name is wanted")
    if kind is float and isinstance(value, int) and not isinstance(value, bool):
        return Mistake(path, f"{shown(value)} is out of range; a smaller number is wanted")
    return Mistake(path, f"{_found(value)} stands here; {wanted(kind)} is wanted")


def _misfit_in_array(elements: tuple[Any, ...], value: list[Any] | tuple[Any, ...], path: Path) -> Mistake:
    if elements[-1] is not Ellipsis and len(value) != len(elements):
        return Mistake(path, f"{len(value)} elements stand here; {_wanted_array(elements)} is wanted")
    for index, each in enumerate(value):
        try:
            msgspec.convert(each, elements[0])
        except msgspec.ValidationError:
            return _misfit(elements[0], each, (*path, index))
    raise AssertionError("the array was refused, and each of its elements is right")


def _unknown(meant: str | None, known: Iterable[str]) -> str:
    if meant:
        return f"there is no such key; did you mean {meant}?"
    return f"there is no such key; the keys are {', '.join(known)}"


def none_of(word: str, names: Iterable[str]) -> str:
    """Tell that a word is none of the names, and which was probably meant."""
    lower = {name.lower(): name for name in names}
    meant = closest(word.lower(), lower)
    hint = f"; did you mean {lower[meant]}?" if meant else ""
    return f"{shown(word)} is none of {', '.join(lower.values())}{hint}"


def shown(value: object) -> str:
    """Return a value as a person reads it, in at most 60 characters."""
    if isinstance(value, int) and abs(value) >= 10**30:
        return "this number"
    text = repr(value[:60]) if isinstance(value, str) else repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def _found(value: object) -> str:
    """Return the type of a value in words; the value itself may be a secret."""
    if isinstance(value, list | tuple):
        return "an array"
    if isinstance(value, Mapping):
        return "a table"
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "a boolean"
    return _WORDS.get(type(value), f"a {type(value).__name__}")
