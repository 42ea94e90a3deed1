"""`sectigo find`: look certificates up by name or serial number."""

from __future__ import annotations

import argparse

from sectigo_cli.context import Context
from sectigo_cli.options import Parser, UsageError
from sectigo_cli.output import print_json


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.chief = "-n"
    # The service takes no date to look for.
    parser.astray = "when certificates expire, `sectigo inventory DIR` tells, of those that are installed"
    parser.add_argument("-n", "--common-name", default="", metavar="NAME", help="the certificate's common name")
    parser.add_argument("-s", "--serial-number", default="", metavar="HEX", help="its serial number, in hex")


def run(args: argparse.Namespace, context: Context) -> None:
    """Print what was found; nothing found is no error."""
    if not args.common_name.strip() and not args.serial_number.strip():
        raise UsageError("find: by what?", hint="give --common-name or --serial-number, or both")
    found = context.client.find_certificate(args.common_name, args.serial_number)
    print_json(context, found.document)
    if found.total_count is not None and found.total_count > len(found.items):
        context.note(f"{len(found.items)} of {found.total_count} shown: the service sent no more")
