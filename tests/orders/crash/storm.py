"""Many orders through every fault that the emulator knows, with a worker that is killed at random moments."""

from __future__ import annotations

import itertools
import random
import time
from pathlib import Path
from typing import Any

from sectigo_iot.emulator import Control, shipped_faults
from sectigo_iot.orders import OrderState
from tests.orders.crash.fleet import until
from tests.orders.crash.judging import Tally
from tests.orders.crash.many import Many
from tests.orders.crash.service import Service

AUTHORITY = 489
"""Its profile knows `organizationName`, so that an order can have it before it becomes mandatory."""
LICENCES = 1_000_000
SHORT: dict[str, dict[str, Any]] = {
    "refuse": {"seconds": 0.2},
    "late-reply": {"seconds": 1.5},
    "accepted-late": {"seconds": 1.5},
    "slow-body": {"bytes": 2000},
    "slow-head": {"bytes": 2000},
    "clock-skewed": {"seconds": -300},
    "not-yet-valid": {"seconds": 2},
    "too-many": {"seconds": 0},
    "unavailable": {"seconds": 0},
}
"""Details of faults that take their time: they take less of it here."""
FRONTS = 4
"""All faults at once would strike seven calls in eight: each day has a share of them, and the days go round."""
MOMENTS = (1.0, 6.0)
"""Between how many seconds after its start a worker is killed; the first of them pass with importing."""
A_DAY = 5
"""Kills a day, as it were: then a human comes by."""
DAYS_AFTER = 8
"""Days that the storm goes on after the last kill; then the weather is fine."""
AFTERWARDS = 3.0
"""Seconds after which nothing of a killed worker is carried out any more."""
MOST_GROWTH = 10 * 2**20
AHEAD = 1900.0
"""Seconds that the next worker comes later, so that absence may count."""


def weather(control: Control, day: int, percent: float) -> None:
    """Let the faults of a day strike, each so many percent of the calls that it can strike."""
    control.clear_faults()
    for name in list(shipped_faults())[day % FRONTS :: FRONTS] if percent else ():
        control.add_fault(name, percent=percent, **SHORT.get(name, {}))


def storm(
    folder: Path, *, count: int, kills: int, percent: float = 5.0, seed: int = 7, patience: float = 1800
) -> Tally:
    """Carry orders through the storm, the worker killed so often; judge when all are delivered."""
    job: dict[str, Any] = {"timeout": 1.0, "lease": 2.0, "threads": 24, "reorder": True}
    service = Service(seed=seed, balances={str(AUTHORITY): LICENCES})
    with service, Many(folder, service, count, authority=AUTHORITY, at_once=count % kills, **job) as many:
        weather(service.control, 0, percent)
        _killed(many, kills, percent, random.Random(seed))
        _to_the_end(many, percent, patience)
        tally = many.judge()
    tally.struck = kills
    return tally


def _killed(many: Many, kills: int, percent: float, chance: random.Random) -> None:
    """Place a share of the orders before each kill, so that there is work for the worker."""
    for number in range(1, kills + 1):
        many.place(many.count // kills)
        with many.worker() as worker:
            time.sleep(chance.uniform(*MOMENTS))
            worker.kill()
        if number % A_DAY == 0:
            _next_day(many, number // A_DAY, percent)


def _next_day(many: Many, day: int, percent: float) -> None:
    """Let what is under way arrive, move every clock ahead, and see to what a human has to see to."""
    time.sleep(AFTERWARDS)
    many.clock.ahead += AHEAD
    many.service.control.advance(AHEAD)
    many.service.control.set_balance(AUTHORITY, LICENCES)
    many.help_on()
    weather(many.service.control, day, percent)


def _to_the_end(many: Many, percent: float, patience: float) -> None:
    end, days = time.monotonic() + patience, itertools.count()
    while not many.done() and time.monotonic() < end:
        with many.worker() as worker:
            until(many.done, 20.0, 0.5)
            worker.end()
        day = next(days)
        _next_day(many, day, percent if day < DAYS_AFTER else 0.0)


def growth(folder: Path, *, count: int, patience: float = 600) -> tuple[int, Tally]:
    """Return how many bytes a worker grows from the first tenth of so many orders on, and what came of them."""
    job: dict[str, Any] = {"timeout": 5.0, "threads": 8}
    with (
        Service(balances={str(AUTHORITY): LICENCES}) as service,
        Many(folder, service, count, authority=AUTHORITY, **job) as many,
        many.worker() as worker,
    ):
        until(lambda: many.book.counts().get(OrderState.DELIVERED, 0) >= count // 10, patience)
        before = worker.memory()
        many.all_delivered(patience)
        grown = worker.memory() - before
        worker.end()
        return grown, many.judge()
