"""Work spread over processes: threads would not help, because `cryptography` holds the interpreter's lock."""

from __future__ import annotations

import contextlib
import errno
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from concurrent.futures import Future, ProcessPoolExecutor

_Piece = TypeVar("_Piece")
_Result = TypeVar("_Result")

_AHEAD = 2
"""Pieces that wait for each process: enough that none is idle, few enough that memory stays small."""


def processors() -> int:
    """How many processes can run at once here, within what the operating system allows this one."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def spread(
    function: Callable[[_Piece], _Result], pieces: Iterable[_Piece], *, processes: int = 1
) -> Generator[_Result]:
    """Yield what a function of a module makes of each piece, in order; `processes` of them work at once.

    With one, everything is done in this process. Else each starts the interpreter anew, so that threads of the caller
    do no harm; a program that calls this needs the usual `if __name__ == "__main__":`. Raises what the function
    raises, at its place in the order; then, and whenever the caller stops early, the work that waits is dropped.
    Raises ChildProcessError where a process was killed, as the system does when memory is short.
    """
    if processes <= 1:
        yield from map(function, pieces)
        return
    import multiprocessing
    from concurrent.futures import ProcessPoolExecutor
    from concurrent.futures.process import BrokenProcessPool

    context = multiprocessing.get_context("spawn")
    with _endings_blocked():
        # It starts the process that tracks its locks, which leaves Ctrl-C and SIGTERM to the parent, but not SIGHUP.
        pool = ProcessPoolExecutor(processes, mp_context=context, initializer=_begin)
    try:
        yield from _in_order(pool, function, pieces, processes * _AHEAD)
    except BrokenProcessPool:
        raise ChildProcessError(errno.ECHILD, "a process that did a part of the work was killed") from None
    finally:
        pool.shutdown(cancel_futures=True)


def _in_order(
    pool: ProcessPoolExecutor, function: Callable[[_Piece], _Result], pieces: Iterable[_Piece], most: int
) -> Generator[_Result]:
    waiting: deque[Future[_Result]] = deque()
    for piece in pieces:
        # A process that starts has the signals blocked that its parent has: Ctrl-C must not strike before `_begin`.
        with _endings_blocked():
            waiting.append(pool.submit(function, piece))
        if len(waiting) > most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


@contextlib.contextmanager
def _endings_blocked() -> Iterator[None]:
    """Put Ctrl-C off, in this thread, to the end of the block."""
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _begin() -> None:
    """Leave Ctrl-C to the parent, which ends the work, and end with the parent, however that ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    from multiprocessing import parent_process

    parent = parent_process()
    if parent is not None:
        parent.join()
        # The queue's other end is open in this process too, so that reading from it would never end.
        os._exit(1)
