"""`sectigo licenses`: how many certificates were ordered and issued."""

from __future__ import annotations

import argparse

from sectigo_cli.context import Context
from sectigo_cli.options import Parser
from sectigo_cli.output import print_json


def configure(parser: Parser) -> None:
    """Add nothing: the command has no options of its own."""


def run(args: argparse.Namespace, context: Context) -> None:
    """Print the counts."""
    print_json(context, context.client.licenses_used().document)
