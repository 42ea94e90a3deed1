"""What the emulator remembers: balances, batches and certificates, in memory, behind one lock."""

from __future__ import annotations

import threading
import uuid
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace

from sectigo_iot.emulator.accounts import Account, Authority, Profile
from sectigo_iot.reasons import CRLReason


class NoBalanceError(Exception):
    """An order asks for more licences than are left."""


class AlreadyRevokedError(Exception):
    """A certificate is revoked a second time."""


class NotOnHoldError(Exception):
    """A hold is to be lifted that is not there."""


@dataclass(frozen=True, slots=True)
class Job:
    """What is to be issued: the parameters of one certificate, or signing requests in PEM."""

    parameters: Mapping[str, str] = field(default_factory=dict, repr=False)
    requests: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Batch:
    """One batch as it stands. `created` counts seconds since the epoch; `job` is dropped once it is done."""

    id: int
    order_number: int
    created: float
    authority: Authority
    name: str
    size: int
    status: str
    success: int = 0
    failed: int = 0
    reject_reason: str = ""
    archive: bytes | None = field(default=None, repr=False)
    job: Job = field(default_factory=Job, repr=False)
    unrevoked_status: str | None = None
    """The status that it goes back to if a revocation is lifted."""

    @property
    def profile(self) -> Profile:
        """The profile that it was ordered from."""
        return self.authority.profile


@dataclass(frozen=True, slots=True)
class Certificate:
    """One certificate that was issued. `revoked` is the time of its revocation, in seconds since the epoch."""

    device_id: str
    common_name: str
    serial: int
    created: float
    profile_id: int
    batch_id: int
    reason: CRLReason | None = None
    revoked: float | None = None


@dataclass(frozen=True, slots=True)
class Revocations:
    """What is revoked at a time, in seconds since the epoch, under a number that is greater each time."""

    number: int
    time: float
    certificates: tuple[Certificate, ...]


class State:
    """The memory of one account. Every method may be called from any thread."""

    def __init__(self, account: Account, balances: Mapping[int, int] | None, clock: Callable[[], float]) -> None:
        self.account = account
        self._clock = clock
        self._lock = threading.Lock()
        self._balances = {authority.id: authority.balance for authority in account.authorities} | dict(balances or {})
        self._ordered = account.ordered
        self._issued = account.issued
        self._batches: dict[int, Batch] = {}
        self._certificates: dict[int, Certificate] = {}
        self._by_name: dict[str, list[int]] = {}
        self._by_batch: dict[int, list[int]] = {}
        self._crl_number = 0

    def authority(self, authority_id: int) -> Authority | None:
        """Return the authority of this id."""
        return next((a for a in self.account.authorities if a.id == authority_id), None)

    def authority_of_profile(self, profile_id: int) -> Authority | None:
        """Return the authority that allows to order from this profile."""
        return next((a for a in self.account.authorities if a.profile.id == profile_id), None)

    def balance(self, authority_id: int) -> int:
        """Return the licences left."""
        return self._balances[authority_id]

    def licences(self) -> tuple[int, int]:
        """Return how many licences were ordered and how many are used."""
        with self._lock:
            return self._ordered, self._issued

    def open_batch(self, authority: Authority, name: str, size: int, status: str, job: Job) -> Batch:
        """Take the licences and return a new batch. Raises NoBalanceError, and then nothing is taken."""
        with self._lock:
            if self._balances[authority.id] < size:
                raise NoBalanceError
            self._balances[authority.id] -= size
            self._ordered += size
            index = len(self._batches)
            account = self.account
            number = account.first_batch + index
            batch = Batch(number, account.first_order + index, self._clock(), authority, name, size, status, job=job)
            self._batches[number] = batch
            return batch

    def batch(self, batch_id: int) -> Batch | None:
        """Return a batch as it stands now."""
        return self._batches.get(batch_id)

    def set_status(self, batch_id: int, status: str) -> None:
        """Move a batch to another status."""
        with self._lock:
            self._batches[batch_id] = replace(self._batches[batch_id], status=status)

    def finish(self, batch_id: int, issued: Iterable[tuple[str, int]], archive: bytes) -> None:
        """Make a batch ready: `issued` are the common names and serial numbers, `archive` what is downloaded.

        The licences count as used from now on.
        """
        with self._lock:
            batch = self._batches[batch_id]
            serials = [self._add(batch, name, serial) for name, serial in issued]
            self._by_batch[batch_id] = serials
            self._issued += len(serials)
            self._batches[batch_id] = replace(
                batch, status="READY_FOR_DOWNLOAD", success=len(serials), archive=archive, job=Job()
            )

    def fail(self, batch_id: int, status: str, reason: str) -> None:
        """End a batch without a certificate. Its licences are given back, since only a success spends one."""
        with self._lock:
            batch = self._batches[batch_id]
            self._balances[batch.authority.id] += batch.size
            self._ordered -= batch.size
            self._batches[batch_id] = replace(
                batch, status=status, reject_reason=reason, failed=batch.size, job=Job()
            )

    def collect(self, batch_id: int) -> None:
        """Note that a batch was downloaded."""
        with self._lock:
            batch = self._batches[batch_id]
            if batch.status == "READY_FOR_DOWNLOAD":
                self._batches[batch_id] = replace(batch, status="COLLECTED")

    def certificate(self, serial: int) -> Certificate | None:
        """Return the certificate of this serial number."""
        return self._certificates.get(serial)

    def find(self, common_name: str | None, serial: int | None) -> list[Certificate]:
        """Return the certificates that match every criterion given, oldest first; names match in any case."""
        with self._lock:
            if common_name is not None:
                serials = self._by_name.get(common_name.casefold(), [])
            else:
                serials = [] if serial is None else [serial]
            found = [self._certificates[each] for each in serials if each in self._certificates]
        return [each for each in found if serial is None or each.serial == serial]

    def revoke(self, serial: int, reason: CRLReason, *, again: bool) -> None:
        """Revoke a certificate; a batch all of whose certificates are revoked is revoked with them.

        `removeFromCRL` lifts a `certificateHold`; raises NotOnHoldError where there is none. Raises
        AlreadyRevokedError unless `again` allows it.
        """
        with self._lock:
            certificate = self._certificates[serial]
            held = certificate.reason is CRLReason.certificateHold
            lifted = reason is CRLReason.removeFromCRL
            if lifted and not held:
                raise NotOnHoldError
            if certificate.revoked is not None and not held and not again:
                raise AlreadyRevokedError
            self._certificates[serial] = replace(
                certificate, reason=None if lifted else reason, revoked=None if lifted else self._clock()
            )
            self._follow_revocation(certificate.batch_id)

    def revocations(self) -> Revocations:
        """Return what is revoked now. The number comes from the time, so that it also rises from run to run."""
        with self._lock:
            now = self._clock()
            self._crl_number = max(self._crl_number + 1, int(now * 1000))
            revoked = tuple(each for each in self._certificates.values() if each.revoked is not None)
            return Revocations(self._crl_number, now, revoked)

    def _add(self, batch: Batch, name: str, serial: int) -> int:
        device = str(uuid.uuid4())
        self._certificates[serial] = Certificate(device, name, serial, self._clock(), batch.profile.id, batch.id)
        self._by_name.setdefault(name.casefold(), []).append(serial)
        return serial

    def _follow_revocation(self, batch_id: int) -> None:
        batch = self._batches[batch_id]
        gone = all(self._certificates[each].revoked is not None for each in self._by_batch[batch_id])
        if gone and batch.unrevoked_status is None:
            self._batches[batch_id] = replace(batch, status="REVOKED", unrevoked_status=batch.status)
        elif not gone and batch.unrevoked_status is not None:
            self._batches[batch_id] = replace(batch, status=batch.unrevoked_status, unrevoked_status=None)
