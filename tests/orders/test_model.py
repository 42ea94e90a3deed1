"""Book and workers against a model: replies that are lost, workers that are killed or stopped, humans who decide.

The service is the emulator, seen through a line on which what is drawn happens to the next order. The model is what
the line has seen: which orders were carried out, under which names.
"""

from __future__ import annotations

import contextlib
import itertools
import shutil
import tempfile
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

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
from sectigo_iot.errors import APIError, OutcomeUnknownError, UnreachableError
from sectigo_iot.orders import (
    MemorySecretStore,
    Order,
    OrderBook,
    OrderRequest,
    OrderState,
    OrderWorker,
    Service,
    WorkerRules,
    lease,
)
from sectigo_iot.orders.states import FINISHED, FRUITLESS
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.orders.desk import AUTHORITY, Clock, swapped
from tests.reliability.figures import share

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
FATES = st.sampled_from(["fine", "fine", "lost", "lost", "late", "late", "never", "refused", "unreachable"])
LONG = 4000.0
"""Seconds that are longer than the time after which absence may count, and than any lease."""
PAUSES = st.sampled_from([0.0, 2.0, 6.0, 70.0, LONG])
MOMENTS = st.integers(0, 30)


class Killed(BaseException):
    """The process is no more: nothing that would have come after this does."""


class Fuse:
    """Counts the moments at which a worker can be struck, and strikes at one of them."""

    def __init__(self) -> None:
        self._left: int | None = None
        self._strike: Callable[[], None] = self._kill

    def set(self, moments: int | None, strike: Callable[[], None] | None = None) -> None:
        self._left, self._strike = moments, strike or self._kill

    def tick(self) -> None:
        if self._left is None:
            return
        self._left -= 1
        if self._left < 0:
            self._left = None
            self._strike()

    @staticmethod
    def _kill() -> None:
        raise Killed


class StruckBook(OrderBook):
    """A book whose user can be struck before and after everything that is written."""

    fuse = Fuse()

    def __getattribute__(self, name: str) -> Any:
        found = super().__getattribute__(name)
        written = (
            "change",
            "remark",
            "begin_sending",
            "record_batch",
            "claim",
            "renew_lease",
            "release",
            "plan_renewal",
        )
        return around(self.fuse, found) if name in written else found


def around(fuse: Fuse, call: Callable[..., Any]) -> Callable[..., Any]:
    """Return the call with a moment before it and one after."""

    def both(*words: Any, **named: Any) -> Any:
        fuse.tick()
        result = call(*words, **named)
        fuse.tick()
        return result

    return both


class Line:
    """The line to the service: carries calls, loses answers, and knows which orders arrived."""

    def __init__(self, client: IoTManager, fuse: Fuse) -> None:
        self._client, self._fuse = client, fuse
        self.settings = client.settings
        self.fate, self.down = "fine", False
        self.accepted: defaultdict[str, list[int]] = defaultdict(list)
        self._late: list[tuple[str, Callable[[], Any]]] = []

    def __getattr__(self, name: str) -> Callable[..., Any]:
        call = getattr(self._client, name)
        if name in ("create_single_cert_batch", "upload_csr_batch"):
            return lambda *words, **named: self._order(str(words[1]).removesuffix(".csr"), call, words, **named)
        return around(
            self._fuse,
            self._revoke
            if name == "revoke_certificate"
            else lambda *words, **named: self._read(call, *words, **named),
        )

    def _read(self, call: Callable[..., Any], *words: Any, **named: Any) -> Any:
        if self.down:
            raise UnreachableError("nobody there")
        return call(*words, **named)

    def _revoke(self, *words: Any) -> None:
        fate, self.fate = self.fate, "fine"
        if fate in ("fine", "lost"):
            self._client.revoke_certificate(*words)
        if fate != "fine":
            raise OutcomeUnknownError("no answer")

    def _order(
        self, name: str, call: Callable[..., Any], words: tuple[Any, ...], *, before_send: Callable[[], None]
    ) -> Any:
        fate, self.fate = self.fate, "fine"
        self._fuse.tick()
        if fate == "unreachable" or self.down:
            raise UnreachableError("nobody there")
        before_send()
        if fate == "refused":
            raise APIError(400, "not like this")
        if fate == "late":
            self._late.append((name, lambda: call(*words)))
        if fate in ("late", "never"):
            self._fuse.tick()
            raise OutcomeUnknownError("no answer")
        batch = self._carried_out(name, lambda: call(*words))
        self._fuse.tick()
        if fate == "lost":
            raise OutcomeUnknownError("no answer")
        return batch

    def _carried_out(self, name: str, call: Callable[[], Any]) -> Any:
        batch = call()
        self.accepted[name].append(batch.batch_id)
        return batch

    def arrive(self) -> None:
        """Carry out what is still under way."""
        while self._late:
            self._carried_out(*self._late.pop(0))

    def under_way(self, name: str) -> bool:
        return any(each == name for each, _ in self._late)


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
        self.secrets = MemorySecretStore()
        self.fuse = StruckBook.fuse = Fuse()
        self.line = Line(client, self.fuse)
        self.placed: set[str] = set()
        self.anew: Counter[str] = Counter()
        self.given_up: set[str] = set()
        self.delivered: set[str] = set()
        self.refuses_delivery = False
        self.open()

    def open(self) -> None:
        self.book = StruckBook(self.path, secrets=self.secrets, clock=self.clock)

    @initialize(reorder=st.booleans(), probe=st.sampled_from([0, 0, 12]), keys=st.sets(KEYS, min_size=1))
    def begin(self, reorder: bool, probe: int, keys: set[str]) -> None:
        self.emulator.control.reset()
        self.clock.ahead = self.emulator.control.now() - time.time()
        self.allowed = WorkerRules(reorder=reorder, probe=probe, longest_wait=60.0)
        for key in sorted(keys):
            self.place(key)

    def worker(self, name: str) -> OrderWorker:
        line = cast(Service, self.line)
        return OrderWorker(self.book, line, deliver=self.deliver, rules=self.allowed, name=name, clock=self.clock)

    def deliver(self, order: Order, _: object) -> None:
        self.fuse.tick()
        if self.refuses_delivery:
            raise RuntimeError("not now")
        self.delivered.add(order.key)
        self.fuse.tick()

    # What somebody does

    @rule(key=KEYS)
    def place(self, key: str) -> None:
        self.book.place(key, WANTED[key])
        self.placed.add(key)

    @rule(seconds=PAUSES, fate=FATES, down=st.sampled_from([False, False, False, True]), limit=st.integers(1, 3))
    def step(self, seconds: float, fate: str, down: bool, limit: int) -> None:
        self.pass_time(seconds)
        self.line.fate, self.line.down = fate, down
        self.worker("first").step(limit)
        self.line.fate, self.line.down = "fine", False

    @rule(seconds=PAUSES, fate=FATES, moment=MOMENTS)
    def step_and_be_killed(self, seconds: float, fate: str, moment: int) -> None:
        self.pass_time(seconds)
        self.line.fate = fate
        self.fuse.set(moment)
        try:
            self.worker("first").step(2)
        except Killed:
            self.book.close()
            self.open()
        finally:
            self.fuse.set(None)
        self.line.fate = "fine"

    @rule(seconds=PAUSES, fate=FATES, moment=MOMENTS, stopped=PAUSES)
    def step_and_be_stopped_while_another_works(self, seconds: float, fate: str, moment: int, stopped: float) -> None:
        def meanwhile() -> None:
            self.pass_time(stopped)
            self.boot.ahead += LONG
            self.worker("second").step(3)

        self.pass_time(seconds)
        self.line.fate = fate
        self.fuse.set(moment, meanwhile)
        self.worker("first").step(2)
        self.fuse.set(None)
        self.line.fate = "fine"

    def pass_time(self, seconds: float) -> None:
        if seconds > 100.0:
            # Nothing is under way for longer than an order is given to settle.
            self.line.arrive()
        self.clock.ahead += seconds
        self.boot.ahead += seconds
        self.emulator.control.advance(seconds)

    @rule()
    def what_is_under_way_arrives(self) -> None:
        self.line.arrive()

    @rule(refuses=st.booleans())
    def take_no_delivery(self, refuses: bool) -> None:
        self.refuses_delivery = refuses

    # What is drawn never depends on how far things are: a busy machine may be a little further the second time.

    @rule(key=KEYS)
    def cancel(self, key: str) -> None:
        order = self.order(key)
        if order is not None and order.state is not OrderState.DELIVERED:
            self.book.cancel(key, "no longer wanted")

    @rule(key=KEYS, order_anew=st.booleans())
    def retry(self, key: str, order_anew: bool) -> None:
        order = self.order(key)
        if order is not None and order.state in FRUITLESS and key not in self.given_up:
            again = self.book.retry(key, order_anew=order_anew)
            self.anew[key] += again.state is OrderState.PLANNED

    @rule(key=KEYS, give_up=st.booleans())
    def resolve(self, key: str, give_up: bool) -> None:
        order = self.order(key)
        if order is None or order.state is not OrderState.UNKNOWN or self.line.under_way(str(order.batch_name)):
            return
        there = self.line.accepted[str(order.batch_name)]
        if give_up:
            self.given_up.add(key)
            self.book.resolve(key, give_up=True, reason="enough")
        elif there:
            self.book.resolve(key, batch_id=there[0])
        else:
            self.book.resolve(key, absent=True)

    @rule(which=st.integers(0, 9))
    def reject_at_the_portal(self, which: int) -> None:
        numbers = sorted(itertools.chain(*self.line.accepted.values()))
        if which < len(numbers) and self.emulator.control.batch(numbers[which])["rejectable"]:
            self.emulator.control.reject(numbers[which], "not today")

    def order(self, key: str) -> Order | None:
        return self.book.get(key) if key in self.placed else None

    # What is always so

    def orders(self) -> tuple[Order, ...]:
        return self.book.find()

    def batches_of(self, order: Order) -> list[int]:
        """Return every batch that the service made for an order, the earliest first."""
        return [number for name, numbers in self.line.accepted.items() if order.uid in name for number in numbers]

    @invariant()
    def nothing_is_doubled_and_nothing_is_lost(self) -> None:
        orders = self.orders()
        assert {order.key: order.wanted for order in orders} == {key: WANTED[key] for key in self.placed}
        uids = {order.uid for order in orders}
        assert all(any(uid in name for uid in uids) for name in self.line.accepted)
        taken = [order.batch_id for order in orders if order.batch_id is not None]
        assert len(set(taken)) == len(taken)
        for order in orders:
            batches = self.batches_of(order)
            assert len(batches) <= 1 + self.anew[order.key], order
            assert order.batch_id is None or order.batch_id in batches, order
            assert len(self.book.history(order.key)) <= 50
            assert "error of the program" not in str(order.attention), order

    # What is so in the end

    def teardown(self) -> None:
        try:
            if hasattr(self, "allowed"):
                self.fuse.set(None)
                self.refuses_delivery = False
                self.boot.ahead += LONG
                self.let_all_end()
        finally:
            self.book.close()
            self.held.close()

    def let_all_end(self) -> None:
        for _ in range(40):
            self.worker("last").step(10)
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
        found = self.line.accepted[str(order.batch_name)]
        if order.state is OrderState.UNKNOWN and self.listed and (self.named or order.wanted.csr is None):
            assert not found, order


@pytest.fixture
def boot() -> Iterator[Clock]:
    """How long this machine has been running, and how far that was moved."""
    clock = Clock()
    moved = SimpleNamespace(clock_gettime=lambda which: time.clock_gettime(which) + clock.ahead)
    with swapped(lease, "time", moved):
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
