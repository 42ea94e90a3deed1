"""`sectigo help`: explain a command, or list them all."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sectigo_cli.context import Context
    from sectigo_cli.options import Parser


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("topic", nargs="?", metavar="COMMAND", help="the command; without it all are listed")


def run(args: argparse.Namespace, context: Context) -> None:
    """Print what `sectigo COMMAND --help` prints, or `sectigo --help`."""
    from sectigo_cli.grammar import command_named, command_parser, global_parser

    parser = global_parser() if args.topic is None else command_parser(command_named(args.topic))
    parser.print_help(context.stdout)
