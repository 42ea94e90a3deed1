"""Which life a batch takes: the one that waits for the next, the first of a file's that fits, or the usual one."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from msgspec.structs import replace

from sectigo_iot.emulator.lives import Life, Step

DEFAULT_PACE = 2.0
"""Seconds from order to ready in a life that is known by name, where the emulator itself has no delay."""

Counts = tuple[tuple[Life, ...], tuple[int, ...], tuple[int, ...]]
"""Where a destiny stands."""


def usual_life(delay: float) -> Life:
    """Return the life of a batch that becomes ready after a delay in seconds; without one it is issued at once."""
    working = (Step(status="PROCESSING", after=delay / 2),) if delay else ()
    return Life(
        name="ready", steps=(Step(status="CREATED"), *working, Step(status="READY_FOR_DOWNLOAD", after=delay))
    )


def known_lives(delay: float) -> dict[str, Life]:
    """Return the lives that have names, at the pace of a delay in seconds."""
    created, working = Step(status="CREATED"), Step(status="PROCESSING", after=delay / 2)
    ready = Step(status="READY_FOR_DOWNLOAD", after=delay)
    paths: dict[str, tuple[Step, ...]] = {
        "ready": usual_life(delay).steps,
        "rejected": (created, Step(status="REJECTED", after=delay, reason="The organization could not be verified")),
        "failed": (created, working, Step(status="FAILED", after=delay)),
        "broken": (
            *(created, working),
            Step(
                status="BROKEN",
                after=delay,
                reason="Cert subject name error: SubjectAlternativeName dNSName value is missing",
            ),
        ),
        "not-acceptable": (created, Step(status="NOT_ACCEPTABLE", after=delay)),
        "partly-issued": (created, working, ready),
        "unknown-status": (created, Step(status="AWAITING_CEREMONY", after=delay / 2), ready),
        "disagreeing": _disagreeing(delay),
        "zero-counts": (created, Step(status="PROCESSING", after=delay / 2, info=(0, 0, 0)), ready),
        "stuck": (created, working),
        "revoked": (created, working, ready, Step(status="REVOKED", after=2 * delay, issued=True)),
        "removed": (created, working, ready, Step(status="REMOVED_AFTER_EXPIRATION", after=2 * delay, issued=True)),
    }
    return {name: Life(name=name, steps=steps, fails=name == "partly-issued") for name, steps in paths.items()}


class Destiny:
    """Chooses lives. `fraction` is a draw from 0 to 1 that depends on what it is given and on the seed alone."""

    def __init__(self, lives: Iterable[Life], delay: float, fraction: Callable[..., float]) -> None:
        self._lives = tuple(lives)
        self._delay = delay
        self._fraction = fraction
        self._known = known_lives(delay or DEFAULT_PACE)
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


def _disagreeing(delay: float) -> tuple[Step, ...]:
    """Return the path of December 2021: the detail is ahead of the words, and the words of the counts."""
    return (
        Step(status="CREATED", info=(0, 0, 0)),
        Step(status="", after=delay / 4, text="Processing", info=(0, 0, 0)),
        Step(status="READY_FOR_DOWNLOAD", after=delay / 2, text="Processing", info=(1, 0, 0), issued=False),
        Step(status="COLLECTED", after=delay * 3 / 4, text="Ready for download", info=(1, 0, 0), issued=False),
        Step(status="COLLECTED", after=delay),
    )


KNOWN = tuple(known_lives(1.0))
"""Their names."""
