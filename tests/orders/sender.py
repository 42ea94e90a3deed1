"""A book, a client and an emulator, with which one order after the other is sent, a single step at a time."""

from __future__ import annotations

import contextlib
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import (
    FileSecretStore,
    Lease,
    Order,
    OrderBook,
    OrderEvent,
    OrderRequest,
    OrderState,
    Service,
    WorkerRules,
)
from sectigo_iot.orders.secrets import PASSWORD, secret_name
from sectigo_iot.orders.steps.sending import send
from sectigo_iot.orders.work import Work
from tests.conftest import settings_for
from tests.orders.kept import kept_book

NAME = "vasp.example.com"
RULES = WorkerRules(first_wait=0.0, longest_wait=0.0)


class Clock:
    """The time, and how far it was moved ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Sender:
    """Places orders and sends them, one step at a time."""

    def __init__(self, book: OrderBook, client: IoTManager, emulator: Emulator, clock: Clock) -> None:
        self.book, self.emulator, self.clock = book, emulator, clock
        self.client: Service = client
        self.control = emulator.control
        self.told: list[OrderEvent] = []
        self._begun = self.control.journal()[-1]["number"] if self.control.journal() else 0

    def place(self, key: str = "vasp", *names: str, password: str | None = None, **wanted: Any) -> Order:
        """Place an order, by default from the profile that has licences."""
        wanted = {"profile": "CipherTrace EE", **wanted}
        return self.book.place(key, OrderRequest(names=names or (NAME,), **wanted), password=password)

    def work(self, seconds: float = 60.0) -> Work:
        """Take the lease of what is due next."""
        (lease,) = self.book.claim("sender", seconds=seconds)
        return self.work_of(lease)

    def work_of(self, lease: Lease) -> Work:
        return Work(self.book, self.client, RULES, lease, None, self.told.append, self.clock)

    def send(self) -> Order:
        """Take one step with the order that is due next, which has to be a planned one."""
        work = self.work()
        assert work.order.state is OrderState.PLANNED
        try:
            send(work)
        finally:
            self.book.release(work.lease)
        order = self.book.get(work.order.key)
        if order.state is OrderState.PLACED:
            # What comes next is not tried here, and shall not be in the way.
            work.wait(1e9)
        return order

    def ordered(self, *names: str, password: str | None = None, **wanted: Any) -> Order:
        """Place an order and take one step with it."""
        self.place("vasp", *names, password=password, **wanted)
        return self.send()

    def secret(self, key: str = "vasp", kind: str = "password") -> bytes | None:
        order = self.book.get(key)
        return self.book.secrets.get(secret_name(order.uid, kind, order.password_number if kind == PASSWORD else 0))

    def accepted(self, name: str = NAME) -> int:
        """How many orders for a name the service has accepted."""
        return int(self.control.orders(common_name=name)["accepted"])

    def requests(self) -> Counter[str]:
        """How many requests of each kind there were, log-ins not counted."""
        calls = Counter(each["call"] for each in self.control.journal(after=self._begun))
        del calls["authenticate"]
        return calls


@contextlib.contextmanager
def open_sender(emulator: Emulator, folder: Path, *, kept: bool = False, **settings: Any) -> Iterator[Sender]:
    """Give a sender with an empty book, at an emulator that is as it was at the start.

    `kept`: the book may be another test's, and its file somewhere else.
    """
    emulator.control.reset()
    emulator.control.clear_faults()
    clock = Clock()
    with (
        IoTManager(settings_for(emulator, **{"timeout": 5.0, **settings})) as client,
        _empty_book(folder / "book", clock, kept=kept) as book,
    ):
        yield Sender(book, client, emulator, clock)


def _empty_book(folder: Path, clock: Clock, *, kept: bool) -> contextlib.AbstractContextManager[OrderBook]:
    if kept:
        return kept_book(folder, secrets=FileSecretStore(folder / "secrets"), clock=clock)
    return OrderBook(folder / "orders.sqlite3", clock=clock)
