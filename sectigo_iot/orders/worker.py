"""The worker: takes what is due from the book, and carries it."""

from __future__ import annotations

import logging
import os
import queue
import secrets
import socket
import threading
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable
from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.errors import InvalidInputError, OrderBookError
from sectigo_iot.orders.carrying import Carrier
from sectigo_iot.orders.pace import Pace
from sectigo_iot.orders.rules import WorkerRules
from sectigo_iot.orders.states import FINISHED, OrderState
from sectigo_iot.orders.supply import Supply
from sectigo_iot.orders.work import Work

if TYPE_CHECKING:
    from sectigo_iot.orders.book import OrderBook
    from sectigo_iot.orders.lease import Lease
    from sectigo_iot.orders.order import OrderEvent
    from sectigo_iot.orders.protocols import Deliver, OnEvent, Service

_log = logging.getLogger("sectigo_iot.orders")

HOUSEKEEPING = 3600.0
"""Seconds from one tidying up to the next."""
REPLACED = 1.0
"""Seconds after which another thread takes the place of one that ended."""
ON_THEIR_WAY = frozenset(OrderState) - FINISHED
"""The states from which an order goes on by itself."""


class StepReport(NamedTuple):
    """What a step did: how many orders it `carried`, and when the next is due, in epoch seconds; None for never."""

    carried: int
    next_due: float | None


class OrderWorker:
    """Carries the orders of a book through their lives, with one client. Several may work on one book.

    `deliver(order, bundle)` hands over what was issued; without it an order counts as delivered when it is stored,
    and `OrderBook.bundle` returns it. `on_event` is told of all that happens, in the thread in which it does; what it
    raises is logged and passed over. `threads`: how many orders `run` carries at once. `name`: told in the history;
    by default of this machine, process and a number that was drawn. `archive_after`: seconds after which a finished
    order goes to the archive, looked after once an hour; None for never. `lease_seconds`: how long an order is kept
    from other workers; two deadlines of a request and a minute by default, at least two deadlines. `keys`: asked
    each time which orders may be carried, some thousand at the most; all, where it is None. `clock` gives epoch
    seconds.

    Raises InvalidInputError for an argument that makes no sense; `step` and `run` do for a book of another service
    than the client's, see `OrderBook.bind`.
    """

    def __init__(
        self,
        book: OrderBook,
        client: Service,
        *,
        deliver: Deliver | None = None,
        on_event: OnEvent | None = None,
        rules: WorkerRules | None = None,
        threads: int = 8,
        name: str | None = None,
        archive_after: float | None = None,
        lease_seconds: float | None = None,
        keys: Callable[[], Collection[str]] | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        from sectigo_iot.orders.steps.handlers import HANDLERS

        self._book, self._client, self._clock = book, client, clock
        self._deliver, self._on_event, self._rules = deliver, on_event, rules or WorkerRules()
        self._threads, self._archive_after, self._keys = threads, archive_after, keys
        self._lease_seconds = _lease_seconds(lease_seconds, client.settings.timeout)
        self.name = name or f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        if threads < 1:
            raise InvalidInputError(f"{threads} threads carry nothing")
        self._stopped = self._bound = False
        self._pace = Pace()
        self._supply: Supply | None = None
        self._carrier = Carrier(
            book,
            HANDLERS,
            lease_seconds=self._lease_seconds,
            deadline=client.settings.timeout,
        )

    def __repr__(self) -> str:
        return f"<OrderWorker {self.name} at {self._book!r}>"

    def step(self, limit: int = 1) -> StepReport:
        """Carry up to `limit` orders that are due as far as each goes now, one after the other, in this thread.

        For a loop of the caller's own, which sleeps until `next_due`, but not for long: what other processes place is
        not told. Raises OrderBookError where the book cannot be used.
        """
        supply = self._new_supply()
        leases = deque(() if self._stopped else supply.claim(limit))
        carried = 0
        try:
            while leases and not self._stopped:
                self._carrier.carry(self._work(leases.popleft()))
                carried += 1
            self._free(leases)
        except (KeyboardInterrupt, SystemExit):
            self._free(leases)
            raise
        finally:
            self._stopped = False
            self._carrier.end()
        return StepReport(carried, supply.next_due())

    def run(self, *, until_idle: bool = False) -> None:
        """Carry orders with several threads, until `stop`; or, if asked, until none is on its way any more.

        An order that waits for a human, or for its renewal, counts as one that is not on its way. A book that is away
        is waited for. Ctrl-C ends it as `stop` does, and is then raised; a second one at once. Signals are the
        caller's: `signal.signal(signal.SIGTERM, lambda *_: worker.stop())`. Raises OrderBookError where the book
        cannot be used and that does not pass.
        """
        self._supply = self._new_supply(until_idle=until_idle)
        try:
            if not self._stopped:
                _Crew(self._supply, self._carry, self._threads, self._tidy).work()
        finally:
            self._supply, self._stopped = None, False
            self._carrier.end()

    def _free(self, leases: Iterable[Lease]) -> None:
        for lease in leases:
            self._book.release(lease)

    def stop(self) -> None:
        """Have `run` return when the requests that are under way are over; or `step`; or the next of these at once.

        What was sent is waited for, and written down. An order that is left in the midst of a step is due at once.
        From any thread, and from a signal handler.
        """
        self._stopped = True
        supply = self._supply
        if supply is not None:
            supply.end()

    def _ending(self) -> bool:
        supply = self._supply
        return self._stopped or (supply is not None and supply.over)

    def _new_supply(self, *, until_idle: bool = False) -> Supply:
        return Supply(
            self._book,
            self.name,
            self._lease_seconds,
            clock=self._clock,
            idle=self._nothing_on_its_way if until_idle else lambda: False,
            tell=self._tell,
            first=self._bind,
            keys=self._keys,
        )

    def _work(self, lease: Lease) -> Work:
        return Work(
            self._book,
            self._client,
            self._rules,
            lease,
            self._deliver,
            self._tell,
            self._clock,
            self._ending,
            self._pace,
        )

    def _carry(self, lease: Lease) -> None:
        """Carry an order; a book that is away meanwhile is told, and the order taken up again when its lease ends."""
        try:
            self._carrier.carry(self._work(lease))
        except OrderBookError as error:
            if not error.passes:
                raise
            _log.warning("order %s is left as it is: %s", lease.order.key, error)

    def _tell(self, event: OrderEvent) -> None:
        if self._on_event is None:
            return
        try:
            self._on_event(event)
        except Exception:  # noqa: BLE001 - somebody else's code
            _log.exception("order %s: on_event failed", event.key)

    def _nothing_on_its_way(self) -> bool:
        after, keys = None, None if self._keys is None else self._keys()
        while page := self._book.find(states=ON_THEIR_WAY, after=after):
            if any(order.attention is None and (keys is None or order.key in keys) for order in page):
                return False
            after = page[-1].key
        return True

    def _bind(self) -> None:
        """See to it that the book is of the client's service. Raises InvalidInputError where it is another's."""
        endpoint = getattr(self._client.settings, "endpoint", None)
        if endpoint is not None and not self._bound:
            self._book.bind(endpoint)
            self._bound = True

    def _tidy(self) -> None:
        if self._archive_after is not None:
            moved = self._book.archive(self._clock() - self._archive_after, stopping=lambda: self._stopped)
            if moved:
                _log.info("%d orders went to the archive", moved)


class _Crew:
    """The threads of one run, and the thread that looks after them."""

    def __init__(self, supply: Supply, carry: Callable[[Lease], None], size: int, tidy: Callable[[], None]) -> None:
        self._supply, self._carry, self._size, self._tidy = supply, carry, size, tidy
        self._ended: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._left = 0

    def work(self) -> None:
        """Work until there is nothing more to do. Raises what ended a thread, where going on would be of no use."""
        for _ in range(self._size):
            self._start()
        try:
            self._look_after()
        finally:
            self._supply.end()
            for thread in self._threads:
                thread.join()
            self._supply.free_all()

    def _start(self) -> None:
        self._left += 1
        # A daemon: who leaves at a second Ctrl-C shall not be kept by a request; nothing is lost by that.
        thread = threading.Thread(target=self._live, name=f"orders-{len(self._threads)}", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _live(self) -> None:
        error: BaseException | None = None
        try:
            while (lease := self._supply.take()) is not None:
                try:
                    self._carry(lease)
                finally:
                    self._supply.give_back()
        except BaseException as caught:  # noqa: BLE001 - told, and the thread replaced, by the one that looks after it
            error = caught
        self._ended.put(error)

    def _look_after(self) -> None:
        tidied = -HOUSEKEEPING
        while self._left:
            if time.monotonic() - tidied >= HOUSEKEEPING:
                self._tidied()
                tidied = time.monotonic()
            try:
                error = self._ended.get(timeout=HOUSEKEEPING)
            except queue.Empty:
                continue
            self._left -= 1
            if error is not None:
                self._replace(error)

    def _replace(self, error: BaseException) -> None:
        if isinstance(error, InvalidInputError) or (isinstance(error, OrderBookError) and not error.passes):
            raise error
        _log.error("a thread of the worker ended: %s: %s", type(error).__name__, error, exc_info=error)
        if not self._supply.over:
            # What ends every thread at once is not to fill a log.
            time.sleep(REPLACED)
            self._start()

    def _tidied(self) -> None:
        try:
            self._tidy()
        except OrderBookError as error:
            _log.warning("nothing was archived: %s", error)


def _lease_seconds(wanted: float | None, timeout: float) -> float:
    if wanted is None:
        return 2 * timeout + 60
    if wanted < 2 * timeout:
        raise InvalidInputError(
            f"a lease of {wanted:g} s is over before two requests are, of {timeout:g} s each",
            hint="make the lease longer, or the client's timeout shorter",
        )
    return wanted
