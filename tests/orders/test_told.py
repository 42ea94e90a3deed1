"""What a human has to see to is told: also where the book is away in between, and once only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from sectigo_iot import NotReadyError, OrderBookError
from sectigo_iot.orders import OrderEvent, OrderState, OrderWorker, WorkerRules
from tests.orders.desk import DAY, Desk
from tests.orders.test_sending import Instead

S = OrderState


def told(desk: Desk) -> list[str]:
    return [event.reason for event in desk.told if event.kind == "attention"]


def refused_otherwise_each_time() -> Callable[..., None]:
    requests: list[object] = []

    def refuse(*_: object) -> None:
        requests.append(None)
        raise ConnectionError(f"request {len(requests)} is refused")

    return refuse


def is_not_delivered(desk: Desk) -> None:
    desk.rules = WorkerRules(told_after=1)
    desk.deliver = refused_otherwise_each_time()
    desk.put(until=S.FETCHED)


def is_not_ready(desk: Desk) -> None:
    desk.control.next_life("stuck")
    desk.put(until=S.PLACED)
    desk.wait(8 * DAY)


@pytest.mark.parametrize("comes_to_attention", [is_not_delivered, is_not_ready])
def test_a_book_that_is_away_when_a_human_is_told_has_it_told_later(
    desk: Desk, monkeypatch: pytest.MonkeyPatch, comes_to_attention: Callable[[Desk], None]
) -> None:
    """Were the attention in the book already, nobody would tell it any more."""
    comes_to_attention(desk)
    remark = desk.book.remark

    def away(lease: Any, kind: str, what: str) -> None:
        if kind == "attention":
            raise OrderBookError("away", passes=True)
        remark(lease, kind, what)

    with monkeypatch.context() as patch:
        patch.setattr(desk.book, "remark", away)
        with pytest.raises(OrderBookError):
            desk.step()
    for _ in range(3):
        desk.wait(4_000.0)
        desk.step()
    assert len(told(desk)) == len(desk.reasons(kind="attention")) == 1
    assert desk.book.get("vasp").attention is not None


def test_what_is_ready_and_is_not_handed_out_for_days_is_told_once(desk: Desk) -> None:
    client = desk.client

    def refuse(batch_id: int) -> bytes:
        raise NotReadyError("not yet", batch_id=batch_id, status="READY_FOR_DOWNLOAD")

    desk.client = Instead(client, download_bytes=refuse)  # type: ignore[assignment]
    desk.put(until=S.READY)
    desk.wait(8 * DAY)
    for _ in range(3):
        desk.step()
        desk.wait(100.0)
    assert told(desk) == desk.reasons(kind="attention")
    (what,) = told(desk)
    assert "is not ready after 7 days" in what
    assert what == desk.book.get("vasp").attention


def test_deliveries_that_fail_of_something_else_each_time_ask_a_human_once(desk: Desk) -> None:
    desk.deliver = refused_otherwise_each_time()
    desk.place()
    for _ in range(15):
        desk.step()
        desk.wait(4_000.0)
    assert len(desk.reasons(kind="delivery")) == 15
    (what,) = told(desk)
    assert what.startswith("not delivered: ConnectionError: request ")
    assert desk.reasons(kind="attention") == [what]


def test_a_second_batch_is_told_by_whoever_learns_of_it(desk: Desk) -> None:
    """It slept on the way, and the order was given to another, who sent it anew."""
    told_by_other: list[OrderEvent] = []
    client = desk.client

    def slowly(*arguments: Any, **options: Any) -> Any:
        batch = client.create_single_cert_batch(*arguments, **options)
        desk.wait(600.0)
        other = OrderWorker(desk.book, client, on_event=told_by_other.append, name="other", clock=desk.clock)
        other.step()
        desk.book.resolve("vasp", absent=True)
        other.step()
        return batch

    desk.client = Instead(client, create_single_cert_batch=slowly)  # type: ignore[assignment]
    desk.place()
    desk.step()
    numbers = [each["batch"] for each in desk.control.orders()["orders"]]
    assert len(numbers) == 2
    (what,) = told(desk)
    assert what == desk.book.get("vasp").attention
    assert f"attempt 1 was accepted as batch {min(numbers)}, too" in what
