"""`sectigo download`: fetch what was issued for an order."""

from __future__ import annotations

import argparse
from pathlib import Path

from sectigo_cli.context import Context
from sectigo_cli.folders import folder_for
from sectigo_cli.following import add_wait_options, fetch, left_off, told, wait
from sectigo_cli.options import Parser, filled, positive
from sectigo_cli.output import print_line


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.chief = "-i"
    parser.add_argument("-i", "--id", type=positive, required=True, metavar="ID", help="the batch to fetch")
    parser.add_argument(
        "-o", "--outdir", type=filled, default=".", metavar="DIR", help="the folder to write to (default: here)"
    )
    add_wait_options(parser, then=", then fetch it")
    parser.add_argument("--force", action="store_true", help="replace a file that stands there already")


def run(args: argparse.Namespace, context: Context) -> None:
    """Fetch the ZIP, and say where it is and how to open it."""
    with folder_for(context, args.outdir) as folder:
        assert folder is not None
        if args.wait:
            with left_off(context, args.id, folder if folder != Path() else None):
                wait(context, args.id, args.timeout)
        path = fetch(context, args.id, folder, replace=args.force)
    for line in told(path, args.id):
        print_line(context, line)
