"""Reads go through the service's bad minutes: each fault alone at 30 %, and all of them together at 5 % each."""

from __future__ import annotations

import contextlib
import email.utils
import random
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sectigo_iot import IoTManager, SectigoError
from tests.reliability.answering import Answering, Said
from tests.reliability.figures import FULL, figure, share
from tests.reliability.typed import rightly
from tests.unit.lying_server import Clock, Seen, answer, settings_at

BUDGET = 60.0
"""Seconds that a read may take, repetitions included."""
LEAST = 12
"""Attempts that there must be time for."""


Fields = Callable[[], dict[str, str]]


def _busy(status: int, fields: Fields = dict) -> Callable[[Said], Said]:
    return lambda _: Said(answer(status, "later", "text/plain", **fields()), keep=True)


def _in_seconds(seconds: float) -> Fields:
    return lambda: {"Retry_After": f"{seconds:g}"}


def _at_a_moment(seconds: float) -> Fields:
    """Ask to wait until a moment, by a clock that is an hour behind ours, and says so."""

    def fields() -> dict[str, str]:
        now = int(time.time()) - 3600
        moments = [email.utils.formatdate(moment, usegmt=True) for moment in (now, now + seconds)]
        return dict(zip(("Date", "Retry_After"), moments, strict=True))

    return fields


ASKED = {
    "503 with Retry-After": 1.0,
    "429 with Retry-After in seconds": 2.0,
    "429 with Retry-After as a date": 4.0,
}
"""Seconds that a fault asks to wait for."""
FAULTS: dict[str, Callable[[Said], Said]] = {
    "502": _busy(502),
    "503": _busy(503),
    "503 with Retry-After": _busy(503, _in_seconds(1)),
    "504": _busy(504),
    "429 with Retry-After in seconds": _busy(429, _in_seconds(2)),
    "429 with Retry-After as a date": _busy(429, _at_a_moment(4)),
    "reset before the answer": lambda _: Said(reset=True),
    "reset in mid-body": lambda right: Said(right.data[:-1], reset=True),
}
READS: tuple[Callable[[IoTManager], Any], ...] = (
    lambda client: client.licenses_used(),
    lambda client: client.user_authorities(),
    lambda client: client.authority_available_balance(7),
    lambda client: client.profiles(),
    lambda client: client.profile_detail(8),
    lambda client: client.profile_params(8),
    lambda client: client.organization(),
    lambda client: client.find_certificate("example.com"),
    lambda client: client.batch_detail(24),
    lambda client: client.batch_status(24),
    lambda client: client.processing_info(24),
    lambda client: client.download_bytes(24),
)


class Weather:
    """A service in which these faults strike a read by chance; counts the requests for the read of the moment."""

    def __init__(self, chance: random.Random, percent: int, *faults: str) -> None:
        self._chance = chance
        self._percent = percent
        self._faults = faults
        self.attempts = 0
        self.asked: list[float] = []
        """For each strike the seconds that it asked to wait for."""

    def answer(self, seen: Seen) -> Said:
        right = rightly(seen)
        if "/auth/" in seen.path:
            return right
        self.attempts += 1
        lot = self._chance.randrange(100)
        if lot >= self._percent * len(self._faults):
            return right
        fault = self._faults[lot // self._percent]
        self.asked.append(ASKED.get(fault, 0.0))
        return FAULTS[fault](right)

    @property
    def struck(self) -> int:
        return len(self.asked)


class Reader:
    """A client whose time passes only while it waits, and what its reads took at the most."""

    def __init__(self, url: str, weather: Weather) -> None:
        self.ticks = Clock()
        self.client = IoTManager(settings_at(url, timeout=BUDGET), monotonic=self.ticks, sleep=self.ticks.sleep)
        self.weather = weather
        self.most = 0
        self.longest = 0.0

    def read(self, call: Callable[[IoTManager], Any]) -> None:
        """Read once, and remember how often that was asked for and how long it waited."""
        began, self.weather.attempts = self.ticks(), 0
        try:
            call(self.client)
        finally:
            self.most = max(self.most, self.weather.attempts)
            self.longest = max(self.longest, self.ticks() - began)


class Tally:
    """What all reads took at the most, and how many attempts there were where a fault lasted."""

    def __init__(self) -> None:
        self.reads = self.struck = self.most = self.waits = 0
        self.longest = 0.0
        self.attempts: list[int] = []

    def add(self, reader: Reader, count: int) -> None:
        self.reads += count
        self.struck += reader.weather.struck
        self.waits += sum(asked > 0 for asked in reader.weather.asked)
        self.most, self.longest = max(self.most, reader.most), max(self.longest, reader.longest)


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """One tally for all faults."""
    counted = Tally()
    yield counted
    figure(
        "reads",
        f"{counted.reads} reads, {len(FAULTS)} faults at 30 %, all at 5 %: {counted.struck} struck, none failed, "
        f"{counted.waits} times a pause was asked for, and kept; "
        f"at the most {counted.most} attempts and {counted.longest:.1f} s of waiting",
    )
    if counted.attempts:
        least, most = min(counted.attempts), max(counted.attempts)
        figure("reads", f"where a fault lasts {least} to {most} attempts in {BUDGET:g} s")


@contextlib.contextmanager
def reading(weather: Weather) -> Iterator[Reader]:
    with Answering(weather.answer) as server:
        reader = Reader(server.url, weather)
        with reader.client:
            yield reader


@pytest.fixture
def chance() -> Iterator[random.Random]:
    """Lots that are the same in each `make test`, those of the client's pauses too."""
    before = random.getstate()
    random.seed(None if FULL else 4)
    yield random.Random(None if FULL else 4)
    random.setstate(before)


def read_all(weather: Weather, count: int) -> Reader:
    """Read so often; the first read that fails fails the test."""
    with reading(weather) as reader:
        for number in range(count):
            reader.read(READS[number % len(READS)])
    assert reader.longest <= BUDGET
    pauses = list(zip(weather.asked, reader.ticks.slept, strict=True))
    assert all(slept >= asked for asked, slept in pauses), pauses
    return reader


@pytest.mark.parametrize("fault", FAULTS)
def test_reads_under_a_fault_at_30_percent(fault: str, chance: random.Random, tally: Tally) -> None:
    count = share(1000, 36)
    weather = Weather(chance, 30, fault)
    reader = read_all(weather, count)
    assert weather.struck > count // 5
    tally.add(reader, count)


def test_reads_under_all_faults_at_5_percent(chance: random.Random, tally: Tally) -> None:
    count = share(1000, 60)
    weather = Weather(chance, 5, *FAULTS)
    reader = read_all(weather, count)
    assert weather.struck > count // 5
    tally.add(reader, count)


@pytest.mark.parametrize("fault", FAULTS)
def test_there_is_time_for_enough_attempts(fault: str, chance: random.Random, tally: Tally) -> None:
    attempts = []
    with reading(Weather(chance, 100, fault)) as reader:
        for number in range(share(100, 3)):
            before = reader.ticks()
            with pytest.raises(SectigoError):
                # Not the last of them: where a download is refused, the batch is asked after, too.
                reader.read(READS[number % (len(READS) - 1)])
            attempts.append(reader.weather.attempts)
            assert reader.ticks() - before <= BUDGET
    assert min(attempts) >= LEAST
    tally.attempts += attempts


@pytest.mark.parametrize("asked", ["61", "9" * 30, "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_who_is_told_to_wait_beyond_the_budget_does_not_wait(asked: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FAULTS, "429", _busy(429, lambda: {"Retry_After": asked}))
    with reading(Weather(random.Random(1), 100, "429")) as reader:
        with pytest.raises(SectigoError, match="429"):
            reader.read(READS[0])
        assert (reader.weather.attempts, reader.ticks.slept) == (1, [])


@pytest.mark.parametrize(
    ("fields", "least"),
    [
        (_in_seconds(9), 9.0),
        (_at_a_moment(9), 9.0),
        # Without the service's Date ours counts, and a busy machine takes its time.
        (lambda: {"Retry_After": email.utils.formatdate(time.time() + 30, usegmt=True)}, 20.0),
    ],
    ids=["seconds", "a date and the service's own", "a date"],
)
def test_a_pause_is_as_long_as_was_asked_for(
    fields: Fields, least: float, monkeypatch: pytest.MonkeyPatch, chance: random.Random
) -> None:
    monkeypatch.setitem(FAULTS, "429", _busy(429, fields))
    with reading(Weather(chance, 100, "429")) as reader:
        with pytest.raises(SectigoError):
            reader.read(READS[0])
        assert len(reader.ticks.slept) > 1
        assert min(reader.ticks.slept) >= least
