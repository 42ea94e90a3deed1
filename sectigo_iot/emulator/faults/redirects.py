"""Faults that send a client elsewhere."""

from __future__ import annotations

from starlette.responses import Response

from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.exchange.replies import RefusalError, error_reply
from sectigo_iot.emulator.faults.acts import Act, Fault, Option


async def redirect_tls(act: Act) -> Response:
    """Send a login to the TLS port, which demands a client certificate."""
    await read_body(act.visit.request)
    service = act.visit.service
    if not service.tls_url:
        return error_reply(RefusalError(501, "this emulator has no TLS port"), service.now)
    return _to(307, service.tls_url + _path(act))


async def redirect_host(act: Act) -> Response:
    """Send a client to another host."""
    await read_body(act.visit.request)
    return _to(308, str(act.rule.value).rstrip("/") + _path(act))


async def redirect_loop(act: Act) -> Response:
    """Send a client to where it is."""
    await read_body(act.visit.request)
    return _to(308, _path(act))


def _path(act: Act) -> str:
    # As it was sent: a path that was decoded could hold what no header may.
    scope = act.visit.request.scope
    path = scope["raw_path"].partition(b"?")[0].decode("ascii")
    query = scope["query_string"].decode("ascii")
    return f"{path}?{query}" if query else path


def _to(status: int, location: str) -> Response:
    return Response(status_code=status, headers={"Location": location})


FAULTS = (
    Fault(
        "redirect-tls",
        "The login is answered by 307 to the TLS port, which demands a client certificate; 501 without such a port.",
        redirect_tls,
        calls=("authenticate",),
    ),
    Fault(
        "redirect-host",
        "The call is answered by 308 to the same path on another host; nothing is carried out.",
        redirect_host,
        options={
            "value": Option("http://other.test", "the URL to put before the path", pattern=r"https?://[!-~]+"),
        },
    ),
    Fault(
        "redirect-loop", "The call is answered by 308 to where it was sent; nothing is carried out.", redirect_loop
    ),
)
"""The faults of this kind."""
