"""The signals that ask a process to end: the first unwinds it, and those that follow do not disturb that."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
import time
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    from types import FrameType

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
VOLLEY = 1.0
"""Seconds after a signal in which others say no more than it did: supervisors send several."""
NUDGE = 0.05
"""Seconds that a signal may go unheard."""
STUCK = 5.0
"""Seconds after which a process that was asked to end, and goes on, is asked again,"""
STILL = 1.0
"""where it has not moved for so long."""


class Interrupted(KeyboardInterrupt):
    """A signal asked this process to end."""

    def __init__(self, number: signal.Signals) -> None:
        super().__init__(number.name)
        self.signal = number


class Endings:
    """Hears the signals, but for one that is ignored, as under nohup, and only in the main thread."""

    def __init__(self) -> None:
        self._heard: list[signal.Signals] = []
        self._deaf_until = 0.0
        self._resting = False
        self._before: dict[signal.Signals, Any] = {}
        self._pipe: tuple[int, int] | None = None

    def __enter__(self) -> Self:
        # Python takes handlers in the main thread alone.
        with contextlib.suppress(ValueError):
            for number in ENDINGS:
                if signal.getsignal(number) != signal.SIG_IGN:
                    self._before[number] = signal.signal(number, self._hear)
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
        pipe, self._pipe = self._pipe, None
        if pipe is not None:
            signal.set_wakeup_fd(-1)
            os.close(pipe[1])

    def _hear(self, number: int, _frame: FrameType | None) -> None:
        now = time.monotonic()
        if now < self._deaf_until:
            return
        self._deaf_until = now + VOLLEY
        self._heard.append(signal.Signals(number))
        if not self._resting:
            raise Interrupted(self._heard[0])
        if len(self._heard) > 1:
            die(signal.Signals(number))

    def be_prompt(self) -> None:
        """See to it that a signal is heard too that comes just before the main thread waits in the system.

        Python hears a signal between two steps of its own, or when it breaks off a wait; in between it would be heard
        only when the wait is over.
        Source: https://docs.python.org/3/library/signal.html#execution-of-python-signal-handlers

        Raises Interrupted where one came to nothing before.
        """
        self.check()
        if self._before and self._pipe is None:
            import threading

            reader, writer = os.pipe()
            os.set_blocking(writer, False)
            before = signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
            if before != -1:
                # Whoever runs this in a program that is woken up itself goes on being so.
                signal.set_wakeup_fd(before)
                os.close(reader)
                os.close(writer)
                return
            self._pipe = reader, writer
            threading.Thread(target=self._nudge, args=self._pipe[:1], name="sectigo-nudge", daemon=True).start()

    def _nudge(self, reader: int) -> None:
        import threading

        while number := os.read(reader, 1):
            time.sleep(NUDGE)
            if self._heard:
                # What was raised may have come to nothing, or left a lock behind that is waited for; or there is much
                # to clean up, which another one would break off.
                time.sleep(STUCK)
                while self._pipe is not None and not _stands_still():
                    time.sleep(NUDGE)
            # At rest, too: the interruption may have left a lock behind that cleaning up waits for.
            if number[0] in self._before and self._pipe is not None:
                signal.pthread_kill(threading.main_thread().ident or 0, number[0])
        os.close(reader)

    @property
    def heard(self) -> signal.Signals | None:
        """The signal that asked this process to end, if one did."""
        return self._heard[0] if self._heard else None

    def check(self) -> None:
        """Raise Interrupted where one was raised and came to nothing: in a callback, Python drops an exception."""
        if self._heard and not self._resting:
            raise Interrupted(self._heard[0])

    def rest(self) -> None:
        """Let no signal raise anything any more: what is left to do is short. One that insists kills."""
        self._resting = True


def _stands_still() -> bool:
    """Whether the main thread stays where it is, for a second."""
    import threading

    main, places = threading.main_thread().ident or 0, set()
    for _ in range(round(STILL / NUDGE)):
        frame = sys._current_frames().get(main)
        places.add((id(frame), frame.f_lasti if frame is not None else 0))
        time.sleep(NUDGE)
    return len(places) == 1


def die(number: signal.Signals) -> int:
    """Die of the signal, so that a shell or a supervisor sees why."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    return 128 + number
