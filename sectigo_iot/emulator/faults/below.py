"""Faults of the connection: reset, hung, cut or slow, below HTTP."""

from __future__ import annotations

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.faults.acts import Act, Fault, Option


async def lost_reply(act: Act) -> None:
    """Carry the call out, then reset the connection before a byte of the reply."""
    await act.handle()
    act.visit.wire.reset()


async def silent_reply(act: Act) -> None:
    """Carry the call out, and never answer."""
    await act.handle()
    act.visit.wire.swallow()
    await act.visit.wire.gone()


async def reset(act: Act) -> None:
    """Read the request and reset the connection."""
    await read_body(act.visit.request)
    act.visit.wire.reset()


async def hang(act: Act) -> None:
    """Read the request, and never answer."""
    await read_body(act.visit.request)
    act.visit.wire.swallow()
    await act.visit.wire.gone()


async def refuse(act: Act) -> None:
    """Reset this connection, and refuse new ones for a time."""
    await read_body(act.visit.request)
    door = act.visit.service.door
    if door is not None:
        door.refuse(act.seconds)
    act.visit.wire.reset()


async def slow_body(act: Act) -> Response:
    """Answer as always, the body a few bytes a second."""
    return await _dribbled(act, head=False)


async def slow_head(act: Act) -> Response:
    """Answer as always, all of it a few bytes a second."""
    return await _dribbled(act, head=True)


async def cut_reply(act: Act) -> Response:
    """Answer as always, and close the connection in the middle of the body."""
    response = await act.handle()
    half = len(response.body) // 2
    act.visit.wire.cut(half if act.rule.bytes is None else act.rule.bytes)
    return response


async def _dribbled(act: Act, *, head: bool) -> Response:
    response = await act.handle()
    act.visit.wire.dribble(float(act.rule.bytes or 1), head)
    return response


_RATE = {"bytes": Option(10, "bytes a second", least=1)}

FAULTS = (
    Fault(
        "lost-reply", "The call is carried out, and the connection is reset before a byte of the reply.", lost_reply
    ),
    Fault("silent-reply", "The call is carried out and never answered; the connection stays open.", silent_reply),
    Fault("reset", "The request is read and the connection is reset; nothing is carried out.", reset),
    Fault(
        "hang",
        "The request is read and never answered; the connection stays open and nothing is carried out.",
        hang,
    ),
    Fault(
        "refuse",
        "The connection is reset, nothing is carried out, and nobody can connect for a time.",
        refuse,
        options={"seconds": Option(5, "how long the port refuses")},
    ),
    Fault("slow-body", "The call is carried out; the body of the reply dribbles.", slow_body, options=_RATE),
    Fault(
        "slow-head", "The call is carried out; the reply dribbles from its first line on.", slow_head, options=_RATE
    ),
    Fault(
        "cut-reply",
        "The call is carried out; the connection closes before the body is as long as its head says.",
        cut_reply,
        options={"bytes": Option(None, "how much of the body arrives; half where left out")},
    ),
)
"""The faults of this kind."""
