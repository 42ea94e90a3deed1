"""The ASGI application: the table of endpoints as routes, and every fault as four fields."""

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

from sectigo_iot.emulator import account_routes, auth_routes, batch_routes, certificate_routes, pki_routes
from sectigo_iot.emulator.auth_routes import check_bearer
from sectigo_iot.emulator.paths import route_path
from sectigo_iot.emulator.replies import ENDING, RefusalError, error_reply
from sectigo_iot.emulator.service import Handler, Service
from sectigo_iot.endpoints import ENDPOINTS, Endpoint

logger = logging.getLogger("sectigo_iot.emulator")

_HANDLERS: dict[str, Handler] = {
    **auth_routes.HANDLERS,
    **account_routes.HANDLERS,
    **batch_routes.HANDLERS,
    **certificate_routes.HANDLERS,
}


def create_app(service: Service) -> ASGIApp:
    """Return the application of one service."""

    @contextlib.asynccontextmanager
    async def lifespan(_app: object) -> AsyncIterator[None]:
        yield
        await service.issuer.close()

    # A path that is fixed comes before one with ids that would match it too.
    endpoints = sorted(ENDPOINTS.values(), key=lambda each: (each.ids, not each.typed))
    routes = [Route(route_path(each.path), _call_of(service, each)) for each in endpoints]
    routes += [Route(path, Call(service, method, handler, False)) for method, path, handler in pki_routes.ROUTES]
    nowhere = Call(service, None, _nowhere, False)
    return Router(routes, redirect_slashes=False, default=nowhere, lifespan=lifespan)


@dataclass(frozen=True, slots=True)
class Call:
    """One call as an ASGI application: method, token, handler, in this order. Nothing raised passes beyond it."""

    service: Service
    method: str | None
    handler: Handler
    needs_token: bool

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        # As it was sent, in percent: a line break in the path would begin a line that is not ours.
        logger.debug("%s %s %s", scope["method"], scope["raw_path"].decode("ascii"), response.status_code)
        # Who does not read the answer is left when the server ends.
        with contextlib.suppress(asyncio.CancelledError):
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            if self.method not in (None, request.method):
                raise RefusalError(405, f"the method must be {self.method}", {"Allow": str(self.method)})
            if self.needs_token:
                check_bearer(self.service, request)
            return await self.handler(self.service, request)
        except RefusalError as refusal:
            return error_reply(refusal, self.service.now)
        except asyncio.CancelledError:
            return error_reply(RefusalError(503, ENDING), self.service.now)
        except Exception:
            logger.exception("a request could not be answered")
            return error_reply(RefusalError(500, "internal error"), self.service.now)


def _call_of(service: Service, endpoint: Endpoint) -> Call:
    handler = _HANDLERS[endpoint.name] if endpoint.typed else _without_schema
    return Call(service, endpoint.method, handler, endpoint.needs_token)


async def _without_schema(_service: Service, _request: Request) -> Response:
    raise RefusalError(501, "no public schema exists for this call")


async def _nowhere(service: Service, request: Request) -> Response:
    if request.url.path.startswith("/api/"):
        check_bearer(service, request)
    raise RefusalError(404, "there is nothing at this path")
