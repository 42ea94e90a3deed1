"""What many keys and requests cost, whole process, beside a shell loop of `openssl req`.

    python benchmarks/signing_requests.py [ROUNDS]

1,000 P-256 keys with their requests: `sectigo csr --batch` into a folder, the same with a ZIP for the upload, and the
library alone, in memory; then `openssl req -new -newkey` for 50 of them, times 20. Each round runs every line once,
in turn, so that whatever else the machine does falls on all alike. Of each line the fastest round counts; the medians
stand beside it, and what it took of the processors, which a disk that others write to does not change.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

from serving import SECTIGO, rounds_wanted

COUNT = 1000
LOOPED = 50
MOST = 1.0
"""Seconds that the command may take for all of them."""

FOLDER = "sectigo csr --batch, into a folder"
ZIPPED = "the same, and into a ZIP"
LIBRARY = "make_requests, in memory"
OPENSSL = f"openssl req, {LOOPED} times, scaled"
LOOP = """set -e
i=0
while [ $i -lt "$1" ]; do
  sed "s/NAME/n$i.example.com/" ../trisa.conf > own.conf
  openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -sha384 -config own.conf \
    -keyout n$i.example.com.key -out n$i.example.com.csr 2>/dev/null
  i=$((i + 1))
done
"""
CONFIG = """[req]
distinguished_name = dn
req_extensions = ext
prompt = no
[dn]
CN = NAME
O = Example Ltd
L = Berlin
ST = Berlin
C = DE
[ext]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, nonRepudiation
extendedKeyUsage = clientAuth, serverAuth
subjectAltName = DNS:NAME
"""
IN_MEMORY = f"""
from sectigo_iot.pki import RequestSpec, make_requests
specs = [RequestSpec((f"n{{i}}.example.com",), "Example Ltd", "Berlin", "Berlin", "DE") for i in range({COUNT})]
assert sum(1 for made in make_requests(specs, kind="P-256")) == {COUNT}
"""
BATCH = [SECTIGO, "csr", "--batch", "hosts.csv", "--key-type", "P-256", "-o", "out"]
LINES = {
    FOLDER: BATCH,
    ZIPPED: [*BATCH, "--zip", "out/requests.zip"],
    LIBRARY: [sys.executable, "-c", IN_MEMORY],
    OPENSSL: ["sh", "-c", f"mkdir out; cd out; {LOOP}", "sh", str(LOOPED)],
}


class Run(NamedTuple):
    """One process with its children: how long it took (s), what it took of the processors (s)."""

    wall: float
    processor: float

    def scaled(self, factor: float) -> Run:
        """Return what so many times as much would have taken."""
        return Run(self.wall * factor, self.processor * factor)


def run(command: list[str], folder: Path) -> Run:
    """Run a process in a folder without `out`."""
    shutil.rmtree(folder / "out", ignore_errors=True)
    began = time.perf_counter()
    process = subprocess.Popen(command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    _, status, used = os.wait4(process.pid, 0)
    took = time.perf_counter() - began
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}")
    return Run(took, used.ru_utime + used.ru_stime)


def measure(rounds: int, folder: Path) -> dict[str, list[Run]]:
    """Run every line once a round; the first round, which warms the disk's cache, does not count."""
    took: dict[str, list[Run]] = {line: [] for line in LINES}
    for _ in range(rounds + 1):
        for line, command in LINES.items():
            took[line].append(run(command, folder).scaled(COUNT / LOOPED if line == OPENSSL else 1))
    return {line: each[1:] for line, each in took.items()}


def prepare(folder: Path) -> None:
    """Write the table, and the configuration that says the same."""
    rows = (f"n{number}.example.com,Example Ltd,Berlin,Berlin,DE" for number in range(COUNT))
    (folder / "hosts.csv").write_text("\n".join(["name,organization,locality,state,country", *rows, ""]))
    (folder / "trisa.conf").write_text(CONFIG)


def verdict(line: str, best: dict[str, float]) -> str:
    """Return what was aimed at, and whether it was reached."""
    if line not in (FOLDER, ZIPPED):
        return ""
    reached = "reached" if best[line] <= MOST else "MISSED"
    return f"openssl takes {best[OPENSSL] / best[line]:.0f} x as long; at most {MOST:g} s: {reached}"


def main() -> None:
    """Measure and print."""
    rounds = rounds_wanted(5)
    with tempfile.TemporaryDirectory() as name:
        prepare(Path(name))
        took = measure(rounds, Path(name))
    best = {line: min(each).wall for line, each in took.items()}
    print(f"{COUNT} P-256 keys with requests, {rounds} rounds; s: fastest, median, processor (fastest)")
    for line, each in took.items():
        median = statistics.median(one.wall for one in each)
        processor = min(one.processor for one in each)
        print(f"{line:<40}{best[line]:7.2f} {median:7.2f} {processor:7.2f}  {verdict(line, best)}".rstrip())


if __name__ == "__main__":
    main()
