"""`sectigo authorities`: what may be ordered from."""

from __future__ import annotations

import argparse

from sectigo_cli.context import Context
from sectigo_cli.options import Parser
from sectigo_cli.output import print_json


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument(
        "-b", "--balances", action="store_true", help="ask each authority's balance, and add it as availableBalance"
    )


def run(args: argparse.Namespace, context: Context) -> None:
    """Print the list of authorities."""
    authorities = context.client.user_authorities()
    documents = [authority.document for authority in authorities]
    if args.balances:
        for authority, document in zip(authorities, documents, strict=True):
            document["availableBalance"] = context.client.authority_available_balance(authority.id)
    print_json(context, documents)
