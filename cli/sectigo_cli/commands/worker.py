"""`sectigo worker`: carry the orders of a book, until it is told to end."""

from __future__ import annotations

import argparse
import os
import threading
import time
from typing import TYPE_CHECKING

from sectigo_cli.context import Context
from sectigo_cli.exits import ATTENTION, DONE, FAILED, OUTCOME_UNKNOWN
from sectigo_cli.options import Parser, filled
from sectigo_cli.order_books import add_book_option
from sectigo_cli.order_options import add_file_options, add_rule_options, days, threads

if TYPE_CHECKING:
    from sectigo_iot.orders import OrderBook, OrderEvent, OrderWorker

THREADS = 8
EPILOG = """\
It ends at SIGTERM or Ctrl-C when the requests under way are over, and dies of the signal.
exit code with --once: 5 where nobody knows what became of an order; else 1 where one
came to nothing meanwhile; else 3 where somebody has to see to one; else 0."""


def configure(parser: Parser) -> None:
    """Add the command's own options."""
    parser.add_argument("--once", action="store_true", help="end when no order is on its way any more")
    parser.add_argument(
        "--threads", type=threads, default=THREADS, metavar="N", help=f"orders at once (default {THREADS})"
    )
    parser.add_argument(
        "-o", "--output", type=filled, metavar="DIR", help="the folder for the files of orders that name none"
    )
    add_file_options(parser)
    parser.add_argument("--archive-after", type=days, metavar="DAYS", help="put finished orders away after so long")
    add_rule_options(parser)
    add_book_option(parser)
    parser.epilog = EPILOG


def run(args: argparse.Namespace, context: Context) -> int:
    """Carry orders until a signal comes, or until nothing is on its way."""
    from sectigo_cli.folders import folder_for
    from sectigo_cli.once import log_in_first
    from sectigo_cli.order_books import opened_book, refuse_foreign
    from sectigo_cli.order_options import roots_of

    roots = roots_of(args)
    with folder_for(context, args.output), opened_book(context, args) as book:
        refuse_foreign(book, context.settings.endpoint)
        log_in_first(context)
        heard = _Heard(context)
        worker = _worker(args, context, book, heard, roots)
        context.note(f"carrying the orders of {book.url}")
        _work(context, worker, once=args.once)
        return heard.verdict(book)


def _worker(
    args: argparse.Namespace, context: Context, book: OrderBook, heard: _Heard, roots: bytes | None
) -> OrderWorker:
    from sectigo_cli.order_files import Delivery
    from sectigo_cli.order_options import rules_of
    from sectigo_iot.orders import OrderWorker

    folder = None if args.output is None else os.path.abspath(args.output)  # noqa: PTH100 - no link is followed
    return OrderWorker(
        book,
        context.client,
        deliver=Delivery(context, context.note, folder=folder, hook=args.deploy_hook, roots=roots),
        on_event=heard,
        rules=rules_of(args, roots),
        threads=args.threads,
        archive_after=None if args.archive_after is None else args.archive_after * 86_400,
    )


def _work(context: Context, worker: OrderWorker, *, once: bool) -> None:
    from sectigo_cli.order_carrying import PAUSE, running

    with running(context, worker, until_idle=once) as run:
        while run.alive:
            time.sleep(PAUSE)


class _Heard:
    """Says what happens to orders, and keeps in mind what came to nothing."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._guard = threading.Lock()
        self._fruitless = 0

    def __call__(self, event: OrderEvent) -> None:
        """Say in a line what happened."""
        from sectigo_cli.order_carrying import FRUITLESS

        if event.kind == "state" and event.new in FRUITLESS:
            with self._guard:
                self._fruitless += 1
        what = f"{event.old or 'new'} to {event.new}" if event.kind == "state" else event.kind
        batch = "" if event.batch_id is None else f" (batch {event.batch_id})"
        self._context.note(f"{event.key}: {what}{batch}: {event.reason}")

    def verdict(self, book: OrderBook) -> int:
        """Return the exit code."""
        from sectigo_iot.orders import OrderState

        if book.counts().get(OrderState.UNKNOWN):
            return OUTCOME_UNKNOWN
        if self._fruitless:
            return FAILED
        return ATTENTION if book.attention_count() else DONE
