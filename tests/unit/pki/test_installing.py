"""Versions, one switch, and what stands there when something goes wrong."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sectigo_iot.errors import InvalidInputError, TargetExistsError
from sectigo_iot.files import UNFINISHED
from sectigo_iot.pki import Installer, install
from sectigo_iot.pki.installing import moving
from sectigo_iot.pki.installing.layout import Layout, installed_name, next_version
from sectigo_iot.pki.installing.staging import stage_files
from tests.packages import PYTHONPATH

FILES = {"cert.pem": b"old certificate", "privkey.pem": b"old key"}
NEWER = {"cert.pem": b"new certificate", "privkey.pem": b"new key"}


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "live"


def tree(folder: Path) -> dict[str, bytes | str]:
    """All that stands under a folder, links as where they lead."""
    found: dict[str, bytes | str] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        found[name] = (
            f"-> {path.readlink()}" if path.is_symlink() else path.read_bytes() if path.is_file() else "folder"
        )
    return found


def in_force(folder: Path, name: str = "example.com") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / name).iterdir()}


def test_a_link_leads_to_a_version_that_only_its_owner_may_read(live: Path) -> None:
    done = install(live, "example.com", FILES)
    assert done.path == live / "example.com"
    assert done.path.readlink() == Path(".versions", "example.com", done.folder.name)
    assert done.folder == done.path.resolve()
    assert done.previous is None
    assert done.files == {name: done.folder / name for name in FILES}
    assert in_force(live) == FILES
    modes = {stat.S_IMODE(path.lstat().st_mode) for path in (live, *live.rglob("*")) if not path.is_symlink()}
    assert modes == {0o600, 0o700}
    assert [stat.S_IMODE(path.stat().st_mode) for path in done.files.values()] == [0o600, 0o600]


def test_a_folder_that_moves_takes_its_certificates_along(live: Path) -> None:
    install(live, "example.com", FILES)
    live.rename(live.with_name("moved"))
    assert in_force(live.with_name("moved")) == FILES


def test_the_version_before_stays_as_it_was(live: Path) -> None:
    first = install(live, "example.com", FILES)
    second = install(live, "example.com", NEWER)
    assert second.previous == first.folder
    assert {path.name: path.read_bytes() for path in first.folder.iterdir()} == FILES
    assert in_force(live) == NEWER


@pytest.mark.parametrize("keep", [1, 2, 3, 9])
def test_the_last_versions_are_kept(keep: int, live: Path) -> None:
    made = [install(live, "example.com", FILES, keep=keep).folder.name for _ in range(5)]
    assert Layout(live).known("example.com") == made[-keep:]
    assert (live / "example.com").readlink().name == made[-1]


def test_versions_sort_by_age_when_the_clock_goes_back(live: Path) -> None:
    layout = Layout(live)
    ahead, behind = datetime(2031, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)
    for moment in (ahead, behind, behind):
        (layout.home("a") / next_version(layout.known("a"), moment)).mkdir(parents=True)
    (layout.home("a") / "20310101T000000Z-10000").mkdir()
    (layout.home("a") / "20310101T000000Z-9999").mkdir()
    (layout.home("a") / "notes").mkdir()
    stamps = ["20310101T000000Z-" + number for number in ("0001", "0002", "0003", "9999", "10000")]
    assert layout.known("a") == stamps
    assert next_version(layout.known("a"), behind) == "20310101T000000Z-10001"


def test_what_an_administrator_rolled_back_to_is_never_removed(live: Path) -> None:
    made = [install(live, "example.com", FILES, keep=4) for _ in range(4)]
    (live / "example.com").unlink()
    (live / "example.com").symlink_to(Path(".versions", "example.com", made[0].folder.name))
    done = install(live, "example.com", NEWER, keep=2)
    assert done.previous == made[0].folder
    assert Layout(live).known("example.com") == [made[0].folder.name, done.folder.name]


@pytest.mark.parametrize(
    "name",
    [
        "",
        ".",
        "..",
        ".hidden",
        "a/b",
        "../a",
        "/a",
        "a\\b",
        "a\nb",
        "a\x00b",
        "a\x7f",
        "\u202egro",
        "e" * 201,
        "-rf",
        " a",
        "a ",
    ],
)
def test_a_name_that_is_none(name: str, live: Path) -> None:
    with pytest.raises(InvalidInputError, match="the name"):
        install(live, name, FILES)
    with pytest.raises(InvalidInputError, match="no file can be called"):
        install(live, "example.com", {name: b""})
    assert not live.exists()


def test_a_wildcard_has_a_name_that_a_shell_leaves_alone(live: Path) -> None:
    assert installed_name("*.example.com") == "_.example.com"
    assert installed_name("m\u00fcnchen.example") == "m\u00fcnchen.example"
    assert install(live, "*.example.com", FILES).path.name == "_.example.com"


@pytest.mark.parametrize("kind", ["folder", "file", "link", "dangling link", "another's version"])
def test_what_was_not_installed_is_left_as_it_is(kind: str, live: Path) -> None:
    live.mkdir()
    place = live / "example.com"
    if kind == "folder":
        place.mkdir()
        (place / "privkey.pem").write_bytes(b"precious")
    elif kind == "file":
        place.write_bytes(b"precious")
    else:
        target = {"link": "/etc", "dangling link": "nowhere"}.get(kind, ".versions/example.org/20260101T000000Z-0001")
        place.symlink_to(target)
    before = tree(live)
    with pytest.raises(TargetExistsError, match="was not installed here") as caught:
        install(live, "example.com", FILES)
    assert caught.value.path == str(place)
    assert caught.value.hint
    after = tree(live)
    assert {name: what for name, what in after.items() if not name.startswith(".versions")} == before
    assert set(after) - set(before) == set()


def test_a_link_whose_version_is_gone_is_ours(live: Path) -> None:
    first = install(live, "example.com", FILES)
    for path in first.files.values():
        path.unlink()
    first.folder.rmdir()
    install(live, "example.com", NEWER)
    assert in_force(live) == NEWER


@pytest.mark.parametrize("kind", ["file", "link"])
def test_a_foreign_place_for_versions(kind: str, live: Path, tmp_path: Path) -> None:
    live.mkdir()
    if kind == "file":
        (live / ".versions").write_bytes(b"precious")
    else:
        (live / ".versions").symlink_to(tmp_path)
    before = tree(live)
    with pytest.raises(TargetExistsError, match="is no folder"):
        install(live, "example.com", FILES)
    assert tree(live) == before


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_folder_that_another_user_could_change(live: Path) -> None:
    (live / ".versions").mkdir(parents=True)
    os.chown(live / ".versions", 65534, 65534)
    with pytest.raises(TargetExistsError, match="belongs to another user"):
        install(live, "example.com", FILES)


def test_many_are_installed_by_one_commit(live: Path) -> None:
    install(live, "b.example.com", FILES)
    with Installer(live) as installer:
        staged = [installer.stage(f"{letter}.example.com", NEWER) for letter in "abc"]
        assert set(tree(live / "b.example.com")) == set(FILES)
        assert not (live / "a.example.com").exists()
        done = installer.commit(staged)
    assert [one.name for one in done] == ["a.example.com", "b.example.com", "c.example.com"]
    assert all(in_force(live, one.name) == NEWER for one in done)
    assert [one.previous is None for one in done] == [True, False, True]
    assert not list(live.rglob(f"*{UNFINISHED}"))


def test_what_is_not_committed_leaves_nothing(live: Path) -> None:
    with Installer(live / "deep" / "er") as installer:
        stage_files(installer.staging_root, "example.com", FILES)
    assert not live.exists()
    with pytest.raises(RuntimeError):
        _ = installer.staging_root


@pytest.mark.parametrize(("first", "second"), [("a.test", "A.test"), ("m\u00fc.test", "mu\u0308.test")])
def test_twins_are_refused(first: str, second: str, live: Path) -> None:
    with Installer(live) as installer:
        staged = [installer.stage(first, FILES), installer.stage(second, FILES)]
        with pytest.raises(InvalidInputError, match="would be one certificate"):
            installer.commit(staged)
        with pytest.raises(InvalidInputError, match="two certificates would be installed as"):
            installer.stage(first, FILES)
        with pytest.raises(InvalidInputError, match="would be one certificate"):
            installer.commit([staged[0], staged[0]])
    assert not live.exists()


@pytest.mark.parametrize("kind", [OSError, KeyboardInterrupt])
@pytest.mark.parametrize(
    "step", ["_make_link", "_use_link", "let_enter", "sync_filesystem", "second sync_filesystem"]
)
def test_a_failure_on_the_way_leaves_all_as_it_was(
    step: str, kind: type[BaseException], live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(live, "b.example.com", FILES)
    before = tree(live)
    with Installer(live) as installer:
        staged = [installer.stage(f"{letter}.example.com", NEWER) for letter in "abc"]
        failing = _Failing(kind, at={"_make_link": 3, "_use_link": 3, "second sync_filesystem": 2}.get(step, 1))
        if hasattr(moving.Mover, step):
            failing.real = getattr(moving.Mover, step)
            monkeypatch.setattr(moving.Mover, step, lambda *words: failing(*words))
        else:
            failing.real = getattr(moving, step.split()[-1])
            monkeypatch.setattr(moving, step.split()[-1], failing)
        with pytest.raises(kind):
            installer.commit(staged)
    assert failing.calls >= failing.at
    assert tree(live) == before


class _Failing:
    """A step that goes well until it is taken for a certain time, and only then does not."""

    def __init__(self, kind: type[BaseException], at: int) -> None:
        self.kind, self.at, self.calls = kind, at, 0
        self.real: Callable[..., object] = print

    def __call__(self, *words: object) -> None:
        self.calls += 1
        if self.calls == self.at:
            raise self.kind
        self.real(*words)


def test_one_installation_at_a_time(live: Path) -> None:
    with Installer(live) as installer:
        staged = installer.stage("example.com", FILES)
        begun = time.monotonic()
        with pytest.raises(BlockingIOError, match="another installation into this folder is under way"):
            Installer(live, patience=0.2).__enter__()
        assert 0.2 <= time.monotonic() - begun < 5
        installer.commit([staged])
    assert install(live, "example.com", NEWER).previous


TWO_AT_ONCE = """
import sys
from sectigo_iot.pki import install
for number in range(10):
    install(sys.argv[1], sys.argv[2], {"a.pem": sys.argv[2].encode()}, keep=2)
"""


def test_processes_take_turns(live: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    line = [sys.executable, "-c", TWO_AT_ONCE, str(live)]
    running = [subprocess.Popen([*line, name], env=environ) for name in ("a.test", "b.test", "a.test")]
    assert [process.wait(60) for process in running] == [0, 0, 0]
    assert [in_force(live, name) for name in ("a.test", "b.test")] == [{"a.pem": b"a.test"}, {"a.pem": b"b.test"}]
    assert len(Layout(live).known("a.test")) == 2


@pytest.mark.parametrize("umask", [0o000, 0o777])
def test_the_umask_does_not_matter(umask: int, live: Path) -> None:
    before = os.umask(umask)
    try:
        done = install(live, "example.com", FILES)
    finally:
        os.umask(before)
    assert stat.S_IMODE(done.folder.stat().st_mode) == 0o700
    assert {stat.S_IMODE(path.stat().st_mode) for path in done.files.values()} == {0o600}


def test_nothing_is_kept_or_granted_by_mistake(live: Path) -> None:
    with pytest.raises(InvalidInputError, match="at least one version"):
        install(live, "example.com", FILES, keep=0)
    with pytest.raises(InvalidInputError, match="there is no user 'nobody-of-that-name'"):
        install(live, "example.com", FILES, grants=("nobody-of-that-name",))
    assert not live.exists()


ON_OTHER_DISKS = """
import json, os, pathlib, subprocess, sys
from sectigo_iot.pki import install
disk, files = pathlib.Path(sys.argv[1]), {"cert.pem": b"old"}
told = {}

def mount(kind, where, *options):
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", kind, *options, kind, where], check=True)

def state(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob("*") if p.name != ".lock")

def attempt(what, folder, **words):
    before = state(folder)
    try:
        install(folder, "example.com", words.pop("files", files), **words)
    except OSError as error:
        told[what] = [str(error.filename).replace(str(disk), ""), error.strerror, state(folder) == before]
    else:
        told[what] = "installed"

mount("tmpfs", disk, "-o", "size=256k")
install(disk, "example.com", files)
attempt("full", disk, files={"cert.pem": b"new" * 1000, "privkey.pem": b"x" * 300_000})
mount("tmpfs", disk / ".versions" / "example.net")
try:
    install(disk, "example.net", files)
except OSError as error:
    told["other disk"] = [error.strerror, "example.net" in error.filename, (disk / "example.net").exists()]
subprocess.run(["umount", disk / ".versions" / "example.net"], check=True)
subprocess.run(["mount", "-o", "remount,ro", disk], check=True)
attempt("read-only", disk)
print(json.dumps(told))
"""
UNSHARE = ("unshare", "--user", "--map-root-user", "--mount")


@pytest.mark.needs("unshare")
def test_disks_that_are_full_or_read_only_or_know_less(tmp_path: Path) -> None:
    disk = tmp_path / "disk"
    disk.mkdir()
    if subprocess.run([*UNSHARE, "mount", "-t", "tmpfs", "tmpfs", str(disk)], capture_output=True).returncode != 0:
        pytest.skip("this machine lets nobody mount a file system in a namespace of their own")
    done = subprocess.run(
        [*UNSHARE, sys.executable, "-c", ON_OTHER_DISKS, str(disk)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    told: Mapping[str, list[object]] = json.loads(done.stdout)
    place, why, unchanged = told["full"]
    assert (str(place).endswith("privkey.pem"), why, unchanged) == (True, "No space left on device", True)
    assert told["other disk"] == ["Invalid cross-device link", True, False]
    assert told["read-only"][1:] == ["Read-only file system", True]
