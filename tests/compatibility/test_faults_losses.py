"""Faults 1 to 9 of the Go tool: it loses what was paid for, or leaks what is secret. Each is right here."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import math
import os
import random
import string
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sectigo_iot import (
    DeadlineError,
    FileTokenStore,
    IoTManager,
    RedirectError,
    Settings,
    TokenPair,
    TransportError,
    generate_password,
)
from sectigo_iot.emulator import Emulator
from tests.commands.conftest import names_in
from tests.commands.lying_service import CREATE, Answer, LyingService
from tests.compatibility.conftest import variables
from tests.conftest import Runner
from tests.unit.lying_server import HANG, LyingServer, answer, json_answer, lies, settings_at, tokens
from tests.unit.test_download import CUT, ZIP, sent

DOWNLOAD = "GET /api/v1/batches/24/download"
LICENCES = json_answer({"ordered": 3, "issued": 1})
TOLD = "pkcs12 password: "


@pytest.mark.parametrize("status", [400, 403, 404, 500])
def test_fault_01_an_error_is_not_saved_over_a_good_file(
    sectigo: Runner, liar: LyingService, here: Path, status: int
) -> None:
    liar.answers[DOWNLOAD] = Answer(ZIP, status, "application/octet-stream")
    assert sectigo("download", "-i", "24", env=liar.environ).code == 1
    assert names_in() == []
    Path("24.zip").write_bytes(b"the good one")
    done = sectigo("download", "-i", "24", "--force", env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert names_in() == ["24.zip"]
    assert Path("24.zip").read_bytes() == b"the good one"


@pytest.mark.parametrize("name", ["../../x.zip", "/tmp/x.zip", "..\\..\\x.zip", "../..", "a/../../x.zip"])
def test_fault_02_the_server_s_name_stays_in_the_folder(sectigo: Runner, here: Path, name: str) -> None:
    folder = here / "one" / "two"
    folder.mkdir(parents=True)
    with LyingServer(sent(name=f'attachment; filename="{name}"')) as server:
        done = sectigo("download", "-i", "24", "-o", str(folder), env=variables(server.url))
    assert done.code == 0, done
    (kept,) = (path for path in here.rglob("*") if path.is_file())
    assert kept.parent == folder
    assert kept.name == ("x.zip" if name.endswith("x.zip") else "24.zip")


def test_fault_03a_a_cut_download_leaves_nothing(tmp_path: Path) -> None:
    with lies(CUT) as (_, client), pytest.raises(TransportError):
        client.download(24, tmp_path)
    assert names_in(tmp_path) == []


def test_fault_03b_file_and_token_cache_are_private(sectigo: Runner, here: Path) -> None:
    before = os.umask(0)
    try:
        with LyingServer(sent()) as server:
            assert sectigo("download", "-i", "24", env=variables(server.url)).code == 0
            cache = Path(sectigo("auth", "--cache", env=variables(server.url)).out.rstrip("\n"))
    finally:
        os.umask(before)
    assert [path.stat().st_mode & 0o777 for path in (Path("24.zip"), cache)] == [0o600, 0o600]
    assert cache.parent.stat().st_mode & 0o077 == 0


def test_fault_04a_the_generated_password_is_long_and_the_one_that_is_sent(
    sectigo: Runner, liar: LyingService
) -> None:
    done = sectigo("create", "-d", "example.com", env=liar.environ)
    (line,) = (line for line in done.err.splitlines() if line.startswith(TOLD))
    password = line.removeprefix(TOLD)
    assert json.loads(liar.bodies[CREATE])["profileParams"]["pkcs12Password"] == password
    made = {generate_password() for _ in range(100)} | {password}
    alphabet = set("".join(made))
    assert len(made) == 101
    assert alphabet == set(string.ascii_letters + string.digits)
    assert min(map(len, made)) * math.log2(len(alphabet)) > 128


def test_fault_04b_neither_clock_nor_seed_tells_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    for clock in ("time", "time_ns", "monotonic", "perf_counter"):
        monkeypatch.setattr(time, clock, lambda: 1_600_000_000)
    made = set()
    for _ in range(10):
        random.seed(1_600_000_000)
        made.add(generate_password())
    assert len(made) == 10


def test_fault_04c_the_system_s_secure_source_alone_makes_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    made = set()
    for _ in range(2):
        monkeypatch.setattr(random, "_urandom", _repeatable_bytes())
        made.add(generate_password())
    assert len(made) == 1, "the same bytes of the system make the same password: nothing else goes into it"


def _repeatable_bytes() -> Callable[[int], bytes]:
    numbers = itertools.count()
    return lambda size: hashlib.shake_128(str(next(numbers)).encode()).digest(size)


def test_fault_05_tokens_are_bound_to_user_and_endpoint(sectigo: Runner) -> None:
    given = tokens()
    with LyingServer(LICENCES, login=json_answer(given)) as first, LyingServer(LICENCES) as second:
        assert sectigo("auth", env=variables(first.url)).code == 0
        assert sectigo("licenses", env=variables(second.url)).code == 0
        assert sectigo("-e", f"{second.url}/other", "licenses", env=variables(second.url)).code == 0
        assert (len(first.logins), len(second.logins)) == (1, 2)
        everything = repr(second.seen)
        assert not [token for token in given.values() if token in everything]
        assert sectigo("-u", "joe", "licenses", env=variables(first.url)).code == 0
        assert [login.document["username"] for login in first.logins] == ["jane", "joe"]
        asked = len(first.seen)
        assert sectigo("-u", "jim", "licenses", env={**variables(first.url), "SECTIGO_PASSWORD": ""}).code == 4
        assert len(first.seen) == asked, "without a password of his own jim gets nowhere"


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_fault_06a_a_log_in_is_never_carried_to_another_host(sectigo: Runner, status: int) -> None:
    with LyingServer(LICENCES) as elsewhere:
        moved = answer(status, Location=f"{elsewhere.url}/auth/pwd")
        with LyingServer(LICENCES, login=moved) as server:
            done = sectigo("licenses", env=variables(server.url))
            assert len(server.seen) == 1
        assert (done.code != 0, done.out, elsewhere.seen) == (True, "", [])


def test_fault_06b_a_circle_of_redirects_ends() -> None:
    with lies(answer(302, Location="/again")) as (server, client):
        with pytest.raises(RedirectError):
            client.licenses_used()
        assert len(server.calls) < 10
    with lies(LICENCES, login=answer(308, Location="/auth/pwd")) as (server, client):
        with pytest.raises(RedirectError):
            client.licenses_used()
        assert len(server.seen) == 1


def test_fault_06c_there_is_a_timeout() -> None:
    assert 0 < Settings(environ={}).timeout <= 60
    for login in (HANG, None):
        began = time.monotonic()
        with (
            LyingServer(HANG, login=login) as server,
            IoTManager(settings_at(server.url, timeout=0.25)) as client,
            pytest.raises(DeadlineError),
        ):
            client.licenses_used()
        assert time.monotonic() - began < 5


def test_fault_07_an_env_file_in_the_current_folder_is_not_read(sectigo: Runner, here: Path) -> None:
    with LyingServer(LICENCES) as trap, LyingServer(LICENCES) as server:
        Path(".env").write_text(f"SECTIGO_ENDPOINT={trap.url}\nSECTIGO_USERNAME=mallory\n")
        known = variables(server.url)
        assert sectigo("licenses", env=known).code == 0
        done = sectigo("licenses", env={**known, "SECTIGO_ENDPOINT": ""})
        assert (done.code, done.out) == (2, ""), "the default endpoint, which testing does not allow"
        assert ".env" in done.err, "it is mentioned, not silent"
        assert Settings().endpoint == "https://iot.sectigo.com"
        assert trap.seen == []
        assert sectigo("--env-file", ".env", "licenses", env=known).code == 0
        assert [login.document["username"] for login in trap.logins] == ["mallory"]


def test_fault_08a_who_reads_while_others_write_is_never_told_expired(sectigo: Runner) -> None:
    store, url = FileTokenStore(), "http://127.0.0.1:1"
    pairs = [TokenPair(given["accessToken"], given["refreshToken"], time.time()) for given in (tokens(), tokens())]
    store.save(url, "jane", pairs[0])
    over = threading.Event()

    def write() -> None:
        for pair in itertools.cycle(pairs):
            store.save(url, "jane", pair)
            if over.is_set():
                return

    def read() -> list[TokenPair | None]:
        return [store.load(url, "jane") for _ in range(250)]

    with ThreadPoolExecutor(6) as pool:
        writers = [pool.submit(write) for _ in range(2)]
        readers = [pool.submit(read) for _ in range(4)]
        said = [sectigo("auth", "--debug", env=variables(url)).out for _ in range(40)]
        found = [pair for reader in readers for pair in reader.result()]
        over.set()
        for writer in writers:
            writer.result()
    assert all(line.startswith("credentials are valid until ") for line in said), said
    assert len(found) == 1000
    assert all(pair in pairs for pair in found)


def test_fault_08b_many_at_once_log_in_once(tmp_path: Path) -> None:
    def work(_: int) -> bool:
        store = FileTokenStore(tmp_path)
        with IoTManager(settings_at(server.url, token_store=store)) as client:
            return all(client.licenses_used().issued == 1 and client.creds.valid for _ in range(5))

    with LyingServer(LICENCES) as server, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(work, range(16)))
        assert (len(server.logins), len(server.refreshes)) == (1, 0)


def _state(path: Path) -> tuple[int, int, bytes]:
    stat = path.stat()
    return stat.st_ino, stat.st_mtime_ns, path.read_bytes()


def test_fault_08c_nothing_is_rewritten_without_need(sectigo: Runner) -> None:
    with LyingServer(LICENCES) as server:
        env = variables(server.url)
        assert sectigo("auth", env=env).code == 0
        cache = Path(sectigo("auth", "--cache", env=env).out.rstrip("\n"))
        before = _state(cache)
        for words in (("auth", "--debug"), ("auth", "--cache"), ("licenses",), ("auth",)):
            assert sectigo(*words, env=env).code == 0
            assert _state(cache) == before
        assert (len(server.logins), len(server.refreshes)) == (1, 0)


@pytest.fixture
def service() -> Iterator[Emulator]:
    with Emulator(username="jane", password="server-Pa55word") as running:
        yield running


def test_fault_09_validate_shows_no_secret(sectigo: Runner, service: Emulator) -> None:
    secret = base64.b64encode(b"s" * 32).decode()
    env = {**service.environ, "SIAS_AUTH_PASSWORD": "staging-Pa55word", "SIAS_AUTH_SECRET": secret}
    assert sectigo("auth", env=env).code == 0
    done = sectigo("validate", env=env)
    assert done.code == 0, done
    shown = json.loads(done.out)
    assert shown["client"]["username"]["value"] == "jane"
    assert shown["client"]["password"]["value"] == shown["server"]["password"] == shown["server"]["secret"]
    for word in ("server-Pa55word", "staging-Pa55word", secret, "s" * 32):
        assert word not in done.out + done.err
