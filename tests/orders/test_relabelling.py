"""Labels that are changed: the order is that of a request with the new ones, and is delivered by them."""

from __future__ import annotations

import dataclasses

import pytest

from sectigo_iot import InvalidInputError, LeaseLostError, OrderConflictError, OrderNotFoundError
from sectigo_iot.orders import OrderBook, OrderRequest, OrderState, Renewal
from tests.orders.conftest import Shelf
from tests.orders.stages import bring, lease_of, wanted

_S = OrderState
OLD = {"folder": "/srv/web", "team": "red"}
NEW = {"folder": "/srv/mail"}


@pytest.fixture
def asked() -> OrderRequest:
    return dataclasses.replace(wanted(), labels=OLD)


def test_it_is_the_order_of_a_request_with_the_new_labels(shelf: Shelf, book: OrderBook, asked: OrderRequest) -> None:
    placed = book.place("a", asked)
    shelf.now += 1
    changed = book.relabel("a", NEW)
    assert (changed.wanted.labels, changed.changed_at) == (NEW, shelf.now)
    assert (changed.uid, changed.state, changed.next_at) == (placed.uid, placed.state, placed.next_at)
    assert shelf.open().get("a") == changed
    assert book.place("a", dataclasses.replace(asked, labels=NEW)) == changed
    with pytest.raises(OrderConflictError):
        book.place("a", asked)
    assert [order.key for order in book.find(labels=NEW)] == ["a"]
    assert book.find(labels={"team": "red"}) == ()


def test_the_history_says_what_changed_and_only_if_it_did(book: OrderBook, asked: OrderRequest) -> None:
    book.place("a", asked)
    changed = book.relabel("a", NEW)
    event = book.history("a")[-1]
    said = "its labels were changed: folder is '/srv/mail' now, team is gone"
    assert (event.kind, event.old, event.new, event.reason) == ("labels", _S.PLANNED, _S.PLANNED, said)
    assert book.relabel("a", NEW) == changed
    assert book.relabel("a", {}).wanted.labels == {}
    assert [event.kind for event in book.history("a")] == ["state", "labels", "labels"]


def test_who_delivers_it_meanwhile_cannot_say_that_it_is_delivered(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "a", _S.FETCHED)
    lease = lease_of(book, "a")
    book.relabel("a", NEW)
    with pytest.raises(LeaseLostError):
        book.change(lease, _S.DELIVERED, reason="it was put where it was meant to go before")
    other = lease_of(book, "a")
    assert other.order.wanted.labels == NEW
    assert book.change(other, _S.DELIVERED, reason="it is there").state is _S.DELIVERED


def test_who_sends_it_meanwhile_goes_on(book: OrderBook) -> None:
    for state in (_S.ORDERING, _S.PLACED, _S.READY):
        bring(book, state, state)
        lease = lease_of(book, state) if state is not _S.ORDERING else None
        book.relabel(state, NEW)
        if lease is not None:
            assert book.change(lease, failures=1).wanted.labels == NEW
        assert book.get(state).state is state


def test_what_is_no_label_and_what_is_archived_is_refused(shelf: Shelf, book: OrderBook, asked: OrderRequest) -> None:
    placed = book.place("a", asked)
    with pytest.raises(InvalidInputError, match="the label 'folder' has characters"):
        book.relabel("a", {"folder": "a\0b"})
    assert book.get("a") == placed
    book.cancel("a", "nobody wants it")
    shelf.now += 1
    assert book.archive(shelf.now) == 1
    with pytest.raises(InvalidInputError, match="in the archive"):
        book.relabel("a", NEW)
    with pytest.raises(OrderNotFoundError):
        book.relabel("b", NEW)


def test_a_conflict_names_each_label_and_parameter_by_itself(book: OrderBook, asked: OrderRequest) -> None:
    book.place("a", dataclasses.replace(asked, params={"localityName": "Anytown"}))
    other = dataclasses.replace(asked, labels={**OLD, "folder": "/srv/mail"}, renewal=Renewal(0.3, 7), profile="423")
    with pytest.raises(OrderConflictError) as raised:
        book.place("a", other)
    assert raised.value.faults == (
        "a: the parameter localityName: Anytown in the book, none now",
        "a: profile: none in the book, 423 now",
        "a: renewal: none in the book, 0.3 and revoked after 7 now",
        "a: the label folder: /srv/web in the book, /srv/mail now",
    )
    assert "{" not in str(raised.value)
