"""A book is of one service: its orders are never asked of another."""

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sectigo_iot import InvalidInputError
from sectigo_iot.orders import OrderBook, OrderRequest, OrderWorker
from tests.orders.desk import Desk


def test_who_comes_first_says_whose_it_is(book: OrderBook) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(book.bind, ["https://a.example.com"] * 16))
    with pytest.raises(
        InvalidInputError, match=r"is that of https://a\.example\.com, and this is https://b\.example"
    ) as refused:
        book.bind("https://b.example.com")
    assert refused.value.hint == "name another book for another service, one file or database for each"
    book.bind("https://a.example.com")


@pytest.mark.parametrize("way", ["step", "run"])
def test_a_worker_orders_nothing_from_a_book_of_another_service(desk: Desk, tmp_path: Path, way: str) -> None:
    with OrderBook(tmp_path / "other.sqlite3") as other:
        other.bind("https://iot.example.com")
        other.place("a", OrderRequest(names=("a.example.com",)))
        worker = OrderWorker(other, desk.client)
        with pytest.raises(InvalidInputError, match="nothing is ordered here"):
            worker.step() if way == "step" else worker.run(until_idle=True)
        assert other.get("a").attempt == 0
    assert desk.control.batches() == []
