"""How the best public embedding of this API loses and doubles orders when it sends them, each by its number."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import Batch, SectigoError
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import MemorySecretStore, OrderBook, OrderRequest, OrderState, OrderWorker
from sectigo_iot.orders.steps import sending
from tests.orders.crash.places import environment
from tests.orders.sender import NAME, Sender, open_sender
from tests.orders.test_sending import ADDRESS, Instead

PASSWORD = "correct-horse-battery-staple"


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def sender(service: Emulator, tmp_path: Path) -> Iterator[Sender]:
    with open_sender(service, tmp_path) as made:
        yield made


def tick(sender: Sender, times: int = 3) -> None:
    """Let as many hours pass, and a worker do each time what is due."""
    for _ in range(times):
        sender.clock.ahead += 3600
        worker = OrderWorker(sender.book, sender.client, on_event=sender.told.append, clock=sender.clock, name="tick")
        worker.step(limit=10)


@pytest.mark.parametrize("fault", ["lost-reply", "silent-reply", "garbled-reply"])
def test_f01_a_lost_reply_is_never_ordered_again(service: Emulator, tmp_path: Path, fault: str) -> None:
    with open_sender(service, tmp_path, timeout=0.5) as sender:
        sender.control.queue_fault(fault, calls=("createSingleCertBatch",))
        assert sender.ordered().state is OrderState.UNKNOWN
    with open_sender_again(sender) as later:
        tick(later)
        order = later.book.get("vasp")
        assert order.state is OrderState.UNKNOWN
        assert order.batch_name in (order.attention or "")
        assert later.accepted() == 1


def open_sender_again(sender: Sender) -> Any:
    """Open the book of a sender that has ended, at the same service, with a client that has more time."""
    import contextlib

    from sectigo_iot import IoTManager
    from tests.conftest import settings_for

    @contextlib.contextmanager
    def opened() -> Iterator[Sender]:
        path = sender.book.url.removeprefix("sqlite:///")
        with (
            IoTManager(settings_for(sender.emulator)) as client,
            OrderBook(path, clock=sender.clock) as book,
        ):
            yield Sender(book, client, sender.emulator, sender.clock)

    return opened()


KILLED = """
import os, signal, sys
from typing import NamedTuple
from sectigo_iot import IoTManager, MemoryTokenStore, Settings
from sectigo_iot.orders import OrderBook
from sectigo_iot.orders.steps.sending import send
from tests.orders.sender import Sender, Clock
from tests.orders.test_sending import Instead, Timeouts

class Emulator:
    control = type("Control", (), {"journal": lambda self: []})()

with IoTManager(Settings(token_store=MemoryTokenStore())) as client, OrderBook(sys.argv[1]) as book:
    book.record_batch = lambda *_, **__: os.kill(os.getpid(), signal.SIGKILL)
    sender = Sender(book, Instead(client, settings=Timeouts(0.1)), Emulator(), Clock())
    send(sender.work(seconds=0.0))
"""


def test_f02_a_process_that_dies_before_it_saves_does_not_order_again(sender: Sender) -> None:
    sender.place()
    path = sender.book.url.removeprefix("sqlite:///")
    environ = {**environment(), **sender.emulator.environ}
    done = subprocess.run([sys.executable, "-c", KILLED, path], env=environ, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert sender.book.get("vasp").state is OrderState.ORDERING
    assert sender.accepted() == 1
    until = time.monotonic() + 5
    while sender.book.get("vasp").state is OrderState.ORDERING and time.monotonic() < until:
        time.sleep(0.1)
        tick(sender, 1)
    tick(sender)
    assert sender.book.get("vasp").state is OrderState.UNKNOWN
    assert sender.accepted() == 1


def test_f06_orders_do_not_race_for_the_last_licence(sender: Sender) -> None:
    sender.control.set_balance(423, 1)
    for number in range(8):
        sender.place(f"vasp-{number}")
    leases = sender.book.claim("racer", seconds=600, limit=8)
    threads = [threading.Thread(target=lambda each=lease: sending.send(sender.work_of(each))) for lease in leases]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    orders = sender.control.orders()
    assert (orders["accepted"], orders["refused"]) == (1, 0)
    assert sender.book.attention_count() == 7


def test_f15_a_batch_id_of_zero_is_found_out_at_once(sender: Sender) -> None:
    def create(*arguments: Any, **options: Any) -> Batch:
        batch = client.create_single_cert_batch(*arguments, **options)
        return Batch.read({**batch.document, "batchId": 0})

    client = sender.client
    sender.client = Instead(client, create_single_cert_batch=create)
    order = sender.ordered()
    assert (order.state, order.batch_id) == (OrderState.UNKNOWN, None)
    tick(sender)
    assert sender.book.get("vasp").attention
    assert sender.accepted() == 1


def test_f16_what_cannot_succeed_is_told_and_not_tried_for_ever(sender: Sender) -> None:
    sender.control.set_balance(423, 0)
    order = sender.ordered()
    assert order.state is OrderState.PLANNED
    assert "no licence left" in (order.attention or "")
    assert (order.next_at or 0) - sender.clock() > 50
    tick(sender)
    assert [event.kind for event in sender.told].count("attention") == 1
    sender.control.set_balance(423, 5)
    sender.control.queue_fault("json-error", calls=("createSingleCertBatch",), status=400)
    tick(sender, 1)
    refused = sender.book.get("vasp")
    assert refused.state is OrderState.REJECTED
    assert refused.attention == refused.reason
    before = sender.requests()
    tick(sender)
    assert sender.requests() == before


def test_f17_another_profile_is_never_taken_instead(sender: Sender) -> None:
    order = sender.ordered(profile="489", params=ADDRESS)
    assert order.state is OrderState.PLANNED
    assert "authority 489 has no licence left" in (order.attention or "")
    assert "createSingleCertBatch" not in sender.requests()


def test_f17_a_balance_that_cannot_be_asked_for_is_not_zero(sender: Sender) -> None:
    sender.control.add_fault("json-error", calls=("authorityUserBalanceAvailable",), status=500)
    sender.control.add_fault("nulls", calls=("userAuthorities",), value="balance")
    order = sender.ordered()
    assert (order.state, order.authority_id) == (OrderState.PLACED, 423)


class FullStore(MemorySecretStore):
    """A store that is full."""

    def put(self, name: str, value: bytes) -> None:
        raise SectigoError(f"{name} cannot be written: No space left on device")


def test_f20_a_password_is_kept_before_the_order_is_there(tmp_path: Path) -> None:
    with OrderBook(tmp_path / "orders.sqlite3", secrets=FullStore()) as book:
        with pytest.raises(SectigoError, match="No space left"):
            book.place("vasp", OrderRequest(names=(NAME,)), password=PASSWORD)
        assert book.counts().get(OrderState.PLANNED, 0) == 0


def test_f20_a_password_that_somebody_holds_is_never_replaced(sender: Sender) -> None:
    sender.place(password=PASSWORD)
    sender.book.secrets.remove(f"{sender.book.get('vasp').uid}.password")
    order = sender.send()
    assert order.state is OrderState.FAILED
    assert "password" in (order.attention or "")
    assert sender.secret() is None
    assert sender.requests() == {}


def test_f22_what_was_left_out_is_not_made_up(sender: Sender) -> None:
    sender.control.set_balance(489, 5)
    order = sender.ordered(profile="489", params={"organizationName": "Example", "countryName": "US"})
    assert order.state is OrderState.REJECTED
    assert "localityName is missing" in order.reason
    assert "stateOrProvinceName is missing" in order.reason
    assert "createSingleCertBatch" not in sender.requests()


def test_f23_the_password_stands_nowhere_but_in_its_store(
    sender: Sender, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    order = sender.ordered(password=PASSWORD)
    assert sender.book.password("vasp") == PASSWORD
    files = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert [path.suffix for path in files if PASSWORD.encode() in path.read_bytes()] == [".password"]
    assert len(files) > 1
    shown = f"{order} {sender.book.history('vasp')} {sender.told} {sender.book!r} {sender.work_of!r} {caplog.text}"
    assert PASSWORD not in shown
