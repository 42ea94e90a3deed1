"""Whatever stands in the token cache's place, a command goes on, logs in once at the most, and mends what can be."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sectigo_iot import FileTokenStore, IoTManager
from sectigo_iot.emulator import Emulator
from tests.conftest import Result, Runner, settings_for
from tests.reliability.figures import FULL, figure, share

ROOT_ONLY = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
NOBODY = 65534
MINE = b"mine, and nobody else's"
MENDED: list[int] = []
"""The log-ins that each cache cost that was found spoilt, and was sound after that."""
TRIED: list[list[int]] = []
"""The log-ins of two runs for each cache with fields of any kind."""
UNKEPT: dict[str, list[int]] = {}
"""Where nothing could be kept, and that was said: the log-ins of each run."""


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    """Note what the tests of this module have seen."""
    yield
    if MENDED:
        most = f"mended by {max(MENDED)} log-in each at the most, no link followed"
        figure("spoilt-cache", f"{len(MENDED)} spoilt caches and locks: {most}")
    if TRIED:
        most = f"{max(map(sum, TRIED))} log-in at the most"
        figure("spoilt-cache", f"{len(TRIED)} documents with fields of any kind: {most}")
    if UNKEPT:
        most = f"{max(map(max, UNKEPT.values()))} log-in a run at the most, said"
        figure("spoilt-cache", f"{', '.join(UNKEPT)}: {most}")


class Kept(NamedTuple):
    """The cache of one session, as the command keeps it."""

    service: Emulator
    path: Path
    data: bytes
    precious: Path

    @property
    def folder(self) -> Path:
        return self.path.parent

    @property
    def lock(self) -> Path:
        return self.path.with_suffix(".json.lock")


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator(journal_size=50) as emulator:
        yield emulator


@pytest.fixture
def kept(service: Emulator, sectigo: Runner, home: Path) -> Kept:
    """A cache that is sound, and beside it a file that nobody may touch."""
    assert sectigo("auth", env=service.environ).code == 0
    path = FileTokenStore().path(service.url, service.username)
    precious = home / "precious"
    precious.write_bytes(MINE)
    return Kept(service, path, path.read_bytes(), precious)


def logins(service: Emulator) -> int:
    return sum(each["call"] == "authenticate" for each in service.control.journal())


class Runs(NamedTuple):
    """What two runs of a command after another cost in log-ins, and what they said."""

    cost: list[int]
    said: list[str]


def two_runs(service: Emulator, sectigo: Runner, env: Mapping[str, str] | None = None) -> Runs:
    """Run a command twice, which must succeed; return the log-ins, and what was said."""
    runs = Runs([], [])
    for _ in range(2):
        service.control.clear_journal()
        done = sectigo("licenses", env={**service.environ, **(env or {})})
        assert (done.code, json.loads(done.out)["ordered"]) == (0, 1000)
        assert "Traceback" not in done.err
        runs.cost.append(logins(service))
        runs.said.append(done.err)
    assert max(runs.cost) <= 1
    return runs


def mended(kept: Kept, sectigo: Runner) -> str:
    """Run a command that has to log in, and one that finds a sound cache; return what the first one said."""
    runs = two_runs(kept.service, sectigo)
    assert runs.cost == [1, 0]
    assert runs.said[1] == ""
    assert kept.path.lstat().st_mode == 0o100600
    assert kept.path.stat().st_uid == os.geteuid()
    assert kept.precious.read_bytes() == MINE
    MENDED.append(sum(runs.cost))
    return runs.said[0]


def test_a_sound_cache_costs_nothing(kept: Kept, sectigo: Runner) -> None:
    assert two_runs(kept.service, sectigo) == ([0, 0], ["", ""])


def test_a_file_that_is_cut_anywhere(kept: Kept, sectigo: Runner) -> None:
    cuts = range(0, len(kept.data), share(1, 61))
    for length in cuts:
        kept.path.write_bytes(kept.data[:length])
        assert mended(kept, sectigo).count("is damaged, so it is not trusted") == 1


def replace(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def as_link(path: Path, kept: Kept) -> None:
    replace(path)
    path.symlink_to(kept.precious)


def as_link_to_tokens(path: Path, kept: Kept) -> None:
    replace(path)
    kept.precious.with_name("tokens").write_bytes(kept.data)
    kept.precious.with_name("tokens").chmod(0o600)
    path.symlink_to(kept.precious.with_name("tokens"))


def as_link_to_folder(path: Path, kept: Kept) -> None:
    replace(path)
    path.symlink_to(kept.precious.parent)


def as_dangling_link(path: Path, kept: Kept) -> None:
    replace(path)
    path.symlink_to(kept.precious.with_name("nothing"))


def as_fifo(path: Path, _: Kept) -> None:
    replace(path)
    os.mkfifo(path, 0o600)


def as_folder(path: Path, _: Kept) -> None:
    replace(path)
    path.mkdir()


def as_socket(path: Path, _: Kept) -> None:
    replace(path)
    with socket.socket(socket.AF_UNIX) as listener, tempfile.TemporaryDirectory(dir="/tmp") as short:
        # The name of a socket may not be long; that of what it is moved to may.
        listener.bind(f"{short}/socket")
        Path(short, "socket").rename(path)


def as_somebody_elses(path: Path, _: Kept) -> None:
    os.chown(path, NOBODY, NOBODY)


def with_mode(bits: int) -> Callable[[Path, Kept], None]:
    return lambda path, _: path.chmod(bits)


def holding(data: bytes) -> Callable[[Path, Kept], None]:
    def write(path: Path, _: Kept) -> None:
        path.write_bytes(data)

    return write


def huge(path: Path, kept: Kept) -> None:
    path.write_bytes(kept.data + b" " * 10_000_000)


Spoil = Callable[[Path, Kept], None]
FILES: dict[str, tuple[Spoil, str]] = {
    "empty": (holding(b""), "is damaged"),
    "garbage": (holding(b"\x00\xff\xfe" * 99), "is damaged"),
    "null": (holding(b"null"), "is damaged"),
    "deep": (holding(b"[" * 60_000), "is damaged"),
    "10 MB": (huge, "is too large"),
    "link": (as_link, "is a link"),
    "link to tokens": (as_link_to_tokens, "is a link"),
    "link to folder": (as_link_to_folder, "is a link"),
    "dangling link": (as_dangling_link, "is a link"),
    "fifo": (as_fifo, "is no file"),
    "folder": (as_folder, "is no file"),
    "socket": (as_socket, "cannot be read"),
    "0644": (with_mode(0o644), "can be read by others"),
    "0620": (with_mode(0o620), "can be read by others"),
    "0601": (with_mode(0o601), "can be read by others"),
}


@pytest.mark.parametrize(("spoil", "said"), FILES.values(), ids=FILES)
def test_what_is_no_cache_is_said_once_and_replaced(kept: Kept, sectigo: Runner, spoil: Spoil, said: str) -> None:
    spoil(kept.path, kept)
    assert mended(kept, sectigo) == f"sectigo: {kept.path} {said}{_end(said)}, so it is not trusted\n"


def _end(said: str) -> str:
    return ": No such device or address" if said == "cannot be read" else ""


@ROOT_ONLY
def test_somebody_elses_file_is_said_once_and_replaced(kept: Kept, sectigo: Runner) -> None:
    as_somebody_elses(kept.path, kept)
    assert mended(kept, sectigo) == f"sectigo: {kept.path} belongs to somebody else, so it is not trusted\n"


def test_a_folder_that_is_not_empty_is_said_and_left_alone(kept: Kept, sectigo: Runner) -> None:
    kept.path.unlink()
    (kept.path / "deeper").mkdir(parents=True)
    runs = two_runs(kept.service, sectigo)
    assert runs.cost == [1, 1]
    assert all("the tokens cannot be kept" in said and "Directory not empty" in said for said in runs.said)
    assert (kept.path / "deeper").is_dir()


LOCKS: dict[str, Spoil] = {
    "link": as_link,
    "link to folder": as_link_to_folder,
    "dangling link": as_dangling_link,
    "fifo": as_fifo,
    "folder": as_folder,
    "socket": as_socket,
    "0444": with_mode(0o444),
    "0000": with_mode(0o000),
    "0666": with_mode(0o666),
}


@pytest.mark.parametrize("spoil", LOCKS.values(), ids=LOCKS)
def test_what_is_no_lock_is_replaced(kept: Kept, sectigo: Runner, spoil: Spoil) -> None:
    kept.lock.touch(0o600)
    spoil(kept.lock, kept)
    kept.path.unlink()
    assert mended(kept, sectigo) == ""
    assert kept.lock.lstat().st_mode == 0o100600


@ROOT_ONLY
def test_somebody_elses_lock_is_replaced(kept: Kept, sectigo: Runner) -> None:
    kept.lock.touch(0o600)
    as_somebody_elses(kept.lock, kept)
    kept.path.unlink()
    assert mended(kept, sectigo) == ""
    assert kept.lock.stat().st_uid == 0


def test_a_lock_that_is_a_folder_with_something_in_it_is_said(kept: Kept, sectigo: Runner) -> None:
    kept.lock.unlink()
    (kept.lock / "deeper").mkdir(parents=True)
    kept.path.unlink()
    runs = two_runs(kept.service, sectigo)
    assert runs.cost == [1, 0]
    assert "the token cache cannot be locked" in runs.said[0]
    assert "Directory not empty" in runs.said[0]


def folder_missing(kept: Kept) -> None:
    kept.folder.rename(kept.folder.with_name("gone"))


def folder_linked(kept: Kept) -> None:
    kept.folder.rename(kept.folder.with_name("elsewhere"))
    kept.folder.symlink_to("elsewhere")
    kept.path.unlink()


def folder_open(kept: Kept) -> None:
    kept.path.unlink()
    kept.folder.chmod(0o777)


@pytest.mark.parametrize("change", [folder_missing, folder_linked, folder_open])
def test_a_folder_that_is_as_it_may_be(kept: Kept, sectigo: Runner, change: Callable[[Kept], None]) -> None:
    change(kept)
    assert mended(kept, sectigo) == ""
    assert kept.folder.stat().st_mode & 0o777 == 0o700


def folder_is_file(kept: Kept) -> None:
    kept.folder.rename(kept.folder.with_name("gone"))
    kept.folder.write_bytes(MINE)


def folder_is_dangling(kept: Kept) -> None:
    kept.folder.rename(kept.folder.with_name("gone"))
    kept.folder.symlink_to("nothing")


@pytest.mark.parametrize("change", [folder_is_file, folder_is_dangling])
def test_a_folder_that_is_none_is_said(kept: Kept, sectigo: Runner, change: Callable[[Kept], None]) -> None:
    change(kept)
    runs = two_runs(kept.service, sectigo)
    assert runs.cost == [1, 1]
    assert all("the tokens cannot be kept" in said for said in runs.said)
    assert not kept.folder.is_dir()


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
CHANGES = st.dictionaries(
    st.sampled_from(["endpoint", "username", "accessToken", "refreshToken", "received", "other"]),
    ANYTHING,
    min_size=1,
    max_size=3,
)
EXAMPLES = share(1_000, 20)


@settings(
    max_examples=EXAMPLES,
    deadline=None,
    derandomize=not FULL,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(changes=CHANGES, gone=st.sets(st.sampled_from(["endpoint", "username", "received"]), max_size=1))
def test_a_document_of_any_values(kept: Kept, changes: dict[str, object], gone: set[str]) -> None:
    document = {name: value for name, value in json.loads(kept.data).items() if name not in gone}
    kept.path.write_text(json.dumps({**document, **changes}))
    cost = []
    for _ in range(2):
        kept.service.control.clear_journal()
        store = FileTokenStore()
        assert set(store.users(kept.service.url)) <= {kept.service.username}
        with IoTManager(settings_for(kept.service, token_store=store)) as client:
            assert client.licenses_used().ordered == 1000
        cost.append(logins(kept.service))
    assert cost in ([0, 0], [1, 0])
    TRIED.append(cost)


AS_NOBODY = """
import contextlib, encodings.idna, io, json, os, resource, sys
import filelock, keyring, keyring.backends.null, platformdirs.unix, requests, sectigo_iot.client, sectigo_iot.keychain
import sectigo_cli.main, sectigo_cli.commands.licenses, sectigo_cli.talk, sectigo_cli.exits
if sys.argv[1] == "full":
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
elif os.geteuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)

def run(words):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(io.StringIO()) as err:
        code = sectigo_cli.main.main(words)
    return [code, out.getvalue(), err.getvalue()]

for line in sys.stdin:
    print(json.dumps(run(json.loads(line))), flush=True)
"""


def in_child(service: Emulator, env: Mapping[str, str], how: str = "nobody") -> Runs:
    """Run a command twice as somebody whom file modes bind, or where no file may grow."""
    whole = {**os.environ, **service.environ, **env}
    command = [sys.executable, "-c", AS_NOBODY, how]
    with subprocess.Popen(command, env=whole, text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        asks, answers = child.stdin, child.stdout

        def run(*words: str, env: Mapping[str, str]) -> Result:
            assert env.items() <= whole.items()
            print(json.dumps(words), file=asks, flush=True)
            return Result(*json.loads(answers.readline()))

        watchdog = threading.Timer(60, child.kill)
        watchdog.start()
        try:
            return two_runs(service, run, env)
        finally:
            watchdog.cancel()
            asks.close()


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that others can reach, too."""
    with tempfile.TemporaryDirectory(dir="/tmp") as name:
        Path(name).chmod(0o755)
        yield Path(name)


def test_on_a_read_only_folder_a_command_logs_in_and_says_so(service: Emulator, place: Path) -> None:
    place.chmod(0o555)
    runs = in_child(service, {"XDG_CACHE_HOME": str(place)})
    assert runs.cost == [1, 1]
    assert all("the tokens cannot be kept" in said and "Permission denied" in said for said in runs.said)
    assert list(place.iterdir()) == []
    place.chmod(0o755)
    UNKEPT["read-only folder"] = runs.cost


def test_without_a_home_that_can_be_written_a_command_logs_in(service: Emulator) -> None:
    env = {"HOME": "/nonexistent", "XDG_CACHE_HOME": "", "XDG_CONFIG_HOME": ""}
    runs = in_child(service, env)
    assert runs.cost == [1, 1]
    assert all("the tokens cannot be kept" in said for said in runs.said)
    UNKEPT["no home"] = runs.cost


def test_on_a_full_disk_a_command_logs_in_and_leaves_nothing(service: Emulator, place: Path) -> None:
    runs = in_child(service, {"XDG_CACHE_HOME": str(place)}, "full")
    assert runs.cost == [1, 1]
    assert all("the tokens cannot be kept" in said and "File too large" in said for said in runs.said)
    assert {path.suffix for path in (place / "sectigo-iot").iterdir()} <= {".lock"}
    UNKEPT["full disk"] = runs.cost


@ROOT_ONLY
@pytest.mark.parametrize("ending", [".json", ".json.lock"])
def test_a_file_of_roots_is_replaced(service: Emulator, place: Path, ending: str) -> None:
    os.chown(place, NOBODY, NOBODY)
    path = FileTokenStore(place / "sectigo-iot").path(service.url, service.username).with_suffix(ending)
    path.parent.mkdir(mode=0o700)
    os.chown(path.parent, NOBODY, NOBODY)
    path.write_bytes(MINE)
    path.chmod(0o600)
    runs = in_child(service, {"XDG_CACHE_HOME": str(place)})
    assert runs.cost == [1, 0]
    assert path.stat().st_uid == NOBODY
    assert runs.said[0].count("cannot be read: Permission denied") == (ending == ".json")
    assert runs.said[1] == ""
