"""F5: a renewal by hand beside an automatic one."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import OrderBook, OrderRequest, OrderState, OrderWorker, Renewal

AT_ONCE = Renewal(before=0.9999)
"""A certificate is due for its renewal as soon as it is issued."""


@pytest.fixture
def book(tmp_path: Path) -> Iterator[OrderBook]:
    with OrderBook(tmp_path / "orders.sqlite3") as opened:
        yield opened


def renew_by_hand(book: OrderBook, threads: int) -> list[str]:
    """Renew one order by hand, several times at once; return the keys of the orders that came of it."""
    keys: list[str] = []
    hands = [threading.Thread(target=lambda: keys.append(book.renew("vasp").key)) for _ in range(threads)]
    for hand in hands:
        hand.start()
    for hand in hands:
        hand.join()
    return keys


def test_f05_a_renewal_by_hand_beside_an_automatic_one_is_the_same_order(
    emulator: Emulator, client: IoTManager, book: OrderBook
) -> None:
    book.place("vasp", OrderRequest(names=("vasp.example.com",), renewal=AT_ONCE))
    worker = OrderWorker(book, client)
    while book.get("vasp").state is not OrderState.DELIVERED:
        worker.step()
    automatic = threading.Thread(target=lambda: [worker.step() for _ in range(3)])
    automatic.start()
    keys = renew_by_hand(book, 4)
    automatic.join()
    assert {*keys} == {"vasp~1"}
    assert book.get("vasp").renewed_by == "vasp~1"
    assert book.get("vasp~1").renews == "vasp"
    while book.get("vasp~1").state is not OrderState.DELIVERED:
        worker.step()
    assert book.get("vasp").state is OrderState.DELIVERED
    orders = book.find()
    assert [order.key for order in orders if order.renews == "vasp"] == ["vasp~1"]
    assert emulator.control.orders()["accepted"] == sum(order.batch_id is not None for order in orders)
