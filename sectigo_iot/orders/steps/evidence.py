"""What was found out about an order that was sent and never answered, and what it would be told by.

Only presence is proof. What speaks for absence is noted, too, and what casts doubt on it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.errors import APIError, InvalidReplyError, NotAuthenticatedError, SectigoError, clean
from sectigo_iot.orders.steps.batch_lists import PASSING

if TYPE_CHECKING:
    from sectigo_iot.models import Batch
    from sectigo_iot.orders.order import Order
    from sectigo_iot.orders.work import Work

SKEW = 600.0
"""Seconds that the service's clock may be off by."""


@dataclass(slots=True)
class Evidence:
    """What was found out about one order. `batch_id` is set where presence is proven, and `how` says by what."""

    batch_id: int | None = None
    how: str = ""
    news: list[str] = field(default_factory=list)
    """What is known and matters so much that a human is told anew, in words; the same words as long as it is so."""
    known: list[str] = field(default_factory=list)
    """What is known beside that: it may be otherwise at the next look, and then again as it was."""
    doubts: bool = False
    """Whether something speaks against its absence, or keeps it from being judged."""
    complete: bool = False
    """Whether a list that was complete, and of the right batches, does not have it."""
    unseen: bool = False
    """Whether a search that was complete shows no certificate that could be its own."""
    stray: str | None = None
    """What a human has to see to, whatever comes of the order: another attempt of it was accepted, too."""

    def prove(self, batch_id: int, how: str) -> None:
        """Note that this batch is the order's."""
        self.batch_id, self.how = batch_id, how

    def note(self, what: str, *, news: bool = False) -> None:
        """Note what is known; `news`: a human is told of it anew."""
        (self.news if news else self.known).append(clean(what))

    def doubt(self, what: str, *, news: bool = False) -> None:
        """Note what keeps the absence from being proven."""
        self.doubts = True
        self.note(what, news=news)

    @property
    def absent(self) -> bool:
        """Whether everything that can speak for its absence does."""
        return self.batch_id is None and self.complete and self.unseen and not self.doubts


class Sought(NamedTuple):
    """What an order is told by: the names of this attempt, what all of its names hold, its key, and its time.

    `fingerprint`: SHA-256 of the public key of its signing request; None where the service makes the key. `start` and
    `end`: between what times it can have been accepted, by any clock that is off by no more than `SKEW`.
    """

    names: frozenset[str]
    family: str
    fingerprint: bytes | None
    start: float
    end: float

    @classmethod
    def of(cls, work: Work) -> Sought:
        """Return what the order of this work is told by."""
        order, name = work.order, work.order.batch_name
        sent = order.sent_at if order.sent_at is not None else order.changed_at
        last = max(sent, order.sent_until or 0.0) + work.rules.settle
        names = frozenset({name, f"{name}.csr"} if name else ())
        return cls(names, order.uid.casefold(), _fingerprint(order), sent - SKEW, last + SKEW)

    def is_named(self, name: str | None) -> bool:
        """Whether a batch of that name is of this attempt."""
        return name in self.names

    def is_kin(self, name: str | None) -> bool:
        """Whether a batch of that name is of another attempt, or of this one with its name written otherwise."""
        return name is not None and self.family in name.casefold() and not self.is_named(name)


def _fingerprint(order: Order) -> bytes | None:
    if order.wanted.csr is None:
        return None
    from sectigo_iot import pki

    return bytes.fromhex(pki.read_requests(order.wanted.csr)[0].public_key_fingerprint)


def batch_of(work: Work, number: int) -> Batch | None:
    """Return a batch; None where there is none of that number that is ours to see. Raises what passes."""
    keep_lease(work)
    try:
        return work.service.batch_detail(number)
    except InvalidReplyError:
        return None
    except APIError as error:
        raise_passing(error)
        return None


def keep_lease(work: Work, *, downloading: bool = False) -> None:
    """Have the lease outlive the next request: reading for long is no reason to lose it.

    Raises LeaseLostError where it is lost all the same, StoppedError where the worker is to end.
    """
    work.go_on()
    settings = work.service.settings
    needed = settings.download_timeout if downloading else settings.timeout
    left = work.lease.left()
    # Also where there is time enough: whoever has lost it to what somebody has decided asks no further.
    work.book.renew_lease(work.lease, left if left >= 2 * needed else 2 * needed + 60.0)


def raise_passing(error: SectigoError) -> None:
    """Raise the error again where it is that of a fault that passes, or of who is not logged in."""
    if isinstance(error, NotAuthenticatedError) or (isinstance(error, APIError) and error.status in PASSING):
        raise error
