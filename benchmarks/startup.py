"""What a command costs, whole process, beside the bare interpreter and `import requests` of the same environment.

    python benchmarks/startup.py [ROUNDS]

Each round runs every line once, in turn, so that whatever else the machine does falls on all alike. Of each line the
fastest round counts, which is the one that was disturbed least; the medians stand beside it. The commands with a
request talk to an emulator on this machine, over http, with tokens kept from an earlier log-in. Over https the CAs
are read as well, which `requests` does at its first request, not when it is imported: that has a line of its own.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from typing import NamedTuple

from serving import SECTIGO, emulator, rounds_wanted

BARE = "python -c pass"
REQUESTS = "python -c 'import requests'"
TRUST = "  and the CAs for https"
LINES = {
    BARE: [sys.executable, "-c", "pass"],
    REQUESTS: [sys.executable, "-c", "import requests"],
    TRUST: [sys.executable, "-c", "import requests, ssl; ssl.create_default_context(cafile=requests.certs.where())"],
    "sectigo --help": [SECTIGO, "--help"],
    "sectigo create --help": [SECTIGO, "create", "--help"],
    "sectigo auth --debug": [SECTIGO, "auth", "--debug"],
    "sectigo licenses": [SECTIGO, "licenses"],
    "sectigo find -n example.com": [SECTIGO, "find", "-n", "example.com"],
    "sectigo authorities": [SECTIGO, "authorities"],
}
MORE_THAN_BARE = {"sectigo --help": 25.0, "sectigo create --help": 25.0, "sectigo auth --debug": 35.0}
"""Milliseconds that a line may take longer than the bare interpreter."""
TIMES_REQUESTS = 1.2
LARGEST = 40.0
"""MiB that a command with one request may take at its peak."""


class Run(NamedTuple):
    """One process: how long it took (s), what it took of the processor (s), its largest size (MiB)."""

    wall: float
    processor: float
    size: float


def run(command: list[str], environ: dict[str, str]) -> Run:
    """Run a process to its end."""
    began = time.perf_counter()
    process = subprocess.Popen(command, env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(took, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measure(rounds: int, environ: dict[str, str]) -> dict[str, list[Run]]:
    """Run every line once a round; the first round, which warms the disk's cache, does not count."""
    runs: dict[str, list[Run]] = {line: [] for line in LINES}
    for _ in range(rounds + 1):
        for line, command in LINES.items():
            runs[line].append(run(command, environ))
    return {line: each[1:] for line, each in runs.items()}


def verdict(line: str, best: dict[str, float], size: float) -> str:
    """Return what was aimed at, and whether it was reached."""
    if line in MORE_THAN_BARE:
        over = best[line] - best[BARE]
        return f"{over:+.1f} ms over bare, at most {MORE_THAN_BARE[line]:+.0f}: {said(over <= MORE_THAN_BARE[line])}"
    if line in (BARE, REQUESTS, TRUST):
        return ""
    ratio = best[line] / best[REQUESTS]
    reached = ratio <= TIMES_REQUESTS and size <= LARGEST
    return f"{ratio:.2f} x import requests, at most {TIMES_REQUESTS}, and {LARGEST:.0f} MiB: {said(reached)}"


def said(reached: bool) -> str:
    """Return the word for it."""
    return "reached" if reached else "MISSED"


def main() -> None:
    """Measure and print."""
    rounds = rounds_wanted(40)
    with emulator() as environ:
        subprocess.run([SECTIGO, "auth"], env=environ, check=True, capture_output=True)
        runs = measure(rounds, environ)
    best = {line: min(each.wall for each in runs[line]) * 1000 for line in LINES}
    print(
        f"Python {sys.version.split()[0]}, {rounds} rounds; ms: fastest, median, processor (fastest); MiB at the peak"
    )
    for line, each in runs.items():
        median = statistics.median(one.wall for one in each) * 1000
        processor = min(one.processor for one in each) * 1000
        size = max(one.size for one in each)
        figures = f"{best[line]:7.1f} {median:7.1f} {processor:7.1f} {size:6.1f}"
        print(f"{line:<30}{figures}  {verdict(line, best, size)}".rstrip())


if __name__ == "__main__":
    main()
