"""The order book: what was ordered, and what became of it, on disk before anything is done about it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.orders.interrupts import undisturbed
from sectigo_iot.orders.order import Bundle, Order, OrderEvent, OrderRequest
from sectigo_iot.orders.secrets import ARCHIVE, KEY, PASSWORD, secret_name
from sectigo_iot.orders.store import (
    binding,
    changing,
    claiming,
    deciding,
    intents,
    listing,
    placing,
    renewals,
    upkeep,
)
from sectigo_iot.orders.store.engine import Store
from sectigo_iot.orders.store.places import book_url, default_secrets
from sectigo_iot.orders.store.upgrading import bring_up_to_date

if TYPE_CHECKING:
    import os
    from collections.abc import Callable, Collection, Iterable, Mapping

    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.protocols import SecretStore
    from sectigo_iot.orders.states import OrderState
    from sectigo_iot.orders.store.intents import AskedBalance
    from sectigo_iot.orders.store.placing import Placement


class OrderBook:
    """Orders in a database, each with its state and history; to be shared between threads, processes and machines.

    `url`: a path or `sqlite:////path` for a file of SQLite, `postgresql://user@host/database` for several machines;
    by default `orders.sqlite3` in the platform's folder for the user's data. `secrets`: where passwords, keys and
    bundles are kept; by default a private folder beside the file, or in the user's data folder for PostgreSQL, where
    several machines need one that they share. `clock`: seconds since the epoch.

    The tables are made, or brought up to date, by whoever comes first. Every method raises OrderBookError where the
    book cannot be used, and that error's `passes` says whether trying again may help.
    """

    def __init__(
        self,
        url: str | os.PathLike[str] | None = None,
        *,
        secrets: SecretStore | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        where = book_url(url)
        self.secrets = default_secrets(where) if secrets is None else secrets
        self._clock = clock
        self._store = Store(where, own_folder=url is None)
        try:
            bring_up_to_date(self._store)
        except BaseException:
            self.close()
            raise

    def __repr__(self) -> str:
        return f"<OrderBook {self.url}>"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections. The book can be used again after that, and opens new ones."""
        self._store.close()

    @property
    def url(self) -> str:
        """Where the book is, without a password."""
        return self._store.name

    @undisturbed
    def bind(self, endpoint: str) -> None:
        """Have the book be that of one service for good; a worker does so, with the endpoint of its client.

        Raises InvalidInputError where it is that of another: its orders would be asked of the wrong one.
        """
        binding.bind(self._store, endpoint)

    def place(
        self, key: str, wanted: OrderRequest, *, password: str | None = None, private_key: bytes | None = None
    ) -> Order:
        """Place an order, and return it; where the same was placed under this key before, return that, as it stands.

        `key`: 1 to 200 printable characters, by which the caller knows it again. `password`: for the PKCS#12 where
        the service makes the key; one is generated where none is given. `private_key`: PEM, that of the signing
        request. Both are kept, and synced, before the order is in the book.
        Raises InvalidInputError with all `faults` of what is wanted, and OrderConflictError where the key is that of
        an order for something else.
        """
        return self.place_all([placing.Placement(key, wanted, password, private_key)])[0]

    @undisturbed
    def place_all(self, orders: Iterable[Placement]) -> tuple[Order, ...]:
        """Place many orders, all or none, as `place` does with one; return them in the order given."""
        return placing.place(self._store, self.secrets, self._clock(), orders)

    def get(self, key: str) -> Order:
        """Return the order of a key, an archived one too. Raises OrderNotFoundError."""
        with self._store.reading() as connection:
            return listing.get(connection, key)

    def find(
        self,
        *,
        states: Collection[OrderState] | None = None,
        attention: bool = False,
        text: str = "",
        labels: Mapping[str, str] | None = None,
        after: str | None = None,
        limit: int = 100,
        archived: bool = False,
    ) -> tuple[Order, ...]:
        """Return a page of orders, in the order in which they were placed.

        `states`: those in one of these alone. `attention`: those that wait for a human alone. `text`: a part of the
        key or of a name. `labels`: those that have all of them. `after`: the key of the last order of the page
        before; OrderNotFoundError where there is none. `archived`: those in the archive, and no others.
        """
        wish = listing.Wish(states, attention, text, labels or {}, after, limit, archived)
        with self._store.reading() as connection:
            return listing.find(connection, wish)

    def counts(self) -> dict[OrderState, int]:
        """Return how many orders are in each state, every state named; those in the archive are not counted."""
        with self._store.reading() as connection:
            return listing.counts(connection)

    def attention_count(self) -> int:
        """Return how many orders wait for a human."""
        with self._store.reading() as connection:
            return listing.attention_count(connection)

    def history(self, key: str) -> tuple[OrderEvent, ...]:
        """Return what happened to an order: the first event and the last 49. Raises OrderNotFoundError."""
        with self._store.reading() as connection:
            return changing.history(connection, key)

    @undisturbed
    def cancel(self, key: str, reason: str) -> Order:
        """Withdraw an order.

        What was not sent yet, or came to nothing, is cancelled at once. What is on its way is marked as withdrawn:
        it is fetched, and its certificate revoked. Raises InvalidInputError for what is delivered.
        """
        return deciding.cancel(self._store, self._clock(), key, reason)

    @undisturbed
    def retry(self, key: str, *, order_anew: bool = False) -> Order:
        """Have an order tried again: rejected ones are ordered again, failed and expired ones from their batch on.

        `order_anew`: failed and expired ones are ordered again, which may spend another licence; their batch is
        forgotten, and the history says which it was. One that waits is looked at now. What was put before a human is
        taken to be seen to. Raises InvalidInputError where nobody knows whether it was accepted (see `resolve`), and
        where there is nothing to try again.
        """
        return deciding.retry(self._store, self.secrets, self._clock(), key, order_anew=order_anew)

    @undisturbed
    def resolve(
        self, key: str, *, batch_id: int | None = None, absent: bool = False, give_up: bool = False, reason: str = ""
    ) -> Order:
        """Say what became of an order of which nobody knew whether it was accepted.

        `batch_id`: it is that batch. `absent`: it was not accepted, and is ordered again. `give_up`: it is left as
        failed. Raises InvalidInputError unless exactly one is said, and where the outcome is not unknown.
        """
        return deciding.resolve(
            self._store, self._clock(), key, batch_id=batch_id, absent=absent, give_up=give_up, reason=reason
        )

    @undisturbed
    def relabel(self, key: str, labels: Mapping[str, str]) -> Order:
        """Have an order carry these labels, and no others, from now on; return it as it is then.

        It is the order of a request with these labels then. Whoever delivers it at this moment, by the labels as they
        were, cannot say that it is delivered: that is done once more. Its history says what has changed.
        Raises InvalidInputError for what is no label, and for an order in the archive.
        """
        return deciding.relabel(self._store, self._clock(), key, labels)

    @undisturbed
    def renew(self, key: str, *, csr: bytes | None = None, private_key: bytes | None = None) -> Order:
        """Plan the order that renews a delivered one, now, and return it; the one that is there, if one is.

        `csr` and `private_key`: a new signing request and its key, for an order that was placed with one; where the
        book keeps that one's key, both are made here. Raises InvalidInputError where a request is needed, and where
        the order is not delivered.
        """
        request = self._request(csr, private_key)
        return renewals.renew(self._store, self.secrets, self._clock(), self.get(key), request)

    @undisturbed
    def plan_renewal(self, lease: Lease, *, csr: bytes | None = None, private_key: bytes | None = None) -> Order:
        """Do the same for the order of a lease. Raises LeaseLostError, and what `renew` raises."""
        request = self._request(csr, private_key)
        return renewals.plan(self._store, self.secrets, self._clock(), lease, request)

    @undisturbed
    def schedule_revocation(self, key: str, at: float) -> Order:
        """Have the certificate of a delivered order revoked as superseded at that time; what is set already stays."""
        return deciding.schedule_revocation(self._store, self._clock(), key, at)

    def password(self, key: str) -> str | None:
        """Return the password of an order's PKCS#12, or None where there is none (yet, or any more)."""
        order = self.get(key)
        found = self.secrets.get(secret_name(order.uid, PASSWORD, order.password_number))
        return None if found is None else found.decode()

    def private_key(self, key: str) -> bytes | None:
        """Return the private key that was given with an order's signing request, PEM, or None."""
        return self.secrets.get(secret_name(self.get(key).uid, KEY))

    def bundle(self, key: str) -> Bundle | None:
        """Return what was issued for an order, or None where it is not fetched yet, or archived."""
        order = self.get(key)
        archive = self.secrets.get(secret_name(order.uid, ARCHIVE, order.batch_id or 0))
        return None if archive is None else Bundle(archive, self.password(key), self.private_key(key))

    def backup(self, path: str | os.PathLike[str]) -> Path:
        """Copy a book in SQLite, as it is at this moment, into a new file, 0600; return its path.

        Secrets are not in it: they are backed up with the folder that they are in. Raises TargetExistsError where
        something stands there, OrderBookError for a book in PostgreSQL.
        """
        return upkeep.backup(self._store, Path(path))

    @undisturbed
    def archive(self, before: float, *, stopping: Callable[[], bool] = lambda: False) -> int:
        """Put finished orders, which have not changed since that time, into the archive; return how many.

        Those that wait to be renewed or revoked stay. The secrets of archived orders are removed, their keys stay
        taken, and nothing is done with them any more. `stopping`: asked before each order whether to leave the rest
        for another time.
        """
        return upkeep.archive(self._store, self.secrets, before, stopping)

    @undisturbed
    def claim(
        self, worker: str, *, seconds: float, limit: int = 1, keys: Collection[str] | None = None
    ) -> list[Lease]:
        """Return leases on orders that are due, at most `limit`, for so many seconds; the most urgent first.

        Those whose outcome is unknown come first, then those that are ready (of these the one first that can be
        fetched for the shortest time), fetched, being issued, planned, and the rest. One that was about to be sent
        when its lease ended is unknown from then on. `keys`: those of these keys alone.
        """
        return claiming.claim(self._store, self._clock(), worker, seconds, limit, keys)

    @undisturbed
    def renew_lease(self, lease: Lease, seconds: float) -> None:
        """Have a lease last so many seconds from now. Raises LeaseLostError where another has the order."""
        claiming.renew_lease(self._store, lease, seconds)

    @undisturbed
    def release(self, lease: Lease) -> None:
        """Let others claim the order of a lease. No error where the lease is lost."""
        claiming.release(self._store, lease)

    @undisturbed
    def change(
        self, lease: Lease, new: OrderState | None = None, *, reason: str | None = None, **fields: Any
    ) -> Order:
        """Change an order under its lease, to another state or in its `fields` alone; return it as it is then.

        `fields`: those of `Order` that are no fixed facts. A change of state is told in the history. With a `next_at`
        that is still to come, or None, the lease is given back. Raises LeaseLostError where another has the order, or
        it was withdrawn before it could be said to be delivered, and InvalidInputError for an illegal move.
        """
        return changing.change(self._store, self._clock(), lease, new, reason, fields)

    @undisturbed
    def remark(self, lease: Lease, kind: str, what: str) -> None:
        """Have the history of an order say something, unless its last event says so. Raises LeaseLostError."""
        changing.remark(self._store, self._clock(), lease, kind, what)

    @undisturbed
    def begin_sending(
        self,
        lease: Lease,
        *,
        authority_id: int | None,
        profile_id: int | None,
        seconds: float,
        balance: AskedBalance | None,
        password_number: int = 0,
    ) -> bool:
        """Write down that a planned order is about to be sent, and reserve a licence for it, in one transaction.

        `seconds`: how long from now its bytes can leave at the latest. `balance`: what the authority had left when it
        was asked; None where that could not be asked. `password_number`: which of its passwords is sent. Return
        False, and change nothing, where all of that is reserved. Raises LeaseLostError.
        """
        intent = intents.Intent(authority_id, profile_id, seconds, balance, password_number)
        return intents.begin_sending(self._store, self._clock(), lease, intent)

    @undisturbed
    def record_unsent(self, uid: str, attempt: int, *, reason: str) -> Order:
        """Note that an attempt is certain not to have left, from whoever knows it, without a lease; return the order.

        Where nobody knew what became of it, it is planned again; else nothing changes.
        """
        return intents.record_unsent(self._store, self._clock(), uid, attempt, reason)

    def is_settled(self, order: Order, seconds: float) -> bool:
        """Whether it is so long since an order can have left at the latest, by a clock that nobody has set meanwhile.

        That of this machine's start for a file, that of the server for PostgreSQL.
        """
        return intents.is_settled(self._store, order.uid, seconds)

    @undisturbed
    def record_batch(self, uid: str, attempt: int, batch_id: int, *, reason: str, after: float = 0.0) -> Order:
        """Record the proof that an attempt to send an order was accepted as a batch; whoever has it needs no lease.

        It is looked at `after` seconds. Where the order has gone another way meanwhile, it is put before a human.
        Raises OrderNotFoundError.
        """
        return intents.record_batch(self._store, self._clock(), uid, attempt, batch_id, reason, after)

    def next_due(self, keys: Collection[str] | None = None) -> float | None:
        """Return when the next order, or next of these keys, is due that nobody has a lease on; None for never."""
        return claiming.next_due(self._store, keys)

    def highest_batch_id(self) -> int | None:
        """Return the highest batch id that the book knows of, or None."""
        with self._store.reading() as connection:
            return listing.highest_batch_id(connection)

    def known_batches(self, numbers: Iterable[int]) -> frozenset[int]:
        """Return those of these batch ids that belong to an order of the book."""
        with self._store.reading() as connection:
            return listing.known_batches(connection, numbers)

    def known_serials(self, common_name: str) -> frozenset[str]:
        """Return the serial numbers of the certificates that the book has for a common name."""
        with self._store.reading() as connection:
            return listing.known_serials(connection, common_name)

    @staticmethod
    def _request(csr: bytes | None, private_key: bytes | None) -> renewals.NewRequest | None:
        if csr is None and private_key is not None:
            raise InvalidInputError("a private key was given, and no signing request for it")
        return None if csr is None else renewals.NewRequest(csr, private_key)
