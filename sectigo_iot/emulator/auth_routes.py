"""The calls that hand out tokens, and the check of the token that every other call carries."""

from __future__ import annotations

import hmac

from starlette.requests import Request
from starlette.responses import Response

from sectigo_iot.emulator.bodies import read_body, read_object, text_in
from sectigo_iot.emulator.jwts import BadTokenError
from sectigo_iot.emulator.replies import RefusalError, json_reply
from sectigo_iot.emulator.service import Handler, Service


async def authenticate(service: Service, request: Request) -> Response:
    """Exchange user name and password for a pair of tokens."""
    document = await read_object(request)
    given = text_in(document, "username"), text_in(document, "password")
    settings = service.settings
    # Both are compared, whatever the first comparison says: the time taken tells nothing.
    matches = [hmac.compare_digest(a.encode(), b.encode()) for a, b in zip(given, settings.login, strict=True)]
    if not all(matches):
        raise RefusalError(401, "wrong user name or password")
    if not settings.authorized:
        raise RefusalError(403, "the user has no authority")
    if settings.certificate_login:
        return Response(status_code=307, headers={"Location": settings.certificate_login})
    return json_reply(service.mint.pair())


async def refresh(service: Service, request: Request) -> Response:
    """Exchange a bare refresh token, whatever the content type says, for a new pair."""
    token = (await read_body(request)).decode("ascii", "replace").strip()
    try:
        service.mint.check_refresh(token)
    except BadTokenError as fault:
        raise RefusalError(401, str(fault)) from None
    return json_reply(service.mint.pair())


def check_bearer(service: Service, request: Request) -> None:
    """Refuse (401) a request without a valid access token."""
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise RefusalError(401, "an access token is required")
    try:
        service.mint.check_access(token.strip())
    except BadTokenError as fault:
        raise RefusalError(401, str(fault)) from None


HANDLERS: dict[str, Handler] = {"authenticate": authenticate, "refresh": refresh}
