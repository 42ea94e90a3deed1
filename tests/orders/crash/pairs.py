"""Two workers on one book, one of them killed every two seconds; and many that race for few licences."""

from __future__ import annotations

import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from sectigo_iot.orders import OrderState
from tests.orders.crash.fleet import until
from tests.orders.crash.judging import Tally
from tests.orders.crash.many import Many
from tests.orders.crash.service import Service

BETWEEN = 2.0
LEASE = 6.0
"""Two deadlines: what a killed worker had in hand is free after this."""


def pair(folder: Path, *, count: int, kills: int, book: str | None = None, patience: float = 300) -> Tally:
    """Carry orders with two workers, one after the other killed and started anew so often; judge."""
    job: dict[str, Any] = {"timeout": LEASE / 2, "lease": LEASE, "threads": 2}
    # A reply that takes its time is one in whose middle a kill may fall.
    slow = ("late-reply,seconds=0.2,percent=50",)
    with Service(faults=slow) as service, Many(folder, service, count, book=book, **job) as many:
        workers = [many.worker(), many.worker()]
        struck = 0
        for number in range(kills):
            time.sleep(BETWEEN)
            if many.done():
                break
            workers[number % 2].kill()
            workers[number % 2] = many.worker()
            struck += 1
        _settled(many, patience)
        for worker in workers:
            worker.end()
        tally = many.judge()
        tally.answered = _answered(many)
    tally.struck = struck
    return tally


def _settled(many: Many, patience: float) -> None:
    def settled() -> bool:
        counts = many.book.counts()
        open_ones = counts.get(OrderState.UNKNOWN, 0) + counts.get(OrderState.DELIVERED, 0)
        return open_ones == many.count and many.book.attention_count() >= counts.get(OrderState.UNKNOWN, 0)

    until(settled, patience, 0.3)


def _answered(many: Many) -> int:
    """Say of each order whose outcome is unknown what the portal shows, and let a worker carry it to its end."""
    there = {name: int(each["id"]) for each in many.batches() for name in each["commonNames"]}
    asked = many.orders(states=(OrderState.UNKNOWN,))
    for order in asked:
        batch = there.get(order.wanted.common_name)
        many.book.resolve(order.key, batch_id=batch, absent=batch is None, reason="the portal says so")
    with many.worker() as worker:
        many.all_delivered(60.0)
        worker.end()
    return len(asked)


def race(folder: Path, *, count: int = 50, licences: int = 20, processes: int = 4, patience: float = 60) -> Tally:
    """Let several workers race for few licences; `delivered` got one, `asked` were told that there was none."""
    options = {"balances": {"423": licences}}
    with Service(**options) as service, Many(folder, service, count, threads=4) as many, ExitStack() as stack:
        workers = [stack.enter_context(many.worker()) for _ in range(processes)]

        def over() -> bool:
            there = many.book.counts().get(OrderState.DELIVERED, 0)
            return there + many.book.attention_count() >= count

        until(over, patience, 0.2)
        for worker in workers:
            worker.end()
        tally = many.judge()
        refused = service.control.orders()["refused"]
    if refused:
        tally.faults.append(f"{refused} orders were sent without a licence left")
    return tally
