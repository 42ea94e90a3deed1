"""The tables of options in commands.md, made from the parsers: `.venv/bin/cog -r -I docs docs/commands.md`."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / folder) for folder in ("cli", ".")]

from sectigo_cli.grammar import full_parser  # noqa: E402 - found by the line above
from sectigo_cli.options import Parser, add_global_options  # noqa: E402

SPELT = re.compile(r"(?<!\S)--[a-z-]+|\b(?:SECTIGO|SIAS)_(?:[A-Z_]+\b)?")
"""What is code in the middle of a meaning: options and variables."""
HEAD = "| Option | Value | Meaning |\n|---|---|---|"


def table(command: str | None = None) -> str:
    """Return the table of a command's own options, or of the global ones; a sentence where it has none."""
    parser = _parser(command)
    actions = [action for action in parser._actions if not isinstance(action, argparse._SubParsersAction)]
    behind = _behind_a_command() if command is None else None
    rows = [_row(action, behind) for action in actions]
    if not rows:
        return "It has no options of its own."
    return "\n\n".join(["\n".join([HEAD, *rows]), *_exclusions(parser)])


def _parser(command: str | None) -> argparse.ArgumentParser:
    everything = full_parser(repeat=False)
    if command is None:
        return everything
    (commands,) = (each for each in everything._actions if isinstance(each, argparse._SubParsersAction))
    parser: argparse.ArgumentParser = commands.choices[command]
    return parser


def _behind_a_command() -> set[str]:
    """Return the global options that a command takes too."""
    parser = Parser()
    add_global_options(parser)
    return set(parser.by_flag)


def _row(action: argparse.Action, behind: set[str] | None) -> str:
    meaning = f"{action.help}{'; required' if action.required and action.option_strings else ''}"
    if behind is not None and not behind.intersection(action.option_strings):
        meaning += "; only before the command"
    name = ", ".join(map(_code, action.option_strings)) or _code(_placeholder(action))
    return f"| {name} | {_value(action)} | {SPELT.sub(lambda found: _code(found[0]), _escaped(meaning))} |"


def _value(action: argparse.Action) -> str:
    if action.choices is not None:
        return ", ".join(_code(str(choice)) for choice in action.choices)
    return _code(str(action.metavar)) if action.option_strings and action.nargs != 0 else ""


def _placeholder(action: argparse.Action) -> str:
    name = str(action.metavar or action.dest.upper())
    return {"+": f"{name}...", "*": f"[{name}...]", "?": f"[{name}]"}.get(str(action.nargs), name)


def _exclusions(parser: argparse.ArgumentParser) -> Iterator[str]:
    for group in parser._mutually_exclusive_groups:
        names = [_code(action.option_strings[-1]) for action in group._group_actions]
        yield f"Of {_listed(names)} one at the most."


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}"


def _code(text: str) -> str:
    return f"`{_escaped(text)}`"


def _escaped(text: str) -> str:
    return text.replace("|", r"\|")
