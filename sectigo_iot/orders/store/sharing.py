"""Writes of several threads to one file, made in one transaction where they come at the same time.

SQLite lets one write at a time, and a sync of the disk for each is what many threads would wait for. Who finds others
waiting leaves its transaction open to the next, and comes back when the last of them has committed: nobody goes on
before what it wrote is on the disk (the group commit of databases; PostgreSQL does that by itself).
"""

from __future__ import annotations

import contextlib
import threading
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError

from sectigo_iot.orders.store.faults import CommitUnknownError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqlalchemy import Connection, Engine
    from sqlalchemy.engine import RootTransaction

MOST = 32
"""How many share one transaction at the most: other processes wait for its end."""
_LOOK = 0.5
"""Seconds after which whoever waits for others looks whether one of them was interrupted before it could commit."""


class _Group:
    """One transaction, and those who wait for its end."""

    def __init__(self, connection: Connection, *, durable: bool) -> None:
        self.connection, self.durable = connection, durable
        self.transaction: RootTransaction = connection.begin()
        self.size = 0
        self.error: Exception | None = None
        self.over = threading.Event()

    def say(self, statement: str) -> None:
        """Say something to the database that is about no table."""
        self.connection.connection.cursor().execute(statement)


class SharedWrites:
    """Gives out the right to write to one file. `failed(error)` says what an error at the commit means."""

    def __init__(self, engine: Engine, failed: Callable[[Exception], Exception]) -> None:
        self._engine, self._failed = engine, failed
        self._turn = threading.Lock()
        # Of threads, not how many: who was interrupted while waiting takes itself out the next time.
        self._waiting: set[int] = set()
        self._group: _Group | None = None

    @contextlib.contextmanager
    def writing(self, *, durable: bool) -> Iterator[Connection]:
        """Yield a connection to write with; what was written is there when the block is left, or not at all."""
        me = threading.get_ident()
        try:
            self._waiting.add(me)
            # The statement itself: between an acquire() and a try an interrupt leaves it locked for ever.
            with self._turn:
                self._waiting.discard(me)
                group = self._group = self._group or self._begin(durable)
                try:
                    with self._apart(group):
                        yield group.connection
                        group.size += 1
                finally:
                    if group.size == 0 or group.error or not (self._waiting and group.durable and group.size < MOST):
                        self._end(group)
        finally:
            self._waiting.discard(me)
        self._wait_for(group)

    def _begin(self, durable: bool) -> _Group:
        durable = durable or bool(self._waiting)
        opened = self._engine.connect()
        try:
            return _Group(opened.execution_options(book_writes="FULL" if durable else "NORMAL"), durable=durable)
        except BaseException:
            opened.close()
            raise

    @contextlib.contextmanager
    def _apart(self, group: _Group) -> Iterator[None]:
        """Undo what was written in the block alone, where it fails."""
        if group.size == 0:
            yield
            return
        group.say("SAVEPOINT mine")
        try:
            yield
        except BaseException as error:
            self._undo(group, error)
            raise
        group.say("RELEASE mine")

    def _undo(self, group: _Group, error: BaseException) -> None:
        try:
            group.say("ROLLBACK TO mine")
            group.say("RELEASE mine")
        except Exception as lost:  # noqa: BLE001 - whatever it is, the transaction is lost to all
            # A full disk may end a transaction as a whole (https://www.sqlite.org/lang_transaction.html).
            group.error = error if isinstance(error, DBAPIError) else lost

    def _end(self, group: _Group) -> None:
        """Commit for all, or undo it for all; whoever is the last does."""
        try:
            self._group = None
            if group.size and group.error is None:
                # Until it is known: an interrupt in the midst of it must not look like success to the others.
                group.error = CommitUnknownError("the order book: a commit was interrupted", passes=True)
                group.transaction.commit()
                group.error = None
        except Exception as error:  # noqa: BLE001 - told to all who wait for it
            group.error = error
        finally:
            with contextlib.suppress(Exception):
                group.transaction.close()
            with contextlib.suppress(Exception):
                group.connection.close()
            group.over.set()

    def _wait_for(self, group: _Group) -> None:
        while not group.over.wait(_LOOK):
            with self._turn:
                if self._group is group:
                    self._end(group)
        if group.error is not None:
            raise self._failed(group.error) from None
