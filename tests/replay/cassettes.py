"""Playing recordings: nothing is ever sent, and a request that differs in anything that matters is refused."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import vcr  # type: ignore[import-untyped]
import yaml  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]

from sectigo_iot import FileTokenStore, TokenPair

FOLDER = Path(__file__).parents[1] / "cassettes"
_COMPARED = ("Accept", "Authorization", "Content-Type")


def player() -> Any:
    """Return a VCR that plays, and compares method, URL, three headers and the body."""
    made = vcr.VCR(record_mode="none", match_on=("method", "uri", "sent_headers", "sent_body"))
    made.register_matcher("sent_headers", same_headers)
    made.register_matcher("sent_body", same_body)
    return made


def same_headers(sent: Request, stored: Request) -> None:
    """Compare the headers that mean something to the service; a boundary may be any."""
    assert _headers(sent) == _headers(stored)


def same_body(sent: Request, stored: Request) -> None:
    """Compare two bodies: JSON as documents, multipart without its boundary, anything else byte by byte."""
    assert _body(sent) == _body(stored)


def answers(path: Path) -> list[Any]:
    """Return the bodies of a recording's replies, in their order: text, or the bytes of a download."""
    recorded = yaml.safe_load(path.read_text())
    return [each["response"]["body"]["string"] for each in recorded["interactions"]]


def age_tokens(endpoint: str, username: str, seconds: float) -> None:
    """Let the tokens that are kept have come so much earlier, as if that time had passed since."""
    store = FileTokenStore()
    kept = store.load(endpoint, username)
    if kept is not None:
        store.save(endpoint, username, TokenPair(kept.access_token, kept.refresh_token, kept.received - seconds))


def indented(text: str) -> str:
    """Return a JSON document as the command prints it."""
    return json.dumps(json.loads(text), indent=2, ensure_ascii=False) + "\n"


def _headers(request: Request) -> dict[str, str | None]:
    values = {name: request.headers.get(name) for name in _COMPARED}
    return values | {"Content-Type": re.sub(r"boundary=\S+", "boundary=", values["Content-Type"] or "")}


def _body(request: Request) -> object:
    body = request.body or b""
    boundary = re.search(r"boundary=(\S+)", request.headers.get("Content-Type", ""))
    if boundary:
        return body.replace(b"--" + boundary[1].encode(), b"--")
    try:
        # Pairs, so that the order of the keys counts.
        return json.loads(body, object_pairs_hook=list)
    except ValueError:
        return body
