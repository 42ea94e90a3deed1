"""`sectigo unpack`: from a ZIP or a PKCS#12 to verified files in place. Asks the network nothing."""

from __future__ import annotations

import argparse
import io
from pathlib import Path
from typing import IO

from sectigo_cli.context import Context
from sectigo_cli.extracting import LARGEST, Extraction, add_unpack_options, deployed
from sectigo_cli.folders import folder_for
from sectigo_cli.options import Parser, UsageError, filled


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("file", type=filled, metavar="FILE", help="the ZIP, a PKCS#12, or certificates")
    parser.add_argument(
        "-o", "--outdir", type=filled, default=".", metavar="DIR", help="the folder to write to (default: here)"
    )
    add_unpack_options(parser)


def run(args: argparse.Namespace, context: Context) -> int:
    """Unpack, print what is in place, and return whether something needs attention."""
    extraction = Extraction(context, args, args.outdir)
    file = _opened(args.file)
    # Work in other processes is waited for.
    context.endings.be_prompt()
    with folder_for(context, args.outdir):
        return deployed(context, extraction, extraction.unpack(context, file))


def _opened(path: str) -> IO[bytes] | Path:
    """Return a file as it is, which is read piece by piece, and what comes through a pipe as a whole."""
    from sectigo_iot import read_input

    if Path(path).is_file():
        return Path(path)
    try:
        return io.BytesIO(read_input(path, LARGEST))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from None
