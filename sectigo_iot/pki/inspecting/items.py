"""An inventory as values: certificates that are installed, when they expire, and what could not be read."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sectigo_iot.pki.inspecting.tree import UnreadFile

_DAY = timedelta(days=1)


class Validity(StrEnum):
    """Whether a certificate is valid at the time that was asked for."""

    EXPIRED = "expired"
    NOT_YET = "not yet valid"
    VALID = "valid"


class KeyBeside(StrEnum):
    """What the private keys in the folder of a certificate are to it; told by the public halves alone.

    `OTHER`: a key is there that belongs to no certificate of the folder. `ENCRYPTED`, `UNREADABLE`: one is there, and
    whose it is nobody can tell. `MISSING`: none is there, but an older version of what is installed had one.
    """

    FITS = "fits"
    OTHER = "does not fit"
    ENCRYPTED = "encrypted"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class InstalledPlace:
    """A file that holds the certificate, and the private key beside it, in the same file or the same folder."""

    path: str
    key: KeyBeside = KeyBeside.NONE


@dataclass(frozen=True, slots=True)
class InventoryItem:
    """One certificate, as it stands at the time `at`.

    `subject` and `issuer` are distinguished names as RFC 4514 writes them, `names` the dNSNames and IP addresses of
    the subjectAltName. `serial_number` has the form that `revoke` takes: whole octets of upper-case hexadecimal;
    `sha256` is the fingerprint of the certificate, in hexadecimal. `key` reads like `RSA-4096` or `P-256`, and is
    empty where it cannot be read. `not_before` and `not_after` are the first and the last second of validity (RFC
    5280, section 4.1.2.5), in UTC. `ca`: its basicConstraints say CA:TRUE. `superseded`: it stands in the folder of
    versions alone, and no link leads to it any more.
    """

    at: datetime
    subject: str
    common_name: str
    names: tuple[str, ...]
    serial_number: str
    not_before: datetime
    not_after: datetime
    issuer: str
    key: str
    sha256: str
    ca: bool = False
    superseded: bool = False
    places: tuple[InstalledPlace, ...] = ()

    @property
    def name(self) -> str:
        """The common name, or else the first of the names; where there is none, the subject, or the serial number."""
        return self.common_name or next(iter(self.names), "") or self.subject or self.serial_number

    @property
    def days_left(self) -> int:
        """Whole days until it expires, rounded down: 0 on the last day, negative when it has expired."""
        return (self.not_after - self.at) // _DAY

    @property
    def lifetime_left(self) -> float:
        """The part of its lifetime that is left, from 0 to 1."""
        lifetime = (self.not_after - self.not_before).total_seconds()
        left = (self.not_after - self.at).total_seconds()
        return min(1.0, max(0.0, left / lifetime)) if lifetime > 0 else 0.0

    @property
    def validity(self) -> Validity:
        """Whether it is valid."""
        if self.at > self.not_after:
            return Validity.EXPIRED
        return Validity.NOT_YET if self.at < self.not_before else Validity.VALID

    @property
    def when(self) -> str:
        """When it expires, in words: `in 12 days`, `today`, `tomorrow` (days of UTC), `3 days ago`."""
        days = self.days_left if self.not_after >= self.at else (self.at - self.not_after) // _DAY
        if days == 0:
            other_day = "tomorrow" if self.not_after >= self.at else "yesterday"
            return "today" if self.not_after.date() == self.at.date() else other_day
        counted = f"{days} day{'s' * (days != 1)}"
        return f"in {counted}" if self.not_after >= self.at else f"{counted} ago"

    def expires_within(self, days: float) -> bool:
        """Whether it has expired, or will have in so many days."""
        return (self.not_after - self.at).total_seconds() <= days * _DAY.total_seconds()

    def needs_attention(self, days: float) -> bool:
        """Whether it is in force and expires in so many days, or has, or its key is missing or does not fit."""
        wrong = any(place.key in (KeyBeside.MISSING, KeyBeside.OTHER) for place in self.places)
        return not self.superseded and (wrong or self.expires_within(days))

    def to_dict(self) -> dict[str, Any]:
        """The certificate as a document for JSON; times as ISO 8601 in UTC."""
        return {
            "name": self.name,
            "subject": self.subject,
            "common_name": self.common_name,
            "names": list(self.names),
            "serial_number": self.serial_number,
            "not_before": instant(self.not_before),
            "not_after": instant(self.not_after),
            "days_left": self.days_left,
            "lifetime_left": round(self.lifetime_left, 4),
            "validity": self.validity.value,
            "issuer": self.issuer,
            "key": self.key,
            "sha256": self.sha256,
            "ca": self.ca,
            "superseded": self.superseded,
            "places": [{"path": place.path, "key": place.key.value} for place in self.places],
        }


@dataclass(frozen=True, slots=True)
class Inventory:
    """What was found at the time `at`: what expires first comes first.

    `items` are the certificates of end entities, `authorities` those of CAs. `locked` are PKCS#12 files that no
    password opened, `unreadable` what else nothing is known of.
    """

    at: datetime
    items: tuple[InventoryItem, ...] = ()
    authorities: tuple[InventoryItem, ...] = ()
    locked: tuple[UnreadFile, ...] = ()
    unreadable: tuple[UnreadFile, ...] = ()

    def expiring(self, days: float) -> tuple[InventoryItem, ...]:
        """What has expired or will have in so many days, CAs included, superseded versions left out."""
        found = (*self.items, *self.authorities)
        return tuple(item for item in found if not item.superseded and item.expires_within(days))

    def within(self, days: float) -> Inventory:
        """The same inventory with no certificates but those that have expired or will have in so many days."""
        return self._only(lambda item: item.expires_within(days))

    def needing_attention(self, days: float) -> Inventory:
        """The same inventory with no certificates but those that `needs_attention` is true of."""
        return self._only(lambda item: item.needs_attention(days))

    def _only(self, wanted: Callable[[InventoryItem], bool]) -> Inventory:
        items, authorities = filter(wanted, self.items), filter(wanted, self.authorities)
        return replace(self, items=tuple(items), authorities=tuple(authorities))

    def to_dict(self) -> dict[str, Any]:
        """The inventory as a document for JSON."""
        return {
            "at": instant(self.at),
            "certificates": [item.to_dict() for item in self.items],
            "authorities": [item.to_dict() for item in self.authorities],
            "locked": [{"path": each.path, "reason": each.reason} for each in self.locked],
            "unreadable": [{"path": each.path, "reason": each.reason} for each in self.unreadable],
        }


def instant(moment: datetime) -> str:
    """A time as ISO 8601 in UTC, to the second."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"
