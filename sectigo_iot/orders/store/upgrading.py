"""The tables of a book, made, and brought to the version that this program works with."""

from __future__ import annotations

import contextlib
import sqlite3
import time
from typing import TYPE_CHECKING

from sqlalchemy import column, inspect, select, table

from sectigo_iot.errors import OrderBookError
from sectigo_iot.orders.store.engine import PATIENCE
from sectigo_iot.orders.store.faults import told
from sectigo_iot.orders.store.schema import VERSION, VERSION_TABLE, metadata

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Connection

    from sectigo_iot.orders.store.engine import Store

_LOCK = 1
"""The number by which servers' transactions exclude each other here; authorities have theirs from 2 on."""


def bring_up_to_date(store: Store) -> None:
    """Make the tables where there are none, and change those of an older version, once, whoever comes first.

    Raises OrderBookError where the book is of a newer version, is none, or cannot be opened.
    """
    with store.reading() as connection:
        if _version(connection, store.name) == VERSION:
            return
    if store.path is not None:
        with told(store.name):
            _keep_a_log(store.path)
    with store.writing() as connection:
        store.exclude(connection, _LOCK)
        if _version(connection, store.name) != VERSION:
            _upgrade(connection, store.name)


def _version(connection: Connection, name: str) -> str | None:
    """Return the version that the tables are of, None where there are none."""
    there = set(inspect(connection).get_table_names())
    if VERSION_TABLE not in there:
        if there & set(metadata.tables) or (there and connection.dialect.name == "sqlite"):
            hint = "name another file: this one is left as it is"
            raise OrderBookError(f"the order book {name}: its tables are those of something else", hint=hint)
        return None
    found = connection.execute(select(column("version_num")).select_from(table(VERSION_TABLE))).scalar()
    if found is not None and (len(found) != len(VERSION) or found > VERSION):
        raise OrderBookError(
            f"the order book {name} is of version {found}, and this program knows versions up to {VERSION}",
            hint="use the newer version of sectigo-iot that it was made with",
        )
    return None if found is None else str(found)


def _keep_a_log(path: Path) -> None:
    """Have SQLite write ahead into a log, which stays so (https://www.sqlite.org/wal.html)."""
    deadline = time.monotonic() + PATIENCE
    with contextlib.closing(sqlite3.connect(path, timeout=PATIENCE)) as connection:
        while True:
            try:
                connection.execute("PRAGMA journal_mode = WAL").fetchone()
                return
            except sqlite3.OperationalError as error:
                # Who comes second is refused at once, however long they would wait.
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)


def _upgrade(connection: Connection, name: str) -> None:
    # It takes a tenth of a second to load, and most books are up to date.
    from alembic import command
    from alembic.util import CommandError

    from sectigo_iot.orders.store.migrations import configuration

    try:
        command.upgrade(configuration(connection), "head")
    except CommandError:
        hint = "put a backup in its place, or name another book"
        raise OrderBookError(f"the order book {name} is of a version that never was", hint=hint) from None
