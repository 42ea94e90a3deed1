"""What goes wrong below the book: each told in one line, nothing half done, and gone on with when it has passed."""

from __future__ import annotations

import contextlib
import os
import resource
import shutil
import signal
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.exc import OperationalError

from sectigo_iot import OrderBookError, SectigoError, TargetExistsError
from sectigo_iot.orders import FileSecretStore, MemorySecretStore, OrderBook, OrderState, Placement
from sectigo_iot.orders.store.faults import CommitUnknownError
from tests.orders.conftest import Shelf
from tests.orders.postgres import Postgres
from tests.orders.stages import bring, lease_of, wanted

_S = OrderState


def check_told(error: OrderBookError, *, passes: bool) -> None:
    """One line, a hint, and none of the database's words."""
    assert error.passes is passes
    assert error.hint
    text = f"{error} {error.hint}"
    assert "\n" not in text
    assert not [word for word in ("SELECT", "INSERT", "UPDATE", "sqlalche", "psycopg") if word in text]
    assert error.__cause__ is None
    assert error.__suppress_context__ or error.__context__ is None


def test_a_file_that_is_no_book(tmp_path: Path) -> None:
    path = tmp_path / "book"
    path.write_text("this is no database, and long enough to be taken for one\n" * 100)
    with pytest.raises(OrderBookError, match="no order book, or it is damaged") as refused:
        OrderBook(path)
    check_told(refused.value, passes=False)
    assert path.read_text().startswith("this is no database")


def test_a_damaged_book(tmp_path: Path, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    with OrderBook(path) as book:
        book.place_all(Placement(f"{number}", wanted()) for number in range(500))
    with path.open("r+b") as file:
        for page in range(3, path.stat().st_size // 4096):
            file.seek(page * 4096)
            file.write(b"\xaa" * 2048)
    with pytest.raises(OrderBookError, match="damaged") as refused, OrderBook(path) as book:
        book.find(limit=500)
    check_told(refused.value, passes=False)


@pytest.mark.parametrize("what", ["folder", "FIFO"])
def test_what_is_no_file(tmp_path: Path, what: str) -> None:
    path = tmp_path / "book"
    if what == "folder":
        path.mkdir()
    else:
        os.mkfifo(path)
    with pytest.raises(OrderBookError, match="no file") as refused:
        OrderBook(path)
    check_told(refused.value, passes=False)


def test_a_folder_that_cannot_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OrderBookError, match=r"Not a directory|File exists") as refused:
        OrderBook(tmp_path / "file" / "book")
    check_told(refused.value, passes=True)


@contextlib.contextmanager
def smallest_files(size: int) -> Iterator[None]:
    """Files of this process cannot grow beyond that: the same as a full disk, but for the code of the error."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)


def test_a_disk_that_takes_no_more(tmp_path: Path, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    secrets = FileSecretStore(tmp_path / "secrets")
    with OrderBook(path, secrets=secrets) as book:
        book.place("before", wanted(), password="secret")
        lease = lease_of(book, "before")
        with smallest_files((tmp_path / "book-wal").stat().st_size):
            with pytest.raises(OrderBookError, match="disk") as refused:
                book.begin_sending(lease, authority_id=1, profile_id=2, seconds=1, balance=None)
            check_told(refused.value, passes=True)
            with pytest.raises(OrderBookError):
                book.place_all(Placement(f"{number}", wanted(), "secret") for number in range(9))
        assert book.get("before").state is _S.PLANNED
        assert book.begin_sending(lease, authority_id=1, profile_id=2, seconds=1, balance=None)
        assert len(book.place_all(Placement(f"{number}", wanted(), "secret") for number in range(9))) == 9
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


def test_a_full_disk_leaves_no_secret(tmp_path: Path, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    secrets = MemorySecretStore()
    with OrderBook(path, secrets=secrets) as book:
        # SQLite's own limit has the code of a full disk.
        with book._store._engine.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count = 1")
        with pytest.raises(OrderBookError, match="the disk is full") as refused:
            book.place_all(Placement(f"{number}", wanted(), "secret") for number in range(200))
    check_told(refused.value, passes=True)
    assert repr(secrets) == "<MemorySecretStore of 0>"


def test_a_book_that_another_keeps_busy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    monkeypatch.setattr("sectigo_iot.orders.store.engine.PATIENCE", 0.05)
    with OrderBook(path) as book, contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other:
        book.place("a", wanted())
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OrderBookError, match="busy") as refused:
            book.place("b", wanted())
        check_told(refused.value, passes=True)
        assert book.get("a") == book.place("a", wanted())
        other.execute("ROLLBACK")
        assert book.place("b", wanted())


AS_NOBODY = """
import os, sys
from sectigo_iot.orders import *
from sectigo_iot import OrderBookError
# Everything is loaded then.
OrderBook(sys.argv[1], secrets=MemorySecretStore()).close()
os.setgid(65534)
os.setuid(65534)
for path in sys.argv[2:]:
    try:
        OrderBook(path, secrets=MemorySecretStore()).place("a", OrderRequest(names=("example.com",)))
    except OrderBookError as error:
        print(error.passes, error)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_a_book_of_somebody_else(tmp_path: Path, empty_book: Path) -> None:
    # The folders of the test are root's alone.
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        paths = [shutil.copyfile(empty_book, Path(folder, f"{mode:o}")) for mode in (0o444, 0o000)]
        for path in paths:
            path.chmod(int(path.name, 8))
        command = [sys.executable, "-c", AS_NOBODY, str(tmp_path / "other"), *map(str, paths)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
    assert done.stdout.splitlines() == [
        f"False the order book sqlite:///{paths[0]}: it may not be written",
        f"False the order book sqlite:///{paths[1]}: it cannot be opened",
    ], done.stderr


def test_whether_a_change_was_written_may_be_unknown(shelf: Shelf, monkeypatch: pytest.MonkeyPatch) -> None:
    """The last word is written, and its echo lost: what was to be kept is kept, and doing it again does no harm."""
    book = shelf.open()
    with lost_echoes(book, monkeypatch), pytest.raises(CommitUnknownError, match="away") as unknown:
        book.place("a", wanted(), password="secret")
    check_told(unknown.value, passes=True)
    assert book.place("a", wanted(), password="secret") == book.get("a")
    assert book.password("a") == "secret"
    lease = lease_of(book, "a")
    with lost_echoes(book, monkeypatch):
        assert book.begin_sending(lease, authority_id=1, profile_id=2, seconds=1, balance=None)
    assert lease.order == book.get("a")
    assert lease.order.state is _S.ORDERING


@contextlib.contextmanager
def lost_echoes(book: OrderBook, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every commit is done, and answered by an error."""
    dialect: Any = book._store._engine.dialect
    commit = dialect.do_commit

    def lost(connection: Any) -> None:
        commit(connection)
        raise OperationalError("", {}, Exception("the connection is gone"))

    with monkeypatch.context() as patch:
        patch.setattr(dialect, "do_commit", lost)
        yield


def test_a_server_that_goes_away_and_comes_back(postgres: Postgres) -> None:
    url = postgres.url(postgres.new_database())
    with OrderBook(url, secrets=MemorySecretStore()) as book:
        order = book.place("a", wanted())
        lease = lease_of(book, "a")
        postgres.stop()
        try:
            check_away(lambda: book.get("a"))
            check_away(lambda: book.place("b", wanted()))
            check_away(lambda: book.change(lease, failures=1))
            check_away(lambda: OrderBook(url, secrets=MemorySecretStore()))
        finally:
            postgres.start()
        assert book.get("a") == order
        assert book.change(lease, failures=1).failures == 1
        assert book.place("b", wanted()).state is _S.PLANNED


def check_away(call: Callable[[], object]) -> None:
    with pytest.raises(OrderBookError, match="the server is away") as refused:
        call()
    check_told(refused.value, passes=True)


@pytest.mark.parametrize("shelf", ["postgresql"], indirect=True)
def test_a_connection_that_is_cut_in_the_middle(postgres: Postgres, shelf: Shelf) -> None:
    book = shelf.open()
    bring(book, "a", _S.PLACED)
    lease = lease_of(book, "a")
    cut = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'sectigo-iot%'"

    def change() -> None:
        with book._store.writing() as connection:
            connection.exec_driver_sql("UPDATE sectigo_orders SET failures = 9")
            postgres.sql(cut)
            connection.exec_driver_sql("UPDATE sectigo_orders SET failures = 10")

    with pytest.raises(OrderBookError, match=r"stopping or starting|away") as refused:
        change()
    check_told(refused.value, passes=True)
    assert book.get("a").failures == 0
    postgres.sql(cut)
    assert book.change(lease, failures=1).failures == 1


@pytest.mark.parametrize(
    ("user", "database", "why"),
    [("postgres", "nothing", "there is no such database"), ("nobody", "postgres", "does not let this user in")],
)
def test_a_server_that_refuses(postgres: Postgres, user: str, database: str, why: str) -> None:
    url = postgres.url(database, user).replace("@", ":secret@")
    with pytest.raises(OrderBookError, match=why) as refused:
        OrderBook(url, secrets=MemorySecretStore())
    check_told(refused.value, passes=False)
    assert "secret" not in str(refused.value)


def test_a_user_who_may_not_make_tables(postgres: Postgres) -> None:
    name = postgres.new_database(empty=True)
    postgres.sql("CREATE ROLE reader LOGIN", "REVOKE CREATE ON SCHEMA public FROM PUBLIC", database=name)
    with pytest.raises(OrderBookError, match="may not do that") as refused:
        OrderBook(postgres.url(name, "reader"), secrets=MemorySecretStore())
    check_told(refused.value, passes=False)
    postgres.drop(name)


def test_a_backup_while_it_is_written(tmp_path: Path, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    with OrderBook(path, secrets=MemorySecretStore()) as book:
        book.place_all(Placement(f"{number}", wanted()) for number in range(300))
        stop = threading.Event()

        def write() -> None:
            number = 0
            while not stop.is_set():
                number += 1
                book.place_all(Placement(f"more {number}{part}", wanted()) for part in "ab")

        writer = threading.Thread(target=write)
        writer.start()
        try:
            target = book.backup(tmp_path / "backup")
        finally:
            stop.set()
            writer.join()
    assert stat.S_IMODE(target.stat().st_mode) == 0o600
    assert {each.name for each in tmp_path.iterdir()} == {"book", "backup"}
    with OrderBook(target, secrets=MemorySecretStore()) as restored:
        found = restored.find(limit=9999)
        assert len(found) >= 300
        # What is placed at once is in it as a whole, or not at all.
        assert len(found) % 2 == 0
        assert restored.claim("worker", seconds=60)


def test_a_backup_replaces_nothing(tmp_path: Path, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    (tmp_path / "backup").write_text("precious")
    with OrderBook(path) as book:
        with pytest.raises(TargetExistsError):
            book.backup(tmp_path / "backup")
        with pytest.raises(TargetExistsError):
            book.backup(path)
        with pytest.raises(OrderBookError):
            book.backup(tmp_path / "backup" / "below")
    assert (tmp_path / "backup").read_text() == "precious"


@pytest.mark.parametrize("shelf", ["postgresql"], indirect=True)
def test_a_backup_of_a_server_is_the_servers(shelf: Shelf, tmp_path: Path) -> None:
    with pytest.raises(OrderBookError, match="PostgreSQL's own means") as refused:
        shelf.open().backup(tmp_path / "backup")
    assert "pg_dump" in str(refused.value.hint)


def test_errors_of_secrets_come_as_they_are(tmp_path: Path, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    (tmp_path / "secrets").touch()
    with OrderBook(path, secrets=FileSecretStore(tmp_path / "secrets")) as book:
        with pytest.raises(SectigoError):
            book.place("a", wanted(), password="secret")
        assert not book.find()
