"""The moment of an order: nothing that happens then may leave the user without the batch, or without its name."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sectigo_cli.exits import Interrupted
from sectigo_cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_cli.context import Context
    from sectigo_iot import Batch


@contextlib.contextmanager
def sending(context: Context, name: str) -> Iterator[None]:
    """Say, should the user interrupt it, that the order may have been accepted all the same."""
    try:
        yield
    except (KeyboardInterrupt, Interrupted):
        context.say(f"sectigo: error: interrupted while the order {name!r} was under way: nobody knows its outcome")
        context.say("sectigo: hint: do not repeat it: it may exist and be paid for; look for it with `sectigo find`")
        raise


def print_batch(context: Context, batch: Batch) -> None:
    """Print the order's batch at once; where nobody reads stdout any more, at least say its id."""
    try:
        print_json(context, batch.document)
    except OSError:
        context.note(f"the order was accepted as batch {batch.batch_id}")
        raise
