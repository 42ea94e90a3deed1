"""Looking at a batch until it can be fetched, or has come to nothing."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot.orders import OrderState, WorkerRules
from sectigo_iot.orders.steps.looking import pause_at
from tests.orders.desk import DAY, Desk, open_desk

S = OrderState


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path, delay=30.0) as opened:
        yield opened


def test_a_batch_is_looked_at_less_and_less_often(desk: Desk) -> None:
    desk.put(until=S.PLACED)
    order = desk.carry("vasp", S.DELIVERED)
    assert order.state is S.DELIVERED
    polls = desk.control.polls(order.batch_id)
    looks = [each for each in desk.control.journal(batch=order.batch_id) if each["call"] == "batchProcessingInfo"]
    assert 5 <= len(looks) <= 14, polls
    assert [event.new for event in desk.book.history("vasp")].count(S.ISSUING) == 1


def test_the_pause_grows_with_the_age_within_bounds(desk: Desk) -> None:
    order = desk.put(until=S.PLACED)
    assert order.sent_at is not None
    for age, pause in ((-50.0, 1.0), (0.0, 1.0), (10.0, 5.0), (119.0, 59.5), (1e6, 60.0)):
        assert pause_at(order, order.sent_at + age, WorkerRules()) == pytest.approx(pause)
    late = WorkerRules(first_look=90.0, longest_pause=60.0)
    assert pause_at(order, desk.clock(), late) == 90.0


def test_what_is_ready_at_once_is_not_written_down_as_being_issued(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        desk.place()
        order = desk.carry("vasp", S.DELIVERED)
        assert order.ready_at is not None
        assert S.ISSUING not in [event.new for event in desk.book.history("vasp")]


def test_what_was_removed_before_it_was_fetched_has_expired(desk: Desk) -> None:
    desk.put(until=S.ISSUING)
    batch_id = desk.book.get("vasp").batch_id
    assert batch_id is not None
    desk.control.push(batch_id, "REMOVED_AFTER_EXPIRATION", info=[0, 1, 0])
    order = desk.carry("vasp", S.EXPIRED)
    assert order.state is S.EXPIRED
    assert "was not fetched and is not revoked" in (order.attention or "")


def test_a_batch_that_the_service_does_not_know_is_told_once_and_asked_for_again(desk: Desk) -> None:
    desk.put(until=S.ISSUING)
    desk.control.reset()
    for _ in range(4):
        desk.step()
        order = desk.book.get("vasp")
        assert order.next_at is not None
        desk.wait(order.next_at - desk.clock() + 0.01)
    assert (order.state, order.failures) == (S.ISSUING, 4)
    assert "knows no batch" in (order.attention or "")
    assert len(desk.reasons(kind="attention")) == 1


def test_a_service_that_is_away_for_a_while_loses_nothing(desk: Desk) -> None:
    desk.control.next_life("stuck")
    batch_id = desk.put(until=S.ISSUING).batch_id
    assert batch_id is not None
    desk.control.add_fault("html", calls=["batchProcessingInfo"])
    for _ in range(3):
        desk.step()
        desk.wait((desk.book.get("vasp").next_at or 0.0) - desk.clock() + 0.01)
    assert desk.book.get("vasp").attention is not None
    desk.control.clear_faults()
    desk.step()
    order = desk.book.get("vasp")
    assert (order.state, order.attention, order.failures) == (S.ISSUING, None, 0)
    desk.control.push(batch_id, "READY_FOR_DOWNLOAD")
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED


@pytest.mark.parametrize("days_to_live", [None, 3.0])
def test_a_batch_that_stays_unready_is_told_once_and_still_looked_at(desk: Desk, days_to_live: float | None) -> None:
    desk.control.next_life("stuck")
    desk.put(until=S.ISSUING, days_to_live=days_to_live)
    limit = days_to_live or 7.0
    desk.wait(limit * DAY - 120.0)
    desk.step()
    assert desk.book.get("vasp").attention is None
    for _ in range(4):
        desk.wait(61.0)
        desk.step()
    order = desk.book.get("vasp")
    assert order.attention == f"batch {order.batch_id} is not ready after {limit:g} days: the service says PROCESSING"
    assert desk.reasons(kind="attention") == [order.attention]
    assert order.next_at == pytest.approx(desk.clock() + 60.0, abs=2.0)
    assert order.batch_id is not None
    desk.control.push(order.batch_id, "READY_FOR_DOWNLOAD")
    delivered = desk.carry("vasp", S.DELIVERED)
    assert (delivered.state, delivered.attention) == (S.DELIVERED, None)


def test_what_was_withdrawn_and_never_issued_is_cancelled(desk: Desk) -> None:
    desk.put(until=S.ISSUING)
    order = desk.book.cancel("vasp", "a typing error")
    assert (order.state, order.withdrawn) == (S.ISSUING, "a typing error")
    assert order.batch_id is not None
    desk.control.reject(order.batch_id, "not verified")
    order = desk.carry("vasp", S.CANCELLED)
    assert order.state is S.CANCELLED
    assert "a typing error" in order.reason
    assert "not verified" in order.reason
    assert order.attention is None


def test_what_was_withdrawn_and_removed_unfetched_is_not_taken_for_revoked(desk: Desk) -> None:
    desk.put(until=S.ISSUING)
    order = desk.book.cancel("vasp", "a typing error")
    assert order.batch_id is not None
    desk.control.push(order.batch_id, "REMOVED_AFTER_EXPIRATION", info=[0, 1, 0])
    order = desk.carry("vasp", S.EXPIRED)
    assert (order.state, order.revoked_at) == (S.EXPIRED, None)
    assert "not revoked" in (order.attention or "")


def test_what_was_withdrawn_and_revoked_by_others_is_cancelled(desk: Desk) -> None:
    desk.put(until=S.ISSUING)
    order = desk.book.cancel("vasp", "a typing error")
    assert order.batch_id is not None
    desk.control.push(order.batch_id, "REVOKED", info=[0, 1, 0])
    order = desk.carry("vasp", S.CANCELLED)
    assert order.state is S.CANCELLED
    assert order.revoked_at is not None


def test_what_else_a_human_has_to_see_to_does_not_have_it_told_twice(desk: Desk) -> None:
    desk.control.next_life("stuck")
    order = desk.put(until=S.ISSUING)
    desk.book.record_batch(order.uid, 7, 4711, reason="seen in the portal")
    desk.wait(8 * DAY)
    for _ in range(3):
        desk.step()
        desk.wait(61.0)
    order = desk.book.get("vasp")
    assert "4711" in (order.attention or "")
    assert "not ready after 7 days" in (order.attention or "")
    assert [event.kind for event in desk.told].count("attention") == 1
