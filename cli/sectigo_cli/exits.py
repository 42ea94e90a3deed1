"""From an error to what the user sees of it: one line, a hint, an exit code."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from sectigo_cli.options import UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sectigo_cli.context import Context

DONE = 0
FAILED = 1
USAGE = 2
ATTENTION = 3
NOT_AUTHENTICATED = 4
OUTCOME_UNKNOWN = 5
NOT_READY = 8
LONGEST = 4096
"""Characters of a line that is said about an error."""
_MOST_FAULTS = 100
"""Lines that are said about one error."""
_ITEM = "\n  "
"""What stands before each line of a list in an error's text; a line that is set in passes for none of ours."""


class OrderStandsError(Exception):
    """What was asked for after an order went wrong; the order itself was accepted."""

    def __init__(self, cause: Exception, hint: str) -> None:
        super().__init__(str(cause))
        self.cause = cause
        self.hint = hint


def exit_code(error: Exception) -> int:
    """Return the exit code of an error, as the table in the documentation has it."""
    import sectigo_iot as lib

    if isinstance(error, OrderStandsError):
        return NOT_READY
    if isinstance(error, lib.NotAuthorizedError) and error.action == "authenticate":
        return NOT_AUTHENTICATED
    table: tuple[tuple[type[Exception], int], ...] = (
        (UsageError, USAGE),
        (lib.ConfigError, USAGE),
        (lib.InvalidInputError, USAGE),
        (lib.NotAuthenticatedError, NOT_AUTHENTICATED),
        (lib.OutcomeUnknownError, OUTCOME_UNKNOWN),
        (lib.NotReadyError, NOT_READY),
    )
    return next((code for kind, code in table if isinstance(error, kind)), FAILED)


def report(context: Context, error: Exception) -> None:
    """Say on stderr what went wrong, and what to do about it where that is known."""
    message, hint = _words(error)
    what, *listed = message.split(_ITEM)
    context.say(f"sectigo: error: {_one_line(what)}")
    faults = getattr(error, "faults", ())
    _say_all(context, listed)
    _say_all(context, faults if len(faults) > 1 else ())
    if hint:
        context.say(f"sectigo: hint: {_one_line(hint)}")


def _say_all(context: Context, lines: Sequence[str]) -> None:
    for line in lines[:_MOST_FAULTS]:
        context.say(f"  {_one_line(line)}")
    if len(lines) > _MOST_FAULTS:
        context.say(f"  and {len(lines) - _MOST_FAULTS} more")


def _one_line(text: str) -> str:
    """Return a text that may hold what somebody typed: it makes no lines of its own, and has an end."""
    line = text.replace("\r\n", "\n").replace("\n", "\\n")
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}…"


def _words(error: Exception) -> tuple[str, str | None]:
    from sectigo_iot import SectigoError

    if isinstance(error, OrderStandsError):
        return _words(error.cause)[0], error.hint
    if isinstance(error, SectigoError | UsageError):
        return str(error), error.hint
    if isinstance(error, OSError):
        where = f"{os.fspath(error.filename)!s}: " if isinstance(error.filename, str | os.PathLike) else ""
        return f"{where}{error.strerror or error}", None
    return f"unexpected: {type(error).__name__}: {error}", "this is a fault of the program: please report it"
