"""A limit of time for what has none of its own: looking up a name, opening a keyring."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, TypeVar

from sectigo_iot.errors import DeadlineError, SectigoError

if TYPE_CHECKING:
    from collections.abc import Callable

_T = TypeVar("_T")

STEP_SECONDS = 10.0
"""How long one step may take on the network; `Settings.timeout`, where that is less."""


def within(seconds: float, work: Callable[[], _T], *, what: str) -> _T:
    """Return what `work` returns, or raise what it raises; DeadlineError where it has done neither in time."""
    answer: list[_T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(work())
        except BaseException as error:  # noqa: BLE001 - it is raised again, in the thread that waits
            failure.append(error)

    # It may never end: nobody waits for it when the process does.
    thread = threading.Thread(target=run, name="sectigo-iot-doctor", daemon=True)
    thread.start()
    thread.join(seconds)
    # A socket has a limit of its own, which may be over first.
    if not (answer or failure) or (failure and isinstance(failure[0], TimeoutError)):
        raise DeadlineError(f"{what} did not answer within {seconds:g} s")
    if failure:
        raise failure[0] if isinstance(failure[0], Exception) else SectigoError(type(failure[0]).__name__)
    return answer[0]
