"""What becomes of a batch after it was accepted: a path through statuses, written down in advance."""

from __future__ import annotations

import fnmatch

from msgspec import Struct

ISSUED = ("READY_FOR_DOWNLOAD", "COLLECTED")
"""The statuses of a batch whose certificates exist."""

FAILED = ("FAILED", "REJECTED", "BROKEN")
"""The statuses of a batch that ends without a certificate."""


PACE = 2.0
"""Seconds from order to ready in a life that is about what is seen on the way, where there is no delay."""


class Step(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """How a batch reads from a moment on. What is left out follows from the status."""

    status: str
    """The status that its detail says. It may be empty, or one that nobody has heard of."""
    after: float = 0.0
    """Seconds after the order."""
    text: str | None = None
    """The words of the status call."""
    info: tuple[int, int, int] | None = None
    """The counts of the processing info: active, success, failed."""
    downloadable: bool | None = None
    reason: str = ""
    """Why it was rejected, or what is broken about it."""
    issued: bool | None = None
    """Whether the certificates exist by now."""

    @property
    def issues(self) -> bool:
        """Whether the certificates exist by this step."""
        if self.issued is not None:
            return self.issued
        return self.status in ISSUED or self.text == "Ready for download"


class Life(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """A path, and which batches take it. The first of several that fit is taken; otherwise a batch becomes ready.

    It has either `steps` or `like`.
    """

    steps: tuple[Step, ...] = ()
    like: str = ""
    """The name of a life that is known, in place of steps."""
    name: str = ""
    match: str = "*"
    """A pattern with `*` and `?` for the batch's name, in any case."""
    percent: float = 100.0
    """How many of the batches that fit, decided by the seed."""
    times: int | None = None
    """How many batches at the most."""
    fails: int = 0
    """How many of the batch's certificates are not made: it is issued in part."""

    def fits(self, batch_name: str) -> bool:
        """Whether a batch of this name may take it."""
        return fnmatch.fnmatchcase(batch_name.casefold(), self.match.casefold())


def usual_life(delay: float) -> Life:
    """Return the life of a batch that becomes ready after a delay in seconds; without one it is issued at once."""
    working = (Step(status="PROCESSING", after=delay / 2),) if delay else ()
    return Life(
        name="ready", steps=(Step(status="CREATED"), *working, Step(status="READY_FOR_DOWNLOAD", after=delay))
    )


def known_lives(delay: float) -> dict[str, Life]:
    """Return the lives that have names, for a delay in seconds from order to ready.

    Without a delay those that differ in their end alone come to it at once; the others, which are about what is seen
    on the way, take `PACE`.
    """
    paths = _ends(delay) | _ways(delay or PACE)
    return {name: Life(name=name, steps=steps, fails=int(name == "partly-issued")) for name, steps in paths.items()}


def _ends(delay: float) -> dict[str, tuple[Step, ...]]:
    created, *working, ready = usual_life(delay).steps
    missing = "Cert subject name error: SubjectAlternativeName dNSName value is missing"
    return {
        "ready": (created, *working, ready),
        "rejected": (created, Step(status="REJECTED", after=delay, reason="The organization could not be verified")),
        "failed": (created, *working, Step(status="FAILED", after=delay)),
        "broken": (created, *working, Step(status="BROKEN", after=delay, reason=missing)),
        "not-acceptable": (created, Step(status="NOT_ACCEPTABLE", after=delay)),
        "partly-issued": (created, *working, ready),
    }


def _ways(pace: float) -> dict[str, tuple[Step, ...]]:
    created, working, ready = usual_life(pace).steps
    return {
        "unknown-status": (created, Step(status="AWAITING_CEREMONY", after=pace / 2), ready),
        "disagreeing": _disagreeing(pace),
        "zero-counts": (created, Step(status="PROCESSING", after=pace / 2, info=(0, 0, 0)), ready),
        "stuck": (created, working),
        "revoked": (created, working, ready, Step(status="REVOKED", after=2 * pace, issued=True)),
        "removed": (created, working, ready, Step(status="REMOVED_AFTER_EXPIRATION", after=2 * pace, issued=True)),
    }


def _disagreeing(pace: float) -> tuple[Step, ...]:
    """Return the path of December 2021: the detail is ahead of the words, and the words of the counts."""
    return (
        Step(status="CREATED", info=(0, 0, 0)),
        Step(status="", after=pace / 4, text="Processing", info=(0, 0, 0)),
        Step(status="READY_FOR_DOWNLOAD", after=pace / 2, text="Processing", info=(1, 0, 0), issued=False),
        Step(status="COLLECTED", after=pace * 3 / 4, text="Ready for download", info=(1, 0, 0), issued=False),
        Step(status="COLLECTED", after=pace),
    )


KNOWN = tuple(known_lives(1.0))
"""Their names."""
