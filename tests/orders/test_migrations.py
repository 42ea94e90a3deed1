"""Books of older versions, of newer ones, and files that are no books."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from sectigo_iot import OrderBookError
from sectigo_iot.orders import MemorySecretStore, OrderBook, OrderState, Placement
from sectigo_iot.orders.store import migrations as migrations_package
from sectigo_iot.orders.store.schema import VERSION, VERSION_TABLE, metadata
from tests.orders.postgres import Postgres
from tests.orders.stages import wanted

BOOKS = sorted(Path(__file__).parent.joinpath("books").glob("*.sql"))
SCRIPTS = ScriptDirectory(str(Path(migrations_package.__file__).parent))


def restored(dump: Path, path: Path) -> Path:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.executescript(dump.read_text())
    return path


def test_the_version_is_that_of_the_last_file() -> None:
    assert SCRIPTS.get_current_head() == VERSION
    assert [script.revision for script in SCRIPTS.walk_revisions()] == [dump.stem for dump in reversed(BOOKS)]


@pytest.mark.parametrize("dump", BOOKS, ids=lambda path: path.stem)
def test_a_book_of_every_version_is_gone_on_with(dump: Path, tmp_path: Path) -> None:
    path = restored(dump, tmp_path / "book")
    with OrderBook(path, secrets=MemorySecretStore()) as book:
        found = {order.key: order for order in book.find()}
        assert {order.state for order in found.values()} == set(OrderState)
        assert found["fetched"].certificate is not None
        assert found["issuing"].withdrawn == "a mistake"
        assert found["delivered"].renewed_by == "delivered~1"
        assert found["delivered~1"].attention == "look at this"
        assert book.find(archived=True)[0].key == "over"
        assert book.find(labels={"site": "north"}, text="example.com")
        assert book.history("fetched")[-1].new is OrderState.FETCHED
        claimed = {lease.order.key: lease for lease in book.claim("worker", seconds=60, limit=99)}
        assert set(claimed) == {
            "planned",
            "ordering",
            "unknown",
            "placed",
            "issuing",
            "ready",
            "fetched",
            "delivered~1",
        }
        assert claimed["ordering"].order.state is OrderState.UNKNOWN
        book.change(claimed["fetched"], OrderState.DELIVERED, reason="handed over")
        assert book.retry("failed").state is OrderState.PLACED
        assert book.place("new", wanted()).state is OrderState.PLANNED


@pytest.mark.parametrize("dump", BOOKS, ids=lambda path: path.stem)
def test_the_tables_are_what_the_program_takes_them_for(dump: Path, tmp_path: Path) -> None:
    path = restored(dump, tmp_path / "book")
    OrderBook(path).close()
    assert_the_same(f"sqlite:///{path}")


def test_the_tables_of_a_server_are_what_the_program_takes_them_for(postgres: Postgres) -> None:
    assert_the_same(postgres.url("template1").replace("://", "+psycopg://"))


def assert_the_same(url: str) -> None:
    engine = create_engine(url)
    with engine.connect() as connection:
        options = {"version_table": VERSION_TABLE, "compare_type": True, "compare_server_default": True}
        assert compare_metadata(MigrationContext.configure(connection, opts=options), metadata) == []
    engine.dispose()


@pytest.mark.parametrize("version", ["0002", "9999", "0001a", "later"])
def test_a_book_of_a_newer_version_is_left_alone(tmp_path: Path, empty_book: Path, version: str) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = ?", (version,))
    before = path.read_bytes()
    with pytest.raises(OrderBookError) as refused:
        OrderBook(path)
    assert f"is of version {version}, and this program knows versions up to {VERSION}" in str(refused.value)
    assert not refused.value.passes
    assert refused.value.hint
    assert path.read_bytes() == before


def test_a_book_of_a_newer_version_on_a_server_is_left_alone(postgres: Postgres) -> None:
    name = postgres.new_database()
    postgres.sql(f"UPDATE {VERSION_TABLE} SET version_num = '0002'", database=name)
    with pytest.raises(OrderBookError, match="is of version 0002"):
        OrderBook(postgres.url(name), secrets=MemorySecretStore())
    postgres.drop(name)


def test_a_book_of_a_version_that_never_was(tmp_path: Path, empty_book: Path) -> None:
    path = shutil.copyfile(empty_book, tmp_path / "book")
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute(f"UPDATE {VERSION_TABLE} SET version_num = '0000'")
    with pytest.raises(OrderBookError, match="of a version that never was"):
        OrderBook(path)


def test_a_database_of_somebody_else_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "book"
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE orders (id INTEGER)")
    with pytest.raises(OrderBookError, match="something else"):
        OrderBook(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == [("orders",)]


def test_a_database_on_a_server_is_shared_with_others(postgres: Postgres) -> None:
    name = postgres.new_database(empty=True)
    postgres.sql("CREATE TABLE orders (id integer)", "CREATE TABLE alembic_version (version_num text)", database=name)
    with OrderBook(postgres.url(name), secrets=MemorySecretStore()) as book:
        assert book.place("a", wanted()) == book.get("a")
    assert postgres.sql("SELECT count(*) FROM alembic_version", database=name) == [(0,)]
    postgres.drop(name)


def test_what_fails_in_the_middle_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "book"
    with monkeypatch.context() as patch:
        patch.setattr(
            "alembic.op.create_index", lambda *_a, **_k: (_ for _ in ()).throw(sqlite3.OperationalError("x"))
        )
        with pytest.raises(OrderBookError):
            OrderBook(path)
    with contextlib.closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT name FROM sqlite_master").fetchall() == []
    with OrderBook(path) as book:
        assert book.place_all([Placement("a", wanted())])
