"""F3, F4 and F7 of the ways to fail: deadlines of the book, two replicas, one hung connection."""

from __future__ import annotations

import threading
import time
from pathlib import Path

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import OrderBook, OrderRequest, OrderState, OrderWorker
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.orders.processes import RULES, until


def place(book: OrderBook, count: int, host: str = "vasp") -> None:
    for number in range(count):
        name = f"{host}-{number}.example.com"
        book.place(name, OrderRequest(names=(name,), csr=request(name), authority=423))


def states(book: OrderBook) -> set[OrderState]:
    return {order.state for order in book.find(limit=1000)}


def test_f03_no_deadline_of_the_book_runs_while_the_service_is_asked(tmp_path: Path, emulator: Emulator) -> None:
    """The book is free for others while a request is on its way, and what came of it is saved all the same."""
    emulator.control.queue_fault("late-reply", calls=("upload",), seconds=0.6)
    path = tmp_path / "orders.sqlite3"
    with OrderBook(path) as book, OrderBook(path) as other, IoTManager(settings_for(emulator)) as client:
        place(book, 1)
        thread = threading.Thread(target=OrderWorker(book, client, rules=RULES).run, kwargs={"until_idle": True})
        thread.start()
        until(lambda: bool(emulator.control.batches()))
        began = time.monotonic()
        place(other, 3, "meanwhile")
        assert time.monotonic() - began < 0.5
        assert other.get("vasp-0.example.com").state is OrderState.ORDERING
        thread.join()
        assert states(book) == {OrderState.DELIVERED}
    assert emulator.control.orders()["accepted"] == 4
    assert emulator.control.doubled() == []


def test_f04_two_replicas_on_one_book_order_nothing_twice(tmp_path: Path, emulator: Emulator) -> None:
    path, delivered = tmp_path / "orders.sqlite3", []
    with OrderBook(path) as book, OrderBook(path) as other, IoTManager(settings_for(emulator)) as client:
        place(book, 12)
        replicas = [
            OrderWorker(each, client, deliver=lambda order, _: delivered.append(order.key), rules=RULES, threads=3)
            for each in (book, other)
        ]
        threads = [threading.Thread(target=each.run, kwargs={"until_idle": True}) for each in replicas]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        workers = {event.worker for order in book.find() for event in book.history(order.key) if event.worker}
    assert (len(delivered), len(set(delivered))) == (12, 12)
    assert workers == {each.name for each in replicas}
    assert emulator.control.orders()["accepted"] == 12
    assert emulator.control.doubled() == emulator.control.simultaneous() == []


def test_f07_a_hung_connection_holds_up_one_order_alone(tmp_path: Path, emulator: Emulator) -> None:
    emulator.control.queue_fault("hang", calls=("batchProcessingInfo",))
    settings = settings_for(emulator, timeout=3.0)
    with OrderBook(tmp_path / "orders.sqlite3") as book, IoTManager(settings) as client:
        place(book, 8)
        worker = OrderWorker(book, client, rules=RULES, threads=2, lease_seconds=9.0)
        thread = threading.Thread(target=worker.run, kwargs={"until_idle": True})
        began = time.monotonic()
        thread.start()
        until(lambda: book.counts().get(OrderState.DELIVERED) == 7)
        others = time.monotonic() - began
        thread.join()
        assert states(book) == {OrderState.DELIVERED}
    assert others < 2.9
    assert time.monotonic() - began > 2.9
