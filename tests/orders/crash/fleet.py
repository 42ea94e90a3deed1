"""Worker processes on one book: `python -m tests.orders.crash.fleet JOB`; SIGTERM ends one, or SIGKILL."""

from __future__ import annotations

import faulthandler
import json
import logging
import os
import resource
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Self

from tests.orders.crash.places import environment

PATIENCE = 40.0
"""Seconds that requests under way may take: three of ten for a look at a batch; the rest is for a busy machine."""
_PAGE = resource.getpagesize()


class Worker:
    """One worker process, as a context manager: killed on exit if it still runs. `log` gets what it says."""

    def __init__(self, job: Mapping[str, Any], log: Path) -> None:
        command = [sys.executable, "-m", "tests.orders.crash.fleet", json.dumps(dict(job))]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stderr=errors, env=environment())

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()

    @property
    def number(self) -> int:
        """The process's number."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """Whether it has not ended."""
        return self._process.poll() is None

    def kill(self) -> None:
        """Kill it, wherever it is."""
        self._process.kill()
        self._process.wait(PATIENCE)

    def end(self) -> int:
        """Ask it to end, and return its exit code."""
        self._process.terminate()
        try:
            return self._process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            # Its log then says where each thread is.
            self._process.send_signal(signal.SIGUSR1)
            time.sleep(1.0)
            raise

    def memory(self) -> int:
        """Return how many bytes of memory it holds that are its own."""
        fields = Path(f"/proc/{self.number}/statm").read_text(encoding="utf-8").split()
        return (int(fields[1]) - int(fields[2])) * _PAGE


def work(job: Mapping[str, Any]) -> None:
    """Carry orders until SIGTERM, or until none is on its way where the job says so."""
    from tests.orders.crash.carrying import Place

    place = Place(job)
    place.clock.ahead = job.get("ahead", 0.0)
    with place.book() as book, place.client() as client:
        worker = place.worker(book, client, reorder=job.get("reorder", False))
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run(until_idle=job.get("until_idle", False))


def until(wanted: Callable[[], bool], seconds: float, pause: float = 0.1) -> bool:
    """Wait until something is so, for so many seconds; return whether it came to be."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if wanted():
            return True
        time.sleep(pause)
    return wanted()


def _end_with(parent: int) -> None:
    """Leave nothing behind should whoever started this process be killed."""
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)


if __name__ == "__main__":
    threading.Thread(target=_end_with, args=(os.getppid(),), daemon=True).start()
    faulthandler.register(signal.SIGUSR1)
    logging.getLogger("sectigo_iot").setLevel(logging.ERROR)
    work(json.loads(sys.argv[1]))
