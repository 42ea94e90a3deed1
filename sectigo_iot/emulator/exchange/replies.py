"""What goes back over the wire: JSON, text, and errors in the four fields that the service has for them."""

from __future__ import annotations

import json
from collections.abc import Mapping

from starlette.responses import Response

JSON_TYPE = "application/json;charset=UTF-8"
ENDING = "the emulator is being ended"


class RefusalError(Exception):
    """A request is answered by an error. `status` is HTTP's; the message reaches the client."""

    def __init__(self, status: int, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        self.status = status
        self.message = message
        self.headers = headers


def json_reply(document: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a document as the service spells it: UTF-8, no blanks."""
    text = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return Response(text.encode("utf-8", "replace"), status, headers, JSON_TYPE)


def error_reply(refusal: RefusalError, now: float) -> Response:
    """Return the four fields. Which error codes the service has is not public: the status stands in for it."""
    document = {
        "status": refusal.status,
        "message": refusal.message,
        "errorCode": refusal.status,
        "timestamp": int(now),
    }
    return json_reply(document, refusal.status, refusal.headers)


def text_reply(text: str, status: int = 200) -> Response:
    """Return plain text."""
    return Response(text, status, media_type="text/plain")


def binary_reply(content: bytes, media_type: str, filename: str | None = None) -> Response:
    """Return bytes, with a name to save them under where there is one."""
    headers = None if filename is None else {"Content-Disposition": f'attachment; filename="{filename}"'}
    return Response(content, 200, headers, media_type)
