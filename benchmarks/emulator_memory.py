"""Whether the emulator's memory stays flat: what its process holds while it answers a hundred thousand requests.

    python benchmarks/emulator_memory.py [THOUSANDS]

Most requests are reads; of each twenty, one is a log-in, one a log-in that is refused, one without a token, one an
order that is refused, and one asks for a path that there is not, another one each time.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from emulator import ask, connection_to, serving
from serving import rounds_wanted

CONNECTIONS = 16
WARM = 5000
"""Requests after which the memory is to stay as it is."""
ALLOWED = 10.0
"""MiB that it may differ by."""
JOURNAL = 2000
_PAGE = os.sysconf("SC_PAGE_SIZE")


def resident(pid: int) -> float:
    """Return the MiB that a process holds in memory."""
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * _PAGE / 2**20


def requests(host: str, token: str) -> Iterator[bytes]:
    """Yield requests without end."""
    bearer = f"Authorization: Bearer {token}\r\n"
    order = {"authorityId": 423, "batchName": "refused", "profileParams": {"commonName": "a.example.com"}}
    login = {"username": "tester", "password": "supersecretsquirrel"}

    def request(line: str, headers: str = "", document: object = None) -> bytes:
        body = b"" if document is None else json.dumps(document).encode()
        return f"{line} HTTP/1.1\r\nHost: {host}\r\n{headers}Content-Length: {len(body)}\r\n\r\n".encode() + body

    for number in itertools.count():
        yield from [request("GET /api/v1/devices", bearer)] * 9
        yield from [request("GET /api/v1/authorities/allowed", bearer)] * 6
        yield request("POST /auth/pwd", "", login)
        yield request("POST /auth/pwd", "", {**login, "username": f"nobody-{number}"})
        yield request("GET /api/v1/devices")
        yield request("PUT /api/v1/batches/createSingleCertBatch", bearer, order)
        yield request(f"GET /api/v1/nowhere/{number}", bearer)


async def send(address: str, wanted: Iterator[bytes]) -> None:
    """Send requests one after the other, and read the replies."""
    host, port = address.split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    for each in wanted:
        writer.write(each)
        head = await reader.readuntil(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        await reader.readexactly(int(length.group(1)) if length else 0)
    writer.close()


async def measure(address: str, token: str, pid: int, thousands: int) -> list[tuple[int, float]]:
    """Return, after each 5,000 requests, how many there were and the memory then."""
    endless, samples = requests(address, token), []
    for done in range(WARM, thousands * 1000 + 1, WARM):
        batch = itertools.islice(endless, WARM)
        await asyncio.gather(*(send(address, batch) for _ in range(CONNECTIONS)))
        samples.append((done, resident(pid)))
    return samples


def main() -> None:
    """Measure and print."""
    thousands = rounds_wanted(100)
    print(f"Python {sys.version.split()[0]}, {thousands},000 requests, {CONNECTIONS} connections")
    with serving("--key-type", "p256", "--seed", "1") as served:
        began = time.monotonic()
        samples = asyncio.run(measure(served.url.removeprefix("http://"), served.token, served.pid, thousands))
        seconds = time.monotonic() - began
        kept = len(json.loads(ask(connection_to(served.control), "GET", "/journal?limit=10000")))
    for done, size in samples:
        print(f"{done:>7} requests  {size:6.1f} MiB")
    first = samples[0][1]
    most = max(abs(size - first) for _, size in samples)
    print(f"{thousands * 1000 / seconds:.0f} requests a second")
    said = "reached" if most <= ALLOWED else "MISSED"
    print(f"furthest from the first {WARM}: {most:.1f} MiB, at most {ALLOWED:.0f}: {said}")
    print(f"journal: {kept} requests, at most {JOURNAL}: {'reached' if kept <= JOURNAL else 'MISSED'}")


if __name__ == "__main__":
    main()
