"""The certificates that were issued: found by name and number, revoked, and listed for whoever relies on them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping

from msgspec.structs import replace

from sectigo_iot.emulator.memory.entities import Certificate
from sectigo_iot.emulator.memory.records import Records
from sectigo_iot.reasons import CRLReason


class AlreadyRevokedError(Exception):
    """A certificate is revoked a second time."""


class NotOnHoldError(Exception):
    """A hold is to be lifted that is not there, or that is for ever."""


class Registry:
    """Every certificate, by serial number."""

    def __init__(self, records: Records, clock: Callable[[], float]) -> None:
        self._records = records
        self._clock = clock
        self._by_name: dict[str, dict[int, None]] = {}
        self._by_batch: dict[int, dict[int, None]] = {}
        self.reindex()

    def reindex(self) -> None:
        """Build the indices anew, after the tables were restored."""
        self._by_name, self._by_batch = {}, {}
        for each in self.all():
            self._index(each)

    def all(self) -> list[Certificate]:
        """Return every certificate, oldest first."""
        return list(self._records.table("certificates").values())

    def add(self, certificates: Iterable[Certificate]) -> None:
        """Note certificates that were issued."""
        with self._records.change():
            for each in certificates:
                self._records.put("certificates", each.serial, each)
                self._index(each)

    def certificate(self, serial: int) -> Certificate | None:
        """Return the certificate of this serial number."""
        return self._records.table("certificates").get(serial)

    def named(self, common_name: str) -> list[Certificate]:
        """Return the certificates of this common name, in any case, oldest first."""
        return self._those(self._by_name.get(common_name.casefold(), {}))

    def of_batch(self, batch_id: int) -> list[Certificate]:
        """Return the certificates of a batch."""
        return self._those(self._by_batch.get(batch_id, {}))

    def revoked(self) -> list[Certificate]:
        """Return the certificates that are revoked now."""
        return [each for each in self.all() if each.revoked is not None]

    def revoke(self, serial: int, reason: CRLReason, *, again: bool, lifts: bool) -> Certificate:
        """Revoke a certificate, or lift its hold, and return it as it is then.

        `removeFromCRL` lifts a `certificateHold`; raises NotOnHoldError where there is none, and always unless
        `lifts`. One that is revoked for ever stays so, with its first date and reason: where `again` allows it
        nothing happens, otherwise it raises AlreadyRevokedError.
        """
        certificate: Certificate = self._records.table("certificates")[serial]
        held = certificate.reason is CRLReason.certificateHold
        lifted = reason is CRLReason.removeFromCRL
        if lifted and not (held and lifts):
            raise NotOnHoldError
        if certificate.revoked is not None and (not held or reason is CRLReason.certificateHold):
            if not again:
                raise AlreadyRevokedError
            return certificate
        now = None if lifted else self._clock()
        changed = replace(certificate, reason=None if lifted else reason, revoked=now)
        with self._records.change():
            self._records.put("certificates", serial, changed)
        return changed

    def next_crl_number(self) -> int:
        """Return a number greater than any before, also after a restart without memory: it comes from the time."""
        number = max(int(self._records.table("numbers").get("crl", 0)) + 1, int(self._clock() * 1000))
        with self._records.change():
            self._records.put("numbers", "crl", number)
        return number

    @property
    def age(self) -> int:
        """How often everything was put back: batch ids begin anew each time, serial numbers must not."""
        return int(self._records.table("numbers").get("age", 0))

    def numbers_after(self, numbers: Mapping[str, float]) -> dict[str, float]:
        """Return the numbers of an earlier moment as they are once everything is put back to it.

        What a CA may not give twice goes on: CRL numbers, and the age that serial numbers depend on.
        """
        kept = {name: value for name, value in self._records.table("numbers").items() if name == "crl"}
        return {**numbers, **kept, "age": self.age + 1}

    def _index(self, certificate: Certificate) -> None:
        # What is added again, after it could not be kept the first time, stands here once.
        self._by_name.setdefault(certificate.common_name.casefold(), {})[certificate.serial] = None
        self._by_batch.setdefault(certificate.batch_id, {})[certificate.serial] = None

    def _those(self, serials: Iterable[int]) -> list[Certificate]:
        table = self._records.table("certificates")
        return [table[each] for each in serials if each in table]
