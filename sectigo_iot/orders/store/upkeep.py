"""Keeping the book: a copy while it is written, and orders that are over out of the way."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import sqlite3
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import and_, false, select, true, update

from sectigo_iot.errors import OrderBookError
from sectigo_iot.files import private_file
from sectigo_iot.orders.secrets import ARCHIVE, KEY, PASSWORD, secret_name
from sectigo_iot.orders.states import FINISHED
from sectigo_iot.orders.store.engine import PATIENCE
from sectigo_iot.orders.store.faults import told
from sectigo_iot.orders.store.schema import orders

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sectigo_iot.orders.protocols import SecretStore
    from sectigo_iot.orders.store.engine import Store

# Nobody's lease holds any more.
_AWAY = {"archived": True, "lease_number": orders.c.lease_number + 1}
_PIECE = 200
"""How many orders are archived at once."""
_NAMED = (orders.c.uid, orders.c.attempt, orders.c.password_number, orders.c.lease_number, orders.c.batch_id)
_LEAVING = (
    select(orders.c.id, *_NAMED).where(orders.c.archived == true(), orders.c.secrets_kept == true()).limit(_PIECE)
)


def backup(store: Store, target: Path) -> Path:
    """Do what `OrderBook.backup` says."""
    if store.path is None:
        raise OrderBookError(
            "a book in PostgreSQL is backed up by PostgreSQL's own means",
            hint="pg_dump -t 'sectigo_order*' DATABASE",
        )
    try:
        with (
            private_file(target) as file,
            _copied(store.name, store.path, target.parent) as copy,
            copy.open("rb") as source,
        ):
            shutil.copyfileobj(source, file, 1 << 20)
    except (OSError, sqlite3.Error) as error:
        why = error.strerror if isinstance(error, OSError) else error
        hint = "make room there, or name a file in another folder; nothing of it was left"
        raise OrderBookError(f"the backup {target}: {why}", passes=True, hint=hint) from None
    return target


@contextlib.contextmanager
def _copied(name: str, book: Path, folder: Path) -> Iterator[Path]:
    """Yield a copy of the book as it is at one moment, in a folder of its own that vanishes."""
    with (
        tempfile.TemporaryDirectory(prefix=".backup-", dir=folder, ignore_cleanup_errors=True) as own,
        contextlib.closing(sqlite3.connect(book, timeout=PATIENCE)) as source,
    ):
        with told(name):
            # What is wrong with the book itself comes out here, and what comes later is about the copy.
            source.execute("SELECT count(*) FROM sqlite_master").fetchone()
        copy = Path(own, "copy")
        with contextlib.closing(sqlite3.connect(copy, isolation_level=None)) as target:
            # In one step: nobody waits for it, since there is a log, and what is written meanwhile is not in it.
            source.backup(target)
            # One file that says all, to be opened anywhere.
            target.execute("PRAGMA journal_mode = DELETE").fetchone()
        yield copy


def archive(store: Store, secrets: SecretStore, before: float, stopping: Callable[[], bool]) -> int:
    """Do what `OrderBook.archive` says."""
    number = 0
    while not stopping() and (found := _put_away(store, before)):
        number += found
        _forget_secrets(store, secrets, stopping)
    # What a process that was killed or stopped here has left.
    _forget_secrets(store, secrets, stopping)
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


def _forget_secrets(store: Store, secrets: SecretStore, stopping: Callable[[], bool]) -> None:
    """Remove the secrets of archived orders, and only then note that there are none."""
    found = True
    while found and not stopping():
        with store.reading() as connection:
            rows = connection.execute(_LEAVING).all()
        found = bool(rows)
        done = [row.id for row in itertools.takewhile(lambda _: not stopping(), rows) if _forgotten(secrets, row)]
        with store.writing() as connection:
            connection.execute(update(orders).where(orders.c.id.in_(done)).values(secrets_kept=false()))


def _forgotten(secrets: SecretStore, row: Any) -> bool:
    """Remove the secrets of an order. Raises what the store does where one stays."""
    for name in _names(row):
        secrets.remove(name)
    return True


def _names(row: Any) -> Iterator[str]:
    """Yield the names of all secrets that an order can have had."""
    newest = row.password_number if row.attempt else row.lease_number
    yield secret_name(row.uid, KEY)
    # Also those of workers that were killed before they had written down which they send.
    yield from (secret_name(row.uid, PASSWORD, number) for number in range(newest + 1))
    if row.batch_id is not None:
        yield secret_name(row.uid, ARCHIVE, row.batch_id)
