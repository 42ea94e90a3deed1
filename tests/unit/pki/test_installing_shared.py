"""Where other users may write in the target folder, or something strikes at the worst moment."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot.errors import TargetExistsError
from sectigo_iot.files import UNFINISHED, sync_filesystem
from sectigo_iot.pki import Installer, install
from sectigo_iot.pki.installing import moving
from sectigo_iot.pki.installing.acl import READ, read_acl, write_acl
from sectigo_iot.pki.installing.grants import known_user
from sectigo_iot.pki.installing.holding import Held
from sectigo_iot.pki.installing.layout import Layout
from tests.packages import PYTHONPATH

FILES = {"cert.pem": b"old certificate", "privkey.pem": b"old key"}
NEWER = {"cert.pem": b"new certificate", "privkey.pem": b"new key"}
USER = "nobody"
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root installs for others, and gives folders away")


@pytest.fixture
def live() -> Iterator[Path]:
    """A folder in which files can be granted."""
    with tempfile.TemporaryDirectory() as folder:
        probe = Path(folder, "probe")
        probe.touch()
        try:
            write_acl(probe, read_acl(probe).allowing(known_user(USER).number, READ))
        except OSError:
            pytest.skip("this file system keeps no POSIX ACLs")
        Path(folder).chmod(0o711)
        yield Path(folder, "live")


def in_force(folder: Path, name: str = "example.com") -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (folder / name).iterdir()}


def as_other(*words: str | Path) -> None:
    other = known_user(USER)
    subprocess.run(words, user=other.number, group=other.group, extra_groups=[], check=True)


@as_root
@pytest.mark.parametrize("swapped", ["file", "folder", "home"])
def test_the_owner_of_the_target_is_not_let_into_what_they_put_in_the_way(swapped: str, live: Path) -> None:
    secret = live.parent / "secret" / "privkey.pem"
    secret.parent.mkdir(0o700)
    secret.write_bytes(b"of somebody else")
    secret.chmod(0o600)
    live.mkdir(0o755)
    os.chown(live, known_user(USER).number, known_user(USER).group)
    install(live, "example.com", FILES)
    with Installer(live, grants=(USER,)) as installer:
        staged = installer.stage("example.com", {"privkey.pem": b"new key"})
        # What the owner of the folder can do at any time: `.versions` away, and one of their own in its place.
        as_other("mv", live / ".versions", live / "aside")
        as_other("mkdir", "-p", live / ".versions", installer.staging_root, installer.staging_root / ".links")
        if swapped == "file":
            as_other("mkdir", staged.folder)
            as_other("ln", "-s", secret, staged.folder / "privkey.pem")
        elif swapped == "folder":
            as_other("ln", "-s", secret.parent, staged.folder)
        else:
            as_other("mkdir", staged.folder)
            as_other("touch", staged.folder / "privkey.pem")
            as_other("ln", "-s", secret.parent, live / ".versions" / "example.com")
        # Whether it ends well is the owner's own affair.
        with contextlib.suppress(OSError, TargetExistsError):
            installer.commit([staged])
    assert known_user(USER).number not in {entry.holder for entry in read_acl(secret).entries}
    assert known_user(USER).number not in {entry.holder for entry in read_acl(secret.parent).entries}
    assert secret.read_bytes() == b"of somebody else"


@pytest.mark.parametrize("mode", [0o770, 0o703])
def test_versions_that_others_may_write_in_are_refused(mode: int, live: Path) -> None:
    (live / ".versions").mkdir(parents=True)
    (live / ".versions").chmod(mode)
    with pytest.raises(TargetExistsError, match="others may write") as caught:
        install(live, "example.com", FILES)
    assert "chmod" in (caught.value.hint or "")
    assert not list(live.rglob(f"*{UNFINISHED}"))


def test_a_file_that_comes_into_the_way_at_the_last_moment_is_left(
    live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sync_filesystem

    def meanwhile(path: Path) -> None:
        if not os.path.lexists(live / "example.com"):
            (live / "example.com").write_bytes(b"precious")
        real(path)

    monkeypatch.setattr(moving, "sync_filesystem", meanwhile)
    with pytest.raises(TargetExistsError, match="was not installed here"):
        install(live, "example.com", FILES)
    assert (live / "example.com").read_bytes() == b"precious"
    assert Layout(live).known("example.com") == []


@pytest.mark.parametrize("what", ["no link can be made", "nothing can be renamed"])
def test_a_link_leads_to_a_whole_version_when_the_way_back_fails_too(
    what: str, live: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install(live, "a.example.com", FILES)
    install(live, "b.example.com", FILES)
    real = moving.Mover._use_link

    def full(*_: object, **__: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    def second_fails(self: moving.Mover, folder: Held, name: str) -> None:
        if name == "b.example.com" or folder is self.staging.back:
            monkeypatch.setattr(os, "symlink", full)
            if what == "nothing can be renamed" or folder is not self.staging.back:
                full()
        real(self, folder, name)

    monkeypatch.setattr(moving.Mover, "_use_link", second_fails)
    with Installer(live) as installer:
        staged = [installer.stage(f"{letter}.example.com", NEWER) for letter in "ab"]
        with pytest.raises(OSError, match="No space"):
            installer.commit(staged)
    assert in_force(live, "a.example.com") == (FILES if what == "no link can be made" else NEWER)
    assert in_force(live, "b.example.com") == FILES


KILLED = """
import os, signal, sys
from sectigo_iot.pki import Installer
from sectigo_iot.pki.installing import moving
switched = []
real = moving.Mover._use_link
def use(self, *words):
    if len(switched) == int(sys.argv[2]):
        os.kill(os.getpid(), signal.SIGKILL)
    real(self, *words)
    switched.append(words)
moving.Mover._use_link = use
with Installer(sys.argv[1]) as installer:
    installer.commit([installer.stage(f"{each}.example.com", {"privkey.pem": b"new key"}) for each in "abc"])
"""


@pytest.mark.parametrize("switched", [0, 1, 2])
def test_versions_that_a_killed_run_did_not_switch_to_are_swept(switched: int, live: Path) -> None:
    first = install(live, "b.example.com", FILES)
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    done = subprocess.run([sys.executable, "-c", KILLED, str(live), str(switched)], env=environ, check=False)
    assert done.returncode == -9
    install(live, "d.example.com", FILES)
    known = [Layout(live).known(f"{each}.example.com") for each in "abc"]
    assert list(map(len, known)) == [int(switched > 0), 1 + int(switched > 1), 0]
    assert known[1][0] == first.folder.name
    for name in ("a", "b")[: max(1, switched)] if switched else ("b",):
        assert (live / f"{name}.example.com" / "privkey.pem").read_bytes()
    names = {path.name for path in (live / ".versions").iterdir()} - {".lock", "b.example.com", "d.example.com"}
    assert names == ({"a.example.com"} if switched else set())


def test_the_version_before_survives_a_kill_while_the_links_are_switched_back(live: Path) -> None:
    first = install(live, "a.example.com", FILES)
    second = install(live, "a.example.com", NEWER)
    # What a run leaves that is killed with the link back made, and not yet used.
    left = live / ".versions" / f".0123456789ab{UNFINISHED}"
    (left / ".back").mkdir(parents=True)
    (left / ".links").mkdir()
    (left / ".removed").mkdir()
    (left / ".back" / "a.example.com").symlink_to(f".versions/a.example.com/{first.folder.name}")
    (left / ".links" / "a.example.com").symlink_to(f".versions/a.example.com/{second.folder.name}")
    (left / ".links" / "etc").symlink_to("/etc")
    (left / ".links" / "b.example.com").symlink_to(f".versions/a.example.com/{first.folder.name}")
    (left / ".links" / "notes").write_bytes(b"")
    install(live, "b.example.com", FILES)
    assert Layout(live).known("a.example.com") == [first.folder.name, second.folder.name]
    assert not left.exists()


@pytest.mark.parametrize("code", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_is_told(code: int, live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    with monkeypatch.context() as patched:
        patched.setattr(fcntl, "flock", refused)
        with pytest.raises(OSError, match="cannot be locked") as caught:
            install(live, "example.com", FILES)
    assert (caught.value.errno, caught.value.filename) == (code, str(live))
