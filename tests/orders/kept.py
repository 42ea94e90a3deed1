"""Books that are used again: one that was used has its statements compiled, which takes longer than most tests."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from pathlib import Path

from sectigo_iot.orders import MemorySecretStore, OrderBook, SecretStore
from sectigo_iot.orders.store.schema import metadata

_FREE: list[OrderBook] = []


def emptied(book: OrderBook) -> OrderBook:
    """Take everything out of a book, and return it."""
    with book._store.writing() as connection:
        for table in reversed(metadata.sorted_tables):
            connection.execute(table.delete())
    return book


@contextlib.contextmanager
def kept_book(folder: Path, *, secrets: SecretStore, clock: Callable[[], float]) -> Iterator[OrderBook]:
    """Yield an empty book for a test that does not look at its file; the folder is for one that has to be made."""
    book = _taken() or OrderBook(folder / "orders.sqlite3", secrets=MemorySecretStore())
    # What a test has put in the place of a method is not the next one's.
    for name in vars(book).keys() - {"secrets", "_clock", "_store"}:
        delattr(book, name)
    book.secrets, book._clock = secrets, clock
    try:
        yield emptied(book)
    finally:
        book.close()
        _FREE.append(book)


def _taken() -> OrderBook | None:
    while _FREE:
        book = _FREE.pop()
        if Path(book.url.removeprefix("sqlite:///")).exists():
            return book
    return None
