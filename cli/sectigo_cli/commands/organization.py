"""`sectigo organization`: the organization of the user who is logged in."""

from __future__ import annotations

import argparse

from sectigo_cli.context import Context
from sectigo_cli.options import Parser
from sectigo_cli.output import print_json


def configure(parser: Parser) -> None:
    """Add nothing: the command has no options of its own."""


def run(args: argparse.Namespace, context: Context) -> None:
    """Print the organization."""
    print_json(context, context.client.organization().document)
