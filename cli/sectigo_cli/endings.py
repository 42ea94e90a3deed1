"""The signals that ask a process to end: the first unwinds it, and those that follow do not disturb that."""

from __future__ import annotations

import os
import signal
import threading
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
PATIENCE = 3
"""At this many signals the process dies at once, whatever it is doing."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.signal = number


class Endings:
    """Hears the signals, but for one that is ignored, as under nohup, and only in the main thread."""

    def __init__(self) -> None:
        self._heard: list[signal.Signals] = []
        self._resting = False
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Self:
        if threading.current_thread() is threading.main_thread():
            wanted = [number for number in ENDINGS if signal.getsignal(number) != signal.SIG_IGN]
            self._before = {number: signal.signal(number, self._hear) for number in wanted}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        self._heard.append(signal.Signals(number))
        if len(self._heard) >= PATIENCE:
            die(signal.Signals(number))
        if len(self._heard) == 1 and not self._resting:
            raise Interrupted(self._heard[0])

    def check(self) -> None:
        """Raise Interrupted where one was raised and came to nothing: in a callback, Python drops an exception."""
        if self._heard and not self._resting:
            raise Interrupted(self._heard[0])

    def rest(self) -> None:
        """Let no signal raise anything any more: what is left to do is short."""
        self._resting = True


def die(number: signal.Signals) -> int:
    """Die of the signal, so that a shell or a supervisor sees why."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
