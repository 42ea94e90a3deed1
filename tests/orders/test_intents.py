"""What is written down before an order is sent, licences that are reserved, and proof that comes later."""

from __future__ import annotations

import threading

import pytest

from sectigo_iot import LeaseLostError, OrderNotFoundError
from sectigo_iot.orders import AskedBalance, OrderBook, OrderState, Placement
from tests.orders.conftest import Shelf
from tests.orders.stages import bring, lease_of, wanted

_S = OrderState


def begin(book: OrderBook, key: str, balance: AskedBalance | None = None, authority: int = 1) -> bool:
    return book.begin_sending(lease_of(book, key), authority_id=authority, profile_id=2, seconds=30, balance=balance)


def test_the_intent_says_what_is_sent(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "before", _S.PLACED, batch_id=70)
    order = book.place("VASP: exämple.com/1", wanted())
    assert begin(book, order.key)
    found = book.get(order.key)
    assert (found.state, found.attempt, found.batch_name) == (_S.ORDERING, 1, f"VASP-ex-mple.com-1-{order.uid}-1")
    assert (found.sent_at, found.sent_until, found.known_batch_id) == (shelf.now, shelf.now + 30, 70)
    assert (found.authority_id, found.profile_id, found.next_at) == (1, 2, shelf.now)


def test_no_two_attempts_have_the_same_name(book: OrderBook) -> None:
    book.place("a" * 200, wanted())
    book.place("a" * 199, wanted())
    names = set()
    for key in ("a" * 200, "a" * 199):
        for _ in range(2):
            lease = lease_of(book, key)
            assert book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
            names.add(lease.order.batch_name)
            book.change(lease, _S.PLANNED, reason="it did not leave")
            book.release(lease)
    assert len(names) == 4
    assert max(len(name or "") for name in names) < 64


def test_licences_are_reserved(shelf: Shelf, book: OrderBook) -> None:
    for key in "abcdef":
        book.place(key, wanted())
    asked = AskedBalance(2, shelf.now)
    shelf.now += 1
    assert begin(book, "a", asked)
    assert begin(book, "b", asked)
    before = book.get("c")
    assert not begin(book, "c", asked)
    assert book.get("c") == before
    assert begin(book, "d", asked, authority=2)
    assert begin(book, "e")


def test_what_the_balance_knows_already_is_not_counted_again(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "accepted", _S.ISSUING)
    bring(book, "unknown", _S.UNKNOWN)
    shelf.now += 1
    asked = AskedBalance(2, shelf.now)
    for key in "abc":
        book.place(key, wanted())
    # The unknown one may have taken a licence, or may yet.
    assert begin(book, "a", asked)
    assert not begin(book, "b", asked)


def test_what_was_accepted_after_the_balance_was_asked_is_counted(shelf: Shelf, book: OrderBook) -> None:
    order = book.place("a", wanted())
    book.place("b", wanted())
    assert begin(book, "a")
    asked = AskedBalance(1, shelf.now + 1)
    shelf.now += 2
    book.record_batch(order.uid, 1, 7, reason="the service said so")
    assert not begin(book, "b", asked)


def test_what_never_left_gives_its_licence_back(shelf: Shelf, book: OrderBook) -> None:
    book.place("a", wanted())
    book.place("b", wanted())
    asked = AskedBalance(1, shelf.now)
    lease = lease_of(book, "a")
    assert book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=asked)
    book.change(lease, _S.PLANNED, reason="nobody was there", next_at=shelf.now + 60)
    assert begin(book, "b", asked)


def test_many_race_for_few_licences(shelf: Shelf, book: OrderBook) -> None:
    book.place_all(Placement(f"{number}", wanted()) for number in range(24))
    asked = AskedBalance(7, shelf.now)
    won: list[bool] = []

    def race(worker: str) -> None:
        own = shelf.open()
        for lease in own.claim(worker, seconds=60, limit=4):
            won.append(own.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=asked))

    threads = [threading.Thread(target=race, args=(f"{number}",)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (won.count(True), won.count(False)) == (7, 17)
    assert book.counts()[_S.ORDERING] == 7


def test_proof_needs_no_lease(shelf: Shelf, book: OrderBook) -> None:
    for state in (_S.ORDERING, _S.UNKNOWN):
        order = bring(book, state, state)
        shelf.now += 1
        found = book.record_batch(order.uid, 1, 7, reason="it was in the list")
        assert found == book.get(state)
        assert (found.state, found.batch_id, found.reason) == (_S.PLACED, 7, "it was in the list")
        assert (found.next_at, found.attention) == (shelf.now, None)
        assert book.record_batch(order.uid, 1, 7, reason="again") == found


def test_proof_counts_for_what_was_taken_to_have_failed(book: OrderBook) -> None:
    absent, given_up = bring(book, "a", _S.UNKNOWN), bring(book, "b", _S.UNKNOWN)
    book.resolve("a", absent=True)
    book.resolve("b", give_up=True)
    for order, number in ((absent, 7), (given_up, 8)):
        found = book.record_batch(order.uid, 1, number, reason="it was in the list")
        assert (found.state, found.batch_id) == (_S.PLACED, number)


def test_a_second_acceptance_is_put_before_a_human(book: OrderBook) -> None:
    order = bring(book, "a", _S.UNKNOWN)
    book.resolve("a", absent=True, reason="the vendor says so")
    lease = lease_of(book, "a")
    assert book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
    assert book.record_batch(order.uid, 1, 7, reason="it was in the list").state is _S.ORDERING
    found = book.record_batch(order.uid, 2, 8, reason="the service said so")
    assert (found.state, found.batch_id) == (_S.PLACED, 8)
    assert book.record_batch(order.uid, 1, 7, reason="once more") == found
    assert [event.kind for event in book.history("a")].count("evidence") == 1
    what = "attempt 1 was accepted as batch 7, too: revoke what it issues"
    assert book.change(lease, _S.ISSUING, reason="it is at work", attention=None).attention == what
    assert book.change(lease, attention="it takes long").attention == f"{what}; it takes long"
    assert book.retry("a").attention is None


def test_proof_for_what_was_cancelled_or_archived_is_not_lost(shelf: Shelf, book: OrderBook) -> None:
    order = bring(book, "a", _S.UNKNOWN)
    book.resolve("a", give_up=True)
    book.cancel("a", "nobody wants it")
    shelf.now += 100
    assert book.archive(shelf.now) == 1
    found = book.record_batch(order.uid, 1, 7, reason="it was in the list")
    assert (found.state, found.batch_id) == (_S.CANCELLED, 7)
    assert found.attention is not None
    assert book.find(attention=True) == (found,)


def test_proof_for_nobody(book: OrderBook) -> None:
    with pytest.raises(OrderNotFoundError):
        book.record_batch("0" * 16, 1, 7, reason="whose is it?")


def test_what_was_withdrawn_is_not_sent(book: OrderBook) -> None:
    book.place("a", wanted())
    lease = lease_of(book, "a")
    assert book.cancel("a", "a mistake").state is _S.CANCELLED
    with pytest.raises(LeaseLostError):
        book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
    assert book.get("a").attempt == 0
