"""What an emulator remembers, on disk: one SQLite file, in which a change stands as a whole or not at all."""

from __future__ import annotations

import errno
import os
import sqlite3
from collections.abc import Callable, Hashable
from pathlib import Path
from typing import Any

import msgspec

from sectigo_iot.emulator.config.world import Profile, World
from sectigo_iot.emulator.memory.entities import Batch, Certificate, Job, Licences, Trust
from sectigo_iot.emulator.memory.records import Change, Tables

_FILE = "emulator.sqlite3"
_FORM = 2
"""Of what stands in the file; another one cannot be read."""
_OURS = 0x53494F54
"""By which SQLite's header tells whose file it is."""

_KINDS: dict[str, tuple[Callable[[str], Hashable], Any]] = {
    "balances": (int, int),
    "licences": (int, Licences),
    "profiles": (int, Profile),
    "trust": (str, Trust),
    "batches": (int, Batch),
    "jobs": (int, Job),
    "archives": (int, bytes),
    "unissued": (int, tuple[Certificate, ...]),
    "certificates": (int, Certificate),
    "numbers": (str, float),
    "secrets": (str, bytes),
}
"""The tables: what a key is, and what a value is."""
_WORLD = ("world", "kept for")
"""The row, in no table, of what everything is kept for."""


class NotKeptError(Exception):
    """A change could not be written, and is not made: the disk is full, for example."""


class Store:
    """The file of one emulator in a folder of its own, private to its owner. Another emulator cannot open it.

    Raises OSError where folder or file cannot be made, and ValueError where the file is another's, is in use, or
    cannot be understood.
    """

    def __init__(self, folder: Path) -> None:
        _make(folder)
        self._path = folder / _FILE
        # The file holds the CA's keys, and SQLite gives what it adds beside it the same mode.
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600))
        self._path.chmod(0o600)
        self._connection = sqlite3.connect(self._path, check_same_thread=False, timeout=0.2)
        try:
            self._prepare()
        except (sqlite3.Error, UnicodeError) as fault:
            self._connection.close()
            raise ValueError(self._told(fault)) from None
        except ValueError:
            self._connection.close()
            raise

    @property
    def path(self) -> Path:
        """The file."""
        return self._path

    def world(self) -> World | None:
        """Return the world that everything is kept for, if there is one yet. Raises ValueError as `load` does."""
        asked = "SELECT value FROM rows WHERE name = ? AND key = ?"
        try:
            row = self._connection.execute(asked, _WORLD).fetchone()
            return None if row is None else msgspec.msgpack.decode(row[0], type=World)
        except (sqlite3.Error, msgspec.MsgspecError, ValueError, TypeError) as fault:
            raise ValueError(self._told(fault)) from None

    def keep_for(self, world: World) -> None:
        """Write down which world everything is kept for. Its users should have no passwords. Raises NotKeptError."""
        self.keep({_WORLD: world})

    def load(self) -> Tables:
        """Return every table. Raises ValueError for what cannot be understood."""
        tables: Tables = {name: {} for name in _KINDS}
        asked = "SELECT name, key, value FROM rows WHERE name != ? ORDER BY place"
        try:
            for name, key, value in self._connection.execute(asked, _WORLD[:1]):
                read_key, kind = _KINDS[name]
                tables[name][read_key(key)] = msgspec.msgpack.decode(value, type=kind)
        except (sqlite3.Error, msgspec.MsgspecError, ValueError, KeyError, TypeError) as fault:
            raise ValueError(self._told(fault)) from None
        return tables

    def keep(self, change: Change) -> None:
        """Write a change, all of it or nothing. Raises NotKeptError."""
        gone = [(name, str(key)) for (name, key), value in change.items() if value is None]
        kept = [
            (name, str(key), msgspec.msgpack.encode(value))
            for (name, key), value in change.items()
            if value is not None
        ]
        try:
            with self._connection:
                self._connection.executemany("DELETE FROM rows WHERE name = ? AND key = ?", gone)
                self._connection.executemany(
                    "INSERT INTO rows (name, key, value) VALUES (?, ?, ?)"
                    " ON CONFLICT (name, key) DO UPDATE SET value = excluded.value",
                    kept,
                )
        except sqlite3.Error as fault:
            raise NotKeptError(f"{self._path}: {fault}") from None

    def close(self) -> None:
        """Close the file."""
        self._connection.close()

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA locking_mode = EXCLUSIVE")
        new = self._is_new()
        self._connection.execute("PRAGMA journal_mode = WAL")
        # What is written outlives a kill of this process; only a loss of power could take the last changes away.
        self._connection.execute("PRAGMA synchronous = NORMAL")
        # What is gone, passwords above all, is gone from the file too, and from the log of an earlier run.
        self._connection.execute("PRAGMA secure_delete = ON")
        self._connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        if new:
            with self._connection:
                self._connection.execute("BEGIN IMMEDIATE")
                self._connection.execute(
                    "CREATE TABLE rows ("
                    "place INTEGER PRIMARY KEY, name TEXT NOT NULL, key TEXT NOT NULL, value BLOB NOT NULL,"
                    " UNIQUE (name, key))"
                )
                self._connection.execute(f"PRAGMA application_id = {_OURS}")
                self._connection.execute(f"PRAGMA user_version = {_FORM}")

    def _is_new(self) -> bool:
        """Whether there is nothing yet. Raises ValueError for what another program wrote, or another version."""
        tables, ours, form = (
            self._connection.execute(asked).fetchone()[0]
            for asked in ("SELECT count(*) FROM sqlite_master", "PRAGMA application_id", "PRAGMA user_version")
        )
        if tables and ours != _OURS:
            raise ValueError(f"{self._path}: it is another program's file")
        if tables and form != _FORM:
            raise ValueError(f"{self._path}: it was written by another version of the emulator (form {form})")
        return not tables

    def _told(self, fault: Exception) -> str:
        if "locked" in str(fault):
            return f"{self._path}: another emulator is using it"
        return f"{self._path}: it cannot be read as an emulator's memory; use another folder, or remove it"


def _make(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise NotADirectoryError(errno.ENOTDIR, "it is no folder", str(folder)) from None
