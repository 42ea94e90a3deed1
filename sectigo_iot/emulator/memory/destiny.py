"""Which life a batch takes: the one that waits for the next, the first of a file's that fits, or the usual one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from msgspec.structs import replace

from sectigo_iot.emulator.config.lives import Life, known_lives, usual_life

Counts = tuple[tuple[Life, ...], tuple[int, ...], tuple[int, ...]]
"""Where a destiny stands."""


class Destiny:
    """Chooses lives. `fraction` is a draw from 0 to 1 that depends on what it is given and on the seed alone."""

    def __init__(self, lives: Iterable[Life], delay: float, fraction: Callable[..., float]) -> None:
        self._lives = tuple(lives)
        self._delay = delay
        self._fraction = fraction
        self._known = known_lives(delay)
        self.queued: list[Life] = []
        """Lives that the next batches take."""
        self._taken = [0] * len(self._lives)
        self._met = [0] * len(self._lives)

    def counts(self) -> Counts:
        """Return which lives wait, and how often each of the file's was met and taken."""
        return tuple(self.queued), tuple(self._taken), tuple(self._met)

    def restore(self, counts: Counts) -> None:
        """Go back to where it stood."""
        queued, taken, met = counts
        self.queued, self._taken, self._met = list(queued), list(taken), list(met)

    @contextmanager
    def choice(self) -> Iterator[None]:
        """Let what is chosen in here count, or, where an exception leaves it, wait for the next batch."""
        before = self.counts()
        try:
            yield
        except BaseException:
            self.restore(before)
            raise

    def choose(self, batch_name: str, first_status: str) -> Life:
        """Return the life of a new batch, whose first status is `CREATED`, or `PENDING` after an upload."""
        life = self._filled(self._chosen(batch_name))
        first, *rest = life.steps
        if first.status == "CREATED" and first_status != "CREATED":
            first = replace(first, status=first_status)
        return replace(life, steps=(first, *rest))

    def _filled(self, life: Life) -> Life:
        if not life.like:
            return life
        model = self._known[life.like]
        return replace(life, steps=model.steps, fails=life.fails or model.fails)

    def _chosen(self, batch_name: str) -> Life:
        if self.queued:
            return self.queued.pop(0)
        for index, life in enumerate(self._lives):
            if life.fits(batch_name) and self._takes(index, life):
                return life
        return usual_life(self._delay)

    def _takes(self, index: int, life: Life) -> bool:
        if life.times is not None and self._taken[index] >= life.times:
            return False
        self._met[index] += 1
        taken = 100 * self._fraction("life", index, self._met[index]) < life.percent
        self._taken[index] += taken
        return taken
