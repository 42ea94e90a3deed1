"""Where something stands in a TOML file: the line that a person must look at, and its key as a person reads it.

A path is made of names and of indices that count from 0, as in the data that `tomllib` returns. The line is found
with that parser alone: it is the first one without which the text, cut off before it, does not hold the item.
"""

from __future__ import annotations

import json
import re
import tomllib
from bisect import bisect_left
from collections.abc import Sequence
from typing import Any

Path = tuple[str | int, ...]

_CLOSING = {"[": "]", "{": "}"}
_TOKEN = re.compile(
    r'''"""(?:\\.|[^\\])*?"{3,5}|\'{3}.*?\'{3,5}|"(?:\\.|[^"\\])*"|\'[^\']*\'|\#[^\n]*|[][{}]''', re.DOTALL
)
"""A string, a comment, or one of the brackets that are neither."""
_BARE = re.compile(r"[A-Za-z0-9_-]{1,60}")
_LONGEST = 60
"""Characters of one name that are shown."""
_MOST_LINES = 200
"""The longest value that is searched for the line of an element; each line costs some attempts."""


def key_text(path: Path) -> str:
    """Return a path as a person reads it: `organizations[2].name` is the name in the second `[[organizations]]`."""
    return "".join(f"[{step + 1}]" if isinstance(step, int) else f".{_name(step)}" for step in path).removeprefix(".")


def line_of(text: str, path: Path) -> int:
    """Return the line, counted from 1, at which the item at `path` begins in a valid TOML text.

    For an item that is not there it is the line of the nearest table or array around it; 1 if there is none.
    """
    return Places(text).line(path)


class Places:
    """The lines of a valid TOML text. What was parsed for one question is kept for the next."""

    def __init__(self, text: str) -> None:
        self._lines = text.removesuffix("\n").split("\n")
        self._parsed: dict[int, Any] = {}
        self._whole_at: dict[int, int] = {}

    def line(self, path: Path) -> int:
        """Return the line at which the item at `path` begins; `line_of` says more."""
        while path and not _holds(self._data(len(self._lines)), path):
            path = path[:-1]
        line = bisect_left(range(len(self._lines)), True, key=lambda count: self._is_there(count, path))
        if not path or line == 0:
            return 1
        return line + _offset(self._lines[line - 1 : self._whole(line)], path)

    def _is_there(self, count: int, path: Path) -> bool:
        return _holds(self._data(self._whole(count)), path)

    def _whole(self, count: int) -> int:
        """Return the least number of lines from `count` on that does not end within a value."""
        end = count
        while end not in self._whole_at and end < len(self._lines) and self._data(end) is None:
            end += 1
        whole = self._whole_at.get(end, end)
        self._whole_at.update(dict.fromkeys(range(count, end + 1), whole))
        return whole

    def _data(self, count: int) -> Any:
        """Return the data in the first lines; None if they are not whole."""
        if count not in self._parsed:
            self._parsed[count] = _parse(self._lines[:count])
        return self._parsed[count]


def _parse(lines: Sequence[str], end: str = "") -> Any:
    try:
        return tomllib.loads("\n".join(lines) + f"\n{end}")
    except (ValueError, RecursionError):
        return None


def _holds(data: Any, path: Path) -> bool:
    for step in path:
        inside = isinstance(data, list) and step < len(data) if isinstance(step, int) else isinstance(data, dict)
        if not inside or (isinstance(step, str) and step not in data):
            return False
        data = data[step]
    return True


def _offset(statement: Sequence[str], path: Path) -> int:
    """Return how many lines after its beginning a value of several lines holds an element: 0 if it is not found.

    The value is cut off after each line in turn, and what is open there is closed.
    """
    if not 1 < len(statement) <= _MOST_LINES:
        return 0
    part = _part_in(_parse(statement), path)
    cuts = (
        count for count in range(1, len(statement)) if _holds(_parse(statement[:count], _end(statement, count)), part)
    )
    return next(cuts, len(statement)) - 1


def _part_in(statement: Any, path: Path) -> Path:
    """Return the part of a path that lies within a statement: a table's header stands elsewhere."""
    return next((path[start:] for start in range(len(path)) if _holds(statement, path[start:])), ())


def _end(statement: Sequence[str], count: int) -> str:
    """Return what closes the strings, arrays and tables that are open after the first lines of a statement."""
    cut = sum(len(line) + 1 for line in statement[:count])
    closing: list[str] = []
    for token in _TOKEN.finditer("\n".join(statement)):
        if token.start() >= cut:
            break
        if token[0] in _CLOSING:
            closing.append(_CLOSING[token[0]])
        elif token[0] in _CLOSING.values():
            closing.pop()
        elif token.end() >= cut and token[0][:3] in ('"""', "'''"):
            closing.append(token[0][:3])
    return "".join(reversed(closing))


def _name(name: str) -> str:
    if _BARE.fullmatch(name):
        return name
    return json.dumps(name if len(name) <= _LONGEST else name[:_LONGEST] + "...")
