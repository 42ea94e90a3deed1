"""One exchange as it happens, for whoever wants to be told of it."""

from __future__ import annotations

import contextlib
import logging
import time
from typing import TYPE_CHECKING

from sectigo_iot.errors import TransportError
from sectigo_iot.exchanges import Exchange

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    import requests

    from sectigo_iot.calls import Call


_log = logging.getLogger("sectigo_iot.observing")


class Seen:
    """What has been seen of an exchange so far."""

    def __init__(self) -> None:
        self.response: requests.Response | None = None
        self.body: bytes | None = None
        self.error: str | None = None


@contextlib.contextmanager
def observed(
    observer: Callable[[Exchange], None] | None,
    call: Call,
    request: requests.PreparedRequest,
    secrets: tuple[str, ...],
) -> Iterator[Seen]:
    """Tell the observer, if there is one, of the exchange that this block is, however it ends.

    Should it raise anything, that changes nothing: what became of an order must not be lost by it.
    """
    seen, started, begun = Seen(), time.time(), time.perf_counter()
    try:
        yield seen
    except TransportError as error:
        seen.error = error.message
        raise
    except KeyboardInterrupt:
        seen.error = "interrupted"
        raise
    finally:
        if observer is not None:
            seconds = time.perf_counter() - begun
            exchange = _exchange(seen, call, request)._replace(started=started, seconds=seconds, secrets=secrets)
            _tell(observer, exchange)


def _tell(observer: Callable[[Exchange], None], exchange: Exchange) -> None:
    try:
        observer(exchange)
    except Exception as error:  # noqa: BLE001 - it is the caller's, and may raise anything
        _log.warning("the observer raised %s, which is passed over", type(error).__name__)


def _exchange(seen: Seen, call: Call, request: requests.PreparedRequest) -> Exchange:
    body = request.body.encode() if isinstance(request.body, str) else request.body
    sent = Exchange(
        call.endpoint.name,
        request.method or "",
        request.url or "",
        0.0,
        0.0,
        request_headers=_fields(request.headers),
        request_body=body if isinstance(body, bytes) else None,
        error=seen.error,
    )
    return sent if seen.response is None else _answered(sent, seen.response, seen.body)


def _answered(sent: Exchange, response: requests.Response, body: bytes | None) -> Exchange:
    length = response.headers.get("Content-Length", "")
    announced = int(length) if length.isascii() and length.isdigit() and len(length) < 20 else None
    return sent._replace(
        status=response.status_code,
        reason=response.reason or "",
        response_headers=_fields(response.headers),
        response_body=body,
        response_size=announced if body is None else len(body),
    )


def _fields(headers: Mapping[str, str | bytes]) -> tuple[tuple[str, str], ...]:
    return tuple(
        (name, value if isinstance(value, str) else value.decode("latin-1")) for name, value in headers.items()
    )
