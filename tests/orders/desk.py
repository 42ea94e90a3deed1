"""A book, a worker and an emulator that share one clock, which is moved by hand."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import (
    Bundle,
    MemorySecretStore,
    Order,
    OrderBook,
    OrderEvent,
    OrderRequest,
    OrderState,
    OrderWorker,
    WorkerRules,
)
from sectigo_iot.orders.lease import boot_time
from sectigo_iot.orders.states import FINISHED
from sectigo_iot.orders.store import engine
from tests.conftest import settings_for
from tests.orders.kept import kept_book

DAY = 86_400.0
PASSWORD = "correct horse battery"
AUTHORITY = 423


class Desk:
    """Where orders are placed and carried, and how far the time is."""

    def __init__(self, book: OrderBook, client: IoTManager, emulator: Emulator, clock: Clock) -> None:
        self.book, self.client, self.emulator, self.clock = book, client, emulator, clock
        self.control = emulator.control
        self.rules = WorkerRules()
        self.told: list[OrderEvent] = []
        self.delivered: list[tuple[Order, Bundle]] = []
        self.deliver: Callable[[Order, Bundle], None] | None = lambda *what: self.delivered.append(what)

    def place(self, key: str = "vasp", *names: str, private_key: bytes | None = None, **wanted: Any) -> Order:
        """Place an order from the authority that has licences."""
        request = OrderRequest(names=names or ("vasp.example.com",), authority=AUTHORITY, **wanted)
        password = None if request.csr else PASSWORD
        return self.book.place(key, request, password=password, private_key=private_key)

    def step(self) -> None:
        """Carry what is due now as far as it goes now."""
        worker = OrderWorker(
            self.book,
            self.client,
            deliver=self.deliver,
            on_event=self.told.append,
            rules=self.rules,
            name="desk",
            clock=self.clock,
        )
        worker.step(limit=10)

    def wait(self, seconds: float) -> None:
        """Let time pass, for everybody."""
        self.clock.ahead += seconds
        self.control.advance(seconds)

    def carry(self, key: str = "vasp", *until: OrderState, times: int = 50) -> Order:
        """Carry an order, and let time pass to when it is due next, until it is in a state; return it."""
        for _ in range(times):
            self.step()
            order = self.book.get(key)
            if order.state in until or order.next_at is None:
                return order
            self.wait(max(order.next_at - self.clock(), 0.0) + 0.01)
        raise AssertionError(f"{order.state}: {order.reason}; {order.attention}")

    def put(self, key: str = "vasp", *names: str, until: OrderState, **wanted: Any) -> Order:
        """Place an order, and carry it until it is in a state; what stands behind that is not done."""
        self.place(key, *names, **wanted)
        return self.halted(key, until)

    def halted(self, key: str, until: OrderState) -> Order:
        """Carry an order to a state, and no step further."""
        from sectigo_iot.orders.steps import handlers

        real = handlers.HANDLERS
        still = {**real, until: handlers.rest}
        with swapped(handlers, "HANDLERS", still):
            order = self.carry(key, until)
        assert order.state is until, (order.state, order.reason)
        return order if until in FINISHED else self.book.retry(key)

    def reasons(self, key: str = "vasp", kind: str = "state") -> list[str]:
        """Return what the history says, by its kind."""
        return [event.reason for event in self.book.history(key) if event.kind == kind]

    def secret(self, key: str, kind: str) -> bytes | None:
        """Return what is kept for an order."""
        order = self.book.get(key)
        number = {"zip": order.batch_id, "password": order.password_number}.get(kind)
        return self.book.secrets.get(f"{order.uid}.{kind}{number or ''}")


class Clock:
    """The time, and how far it was moved."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


@contextlib.contextmanager
def swapped(place: Any, name: str, value: object) -> Iterator[None]:
    """Have something else stand there for the block."""
    before = getattr(place, name)
    setattr(place, name, value)
    try:
        yield
    finally:
        setattr(place, name, before)


@contextlib.contextmanager
def open_desk(folder: Path, **options: Any) -> Iterator[Desk]:
    """Open a desk with an empty book and a new emulator."""
    clock = Clock()
    with contextlib.ExitStack() as held:
        emulator = held.enter_context(Emulator(**options))
        client = held.enter_context(IoTManager(settings_for(emulator, timeout=5.0), clock=clock))
        # The clock by which leases are counted, as the book reads it, goes on with the other.
        held.enter_context(swapped(engine, "boot_time", lambda: boot_time() + clock.ahead))
        book = held.enter_context(kept_book(folder, secrets=MemorySecretStore(), clock=clock))
        yield Desk(book, client, emulator, clock)
