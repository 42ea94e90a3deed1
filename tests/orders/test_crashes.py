"""Killed, or refused by the system, at some of the points that `make crash-test` tries all of."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from tests.orders.crash import points, strikes
from tests.orders.crash.judging import Tally
from tests.orders.crash.lane import Try
from tests.orders.crash.lanes import Lanes
from tests.orders.crash.settings import SETTINGS, Setting
from tests.orders.crash.strikes import Point

KILLS, REFUSALS = 60, 6

pytestmark = pytest.mark.needs("strace")
Points = dict[Setting, list[Point]]


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    """Skip where no process may be followed; under CI that has to be possible."""
    why = strikes.permitted()
    if why and os.environ.get("CI") != "true":
        pytest.skip(f"no process can be followed here: {why}")
    assert not why
    with Lanes(tmp_path_factory.mktemp("crashes")) as several:
        yield several


@pytest.fixture(scope="module")
def every(lanes: Lanes) -> Points:
    return lanes.points(SETTINGS)


def counted(lanes: Lanes, tries: Sequence[Try]) -> Mapping[Setting, Tally]:
    """Try, and fail where anything was doubled, lost or stuck."""
    tallies = lanes.tried(tries)
    assert [fault for tally in tallies.values() for fault in tally.faults] == []
    assert sum(tally.struck for tally in tallies.values()) >= 0.9 * len(tries)
    assert all(tally.clean for tally in tallies.values())
    assert all(tally.delivered == tally.placed == tally.points for tally in tallies.values())
    return tallies


def test_there_are_hundreds_of_points(every: Points) -> None:
    assert sum(map(len, every.values())) >= 500
    assert {point.call for several in every.values() for point in several} >= {
        "pwrite64",
        "sendto",
        "rename",
        "fsync",
    }


def test_killed_anywhere_nothing_is_doubled_or_lost(lanes: Lanes, every: Points) -> None:
    assert counted(lanes, points.spread(points.kills(every), KILLS)).keys() == set(SETTINGS)


def test_a_disk_that_is_full_or_fails_costs_nothing(lanes: Lanes, every: Points) -> None:
    counted(lanes, points.spread(points.refusals(every), REFUSALS))


def test_an_order_of_which_nothing_can_be_asked_is_put_before_a_human(lanes: Lanes, every: Points) -> None:
    blind = [setting for setting in SETTINGS if setting.blind]
    tallies = counted(lanes, [points.unsaved_reply(setting, every[setting]) for setting in blind])
    assert [tallies[setting].answered for setting in blind] == [1, 1]


def test_an_order_that_the_service_shows_is_found_again(lanes: Lanes, every: Points) -> None:
    seeing = [setting for setting in SETTINGS if not setting.blind]
    tallies = counted(lanes, [points.unsaved_reply(setting, every[setting]) for setting in seeing])
    assert [tallies[setting].asked for setting in seeing] == [0] * len(seeing)


def test_what_is_ordered_twice_would_be_seen(lanes: Lanes, every: Points) -> None:
    """The judge is no rubber stamp: a human who says without looking that the order is not there doubles it."""
    blind = next(setting for setting in SETTINGS if setting.blind)
    _, strike = points.unsaved_reply(blind, every[blind])
    (tally,) = lanes.tried([(replace(blind, careless=True), strike)]).values()
    assert (tally.placed, tally.doubled, tally.lost) == (2, 1, 1)
    assert not tally.clean
