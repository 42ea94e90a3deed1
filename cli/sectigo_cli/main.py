"""The entry point: parse, import the chosen command alone, run it; an error becomes message, hint and exit code."""

from __future__ import annotations

import argparse
import contextlib
import os
import signal
import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any, TextIO

from sectigo_cli.context import Context
from sectigo_cli.exits import FAILED, Interrupted, exit_code, report
from sectigo_cli.options import Parser, UsageError, add_global_options

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import FrameType

COMMANDS = {
    "auth": "log in, and see or forget the session",
    "authorities": "what may be ordered from, and how many licences are left",
    "licenses": "how many certificates were ordered and issued",
    "profiles": "the profiles, and the parameters that an order of one takes",
    "organization": "the organization of the user who is logged in",
    "create": "order one certificate, whose key the service makes",
    "upload": "order certificates for signing requests of your own",
    "batches": "how far an order is",
    "download": "fetch what was issued for an order",
    "find": "look certificates up by name or serial number",
    "revoke": "revoke a certificate",
    "call": "make any call of the service",
    "serve": "run an emulator of the service on this machine",
    "validate": "check the configuration that is in force, and print it",
}
ENDINGS = (signal.SIGTERM, signal.SIGHUP)
ALIASES = {"profile": "profiles"}
_ALL = f"one of: {', '.join(COMMANDS)}; `sectigo --help` explains them"

DESCRIPTION = "Order, fetch, find and revoke X.509 certificates with the Sectigo IoT Manager."


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line and return its exit code; dies of the signal that interrupted it."""
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
    chosen, rest = _choose(argv, context)
    if chosen is None:
        return 0
    module = import_module(f"sectigo_cli.commands.{chosen}")
    parser = command_parser(chosen, module.configure)
    parser.parse_intermixed_args(rest, context.options)
    run: Callable[[argparse.Namespace, Context], int | None] = module.run
    return run(context.options, context) or 0


def _choose(argv: list[str], context: Context) -> tuple[str | None, list[str]]:
    """Return the command and what follows it; no command where help or the version was asked for instead."""
    options = global_parser().parse_args(argv, context.options)
    words: list[str] = options.command
    if options.version:
        from sectigo_iot import __version__

        print(f"sectigo {__version__}", file=context.stdout)
        return None, []
    if not words:
        raise UsageError("which command?", hint=_ALL)
    name = ALIASES.get(words[0], words[0])
    if name not in COMMANDS:
        raise UsageError(f"there is no command {words[0]!r}", hint=_ALL)
    return name, words[1:]


def global_parser() -> Parser:
    """Return the parser of what stands before the command."""
    width = max(map(len, COMMANDS)) + 2
    listing = "\n".join(f"  {name:<{width}}{text}" for name, text in COMMANDS.items())
    parser = Parser(
        prog="sectigo",
        usage="sectigo [options] command [options of the command]",
        description=DESCRIPTION,
        epilog=f"commands:\n{listing}\n\n`sectigo COMMAND --help` explains each.",
    )
    add_global_options(parser)
    parser.add_argument("--version", action="store_true", help="print the version")
    parser.add_argument("command", nargs="...", help=argparse.SUPPRESS)
    return parser


def command_parser(name: str, configure: Callable[[Parser], None]) -> Parser:
    """Return the parser of one command: its own options, and the global ones that do not clash with them."""
    parser = Parser(prog=f"sectigo {name}", description=COMMANDS[name][0].upper() + COMMANDS[name][1:] + ".")
    configure(parser)
    add_global_options(parser)
    return parser
