"""`sectigo orders retry KEY -o DIR`: where the files of orders are put, said anew before they are tried again."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sectigo_cli.folders import folder_for
from sectigo_cli.options import Parser, UsageError, count, filled
from sectigo_cli.order_options import FORMATS, check_grants
from sectigo_cli.order_placing import FOLDER, FORMAT, GRANT, USUAL, given_labels

if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from sectigo_cli.context import Context
    from sectigo_iot.orders import Order, OrderBook

EXPORTED = ("csv", "json")


def add_moving_options(parser: Parser) -> None:
    """Add what says where files are put, as `order` has it; --format is that of `export`, too."""
    parser.add_argument("-o", "--output", type=filled, metavar="DIR", help="retry: put its files into this folder")
    parser.add_argument(
        "--format",
        choices=(*EXPORTED, *FORMATS),
        help="export: the form, csv (default) or json; retry: of the files",
    )
    parser.add_argument("--keep", type=count, metavar="N", help="retry: versions to keep of each certificate")
    grants = parser.add_mutually_exclusive_group()
    grants.add_argument(
        "--grant",
        action="append",
        type=filled,
        metavar="USER",
        help="retry: let this user read the files, and no other (repeatable)",
    )
    grants.add_argument("--no-grant", action="store_true", help="retry: let nobody else read the files")


def check_format(args: argparse.Namespace) -> None:
    """Raise UsageError for a form that the action does not know."""
    forms = EXPORTED if args.action == "export" else FORMATS
    if args.format and args.format not in forms:
        raise UsageError(f"orders: {args.action} knows no {args.format}", hint=f"--format takes {', '.join(forms)}")


class Move:
    """Where the line has the files of orders put; `asked`: whether it says so at all."""

    def __init__(self, args: argparse.Namespace, book: OrderBook) -> None:
        self._book = book
        self._given = given_labels(args)
        self._private: bool = args.no_grant
        self.asked = bool(self._given) or self._private

    def __call__(self, key: str) -> str:
        """Have an order put there, and return its key. Raises InvalidInputError for one that is over."""
        if self.asked:
            order = self._book.get(key)
            _refuse_over(order)
            self._book.relabel(key, self._labels(order))
        return key

    def _labels(self, order: Order) -> dict[str, str]:
        labels = {**order.wanted.labels, **self._given}
        if self._private:
            labels.pop(GRANT, None)
        return {name: value for name, value in labels.items() if value != USUAL.get(name)}


@contextlib.contextmanager
def moving(args: argparse.Namespace, context: Context, book: OrderBook) -> Iterator[Move]:
    """Yield what has an order put where the line says; the folder is made if it is missing, the users are looked for.

    Raises UsageError for a folder that cannot be written to, InvalidInputError for a user that there is not.
    """
    check_grants(args)
    with folder_for(context, args.output):
        yield Move(args, book)


def _refuse_over(order: Order) -> None:
    from sectigo_iot import InvalidInputError

    if order.state == "cancelled" or (order.state == "delivered" and order.next_at is None):
        raise InvalidInputError(f"the order {order.key!r} is {order.state}: nothing of it is put anywhere any more")


def where(order: Order) -> str:
    """Return in words where the files of an order are put."""
    labels = order.wanted.labels
    grants = f", for {labels[GRANT]} to read" if GRANT in labels else ""
    form = f" as {labels[FORMAT]}" if FORMAT in labels else ""
    what = "the files of its renewal" if order.state == "delivered" else "its files"
    return f"{what} go to {labels.get(FOLDER, 'the folder of the worker')}{form}{grants}"
