"""Faults in the body and the content type of a reply that is true otherwise."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

from starlette.responses import Response

from sectigo_iot.emulator.faults.acts import LOGINS, TYPED, Act, Fault, Option

_SPELLINGS = {
    "application/json": (
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8;x=y",
        "text/plain",
        "",
    ),
    "text/plain": ("text/plain", "TEXT/PLAIN; charset=utf-8", "text/plain;charset=UTF-8;x=y", ""),
    "application/octet-stream": (
        "application/octet-stream;charset=UTF-8",
        "APPLICATION/OCTET-STREAM",
        "application/zip",
        "",
    ),
}
_NEVER_NULL = ("orderNumber", "serialNumber", "name", "items", "active", "success", "failed")
_ONE_IN = 3


def with_body(response: Response, content: bytes) -> Response:
    """Return a response with another body, and the length of that one in its head."""
    changed = Response(content, response.status_code, background=response.background)
    others = [(name, value) for name, value in response.raw_headers if name.lower() != b"content-length"]
    changed.raw_headers = [*others, (b"content-length", str(len(content)).encode())]
    return changed


async def garbled_reply(act: Act) -> Response:
    """Answer by half of the body, under its own length: JSON that does not parse."""
    response = await act.handle()
    half = bytes(response.body)[: len(response.body) // 2]
    return with_body(response, half if half and _document(half) is _NO_JSON else half + b'{"')


async def content_type(act: Act) -> Response:
    """Answer under another content type, or without one."""
    answer = await act.handle()
    response = with_body(answer, bytes(answer.body))
    true = response.headers.get("Content-Type", "")
    spellings = _SPELLINGS.get(true.partition(";")[0], (true,))
    drawn = spellings[int(act.fraction() * len(spellings))]
    spelling = drawn if act.rule.value is None else act.rule.value
    response.headers["Content-Type"] = spelling
    if not spelling:
        del response.headers["Content-Type"]
    return response


async def nulls(act: Act) -> Response:
    """Answer with `null` in the place of some values, never of an id."""
    chosen = act.rule.value.split("+") if act.rule.value else None

    def strikes(name: str) -> bool:
        if chosen is not None:
            return name in chosen
        return not (name.lower().endswith("id") or name in _NEVER_NULL) and act.one_in(_ONE_IN)

    return await _changed(act, lambda document: _with_nulls(document, strikes))


async def ints_as_strings(act: Act) -> Response:
    """Answer with texts in the place of integers."""
    return await _changed(act, _with_texts)


async def unknown_fields(act: Act) -> Response:
    """Answer with fields that nobody has heard of, before and behind those that are known."""
    return await _changed(act, _with_more_fields)


async def reordered_lists(act: Act) -> Response:
    """Answer with each list in another order."""
    return await _changed(act, lambda document: _reordered(document, random.Random(act.fraction())))  # noqa: S311


async def _changed(act: Act, change: Callable[[Any], Any]) -> Response:
    response = await act.handle()
    document = _document(bytes(response.body))
    if document is _NO_JSON or response.status_code >= 400:
        return response
    text = json.dumps(change(document), ensure_ascii=False, separators=(",", ":"))
    return with_body(response, text.encode("utf-8", "replace"))


_NO_JSON = object()


def _document(body: bytes) -> Any:
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        return _NO_JSON


def _with_nulls(value: Any, strikes: Callable[[str], bool]) -> Any:
    if isinstance(value, list):
        return [_with_nulls(each, strikes) for each in value]
    if isinstance(value, dict):
        return {name: None if strikes(name) else _with_nulls(each, strikes) for name, each in value.items()}
    return value


def _with_texts(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_texts(each) for each in value]
    if isinstance(value, dict):
        return {name: _with_texts(each) for name, each in value.items()}
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


def _with_more_fields(value: Any) -> Any:
    if isinstance(value, list):
        return [_with_more_fields(each) for each in value]
    if not isinstance(value, dict):
        return value
    # An object in a field of its own may be a map with free keys, where one more would be no unknown field.
    known = {name: _with_more_fields(each) if isinstance(each, list) else each for name, each in value.items()}
    return {"schemaVersion": 3, **known, "links": [{"rel": "self"}], "tags": None, "extension": {"since": "20.8"}}


def _reordered(value: Any, order: random.Random) -> Any:
    if isinstance(value, dict):
        return {name: _reordered(each, order) for name, each in value.items()}
    if not isinstance(value, list):
        return value
    before = [_reordered(each, order) for each in value]
    after = random.Random.sample(order, before, len(before))
    return after if after != before else [*before[1:], *before[:1]]


_NO_OBJECTS = (*LOGINS, "batchStatus", "download", "revokeCertificate", "authorityUserBalanceAvailable")
_OBJECTS = (*(name for name in TYPED if name not in _NO_OBJECTS), "batches")
_LISTS = ("userAuthorities", "profiles", "profileParameters", "currentUserOrganization", "findCertificate", "batches")

FAULTS = (
    Fault(
        "garbled-reply",
        "The call is carried out; half of the reply comes, with a length that fits, so that its JSON does not parse.",
        garbled_reply,
    ),
    Fault(
        "content-type",
        "The call is carried out; the content type of the reply is another, is spelled otherwise, or is missing.",
        content_type,
        options={
            "value": Option(
                None, "the content type, none where empty; any of several that the client may meet where left out"
            ),
        },
    ),
    Fault(
        "nulls",
        "The call is carried out; some values of the reply are `null`, never an id.",
        nulls,
        calls=_OBJECTS,
        options={
            "value": Option(
                None, "the fields, joined by `+`; one in three where left out", pattern=r"[A-Za-z]+(\+[A-Za-z]+)*"
            ),
        },
    ),
    Fault(
        "ints-as-strings",
        "The call is carried out; the integers of the reply are texts.",
        ints_as_strings,
        calls=(*_OBJECTS, "authorityUserBalanceAvailable"),
    ),
    Fault(
        "unknown-fields",
        "The call is carried out; the reply has fields that are in no documentation.",
        unknown_fields,
        calls=(*LOGINS, *_OBJECTS),
    ),
    Fault(
        "reordered-lists",
        "The call is carried out; the lists of the reply are in another order.",
        reordered_lists,
        calls=_LISTS,
    ),
)
"""The faults of this kind."""
