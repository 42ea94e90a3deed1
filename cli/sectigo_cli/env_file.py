"""The file of --env-file: its SECTIGO_ variables, or what is wrong with it."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.options import Parser, UsageError, add_global_options

if TYPE_CHECKING:
    from collections.abc import Iterable

    from dotenv.parser import Binding

LARGEST = 1 << 20
"""Bytes; what is larger is no such file."""
_WITHOUT_OPTION = ("PASSWORD_FILE", "CLIENT_KEY_PASSWORD")
_OF_COMMANDS = ("BOOK",)
"""Variables that are no settings of the client, and that commands read."""
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
    said = "there is no setting {}, which is ignored{}"
    return [f"--env-file {path}: {said.format(name, suggestion(name))}" for name in unread(names)]


def unread(names: Iterable[str]) -> list[str]:
    """Return those of these variables that look like settings of the client, and are none."""
    from sectigo_iot import Settings

    ours = sorted(name for name in names if name.startswith("SECTIGO_"))
    read = {source.rpartition(" ")[2] for source in Settings(environ=dict.fromkeys(ours, "x")).sources.values()}
    read |= {f"SECTIGO_{each}" for each in _OF_COMMANDS}
    return [name for name in ours if name not in read]


def suggestion(name: str) -> str:
    """Return what was probably meant by a variable that nobody reads, as a question to be added; or nothing."""
    import difflib

    known, word = _meanings(), name.upper().removeprefix("SECTIGO_")
    longer = [each for each in known if each.startswith(f"{word}_") or word.startswith(f"{each}_")]
    close = difflib.get_close_matches(word, known, 1, 0.65) or longer
    return f": did you mean {known[close[0]]}?" if close else ""


def _meanings() -> dict[str, str]:
    """Return what is meant by a word after SECTIGO_: a variable, by the name of its flag, too, or an option."""
    parser = Parser()
    add_global_options(parser)
    known = {"PROXY": "HTTPS_PROXY", **{each: f"SECTIGO_{each}" for each in (*_WITHOUT_OPTION, *_OF_COMMANDS)}}
    for flag, action in parser.by_flag.items():
        variable = re.search(r"SECTIGO_(\w+)", action.help or "")
        if variable:
            known[variable[1]] = variable[0]
        if flag.startswith("--") and action.dest != "help":
            known.setdefault(flag[2:].replace("-", "_").upper(), variable[0] if variable else f"the option {flag}")
    return known


def names_variables(path: str) -> bool:
    """Whether a file that nobody asked for would have something to say."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open(encoding="utf-8", errors="replace") as file:
            return _NAMED.search(file.read(1 << 16)) is not None
    except OSError:
        return False


def _text_of(path: str) -> str:
    from sectigo_iot import read_input

    try:
        return read_input(path, LARGEST).decode("utf-8-sig")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not UTF-8 text"
        raise UsageError(f"the file {path} given with --env-file cannot be read: {reason}") from None


def _line(binding: Binding) -> int:
    """Return the line where a binding begins; the parser counts the blank lines before it as a part of it."""
    text = binding.original.string
    return binding.original.line + text[: len(text) - len(text.lstrip())].count("\n")
