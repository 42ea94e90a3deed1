"""What a human decides: withdrawing, trying again, saying what became of an order, renewing, archiving."""

from __future__ import annotations

import pytest

from sectigo_iot import InvalidInputError, LeaseLostError
from sectigo_iot.orders import MemorySecretStore, Order, OrderBook, OrderRequest, OrderState, Renewal
from sectigo_iot.orders.secrets import ARCHIVE, KEY, PASSWORD, secret_name
from sectigo_iot.orders.states import FINISHED
from sectigo_iot.pki import (
    RequestSpec,
    build_request,
    generate_key,
    private_key_pem,
    read_private_key,
    read_requests,
    request_fits,
)
from tests.orders.conftest import Shelf
from tests.orders.stages import PATHS, bring, certificate, lease_of, wanted

_S = OrderState
ON_ITS_WAY = [_S.ORDERING, _S.UNKNOWN, _S.PLACED, _S.ISSUING, _S.READY, _S.FETCHED]


def test_what_was_not_sent_or_came_to_nothing_is_cancelled(book: OrderBook) -> None:
    for state in (_S.PLANNED, _S.REJECTED):
        bring(book, state, state)
        found = book.cancel(state, "nobody wants it")
        assert (found.state, found.reason, found.next_at) == (_S.CANCELLED, "nobody wants it", None)
        assert book.cancel(state, "again") == found == book.get(state)


def test_what_failed_and_may_have_been_issued_is_looked_for_before_it_is_cancelled(book: OrderBook) -> None:
    for state in (_S.FAILED, _S.EXPIRED):
        assert bring(book, state, state).batch_id is not None
        found = book.cancel(state, "nobody wants it")
        assert (found.state, found.withdrawn) == (_S.PLACED, "nobody wants it")
        lease = lease_of(book, state)
        book.change(lease, state, reason="there is nothing to fetch")
        book.release(lease)
        assert book.cancel(state, "I have revoked it myself").state is _S.CANCELLED
        assert book.history(state)[-1].reason == "I have revoked it myself"


def test_what_is_on_its_way_is_marked_and_looked_at(shelf: Shelf, book: OrderBook) -> None:
    for state in ON_ITS_WAY:
        bring(book, state, state)
    shelf.now += 1
    for state in ON_ITS_WAY:
        found = book.cancel(state, "a mistake")
        assert (found.state, found.withdrawn, found.next_at) == (state, "a mistake", shelf.now)
        assert book.cancel(state, "again") == found
        assert book.history(state)[-1].reason == "a mistake"


def test_what_is_delivered_is_not_withdrawn(book: OrderBook) -> None:
    bring(book, "a", _S.DELIVERED)
    with pytest.raises(InvalidInputError, match="is delivered"):
        book.cancel("a", "too late")


def test_what_failed_is_tried_again(shelf: Shelf, book: OrderBook) -> None:
    for state, new in ((_S.REJECTED, _S.PLANNED), (_S.FAILED, _S.PLACED), (_S.EXPIRED, _S.PLACED)):
        order = bring(book, state, state, batch_id=70)
        shelf.secrets.put(secret_name(order.uid, ARCHIVE, order.batch_id or 0), b"of no use")
        found = book.retry(state)
        assert (found.state, found.next_at, found.attention, found.failures) == (new, shelf.now, None, 0)
        assert found.batch_id == order.batch_id
        assert book.bundle(state) is None


def test_what_failed_is_ordered_anew(shelf: Shelf, book: OrderBook) -> None:
    for state in (_S.FAILED, _S.EXPIRED):
        order = bring(book, state, state, batch_id=70)
        shelf.secrets.put(secret_name(order.uid, ARCHIVE, 70), b"of another batch")
        shelf.secrets.put(secret_name(order.uid, PASSWORD, order.password_number), b"kept")
        found = book.retry(state, order_anew=True)
        assert (found.state, found.batch_id, found.certificate) == (_S.PLANNED, None, None)
        assert "batch 70 is forgotten" in book.history(state)[-1].reason
        assert book.bundle(state) is None
        assert book.password(state) == "kept"
        lease = lease_of(book, state)
        assert book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
        assert lease.order.attempt == 2


def test_what_waits_is_looked_at_now(shelf: Shelf, book: OrderBook) -> None:
    for state in (_S.PLANNED, _S.ISSUING, _S.UNKNOWN):
        bring(book, state, state)
        lease = lease_of(book, state)
        book.change(lease, next_at=shelf.now + 999, failures=7, attention="look at this")
        found = book.retry(state)
        assert (found.state, found.next_at, found.failures) == (state, shelf.now, 0)
        assert (found.attention is None) == (state is not _S.UNKNOWN)


@pytest.mark.parametrize("state", [_S.DELIVERED, _S.CANCELLED])
def test_what_is_over_is_not_tried_again(book: OrderBook, state: OrderState) -> None:
    bring(book, "a", state)
    with pytest.raises(InvalidInputError, match=f"is {state}"):
        book.retry("a")


@pytest.mark.parametrize("state", [_S.PLANNED, *ON_ITS_WAY, _S.DELIVERED])
def test_what_may_come_yet_is_not_ordered_anew(book: OrderBook, state: OrderState) -> None:
    before = bring(book, "a", state)
    with pytest.raises(InvalidInputError):
        book.retry("a", order_anew=True)
    assert book.get("a") == before


def test_what_nobody_knows_is_resolved(book: OrderBook) -> None:
    for key in "abc":
        bring(book, key, _S.UNKNOWN)
    found = book.resolve("a", batch_id=7, reason="the vendor\nsays so")
    assert (found.state, found.batch_id) == (_S.PLACED, 7)
    assert found.reason == "somebody says that it is batch 7: the vendor says so"
    assert book.resolve("b", absent=True).state is _S.PLANNED
    given_up = book.resolve("c", give_up=True)
    assert (given_up.state, given_up.attention) == (_S.FAILED, "it was given up, and may have been accepted")


def test_what_was_given_up_is_resolved_before_it_is_tried_again(book: OrderBook) -> None:
    bring(book, "a", _S.UNKNOWN)
    book.resolve("a", give_up=True)
    for anew in (False, True):
        with pytest.raises(InvalidInputError, match="nobody knows"):
            book.retry("a", order_anew=anew)
    assert book.resolve("a", absent=True).state is _S.PLANNED


def test_a_decision_ends_the_lease_of_who_is_at_it(book: OrderBook) -> None:
    bring(book, "a", _S.UNKNOWN)
    lease = lease_of(book, "a")
    book.resolve("a", absent=True)
    with pytest.raises(LeaseLostError):
        book.change(lease, _S.PLACED, reason="found", batch_id=7)


def test_a_batch_of_another_order_is_not_taken(book: OrderBook) -> None:
    bring(book, "a", _S.PLACED, batch_id=7)
    bring(book, "b", _S.UNKNOWN)
    with pytest.raises(InvalidInputError, match="batch 7 is that of the order 'a'"):
        book.resolve("b", batch_id=7)


@pytest.mark.parametrize("said", [{}, {"batch_id": 1, "absent": True}, {"batch_id": -1}, {"batch_id": True}])
def test_one_thing_is_said(book: OrderBook, said: dict[str, int]) -> None:
    before = bring(book, "a", _S.UNKNOWN)
    with pytest.raises(InvalidInputError):
        book.resolve("a", **said)  # type: ignore[arg-type]
    assert book.get("a") == before


def test_what_does_not_fit_a_state_is_refused(book: OrderBook) -> None:
    for state in OrderState:
        bring(book, state, state)
        if state is not _S.UNKNOWN:
            with pytest.raises(InvalidInputError, match="nothing to resolve"):
                book.resolve(state, absent=True)
        if state is not _S.DELIVERED:
            with pytest.raises(InvalidInputError, match="only what is delivered"):
                book.renew(state)


def test_a_renewal_has_the_names_of_the_certificate(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "a", _S.FETCHED, renewal=Renewal(30, 14), labels={"site": "north"})
    lease = lease_of(book, "a")
    held = certificate("0A", "www.example.com", "EXAMPLE.com", "added.example.com")
    book.change(lease, _S.DELIVERED, reason="handed over", certificate=held, next_at=shelf.now)
    new = book.plan_renewal(lease)
    assert (new.key, new.state, new.renews, new.next_at) == ("a~1", _S.PLANNED, "a", shelf.now)
    assert new.wanted.names == ("example.com", "www.example.com", "added.example.com")
    assert (new.wanted.renewal, new.wanted.labels) == (Renewal(30, 14), {"site": "north"})
    assert lease.order.renewed_by == "a~1"
    assert book.plan_renewal(lease) == book.renew("a") == new == book.get("a~1")
    assert book.find(labels={"site": "north"}) == (book.get("a"), new)


def test_renewals_are_numbered_on(book: OrderBook) -> None:
    bring(book, "x~7", _S.DELIVERED, batch_id=1)
    bring(book, "x~7~2", _S.PLANNED)
    assert book.renew("x~7").key == "x~7~1"
    lease = lease_of(book, "x~7~1")
    for state in PATHS[_S.DELIVERED]:
        if state is _S.ORDERING:
            book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
        else:
            book.change(lease, state, reason="on it goes")
    assert book.renew("x~7~1").key == "x~7~3"


def test_a_renewal_that_was_cancelled_is_planned_again(book: OrderBook) -> None:
    bring(book, "a", _S.DELIVERED)
    book.renew("a")
    book.cancel("a~1", "a mistake")
    assert book.renew("a").key == "a~2"


def test_the_renewal_of_an_own_key_has_a_new_one(shelf: Shelf, book: OrderBook) -> None:
    key = generate_key("P-256")
    spec = RequestSpec(("example.com",), organization="Example")
    wish = OrderRequest(names=("example.com",), csr=build_request(key, spec))
    book.place("a", wish, private_key=private_key_pem(key))
    lease = lease_of(book, "a")
    for state in PATHS[_S.DELIVERED]:
        if state is _S.ORDERING:
            book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
        else:
            book.change(lease, state, reason="on it goes")
    new = book.renew("a")
    kept = book.private_key("a~1")
    assert new.key_given and kept is not None and kept != private_key_pem(key)
    assert new.wanted.csr is not None
    assert request_fits(new.wanted.csr, read_private_key(kept), spec)
    assert book.renew("a") == new
    assert book.private_key("a~1") == kept


def test_without_its_key_a_renewal_needs_a_new_request(shelf: Shelf, book: OrderBook) -> None:
    old, new = (build_request(generate_key("P-256"), RequestSpec(("example.com",))) for _ in range(2))
    bring(book, "a", _S.DELIVERED, csr=old)
    with pytest.raises(InvalidInputError, match="needs a new signing request"):
        book.renew("a")
    with pytest.raises(InvalidInputError, match="no signing request for it"):
        book.renew("a", private_key=b"key")
    planned = book.renew("a", csr=new)
    assert planned.wanted.csr is not None
    assert read_requests(planned.wanted.csr) == read_requests(new)
    assert repr(shelf.secrets) == "<MemorySecretStore of 0>"


def test_a_revocation_is_scheduled_once(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "a", _S.DELIVERED)
    found = book.schedule_revocation("a", shelf.now + 10)
    assert (found.revoke_at, found.next_at) == (shelf.now + 10, shelf.now + 10)
    assert book.schedule_revocation("a", shelf.now + 99) == found
    bring(book, "b", _S.FETCHED)
    with pytest.raises(InvalidInputError, match="nothing to revoke"):
        book.schedule_revocation("b", shelf.now)


def test_what_is_over_is_archived(shelf: Shelf, book: OrderBook) -> None:
    orders = {state: bring(book, state, state, batch_id=number) for number, state in enumerate(OrderState)}
    bring(book, "waits", _S.DELIVERED, batch_id=99)
    book.schedule_revocation("waits", shelf.now + 999)
    for name in (name for order in orders.values() for name in secrets_of(order)):
        shelf.secrets.put(name, b"secret")
    assert book.archive(shelf.now) == 0
    shelf.now += 1
    assert book.archive(shelf.now) == len(FINISHED)
    assert book.archive(shelf.now) == 0
    assert {order.state for order in book.find(archived=True)} == FINISHED
    assert {order.key for order in book.find()} == {*set(OrderState) - FINISHED, "waits"}
    assert sum(book.counts().values()) == len(OrderState) - len(FINISHED) + 1
    for state, order in orders.items():
        assert any(map(shelf.secrets.get, secrets_of(order))) == (state not in FINISHED)


def secrets_of(order: Order) -> list[str]:
    """Return the names of all secrets of an order; only of a batch there is a ZIP."""
    names = [secret_name(order.uid, kind) for kind in (PASSWORD, KEY)]
    return names if order.batch_id is None else [*names, secret_name(order.uid, ARCHIVE, order.batch_id)]


@pytest.mark.parametrize("state", [_S.CANCELLED, _S.DELIVERED])
def test_passwords_that_were_made_and_not_sent_go_to_the_last(
    shelf: Shelf, book: OrderBook, state: OrderState
) -> None:
    """As are left by workers that were killed before they had written down which they send."""
    for _ in range(2):
        book.place("a", wanted())
        lease = lease_of(book, "a")
        shelf.secrets.put(secret_name(lease.order.uid, PASSWORD, lease.number), b"made")
        book.release(lease)
    order = bring(book, "a", state)
    shelf.now += 1
    book.archive(shelf.now)
    assert not any(shelf.secrets.get(secret_name(order.uid, PASSWORD, number)) for number in range(9))


def test_an_archived_order_stays_as_it_is(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "a", _S.FAILED)
    shelf.now += 1
    book.archive(shelf.now)
    before = book.get("a")
    assert book.place("a", wanted()) == before
    assert book.history("a")
    for call in (
        book.retry,
        book.renew,
        lambda key: book.cancel(key, "why"),
        lambda key: book.resolve(key, absent=True),
    ):
        with pytest.raises(InvalidInputError):
            call("a")
    assert book.get("a") == before


class HaltingStore(MemorySecretStore):
    """Fails to remove, until it is mended."""

    broken = True

    def remove(self, name: str) -> None:
        if self.broken:
            raise InvalidInputError("the keyring is locked")
        super().remove(name)


def test_secrets_that_could_not_be_removed_are_removed_next_time(shelf: Shelf) -> None:
    shelf.secrets = store = HaltingStore()
    book = shelf.open()
    order = bring(book, "a", _S.DELIVERED)
    store.put(secret_name(order.uid, PASSWORD), b"secret")
    shelf.now += 1
    with pytest.raises(InvalidInputError):
        book.archive(shelf.now)
    store.broken = False
    assert book.archive(shelf.now) == 0
    assert book.password("a") is None


def test_a_wrong_batch_that_somebody_named_can_be_named_anew(book: OrderBook) -> None:
    bring(book, "a", _S.UNKNOWN)
    assert book.resolve("a", batch_id=99).batch_id == 99
    with pytest.raises(InvalidInputError, match="there is nothing to resolve"):
        book.resolve("a", batch_id=100)
    lease = lease_of(book, "a")
    book.change(lease, attention="the service knows no batch 99")
    with pytest.raises(InvalidInputError, match="is that of batch 99"):
        book.resolve("a", absent=True)
    order = book.resolve("a", batch_id=100)
    assert (order.state, order.batch_id, order.attention) == (_S.PLACED, 100, None)
    with pytest.raises(LeaseLostError):
        book.change(lease, attention="still 99")


def test_what_waits_for_a_human_is_not_archived(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "a", _S.DELIVERED)
    book.record_batch(book.get("a").uid, 1, 4711, reason="a late reply")
    shelf.now += 1
    assert book.archive(shelf.now) == 0
    assert [order.key for order in book.find(attention=True)] == ["a"]


def test_a_revocation_that_is_planned_takes_an_order_out_of_the_archive(shelf: Shelf, book: OrderBook) -> None:
    bring(book, "a", _S.DELIVERED)
    shelf.now += 1
    assert book.archive(shelf.now) == 1
    order = book.schedule_revocation("a", shelf.now + 60)
    assert (order.revoke_at, order.next_at) == (shelf.now + 60, shelf.now + 60)
    assert [each.key for each in book.find()] == ["a"]


def test_what_is_not_archived_before_a_stop_is_the_next_time(shelf: Shelf, book: OrderBook) -> None:
    for number in range(5):
        book.place(f"a{number}", wanted(), password="correct horse battery")
        book.cancel(f"a{number}", "not wanted")
    shelf.now += 1
    assert book.archive(shelf.now, stopping=lambda: True) == 0
    assert len(book.find()) == 5

    def kept() -> int:
        return sum(book.password(f"a{number}") is not None for number in range(5))

    assert book.archive(shelf.now, stopping=lambda: kept() <= 3) == 5
    assert kept() == 3
    assert book.archive(shelf.now) == 0
    assert kept() == 0
    assert len(book.find(archived=True)) == 5


@pytest.mark.parametrize("length", [199, 200])
def test_an_order_of_the_longest_key_is_renewed_again_and_again(book: OrderBook, length: int) -> None:
    """The number of a renewal stands behind the key, which is then longer than one that is given may be."""
    key = "k" * length
    csrs = [build_request(generate_key("P-256"), RequestSpec(("example.com",))) for _ in range(3)]
    bring(book, key, _S.PLANNED, csr=csrs[0])
    for name, csr in ((key, csrs[1]), (f"{key}~1", csrs[2])):
        lease = lease_of(book, name)
        book.begin_sending(lease, authority_id=1, profile_id=2, seconds=30, balance=None)
        for state in PATHS[_S.DELIVERED][1:]:
            book.change(lease, state, reason="on it goes")
        new = book.renew(name, csr=csr)
        assert new.wanted.csr is not None
        assert read_requests(new.wanted.csr) == read_requests(csr)
    assert new.key == f"{key}~2"
