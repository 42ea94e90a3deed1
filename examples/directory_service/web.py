"""The HTTP API and the page.

POST   /vasps           register (application/json, bearer token)
GET    /vasps/ID        how far it is
DELETE /vasps/ID        withdraw (bearer token)
GET    /                the page
"""

from __future__ import annotations

import asyncio
import hmac
import json
from collections.abc import Callable, Collection
from http import HTTPStatus
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

from directory_service.directory import Directory, Entry
from directory_service.page import directory_page
from directory_service.registration import LOOPBACK, read_registration
from sectigo_iot import InvalidInputError, OrderBookError, OrderConflictError, OrderNotFoundError, SectigoError

BODY_LIMIT = 64 * 1024
BODY_SECONDS = 10.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_STATUS: tuple[tuple[type[SectigoError], HTTPStatus], ...] = (
    (OrderNotFoundError, HTTPStatus.NOT_FOUND),
    (OrderConflictError, HTTPStatus.CONFLICT),
    (InvalidInputError, HTTPStatus(422)),
    (OrderBookError, HTTPStatus.SERVICE_UNAVAILABLE),
)


def application(directory: Directory, token: str, webhook_hosts: Collection[str]) -> Starlette:
    """Return the ASGI application. `token`: what a caller that changes something has to show."""
    api = _Api(directory, token, webhook_hosts)
    routes = [
        Route("/", api.page, methods=["GET"]),
        Route("/vasps", api.register, methods=["POST"]),
        Route("/vasps/{identifier}", api.show, methods=["GET"]),
        Route("/vasps/{identifier}", api.withdraw, methods=["DELETE"]),
    ]
    # A page from elsewhere whose name leads to this machine is not answered (DNS rebinding).
    trusted = Middleware(TrustedHostMiddleware, allowed_hosts=sorted(LOOPBACK), www_redirect=False)
    handlers = {SectigoError: _told, HTTPException: _refused}
    return Starlette(routes=routes, middleware=[trusted], exception_handlers=handlers)


class _Api:
    """The endpoints."""

    def __init__(self, directory: Directory, token: str, webhook_hosts: Collection[str]) -> None:
        self._directory = directory
        self._token = token.encode()
        self._webhook_hosts = webhook_hosts

    async def page(self, request: Request) -> Response:
        after = request.query_params.get("after")
        entries, following = await run_in_threadpool(self._directory.entries, after)
        return HTMLResponse(directory_page(entries, following), headers=_HEADERS)

    async def register(self, request: Request) -> Response:
        self._check(request)
        wanted = read_registration(await _document(request), self._webhook_hosts)
        entry, password = await run_in_threadpool(self._directory.register, wanted)
        shown = _shown(entry) | ({} if password is None else {"password": password})
        return JSONResponse(shown, status_code=201, headers=_HEADERS)

    async def show(self, request: Request) -> Response:
        return await self._answer(self._directory.entry, request)

    async def withdraw(self, request: Request) -> Response:
        self._check(request)
        return await self._answer(self._directory.withdraw, request)

    async def _answer(self, asked: Callable[[str], Entry], request: Request) -> Response:
        entry = await run_in_threadpool(asked, request.path_params["identifier"])
        return JSONResponse(_shown(entry), headers=_HEADERS)

    def _check(self, request: Request) -> None:
        given = request.headers.get("Authorization", "").encode()
        if not hmac.compare_digest(given, b"Bearer " + self._token):
            raise HTTPException(401, "the header Authorization: Bearer TOKEN is missing or wrong")


async def _document(request: Request) -> object:
    """Return the JSON document in a request. Raises HTTPException where it is too long, too slow or none."""
    if request.headers.get("Content-Type", "").partition(";")[0].strip().lower() != "application/json":
        raise HTTPException(415, "a registration is application/json")
    body = b""
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for part in request.stream():
                body += part
                if len(body) > BODY_LIMIT:
                    raise HTTPException(413, f"a registration has {BODY_LIMIT} bytes at the most")
        return json.loads(body)
    except TimeoutError:
        raise HTTPException(408, f"a registration arrives within {BODY_SECONDS:g} s") from None
    except (ValueError, RecursionError):
        raise HTTPException(400, "a registration is JSON in UTF-8") from None


def _shown(entry: Entry) -> dict[str, Any]:
    ends = entry.ends.isoformat() if entry.ends else None
    return {
        "id": entry.identifier,
        "name": entry.name,
        "names": entry.names,
        "state": entry.state,
        "serialNumber": entry.serial,
        "notAfter": ends,
        "attention": entry.attention,
    }


async def _told(_request: Request, error: Exception) -> Response:
    status = next((status for kind, status in _STATUS if isinstance(error, kind)), HTTPStatus.INTERNAL_SERVER_ERROR)
    faults = list(error.faults) if isinstance(error, InvalidInputError) else []
    return JSONResponse({"error": str(error), "faults": faults}, status_code=status, headers=_HEADERS)


async def _refused(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = error.detail if isinstance(error, HTTPException) else "internal error"
    return JSONResponse({"error": words, "faults": []}, status_code=status, headers=_HEADERS)
