"""Secrets that are away for a while, or somebody else's: the order waits, says why, and nothing is sent or lost."""

from __future__ import annotations

import gc
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.errors
import pytest

from sectigo_iot import SectigoError, keychain
from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import FileSecretStore, KeyringSecretStore, MemorySecretStore, OrderRequest, OrderState
from sectigo_iot.pki import open_bundle
from tests.conftest import MemoryKeyring
from tests.orders.desk import AUTHORITY, PASSWORD, Desk, open_desk
from tests.packages import PYTHONPATH
from tests.reliability.secret_service import gnome_keyring, session_bus, silent

S = OrderState
NOBODY = 65534
WANTED = OrderRequest(names=("vasp.example.com",), authority=AUTHORITY)


class LockedKeyring(MemoryKeyring):
    """A keyring that is locked when it was asked so many times."""

    def __init__(self) -> None:
        super().__init__()
        self.left: float = float("inf")
        self.asked = 0

    def get_password(self, service: str, username: str) -> str | None:
        self._count()
        return super().get_password(service, username)

    def set_password(self, service: str, username: str, password: str) -> None:
        self._count()
        super().set_password(service, username, password)

    def _count(self) -> None:
        self.asked += 1
        self.left -= 1
        if self.left < 0:
            raise keyring.errors.KeyringLocked("word-of-the-keyring")


@pytest.fixture
def locked() -> LockedKeyring:
    """The keyring of this test; the fixture for all tests puts the one before in its place again."""
    backend = LockedKeyring()
    keyring.set_keyring(backend)
    return backend


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    """A book whose passwords are in the keyring."""
    with open_desk(tmp_path) as opened:
        opened.book.secrets = KeyringSecretStore("orders", MemorySecretStore())
        yield opened


def is_delivered(desk: Desk, key: str = "vasp") -> None:
    """Carry an order to its end, and hold that it was ordered once and opens with its password."""
    order = desk.carry(key, S.DELIVERED)
    assert (order.state, order.attention) == (S.DELIVERED, None)
    assert desk.control.orders()["accepted"] == 1
    (_, bundle) = desk.delivered[-1]
    (issued,) = open_bundle(bundle.archive, bundle.password)
    assert issued.dns_names == order.wanted.names


@pytest.mark.parametrize("given", [True, False], ids=["password given", "password made"])
def test_a_keyring_that_is_locked_in_the_midst_of_it_is_waited_for(
    desk: Desk, locked: LockedKeyring, given: bool
) -> None:
    waited = 0
    for number in range(30):
        desk.control.reset()
        key = f"vasp-{number}"
        locked.left = float("inf")
        desk.book.place(key, WANTED, password=PASSWORD if given else None)
        locked.left = number
        desk.step()
        order = desk.book.get(key)
        if order.state is S.DELIVERED:
            break
        waited += 1
        assert "the keyring is locked" in (order.attention or ""), order
        assert "word-of-the-keyring" not in repr(desk.book.history(key))
        assert order.next_at is not None
        assert desk.control.orders()["accepted"] == (order.batch_id is not None)
        locked.left = float("inf")
        is_delivered(desk, key)
    else:
        raise AssertionError("the keyring is asked without end")
    assert waited > 2


def test_what_cannot_be_kept_is_not_placed(desk: Desk, locked: LockedKeyring) -> None:
    locked.left = 0
    with pytest.raises(SectigoError, match="the keyring is locked") as raised:
        desk.place()
    assert raised.value.hint
    assert desk.book.find() == ()


# The backend leaves its connections to whoever collects them.
@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
@pytest.mark.needs("dbus-run-session", "gnome-keyring-daemon")
def test_a_real_keyring_that_hangs_for_a_while(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from keyring.backends import SecretService

    monkeypatch.setattr(keychain, "KEYRING_SECONDS", 1.0)
    with session_bus(tmp_path) as environ:
        monkeypatch.setenv("DBUS_SESSION_BUS_ADDRESS", environ["DBUS_SESSION_BUS_ADDRESS"])
        keyring.set_keyring(SecretService.Keyring())  # type: ignore[no-untyped-call]
        with gnome_keyring(environ):
            desk.place()
        with silent(environ, "org.freedesktop.secrets"):
            desk.step()
        order = desk.book.get("vasp")
        assert (order.state, order.attempt) == (S.PLANNED, 0)
        assert "the keyring gives no answer" in (order.attention or "")
        for thread in keychain._UNANSWERED:
            thread.join(10)
        with gnome_keyring(environ):
            is_delivered(desk)
    gc.collect()


AS_NOBODY = """
import os, sys
import sectigo_iot.orders.steps.handlers, sectigo_iot.pki.certificates, requests, sqlalchemy.dialects.sqlite
from sectigo_iot import IoTManager, MemoryTokenStore, SectigoError, Settings
from sectigo_iot.orders import FileSecretStore, OrderBook, OrderRequest, OrderWorker

book, secrets, uid = sys.argv[1:]
os.setgroups([])
os.setgid(int(uid))
os.setuid(int(uid))
settings = Settings(token_store=MemoryTokenStore())
with IoTManager(settings) as client, OrderBook(book, secrets=FileSecretStore(secrets)) as opened:
    OrderWorker(opened, client).step()
    order = opened.get("vasp")
    print(order.state, order.attempt, order.attention)
    try:
        opened.place("other", OrderRequest(names=("other.example.com",)), password="correct-horse-battery")
    except SectigoError as error:
        print(error, "/", error.hint)
    print(len(opened.find()))
"""


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder that everybody may look into, as those for tests are not."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
@pytest.mark.parametrize("open_to_all", [False, True], ids=["a private folder", "a folder that is open to all"])
def test_the_secrets_of_another_user_are_neither_used_nor_replaced(
    shared: Path, emulator: Emulator, open_to_all: bool
) -> None:
    secrets = shared / "secrets"
    with open_desk(shared) as desk:
        desk.book.secrets = FileSecretStore(secrets)
        desk.place()
        theirs = shared / "theirs"
        theirs.mkdir()
        desk.book.backup(theirs / "orders.sqlite3")
        if open_to_all:
            for each in (secrets, *secrets.rglob("*")):
                each.chmod(0o777)
        give_away(theirs)
        said = as_nobody(theirs / "orders.sqlite3", secrets, desk.emulator).splitlines()
        assert said[0].startswith("planned 0 "), said
        assert "cannot be read: " in said[0], said
        assert "cannot be written: " in said[1], said
        assert not said[1].endswith("/ None"), said
        assert said[2:] == ["1"]
        assert "correct-horse" not in str(said)
        assert desk.control.orders()["accepted"] == 0
        if open_to_all:
            for each in secrets.rglob("*"):
                each.chmod(0o700 if each.is_dir() else 0o600)
        is_delivered(desk)


def give_away(folder: Path) -> None:
    for each in (folder, *folder.iterdir()):
        os.chown(each, NOBODY, NOBODY)


def as_nobody(book: Path, secrets: Path, emulator: Emulator) -> str:
    """Have another user carry an order, and place one; return what that said."""
    command = [sys.executable, "-c", AS_NOBODY, str(book), str(secrets), str(NOBODY)]
    environ = {**os.environ, **emulator.environ, "PYTHONPATH": PYTHONPATH}
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout
