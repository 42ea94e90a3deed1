"""Tables in memory: a change to them is made as a whole or not at all, is kept as a whole, and can be taken back."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

Tables = dict[str, dict[Any, Any]]
Change = Mapping[tuple[str, Hashable], Any]
"""By table and key the new value, or None where there is none any more."""
Keep = Callable[[Change], None]

_ABSENT = object()


class Records:
    """Values that are never changed themselves, by table and key, so that a copy of the tables is a snapshot.

    To be used from one thread at a time.
    """

    def __init__(self, tables: Tables, keep: Keep | None = None) -> None:
        self._tables = tables
        self._keep = keep
        self._before: dict[tuple[str, Hashable], Any] = {}
        self._depth = 0
        self.version = 0
        """Rises with each change."""

    def table(self, name: str) -> Mapping[Any, Any]:
        """Return one table, to read. It is another one after `restore`."""
        return self._tables[name]

    def put(self, table: str, key: Hashable, value: Any) -> None:
        """Set a value, or take it away with None. To be called within `change()`."""
        rows = self._tables[table]
        self._before.setdefault((table, key), rows.get(key, _ABSENT))
        if value is None:
            rows.pop(key, None)
        else:
            rows[key] = value

    @contextmanager
    def change(self) -> Iterator[None]:
        """Let the values that are put in here be kept together, or, where an exception leaves it, none of them."""
        self._depth += 1
        try:
            yield
            if self._depth == 1:
                self._commit()
        except BaseException:
            self._undo()
            raise
        finally:
            self._depth -= 1

    def snapshot(self) -> Tables:
        """Return a copy, which later changes leave as it is."""
        return {name: dict(rows) for name, rows in self._tables.items()}

    def restore(self, tables: Tables) -> None:
        """Put everything back as it was."""
        with self.change():
            for name, rows in self._tables.items():
                for key in [*rows.keys() - tables[name].keys()]:
                    self.put(name, key, None)
                for key, value in tables[name].items():
                    if rows.get(key, _ABSENT) is not value:
                        self.put(name, key, value)

    def _commit(self) -> None:
        if not self._before:
            return
        if self._keep is not None:
            self._keep({(name, key): self._tables[name].get(key) for name, key in self._before})
        self._before = {}
        self.version += 1

    def _undo(self) -> None:
        for (name, key), value in self._before.items():
            if value is _ABSENT:
                self._tables[name].pop(key, None)
            else:
                self._tables[name][key] = value
        self._before = {}
