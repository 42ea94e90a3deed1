"""The calls that hand out tokens, and the check of the token that every other call carries."""

from __future__ import annotations

import hmac

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import read_body, read_object, text_in
from sectigo_iot.emulator.exchange.jwts import BadTokenError
from sectigo_iot.emulator.exchange.replies import RefusalError, json_reply
from sectigo_iot.emulator.exchange.visit import Handler, Visit
from sectigo_iot.emulator.memory.users import Member

_WRONG = "wrong user name or password"


async def authenticate(visit: Visit) -> Response:
    """Exchange user name and password for a pair of tokens."""
    document = await read_object(visit.request)
    visit.login, password = text_in(document, "username"), text_in(document, "password")
    member = _accepted(visit, visit.login, password)
    settings = visit.service.settings
    if not settings.authorized or member.user.authorities == ():
        raise RefusalError(403, "the user has no authority")
    elsewhere = settings.certificate_login or _tls_login(visit)
    if elsewhere:
        return Response(status_code=307, headers={"Location": elsewhere})
    return _tokens(visit, member)


async def refresh(visit: Visit) -> Response:
    """Exchange a bare refresh token, whatever the content type says, for a new pair."""
    token = (await read_body(visit.request)).decode("ascii", "replace").strip()
    try:
        member = _member(visit, visit.service.mint.check_refresh(token))
    except BadTokenError as fault:
        raise RefusalError(401, str(fault)) from None
    return _tokens(visit, member)


def check_bearer(visit: Visit) -> None:
    """Note who sent a request. Refuses (401) one without a valid access token."""
    scheme, _, token = visit.request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token:
        raise RefusalError(401, "an access token is required")
    try:
        visit.member = _member(visit, visit.service.mint.check_access(token.strip()))
    except BadTokenError as fault:
        raise RefusalError(401, str(fault)) from None


def _accepted(visit: Visit, username: str, password: str) -> Member:
    """Return whose name and password these are; what is refused too often locks the account."""
    service = visit.service
    member = service.users.by_name.get(username)
    expected = "" if member is None else member.user.password
    # The password is compared whether or not the name is known: the time taken tells nothing.
    matches = hmac.compare_digest(password.encode(), expected.encode()) and member is not None
    if member is None:
        raise RefusalError(401, _WRONG)
    if service.state.ledger.trust(username).locked:
        raise RefusalError(service.settings.locked_status, "the account is locked")
    service.state.ledger.note_login(username, accepted=matches, lock_after=service.settings.lock_after)
    if not matches:
        raise RefusalError(401, _WRONG)
    return member


def _tls_login(visit: Visit) -> str | None:
    """Return where a log-in is to go that came without TLS, where there is a TLS port."""
    service = visit.service
    if service.tls_url is None or visit.request.scope["scheme"] == "https":
        return None
    return f"{service.tls_url}/auth/pwd"


def _member(visit: Visit, subject: str) -> Member:
    member = visit.service.users.of_token(subject)
    if member is None:
        raise BadTokenError("the token is of nobody who is known here")
    return member


def _tokens(visit: Visit, member: Member) -> Response:
    service = visit.service
    visit.member = member
    return json_reply(service.mint.pair(member.subject, service.users.scopes(member), member.user.username))


HANDLERS: dict[str, Handler] = {"authenticate": authenticate, "refresh": refresh}
