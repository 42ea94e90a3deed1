"""Which password was refused last: in memory, and in a file where there is a folder."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from sectigo_iot import FileTokenStore
from sectigo_iot.records import Records
from sectigo_iot.refusals import Refusals

ENDPOINT = "https://iot.example.com"


@pytest.fixture(params=["memory", "folder"])
def refusals(request: pytest.FixtureRequest, tmp_path: Path) -> Refusals:
    return Refusals(Records(tmp_path, ".refused")) if request.param == "folder" else Refusals()


def test_the_last_refused_password_is_known_with_its_moment(refusals: Refusals) -> None:
    assert refusals.moment(ENDPOINT, "jane", "one") is None
    refusals.note(ENDPOINT, "jane", "one", 1_000.5)
    assert refusals.moment(ENDPOINT, "jane", "one") == 1_000.5
    refusals.note(ENDPOINT, "jane", "two", 2_000.0)
    assert refusals.moment(ENDPOINT, "jane", "one") is None
    assert refusals.moment(ENDPOINT, "jane", "two") == 2_000.0


def test_it_is_that_of_one_user_at_one_endpoint(refusals: Refusals) -> None:
    refusals.note(ENDPOINT, "jane", "one", 1_000.0)
    assert refusals.moment(ENDPOINT, "joe", "one") is None
    assert refusals.moment("https://iot.example.org", "jane", "one") is None


def test_it_is_forgotten(refusals: Refusals) -> None:
    refusals.forget(ENDPOINT, "jane")
    refusals.note(ENDPOINT, "jane", "one", 1_000.0)
    refusals.forget(ENDPOINT, "jane")
    assert refusals.moment(ENDPOINT, "jane", "one") is None


@pytest.mark.parametrize("password", ["", "pässwörd", "x" * 100_000, "\ud800"])
def test_any_text_may_be_a_password(refusals: Refusals, password: str) -> None:
    refusals.note(ENDPOINT, "jane", password, 1_000.0)
    assert refusals.moment(ENDPOINT, "jane", password) == 1_000.0


def test_it_holds_for_whoever_has_the_same_folder(tmp_path: Path) -> None:
    FileTokenStore(tmp_path).refusals.note(ENDPOINT, "jane", "one", 1_000.0)
    assert FileTokenStore(tmp_path).refusals.moment(ENDPOINT, "jane", "one") == 1_000.0


def test_whoever_logs_in_with_it_after_all_lets_everybody_use_it(tmp_path: Path) -> None:
    first, second = FileTokenStore(tmp_path).refusals, FileTokenStore(tmp_path).refusals
    first.note(ENDPOINT, "jane", "one", 1_000.0)
    second.forget(ENDPOINT, "jane")
    assert first.moment(ENDPOINT, "jane", "one") is None


def test_no_password_shows(refusals: Refusals, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    refusals.note(ENDPOINT, "jane", "secret-word", 1_000.0)
    assert "secret-word" not in repr(refusals) + caplog.text
    assert not [path for path in tmp_path.iterdir() if b"secret-word" in path.read_bytes()]


def test_without_scrypt_it_is_kept_in_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def missing(*_: object, **__: object) -> bytes:
        raise ValueError("[digital envelope routines] unsupported")

    monkeypatch.setattr(hashlib, "scrypt", missing)
    refusals = Refusals(Records(tmp_path, ".refused"))
    refusals.note(ENDPOINT, "jane", "one", 1_000.0)
    assert refusals.moment(ENDPOINT, "jane", "one") == 1_000.0
    assert "other processes will not know" in caplog.text
    assert list(tmp_path.iterdir()) == []
