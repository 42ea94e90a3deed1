"""Whether the worker's memory stays flat: what its process holds while it carries a thousand of 100,000 orders.

    python benchmarks/orders_memory.py [THOUSANDS]

All orders of the book are due. The emulator runs in a process of its own; the service makes the keys.
"""

from __future__ import annotations

import itertools
import sys
import tempfile
import time
from collections.abc import Iterator

from emulator import serving
from orders import AUTHORITY, client_of, resident
from serving import rounds_wanted

from sectigo_iot.orders import Bundle, Order, OrderBook, OrderRequest, OrderWorker, Placement

CARRIED = 1000
WARM = 200
"""Orders after which the memory is to stay as it is, and between samples."""
ALLOWED = 10.0
"""MiB that it may differ by."""


def placements() -> Iterator[Placement]:
    """Yield orders without end."""
    for number in itertools.count():
        name = f"device-{number}.example.com"
        yield Placement(name, OrderRequest(names=(name,), authority=AUTHORITY))


def sampled(book: OrderBook) -> list[tuple[int, float]]:
    """Return, after each 200 orders that were carried, how many there were and the memory then."""
    samples: list[tuple[int, float]] = []
    done = itertools.count(1)

    def deliver(order: Order, bundle: Bundle) -> None:
        number = next(done)
        if number % WARM == 0:
            samples.append((number, resident()))
        if number >= CARRIED:
            worker.stop()

    with serving("--key-type", "p256", "--delay", "0") as served, client_of(served) as client:
        worker = OrderWorker(book, client, deliver=deliver, threads=16)
        worker.run()
    return samples


def main() -> None:
    """Measure and print."""
    thousands = rounds_wanted(100)
    with tempfile.TemporaryDirectory() as folder, OrderBook(f"{folder}/book") as book:
        wanted, began = placements(), time.perf_counter()
        for _ in range(thousands):
            book.place_all(itertools.islice(wanted, 1000))
        print(
            f"Python {sys.version.split()[0]}, {thousands},000 orders placed in {time.perf_counter() - began:.1f} s"
        )
        began = time.perf_counter()
        samples = sampled(book)
        print(f"{CARRIED} of them carried in {time.perf_counter() - began:.1f} s")
    for done, size in samples:
        print(f"{done:>7} orders  {size:6.1f} MiB")
    most = max(abs(size - samples[0][1]) for _, size in samples)
    said = "reached" if most <= ALLOWED else "MISSED"
    print(f"furthest from the first {WARM}: {most:.1f} MiB, at most {ALLOWED:.0f}: {said}")


if __name__ == "__main__":
    main()
