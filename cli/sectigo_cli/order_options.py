"""The options that `order` and `worker` share: what a worker may do by itself, and what becomes of what is issued."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sectigo_cli.options import MANY, Parser, UsageError, count, filled, parameter, seconds

if TYPE_CHECKING:
    from sectigo_iot.orders import WorkerRules

LONGEST_KEY = 200
KEY_RULE = f"a key has from 1 to {LONGEST_KEY} printable characters, no blank at an end, and no - in front"
FORMATS = ("pem", "p12", "der")
LARGEST_ROOTS = 16 << 20
MOST_THREADS = 64
MOST_PROBED = 1000
"""Batch ids that are looked at above the last known one: each is a request."""


def add_rule_options(parser: Parser) -> None:
    """Add what a worker may do by itself about an order whose outcome is unknown."""
    parser.add_argument(
        "--no-list", action="store_true", help="never ask for the list of batches to find out what became of an order"
    )
    parser.add_argument(
        "--probe", type=_probed, default=0, metavar="N", help="look at so many batch ids above the last known one"
    )
    parser.add_argument(
        "--reorder", action="store_true", help="order anew what is proven not to have arrived, without asking anybody"
    )
    parser.add_argument(
        "--settle",
        type=seconds,
        metavar="SECONDS",
        help="how long after it was sent that may count as proven (default 1800)",
    )


def add_label_option(parser: Parser, purpose: str) -> None:
    """Add the labels of orders; what they are for is said by the command."""
    parser.add_argument("--label", action="append", default=[], type=parameter, metavar="NAME=VALUE", help=purpose)


def add_file_options(parser: Parser) -> None:
    """Add what is said anew to each process that puts files in place."""
    parser.add_argument("--root", type=filled, metavar="FILE", help="trust the root certificates in this file alone")
    parser.add_argument(
        "--deploy-hook", type=filled, metavar="CMD", help="run this whenever files of an order are in place"
    )


def is_key(text: str) -> bool:
    """Whether an order can be called so: a line that answers about it takes what begins with - for an option."""
    return 0 < len(text) <= LONGEST_KEY and text.isprintable() and text == text.strip() and text[0] != "-"


def _probed(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 4 or int(text) > MOST_PROBED:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no whole number from 0 to {MOST_PROBED}")
    return int(text)


def threads(text: str) -> int:
    """Read how many orders may be carried at once."""
    number = count(text)
    if number > MOST_THREADS:
        raise argparse.ArgumentTypeError(f"{number} is no number of threads from 1 to {MOST_THREADS}")
    return number


def rules_of(args: argparse.Namespace, roots: bytes | None) -> WorkerRules:
    """Return what the worker may do by itself."""
    from sectigo_iot.orders import WorkerRules

    more = {} if args.settle is None else {"settle": args.settle}
    return WorkerRules(use_list=not args.no_list, probe=args.probe, reorder=args.reorder, roots=roots, **more)


def roots_of(args: argparse.Namespace) -> bytes | None:
    """Return what stands in the file of --root. Raises UsageError where that cannot be read, or is no PEM."""
    if args.root is None:
        return None
    from cryptography import x509

    from sectigo_iot import read_input

    try:
        roots = read_input(args.root, LARGEST_ROOTS)
        x509.load_pem_x509_certificates(roots)
    except OSError as error:
        raise UsageError(f"{args.root}: {error.strerror}") from None
    except ValueError:
        hint = "--root takes a file of root certificates in PEM"
        raise UsageError(f"{args.root}: it holds no certificate in PEM", hint=hint) from None
    return roots


def check_grants(args: argparse.Namespace) -> None:
    """Raise InvalidInputError for a user of --grant whom this machine does not know, as the delivery would."""
    from sectigo_iot.pki import Installer

    Installer(".", grants=args.grant)


def days(text: str) -> float:
    """Read a number of days, 0 or more."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= MANY:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of days from 0 to {MANY}")
    return value


def before(text: str) -> float:
    """Read a number of days, from 1, or a fraction of a certificate's lifetime, above 0."""
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 < value <= MANY:
        raise argparse.ArgumentTypeError(f"{text[:40]!r} is no number of days, nor a fraction of the lifetime")
    return value
