"""An answer of the service: read as JSON, as text, or piece by piece."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import requests

from sectigo_iot.errors import InvalidReplyError, told_type
from sectigo_iot.failures import UNUSABLE, download_too_slow, lost, media_type
from sectigo_iot.watch import body_watched

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from sectigo_iot.calls import Call

CHUNK = 64 * 1024
DEEPEST = 64
"""Levels of nesting in a reply; the service's own have four."""


class Reply:
    """An answer with a status of 2xx: read whole, unless it was asked for as a stream."""

    def __init__(self, response: requests.Response, call: Call, body: bytes | None, seconds: float) -> None:
        self._response = response
        self._call = call
        self._body = body
        self._patience = seconds
        self._left = self._allowed = seconds
        self.status = response.status_code
        self.media_type = media_type(response)

    @property
    def headers(self) -> Mapping[str, str]:
        """The header fields, by name in any case."""
        return self._response.headers

    @property
    def body(self) -> bytes:
        """The whole body, of an answer that was not asked for as a stream."""
        assert self._body is not None
        return self._body

    def text(self) -> str:
        """Return the body as text."""
        return self.body.decode("utf-8", "replace")

    def document(self) -> Any:
        """Return the body read as JSON. Raises InvalidReplyError if it is none, or is `null`."""
        try:
            document = json.loads(self.body)
        except (ValueError, RecursionError):
            raise InvalidReplyError(self._not_json()) from None
        if document is None or _nested(document, DEEPEST):
            raise InvalidReplyError(self._not_json())
        return document

    def _not_json(self) -> str:
        name = self._call.endpoint.name
        if not self.body.strip():
            return f"{name}: the service answered {self.status} with nothing in it, where JSON is due"
        found = "null" if self.body.strip() == b"null" else told_type(self.media_type)
        found = "a document that cannot be read" if found == "application/json" else found
        return f"{name}: the service answered {self.status} with {found}, where a JSON document is due"

    def allow(self, left: float, allowed: float) -> None:
        """Say how many seconds there are left for reading the body piece by piece, of how many that were allowed."""
        self._left, self._allowed = left, allowed

    def chunks(self) -> Iterator[bytes]:
        """Hand on the body piece by piece. Raises DeadlineError, TransportError if it ends early."""
        with body_watched(self._response, self._left) as watch:
            try:
                yield from self._response.iter_content(CHUNK)
            except UNUSABLE as error:
                if not watch.over:
                    raise lost(error, self._call, self._patience, sent=True) from None
        if watch.over:
            # What came looks whole, and was cut by us.
            raise download_too_slow(self._call, self._allowed)

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


def _nested(document: Any, levels: int) -> bool:
    """Whether a document is nested deeper than this: whatever walks it later would exhaust the stack."""
    inside = document.values() if isinstance(document, dict) else document if isinstance(document, list) else ()
    return levels < 0 or any(_nested(item, levels - 1) for item in inside)
