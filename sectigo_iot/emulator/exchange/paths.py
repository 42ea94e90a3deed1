"""From the table of endpoints to routes, and the ids that a path carries."""

from __future__ import annotations

import itertools
import re

from starlette.requests import Request

_ID = re.compile(r"[0-9]{1,18}")


def route_path(path: str) -> str:
    """Return an endpoint's path with its ids numbered, as a router wants them: `{id1}`, `{id2}`."""
    numbers = itertools.count(1)
    return re.sub(r"\{id\}", lambda _: f"{{id{next(numbers)}}}", path)


def path_id(request: Request) -> int:
    """Return the id in the path; -1, which nothing has, for what is no number."""
    text = request.path_params["id1"]
    return int(text) if _ID.fullmatch(text) else -1
