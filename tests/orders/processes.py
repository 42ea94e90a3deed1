"""Workers as processes of their own, to be stopped and killed: forked off one that has imported everything."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Self

import requests
import sqlalchemy.dialects.sqlite

import sectigo_iot.orders.steps.handlers
import sectigo_iot.pki.certificates
from sectigo_iot import IoTManager, MemoryTokenStore, Settings
from sectigo_iot.orders import Bundle, FileSecretStore, Order, OrderBook, OrderWorker, WorkerRules

IMPORTED = (requests, sqlalchemy, sectigo_iot.orders.steps.handlers, sectigo_iot.pki.certificates)
"""What a worker imports when it first needs it; here it is there when it is forked."""
TIMEOUT = 0.5
"""Seconds of one request's deadline: a lease must outlive two of them."""
LEASE = 1.0
RULES = WorkerRules(reorder=True, settle=1.0, first_wait=0.1, longest_wait=0.5, first_look=0.05, longest_pause=0.2)
POINTS = (
    *("keeping-password", "before-intent", "before-bytes", "before-reply", "before-saving", "saved"),
    *("looking", "fetching", "delivering", "delivered"),
)
"""Where a worker can be told to stop itself, as if it had been put to sleep."""


class Forker:
    """Starts workers: `start(job)` returns a process id, `wait(pid)` what it ended as (see `os.waitpid`)."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.orders.processes"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            bufsize=1,
            cwd=Path(__file__).parents[2],
        )
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def start(self, **job: Any) -> int:
        return self._ask({"start": job})

    def wait(self, pid: int) -> int:
        return self._ask({"wait": pid})

    def _ask(self, line: dict[str, Any]) -> int:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(f"{json.dumps(line)}\n")
            return int(self._process.stdout.readline())


def state_of(pid: int) -> str:
    """Return the state letter of a process: T where it is stopped."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


def until(reached: Callable[[], bool], seconds: float = 20.0) -> None:
    """Wait until something is so, and fail if it never is."""
    due = time.monotonic() + seconds
    while not reached():
        assert time.monotonic() < due, "it did not come about"
        time.sleep(0.02)


class Stopping:
    """Stops this process once, at one point."""

    def __init__(self, point: str | None) -> None:
        self._point = point

    def here(self, point: str) -> None:
        if point == self._point:
            self._point = None
            os.kill(os.getpid(), signal.SIGSTOP)
            # This thread may go on for a moment until the stop has come to all of them.
            time.sleep(0.05)

    def soon(self, point: str, seconds: float) -> None:
        if point == self._point:
            threading.Timer(seconds, self.here, [point]).start()


class StoppingClient:
    """A client that stops its process where it is told to."""

    def __init__(self, client: IoTManager, stopping: Stopping) -> None:
        self._client, self._stopping = client, stopping

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def upload_csr_batch(self, *args: Any, before_send: Callable[[], None] | None = None, **more: Any) -> Any:
        def gate() -> None:
            self._stopping.here("before-bytes")
            assert before_send is not None
            before_send()
            self._stopping.soon("before-reply", 0.1)

        batch = self._client.upload_csr_batch(*args, before_send=gate, **more)
        self._stopping.here("before-saving")
        return batch

    def look(self, batch_id: int) -> Any:
        self._stopping.here("saved")
        seen = self._client.look(batch_id)
        self._stopping.here("looking")
        return seen

    def download_bytes(self, batch: Any) -> Any:
        data = self._client.download_bytes(batch)
        self._stopping.here("fetching")
        return data


class StoppingSecrets(FileSecretStore):
    """Secrets whose process stops before a password that it made is kept."""

    def put(self, name: str, value: bytes) -> None:
        if ".password" in name:
            StoppingBook.stopping.here("keeping-password")
        super().put(name, value)


class StoppingBook(OrderBook):
    """A book that stops its process before it writes down that an order is about to be sent."""

    stopping = Stopping(None)

    def begin_sending(self, *args: Any, **more: Any) -> bool:
        self.stopping.here("before-intent")
        return super().begin_sending(*args, **more)


def delivering(folder: Path, stopping: Stopping | None = None) -> Callable[[Order, Bundle], None]:
    """Return what writes a line for each delivery of an order."""

    def deliver(order: Order, bundle: Bundle) -> None:
        if stopping is not None:
            stopping.here("delivering")
        with (folder / order.key).open("a") as file:
            file.write(f"{os.getpid()} {len(bundle.archive)}\n")
        if stopping is not None:
            stopping.here("delivered")

    return deliver


@contextlib.contextmanager
def worker_of(job: dict[str, Any]) -> Iterator[OrderWorker]:
    """Yield a worker as the job describes it."""
    stopping = Stopping(job.get("point"))
    StoppingBook.stopping = stopping
    settings = Settings(environ=job["environ"], token_store=MemoryTokenStore(), timeout=job.get("timeout", TIMEOUT))
    secrets = StoppingSecrets(Path(job["out"], "secrets"))
    with IoTManager(settings) as client, StoppingBook(job["book"], secrets=secrets) as book:
        yield OrderWorker(
            book,
            StoppingClient(client, stopping),
            deliver=delivering(Path(job["out"]), stopping),
            rules=RULES,
            threads=job.get("threads", 1),
            lease_seconds=job.get("lease", LEASE),
        )


def _work(job: dict[str, Any]) -> None:
    with worker_of(job) as worker:
        signal.signal(signal.SIGTERM, lambda *_: worker.stop())
        worker.run(until_idle=job.get("until_idle", True))


def _start(job: dict[str, Any]) -> int:
    pid = os.fork()
    if pid:
        return pid
    os.dup2(2, 1)
    code = 1
    try:
        _work(job)
        code = 0
    finally:
        os._exit(code)


def main() -> None:
    """Start and wait for workers as the lines of the input say."""
    for line in sys.stdin:
        wanted = json.loads(line)
        print(_start(wanted["start"]) if "start" in wanted else os.waitpid(wanted["wait"], 0)[1], flush=True)


if __name__ == "__main__":
    main()
