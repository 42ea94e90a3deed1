"""F7 to F25, as far as they are about what comes after an order was accepted."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot.orders import (
    Bundle,
    Order,
    OrderBook,
    OrderRequest,
    OrderState,
    OrderWorker,
    Renewal,
    WorkerRules,
)
from sectigo_iot.pki import open_bundle
from tests.orders.desk import AUTHORITY, DAY, PASSWORD, Desk, open_desk
from tests.orders.test_delivering import serial_of, status_of
from tests.orders.test_renewing import NAMES, renewed

S = OrderState


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def test_f07_a_delivery_that_hangs_holds_up_no_other_order(desk: Desk) -> None:
    free, taken = threading.Event(), threading.Event()

    def take(order: Order, bundle: Bundle) -> None:
        if order.key == "slow":
            taken.set()
            free.wait(30)

    for key in ("slow", "quick-1", "quick-2"):
        desk.place(key, f"{key}.example.com")
    worker = OrderWorker(desk.book, desk.client, deliver=take, threads=2, clock=desk.clock)
    running = threading.Thread(target=worker.run)
    running.start()
    try:
        assert taken.wait(20)
        until = time.monotonic() + 20
        while desk.book.counts().get(S.DELIVERED, 0) < 2 and time.monotonic() < until:
            time.sleep(0.02)
        assert [desk.book.get(key).state for key in ("quick-1", "quick-2")] == [S.DELIVERED, S.DELIVERED]
        assert desk.book.get("slow").state is S.FETCHED
    finally:
        free.set()
        worker.stop()
        running.join()
    assert desk.book.get("slow").state is S.DELIVERED


_WORKERS = """
import os, signal, sys
from pathlib import Path
from sectigo_iot import IoTManager, Settings
from sectigo_iot.orders import lease

real_time, ahead = lease.boot_time, 0.0
lease.boot_time = lambda: real_time() + ahead
import sectigo_iot.orders.steps.handlers
from sectigo_iot.orders import OrderBook, OrderState, OrderWorker

folder = Path(sys.argv[1])

def die():
    os.kill(os.getpid(), signal.SIGKILL)

def dying(real, when):
    def call(*given, **more):
        real(*given, **more)
        if when(*given):
            die()
    return call

def work(point):
    def take(order, bundle):
        with (folder / "taken").open("a") as taken:
            print(order.certificate.serial_number, file=taken)
        if point == "taken":
            die()

    with OrderBook(folder / "orders.sqlite3") as book, IoTManager(Settings()) as client:
        if point == "kept":
            book.secrets.put = dying(book.secrets.put, lambda name, _: ".zip" in name)
        if point == "fetched":
            book.change = dying(book.change, lambda _, new=None: new is OrderState.FETCHED)
        OrderWorker(book, client, deliver=take).step()

for point in sys.argv[2:]:
    child = os.fork()
    if not child:
        work(point)
        os._exit(0)
    print(point, os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
    # As if the one that was killed had held its lease to the end.
    ahead += 1e5
"""


def test_f08_a_worker_that_is_killed_at_any_step_is_gone_on_from(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "book"
    with OrderBook(folder / "orders.sqlite3") as book:
        book.place("vasp", OrderRequest(names=NAMES, authority=AUTHORITY), password=PASSWORD)
    assert killed_at(["kept", "fetched", "taken", "none"], folder, desk) == "kept -9\nfetched -9\ntaken -9\nnone 0\n"
    with OrderBook(folder / "orders.sqlite3") as book:
        order, bundle = book.get("vasp"), book.bundle("vasp")
    assert order.state is S.DELIVERED
    assert bundle is not None
    assert open_bundle(bundle.archive, bundle.password)[0].serial_number == serial_of(order)
    assert (folder / "taken").read_text().split() == [serial_of(order)] * 2
    assert desk.control.downloads(order.batch_id)["count"] == 1
    assert len(desk.control.certificates()) == 1


def killed_at(points: list[str], folder: Path, desk: Desk) -> str:
    """Have one worker after the other die at these points; return how each ended."""
    script = folder.parent / "workers.py"
    script.write_text(_WORKERS)
    environ = {**os.environ, **desk.emulator.environ}
    command = [sys.executable, str(script), str(folder), *points]
    return subprocess.run(command, env=environ, stdout=subprocess.PIPE, text=True, timeout=60, check=True).stdout


@pytest.mark.parametrize("value", ["html", "empty"])
def test_f09_an_error_page_is_not_taken_for_a_certificate(desk: Desk, value: str) -> None:
    desk.put(until=S.READY)
    details = {"status": 200} if value == "html" else {}
    desk.control.add_fault(value, calls=["download"], times=3, **details)
    for _ in range(3):
        desk.step()
        order = desk.book.get("vasp")
        assert (order.state, desk.secret("vasp", "zip")) == (S.READY, None)
        desk.wait((order.next_at or 0.0) - desk.clock() + 0.01)
    assert order.attention is not None
    assert desk.carry("vasp", S.DELIVERED).attention is None
    assert len(open_bundle(desk.delivered[0][1].archive, PASSWORD)) == 1


@pytest.mark.parametrize(
    "fault", ["zip-no-entries", "zip-two-entries", "zip-wrong-password", "zip-corrupt", "zip-cut"]
)
def test_f10_a_bundle_that_cannot_be_used_is_fetched_again_and_told(desk: Desk, fault: str) -> None:
    desk.rules = WorkerRules(told_after=2)
    desk.put(until=S.READY)
    desk.control.add_fault(fault, calls=["download"])
    order = desk.carry("vasp", S.FAILED, times=2) if fault in TOLD else carried_on(desk)
    assert order.attention is not None
    assert [event.kind for event in desk.told].count("attention") + (order.state is S.FAILED) >= 1
    assert desk.delivered == []
    desk.control.clear_faults()
    desk.book.retry("vasp")
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED
    assert len(desk.control.certificates()) == 1


TOLD = ("zip-two-entries", "zip-wrong-password")


def carried_on(desk: Desk) -> Order:
    for _ in range(3):
        desk.step()
        order = desk.book.get("vasp")
        if order.state is S.FAILED:
            return order
        desk.wait((order.next_at or 0.0) - desk.clock() + 0.01)
    assert order.state is S.READY
    return order


def test_f11_a_delivery_that_fails_for_hours_is_made_in_the_end(desk: Desk) -> None:
    opens = desk.clock() + DAY / 4
    taken: list[Bundle] = []

    def take(order: Order, bundle: Bundle) -> None:
        if desk.clock() < opens:
            raise TimeoutError("the webhook does not answer")
        taken.append(bundle)

    desk.deliver = take
    desk.place()
    order = desk.carry("vasp", S.DELIVERED, times=100)
    assert (order.state, len(taken)) == (S.DELIVERED, 1)
    assert desk.reasons(kind="delivery") == ["not delivered: TimeoutError: the webhook does not answer"]
    assert desk.control.downloads(order.batch_id)["count"] == 1


@pytest.mark.parametrize("until", [S.PLACED, S.READY, S.FETCHED])
def test_f12_what_was_withdrawn_on_its_way_is_fetched_and_revoked(desk: Desk, until: OrderState) -> None:
    desk.put(until=until)
    desk.book.cancel("vasp", "the request was withdrawn")
    order = desk.carry("vasp", S.CANCELLED)
    assert (order.state, desk.delivered) == (S.CANCELLED, [])
    assert status_of(desk, order) == "REVOKED"
    assert desk.control.unfetched() == []


def test_f12_what_failed_although_it_was_issued_is_revoked_when_it_is_cancelled(desk: Desk) -> None:
    desk.rules = WorkerRules(told_after=1)
    desk.put(until=S.READY)
    desk.control.add_fault("zip-wrong-password", calls=["download"])
    desk.carry("vasp", S.FAILED, times=2)
    desk.control.clear_faults()
    desk.book.cancel("vasp", "nobody wants it any more")
    order = desk.carry("vasp", S.CANCELLED)
    assert (order.state, status_of(desk, order)) == (S.CANCELLED, "REVOKED")


@pytest.mark.parametrize(
    ("life", "state", "words"),
    [
        ("rejected", S.REJECTED, "ended as REJECTED: The organization could not be verified"),
        ("failed", S.FAILED, "ended as FAILED"),
        ("broken", S.FAILED, "ended as BROKEN: Cert subject name error"),
    ],
)
def test_f13_a_batch_that_came_to_nothing_is_told(desk: Desk, life: str, state: OrderState, words: str) -> None:
    desk.control.next_life(life)
    desk.place()
    order = desk.carry("vasp", state)
    assert (order.state, order.attention, order.next_at) == (state, order.reason, None)
    assert words in order.reason
    assert (desk.told[-1].new, desk.told[-1].reason) == (state, order.reason)
    assert desk.book.find(attention=True) == (order,)
    assert desk.control.late_polls() == []


@pytest.mark.parametrize("life", ["unknown-status", "zero-counts", "disagreeing"])
def test_f14_a_status_that_nobody_knows_is_waited_for(desk: Desk, life: str) -> None:
    desk.control.next_life(life)
    desk.place()
    order = desk.carry("vasp", S.DELIVERED)
    assert (order.state, order.attention) == (S.DELIVERED, None)


def test_f14_days_to_live_that_pass_are_told(desk: Desk) -> None:
    desk.put(until=S.READY)
    desk.wait(31 * DAY)
    order = desk.carry("vasp", S.EXPIRED)
    assert (order.state, order.attention) == (S.EXPIRED, order.reason)
    again = desk.book.retry("vasp", order_anew=True)
    assert again.state is S.PLANNED
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED


def test_f18_the_old_certificate_stays_delivered_while_it_is_renewed(desk: Desk) -> None:
    old = desk.put(until=S.DELIVERED, renewal=Renewal(30.0, revoke_after=1.0))
    desk.control.next_life("stuck")
    key = renewed(desk)
    for _ in range(3):
        desk.wait(5 * DAY)
        desk.step()
        assert desk.book.get("vasp").state is S.DELIVERED
    assert desk.book.get(key).state is S.ISSUING
    assert status_of(desk, old) != "REVOKED"
    assert desk.book.bundle("vasp") is not None


def test_f19_a_window_that_was_missed_is_made_up_for(desk: Desk) -> None:
    old = desk.put(until=S.DELIVERED, renewal=Renewal(10.0))
    assert old.certificate is not None
    desk.wait(old.certificate.not_after.timestamp() - desk.clock() + 20 * DAY)
    desk.step()
    key = desk.book.get("vasp").renewed_by
    assert key is not None
    assert desk.carry(key, S.DELIVERED).state is S.DELIVERED


def test_f21_a_renewal_has_every_name_of_the_certificate(desk: Desk) -> None:
    old = desk.put("vasp", *NAMES, "third.example.com", until=S.DELIVERED, renewal=Renewal(30.0))
    new = desk.carry(renewed(desk), S.DELIVERED)
    assert old.certificate is not None
    assert new.certificate is not None
    assert sorted(new.certificate.dns_names) == sorted(old.certificate.dns_names)
    assert new.wanted.common_name == old.wanted.common_name
    assert len(new.certificate.dns_names) == 3


def test_f24_looking_leaves_no_trace_and_what_is_over_is_not_looked_at(tmp_path: Path) -> None:
    with open_desk(tmp_path, delay=900.0) as desk:
        desk.put(until=S.PLACED)
        order = desk.carry("vasp", S.DELIVERED, times=120)
        looks = [each for each in desk.control.journal(batch=order.batch_id) if each["call"] == "batchStatus"]
        assert len(looks) > 20
        assert len(desk.book.history("vasp")) < 10
        desk.control.clear_journal()
        desk.wait(DAY)
        desk.step()
        assert (desk.control.journal(), desk.book.next_due()) == ([], None)


def test_f25_what_was_replaced_is_revoked_as_superseded(desk: Desk) -> None:
    old = desk.put(until=S.DELIVERED, renewal=Renewal(30.0, revoke_after=3.0))
    new = desk.carry(renewed(desk), S.DELIVERED)
    desk.wait(3 * DAY + 60)
    desk.step()
    assert (status_of(desk, old), status_of(desk, new)) == ("REVOKED", "COLLECTED")
    assert desk.control.certificate(serial_of(old))["reason"] == "superseded"
    assert desk.book.get("vasp").revoked_at is not None
