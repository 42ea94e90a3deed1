"""Passwords in the platform's keyring, which may be missing, locked or broken."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import keyring
import keyring.backend
import keyring.backends.fail
import keyring.errors
import pytest

from sectigo_iot import SectigoError, forget_login, keychain, remember_login, remembered_user
from sectigo_iot.keychain import keyring_password
from tests.conftest import MemoryKeyring

ENDPOINT, OTHER = "https://iot.example.com", "https://iot.example.org"


class HangingKeyring(MemoryKeyring):
    """A keyring on a locked desktop: nobody types."""

    def __init__(self) -> None:
        super().__init__()
        self.released = threading.Event()

    def get_password(self, service: str, username: str) -> str | None:
        self.released.wait(10)
        return "too-late"

    def set_password(self, service: str, username: str, password: str) -> None:
        self.released.wait(10)

    def delete_password(self, service: str, username: str) -> None:
        self.released.wait(10)


class BrokenKeyring(MemoryKeyring):
    """A keyring whose backend raises."""

    def get_password(self, service: str, username: str) -> str | None:
        raise ZeroDivisionError("secret-word")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise keyring.errors.PasswordSetError(password)

    def delete_password(self, service: str, username: str) -> None:
        raise keyring.errors.KeyringError("secret-word")


class RaisingKeyring(MemoryKeyring):
    """A keyring whose backend raises what the test chooses."""

    failure: BaseException = Exception()

    def get_password(self, service: str, username: str) -> str | None:
        raise self.failure


class KeepingKeyring(MemoryKeyring):
    """A keyring that does not let go of a password."""

    def delete_password(self, service: str, username: str) -> None:
        raise keyring.errors.PasswordDeleteError("secret-word")


@pytest.fixture
def hanging(monkeypatch: pytest.MonkeyPatch) -> Iterator[HangingKeyring]:
    backend = HangingKeyring()
    keyring.set_keyring(backend)
    monkeypatch.setattr(keychain, "KEYRING_SECONDS", 0.05)
    yield backend
    backend.released.set()
    for thread in keychain._UNANSWERED:
        thread.join(10)


def logins_file(home: Path) -> Path:
    return home / ".config" / "sectigo-iot" / "logins.json"


def test_a_login_is_remembered_for_its_endpoint_alone(memory_keyring: MemoryKeyring) -> None:
    remember_login(ENDPOINT, "jane", "secret-word")
    assert memory_keyring.entries == {(f"sectigo-iot:{ENDPOINT}", "jane"): "secret-word"}
    assert keyring_password(ENDPOINT, "jane") == "secret-word"
    assert remembered_user(ENDPOINT) == "jane"
    assert keyring_password(OTHER, "jane") is None
    assert keyring_password(ENDPOINT, "joe") is None
    assert remembered_user(OTHER) is None


def test_what_is_on_disk_is_private_and_holds_no_password(home: Path) -> None:
    remember_login(ENDPOINT, "jane", "secret-word")
    path = logins_file(home)
    assert json.loads(path.read_text()) == {"users": {ENDPOINT: "jane"}}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_the_last_user_remembered_is_the_one() -> None:
    remember_login(ENDPOINT, "jane", "x")
    remember_login(OTHER, "eve", "x")
    remember_login(ENDPOINT, "joe", "x")
    assert (remembered_user(ENDPOINT), remembered_user(OTHER)) == ("joe", "eve")


def test_forgetting_removes_password_and_name(memory_keyring: MemoryKeyring) -> None:
    remember_login(ENDPOINT, "jane", "x")
    remember_login(OTHER, "jane", "x")
    forget_login(ENDPOINT, "jane")
    assert list(memory_keyring.entries) == [(f"sectigo-iot:{OTHER}", "jane")]
    assert (remembered_user(ENDPOINT), remembered_user(OTHER)) == (None, "jane")


def test_forgetting_what_is_not_there_is_no_error(caplog: pytest.LogCaptureFixture) -> None:
    forget_login(ENDPOINT, "jane")
    assert caplog.records == []


def test_forgetting_another_user_leaves_the_remembered_one() -> None:
    remember_login(ENDPOINT, "jane", "x")
    forget_login(ENDPOINT, "joe")
    assert remembered_user(ENDPOINT) == "jane"


@pytest.mark.parametrize(
    "content", [b"", b"null", b"[]", b'{"users": []}', b'{"users": null}', b"\xff", b"[" * 100_000]
)
def test_a_damaged_list_of_logins_counts_as_empty(content: bytes, home: Path) -> None:
    remember_login(ENDPOINT, "jane", "x")
    logins_file(home).write_bytes(content)
    assert remembered_user(ENDPOINT) is None
    remember_login(ENDPOINT, "joe", "x")
    assert remembered_user(ENDPOINT) == "joe"


@pytest.mark.parametrize(
    "content", [b'{"users": {"https://iot.example.com": null}}', b'{"users": {"https://iot.example.com": 7}}']
)
def test_what_is_no_name_is_not_remembered(content: bytes, home: Path) -> None:
    remember_login(OTHER, "jane", "x")
    logins_file(home).write_bytes(content)
    assert remembered_user(ENDPOINT) is None


def test_a_list_of_logins_that_is_no_plain_file_counts_as_empty_at_once(home: Path) -> None:
    remember_login(ENDPOINT, "jane", "x")
    path = logins_file(home)
    path.unlink()
    os.mkfifo(path)
    assert remembered_user(ENDPOINT) is None
    remember_login(ENDPOINT, "joe", "x")
    assert (remembered_user(ENDPOINT), path.is_fifo()) == ("joe", False)
    path.write_bytes(b'{"users": {"a": "b"}' + b" " * (10 << 20) + b"}")
    assert remembered_user("a") is None


def test_a_hanging_keyring_is_given_up_within_its_time(
    hanging: HangingKeyring, caplog: pytest.LogCaptureFixture
) -> None:
    began = time.monotonic()
    assert keyring_password(ENDPOINT, "jane") is None
    assert time.monotonic() - began < 2
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert "no answer in 0.05 s" in caplog.text
    assert "unlock it, or use SECTIGO_PASSWORD" in caplog.text


def test_a_keyring_that_hangs_is_not_asked_again_until_it_answers(
    hanging: HangingKeyring, caplog: pytest.LogCaptureFixture, memory_keyring: MemoryKeyring
) -> None:
    before = threading.active_count()
    began = time.monotonic()
    for _ in range(100):
        assert keyring_password(ENDPOINT, "jane") is None
    assert time.monotonic() - began < 2
    assert threading.active_count() == before + 1
    assert "still gives no answer" in caplog.text
    hanging.released.set()
    keychain._UNANSWERED[0].join(10)
    assert keyring_password(ENDPOINT, "jane") == "too-late"


def test_a_keyring_that_hangs_is_told_where_a_password_is_kept_or_forgotten(hanging: HangingKeyring) -> None:
    for _ in range(2):
        with pytest.raises(SectigoError, match="the password cannot be kept: the keyring") as caught:
            remember_login(ENDPOINT, "jane", "secret-word")
        assert "unlock the keyring and log in again" in str(caught.value.hint)
    assert remembered_user(ENDPOINT) == "jane"
    with pytest.raises(SectigoError, match="the password of jane may be in the keyring still") as caught:
        forget_login(ENDPOINT, "jane")
    assert "`sectigo -u jane auth --logout`" in str(caught.value.hint)
    assert remembered_user(ENDPOINT) is None


@pytest.mark.parametrize("backend", [BrokenKeyring, KeepingKeyring])
def test_a_password_that_cannot_be_forgotten_is_told(backend: type[MemoryKeyring]) -> None:
    kept = backend()
    kept.entries[f"sectigo-iot:{ENDPOINT}", "jane"] = "secret-word"
    keyring.set_keyring(kept)
    with pytest.raises(SectigoError, match="the password of jane may be in the keyring still") as caught:
        forget_login(ENDPOINT, "jane")
    assert f"remove the entry sectigo-iot:{ENDPOINT}" in str(caught.value.hint)
    assert "secret-word" not in f"{caught.value} {caught.value.hint}"


FAILURES = [KeyboardInterrupt(), SystemExit(3), GeneratorExit(), MemoryError(), RecursionError(), OSError(5, "x")]


@pytest.mark.parametrize(
    "failure", [*FAILURES, keyring.errors.KeyringLocked("x")], ids=lambda error: type(error).__name__
)
def test_whatever_a_backend_raises_is_a_keyring_that_fails(
    failure: BaseException, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    backend = RaisingKeyring()
    backend.failure = failure
    keyring.set_keyring(backend)
    began = time.monotonic()
    assert keyring_password(ENDPOINT, "jane") is None
    assert time.monotonic() - began < 1
    what = "the keyring is locked" if "Locked" in type(failure).__name__ else f"fails ({type(failure).__name__})"
    assert what in caplog.text
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("password", [b"secret-word", 7, ["secret-word"]])
def test_what_is_no_text_is_no_password(password: object, caplog: pytest.LogCaptureFixture) -> None:
    backend = MemoryKeyring()
    backend.entries[f"sectigo-iot:{ENDPOINT}", "jane"] = password  # type: ignore[assignment]
    keyring.set_keyring(backend)
    assert keyring_password(ENDPOINT, "jane") is None
    assert "secret-word" not in caplog.text


def test_a_failing_keyring_is_gone_on_without(caplog: pytest.LogCaptureFixture) -> None:
    keyring.set_keyring(BrokenKeyring())
    assert keyring_password(ENDPOINT, "jane") is None
    assert "ZeroDivisionError" in caplog.text
    assert "secret-word" not in caplog.text


def test_a_machine_without_a_keyring_is_no_news(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sectigo_iot")
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    assert keyring_password(ENDPOINT, "jane") is None
    assert [record.levelno for record in caplog.records] == [logging.INFO]


@pytest.mark.parametrize("backend", [BrokenKeyring, keyring.backends.fail.Keyring])
def test_a_password_that_cannot_be_kept_is_told_and_its_user_remembered(
    backend: type[keyring.backend.KeyringBackend],
) -> None:
    keyring.set_keyring(backend())
    with pytest.raises(SectigoError, match="cannot be kept") as caught:
        remember_login(ENDPOINT, "jane", "secret-word")
    assert "secret-word" not in f"{caught.value} {caught.value.hint}"
    assert caught.value.__cause__ is None
    assert remembered_user(ENDPOINT) == "jane"


def test_a_machine_without_a_keyring_is_told_as_that() -> None:
    keyring.set_keyring(keyring.backends.fail.Keyring())  # type: ignore[no-untyped-call]
    with pytest.raises(SectigoError, match="cannot be kept: this machine has no keyring"):
        remember_login(ENDPOINT, "jane", "secret-word")
