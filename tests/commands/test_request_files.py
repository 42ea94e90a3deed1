"""A folder of keys and requests: whole pairs or none, whatever comes in between."""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import warnings
from collections.abc import Callable
from pathlib import Path

import pytest

from sectigo_cli import request_files
from sectigo_cli.request_files import filling, in_the_way, refuse_existing, stem_of
from sectigo_iot import InvalidInputError, TargetExistsError

STEMS = ("a", "b", "c")


def fill(folder: Path, meanwhile: Callable[[], object] = lambda: None) -> None:
    with filling(folder) as target:
        for stem in STEMS:
            target.add(stem, f"key {stem}".encode(), f"request {stem}".encode())
        meanwhile()


def pairs(folder: Path) -> dict[str, list[str]]:
    """Return what stands in the folder, by stem: the suffixes. What is there must be whole, and private."""
    found: dict[str, list[str]] = {}
    for path in sorted(folder.iterdir()):
        stem, what = path.stem, {".key": "key", ".csr": "request"}[path.suffix]
        assert path.read_text() == f"{what} {stem}"
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        found.setdefault(stem, []).append(path.suffix)
    return found


WHOLE = [".csr", ".key"]


@pytest.mark.parametrize("umask", [0o022, 0o777])
def test_pairs_are_put_in_their_places(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        fill(tmp_path)
    finally:
        os.umask(before)
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)


@pytest.mark.parametrize("most", [1, 2])
def test_they_are_put_there_some_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(request_files, "MOST", most)
    with filling(tmp_path) as target:
        for number, stem in enumerate(STEMS, 1):
            target.add(stem, f"key {stem}".encode(), f"request {stem}".encode())
            assert len(list(tmp_path.glob("*.csr"))) == number - number % most
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)


def test_many_are_waited_for_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(request_files, "FEW", 0)
    fill(tmp_path)
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)


def without_links(*_: object, **__: object) -> None:
    raise PermissionError(1, "Operation not permitted")


def test_without_hard_links_they_are_moved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "link", without_links)
    fill(tmp_path)
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)
    with pytest.raises(TargetExistsError):
        fill(tmp_path)


@pytest.mark.parametrize("links", [True, False])
@pytest.mark.parametrize("suffix", [".key", ".csr"])
def test_what_comes_there_meanwhile_stays_and_takes_no_half(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    with pytest.raises(TargetExistsError, match=f"b{suffix} exists already"):
        fill(tmp_path, meanwhile=lambda: (tmp_path / f"b{suffix}").write_text("mine"))
    assert (tmp_path / f"b{suffix}").read_text() == "mine"
    (tmp_path / f"b{suffix}").unlink()
    assert pairs(tmp_path) == {"a": WHOLE}


def test_where_files_have_no_modes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "chmod", without_links)
    monkeypatch.setattr(os, "fchmod", without_links)
    modes: list[int] = []
    fill(tmp_path, meanwhile=lambda: modes.extend(path.stat().st_mode for path in tmp_path.iterdir()))
    assert [stat.S_IMODE(mode) for mode in modes] == [0o700], "private from the first instant"
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)


@pytest.mark.parametrize("code", [errno.EACCES, errno.EINVAL])
def test_a_folder_that_cannot_be_waited_for_is_no_failure(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    whole = os.open

    def opened(path: str | Path, flags: int, *words: int, **more: int) -> int:
        if os.fspath(path) == str(tmp_path):
            raise OSError(code, os.strerror(code), path)
        return whole(path, flags, *words, **more)

    with monkeypatch.context() as patched:
        patched.setattr(os, "open", opened)
        fill(tmp_path)
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)


def test_a_folder_that_is_not_written_is_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.fsync

    def synchronized(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        whole(descriptor)

    monkeypatch.setattr(os, "fsync", synchronized)
    with pytest.raises(OSError, match="Input/output error"):
        fill(tmp_path)


@pytest.mark.parametrize("step", ["chmod", "open"])
def test_what_another_takes_for_abandoned_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    swept: list[object] = []
    whole = getattr(os, step)

    def after_the_sweep(path: str | Path, *words: int, **more: int | None) -> object:
        if not swept and str(path).endswith(".sectigo-part"):
            swept.append(path)
            Path(path).rmdir()
        return whole(path, *words, **more)

    monkeypatch.setattr(os, step, after_the_sweep)
    fill(tmp_path)
    assert swept
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)


def test_how_many_are_in_their_places_is_known(tmp_path: Path) -> None:
    with filling(tmp_path) as target:
        target.add("a", b"key a", b"request a")
        assert target.settled == 0
        target.settle()
        assert target.settled == 1


@pytest.mark.parametrize("few", [0, 16])
def test_nothing_is_put_in_its_place_before_it_is_on_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    written: set[int] = set()
    fsync, link = os.fsync, os.link

    def synchronized(descriptor: int) -> None:
        written.add(os.fstat(descriptor).st_ino)
        fsync(descriptor)

    def synchronized_all(path: Path) -> None:
        written.update(each.stat().st_ino for each in (path, *path.parent.iterdir()))

    def linked(staged: str, target: str, **more: bool) -> None:
        assert os.stat(staged).st_ino in written  # noqa: PTH116 - as the code under test has it
        link(staged, target, **more)

    monkeypatch.setattr(request_files, "FEW", few)
    monkeypatch.setattr(os, "fsync", synchronized)
    monkeypatch.setattr("sectigo_iot.sync_filesystem", synchronized_all)
    monkeypatch.setattr(os, "link", linked)
    fill(tmp_path)
    assert pairs(tmp_path) == dict.fromkeys(STEMS, WHOLE)
    assert tmp_path.stat().st_ino in written


def test_one_name_twice_is_no_way_to_overwrite(tmp_path: Path) -> None:
    with filling(tmp_path) as target:
        target.add("a", b"key a", b"request a")
        with pytest.raises(FileExistsError):
            target.add("a", b"another", b"another")
    assert pairs(tmp_path) == {"a": WHOLE}


def test_a_stage_whose_removal_is_broken_off_gives_nobody_a_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = tmp_path / ".requests.0123456789ab.sectigo-part"
    stage.mkdir()
    (stage / "a.key").write_text("key a")
    (stage / "a.csr").write_text("request a")

    def broken_off(*_: object, **__: object) -> None:
        left = [path.name for path in stage.iterdir()]
        assert left == ["a.key"]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr("shutil.rmtree", broken_off)
        with pytest.raises(KeyboardInterrupt):
            in_the_way(tmp_path, STEMS)
    (tmp_path / "a.key").write_text("mine")
    assert in_the_way(tmp_path, STEMS) == [tmp_path / "a.key"]
    assert not (tmp_path / "a.csr").exists()


def test_an_error_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        fill(tmp_path, meanwhile=lambda: 1 / 0)
    assert list(tmp_path.iterdir()) == []


def test_an_error_names_the_file_that_was_asked_for(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="File name too long") as refused, filling(tmp_path) as target:
        target.add("n" * 300, b"key", b"request")
    assert refused.value.filename == str(tmp_path / f"{'n' * 300}.key")
    assert list(tmp_path.iterdir()) == []


def killed_at(step: int, folder: Path, *, links: bool) -> bool:
    """Fill the folder in a child that dies like one that is killed before so many calls that change a name."""
    with warnings.catch_warnings():
        # Newer Pythons warn of threads, which the child does not use.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        left = step
        if not links:
            os.link = without_links
        for name in ("link", "rename", "mkdir", "rmdir", "unlink"):
            whole = getattr(os, name)

            def counted(*words: object, whole: Callable[..., object] = whole, **more: object) -> object:
                nonlocal left
                if left == 0:
                    os._exit(9)
                left -= 1
                return whole(*words, **more)

            setattr(os, name, counted)
        try:
            fill(folder)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


@pytest.mark.parametrize("links", [True, False])
def test_killed_at_any_step_it_leaves_whole_pairs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, links: bool
) -> None:
    if not links:
        monkeypatch.setattr(os, "link", without_links)
    step, seen = 0, set()
    while True:
        folder = tmp_path / str(step)
        folder.mkdir()
        killed = killed_at(step, folder, links=links)
        # The next one that comes there puts right what was left.
        there = in_the_way(folder, STEMS)
        found = pairs(folder)
        assert all(suffixes == WHOLE for suffixes in found.values())
        assert len(there) == 2 * len(found)
        seen.add(len(found))
        if not killed:
            break
        step += 1
    assert step > 6
    assert seen == {0, 1, 2, 3}


def test_the_folder_of_one_who_lives_is_left_alone(tmp_path: Path) -> None:
    with filling(tmp_path) as target:
        target.add("a", b"key a", b"request a")
        assert in_the_way(tmp_path, STEMS) == []
    assert pairs(tmp_path) == {"a": WHOLE}


def test_two_at_once_do_not_disturb_each_other(tmp_path: Path) -> None:
    with filling(tmp_path) as one, filling(tmp_path) as other:
        one.add("a", b"key a", b"request a")
        other.add("b", b"key b", b"request b")
    assert pairs(tmp_path) == {"a": WHOLE, "b": WHOLE}


def test_a_key_of_somebody_else_gets_no_request(tmp_path: Path) -> None:
    stage = tmp_path / ".requests.0123456789ab.sectigo-part"
    stage.mkdir()
    (stage / "a.key").write_text("key a")
    (stage / "a.csr").write_text("request a")
    (tmp_path / "a.key").write_text("mine")
    assert in_the_way(tmp_path, STEMS) == [tmp_path / "a.key"]
    assert not stage.exists()
    assert not (tmp_path / "a.csr").exists()


def test_what_somebody_else_left_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    stage = tmp_path / ".requests.0123456789ab.sectigo-part"
    stage.mkdir()
    (stage / "a.csr").write_text("request a")
    (tmp_path / "a.key").write_text("mine")
    with monkeypatch.context() as patched:
        patched.setattr(os, "geteuid", lambda: os.getuid() + 1)
        assert in_the_way(tmp_path, STEMS) == [tmp_path / "a.key"]
    assert (stage / "a.csr").exists()


def test_what_is_locked_is_not_abandoned(tmp_path: Path) -> None:
    stage = tmp_path / ".requests.0123456789ab.sectigo-part"
    stage.mkdir()
    descriptor = os.open(stage, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    assert in_the_way(tmp_path, STEMS) == []
    assert stage.exists()
    os.close(descriptor)
    assert in_the_way(tmp_path, STEMS) == []
    assert not stage.exists()


def test_everything_that_is_in_the_way_is_named(tmp_path: Path) -> None:
    (tmp_path / "a.key").touch()
    with pytest.raises(TargetExistsError, match=r"a\.key exists already") as refused:
        refuse_existing(tmp_path, STEMS, hint="move it")
    assert refused.value.hint == "move it"
    (tmp_path / "c.csr").symlink_to("nowhere")
    with pytest.raises(InvalidInputError, match="2 files are in the way") as several:
        refuse_existing(tmp_path, STEMS)
    assert [fault.partition(" ")[0] for fault in several.value.faults] == [
        str(tmp_path / "a.key"),
        str(tmp_path / "c.csr"),
    ]
    refuse_existing(tmp_path, ["b"])


def test_files_are_called_as_in_a_zip() -> None:
    assert stem_of("*.example.com") == "_.example.com"
    assert stem_of("node.example.com") == "node.example.com"
