"""What the markers of the pytest plugin say: read, checked, and carried out on a running emulator.

A mistake in a marker is a ValueError of one line, to be shown with the marker's name before it.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pytest

    from sectigo_iot.emulator import Control

MARKERS = (
    "iot_manager(account, **options): start the fixture iot_manager with these arguments of Emulator",
    "iot_scenario(name): start the fixture iot_manager with this scenario",
    "iot_batch(like, *, steps, reason, fails, times, optional): let the next batches take this life",
    "iot_fault(fault, *, call, times, nth, percent, optional, **details): let this fault strike the next calls",
)
"""Each marker as pytest lists it."""
NAMES = tuple(each.partition("(")[0] for each in MARKERS)

_BATCH_ARGUMENTS = ("like", "steps", "reason", "fails", "times", "optional")
_FAULT_ARGUMENTS = (
    *("fault", "call", "calls", "times", "nth", "percent", "optional"),
    *("seconds", "status", "bytes", "value"),
)
_FEW = 12
"""So many names are told in a line, where none is near."""


@dataclass(frozen=True, slots=True)
class Stub:
    """What a marker lets happen so many times, to be used up by the end of the test."""

    waits: str
    """Among what it waits: `lives` or `faults`."""
    document: Mapping[str, Any]
    """How it reads while it waits there."""
    unmet: str
    """What is said where it was not used up."""


def check_name(marker: str, registered: Iterable[str], *, in_use: bool) -> None:
    """Raise ValueError for a marker that is none of ours and was probably meant to be.

    `registered` are the lines in which the project and its plugins name their markers, `in_use` says whether the test
    uses the fixture.
    """
    if not marker.startswith("iot_") or marker in NAMES:
        return
    if marker in {line.partition(":")[0].partition("(")[0].strip() for line in registered}:
        return
    near = _nearest(marker, NAMES)
    if near or in_use:
        raise ValueError(f"there is no such marker{_hint(marker, NAMES)}")


def scenario_options(marker: pytest.Mark) -> dict[str, Any]:
    """Return the arguments of Emulator that `iot_scenario` stands for."""
    if len(marker.args) > 1:
        raise ValueError(f"there is one scenario at a time, and {len(marker.args)} are named")
    name = _arguments(marker, "name", ("name",)).get("name")
    if not isinstance(name, str):
        raise ValueError('the name of a scenario is wanted, such as iot_scenario("lost-reply")')
    return {"scenario": name}


def manager_options(marker: pytest.Mark) -> dict[str, Any]:
    """Return the arguments of Emulator that `iot_manager` gives."""
    given = _arguments(marker, "account", _emulator_arguments())
    return {name: value for name, value in given.items() if name != "account" or value is not None}


def check_options(options: Iterable[str]) -> None:
    """Raise ValueError for what is no argument of Emulator."""
    _check_arguments(options, _emulator_arguments())


def script_batch(marker: pytest.Mark, control: Control, delay: float) -> Iterator[Stub]:
    """Let the next batches take the life that `iot_batch` describes, `delay` seconds from order to ready.

    Yields what waits then, unless that is optional.
    """
    given = _arguments(marker, "like", _BATCH_ARGUMENTS)
    optional, reason = _optional(given), given.pop("reason", None)
    like, steps = given.pop("like", None), given.pop("steps", None)
    if (like is None) == (steps is None):
        raise ValueError("either the name of a life or steps are wanted")
    life = _checked_steps(steps) if like is None else _checked_life(like)
    if reason is not None:
        life = _with_reason(life, reason, delay)
    waiting = control.next_life(life, **given)["queued"]
    times = given.get("times", 1)
    if not optional:
        unmet = f"{_fewer(times, 'batch', 'batches')} took {like or 'the path of its steps'}"
        yield from [Stub("lives", waiting[-1], unmet)] * times


def script_fault(marker: pytest.Mark, control: Control, _delay: float) -> Iterator[Stub]:
    """Let the fault strike that `iot_fault` describes.

    Yields what waits then, unless that is optional; what strikes a part of the calls does not wait.
    """
    given = _arguments(marker, "fault", _FAULT_ARGUMENTS)
    optional, fault, calls = _optional(given), given.pop("fault", None), _calls(given)
    if not isinstance(fault, str):
        raise ValueError('the name of a fault is wanted, such as iot_fault("lost-reply")')
    if isinstance(given.get("nth"), int):
        given["nth"] = (given["nth"],)
    if "nth" in given or "percent" in given:
        control.add_fault(fault, calls=calls, **given)
        return
    waiting = control.queue_fault(fault, calls=calls, **given)["queued"]
    if not optional:
        where = f" at {', '.join(calls)}" if calls else ""
        yield Stub("faults", waiting[-1], f"{_fewer(given.get('times', 1), 'call', 'calls')} met {fault}{where}")


START: Mapping[str, Callable[[pytest.Mark], dict[str, Any]]] = {
    "iot_scenario": scenario_options,
    "iot_manager": manager_options,
}
"""The markers that say how the emulator starts."""
SCRIPTS: Mapping[str, Callable[[pytest.Mark, Control, float], Iterator[Stub]]] = {
    "iot_batch": script_batch,
    "iot_fault": script_fault,
}
"""The markers that say what happens to it."""


def unmet(stubs: Iterable[Stub], control: Control) -> list[str]:
    """Return what is to be said of the stubs that still wait, a line for each marker."""
    stubs = list(stubs)
    if not stubs:
        return []
    waiting = {"lives": list(control.lives()["queued"]), "faults": list(control.faults()["queued"])}
    lines: dict[str, None] = {}
    for stub in stubs:
        if stub.document in waiting[stub.waits]:
            waiting[stub.waits].remove(stub.document)
            lines[f"{_NAME_OF[stub.waits]}: {stub.unmet}; optional=True allows that"] = None
    return list(lines)


_NAME_OF = {"lives": "iot_batch", "faults": "iot_fault"}


def _arguments(marker: pytest.Mark, first: str, known: Collection[str]) -> dict[str, Any]:
    """Return what is given to a marker by name; the one argument that may stand without its name is the first."""
    given = dict(marker.kwargs)
    _check_arguments(given, known)
    if len(marker.args) > 1:
        raise ValueError(f"one argument may stand without its name, {first}, and there are {len(marker.args)}")
    if marker.args and first in given:
        raise ValueError(f"{first} is given twice")
    return given | dict(zip((first,), marker.args, strict=False))


def _check_arguments(given: Iterable[str], known: Collection[str]) -> None:
    for name in given:
        if name not in known:
            raise ValueError(f"there is no argument {name!r}{_hint(name, known)}")


def _emulator_arguments() -> tuple[str, ...]:
    from sectigo_iot.emulator.settings import Options

    return ("account", "config", "scenario", *Options.__annotations__)


def _optional(given: dict[str, Any]) -> bool:
    optional = given.pop("optional", False)
    if not isinstance(optional, bool):
        raise ValueError(f"optional {optional!r} is neither True nor False")
    return optional


def _calls(given: dict[str, Any]) -> tuple[str, ...]:
    """Return the endpoints that are named, `call` and `calls` being one."""
    if "call" in given and "calls" in given:
        raise ValueError("call and calls mean the same, and both are given")
    calls = given.pop("call", given.pop("calls", ()))
    listed = calls.split("+") if isinstance(calls, str) else calls
    if not isinstance(listed, list | tuple | set) or not all(isinstance(each, str) for each in listed):
        raise ValueError(f"call {calls!r} is neither a text nor a list of texts")
    return tuple(listed)


def _checked_life(like: object) -> str:
    from sectigo_iot.emulator.config.lives import KNOWN

    if not isinstance(like, str):
        raise ValueError(f"life {like!r} is no text; it is one of {', '.join(KNOWN)}")
    if like not in KNOWN:
        raise ValueError(f"life {like!r} is not known{_hint(like, KNOWN)}")
    return like


def _checked_steps(steps: object) -> list[Mapping[str, Any]]:
    if not isinstance(steps, list | tuple) or not all(isinstance(each, Mapping) for each in steps):
        raise ValueError('steps: a list of dictionaries is wanted, such as [{"status": "FAILED", "after": 5}]')
    return list(steps)


def _with_reason(life: str | list[Mapping[str, Any]], reason: object, delay: float) -> list[Mapping[str, Any]]:
    """Return the path of a life that is known, ending for a reason of its own."""
    import msgspec

    from sectigo_iot.emulator.config.lives import known_lives

    if not isinstance(life, str):
        raise ValueError("reason: it goes with the name of a life; a step has a reason of its own")
    known = known_lives(delay)[life]
    if not known.steps[-1].reason:
        raise ValueError(f"{life} does not end with a reason; rejected and broken do")
    *before, last = msgspec.to_builtins(known.steps)
    return [*before, {**last, "reason": reason}]


def _fewer(times: int, one: str, many: str) -> str:
    return f"no {one}" if times == 1 else f"fewer than {times} {many}"


def _nearest(word: str, known: Collection[str]) -> str | None:
    import difflib

    return next(iter(difflib.get_close_matches(word, known, 1)), None)


def _hint(word: str, known: Collection[str]) -> str:
    near = _nearest(word, known)
    if near:
        return f"; did you mean {near!r}?"
    return "" if len(known) > _FEW else f"; known are {', '.join(known)}"
