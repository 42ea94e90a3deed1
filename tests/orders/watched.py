"""A book, its secrets and the line to the service as each worker has them, all of whose doings are seen."""

from __future__ import annotations

import contextlib
import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from types import SimpleNamespace
from typing import Any

from sectigo_iot import IoTManager
from sectigo_iot.errors import APIError, OutcomeUnknownError, UnreachableError
from sectigo_iot.orders import Lease, MemorySecretStore, OrderBook, lease
from sectigo_iot.statuses import Param
from tests.orders.desk import Clock, swapped
from tests.orders.moments import Moments

UNDER_LEASE = ("renew_lease", "change", "remark", "begin_sending")
WRITTEN = ("claim", "release", *UNDER_LEASE, "record_batch", "record_unsent", "plan_renewal")
"""What of a book writes. Whoever does it can be struck before and after."""


LATEST = 1500.0
"""Seconds for which an order is under way at the longest: fewer than it is given to settle."""


class Grants:
    """Which leases were granted, and what was wrong about it."""

    def __init__(self) -> None:
        self.faults: list[str] = []
        self._newest: dict[str, Lease] = {}
        self._holds: dict[str, Lease] = {}

    def granted(self, lease: Lease) -> None:
        """Note a lease. Nobody else may have one on the same order that lasts still."""
        uid = lease.order.uid
        before = self._holds.get(uid)
        if before is not None and before.left() > 0:
            self.faults.append(f"{lease} was granted while there is {before}")
        self._newest[uid] = self._holds[uid] = lease

    def used(self, lease: Lease) -> None:
        """Note that something was written under a lease. Nobody may have got another one on the order since."""
        newest = self._newest.get(lease.order.uid)
        if newest is not None and newest is not lease and newest.number >= lease.number:
            self.faults.append(f"{lease} is good for writing although there is {newest}")

    def given_back(self, lease: Lease) -> None:
        """Note that whoever had it needs it no more."""
        if self._holds.get(lease.order.uid) is lease:
            del self._holds[lease.order.uid]

    def broken(self, uid: str) -> None:
        """Note that somebody has decided what becomes of the order, whoever was at it."""
        self._holds.pop(uid, None)


class WatchedBook(OrderBook):
    """A book whose users are seen, and can be struck before and after everything that is written."""

    moments = Moments()
    grants = Grants()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        if name not in WRITTEN:
            return found
        return self.moments.around(name, self.seen(name, found), f"{name} done")

    def seen(self, name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        """Return a call that tells the grants what came of it."""

        def told(*words: Any, **named: Any) -> Any:
            result = call(*words, **named)
            if name == "claim":
                for each in result:
                    self.grants.granted(each)
            elif name in UNDER_LEASE:
                self.grants.used(words[0])
            elif name == "release":
                self.grants.given_back(words[0])
            elif name == "record_unsent":
                self.grants.broken(words[0])
            return result

        return told


class WatchedSecrets(MemorySecretStore):
    """Secrets of which whoever keeps one can be struck before and after."""

    def __init__(self, moments: Moments) -> None:
        super().__init__()
        self._moments = moments

    def put(self, name: str, value: bytes) -> None:
        self._moments.around("put", super().put, "put done")(name, value)

    def remove(self, name: str) -> None:
        self._moments.around("remove", super().remove, "remove done")(name)


class Wire:
    """What the service has got, under which names, with which passwords, and what is under way to it still."""

    def __init__(self) -> None:
        self.accepted: defaultdict[str, list[int]] = defaultdict(list)
        self.passwords: dict[int, str] = {}
        self._late: list[tuple[float, str, Callable[[], Any], Mapping[str, str]]] = []
        self._now = 0.0

    def carry_out(self, name: str, call: Callable[[], Any], params: Mapping[str, str]) -> Any:
        """Have the service carry out an order now."""
        batch = call()
        self.accepted[name].append(batch.batch_id)
        if Param.PKCS12_PASSWORD in params:
            self.passwords[batch.batch_id] = params[Param.PKCS12_PASSWORD]
        return batch

    def delay(self, name: str, call: Callable[[], Any], params: Mapping[str, str]) -> None:
        """Have an order arrive later."""
        self._late.append((self._now + LATEST, name, call, params))

    def pass_time(self, seconds: float) -> None:
        """Let time pass. What would be under way for too long arrives first."""
        self._now += seconds
        self.arrive(self._now)

    def arrive(self, until: float | None = None) -> None:
        """Carry out what is still under way, or what has to have arrived by then."""
        while self._late and (until is None or self._late[0][0] < until):
            _, name, call, params = self._late.pop(0)
            self.carry_out(name, call, params)

    def batches(self, name: str | None) -> list[int]:
        """Return the batches that the service made under a name."""
        return self.accepted.get(str(name), [])

    def under_way(self, name: str) -> bool:
        """Whether an order of that name is yet to arrive."""
        return any(each == name for _, each, *_ in self._late)


class Line:
    """The line of one worker to the service: carries calls, and loses what it is told to lose of the next order."""

    def __init__(self, client: IoTManager, wire: Wire, moments: Moments) -> None:
        self._client, self._wire, self._moments = client, wire, moments
        self.settings = client.settings
        self.fate, self.down = "fine", False

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._client, name)
        if name in ("create_single_cert_batch", "upload_csr_batch"):
            return lambda *words, **named: self._order(call, words, **named)
        read = (
            self._revoke
            if name == "revoke_certificate"
            else lambda *words, **named: self._read(call, *words, **named)
        )
        return self._moments.around("asking", read, "answered")

    def _read(self, call: Callable[..., Any], *words: Any, **named: Any) -> Any:
        if self.down:
            raise UnreachableError("nobody there")
        return call(*words, **named)

    def _revoke(self, *words: Any) -> None:
        fate, self.fate = self.fate, "fine"
        if fate in ("fine", "lost"):
            self._client.revoke_certificate(*words)
        if fate != "fine":
            raise OutcomeUnknownError("no answer")

    def _order(self, call: Callable[..., Any], words: tuple[Any, ...], *, before_send: Callable[[], None]) -> Any:
        fate, self.fate = self.fate, "fine"
        self._moments.here("connecting")
        if fate == "unreachable" or self.down:
            raise UnreachableError("nobody there")
        self._moments.here("gate")
        before_send()
        batch = self._sent(fate, str(words[1]).removesuffix(".csr"), lambda: call(*words), words[-1])
        self._moments.here("sent")
        if fate == "refused":
            raise APIError(400, "not like this")
        if batch is None or fate == "lost":
            raise OutcomeUnknownError("no answer")
        return batch

    def _sent(self, fate: str, name: str, call: Callable[[], Any], params: Mapping[str, str]) -> Any:
        if fate in ("never", "refused"):
            return None
        if fate == "late":
            self._wire.delay(name, call, params)
            return None
        return self._wire.carry_out(name, call, params)


@contextlib.contextmanager
def boot_clock() -> Iterator[Clock]:
    """Give the clock by which leases are counted, that of this machine's start, to be moved by hand."""
    clock = Clock()
    moved = SimpleNamespace(clock_gettime=lambda which: time.clock_gettime(which) + clock.ahead)
    with swapped(lease, "time", moved):
        yield clock
