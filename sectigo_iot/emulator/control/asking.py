"""A request on the control port: what its handler is given, and how what it holds is read and refused."""

from __future__ import annotations

import difflib
import re
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated, Any

import msgspec
from msgspec import Meta, Struct
from starlette.requests import Request

from sectigo_iot.emulator.exchange.bodies import read_body
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.service import Service

if TYPE_CHECKING:
    from sectigo_iot.emulator.control.snapshots import Moment

BODY_LIMIT = 1024 * 1024
"""The most bytes that a request may carry."""

_ID = re.compile(r"[0-9]{1,18}")
_MISSING = "the field is missing"
_SPOTS = (
    (re.compile(r"Object missing required field `(.*)`"), _MISSING),
    (re.compile(r"Object contains unknown field `(.*)`"), "there is no such field"),
)

Limit = Annotated[int, Meta(ge=1, le=100_000)]
Name = Annotated[str, Meta(min_length=1, max_length=64)]


class Nothing(Struct, frozen=True, forbid_unknown_fields=True):
    """No field at all."""


class Refused(Struct, frozen=True):
    """Why a request was refused, in one line."""

    error: str


@dataclass(frozen=True, slots=True)
class Asked:
    """One request. `query` and `body` are of the types that the table of routes names."""

    service: Service
    request: Request
    start: Moment
    """How everything was when the emulator started."""
    query: Any
    body: Any

    @property
    def number(self) -> int:
        """The `id` in the path."""
        return self.number_at("id")

    def number_at(self, name: str) -> int:
        """Return a number in the path; -1, which nothing has, for what is none."""
        text = self.word(name)
        return int(text) if _ID.fullmatch(text) else -1

    def word(self, name: str) -> str:
        """Return a text in the path."""
        text: str = self.request.path_params[name]
        return text


Handler = Callable[[Asked], Awaitable[Any]]
"""Returns what is sent as JSON, or a response; raises RefusalError."""


def missing(kind: str, word: str, known: Iterable[str] = ()) -> RefusalError:
    """Return the refusal (404) of what there is not: which one, and which of those known may be meant."""
    shown = word if _ID.fullmatch(word) else repr(word)
    return RefusalError(404, f"there is no {kind} {shown}{meant(word, known)}")


def meant(word: str, known: Iterable[str]) -> str:
    """Return which of the names known may be meant by a word, as the end of a refusal; nothing where none is near."""
    by_case = {name.casefold(): name for name in known}
    near = difflib.get_close_matches(word.casefold(), by_case, 1)
    return f"; did you mean {by_case[near[0]]!r}?" if near else ""


def iso(seconds: float) -> str:
    """Return a time, in seconds since the epoch, by ISO 8601: UTC, milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def iso_or_none(seconds: float | None) -> str | None:
    """Return a time by ISO 8601, if there is one."""
    return None if seconds is None else iso(seconds)


def read_query(request: Request, wanted: Any) -> Any:
    """Return the query as `wanted` has it. Refuses (422) what it does not have, and what is of another kind."""
    return _shaped(lambda: msgspec.convert(dict(request.query_params), wanted, strict=False), wanted)


async def read_document(request: Request, wanted: Any) -> Any:
    """Return the body as `wanted` has it; none counts as an object without fields, and bytes are taken as they are.

    Refuses a body that is too long (413), is not declared as JSON (415), is no JSON (400) or of another shape (422).
    """
    request.scope["body_limit"] = BODY_LIMIT
    body = await read_body(request)
    if wanted is bytes:
        return body
    if body:
        _check_media_type(request)
    return _shaped(lambda: msgspec.json.decode(body or b"{}", type=wanted), wanted)


def _check_media_type(request: Request) -> None:
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "application/json":
        raise RefusalError(415, "the body must be application/json")


def _shaped(read: Callable[[], Any], wanted: Any) -> Any:
    try:
        return read()
    except msgspec.ValidationError as fault:
        raise RefusalError(422, _readable(str(fault), wanted)) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise RefusalError(400, "the body is not valid JSON") from None


def _readable(fault: str, wanted: Any) -> str:
    """Return a mistake that msgspec found, the field's name first."""
    words, _, spot = fault.partition(" - at `$")
    spot = spot.rstrip("`").lstrip(".")
    for pattern, meaning in _SPOTS:
        found = pattern.fullmatch(words)
        if found:
            hint = "" if spot or meaning is _MISSING else meant(found[1], wanted.__struct_encode_fields__)
            spot, words = ".".join(filter(None, (spot, found[1]))), meaning + hint
    words = words.replace("`", "").replace("Expected", "expected", 1)
    return " ".join(f"{spot or 'the request'}: {words}".splitlines())
