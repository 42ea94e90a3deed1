"""Many orders in one book: placed, carried by worker processes, and counted against what the emulator has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any, Self

from sectigo_iot.orders import Order, OrderRequest, OrderState, Placement
from tests.orders.crash.carrying import Clock, delivered, open_book
from tests.orders.crash.fleet import Worker, until
from tests.orders.crash.judging import Tally, by_name
from tests.orders.crash.service import Service

PARAMS = {
    489: {
        "organizationName": "Example",
        "localityName": "Chicago",
        "stateOrProvinceName": "Illinois",
        "countryName": "US",
    }
}
"""What the profile of an authority asks for beside the names."""
FRUITLESS = (OrderState.REJECTED, OrderState.FAILED, OrderState.EXPIRED)


class Many:
    """So many orders in a book at `book` (in the folder, where None), for one emulator; a context manager.

    `at_once`: how many of them are placed at the beginning; `place` places more. `job`: what its workers are told.
    """

    def __init__(
        self,
        folder: Path,
        service: Service,
        count: int,
        *,
        book: str | None = None,
        authority: int = 423,
        at_once: int | None = None,
        **job: Any,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.folder, self.service, self.count = folder, service, count
        self.clock = Clock()
        self._where, self._at_once = book, at_once
        self.job = {"folder": str(folder), "book": book, "own_key": False, "use_list": True, "probe": 0, **job}
        self.job |= asdict(service.address)
        self._started = 0
        params = PARAMS.get(authority, {})
        self._placements = [
            Placement(
                f"vasp-{number}",
                OrderRequest(names=(f"vasp-{number}.example.com",), authority=authority, params=params),
                None,
                None,
            )
            for number in range(count)
        ]

    def __enter__(self) -> Self:
        self.book = open_book(self.folder, self._where, self.clock)
        self.place(self.count if self._at_once is None else self._at_once)
        return self

    def __exit__(self, *_: object) -> None:
        self.book.close()

    def place(self, count: int) -> None:
        """Place so many more of them."""
        self.book.place_all(self._placements[:count])
        del self._placements[:count]

    def worker(self, **more: Any) -> Worker:
        """Start a worker process."""
        self._started += 1
        return Worker({**self.job, "ahead": self.clock.ahead, **more}, self.folder / f"worker-{self._started}.log")

    def done(self) -> bool:
        """Whether every order is delivered."""
        return self.book.counts().get(OrderState.DELIVERED, 0) == self.count

    def all_delivered(self, seconds: float) -> bool:
        """Wait until every order is delivered; return whether that came to be."""
        return until(self.done, seconds, 0.3)

    def orders(self, **wanted: Any) -> list[Order]:
        """Return the orders, page by page."""
        found: list[Order] = []
        while page := self.book.find(after=found[-1].key if found else None, limit=500, **wanted):
            found += page
        return found

    def help_on(self) -> None:
        """Do what a human does with orders that came to nothing: try them again."""
        for order in self.orders(states=FRUITLESS):
            self.book.retry(order.key)

    def batches(self) -> list[Mapping[str, Any]]:
        """Return every batch that the emulator has."""
        found: list[Mapping[str, Any]] = []
        while page := self.service.control.batches(limit=1000, before=found[-1]["id"] if found else None):
            found += page
        return found

    def judge(self) -> Tally:
        """Hold what was ordered, what the book says and what was delivered against each other."""
        batches, tally = self.batches(), Tally(points=self.count)
        names = by_name(batches)
        serials = {name: each["serials"] for each in batches for name in each["commonNames"]}
        tally.placed = len(batches)
        tally.doubled = sum(number - 1 for number in names.values())
        for order in self.orders():
            here = delivered(self.folder, order.key)
            there = serials.get(order.wanted.common_name, [])
            tally.delivered += here is not None
            tally.asked += order.attention is not None
            tally.lost += bool(there) and here not in there
            if order.state is not OrderState.DELIVERED and order.attention is None:
                tally.stuck += 1
                tally.faults.append(f"{order.key}: {order.state}: {order.reason}")
        tally.faults += [f"{name}: {number} placed" for name, number in names.items() if number > 1]
        return tally
