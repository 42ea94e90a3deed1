"""What an emulator remembers, as values that never change themselves."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from msgspec import Struct, field

from sectigo_iot.emulator.config.lives import Life, Step
from sectigo_iot.reasons import CRLReason


class Job(Struct, frozen=True):
    """What is to be issued: the parameters of one certificate, or signing requests in PEM. Its repr shows neither."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    requests: tuple[bytes, ...] = ()

    def __repr__(self) -> str:
        return f"<Job {len(self.requests) or 1}>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("size", len(self.requests) or 1)]


class Passed(Struct, frozen=True, array_like=True):
    """A moment of a batch's past: when, in seconds since the epoch, and its status from then on."""

    time: float
    status: str


class Batch(Struct, frozen=True, kw_only=True):
    """One batch as it stands. Times are seconds since the epoch."""

    id: int
    order_number: int
    created: float
    organization_id: int
    user_id: int
    authority_id: int
    profile_id: int
    profile_name: str
    name: str
    common_names: tuple[str, ...]
    """The names that its certificates are for, the first few."""
    size: int
    life: Life
    step: Step
    """How it reads now."""
    done: int = 0
    """Which step of its life is reached."""
    days_to_live: int = 30
    made: float | None = None
    """When its certificates were made."""
    ready: float | None = None
    success: int = 0
    failed: int = 0
    pushed: bool = False
    """Whether somebody has put it into its state, so that its life does not go on."""
    revoked: bool = False
    refunded: bool = False
    past: tuple[Passed, ...] = ()

    @property
    def status(self) -> str:
        """What its detail says."""
        return "REVOKED" if self.revoked else self.step.status

    @property
    def expires(self) -> float | None:
        """When it can be downloaded no more; None before it is ready."""
        return None if self.ready is None else self.ready + self.days_to_live * 86400.0


class Certificate(Struct, frozen=True, kw_only=True):
    """One certificate that was issued. Times are seconds since the epoch."""

    device_id: str
    common_name: str
    number: str
    """Its serial number in hexadecimal: 16 bytes are more than an integer has in the file."""
    created: float
    organization_id: int
    profile_id: int
    batch_id: int
    der: bytes
    reason: CRLReason | None = None
    revoked: float | None = None

    @property
    def serial(self) -> int:
        """Its serial number."""
        return int(self.number, 16)

    def __repr__(self) -> str:
        return f"<Certificate {self.number} {self.common_name}>"


class Trust(Struct, frozen=True):
    """How often in a row a user's password was refused, and whether that locked the account."""

    refused: int = 0
    locked: bool = False


class Licences(Struct, frozen=True):
    """How many licences an organization has ordered, and how many are used."""

    ordered: int
    issued: int
