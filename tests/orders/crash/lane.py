"""One emulator and one server of processes, by which points are tried one after the other."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Timer
from typing import Any, Self

from tests.orders.crash import judging
from tests.orders.crash.carrying import KEY, REFUSED, prepare
from tests.orders.crash.forks import Forks
from tests.orders.crash.service import Service
from tests.orders.crash.settings import Setting
from tests.orders.crash.strikes import Point, Strike, points, traced

NAME = "vasp-1.example.com"
BEFORE = "before.example.com"
KILLED = -9
PATIENCE = 2.0

Try = tuple[Setting, Strike]
"""In which setting what is struck."""


class Lane:
    """Tries points; a context manager. Its folder gets what the processes leave and say."""

    def __init__(self, folder: Path) -> None:
        folder.mkdir(parents=True)
        self._folder = folder
        self._old, self._new = folder / "old", folder / "new"
        self._log = folder / "log"

    def __enter__(self) -> Self:
        # Both import for a while, side by side.
        self._forks, self._service = Forks(self._log), Service()
        self._prepare()
        return self

    def __exit__(self, *_: object) -> None:
        self._forks.__exit__()
        self._service.__exit__()

    def _prepare(self) -> None:
        """Lay down one folder with a key alone, and one with a book in which an order was delivered before."""
        self._new.mkdir(mode=0o700)
        prepare(self._new, NAME)
        shutil.copytree(self._new, self._old)
        self._service.control.snapshot("new")
        setting = Setting("", own_key=False, use_list=True)
        before = self._job(setting, self._old, do="carry") | {"key": "before", "name": BEFORE}
        if self._forks.rehearse(before) != 0:
            raise RuntimeError(self._said())
        self._service.control.snapshot("old")

    def _job(self, setting: Setting, folder: Path, **more: Any) -> dict[str, Any]:
        job: dict[str, Any] = asdict(self._service.address)
        job |= {"folder": str(folder), "key": KEY, "name": NAME, "out": str(folder / "outcome.json")}
        job |= {"own_key": setting.own_key, "use_list": setting.use_list, "probe": setting.probe}
        return {**job, "careless": setting.careless, **more}

    def _start(self, setting: Setting) -> Path:
        """Put everything back, and return a folder with the book as it was."""
        here = self._folder / "here"
        shutil.rmtree(here, ignore_errors=True)
        shutil.copytree(self._new if setting.fresh else self._old, here)
        self._service.control.restore("new" if setting.fresh else "old")
        return here

    def points(self, setting: Setting) -> list[Point]:
        """Return every call that changes something while an order is placed, carried and delivered."""
        here, out = self._start(setting), self._folder / "calls"
        process = self._forks.begin(self._job(setting, here, do="carry"))
        with traced(process, out):
            code = self._forks.go()
        if code:
            raise RuntimeError(self._said())
        return points(out)

    def strike(self, setting: Setting, strike: Strike) -> judging.Tally:
        """Have a process struck, let another come after it, and judge."""
        here, out = self._start(setting), self._folder / "calls"
        job = self._job(setting, here, do="carry", turns=6, refused=True)
        process = self._forks.begin(job)
        with traced(process, out, strike), _ended_after(PATIENCE, process):
            code = self._forks.go()
        end_leases(here / "orders.sqlite3")
        done = self._forks.run(self._job(setting, here, do="settle"))
        outcome = json.loads((here / "outcome.json").read_text()) if done == 0 else None
        batches = [each for each in self._service.control.batches() if each["commonNames"] == [NAME]]
        struck = code == KILLED or "(INJECTED)" in out.read_text(encoding="utf-8", errors="replace")
        where = f"{setting.name}, {strike} ({code})"
        tally = judging.judge(where, outcome, batches, struck=struck, blind=setting.blind)
        if code not in (0, REFUSED, KILLED):
            tally.faults.append(f"{where}: ended by an error that is none of the library's: {self._said()}")
        return tally

    def _said(self) -> str:
        return self._log.read_text(encoding="utf-8")[-2000:]


@contextmanager
def _ended_after(seconds: float, process: int) -> Iterator[None]:
    """Kill a process that waits for the disk: it holds on to what it cannot write down for as long as it lives."""
    timer = Timer(seconds, os.kill, (process, signal.SIGKILL))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def end_leases(book: Path) -> None:
    """Let every lease be of an earlier start of this machine, as after a power cut."""
    if not book.exists():
        return
    with closing(sqlite3.connect(book)) as connection, connection:
        known = connection.execute("SELECT 1 FROM sqlite_master WHERE name = 'sectigo_orders'").fetchone()
        if known:
            connection.execute("UPDATE sectigo_orders SET lease_boot = 'earlier' WHERE lease_until IS NOT NULL")
