"""The grammar of the command line: the commands, the parser of each, and the parser of all of them at once.

A run builds the parser of what stands before the command and that of the chosen command, no other: the rest would be
most of the time that `sectigo` takes to start.
"""

from __future__ import annotations

import argparse
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

from sectigo_cli.options import Parser, UsageError, add_global_options
from sectigo_cli.spellings import NO, YES, read

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import ModuleType

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
    "order": "order certificates through the order book, and put their files in place",
    "orders": "look into the order book, and answer what it asks",
    "worker": "carry the orders of the book, until it is told to end",
    "csr": "make a key and a signing request, or thousands of them",
    "unpack": "open what was downloaded, and put its files in place",
    "inspect": "tell what a request, certificate, chain, PKCS#12 or ZIP is",
    "inventory": "show when the certificates in folders run out",
    "call": "make any call of the service",
    "serve": "run an emulator of the service on this machine",
    "validate": "check the configuration that is in force, and print it",
    "doctor": "find out why it does not work, and what to do about it",
    "completion": "print a script that completes command lines in your shell",
    "help": "explain a command",
}
ALIASES = {"profile": "profiles"}

DESCRIPTION = "Order, fetch, find and revoke X.509 certificates with the Sectigo IoT Manager."
USAGE = "sectigo [options] command [options of the command]"
_ALL = f"one of: {', '.join(COMMANDS)}; `sectigo --help` explains them"


def parse_globals(argv: Sequence[str], options: argparse.Namespace) -> list[str]:
    """Read what stands before the command into the options; return the command and what follows it."""
    parser = global_parser()
    spelt, words = read(argv, parser, options, interspersed=False)
    parser.parse_args(spelt, options)
    return words


def parse_command(name: str, words: Sequence[str], options: argparse.Namespace) -> None:
    """Read what follows the command into the options."""
    parser = command_parser(name)
    spelt, others = read(words, parser, options, interspersed=True)
    if others and parser.chief is not None:
        _too_many(parser, others, spelt, options)
    end = ["--"] if any(word.startswith("-") for word in others) else []
    _, left = parser.parse_known_args([*spelt, *end, *others], options)
    if left:
        _too_many(parser, left, spelt, options)


def _too_many(parser: Parser, left: Sequence[str], spelt: Sequence[str], options: argparse.Namespace) -> NoReturn:
    """Say that there are words too many; not which, where they may be a password: `-p` is not one everywhere."""
    if left[0] in YES | NO:
        parser.error(
            f"unrecognized arguments: {left[0]}", hint=f"a switch is joined to it, as in --verbose={left[0]}"
        )
    near = any(each.startswith("--p") and not each.partition("=")[2].isdigit() for each in spelt)
    behind = any(each.startswith(("-p", "--p")) for each in left)
    if near or behind or options.login_password is not None:
        parser.error(f"unrecognized arguments ({len(left)}): a password with blanks in it is quoted")
    hint = f"did you mean {parser.chief} {told(left[0])}?" if parser.chief and len(left) == 1 else None
    parser.error(f"unrecognized arguments: {' '.join(map(told, left))}", hint=hint)


def told(word: str) -> str:
    """Return a word as it may be shown: what is assigned in it may be a password."""
    name, equals, _ = word.partition("=")
    return f"{name}=…" if equals else word


def command_named(word: str, *, shown: bool = True) -> str:
    """Return the command that is called this; `shown` tells whether a word that is none may be shown.

    Raises UsageError.
    """
    name = ALIASES.get(word, word)
    if name not in COMMANDS:
        import difflib

        near = ["--version"] if word == "version" else difflib.get_close_matches(word, COMMANDS, n=1)
        hint = f"did you mean {near[0]}? `sectigo --help` lists them all" if near else _ALL
        what = f"no command {told(word)!r}" if shown else "no such command: a password with blanks in it is quoted"
        raise UsageError(f"there is {what}", hint=hint)
    return name


def chosen(words: Sequence[str], options: argparse.Namespace) -> str:
    """Return the command that stands at the front. Raises UsageError."""
    if not words:
        raise UsageError("which command?", hint=_ALL)
    # Where a password stands behind it, this word may be that password, astray.
    behind = any(word.startswith(("-p", "--p")) for word in words[1:])
    return command_named(words[0], shown=options.login_password is None and not behind)


def module_of(name: str) -> ModuleType:
    """Import a command's module."""
    return import_module(f"sectigo_cli.commands.{name}")


def global_parser() -> Parser:
    """Return the parser of what stands before the command."""
    width = max(map(len, COMMANDS)) + 2
    listing = "\n".join(f"  {name:<{width}}{text}" for name, text in COMMANDS.items())
    parser = Parser(
        prog="sectigo",
        usage=USAGE,
        description=DESCRIPTION,
        epilog=f"commands:\n{listing}\n\n`sectigo COMMAND --help` or `sectigo help COMMAND` explains each.",
    )
    _add_options(parser)
    parser.astray = "the options of a command stand behind it"
    return parser


def _add_options(parser: Parser) -> None:
    add_global_options(parser)
    parser.add_argument("-v", "--version", action="store_true", help="print the version")


def command_parser(name: str) -> Parser:
    """Return the parser of one command: its own options, and the global ones that do not clash with them."""
    parser = Parser(prog=f"sectigo {name}", description=_sentence(COMMANDS[name]))
    module_of(name).configure(parser)
    add_global_options(parser)
    return parser


def _sentence(text: str) -> str:
    return f"{text[0].upper()}{text[1:]}."


def full_parser(*, repeat: bool = True) -> Parser:
    """Return the parser of all commands, for what shows them all: completion, manual page, documentation.

    `repeat` adds to each command the global options that it takes too.
    """
    parser = Parser(prog="sectigo", description=DESCRIPTION)
    _add_options(parser)
    commands = parser.add_subparsers(metavar="command", dest="command", parser_class=Parser)
    for name, text in COMMANDS.items():
        others = [alias for alias, meant in ALIASES.items() if meant == name]
        description = _sentence(text)
        each = commands.add_parser(name, prog=f"sectigo {name}", help=text, description=description, aliases=others)
        module_of(name).configure(each)
        if repeat:
            add_global_options(each)
    return parser
