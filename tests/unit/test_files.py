"""Files that hold a secret: private from the first instant, whole or not there."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sectigo_iot import TargetExistsError, private_file, private_folder, write_private
from sectigo_iot.files import ABANDONED, UNFINISHED, sweep, sync_filesystem


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


@pytest.mark.parametrize("umask", [0o022, 0o077, 0o777])
def test_file_and_folders_have_their_modes_under_any_umask(umask: int, tmp_path: Path) -> None:
    os.umask(umask)
    folder = private_folder(tmp_path / "a" / "b" / "c")
    write_private(folder / "key.pem", b"key")
    os.umask(0)
    for path in (folder, folder.parent, folder.parent.parent):
        assert stat.S_IMODE(path.stat().st_mode) == 0o700
    assert stat.S_IMODE((folder / "key.pem").stat().st_mode) == 0o600


def test_a_folder_that_stands_there_is_shut_only_if_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    private_folder(tmp_path)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o755
    private_folder(tmp_path, tighten=True)
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


@pytest.mark.parametrize("name", ["file", "file/below", "link"])
def test_a_folder_that_cannot_be(name: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    (tmp_path / "link").symlink_to("nowhere")
    with pytest.raises(OSError, match=name.partition("/")[0]):
        private_folder(tmp_path / name)


@pytest.mark.parametrize("name", ["x" * 251 + ".zip", "é" * 127, "\N{KEY}" * 63, "証" * 85])
def test_a_name_may_be_as_long_as_the_file_system_allows(name: str, tmp_path: Path) -> None:
    assert write_private(tmp_path / name, b"key").read_bytes() == b"key"


LEFT = f".24.zip.0123456789ab{UNFINISHED}"


def left_over(folder: Path, name: str = LEFT) -> Path:
    path = folder / name
    path.write_bytes(b"half a ZIP")
    path.chmod(0o600)
    return path


def test_what_a_killed_process_left_goes_with_the_next_file(tmp_path: Path) -> None:
    left_over(tmp_path)
    left_over(tmp_path, f".other.zip.ba9876543210{UNFINISHED}")
    write_private(tmp_path / "key.pem", b"key")
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]


def test_the_second_name_of_a_file_goes_and_the_file_stays(tmp_path: Path) -> None:
    """As where a process was killed right after the file had its name."""
    target = write_private(tmp_path / "24.zip", b"whole")
    (tmp_path / LEFT).hardlink_to(target)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["24.zip"]
    assert target.read_bytes() == b"whole"


def test_it_goes_even_if_the_next_file_is_refused(tmp_path: Path) -> None:
    write_private(tmp_path / "24.zip", b"old")
    left_over(tmp_path)
    with pytest.raises(TargetExistsError):
        write_private(tmp_path / "24.zip", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["24.zip"]


def test_what_is_being_written_stays(tmp_path: Path) -> None:
    with private_file(tmp_path / "24.zip") as file:
        (beside,) = tmp_path.iterdir()
        assert subprocess.run([sys.executable, "-c", SWEEP, str(tmp_path)], check=True).returncode == 0
        sweep(tmp_path)
        assert list(tmp_path.iterdir()) == [beside]
        file.write(b"whole")
    assert (tmp_path / "24.zip").read_bytes() == b"whole"


SWEEP = "import sys, pathlib; from sectigo_iot.files import sweep; sweep(pathlib.Path(sys.argv[1]))"


@pytest.mark.parametrize(
    "name",
    [
        "24.zip",
        f"24.zip{UNFINISHED}",
        f".24.zip{UNFINISHED}",
        f".24.zip.0123456789aX{UNFINISHED}",
        f"{LEFT}.old",
        "a.part",
    ],
)
def test_what_is_not_named_by_us_stays(name: str, tmp_path: Path) -> None:
    left_over(tmp_path, name)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]


def test_what_is_no_file_stays_and_is_not_opened(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"whole")
    folder = tmp_path / "folder"
    folder.mkdir()
    os.mkfifo(folder / LEFT)
    (folder / LEFT.replace("24", "25")).mkdir()
    (folder / LEFT.replace("24", "26")).symlink_to(outside)
    before = sorted(folder.iterdir())
    sweep(folder)
    assert sorted(folder.iterdir()) == before
    assert outside.read_bytes() == b"whole"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_what_is_another_s_stays(tmp_path: Path) -> None:
    os.chown(left_over(tmp_path), 65534, 65534)
    sweep(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [LEFT]


def test_a_folder_that_is_missing_or_none_is_no_matter(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    sweep(tmp_path / "file")
    sweep(tmp_path / "missing")
    assert [path.name for path in tmp_path.iterdir()] == ["file"]


@pytest.mark.parametrize(("age", "stays"), [(0, True), (ABANDONED - 60, True), (ABANDONED + 60, False)])
def test_where_nothing_can_be_locked_only_what_is_old_goes(
    age: float, stays: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def none(*_: object) -> None:
        raise OSError(errno.ENOLCK, "no locks here")

    monkeypatch.setattr(fcntl, "flock", none)
    path = left_over(tmp_path)
    os.utime(path, (time.time() - age, time.time() - age))
    assert write_private(tmp_path / "key.pem", b"key").read_bytes() == b"key"
    assert path.exists() == stays


@pytest.mark.parametrize("held", [True, False])
def test_a_file_that_is_swept_before_it_is_locked_is_made_anew(
    held: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flock = fcntl.flock
    met: list[Path] = []

    def late(descriptor: int, how: int) -> None:
        """Sweep the first file in the moment before it is locked."""
        if not met:
            met.extend(tmp_path.iterdir())
            met[0].unlink()
            if held:
                raise BlockingIOError(errno.EWOULDBLOCK, "the one that sweeps has it")
        flock(descriptor, how)

    monkeypatch.setattr(fcntl, "flock", late)
    assert write_private(tmp_path / "key.pem", b"key").read_bytes() == b"key"
    assert [path.name for path in tmp_path.iterdir()] == ["key.pem"]
    assert len(met) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every folder")
def test_a_folder_that_may_be_written_to_but_not_read_will_do(tmp_path: Path) -> None:
    folder = tmp_path / "drop"
    folder.mkdir()
    folder.chmod(0o300)
    try:
        assert write_private(folder / "key.pem", b"key").read_bytes() == b"key"
    finally:
        folder.chmod(0o700)


def test_a_file_system_is_synchronized_by_any_path_on_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sync_filesystem(tmp_path)
    with pytest.raises(FileNotFoundError):
        sync_filesystem(tmp_path / "missing")
    everything: list[bool] = []
    monkeypatch.setattr("ctypes.CDLL", lambda *_, **__: object())
    monkeypatch.setattr(os, "sync", lambda: everything.append(True))
    sync_filesystem(tmp_path)
    assert everything == [True]
