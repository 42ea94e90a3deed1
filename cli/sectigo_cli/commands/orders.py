"""`sectigo orders`: look into the book, and say what an order is to do next."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.options import Parser, UsageError, count, filled, positive, seconds
from sectigo_cli.order_books import add_book_option
from sectigo_cli.order_keys import add_key_options, check_key_options
from sectigo_cli.order_moving import add_moving_options, check_format
from sectigo_cli.order_options import add_label_option, days

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.orders import OrderBook

ACTIONS = {
    "list": "list orders; so does no action",
    "show": "print all that the book has of an order, and its history",
    "watch": "show orders, live, until none is on its way any more",
    "retry": "have orders tried again, now; with -o or --grant elsewhere",
    "cancel": "withdraw orders; what is issued for them all the same is revoked",
    "resolve": "say what became of an order whose outcome is unknown",
    "renew": "plan the renewal of what was issued, now",
    "export": "print orders as CSV or JSON",
    "backup": "copy the book to a new file, whatever is at work in it",
    "archive": "put away what has been finished for long",
}
STATES = (
    *("planned", "ordering", "unknown", "placed", "issuing", "ready", "fetched"),
    *("delivered", "rejected", "failed", "expired", "cancelled"),
)
"""The library's states, written down because help must not load it."""
_TAKES = {
    "state": ("list", "watch", "export"),
    "label": ("list", "watch", "export"),
    "match": ("list", "watch", "export"),
    "attention": ("list", "watch", "export"),
    "archived": ("list", "export"),
    "limit": ("list", "export"),
    "json": ("list",),
    "timeout": ("watch",),
    "password_out": ("show",),
    "csr": ("renew",),
    "key_file": ("renew",),
    "key_password_file": ("renew",),
    "order_anew": ("retry",),
    "reason": ("cancel", "resolve"),
    "batch": ("resolve",),
    "absent": ("resolve",),
    "give_up": ("resolve",),
    "yes": ("retry", "resolve"),
    "format": ("export", "retry"),
    "output": ("retry",),
    "keep": ("retry",),
    "grant": ("retry",),
    "no_grant": ("retry",),
    "older_than": ("archive",),
}
"""The actions that each option is about."""
_KEYS = {"show": 1, "resolve": 1, "backup": 1, "archive": 0, "export": 0}
"""How many words stand behind an action, where that is certain."""
_SOME = ("retry", "cancel", "renew")
EPILOG = f"""\
actions:
{chr(10).join(f"  {name:<9}{text}" for name, text in ACTIONS.items())}

exit code of list, show and watch: 5 where nobody knows what became of an order that
is shown; else 1 where one came to nothing; else 3 where somebody has to see to one;
else 8 where --timeout of watch is over; else 0."""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument(
        "action", nargs="?", default="list", type=_word, choices=tuple(ACTIONS), help="what to do (default list)"
    )
    parser.add_argument("keys", nargs="*", type=filled, metavar="KEY", help="the orders that it is about")
    _add_filters(parser)
    parser.add_argument("--json", action="store_true", help="list: print JSON")
    parser.add_argument("--timeout", type=seconds, metavar="SECONDS", help="watch: how long at the most")
    parser.add_argument(
        "--password-out", type=filled, metavar="FILE", help="show: write the PKCS#12's password to this new file"
    )
    parser.add_argument(
        "--csr", type=filled, metavar="FILE", help="renew: a new signing request, for an order with one"
    )
    add_key_options(parser, about="renew: ")
    parser.add_argument("--order-anew", action="store_true", help="retry: order it again, for another licence")
    parser.add_argument("--reason", type=filled, metavar="TEXT", help="cancel, resolve: why, for the history")
    answer = parser.add_mutually_exclusive_group()
    answer.add_argument("--batch", type=positive, metavar="ID", help="resolve: it was accepted, as this batch")
    answer.add_argument(
        "--absent", action="store_true", help="resolve: it never arrived; it is ordered again, for another licence"
    )
    answer.add_argument("--give-up", action="store_true", help="resolve: nobody will ever know; it has failed")
    parser.add_argument("--yes", action="store_true", help="do not ask before what may cost a licence")
    add_moving_options(parser)
    parser.add_argument("--older-than", type=days, metavar="DAYS", help="archive: what has not changed for so long")
    add_book_option(parser)
    parser.epilog = EPILOG


def _word(text: str) -> str:
    if text not in ACTIONS:
        words = ", ".join(ACTIONS)
        raise argparse.ArgumentTypeError(
            f"invalid choice: {text[:40]!r} (choose from {words}; a KEY stands behind it)"
        )
    return text


def _add_filters(parser: Parser) -> None:
    parser.add_argument(
        "--state",
        action="append",
        default=[],
        choices=STATES,
        metavar="STATE",
        help="only in this state (repeatable)",
    )
    parser.add_argument("--attention", action="store_true", help="only what a human has to see to")
    parser.add_argument("--match", type=filled, metavar="TEXT", help="only with this text in a key or a name")
    add_label_option(parser, "only with this label (repeatable)")
    parser.add_argument("--archived", action="store_true", help="list, export: what was put away")
    parser.add_argument("--limit", type=count, metavar="N", help="list, export: so many at the most (default: all)")


def run(args: argparse.Namespace, context: Context) -> int:
    """Do what is asked for; what is wrong with the line is said before the book is opened."""
    from sectigo_cli.order_books import name_book, opened_book

    name_book(context, args)
    _check(args)
    with opened_book(context, args, make=False) as book:
        return _action(args.action)(args, context, book)


def _action(name: str) -> Callable[[argparse.Namespace, Context, OrderBook], int]:
    if name in ("list", "show", "watch", "export"):
        from sectigo_cli.order_looking import ACTIONS as LOOKING

        return LOOKING[name]
    from sectigo_cli.order_answering import ACTIONS as ANSWERING

    return ANSWERING[name]


def _check(args: argparse.Namespace) -> None:
    action = args.action
    for name, actions in _TAKES.items():
        if getattr(args, name) and action not in actions:
            flag = f"--{name.replace('_', '-')}"
            raise UsageError(f"orders: {flag} is about {' and '.join(actions)}, not about {action}")
    check_format(args)
    _check_keys(args, action, args.keys)
    if action == "resolve" and not (args.batch or args.absent or args.give_up):
        hint = "say --batch ID, --absent or --give-up; `sectigo orders show KEY` prints what is known"
        raise UsageError("orders: what became of it?", hint=hint)
    if action == "archive" and args.older_than is None:
        raise UsageError("orders: how long is long?", hint="say --older-than DAYS")


def _check_keys(args: argparse.Namespace, action: str, keys: list[str]) -> None:
    wanted = _KEYS.get(action)
    what = "FILE" if action == "backup" else "KEY"
    if wanted is not None and len(keys) != wanted:
        raise UsageError(f"orders: {action} takes {f'one {what}' if wanted else f'no {what}'}")
    if action == "backup" and keys == ["-"]:
        raise UsageError("orders: a backup is a file, and not standard output", hint="name a new FILE")
    check_key_options("orders", args)
    if args.csr and len(keys) > 1:
        raise UsageError("orders: --csr is one signing request, for one KEY")
    if action in _SOME and not keys:
        raise UsageError(f"orders: which order is {action} about?", hint="`sectigo orders` lists their keys")
