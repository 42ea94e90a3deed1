"""Faults of the session: tokens that are dropped, refused, used up, or dated wrongly."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.exchange.replies import RefusalError, error_reply
from sectigo_iot.emulator.faults.acts import LOGINS, WITH_TOKEN, Act, Fault, Option
from sectigo_iot.emulator.faults.replies import with_body

Tokens = dict[str, str]
_NAMES = {"access": ("accessToken",), "refresh": ("refreshToken",), "both": ("accessToken", "refreshToken")}


async def token_dropped(act: Act) -> Response:
    """Refuse a call, and its access token from then on."""
    await read_body(act.visit.request)
    act.visit.service.mint.revoke(act.token)
    return _refused(act, "the session has ended")


async def refresh_refused(act: Act) -> Response:
    """Refuse a renewal."""
    await read_body(act.visit.request)
    return _refused(act, "the refresh token is not accepted")


async def refresh_rotated(act: Act) -> Response:
    """Renew, and accept the refresh token that was used no more."""
    token = (await read_body(act.visit.request)).decode("ascii", "replace").strip()
    response = await act.handle()
    if response.status_code == 200:
        act.visit.service.mint.revoke(token)
    return response


async def refresh_missing(act: Act) -> Response:
    """Renew, and answer without a refresh token."""
    return await _with_tokens(act, lambda tokens: {"accessToken": tokens["accessToken"]})


async def clock_skewed(act: Act) -> Response:
    """Hand out tokens dated by another clock; they are accepted for as long as any."""
    return await _with_tokens(act, lambda tokens: {name: _skewed(act, tokens[name]) for name in tokens})


async def not_yet_valid(act: Act) -> Response:
    """Hand out tokens that may not be used yet, and are refused until they may."""
    begin = int(act.visit.service.now + act.seconds)
    named = _NAMES[str(act.rule.value)]
    mint = act.visit.service.mint

    def change(tokens: Tokens) -> Tokens:
        return {name: mint.altered(each, nbf=begin) if name in named else each for name, each in tokens.items()}

    return await _with_tokens(act, change)


def _skewed(act: Act, token: str) -> str:
    mint, seconds = act.visit.service.mint, int(act.seconds)
    claims = mint.claims(token)
    return mint.altered(token, iat=claims["iat"] + seconds, exp=claims["exp"] + seconds)


async def _with_tokens(act: Act, change: Callable[[Tokens], Tokens]) -> Response:
    response = await act.handle()
    if response.status_code != 200:
        return response
    tokens: Any = json.loads(bytes(response.body))
    return with_body(response, json.dumps(change(tokens), separators=(",", ":")).encode())


def _refused(act: Act, message: str) -> Response:
    return error_reply(RefusalError(401, message), act.visit.service.now)


FAULTS = (
    Fault(
        "token-dropped",
        "The call is answered by 401 and not carried out, and its access token is accepted no more.",
        token_dropped,
        calls=WITH_TOKEN,
    ),
    Fault("refresh-refused", "The renewal is answered by 401.", refresh_refused, calls=("refresh",)),
    Fault(
        "refresh-rotated",
        "The renewal is carried out, and the refresh token that was used is accepted no more.",
        refresh_rotated,
        calls=("refresh",),
    ),
    Fault(
        "refresh-missing",
        "The renewal is carried out; its reply has no refresh token.",
        refresh_missing,
        calls=("refresh",),
    ),
    Fault(
        "clock-skewed",
        "The tokens that are handed out are dated by a clock that is wrong; they are accepted for as long as any.",
        clock_skewed,
        calls=LOGINS,
        options={"seconds": Option(-3600, "how far that clock is ahead; behind below 0", least=-86400)},
    ),
    Fault(
        "not-yet-valid",
        "The tokens that are handed out have `nbf` in the future, and are refused until then.",
        not_yet_valid,
        calls=LOGINS,
        options={
            "seconds": Option(300, "how far in the future"),
            "value": Option("refresh", "which of the tokens", tuple(_NAMES)),
        },
    ),
)
"""The faults of this kind."""
