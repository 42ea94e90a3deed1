"""The database: connections, transactions, the clock of leases. Nothing else here knows which one it is."""

from __future__ import annotations

import contextlib
import os
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Double,
    and_,
    bindparam,
    cast,
    create_engine,
    event,
    func,
    literal,
    not_,
    or_,
    select,
)
from sqlalchemy.exc import DBAPIError, IntegrityError

from sectigo_iot.orders.lease import boot_time
from sectigo_iot.orders.store.faults import book_error, told
from sectigo_iot.orders.store.places import make_private, shown
from sectigo_iot.orders.store.schema import orders
from sectigo_iot.orders.store.sharing import SharedWrites

if TYPE_CHECKING:
    from collections.abc import Iterator

    from sqlalchemy import URL, Engine

PATIENCE = 30.0
"""Seconds that another process may keep the book busy; after that the call fails, and may be made again."""
_READERS = 56
_CLIENTS = 8
"""Connections of a process beside the eight that stay open: a server has not many, and each is needed for moments."""
_BOOT_ID = Path("/proc/sys/kernel/random/boot_id")
"""Linux alone has it (https://man7.org/linux/man-pages/man5/proc_sys_kernel.5.html)."""


class Store:
    """Connections to one book, to be shared between threads."""

    def __init__(self, url: URL, *, own_folder: bool) -> None:
        self.name = shown(url)
        self.is_file = url.drivername == "sqlite"
        self.path = Path(url.database or "") if self.is_file else None
        if self.path is not None:
            with told(self.name):
                make_private(self.path, own_folder=own_folder)
        self._engine = _file_engine(url) if self.is_file else _server_engine(url)
        self.boot = _boot_id() if self.is_file else ""
        # SQLite has who waits for a write try again after ever longer pauses: taking turns is fairer and quicker.
        self._shared = SharedWrites(self._engine, self._uncommitted) if self.is_file else None
        _STORES.add(self)

    def close(self) -> None:
        """Close every connection."""
        self._engine.dispose()

    @contextlib.contextmanager
    def reading(self) -> Iterator[Connection]:
        """Yield a connection that reads. Raises OrderBookError."""
        with told(self.name), self._engine.connect() as connection:
            yield connection

    @contextlib.contextmanager
    def writing(self, *, durable: bool = True) -> Iterator[Connection]:
        """Yield a connection in a transaction that takes effect as a whole when the block ends well.

        `durable`: it survives a power cut; without, what was written last may be forgotten then, and nothing else.
        Raises OrderBookError, which is a CommitUnknownError where nobody knows whether it took effect.
        """
        with told(self.name):
            if self._shared is not None:
                with self._shared.writing(durable=durable) as connection:
                    yield connection
                return
            with self._engine.connect() as connection:
                transaction = connection.begin()
                try:
                    yield connection
                except BaseException:
                    _rolled_back(transaction)
                    raise
                self._commit(transaction)

    def _commit(self, transaction: Any) -> None:
        try:
            transaction.commit()
        except IntegrityError:
            raise
        except DBAPIError as error:
            _rolled_back(transaction)
            raise self._uncommitted(error) from None

    def _uncommitted(self, error: Exception) -> Exception:
        known = isinstance(error, DBAPIError) and not isinstance(error, IntegrityError)
        return book_error(self.name, error, committing=True) if known else error

    def clock(self, connection: Connection) -> float:
        """Return what the clock of leases says: this machine's since its start, or the server's."""
        return boot_time() if self.is_file else float(connection.execute(select(_server_clock())).scalar_one())

    def exclude(self, connection: Connection, number: int) -> None:
        """Have every other transaction that asks for this number wait until this one is over."""
        if not self.is_file:
            connection.execute(func.pg_advisory_xact_lock(0x53494F54, number % 2**31).select())

    def lease_is_over(self) -> ColumnElement[bool]:
        """Whether nobody has a lease on the order of a row; takes the parameters of `lease_clock`."""
        return _FREE_BY_MACHINE if self.is_file else _FREE_BY_SERVER

    def lease_clock(self) -> dict[str, Any]:
        """Return the parameters by which a lease is compared with now."""
        return {"this_boot": self.boot, "boot_time": boot_time()} if self.is_file else {}

    def lease_values(self, seconds: float) -> dict[str, Any]:
        """Return the columns of a lease that begins now: by the clock of this machine's start, or by the server's."""
        now: Any = literal(boot_time()) if self.is_file else _server_clock()
        return {"lease_from": now, "lease_until": now + seconds, "lease_boot": self.boot}


_STORES: weakref.WeakSet[Store] = weakref.WeakSet()
_INHERITED: list[object] = []


def _after_fork() -> None:
    # A child shares no connection, and no lock that a thread held which it does not have. Nothing is closed: that is
    # the parent's (https://www.sqlite.org/howtocorrupt.html, section 2.6).
    for store in list(_STORES):
        _INHERITED.extend((store._engine.pool, store._shared))
        store._engine.dispose(close=False)
        if store._shared is not None:
            store._shared = SharedWrites(store._engine, store._uncommitted)


os.register_at_fork(after_in_child=_after_fork)


def _rolled_back(transaction: Any) -> None:
    with contextlib.suppress(Exception):
        transaction.rollback()


def _server_clock() -> ColumnElement[float]:
    return cast(func.extract("epoch", func.clock_timestamp()), Double)


_MACHINE_CLOCK = bindparam("boot_time", type_=Double)
_VALID_HERE = and_(
    # Who cannot read the boot id (systemd's ProcSubset=pid) still shares the clock with who can.
    or_(orders.c.lease_boot == bindparam("this_boot"), orders.c.lease_boot == "", bindparam("this_boot") == ""),
    orders.c.lease_from <= _MACHINE_CLOCK,
    orders.c.lease_until > _MACHINE_CLOCK,
)
_FREE_BY_MACHINE = or_(orders.c.lease_until.is_(None), not_(func.coalesce(_VALID_HERE, False)))
_FREE_BY_SERVER = or_(orders.c.lease_until.is_(None), orders.c.lease_until <= _server_clock())


def _boot_id() -> str:
    with contextlib.suppress(OSError):
        return _BOOT_ID.read_text().strip()
    return ""


def _file_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=8,
        max_overflow=_READERS,
        pool_timeout=PATIENCE,
        connect_args={"timeout": PATIENCE, "check_same_thread": False},
    )
    event.listen(engine, "connect", _on_file_opened)
    event.listen(engine, "begin", _on_file_begun)
    return engine


def _on_file_opened(connection: Any, _record: object) -> None:
    # Transactions are begun below; the module would begin them late, and never for reading.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    # The system keeps what was read of the file, too: each connection of many threads need not.
    connection.execute("PRAGMA cache_size = -256")


def _on_file_begun(connection: Connection) -> None:
    synchronous = connection.get_execution_options().get("book_writes")
    if synchronous is None:
        connection.exec_driver_sql("BEGIN")
        return
    # FULL syncs the log at each commit, NORMAL does not (https://www.sqlite.org/pragma.html#pragma_synchronous).
    if connection.info.get("synchronous") != synchronous:
        connection.exec_driver_sql(f"PRAGMA synchronous = {synchronous}")
        connection.info["synchronous"] = synchronous
    connection.exec_driver_sql("BEGIN IMMEDIATE")


def _server_engine(url: URL) -> Engine:
    engine = create_engine(
        url,
        hide_parameters=True,
        pool_size=8,
        max_overflow=_CLIENTS,
        pool_timeout=PATIENCE,
        pool_pre_ping=True,
        isolation_level="READ COMMITTED",
        connect_args={
            "connect_timeout": 10,
            "application_name": f"sectigo-iot {os.getpid()}",
            # A server that vanished without a word is noticed (https://www.postgresql.org/docs/current/libpq-connect.html).
            "keepalives_idle": 15,
            "keepalives_interval": 5,
            "tcp_user_timeout": int(PATIENCE * 1000),
        },
    )
    event.listen(engine, "connect", _on_server_connected)
    return engine


def _on_server_connected(connection: Any, _record: object) -> None:
    limit = int(PATIENCE * 1000)
    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = {limit}")
        cursor.execute(f"SET idle_in_transaction_session_timeout = {limit}")
        # What is written stays written: whatever the server's settings are, a commit waits for its disk.
        cursor.execute("SET synchronous_commit = on")
    connection.commit()
