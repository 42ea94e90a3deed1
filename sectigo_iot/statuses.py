"""The service's words: how far a batch is, what its status text says, what parameters are called."""

from __future__ import annotations

import enum
from typing import NamedTuple


class BatchStatus(enum.StrEnum):
    """How far a batch is. Open: a status that nobody has heard of is carried through as it came."""

    CREATED = "CREATED"
    PENDING = "PENDING"
    PROCESSING = "PROCESSING"
    READY_FOR_DOWNLOAD = "READY_FOR_DOWNLOAD"
    COLLECTED = "COLLECTED"
    FAILED = "FAILED"
    REJECTED = "REJECTED"
    NOT_ACCEPTABLE = "NOT_ACCEPTABLE"
    REMOVED_AFTER_EXPIRATION = "REMOVED_AFTER_EXPIRATION"
    BROKEN = "BROKEN"
    REVOKED = "REVOKED"

    @classmethod
    def _missing_(cls, value: object) -> BatchStatus:
        member = str.__new__(cls, str(value))
        member._name_ = member._value_ = str(value)
        return member

    def __reduce_ex__(self, protocol: object) -> tuple[type[BatchStatus], tuple[str]]:
        # By value: the enum of Python 3.11.2 pickles by name, which an unknown status does not have.
        return BatchStatus, (self.value,)

    @property
    def known(self) -> bool:
        """Whether this is one of the statuses seen so far."""
        return self.value in BatchStatus.__members__

    @property
    def terminal(self) -> bool:
        """Whether nothing can be fetched, now or later."""
        return self in TERMINAL


TERMINAL = frozenset(
    {
        BatchStatus.REJECTED,
        BatchStatus.FAILED,
        BatchStatus.BROKEN,
        BatchStatus.REVOKED,
        BatchStatus.REMOVED_AFTER_EXPIRATION,
    }
)
COLLECTABLE = frozenset({BatchStatus.READY_FOR_DOWNLOAD, BatchStatus.COLLECTED})


class Param(enum.StrEnum):
    """Names of profile parameters that have been seen. A profile may demand others: ask it."""

    COMMON_NAME = "commonName"
    DNS_NAMES = "dNSName"
    PKCS12_PASSWORD = "pkcs12Password"
    ORGANIZATION = "organizationName"
    LOCALITY = "localityName"
    STATE = "stateOrProvinceName"
    COUNTRY = "countryName"


class StatusText(NamedTuple):
    """What the status call says, which is plain text and not always what the batch's detail says.

    `status` is the constant (`READY_FOR_DOWNLOAD`); `internal` the status that follows `Not Acceptable. Status:`.
    """

    text: str
    status: BatchStatus
    internal: BatchStatus | None = None

    @classmethod
    def read(cls, text: str) -> StatusText:
        """Read `Ready for download`, `Processing`, `Failed`, `Not Acceptable. Status: <internal status>`."""
        line = " ".join(text.split()).strip('"')
        head, colon, internal = line.partition(":")
        if colon and head.lower().startswith("not acceptable"):
            return cls(line, BatchStatus.NOT_ACCEPTABLE, BatchStatus(_constant(internal)))
        return cls(line, BatchStatus(_constant(line)))

    @property
    def terminal(self) -> bool:
        """Whether it says that nothing can be fetched, now or later."""
        return self.status.terminal or (self.internal is not None and self.internal.terminal)

    def __str__(self) -> str:
        return str(self.status)


def _constant(text: str) -> str:
    return text.strip().upper().replace(" ", "_")
