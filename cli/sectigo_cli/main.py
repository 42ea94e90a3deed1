"""The entry point: parse, import the chosen command alone, run it; an error becomes message, hint and exit code."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, TextIO

from sectigo_cli.context import Context
from sectigo_cli.endings import Interrupted, die
from sectigo_cli.exits import DONE, FAILED, NOT_READY, OUTCOME_UNKNOWN, exit_code, report
from sectigo_cli.grammar import chosen, module_of, parse_command, parse_globals
from sectigo_cli.options import UsageError
from sectigo_cli.output import print_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line, by default the process's own, and return its exit code.

    In the main thread it dies of the signal that interrupted it.
    """
    if sys.stdout is None:
        # What was paid for must be told; without stdout there is nowhere to tell it.
        return _without_stdout()
    context = Context()
    with context.endings:
        code = _ended(list(sys.argv[1:] if argv is None else argv), context)
        context.close()
        _drop_unwritten()
        # Only now, when the traceback is gone with all that it held, has everything under way cleaned up.
        return die(code) if isinstance(code, signal.Signals) else code


def _ended(argv: list[str], context: Context) -> int | signal.Signals:
    """Return the exit code, or the signal that interrupted the run."""
    try:
        try:
            return _complete(argv, context)
        finally:
            context.endings.rest()
    except KeyboardInterrupt as interruption:
        # What was broken off is not printed to its end: nobody may ever read that.
        _discard(sys.stdout)
        return interruption.signal if isinstance(interruption, Interrupted) else signal.SIGINT
    except BrokenPipeError:
        return signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 - every error becomes a message here, none a traceback
        heard = context.endings.heard
        if heard is None or exit_code(error) in (OUTCOME_UNKNOWN, NOT_READY):
            with contextlib.suppress(OSError):
                report(context, error)
        # Foreign code makes other errors of an interruption: Python 3.11 where a class is made, cryptography where a
        # signature is checked, which then does not fit.
        return heard or exit_code(error)


def _without_stdout() -> int:
    if sys.stderr is not None:
        sys.stderr.write("sectigo: error: standard output is closed\n")
    return FAILED


def _complete(argv: list[str], context: Context) -> int:
    """Run, and see to it that all that was printed has left: help leaves by SystemExit and flushes nothing."""
    try:
        _check_text(argv)
        code = _run(argv, context)
    except SystemExit as done:
        code = int(done.code or 0)
    context.stdout.flush()
    context.endings.check()
    return code


def _check_text(argv: list[str]) -> None:
    for position, word in enumerate(argv, 1):
        try:
            word.encode()
        except UnicodeEncodeError:
            # It may be a password, so it is not shown.
            raise UsageError(f"argument {position} is not valid UTF-8") from None


def _drop_unwritten() -> None:
    """What could not be written is not tried again when the interpreter ends: it would change the exit code."""
    for stream in filter(None, (sys.stdout, sys.stderr)):
        try:
            stream.flush()
        except OSError:
            _discard(stream)


def _discard(stream: TextIO) -> None:
    with contextlib.suppress(OSError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def _run(argv: list[str], context: Context) -> int:
    words = parse_globals(argv, context.options)
    if context.options.version:
        from sectigo_iot import __version__

        print_line(context, f"sectigo {__version__}")
        return DONE
    name = chosen(words, context.options)
    parse_command(name, words[1:], context.options)
    context.begin_trace()
    run: Callable[[argparse.Namespace, Context], int | None] = module_of(name).run
    return run(context.options, context) or DONE
