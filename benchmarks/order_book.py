"""What the order book takes with many orders in it: the next work, a page, the counts.

    python benchmarks/order_book.py [ROUNDS] [ORDERS]

Beside each stands the same question to the same rows in plain SQL through `sqlite3`, with no index to help: what it
would take to look at every order. The book is a file of SQLite in a temporary folder.
"""

from __future__ import annotations

import contextlib
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from serving import rounds_wanted

from sectigo_iot.orders import MemorySecretStore, OrderBook, OrderRequest, OrderState, Placement

PIECE = 10_000
"""Orders that are placed at once."""
PAGE = 100
# Most are over, some wait for their turn, few are due.
STATES = f"""
UPDATE sectigo_orders SET
    state = CASE WHEN id % 20 = 0 THEN 'issuing' WHEN id % 20 = 1 THEN 'rejected' ELSE 'delivered' END,
    urgency = CASE WHEN id % 20 = 0 THEN 3 ELSE 5 END,
    attention = CASE WHEN id % 20 = 1 THEN 'it was refused' END,
    next_at = CASE WHEN id % 20 = 1 THEN NULL ELSE created_at + {365 * 86400} + id END,
    turn = CASE WHEN id % 20 = 1 THEN NULL ELSE created_at + {365 * 86400} + id END
WHERE id % 1000 <> 0
"""
BARE = {
    "next work": "SELECT * FROM bare WHERE next_at <= strftime('%s') AND lease_until IS NULL "
    "ORDER BY urgency, turn LIMIT 1",
    "a page": f"SELECT * FROM bare WHERE state = 'rejected' ORDER BY created_at, id LIMIT {PAGE}",
    "a page by text": f"SELECT * FROM bare WHERE searched LIKE '%host77%' ORDER BY id LIMIT {PAGE}",
    "counts": "SELECT state, count(*) FROM bare GROUP BY state",
}


@contextlib.contextmanager
def filled(count: int) -> Iterator[tuple[OrderBook, Path]]:
    """A book with so many orders, and its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "orders.sqlite3")
        with OrderBook(path, secrets=MemorySecretStore()) as book:
            began = time.perf_counter()
            for first in range(0, count, PIECE):
                book.place_all(placement(number) for number in range(first, min(first + PIECE, count)))
            print(f"{count} orders placed, {PIECE} at once: {time.perf_counter() - began:.1f} s")
            with contextlib.closing(sqlite3.connect(path)) as connection, connection:
                connection.execute(STATES)
                connection.execute("CREATE TABLE bare AS SELECT * FROM sectigo_orders")
            yield book, path


def placement(number: int) -> Placement:
    """An order such as a directory places."""
    names = (f"host{number}.example.com", f"www.host{number}.example.com")
    wanted = OrderRequest(names=names, params={"organizationName": "Example"}, labels={"site": str(number % 50)})
    return Placement(f"host{number}", wanted)


def questions(book: OrderBook) -> dict[str, Callable[[], object]]:
    """What is asked of the book."""

    def next_work() -> None:
        for lease in book.claim("benchmark", seconds=60):
            book.release(lease)

    return {
        "next work": next_work,
        "a page": lambda: book.find(states={OrderState.REJECTED}, limit=PAGE),
        "a page by text": lambda: book.find(text="host77", limit=PAGE),
        "counts": book.counts,
    }


def milliseconds(question: Callable[[], object], rounds: int) -> float:
    """Return the median of what it takes."""
    took = []
    for _ in range(rounds):
        began = time.perf_counter()
        question()
        took.append((time.perf_counter() - began) * 1000)
    return statistics.median(took)


def main() -> None:
    """Measure and print."""
    rounds = rounds_wanted(20)
    count = int(sys.argv[2]) if len(sys.argv) > 2 else 100_000
    with filled(count) as (book, path), contextlib.closing(sqlite3.connect(path)) as bare:
        print(f"Python {sys.version.split()[0]}, {count} orders, median of {rounds}; the book, and without an index")
        for name, question in questions(book).items():
            here = milliseconds(question, rounds)
            there = milliseconds(lambda name=name: bare.execute(BARE[name]).fetchall(), rounds)  # type: ignore[misc]
            print(f"{name:<16}{here:8.2f} ms {there:8.2f} ms   {there / here:.1f} x")
        deep = milliseconds(lambda: book.find(limit=PAGE, after=f"host{count - PAGE - 1}"), rounds)
        print(f"{'the last page':<16}{deep:8.2f} ms")


if __name__ == "__main__":
    main()
