"""The directory itself. It keeps no list: each VASP is an order in the book, and its identifier the key."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from directory_service.registration import Registration
from sectigo_iot import InvalidInputError, generate_password
from sectigo_iot.orders import Order, OrderRequest, OrderState, Renewal

if TYPE_CHECKING:
    from sectigo_iot.orders import OrderBook

RENEWAL = Renewal(before=1 / 3, revoke_after=7)
"""A third of its lifetime before its end a certificate is renewed, and a week later the old one is revoked."""
PAGE = 100
VERIFIED = "verified"


class Entry(NamedTuple):
    """What the directory says of one VASP. `serial` and `ends` are those of the certificate that it uses now."""

    identifier: str
    name: str
    names: tuple[str, ...]
    state: str
    serial: str | None
    ends: datetime | None
    attention: str | None


class Registered(NamedTuple):
    """A VASP that is in the book. `password` is None but for the answer to whoever registered it first."""

    entry: Entry
    password: str | None


class Directory:
    """Registers VASPs by ordering for them. Safe to share between threads."""

    def __init__(self, book: OrderBook, profile: str | None = None) -> None:
        self._book = book
        self._profile = profile

    def register(self, wanted: Registration) -> Registered:
        """Order a certificate, or return what the same registration came to before.

        The password is drawn here, and told only after the book has it: a crash in between leaves a VASP that
        registers again, and never one with a password that opens nothing. Raises what `OrderBook.place` raises.
        """
        drawn = generate_password() if wanted.csr is None else None
        order = self._book.place(wanted.identifier, self._order_for(wanted), password=drawn)
        is_first = drawn is not None and self._book.password(order.key) == drawn
        return Registered(self._entry(order), drawn if is_first else None)

    def withdraw(self, identifier: str) -> Entry:
        """Take a registration back; what is issued by then is revoked. Raises what `OrderBook.cancel` raises."""
        self.entry(identifier)
        return self._entry(self._book.cancel(identifier, "withdrawn by the VASP"))

    def entry(self, identifier: str) -> Entry:
        """Return one VASP. Raises OrderNotFoundError."""
        return self._entry(self._book.get(identifier))

    def entries(self, after: str | None = None) -> tuple[tuple[Entry, ...], str | None]:
        """Return a page of VASPs in the order of their registration, and what the next page comes after."""
        orders = self._book.find(after=after, limit=PAGE)
        shown = tuple(self._entry(order) for order in orders if order.renews is None)
        return shown, orders[-1].key if len(orders) == PAGE else None

    def _order_for(self, wanted: Registration) -> OrderRequest:
        return OrderRequest(
            names=wanted.names,
            profile=self._profile,
            csr=wanted.csr,
            renewal=RENEWAL,
            labels={"vasp": wanted.identifier, "name": wanted.name, "webhook": wanted.webhook},
        )

    def _entry(self, order: Order) -> Entry:
        if order.renews is not None:
            raise InvalidInputError(f"{order.key} is the renewal of another order, and no VASP")
        current = self._in_use(order)
        certificate = current.certificate if current.state is OrderState.DELIVERED else None
        return Entry(
            order.key,
            order.wanted.labels["name"],
            order.wanted.names,
            VERIFIED if certificate is not None and current.revoked_at is None else str(current.state),
            certificate.serial_number if certificate else None,
            certificate.not_after if certificate else None,
            current.attention,
        )

    def _in_use(self, order: Order) -> Order:
        """Return the last of its renewals that was delivered: a VASP stays verified while one is on its way."""
        while order.renewed_by is not None:
            newer = self._book.get(order.renewed_by)
            if newer.state is not OrderState.DELIVERED:
                break
            order = newer
        return order
