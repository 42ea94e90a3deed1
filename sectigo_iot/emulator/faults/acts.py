"""What a fault is given when it strikes, and how it is described."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

from msgspec.structs import replace
from starlette.responses import Response

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.exchange.visit import Visit
from sectigo_iot.endpoints import ENDPOINTS

TYPED = tuple(name for name, row in ENDPOINTS.items() if row.typed)
"""The calls with a public schema."""

WITH_TOKEN = tuple(name for name, row in ENDPOINTS.items() if row.needs_token)
"""The calls that carry an access token."""

LOGINS = ("authenticate", "refresh")
"""The calls that hand out tokens."""

ORDERS = ("createSingleCertBatch", "upload")
"""The calls that spend licences."""


@dataclass(slots=True)
class Act:
    """One strike of a fault on one call."""

    rule: Rule
    """With every detail that the fault takes; what was left out has its default."""
    visit: Visit
    handle: Callable[[], Awaitable[Response]]
    """Carries the call out. A refusal comes back as a response."""
    fraction: Callable[[], float]
    """Draws a number from 0 up to 1, decided by the seed."""

    def one_in(self, many: int) -> bool:
        """Draw whether something happens that happens once in so many times."""
        return self.fraction() * many < 1

    @property
    def seconds(self) -> float:
        """The rule's seconds."""
        return self.rule.seconds or 0.0

    @property
    def token(self) -> str:
        """The access token of the request; empty where there is none."""
        return self.visit.request.headers.get("authorization", "").partition(" ")[2].strip()

    async def wait(self) -> bool:
        """Wait for the rule's seconds. Return whether the client was there to the end."""
        try:
            async with asyncio.timeout(self.seconds):
                await self.visit.wire.gone()
        except TimeoutError:
            return True
        return False


Strike = Callable[[Act], Awaitable[Response | None]]
"""Makes a call go wrong, and returns what is sent; None where nothing is."""


class Option(NamedTuple):
    """A detail that a fault takes: `seconds`, `status`, `bytes` or `value`."""

    default: float | int | str | None
    meaning: str
    choices: tuple[str, ...] = ()
    """The values that are allowed, where not every one is."""
    least: int = 0
    """The least number that is allowed."""
    pattern: str = ""
    """A regular expression for the value."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One entry of the catalogue."""

    name: str
    summary: str
    """What happens, in one sentence."""
    strike: Strike
    calls: tuple[str, ...] = ()
    """The endpoints that it can strike; none means all."""
    options: Mapping[str, Option] = field(default_factory=dict)

    def filled(self, rule: Rule) -> Rule:
        """Return the rule with the default of every detail that it leaves out."""
        left_out = {name: option.default for name, option in self.options.items() if getattr(rule, name) is None}
        return replace(rule, **left_out)
