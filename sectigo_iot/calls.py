"""One request to make, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple, Protocol

from sectigo_iot.endpoints import ENDPOINTS, Endpoint
from sectigo_iot.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence


JSON = "application/json;charset=UTF-8"
BINARY = "application/octet-stream"


class Call(NamedTuple):
    """One request to make.

    `payload` is sent as JSON, `body` as it is, `files` as multipart/form-data in this order. `order` is the batch
    name of a request that may spend a licence, `secrets` what no log and no error may show of it, beside what is
    found in payload and body. `before_send` is called when a connection stands and no byte of the request has left;
    what it raises keeps the request from leaving, and comes out of the client as it is.
    """

    endpoint: Endpoint
    url: str
    method: str
    payload: object = None
    body: bytes | None = None
    files: Sequence[tuple[str, tuple[str | None, bytes, str] | tuple[None, str]]] | None = None
    media_type: str = JSON
    order: str | None = None
    batch_id: int | None = None
    secrets: tuple[str, ...] = ()
    stream: bool = False
    before_send: Callable[[], None] | None = None

    def __repr__(self) -> str:
        return f"<Call {self.method} {self.endpoint.path}>"


class Addresses(Protocol):
    """Knows the URL of a call."""

    def url(self, endpoint: Endpoint, *ids: int | str) -> str:
        """Return the URL of this call for these ids."""


def call_of(addresses: Addresses, name: str, *ids: int | str) -> Call:
    """Return the request of a typed endpoint, without content. Raises InvalidInputError for what is no id."""
    endpoint = ENDPOINTS[name]
    assert endpoint.method is not None
    try:
        url = addresses.url(endpoint, *ids)
        batch_id = int(ids[0]) if ids and endpoint.path.startswith("/api/v1/batches/") else None
    except ValueError as error:
        raise InvalidInputError(f"{name}: {error}") from None
    return Call(endpoint, url, endpoint.method, batch_id=batch_id)
