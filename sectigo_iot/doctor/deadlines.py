"""A limit of time for what has none of its own: looking up a name, opening a keyring."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING, TypeVar

from sectigo_iot.errors import DeadlineError, SectigoError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_T = TypeVar("_T")

STEP_SECONDS = 10.0
"""How long one step may take on the network; `Settings.timeout`, where that is less."""


class Budget:
    """What one step may spend, in seconds: only what passes in `spending` counts."""

    def __init__(self, seconds: float) -> None:
        self.seconds = self.left = seconds

    def renew(self) -> None:
        """Let the next step begin."""
        self.left = self.seconds

    @contextlib.contextmanager
    def spending(self) -> Iterator[None]:
        """Count the time of this block."""
        begun = time.monotonic()
        try:
            yield
        finally:
            self.left = max(self.left - (time.monotonic() - begun), 0.0)


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
        raise DeadlineError(f"{what} did not answer within {shown(seconds)}")
    if failure:
        raise failure[0] if isinstance(failure[0], Exception) else SectigoError(type(failure[0]).__name__)
    return answer[0]


def left(until: float) -> float:
    """Return the seconds that are left until a moment of the monotonic clock."""
    return max(until - time.monotonic(), 0.0)


def shown(seconds: float) -> str:
    """Return a length of time as it is told."""
    return f"{round(seconds, 2):g} s"
