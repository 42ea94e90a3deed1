"""Books to test: each test that asks for a shelf runs once with SQLite, and once with a real PostgreSQL."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot.orders import MemorySecretStore, OrderBook, SecretStore
from tests.orders.desk import Desk, open_desk
from tests.orders.kept import emptied
from tests.orders.postgres import Postgres, missing


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """One server for all tests of this process."""
    why = missing()
    if why is not None:
        if os.environ.get("CI") == "true":
            pytest.fail(why)
        pytest.skip(why)
    with Postgres() as server:
        # Every database is a copy of this one.
        OrderBook(server.url("template1"), secrets=MemorySecretStore()).close()
        server.sql("CREATE DATABASE used")
        yield server


@pytest.fixture(scope="session")
def empty_book(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A book to be copied, which is quicker than making the tables each time."""
    path = tmp_path_factory.mktemp("empty") / "orders.sqlite3"
    OrderBook(path, secrets=MemorySecretStore()).close()
    return path


class Shelf:
    """Where one book is, in a file or on a server, to be opened as often as a test likes."""

    def __init__(self, opened: OrderBook, url: str, held: contextlib.ExitStack) -> None:
        self.url = url
        self.secrets: SecretStore = MemorySecretStore()
        self.now = 1_000_000.0
        self._first: OrderBook | None = opened
        self._held = held

    def open(self, **changes: Any) -> OrderBook:
        """Open it, by a clock that is moved by hand; it is closed when the test ends."""
        if self._first is not None and not changes:
            # It has its statements compiled, which takes longer than most tests.
            book, self._first = self._first, None
            book.secrets, book._clock = self.secrets, lambda: self.now
            return self._held.enter_context(book)
        changes = {"secrets": self.secrets, "clock": lambda: self.now, **changes}
        return self._held.enter_context(OrderBook(self.url, **changes))


class Shelves:
    """One book of each kind for all tests of this process, which each test finds empty."""

    def __init__(self) -> None:
        self._opened: dict[str, OrderBook] = {}

    def book(self, url: str) -> OrderBook:
        if url not in self._opened:
            self._opened[url] = OrderBook(url, secrets=MemorySecretStore())
        return emptied(self._opened[url])

    def close(self) -> None:
        for book in self._opened.values():
            book.close()


@pytest.fixture(scope="session")
def shelves() -> Iterator[Shelves]:
    """The books that are used again and again."""
    kept = Shelves()
    yield kept
    kept.close()


@pytest.fixture(params=["sqlite", "postgresql"])
def shelf(request: pytest.FixtureRequest, shelves: Shelves, empty_book: Path) -> Iterator[Shelf]:
    """A place for a book of the test's own."""
    if request.param == "sqlite":
        url = str(empty_book.with_name("used.sqlite3"))
    else:
        server: Postgres = request.getfixturevalue("postgres")
        url = server.url("used")
    with contextlib.ExitStack() as held:
        yield Shelf(shelves.book(url), url, held)


@pytest.fixture
def book(shelf: Shelf) -> OrderBook:
    """An empty book."""
    return shelf.open()


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A book, a worker and an emulator on one clock."""
    with open_desk(tmp_path) as opened:
        yield opened
