"""A worker beside the command: it carries orders while the command looks on, and ends well when it is interrupted."""

from __future__ import annotations

import contextlib
import threading
import time
from typing import TYPE_CHECKING

from sectigo_cli.exits import ATTENTION, DONE, FAILED, NOT_READY, OUTCOME_UNKNOWN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.orders import Order, OrderBook, OrderEvent, OrderWorker

PAUSE = 0.1
"""Seconds between two looks at what was told."""
MOST_KEYS = 1000
"""Orders that a worker has before it at once; which of many these are, changes every second."""
LOOKED_AT = 200
"""Orders whose state is read anew in one second: another worker may have carried them."""
SOON = 30.0
"""Seconds: an order that a human has to see to, and that is not tried again so soon, is not waited for."""
QUIET = 10.0
"""Seconds without a change after which it is said why that may be so."""
STAGES = ("ordered", "issued", "fetched", "delivered")
"""What is shown of many orders: how many have come so far."""
_STAGE = {
    "placed": 1,
    "issuing": 1,
    "ready": 2,
    "fetched": 3,
    "delivered": 4,
}
FRUITLESS = ("rejected", "failed", "expired")


class Running:
    """A worker that runs in threads of its own, until it has done or is stopped."""

    def __init__(self, worker: OrderWorker, *, until_idle: bool = False) -> None:
        self._worker = worker
        self._until_idle = until_idle
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, name="sectigo-worker", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        try:
            self._worker.run(until_idle=self._until_idle)
        except BaseException as error:  # noqa: BLE001 - raised where somebody hears it
            self._error = error

    @property
    def alive(self) -> bool:
        """Whether it still works."""
        return self._thread.is_alive()

    def end(self) -> None:
        """Have it finish the steps at hand, and wait for that."""
        while self.alive:
            # Again, because a worker that has only just begun may not have heard it.
            self._worker.stop()
            self._thread.join(PAUSE)
            # Elsewhere than in join: who stands still for a second is taken for stuck, see Endings.
            time.sleep(PAUSE / 10)

    def check(self) -> None:
        """Raise what ended it, if anything went wrong."""
        if self._error is not None:
            raise self._error


@contextlib.contextmanager
def running(context: Context, worker: OrderWorker, *, until_idle: bool = False) -> Iterator[Running]:
    """Have the worker run for the block; afterwards it has finished what it had begun."""
    context.endings.check()
    run = Running(worker, until_idle=until_idle)
    try:
        yield run
    except KeyboardInterrupt:
        if run.alive:
            context.note("ending when what is under way is done; the orders stay in the book")
        run.end()
        raise
    except BaseException:
        run.end()
        raise
    run.end()
    run.check()


class Track:
    """Some orders of a book, and how far they are."""

    def __init__(self, book: OrderBook, orders: Iterable[Order]) -> None:
        self._book = book
        self._orders = {order.key: order for order in orders}
        self._open = [key for key, order in self._orders.items() if not settled(order)]
        self._heard: set[str] = set()
        self._moved = time.monotonic()
        self._at = time.monotonic()

    @property
    def orders(self) -> tuple[Order, ...]:
        """The orders as they were last read."""
        return tuple(self._orders.values())

    @property
    def open(self) -> bool:
        """Whether something is still to be waited for."""
        return bool(self._open)

    def keys(self) -> Sequence[str]:
        """Return the keys of the orders that are to be carried: no other order of the book is."""
        return self._open[:MOST_KEYS]

    def hear(self, event: OrderEvent) -> None:
        """Be told of what happened to an order, in whatever thread."""
        self._heard.add(event.key)

    def look(self) -> None:
        """Read anew what was told of, and now and then some of the others; not while the book is away.

        Raises OrderBookError for what does not pass. The worker says that the book is away.
        """
        from sectigo_iot import OrderBookError

        try:
            self._look()
        except OrderBookError as error:
            if not error.passes:
                raise

    def _look(self) -> None:
        for key in list(self._heard):
            self._heard.discard(key)
            self._read(key)
        if time.monotonic() - self._at >= 1.0:
            for key in self._open[:LOOKED_AT]:
                self._read(key)
            self._open = [*self._open[LOOKED_AT:], *self._open[:LOOKED_AT]]
            self._at = time.monotonic()
        self._open = [key for key in self._open if not settled(self._orders[key])]

    def read_all(self) -> None:
        """Read anew whatever is not finished."""
        for key in [key for key, order in self._orders.items() if not order.finished]:
            self._read(key)

    def _read(self, key: str) -> None:
        if key in self._orders:
            before, self._orders[key] = self._orders[key], self._book.get(key)
            if self._orders[key].state != before.state:
                self._moved = time.monotonic()

    @property
    def stuck(self) -> bool:
        """Whether nothing has changed for long, though something could be done."""
        now = time.time() - QUIET
        due = (self._orders[key].next_at for key in self._open)
        return time.monotonic() - self._moved >= QUIET and any(at is not None and at <= now for at in due)

    def stages(self) -> list[int]:
        """Return how many orders have come to each of `STAGES`, at the least."""
        reached = [_STAGE.get(order.state, 0) for order in self._orders.values()]
        return [sum(one > stage for one in reached) for stage in range(len(STAGES))]


def settled(order: Order) -> bool:
    """Whether waiting for an order helps no more: it is finished, or somebody has to do something."""
    if order.finished:
        return True
    if order.attention is None:
        return False
    soon = order.next_at is not None and order.next_at - time.time() < SOON
    return order.state == "unknown" or not soon


def carry(
    context: Context, track: Track, worker: OrderWorker, *, timeout: float, show: Callable[[Sequence[int]], None]
) -> None:
    """Carry the orders of a track until they are settled, or so many seconds are over."""
    end, told = time.monotonic() + timeout, False
    with running(context, worker) as run:
        while track.open and run.alive and time.monotonic() < end:
            show(track.stages())
            time.sleep(PAUSE)
            track.look()
            if not told and track.stuck:
                _say_why(context)
                told = True
    track.read_all()
    show(track.stages())


def _say_why(context: Context) -> None:
    """Say what may be waited for: whoever was killed is not known to be dead until its leases are over."""
    if context.stderr.isatty():
        # The bars stand on the line.
        context.say("")
    context.note(
        f"nothing has changed for {QUIET:g} s; what another process is at, or was when it was killed, "
        f"is free after {2 * context.settings.timeout + 60:g} s"
    )


def verdict(orders: Iterable[Order], *, waited: bool = False) -> int:
    """Return the exit code: the worst that there is among the orders.

    `waited`: it was to be waited until they are delivered, and one that is cancelled is a failure, too.
    """
    codes = {_code(order, waited=waited) for order in orders}
    return next((code for code in (OUTCOME_UNKNOWN, FAILED, ATTENTION, NOT_READY) if code in codes), DONE)


def _code(order: Order, *, waited: bool) -> int:
    if order.state == "unknown":
        return OUTCOME_UNKNOWN
    if order.state in FRUITLESS or (waited and order.state == "cancelled"):
        return FAILED
    if order.attention is not None:
        return ATTENTION
    return NOT_READY if waited and not order.finished else DONE
