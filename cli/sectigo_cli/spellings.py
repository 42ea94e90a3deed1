"""Options as Go's flag package spells them: one dash or two, `=` or a word of its own, `=true` and `=false`.

They are rewritten before argparse sees them, which would read `-password=x` as the password `assword=x`. Where a word
is refused it may be a password in the wrong place, so no more of it is shown than what cannot be one.
Source: https://pkg.go.dev/flag#hdr-Command_line_flag_syntax
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from argparse import Action, Namespace
    from collections.abc import Iterator, Sequence

    from sectigo_cli.options import Parser

END = "--"
YES = frozenset(("1", "t", "T", "true", "TRUE", "True"))
NO = frozenset(("0", "f", "F", "false", "FALSE", "False"))
"""What Go's strconv.ParseBool reads."""
DASHES = tuple("\N{EN DASH}\N{EM DASH}\N{MINUS SIGN}\N{HYPHEN}\N{NON-BREAKING HYPHEN}\N{FIGURE DASH}")
"""What an editor or a web page makes of a hyphen."""
PASSWORD = "p"  # noqa: S105 - a letter
"""The short name of the options that take a password."""


def read(
    words: Sequence[str], parser: Parser, options: Namespace, *, interspersed: bool
) -> tuple[list[str], list[str]]:
    """Return the options, one word each as argparse wants it, and the words that are no options.

    Unless they may be interspersed, the first word that is no option ends the options. What follows an option that
    takes a value is its value, also where it begins with a dash. A switch that is put off is put off in `options`.
    Raises UsageError for an option that is none, and for one that is given twice behind a command, differently.
    """
    reader = _Reader(words, parser, options, once=interspersed)
    others: list[str] = []
    for word in reader.rest:
        if word == END:
            others.extend(reader.rest)
        elif _is_option(word):
            reader.take(word)
        elif word.startswith(DASHES):
            parser.error("a dash that is no hyphen stands in front of an option", hint="type - in its place")
        else:
            others.extend((word,) if interspersed else (word, *reader.rest))
    return reader.options, others


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


class _Reader:
    """What was read so far, and what is left to read."""

    def __init__(self, words: Sequence[str], parser: Parser, namespace: Namespace, *, once: bool) -> None:
        self.rest: Iterator[str] = iter(words)
        self.options: list[str] = []
        self._parser = parser
        self._namespace = namespace
        self._once = once
        self._values: dict[str, str] = {}
        self._given = [dest for dest, value in vars(namespace).items() if isinstance(value, str)]

    def take(self, word: str) -> None:
        """Take an option, with the next word where that is its value."""
        spelt, equals, value = word.partition("=")
        action = self._action(spelt)
        if action is None:
            self._unknown(spelt)
        elif action.nargs == 0:
            self._switch(action, spelt, value if equals else "true")
        else:
            self._valued(action, spelt, value if equals else self._next(action, spelt))

    def _action(self, spelt: str) -> Action | None:
        name = spelt[2:] if spelt.startswith("--") else spelt[1:]
        return self._parser.by_flag.get(f"-{name}" if len(name) == 1 else f"--{name}")

    def _switch(self, action: Action, spelt: str, value: str) -> None:
        if value not in YES | NO:
            hint = f"write {spelt} alone, or {spelt}=false"
            self._parser.error(f"{spelt} takes no value but true or false", hint=hint)
        name = action.option_strings[-1]
        self.options = [option for option in self.options if option != name]
        setattr(self._namespace, action.dest, False)
        if value in YES:
            self.options.append(name)

    def _valued(self, action: Action, spelt: str, value: str) -> None:
        before = self._values.setdefault(action.dest, value)
        if self._once and before != value and not self._parser.repeats(action):
            self._parser.error(f"{spelt} is given twice, with different values", hint="give it once")
        self.options.append(f"{action.option_strings[-1]}={value}")

    def _next(self, action: Action, spelt: str) -> str:
        """Return the next word, unless it is an option: then the value was forgotten, more likely than not."""
        value = next(self.rest, None)
        if value is None:
            self._parser.error(f"{spelt} has no value")
        option = self._mistaken(value.partition("=")[0], secret="password" in action.dest)
        if option is not None:
            hint = f"if that is the value, join the two: {spelt}=VALUE"
            self._parser.error(f"{spelt} has no value: what follows it is {option}", hint=hint)
        return value

    def _mistaken(self, value: str, *, secret: bool) -> str | None:
        """Return what this value is meant to be, if it is none."""
        if value == END:
            return END
        if not _is_option(value):
            return None
        if self._action(value):
            return f"the option {value}"
        near = self._near(value)
        what = "an option" if secret else f"the option {near}"
        return f"nearly {what}" if near else None

    def _near(self, spelt: str) -> str | None:
        """Return the option that is spelt nearly so."""
        import difflib

        name = spelt.lstrip("-").lower()
        begun = [flag for flag in self._parser.by_flag if len(name) > 2 and flag.startswith(f"--{name}")]
        if not begun and any(name.startswith(f"{flag[2:]}-") for flag in self._parser.by_flag):
            return None  # an option of another command, such as --password-file
        near = begun or difflib.get_close_matches(f"--{name}", self._parser.by_flag, n=1, cutoff=0.75)
        return min(near, key=len) if near and len(name) > 1 else None

    def _unknown(self, spelt: str) -> NoReturn:
        if any("password" in dest for dest in (*self._values, *self._given)):
            # It may be the rest of a password with a blank in it.
            self._parser.error("there is an option that is none", hint="a password with blanks in it is quoted")
        near = self._near(spelt)
        if near is not None:
            self._parser.error(f"there is no option {shown(spelt)}", hint=f"did you mean {near}?")
        short = None if spelt.startswith("--") else self._parser.by_flag.get(spelt[:2])
        if short is None:
            self._parser.error(f"there is no option {shown(spelt)}", hint=self._parser.astray)
        letter = spelt[:2]
        hint = "each option is a word of its own" if short.nargs == 0 else f"write {letter} VALUE or {letter}=VALUE"
        self._parser.error(f"there is no option {letter}…: something is glued to {letter}", hint=hint)


def shown(word: str) -> str:
    """Return a word that is no option as it may be shown: what begins with the letter of a password may be one."""
    name = word.lstrip("-")
    dashes = word.removesuffix(name)
    return f"{dashes}{name[0]}…" if name[:1].lower() == PASSWORD and len(name) > 1 else word
