"""What the emulator costs: its start, its reads and its orders, beside the bare interpreter and the bare server.

    python benchmarks/emulator.py [ROUNDS]

Emulators run in processes of their own; who asks them is another process. Reads are asked for by `wrk` where that is
installed, otherwise by a bare client in this file, which is slower than the server and measures itself as well.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

from serving import SECTIGO, rounds_wanted

CONNECTIONS = 16
SECONDS = 4
"""How long reads are asked for."""
ORDERS = 1000

IN_PROCESS = """
import statistics, sys, time
import sectigo_iot.emulator.assembly
from sectigo_iot.emulator import Emulator
took = []
for _ in range(6):
    began = time.perf_counter()
    emulator = Emulator(key_type=sys.argv[1], key_pool=int(sys.argv[2]))
    emulator.start()
    took.append((time.perf_counter() - began) * 1000)
    time.sleep(0.5)
    emulator.stop()
print(took[0], statistics.median(took[2:]))
"""
BARE = """
import socket, sys, time
from starlette.responses import Response
from sectigo_iot.emulator.net.running import ServerThread
async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        while (await receive())["type"] == "lifespan.startup":
            await send({"type": "lifespan.startup.complete"})
        return await send({"type": "lifespan.shutdown.complete"})
    await Response(b'{"ordered":1000,"issued":0}', media_type="application/json")(scope, receive, send)
# With the protocol named, as the emulator does it: asyncio switches Nagle's algorithm off for no other socket.
listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
listener.bind(("127.0.0.1", 0))
listener.listen(2048)
thread = ServerThread(app, listener, lambda: None, lambda: None)
thread.start()
print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
time.sleep(600)
"""


class Served(NamedTuple):
    """A command that serves: where, an access token, and the seconds until it was ready."""

    url: str
    control: str
    token: str
    pid: int
    seconds: float


class Line(NamedTuple):
    """A figure, what was aimed at, and whether it was reached; None where nothing was aimed at."""

    what: str
    figure: str
    aim: str = ""
    reached: bool | None = None

    def __str__(self) -> str:
        word = {None: "", True: "reached", False: "MISSED"}[self.reached]
        return f"{self.what:<58}{self.figure:>14}  {self.aim:<14}{word}".rstrip()


def clean() -> dict[str, str]:
    """Return an environment in which nothing speaks to us."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("SECTIGO_", "SIAS_"))}


def starts_in_process() -> Iterator[Line]:
    """Measure the start in a process that has imported everything."""
    for key_type, depth in (("p256", 0), ("rsa4096", 4)):
        done = subprocess.run(
            [sys.executable, "-c", IN_PROCESS, key_type, str(depth)],
            env=clean(),
            capture_output=True,
            text=True,
            check=True,
        )
        first, later = map(float, done.stdout.split())
        yield Line(f"start in a process, {key_type}, the first", f"{first:.0f} ms", "under 200 ms", first < 200)
        yield Line(
            f"start in a process, {key_type}, from the third on", f"{later:.0f} ms", "under 200 ms", later < 200
        )


def starts_of_the_command(rounds: int) -> Iterator[Line]:
    """Measure `sectigo serve` until it prints where it listens, beside the interpreter and the imports."""
    took: dict[str, list[float]] = {"serve": [], "pass": [], "imports": []}
    programs = {"pass": "pass", "imports": "import starlette.routing, uvicorn, cryptography.x509"}
    for _ in range(rounds):
        with serving("--key-type", "rsa4096") as served:
            took["serve"].append(served.seconds)
        for name, program in programs.items():
            began = time.perf_counter()
            subprocess.run([sys.executable, "-c", program], env=clean(), check=True)
            took[name].append(time.perf_counter() - began)
    serve, bare, imports = (statistics.median(took[name]) for name in ("serve", "pass", "imports"))
    slowest = max(took["serve"])
    yield Line("sectigo serve, RSA, until ready (median)", f"{serve:.2f} s", "under 1 s", serve < 1)
    yield Line(f"  the slowest of {rounds}", f"{slowest:.2f} s", "under 1 s", slowest < 1)
    yield Line("  over python -c pass", f"{serve / bare:.1f} x")
    yield Line("  over importing starlette, uvicorn and cryptography", f"{serve / imports:.1f} x")


@contextlib.contextmanager
def serving(*words: str) -> Iterator[Served]:
    """Run the command, and end it."""
    with tempfile.TemporaryDirectory() as home:
        began = time.perf_counter()
        delay = () if "--delay" in words else ("--delay", "0")
        command = [SECTIGO, "serve", "--addr", "127.0.0.1:0", *delay, *words]
        environ = {**clean(), "HOME": home}
        process = subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        with process:
            assert process.stdout is not None
            try:
                lines = [process.stdout.readline().strip().removeprefix("export ") for _ in range(5)]
                seconds = time.perf_counter() - began
                told = dict(line.split("=", 1) for line in lines)
                control = told["SIAS_CONTROL_URL"]
                set_balance(control, 1_000_000)
                yield Served(told["SECTIGO_ENDPOINT"], control, log_in(told), process.pid, seconds)
            finally:
                process.terminate()


def log_in(told: dict[str, str]) -> str:
    """Return an access token."""
    login = {"username": told["SECTIGO_USERNAME"], "password": told["SECTIGO_PASSWORD"]}
    return str(json.loads(ask(connection_to(told["SECTIGO_ENDPOINT"]), "POST", "/auth/pwd", login))["accessToken"])


def set_balance(control: str, balance: int) -> None:
    """Give the authority that is ordered with enough licences."""
    ask(connection_to(control), "PUT", "/authorities/423/balance", {"balance": balance})


def connection_to(url: str) -> http.client.HTTPConnection:
    """Return a connection, to be kept."""
    return http.client.HTTPConnection(url.removeprefix("http://"), timeout=60)


def ask(
    connection: http.client.HTTPConnection, method: str, path: str, document: object = None, token: str = ""
) -> bytes:
    """Send a request and return the body of the reply, which must be a success."""
    headers = {"Content-Type": "application/json", "Authorization": f"Bearer {token}"}
    connection.request(method, path, json.dumps(document), headers)
    reply = connection.getresponse()
    body = reply.read()
    if reply.status >= 300:
        raise SystemExit(f"{method} {path}: {reply.status} {body.decode()}")
    return body


def reads() -> Iterator[Line]:
    """Measure reads with token check and journal, beside the same server without an emulator behind it."""
    with serving("--key-type", "p256") as served:
        full = read_rate(f"{served.url}/api/v1/devices", served.token)
    with subprocess.Popen([sys.executable, "-c", BARE], env=clean(), stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            bare = read_rate(process.stdout.readline().strip() + "/", served.token)
        finally:
            process.kill()
    by = "wrk" if shutil.which("wrk") else "the client in this file"
    yield Line(f"reads a second, {CONNECTIONS} connections, by {by}", f"{full:.0f}", "over 2000", full > 2000)
    yield Line("  the same server with a bare Response", f"{bare:.0f}")
    yield Line("  share of it", f"{full / bare:.2f}")


def read_rate(url: str, token: str) -> float:
    """Return how many reads a second are answered."""
    wrk = shutil.which("wrk")
    if wrk is None:
        return asyncio.run(own_rate(url, token))
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", f"Authorization: Bearer {token}", url]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in told:
        raise SystemExit(told)
    found = re.search(r"Requests/sec:\s+([\d.]+)", told)
    assert found is not None
    return float(found.group(1))


async def own_rate(url: str, token: str) -> float:
    """Return the same, asked by bare connections."""
    host, port = url.split("/")[2].split(":")
    path = "/" + url.split("/", 3)[3]
    request = f"GET {path} HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()
    end = time.monotonic() + SECONDS

    async def one() -> int:
        reader, writer = await asyncio.open_connection(host, int(port))
        count = 0
        while time.monotonic() < end:
            writer.write(request)
            head = await reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"(?i)content-length: (\d+)", head)
            await reader.readexactly(int(length.group(1)) if length else 0)
            count += 1
        writer.close()
        return count

    return sum(await asyncio.gather(*(one() for _ in range(CONNECTIONS)))) / SECONDS


def orders() -> Iterator[Line]:
    """Measure orders of one certificate each, one after the other and several at once, in memory and in a folder."""
    with tempfile.TemporaryDirectory() as folder:
        for words, where in (((), ""), (("--state", folder), ", kept in a folder")):
            for connections in (1, 8):
                with serving("--key-type", "p256", *words) as served:
                    seconds = order_seconds(served, connections)
                aim = ("under 10 s", seconds < 10) if not where else ("", None)
                what = f"{ORDERS} orders, P-256, {connections} connection{'s' * (connections > 1)}{where}"
                yield Line(what, f"{seconds:.1f} s", *aim)


def order_seconds(served: Served, connections: int) -> float:
    """Return how long the orders take."""
    values = {"commonName": "a.example.com", "dNSName": "a.example.com", "pkcs12Password": "secrtpasswrd"}
    document = {"authorityId": 423, "batchName": "measured", "profileParams": values}

    def some(count: int) -> None:
        connection = connection_to(served.url)
        for _ in range(count):
            ask(connection, "PUT", "/api/v1/batches/createSingleCertBatch", document, served.token)
        connection.close()

    began = time.perf_counter()
    with ThreadPoolExecutor(connections) as threads:
        list(threads.map(some, [ORDERS // connections] * connections))
    return time.perf_counter() - began


def main() -> None:
    """Measure and print."""
    rounds = rounds_wanted(10)
    print(f"Python {sys.version.split()[0]}, {os.cpu_count()} cores")
    for lines in (starts_in_process(), starts_of_the_command(rounds), reads(), orders()):
        for line in lines:
            print(line, flush=True)


if __name__ == "__main__":
    main()
