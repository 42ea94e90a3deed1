"""`sectigo profiles`: the profiles, one profile, or the parameters that an order of it takes."""

from __future__ import annotations

import argparse
import json

from sectigo_cli.context import Context
from sectigo_cli.options import Parser, UsageError, positive
from sectigo_cli.output import print_json, print_line

INSTEAD = "`sectigo authorities` lists the names and ids of the profiles that may be ordered from"
INSTEAD_OF_PARAMS = "`sectigo create` orders all the same, without checking the parameters"


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.chief = "-i"
    parser.add_argument("-i", "--id", type=positive, metavar="ID", help="this profile, in detail")
    what = parser.add_mutually_exclusive_group()
    what.add_argument("-p", "--params", action="store_true", help="the parameters that an order takes; needs --id")
    what.add_argument("--config", action="store_true", help="the configuration inside the detail; needs --id")


def run(args: argparse.Namespace, context: Context) -> None:
    """Print the list, the detail, the parameters or the configuration."""
    from sectigo_iot import NotImplementedByServiceError

    try:
        _print(args, context)
    except NotImplementedByServiceError as error:
        error.hint = INSTEAD_OF_PARAMS if args.params else INSTEAD
        raise


def _print(args: argparse.Namespace, context: Context) -> None:
    if args.id is None:
        if args.params or args.config:
            raise UsageError("profiles: --params and --config are about one profile", hint="name it with --id ID")
        print_json(context, [profile.document for profile in context.client.profiles()])
    elif args.params:
        print_json(context, [rule.document for rule in context.client.profile_params(args.id)])
    elif args.config:
        _print_config(context, args.id)
    else:
        print_json(context, context.client.profile_detail(args.id).document)


def _print_config(context: Context, profile_id: int) -> None:
    from sectigo_iot import InvalidReplyError

    text = context.client.profile_detail(profile_id).raw_profile_config
    if not text:
        raise InvalidReplyError(f"the service sent no configuration of profile {profile_id}")
    try:
        print_json(context, json.loads(text))
    except (ValueError, RecursionError):
        print_line(context, text)
