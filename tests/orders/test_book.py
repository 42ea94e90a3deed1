"""Placing orders and finding them again."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import InvalidInputError, OrderConflictError, OrderNotFoundError, SectigoError
from sectigo_iot.orders import (
    FileSecretStore,
    MemorySecretStore,
    Order,
    OrderBook,
    OrderRequest,
    OrderState,
    Placement,
    Renewal,
)
from sectigo_iot.orders.secrets import secret_name
from sectigo_iot.pki import RequestSpec, build_request, generate_key, private_key_pem
from tests.orders.conftest import Shelf
from tests.orders.stages import bring, certificate, lease_of, wanted

KEY = generate_key("P-256")
CSR = build_request(KEY, RequestSpec(("example.com", "www.example.com")))
FULL: dict[str, Any] = {
    "names": ("example.com", "www.example.com"),
    "params": {"organizationName": "Müller & Söhne", "note": "a\nb"},
    "profile": "TLS",
    "authority": 17,
    "csr": CSR,
    "days_to_live": 30.0,
    "renewal": Renewal(0.25, 14),
    "labels": {"site": "north"},
}


def test_what_was_placed_is_there_again(shelf: Shelf, book: OrderBook) -> None:
    placed = book.place("a key", OrderRequest(**FULL), private_key=private_key_pem(KEY))
    again = shelf.open()
    found = again.get("a key")
    assert found == placed
    assert found.wanted == OrderRequest(**FULL)
    assert (found.state, found.version, found.created_at, found.next_at) == ("planned", 1, shelf.now, shelf.now)
    assert (found.key_given, found.password_given) == (True, False)
    assert again.private_key("a key") == private_key_pem(KEY)
    (event,) = again.history("a key")
    assert (event.kind, event.old, event.new, event.at) == ("state", None, OrderState.PLANNED, shelf.now)


def test_the_same_key_is_the_same_order(shelf: Shelf, book: OrderBook) -> None:
    first = book.place("vasp", wanted(labels={"a": "b"}), password="first")
    shelf.now += 60
    assert book.place("vasp", wanted(labels={"a": "b"})) == first
    assert book.password("vasp") == "first"
    assert len(book.history("vasp")) == 1


def test_the_same_key_for_something_else_is_refused(book: OrderBook) -> None:
    first = book.place("vasp", wanted(days_to_live=3))
    with pytest.raises(
        OrderConflictError, match=r"'vasp'.*names: example.com in the book, example.org now"
    ) as refused:
        book.place("vasp", wanted("example.org", days_to_live=4))
    assert refused.value.key == "vasp"
    assert len(refused.value.faults) == 2
    assert book.get("vasp") == first


@pytest.mark.parametrize("key", ["", "x" * 201, "a\nb", " a", "a\0", "\udc80"])
def test_what_is_no_key_is_refused(tmp_path: Path, key: str) -> None:
    with OrderBook(tmp_path / "book") as book, pytest.raises(InvalidInputError, match="1 to 200 printable"):
        book.place(key, wanted())


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ({"names": ()}, "no names"),
        ({"names": "example.com"}, "no names"),
        ({"names": ("example.com", "")}, "a name is empty"),
        ({"names": ("example.com", "EXAMPLE.com")}, "twice"),
        ({"params": {"pkcs12Password": "secret"}}, "no place among the parameters"),
        ({"params": {"a": 1}}, "no text"),
        ({"labels": {"a": "\0"}}, "cannot be kept"),
        ({"authority": -1}, "no authority's id"),
        ({"days_to_live": 0}, "no number of days"),
        ({"renewal": Renewal(0)}, "neither a number of days"),
        ({"renewal": Renewal(1, -1)}, "no number of days after which"),
        ({"csr": b"nonsense"}, "holds no certificate signing request"),
        ({"csr": CSR + CSR}, "same as"),
        ({"csr": CSR}, "its signing request is for example.com www.example.com"),
    ],
)
def test_what_cannot_be_ordered_is_refused(tmp_path: Path, changes: dict[str, Any], fault: str) -> None:
    with OrderBook(tmp_path / "book") as book:
        with pytest.raises(InvalidInputError) as refused:
            book.place("vasp", OrderRequest(**{"names": ("example.com",), **changes}))
        assert fault in " ".join(refused.value.faults)
        assert "secret" not in str(refused.value)
        assert not book.find()


@pytest.mark.parametrize(
    ("password", "private_key", "csr", "fault"),
    [
        ("", None, None, "password is empty"),
        (None, private_key_pem(KEY), None, "no signing request"),
        (None, b"nonsense", CSR, "private key"),
        (None, private_key_pem(generate_key("P-256")), CSR, "not that of its signing request"),
    ],
)
def test_secrets_that_do_not_fit_are_refused(
    tmp_path: Path, password: str | None, private_key: bytes | None, csr: bytes | None, fault: str
) -> None:
    secrets = FileSecretStore(tmp_path / "secrets")
    with OrderBook(tmp_path / "book", secrets=secrets) as book, pytest.raises(InvalidInputError, match=fault):
        book.place("a", wanted("example.com", "www.example.com", csr=csr), password=password, private_key=private_key)
    assert not (tmp_path / "secrets").exists()


def test_many_are_placed_or_none(book: OrderBook) -> None:
    good = [Placement(f"host{number}", wanted(f"host{number}.example.com")) for number in range(600)]
    with pytest.raises(InvalidInputError) as refused:
        book.place_all([*good, Placement("", wanted()), Placement("b", OrderRequest(names=()))])
    assert len(refused.value.faults) == 2
    assert not book.find()
    placed = book.place_all([*good, good[0]])
    assert [order.key for order in placed] == [each.key for each in good] + ["host0"]
    assert book.counts()[OrderState.PLANNED] == 600
    assert book.place_all(reversed(good)) == tuple(reversed(placed[:-1]))


def test_one_key_for_two_things_places_nothing(book: OrderBook) -> None:
    with pytest.raises(OrderConflictError, match="'a'"):
        book.place_all([Placement("a", wanted()), Placement("b", wanted()), Placement("a", wanted("example.org"))])
    assert not book.find()


class FailingStore(MemorySecretStore):
    """Keeps so many, and then no more."""

    def __init__(self, most: int) -> None:
        super().__init__()
        self.most = most

    def put(self, name: str, value: bytes) -> None:
        super().put(name, value)
        self.most -= 1
        if self.most < 0:
            raise SectigoError("the disk is full")


def test_a_secret_that_cannot_be_kept_leaves_no_order_and_no_secret(shelf: Shelf) -> None:
    shelf.secrets = store = FailingStore(1)
    book = shelf.open()
    with pytest.raises(SectigoError, match="the disk is full"):
        book.place_all([Placement("a", wanted(), "one"), Placement("b", wanted(), "two")])
    assert not book.find()
    assert repr(store) == "<MemorySecretStore of 0>"


def test_an_order_that_is_not_there(book: OrderBook) -> None:
    for call in (book.get, book.history, book.retry, book.password, book.bundle, book.renew):
        with pytest.raises(OrderNotFoundError, match="no order with the key 'nobody'") as refused:
            call("nobody")
        assert refused.value.key == "nobody"


def test_pages_follow_the_order_in_which_was_placed(book: OrderBook) -> None:
    keys = [f"{number:02}" for number in range(25)]
    book.place_all(Placement(key, wanted(f"h{key}.example.com")) for key in reversed(keys))
    seen: list[str] = []
    while page := book.find(limit=10, after=seen[-1] if seen else None):
        assert len(page) <= 10
        seen += [order.key for order in page]
    assert seen == keys[::-1]
    with pytest.raises(OrderNotFoundError):
        book.find(after="nobody")


def keys_of(found: tuple[Order, ...]) -> list[str]:
    return [order.key for order in found]


def test_orders_are_found_by_what_they_have(book: OrderBook) -> None:
    book.place("a", wanted("one.example.com", labels={"site": "north", "kind": "x"}))
    book.place("b", wanted("two.example.com", "100%.example.org", labels={"site": "north"}))
    bring(book, "c", OrderState.REJECTED, labels={"site": "south"})
    assert keys_of(book.find(labels={"site": "north"})) == ["a", "b"]
    assert keys_of(book.find(labels={"site": "north", "kind": "x"})) == ["a"]
    assert keys_of(book.find(text="TWO.")) == ["b"]
    assert keys_of(book.find(text="0%.e")) == ["b"]
    assert keys_of(book.find(text="%two")) == []
    assert keys_of(book.find(states={OrderState.REJECTED})) == ["c"]
    assert keys_of(book.find(states=[OrderState.REJECTED, OrderState.PLANNED])) == ["a", "b", "c"]
    assert keys_of(book.find(states=[])) == []
    assert keys_of(book.find(attention=True)) == []
    book.change(lease_of(book, "b"), attention="look at this")
    assert keys_of(book.find(attention=True)) == ["b"]
    assert book.attention_count() == 1
    assert {state: number for state, number in book.counts().items() if number} == {"planned": 2, "rejected": 1}
    assert set(book.counts()) == set(OrderState)


def test_what_is_known_of_batches_and_certificates(book: OrderBook) -> None:
    assert book.highest_batch_id() is None
    bring(book, "a", OrderState.FETCHED, batch_id=70)
    bring(book, "b", OrderState.PLACED, batch_id=30)
    assert book.highest_batch_id() == 70
    assert book.known_batches([30, 31, *range(1000, 3000)]) == {30}
    assert book.known_serials("example.com") == {"0046"}
    assert book.known_serials("example.org") == frozenset()
    assert book.get("a").certificate == certificate("0046")


def test_the_history_is_bounded(shelf: Shelf, book: OrderBook) -> None:
    book.place("a", wanted())
    lease = lease_of(book, "a")
    for number in range(120):
        shelf.now += 1
        book.remark(lease, "evidence", f"look {number}")
        book.remark(lease, "evidence", f"look {number}")
    reasons = [event.reason for event in book.history("a")]
    assert reasons == ["it was placed", *(f"look {number}" for number in range(71, 120))]


def test_everything_is_private(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        with OrderBook(tmp_path / "new" / "orders.sqlite3") as book:
            book.place("a", wanted(), password="secret")
            found = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "new").iterdir()}
    finally:
        os.umask(before)
    assert found.pop("orders.sqlite3.secrets") == 0o700
    assert found == {"orders.sqlite3": 0o600, "orders.sqlite3-wal": 0o600, "orders.sqlite3-shm": 0o600}
    assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o700


def test_a_file_that_others_can_read_is_closed_to_them(tmp_path: Path) -> None:
    path = tmp_path / "orders"
    OrderBook(path).close()
    path.chmod(0o644)
    OrderBook(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_no_secret_stands_in_the_book(tmp_path: Path) -> None:
    with OrderBook(tmp_path / "orders") as book:
        book.place("a", wanted("example.com", "www.example.com", csr=CSR), private_key=private_key_pem(KEY))
        book.place("b", wanted(), password="correct horse battery")
        assert "correct" not in f"{book!r} {book.find()!r} {Placement('b', wanted(), 'correct')!r}"
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("orders*") if path.is_file())
    assert b"example.com" in kept
    assert b"correct horse" not in kept
    assert b"PRIVATE KEY" not in kept
    assert private_key_pem(KEY).split()[4] not in kept


def test_the_default_is_the_users_own(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    with OrderBook() as book:
        book.place("a", wanted(), password="pw")
        assert book.url == f"sqlite:///{home}/.local/share/sectigo-iot/orders.sqlite3"
    assert (home / ".local/share/sectigo-iot/orders.sqlite3.secrets").is_dir()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:", "sqlite:///a?mode=ro", "mysql://a/b", "://", ""])
def test_what_names_no_book_is_refused(url: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        OrderBook(url)
    assert "postgresql://user@host/database" in str(refused.value.hint)


@pytest.mark.parametrize("rest", ["secret@[x/y", "se@secret@host/y", "secret@h:9x/y"])
def test_a_url_that_cannot_be_read_tells_no_password(rest: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        OrderBook(f"postgresql://me:{rest}")
    assert "secret" not in f"{refused.value} {refused.value.hint}"


def test_a_url_is_shown_without_its_password() -> None:
    from sectigo_iot.orders.store.places import book_url, shown

    url = "postgresql://me:secret@db.example.com/orders?sslpassword=secret&sslmode=require"
    assert shown(book_url(url)) == "postgresql://me@db.example.com/orders?sslmode=require"


def test_the_same_order_with_another_password_is_another_order(book: OrderBook) -> None:
    wanted = OrderRequest(names=("a.example.com",))
    order = book.place("a", wanted, password="correct horse battery")
    with pytest.raises(OrderConflictError, match="password: another one is kept") as refused:
        book.place("a", wanted, password="another horse battery")
    assert "horse" not in f"{refused.value} {refused.value.faults}"
    assert book.password("a") == "correct horse battery"
    assert book.place("a", wanted) == book.place("a", wanted, password="correct horse battery") == order
    book.place("b", wanted)
    with pytest.raises(OrderConflictError, match="password: it was placed without one"):
        book.place("b", wanted, password="correct horse battery")


def test_the_password_that_a_worker_made_is_that_of_the_order(book: OrderBook) -> None:
    wanted = OrderRequest(names=("a.example.com",))
    book.place("a", wanted)
    (lease,) = book.claim("worker", seconds=60)
    book.secrets.put(secret_name(lease.order.uid, "password", lease.number), b"made here")
    assert book.password("a") is None
    intent = {"authority_id": 1, "profile_id": 2, "password_number": lease.number}
    assert book.begin_sending(lease, **intent, seconds=30, balance=None)
    assert book.password("a") == "made here"
    assert book.place("a", wanted, password="made here").uid == lease.order.uid
    with pytest.raises(OrderConflictError, match="password: another one is kept"):
        book.place("a", wanted, password="correct horse battery")


def test_a_password_that_is_gone_is_kept_again_when_it_is_given_again(book: OrderBook) -> None:
    wanted = OrderRequest(names=("a.example.com",))
    order = book.place("a", wanted, password="correct horse battery")
    book.secrets.remove(f"{order.uid}.password")
    assert book.password("a") is None
    assert book.place("a", wanted, password="correct horse battery") == order
    assert book.password("a") == "correct horse battery"


def test_a_user_that_there_is_not_is_part_of_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from sectigo_iot.orders.store.places import book_url

    monkeypatch.chdir(tmp_path)
    assert book_url("~nobody-at-all/book").database == str(tmp_path / "~nobody-at-all" / "book")
