"""The entry point: parse, import the chosen command alone, run it; an error becomes message, hint and exit code."""

from __future__ import annotations

import contextlib
import gc
import os
import signal
import sys
from typing import TYPE_CHECKING, Any, TextIO

from sectigo_cli.context import Context
from sectigo_cli.exits import DONE, FAILED, Interrupted, exit_code, report
from sectigo_cli.grammar import chosen, module_of, parse_command, parse_globals
from sectigo_cli.options import UsageError
from sectigo_cli.output import print_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence
    from types import FrameType

ENDINGS = (signal.SIGTERM, signal.SIGHUP)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; dies of the signal that interrupted it.

    Without `argv` it is the process's own command line, after which nothing is expected to run.
    """
    if sys.stdout is None:
        # What was paid for must be told; without stdout there is nowhere to tell it.
        return _without_stdout()
    context = Context()
    previous = _catch()
    try:
        return _complete(list(sys.argv[1:] if argv is None else argv), context)
    except KeyboardInterrupt:
        number = _heard(signal.SIGINT)
    except Interrupted as interrupted:
        number = _heard(interrupted.signal)
    except BrokenPipeError:
        number = signal.SIGPIPE
    except Exception as error:  # noqa: BLE001 - every error becomes a message here, none a traceback
        with contextlib.suppress(OSError):
            report(context, error)
        return exit_code(error)
    finally:
        context.close()
        _drop_unwritten()
        for heard, handler in previous.items():
            signal.signal(heard, handler)
        if argv is None:
            # The interpreter looks for garbage as it ends, which takes longer than the command itself.
            gc.freeze()
    # Only now, when the traceback is gone with all that it held, has everything under way cleaned up after itself.
    return _die(number)


def _catch() -> dict[signal.Signals, Any]:
    """Let the signals that ask a process to end unwind it, but for one that is ignored, as under nohup."""
    caught = [number for number in ENDINGS if signal.getsignal(number) != signal.SIG_IGN]
    return {number: signal.signal(number, _interrupt) for number in caught}


def _interrupt(number: int, _frame: FrameType | None) -> None:
    raise Interrupted(signal.Signals(number))


def _heard(number: signal.Signals) -> signal.Signals:
    """Let the same signal kill at once from now on: whoever presses Ctrl-C twice sees no traceback.

    What it broke off printing is not printed to its end: nobody may ever read that.
    """
    signal.signal(number, signal.SIG_DFL)
    _discard(sys.stdout)
    return number


def _die(number: signal.Signals) -> int:
    """Die of the signal, so that a shell or a supervisor sees why."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number


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
    run: Callable[[argparse.Namespace, Context], int | None] = module_of(name).run
    return run(context.options, context) or DONE
