"""Leases: which order is next, for how long, and that whoever has an old one changes nothing any more."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from sectigo_iot import InvalidInputError, LeaseLostError
from sectigo_iot.orders import OrderBook, OrderState
from sectigo_iot.orders.lease import boot_time
from tests.orders.conftest import Shelf
from tests.orders.stages import bring, lease_of, wanted

_S = OrderState


def test_an_order_is_leased_to_one_worker(book: OrderBook) -> None:
    book.place("a", wanted())
    began = boot_time()
    (lease,) = book.claim("one", seconds=60, limit=10)
    assert (lease.worker, lease.number, lease.order) == ("one", 1, book.get("a"))
    assert began + 60 <= lease.until <= boot_time() + 60
    assert not book.claim("two", seconds=60)
    assert book.next_due() is None
    book.release(lease)
    (again,) = book.claim("two", seconds=60)
    assert again.number == 2


def test_nothing_is_claimed_before_it_is_due(shelf: Shelf, book: OrderBook) -> None:
    book.place("a", wanted())
    lease = lease_of(book, "a")
    book.change(lease, next_at=shelf.now + 10)
    book.release(lease)
    assert book.next_due() == shelf.now + 10
    assert not book.claim("one", seconds=60)
    shelf.now += 10
    assert book.claim("one", seconds=60)


def test_a_lease_that_is_over_is_anothers(book: OrderBook) -> None:
    book.place("a", wanted())
    (old,) = book.claim("one", seconds=0)
    (new,) = book.claim("two", seconds=60)
    assert new.number == 2
    attempts: list[Callable[[], object]] = [
        lambda: book.change(old, next_at=1.0),
        lambda: book.change(old, _S.REJECTED, reason="too late"),
        lambda: book.remark(old, "evidence", "too late"),
        lambda: book.renew_lease(old, 60),
        lambda: book.plan_renewal(old),
        lambda: book.begin_sending(old, authority_id=1, profile_id=1, seconds=1, balance=None),
    ]
    for attempt in attempts:
        with pytest.raises(LeaseLostError, match="'a' is not gone on with"):
            attempt()
    book.release(old)
    assert not book.claim("three", seconds=60)
    assert book.get("a") == new.order


def test_a_lease_is_renewed(book: OrderBook) -> None:
    book.place("a", wanted())
    (lease,) = book.claim("one", seconds=0)
    book.renew_lease(lease, 60)
    assert 59 < lease.left() <= 60
    assert not book.claim("two", seconds=60)


def test_another_start_of_the_machine_ends_every_lease(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    boot = tmp_path / "boot_id"
    boot.write_text("first\n")
    monkeypatch.setattr("sectigo_iot.orders.store.engine._BOOT_ID", boot)
    with OrderBook(tmp_path / "book") as book:
        book.place("a", wanted())
        assert book.claim("one", seconds=1e9)
        boot.write_text("second\n")
        with OrderBook(tmp_path / "book") as other:
            assert [lease.number for lease in other.claim("two", seconds=60)] == [2]


def test_without_boot_ids_a_clock_that_went_back_ends_a_lease(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sectigo_iot.orders.store.engine._BOOT_ID", tmp_path / "none")
    with OrderBook(tmp_path / "book") as book:
        book.place("a", wanted())
        assert book.claim("one", seconds=1e9)
        assert not book.claim("two", seconds=60)
        monkeypatch.setattr("sectigo_iot.orders.store.engine.boot_time", lambda: 1.0)
        assert book.claim("two", seconds=60)


def test_what_was_being_sent_when_its_lease_ended_is_unknown(shelf: Shelf, book: OrderBook) -> None:
    book.place("a", wanted())
    (lease,) = book.claim("one", seconds=0)
    assert book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
    assert lease.order.state is _S.ORDERING
    shelf.now += 5
    (taken,) = book.claim("two", seconds=60)
    assert taken.order.state is _S.UNKNOWN
    assert taken.order == book.get("a")
    *_, last = book.history("a")
    assert (last.old, last.new, last.worker, last.at) == (_S.ORDERING, _S.UNKNOWN, "two", shelf.now)


def test_the_urgent_come_first(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "rejected", _S.REJECTED)
    bring(book, "planned", _S.PLANNED)
    bring(book, "issuing", _S.ISSUING, batch_id=1)
    bring(book, "fetched", _S.FETCHED, batch_id=2)
    bring(book, "long", _S.READY, batch_id=3, days_to_live=30)
    shelf.now += 3600
    bring(book, "short", _S.READY, batch_id=4, days_to_live=2)
    bring(book, "unknown", _S.UNKNOWN)
    shelf.now += 1
    claimed = book.claim("one", seconds=60, limit=3)
    assert [lease.order.key for lease in claimed] == ["unknown", "short", "long"]
    rest = book.claim("one", seconds=60, limit=30)
    assert [lease.order.key for lease in rest] == ["fetched", "issuing", "planned"]


def test_the_earlier_come_first_among_the_same(shelf: Shelf, book: OrderBook) -> None:
    for key in "abc":
        book.place(key, wanted())
    lease = lease_of(book, "a")
    book.change(lease, next_at=shelf.now + 5)
    book.release(lease)
    shelf.now += 10
    assert [lease.order.key for lease in book.claim("one", seconds=60, limit=9)] == ["b", "c", "a"]


def test_what_is_ready_waits_for_its_turn_after_a_failure(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "a", _S.READY)
    lease = lease_of(book, "a")
    book.change(lease, next_at=shelf.now + 60, failures=1)
    book.release(lease)
    assert not book.claim("one", seconds=60)
    shelf.now += 60
    assert book.claim("one", seconds=60)


def test_claiming_among_some_keys(book: OrderBook) -> None:
    for key in "abc":
        book.place(key, wanted())
    assert book.next_due(["nobody"]) is None
    assert book.next_due(["c"]) is not None
    assert [lease.order.key for lease in book.claim("one", seconds=60, limit=9, keys=["c", "a", "d"])] == ["a", "c"]
    assert not book.claim("one", seconds=60, keys=[])
    many = [f"other {number}" for number in range(40_000)]
    assert [lease.order.key for lease in book.claim("one", seconds=60, keys=["b", *many])] == ["b"]
    assert book.next_due(many) is None


def test_a_change_is_told_and_returned(shelf: Shelf, book: OrderBook) -> None:
    book.place("a", wanted())
    lease = lease_of(book, "a")
    shelf.now += 1
    order = book.change(lease, _S.REJECTED, reason="refused:\nno such profile", attention="see to it", failures=3)
    assert order == lease.order == book.get("a")
    assert (order.state, order.reason, order.next_at) == (_S.REJECTED, "refused: no such profile", None)
    assert (order.attention, order.failures, order.version, order.changed_at) == ("see to it", 3, 2, shelf.now)
    assert order.finished


def test_an_illegal_move_changes_nothing(book: OrderBook) -> None:
    before = book.place("a", wanted())
    lease = lease_of(book, "a")
    with pytest.raises(InvalidInputError, match="no order goes from planned to delivered"):
        book.change(lease, _S.DELIVERED, reason="at once", failures=9)
    with pytest.raises(InvalidInputError, match="'uid'"):
        book.change(lease, uid="0" * 16)
    assert book.get("a") == before


def test_a_withdrawal_is_seen_before_it_is_said_to_be_delivered(book: OrderBook) -> None:
    bring(book, "a", _S.FETCHED)
    lease = lease_of(book, "a")
    book.cancel("a", "a mistake")
    with pytest.raises(LeaseLostError, match="withdrawn meanwhile"):
        book.change(lease, _S.DELIVERED, reason="handed over")
    assert (book.get("a").state, book.get("a").withdrawn) == (_S.FETCHED, "a mistake")


def test_a_lease_tells_what_it_is(tmp_path: Path) -> None:
    with OrderBook(tmp_path / "book") as book:
        book.place("a", wanted())
        assert repr(lease_of(book, "a")) == "<Lease 1 of 'a' for worker>"
