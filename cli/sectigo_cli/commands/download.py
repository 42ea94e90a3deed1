"""`sectigo download`: fetch what was issued for an order."""

from __future__ import annotations

import argparse
from pathlib import Path

from sectigo_cli.context import Context
from sectigo_cli.exits import DONE
from sectigo_cli.extracting import add_extract_options, deployed, extraction, kept
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
    add_extract_options(parser)


def run(args: argparse.Namespace, context: Context) -> int:
    """Fetch the ZIP, and say where it is and how to open it; or open it, and say what is in place."""
    wanted = extraction(context, args, args.outdir)
    with folder_for(context, args.outdir) as folder:
        assert folder is not None
        if args.wait:
            with left_off(context, args.id, folder if folder != Path() else None):
                wait(context, args.id, args.timeout)
        path = fetch(context, args.id, folder, replace=args.force)
    if wanted is not None:
        context.say(f"downloaded batch {args.id} to {path}")
        with kept(context, wanted, path):
            done = wanted.unpack(context, path)
        return deployed(context, wanted, done)
    for line in told(path, args.id):
        print_line(context, line)
    return DONE
