"""One call of the control port: how it is reached, what it takes and what it answers."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from sectigo_iot.emulator.control.asking import Handler, Nothing

_PARAMETER = re.compile(r"\{(\w+)(?::path)?\}")
_NUMBERS = ("id", "index")


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """A row of the table of calls."""

    method: str
    path: str
    handler: Handler
    summary: str
    reply: Any
    """The type of the JSON that is answered, or the media type of what is no JSON."""
    body: Any = Nothing
    """The type of the body; bytes for one that is no JSON. A GET has none."""
    query: Any = Nothing
    conflicts: bool = False
    """Whether it may be refused because of how things stand (409)."""

    @property
    def plain_path(self) -> str:
        """The path as OpenAPI writes it."""
        return _PARAMETER.sub(r"{\1}", self.path)

    @property
    def has_body(self) -> bool:
        """Whether a body may be sent that says something."""
        return self.method in ("POST", "PUT") and self.body is not Nothing

    def path_parameters(self) -> Iterator[tuple[str, str]]:
        """Yield name and JSON type of each parameter in the path."""
        for name in _PARAMETER.findall(self.path):
            yield name, "integer" if name in _NUMBERS else "string"

    def refusals(self) -> list[int]:
        """Return the statuses of the refusals that are possible."""
        found = {403}
        if "{" in self.path:
            found |= {404}
        if self.query is not Nothing:
            found |= {422}
        if self.method != "GET":
            found |= {413} if self.body is bytes else {400, 413, 415, 422}
        return sorted(found | ({409} if self.conflicts else set()))
