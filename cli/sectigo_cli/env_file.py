"""The file of --env-file: its SECTIGO_ variables, or what is wrong with it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.options import UsageError

if TYPE_CHECKING:
    from dotenv.parser import Binding

LARGEST = 1 << 20
"""Bytes; what is larger is no such file."""
_NAMED = re.compile(r"^\s*(?:export\s+)?SECTIGO_\w+\s*=", re.MULTILINE)


def read_env_file(path: str) -> dict[str, str]:
    """Return its SECTIGO_ variables. Raises UsageError that names the file, and the line that cannot be read."""
    from dotenv.parser import parse_stream

    values = {}
    for binding in parse_stream(io.StringIO(_text_of(path))):
        ours = (binding.key or "").startswith("SECTIGO_")
        if binding.error or (ours and binding.value is None):
            raise UsageError(
                f"--env-file {path}: line {_line(binding)} cannot be read",
                hint="write NAME=value, and quotes around a value on both its sides",
            )
        if ours:
            values[str(binding.key)] = binding.value or ""
    return values


def remarks(path: str, names: list[str]) -> list[str]:
    """Return what the user should know of the names in the file: none that is ours, or one that nobody reads."""
    if not names:
        return [f"--env-file {path} names no SECTIGO_ variable"]
    from sectigo_iot import Settings

    read = Settings(environ=dict.fromkeys(names, "x")).sources.values()
    unread = [name for name in names if f"environment variable {name}" not in read]
    return [f"--env-file {path}: there is no setting {name}, which is ignored" for name in unread]


def names_variables(path: str) -> bool:
    """Whether a file that nobody asked for would have something to say."""
    try:
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return _NAMED.search(file.read(1 << 16)) is not None
    except OSError:
        return False


def _text_of(path: str) -> str:
    try:
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
        text = data.decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"the file {path} given with --env-file cannot be read: {reason}") from None
    if len(data) > LARGEST:
        raise UsageError(f"the file {path} given with --env-file is larger than {LARGEST >> 20} MiB")
    return text


def _line(binding: Binding) -> int:
    """Return the line where a binding begins; the parser counts the blank lines before it as a part of it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
