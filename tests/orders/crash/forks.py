"""Processes that have imported everything already: a server forks one for each job, and says how it ended.

A line of JSON on its stdin is a job. It answers with the process's number, waits for a line that lets it go, and
answers with how it ended, as `os.waitpid` has it. One job it does itself, and answers with its exit code: what that
has loaded and worked out, each later process has from the start.
"""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import threading
import traceback
from pathlib import Path
from typing import IO, Any, Self

from tests.orders.crash.places import environment


class Forks:
    """The server, as a context manager: `begin` makes a process that waits, `go` lets it run to its end."""

    def __init__(self, log: Path) -> None:
        pipe = subprocess.PIPE
        command = [sys.executable, "-m", "tests.orders.crash.forks"]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(
                command, stdin=pipe, stdout=pipe, stderr=errors, text=True, bufsize=1, env=environment()
            )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.communicate()

    def begin(self, job: dict[str, Any]) -> int:
        """Make a process for a job, which waits; return its number."""
        return int(self._ask(json.dumps(job)))

    def go(self) -> int:
        """Let it run; return its exit code, or the negative number of the signal that killed it."""
        return os.waitstatus_to_exitcode(int(self._ask("go")))

    def run(self, job: dict[str, Any]) -> int:
        """Do a job from beginning to end."""
        self.begin(job)
        return self.go()

    def rehearse(self, job: dict[str, Any]) -> int:
        """Have the server do a job itself; return what its exit code would be."""
        return int(self._ask(json.dumps(job | {"rehearsed": True})))

    def _ask(self, line: str) -> str:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{line}\n")
        return self._process.stdout.readline()


def _child(job: dict[str, Any], gate: int) -> None:
    code = 70
    try:
        os.read(gate, 1)
        code = _done(job)
    finally:
        os._exit(code)


def _done(job: dict[str, Any]) -> int:
    codes: list[int] = []
    # Not in the main thread: what the book writes for that one is written in a thread for each time.
    thread = threading.Thread(target=lambda: codes.append(_performed(job)))
    thread.start()
    thread.join()
    return codes[0]


def _performed(job: dict[str, Any]) -> int:
    from tests.orders.crash.carrying import perform

    try:
        return perform(job)
    except BaseException:  # noqa: BLE001 - said in the log, and by the exit code
        traceback.print_exc()
        return 70


def serve(lines: IO[str]) -> None:
    """Answer line by line until they end."""
    for line in lines:
        job = json.loads(line)
        if job.pop("rehearsed", False):
            print(_done(job), flush=True)
            # Else each process copies all of it, to count what refers to it.
            gc.freeze()
            continue
        gate, opener = os.pipe()
        number = os.fork()
        if not number:
            os.close(opener)
            _child(job, gate)
        os.close(gate)
        print(number, flush=True)
        lines.readline()
        os.close(opener)
        print(os.waitpid(number, 0)[1], flush=True)


if __name__ == "__main__":
    from tests.orders.crash import carrying

    carrying.warm_up()
    serve(sys.stdin)
