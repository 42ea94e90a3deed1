"""Book and workers against a model: replies that are lost, workers that are killed or stopped, humans who decide.

The service is the emulator, seen through a line on which what is drawn happens to the next order. The model is what
the line has seen: which orders were carried out, under which names.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import itertools
import shutil
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, cast

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
    run_state_machine_as_test,
)

from sectigo_iot import IoTManager
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import (
    Bundle,
    Order,
    OrderRequest,
    OrderState,
    OrderWorker,
    Service,
    WorkerRules,
)
from sectigo_iot.orders.states import FINISHED, FRUITLESS
from sectigo_iot.pki import open_bundle
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.orders.desk import AUTHORITY, Clock
from tests.orders.moments import Killed, Moments, Sleeper, Strike
from tests.orders.watched import Grants, Line, WatchedBook, WatchedSecrets, Wire, boot_clock
from tests.reliability.figures import share


class Trouble(NamedTuple):
    """What becomes of the next order of a worker, and where he falls asleep."""

    fate: str
    stall: Strike


FOLDER = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""In memory, where there is one: the book is synced some 10,000 times."""
HOST, OTHER, THIRD = "vasp.example.com", "other.example.com", "third.example.com"
WANTED = {
    "a": OrderRequest(names=(HOST,), authority=AUTHORITY),
    "b": OrderRequest(names=(HOST,), authority=AUTHORITY),
    "c": OrderRequest(names=(OTHER,), authority=AUTHORITY),
    "d": OrderRequest(names=(HOST,), authority=AUTHORITY, csr=request(HOST)),
    "e": OrderRequest(names=(THIRD,), authority=AUTHORITY, csr=request(THIRD)),
}
KEYS = st.sampled_from(sorted(WANTED))
KNOWN = OrderRequest(names=("known.example.com",), authority=AUTHORITY, csr=request("known.example.com"))
"""What is ordered first: a list of batches proves that one is absent only where the book knows another."""
FATES = st.sampled_from(["fine", "fine", "lost", "lost", "late", "late", "never", "refused", "unreachable"])
LONG = 4000.0
"""Seconds that are longer than the time after which absence may count, and than any lease."""
PAUSES = st.sampled_from([0.0, 2.0, 6.0, 70.0, LONG])
MOMENTS = st.builds(Strike, st.none(), st.integers(0, 30))
STALLS = st.builds(
    Strike,
    st.sampled_from(
        [
            *(
                "connecting",
                "gate",
                "gate",
                "gate",
                "sent",
                "sent",
                "begin_sending",
                "begin_sending done",
                "put",
                "put done",
            ),
            *("change", "change", "change", "remark", "record_batch", "release", "renew_lease", "remove"),
            *("asking", "answered", "claim done", "delivering", "delivered"),
        ]
    ),
    st.sampled_from([0, 0, 0, 1, 2]),
)
"""Where a worker falls asleep: what is written in a book, or kept, comes after the moment that bears its name."""
TROUBLES = st.builds(Trouble, FATES, STALLS) | st.sampled_from(
    [
        *(Trouble("unreachable", Strike("change", 0)), Trouble("fine", Strike("gate", 0))),
        *(Trouble("fine", Strike("put", 0)), Trouble("fine", Strike("begin_sending", 0))),
        *(Trouble("fine", Strike("sent", 0)), Trouble("fine", Strike("remark", 0))),
    ]
)
"""What happens to the order of a worker, and where he falls asleep; some that tell much come more often."""
MEANWHILE = st.lists(st.sampled_from(["take over", "take over and lose", "wait", "work", "answer"]), max_size=3)
"""What happens while one sleeps."""


def die() -> None:
    """End as a process does that is killed."""
    raise Killed


class Orders(RuleBasedStateMachine):
    """A book, two workers, an operator, a portal and a line on which anything can happen."""

    def __init__(self, emulator: Emulator, client: IoTManager, clock: Clock, boot: Clock, empty_book: Path) -> None:
        super().__init__()
        self.emulator, self.client, self.clock, self.boot = emulator, client, clock, boot
        self.listed = emulator.settings.batch_list != "off"
        self.named = emulator.settings.upload_name == "file"
        self.held = contextlib.ExitStack()
        folder = self.held.enter_context(tempfile.TemporaryDirectory(dir=FOLDER))
        self.path = Path(folder, "orders.sqlite3")
        shutil.copy(empty_book, self.path)
        self.moments = WatchedBook.moments = Moments()
        self.secrets = WatchedSecrets(self.moments)
        self.grants = WatchedBook.grants = Grants()
        self.wire = Wire()
        self.lines = {name: Line(client, self.wire, self.moments) for name in ("first", "last")}
        self.sleepers: list[Sleeper] = []
        self.placed: dict[str, OrderRequest] = {}
        self.anew: Counter[str] = Counter()
        self.given_up: set[str] = set()
        self.delivered: set[str] = set()
        self.mistaken: list[str] = []
        self.refuses_delivery = False
        self.set_ahead = 0.0
        self.open()

    def open(self) -> None:
        self.book = self.held.enter_context(WatchedBook(self.path, secrets=self.secrets, clock=self.clock))

    @initialize(
        reorder=st.booleans(),
        probe=st.sampled_from([0, 0, 12]),
        known=st.booleans(),
        answers=st.booleans(),
        keys=st.sets(KEYS, max_size=2),
    )
    def begin(self, reorder: bool, probe: int, known: bool, answers: bool, keys: set[str]) -> None:
        self.emulator.control.reset()
        self.clock.ahead = self.emulator.control.now() - time.time()
        self.allowed = WorkerRules(reorder=reorder, probe=probe, longest_wait=60.0)
        self.answers = answers
        if known:
            self.place("known", KNOWN)
            self.let_all_end()
        for key in sorted(keys):
            self.place(key)

    def worker(self, name: str, line: Line) -> OrderWorker:
        service = cast(Service, line)
        return OrderWorker(self.book, service, deliver=self.deliver, rules=self.allowed, name=name, clock=self.clock)

    def deliver(self, order: Order, bundle: Bundle) -> None:
        self.moments.here("delivering")
        if self.refuses_delivery:
            raise RuntimeError("not now")
        self.delivered.add(order.key)
        (issued,) = open_bundle(bundle.archive, bundle.password)
        if order.certificate is None or issued.serial_number != order.certificate.serial_number:
            self.mistaken.append(f"{order} was handed {issued}")
        self.moments.here("delivered")

    # What somebody does

    @rule(key=KEYS)
    def place(self, key: str, wanted: OrderRequest | None = None) -> None:
        self.placed[key] = wanted or WANTED[key]
        self.book.place(key, self.placed[key])

    def place_another(self, like: str) -> None:
        """Place an order that nobody has begun with yet."""
        wanted = WANTED[like]
        # Of two orders for the same key nobody can tell which batch is whose.
        csr = None if wanted.csr is None else request.__wrapped__(wanted.common_name)
        self.place(f"{like}-{len(self.placed)}", dataclasses.replace(wanted, csr=csr))

    @rule(seconds=PAUSES, fate=FATES, down=st.sampled_from([False, False, False, True]), limit=st.integers(1, 3))
    def step(self, seconds: float, fate: str, down: bool, limit: int) -> None:
        self.pass_time(seconds)
        line = self.lines["first"]
        line.fate, line.down = fate, down
        self.worker("first", line).step(limit)
        line.fate, line.down = "fine", False

    @rule(seconds=PAUSES, fate=FATES, moment=MOMENTS)
    def step_and_be_killed(self, seconds: float, fate: str, moment: Strike) -> None:
        self.pass_time(seconds)
        line = self.lines["first"]
        line.fate = fate
        self.moments.strike(moment, die)
        try:
            self.worker("first", line).step(2)
        except Killed:
            self.open()
        finally:
            self.moments.strike(None)
        line.fate = "fine"

    @rule(key=KEYS, trouble=TROUBLES, meanwhile=MEANWHILE, wakes=st.booleans())
    def step_and_fall_asleep(self, key: str, trouble: Trouble, meanwhile: list[str], wakes: bool) -> None:
        self.place_another(key)
        sleeper = self.asleep(trouble)
        for each in meanwhile:
            self.happens(each)
        if wakes:
            sleeper.go_on()

    @rule(key=KEYS, before=FATES, first=TROUBLES, meanwhile=MEANWHILE, second=TROUBLES, then=MEANWHILE)
    def two_fall_asleep(
        self, key: str, before: str, first: Trouble, meanwhile: list[str], second: Trouble, then: list[str]
    ) -> None:
        self.place_another(key)
        self.step(0.0, before, False, 3)
        self.pass_time(6.0)
        sleepers = [self.asleep(first)]
        for each in meanwhile:
            self.happens(each)
        sleepers.append(self.asleep(second))
        for sleeper in sleepers:
            sleeper.go_on()
            for each in then:
                self.happens(each)

    def asleep(self, trouble: Trouble) -> Sleeper:
        """Have a worker begin to work, and fall asleep."""
        line = Line(self.client, self.wire, self.moments)
        line.fate = trouble.fate
        sleeper = Sleeper(self.moments, functools.partial(self.worker("sleeper", line).step, 3))
        self.sleepers.append(sleeper)
        sleeper.go_on(trouble.stall)
        return sleeper

    def happens(self, what: str) -> None:
        """Let a while go by, in which another worker takes over what is left, and somebody says what became of it."""
        if what in ("wait", "take over", "take over and lose"):
            self.pass_time(LONG)
        if what in ("work", "take over", "take over and lose"):
            self.step(0.0, "fine", False, 3)
        if what in ("answer", "take over", "take over and lose"):
            self.say_what_became_of_them()
        if what in ("take over", "take over and lose"):
            self.step(0.0, "lost" if what == "take over and lose" else "fine", False, 3)

    @rule(which=st.integers(0, 3), stall=st.none() | STALLS)
    def go_on(self, which: int, stall: Strike | None) -> None:
        asleep = [each for each in self.sleepers if not each.over]
        if asleep:
            asleep[which % len(asleep)].go_on(stall)

    def pass_time(self, seconds: float) -> None:
        self.wire.pass_time(seconds)
        self.clock.ahead += seconds
        self.boot.ahead += seconds
        self.emulator.control.advance(seconds)

    @rule(what=st.sampled_from(["arrive", "take no delivery", "take delivery", "ahead", "behind", "right"]))
    def something_else_changes(self, what: str) -> None:
        if what == "arrive":
            self.wire.arrive()
        elif "delivery" in what:
            self.refuses_delivery = what == "take no delivery"
        else:
            ahead = {"ahead": 300.0, "behind": -300.0, "right": 0.0}[what]
            self.clock.ahead += ahead - self.set_ahead
            self.set_ahead = ahead

    # What is drawn never depends on how far things are: a busy machine may be a little further the second time.

    @rule(key=KEYS)
    def cancel(self, key: str) -> None:
        order = self.order(key)
        if order is not None and order.state is not OrderState.DELIVERED:
            self.book.cancel(key, "no longer wanted")
            self.grants.broken(order.uid)

    @rule(key=KEYS, order_anew=st.booleans())
    def retry(self, key: str, order_anew: bool) -> None:
        order = self.order(key)
        if order is not None and order.state in FRUITLESS and key not in self.given_up:
            again = self.book.retry(key, order_anew=order_anew)
            self.grants.broken(order.uid)
            self.anew[key] += again.state is OrderState.PLANNED

    @rule(key=KEYS)
    def give_up(self, key: str) -> None:
        order = self.order(key)
        if order is not None and self.is_asked_about(order):
            self.given_up.add(key)
            self.book.resolve(key, give_up=True, reason="enough")
            self.grants.broken(order.uid)

    @rule()
    def say_what_became_of_them(self) -> None:
        for order in filter(self.is_asked_about, self.orders()):
            there = self.wire.batches(order.batch_name)
            self.book.resolve(order.key, batch_id=there[0] if there else None, absent=not there)
            self.grants.broken(order.uid)

    def is_asked_about(self, order: Order) -> bool:
        return order.state is OrderState.UNKNOWN and not self.wire.under_way(str(order.batch_name))

    @rule(which=st.integers(0, 9))
    def reject_at_the_portal(self, which: int) -> None:
        numbers = sorted(itertools.chain(*self.wire.accepted.values()))
        if which < len(numbers) and self.emulator.control.batch(numbers[which])["rejectable"]:
            self.emulator.control.reject(numbers[which], "not today")

    def order(self, key: str) -> Order | None:
        return self.book.get(key) if key in self.placed else None

    # What is always so

    def orders(self) -> tuple[Order, ...]:
        return self.book.find()

    def batches_of(self, order: Order) -> list[int]:
        """Return every batch that the service made for an order, the earliest first."""
        return [number for name, numbers in self.wire.accepted.items() if order.uid in name for number in numbers]

    @invariant()
    def nothing_is_doubled_and_nothing_is_lost(self) -> None:
        orders = self.orders()
        assert {order.key: order.wanted for order in orders} == self.placed
        uids = {order.uid for order in orders}
        assert all(any(uid in name for uid in uids) for name in self.wire.accepted)
        taken = [order.batch_id for order in orders if order.batch_id is not None]
        assert len(set(taken)) == len(taken)
        for order in orders:
            batches = self.batches_of(order)
            assert len(batches) <= 1 + self.anew[order.key], order
            assert order.batch_id is None or order.batch_id in batches, order
            assert len(self.book.history(order.key)) <= 50
            assert "error of the program" not in str(order.attention), order
            sent = self.wire.passwords.get(order.batch_id or 0)
            assert sent is None or self.book.password(order.key) == sent, order
        assert self.mistaken == []
        assert self.grants.faults == []

    # What is so in the end

    def teardown(self) -> None:
        try:
            if hasattr(self, "allowed"):
                self.refuses_delivery = False
                self.boot.ahead += LONG
                self.let_all_end()
                self.let_all_come_late()
        finally:
            for each in self.sleepers:
                each.kill()
            self.held.close()

    def let_all_come_late(self) -> None:
        """Have what is under way arrive, and those that sleep go on, when the others have long done their work."""
        self.pass_time(LONG)
        if self.answers:
            self.say_what_became_of_them()
        self.let_all_end()
        for each in self.sleepers:
            each.go_on()
            self.nothing_is_doubled_and_nothing_is_lost()
        self.let_all_end()

    def let_all_end(self) -> None:
        # Whatever waits is due then, also by a clock that was set back.
        self.pass_time(700.0)
        for _ in range(40):
            self.worker("last", self.lines["last"]).step(10)
            if all(self.rests(order) for order in self.orders()):
                break
            self.pass_time(61.0)
        self.nothing_is_doubled_and_nothing_is_lost()
        for order in self.orders():
            self.has_come_to_an_end(order)

    @staticmethod
    def rests(order: Order) -> bool:
        return order.state in FINISHED or order.attention is not None

    def has_come_to_an_end(self, order: Order) -> None:
        assert self.rests(order), order
        assert order.state not in FRUITLESS or order.attention is not None, order
        if order.state is OrderState.DELIVERED:
            assert order.key in self.delivered
            assert self.book.bundle(order.key) is not None
        if order.state is OrderState.CANCELLED and order.batch_id is not None:
            good = [
                each for each in self.emulator.control.certificates(batch=order.batch_id) if each["status"] == "good"
            ]
            assert good == [], order
        for number in self.batches_of(order):
            told = order.attention is not None or order.key in self.given_up or self.anew[order.key]
            assert number == order.batch_id or told, order
        found = self.wire.batches(order.batch_name)
        if order.state is OrderState.UNKNOWN and self.listed and (self.named or order.wanted.csr is None):
            assert not found, order


@pytest.fixture
def boot() -> Iterator[Clock]:
    """How long this machine has been running, and how far that was moved."""
    with boot_clock() as clock:
        yield clock


@pytest.mark.timeout(2400)
@pytest.mark.parametrize(
    "options",
    [
        {"batch_list": "array", "upload_name": "number"},
        {"batch_list": "page", "upload_name": "file"},
        {"batch_list": "off", "upload_name": "number"},
    ],
    ids=lambda options: options["batch_list"],
)
def test_book_and_workers_agree_with_the_model(options: dict[str, Any], boot: Clock, empty_book: Path) -> None:
    clock = Clock()
    with (
        Emulator(balances={AUTHORITY: 1_000_000}, delay=5.0, **options) as emulator,
        IoTManager(settings_for(emulator, timeout=5.0), clock=clock) as client,
    ):

        class Here(Orders):
            def __init__(self) -> None:
                super().__init__(emulator, client, clock, boot, empty_book)

        run_state_machine_as_test(
            Here,
            settings=settings(
                max_examples=share(170, 2),
                stateful_step_count=25,
                deadline=None,
                suppress_health_check=list(HealthCheck),
                phases=[Phase.generate, Phase.shrink],
                print_blob=False,
            ),
        )
