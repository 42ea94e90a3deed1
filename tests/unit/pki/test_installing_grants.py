"""Who may read what is installed: judged by getfacl, and by other users who try."""

from __future__ import annotations

import os
import pwd
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.pki import Installer, install, proven_readable
from sectigo_iot.pki.installing.acl import ENTER, READ, read_acl, write_acl
from sectigo_iot.pki.installing.grants import known_user
from tests.packages import PYTHONPATH

FILES = {"cert.pem": b"certificate", "privkey.pem": b"key"}
OTHER = "nobody" if pwd.getpwnam("nobody").pw_uid != os.geteuid() else "daemon"
ROOT = os.geteuid() == 0
as_root = pytest.mark.skipif(not ROOT, reason="only root can read as another user")


def a_service_user() -> str:
    """A user that is neither root nor nobody: Debian's www-data, or any other."""
    names = [
        entry.pw_name for entry in pwd.getpwall() if entry.pw_uid not in (0, os.geteuid()) and entry.pw_name != OTHER
    ]
    return "www-data" if "www-data" in names else names[0]


USER = a_service_user()


@pytest.fixture
def live() -> Iterator[Path]:
    """A folder in which files can be granted, on whose way everybody may pass."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o711)
        probe = Path(folder, "probe")
        probe.touch()
        try:
            write_acl(probe, read_acl(probe).allowing(known_user(USER).number, READ))
        except OSError:
            pytest.skip("this file system keeps no POSIX ACLs")
        yield Path(folder, "live")


def getfacl(path: Path) -> set[str]:
    done = subprocess.run(["getfacl", "-cpE", str(path)], capture_output=True, text=True, check=True)
    return set(done.stdout.split())


def setfacl(*words: str | Path) -> None:
    subprocess.run(["setfacl", *words], check=True)


@pytest.mark.needs("getfacl")
def test_a_grant_opens_the_way_and_the_files_and_nothing_else(live: Path) -> None:
    done = install(live, "example.com", FILES, grants=(USER,))
    assert done.users == (USER,)
    way = {"user::rwx", f"user:{USER}:--x", "group::---", "mask::--x", "other::---"}
    for folder in (live, live / ".versions", live / ".versions" / "example.com"):
        assert getfacl(folder) == way
    assert getfacl(done.folder) == {"user::rwx", f"user:{USER}:r-x", "group::---", "mask::r-x", "other::---"}
    for path in done.files.values():
        assert getfacl(path) == {"user::rw-", f"user:{USER}:r--", "group::---", "mask::r--", "other::---"}
    assert getfacl(live / ".versions" / ".lock") == {"user::rw-", "group::---", "other::---"}


@pytest.mark.needs("getfacl")
def test_a_folder_that_is_open_anyway_is_left_as_it_is(live: Path) -> None:
    live.mkdir()
    live.chmod(0o755)
    install(live, "example.com", FILES, grants=(USER,))
    assert getfacl(live) == {"user::rwx", "group::r-x", "other::r-x"}


@as_root
def test_a_grant_is_proven_by_reading_as_that_user(live: Path) -> None:
    done = install(live, "example.com", FILES, grants=(USER, OTHER))
    for user in (USER, OTHER, str(pwd.getpwnam(USER).pw_uid)):
        proof = proven_readable(user, done.path / "privkey.pem")
        assert (proof.readable, proof.proven, proof.reason) == (True, True, "")
    again = install(live, "example.org", FILES, grants=(OTHER,))
    proof = proven_readable(USER, again.path / "privkey.pem")
    assert (proof.readable, proof.proven) == (False, True)
    assert proof.reason == f"{USER} may not enter {live}/.versions/example.org"


@as_root
@pytest.mark.parametrize("user", [USER, OTHER])
def test_what_a_proof_works_out_is_what_the_kernel_says(user: str, live: Path) -> None:
    done = install(live, "example.com", FILES, grants=(USER,))
    known = known_user(user)
    for path in (live, done.folder, *done.files.values()):
        for rights, option in ((READ, "-r"), (ENTER, "-x")):
            went = subprocess.run(
                ["test", option, str(path)],
                user=known.number,
                group=known.group,
                extra_groups=known.groups,
                check=False,
            )
            assert known.may(path, rights) is (went.returncode == 0), (path, option)


@as_root
def test_the_first_folder_in_the_way_is_named(live: Path) -> None:
    done = install(live / "deep", "example.com", FILES, grants=(USER,))
    proof = proven_readable(USER, done.path / "privkey.pem")
    assert (proof.readable, proof.reason) == (False, f"{USER} may not enter {live}")
    live.chmod(0o711)
    assert proven_readable(USER, done.path / "privkey.pem").readable
    assert "No such file" in proven_readable(USER, done.path / "none.pem").reason


def test_whoever_asks_for_themselves_is_told_what_they_read(live: Path) -> None:
    done = install(live, "example.com", FILES)
    own = pwd.getpwuid(os.geteuid()).pw_name
    assert proven_readable(own, done.path / "privkey.pem").proven
    assert proven_readable(own, done.path / "privkey.pem").readable
    assert not proven_readable(own, done.path / "none.pem").readable


AS_NOBODY = """
# All that is needed, as root: others may not be able to read the interpreter's files.
import ctypes, os, pathlib, sys
from sectigo_iot.pki import install, proven_readable
import sectigo_iot.pki.installing.proof
os.setgroups([]), os.setgid(65534), os.setuid(65534)
folder = pathlib.Path(sys.argv[1], "mine")
done = install(folder, "example.com", {"privkey.pem": b"key"}, grants=(sys.argv[2],))
proof = proven_readable(sys.argv[2], done.path / "privkey.pem")
print(proof.readable, proof.proven, proof.reason)
proof = proven_readable("daemon", done.path / "privkey.pem")
print(proof.readable, proof.proven, proof.reason)
"""


@as_root
def test_what_only_root_could_prove_is_not_called_proven(live: Path) -> None:
    live.mkdir()
    live.chmod(0o777)
    done = subprocess.run(
        [sys.executable, "-c", AS_NOBODY, str(live), USER],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    granted, other = done.stdout.splitlines()
    assert granted == "True False not proven: only root can read as another user"
    assert other == f"False False daemon may not enter {live}/mine"
    assert proven_readable(USER, live / "mine" / "example.com" / "privkey.pem").readable


@pytest.mark.needs("getfacl")
def test_a_renewal_carries_grants_over_and_adds(live: Path) -> None:
    install(live, "example.com", FILES, grants=(USER,))
    assert install(live, "example.com", FILES, grants=None).users == (USER,)
    done = install(live, "example.com", FILES, grants=(OTHER,))
    assert set(done.users) == {USER, OTHER}
    assert {f"user:{USER}:r--", f"user:{OTHER}:r--", "mask::r--"} < getfacl(done.files["privkey.pem"])
    with Installer(live, grants=(OTHER,), carry_grants=False) as installer:
        (last,) = installer.commit([installer.stage("example.com", FILES)])
    assert last.users == (OTHER,)
    assert f"user:{USER}:r--" not in getfacl(last.files["privkey.pem"])


@pytest.mark.needs("getfacl", "setfacl")
def test_what_a_default_acl_gives_behind_the_mask_is_said_and_stays_behind_it(live: Path) -> None:
    live.mkdir()
    setfacl("-d", "-m", f"u:{OTHER}:rwx,g:daemon:rx", live)
    before = install(live, "example.com", FILES)
    assert {f"user:{OTHER}:rwx", "mask::---"} < getfacl(before.files["privkey.pem"])
    assert f"the default ACL of {live} names users or groups" in before.remarks[0]
    done = install(live, "example.com", FILES, grants=(USER,))
    assert "mask ---" in done.remarks[0]
    for path, rights in ((done.files["privkey.pem"], "r--"), (done.folder, "r-x")):
        entries = {f"user:{OTHER}:---", "group:daemon:---", "group::---", f"user:{USER}:{rights}", f"mask::{rights}"}
        assert entries < getfacl(path), "nobody else got anything by the wider mask"
    assert install(live.with_name("plain"), "example.com", FILES, grants=(USER,)).remarks == ()


@pytest.mark.needs("getfacl", "setfacl")
def test_a_user_of_the_default_acl_can_be_granted(live: Path) -> None:
    live.mkdir()
    setfacl("-d", "-m", f"u:{USER}:r", live)
    done = install(live, "example.com", FILES, grants=(USER,))
    assert {f"user:{USER}:r--", "mask::r--"} < getfacl(done.files["privkey.pem"])
    assert not ROOT or proven_readable(USER, done.path / "privkey.pem").readable


@pytest.mark.needs("getfacl", "setfacl")
def test_the_access_check_is_that_of_acl_5(live: Path) -> None:
    live.parent.joinpath("file").touch()
    file = live.parent / "file"
    setfacl("-m", "u:4711:rw,g:4712:r,g:4713:w,m::r,o::r", file)
    acl = read_acl(file)
    assert acl.allows(4711, (), 4)
    assert not acl.allows(4711, (), 2), "the mask"
    assert acl.allows(1, (4712,), 4)
    assert not acl.allows(1, (4713,), 4), "a group that is named, and lacks it, hides what others have"
    assert acl.allows(1, (4712, 4713), 4)
    assert acl.allows(1, (), 4)
    assert acl.is_masked()
    write_acl(file, acl.allowing(4714, 6))
    assert {"user:4711:r--", "user:4714:rw-", "group:4712:r--", "group:4713:---", "mask::rw-"} < getfacl(file)


def test_without_extended_attributes_modes_alone_count(live: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "getxattr")
    monkeypatch.delattr(os, "setxattr")
    done = install(live, "example.com", FILES)
    with pytest.raises(OSError, match="keeps no POSIX ACLs"):
        install(live, "example.com", FILES, grants=(USER,))
    assert done.path.resolve() == done.folder


@pytest.mark.parametrize("user", ["no-such-user", "", "-1", "4294967295", "\u0661", "a\x00b"])
def test_a_user_that_is_none(user: str) -> None:
    with pytest.raises(InvalidInputError, match="there is no user"):
        known_user(user)


def test_a_number_is_no_name_of_digits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Who was let in by number is let in again, though there is somebody whose name is that number."""
    real, digits = pwd.getpwnam, str(pwd.getpwnam(USER).pw_uid)
    monkeypatch.setattr(pwd, "getpwnam", lambda name: real(OTHER if name == digits else name))
    assert known_user(digits).name == OTHER
    assert known_user(int(digits)).name == USER


@pytest.mark.needs("getfacl", "setfacl")
def test_a_grant_takes_nothing_that_a_user_had_by_a_group_or_as_everybody(live: Path) -> None:
    live.mkdir()
    live.chmod(0o704)
    install(live, "example.com", FILES, grants=(USER,))
    assert f"user:{USER}:r-x" in getfacl(live)


def test_users_by_number() -> None:
    assert known_user(str(pwd.getpwnam(USER).pw_uid)) == known_user(USER)
    stranger = known_user("3999999999")
    assert (stranger.name, stranger.number, stranger.groups) == ("3999999999", 3_999_999_999, frozenset())


WITHOUT_ACLS = """
import pathlib, subprocess, sys
from sectigo_iot.pki import install
folder, files = pathlib.Path(sys.argv[1]), {"cert.pem": b"old"}
subprocess.run(["mount", "-t", "ramfs", "ramfs", folder], check=True)
first = install(folder, "example.com", files)
for name in ("example.com", "example.org"):
    try:
        install(folder, name, {"cert.pem": b"new"}, grants=[sys.argv[2]])
    except OSError as error:
        print(error.strerror)
print(install(folder, "example.net", files).users, first.path.resolve() == first.folder)
print(sorted(path.name for path in folder.iterdir()))
"""


@as_root
@pytest.mark.needs("unshare")
def test_a_file_system_without_acls_is_told_before_anything_changes(tmp_path: Path) -> None:
    words = ["unshare", "--mount", sys.executable, "-c", WITHOUT_ACLS, str(tmp_path), USER]
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    done = subprocess.run(words, env=environ, capture_output=True, text=True, check=False)
    if "unshare failed" in done.stderr or "mount:" in done.stderr:
        pytest.skip("this root may not mount")
    assert done.stderr == ""
    told = f"it cannot be opened to {USER}: this file system keeps no POSIX ACLs"
    assert done.stdout.splitlines() == [
        told,
        told,
        "() True",
        "['.versions', 'example.com', 'example.net']",
    ]
