"""`sectigo serve`: run an emulator of the service on this machine, until it is interrupted."""

from __future__ import annotations

import argparse
import errno
import shlex
from typing import TYPE_CHECKING, Any

from sectigo_cli.context import Context
from sectigo_cli.folders import folder_for
from sectigo_cli.options import Parser, UsageError, filled, seconds
from sectigo_cli.output import print_line

if TYPE_CHECKING:
    from sectigo_iot.emulator import Emulator, EmulatorSettings

DEFAULT_PASSWORD = "supersecretsquirrel"  # noqa: S105 - public: the fallback of the testing environment
PASSWORD_VARIABLE = '"$SIAS_AUTH_PASSWORD"'  # noqa: S105 - shell text
_SHOWN = ("config", "scenarios", "faults")
_PORTS = 65535


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
        "--control",
        type=_control_port,
        metavar="PORT",
        help="the port to control it by, on this machine alone: 0 for any, `off` for none (default: the next one up)",
    )
    parser.add_argument(
        "--account",
        choices=("staging", "manual"),
        help="the account to play: the Go staging server's, or the one of TRISA's manual (default staging)",
    )
    parser.add_argument(
        "--config", type=filled, metavar="FILE", help="TOML of organizations, users, profiles, lives and faults"
    )
    parser.add_argument(
        "--show", choices=_SHOWN, help="print the account as a configuration, the scenarios or the faults, and end"
    )
    _configure_days(parser)
    _configure_certificates(parser)


def _configure_days(parser: Parser) -> None:
    parser.add_argument("--scenario", type=filled, metavar="NAME", help="one of the service's bad days, by name")
    parser.add_argument(
        "--fault",
        action="append",
        default=[],
        type=filled,
        metavar="FAULT",
        help="make something go wrong: NAME[,call=CALL][,percent=N][,nth=N][,times=N]...; may be repeated",
    )
    parser.add_argument("--hostile", action="store_true", help="make a mixture of all kinds of things go wrong")
    parser.add_argument("--seed", type=_seed, metavar="N", help="what chance is drawn from (default: printed)")
    parser.add_argument(
        "--delay",
        type=seconds,
        metavar="SECONDS",
        help="from order to issued (default 2; for --account manual none)",
    )
    parser.add_argument("--state", type=filled, metavar="DIR", help="keep everything there, across restarts")
    parser.add_argument("--allow-remote", action="store_true", help="let it listen on more than this machine")


def _configure_certificates(parser: Parser) -> None:
    parser.add_argument(
        "--key-type",
        choices=("rsa4096", "rsa3072", "rsa2048", "p256", "p384"),
        help="the keys that it makes (default rsa4096)",
    )
    parser.add_argument(
        "--legacy-pkcs12", action="store_true", help="make PKCS#12 as the live service does: OpenSSL 3 needs -legacy"
    )
    parser.add_argument(
        "--ca", type=filled, metavar="FILE", help="PEM of a CA certificate and its key to issue under (SIAS_CA_PATH)"
    )
    parser.add_argument("--foreign-ca", action="store_true", help="let that CA be one that does not say TEST")
    parser.add_argument(
        "--tls",
        type=filled,
        metavar="DIR",
        help="send log-ins to a TLS port that demands a client certificate; DIR gets one, its key and the CA",
    )


def run(args: argparse.Namespace, context: Context) -> None:
    """Serve until SIGINT or SIGTERM."""
    from sectigo_iot import SectigoError

    try:
        if args.show is not None:
            _show(args, context)
        else:
            _serve(args, context)
    except ImportError as error:
        raise SectigoError("the emulator is not installed", hint=str(error)) from None


def _serve(args: argparse.Namespace, context: Context) -> None:
    from sectigo_iot.emulator import serve

    settings = _settings(args, context)
    announced = False

    def announce(emulator: Emulator) -> None:
        nonlocal announced
        announced = True
        _announce(context, emulator, args.tls)

    with folder_for(context, args.tls):
        try:
            serve(settings, ready=announce, ended=context.endings.rest)
        except ValueError as error:
            raise _refused(error, args) from None
        except OSError as error:
            # What goes wrong later is not about what it was started with.
            raise error if announced else _told(error, settings) from None
    context.note("the emulator has ended")


def _show(args: argparse.Namespace, context: Context) -> None:
    from sectigo_iot.emulator import shipped_config, shipped_faults, shipped_scenarios

    if args.show == "config":
        print_line(context, shipped_config(args.account or "staging").rstrip())
    else:
        told = shipped_scenarios() if args.show == "scenarios" else shipped_faults()
        for name, said in told.items():
            print_line(context, f"{name}: {said}")


def _told(error: OSError, settings: EmulatorSettings) -> Exception:
    """Return what a user can do something about: a file, or the address."""
    from sectigo_iot import SectigoError

    if error.errno == errno.EADDRINUSE:
        control = str(error.filename).endswith(f":{settings.control_port}") and settings.control_port != settings.port
        hint = "`--control 0` takes a free port" if control else "`--addr :0` takes a free port"
        return SectigoError(f"{error.filename}: {error.strerror}", hint=hint)
    if error.filename is not None:
        return UsageError(f"serve: {error.filename}: {error.strerror}")
    return OSError(error.errno, error.strerror, f"{settings.host}:{settings.port}")


def _settings(args: argparse.Namespace, context: Context) -> EmulatorSettings:
    from sectigo_iot.emulator import EmulatorSettings

    environ = dict(context.environ)
    if args.addr is not None:
        environ["SIAS_BIND_ADDR"] = args.addr
    if args.ca is not None:
        environ["SIAS_CA_PATH"] = args.ca
    try:
        return EmulatorSettings.from_environ(
            environ, account=args.account, config=args.config, scenario=args.scenario, **_chosen(args)
        )
    except ValueError as error:
        raise _refused(error, args) from None
    except OSError as error:
        raise UsageError(f"serve: {error.filename or args.config}: {error.strerror}") from None


def _chosen(args: argparse.Namespace) -> Any:
    """Return the settings that the line names; what it leaves out is for others to say."""
    values = {
        "control_port": args.control,
        "delay": args.delay,
        "key_type": args.key_type,
        "seed": args.seed,
        "state_path": args.state,
        "faults": tuple(args.fault),
    }
    switches = {
        "allow_remote": args.allow_remote,
        "hostile": args.hostile,
        "legacy_pkcs12": args.legacy_pkcs12,
        "foreign_ca": args.foreign_ca,
        "tls": args.tls is not None,
    }
    chosen: dict[str, Any] = {name: value for name, value in (values | switches).items() if value}
    chosen |= {name: values[name] for name in ("delay", "seed") if values[name] is not None}
    if args.control is not None:
        chosen["control_port"] = None if args.control < 0 else args.control
    return chosen


_OPTIONS = {
    "; allow_remote=True permits it": "--allow-remote lets others reach it",
    "; foreign_ca=True takes it all the same": "--foreign-ca takes it all the same",
}
"""What the library says of its own arguments, which nobody can type here, and what can be typed."""


def _refused(error: ValueError, args: argparse.Namespace) -> UsageError:
    fault, hint = str(error), None
    for said, option in _OPTIONS.items():
        if fault.endswith(said):
            fault, hint = fault.removesuffix(said), option
    if args.addr is not None:
        fault = fault.replace("SIAS_BIND_ADDR", "--addr")
    if fault.startswith("scenario "):
        fault = f"--{fault}"
    return UsageError(f"serve: {fault}", hint=hint)


def _control_port(text: str) -> int:
    """Read a port; -1 stands for `off`."""
    if text == "off":
        return -1
    if not text.isascii() or not text.isdigit() or int(text[:6]) > _PORTS:
        raise argparse.ArgumentTypeError(f"{text!r} is no port from 0 to {_PORTS}, nor `off`")
    return int(text)


def _seed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise argparse.ArgumentTypeError(f"{text!r} is no whole number from 0 on")
    return int(text)


def _password(context: Context, emulator: Emulator) -> str | None:
    """Return the password for a shell: as it is if it is the public one; None where it stands in a file alone."""
    if context.environ.get("SIAS_AUTH_PASSWORD"):
        return PASSWORD_VARIABLE
    if emulator.password == DEFAULT_PASSWORD:
        return shlex.quote(emulator.password)
    return None


def _announce(context: Context, emulator: Emulator, folder: str | None) -> None:
    """Print what points a shell at the emulator; a password that somebody chose is named, not shown."""
    context.note(f"an emulator with a TEST CA listens on {emulator.url}; end it with Ctrl-C")
    if emulator.control_url is not None:
        context.note(f"{emulator.control_url} controls it, and shows it in a browser")
    context.note(f"seed {emulator.seed}: `--seed {emulator.seed}` repeats what chance decides")
    for line in emulator.remarks:
        context.note(line)
    if folder is not None:
        emulator.write_client_files(folder)
        context.note(f"log-ins go to {emulator.tls_url}; {folder} holds client.pem, client-key.pem and ca.pem for it")
    for name, value in emulator.environ.items():
        shown = _password(context, emulator) if name == "SECTIGO_PASSWORD" else shlex.quote(value)
        if shown is None:
            context.note(f"the password of {emulator.username} stands in the configuration: export {name} yourself")
        else:
            print_line(context, f"export {name}={shown}")
    if emulator.control_url is not None:
        print_line(context, f"export SIAS_CONTROL_URL={emulator.control_url}")
