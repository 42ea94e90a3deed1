"""Placing orders: checked, their secrets kept first, each key once."""

from __future__ import annotations

import contextlib
import secrets as randomness
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from sectigo_iot.errors import InvalidInputError, OrderBookError, OrderConflictError, SectigoError, clean
from sectigo_iot.orders.order import Order, OrderRequest, Renewal
from sectigo_iot.orders.secrets import KEY, PASSWORD, secret_name
from sectigo_iot.orders.states import OrderState
from sectigo_iot.orders.store.asking import checked
from sectigo_iot.orders.store.faults import CommitUnknownError
from sectigo_iot.orders.store.rows import order_of, turn_of, wanted_text
from sectigo_iot.orders.store.schema import events, labels, orders

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from sqlalchemy import Connection

    from sectigo_iot.orders.protocols import SecretStore
    from sectigo_iot.orders.store.engine import Store
    from sectigo_iot.orders.store.rows import Row

_PIECE = 500
"""How many keys are asked for at once."""
_MAPPINGS = {"params": "the parameter", "labels": "the label"}
"""What of a request is told with each of its names, and as what."""
_RACES = 20
"""How often others may place one of the same keys in between, before that is taken to be no accident."""


class Placement(NamedTuple):
    """An order to be placed: the caller's key, what is wanted, and the secrets that belong to it."""

    key: str
    wanted: OrderRequest
    password: str | None = None
    private_key: bytes | None = None

    def __repr__(self) -> str:
        return f"Placement(key={self.key!r}, wanted={self.wanted!r})"


def place(store: Store, secrets: SecretStore, now: float, placements: Iterable[Placement]) -> tuple[Order, ...]:
    """Do what `OrderBook.place_all` says."""
    asked = _checked(placements)
    keys = [each.key for each in asked]
    for _ in range(_RACES):
        with store.reading() as connection:
            there = orders_of(connection, keys)
        missing = _missing(asked, there)
        _check_secrets(secrets, asked, there)
        if not missing:
            return tuple(there[key] for key in keys)
        with contextlib.suppress(IntegrityError):
            _add(store, secrets, now, missing)
    raise OrderBookError("others place the same orders all the time", passes=True, hint="try again")


def _checked(placements: Iterable[Placement]) -> list[Placement]:
    """Return the placements as they are kept, each key once. Raises with every fault of all of them."""
    found: list[Placement] = []
    faults: list[str] = []
    for each in placements:
        wanted, wrong = checked(each.key, each.wanted, each.password, each.private_key)
        faults += wrong
        if wanted is not None:
            found.append(each._replace(wanted=wanted))
    if faults:
        message = faults[0] if len(faults) == 1 else f"{faults[0]}, and {len(faults) - 1} faults more"
        raise InvalidInputError(message, faults=tuple(faults))
    return found


def _missing(asked: Iterable[Placement], there: Mapping[str, Order]) -> list[Placement]:
    """Return those that are not in the book yet. Raises OrderConflictError where a key stands for something else."""
    wanted: dict[str, OrderRequest] = {}
    missing: list[Placement] = []
    conflicts: list[tuple[str, tuple[str, ...]]] = []
    for each in asked:
        before = there[each.key].wanted if each.key in there else wanted.get(each.key)
        if before is None:
            missing.append(each)
            wanted[each.key] = each.wanted
        elif before != each.wanted:
            conflicts.append((each.key, _differences(before, each.wanted)))
    if conflicts:
        raise _conflict(conflicts)
    return missing


def _check_secrets(secrets: SecretStore, asked: Iterable[Placement], there: Mapping[str, Order]) -> None:
    """Raise OrderConflictError where an order that is there has another password or key than is given now.

    One that was given before and is gone is kept again: whoever gives it is asked for it by the order's attention.
    """
    conflicts: list[tuple[str, tuple[str, ...]]] = []
    for each in asked:
        order = there.get(each.key)
        given = _secrets_in(each) if order is not None else []
        found = [_difference(secrets, order, kind, value) for kind, value in given if order]
        if different := tuple(each for each in found if each):
            conflicts.append((each.key, different))
    if conflicts:
        raise _conflict(conflicts)


def _secrets_in(placement: Placement) -> list[tuple[str, bytes]]:
    password = None if placement.password is None else placement.password.encode()
    given = [(PASSWORD, password), (KEY, placement.private_key)]
    return [(kind, value) for kind, value in given if value is not None]


def _difference(secrets: SecretStore, order: Order, kind: str, value: bytes) -> str | None:
    name = secret_name(order.uid, kind, order.password_number if kind == PASSWORD else 0)
    kept = secrets.get(name)
    given = {PASSWORD: order.password_given, KEY: order.key_given}[kind]
    over = order.finished and order.attention is None
    if kept == value or (kept is None and over):
        return None
    if kept is None and given:
        secrets.put(name, value)
        return None
    return f"{kind}: it was placed without one" if kept is None else f"{kind}: another one is kept"


def _differences(before: OrderRequest, after: OrderRequest) -> tuple[str, ...]:
    pairs = [pair for name in OrderRequest.__slots__ for pair in _pairs(name, before, after)]
    return tuple(
        f"{name}: {_told(name, then)} in the book, {_told(name, now)} now" for name, then, now in pairs if then != now
    )


def _pairs(name: str, before: OrderRequest, after: OrderRequest) -> list[tuple[str, object, object]]:
    """Return what is compared, with what it is called: of labels and parameters each by itself."""
    then, now = getattr(before, name), getattr(after, name)
    if name not in _MAPPINGS:
        return [(name, then, now)]
    return [(f"{_MAPPINGS[name]} {clean(each)}", then.get(each), now.get(each)) for each in {**then, **now}]


def _told(name: str, value: object) -> str:
    if value is None:
        return "none"
    if isinstance(value, Renewal):
        later = "" if value.revoke_after is None else f" and revoked after {value.revoke_after:g}"
        return f"{value.before:g}{later}"
    if name == "csr":
        return "one signing request"
    if isinstance(value, tuple):
        return clean(" ".join(value))
    return clean(str(value))


def _conflict(conflicts: list[tuple[str, tuple[str, ...]]]) -> OrderConflictError:
    key, differences = conflicts[0]
    more = f", and {len(conflicts) - 1} keys more" if len(conflicts) > 1 else ""
    faults = tuple(f"{each}: {difference}" for each, found in conflicts for difference in found)
    labelled = all(difference.startswith(_MAPPINGS["labels"]) for _, found in conflicts for difference in found)
    hint = "the same key is the same order; for another one choose another key"
    return OrderConflictError(
        f"the key {key!r} is that of an order for something else ({'; '.join(differences)}){more}",
        key=key,
        faults=faults,
        hint="`OrderBook.relabel` gives the order other labels" if labelled else hint,
    )


def orders_of(connection: Connection, keys: list[str]) -> dict[str, Order]:
    """Return the orders of these keys, as far as there are any."""
    found: dict[str, Order] = {}
    for first in range(0, len(keys), _PIECE):
        some = orders.c.key.in_(keys[first : first + _PIECE])
        rows = connection.execute(select(orders).where(some)).mappings()
        found.update((row["key"], order_of(dict(row))) for row in rows)
    return found


def _add(store: Store, secrets: SecretStore, now: float, placements: list[Placement]) -> None:
    """Keep the secrets, then write the rows. Where no row was written, no secret stays."""
    kept: list[str] = []
    try:
        rows = [_kept(secrets, now, each, kept) for each in placements]
        with store.writing() as connection:
            insert_rows(connection, rows, now)
    except CommitUnknownError:
        # The rows may stand after all, and somebody may hold the passwords already.
        raise
    except Exception:
        # Not at an interrupt, which may come when the row is there already: rather one secret too many.
        for name in kept:
            with contextlib.suppress(SectigoError):
                secrets.remove(name)
        raise


def _kept(secrets: SecretStore, now: float, placement: Placement, kept: list[str]) -> Row:
    row = new_row(placement.key, placement.wanted, now)
    given = {PASSWORD: placement.password, KEY: placement.private_key}
    for kind, value in given.items():
        if value is not None:
            name = secret_name(row["uid"], kind)
            # Before it is put: what is put half is removed, too.
            kept.append(name)
            secrets.put(name, value.encode() if isinstance(value, str) else value)
            row[f"{kind}_given"] = True
    return row


def new_row(key: str, wanted: OrderRequest, now: float, **values: object) -> Row:
    """Return the row of a new order."""
    row: Row = dict.fromkeys(column.name for column in orders.c if column.name != "id")
    row |= dict.fromkeys(("failures", "attempt", "password_number", "lease_number", "events"), 0)
    row |= dict.fromkeys(("password_given", "key_given", "doubtful", "archived"), False)
    row["secrets_kept"] = True
    row |= {"uid": randomness.token_hex(8), "key": key, "wanted": wanted_text(wanted)}
    row |= {"common_name": wanted.common_name, "searched": " ".join((key, *wanted.names)).lower()}
    row |= {"state": OrderState.PLANNED.value, "reason": "it was placed", "version": 1, "events": 1}
    row |= {"created_at": now, "changed_at": now, "next_at": now, **values}
    row["urgency"], row["turn"] = turn_of(row)
    return row


def insert_rows(connection: Connection, rows: list[Row], now: float) -> None:
    """Write the rows of new orders, the first event of each, and their labels."""
    placed = connection.execute(insert(orders).returning(orders.c.id, orders.c.uid), rows).all()
    numbers = {uid: number for number, uid in placed}
    happened = {"number": 1, "at": now, "kind": "state", "old": None, "worker": "", "batch_id": None}
    connection.execute(
        insert(events),
        [{**happened, "order_id": numbers[row["uid"]], "new": row["state"], "reason": row["reason"]} for row in rows],
    )
    insert_labels(connection, {numbers[row["uid"]]: labels_in(row) for row in rows})


def insert_labels(connection: Connection, wished: Mapping[int, Mapping[str, str]]) -> None:
    """Write the labels of orders, by the number of each order's row."""
    found = [
        {"order_id": number, "name": name, "value": value}
        for number, these in wished.items()
        for name, value in these.items()
    ]
    if found:
        connection.execute(insert(labels), found)


def labels_in(row: Row) -> dict[str, str]:
    """Return the labels of the order of a row."""
    import json

    found: dict[str, str] = json.loads(row["wanted"]).get("labels", {})
    return found
