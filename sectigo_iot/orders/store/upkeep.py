"""Keeping the book: a copy while it is written, and orders that are over out of the way."""

from __future__ import annotations

import contextlib
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import and_, false, select, true, update

from sectigo_iot.errors import OrderBookError
from sectigo_iot.files import private_file, private_folder
from sectigo_iot.orders.secrets import KINDS, secret_name
from sectigo_iot.orders.states import FINISHED
from sectigo_iot.orders.store.engine import PATIENCE
from sectigo_iot.orders.store.faults import told
from sectigo_iot.orders.store.schema import orders

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sectigo_iot.orders.protocols import SecretStore
    from sectigo_iot.orders.store.engine import Store

# Nobody's lease holds any more.
_AWAY = {"archived": True, "lease_number": orders.c.lease_number + 1}
_PIECE = 200
"""How many orders are archived at once."""


def backup(store: Store, target: Path) -> Path:
    """Do what `OrderBook.backup` says."""
    if store.path is None:
        raise OrderBookError(
            "a book in PostgreSQL is backed up by PostgreSQL's own means",
            hint="pg_dump -t 'sectigo_order*' DATABASE",
        )
    with (
        told(store.name),
        private_file(target) as file,
        _copied(store.path, target.parent) as copy,
        copy.open("rb") as source,
    ):
        shutil.copyfileobj(source, file, 1 << 20)
    return target


@contextlib.contextmanager
def _copied(book: Path, folder: Path) -> Iterator[Path]:
    """Yield a copy of the book as it is at one moment, in a folder of its own that vanishes."""
    private_folder(folder)
    with tempfile.TemporaryDirectory(prefix=".backup-", dir=folder, ignore_cleanup_errors=True) as own:
        copy = Path(own, "copy")
        with (
            contextlib.closing(sqlite3.connect(book, timeout=PATIENCE)) as source,
            contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as target,
        ):
            # In one step: nobody waits for it, since there is a log, and what is written meanwhile is not in it.
            source.backup(target)
            # One file that says all, to be opened anywhere.
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
        yield copy


def archive(store: Store, secrets: SecretStore, before: float) -> int:
    """Do what `OrderBook.archive` says."""
    number = 0
    while found := _put_away(store, before):
        number += found
        _forget_secrets(store, secrets)
    # What a process that was killed here has left.
    _forget_secrets(store, secrets)
    return number


def _put_away(store: Store, before: float) -> int:
    """Archive some of the orders that are over. From then on nothing is done with them any more."""
    over = and_(
        orders.c.archived == false(),
        orders.c.state.in_(sorted(FINISHED)),
        orders.c.next_at.is_(None),
        # What waits for a human waits on, with what opens it.
        orders.c.attention.is_(None),
        orders.c.changed_at < before,
        store.lease_is_over(),
    )
    some = select(orders.c.id).where(over).order_by(orders.c.changed_at).limit(_PIECE).with_for_update()
    with store.writing() as connection:
        numbers = connection.execute(some, store.lease_clock()).scalars().all()
        connection.execute(update(orders).where(orders.c.id.in_(numbers)).values(_AWAY))
    return len(numbers)


def _forget_secrets(store: Store, secrets: SecretStore) -> None:
    """Remove the secrets of archived orders, and only then note that there are none."""
    theirs = and_(orders.c.archived == true(), orders.c.secrets_kept == true())
    while True:
        with store.reading() as connection:
            found = connection.execute(select(orders.c.id, orders.c.uid).where(theirs).limit(_PIECE)).all()
        if not found:
            return
        for _, uid in found:
            for kind in KINDS:
                secrets.remove(secret_name(uid, kind))
        done = orders.c.id.in_([number for number, _ in found])
        with store.writing() as connection:
            connection.execute(update(orders).where(done).values(secrets_kept=false()))
