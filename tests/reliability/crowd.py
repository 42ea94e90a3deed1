"""Many processes with many threads each, which all begin at one moment, as often as they are told."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from sectigo_iot.emulator import Emulator

PATIENCE = 120.0
"""Seconds within which all of them have answered, or are killed."""

_PROCESS = """
import json, sys, threading
import filelock, sectigo_iot.client
from sectigo_iot import FileTokenStore, IoTManager, SectigoError, Settings

def client(url, password, folder):
    store = FileTokenStore(folder)
    return IoTManager(Settings("tester", password, None, url, "testing", token_store=store, environ={}))

def work(each, start, outcomes):
    start.wait()
    try:
        each.licenses_used()
        outcomes.append("done")
    except SectigoError as error:
        outcomes.append(f"{type(error).__name__}: {error}")

for line in sys.stdin:
    *place, threads = json.loads(line)
    # Half of the threads share a client, the others have one each.
    shared, outcomes, start = client(*place), [], threading.Barrier(threads + 1)
    clients = [shared if number % 2 else client(*place) for number in range(threads)]
    workers = [threading.Thread(target=work, args=(each, start, outcomes)) for each in clients]
    for worker in workers:
        worker.start()
    print("ready", flush=True)
    sys.stdin.readline()
    start.wait()
    for worker in workers:
        worker.join()
    for each in clients:
        each.close()
    print(json.dumps(outcomes), flush=True)
"""


class Crowd:
    """So many processes; `said` is what they have to say when it is over, which should be nothing."""

    def __init__(self, processes: int) -> None:
        self._processes = [
            subprocess.Popen(
                [sys.executable, "-c", _PROCESS],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                bufsize=1,
            )
            for _ in range(processes)
        ]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        with self._limited():
            for process in self._processes:
                said = process.communicate()[0]
                assert (process.returncode, said) == (0, "")

    def begin(self, service: Emulator, folder: Path, threads: int, password: str | None = None) -> list[str]:
        """Let every thread make one call, with the tokens in this folder; `done` each, or its error."""
        work = json.dumps([service.url, password or service.password, str(folder), threads])
        self._tell(work)
        assert self._hear() == ["ready\n"] * len(self._processes)
        self._tell("go")
        return [outcome for line in self._hear() for outcome in json.loads(line)]

    def _tell(self, line: str) -> None:
        for process in self._processes:
            assert process.stdin is not None
            process.stdin.write(f"{line}\n")

    def _hear(self) -> list[str]:
        streams = [process.stdout for process in self._processes]
        with self._limited():
            return [stream.readline() for stream in streams if stream is not None]

    @contextlib.contextmanager
    def _limited(self) -> Iterator[None]:
        """Kill them all if this takes too long: then nobody waits for what they say."""
        watchdog = threading.Timer(PATIENCE, self._kill)
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def _kill(self) -> None:
        for process in self._processes:
            process.kill()
