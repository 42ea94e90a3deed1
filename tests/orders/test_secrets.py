"""Where the secrets of orders are kept: private from the first instant, on the disk when it says so, nowhere else."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import keyring
import keyring.backends.fail
import keyring.backends.null
import pytest

from sectigo_iot import SectigoError, keychain
from sectigo_iot.errors import InvalidInputError
from sectigo_iot.orders import FileSecretStore, KeyringSecretStore, MemorySecretStore, SecretStore
from sectigo_iot.orders.secrets import ARCHIVE, KEY, PASSWORD, secret_name
from tests.conftest import MemoryKeyring
from tests.packages import PYTHONPATH
from tests.unit.test_keychain import BrokenKeyring, HangingKeyring

UID = "0123456789abcdef"
NAME = f"{UID}.password"
STORES: dict[str, Callable[[Path], SecretStore]] = {
    "files": FileSecretStore,
    "memory": lambda _: MemorySecretStore(),
    "keyring": lambda _: KeyringSecretStore("sectigo-iot-orders", MemorySecretStore()),
}


@pytest.fixture(params=list(STORES.values()), ids=list(STORES))
def store(request: pytest.FixtureRequest, tmp_path: Path) -> SecretStore:
    made: SecretStore = request.param(tmp_path / "secrets")
    return made


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "a" / "secrets"


def file_of(folder: Path, name: str = NAME) -> Path:
    return folder / name[:2] / name


def test_what_is_put_can_be_got_until_it_is_removed(store: SecretStore) -> None:
    for kind, value in ((PASSWORD, "p\u00e4ss".encode()), (KEY, b"-----BEGIN-----\n"), (ARCHIVE, bytes(range(256)))):
        name = secret_name(UID, kind)
        assert store.get(name) is None
        store.remove(name)
        store.put(name, b"first")
        store.put(name, value)
        assert store.get(name) == value
        store.remove(name)
        assert store.get(name) is None


def test_a_store_shows_no_secret(store: SecretStore) -> None:
    store.put(NAME, b"correct-horse")
    assert "horse" not in repr(store)


@pytest.mark.parametrize("name", ["", "..", "a/b", "../a.key", "A.key", "a.b.c", "a\n", ".key", "a.", "x" * 101])
def test_a_name_that_would_lead_elsewhere_is_none(store: SecretStore, name: str) -> None:
    uses: list[Callable[[], object]] = [
        lambda: store.put(name, b"x"),
        lambda: store.get(name),
        lambda: store.remove(name),
    ]
    for use in uses:
        with pytest.raises(InvalidInputError):
            use()


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o777])
def test_files_are_private_under_any_umask(folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        FileSecretStore(folder).put(NAME, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(file_of(folder).stat().st_mode) == 0o600
    for each in (folder.parent, folder, file_of(folder).parent):
        assert stat.S_IMODE(each.stat().st_mode) == 0o700


def test_a_folder_that_was_open_to_others_is_shut(folder: Path) -> None:
    folder.mkdir(parents=True)
    folder.chmod(0o755)
    FileSecretStore(folder).put(NAME, b"x")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700


def test_a_folder_that_goes_is_made_again(folder: Path) -> None:
    store = FileSecretStore(folder)
    store.put(NAME, b"first")
    file_of(folder).unlink()
    file_of(folder).parent.rmdir()
    assert store.get(NAME) is None
    store.put(NAME, b"second")
    assert store.get(NAME) == b"second"


def test_a_link_is_neither_read_nor_written_through(folder: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"untouched")
    elsewhere.chmod(0o600)
    store = FileSecretStore(folder)
    store.put(NAME, b"x")
    file_of(folder).unlink()
    file_of(folder).symlink_to(elsewhere)
    with pytest.raises(SectigoError, match="link"):
        store.get(NAME)
    store.put(NAME, b"secret")
    assert elsewhere.read_bytes() == b"untouched"
    assert store.get(NAME) == b"secret"


def test_what_others_can_read_is_not_trusted(folder: Path) -> None:
    store = FileSecretStore(folder)
    store.put(NAME, b"x")
    file_of(folder).chmod(0o640)
    with pytest.raises(SectigoError, match="read by others") as raised:
        store.get(NAME)
    assert raised.value.hint


@pytest.mark.parametrize("in_the_way", ["fifo", "folder"])
def test_what_is_no_file_never_blocks(folder: Path, in_the_way: str) -> None:
    store = FileSecretStore(folder)
    store.put(NAME, b"x")
    file_of(folder).unlink()
    if in_the_way == "fifo":
        os.mkfifo(file_of(folder), 0o600)
    else:
        file_of(folder).mkdir(mode=0o700)
    with pytest.raises(SectigoError):
        store.get(NAME)
    if in_the_way == "folder":
        with pytest.raises(SectigoError) as raised:
            store.put(NAME, b"y")
        assert not isinstance(raised.value, InvalidInputError)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_somebody_elses_file_and_folder_are_not_trusted(folder: Path) -> None:
    store = FileSecretStore(folder)
    store.put(NAME, b"x")
    os.chown(file_of(folder), 65534, 65534)
    with pytest.raises(SectigoError, match="somebody else"):
        store.get(NAME)
    os.chown(folder, 65534, 65534)
    with pytest.raises(SectigoError, match="somebody else"):
        FileSecretStore(folder).put(secret_name("ff" * 8, KEY), b"x")


def test_a_full_disk_is_told_and_leaves_what_was_there(folder: Path) -> None:
    store = FileSecretStore(folder)
    store.put(NAME, b"first")
    code = f"""
import resource, signal
from sectigo_iot.errors import SectigoError
from sectigo_iot.orders import FileSecretStore
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (10, 10))
try:
    FileSecretStore({str(folder)!r}).put({NAME!r}, b"correct-horse-battery")
except SectigoError as error:
    print(type(error).__name__, error)
"""
    env = {**os.environ, "PYTHONPATH": PYTHONPATH}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, env=env, check=True)
    assert done.stdout.startswith("SectigoError ")
    assert "File too large" in done.stdout
    assert "horse" not in done.stdout + done.stderr
    assert store.get(NAME) == b"first"
    assert [path.name for path in file_of(folder).parent.iterdir()] == [NAME]


@pytest.mark.needs("strace")
def test_it_is_on_the_disk_when_put_returns_and_so_are_its_folders(folder: Path, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    code = f"""
from sectigo_iot.orders.secrets import FileSecretStore
FileSecretStore({str(folder)!r}).put({NAME!r}, b"x")
"""
    command = ["strace", "-f", "-y", "-e", "trace=fsync,rename,mkdir", "-o", str(trace), sys.executable, "-c", code]
    subprocess.run(command, env={**os.environ, "PYTHONPATH": PYTHONPATH}, check=True)
    lines = [line.partition(" ")[2] for line in trace.read_text().splitlines() if str(tmp_path) in line]
    renamed = next(number for number, line in enumerate(lines) if line.strip().startswith("rename("))
    assert any("fsync(" in line and ".sectigo-part" in line for line in lines[:renamed])
    assert any("fsync(" in line and f"<{file_of(folder).parent}>" in line for line in lines[renamed:])
    for made in (folder.parent, folder, file_of(folder).parent):
        assert any("fsync(" in line and f"<{made.parent}>" in line for line in lines), made


def test_threads_that_put_at_once_lose_nothing(folder: Path) -> None:
    store = FileSecretStore(folder)
    names = [secret_name(f"{number:016x}", KEY) for number in range(40)]
    threads = [threading.Thread(target=store.put, args=(name, name.encode())) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert [store.get(name) for name in names] == [name.encode() for name in names]


def test_archives_go_beside_the_keyring(memory_keyring: MemoryKeyring) -> None:
    archives = MemorySecretStore()
    store = KeyringSecretStore("orders", archives)
    store.put(secret_name(UID, ARCHIVE, 70), b"PK")
    store.put(NAME, b"correct-horse")
    assert memory_keyring.entries == {("orders", NAME): "correct-horse"}
    assert archives.get(secret_name(UID, ARCHIVE, 70)) == b"PK"


@pytest.mark.parametrize(
    "backend",
    [BrokenKeyring, HangingKeyring, keyring.backends.fail.Keyring],
    ids=lambda backend: f"{backend.__module__}.{backend.__name__}",
)
def test_a_keyring_that_fails_is_told_in_time(backend: type[MemoryKeyring], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keychain, "KEYRING_SECONDS", 0.2)
    made = backend()
    keyring.set_keyring(made)
    store = KeyringSecretStore("orders", MemorySecretStore())
    uses: list[Callable[[], object]] = [lambda: store.put(NAME, b"correct-horse"), lambda: store.get(NAME)]
    begun = time.monotonic()
    try:
        for use in uses:
            with pytest.raises(SectigoError) as raised:
                use()
            assert "horse" not in str(raised.value)
            assert raised.value.hint
    finally:
        if isinstance(made, HangingKeyring):
            made.released.set()
    assert time.monotonic() - begun < 2


def test_a_keyring_that_keeps_nothing_is_found_out() -> None:
    keyring.set_keyring(keyring.backends.null.Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(SectigoError, match="no keyring that keeps it"):
        KeyringSecretStore("orders", MemorySecretStore()).put(NAME, b"x")


def test_a_keyring_takes_text_alone() -> None:
    with pytest.raises(SectigoError, match="text"):
        KeyringSecretStore("orders", MemorySecretStore()).put(secret_name(UID, KEY), b"\xff\xfe")
