"""Parsing: a parser that raises instead of exiting, the global options, and the kinds of values that options take."""

from __future__ import annotations

import argparse
import sys
import textwrap
from typing import TYPE_CHECKING, Any, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from _typeshed import SupportsWrite


LARGEST_ID = (1 << 63) - 1
LONGEST = 1e9
"""Seconds that one may ask to wait for."""
MANY = 1_000_000
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 0.1, 1e6
"""Seconds that a request or a download may be given; `Settings` takes the same."""


class UsageError(Exception):
    """The command line is wrong; nothing was done."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.hint = hint


class Parser(argparse.ArgumentParser):
    """argparse without abbreviations, with one form of error, and with help as an option like any other."""

    astray: str | None = None
    """What to tell whoever gives it an option that it does not have."""
    chief: str | None = None
    """The option that a word was probably meant for that stands alone."""

    def __init__(self, **settings: Any) -> None:
        fixed = {"allow_abbrev": False, "add_help": False, "formatter_class": argparse.RawDescriptionHelpFormatter}
        super().__init__(**{**settings, **fixed})

    @staticmethod
    def repeats(action: argparse.Action) -> bool:
        """Whether an option may be given several times, for several values."""
        return isinstance(action, argparse._AppendAction)

    @property
    def by_flag(self) -> dict[str, argparse.Action]:
        """Every option so far, by each of its spellings."""
        return self._option_string_actions

    def _get_values(self, action: argparse.Action, arg_strings: list[str]) -> Any:
        """Take an option's one value as it is: argparse drops `--` before Python 3.13."""
        if not action.option_strings or action.nargs is not None:
            return super()._get_values(action, arg_strings)
        (text,) = arg_strings
        value = self._get_value(action, text)
        self._check_value(action, value)
        return value

    def _print_message(self, message: str, file: SupportsWrite[str] | None = None) -> None:
        """Print help; argparse says nothing where that fails."""
        (file or sys.stdout).write(message)

    def error(self, message: str, *, hint: str | None = None) -> NoReturn:
        """Raise UsageError, with the command that would explain."""
        command = self.prog.removeprefix("sectigo").strip()
        explains = f"`{self.prog} --help` explains"
        if hint is not None:
            explains = f"{hint}{' ' if hint.endswith('?') else '; '}{explains}"
        raise UsageError(f"{command}: {message}" if command else message, hint=explains)


def timeout(text: str) -> float:
    """Read how many seconds a request or a download may take."""
    return _seconds(text, SHORTEST_TIMEOUT, LONGEST_TIMEOUT)


def seconds(text: str) -> float:
    """Read a duration in seconds, 0 or more."""
    return _seconds(text, 0, LONGEST)


def _seconds(text: str, least: float, most: float) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds from {least:g} to {most:.0f}")
    return value


_GLOBAL_OPTIONS: tuple[tuple[str, dict[str, Any]], ...] = (
    ("-u --username", {"dest": "username", "metavar": "NAME", "help": "log in as this user (SECTIGO_USERNAME)"}),
    (
        "-p --password",
        {"dest": "login_password", "metavar": "TEXT", "help": "the log-in's password; SECTIGO_PASSWORD is safer"},
    ),
    (
        "-P --profile",
        {"dest": "profile", "metavar": "NAME|ID", "help": "the profile that orders are for (SECTIGO_PROFILE)"},
    ),
    (
        "-E --environment --env",
        {
            "dest": "environment",
            "metavar": "NAME",
            "help": "production, staging, docker or testing (SECTIGO_ENVIRONMENT)",
        },
    ),
    (
        "-e --endpoint --url",
        {"dest": "endpoint", "metavar": "URL", "help": "the service's address (SECTIGO_ENDPOINT)"},
    ),
    ("--allow-host", {"metavar": "HOST", "help": "one more https host for production (SECTIGO_ALLOWED_HOST)"}),
    ("--ca-file", {"metavar": "FILE", "help": "trust the authorities in this file alone (SECTIGO_CA_FILE)"}),
    (
        "--client-cert",
        {"metavar": "FILE", "help": "a certificate to log in with, if the account demands it (SECTIGO_CLIENT_CERT)"},
    ),
    ("--client-key", {"metavar": "FILE", "help": "its key, if it stands in another file (SECTIGO_CLIENT_KEY)"}),
    (
        "--request-timeout",
        {"metavar": "SECONDS", "type": timeout, "help": "how long one request may take in all (SECTIGO_TIMEOUT)"},
    ),
    (
        "--download-timeout",
        {"metavar": "SECONDS", "type": timeout, "help": "how long a download may take (SECTIGO_DOWNLOAD_TIMEOUT)"},
    ),
    ("--env-file", {"metavar": "FILE", "help": "read SECTIGO_ variables from this file"}),
    ("--trace", {"metavar": "FILE", "help": "write what is exchanged to this new file (HAR), with secrets masked"}),
)


def add_global_options(parser: Parser) -> None:
    """Add the global options, each in those of its spellings that the command has not taken for itself.

    Added to the parser of a command they leave alone what was said before the command.
    """
    group = parser.add_argument_group("global options")
    group.add_argument("-h", "--help", action="help", help="explain, and do nothing")
    for flags, settings in _GLOBAL_OPTIONS:
        free = [flag for flag in flags.split() if flag not in parser.by_flag]
        if free:
            group.add_argument(*free, **{"type": filled, **settings})
    group.add_argument("--verbose", action="store_true", help="say on stderr what is asked of the service")


def filled(text: str) -> str:
    """Refuse what is empty: a variable of the shell that is not set must not choose the default in silence."""
    if not text.strip():
        raise argparse.ArgumentTypeError("the value is empty")
    return text


def positive(text: str) -> int:
    """Read an id: a whole number above 0."""
    # int() refuses what is longer than some thousand digits.
    if not text.isascii() or not text.isdigit() or len(text) > 100 or not 0 < int(text) <= LARGEST_ID:
        shown = text if len(text) < 40 else f"{text[:40]}…"
        raise argparse.ArgumentTypeError(f"{shown!r} is no id: a whole number from 1 to {LARGEST_ID} is wanted")
    return int(text)


def count(text: str) -> int:
    """Read how many: a whole number from 1 to a million."""
    if not text.isascii() or not text.isdigit() or len(text) > 7 or not 0 < int(text) <= MANY:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from 1 to {MANY}")
    return int(text)


def profile_number(text: str) -> int:
    """Read a profile's id, which is `-p` in some commands: what is none may be a password, and is not shown."""
    try:
        return positive(text)
    except argparse.ArgumentTypeError:
        raise argparse.ArgumentTypeError(
            "here that is a profile's id, a whole number; a password to log in with stands in front of the command"
        ) from None


def listed(words: Iterable[str]) -> str:
    """Return words as help lists them: indented, in lines that fit, none broken at a blank of its own."""
    lines = textwrap.fill(", ".join(word.replace(" ", "~") for word in words), 78, break_on_hyphens=False)
    return textwrap.indent(lines, "  ").replace("~", " ")


def parameter(text: str) -> tuple[str, str]:
    """Read NAME=VALUE."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        # It may be a password, so it is not shown.
        raise argparse.ArgumentTypeError("that is not of the form NAME=VALUE")
    return name.strip(), value


def checked(check: Callable[[str], object]) -> Callable[[str], object]:
    """Turn a function of the library that raises its errors into a kind of value for argparse."""

    def read(text: str) -> object:
        from sectigo_iot import InvalidInputError

        try:
            return check(text)
        except InvalidInputError as error:
            raise UsageError(str(error), hint=error.hint) from None

    return read
