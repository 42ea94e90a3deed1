"""Orders as they change: a live table on a terminal, a line for each change elsewhere."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sectigo_cli.order_carrying import settled
from sectigo_cli.order_shown import HEADING, cells, counted, lines
from sectigo_cli.output import print_line

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from rich.table import Table

    from sectigo_cli.context import Context
    from sectigo_iot.orders import Order

_FRAME = 4
"""Lines of a terminal that the table's own lines do not have."""


@contextlib.contextmanager
def on_terminal(context: Context) -> Iterator[Callable[[Sequence[Order]], None]]:
    """Show a table that is drawn anew; yields the function to tell the orders to."""
    from rich.console import Console
    from rich.live import Live

    console = Console(file=context.stdout)
    with Live(console=console, auto_refresh=False) as live:
        yield lambda orders: live.update(_table(context, orders, console.size.height - _FRAME), refresh=True)


def _table(context: Context, orders: Sequence[Order], height: int) -> Table:
    """Return as much as fits: first what somebody has to see to, then what is on its way, then what changed last."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, caption=counted(orders), caption_justify="left")
    for name in HEADING:
        table.add_column(name, no_wrap=True, overflow="ellipsis")
    first = sorted(orders, key=lambda order: (order.attention is None, settled(order), -order.changed_at))
    for order in first[: max(height, 1)]:
        # As plain text: what the service says is no markup.
        table.add_row(*(Text(context.completed(cell)) for cell in cells(order)))
    return table


@contextlib.contextmanager
def on_stream(context: Context) -> Iterator[Callable[[Sequence[Order]], None]]:
    """Print a line for each order, and one more whenever it has changed; yields the function to tell them to."""
    seen: dict[str, tuple[str, ...]] = {}

    def tell(orders: Sequence[Order]) -> None:
        new = [order for order in orders if seen.get(order.key) != cells(order)]
        seen.update((order.key, cells(order)) for order in new)
        for line in lines(new, heading=False) if new else ():
            print_line(context, context.completed(line))

    yield tell
