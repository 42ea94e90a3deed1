"""`sectigo order`: place orders in the book, and carry them until their files are in place."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.folders import folder_for
from sectigo_cli.following import DEFAULT_TIMEOUT
from sectigo_cli.options import Parser, count, filled, parameter, positive, seconds
from sectigo_cli.order_books import add_book_option
from sectigo_cli.order_keys import add_key_options
from sectigo_cli.order_options import (
    FORMATS,
    KEY_RULE,
    add_file_options,
    add_label_option,
    add_rule_options,
    before,
    days,
    is_key,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sectigo_cli.order_placing import Secrets
    from sectigo_cli.order_wishes import Wish
    from sectigo_iot.orders import Order, OrderBook, OrderRequest

KINDS = ("RSA-4096", "RSA-3072", "RSA-2048", "P-256", "P-384", "Ed25519")
THREADS = 8
_MOST_SAID = 20
EPILOG = """\
exit code: 5 where nobody knows what became of an order; else 1 where one came to
nothing; else 3 where somebody has to see to one; else 8 where one is still on its
way when --timeout is over; else 0. What is in the book is gone on with by the same
line, or by `sectigo worker`."""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("domain", nargs="*", type=filled, metavar="DOMAIN", help="a common name: an order for each")
    parser.add_argument("--file", type=filled, metavar="FILE", help="an order for each row of this CSV; - is stdin")
    parser.add_argument(
        "--csr", action="append", default=[], type=filled, metavar="FILE", help="for signing requests (repeatable)"
    )
    add_key_options(parser)
    parser.add_argument("--key", type=_key, metavar="KEY", help="what the order is called (default: the common name)")
    _add_contents(parser)
    _add_delivery(parser)
    parser.add_argument("--renew-before", type=before, metavar="DAYS", help="renew it so long before it expires")
    parser.add_argument(
        "--revoke-replaced", type=days, metavar="DAYS", help="revoke what was renewed after so many days"
    )
    add_label_option(parser, "to find it by (repeatable)")
    parser.add_argument("--dry-run", action="store_true", help="do everything but place the orders")
    parser.add_argument("--no-wait", action="store_true", help="place the orders, and leave the rest to a worker")
    parser.add_argument(
        "--timeout",
        type=seconds,
        default=DEFAULT_TIMEOUT,
        metavar="SECONDS",
        help=f"how long to wait at the most (default {DEFAULT_TIMEOUT:g})",
    )
    add_rule_options(parser)
    add_book_option(parser)
    parser.epilog = EPILOG


def _add_contents(parser: Parser) -> None:
    parser.add_argument("-a", "--authority", type=positive, metavar="ID", help="the authority to order from")
    parser.add_argument(
        "--dns", action="append", default=[], type=filled, metavar="NAME", help="one more DNS name (repeatable)"
    )
    parser.add_argument("--organization", metavar="TEXT", help="the subject's organization")
    parser.add_argument("-l", "--locality", metavar="TEXT", help="the subject's city")
    parser.add_argument("-s", "--state", metavar="TEXT", help="the subject's state or province, spelt out")
    parser.add_argument("-c", "--country", metavar="CC", help="the subject's country, two letters")
    parser.add_argument(
        "--param", action="append", default=[], type=parameter, metavar="NAME=VALUE", help="any other parameter"
    )
    parser.add_argument("--own-key", choices=KINDS, metavar="KIND", help=f"make the key here: {', '.join(KINDS)}")
    parser.add_argument(
        "--password-file", type=filled, metavar="FILE", help="of the PKCS#12: the first line; - is stdin"
    )


def _add_delivery(parser: Parser) -> None:
    parser.add_argument("-o", "--output", type=filled, metavar="DIR", help="the folder for the files (default: here)")
    parser.add_argument("--format", choices=FORMATS, help="of the files (default pem)")
    parser.add_argument("--keep", type=count, metavar="N", help="versions to keep of each certificate (default 3)")
    parser.add_argument(
        "--grant", action="append", type=filled, metavar="USER", help="let this user read the files (repeatable)"
    )
    add_file_options(parser)


def _key(text: str) -> str:
    if not is_key(text):
        raise argparse.ArgumentTypeError(KEY_RULE)
    return text


def run(args: argparse.Namespace, context: Context) -> int:
    """Place what is wanted, all of it or nothing, and carry it until it is settled."""
    from sectigo_cli.options import UsageError
    from sectigo_cli.order_books import name_book, opened_book
    from sectigo_cli.order_keys import keys_of
    from sectigo_cli.order_options import check_grants, roots_of
    from sectigo_cli.order_placing import Secrets
    from sectigo_cli.order_wishes import wishes
    from sectigo_cli.pkcs12_passwords import given_password

    name_book(context, args)
    if args.no_wait and args.deploy_hook:
        hint = "give it to the `sectigo worker` that carries the order"
        raise UsageError(
            "order: no command stands in the book, so --deploy-hook does not go with --no-wait", hint=hint
        )
    wanted = wishes(args, context)
    check_grants(args)
    secrets = Secrets(
        given_password(context, None, args.password_file),
        keys_of(args, context, [wish.request for wish in wanted if wish.request is not None]),
    )
    roots = roots_of(args)
    with (
        folder_for(context, args.output, make=not args.dry_run),
        opened_book(context, args, dry=args.dry_run) as book,
    ):
        orders = _placed(args, context, book, wanted, secrets)
        if orders is None:
            return 0
        if not args.no_wait:
            return _carried(args, context, book, orders, roots)
        _print(context, orders)
        _leave(context, orders)
    return 0


def _leave(context: Context, orders: Sequence[Order]) -> None:
    """Say who goes on with the orders that go on, and why the others do not."""
    if any(order.finished or order.withdrawn for order in orders):
        _tell(context.note, [order for order in orders if order.finished or order.withdrawn])
    if number := sum(not order.finished for order in orders):
        context.note("`sectigo worker` carries them" if number > 1 else "`sectigo worker` carries it")


def _placed(
    args: argparse.Namespace, context: Context, book: OrderBook, wanted: Sequence[Wish], secrets: Secrets
) -> tuple[Order, ...] | None:
    """Return the orders as they stand in the book; None where nothing was to be placed."""
    from sectigo_cli.order_checks import check_at_service
    from sectigo_cli.order_conflicts import refuse_other_service
    from sectigo_cli.order_placing import found_before, place, request_of

    before = found_before(book, wanted)
    refuse_other_service(book, before, context.settings.endpoint)
    new = [wish for wish in wanted if wish.key not in before]
    requests = {wish.key: request_of(args, context, wish, before.get(wish.key)) for wish in wanted}
    if new:
        check_at_service(args, context, new, secrets.password)
    if args.dry_run:
        _show(context, before, requests)
        return None
    # What is placed for one service is never carried at another, whoever carries it.
    book.bind(context.settings.endpoint)
    placed = place(args, context, book, wanted, secrets)
    if placed.before:
        several = "1 order was" if placed.before == 1 else f"{placed.before} orders were"
        context.note(f"{several} in the book already, and nothing is ordered twice")
    return placed.orders


def _show(context: Context, before: dict[str, Order], requests: dict[str, OrderRequest]) -> None:
    from sectigo_cli.order_shown import request_document
    from sectigo_cli.output import print_json_list

    print_json_list(
        context,
        (
            {"key": key, "state": str(before[key].state) if key in before else None, **request_document(request)}
            for key, request in requests.items()
        ),
    )
    context.note("nothing was ordered (--dry-run)")


def _carried(
    args: argparse.Namespace, context: Context, book: OrderBook, orders: tuple[Order, ...], roots: bytes | None
) -> int:
    """Carry the orders, print what became of them, and return how they stand."""
    from sectigo_cli.order_carrying import STAGES, Track, carry, verdict
    from sectigo_cli.order_files import Delivery
    from sectigo_cli.order_options import rules_of
    from sectigo_cli.progress import staging
    from sectigo_iot.orders import OrderWorker

    track = Track(book, orders)
    later: list[str] = []
    # A terminal shows the bars meanwhile.
    say = later.append if context.stderr.isatty() else context.note
    if track.open:
        _log_in(context)
        worker = OrderWorker(
            book,
            context.client,
            deliver=Delivery(context, say, hook=args.deploy_hook, roots=roots),
            on_event=track.hear,
            keys=track.keys,
            rules=rules_of(args, roots),
            threads=min(THREADS, len(orders)),
        )
        try:
            with staging(context, STAGES, len(orders)) as show:
                carry(context, track, worker, timeout=args.timeout, show=show)
        except KeyboardInterrupt:
            track.read_all()
            _tell(later.append, [order for order in track.orders if not order.finished])
            raise
        finally:
            for line in later:
                context.note(line)
    _print(context, track.orders)
    _tell(context.note, track.orders)
    return verdict(track.orders, waited=True)


def _log_in(context: Context) -> None:
    """Log in while somebody can still be asked for a password."""
    from sectigo_cli.once import log_in_first

    log_in_first(context)


def _print(context: Context, orders: Sequence[Order]) -> None:
    from sectigo_cli.order_shown import document
    from sectigo_cli.output import print_json_list

    print_json_list(context, map(document, orders))


def _tell(say: Callable[[str], None], orders: Sequence[Order]) -> None:
    """Say how the orders stand, and of each that is not where it should be why that is so."""
    from sectigo_cli.order_shown import counted, trouble

    troubles = [text for text in map(trouble, orders) if text is not None]
    for text in troubles[:_MOST_SAID]:
        say(text)
    if len(troubles) > _MOST_SAID:
        say(f"and {len(troubles) - _MOST_SAID} more: `sectigo orders --attention` lists them")
    say(counted(orders))
