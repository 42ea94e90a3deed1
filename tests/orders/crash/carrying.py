"""What a process does: places one order, carries it as far as it goes, and says what it has come to."""

from __future__ import annotations

import json
import logging
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sectigo_iot import FileTokenStore, IoTManager, SectigoError, Settings, write_private
from sectigo_iot.emulator import Control
from sectigo_iot.orders import (
    Bundle,
    FileSecretStore,
    Order,
    OrderBook,
    OrderRequest,
    OrderState,
    OrderWorker,
    WorkerRules,
)
from sectigo_iot.orders.lease import boot_time
from sectigo_iot.orders.store import engine
from sectigo_iot.pki import RequestSpec, build_request, generate_key, normalise_serial, open_bundle, private_key_pem

KEY = "vasp-1"
"""The key of the order that is watched; `before` is that of one which was delivered earlier."""
AUTHORITY = 423
"""The one that has licences, unless a job names another."""
TIMEOUT = 10.0
REFUSED = 1
"""The exit code of a process that ended with an error of the library, which is how it should end."""
PATIENCE = 30.0
"""Seconds after which an order that has come to no end counts as stuck."""
UNDER_WAY = 0.3
LATER = 7200.0
"""Seconds that a worker comes later to an order whose absence is to count."""


class Clock:
    """The time of day, which can be moved ahead."""

    def __init__(self) -> None:
        self.ahead = 0.0

    def __call__(self) -> float:
        return time.time() + self.ahead


def warm_up() -> None:
    """Import all that an order needs, so that what is forked has it."""
    import alembic.command  # noqa: F401
    import psycopg  # noqa: F401
    import sqlalchemy.dialects.postgresql.psycopg
    import sqlalchemy.dialects.sqlite  # noqa: F401

    from sectigo_iot.orders.steps import handlers  # noqa: F401

    generate_key("P-256")
    logging.getLogger("sectigo_iot").addHandler(logging.NullHandler())
    logging.lastResort = None


def perform(job: Mapping[str, Any]) -> int:
    """Do a job: return the exit code of its process."""
    return {"carry": carry, "settle": settle}[job["do"]](job)


def carry(job: Mapping[str, Any]) -> int:
    """Place the order and carry it until it is at its end, waits for a human, or has failed too often."""
    place = Place(job)
    try:
        with place.book() as book, place.client() as client:
            place.order(book)
            worker = place.worker(book, client)
            for _ in range(job.get("turns", 40)):
                if at_rest(book.get(job["key"])):
                    break
                one_turn(worker, place.clock)
    except SectigoError:
        if not job.get("refused"):
            raise
        return REFUSED
    return 0


def settle(job: Mapping[str, Any]) -> int:
    """Come after whoever was killed: carry the order to its end, and write down what became of it."""
    place = Place(job)
    with place.book() as book, place.client() as client:
        place.order(book)
        told = to_rest(book, place.worker(book, client), place.clock, job["key"])
        asked = told.attention if told.state is OrderState.UNKNOWN else None
        if asked:
            # What a killed process has sent may still be read.
            time.sleep(UNDER_WAY)
        if asked and place.use_list:
            place.clock.ahead = LATER
            told = to_rest(book, place.worker(book, client, reorder=True), place.clock, job["key"], unasked=True)
        by_human = told.state is OrderState.UNKNOWN
        found = answer(book, job) if by_human else None
        if by_human:
            told = to_rest(book, place.worker(book, client), place.clock, job["key"])
        outcome = {
            "state": told.state.value,
            "attention": told.attention,
            "asked": asked,
            "by_human": by_human,
            "found": found,
            "batch": told.batch_id,
            "serial": told.certificate.serial_number if told.certificate else None,
            "attempts": told.attempt,
            "history": [f"{event.kind} {event.new}: {event.reason}" for event in book.history(job["key"])],
            "delivered": delivered(place.folder, job["key"]),
        }
    write_private(Path(job["out"]), json.dumps(outcome).encode())
    return 0


def answer(book: OrderBook, job: Mapping[str, Any]) -> int | None:
    """Say of an order whose outcome is unknown what the portal shows of it; return its batch, if there is one."""
    batches = [] if job["careless"] else Control(job["control"]).batches()
    found = next((int(each["id"]) for each in batches if each["commonNames"] == [job["name"]]), None)
    if found is None:
        book.resolve(job["key"], absent=True, reason="the portal does not have it")
    else:
        book.resolve(job["key"], batch_id=found, reason="the portal has it")
    return found


def at_rest(order: Order) -> bool:
    """Whether an order has come to its end, or its outcome is unknown and a human is asked."""
    return order.finished or (order.state is OrderState.UNKNOWN and order.attention is not None)


def to_rest(book: OrderBook, worker: OrderWorker, clock: Clock, key: str, *, unasked: bool = False) -> Order:
    """Carry an order until it is at rest, or patience is at its end; `unasked` passes over a human who was asked."""
    until = time.monotonic() + PATIENCE
    order = book.get(key)
    while not (order.finished if unasked else at_rest(order)) and time.monotonic() < until:
        one_turn(worker, clock)
        order = book.get(key)
    return order


def one_turn(worker: OrderWorker, clock: Callable[[], float]) -> None:
    """Do what is due, and wait a little for what will be."""
    report = worker.step()
    if not report.carried:
        due = 0.05 if report.next_due is None else report.next_due - clock()
        time.sleep(min(max(due, 0.001), 0.05))


def delivered(folder: Path, key: str) -> str | None:
    """Return the serial number of the certificate that was delivered, opened with its password; None without one."""
    archive, password = folder / f"{key}.zip", folder / f"{key}.password"
    if not archive.exists():
        return None
    (issued,) = open_bundle(archive.read_bytes(), password.read_text() or None)
    return normalise_serial(f"{issued.leaf.serial_number:X}")


def prepare(folder: Path, name: str) -> None:
    """Lay down a key of its own for the order, and the signing request."""
    key = generate_key("P-256")
    write_private(folder / "own.pem", private_key_pem(key))
    write_private(folder / "own.csr", build_request(key, RequestSpec((name,))))


def open_book(folder: Path, url: str | None, clock: Callable[[], float]) -> OrderBook:
    """Open the book in a folder, or the one at a URL, whose secrets are in the folder then."""
    if url is None:
        return OrderBook(folder / "orders.sqlite3", clock=clock)
    return OrderBook(url, secrets=FileSecretStore(folder / "secrets"), clock=clock)


class Place:
    """What one process works with: its folder, its clock, the book, the client."""

    def __init__(self, job: Mapping[str, Any]) -> None:
        self._job = job
        self.folder = Path(job["folder"])
        self.clock = Clock()
        self.use_list = bool(job["use_list"])

    def book(self) -> OrderBook:
        """Open the book; the clock by which it counts leases goes on with the other."""
        vars(engine)["boot_time"] = lambda: boot_time() + self.clock.ahead
        return open_book(self.folder, self._job.get("book"), self.clock)

    def client(self) -> IoTManager:
        """Return a client of the emulator, whose tokens are kept beside the book."""
        job = self._job
        settings = Settings(
            job["username"],
            job["password"],
            endpoint=job["url"],
            environment="testing",
            token_store=FileTokenStore(self.folder / "tokens"),
            timeout=job.get("timeout", TIMEOUT),
            download_timeout=job.get("timeout", TIMEOUT),
            environ={},
        )
        return IoTManager(settings)

    def order(self, book: OrderBook) -> Order:
        """Place the order, as whoever was killed would do again."""
        job, csr, key = self._job, None, None
        if job["own_key"]:
            csr, key = ((self.folder / name).read_bytes() for name in ("own.csr", "own.pem"))
        return book.place(
            job["key"], OrderRequest(names=(job["name"],), authority=AUTHORITY, csr=csr), private_key=key
        )

    def worker(self, book: OrderBook, client: IoTManager, *, reorder: bool = False) -> OrderWorker:
        """Return a worker that does not wait between attempts."""
        rules = WorkerRules(
            use_list=self.use_list,
            probe=self._job["probe"],
            reorder=reorder,
            first_look=0.01,
            longest_pause=0.05,
            first_wait=0.01,
            longest_wait=0.05,
        )
        job = self._job
        return OrderWorker(
            book,
            client,
            deliver=self.deliver,
            rules=rules,
            threads=job.get("threads", 1),
            lease_seconds=job.get("lease"),
            clock=self.clock,
        )

    def deliver(self, order: Order, bundle: Bundle) -> None:
        """Lay down what was issued, over what an earlier delivery of the same order has left."""
        write_private(self.folder / f"{order.key}.zip", bundle.archive, replace=True)
        write_private(self.folder / f"{order.key}.password", (bundle.password or "").encode(), replace=True)
