"""What moves on a terminal while one waits; nothing where there is none."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from sectigo_cli.context import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot import Look


@contextlib.contextmanager
def waiting(context: Context, batch_id: int) -> Iterator[Callable[[Look], None] | None]:
    """Show how a batch stands; yields the function to tell each look to."""
    if not context.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.text import Text

    console = Console(file=context.stderr)
    with console.status(f"batch {batch_id}") as status:

        def show(seen: Look) -> None:
            counts = f"{seen.info.active} in work, {seen.info.success} issued, {seen.info.failed} failed"
            words = context.hidden(seen.status).lower().replace("_", " ")
            # As plain text: what the service says is neither markup nor orders to the terminal.
            status.update(Text(harmless(f"batch {batch_id}: {words} ({counts}, {seen.elapsed:.0f} s)")))

        yield show


@contextlib.contextmanager
def downloading(context: Context, batch_id: int) -> Iterator[Callable[[int, int | None], None] | None]:
    """Show how much of a download has come; yields the function to tell it to."""
    if not context.stderr.isatty():
        yield None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn())
    with Progress(*columns, console=Console(file=context.stderr), transient=True) as progress:
        task = progress.add_task(f"batch {batch_id}", total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


@contextlib.contextmanager
def counting(context: Context, what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of so many are done; yields the function to tell how many are."""
    if not context.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=Console(file=context.stderr), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)


@contextlib.contextmanager
def staging(context: Context, stages: Sequence[str], total: int) -> Iterator[Callable[[Sequence[int]], None]]:
    """Show how many of so many have come to each stage; yields the function to tell how many have."""
    if not context.stderr.isatty():
        yield lambda reached: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    with Progress(*columns, console=Console(file=context.stderr), transient=True) as progress:
        tasks = [progress.add_task(stage, total=total) for stage in stages]

        def show(reached: Sequence[int]) -> None:
            for task, number in zip(tasks, reached, strict=True):
                progress.update(task, completed=number)

        yield show
