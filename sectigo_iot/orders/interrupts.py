"""What must not be broken off in the middle, done where no signal strikes: Python hears signals in the main thread.

An interrupt that comes out of the middle of a transaction, of a lock or of a commit would leave others waiting, or
believing what is not so. In a thread the work goes on to its end, whatever becomes of the one who waits for it.
Source: https://docs.python.org/3/library/signal.html#signals-and-threads
"""

from __future__ import annotations

import functools
import queue
import threading
from collections.abc import Callable
from typing import NoReturn, ParamSpec, TypeVar

_P = ParamSpec("_P")
_T = TypeVar("_T")


def undisturbed(work: Callable[_P, _T]) -> Callable[_P, _T]:
    """Return the function as one that is carried out to its end also where the main thread, which calls it, is not.

    A daemon does it, so that a process that is to end ends: then it is broken off as by a kill.
    """

    @functools.wraps(work)
    def call(*args: _P.args, **kwargs: _P.kwargs) -> _T:
        if threading.current_thread() is not threading.main_thread():
            return work(*args, **kwargs)
        results: queue.SimpleQueue[_Result[_T]] = queue.SimpleQueue()
        run = functools.partial(_put, results, functools.partial(work, *args, **kwargs))
        _start(threading.Thread(target=run, name="orders-book", daemon=True))
        return results.get()()

    return call


def _start(thread: threading.Thread) -> None:
    """Start a thread. An interrupt meanwhile may come out as a fault of the lock by which it is waited for."""
    try:
        thread.start()
    except RuntimeError as error:
        interrupt = error.__context__
        if interrupt is None or isinstance(interrupt, Exception):
            raise
        raise interrupt from None


_Result = Callable[[], _T]


def _put(results: queue.SimpleQueue[_Result[_T]], work: Callable[[], _T]) -> None:
    try:
        value = work()
    except BaseException as error:  # noqa: BLE001 - raised where it is waited for
        results.put(functools.partial(_raise, error))
    else:
        results.put(lambda: value)


def _raise(error: BaseException) -> NoReturn:
    raise error
