"""A clock that is wrong, or moves, does no harm: lifetimes count from the moment of receipt, and nothing loops."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from email.utils import formatdate
from pathlib import Path

import pytest

from sectigo_iot import FileTokenStore, InvalidClaimsError, IoTManager, MemoryTokenStore, NotReadyError
from sectigo_iot.auth import Authenticator
from sectigo_iot.credentials import login_of
from sectigo_iot.emulator import Emulator
from sectigo_iot.transport import Transport
from tests.conftest import settings_for
from tests.reliability.figures import figure
from tests.unit.lying_server import Clock, LyingServer, Seen, answer, json_answer, jwt, lies, settings_at, tokens

HOUR = 3600.0
LICENCES = json_answer({"ordered": 1, "issued": 1})
NOW = float(int(time.time()))
_numbers = itertools.count()
STEPS = (-2 * HOUR, -HOUR, -30.0, 30.0, HOUR, 2 * HOUR)
HELD: list[str] = []
"""What held so far, for the figure."""
RENEWED: set[tuple[float, float, float]] = set()
"""Lifetimes in seconds, with an age at which a token was still used, and one at which it was renewed."""


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    """Note what all tests of this module have seen, where they all have."""
    yield
    wrong, steps, pauses, forms = (HELD.count(each) for each in ("wrong", "step", "pause", "form"))
    if wrong and steps and pauses and forms:
        figure(
            "clock",
            f"{wrong} wrong clocks, {steps} steps of up to two hours between calls, {pauses} in pauses, "
            f"{forms} forms of iat and exp: no loop",
        )
        for lifetime, used, renewed in sorted(RENEWED):
            figure("clock", f"a token of {lifetime:g} s: still used at {used:g} s, renewed at {renewed:g} s")


def cost(server: LyingServer) -> tuple[int, int, int]:
    """How many calls, log-ins and renewals there were; what was counted is forgotten."""
    counted = len(server.calls), len(server.logins), len(server.refreshes)
    server.seen.clear()
    return counted


@pytest.mark.parametrize("off", [-HOUR, -30.0, 30.0, HOUR, -30 * 365.25 * 24 * HOUR])
def test_a_clock_that_is_wrong_costs_nothing_and_renews_in_time(off: float) -> None:
    # Not before the epoch.
    clock = Clock(max(NOW + off, 86400.0))
    with lies(LICENCES, clock=clock) as (server, client):
        for _ in range(3):
            client.licenses_used()
        assert cost(server) == (3, 1, 0)
        clock.now += 590
        client.licenses_used()
        assert cost(server) == (1, 0, 0)
        clock.now += 6
        client.licenses_used()
        assert cost(server) == (1, 0, 1)
        clock.now += 8000
        client.licenses_used()
        assert cost(server) == (1, 1, 0)
    HELD.append("wrong")


@pytest.mark.parametrize(
    ("step", "after"),
    [(HOUR, (1, 0, 1)), (-HOUR, (1, 0, 1)), (2 * HOUR, (1, 1, 0)), (-2 * HOUR, (1, 0, 1)), (-30.0, (1, 0, 1))],
)
@pytest.mark.parametrize("new", [True, False], ids=["new process", "same process"])
def test_a_clock_that_steps_between_calls_costs_one_renewal(
    tmp_path: Path, step: float, after: tuple[int, int, int], new: bool
) -> None:
    clock, store = Clock(NOW), FileTokenStore(tmp_path)
    with lies(LICENCES, clock=clock, token_store=store) as (server, client):
        client.licenses_used()
        cost(server)
        clock.now += step
        with IoTManager(client.settings, clock=clock) as other:
            user = other if new else client
            user.licenses_used()
            assert cost(server) == after
            for _ in range(3):
                user.licenses_used()
            assert cost(server) == (3, 0, 0)
    HELD.append("step")


def test_a_clock_that_was_set_back_keeps_a_session_without_a_password_alive(tmp_path: Path) -> None:
    clock, store = Clock(NOW), FileTokenStore(tmp_path)
    with lies(LICENCES, clock=clock, token_store=store) as (server, client):
        client.licenses_used()
        cost(server)
        clock.now -= HOUR
        with IoTManager(settings_at(server.url, password=None, token_store=store), clock=clock) as other:
            other.licenses_used()
        assert cost(server) == (1, 0, 1)


@pytest.mark.parametrize("step", [HOUR, -HOUR])
@pytest.mark.parametrize("during", ["log-in", "refresh", "call"])
def test_a_clock_that_steps_during_a_wait_starts_no_loop(step: float, during: str) -> None:
    clock = Clock(NOW)
    moves = iter((step, 0))

    def moving(name: str, reply: Callable[[], bytes]) -> Callable[[Seen], bytes]:
        def replied(_: Seen) -> bytes:
            clock.now += next(moves, 0) if name == during else 0
            return reply()

        return replied

    def fresh() -> bytes:
        return json_answer(tokens())

    with lies(
        moving("call", lambda: LICENCES),
        login=moving("log-in", fresh),
        refresh=moving("refresh", fresh),
        clock=clock,
    ) as (server, client):
        client.licenses_used()
        client.refresh()
        for _ in range(3):
            client.licenses_used()
        calls, logins, refreshes = cost(server)
        assert (calls, logins) == (4, 1)
        assert refreshes <= 2
        for _ in range(3):
            client.licenses_used()
        assert cost(server) == (3, 0, 0)


class Stepping(Clock):
    """A clock in whose pauses another one, which goes on as well, steps."""

    def __init__(self, other: Clock, step: float) -> None:
        super().__init__()
        self._other = other
        self._step = step

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds)
        self._other.now += seconds + self._step


def test_a_clock_that_steps_while_a_batch_is_waited_for_changes_no_pause() -> None:
    pauses = {}
    for step in (0.0, *STEPS):
        clock = Clock(NOW)
        ticks = Stepping(clock, step)
        with lies(Issuing(looks=5), clock=clock, ticks=ticks) as (server, client):
            assert client.wait(24, timeout=60).success == 1
            _, logins, refreshes = cost(server)
        pauses[step] = ticks.slept
        assert len(ticks.slept) == 5
        assert ticks.slept == pauses[0.0]
        # Each step may cost a renewal, where it looks as if the token had run out, and none costs more.
        assert logins + refreshes <= 1 + (len(ticks.slept) if step else 0)
        HELD.extend(["pause"] * bool(step))


@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_steps_while_a_batch_is_waited_for_does_not_move_the_end(step: float) -> None:
    clock = Clock(NOW)
    ticks = Stepping(clock, step)
    with lies(Issuing(looks=1000), clock=clock, ticks=ticks) as (_, client), pytest.raises(NotReadyError):
        client.wait(24, timeout=60)
    assert sum(ticks.slept) == 60
    HELD.append("pause")


class Issuing:
    """Answers as a service does that is asked about a batch, which is ready after so many looks."""

    def __init__(self, looks: int) -> None:
        self.left = looks

    def __call__(self, seen: Seen) -> bytes:
        if seen.path.endswith("/processing_info"):
            self.left -= 1
            ready = self.left < 0
            return json_answer({"active": 0 if ready else 1, "success": int(ready), "failed": 0})
        return answer(200, "Ready for download" if self.left < 0 else "Processing", "text/plain")


def in_seconds(seconds: int) -> dict[str, str]:
    return {"Retry-After": str(seconds)}


def at_a_moment(seconds: int) -> dict[str, str]:
    """The same by the service's own clock, which is a day off."""
    there = NOW - 24 * HOUR
    return {"Date": formatdate(there, usegmt=True), "Retry-After": formatdate(there + seconds, usegmt=True)}


@pytest.mark.parametrize("form", [in_seconds, at_a_moment])
@pytest.mark.parametrize("step", STEPS)
def test_a_clock_that_steps_while_a_read_is_put_off_changes_no_pause(
    step: float, form: Callable[[int], dict[str, str]]
) -> None:
    clock = Clock(NOW)
    ticks = Stepping(clock, step)
    busy = answer(503, "{}", **{name.replace("-", "_"): value for name, value in form(7).items()})
    with lies(busy, busy, LICENCES, clock=clock, ticks=ticks) as (server, client):
        client.licenses_used()
        assert ticks.slept == [7.0, 7.0]
        assert cost(server) == (3, 1, 0)
        for _ in range(3):
            client.licenses_used()
        calls, logins, refreshes = cost(server)
        assert calls == 3
        assert logins + refreshes <= 1
        HELD.append("pause")


def test_a_clock_that_is_set_back_lets_no_token_live_longer() -> None:
    wall, ticks, store = Clock(NOW), Clock(), MemoryTokenStore()
    with LyingServer(LICENCES) as server:
        transport = Transport(settings_at(server.url))
        auth = Authenticator(transport, login_of(settings_at(server.url), store), store, clock=wall, monotonic=ticks)
        first = auth.token()
        # Ten minutes pass, and meanwhile the clock is set back by nine and a half.
        for clock, passed in ((ticks, 590.0), (wall, 20.0)):
            clock.now += passed
        assert auth.token() == first
        ticks.now += 10
        second = auth.token()
        assert second != first
        assert (len(server.logins), len(server.refreshes)) == (1, 1)
        assert auth.token() == second
        transport.close()


CLAIMS: dict[str, tuple[dict[str, object], float]] = {
    "whole": ({"iat": NOW, "exp": NOW + 900}, 900),
    "float": ({"iat": NOW + 0.25, "exp": NOW + 900.25}, 900),
    "text": ({"iat": str(int(NOW)), "exp": f"{NOW + 900:.1f}"}, 900),
    "exponent": ({"iat": f"{NOW:.12e}", "exp": f"{NOW + 900:.12e}"}, 900),
    "no exp": ({"iat": NOW}, 600),
    "exp null": ({"iat": NOW, "exp": None}, 600),
    "exp huge": ({"iat": NOW, "exp": 10**400}, 600),
    "exp infinite": ({"iat": NOW, "exp": float("inf")}, 600),
    "exp negative": ({"iat": NOW, "exp": -1}, 600),
    "exp true": ({"iat": NOW, "exp": True}, 600),
    "exp words": ({"iat": NOW, "exp": "soon"}, 600),
    "exp list": ({"iat": NOW, "exp": [NOW]}, 600),
    "no iat": ({"exp": NOW + 300}, 600),
    "iat null": ({"iat": None, "exp": NOW + 300}, 600),
    "iat negative": ({"iat": -5, "exp": NOW + 300}, 600),
    "iat ahead": ({"iat": NOW + HOUR, "exp": NOW + HOUR + 900}, 900),
    "iat behind": ({"iat": NOW - HOUR, "exp": NOW - HOUR + 900}, 900),
    "nbf ahead by a clock that is ahead": ({"iat": NOW + 60, "nbf": NOW + 60, "exp": NOW + 960}, 900),
}
"""What an access token says, and how long it lives by that, counted from its receipt."""


def pair_with(access: dict[str, object], refresh: dict[str, object] | None = None) -> bytes:
    life = {"iat": NOW, "exp": NOW + 7200} if refresh is None else refresh
    number = next(_numbers)
    return json_answer({"accessToken": jwt({**access, "n": number}), "refreshToken": jwt({**life, "n": number})})


@pytest.mark.parametrize(("claims", "lifetime"), CLAIMS.values(), ids=CLAIMS)
def test_a_token_of_any_claims_is_used_and_renewed_in_time(claims: dict[str, object], lifetime: float) -> None:
    clock = Clock(NOW - 12_345)

    def reply(_: Seen) -> bytes:
        return pair_with(claims)

    with lies(LICENCES, login=reply, refresh=reply, clock=clock) as (server, client):
        for passed, expected in ((0.0, (1, 1, 0)), (lifetime - 6, (1, 0, 0)), (1.0, (1, 0, 1)), (1.0, (1, 0, 0))):
            clock.now += passed
            client.licenses_used()
            assert cost(server) == expected
    HELD.append("form")
    RENEWED.add((lifetime, lifetime - 6, lifetime - 5))


@pytest.mark.parametrize("claims", [{"iat": NOW}, {"exp": NOW + 100}, {"iat": NOW, "exp": "soon"}])
def test_a_refresh_token_that_lacks_a_time_lives_two_hours(claims: dict[str, object]) -> None:
    clock = Clock(NOW)

    def reply(_: Seen) -> bytes:
        return pair_with({"iat": NOW, "exp": NOW + 600}, claims)

    with lies(LICENCES, login=reply, refresh=reply, clock=clock) as (server, client):
        for passed, expected in ((0.0, (1, 1, 0)), (7100.0, (1, 0, 1)), (7201.0, (1, 1, 0))):
            clock.now += passed
            client.licenses_used()
            assert cost(server) == expected


def test_a_token_that_says_nothing_of_its_life_is_refused_after_one_log_in() -> None:
    with lies(LICENCES, login=pair_with({"sub": "jane"})) as (server, client):
        with pytest.raises(InvalidClaimsError):
            client.licenses_used()
        assert cost(server) == (0, 1, 0)


@pytest.mark.parametrize("lifetime", [0, -1, -HOUR])
@pytest.mark.parametrize("accepted", [True, False])
def test_a_token_that_says_it_does_not_live_is_sent_once_a_call(lifetime: float, accepted: bool) -> None:
    dead: dict[str, object] = {"iat": NOW, "exp": NOW + lifetime}
    denied = json_answer({"status": 401, "message": "no"}, 401)

    def reply(_: Seen) -> bytes:
        return pair_with(dead, dead)

    with lies(LICENCES if accepted else denied, login=reply, refresh=reply, clock=lambda: NOW) as (server, client):
        for _ in range(3):
            if accepted:
                client.licenses_used()
                assert cost(server) == (1, 1, 0)
            else:
                with pytest.raises(Exception, match="401"):
                    client.licenses_used()
                assert cost(server) == (2, 2, 0)


@pytest.fixture
def skewed() -> Iterator[Emulator]:
    with Emulator(faults=("clock-skewed,seconds=-3600",)) as service:
        yield service


def test_tokens_that_are_dated_by_another_clock(skewed: Emulator) -> None:
    clock = Clock(time.time())
    with IoTManager(settings_for(skewed), clock=clock) as client:
        for _ in range(3):
            client.licenses_used()
            for passed in (300.0, 310.0):
                clock.now += passed
                skewed.control.advance(passed)
                client.licenses_used()
    asked = [str(each["call"]) for each in skewed.control.journal()]
    assert (asked.count("authenticate"), asked.count("refresh")) == (1, 3)
    assert {each["status"] for each in skewed.control.journal()} == {200}
