"""Writes of several threads in one transaction: each stands or falls by itself, and none goes on before it stands."""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import IntegrityError

from sectigo_iot.orders.store.sharing import SharedWrites

TABLES = (
    "CREATE TABLE sorts (id INTEGER PRIMARY KEY)",
    "CREATE TABLE lines (id INTEGER PRIMARY KEY, sort INTEGER REFERENCES sorts DEFERRABLE INITIALLY DEFERRED)",
)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "shared.sqlite3"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for table in TABLES:
            connection.execute(table)
    return path


@pytest.fixture
def engine(path: Path) -> Iterator[Engine]:
    engine = create_engine(f"sqlite:///{path}", connect_args={"check_same_thread": False})

    @event.listens_for(engine, "connect")
    def opened(connection: sqlite3.Connection, _: object) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys = ON")

    @event.listens_for(engine, "begin")
    def begun(connection: object) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")  # type: ignore[attr-defined]

    yield engine
    engine.dispose()


@pytest.fixture
def shared(engine: Engine) -> SharedWrites:
    return SharedWrites(engine, lambda error: error)


class Writers:
    """Threads that write a line each while the first is kept inside, so that all come at the same time."""

    def __init__(self, shared: SharedWrites, path: Path) -> None:
        self._shared, self._path = shared, path
        self.errors: dict[int, Exception] = {}
        self.seen_by: dict[int, list[int]] = {}

    def write(self, *lines: int, wrong: Callable[[int], str | None] = lambda _: None) -> None:
        inside, leave = threading.Event(), threading.Event()
        first, *others = [threading.Thread(target=self._write, args=(line, inside, leave, wrong)) for line in lines]
        first.start()
        inside.wait(5)
        for thread in others:
            thread.start()
        while len(self._shared._waiting) < len(others):
            time.sleep(0.001)
        leave.set()
        for thread in (first, *others):
            thread.join(10)

    def _write(
        self, line: int, inside: threading.Event, leave: threading.Event, wrong: Callable[[int], str | None]
    ) -> None:
        try:
            with self._shared.writing(durable=True) as connection:
                connection.exec_driver_sql(f"INSERT INTO lines VALUES ({line}, NULL)")
                inside.set()
                leave.wait(5)
                if statement := wrong(line):
                    connection.exec_driver_sql(statement)
            self.seen_by[line] = self.lines()
        except Exception as error:  # noqa: BLE001 - looked at by the test
            self.errors[line] = error

    def lines(self) -> list[int]:
        """Return what somebody else sees."""
        with closing(sqlite3.connect(self._path)) as connection:
            return [line for (line,) in connection.execute("SELECT id FROM lines ORDER BY id")]


@pytest.fixture
def writers(shared: SharedWrites, path: Path) -> Writers:
    return Writers(shared, path)


def test_those_who_come_together_commit_once_and_all_see_what_they_wrote(engine: Engine, writers: Writers) -> None:
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    writers.write(1, 2, 3, 4, 5)
    assert (writers.errors, len(commits)) == ({}, 1)
    assert {line: line in seen for line, seen in writers.seen_by.items()} == dict.fromkeys(range(1, 6), True)


@pytest.mark.parametrize("failing", [1, 3, 5])
def test_one_that_fails_is_undone_alone(writers: Writers, failing: int) -> None:
    writers.write(1, 2, 3, 4, 5, wrong=lambda line: "INSERT INTO lines VALUES (NULL" if line == failing else None)
    assert list(writers.errors) == [failing]
    assert writers.lines() == [line for line in range(1, 6) if line != failing]


def test_a_commit_that_fails_is_told_to_all(writers: Writers) -> None:
    """The line of a sort that does not exist is found at the commit."""
    writers.write(1, 2, 3, wrong=lambda line: "INSERT INTO lines VALUES (9, 9)" if line == 2 else None)
    assert sorted(writers.errors) == [1, 2, 3]
    assert {type(error) for error in writers.errors.values()} == {IntegrityError}
    assert writers.lines() == []


def test_one_alone_waits_for_nobody(writers: Writers, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sectigo_iot.orders.store.sharing._LOOK", 60.0)
    began = time.monotonic()
    writers.write(1)
    writers.write(2)
    assert writers.lines() == [1, 2]
    assert time.monotonic() - began < 30


def test_a_transaction_that_was_left_to_somebody_who_never_came_is_ended(
    shared: SharedWrites, writers: Writers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sectigo_iot.orders.store.sharing._LOOK", 0.05)
    shared._waiting.add(1)
    threading.Timer(0.2, lambda: shared._waiting.discard(1)).start()
    with shared.writing(durable=True) as connection:
        connection.exec_driver_sql("INSERT INTO lines VALUES (1, NULL)")
    assert writers.lines() == [1]


def test_what_need_not_be_durable_is_kept_to_itself(engine: Engine, shared: SharedWrites) -> None:
    commits: list[object] = []
    event.listen(engine, "commit", commits.append)
    for line in (1, 2):
        with shared.writing(durable=False) as connection:
            connection.exec_driver_sql(f"INSERT INTO lines VALUES ({line}, NULL)")
            shared._waiting.add(1)
        shared._waiting.discard(1)
    assert len(commits) == 2
