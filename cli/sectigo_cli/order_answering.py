"""What a human says of orders: `sectigo orders retry`, `cancel`, `resolve`, `renew`; and looking after the book."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_cli.exits import DONE, FAILED
from sectigo_cli.folders import check_writable
from sectigo_cli.options import UsageError
from sectigo_cli.order_carrying import FRUITLESS
from sectigo_cli.order_moving import moving, where
from sectigo_cli.order_placing import SERVICE
from sectigo_cli.order_shown import is_given_up
from sectigo_cli.request_keys import content

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from sectigo_cli.context import Context
    from sectigo_iot.orders import Order, OrderBook

DAY = 86_400.0
LARGEST = 1 << 20
"""Bytes of a signing request."""


def retry(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Have orders tried again now."""
    costly = [key for key in dict.fromkeys(args.keys) if args.order_anew and _may_be_ordered_anew(book, key)]
    if costly and not _confirmed(args, context, f"Order {_listed(costly)} again? Each takes a licence."):
        return FAILED
    with moving(args, context, book) as moved:
        words = where if moved.asked else _reason
        return _each(args, context, lambda key: book.retry(moved(key), order_anew=args.order_anew), words)


def _may_be_ordered_anew(book: OrderBook, key: str) -> bool:
    """Whether it is worth while to ask: of any other order the book says why not."""
    from sectigo_iot import OrderNotFoundError

    try:
        order = book.get(key)
    except OrderNotFoundError:
        return False
    return order.state in FRUITLESS and not is_given_up(order)


def cancel(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Withdraw orders."""
    reason = args.reason or "withdrawn with `sectigo orders cancel`"
    return _each(args, context, lambda key: book.cancel(key, reason), _withdrawn)


def _withdrawn(order: Order) -> str:
    if order.state == "cancelled":
        return order.reason
    return "withdrawn: it is followed to its end, and what is issued for it is revoked"


def renew(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Plan the renewal of orders."""
    csr = None if args.csr is None else content(args.csr, LARGEST)
    private_key = None if csr is None else _key_of(args, context, csr)
    return _each(args, context, lambda key: book.renew(key, csr=csr, private_key=private_key))


def _key_of(args: argparse.Namespace, context: Context, csr: bytes) -> bytes | None:
    """Return the private key of a signing request, if the line names it."""
    from sectigo_cli.order_keys import keys_of
    from sectigo_iot.pki import read_requests

    if not args.key_file:
        return None
    (key,) = keys_of(args, context, read_requests(csr, args.csr)[:1]).values()
    return key


def resolve(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Write down what became of an order."""
    (key,) = args.keys
    order = book.get(key)
    if args.batch and order.state in ("unknown", "failed") and not _is_of(args, context, order):
        return FAILED
    if args.absent and order.state in ("ordering", "unknown", "failed"):
        if order.attention is not None:
            context.note(f"{key}: {order.attention}")
        question = f"Order {key} again? If {order.batch_name!r} did arrive, it is paid for twice."
        if not _confirmed(args, context, question):
            return FAILED
    return _each(
        args,
        context,
        lambda key: book.resolve(
            key, batch_id=args.batch, absent=args.absent, give_up=args.give_up, reason=args.reason or ""
        ),
    )


def _is_of(args: argparse.Namespace, context: Context, order: Order) -> bool:
    """Whether the batch is that of the order: a slip would have it look at another's for ever.

    Raises InvalidInputError where the service has no such batch. Where it cannot be asked, that is said.
    """
    from sectigo_iot import InvalidInputError, NotFoundError, SectigoError

    try:
        if order.wanted.labels.get(SERVICE, context.settings.endpoint) != context.settings.endpoint:
            raise SectigoError("the order is one of another service")
        name = context.client.batch_detail(args.batch).batch_name
    except NotFoundError:
        hint = f"look for the batch {order.batch_name}" if order.batch_name else None
        raise InvalidInputError(f"the service has no batch {args.batch}", hint=hint) from None
    except SectigoError as error:
        context.note(f"whether there is a batch {args.batch} is not checked: {error}")
        return True
    # What the service calls a batch of signing requests is not known.
    if order.wanted.csr is not None or not name or name == order.batch_name:
        return True
    return _confirmed(
        args, context, f"Batch {args.batch} is called {name!r}, and not {order.batch_name!r}. Is it the right one?"
    )


def _confirmed(args: argparse.Namespace, context: Context, question: str) -> bool:
    if args.yes:
        return True
    if not context.interactive:
        raise UsageError(f"orders: nobody is there to be asked: {question}", hint="--yes says so")
    if context.confirm(question):
        return True
    context.note("nothing was changed")
    return False


def _reason(order: Order) -> str:
    return order.reason


def _each(
    args: argparse.Namespace,
    context: Context,
    act: Callable[[str], Order],
    words: Callable[[Order], str] = _reason,
) -> int:
    """Do it with each order, and say how that is now; one that it cannot be done with keeps no other from it."""
    from sectigo_iot import InvalidInputError

    refused: list[InvalidInputError] = []
    for key in dict.fromkeys(args.keys):
        try:
            order = act(key)
        except InvalidInputError as error:
            refused.append(error)
            continue
        context.note(f"{order.key}: {order.state}: {words(order)}")
    if len(refused) == 1:
        raise refused[0]
    if refused:
        faults = tuple(error.message for error in refused)
        raise InvalidInputError(f"{len(refused)} orders stay as they are:", faults=faults, hint=refused[0].hint)
    return DONE


def backup(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Copy the book to a new file."""
    (path,) = args.keys
    check_writable(Path(path).parent)
    context.note(f"the book stands in {book.backup(path)}; the secrets of its orders are not in it")
    return DONE


def archive(args: argparse.Namespace, context: Context, book: OrderBook) -> int:
    """Put away what is finished."""
    number = book.archive(time.time() - args.older_than * DAY)
    context.note(f"{'1 order was' if number == 1 else f'{number} orders were'} put away")
    return DONE


def _listed(keys: list[str]) -> str:
    return keys[0] if len(keys) == 1 else f"{len(keys)} orders"


ACTIONS: dict[str, Callable[[argparse.Namespace, Context, OrderBook], int]] = {
    "retry": retry,
    "cancel": cancel,
    "resolve": resolve,
    "renew": renew,
    "backup": backup,
    "archive": archive,
}
