"""When an order is first looked at: as soon as the service has lately been ready, and not before."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from sectigo_iot.orders import Order, OrderState, OrderWorker, WorkerRules
from sectigo_iot.orders.pace import Pace
from tests.commands.signing_requests import request
from tests.orders.desk import Desk, open_desk

RULES = WorkerRules()
CSR = request("vasp.example.com")
S = OrderState


def worker_at(desk: Desk) -> OrderWorker:
    return OrderWorker(desk.book, desk.client, deliver=desk.deliver, clock=desk.clock)


def delivered(desk: Desk, worker: OrderWorker, key: str) -> int:
    """Have a worker carry an order to its end, and return how often it was looked at."""
    desk.place(key, csr=CSR)
    for _ in range(50):
        worker.step()
        order = desk.book.get(key)
        if order.next_at is None:
            assert order.state is S.DELIVERED
            looks = desk.control.journal(batch=order.batch_id)
            return sum(each["call"] == "batchProcessingInfo" for each in looks)
        desk.wait(max(order.next_at - desk.clock(), 0.0) + 0.01)
    raise AssertionError(f"{order.state}: {order.reason}")


def test_the_orders_of_a_worker_teach_it_when_to_look(tmp_path: Path) -> None:
    with open_desk(tmp_path, delay=20.0) as desk:
        worker = worker_at(desk)
        first, *others = (delivered(desk, worker, f"vasp-{number}") for number in range(9))
        assert first >= 5
        assert others[0] < first
        assert 1 in others
        assert sum(others[3:]) <= 2 * len(others[3:])


def test_where_it_is_issued_at_once_it_is_looked_at_at_once(tmp_path: Path) -> None:
    with open_desk(tmp_path) as desk:
        worker = worker_at(desk)
        for number in range(3):
            assert delivered(desk, worker, f"vasp-{number}") == 1
            order = desk.book.get(f"vasp-{number}")
            assert order.ready_at is not None
            assert order.ready_at - (order.sent_at or 0.0) < 1.0


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Order:
    with open_desk(tmp_path_factory.mktemp("pace"), delay=30.0) as desk:
        return dataclasses.replace(desk.put(until=S.PLACED), sent_at=100.0)


def looked_at(order: Order, state: OrderState, due: float) -> Order:
    return dataclasses.replace(order, state=state, next_at=100.0 + due)


def test_what_is_expected_follows_what_was_seen(order: Order) -> None:
    pace = Pace()
    for _ in range(20):
        pace.learn(looked_at(order, S.ISSUING, 40.0), RULES)
    assert pace.first_look(RULES) == pytest.approx(40.0, abs=0.1)
    pace.learn(looked_at(order, S.PLACED, 40.0), RULES)
    assert pace.first_look(RULES) == pytest.approx(36.0, abs=0.1)
    for _ in range(60):
        pace.learn(looked_at(order, S.PLACED, 1.0), RULES)
    assert pace.first_look(RULES) == 0.0


def test_no_look_is_later_than_the_rules_allow(order: Order) -> None:
    pace = Pace()
    for _ in range(50):
        pace.learn(looked_at(order, S.ISSUING, 9_000.0), RULES)
    assert pace.first_look(RULES) == pytest.approx(RULES.longest_pause)
    for _ in range(50):
        pace.in_vain(looked_at(order, S.ISSUING, 9_000.0), RULES)
    assert pace.first_look(RULES) <= RULES.longest_pause


def test_a_look_in_vain_has_the_next_order_wait_a_little(order: Order) -> None:
    pace = Pace()
    pace.in_vain(looked_at(order, S.ISSUING, 500.0), RULES)
    assert pace.first_look(RULES) == 0.0
    pace.in_vain(looked_at(order, S.PLACED, 0.0), RULES)
    assert pace.first_look(RULES) == RULES.first_look
    pace.in_vain(looked_at(order, S.PLACED, 0.0), RULES)
    assert pace.first_look(RULES) == RULES.first_look


def test_a_clock_that_was_set_back_teaches_nothing_absurd(order: Order) -> None:
    pace = Pace()
    pace.learn(looked_at(order, S.ISSUING, -1e6), RULES)
    assert pace.first_look(RULES) == 0.0
    pace.learn(looked_at(order, S.ISSUING, 1e9), RULES)
    assert pace.first_look(RULES) == 0.0


def test_one_order_that_is_late_says_nothing_of_the_next(order: Order) -> None:
    pace = Pace()
    for _ in range(20):
        pace.learn(looked_at(order, S.ISSUING, 3.0), RULES)
    pace.learn(looked_at(order, S.PLACED, 3.0), RULES)
    before = pace.first_look(RULES)
    pace.learn(looked_at(order, S.ISSUING, 7_200.0), RULES)
    assert pace.first_look(RULES) == before
    pace.learn(looked_at(order, S.ISSUING, 4.0), RULES)
    assert before < pace.first_look(RULES) < 4.0
