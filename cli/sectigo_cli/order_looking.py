"""Looking into the book: `sectigo orders list`, `show`, `watch` and `export`."""

from __future__ import annotations

import csv
import io
import time
from typing import TYPE_CHECKING, Any

from sectigo_cli.exits import DONE
from sectigo_cli.order_carrying import settled, verdict
from sectigo_cli.order_shown import document, event_document, lines
from sectigo_cli.output import print_json, print_json_list, print_line

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator, Mapping

    from sectigo_cli.context import Context
    from sectigo_iot.orders import Order, OrderBook

PAGE = 500
EVERY = 1.0
"""Seconds from one look of `watch` to the next."""
_COLUMNS = (
    *("key", "state", "reason", "attention", "names", "createdAt", "changedAt", "batchId", "batchName", "sentAt"),
    *("authorityId", "profileId", "serialNumber", "notBefore", "notAfter", "renews", "renewedBy", "revokedAt"),
)


def found(args: argparse.Namespace, book: OrderBook) -> Iterator[list[Order]]:
    """Yield the orders that the line asks for, a page at a time."""
    if args.keys:
        yield [book.get(key) for key in dict.fromkeys(args.keys)]
        return
    after, left = None, args.limit
    while left is None or left > 0:
        page = list(book.find(**_filters(args), after=after, limit=PAGE if left is None else min(PAGE, left)))
        if not page:
            return
        yield page
        after, left = page[-1].key, None if left is None else left - len(page)


def _filters(args: argparse.Namespace) -> dict[str, Any]:
    from sectigo_iot.orders import OrderState

    return {
        "states": [OrderState(name) for name in args.state] or None,
        "attention": args.attention,
        "text": args.match or "",
        "labels": dict(args.label) or None,
        "archived": args.archived,
    }


def list_orders(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Print the orders, as a table or as JSON."""
    code = _Worst()
    if args.json:
        print_json_list(context, (document(code.of(order)) for page in found(args, book) for order in page))
        return code.worst
    first = True
    for page in found(args, book):
        for line in lines([code.of(order) for order in page], heading=first):
            print_line(context, context.completed(line))
        first = False
    if first:
        chosen = any(_filters(args).values())
        context.note(f"no such order is in {book.url}" if chosen else f"no orders in {book.url}")
    return code.worst


class _Worst:
    """The worst exit code of the orders that pass by."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, bool], Order] = {}

    def of(self, order: Order) -> Order:
        """Take an order into account, and return it."""
        self._seen.setdefault((order.state, order.attention is not None), order)
        return order

    @property
    def worst(self) -> int:
        return verdict(self._seen.values())


def show(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Print all that there is of an order, but no secret; that goes to a file that was asked for."""
    from sectigo_cli.pkcs12_passwords import check_password_out

    check_password_out(args.password_out)
    (key,) = args.keys
    order = book.get(key)
    if args.password_out is not None:
        _write_password(args, context, book, order)
    print_json(context, {**document(order), "history": [event_document(event) for event in book.history(key)]})
    if order.attention is not None and context.completed(order.attention) != order.attention:
        # The document says it as the book has it.
        context.note(f"{key}: {order.attention}")
    return verdict([order])


def _write_password(args: argparse.Namespace, context: Context, book: OrderBook, order: Order) -> None:
    from sectigo_iot import SectigoError, write_private

    password = book.password(order.key)
    if password is None:
        what = "its key was made elsewhere" if order.wanted.csr is not None else "none was made yet"
        raise SectigoError(f"the book has no password of {order.key}: {what}")
    write_private(args.password_out, f"{password}\n".encode())
    context.note(f"the password of {order.key} stands in {args.password_out}")


def export(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Print the orders for another program."""
    orders = (order for page in found(args, book) for order in page)
    if args.format == "json":
        print_json_list(context, map(document, orders))
        return DONE
    print_line(context, _row(dict(zip(_COLUMNS, _COLUMNS, strict=True))))
    for order in orders:
        print_line(context, _row(_flat(document(order))))
    return DONE


def _flat(order: dict[str, Any]) -> dict[str, Any]:
    return {**order, **(order["certificate"] or {}), "names": " ".join(order["names"])}


def _row(values: Mapping[str, Any]) -> str:
    """Return a line of CSV (RFC 4180) without its end."""
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow([_inert(values.get(column)) for column in _COLUMNS])
    return line.getvalue()


def _inert(value: object) -> object:
    """Return a cell that no spreadsheet takes for a formula, and that makes no line of its own."""
    if not isinstance(value, str):
        return value
    text = value.replace("\n", " ")
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def watch(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Show orders until none of them is on its way any more; return how they stand."""
    end = None if args.timeout is None else time.monotonic() + args.timeout
    with _watching(context) as tell:
        while True:
            orders = [order for page in found(args, book) for order in page]
            tell(orders)
            over = end is not None and time.monotonic() >= end
            if over or all(map(settled, orders)):
                return verdict(orders, waited=over)
            time.sleep(EVERY)


def _watching(context: Context) -> Any:
    from sectigo_cli.order_watching import on_stream, on_terminal

    return on_terminal(context) if context.stdout.isatty() else on_stream(context)


ACTIONS: dict[str, Callable[[argparse.Namespace, Context, OrderBook], int]] = {
    "list": list_orders,
    "show": show,
    "watch": watch,
    "export": export,
}
