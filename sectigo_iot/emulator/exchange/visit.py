"""One request on its way through the emulator: what a handler is given, and what it leaves to be known of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.requests import Request
from starlette.responses import Response

if TYPE_CHECKING:
    from sectigo_iot.emulator.config.world import Organization, User
    from sectigo_iot.emulator.memory.users import Member
    from sectigo_iot.emulator.net.wire import Wire
    from sectigo_iot.emulator.service import Service


@dataclass(slots=True)
class Visit:
    """A request, who sent it, and the connection that it came on."""

    service: Service
    request: Request
    endpoint: str
    """The name of the call in the table of endpoints, or the path of what is no call of the service."""
    member: Member | None = None
    """Who sent it, once that is known."""
    login: str | None = None
    """The user name that was given at a log-in."""
    batch_name: str = ""
    """The name that an order gives its batch."""
    common_name: str = ""
    """The name that an order is for; that of the first request of an upload."""
    batch_id: int | None = None
    """The batch that it is about, or that it made."""
    fault: str | None = None
    """The fault that struck, if one did."""
    handled: Response | None = None
    """The service's own answer, whether or not that is what is sent."""
    refusal: str | None = None
    """Why the service refused it."""

    @property
    def wire(self) -> Wire:
        """The connection. Raises KeyError where there is none, as in a test without a server."""
        wire: Wire = self.request.scope["extensions"]["wire"]
        return wire

    @property
    def body(self) -> bytes:
        """What was read of the request's body."""
        body: bytes = self.request.scope.get("read_body", b"")
        return body

    @property
    def caller(self) -> Member:
        """Who sent it. Raises LookupError before the token is checked."""
        if self.member is None:
            raise LookupError("nobody is logged in")
        return self.member

    @property
    def organization(self) -> Organization:
        """The organization of who sent it."""
        return self.caller.organization

    @property
    def user(self) -> User | None:
        """Who sent it, if that is known."""
        return None if self.member is None else self.member.user


Handler = Callable[[Visit], Awaitable[Response]]
"""Answers one call, or raises RefusalError."""
