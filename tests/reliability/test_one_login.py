"""One login for all: many processes with many threads begin at once, and one of them logs in, or renews."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from sectigo_iot import FileTokenStore, IoTManager
from sectigo_iot.emulator import Emulator
from tests.conftest import settings_for
from tests.reliability.crowd import Crowd
from tests.reliability.figures import figure, share

PROCESSES, THREADS = share(32, 4), 4
MANY = f"{PROCESSES} processes x {THREADS} threads"


@pytest.fixture(scope="module")
def crowd() -> Iterator[Crowd]:
    with Crowd(PROCESSES) as processes:
        yield processes


def cost_of(crowd: Crowd, service: Emulator, folder: Path) -> Counter[str]:
    """Let all of them begin, and count what was asked of the service."""
    service.control.clear_journal()
    assert Counter(crowd.begin(service, folder, THREADS)) == {"done": PROCESSES * THREADS}
    return Counter(str(each["call"]) for each in service.control.journal())


@pytest.fixture
def kept(emulator: Emulator, tmp_path: Path) -> FileTokenStore:
    """A store with the tokens of a log-in."""
    store = FileTokenStore(tmp_path / "cache")
    with IoTManager(settings_for(emulator, token_store=store)) as client:
        client.authenticate()
    return store


def test_with_an_empty_cache_one_logs_in(crowd: Crowd, emulator: Emulator, tmp_path: Path) -> None:
    cost = cost_of(crowd, emulator, tmp_path / "cache")
    assert cost == {"authenticate": 1, "devices": PROCESSES * THREADS}
    figure("one-login", f"{MANY}, empty cache: {cost['authenticate']} log-in")


def link(path: Path) -> None:
    path.symlink_to(path.parent / "elsewhere")


@pytest.mark.parametrize("spoil", [os.mkfifo, os.mkdir, link], ids=["fifo", "folder", "link"])
def test_with_a_spoilt_lock_one_logs_in(
    crowd: Crowd, emulator: Emulator, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    lock = FileTokenStore(tmp_path).path(emulator.url, emulator.username).with_suffix(".json.lock")
    spoil(lock)
    assert cost_of(crowd, emulator, tmp_path)["authenticate"] == 1
    assert lock.is_file()
    assert not (tmp_path / "elsewhere").exists()


def test_with_kept_tokens_nobody_logs_in(crowd: Crowd, emulator: Emulator, kept: FileTokenStore) -> None:
    assert cost_of(crowd, emulator, kept.folder) == {"devices": PROCESSES * THREADS}


def test_with_a_token_that_the_service_refuses_one_renews(
    crowd: Crowd, emulator: Emulator, kept: FileTokenStore
) -> None:
    emulator.control.advance(700)
    cost = cost_of(crowd, emulator, kept.folder)
    assert (cost["authenticate"], cost["refresh"]) == (0, 1)
    # How many come with the old token is chance; nobody comes with it twice.
    assert PROCESSES * THREADS < cost["devices"] <= 2 * PROCESSES * THREADS
    figure("one-login", f"{MANY}, token refused by the service: {cost['refresh']} refresh")


def test_with_a_token_that_has_run_out_by_our_clock_one_renews(
    crowd: Crowd, emulator: Emulator, kept: FileTokenStore
) -> None:
    path = kept.path(emulator.url, emulator.username)
    document = json.loads(path.read_bytes())
    path.write_text(json.dumps({**document, "received": document["received"] - 700}))
    cost = cost_of(crowd, emulator, kept.folder)
    assert cost == {"refresh": 1, "devices": PROCESSES * THREADS}
    figure("one-login", f"{MANY}, token run out: {cost['refresh']} refresh")


def test_with_a_session_that_is_over_one_logs_in(crowd: Crowd, emulator: Emulator, kept: FileTokenStore) -> None:
    emulator.control.advance(8000)
    cost = cost_of(crowd, emulator, kept.folder)
    assert (cost["authenticate"], cost["refresh"]) == (1, 1)
    figure("one-login", f"{MANY}, session over: {cost['authenticate']} log-in")
