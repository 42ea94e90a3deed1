"""Two workers on one book, as processes: killed again and again, and stopped for longer than their lease lasts."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot.emulator import Control, Emulator
from sectigo_iot.orders import FileSecretStore, MemorySecretStore, OrderBook, OrderRequest, OrderState
from sectigo_iot.pki import open_bundle
from tests.commands.signing_requests import request
from tests.orders.postgres import Postgres
from tests.orders.processes import POINTS, Forker, state_of, until, worker_of
from tests.reliability.figures import share

ORDERS = share(1000, 12)
KILLS = share(20, 2)
BETWEEN = share(2000, 400) / 1000
"""Seconds from one kill to the next."""


@pytest.fixture(scope="module")
def forker() -> Iterator[Forker]:
    with Forker() as process:
        yield process


@pytest.fixture
def paged() -> Iterator[Emulator]:
    with Emulator(batch_list="page") as service:
        yield service


def opened(book: str) -> OrderBook:
    """Open a book; its orders have no secrets."""
    return OrderBook(book, secrets=MemorySecretStore())


def place(book: str, names: list[str]) -> None:
    with opened(book) as written:
        for name in names:
            # Of one the service makes the key, and the worker the password that opens it.
            csr = None if name.startswith("keeping-password") else request(name)
            written.place(name, OrderRequest(names=(name,), csr=csr, authority=423))


def settled(book: str, names: list[str], out: Path, control: Control) -> None:
    """Hold that each order is one at the service, is delivered, and was handed over."""
    with opened(book) as read:
        orders = [read.get(name) for name in names]
    assert {order.state for order in orders} == {OrderState.DELIVERED}
    batches = {int(batch["id"]) for batch in control.batches(limit=10_000)}
    assert {order.batch_id for order in orders} <= batches
    for name in names:
        assert control.orders(common_name=name)["accepted"] == 1
        assert (out / name).read_text()


def test_sigterm_ends_it_when_the_steps_at_hand_are_done(tmp_path: Path, forker: Forker, emulator: Emulator) -> None:
    emulator.control.add_fault("late-reply", calls=("upload",), seconds=0.3)
    names = [f"vasp-{number}.example.com" for number in range(3)]
    path = str(tmp_path / "orders.sqlite3")
    place(path, names)
    pid = forker.start(environ=emulator.environ, book=path, out=str(tmp_path), until_idle=False)
    until(lambda: bool(emulator.control.batches()))
    os.kill(pid, signal.SIGTERM)
    assert forker.wait(pid) == 0
    assert emulator.control.orders()["accepted"] == 1
    with opened(path) as book:
        first, *others = (book.get(name) for name in names)
    assert (first.state, first.batch_id) == (OrderState.PLACED, emulator.control.batches()[0]["id"])
    assert {order.state for order in others} == {OrderState.PLANNED}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new book, in a file or on a server."""
    if request.param == "sqlite":
        return str(tmp_path / "orders.sqlite3")
    server: Postgres = request.getfixturevalue("postgres")
    return server.url(server.new_database())


def test_one_of_two_workers_is_killed_again_and_again(
    tmp_path: Path, url: str, forker: Forker, paged: Emulator
) -> None:
    names, book = [f"vasp-{number}.example.com" for number in range(ORDERS)], url
    paged.control.set_balance(423, 10 * ORDERS)
    know_a_batch({"environ": paged.environ, "book": book, "out": str(tmp_path)})
    place(book, names)
    paged.control.add_fault("late-reply", seconds=0.05)
    job: dict[str, Any] = {
        "environ": paged.environ,
        "book": book,
        "out": str(tmp_path),
        "threads": 3,
        "until_idle": False,
    }
    workers = [forker.start(**job) for _ in range(2)]
    for _ in range(KILLS):
        time.sleep(BETWEEN)
        killed = workers.pop(0)
        os.kill(killed, signal.SIGKILL)
        assert os.waitstatus_to_exitcode(forker.wait(killed)) == -signal.SIGKILL
        workers.append(forker.start(**job))
    with opened(book) as read:
        until(lambda: read.counts()[OrderState.DELIVERED] == ORDERS + 1, share(120, 30))
    for pid in workers:
        os.kill(pid, signal.SIGTERM)
        assert forker.wait(pid) == 0
    settled(book, names, tmp_path, paged.control)
    assert paged.control.orders()["accepted"] == ORDERS + 1


def test_a_worker_that_sleeps_beyond_its_lease_does_no_harm(
    tmp_path: Path, forker: Forker, paged: Emulator, emulator: Emulator
) -> None:
    """At each step a worker is stopped, another takes the order over and carries it, and the first is woken up."""
    paged.control.add_fault("late-reply", calls=("upload",), seconds=0.25)
    # Long enough for each to come to its point, however busy the machine is.
    job: dict[str, Any] = {"environ": paged.environ, "out": str(tmp_path), "timeout": 0.7, "lease": 1.4}
    jobs: list[dict[str, Any]] = [{**job, "book": str(tmp_path / f"{point}.db"), "point": point} for point in POINTS]
    know_a_batch(next(job for job in jobs if job["point"] == "before-bytes"))
    # Elsewhere, because nobody but its order can open it: it would keep the absence of others from being proven.
    alone = jobs[POINTS.index("keeping-password")]
    alone["environ"] = emulator.environ
    for job in jobs:
        place(job["book"], [f"{job['point']}.example.com"])
    sleepers = [forker.start(**job) for job in jobs]
    until(lambda: {state_of(pid) for pid in sleepers} == {"T"})
    time.sleep(1.4)
    others = [threading.Thread(target=carry, args=({**job, "point": None},)) for job in jobs]
    for other in others:
        other.start()
    for other in others:
        other.join()
    for pid in sleepers:
        os.kill(pid, signal.SIGCONT)
    assert [forker.wait(pid) for pid in sleepers] == [0] * len(sleepers)
    for job in jobs:
        settled(job["book"], [f"{job['point']}.example.com"], tmp_path, (emulator if job is alone else paged).control)
        opens(job["book"], f"{job['point']}.example.com", tmp_path)
    assert paged.control.orders()["accepted"] == len(POINTS)


def opens(book: str, name: str, out: Path) -> None:
    """Hold that what is kept of an order opens with what is kept beside it."""
    with OrderBook(book, secrets=FileSecretStore(out / "secrets")) as read:
        bundle = read.bundle(name)
    assert bundle is not None
    (issued,) = open_bundle(bundle.archive, bundle.password)
    assert issued.dns_names == (name,)


def know_a_batch(job: dict[str, Any]) -> None:
    """Have the book know a batch: a list that lacks it would not count as complete, and nothing as absent."""
    place(job["book"], ["known.example.com"])
    carry({**job, "point": None})


def carry(job: dict[str, Any]) -> None:
    """Carry what there is to the end: also what a human was asked about, which the service answers in time."""
    with worker_of(job) as worker, opened(job["book"]) as book:
        until(lambda: worker.step().next_due is None and all(order.finished for order in book.find()))
