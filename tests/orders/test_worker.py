"""The worker: it carries every order, ends when it is told to, and is not held up by any one of them."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from sectigo_iot.errors import InvalidInputError, OrderBookError
from sectigo_iot.orders import (
    Bundle,
    Lease,
    MemorySecretStore,
    Order,
    OrderBook,
    OrderEvent,
    OrderRequest,
    OrderState,
    OrderWorker,
)
from sectigo_iot.orders.keeping import Keeper
from sectigo_iot.orders.steps.handlers import HANDLERS
from sectigo_iot.orders.work import Work
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.orders.desk import Desk
from tests.orders.postgres import Postgres
from tests.orders.processes import LEASE, RULES, TIMEOUT, until

Make = Callable[..., OrderWorker]


@pytest.fixture
def book(tmp_path: Path) -> Iterator[OrderBook]:
    with OrderBook(tmp_path / "orders.sqlite3") as opened:
        yield opened


@pytest.fixture
def client(emulator: Emulator) -> Iterator[IoTManager]:
    with IoTManager(settings_for(emulator, timeout=5.0)) as manager:
        yield manager


@pytest.fixture
def hasty(emulator: Emulator) -> Iterator[IoTManager]:
    """A client for tests in which a lease has to run out: on a busy machine a request may take longer than it has."""
    with IoTManager(settings_for(emulator, timeout=TIMEOUT)) as manager:
        yield manager


@pytest.fixture
def worker(book: OrderBook, client: IoTManager) -> Make:
    def make(**changes: Any) -> OrderWorker:
        wanted = {"rules": RULES, "threads": 2, **changes}
        return OrderWorker(book, wanted.pop("client", client), **wanted)

    return make


def place(book: OrderBook, count: int) -> list[str]:
    """Place orders for signing requests, and return their keys."""
    names = [f"vasp-{number}.example.com" for number in range(count)]
    for name in names:
        book.place(name, OrderRequest(names=(name,), csr=request(name), authority=423))
    return names


def states(book: OrderBook) -> set[OrderState]:
    return {order.state for order in book.find(limit=1000)}


class Deliveries:
    """Keeps what was delivered, by key."""

    def __init__(self, then: Callable[[Order], object] = lambda _: None) -> None:
        self.keys: list[str] = []
        self._then = then

    def __call__(self, order: Order, bundle: Bundle) -> None:
        assert bundle.archive.startswith(b"PK")
        self.keys.append(order.key)
        self._then(order)


def test_every_state_has_a_handler() -> None:
    assert set(HANDLERS) == set(OrderState)


def test_threads_carry_all_orders_until_none_is_on_its_way(book: OrderBook, worker: Make, emulator: Emulator) -> None:
    names, delivered = place(book, 6), Deliveries()
    made = "made-there.example.com"
    book.place(made, OrderRequest(names=(made,), authority=423))
    worker(deliver=delivered, threads=4).run(until_idle=True)
    assert sorted(delivered.keys) == sorted([*names, made])
    assert states(book) == {OrderState.DELIVERED}
    assert emulator.control.orders()["accepted"] == 7
    assert emulator.control.doubled() == emulator.control.unfetched() == []


def test_steps_carry_one_order_each_in_the_callers_thread(book: OrderBook, worker: Make) -> None:
    place(book, 2)
    threads: set[str] = set()
    stepping = worker(deliver=Deliveries(lambda _: threads.add(threading.current_thread().name)))
    assert stepping.step().carried == 1
    until(lambda: stepping.step() == (0, None))
    assert (states(book), threads) == ({OrderState.DELIVERED}, {threading.current_thread().name})


def test_a_step_says_when_the_next_is_due(book: OrderBook, worker: Make, emulator: Emulator) -> None:
    emulator.control.next_life("stuck")
    place(book, 1)
    report = worker().step()
    assert report.carried == 1
    assert report.next_due is not None
    assert 0 < report.next_due - time.time() + 1 < 3


def test_a_step_takes_the_orders_alone_that_it_may(book: OrderBook, worker: Make) -> None:
    first, second = place(book, 2)
    stepping = worker(keys=lambda: [second])
    until(lambda: stepping.step(limit=2) == (0, None))
    assert (book.get(second).state, book.get(first).state) == (OrderState.DELIVERED, OrderState.PLANNED)
    assert worker(keys=list).step() == (0, None), "none at all, which is not all"


def test_asyncio_lets_it_run_in_a_thread(book: OrderBook, worker: Make) -> None:
    async def serve() -> int:
        running = worker()
        task = asyncio.create_task(asyncio.to_thread(running.run))
        beats = 0
        try:
            while states(book) != {OrderState.DELIVERED}:
                beats += 1
                await asyncio.sleep(0.02)
        finally:
            running.stop()
            await task
        return beats

    place(book, 2)
    assert asyncio.run(asyncio.wait_for(serve(), 20)) > 1


def test_what_is_placed_meanwhile_is_carried(book: OrderBook, worker: Make) -> None:
    running = worker()
    thread = threading.Thread(target=running.run)
    thread.start()
    place(book, 1)
    until(lambda: states(book) == {OrderState.DELIVERED})
    running.stop()
    thread.join(5)
    assert not thread.is_alive()


def test_an_interrupt_ends_it_and_leaves_every_order_free(book: OrderBook, worker: Make) -> None:
    def interrupt(event: OrderEvent) -> None:
        if event.new is OrderState.PLACED:
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(0.1)

    names = place(book, 3)
    with pytest.raises(KeyboardInterrupt):
        worker(on_event=interrupt, threads=1).run()
    leases = book.claim("next", seconds=5, limit=9)
    assert sorted(lease.order.key for lease in leases) == sorted(names)
    assert leases[0].order.state is OrderState.PLACED


def test_an_order_that_was_left_about_to_be_sent_is_told(book: OrderBook, worker: Make) -> None:
    (name,) = place(book, 1)
    (lease,) = book.claim("killed", seconds=5)
    assert book.begin_sending(lease, authority_id=423, profile_id=423, seconds=1, balance=None)
    book.release(lease)
    told: list[OrderEvent] = []
    worker(on_event=told.append).run(until_idle=True)
    assert [(told[0].key, told[0].old, told[0].new)] == [(name, OrderState.ORDERING, OrderState.UNKNOWN)]
    assert [event.kind for event in told].count("state") == 1
    assert book.get(name).attention is not None


def test_a_callback_that_fails_is_logged_and_passed_over(
    book: OrderBook, worker: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(event: OrderEvent) -> None:
        raise ValueError(event.key)

    place(book, 1)
    worker(on_event=fail).run(until_idle=True)
    assert states(book) == {OrderState.DELIVERED}
    assert "on_event failed" in caplog.text


class Faulty:
    """A client with an error of the program in it, met by the first batch."""

    def __init__(self, client: IoTManager) -> None:
        self._client = client
        self._first: int | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def look(self, batch_id: int) -> Any:
        self._first = self._first or batch_id
        if batch_id == self._first:
            raise ZeroDivisionError("a secret may stand here")
        return self._client.look(batch_id)


def test_an_error_of_the_program_is_told_and_holds_up_no_other_order(
    book: OrderBook, worker: Make, client: IoTManager, caplog: pytest.LogCaptureFixture
) -> None:
    place(book, 3)
    told: list[OrderEvent] = []
    worker(client=Faulty(client), threads=1, on_event=told.append).run(until_idle=True)
    (stuck,) = book.find(attention=True)
    assert stuck.state is OrderState.PLACED
    assert stuck.attention == "an error of the program, in state placed: ZeroDivisionError"
    assert [event.reason for event in told if event.kind == "attention"] == [stuck.attention]
    assert "ZeroDivisionError" in caplog.text
    assert [order.state for order in book.find() if order.key != stuck.key] == [OrderState.DELIVERED] * 2


def test_a_delivery_that_ends_its_thread_has_only_failed(
    book: OrderBook, worker: Make, caplog: pytest.LogCaptureFixture
) -> None:
    def leave(order: Order) -> None:
        if delivered.keys.count(order.key) == 1:
            raise SystemExit(3)

    delivered = Deliveries(leave)
    place(book, 2)
    worker(deliver=delivered, threads=1).run(until_idle=True)
    assert states(book) == {OrderState.DELIVERED}
    assert sorted(delivered.keys) == sorted(order.key for order in book.find() for _ in range(2))
    assert "not delivered: SystemExit: 3" in caplog.text


def test_a_delivery_that_outlasts_the_lease_is_not_made_twice(
    book: OrderBook, worker: Make, tmp_path: Path, hasty: IoTManager
) -> None:
    place(book, 1)
    delivered = Deliveries(lambda _: time.sleep(1.1 * LEASE))
    with OrderBook(tmp_path / "orders.sqlite3") as same:
        other = OrderWorker(same, hasty, deliver=delivered, rules=RULES, lease_seconds=LEASE)
        thread = threading.Thread(target=other.run, kwargs={"until_idle": True})
        thread.start()
        worker(deliver=delivered, client=hasty, lease_seconds=LEASE).run(until_idle=True)
        thread.join()
    assert (len(delivered.keys), states(book)) == (1, {OrderState.DELIVERED})


class Away(OrderBook):
    """A book that is away for a while."""

    faults: list[OrderBookError]

    def claim(self, *args: Any, **more: Any) -> list[Lease]:
        if self.faults:
            raise self.faults.pop()
        return super().claim(*args, **more)


@pytest.fixture
def away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Away]:
    monkeypatch.setattr("sectigo_iot.orders.supply.FIRST_PAUSE", 0.05)
    with Away(tmp_path / "orders.sqlite3") as book:
        place(book, 1)
        yield book


def test_a_book_that_is_away_is_waited_for(away: Away, client: IoTManager, caplog: pytest.LogCaptureFixture) -> None:
    away.faults = [OrderBookError("no connection", passes=True)] * 3
    OrderWorker(away, client, rules=RULES).run(until_idle=True)
    assert states(away) == {OrderState.DELIVERED}
    assert caplog.text.count("the order book is away: no connection") == 3


def test_a_server_that_goes_away_in_mid_step_is_waited_for(
    postgres: Postgres, hasty: IoTManager, monkeypatch: pytest.MonkeyPatch, emulator: Emulator
) -> None:
    monkeypatch.setattr("sectigo_iot.orders.supply.FIRST_PAUSE", 0.1)
    fetched, back = threading.Event(), threading.Event()

    def deliver(order: Order, bundle: Bundle) -> None:
        fetched.set()
        back.wait(20)

    with OrderBook(postgres.url(postgres.new_database()), secrets=MemorySecretStore()) as book:
        place(book, 4)
        worker = OrderWorker(book, hasty, deliver=deliver, rules=RULES, threads=2, lease_seconds=LEASE)
        thread = threading.Thread(target=worker.run, kwargs={"until_idle": True})
        thread.start()
        assert fetched.wait(20)
        postgres.stop()
        back.set()
        time.sleep(0.2)
        postgres.start()
        thread.join(20)
        assert states(book) == {OrderState.DELIVERED}
    assert emulator.control.orders()["accepted"] == 4


def test_a_book_of_no_use_ends_it(away: Away, client: IoTManager) -> None:
    away.faults = [OrderBookError("damaged")]
    with pytest.raises(OrderBookError, match="damaged"):
        OrderWorker(away, client, rules=RULES).run()
    until(lambda: not [thread for thread in threading.enumerate() if thread.name.startswith("orders-")], 5)


def test_finished_orders_go_to_the_archive_in_time(
    book: OrderBook, worker: Make, caplog: pytest.LogCaptureFixture
) -> None:
    (name,) = place(book, 1)
    worker().run(until_idle=True)
    worker(archive_after=3600).run(until_idle=True)
    assert [order.key for order in book.find()] == [name]
    with caplog.at_level(logging.INFO):
        worker(archive_after=0).run(until_idle=True)
    assert book.find() == ()
    assert book.get(name).state is OrderState.DELIVERED
    assert "1 orders went to the archive" in caplog.text


@pytest.mark.parametrize("wrong", [{"threads": 0}, {"lease_seconds": 0.9}])
def test_what_makes_no_sense_is_refused(worker: Make, wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidInputError):
        worker(**wrong)


def test_stop_before_run_ends_it_at_once(book: OrderBook, worker: Make) -> None:
    place(book, 1)
    running = worker()
    running.stop()
    running.run()
    assert states(book) == {OrderState.PLANNED}


def test_the_name_tells_machine_and_process(worker: Make) -> None:
    assert f"-{os.getpid()}-" in worker().name
    with contextlib.suppress(NotImplementedError):
        assert "OrderWorker" in repr(worker(name="one"))


def test_a_step_that_does_not_end_is_told_and_kept(
    book: OrderBook,
    worker: Make,
    hasty: IoTManager,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
) -> None:
    monkeypatch.setattr("sectigo_iot.orders.keeping.LONG", 0.0)
    place(book, 1)
    (order,) = book.find()
    told: list[str | None] = []

    def hang(_: Order) -> None:
        until(lambda: book.get(order.key).attention is not None)
        told.append(book.get(order.key).attention)

    delivered = Deliveries(hang)
    worker(deliver=delivered, client=hasty, lease_seconds=LEASE).run(until_idle=True)
    assert told[0] is not None
    assert "does not end" in told[0]
    assert "does not end" in caplog.text
    assert (len(delivered.keys), book.get(order.key).attention, states(book)) == (1, None, {OrderState.DELIVERED})


def test_what_is_told_of_a_step_that_does_not_end_leaves_it_what_it_knows(
    book: OrderBook, client: IoTManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends while that is written down, and what was read before would be gone on with: delivered twice."""
    monkeypatch.setattr("sectigo_iot.orders.keeping.LONG", 0.0)
    place(book, 1)
    (lease,) = book.claim("slow", seconds=60)
    heard: list[OrderEvent] = []
    change, told = book.change, threading.Event()

    def late(of: Lease, *arguments: Any, **fields: Any) -> None:
        change(of, *arguments, **fields)
        if "attention" in fields:
            told.set()

    monkeypatch.setattr(book, "change", late)
    keeper, before = Keeper(book, 0.1), lease.order
    with keeper.holding(Work(book, client, RULES, lease, None, heard.append, time.time)):
        assert told.wait(10)
    keeper.end()
    assert lease.order is before
    assert [event.kind for event in heard] == ["attention"]
    assert book.get(before.key).attention is not None


def test_what_is_told_of_a_step_that_has_ended_meanwhile_is_taken_back(
    book: OrderBook, worker: Make, hasty: IoTManager, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else it would stand there for good: the order is delivered, and nothing comes that takes it away."""
    monkeypatch.setattr("sectigo_iot.orders.keeping.LONG", 0.0)
    (name,) = place(book, 1)
    said, remark, written = threading.Event(), book.remark, []

    def slow(lease: Lease, kind: str, what: str) -> None:
        remark(lease, kind, what)
        if "does not end" in what and lease.order.state is OrderState.FETCHED:
            said.set()
            until(lambda: book.get(name).state is OrderState.DELIVERED)
            written.append(what)

    monkeypatch.setattr(book, "remark", slow)
    carrying = worker(deliver=Deliveries(lambda _: said.wait(10)), client=hasty, lease_seconds=2 * LEASE)
    carrying.run(until_idle=True)
    order = book.get(name)
    assert written
    assert (order.state, order.attention) == (OrderState.DELIVERED, None)


def test_stop_within_a_step_leaves_the_other_orders_to_others(desk: Desk) -> None:
    for number in range(3):
        desk.put(f"vasp-{number}", until=OrderState.FETCHED)
    for number in range(3):
        desk.book.retry(f"vasp-{number}")
    stepping = OrderWorker(desk.book, desk.client, deliver=lambda *_: stepping.stop(), clock=desk.clock)
    assert stepping.step(limit=5).carried == 1
    assert desk.book.counts()[OrderState.DELIVERED] == 1
    left = desk.book.claim("another", seconds=60, limit=5)
    assert [lease.order.state for lease in left] == [OrderState.FETCHED] * 2


class Stopping(MemorySecretStore):
    """Secrets that stop a worker when the first is removed."""

    worker: OrderWorker | None = None

    def __init__(self) -> None:
        super().__init__()
        self.removed: set[str] = set()

    def remove(self, name: str) -> None:
        self.removed.add(name.partition(".")[0])
        if self.worker is not None:
            self.worker.stop()
        super().remove(name)


def test_stop_while_orders_go_to_the_archive_ends_it_after_this_one(client: IoTManager, tmp_path: Path) -> None:
    secrets = Stopping()
    with OrderBook(tmp_path / "orders.sqlite3", secrets=secrets) as book:
        for name in place(book, 5):
            book.cancel(name, "not wanted")
        secrets.worker = OrderWorker(book, client, archive_after=0.0)
        secrets.worker.run()
        assert len(secrets.removed) == 1
        secrets.worker = None
        OrderWorker(book, client, archive_after=0.0).run(until_idle=True)
        assert len(secrets.removed) == 5
