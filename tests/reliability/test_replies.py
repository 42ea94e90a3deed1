"""Whatever a server answers: each typed call gives a value of its type, or an error of the library's tree."""

from __future__ import annotations

import datetime
import gc
import json
import logging
import pickle
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from sectigo_iot import (
    BatchStatus,
    IoTManager,
    MemoryTokenStore,
    Profile,
    SectigoError,
    Settings,
    TokenPair,
    fields,
)
from sectigo_iot.answers import Answer
from sectigo_iot.models import Authority, ProfileParameter
from tests.conftest import Runner
from tests.reliability.answering import Answering, Said
from tests.reliability.answers import each_once, made
from tests.reliability.figures import FULL, figure, share
from tests.reliability.typed import TYPED, rightly
from tests.unit.lying_server import PASSWORD, USERNAME, Clock, Seen, tokens

LONGEST = 10.0
"""Seconds that an answer may keep the client busy, whose calls have two."""
EACH = 10
"""Answers that are made with the lots of one example of hypothesis."""
LOTS = st.randoms(use_true_random=True)
"""Lots that hypothesis seeds: one draw of its own for an example, which is told by its seed."""
COMMANDS = {
    "authenticate": ("-p", PASSWORD, "auth"),
    "createSingleCertBatch": ("create", "-d", "example.com", "-p", "Very-Secret-12"),
    "batchDetail": ("batches", "-i", "24"),
    "batchStatus": ("batches", "-i", "24", "-s"),
    "batchProcessingInfo": ("batches", "-i", "24", "-I"),
    "download": ("download", "-i", "24", "--force"),
    "devices": ("licenses",),
    "userAuthorities": ("authorities",),
    "authorityUserBalanceAvailable": ("authorities", "-b"),
    "profiles": ("profiles",),
    "profileDetail": ("profiles", "-i", "8", "--config"),
    "profileParameters": ("profiles", "-i", "8", "-p"),
    "currentUserOrganization": ("organization",),
    "findCertificate": ("find", "-n", "example.com"),
    "revokeCertificate": ("revoke", "-p", "8", "-s", "AB"),
}
"""The command that makes each."""
READ_AS: dict[Any, type | tuple[type, ...]] = {
    fields.integer: int,
    fields.count: int,
    fields.maybe_integer: (int, type(None)),
    fields.text: (str, type(None)),
    fields.name: str,
    fields.flag: bool,
    fields.status: BatchStatus,
    fields.anything: object,
    fields.texts: tuple,
    fields.mapping: Mapping,
    fields.time: (datetime.datetime, type(None)),
}
"""What each way to read a field gives; what is not here gives further answers."""


def check_value(value: Any, kind: type) -> None:
    """Fail unless this is a value of the declared type, all through, and can be worked with."""
    if kind in (Authority, Profile, ProfileParameter):
        assert isinstance(value, tuple)
        values = value
    else:
        values = (value,)
    for each in values:
        assert isinstance(each, kind)
        assert not isinstance(each, bool)
        assert f"{each!r}{each}"
        if isinstance(each, Answer):
            _check_answer(each)


def check_error(error: SectigoError) -> None:
    """Fail unless an error is one line, in which nothing is an order to a terminal."""
    assert str(error).isprintable()
    assert repr(error).isprintable()


def _check_answer(each: Answer) -> None:
    assert pickle.loads(pickle.dumps(each)).as_dict().keys() == each.as_dict().keys()
    hash(each)
    json.dumps(each.document, indent=2)
    for field in each._fields:
        assert isinstance(each.as_dict()[field.name], READ_AS.get(field.read, tuple)), field.key
        if field.read not in READ_AS:
            for item in each.as_dict()[field.name]:
                _check_answer(item)


class Stage:
    """A server that gives the answer of the moment to one call and valid ones to all others, and clients of it."""

    def __init__(self, name: str, folder: Path) -> None:
        self.typed = TYPED[name]
        self.said = Said()
        self.folder = folder
        self.seen = Counter[str]()
        self.different = set[int]()
        self.longest = 0.0
        self.server = Answering(self._answer)
        self._client: IoTManager | None = None
        self._session = TokenPair(**_pair(), received=time.time())

    def _answer(self, seen: Seen) -> Said:
        request = f"{seen.method} {seen.path}"
        if request == self.typed.request:
            self.seen["asked"] += 1
            return self.said
        return rightly(seen)

    def client(self) -> IoTManager:
        """Return a client with a session; a log-in wants a new one, since a refused password is not tried again."""
        if self._client is None or "/auth/" in self.typed.request:
            self.close()
            store, ticks = MemoryTokenStore(), Clock()
            store.save(self.server.url, USERNAME, self._session)
            chosen = Settings(
                USERNAME, PASSWORD, None, self.server.url, "testing", token_store=store, environ={}, timeout=2.0
            )
            self._client = IoTManager(chosen, monotonic=ticks, sleep=ticks.sleep)
        return self._client

    def close(self) -> None:
        if self._client is not None:
            self._client.close()
            self._client = None

    def judge(self, said: Said) -> None:
        """Have the call answered by this, and fail unless a value of its type or an error of the library comes."""
        self.said = said
        began = time.monotonic()
        try:
            self._judge()
        except Exception as error:
            error.add_note(f"the answer: {said.data[:1000]!r}, {len(said.data)} bytes")
            raise
        self.longest = max(self.longest, time.monotonic() - began)
        self.different.add(hash(said))

    def _judge(self) -> None:
        try:
            value = self.typed.call(self.client(), self.folder)
        except SectigoError as error:
            check_error(error)
            self.seen["errors"] += 1
        else:
            check_value(value, self.typed.kind)
            self.seen["values"] += 1


def _pair() -> dict[str, str]:
    made = tokens(10**6, refresh=10**6)
    return {"access_token": made["accessToken"], "refresh_token": made["refreshToken"]}


def few(full: int, part: int) -> settings:
    """Return how many examples hypothesis makes: always the same ones in `make test`."""
    return settings(
        max_examples=share(full, part),
        deadline=None,
        database=None,
        derandomize=not FULL,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )


class Tally:
    """What came of the answers to all calls, and to all commands."""

    def __init__(self) -> None:
        self.calls = set[str]()
        self.came = Counter[str]()
        self.commands: dict[str, Counter[int]] = {}

    def add(self, name: str, stage: Stage) -> None:
        self.calls.add(name)
        self.came.update(values=stage.seen["values"], errors=stage.seen["errors"], different=len(stage.different))

    def note(self) -> None:
        """Note the figures of what was tried, which may be calls or commands alone."""
        if self.calls:
            answered = self.came["values"] + self.came["errors"]
            figure(
                "replies",
                f"{answered} answers, {self.came['different']} of them different, to {len(self.calls)} calls: "
                f"{self.came['values']} values, {self.came['errors']} errors of the tree, nothing else",
            )
        if self.commands:
            answered = sum(codes.total() for codes in self.commands.values())
            figure("replies", f"{answered} answers to {len(self.commands)} commands: no traceback")


@pytest.fixture(autouse=True)
def _no_garbage_in_the_deep() -> Iterator[None]:
    """Collect no garbage while a reply is read: a finalizer that ran deep in one would have no stack left."""
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """One tally of everything."""
    counted = Tally()
    yield counted
    counted.note()


@pytest.fixture
def staged(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], Stage]]:
    """Set the stage for a call."""
    stages: list[Stage] = []
    # It tells each head field that it cannot read with a traceback, and pytest keeps them all.
    monkeypatch.setattr(logging.getLogger("urllib3.connection"), "disabled", True)

    def stage(name: str) -> Stage:
        stages.append(Stage(name, tmp_path))
        stages[-1].server.__enter__()
        return stages[-1]

    yield stage
    for each in stages:
        each.close()
        each.server.__exit__()


@pytest.mark.parametrize("name", TYPED)
def test_whatever_is_answered_to_a_call(staged: Callable[[str], Stage], name: str, tally: Tally) -> None:
    stage = staged(name)

    @few(5000 // EACH, 3)
    @given(LOTS)
    def answered(chance: random.Random) -> None:
        for _ in range(EACH):
            stage.judge(made(chance, stage.typed.valid, stage.typed.media_type))

    answered()
    assert min(stage.seen["values"], stage.seen["errors"]) > 0, "the answers are hopeless, or harmless"
    assert stage.longest < LONGEST
    tally.add(name, stage)


@pytest.mark.parametrize("name", list(TYPED) if FULL else ["devices", "download"])
def test_each_oddity_alone(staged: Callable[[str], Stage], name: str, tally: Tally) -> None:
    stage = staged(name)
    valid = stage.typed.valid
    for said in each_once(valid if isinstance(valid, bytes) else json.dumps(valid).encode(), stage.typed.media_type):
        stage.judge(said)
    assert min(stage.seen["values"], stage.seen["errors"]) > 0, "the answers are hopeless, or harmless"
    assert stage.longest < LONGEST
    tally.add(name, stage)


@pytest.mark.parametrize("name", COMMANDS)
def test_whatever_is_answered_to_a_command(
    sectigo: Runner,
    staged: Callable[[str], Stage],
    name: str,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    tally: Tally,
) -> None:
    monkeypatch.chdir(tmp_path)
    stage = staged(name)
    codes = Counter[int]()
    env = {
        "SECTIGO_USERNAME": USERNAME,
        "SECTIGO_PASSWORD": PASSWORD,
        "SECTIGO_ENDPOINT": stage.server.url,
        "SECTIGO_ENVIRONMENT": "testing",
        "SECTIGO_TIMEOUT": "0.2",
    }

    @few(200, 3)
    @given(LOTS)
    def answered(chance: random.Random) -> None:
        stage.said = made(chance, stage.typed.valid, stage.typed.media_type)
        done = sectigo(*COMMANDS[name], env=env)
        codes[done.code] += 1
        assert done.code in (0, 1, 2, 3, 4, 5, 8)
        assert "Traceback" not in done.err
        assert "unexpected:" not in done.err
        assert PASSWORD not in done.out + done.err
        assert all(c.isprintable() or c == "\n" for c in done.err), "what a server says is no order to a terminal"

    answered()
    tally.commands[name] = codes
