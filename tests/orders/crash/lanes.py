"""Several lanes side by side, as many as there are processors to keep busy."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import Self

from tests.orders.crash.judging import Tally, total
from tests.orders.crash.lane import Lane, Try
from tests.orders.crash.settings import Setting
from tests.orders.crash.strikes import Point


class Lanes:
    """Tries points in several lanes; a context manager."""

    def __init__(self, folder: Path, count: int = 2) -> None:
        self._lanes = [Lane(folder / f"lane-{number}") for number in range(count)]
        self._held = ExitStack()

    def __enter__(self) -> Self:
        with ThreadPoolExecutor(len(self._lanes)) as pool:
            list(pool.map(self._held.enter_context, self._lanes))
        return self

    def __exit__(self, *_: object) -> None:
        self._held.close()

    def points(self, settings: Sequence[Setting]) -> dict[Setting, list[Point]]:
        """Return every call of each setting that changes something."""
        # What a process may do about an order whose outcome is unknown makes no difference before it is killed.
        alike = {(setting.own_key, setting.fresh): setting for setting in settings}
        found = {kind: self._lanes[0].points(setting) for kind, setting in alike.items()}
        return {setting: found[setting.own_key, setting.fresh] for setting in settings}

    def tried(self, tries: Sequence[Try]) -> dict[Setting, Tally]:
        """Try them all; return what came of each setting."""
        with ThreadPoolExecutor(len(self._lanes)) as pool:
            outcomes = [
                each
                for done in pool.map(lambda number: self._share(number, tries), range(len(self._lanes)))
                for each in done
            ]
        settings = dict.fromkeys(setting for setting, _ in tries)
        return {each: total([tally for setting, tally in outcomes if setting == each]) for each in settings}

    def _share(self, number: int, tries: Sequence[Try]) -> list[tuple[Setting, Tally]]:
        lane, share = self._lanes[number], tries[number :: len(self._lanes)]
        return [(setting, lane.strike(setting, strike)) for setting, strike in share]
