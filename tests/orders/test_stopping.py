"""A worker that is told to end: no further request is made, and what it was about stands as it was, for the next."""

from __future__ import annotations

import dataclasses
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.routes import batch
from sectigo_iot.orders import FileSecretStore, Order, OrderBook, OrderRequest, OrderState, OrderWorker, WorkerRules
from sectigo_iot.orders.secrets import ARCHIVE
from sectigo_iot.orders.steps import batch_lists
from sectigo_iot.reasons import CRLReason
from tests.commands.signing_requests import request
from tests.commands.test_ending import start
from tests.orders.desk import AUTHORITY, PASSWORD, Desk, open_desk
from tests.orders.processes import until

PROFILE = 423
LATER = 3600.0
ORDER = "createSingleCertBatch"
RULES = WorkerRules(probe=6)

Opened = Callable[..., Desk]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open a desk whose emulator is as the keyword arguments say."""
    with ExitStack() as held:

        def open_one(**options: Any) -> Desk:
            desk = held.enter_context(open_desk(tmp_path, **options))
            desk.rules = RULES
            return desk

        yield open_one


class Ending:
    """A client that has a worker end while it makes a call: the one of that number."""

    def __init__(self, desk: Desk, at: int, then: Callable[[], object]) -> None:
        self._client, self._at, self._then = desk.client, at, then
        self.settings = desk.client.settings
        self.calls: list[str] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        def call(*args: Any, **more: Any) -> Any:
            self.calls.append(name)
            if len(self.calls) == self._at:
                self._then()
            return getattr(self._client, name)(*args, **more)

        return call


def ended_at(desk: Desk, at: int) -> Ending:
    """Have a worker take one step, and be told to end while it makes the call of that number."""
    client = Ending(desk, at, lambda: worker.stop())
    worker = OrderWorker(desk.book, client, deliver=desk.deliver, on_event=desk.told.append, rules=desk.rules)
    worker.step()
    return client


def by_hand(desk: Desk, count: int) -> None:
    """Order as somebody else would, past the book."""
    for number in range(count):
        name = f"other-{number}.example.com"
        params = {"commonName": name, "dNSName": name, "pkcs12Password": PASSWORD}
        desk.client.create_single_cert_batch(AUTHORITY, name, params)


def unknown(desk: Desk, **wanted: Any) -> None:
    """Have an order whose outcome is unknown; it was not accepted."""
    desk.control.queue_fault("reset", calls=(ORDER, "upload"))
    desk.put(until=OrderState.UNKNOWN, **wanted)


@pytest.fixture(autouse=True)
def _long_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have a list come in small pages."""
    monkeypatch.setattr(batch, "_PAGE_SIZE", 1)
    monkeypatch.setattr(batch_lists, "PAGE_SIZE", 2)


def paged(opened: Opened) -> Desk:
    desk = opened(batch_list="page", delay=LATER)
    by_hand(desk, 12)
    unknown(desk)
    return desk


def probed(opened: Opened) -> Desk:
    desk = opened(delay=LATER)
    desk.put("before", until=OrderState.ISSUING)
    desk.book.cancel("before", "it is not looked at")
    by_hand(desk, 6)
    unknown(desk)
    desk.rules = dataclasses.replace(RULES, use_list=False)
    return desk


def downloaded(opened: Opened) -> Desk:
    desk = opened(batch_list="array", upload_name="number")
    unknown(desk, csr=request("vasp.example.com"))
    for number in range(4):
        desk.client.upload_csr_batch(PROFILE, f"{number}.csr", request("a.example.com"))
    return desk


def planned(opened: Opened) -> Desk:
    desk = opened()
    desk.place()
    return desk


def revoked_by_somebody(opened: Opened) -> Desk:
    desk = opened()
    order = desk.put(until=OrderState.FETCHED)
    assert order.certificate is not None
    desk.client.revoke_certificate(PROFILE, CRLReason.superseded, order.certificate.serial_number)
    desk.book.cancel("vasp", "no longer wanted")
    return desk


def without_its_archive(opened: Opened) -> Desk:
    desk = opened()
    order = desk.put(until=OrderState.FETCHED)
    desk.book.secrets.remove(f"{order.uid}.{ARCHIVE}{order.batch_id}")
    return desk


@pytest.mark.parametrize(
    ("prepared", "at", "last"),
    [
        (paged, 1, "raw"),
        (paged, 4, "raw"),
        (probed, 2, "batch_detail"),
        (downloaded, 3, "download_bytes"),
        (planned, 1, "user_authorities"),
        (planned, 2, "profile_params"),
        (planned, 3, "authority_available_balance"),
        (revoked_by_somebody, 1, "revoke_certificate"),
        (without_its_archive, 1, "download_bytes"),
    ],
)
def test_nothing_more_is_asked_and_the_order_stands_as_it_was(
    opened: Opened, prepared: Callable[[Opened], Desk], at: int, last: str
) -> None:
    desk = prepared(opened)
    before = desk.book.get("vasp")
    client = ended_at(desk, at)
    order = desk.book.get("vasp")
    assert (len(client.calls), client.calls[-1]) == (at, last)
    assert (order.state, order.failures, order.attention) == (before.state, 0, None)
    assert order.attempt == before.attempt
    assert desk.delivered == []
    assert [lease.order.key for lease in desk.book.claim("next", seconds=60.0)] == ["vasp"]


def test_what_was_left_is_gone_on_with(opened: Opened) -> None:
    desk = revoked_by_somebody(opened)
    ended_at(desk, 1)
    assert desk.carry().state is OrderState.CANCELLED


@pytest.mark.parametrize("looks", [1, 2])
def test_an_order_that_has_not_left_is_planned_again(opened: Opened, looks: int) -> None:
    desk = opened()
    desk.place()
    if looks == 2:
        # It is sent a second time then, with another token, and looked at once more before.
        desk.control.queue_fault("token-dropped", calls=[ORDER])

    class Late(Ending):
        def create_single_cert_batch(self, *args: Any, **more: Any) -> Any:
            before_send = more.pop("before_send")
            seen: list[None] = []

            def gate() -> None:
                seen.append(None)
                if len(seen) == looks:
                    worker.stop()
                before_send()

            return self._client.create_single_cert_batch(*args, before_send=gate, **more)

    worker = OrderWorker(desk.book, Late(desk, 0, lambda: None), rules=RULES)
    worker.step()
    order = desk.book.get("vasp")
    assert (order.state, order.attempt, order.failures) == (OrderState.PLANNED, 1, 0)
    assert order.attention is None
    assert desk.control.orders()["accepted"] == 0
    assert desk.carry().state is OrderState.DELIVERED
    assert desk.control.orders()["accepted"] == 1


def test_what_was_sent_is_waited_for(opened: Opened) -> None:
    desk = opened()
    desk.place()

    class Sent(Ending):
        def create_single_cert_batch(self, *args: Any, **more: Any) -> Any:
            accepted = self._client.create_single_cert_batch(*args, **more)
            worker.stop()
            return accepted

    worker = OrderWorker(desk.book, Sent(desk, 0, lambda: None), rules=RULES)
    worker.step()
    assert desk.book.get("vasp").state is OrderState.PLACED


def test_a_stop_ends_one_step_and_not_the_next(opened: Opened) -> None:
    desk = planned(opened)
    worker = OrderWorker(desk.book, desk.client, rules=RULES)
    worker.stop()
    assert worker.step().carried == 0
    assert worker.step().carried == 1


def test_who_has_lost_the_lease_meanwhile_asks_no_further(opened: Opened) -> None:
    desk = paged(opened)
    client = Ending(desk, 4, lambda: desk.book.resolve("vasp", give_up=True))
    OrderWorker(desk.book, client, rules=RULES).step()
    assert client.calls == ["raw"] * 4
    order = desk.book.get("vasp")
    assert order.state is OrderState.FAILED
    assert "given up" in order.reason


# `sectigo worker` and a real signal


@pytest.fixture
def placed(tmp_path: Path) -> Iterator[tuple[OrderBook, Emulator]]:
    """A book with an order that nobody knows the outcome of, and a service with batches behind the last known one."""
    path = tmp_path / "orders.sqlite3"
    with Emulator(delay=LATER) as service, OrderBook(path, secrets=FileSecretStore(tmp_path / "secrets")) as book:
        for key in ("known", "vasp"):
            book.place(key, OrderRequest(names=(f"{key}.example.com",), authority=AUTHORITY))
        in_between(book, "known")
        book.record_batch(book.get("known").uid, 1, 1, reason="it is known")
        book.cancel("known", "it is not looked at")
        in_between(book, "vasp")
        yield book, service


def in_between(book: OrderBook, key: str) -> None:
    """Have an order be about to be sent, and its worker gone."""
    (lease,) = book.claim("gone", seconds=60.0, keys=[key])
    assert book.begin_sending(lease, authority_id=AUTHORITY, profile_id=PROFILE, seconds=1.0, balance=None)
    book.release(lease)


def seconds_to_end(process: subprocess.Popen[str]) -> float:
    """Have it end, and return how long that took."""
    begun = time.monotonic()
    process.send_signal(signal.SIGTERM)
    assert process.wait(60) == -signal.SIGTERM
    return time.monotonic() - begun


def worked(folder: Path, service: Emulator, timeout: float) -> subprocess.Popen[str]:
    """Start a worker that may look at twenty batch ids."""
    env = {**service.environ, "SECTIGO_TIMEOUT": str(timeout), "SECTIGO_BOOK": str(folder / "orders.sqlite3")}
    return start("worker", "--probe", "20", env={**env, "HOME": str(folder)}, stdout=subprocess.DEVNULL)


def test_a_signal_ends_a_search_that_is_long(placed: tuple[OrderBook, Emulator], tmp_path: Path) -> None:
    book, service = placed
    service.control.add_fault("late-reply", calls=["batchDetail"], seconds=0.5)
    with worked(tmp_path, service, 10.0) as process:
        try:
            until(lambda: len(service.control.journal(call="batchDetail")) >= 2)
            # Seventeen looks are still to come: eight seconds.
            assert seconds_to_end(process) < 4.0
        finally:
            process.kill()
    left_as_it_was(book.get("vasp"), book)


def test_a_signal_ends_it_within_a_deadline_where_nothing_is_answered(
    placed: tuple[OrderBook, Emulator], tmp_path: Path
) -> None:
    book, service = placed
    [lease] = book.claim("earlier", seconds=60.0, keys=["vasp"])
    book.change(lease, failures=5, next_at=0.0)
    book.release(lease)
    service.control.add_fault("hang", calls=["batches", "batchDetail", "findCertificate"])
    with worked(tmp_path, service, 3.0) as process:
        try:
            until(lambda: bool(service.control.journal(call="batches")))
            # Each of three questions has a deadline of its own.
            assert seconds_to_end(process) < 3.0 + 2.0
        finally:
            process.kill()
    assert len(service.control.journal(call="findCertificate")) == 0
    left_as_it_was(book.get("vasp"), book, failures=5)


def left_as_it_was(order: Order, book: OrderBook, failures: int = 0) -> None:
    """Hold that nothing was decided, and that whoever comes next may go on at once."""
    assert (order.state, order.failures, order.attention) == (OrderState.UNKNOWN, failures, None)
    assert [lease.order.key for lease in book.claim("next", seconds=60.0, keys=["vasp"])] == ["vasp"]
