"""What becomes of a batch after it was accepted: a path through statuses, written down in advance."""

from __future__ import annotations

import fnmatch

from msgspec import Struct

ISSUED = ("READY_FOR_DOWNLOAD", "COLLECTED")
"""The statuses of a batch whose certificates exist."""

FAILED = ("FAILED", "REJECTED", "BROKEN")
"""The statuses of a batch that ends without a certificate."""


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
