"""The ASGI application: the table of endpoints as routes, faults around them, every refusal as four fields."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from dataclasses import dataclass

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.exchange.paths import route_path
from sectigo_iot.emulator.exchange.replies import ENDING, RefusalError, error_reply
from sectigo_iot.emulator.exchange.visit import Handler, Visit
from sectigo_iot.emulator.faults.catalogue import strike
from sectigo_iot.emulator.memory.store import NotKeptError
from sectigo_iot.emulator.routes import account as account_routes
from sectigo_iot.emulator.routes import auth as auth_routes
from sectigo_iot.emulator.routes import batch as batch_routes
from sectigo_iot.emulator.routes import certificate as certificate_routes
from sectigo_iot.emulator.routes import order as order_routes
from sectigo_iot.emulator.routes import pki as pki_routes
from sectigo_iot.emulator.routes.auth import check_bearer
from sectigo_iot.emulator.service import Service
from sectigo_iot.endpoints import ENDPOINTS, Endpoint

logger = logging.getLogger("sectigo_iot.emulator")

_HANDLERS: dict[str, Handler] = {
    **auth_routes.HANDLERS,
    **account_routes.HANDLERS,
    **batch_routes.HANDLERS,
    **order_routes.HANDLERS,
    **certificate_routes.HANDLERS,
}
_GUESSED_METHODS = {"batches": "GET"}
"""Of calls without a public schema that a setting gives a form to."""
_CONTROL = (
    *("", "openapi.json", "events", "clock", "reset", "snapshots", "authorities", "profiles", "users"),
    *("batches", "lives", "certificates", "faults", "journal"),
)
"""The first parts of the paths that the control port alone has."""


def create_app(service: Service) -> ASGIApp:
    """Return the application of one service."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        service.issuer.resume()
        yield
        await service.issuer.close()
        service.close()

    # A path that is fixed comes before one with ids that would match it too.
    endpoints = sorted(ENDPOINTS.values(), key=lambda each: (each.ids, not each.typed))
    routes = [Route(route_path(each.path), _call_of(service, each)) for each in endpoints]
    routes += [
        Route(path, Call(service, path, method, handler, False)) for method, path, handler in pki_routes.ROUTES
    ]
    nowhere = Call(service, "", None, _nowhere, False)
    return Router(routes, redirect_slashes=False, default=nowhere, lifespan=lifespan)


@dataclass(frozen=True, slots=True)
class Call:
    """One call as an ASGI application: method, token, handler, in this order. Nothing raised passes beyond it."""

    service: Service
    name: str
    """The name of the endpoint, or the path of what is no call of the service."""
    method: str | None
    handler: Handler
    needs_token: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, unless a fault says otherwise."""
        service = self.service
        scope["body_limit"] = service.settings.body_limit
        visit = Visit(service, Request(scope, receive), self.name or scope["path"])
        entry = service.journal.begin(visit)
        response: Response | None = None
        try:
            rule = service.plan.choose(self.name, scope["method"])
            response = await (self._answer(visit) if rule is None else self._struck(visit, rule))
        finally:
            service.journal.end(entry, visit, response)
        # As it was sent, in percent: a line break in the path would begin a line that is not ours.
        logger.debug("%s %s %s", scope["method"], entry.path.partition("?")[0], entry.status)
        if response is not None:
            # Who does not read the answer is left when the server ends.
            with contextlib.suppress(asyncio.CancelledError):
                await response(scope, receive, send)

    async def _struck(self, visit: Visit, rule: Rule) -> Response | None:
        """Let a fault strike. What an order is for is noted before, because it may never be handled."""
        try:
            if self.name in order_routes.HANDLERS:
                with contextlib.suppress(RefusalError):
                    await read_body(visit.request)
                order_routes.name_asked_for(visit)
            return await strike(rule, visit, lambda: self._answer(visit), self.service.plan.draws(self.name))
        except asyncio.CancelledError:
            return error_reply(RefusalError(503, ENDING), self.service.now)
        except Exception:
            logger.exception("a fault could not strike")
            return error_reply(RefusalError(500, "internal error"), self.service.now)

    async def _answer(self, visit: Visit) -> Response:
        try:
            visit.handled = await self._handle(visit)
        except RefusalError as refusal:
            visit.refusal = refusal.message
            visit.handled = error_reply(refusal, self.service.now)
        except asyncio.CancelledError:
            visit.handled = error_reply(RefusalError(503, ENDING), self.service.now)
        except NotKeptError as fault:
            logger.error("a request could not be answered: %s", fault)
            visit.handled = error_reply(
                RefusalError(500, "the emulator cannot write to its folder"), self.service.now
            )
        except Exception:
            logger.exception("a request could not be answered")
            visit.handled = error_reply(RefusalError(500, "internal error"), self.service.now)
        return visit.handled

    async def _handle(self, visit: Visit) -> Response:
        # What cannot be written now waits, and what is there already can be read.
        with contextlib.suppress(NotKeptError):
            self.service.state.settle()
        if self.method not in (None, visit.request.method) and not self._answers_head(visit):
            raise RefusalError(405, f"the method must be {self.method}", {"Allow": str(self.method)})
        if self.needs_token:
            check_bearer(visit)
        return await self.handler(visit)

    def _answers_head(self, visit: Visit) -> bool:
        """Whether it is HEAD of what anybody may fetch: certificates and lists, as programs look for them."""
        return visit.request.method == "HEAD" and self.method == "GET" and not self.needs_token


def _call_of(service: Service, endpoint: Endpoint) -> Call:
    handler = _HANDLERS.get(endpoint.name, _without_schema)
    method = endpoint.method
    if service.settings.batch_list != "off":
        method = method or _GUESSED_METHODS.get(endpoint.name)
    return Call(service, endpoint.name, method, handler, endpoint.needs_token)


async def _without_schema(_visit: Visit) -> Response:
    raise RefusalError(501, "no public schema exists for this call")


async def _nowhere(visit: Visit) -> Response:
    if visit.request.url.path.startswith("/api/"):
        check_bearer(visit)
    nothing, control = "there is nothing at this path", visit.service.settings.control_port is not None
    first = visit.request.scope["path"].removeprefix("/").partition("/")[0]
    raise RefusalError(404, f"{nothing}; the control port has it" if control and first in _CONTROL else nothing)
