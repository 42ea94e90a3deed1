"""Moments of a worker's life at which it is struck: killed for good, or put to sleep while others go on."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, NamedTuple

PATIENCE = 60.0
"""Seconds for which a worker is waited for: far more than it takes to go from one moment to the next."""


class Killed(BaseException):
    """The process is no more: nothing that would have come after this does."""


class Strike(NamedTuple):
    """When to strike: `after` so many moments of one kind have gone by; of any kind, where it is None."""

    at: str | None
    after: int


class Moments:
    """Counts the moments of each thread, and strikes at one of them."""

    def __init__(self) -> None:
        self._mine = threading.local()

    def strike(self, when: Strike | None, act: Callable[[], None] | None = None) -> None:
        """Have this thread struck once, in place of whatever it was to be struck by; None for never."""
        self._mine.when, self._mine.act = when, act

    def here(self, at: str) -> None:
        """Say that this thread is at a moment of that kind."""
        when: Strike | None = getattr(self._mine, "when", None)
        if when is None or when.at not in (None, at):
            return
        act = self._mine.act
        if when.after == 0:
            self._mine.when = None
            act()
        else:
            self._mine.when = when._replace(after=when.after - 1)

    def around(self, before: str, call: Callable[..., Any], after: str) -> Callable[..., Any]:
        """Return the call with a moment before it and one after."""

        def both(*words: Any, **named: Any) -> Any:
            self.here(before)
            result = call(*words, **named)
            self.here(after)
            return result

        return both


class Sleeper:
    """Somebody who works in a thread of his own, and only while he is waited for: so what happens is always the same.

    Each time he is let go on he falls asleep at the moment that is named, if it comes.
    """

    def __init__(self, moments: Moments, work: Callable[[], object]) -> None:
        self._moments, self._work = moments, work
        self._when: Strike | None = None
        self._may, self._stopped = threading.Semaphore(0), threading.Semaphore(0)
        self.over = self._killed = False
        self.error: BaseException | None = None
        self._thread = threading.Thread(target=self._live, name="sleeper", daemon=True)
        self._thread.start()

    def go_on(self, when: Strike | None = None) -> None:
        """Let him go on until he falls asleep, or is done. What he ended with is raised."""
        if self.over:
            return
        self._when = when
        self._may.release()
        assert self._stopped.acquire(timeout=PATIENCE), "he neither falls asleep nor is done"
        if self.error is not None:
            raise self.error

    def kill(self) -> None:
        """Have him do nothing more."""
        self._killed = True
        if not self.over:
            self._may.release()
        self._thread.join(PATIENCE)

    def _live(self) -> None:
        try:
            self._wait()
            self._work()
        except Killed:
            pass
        except BaseException as error:  # noqa: BLE001 - raised again where he is waited for
            self.error = error
        finally:
            self.over = True
            self._stopped.release()

    def _fall_asleep(self) -> None:
        self._stopped.release()
        self._wait()

    def _wait(self) -> None:
        self._may.acquire()
        if self._killed:
            raise Killed
        self._moments.strike(self._when, self._fall_asleep)
