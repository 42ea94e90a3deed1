"""A worker that stalls for longer than its lease lasts, at each moment, while another one takes its order over."""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import Bundle, Order, OrderRequest, OrderState, OrderWorker, Service, WorkerRules
from sectigo_iot.pki import open_bundle
from tests.conftest import Runner, settings_for
from tests.orders.desk import AUTHORITY, DAY, Clock, open_desk
from tests.orders.moments import Moments, Sleeper, Strike
from tests.orders.watched import Grants, Line, WatchedBook, WatchedSecrets, Wire, boot_clock
from tests.reliability.figures import FULL

KEY, WANTED = "vasp", OrderRequest(names=("vasp.example.com",), authority=AUTHORITY)
LONG = 4000.0
"""Seconds that are longer than any lease lasts, and than an order is under way."""
MOMENTS = (
    *("asking", "put", "put done", "begin_sending", "begin_sending done"),
    *("connecting", "gate", "sent", "change", "record_batch", "record_batch done"),
)
EVERYTHING = tuple(itertools.product(MOMENTS, ("fine", "lost", "refused", "unreachable"), ("fine", "lost")))
SOME = (
    *(("put", "fine", "fine"), ("put done", "fine", "lost"), ("begin_sending", "fine", "fine")),
    *(("begin_sending done", "fine", "lost"), ("gate", "fine", "fine"), ("gate", "lost", "lost")),
    *(("sent", "fine", "fine"), ("record_batch", "fine", "lost"), ("sent", "lost", "fine")),
    *(("change", "unreachable", "lost"), ("change", "unreachable", "fine"), ("change", "refused", "lost")),
)


class Stage:
    """A book, two workers and a line for each, on clocks that are moved by hand."""

    def __init__(self, book: WatchedBook, client: IoTManager, emulator: Emulator, clock: Clock, boot: Clock) -> None:
        self.book, self.client, self.emulator, self.clock, self.boot = book, client, emulator, clock, boot
        self.wire = Wire()
        self.handed_over: list[tuple[Order, Bundle]] = []
        self.takes = True
        self.sleepers: list[Sleeper] = []

    def step(self, name: str = "awake", fate: str = "fine") -> int:
        """Carry what is due as another worker does, and return how many orders that were."""
        line = Line(self.client, self.wire, self.book.moments)
        line.fate = fate
        worker = OrderWorker(
            self.book,
            cast(Service, line),
            deliver=self.deliver,
            rules=WorkerRules(first_wait=1.0, longest_wait=60.0),
            name=name,
            clock=self.clock,
        )
        return worker.step(10).carried

    def deliver(self, order: Order, bundle: Bundle) -> None:
        if not self.takes:
            raise RuntimeError("not now")
        self.handed_over.append((order, bundle))

    def fall_asleep(self, at: str, fate: str = "fine", *, after: int = 0) -> Sleeper:
        """Have a worker fall asleep at a moment of a kind, the first one or one after it."""
        moments = self.book.moments
        sleeper = Sleeper(moments, functools.partial(self.step, "sleeper", fate))
        self.sleepers.append(sleeper)
        sleeper.go_on(Strike(at, after))
        return sleeper

    def wait(self, seconds: float) -> None:
        self.clock.ahead += seconds
        self.boot.ahead += seconds
        self.emulator.control.advance(seconds)

    def answer(self) -> None:
        """Say what became of an order of which nobody knows, as it is at this moment."""
        order = self.book.get(KEY)
        if order.state is OrderState.UNKNOWN:
            there = self.wire.batches(order.batch_name)
            self.book.resolve(KEY, batch_id=there[0] if there else None, absent=not there)
            self.book.grants.broken(order.uid)

    def carry(self) -> Order:
        """Carry the order to its end, whatever a human is asked meanwhile."""
        for _ in range(30):
            self.step()
            if self.book.get(KEY).finished:
                break
            self.answer()
            self.wait(61.0)
        return self.book.get(KEY)


@pytest.fixture(scope="module")
def clock() -> Clock:
    return Clock()


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator(balances={AUTHORITY: 1_000_000}) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def manager(service: Emulator, clock: Clock) -> Iterator[IoTManager]:
    with IoTManager(settings_for(service, timeout=5.0), clock=clock) as client:
        yield client


@pytest.fixture
def stage(tmp_path: Path, service: Emulator, manager: IoTManager, clock: Clock) -> Iterator[Stage]:
    WatchedBook.moments, WatchedBook.grants = Moments(), Grants()
    service.control.reset()
    clock.ahead = service.control.now() - time.time()
    secrets = WatchedSecrets(WatchedBook.moments)
    with boot_clock() as boot, WatchedBook(tmp_path / "orders.sqlite3", secrets=secrets, clock=clock) as book:
        made = Stage(book, manager, service, clock, boot)
        book.place(KEY, WANTED)
        yield made
        for each in made.sleepers:
            each.kill()
        assert book.grants.faults == []


def is_delivered_once(stage: Stage) -> None:
    """Hold that the order is one at the service, and was handed over."""
    assert sum(map(len, stage.wire.accepted.values())) == 1
    order = stage.book.get(KEY)
    assert stage.book.password(KEY) == stage.wire.passwords[order.batch_id or 0]
    opens_what_was_issued(stage)


def opens_what_was_issued(stage: Stage) -> None:
    """Hold that what was handed over can be opened, and is what the book says that it is."""
    for order, bundle in stage.handed_over:
        (issued,) = open_bundle(bundle.archive, bundle.password)
        assert order.certificate is not None
        assert issued.serial_number == order.certificate.serial_number
    assert stage.handed_over


@pytest.mark.parametrize(("at", "fate", "then"), EVERYTHING if FULL else SOME)
def test_who_wakes_up_late_neither_orders_again_nor_undoes_anything(
    stage: Stage, at: str, fate: str, then: str
) -> None:
    sleeper = stage.fall_asleep(at, fate)
    stage.wait(LONG)
    stage.step()
    stage.answer()
    stage.step(fate=then)
    sleeper.go_on()
    order = stage.carry()
    if order.state is OrderState.REJECTED:
        assert (fate, stage.wire.accepted) == ("refused", {})
        return
    assert order.state is OrderState.DELIVERED, order
    is_delivered_once(stage)


@pytest.mark.parametrize("back", [0.0, LONG], ids=["clock", "clock set back"])
def test_who_wakes_up_at_the_gate_sends_nothing_whatever_the_clock_says(stage: Stage, back: float) -> None:
    sleeper = stage.fall_asleep("gate")
    stage.wait(LONG)
    stage.step()
    stage.clock.ahead -= back
    sleeper.go_on()
    assert stage.wire.accepted == {}
    stage.clock.ahead += back
    stage.answer()
    assert stage.carry().state is OrderState.DELIVERED
    is_delivered_once(stage)


def test_who_lost_an_order_does_not_free_it_for_a_third(stage: Stage) -> None:
    stage.step(fate="never")
    stage.wait(5.0)
    first = stage.fall_asleep("change")
    stage.answer()
    second = stage.fall_asleep("gate")
    first.go_on()
    assert stage.step() == 0
    assert stage.book.get(KEY).state is OrderState.ORDERING
    second.go_on()
    assert stage.carry().state is OrderState.DELIVERED
    is_delivered_once(stage)


def test_a_zip_that_comes_late_is_not_handed_over_in_place_of_another(stage: Stage) -> None:
    """As where a batch was given up, and ordered anew, while somebody was about to keep what it had issued."""
    sleeper = stage.fall_asleep("put", after=1)
    assert stage.book.get(KEY).state is OrderState.READY
    stage.wait(31 * DAY)
    stage.step()
    assert stage.book.retry(KEY, order_anew=True).state is OrderState.PLANNED
    stage.book.grants.broken(stage.book.get(KEY).uid)
    stage.takes = False
    stage.step()
    assert stage.book.get(KEY).state is OrderState.FETCHED
    sleeper.go_on()
    stage.takes = True
    order = stage.carry()
    assert order.state is OrderState.DELIVERED, order
    opens_what_was_issued(stage)


def test_what_was_put_off_by_a_clock_a_year_ahead_is_brought_back_by_hand(tmp_path: Path, sectigo: Runner) -> None:
    with open_desk(tmp_path, delay=600.0) as desk:
        desk.put(until=OrderState.ISSUING)
        desk.clock.ahead += 365 * DAY
        desk.step()
        desk.clock.ahead -= 365 * DAY
        desk.wait(700.0)
        desk.step()
        put_off = desk.book.get(KEY)
        assert put_off.state is OrderState.ISSUING
        assert (put_off.next_at or 0) > desk.clock() + 364 * DAY
        done = sectigo("orders", "--book", desk.book.url.removeprefix("sqlite:///"), "retry", KEY)
        assert (done.code, done.out) == (0, ""), done
        assert (desk.book.get(KEY).next_at or 0) <= desk.clock()
        assert desk.carry(KEY).state is OrderState.DELIVERED
        assert desk.control.orders()["accepted"] == 1
