"""F1 and F4 of the failures of the public embedding: the reply that is lost, and two workers on one order."""

from __future__ import annotations

from pathlib import Path

import pytest

from sectigo_iot.errors import LeaseLostError
from sectigo_iot.orders import Order, OrderState, WorkerRules
from sectigo_iot.orders.work import Work
from tests.orders.desk import AUTHORITY, PASSWORD, Desk, open_desk

PROFILE = 423
IMPATIENT = WorkerRules(first_look=0.1, first_wait=0.1, longest_wait=0.1)


def looked_at(desk: Desk, times: int) -> Order:
    """Carry the order `vasp` so many times over, each time when it is due next."""
    for _ in range(times):
        desk.step()
        desk.wait(0.2)
    return desk.book.get("vasp")


@pytest.mark.parametrize(
    ("fault", "form"),
    [
        ("lost-reply", "off"),
        ("lost-reply", "array"),
        ("lost-reply", "page"),
        ("garbled-reply", "array"),
        ("cut-reply", "page"),
        ("null,value=handled", "array"),
        ("html,value=handled", "page"),
        ("empty,value=handled", "off"),
    ],
)
def test_f01_an_order_whose_reply_is_lost_is_never_ordered_again(tmp_path: Path, fault: str, form: str) -> None:
    with open_desk(tmp_path, faults=(f"{fault},call=createSingleCertBatch,nth=1",), batch_list=form) as desk:
        desk.rules = IMPATIENT
        desk.place()
        order = looked_at(desk, 5)
        assert desk.control.orders()["accepted"] == 1
        if form == "off":
            assert order.state is OrderState.UNKNOWN
            assert "sectigo orders resolve vasp" in str(order.attention)
        else:
            assert order.state is OrderState.DELIVERED
            assert order.attention is None


def sending(desk: Desk, worker: str, seconds: float) -> Work:
    """Have a worker write down that it is about to send, under a lease of so many seconds."""
    [lease] = desk.book.claim(worker, seconds=seconds)
    assert desk.book.begin_sending(lease, authority_id=AUTHORITY, profile_id=PROFILE, seconds=1.0, balance=None)
    return Work(desk.book, desk.client, desk.rules, lease, None, desk.told.append, desk.clock)


def send(work: Work) -> int:
    """Send what was written down, as long as the lease lasts."""
    params = {"commonName": "vasp.example.com", "dNSName": "vasp.example.com", "pkcs12Password": PASSWORD}
    name = str(work.order.batch_name)
    gate = lambda: work.lease.check(1.0)  # noqa: E731
    return work.service.create_single_cert_batch(AUTHORITY, name, params, before_send=gate).batch_id


def test_f04_who_takes_over_an_order_that_is_being_sent_finds_out_first(tmp_path: Path) -> None:
    with open_desk(tmp_path, batch_list="page", delay=3600.0) as desk:
        desk.place()
        slow = sending(desk, "slow", 0.0)
        desk.step()
        taken_over = desk.book.get("vasp")
        assert taken_over.state is OrderState.UNKNOWN
        assert taken_over.attention is not None
        with pytest.raises(LeaseLostError):
            send(slow)
        assert desk.control.orders()["count"] == 0
        assert taken_over.attempt == 1


def test_f04_a_reply_that_comes_after_another_worker_took_over_is_one_order(tmp_path: Path) -> None:
    with open_desk(tmp_path, batch_list="page") as desk:
        desk.place()
        slow = sending(desk, "slow", 1.5)
        batch_id = send(slow)
        slow.lease.until = 0.0
        desk.book.renew_lease(slow.lease, 0.0)
        desk.step()
        assert desk.book.get("vasp").state is OrderState.DELIVERED
        order = desk.book.record_batch(slow.order.uid, 1, batch_id, reason="the reply came")
        assert order.state is OrderState.DELIVERED
        assert order.batch_id == batch_id
        assert order.attention is None
        assert desk.control.orders()["accepted"] == 1
