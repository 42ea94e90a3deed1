"""Faults: those that wait for one call, the rules that stay, and all that there are."""

from __future__ import annotations

from msgspec import Struct

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.control.asking import Asked, missing
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.faults.acts import Fault
from sectigo_iot.emulator.faults.checking import check_rule
from sectigo_iot.emulator.faults.table import FAULTS


class Detail(Struct, frozen=True, kw_only=True):
    """A detail that a fault takes. No choices means that every value may be given."""

    meaning: str
    default: float | str | None
    choices: list[str]


class KnownFault(Struct, frozen=True, kw_only=True):
    """A fault. No calls means that it can strike every one; `options` are its details by name."""

    name: str
    summary: str
    calls: list[str]
    options: dict[str, Detail]


class Faults(Struct, frozen=True, kw_only=True):
    """The rules in the order in which they are asked, the one-shots that wait, and every fault that there is."""

    rules: list[Rule]
    queued: list[Rule]
    known: list[KnownFault]


async def faults(asked: Asked) -> Faults:
    """What strikes."""
    plan = asked.service.plan
    return Faults(rules=list(plan.rules), queued=list(plan.queued), known=list(map(_known, FAULTS.values())))


async def queue(asked: Asked) -> Faults:
    """Let a fault strike the next call that fits."""
    asked.service.plan.queue(_checked(asked))
    return await faults(asked)


async def add(asked: Asked) -> Faults:
    """Let a fault strike from now on."""
    asked.service.plan.add(_checked(asked))
    return await faults(asked)


async def remove(asked: Asked) -> Faults:
    """Take a rule away."""
    try:
        asked.service.plan.remove(asked.number_at("index"))
    except IndexError:
        raise missing("rule", asked.word("index")) from None
    return await faults(asked)


async def clear(asked: Asked) -> Faults:
    """Take every rule and every one-shot away."""
    asked.service.plan.clear()
    return await faults(asked)


def _checked(asked: Asked) -> Rule:
    rule: Rule = asked.body
    try:
        check_rule(rule)
    except ValueError as fault:
        raise RefusalError(422, str(fault)) from None
    return rule


def _known(fault: Fault) -> KnownFault:
    options = {
        name: Detail(meaning=option.meaning, default=option.default, choices=list(option.choices))
        for name, option in fault.options.items()
    }
    return KnownFault(name=fault.name, summary=fault.summary, calls=list(fault.calls), options=options)
