"""What is wanted, what became of it, and how that is told: values, which never change themselves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sectigo_iot.orders.states import FINISHED, OrderState

LONGEST_REASON = 2000
"""Characters of what the book says about an order: a profile may refuse many things at once."""


@dataclass(frozen=True, slots=True)
class Renewal:
    """When a certificate is renewed, and what becomes of the one that it replaces.

    `before`: a number of days (1 or more), or a fraction of the certificate's lifetime (below 1), before its end.
    Days count back to the middle of the lifetime at the most. It is renewed up to a tenth of that time earlier, so
    that what was issued together is not renewed together.
    `revoke_after`: days after the new one was delivered when the old one is revoked as superseded; None for never.
    """

    before: float
    revoke_after: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """What is wanted.

    `names`: the DNS names, of which the first is the common name. `params`: further parameters of the profile, under
    the service's names (`organizationName`). `profile`: the name or id of the profile to order from; `authority`: an
    authority's id; where neither is given, the only authority that is enabled and has balance is taken. `csr`: one
    signing request in PEM; without one the service makes the key. `days_to_live`: how many days after it was issued
    it can be fetched, where that is known. `labels`: what the caller wants to find again, told back and never sent.
    """

    names: tuple[str, ...]
    params: Mapping[str, str] = field(default_factory=dict)
    profile: str | None = None
    authority: int | None = None
    csr: bytes | None = None
    days_to_live: float | None = None
    renewal: Renewal | None = None
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def common_name(self) -> str:
        """The first of the names."""
        return self.names[0]


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderedCertificate:
    """What the book keeps of a certificate: nothing that opens anything."""

    serial_number: str
    """Upper-case hex, as a search and a revocation take it."""
    fingerprint: str
    """SHA-256 of the certificate, in lower-case hex."""
    not_before: datetime
    not_after: datetime
    dns_names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """An order as the book has it. Times that end in `_at` are seconds since the epoch."""

    key: str
    """The caller's own: the same key is the same order."""
    uid: str
    """Sixteen hex digits, drawn when it was placed: by them secrets and batch names are found."""
    wanted: OrderRequest
    state: OrderState
    reason: str
    """Why it is in that state."""
    version: int
    """Counts the changes."""
    created_at: float
    changed_at: float
    next_at: float | None
    """When a worker looks at it next; None for never."""
    attention: str | None = None
    """What a human has to see to; None where nothing is."""
    failures: int = 0
    """How many times on end it could not be gone on with."""
    attempt: int = 0
    """How many times it was written down that it is about to be sent."""
    batch_name: str | None = None
    """The name under which it was sent last."""
    sent_at: float | None = None
    """When that was written down."""
    sent_until: float | None = None
    """Until when its bytes can have left this machine at the latest."""
    known_batch_id: int | None = None
    """The highest batch id that the book knew of when it was sent."""
    batch_id: int | None = None
    authority_id: int | None = None
    profile_id: int | None = None
    password_given: bool = False
    """Whether the password was given when it was placed, so that somebody holds it already."""
    password_number: int = 0
    """Which of the passwords that workers made for it was sent; 0 for the one that was given, or none."""
    key_given: bool = False
    """Whether the private key of its signing request was given when it was placed, and is kept here."""
    ready_at: float | None = None
    """When it was first seen to be ready."""
    certificate: OrderedCertificate | None = None
    withdrawn: str | None = None
    """Why it was withdrawn while it was on its way; None where it was not."""
    renews: str | None = None
    """The key of the order whose certificate this one replaces."""
    renewed_by: str | None = None
    """The key of the order that replaces this one's certificate."""
    renew_at: float | None = None
    revoke_at: float | None = None
    """When its certificate is to be revoked as superseded."""
    revoked_at: float | None = None

    @property
    def finished(self) -> bool:
        """Whether it goes on no more by itself."""
        return self.state in FINISHED


@dataclass(frozen=True, slots=True)
class OrderEvent:
    """Something that happened to an order; `old` is None for the first.

    `kind` is `state` for a change of state, `attention` where a human has to see to something, `evidence` for what
    was found out about an order whose outcome was unknown, `delivery` for a delivery that failed, `labels` where
    those were changed, `withdrawn`, `renewal`, `revoked`.
    """

    key: str
    at: float
    kind: str
    old: OrderState | None
    new: OrderState
    reason: str
    worker: str = ""
    batch_id: int | None = None


@dataclass(frozen=True, slots=True, repr=False)
class Bundle:
    """What was issued for an order, as it is delivered: holds secrets, and shows none.

    `archive`: the ZIP as the service sent it. `password`: of the PKCS#12 in it; None where there is none.
    `private_key`: PEM of the key that was given with the signing request, None where there is none.
    """

    archive: bytes
    password: str | None
    private_key: bytes | None
