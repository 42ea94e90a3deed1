"""Reading what a client sent: within a limit, and with each fault named in a refusal."""

from __future__ import annotations

import json
from typing import Any

from starlette.requests import ClientDisconnect, Request

from sectigo_iot.emulator.exchange.replies import RefusalError

BODY_LIMIT = 10 * 1024 * 1024
"""The most bytes that a request may carry, where nothing else is set."""


async def read_body(request: Request) -> bytes:
    """Return the body, which may be asked for again. Refuses (413) one that is longer than the request's limit."""
    scope = request.scope
    if "read_body" not in scope:
        scope["read_body"] = await _read(request, scope.get("body_limit", BODY_LIMIT))
    body: bytes = scope["read_body"]
    return body


async def _read(request: Request, limit: int) -> bytes:
    declared = request.headers.get("content-length", "")
    if declared.isdecimal() and (len(declared) > 12 or int(declared) > limit):
        raise _too_long(limit)
    chunks: list[bytes] = []
    length = 0
    try:
        async for chunk in request.stream():
            length += len(chunk)
            if length > limit:
                raise _too_long(limit)
            chunks.append(chunk)
    except ClientDisconnect:
        # The connection has answered this already, in these words.
        raise RefusalError(500, "the body ends before its Content-Length") from None
    return b"".join(chunks)


async def read_object(request: Request) -> dict[str, Any]:
    """Return the JSON object that the body holds. Refuses (400) anything else."""
    return parse_object(await read_body(request))


def parse_object(body: bytes) -> dict[str, Any]:
    """Return the JSON object in some bytes. Refuses (400) anything else."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        raise RefusalError(400, "the body is not valid JSON") from None
    if not isinstance(document, dict):
        raise RefusalError(400, "the body is not a JSON object")
    return document


def text_in(document: dict[str, Any], name: str, default: str | None = None) -> str:
    """Return a text field. Refuses (400) another type, or a field that is missing and has no default."""
    value = document.get(name, default)
    if value is None:
        value = default
    if not isinstance(value, str):
        raise RefusalError(400, f"{name}: a text is required")
    return clean_text(name, value)


def clean_text(name: str, value: str) -> str:
    """Return the value. Refuses (400) half a surrogate pair, which no encoding can carry."""
    try:
        value.encode()
    except UnicodeEncodeError:
        raise RefusalError(400, f"{name}: the text is not valid Unicode") from None
    return value


def integer_in(document: dict[str, Any], name: str, default: int | None = None) -> int:
    """Return an integer field. Refuses (400) another type, or a field that is missing and has no default."""
    value = document.get(name, default)
    if not isinstance(value, int) or isinstance(value, bool):
        raise RefusalError(400, f"{name}: an integer is required")
    return value


def texts_in(document: dict[str, Any], name: str) -> dict[str, str]:
    """Return an object field of texts. Refuses (400) anything else."""
    value = document.get(name)
    if not isinstance(value, dict):
        raise RefusalError(400, f"{name}: an object is required")
    return {clean_text(name, key): text_in(value, key) for key in value}


def _too_long(limit: int) -> RefusalError:
    return RefusalError(413, f"the body is longer than {limit} bytes")
