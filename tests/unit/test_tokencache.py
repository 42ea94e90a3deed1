"""Tokens between sessions: private, bound to endpoint and user, and never trusted where they look odd."""

from __future__ import annotations

import json
import logging
import os
import stat
import subprocess
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from sectigo_iot import FileTokenStore, IoTManager, MemoryTokenStore, TokenPair, TokenStore
from tests.unit.lying_server import LyingServer, json_answer, settings_at, token

ENDPOINT = "https://iot.example.com"
LICENCES = json_answer({"ordered": 1, "issued": 1})


def pair(received: float = 1_000.0) -> TokenPair:
    return TokenPair(token(at=1_000), token(7200, at=1_000, jti="1"), received)


@pytest.fixture
def store(tmp_path: Path) -> FileTokenStore:
    return FileTokenStore(tmp_path / "cache")


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_what_is_kept_is_found_again(store: FileTokenStore) -> None:
    store.save(ENDPOINT, "jane", pair())
    found = FileTokenStore(store.folder).load(ENDPOINT, "jane")
    assert found == pair()
    assert found is not None
    assert found.received == 1_000.0


def test_the_default_folder_is_that_of_the_platform(home: Path) -> None:
    assert FileTokenStore().folder == home / ".cache" / "sectigo-iot"


def test_file_and_folder_are_private_whatever_the_umask(store: FileTokenStore) -> None:
    before = os.umask(0)
    try:
        with store.lock(ENDPOINT, "jane"):
            store.save(ENDPOINT, "jane", pair())
    finally:
        os.umask(before)
    assert mode(store.folder) == 0o700
    assert {mode(path) for path in store.folder.iterdir()} == {0o600}
    assert len(list(store.folder.iterdir())) in (1, 2)


def test_the_file_name_tells_neither_endpoint_nor_user(store: FileTokenStore) -> None:
    assert "jane" not in store.path(ENDPOINT, "jane").name
    assert store.path(ENDPOINT, "../../jane").parent == store.folder


@pytest.mark.parametrize(("endpoint", "user"), [(ENDPOINT, "joe"), ("https://iot.example.org", "jane")])
def test_tokens_belong_to_one_endpoint_and_one_user(store: FileTokenStore, endpoint: str, user: str) -> None:
    store.save(ENDPOINT, "jane", pair())
    assert store.load(endpoint, user) is None
    # Not even where the file has been given the other's name.
    store.path(ENDPOINT, "jane").rename(store.path(endpoint, user))
    assert store.load(endpoint, user) is None


def test_a_failed_write_keeps_the_old_tokens(store: FileTokenStore, monkeypatch: pytest.MonkeyPatch) -> None:
    store.save(ENDPOINT, "jane", pair())

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    store.save(ENDPOINT, "jane", TokenPair(token(), token(), 5.0))
    assert store.load(ENDPOINT, "jane") == pair()
    assert [path.suffix for path in store.folder.iterdir()] == [".json"]


def test_a_reader_never_sees_half_a_file(store: FileTokenStore) -> None:
    store.save(ENDPOINT, "jane", pair())
    done = threading.Event()

    def write() -> None:
        for number in range(60):
            store.save(ENDPOINT, "jane", pair(float(number)))
        done.set()

    writer = threading.Thread(target=write)
    writer.start()
    misses = 0
    while not done.is_set():
        misses += store.load(ENDPOINT, "jane") is None
    writer.join()
    assert misses == 0


def document(store: FileTokenStore, **changes: object) -> bytes:
    store.save(ENDPOINT, "jane", pair())
    path = store.path(ENDPOINT, "jane")
    return json.dumps({**json.loads(path.read_bytes()), **changes}).encode()


@pytest.mark.parametrize(
    "changes",
    [
        {"accessToken": None},
        {"accessToken": 5},
        {"refreshToken": ""},
        {"refreshToken": ["x"]},
        {"received": None},
        {"received": "soon"},
        {"received": float("nan")},
        {"received": float("inf")},
        {"received": {}},
        {"username": None},
        {"endpoint": 1},
    ],
    ids=str,
)
def test_a_file_with_wrong_values_is_not_used(store: FileTokenStore, changes: dict[str, object]) -> None:
    data = document(store, **changes)
    store.path(ENDPOINT, "jane").write_bytes(data)
    assert store.load(ENDPOINT, "jane") is None


@pytest.mark.parametrize(
    "data",
    [b"", b"null", b"[]", b"5", b"{", b"\xff\xfe", b"[" * 60_000, b" " * 70_000, b"{}", b'{"username":"jane"}'],
)
def test_a_file_of_garbage_is_not_used(store: FileTokenStore, data: bytes) -> None:
    document(store)
    store.path(ENDPOINT, "jane").write_bytes(data)
    assert store.load(ENDPOINT, "jane") is None
    assert store.users(ENDPOINT) == []


def test_a_cut_file_is_not_used(store: FileTokenStore) -> None:
    data = document(store)
    store.path(ENDPOINT, "jane").write_bytes(data[:-10])
    assert store.load(ENDPOINT, "jane") is None


def test_a_huge_file_is_not_read(store: FileTokenStore) -> None:
    data = document(store)
    store.path(ENDPOINT, "jane").write_bytes(data + b" " * 70_000)
    assert store.load(ENDPOINT, "jane") is None


@pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o666])
def test_a_file_that_others_can_open_is_not_trusted(
    store: FileTokenStore, bits: int, caplog: pytest.LogCaptureFixture
) -> None:
    document(store)
    store.path(ENDPOINT, "jane").chmod(bits)
    assert store.load(ENDPOINT, "jane") is None
    assert "not trusted" in caplog.text


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_a_file_of_another_owner_is_not_trusted(store: FileTokenStore) -> None:
    document(store)
    os.chown(store.path(ENDPOINT, "jane"), 65534, 65534)
    assert store.load(ENDPOINT, "jane") is None


def test_a_link_is_neither_read_nor_written_through(store: FileTokenStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere.json"
    elsewhere.write_bytes(document(store))
    elsewhere.chmod(0o600)
    path = store.path(ENDPOINT, "jane")
    path.unlink()
    path.symlink_to(elsewhere)
    before = elsewhere.read_bytes()
    assert store.load(ENDPOINT, "jane") is None
    store.save(ENDPOINT, "jane", pair(2_000.0))
    assert elsewhere.read_bytes() == before
    assert not path.is_symlink()
    assert store.load(ENDPOINT, "jane") == pair()


def test_a_fifo_does_not_hang_the_reader(store: FileTokenStore) -> None:
    store.folder.mkdir(mode=0o700)
    os.mkfifo(store.path(ENDPOINT, "jane"), 0o600)
    assert store.load(ENDPOINT, "jane") is None
    assert store.users(ENDPOINT) == []


def test_a_folder_in_place_of_the_file_makes_way_if_it_is_empty(
    store: FileTokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    path = store.path(ENDPOINT, "jane")
    (path / "deeper").mkdir(parents=True)
    assert store.load(ENDPOINT, "jane") is None
    store.save(ENDPOINT, "jane", pair())
    assert f"cannot be kept: {store.folder}: Directory not empty" in caplog.text
    store.delete(ENDPOINT, "jane")
    (path / "deeper").rmdir()
    store.save(ENDPOINT, "jane", pair())
    assert store.load(ENDPOINT, "jane") == pair()


def test_what_is_not_trusted_is_said_once_and_again_if_it_happens_again(
    store: FileTokenStore, caplog: pytest.LogCaptureFixture
) -> None:
    for times in (1, 2):
        document(store)
        store.path(ENDPOINT, "jane").chmod(0o644)
        for _ in range(3):
            assert store.load(ENDPOINT, "jane") is None
        assert store.users(ENDPOINT) == []
        assert caplog.text.count("can be read by others") == times


@pytest.mark.parametrize("bad", ["link to a folder", "link to nothing", "fifo", "folder"])
@pytest.mark.parametrize("what", ["tokens", "lock"])
def test_what_stands_in_the_way_is_replaced(store: FileTokenStore, tmp_path: Path, bad: str, what: str) -> None:
    path = store.path(ENDPOINT, "jane")
    path = path.with_suffix(".json.lock") if what == "lock" else path
    path.parent.mkdir(parents=True)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if bad == "fifo":
        os.mkfifo(path)
    elif bad == "folder":
        path.mkdir()
    else:
        path.symlink_to(elsewhere if bad == "link to a folder" else elsewhere / "nothing")
    with store.lock(ENDPOINT, "jane"):
        store.save(ENDPOINT, "jane", pair())
    assert store.load(ENDPOINT, "jane") == pair()
    assert stat.S_ISREG(path.lstat().st_mode)
    assert list(elsewhere.iterdir()) == []


def test_a_lock_that_is_a_link_leaves_alone_what_it_points_to(store: FileTokenStore, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    lock = store.path(ENDPOINT, "jane").with_suffix(".json.lock")
    lock.parent.mkdir(parents=True)
    lock.symlink_to(elsewhere)
    with store.lock(ENDPOINT, "jane"):
        assert mode(lock) == 0o600
    assert elsewhere.read_text() == "mine"


def test_a_user_is_one_with_tokens_under_his_own_name(store: FileTokenStore) -> None:
    store.save(ENDPOINT, "zoe", pair())
    data = document(store, username=["jane"])
    path = store.path(ENDPOINT, "jane")
    for bad in (data, document(store, accessToken={"a": 1}), document(store, username="joe")):
        path.write_bytes(bad)
        assert store.users(ENDPOINT) == ["zoe"]


def test_a_folder_of_ours_is_closed_to_others_and_one_that_was_named_is_left_alone(home: Path) -> None:
    ours, named = FileTokenStore(), FileTokenStore(home / "named")
    for store, bits in ((ours, 0o700), (named, 0o755)):
        store.folder.mkdir(parents=True)
        store.folder.chmod(0o755)
        store.save(ENDPOINT, "jane", pair())
        assert mode(store.folder) == bits


HOMELESS = """
import filelock, logging, os, platformdirs, platformdirs.unix, sys
from sectigo_iot import FileTokenStore, TokenPair
logging.basicConfig(stream=sys.stdout)
if os.geteuid() == 0:
    os.setgid(54321)
    os.setuid(54321)
store = FileTokenStore()
with store.lock("https://iot.example.com", "jane"):
    store.save("https://iot.example.com", "jane", TokenPair(*sys.argv[1:], 1.0))
print(store.load("https://iot.example.com", "jane"), store.users("https://iot.example.com"))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become a user without a home")
def test_a_user_without_a_home_keeps_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name)
    tmp_path.chmod(0o777)
    command = [sys.executable, "-c", HOMELESS, token(), token()]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines()[-1] == "None []"
    assert "the tokens cannot be kept: this user has no home folder" in done.stdout
    assert list(tmp_path.iterdir()) == []


def test_a_cache_folder_that_cannot_be_is_named(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", os.devnull)
    FileTokenStore().save(ENDPOINT, "jane", pair())
    (said,) = caplog.messages
    assert said.startswith(f"the tokens cannot be kept: {os.devnull}/sectigo-iot: ")


def test_a_file_in_place_of_the_folder_is_no_error(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "cache").write_bytes(b"")
    store = FileTokenStore(tmp_path / "cache")
    with store.lock(ENDPOINT, "jane"):
        store.save(ENDPOINT, "jane", pair())
    assert store.load(ENDPOINT, "jane") is None
    assert store.users(ENDPOINT) == []
    assert "cannot be kept" in caplog.text
    assert "cannot be locked" in caplog.text


def test_deleting_forgets_and_forgives(store: FileTokenStore) -> None:
    store.save(ENDPOINT, "jane", pair())
    store.delete(ENDPOINT, "jane")
    store.delete(ENDPOINT, "jane")
    assert store.load(ENDPOINT, "jane") is None


@pytest.mark.parametrize("memory", [True, False])
def test_users_of_one_endpoint_are_listed_in_order(memory: bool, tmp_path: Path) -> None:
    store: TokenStore = MemoryTokenStore() if memory else FileTokenStore(tmp_path)
    for user in ("zoe", "jane", "joe"):
        store.save(ENDPOINT, user, pair())
    store.save("https://iot.example.org", "eve", pair())
    store.delete(ENDPOINT, "joe")
    assert store.users(ENDPOINT) == ["jane", "zoe"]
    assert store.users("https://iot.example.net") == []


def test_the_memory_store_keeps_finds_and_forgets() -> None:
    store = MemoryTokenStore()
    store.save(ENDPOINT, "jane", pair())
    assert store.load(ENDPOINT, "jane") == pair()
    assert store.load(ENDPOINT, "joe") is None
    store.delete(ENDPOINT, "jane")
    store.delete(ENDPOINT, "jane")
    assert store.load(ENDPOINT, "jane") is None


@pytest.mark.parametrize("memory", [True, False])
def test_the_lock_excludes_other_threads(memory: bool, tmp_path: Path) -> None:
    store: TokenStore = MemoryTokenStore() if memory else FileTokenStore(tmp_path)
    inside: list[int] = []
    most: list[int] = []

    def work() -> None:
        for _ in range(5):
            with store.lock(ENDPOINT, "jane"):
                inside.append(1)
                most.append(len(inside))
                inside.pop()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert max(most) == 1
    assert len(most) == 20


COUNTER = """
import sys
from pathlib import Path
from sectigo_iot import FileTokenStore
store, counter = FileTokenStore(sys.argv[1]), Path(sys.argv[2])
for _ in range(40):
    with store.lock("https://iot.example.com", "jane"):
        counter.write_text(str(int(counter.read_text()) + 1))
"""


def test_the_lock_excludes_other_processes(tmp_path: Path) -> None:
    counter = tmp_path / "counter"
    counter.write_text("0")
    command = [sys.executable, "-c", COUNTER, str(tmp_path / "cache"), str(counter)]
    processes = [subprocess.Popen(command) for _ in range(3)]
    assert [process.wait(30) for process in processes] == [0, 0, 0]
    assert counter.read_text() == "120"


READ_ONLY = """
import encodings.idna, logging, os, sys
import filelock, sectigo_iot.client
from sectigo_iot import FileTokenStore, IoTManager, Settings
if os.geteuid() == 0:
    os.setgid(65534)
    os.setuid(65534)
logging.basicConfig(stream=sys.stdout)
store = FileTokenStore(sys.argv[2])
settings = Settings("jane", "correct-horse", None, sys.argv[1], "testing", token_store=store, environ={})
with IoTManager(settings) as client:
    print("issued", client.licenses_used().issued)
    print("issued", client.licenses_used().issued)
"""


@pytest.mark.parametrize("missing", [True, False])
def test_in_a_read_only_folder_work_goes_on_with_a_warning(missing: bool) -> None:
    with tempfile.TemporaryDirectory() as name, LyingServer(LICENCES) as server:
        folder = Path(name)
        folder.chmod(0o555)
        place = folder / "deeper" if missing else folder
        command = [sys.executable, "-c", READ_ONLY, server.url, str(place)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 0, done.stderr
        assert done.stdout.count("issued 1") == 2
        assert "cannot be kept" in done.stdout
        assert len(server.logins) == 1
        assert list(folder.iterdir()) == []


class OwnStore:
    """A caller's own store: a dictionary, with nothing inherited."""

    def __init__(self) -> None:
        self.kept: dict[tuple[str, str], TokenPair] = {}
        self.guard = threading.Lock()

    def load(self, endpoint: str, username: str) -> TokenPair | None:
        return self.kept.get((endpoint, username))

    def save(self, endpoint: str, username: str, pair: TokenPair) -> None:
        self.kept[endpoint, username] = pair

    def delete(self, endpoint: str, username: str) -> None:
        self.kept.pop((endpoint, username), None)

    def users(self, endpoint: str) -> list[str]:
        return [user for kept, user in self.kept if kept == endpoint]

    def lock(self, endpoint: str, username: str) -> threading.Lock:
        return self.guard


def test_a_callers_own_store_is_used() -> None:
    store = OwnStore()
    with LyingServer(LICENCES) as server:
        for _ in range(2):
            with IoTManager(settings_at(server.url, token_store=store)) as client:
                client.licenses_used()
                assert client.creds.cache_file is None
        assert len(server.logins) == 1
        assert list(store.kept) == [(server.url, "jane")]


def test_nothing_of_a_token_is_logged(store: FileTokenStore, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    document(store)
    store.path(ENDPOINT, "jane").chmod(0o644)
    store.load(ENDPOINT, "jane")
    assert pair().access_token not in caplog.text


def test_a_lock_that_is_never_given_back_is_not_waited_for_for_ever(
    store: FileTokenStore, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("sectigo_iot.tokencache.LOCK_SECONDS", 0.1)
    with store.lock(ENDPOINT, "jane"), store.lock(ENDPOINT, "jane"):
        assert "another process holds the lock" in caplog.text
