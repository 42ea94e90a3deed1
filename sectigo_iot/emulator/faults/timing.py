"""Faults of time: a reply that comes late, an order that is carried out late."""

from __future__ import annotations

import asyncio

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.faults.acts import Act, Fault, Option


async def late_reply(act: Act) -> Response | None:
    """Carry the call out at once, and answer after a time."""
    response = await act.handle()
    return response if await act.wait() else None


async def accepted_late(act: Act) -> Response:
    """Carry the call out after a time only, whether or not the client waits for it."""
    await read_body(act.visit.request)
    await asyncio.sleep(act.seconds)
    return await act.handle()


FAULTS = (
    Fault(
        "late-reply",
        "The call is carried out at once, and answered late.",
        late_reply,
        options={"seconds": Option(65, "how late the reply comes")},
    ),
    Fault(
        "accepted-late",
        "The call is carried out late, even if the client has given up by then.",
        accepted_late,
        options={"seconds": Option(65, "how late it is carried out")},
    ),
)
"""The faults of this kind."""
