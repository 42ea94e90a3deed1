"""A planned order is settled in full, written down, sent once, and what became of it is written down."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sectigo_iot import (
    IoTManager,
    LeaseLostError,
    OrderBookError,
    SectigoError,
    UnreachableError,
)
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import MemorySecretStore, OrderBook, OrderState
from sectigo_iot.orders.steps import sending
from sectigo_iot.orders.steps.choosing import REMEMBERED
from sectigo_iot.pki import open_bundle
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.orders.sender import NAME, Sender, open_sender
from tests.unit.lying_server import closed_port

AUTHORITIES = [
    {"id": 1, "profile": 423, "balance": 3},
    {"id": 2, "profile": 423, "balance": 7},
    {"id": 3, "profile": 489, "balance": 9},
    {"id": 4, "profile": 423, "balance": 50, "enabled": False},
]
ADDRESS = {
    "organizationName": "Example",
    "localityName": "Menlo Park",
    "stateOrProvinceName": "California",
    "countryName": "US",
}
USER = {"id": 295, "username": "tester", "password": "supersecretsquirrel"}
WORLD = {"organizations": [{"id": 1, "name": "Four", "authorities": AUTHORITIES, "users": [USER]}]}


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture(scope="module")
def four() -> Iterator[Emulator]:
    """An emulator with four authorities, of two profiles."""
    with Emulator(config=WORLD) as emulator:
        yield emulator


@pytest.fixture
def sender(service: Emulator, tmp_path: Path) -> Iterator[Sender]:
    with open_sender(service, tmp_path, kept=True) as made:
        yield made


@pytest.fixture
def chooser(four: Emulator, tmp_path: Path) -> Iterator[Sender]:
    with open_sender(four, tmp_path, kept=True) as made:
        yield made


class Timeouts(NamedTuple):
    """How long a client waits, in seconds."""

    timeout: float
    download_timeout: float = 60.0


class Instead:
    """The client, but for what a test puts in place of a method."""

    def __init__(self, client: Any, **methods: Any) -> None:
        self._client, self._methods = client, methods

    def __getattr__(self, name: str) -> Any:
        return self._methods.get(name) or getattr(self._client, name)


def raising(error: BaseException) -> Callable[..., Any]:
    def raise_it(*_: object, **__: object) -> Any:
        raise error

    return raise_it


def test_an_order_is_placed_under_a_name_of_its_own(sender: Sender) -> None:
    order = sender.ordered(NAME, "www.example.com")
    assert order.state is OrderState.PLACED
    (accepted,) = sender.control.orders()["orders"]
    assert (accepted["batch"], accepted["batchName"]) == (order.batch_id, order.batch_name)
    assert order.batch_name == f"vasp-{order.uid}-1"
    assert (order.authority_id, order.profile_id, order.attempt) == (423, 423, 1)
    (sent,) = sender.control.journal(call="createSingleCertBatch")
    assert f"{NAME}\\nwww.example.com" in sent["request"]["body"]
    assert (sender.told[-1].old, sender.told[-1].new) == (OrderState.ORDERING, OrderState.PLACED)
    assert sender.told[-1].batch_id == order.batch_id


def test_a_signing_request_is_uploaded_as_it_is(sender: Sender) -> None:
    csr = request(NAME)
    order = sender.ordered(csr=csr)
    assert order.state is OrderState.PLACED
    (accepted,) = sender.control.orders()["orders"]
    assert (accepted["batch"], accepted["batchName"]) == (order.batch_id, f"{order.batch_name}.csr")
    assert sender.secret() is None


def test_a_password_is_made_and_kept_before_the_order_leaves(sender: Sender) -> None:
    kept: list[bytes | None] = []

    def create(*arguments: Any, **options: Any) -> Any:
        # The book says already which it is.
        kept.append(sender.secret())
        return client.create_single_cert_batch(*arguments, **options)

    client = sender.client
    sender.client = Instead(client, create_single_cert_batch=create)
    sender.ordered()
    assert kept == [sender.secret()]
    assert len(kept[0] or b"") >= 8


def test_a_password_that_was_given_is_used(sender: Sender) -> None:
    sent: list[str] = []

    def create(authority: int, name: str, params: Any, **options: Any) -> Any:
        sent.append(params["pkcs12Password"])
        return client.create_single_cert_batch(authority, name, params, **options)

    client = sender.client
    sender.client = Instead(client, create_single_cert_batch=create)
    sender.ordered(password="correct horse battery")
    assert sent == ["correct horse battery"]


def test_one_request_for_each_order_once_the_service_is_known(sender: Sender) -> None:
    for number in range(3):
        sender.place(f"vasp-{number}", f"vasp{number}.example.com")
        assert sender.send().state is OrderState.PLACED
    assert sender.requests() == {
        "userAuthorities": 1,
        "profileParameters": 1,
        "authorityUserBalanceAvailable": 1,
        "createSingleCertBatch": 3,
    }


def test_what_is_known_is_asked_for_anew_after_a_minute(sender: Sender) -> None:
    sender.ordered()
    sender.clock.ahead += REMEMBERED + 1
    sender.place("second")
    sender.send()
    assert sender.requests()["userAuthorities"] == 2


def test_threads_ask_once_between_them(service: Emulator, tmp_path: Path) -> None:
    with open_sender(service, tmp_path, kept=True) as sender:
        sender.control.add_fault("late-reply", calls=("userAuthorities",), seconds=0.2)
        for number in range(6):
            sender.place(f"vasp-{number}")
        threads = [threading.Thread(target=sender.send) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(20)
        assert sender.requests()["userAuthorities"] == 1
        assert sender.requests()["createSingleCertBatch"] == 6
        assert sender.book.counts()[OrderState.PLACED] == 6


# Which authority


@pytest.mark.parametrize(
    ("wanted", "authority"),
    [
        ({"profile": "CipherTrace EE"}, 2),
        ({"profile": "423"}, 2),
        ({"profile": "CipherTrace End Entity Certificate", "params": ADDRESS}, 3),
        ({"profile": None, "authority": 1}, 1),
        ({"profile": "423", "authority": 1}, 1),
    ],
    ids=lambda case: str(case),
)
def test_the_one_with_the_most_licences_of_what_fits(chooser: Sender, wanted: dict[str, Any], authority: int) -> None:
    order = chooser.ordered(**wanted)
    assert (order.authority_id, order.attention) == (authority, None)


def test_another_of_the_same_profile_is_taken_when_the_first_is_empty(chooser: Sender) -> None:
    for number in range(11):
        chooser.place(f"vasp-{number}")
    taken = [chooser.send().authority_id for _ in range(11)]
    assert [taken.count(each) for each in (2, 1, None)] == [7, 3, 1]
    assert chooser.control.orders()["refused"] == 0


@pytest.mark.parametrize(
    ("wanted", "words"),
    [
        ({"profile": "Another"}, "no authority has the profile"),
        ({"profile": None, "authority": 17}, "no authority has id 17"),
        ({"profile": "489", "authority": 1}, "does not have the profile"),
        ({"profile": None}, "name the profile"),
    ],
    ids=lambda case: str(case),
)
def test_what_nothing_fits_is_rejected(chooser: Sender, wanted: dict[str, Any], words: str) -> None:
    order = chooser.ordered(**wanted)
    assert order.state is OrderState.REJECTED
    assert words in order.reason
    assert order.attention == order.reason
    assert order.next_at is None
    assert chooser.accepted() == 0


def test_what_is_not_enabled_is_waited_for(chooser: Sender) -> None:
    order = chooser.ordered(profile=None, authority=4)
    assert order.state is OrderState.PLANNED
    assert "not enabled" in (order.attention or "")


def test_the_only_one_with_licences_where_no_profile_was_named(sender: Sender) -> None:
    assert sender.ordered(profile=None).authority_id == 423


def test_a_list_with_gaps_rejects_nothing(sender: Sender) -> None:
    sender.control.queue_fault("nulls", calls=("userAuthorities",), value="profileName")
    sender.place()
    with pytest.raises(SectigoError):
        sender.send()
    assert sender.book.get("vasp").state is OrderState.PLANNED
    assert sender.send().state is OrderState.PLACED


# What the profile says


def test_every_fault_is_told_before_anything_is_spent(sender: Sender) -> None:
    order = sender.ordered("*.*.example.com", params={"organizationName": "Example"})
    assert order.state is OrderState.REJECTED
    assert "organizationName is not a parameter" in order.reason
    assert "dNSName" in order.reason
    assert "createSingleCertBatch" not in sender.requests()


def test_names_that_the_profile_would_drop_are_refused(tmp_path: Path) -> None:
    with Emulator("manual") as manual, open_sender(manual, tmp_path, kept=True) as sender:
        order = sender.ordered(NAME, "www.example.com", profile="42")
        assert order.state is OrderState.REJECTED
        assert "dNSName is not a parameter" in order.reason
        sender.place("one")
        sender.book.cancel("one", "another profile")
        sender.place("alone", profile="42")
        assert sender.send().state is OrderState.PLACED


def test_rules_that_changed_are_seen_before_an_order_is_refused_by_the_old_ones(sender: Sender) -> None:
    sender.ordered()
    sender.control.require_parameter(423, "organizationName")
    sender.clock.ahead += 5
    sender.place("second", params={"organizationName": "Example"})
    assert sender.send().state is OrderState.PLACED


def test_without_a_list_of_rules_it_goes_on(sender: Sender) -> None:
    sender.control.add_fault("json-error", calls=("profileParameters",), status=501)
    assert sender.ordered().state is OrderState.PLACED


@pytest.mark.parametrize("fault", ["missing-san", "missing-subject"])
def test_a_signing_request_that_would_be_refused_is_rejected(sender: Sender, fault: str) -> None:
    csr = request(NAME)
    if fault == "missing-subject":
        sender.control.require_parameter(423, "organizationName")
    else:
        from cryptography import x509
        from cryptography.hazmat.primitives import hashes
        from cryptography.hazmat.primitives.asymmetric import ec
        from cryptography.hazmat.primitives.serialization import Encoding
        from cryptography.x509.oid import NameOID

        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
        builder = x509.CertificateSigningRequestBuilder().subject_name(subject)
        signed = builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
        csr = signed.public_bytes(Encoding.PEM)
    order = sender.ordered(csr=csr)
    assert order.state is OrderState.REJECTED
    assert "upload" not in sender.requests()


# What may go wrong on the way


@pytest.mark.parametrize(
    ("fault", "own_request"),
    [
        ("lost-reply", True),
        ("lost-reply", False),
        ("silent-reply", True),
        ("hang", False),
        ("reset", False),
        ("garbled-reply", True),
        ("html", False),
        ("null", True),
    ],
)
def test_an_answer_that_is_lost_is_unknown_and_told_by_the_name(
    service: Emulator, tmp_path: Path, fault: str, own_request: bool
) -> None:
    with open_sender(service, tmp_path, kept=True, timeout=0.4) as sender:
        details = {"value": "handled"} if fault in ("html", "null") else {}
        sender.control.queue_fault(fault, calls=("createSingleCertBatch", "upload"), **details)
        order = sender.ordered(csr=request(NAME) if own_request else None)
        assert order.state is OrderState.UNKNOWN
        assert order.batch_id is None
        assert order.next_at is not None
        assert str(order.batch_name) in order.reason
        assert sender.accepted() == (0 if fault in ("reset", "hang") else 1)


@pytest.mark.parametrize("status", [400, 422])
def test_a_refusal_is_told_in_the_words_of_the_service(sender: Sender, status: int) -> None:
    sender.control.queue_fault("json-error", calls=("createSingleCertBatch",), status=status)
    order = sender.ordered()
    assert order.state is OrderState.REJECTED
    assert str(status) in order.reason
    assert order.attention == order.reason


@pytest.mark.parametrize("status", [403, 501])
def test_what_a_human_has_to_see_to_is_told_at_once(sender: Sender, status: int) -> None:
    sender.control.queue_fault("json-error", calls=("createSingleCertBatch",), status=status)
    order = sender.ordered()
    assert order.state is OrderState.PLANNED
    assert str(status) in (order.attention or "")


def test_what_passes_is_planned_again_and_then_sent(sender: Sender) -> None:
    sender.control.queue_fault("too-many", calls=("createSingleCertBatch",), seconds=3)
    order = sender.ordered()
    assert (order.state, order.attention, order.failures) == (OrderState.PLANNED, None, 1)
    assert order.next_at is not None
    assert order.next_at - sender.clock() > 2
    sender.clock.ahead += 4
    again = sender.send()
    assert (again.state, again.attempt, again.failures) == (OrderState.PLACED, 2, 0)
    assert sender.accepted() == 1


def test_who_cannot_be_reached_is_told_of_after_a_while(sender: Sender) -> None:
    gone = UnreachableError("the service cannot be reached")
    sender.client = Instead(sender.client, create_single_cert_batch=raising(gone))
    sender.place()
    orders = [sender.send() for _ in range(4)]
    assert {order.state for order in orders} == {OrderState.PLANNED}
    assert [order.failures for order in orders] == [1, 2, 3, 4]
    assert [order.attention is not None for order in orders] == [False, False, True, True]
    assert [event.kind for event in sender.told].count("attention") == 1


def test_a_port_that_nobody_listens_on_costs_nothing(sender: Sender) -> None:
    sender.ordered()
    with IoTManager(
        settings_for(sender.emulator, endpoint=f"http://127.0.0.1:{closed_port()}", timeout=0.3)
    ) as nobody:
        known = sender.client
        sender.client = Instead(known, create_single_cert_batch=nobody.create_single_cert_batch)
        sender.place("second")
        assert sender.send().state is OrderState.PLANNED


def test_without_time_enough_nothing_is_sent(sender: Sender) -> None:
    sender.place()
    work = sender.work()
    stolen: list[Any] = []

    def check(_seconds: float) -> None:
        if sender.book.get("vasp").state is OrderState.ORDERING:
            stolen.append(True)
            raise LeaseLostError("too late")

    work.lease.check = check  # type: ignore[method-assign, assignment]
    sending.send(work)
    assert stolen == [True]
    assert sender.book.get("vasp").state is OrderState.PLANNED
    assert sender.accepted() == 0


def test_whoever_has_lost_the_order_sends_and_changes_nothing(sender: Sender) -> None:
    other: list[Any] = []

    def create(*arguments: Any, before_send: Callable[[], None], **__: object) -> Any:
        time.sleep(0.4)
        other.extend(sender.book.claim("other", seconds=60))
        return client.create_single_cert_batch(*arguments, before_send=before_send)

    client = sender.client
    sender.client = Instead(client, settings=Timeouts(0.1), create_single_cert_batch=create)
    sender.place()
    work = sender.work(seconds=0.0)
    with pytest.raises(LeaseLostError):
        sending.send(work)
    assert [lease.order.state for lease in other] == [OrderState.UNKNOWN]
    order = sender.book.get("vasp")
    assert (order.state, order.attempt) == (OrderState.PLANNED, 1)
    assert "attempt 1 is certain not to have been carried out" in order.reason
    with pytest.raises(LeaseLostError):
        sender.book.change(other[0], OrderState.FAILED, reason="I know nothing of that")
    assert "createSingleCertBatch" not in sender.requests()


@pytest.mark.parametrize("error", [KeyboardInterrupt(), ZeroDivisionError("a bug")], ids=["interrupt", "bug"])
def test_an_order_that_was_interrupted_stays_as_it_is(sender: Sender, error: BaseException) -> None:
    sender.client = Instead(sender.client, create_single_cert_batch=raising(error))
    sender.place()
    with pytest.raises(type(error)):
        sender.send()
    assert sender.book.get("vasp").state is OrderState.ORDERING


def test_what_was_withdrawn_on_its_way_is_not_sent_again(sender: Sender) -> None:
    def create(*_: object, **__: object) -> Any:
        sender.book.cancel("vasp", "not needed")
        raise UnreachableError("the service cannot be reached")

    sender.client = Instead(sender.client, create_single_cert_batch=create)
    assert sender.ordered().state is OrderState.PLANNED
    order = sender.send()
    assert order.state is OrderState.CANCELLED
    assert "not needed" in order.reason
    assert sender.accepted() == 0


def test_a_private_key_that_is_gone_is_told_before_a_licence_is_spent(sender: Sender) -> None:
    from sectigo_iot.orders import OrderRequest
    from sectigo_iot.pki import RequestSpec, build_request, generate_key, private_key_pem

    key = generate_key("P-256")
    csr = build_request(key, RequestSpec(names=(NAME,)))
    sender.book.place("vasp", OrderRequest(names=(NAME,), csr=csr, profile="423"), private_key=private_key_pem(key))
    sender.book.secrets.remove(f"{sender.book.get('vasp').uid}.key")
    order = sender.send()
    assert order.state is OrderState.FAILED
    assert "key" in (order.attention or "")
    assert sender.requests() == {}


# What is left


def test_what_the_book_cannot_keep_is_kept_here_until_it_can(sender: Sender, monkeypatch: pytest.MonkeyPatch) -> None:
    failures = iter([OrderBookError("the disk is full", passes=True)] * 2)
    record = sender.book.record_batch

    def record_batch(*arguments: Any, **options: Any) -> Any:
        error = next(failures, None)
        if error is not None:
            raise error
        return record(*arguments, **options)

    monkeypatch.setattr(sender.book, "record_batch", record_batch)
    assert sender.ordered().state is OrderState.PLACED
    assert sender.accepted() == 1


def test_a_refusal_that_was_written_all_the_same_is_not_written_twice(
    sender: Sender, monkeypatch: pytest.MonkeyPatch
) -> None:
    change, failures = sender.book.change, iter([OrderBookError("the server went away", passes=True)])

    def changed(*arguments: Any, **fields: Any) -> Any:
        order = change(*arguments, **fields)
        error = next(failures, None) if order.state is OrderState.REJECTED else None
        if error is not None:
            raise error
        return order

    monkeypatch.setattr(sender.book, "change", changed)
    sender.control.queue_fault("json-error", calls=("createSingleCertBatch",), status=400)
    order = sender.ordered()
    assert order.state is OrderState.REJECTED
    assert [event.new for event in sender.book.history("vasp")].count(OrderState.REJECTED) == 1


def test_a_book_that_stays_away_leaves_the_batch_in_the_log(
    sender: Sender, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sending, "SAVING_SECONDS", 0.2)
    monkeypatch.setattr(sender.book, "record_batch", raising(OrderBookError("the disk is full", passes=True)))
    sender.place()
    with pytest.raises(OrderBookError):
        sender.send()
    order = sender.book.get("vasp")
    assert order.state is OrderState.ORDERING
    (accepted,) = sender.control.orders()["orders"]
    assert f"batch {accepted['batch']}" in caplog.text
    (lease,) = sender.book.claim("next", seconds=60)
    assert lease.order.state is OrderState.UNKNOWN


def test_fifty_orders_race_for_twenty_licences(tmp_path: Path) -> None:
    with Emulator(balances={423: 20}) as service, open_sender(service, tmp_path, kept=True, timeout=20.0) as sender:
        for number in range(50):
            sender.place(f"vasp-{number}")
        leases = iter(sender.book.claim("racer", seconds=600, limit=50))
        turn = threading.Lock()

        def work() -> None:
            while True:
                with turn:
                    lease = next(leases, None)
                if lease is None:
                    return
                sending.send(sender.work_of(lease))
                sender.book.release(lease)

        threads = [threading.Thread(target=work) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert sender.accepted() == 20
        assert sender.control.orders()["refused"] == 0
        counts = sender.book.counts()
        assert (counts[OrderState.PLACED], counts[OrderState.PLANNED]) == (20, 30)
        # Of passwords that were made for nothing, none is left.
        assert len([*tmp_path.rglob("*.password*")]) == 20
        waiting = sender.book.find(states=[OrderState.PLANNED])
        assert all("no licence left" in (order.attention or "") for order in waiting)
        assert all((order.next_at or 0) - sender.clock() > 30 for order in waiting)
        sender.control.set_balance(423, 100)
        sender.clock.ahead += 100
        leases = iter(sender.book.claim("later", seconds=600, limit=50))
        (next_one, *_) = [lease for lease in leases if lease.order.state is OrderState.PLANNED]
        sending.send(sender.work_of(next_one))
        assert next_one.order.state is OrderState.PLACED
        assert next_one.order.attention is None


def test_an_order_that_comes_later_than_it_can_be_does_not_leave(sender: Sender) -> None:
    """As on a machine that was paused, and whose clock since its start does not know."""

    def create(*arguments: Any, **more: Any) -> Any:
        sender.clock.ahead += 3600.0
        return client.create_single_cert_batch(*arguments, **more)

    client = sender.client
    sender.client = Instead(client, create_single_cert_batch=create)
    order = sender.ordered()
    assert (order.state, order.attempt) == (OrderState.PLANNED, 1)
    assert "later than it can be" in str([event.reason for event in sender.book.history("vasp")])
    assert sender.accepted() == 0


class LateStore(MemorySecretStore):
    """Secrets, before the first of which is kept something else is done."""

    def __init__(self) -> None:
        super().__init__()
        self.first: Callable[[], None] | None = None

    def put(self, name: str, value: bytes) -> None:
        first, self.first = self.first, None
        if first is not None:
            first()
        super().put(name, value)


def test_whoever_lost_the_order_replaces_no_password_that_was_sent(sender: Sender) -> None:
    """What is found of an order is what was sent: else nobody could open what was issued."""
    kept: list[bytes | None] = []

    def first() -> None:
        sending.send(sender.work())
        kept.append(sender.secret())

    client, store = sender.client, LateStore()
    sender.book.secrets, store.first = store, first
    sender.place()
    with pytest.raises(LeaseLostError):
        sending.send(sender.work(seconds=0.0))
    order = sender.book.get("vasp")
    assert (order.state, sender.accepted()) == (OrderState.PLACED, 1)
    assert kept == [sender.secret()]
    assert order.batch_id is not None
    (issued,) = open_bundle(client.download_bytes(order.batch_id), (kept[0] or b"").decode())
    assert issued.dns_names == order.wanted.names


# A log-in that fails is not the order


LOGIN_FAULTS: list[tuple[str, dict[str, Any]]] = [
    ("json-error", {"status": 500}),
    ("unavailable", {}),
    ("json-error", {"status": 404}),
    ("hang", {}),
]


@pytest.fixture
def impatient(service: Emulator, tmp_path: Path) -> Iterator[Sender]:
    """A sender that knows already what it orders from, and does not wait for long."""
    with open_sender(service, tmp_path, timeout=0.4) as made:
        made.place("first", "first.example.com")
        assert made.send().state is OrderState.PLACED
        yield made


def is_planned_again_and_sent_later(sender: Sender) -> None:
    order = sender.book.get("vasp")
    assert (order.state, order.failures, sender.accepted()) == (OrderState.PLANNED, 1, 0)
    assert all(event.new not in (OrderState.UNKNOWN, OrderState.REJECTED) for event in sender.book.history("vasp"))
    sender.control.clear_faults()
    sender.clock.ahead += 5
    assert sender.send().state is OrderState.PLACED
    assert sender.accepted() == 1


@pytest.mark.parametrize(("fault", "more"), LOGIN_FAULTS, ids=str)
def test_a_log_in_that_fails_before_an_order_is_not_the_orders(
    impatient: Sender, fault: str, more: dict[str, Any]
) -> None:
    impatient.client.forget_tokens()  # type: ignore[attr-defined]
    impatient.control.add_fault(fault, calls=("authenticate", "refresh"), **more)
    impatient.place()
    impatient.send()
    assert impatient.requests()["createSingleCertBatch"] == 1, "that of the first alone"
    is_planned_again_and_sent_later(impatient)


@pytest.mark.parametrize(("fault", "more"), LOGIN_FAULTS, ids=str)
def test_a_log_in_that_fails_when_the_order_was_refused_for_its_token_is_not_the_orders(
    impatient: Sender, fault: str, more: dict[str, Any]
) -> None:
    impatient.control.queue_fault("token-dropped", calls=("createSingleCertBatch",))
    impatient.control.add_fault(fault, calls=("authenticate", "refresh"), **more)
    impatient.place()
    impatient.send()
    assert impatient.requests()["createSingleCertBatch"] == 2, "that of the first, and the one that was refused"
    is_planned_again_and_sent_later(impatient)


# Passwords that are there, and that are not


def test_a_book_that_was_restored_replaces_no_password_that_was_sent(sender: Sender, tmp_path: Path) -> None:
    sender.place()
    sender.book.backup(tmp_path / "before")
    first = sender.send()
    assert first.batch_id is not None
    secrets, clock = sender.book.secrets, sender.clock
    with OrderBook(tmp_path / "before", secrets=secrets, clock=clock) as sender.book:
        assert sender.send().state is OrderState.PLACED
        kept = (sender.secret() or b"").decode()
        assert sender.book.get("vasp").password_number == first.password_number
    archive = sender.client.download_bytes(first.batch_id)
    assert len(open_bundle(archive, kept)) == 1


def test_a_password_that_is_put_back_has_the_order_go_on(sender: Sender) -> None:
    order = sender.place(password="correct horse battery")
    sender.book.secrets.remove(f"{order.uid}.password")
    failed = sender.send()
    assert failed.state is OrderState.FAILED
    assert "put it back and retry" in (failed.attention or "")
    assert sender.place(password="correct horse battery") == failed
    sender.book.retry("vasp")
    assert sender.send().state is OrderState.PLACED
    assert sender.secret() == b"correct horse battery"


def test_a_password_of_what_is_over_is_not_kept_again(sender: Sender) -> None:
    order = sender.place(password="correct horse battery")
    sender.book.cancel("vasp", "not wanted")
    sender.book.secrets.remove(f"{order.uid}.password")
    assert sender.place(password="correct horse battery").state is OrderState.CANCELLED
    assert sender.secret() is None
