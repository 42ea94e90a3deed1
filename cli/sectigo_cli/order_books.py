"""The order book that a command works with: which one it is, opened, and closed again."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.options import Parser, UsageError, filled

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Iterator

    from sectigo_cli.context import Context
    from sectigo_iot.orders import OrderBook

VARIABLE = "SECTIGO_BOOK"
_LINE = re.compile(r"`(sectigo (?:-e \S+ )?(?:orders?|worker)\b(?![^`]* --book )[^`]*)`")
"""A command line about the book, as it stands in what is told."""
PRODUCTION = "https://iot.sectigo.com"
FINISHED = ("delivered", "rejected", "failed", "expired", "cancelled")
"""The library's finished states, written down because help must not load it."""


def add_book_option(parser: Parser) -> None:
    """Add --book."""
    parser.add_argument(
        "--book",
        type=filled,
        metavar="FILE|URL",
        help="the order book (SECTIGO_BOOK; default: a file of its own for each service)",
    )


@contextlib.contextmanager
def opened_book(
    context: Context, args: argparse.Namespace, *, make: bool = True, dry: bool = False
) -> Iterator[OrderBook]:
    """Open the order book for the block. `dry`: where there is none, an empty one that vanishes stands in for it.

    Raises OrderBookError, SectigoError where the extra is missing, and UsageError for a file that is named in the
    line and is not there, unless it may be made.
    """
    name_book(context, args)
    if not make and args.book and _is_missing(args.book):
        raise UsageError(f"there is no order book {_shown(args.book)}", hint="`sectigo order DOMAIN` makes one")
    # Asked for first: with the settings the library's log begins to speak.
    endpoint = context.settings.endpoint
    place = args.book or context.environ.get(VARIABLE) or str(default_book(endpoint))
    new = (dry or bool(args.book)) and _is_missing(place)
    with contextlib.ExitStack() as stack:
        book = stack.enter_context(_vanishing() if dry and new else _book(place))
        if not _is_usual(args, context, place):
            context.completed = _completing(book.url if "://" in place else place)
        if new and not dry:
            context.note(f"made the order book {_shown(place)}")
        yield book


def name_book(context: Context, args: argparse.Namespace) -> None:
    """Have the command lines that are told name a book that this line names, even before it is opened."""
    if args.book and os.environ.get(VARIABLE) != args.book:
        context.completed = _completing(_shown(args.book))


def _shown(place: str) -> str:
    """Return a place as it may be told before the library has taken the password out of it."""
    return "URL" if "://" in place and _file_of(place) is None else place


def _file_of(place: str) -> Path | None:
    """Return the file that a place names, None for one on a server."""
    if "://" not in place:
        return Path(os.path.expanduser(place))  # noqa: PTH111 - where there is no such user it raises nothing
    return Path(place.removeprefix("sqlite:///")) if place.startswith("sqlite:///") else None


def _is_missing(place: str) -> bool:
    """Whether a place is a file that is not there. Raises UsageError where that cannot be told."""
    file = _file_of(place)
    try:
        if file is not None:
            file.lstat()
    except OSError as error:
        if error.errno not in (errno.ENOENT, errno.ENOTDIR):
            raise UsageError(f"the order book {_shown(place)}: {error.strerror}") from None
        return True
    return False


@contextlib.contextmanager
def _vanishing() -> Iterator[OrderBook]:
    import tempfile

    with tempfile.TemporaryDirectory() as folder, _book(os.path.join(folder, "book")) as book:  # noqa: PTH118
        yield book


def _is_usual(args: argparse.Namespace, context: Context, place: str) -> bool:
    """Whether a line without any option would open the same book in this shell."""
    usual, options = os.environ.get(VARIABLE), context.options
    return place == usual if usual else not (args.book or options.endpoint or options.environment or options.env_file)


def _completing(place: str) -> Callable[[str], str]:
    """Return what has the command lines in a text name the book: without, they would answer another one."""
    option = f"--book {shlex.quote(place)}"
    return lambda text: _LINE.sub(lambda line: f"`{line[1]} {option}`", text)


def _book(place: str) -> OrderBook:
    from sectigo_iot import SectigoError

    try:
        from sectigo_iot.orders import OrderBook
    except ImportError as error:
        if (error.name or "").startswith("sectigo"):
            raise
        hint = "pip install 'sectigo-iot[orders]'; for PostgreSQL 'sectigo-iot[postgresql]'"
        raise SectigoError("the order book is not installed", hint=hint) from None
    try:
        return OrderBook(place)
    except ImportError as error:
        # psycopg without libpq says so without a name.
        if error.name not in (None, "psycopg"):
            raise
        hint = "pip install 'sectigo-iot[postgresql]'"
        raise SectigoError("the driver for PostgreSQL is not installed", hint=hint) from None


def default_book(endpoint: str) -> Path:
    """Return the file of this service's orders: what is ordered at one service is never asked of another."""
    from platformdirs import user_data_path

    plain = re.sub(r"[^a-z0-9.]+", "-", endpoint.lower().removeprefix("https://")).strip("-.")
    name = "orders" if endpoint == PRODUCTION else f"orders-{plain[:150]}"
    return user_data_path("sectigo-iot") / f"{name}.sqlite3"


def refuse_foreign(book: OrderBook, endpoint: str) -> None:
    """Raise UsageError where the orders that are on their way are those of another service.

    The first page of them is looked at: a book of another service is meant, not a single order that strayed.
    """
    from sectigo_cli.order_placing import SERVICE
    from sectigo_iot.orders import OrderState

    states = [state for state in OrderState if state not in FINISHED]
    for order in book.find(states=states):
        other = order.wanted.labels.get(SERVICE, endpoint)
        if other != endpoint:
            hint = f"`sectigo -e {other} worker` carries them, or another --book is meant"
            raise UsageError(f"worker: the orders of {book.url} are those of {other}, not of {endpoint}", hint=hint)
