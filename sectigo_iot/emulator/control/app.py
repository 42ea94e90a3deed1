"""The application on the control port: who may call, which call it is, and every refusal as one line of JSON."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re
from dataclasses import dataclass

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Receive, Scope, Send

from sectigo_iot.emulator.control.asking import Asked, Refused, read_document, read_query
from sectigo_iot.emulator.control.calls import Call
from sectigo_iot.emulator.control.routes import CALLS
from sectigo_iot.emulator.control.snapshots import Moment, start_of
from sectigo_iot.emulator.exchange.replies import ENDING, RefusalError
from sectigo_iot.emulator.memory.store import NotKeptError
from sectigo_iot.emulator.service import Service

logger = logging.getLogger("sectigo_iot.emulator")

_OWN_HOST = re.compile(r"(localhost|127\.0\.0\.1|\[::1\])(:[0-9]{1,5})?", re.IGNORECASE)
_OF_THE_SERVICE = ("/api/", "/auth/")
_HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


def create_control(service: Service) -> ASGIApp:
    """Return the application. To be called before anything happens: it is what a reset goes back to."""
    start = start_of(service)
    by_path: dict[str, dict[str, Call]] = {}
    for call in CALLS:
        by_path.setdefault(call.path, {})[call.method] = call
    routes = [Route(path, Resource(service, start, methods)) for path, methods in by_path.items()]
    return Router(routes, redirect_slashes=False, default=Resource(service, start, {}))


@dataclass(frozen=True, slots=True)
class Resource:
    """One path with its methods, as an ASGI application. Nothing raised passes beyond it."""

    service: Service
    start: Moment
    methods: dict[str, Call]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        response = await self._answer(Request(scope, receive))
        response.headers.update(_HEADERS)
        # Who does not read the answer is left when the server ends.
        with contextlib.suppress(asyncio.CancelledError):
            await response(scope, receive, send)

    async def _answer(self, request: Request) -> Response:
        try:
            _check_origin(request)
            return await self._handle(request)
        except RefusalError as refusal:
            return _refused(refusal)
        except asyncio.CancelledError:
            return _refused(RefusalError(503, ENDING))
        except NotKeptError as fault:
            logger.error("a request to the control port could not be answered: %s", fault)
            return _refused(RefusalError(500, "the emulator cannot write to its folder"))
        except Exception:
            logger.exception("a request to the control port could not be answered")
            return _refused(RefusalError(500, "internal error"))

    async def _handle(self, request: Request) -> Response:
        call = self._call(request)
        query = read_query(request, call.query)
        body = None if call.method == "GET" else await read_document(request, call.body)
        # What cannot be written now waits, and what is there already can be read.
        with contextlib.suppress(NotKeptError):
            self.service.state.settle()
        answer = await call.handler(Asked(self.service, request, self.start, query, body))
        return answer if isinstance(answer, Response) else _json(answer)

    def _call(self, request: Request) -> Call:
        method = request.method
        if not self.methods:
            raise RefusalError(404, _nowhere(request.scope["path"], self.service.url))
        if method not in self.methods:
            allowed = ", ".join(sorted(self.methods))
            raise RefusalError(405, f"the method must be {allowed}", {"Allow": allowed})
        return self.methods[method]


def _nowhere(path: str, service_url: str) -> str:
    if path.startswith(_OF_THE_SERVICE):
        return f"this is the control port; the service is at {service_url}"
    return "there is nothing at this path"


def _check_origin(request: Request) -> None:
    """Refuse (403) what a page from elsewhere sends, even one whose name was made to lead here."""
    hosts = request.headers.getlist("host")
    if len(hosts) != 1 or not _OWN_HOST.fullmatch(hosts[0]):
        raise RefusalError(403, "the Host must be localhost, 127.0.0.1 or [::1]")
    origins = request.headers.getlist("origin")
    if any(each.lower() != f"{request.scope['scheme']}://{hosts[0].lower()}" for each in origins):
        raise RefusalError(403, "the Origin is not that of the control port")


def _json(document: object, refusal: RefusalError | None = None) -> Response:
    status, headers = (200, None) if refusal is None else (refusal.status, refusal.headers)
    return Response(msgspec.json.encode(document), status, headers, "application/json")


def _refused(refusal: RefusalError) -> Response:
    line = " ".join(refusal.message.split()).encode("utf-8", "replace").decode()
    return _json(Refused(error=line), refusal)
