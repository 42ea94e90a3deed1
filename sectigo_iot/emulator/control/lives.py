"""Lives that wait for the next batches."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from msgspec import Meta, Struct

from sectigo_iot.emulator.config.lives import KNOWN, Life, Step
from sectigo_iot.emulator.control.asking import Asked, meant
from sectigo_iot.emulator.exchange.replies import RefusalError


class Lives(Struct, frozen=True, kw_only=True):
    """The names of the lives that are known, and those that the next batches take."""

    known: list[str]
    queued: list[Life]


class NextLife(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A life for the next batches: one that is known by name, or its steps. `fails` certificates are not made."""

    like: str = ""
    steps: Annotated[tuple[Step, ...], Meta(max_length=100)] = ()
    name: Annotated[str, Meta(max_length=64)] = ""
    fails: Annotated[int, Meta(ge=0)] = 0
    times: Annotated[int, Meta(ge=1, le=1000)] = 1
    """For how many batches."""


async def lives(asked: Asked) -> Lives:
    """What the next batches take."""
    return Lives(known=list(KNOWN), queued=list(asked.service.destiny.queued))


async def queue(asked: Asked) -> Lives:
    """Let the next batches take a life."""
    body = asked.body
    fault = _fault(body)
    if fault:
        raise RefusalError(422, fault)
    life = Life(steps=body.steps, like=body.like, name=body.name, fails=body.fails)
    asked.service.destiny.queued.extend([life] * body.times)
    return await lives(asked)


async def clear(asked: Asked) -> Lives:
    """Let no life wait any more."""
    asked.service.destiny.queued.clear()
    return await lives(asked)


def _fault(life: NextLife) -> str | None:
    if life.like and life.steps:
        return "like: not together with steps, which are a life already"
    if not life.like and not life.steps:
        return "like: either the name of a life or steps are wanted"
    if life.like and life.like not in KNOWN:
        return f"like: {life.like!r} is none of {', '.join(KNOWN)}{meant(life.like, KNOWN)}"
    if any(later.after < earlier.after for earlier, later in pairwise(life.steps)):
        return "steps: none may come earlier than the one before it"
    if any(each.after < 0 for each in life.steps):
        return "steps: after is 0 or more"
    if any(count < 0 for each in life.steps for count in each.info or ()):
        return "steps: a count in info is 0 or more"
    return None
