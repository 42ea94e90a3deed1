"""Planning the order that renews another: once, with the names of the certificate that it replaces."""

from __future__ import annotations

import contextlib
import dataclasses
import re
import secrets as randomness
import shlex
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import select

from sectigo_iot.errors import InvalidInputError, SectigoError
from sectigo_iot.orders.secrets import KEY, secret_name
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.store.asking import LONGEST_KEY, checked
from sectigo_iot.orders.store.changing import row_of_key, row_of_lease, told, written
from sectigo_iot.orders.store.faults import CommitUnknownError
from sectigo_iot.orders.store.placing import insert_rows, new_row
from sectigo_iot.orders.store.rows import order_of
from sectigo_iot.orders.store.schema import orders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection

    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.order import Order, OrderRequest
    from sectigo_iot.orders.protocols import SecretStore
    from sectigo_iot.orders.store.engine import Store
    from sectigo_iot.orders.store.rows import Row

_NUMBERED = re.compile(r"(?P<root>.+)~(?P<number>[1-9][0-9]{0,8})")


class NewRequest(NamedTuple):
    """A new signing request for a renewal, and its key where that is to be kept here; both PEM."""

    csr: bytes
    private_key: bytes | None


def plan(store: Store, secrets: SecretStore, now: float, lease: Lease, request: NewRequest | None) -> Order:
    """Do what `OrderBook.plan_renewal` says."""
    row, new = _planned(store, secrets, now, request, lambda connection: row_of_lease(connection, lease))
    lease.order = order_of(row)
    return new


def renew(store: Store, secrets: SecretStore, now: float, order: Order, request: NewRequest | None) -> Order:
    """Do what `OrderBook.renew` says."""
    given = request and request.csr
    if request is None and order.wanted.csr is not None and order.renewed_by is None:
        request = _made_here(secrets, order, order.wanted.csr)
    new = _planned(store, secrets, now, request, lambda connection: row_of_key(connection, order.key))[1]
    if given is not None and new.wanted.csr != given:
        hint = "nothing was changed; cancel that one first, if it is to be this request"
        raise InvalidInputError(f"the order {new.key!r} renews it already, for another request", hint=hint)
    return new


def _made_here(secrets: SecretStore, order: Order, csr: bytes) -> NewRequest:
    from sectigo_iot.orders.replacements import renewed_names, renewed_request

    if secrets.get(secret_name(order.uid, KEY)) is None:
        raise InvalidInputError(
            f"the renewal of the order {order.key!r} needs a new signing request: its key is not kept here",
            hint=f"renew it with a new one, for the same names: "
            f"`sectigo orders renew {shlex.quote(order.key)} --csr FILE`",
        )
    return NewRequest(*renewed_request(csr, renewed_names(order)))


def _planned(
    store: Store, secrets: SecretStore, now: float, request: NewRequest | None, find: Callable[[Connection], Row]
) -> tuple[Row, Order]:
    """Return the row of what is renewed, and the order that renews it, which may have been there."""
    uid = randomness.token_hex(8)
    with _key_kept(secrets, uid, request) as used, store.writing() as connection:
        old = find(connection)
        new = _there(connection, old)
        if new is None:
            new = _new(connection, old, now, request, uid)
            insert_rows(connection, [new], now)
            old = written(connection, old, now, renewed_by=new["key"], attention=None)
            old = told(connection, old, now, "renewal", f"the order {new['key']!r} renews it")
            used.append(uid)
    return old, order_of(new)


@contextlib.contextmanager
def _key_kept(secrets: SecretStore, uid: str, request: NewRequest | None) -> Iterator[list[str]]:
    """Keep the key of a new request before the block, and forget it where no order took its uid."""
    name, used = secret_name(uid, KEY), list[str]()
    if request is None or request.private_key is None:
        yield used
        return
    secrets.put(name, request.private_key)
    try:
        yield used
    except CommitUnknownError:
        raise
    except Exception:
        used.clear()
        with contextlib.suppress(SectigoError):
            secrets.remove(name)
        raise
    if not used:
        with contextlib.suppress(SectigoError):
            secrets.remove(name)


def _there(connection: Connection, old: Row) -> Row | None:
    """Return the row of the order that renews this one already; one that was cancelled renews nothing."""
    if old["renewed_by"] is None:
        return None
    row = row_of_key(connection, old["renewed_by"])
    return None if row["state"] == OrderState.CANCELLED else row


def _new(connection: Connection, old: Row, now: float, request: NewRequest | None, uid: str) -> Row:
    order = order_of(old)
    if order.state is not OrderState.DELIVERED or old["archived"]:
        raise InvalidInputError(f"the order {order.key!r} is {order.state}: only what is delivered is renewed")
    key_given = request is not None and request.private_key is not None
    key, wanted = _free_key(connection, order), _wanted(order, request)
    _check(order.key, wanted, request)
    return new_row(key, wanted, now, uid=uid, renews=order.key, key_given=key_given)


def _check(key: str, wanted: OrderRequest, request: NewRequest | None) -> None:
    """Raise InvalidInputError for a new request that is none, or for other names, or of another key than is given.

    `key`: of the order that it renews. With numbers of renewals behind it, it may be longer than one that is given.
    """
    who = key[:LONGEST_KEY].strip()
    faults = [] if request is None else checked(who, wanted, None, request.private_key)[1]
    if faults:
        message = faults[0] if len(faults) == 1 else f"{faults[0]}, and {len(faults) - 1} faults more"
        raise InvalidInputError(message, faults=tuple(faults))


def _wanted(order: Order, request: NewRequest | None) -> OrderRequest:
    """Return what the renewal is for: the names of the certificate, which may be more than were asked for."""
    if request is None and order.wanted.csr is not None:
        raise InvalidInputError(f"the renewal of the order {order.key!r} needs a new signing request")
    first = order.wanted.common_name
    held = order.wanted.names if order.certificate is None else order.certificate.dns_names
    names = (first, *(name for name in held if name.casefold() != first.casefold()))
    return dataclasses.replace(order.wanted, names=names, csr=request and request.csr)


def _free_key(connection: Connection, order: Order) -> str:
    """Return the key with the next number that no order has: `key~1`, `key~2`, …."""
    numbered = _NUMBERED.fullmatch(order.key) if order.renews is not None else None
    root, number = (numbered["root"], int(numbered["number"])) if numbered else (order.key, 0)
    while True:
        number += 1
        key = f"{root}~{number}"
        if connection.execute(select(orders.c.id).where(orders.c.key == key)).scalar() is None:
            return key
