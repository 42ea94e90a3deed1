"""Which system calls change something, how often a process makes each, and how one of them is struck, by strace."""

from __future__ import annotations

import os
import re
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

CHANGES = (
    *("openat", "creat", "write", "writev", "pwrite64", "fsync", "fdatasync", "ftruncate", "fallocate"),
    *("rename", "renameat", "renameat2", "link", "linkat", "symlink", "unlink", "unlinkat", "rmdir"),
    *("mkdir", "mkdirat", "chmod", "fchmod", "fchmodat", "connect", "sendto", "sendmsg", "recvfrom"),
)
"""They change files, or what is on its way to and from the service."""
_LINE = re.compile(r"(?P<process>\d+) +(?P<call>\w+)\((?P<arguments>.*)")
_WRITES = re.compile(r"O_(WRONLY|RDWR|CREAT)")


class Point(NamedTuple):
    """A system call: its name, its number among those of its name and thread, from 1, and what it is about."""

    call: str
    nth: int
    about: str


@dataclass(frozen=True, slots=True)
class Strike:
    """What is done to a system call of a process: to the `nth` of its kind, counted from 1, in any thread.

    `how` is strace's: `signal=SIGKILL`, `error=ENOSPC`. `times`: to so many on end; None: to all from then on.
    """

    call: str
    nth: int
    how: str = "signal=SIGKILL"
    times: int | None = 1

    def __str__(self) -> str:
        return f"{self.call} {self._when}: {self.how}"

    @property
    def option(self) -> str:
        """The option of strace."""
        return f"inject={self.call}:{self.how}:when={self._when}"

    @property
    def _when(self) -> str:
        return f"{self.nth}+" if self.times is None else f"{self.nth}..{self.nth + self.times - 1}"


@contextmanager
def traced(process: int, out: Path, strike: Strike | None = None) -> Iterator[None]:
    """Follow a process, which waits, with all its threads to its end; `out` gets its calls."""
    options = [] if strike is None else ["-e", strike.option]
    traces = f"trace={','.join(CHANGES)}"
    command = ["strace", "-f", "-q", "-s", "16", "-p", str(process), "-o", str(out), "-e", traces, *options]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        while not _followed(process):
            if tracer.poll() is not None:
                raise PermissionError(tracer.communicate()[1].strip())
            time.sleep(0.0005)
        yield


def _followed(process: int) -> bool:
    status = Path(f"/proc/{process}/status").read_text(encoding="utf-8")
    return "TracerPid:\t0\n" not in status


def points(out: Path) -> list[Point]:
    """Return each call that changed something."""
    seen: Counter[tuple[str, str]] = Counter()
    found: dict[tuple[str, int], Point] = {}
    for line in out.read_text(encoding="utf-8", errors="replace").splitlines():
        match = _LINE.match(line)
        if match is None:
            continue
        call = match["call"]
        seen[match["process"], call] += 1
        if call != "openat" or _WRITES.search(match["arguments"]):
            point = Point(call, seen[match["process"], call], match["arguments"])
            found.setdefault((point.call, point.nth), point)
    return list(found.values())


def permitted() -> str:
    """Return why no process can be followed here, an empty text where that can be."""
    with subprocess.Popen(["sleep", "5"]) as process:
        try:
            with traced(process.pid, Path(os.devnull)):
                process.kill()
        except PermissionError as refusal:
            process.kill()
            return str(refusal)
    return ""
