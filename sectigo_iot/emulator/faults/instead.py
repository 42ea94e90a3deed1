"""Faults that put another reply in the place of the true one: pages, errors, `null`, nothing, "come back later"."""

from __future__ import annotations

import math
import time
from email.utils import formatdate

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.exchange.replies import JSON_TYPE, json_reply
from sectigo_iot.emulator.faults.acts import Act, Fault, Option

_BODILESS = (204, 304)
_PAGE = (
    "<!DOCTYPE html>\n<html><head><title>TEST gateway</title></head>"
    "<body><h1>Something went wrong</h1><p>The page cannot be shown right now.</p></body></html>\n"
)


async def html(act: Act) -> Response:
    """Answer by a page, as a gateway in front of the service does."""
    return await _instead(act, _PAGE.encode(), "text/html; charset=utf-8")


async def json_error(act: Act) -> Response:
    """Answer by the four fields of an error, whatever the status says."""
    status = act.rule.status if act.rule.status is not None and act.rule.status >= 400 else 500
    document = {
        "status": status,
        "message": "Something went wrong",
        "errorCode": status,
        "timestamp": int(act.visit.service.now),
    }
    return await _instead(act, bytes(json_reply(document).body), JSON_TYPE)


async def null(act: Act) -> Response:
    """Answer by the JSON `null`."""
    return await _instead(act, b"null", JSON_TYPE)


async def empty(act: Act) -> Response:
    """Answer without a body."""
    return await _instead(act, b"", JSON_TYPE)


async def come_later(act: Act) -> Response:
    """Answer that the client is to come back later, in one of the forms that `Retry-After` has."""
    response = await json_error(act)
    if act.rule.value != "none":
        response.headers["Retry-After"] = _retry_after(act)
    return response


def _retry_after(act: Act) -> str:
    seconds = math.ceil(act.seconds)
    # By the real clock, as the reply's own date: a client knows no other.
    return formatdate(math.ceil(time.time()) + seconds, usegmt=True) if act.rule.value == "date" else str(seconds)


async def _instead(act: Act, body: bytes, media_type: str) -> Response:
    if act.rule.value == "handled":
        await act.handle()
    else:
        await read_body(act.visit.request)
    status = act.rule.status or 200
    return Response(b"" if status in _BODILESS else body, status, {"Content-Type": media_type})


def _options(status: int) -> dict[str, Option]:
    return {
        "status": Option(status, "the status of the reply"),
        "value": Option(None, "`handled` carries the call out first; not carried out where left out", ("handled",)),
    }


def _later(status: int) -> dict[str, Option]:
    return {
        "status": Option(status, "the status of the reply"),
        "seconds": Option(1, "what `Retry-After` says"),
        "value": Option("seconds", "the form of `Retry-After`", ("seconds", "date", "none")),
    }


FAULTS = (
    Fault("html", "A page in HTML is answered instead.", html, options=_options(200)),
    Fault("json-error", "The four fields of an error are answered instead.", json_error, options=_options(500)),
    Fault("null", "The JSON `null` is answered instead.", null, options=_options(200)),
    Fault("empty", "A reply without a body is answered instead.", empty, options=_options(200)),
    Fault(
        "too-many",
        "The call is refused as one too many, with `Retry-After`; it is not carried out.",
        come_later,
        options=_later(429),
    ),
    Fault(
        "unavailable",
        "The call is refused as long as the service is down, with `Retry-After`; it is not carried out.",
        come_later,
        options=_later(503),
    ),
)
"""The faults of this kind."""
