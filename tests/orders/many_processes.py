"""Processes that use one book at once: `python -m tests.orders.many_processes WHAT URL FOLDER COUNT`.

They are forked, for a process that has everything loaded is there at once. Each prints what it has seen.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import sqlalchemy.dialects.postgresql.psycopg
import sqlalchemy.dialects.sqlite  # noqa: F401

import sectigo_iot.orders.book
import sectigo_iot.orders.store.migrations  # noqa: F401
from sectigo_iot.orders import FileSecretStore, OrderBook, OrderRequest


def tell(line: str) -> None:
    # In one piece: the others write there, too.
    os.write(1, f"{line}\n".encode())


def opened(url: str, folder: Path) -> OrderBook:
    return OrderBook(url, secrets=FileSecretStore(folder / "secrets"))


def place(url: str, folder: Path, number: int) -> None:
    """Place the order that all place, and print by what it is known, and with which password."""
    with opened(url, folder) as book:
        order = book.place("the same", OrderRequest(names=("example.com",)), password="correct horse battery")
        tell(f"{order.uid} {book.password('the same')}")


def claim(url: str, folder: Path, number: int) -> None:
    """Claim orders until none is due, and print each that somebody else held at the same moment."""
    with opened(url, folder) as book:
        while leases := book.claim(f"worker {number}", seconds=60, limit=3):
            for lease in leases:
                mark = folder / lease.order.uid
                try:
                    os.close(os.open(mark, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
                except FileExistsError:
                    tell(f"twice {lease.order.key}")
                time.sleep(0.001)
                mark.unlink()
                book.change(lease, next_at=None)
                book.release(lease)
                tell(f"held {lease.order.key}")


def forked(work: Callable[[], None]) -> int:
    """Do this in another process, and return its id."""
    child = os.fork()
    if child == 0:
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - it is told, and the process ends
            tell(f"failed {error!r}")
        os._exit(0)
    return child


def main(what: str, url: str, folder: Path, count: int) -> None:
    work = {"place": place, "claim": claim}[what]
    children = [forked(lambda number=number: work(url, folder, number)) for number in range(count)]  # type: ignore[misc]
    for child in children:
        os.waitpid(child, 0)


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4]))
