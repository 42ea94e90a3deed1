"""`sectigo serve`: run an emulator of the service on this machine, until it is interrupted."""

from __future__ import annotations

import argparse
import errno
import shlex
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import Context
from sectigo_cli.options import Parser, UsageError, filled, seconds
from sectigo_cli.output import print_line

if TYPE_CHECKING:
    from sectigo_iot.emulator import Emulator, EmulatorSettings

STAGING_DELAY = 2.0
PASSWORD_VARIABLE = '"$SIAS_AUTH_PASSWORD"'  # noqa: S105 - shell text


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument(
        "-a",
        "--addr",
        type=filled,
        metavar="HOST:PORT",
        help="where to listen (SIAS_BIND_ADDR, default 127.0.0.1:8831; :0 any port)",
    )
    parser.add_argument(
        "--account",
        choices=("staging", "manual"),
        default="staging",
        help="the account to play: the Go staging server's, or the one of TRISA's manual (default staging)",
    )
    parser.add_argument(
        "--delay",
        type=seconds,
        metavar="SECONDS",
        help=f"from order to issued (default {STAGING_DELAY:g}; for --account manual none)",
    )
    parser.add_argument(
        "--key-type",
        choices=("rsa4096", "rsa3072", "rsa2048", "p256", "p384"),
        help="the keys that it makes (default rsa4096)",
    )
    parser.add_argument(
        "--ca", type=filled, metavar="FILE", help="PEM of a CA certificate and its key to issue under (SIAS_CA_PATH)"
    )
    parser.add_argument("--allow-remote", action="store_true", help="let it listen on more than this machine")


def run(args: argparse.Namespace, context: Context) -> None:
    """Serve until SIGINT or SIGTERM."""
    from sectigo_iot import SectigoError
    from sectigo_iot.emulator import serve

    settings = _settings(args, context)
    try:
        serve(settings, ready=lambda emulator: _announce(context, emulator))
    except ImportError as error:
        raise SectigoError("the emulator is not installed", hint=str(error)) from None
    except ValueError as error:
        raise UsageError(f"serve: {error}") from None
    except OSError as error:
        raise _told(error, settings) from None
    context.note("the emulator has ended")


def _told(error: OSError, settings: EmulatorSettings) -> Exception:
    """Return what a user can do something about: the CA's file, or the address."""
    from sectigo_iot import SectigoError

    if error.filename is not None and settings.ca_path is not None:
        return UsageError(f"serve: {error.filename}: {error.strerror}")
    address = f"{settings.host}:{settings.port}"
    if error.errno == errno.EADDRINUSE:
        return SectigoError(f"{address}: {error.strerror}", hint="`--addr :0` takes a free port")
    return OSError(error.errno, error.strerror, error.filename or address)


def _settings(args: argparse.Namespace, context: Context) -> EmulatorSettings:
    from sectigo_iot.emulator import EmulatorSettings

    environ = dict(context.environ)
    if args.addr is not None:
        environ["SIAS_BIND_ADDR"] = args.addr
    if args.ca is not None:
        environ["SIAS_CA_PATH"] = args.ca
    chosen: dict[str, Any] = {"delay": args.delay if args.delay is not None else _delay(args.account)}
    if args.key_type is not None:
        chosen["key_type"] = args.key_type
    if args.allow_remote:
        chosen["allow_remote"] = True
    try:
        return EmulatorSettings.from_environ(environ, account=args.account, **chosen)
    except ValueError as error:
        # The library names its own argument, which nobody can type here.
        fault = str(error).removesuffix("; allow_remote=True permits it")
        if args.addr is not None:
            fault = fault.replace("SIAS_BIND_ADDR", "--addr")
        hint = "--allow-remote lets others reach it" if fault != str(error) and "loopback" in fault else None
        raise UsageError(f"serve: {fault}", hint=hint) from None


def _delay(account: str) -> float:
    return 0.0 if account == "manual" else STAGING_DELAY


def _announce(context: Context, emulator: Emulator) -> None:
    """Print what points a shell at the emulator; a password that somebody chose is named, not shown."""
    context.note(f"an emulator with a TEST CA listens on {emulator.url}; end it with Ctrl-C")
    for name, value in emulator.environ.items():
        chosen = name == "SECTIGO_PASSWORD" and context.environ.get("SIAS_AUTH_PASSWORD")
        print_line(context, f"export {name}={PASSWORD_VARIABLE if chosen else shlex.quote(value)}")
