"""Options as Go's flag package spells them: one dash or two, `=` or a word of its own, `=true` and `=false`.

They are rewritten before argparse sees them, which would read `-password=x` as the password `assword=x`.
Source: https://pkg.go.dev/flag#hdr-Command_line_flag_syntax
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from argparse import Action
    from collections.abc import Iterator, Sequence

    from sectigo_cli.options import Parser

END = "--"
YES = frozenset(("1", "t", "T", "true", "TRUE", "True"))
NO = frozenset(("0", "f", "F", "false", "FALSE", "False"))
"""What Go's strconv.ParseBool reads."""


def read(words: Sequence[str], parser: Parser, *, interspersed: bool) -> tuple[list[str], list[str]]:
    """Return the options, one word each as argparse wants it, and the words that are no options.

    Unless they may be interspersed, the first word that is no option ends the options. What follows an option that
    takes a value is its value, also where it begins with a dash. Raises UsageError for an option that is none.
    """
    options: list[str] = []
    others: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == END:
            others.extend(rest)
        elif not _is_option(word):
            others.extend((word,) if interspersed else (word, *rest))
        else:
            _take(word, rest, parser, options)
    return options, others


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


def _take(word: str, rest: Iterator[str], parser: Parser, options: list[str]) -> None:
    spelt, equals, value = word.partition("=")
    action = _action(spelt, parser)
    if action is None:
        _unknown(spelt, parser)
    name = action.option_strings[-1]
    if action.nargs == 0:
        if not equals or _truth(value, spelt, parser):
            options.append(name)
        else:
            options[:] = [option for option in options if option != name]
        return
    given = value if equals else _value(spelt, rest, parser)
    options.append(name if given is None else f"{name}={given}")


def _action(spelt: str, parser: Parser) -> Action | None:
    name = spelt[2:] if spelt.startswith("--") else spelt[1:]
    return parser.by_flag.get(f"-{name}" if len(name) == 1 else f"--{name}")


def _value(spelt: str, rest: Iterator[str], parser: Parser) -> str | None:
    value = next(rest, None)
    if value is not None and _is_option(value) and (value == END or _action(value.partition("=")[0], parser)):
        # Its value was forgotten, more likely than not; it may be a password, so only what is an option is shown.
        option = value.partition("=")[0]
        parser.error(
            f"{spelt} has no value: what follows it is the option {option}",
            hint=f"if {option} is the value, write {spelt}={option}",
        )
    return value


def _truth(value: str, spelt: str, parser: Parser) -> bool:
    if value not in YES | NO:
        parser.error(f"{spelt} is true or false, not {value!r}", hint=f"write {spelt} alone, or {spelt}=false")
    return value in YES


def _unknown(spelt: str, parser: Parser) -> NoReturn:
    import difflib

    name = spelt.lstrip("-")
    near = difflib.get_close_matches(f"--{name}", parser.by_flag, n=1, cutoff=0.75) if len(name) > 1 else []
    short = parser.by_flag.get(spelt[:2])
    if not near and not spelt.startswith("--") and short is not None and short.nargs is None:
        # What is glued to it may be a password.
        parser.error(
            f"{spelt[:2]} and its value are glued together", hint=f"write {spelt[:2]} VALUE or {spelt[:2]}=VALUE"
        )
    parser.error(f"there is no option {spelt}", hint=f"did you mean {near[0]}?" if near else parser.astray)
