"""One book, many processes."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from sectigo_iot.orders import FileSecretStore, MemorySecretStore, OrderBook, Placement
from tests.orders.conftest import Shelf
from tests.orders.crash.places import environment
from tests.orders.postgres import Postgres
from tests.orders.stages import wanted
from tests.reliability.figures import share

ROOT = Path(__file__).parents[2]
CROWD = share(60, 30)
ON_A_SERVER = share(60, 12)


def printed(what: str, url: str, folder: Path, count: int) -> list[str]:
    command = [sys.executable, "-m", "tests.orders.many_processes", what, url, str(folder), str(count)]
    done = subprocess.run(
        command, cwd=ROOT, env=environment(), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.splitlines()


def check_one_order(url: str, folder: Path, count: int) -> None:
    lines = printed("place", url, folder, count)
    assert len(lines) == count
    assert len(set(lines)) == 1, set(lines)
    with OrderBook(url, secrets=FileSecretStore(folder / "secrets")) as book:
        (order,) = book.find()
        assert lines[0] == f"{order.uid} {book.password(order.key)}"
    # What the others had kept for an order that was not theirs is gone.
    assert [path.name for path in (folder / "secrets").rglob("*.*")] == [f"{order.uid}.password"]


def test_many_make_one_book_and_one_order(tmp_path: Path) -> None:
    check_one_order(str(tmp_path / "new" / "orders.sqlite3"), tmp_path, CROWD)


def test_many_make_one_book_and_one_order_on_a_server(tmp_path: Path, postgres: Postgres) -> None:
    name = postgres.new_database(empty=True)
    try:
        check_one_order(postgres.url(name), tmp_path, ON_A_SERVER)
    finally:
        postgres.drop(name)


def test_no_order_is_two_workers_at_once(shelf: Shelf, tmp_path: Path) -> None:
    with shelf.open(secrets=MemorySecretStore()) as book:
        book.place_all(Placement(f"{number}", wanted()) for number in range(48))
    lines = printed("claim", shelf.url, tmp_path, 8)
    assert sorted(lines) == sorted(f"held {number}" for number in range(48))
