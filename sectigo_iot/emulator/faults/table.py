"""Every fault by name, which calls a rule for one is about, and how it strikes one."""

from __future__ import annotations

import functools
from collections.abc import Awaitable, Callable

from starlette.responses import Response

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.exchange.replies import RefusalError, error_reply
from sectigo_iot.emulator.exchange.visit import Visit
from sectigo_iot.emulator.faults import (
    accounts,
    archives,
    below,
    instead,
    redirects,
    replies,
    sessions,
    timing,
)
from sectigo_iot.emulator.faults.acts import Act, Fault
from sectigo_iot.endpoints import ENDPOINTS, find_endpoint

_KINDS = (below, timing, replies, instead, archives, sessions, accounts, redirects)

FAULTS: dict[str, Fault] = {fault.name: fault for kind in _KINDS for fault in kind.FAULTS}
"""Every fault, by its name."""


@functools.lru_cache(maxsize=1024)
def calls_of(rule: Rule) -> frozenset[str]:
    """Return the names of the endpoints that a rule is for: aliases resolved, all that it can strike for none."""
    rows = [find_endpoint(name) for name in rule.calls]
    named = {row.name for row in rows if row is not None}
    return frozenset(named or FAULTS[rule.fault].calls or ENDPOINTS)


async def strike(
    rule: Rule, visit: Visit, handle: Callable[[], Awaitable[Response]], fraction: Callable[[], float]
) -> Response | None:
    """Let a fault strike one call, and return what is sent; None where nothing is.

    `handle` carries the call out, its refusals included, and `fraction` draws numbers from 0 up to 1.
    """
    fault = FAULTS[rule.fault]
    visit.fault = fault.name
    try:
        return await fault.strike(Act(fault.filled(rule), visit, handle, fraction))
    except RefusalError as refusal:
        # The body was read, and is one that the service would have refused too.
        return error_reply(refusal, visit.service.now)
