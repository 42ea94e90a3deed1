"""The moment of an order: nothing that happens then may leave the user without the batch, or without its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_cli.exits import OrderStandsError
from sectigo_cli.once import log_in_first, say_doubt
from sectigo_cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_cli.context import Context
    from sectigo_iot import Batch


def order(context: Context, name: str, send: Callable[[], Batch]) -> Batch:
    """Send an order once and print its batch at once; where that fails, say its id, or that nobody knows of it."""
    log_in_first(context)
    context.endings.check()
    try:
        batch = send()
    except BaseException as error:
        _doubt(context, error, name)
        raise
    _tell(context, batch)
    return batch


def _tell(context: Context, batch: Batch) -> None:
    try:
        print_json(context, batch.document)
    except BaseException as error:
        context.note(f"the order was accepted as batch {batch.batch_id}")
        if isinstance(error, OSError) and not isinstance(error, BrokenPipeError):
            raise OrderStandsError(error, f"`sectigo batches -i {batch.batch_id}` prints it") from error
        raise


def _doubt(context: Context, error: BaseException, name: str) -> None:
    say_doubt(
        context,
        error,
        f"interrupted while the order {name!r} was under way: nobody knows its outcome",
        "do not repeat it: it may exist and be paid for; look for it with `sectigo find`",
    )
