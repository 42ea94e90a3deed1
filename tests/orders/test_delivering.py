"""Handing over what was issued; and revoking it, where it was withdrawn."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot.errors import LeaseLostError
from sectigo_iot.orders import Bundle, Order, OrderState, WorkerRules
from sectigo_iot.orders.steps.delivering import deliver
from sectigo_iot.orders.work import Work
from sectigo_iot.pki import open_bundle
from tests.orders.desk import DAY, PASSWORD, Desk, open_desk

S = OrderState


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def serial_of(order: Order) -> str:
    assert order.certificate is not None
    return order.certificate.serial_number


def status_of(desk: Desk, order: Order) -> str:
    found = desk.client.find_certificate(serial_number=serial_of(order)).items or ()
    return str(found[0].status)


class Refusing:
    """Takes nothing until it is told to, and says why."""

    def __init__(self, *words: str) -> None:
        self.words = list(words)
        self.taken: list[Bundle] = []

    def __call__(self, order: Order, bundle: Bundle) -> None:
        if self.words:
            raise ConnectionError(self.words.pop(0).format(password=bundle.password))
        self.taken.append(bundle)


def test_what_is_delivered_opens(desk: Desk) -> None:
    desk.place()
    order = desk.carry("vasp", S.DELIVERED)
    ((given, bundle),) = desk.delivered
    assert (given.key, given.certificate) == ("vasp", order.certificate)
    assert (bundle.password, bundle.private_key) == (PASSWORD, None)
    (issued,) = open_bundle(bundle.archive, bundle.password)
    assert issued.serial_number == serial_of(order)
    assert (order.next_at, order.reason) == (None, "delivered")


def test_with_nobody_to_deliver_to_it_is_kept_for_whoever_asks(desk: Desk) -> None:
    desk.deliver = None
    desk.place()
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED
    bundle = desk.book.bundle("vasp")
    assert bundle is not None
    assert len(open_bundle(bundle.archive, bundle.password)) == 1


def test_a_delivery_that_fails_is_told_once_for_each_reason_and_made_again(desk: Desk) -> None:
    desk.deliver = refusing = Refusing("shop is shut", "shop is shut", "shop is full", "shop is full")
    desk.place()
    order = desk.carry("vasp", S.DELIVERED)
    assert order.state is S.DELIVERED
    assert (order.attention, order.failures) == (None, 0)
    assert len(refusing.taken) == 1
    told = desk.reasons(kind="delivery")
    assert told[0] == "not delivered: ConnectionError: shop is shut"
    assert told.count("not delivered: ConnectionError: shop is full") == 1
    assert desk.reasons(kind="attention") == ["not delivered: ConnectionError: shop is full"]


def test_what_a_delivery_fails_of_shows_no_secret(desk: Desk) -> None:
    desk.deliver = Refusing("cannot log in with {password}!")
    desk.place()
    desk.step()
    assert desk.reasons(kind="delivery") == ["not delivered: ConnectionError: cannot log in with [redacted]!"]
    assert all(PASSWORD not in event.reason for event in (*desk.told, *desk.book.history("vasp")))


def test_a_bundle_that_is_lost_is_fetched_again(desk: Desk) -> None:
    order = desk.put(until=S.FETCHED)
    desk.book.secrets.remove(f"{order.uid}.zip{order.batch_id}")
    desk.carry("vasp", S.DELIVERED)
    assert len(desk.delivered) == 1
    assert order.batch_id is not None
    assert desk.control.downloads(order.batch_id)["count"] == 2


def test_a_bundle_that_is_lost_is_replaced_by_no_other(desk: Desk) -> None:
    order = desk.put(until=S.FETCHED)
    desk.book.secrets.remove(f"{order.uid}.zip{order.batch_id}")
    desk.control.queue_fault("zip-wrong-password", calls=["download"])
    desk.step()
    order = desk.book.get("vasp")
    assert (order.state, desk.delivered) == (S.FETCHED, [])
    assert order.attention == "the ZIP that was kept is lost, and the service sends another"
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED


def test_nothing_is_delivered_without_its_password(desk: Desk) -> None:
    order = desk.put(until=S.FETCHED)
    desk.book.secrets.remove(f"{order.uid}.password")
    desk.step()
    order = desk.book.get("vasp")
    assert (order.state, desk.delivered) == (S.FETCHED, [])
    assert "password" in (order.attention or "")


class TestWithdrawn:
    """What was withdrawn while it was on its way is fetched and revoked."""

    def test_it_is_revoked_and_cancelled(self, desk: Desk) -> None:
        desk.put(until=S.FETCHED)
        desk.book.cancel("vasp", "the company is gone")
        order = desk.carry("vasp", S.CANCELLED)
        assert order.state is S.CANCELLED
        assert order.reason == "withdrawn (the company is gone); what had been issued is revoked"
        assert order.revoked_at == pytest.approx(desk.clock(), abs=60)
        assert (order.next_at, order.attention, desk.delivered) == (None, None, [])
        assert status_of(desk, order) == "REVOKED"
        assert desk.reasons(kind="revoked") == [f"certificate {serial_of(order)} is revoked: cessationOfOperation"]
        assert [event.kind for event in desk.told].count("revoked") == 1

    def test_a_revocation_whose_answer_is_lost_is_looked_up(self, desk: Desk) -> None:
        desk.put(until=S.FETCHED)
        desk.book.cancel("vasp", "gone")
        desk.control.queue_fault("lost-reply", calls=["revokeCertificate"])
        desk.step()
        assert desk.book.get("vasp").state is S.CANCELLED

    def test_a_revocation_that_did_not_arrive_is_made_again(self, desk: Desk) -> None:
        desk.put(until=S.FETCHED)
        desk.book.cancel("vasp", "gone")
        desk.control.queue_fault("reset", calls=["revokeCertificate"])
        desk.step()
        order = desk.book.get("vasp")
        assert (order.state, order.failures, order.attention) == (S.FETCHED, 1, None)
        order = desk.carry("vasp", S.CANCELLED)
        assert status_of(desk, order) == "REVOKED"

    def test_what_others_have_revoked_is_revoked(self, desk: Desk) -> None:
        order = desk.put(until=S.FETCHED)
        desk.book.cancel("vasp", "gone")
        desk.control.revoke(serial_of(order))
        desk.step()
        assert desk.book.get("vasp").state is S.CANCELLED

    def test_a_revocation_that_is_refused_is_told_and_made_again(self, desk: Desk) -> None:
        desk.put(until=S.FETCHED)
        desk.book.cancel("vasp", "gone")
        desk.control.add_fault("json-error", calls=["revokeCertificate"], status=400)
        desk.step()
        order = desk.book.get("vasp")
        assert (order.state, order.revoked_at) == (S.FETCHED, None)
        assert f"certificate {serial_of(order)} is not revoked" in (order.attention or "")
        desk.control.clear_faults()
        assert desk.carry("vasp", S.CANCELLED).attention is None

    def test_every_certificate_that_came_is_revoked_however_many(self, desk: Desk) -> None:
        desk.put(until=S.READY)
        desk.book.cancel("vasp", "gone")
        desk.control.add_fault("zip-two-entries", calls=["download"])
        order = desk.carry("vasp", S.CANCELLED)
        assert status_of(desk, order) == "REVOKED"

    def test_what_cannot_be_opened_is_told(self, desk: Desk) -> None:
        desk.put(until=S.READY)
        desk.book.cancel("vasp", "gone")
        desk.control.add_fault("zip-wrong-password", calls=["download"])
        order = desk.carry("vasp", S.FAILED)
        assert order.state is S.FAILED
        assert (order.attention or "").endswith("it was withdrawn, and is to be revoked")

    def test_while_it_is_being_delivered(self, desk: Desk) -> None:
        desk.put(until=S.FETCHED)
        (lease,) = desk.book.claim("desk", seconds=60)
        rules, told = WorkerRules(), desk.told.append
        work = Work(desk.book, desk.client, rules, lease, lambda *_: withdrawn(desk), told, desk.clock)
        with pytest.raises(LeaseLostError, match="withdrawn meanwhile"):
            deliver(work)
        desk.book.release(lease)
        order = desk.carry("vasp", S.CANCELLED)
        assert order.state is S.CANCELLED
        assert status_of(desk, order) == "REVOKED"


def withdrawn(desk: Desk) -> None:
    desk.book.cancel("vasp", "gone")


def test_a_delivered_order_rests(desk: Desk) -> None:
    desk.place()
    desk.carry("vasp", S.DELIVERED)
    desk.wait(300 * DAY)
    version = desk.book.get("vasp").version
    desk.step()
    assert desk.book.get("vasp").version == version
