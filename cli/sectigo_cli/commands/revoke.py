"""`sectigo revoke`: revoke a certificate."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.exits import FAILED
from sectigo_cli.once import log_in_first, under_way
from sectigo_cli.options import Parser, UsageError, checked, listed, profile_number
from sectigo_cli.profile_ids import profile_id

if TYPE_CHECKING:
    from sectigo_iot import CRLReason


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.chief = "-s"
    parser.add_argument(
        "-p", "--profile", type=profile_number, dest="profile_id", metavar="ID", help="the profile's id"
    )
    parser.add_argument(
        "-r",
        "--reason",
        type=checked(_reason),
        default="unspecified",
        metavar="REASON",
        help="why: a reason of RFC 5280 by name or code, such as superseded or 4 (default unspecified)",
    )
    parser.add_argument(
        "-s", "--serial-number", type=checked(_serial), required=True, metavar="HEX", help="its serial number, in hex"
    )
    parser.epilog = f"the reasons:\n{_reasons()}"
    parser.add_argument("--yes", action="store_true", help="do not ask; off a terminal nothing is asked anyway")


def _reasons() -> str:
    from sectigo_iot import CRLReason

    return listed(f"{reason.name} ({int(reason)})" for reason in CRLReason)


def _reason(text: str) -> CRLReason:
    from sectigo_iot import revoke_reason_code

    if not text.strip():
        raise UsageError("revoke: the reason is empty", hint="leave -r out to give none, which is unspecified")
    return revoke_reason_code(text)


def _serial(text: str) -> str:
    from sectigo_iot.pki import normalise_serial

    return normalise_serial(text)


def run(args: argparse.Namespace, context: Context) -> int:
    """Show what is about to be revoked, ask, revoke, confirm."""
    profile = profile_id(context, args.profile_id)
    if context.interactive and not args.yes:
        _show(context, args.serial_number)
        if not context.confirm(f"Revoke {args.serial_number} for {args.reason.name}? This cannot be undone."):
            context.note("nothing was revoked")
            return FAILED
    log_in_first(context)
    doubt = f"interrupted: nobody knows whether {args.serial_number} was revoked"
    with under_way(context, doubt, f"`sectigo find -s {args.serial_number}` tells"):
        _revoke(context, profile, args)
    context.note(f"revoked {args.serial_number} ({args.reason.name})")
    return 0


def _revoke(context: Context, profile: int, args: argparse.Namespace) -> None:
    from sectigo_iot import NotFoundError, OutcomeUnknownError

    find = f"`sectigo find -s {args.serial_number}` tells"
    try:
        context.client.revoke_certificate(profile, args.reason, args.serial_number)
    except NotFoundError as error:
        error.hint = f"nothing was revoked; {find} what the service knows of it"
        raise
    except OutcomeUnknownError as error:
        error.hint = f"do not repeat it before you know; {find} whether it is revoked"
        raise


def _show(context: Context, serial: str) -> None:
    """Say which certificate it is; a look-up that fails keeps nobody from revoking."""
    from sectigo_iot import SectigoError

    try:
        found = context.client.find_certificate(serial_number=serial)
    except SectigoError as error:
        context.note(f"the certificate cannot be looked up: {error}")
        return
    for item in found.items:
        context.note(f"{item.common_name}, serial number {item.serial_number}, {item.status}")
    if not found.items:
        context.note(f"the service finds no certificate with the serial number {serial}")
