"""What a human decides about an order: withdraw it, have it tried again, say what became of it, label it anew."""

from __future__ import annotations

import dataclasses
import shlex
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from sectigo_iot.errors import InvalidInputError, clean
from sectigo_iot.orders.secrets import ARCHIVE, secret_name
from sectigo_iot.orders.states import FINISHED, FRUITLESS, OrderState
from sectigo_iot.orders.store.asking import checked
from sectigo_iot.orders.store.changing import moved, row_of_key, told, written
from sectigo_iot.orders.store.placing import insert_labels
from sectigo_iot.orders.store.rows import Row, order_of, wanted_text
from sectigo_iot.orders.store.schema import labels, orders

if TYPE_CHECKING:
    from collections.abc import Mapping

    from sqlalchemy import Connection

    from sectigo_iot.orders.order import Order
    from sectigo_iot.orders.protocols import SecretStore
    from sectigo_iot.orders.store.engine import Store

_S = OrderState
_NOTHING_LEFT: Row = {
    "batch_id": None,
    "ready_at": None,
    "certificate": None,
    "serial_number": None,
    "renew_at": None,
}
_CALM: Row = {"attention": None, "failures": 0}
_SEEN: Row = {"second_batch": None, **_CALM}


def _live_row(connection: Connection, key: str) -> Row:
    row = row_of_key(connection, key)
    if row["archived"]:
        raise InvalidInputError(f"the order {key!r} is in the archive: nothing is done with it any more")
    return row


def _broken(row: Row) -> Row:
    """Columns by which nobody's lease holds any more: what a human says comes before what a worker is about to."""
    return {"lease_number": row["lease_number"] + 1, "lease_until": None}


def cancel(store: Store, now: float, key: str, reason: str) -> Order:
    """Do what `OrderBook.cancel` says."""
    reason = clean(reason) or "no reason was given"
    with store.writing() as connection:
        return order_of(_cancelled(connection, _live_row(connection, key), now, reason))


def _cancelled(connection: Connection, row: Row, now: float, reason: str) -> Row:
    state = _S(row["state"])
    if state is _S.DELIVERED:
        raise InvalidInputError(
            f"the order {row['key']!r} is delivered, and cannot be withdrawn any more",
            hint="`sectigo revoke` revokes its certificate",
        )
    if state is _S.CANCELLED or (row["withdrawn"] and state not in FRUITLESS):
        return row
    if state is _S.PLANNED or state in FRUITLESS:
        return _called_off(connection, row, now, reason)
    row = written(connection, row, now, withdrawn=reason, next_at=now)
    return told(connection, row, now, "withdrawn", reason)


def _called_off(connection: Connection, row: Row, now: float, reason: str) -> Row:
    """Withdraw an order that was not sent, or has come to nothing; who is about to send it finds its lease gone."""
    failed = row["state"] in (_S.FAILED, _S.EXPIRED)
    if failed and row["batch_id"] is not None and not row["withdrawn"]:
        # A certificate may have been issued all the same: it is looked for, and revoked, first.
        said = f"withdrawn: {reason}; what its batch has issued is looked for"
        return moved(connection, row, now, _S.PLACED, said, withdrawn=reason, **_CALM, **_broken(row))
    said = f"{reason}; nobody knows whether it was accepted" if row["doubtful"] else reason
    return moved(connection, row, now, _S.CANCELLED, said, withdrawn=reason, **_CALM, **_broken(row))


def retry(store: Store, secrets: SecretStore, now: float, key: str, *, order_anew: bool) -> Order:
    """Do what `OrderBook.retry` says."""
    with store.writing() as connection:
        row = _live_row(connection, key)
        _check_retry(row, order_anew)
        if _S(row["state"]) in FRUITLESS:
            # While nobody can go on with it: what is fetched next is looked at as if it were the first.
            secrets.remove(secret_name(row["uid"], ARCHIVE, row["batch_id"] or 0))
            row = _tried_again(connection, row, now, order_anew)
        else:
            row = _looked_at_now(connection, row, now)
        return order_of(row)


def _looked_at_now(connection: Connection, row: Row, now: float) -> Row:
    state = _S(row["state"])
    if state in FINISHED and row["next_at"] is None:
        return written(connection, row, now, **_SEEN)
    seen = {"failures": 0} if state is _S.UNKNOWN else _SEEN
    return written(connection, row, now, next_at=now, **seen)


def _check_retry(row: Row, order_anew: bool) -> None:
    state, key = _S(row["state"]), row["key"]
    over = state is _S.CANCELLED or (state is _S.DELIVERED and row["next_at"] is None)
    if over and row["second_batch"] is None:
        raise InvalidInputError(f"the order {key!r} is {state}: nothing of it can be tried again")
    if order_anew and state not in FRUITLESS:
        raise InvalidInputError(
            f"the order {key!r} is {state}, and not ordered anew while it is",
            hint="one that is rejected, failed or expired can be ordered anew",
        )
    if state in FRUITLESS and row["doubtful"]:
        raise InvalidInputError(
            f"nobody knows whether the order {key!r} was accepted",
            hint=f"say so first: `sectigo orders resolve {shlex.quote(key)} --batch ID`, or --absent",
        )


def _tried_again(connection: Connection, row: Row, now: float, order_anew: bool) -> Row:
    if row["state"] != _S.REJECTED and row["batch_id"] is not None and not order_anew:
        reason = "it is tried again: the same batch"
        return moved(connection, row, now, _S.PLACED, reason, **_SEEN, **_broken(row))
    forgotten = f"; batch {row['batch_id']} is forgotten" if row["batch_id"] is not None else ""
    reason = f"it is ordered anew{forgotten}"
    return moved(connection, row, now, _S.PLANNED, reason, **_NOTHING_LEFT, **_SEEN, **_broken(row))


def resolve(
    store: Store, now: float, key: str, *, batch_id: int | None, absent: bool, give_up: bool, reason: str
) -> Order:
    """Do what `OrderBook.resolve` says."""
    if [batch_id is not None, absent, give_up].count(True) != 1:
        raise InvalidInputError(
            "one thing can have become of it: its batch, that there is none, or that it is given up"
        )
    if batch_id is not None and (isinstance(batch_id, bool) or batch_id < 0):
        raise InvalidInputError(f"{batch_id!r} is no batch id")
    with store.writing() as connection:
        row = _live_row(connection, key)
        _check_unknown(row)
        return order_of(_resolved(connection, row, now, batch_id, absent, clean(reason)))


def _check_unknown(row: Row) -> None:
    unknown = row["state"] == _S.UNKNOWN or (row["state"] == _S.FAILED and row["doubtful"])
    if not unknown and not _is_mistaken(row):
        hint = "its outcome is looked for as soon as nobody is at it" if row["state"] == _S.ORDERING else None
        raise InvalidInputError(f"the order {row['key']!r} is {row['state']}: there is nothing to resolve", hint=hint)


def _is_mistaken(row: Row) -> bool:
    """Whether somebody may have named the wrong batch: nothing has come of it, and that was told."""
    return row["state"] in (_S.PLACED, _S.ISSUING) and bool(row["attention"]) and row["certificate"] is None


def _resolved(connection: Connection, row: Row, now: float, batch_id: int | None, absent: bool, reason: str) -> Row:
    why = f": {reason}" if reason else ""
    free = {**_CALM, **_broken(row)}
    if batch_id is not None:
        _check_free(connection, row, batch_id)
        said = f"somebody says that it is batch {batch_id}{why}"
        if _is_mistaken(row):
            row = written(connection, row, now, batch_id=batch_id, next_at=now, **free)
            return told(connection, row, now, "evidence", said)
        return moved(connection, row, now, _S.PLACED, said, batch_id=batch_id, **free)
    if _is_mistaken(row):
        raise InvalidInputError(
            f"the order {row['key']!r} is that of batch {row['batch_id']}", hint="name the right one with --batch ID"
        )
    if absent:
        said = f"somebody says that it was not accepted{why}"
        return moved(connection, row, now, _S.PLANNED, said, **_NOTHING_LEFT, **free)
    if row["state"] == _S.FAILED:
        return row
    said = f"it was given up, and may have been accepted{why}"
    return moved(connection, row, now, _S.FAILED, said, attention=said, failures=0, **_broken(row))


def _check_free(connection: Connection, row: Row, batch_id: int) -> None:
    other = (orders.c.batch_id == batch_id) & (orders.c.id != row["id"])
    key = connection.execute(select(orders.c.key).where(other).limit(1)).scalar()
    if key is not None:
        raise InvalidInputError(f"batch {batch_id} is that of the order {key!r}")


def schedule_revocation(store: Store, now: float, key: str, at: float) -> Order:
    """Do what `OrderBook.schedule_revocation` says."""
    with store.writing() as connection:
        # One from the archive comes back: its certificate is still to be revoked.
        row = row_of_key(connection, key)
        if row["state"] != _S.DELIVERED:
            raise InvalidInputError(f"the order {key!r} is {row['state']}, and has nothing to revoke")
        if row["revoke_at"] is not None or row["revoked_at"] is not None:
            return order_of(row)
        next_at = at if row["next_at"] is None else min(at, row["next_at"])
        return order_of(written(connection, row, now, revoke_at=at, next_at=next_at, archived=False))


def relabel(store: Store, now: float, key: str, wished: Mapping[str, str]) -> Order:
    """Do what `OrderBook.relabel` says."""
    with store.writing() as connection:
        row = _live_row(connection, key)
        before = order_of(row).wanted
        wanted, faults = checked(key, dataclasses.replace(before, labels=wished), None, None)
        if wanted is None:
            raise InvalidInputError(faults[0], faults=tuple(faults))
        if wanted == before:
            return order_of(row)
        connection.execute(delete(labels).where(labels.c.order_id == row["id"]))
        insert_labels(connection, {row["id"]: wanted.labels})
        # Whoever delivers it at this moment goes by the labels as they were, and may not say that it is done.
        free = _broken(row) if row["state"] == _S.FETCHED else {}
        row = written(connection, row, now, wanted=wanted_text(wanted), **free)
        return order_of(told(connection, row, now, "labels", _relabelled(before.labels, wanted.labels)))


def _relabelled(before: Mapping[str, str], after: Mapping[str, str]) -> str:
    changed = [name for name in {**before, **after} if before.get(name) != after.get(name)]
    told_of = [f"{name} is {after[name]!r} now" if name in after else f"{name} is gone" for name in changed]
    return f"its labels were changed: {', '.join(told_of)}"
