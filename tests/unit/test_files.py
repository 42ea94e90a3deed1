"""Files that hold a secret: private from the first instant, whole or not there."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from sectigo_iot import TargetExistsError, private_file, private_folder, write_private


@pytest.fixture(autouse=True)
def no_umask() -> object:
    before = os.umask(0)
    yield
    os.umask(before)


def test_a_file_is_private_from_the_first_instant(tmp_path: Path) -> None:
    with private_file(tmp_path / "key.pem") as file:
        (beside,) = tmp_path.iterdir()
        assert stat.S_IMODE(beside.stat().st_mode) == 0o600
        assert beside.name.startswith(".key.pem.")
        file.write(b"key")
    assert stat.S_IMODE((tmp_path / "key.pem").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


def test_a_file_has_its_name_only_once_it_is_whole(tmp_path: Path) -> None:
    with private_file(tmp_path / "key.pem") as file:
        file.write(b"key")
        assert not (tmp_path / "key.pem").exists()
    assert (tmp_path / "key.pem").read_bytes() == b"key"


def test_a_failure_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    write_private(tmp_path / "key.pem", b"old")

    def fail() -> None:
        with private_file(tmp_path / "key.pem", replace=True) as file:
            file.write(b"new")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert (tmp_path / "key.pem").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_an_existing_file_is_refused_before_the_block(tmp_path: Path) -> None:
    write_private(tmp_path / "key.pem", b"old")
    with pytest.raises(TargetExistsError), private_file(tmp_path / "key.pem"):
        raise AssertionError("the block was entered")


@pytest.mark.parametrize("links", [True, False])
def test_a_file_that_came_in_between_is_left(tmp_path: Path, links: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise PermissionError(1, "no hard links here")

    if not links:
        monkeypatch.setattr(os, "link", none)

    def race() -> None:
        with private_file(tmp_path / "key.pem") as file:
            file.write(b"new")
            (tmp_path / "key.pem").write_bytes(b"old")

    with pytest.raises(TargetExistsError):
        race()
    assert (tmp_path / "key.pem").read_bytes() == b"old"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_file_system_without_hard_links_will_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def none(*_: object) -> None:
        raise PermissionError(1, "no hard links here")

    monkeypatch.setattr(os, "link", none)
    assert write_private(tmp_path / "key.pem", b"key").read_bytes() == b"key"
    assert len(list(tmp_path.iterdir())) == 1


def test_a_long_name_will_do(tmp_path: Path) -> None:
    assert write_private(tmp_path / ("é" * 120), b"key").read_bytes() == b"key"


def test_a_folder_is_private(tmp_path: Path) -> None:
    folder = private_folder(tmp_path / "keys")
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert private_folder(folder) == folder


@pytest.mark.parametrize("replace", [True, False])
def test_a_folder_is_never_replaced(tmp_path: Path, replace: bool) -> None:
    (tmp_path / "24.zip").mkdir()
    with pytest.raises(TargetExistsError, match=r"24\.zip is a folder"):
        write_private(tmp_path / "24.zip", b"data", replace=replace)
    assert [path.name for path in tmp_path.iterdir()] == ["24.zip"]


def test_an_error_names_the_file_that_was_wanted(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        write_private(tmp_path / "missing" / "key.pem", b"key")
    assert caught.value.filename == str(tmp_path / "missing" / "key.pem")
