"""How far an order is, and the legal moves from each state to others. Nothing else: no store, no service."""

from __future__ import annotations

import enum

from sectigo_iot.errors import InvalidInputError


class OrderState(enum.StrEnum):
    """How far an order is."""

    PLANNED = "planned"
    """It is in the book, and nothing was sent."""
    ORDERING = "ordering"
    """It is about to be sent, or was: that is written down before the first byte leaves."""
    UNKNOWN = "unknown"
    """It was, or may have been, sent, and nobody knows what became of it."""
    PLACED = "placed"
    """The service has accepted it; its batch is known."""
    ISSUING = "issuing"
    """It was looked at, and the service is at work."""
    READY = "ready"
    """It can be fetched."""
    FETCHED = "fetched"
    """What was issued is verified and stored here."""
    DELIVERED = "delivered"
    """Whoever ordered has it."""
    REJECTED = "rejected"
    """It was refused, before or after it was accepted; there is no certificate."""
    FAILED = "failed"
    """It came to nothing usable, and somebody has to look at it."""
    EXPIRED = "expired"
    """The days in which it could be fetched are over."""
    CANCELLED = "cancelled"
    """It was withdrawn; what had been issued by then is revoked."""


_S = OrderState

MOVES: dict[OrderState, frozenset[OrderState]] = {
    _S.PLANNED: frozenset({_S.ORDERING, _S.PLACED, _S.REJECTED, _S.FAILED, _S.CANCELLED}),
    _S.ORDERING: frozenset({_S.PLANNED, _S.PLACED, _S.UNKNOWN, _S.REJECTED}),
    _S.UNKNOWN: frozenset({_S.PLACED, _S.PLANNED, _S.FAILED, _S.CANCELLED}),
    _S.PLACED: frozenset({_S.ISSUING, _S.READY, _S.REJECTED, _S.FAILED, _S.EXPIRED, _S.CANCELLED}),
    _S.ISSUING: frozenset({_S.READY, _S.REJECTED, _S.FAILED, _S.EXPIRED, _S.CANCELLED}),
    _S.READY: frozenset({_S.ISSUING, _S.FETCHED, _S.FAILED, _S.EXPIRED, _S.CANCELLED}),
    _S.FETCHED: frozenset({_S.DELIVERED, _S.CANCELLED}),
    _S.DELIVERED: frozenset(),
    _S.REJECTED: frozenset({_S.PLANNED, _S.CANCELLED}),
    _S.FAILED: frozenset({_S.PLANNED, _S.PLACED, _S.CANCELLED}),
    _S.EXPIRED: frozenset({_S.PLANNED, _S.PLACED, _S.CANCELLED}),
    _S.CANCELLED: frozenset(),
}
"""From each state, the states that an order may go to."""

FINISHED = frozenset({_S.DELIVERED, _S.REJECTED, _S.FAILED, _S.EXPIRED, _S.CANCELLED})
"""The states from which no order goes on by itself."""
FRUITLESS = frozenset({_S.REJECTED, _S.FAILED, _S.EXPIRED})
"""The states that somebody has to be told of: nothing came of it."""
MAY_BE_PAID = frozenset({_S.ORDERING, _S.UNKNOWN})
"""The states in which nobody knows whether a licence is spent."""


def check_move(old: OrderState, new: OrderState) -> None:
    """Raise InvalidInputError where no order may go from the one state to the other."""
    if new not in MOVES[old]:
        allowed = ", ".join(sorted(MOVES[old])) or "none"
        raise InvalidInputError(f"no order goes from {old} to {new}", hint=f"from {old} there is: {allowed}")
