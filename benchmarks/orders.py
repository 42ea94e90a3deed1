"""A thousand orders by the worker, beside the same orders one after the other with one client.

    python benchmarks/orders.py [ORDERS] [--delay SECONDS] [--threads N] [--anywhere]

The emulator runs in a process of its own and answers every request 50 ms late. It stands for a service elsewhere, and
so has a core of its own, as this process has, whose threads cannot use more than one at a time; with `--anywhere` the
system decides. Each order is a signing request with a P-256 key that was made before. One after the other means:
upload, wait, download, open, verify; that is measured on 60 orders and scaled. The worker has its book in a file, and
delivers. Requests are counted by the emulator's journal.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from emulator import Served, serving

from sectigo_iot import IoTManager, MemoryTokenStore, Settings
from sectigo_iot.emulator import Control
from sectigo_iot.orders import Bundle, Order, OrderBook, OrderRequest, OrderWorker, Placement
from sectigo_iot.pki import open_bundle

ALONE = 60
"""Orders that are measured one after the other."""
WARM = 200
"""Orders after which the worker's memory is to stay as it is."""
LATENCY = 0.05
AUTHORITY = PROFILE = 423
FASTER, REQUESTS, GROWTH = 15.0, 6.0, 10.0
"""What is to be reached: times as fast, requests per order, MiB of growth."""
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Asked(NamedTuple):
    """What the command line asks for."""

    orders: int
    delay: float
    threads: int
    anywhere: bool


class Run(NamedTuple):
    """What a way of ordering took: all of it in seconds, each order in seconds, and how many requests."""

    seconds: float
    each: list[float]
    requests: int
    growth: float = 0.0

    def __str__(self) -> str:
        many = len(self.each)
        took = f"{self.seconds:7.1f} s, {self.seconds / many * 1000:6.1f} ms an order"
        return (
            f"{took}; p50 of one {statistics.median(self.each):6.2f} s; {self.requests / many:.2f} requests an order"
        )


def asked() -> Asked:
    """Return what the command line asks for."""
    parser = argparse.ArgumentParser(description="Prints what is measured beside what; see the top of the file.")
    parser.add_argument("orders", nargs="?", type=int, default=1000, help="how many orders (default 1000)")
    parser.add_argument("--delay", type=float, default=0.0, help="seconds from order to issued (default 0)")
    parser.add_argument("--threads", type=int, default=40, help="threads of the worker (default 40)")
    parser.add_argument("--anywhere", action="store_true", help="leave it to the system who runs on which core")
    return Asked(**vars(parser.parse_args()))


def signing_request(name: str) -> bytes:
    """Return a signing request with a new P-256 key."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = x509.SubjectAlternativeName([x509.DNSName(name)])
    builder = x509.CertificateSigningRequestBuilder().subject_name(subject).add_extension(names, critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)


def resident() -> float:
    """Return the MiB that this process holds in memory."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * _PAGE / 2**20


def client_of(served: Served) -> IoTManager:
    """Return a client of the emulator that was not logged in before."""
    environ = {"SECTIGO_ENDPOINT": served.url, "SECTIGO_ENVIRONMENT": "testing"}
    return IoTManager(Settings("tester", "supersecretsquirrel", environ=environ, token_store=MemoryTokenStore()))


def sent(served: Served) -> int:
    """Return how many requests the emulator has been sent."""
    return int(Control(served.control).journal(limit=1)[-1]["number"])


def apart(pid: int) -> None:
    """Give the other process a core of its own, where there are two."""
    first, *others = sorted(os.sched_getaffinity(0))
    if others:
        os.sched_setaffinity(0, {first})
        os.sched_setaffinity(pid, {others[0]})


def one_by_one(served: Served, requests: dict[str, bytes]) -> Run:
    """Order one after the other."""
    each: list[float] = []
    with client_of(served) as client:
        client.authenticate()
        before, began = sent(served), time.perf_counter()
        for name, pem in requests.items():
            begun = time.perf_counter()
            batch = client.upload_csr_batch(PROFILE, f"{name}.csr", pem)
            client.wait(batch.batch_id)
            (issued,) = open_bundle(client.download_bytes(batch))
            issued.verify(name=name)
            each.append(time.perf_counter() - begun)
        return Run(time.perf_counter() - began, each, sent(served) - before)


def by_worker(served: Served, requests: dict[str, bytes], threads: int) -> Run:
    """Have a worker order them all."""
    done: dict[str, float] = {}
    sizes: list[float] = []

    def deliver(order: Order, _: Bundle) -> None:
        done[order.key] = time.time()
        if len(done) % WARM == 0:
            sizes.append(resident())

    with tempfile.TemporaryDirectory() as folder, client_of(served) as client, OrderBook(f"{folder}/book") as book:
        client.authenticate()
        worker = OrderWorker(book, client, deliver=deliver, threads=threads)
        before, began = sent(served), time.perf_counter()
        book.place_all(wanted(requests))
        worker.run(until_idle=True)
        took, requests_sent = time.perf_counter() - began, sent(served) - before
        begun = {name: book.get(name).sent_at or 0.0 for name in done}
    if len(done) != len(requests):
        raise SystemExit(f"{len(requests) - len(done)} orders were not delivered")
    growth = max(sizes) - sizes[0] if sizes else 0.0
    return Run(took, [done[name] - begun[name] for name in done], requests_sent, growth)


def wanted(requests: dict[str, bytes]) -> Iterator[Placement]:
    """Yield an order for each request."""
    for name, pem in requests.items():
        yield Placement(name, OrderRequest(names=(name,), csr=pem, authority=AUTHORITY))


def measure(options: Asked) -> Iterator[str]:
    """Measure both, and yield what there is to print."""
    names = [f"vasp-{number}.example.com" for number in range(options.orders + ALONE)]
    requests = {name: signing_request(name) for name in names}
    alone = {name: requests[name] for name in names[:ALONE]}
    many = {name: requests[name] for name in names[ALONE:]}
    late = f"late-reply,seconds={LATENCY}"
    with serving("--key-type", "p256", "--delay", f"{options.delay}", "--fault", late) as served:
        Control(served.control).set_balance(AUTHORITY, len(names))
        if not options.anywhere:
            apart(served.pid)
        first = one_by_one(served, alone)
        yield f"one by one, {ALONE:>5}: {first}"
        second = by_worker(served, many, options.threads)
        yield f"worker,     {options.orders:>5}: {second}"
        doubled = Control(served.control).doubled()
    ratio = first.seconds / ALONE / (second.seconds / options.orders)
    yield f"{ratio:.1f} x as fast, at least {FASTER:.0f}: {_said(ratio >= FASTER)}"
    per_order = second.requests / options.orders
    yield f"{per_order:.2f} requests an order, at most {REQUESTS:.0f}: {_said(per_order <= REQUESTS)}"
    growth = second.growth
    yield f"{growth:.1f} MiB more than after the first {WARM}, at most {GROWTH:.0f}: {_said(growth <= GROWTH)}"
    yield f"{len(doubled)} doubled, at most 0: {_said(not doubled)}"


def _said(reached: bool) -> str:
    return "reached" if reached else "MISSED"


def main() -> None:
    """Measure and print."""
    options = asked()
    print(
        f"Python {sys.version.split()[0]}, {os.cpu_count()} cores; {LATENCY * 1000:.0f} ms late, "
        f"{options.delay:g} s to issue, {options.threads} threads"
    )
    for line in measure(options):
        print(line, flush=True)


if __name__ == "__main__":
    main()
