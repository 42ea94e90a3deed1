"""The raw call: every path of the service, with a schema that is public or not."""

from __future__ import annotations

from urllib.parse import unquote

from sectigo_iot.calls import Call
from sectigo_iot.endpoints import Endpoint, Repeat, find_endpoint
from sectigo_iot.errors import InvalidInputError
from sectigo_iot.models import RawReply
from sectigo_iot.transport import Transport


def raw(
    transport: Transport, name_or_path: str, ids: tuple[int | str, ...], method: str, json: object, data: bytes | None
) -> RawReply:
    """Send whatever was asked for; only a GET is ever repeated."""
    endpoint = _endpoint(name_or_path, ids, method.upper())
    if json is not None and data is not None:
        raise InvalidInputError("a raw call takes json or data, not both")
    call = Call(endpoint, _url(transport, endpoint, ids), endpoint.method or "GET", json, data)
    reply = transport.send(call)
    return RawReply(reply.status, reply.media_type, reply.body)


def _endpoint(name_or_path: str, ids: tuple[int | str, ...], method: str) -> Endpoint:
    known = find_endpoint(name_or_path)
    if known is None and not name_or_path.startswith("/"):
        raise InvalidInputError(
            f"{name_or_path!r} is neither the name of a call nor a path",
            hint="a path begins with a slash; the names stand in the table of endpoints in the documentation",
        )
    path = known.path if known else name_or_path
    # A path is sent as it is; these would leave the endpoint, or be rewritten on the way.
    if (
        "//" in path
        or any(unquote(part) in (".", "..") for part in path.partition("?")[0].split("/"))
        or any(c <= " " or c in "\\#\x7f" for c in path)
    ):
        raise InvalidInputError(f"{path!r} is no path below the endpoint")
    if not method.isalpha() or not method.isascii():
        raise InvalidInputError(f"{method!r} is no HTTP method")
    repeat = Repeat.FREELY if method in ("GET", "HEAD") else Repeat.NEVER
    return Endpoint(known.name if known else path, path, method, repeat, "D")


def _url(transport: Transport, endpoint: Endpoint, ids: tuple[int | str, ...]) -> str:
    try:
        return transport.url(endpoint, *ids)
    except ValueError as error:
        raise InvalidInputError(str(error)) from None
