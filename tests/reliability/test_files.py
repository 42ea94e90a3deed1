"""What holds a secret is private from the first instant, under any umask."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from sectigo_iot import private_file, remember_login
from sectigo_iot.emulator import Emulator
from sectigo_iot.files import UNFINISHED
from tests.conftest import Runner
from tests.packages import PYTHONPATH
from tests.reliability.figures import figure, share

UMASKS = [0o000, 0o022, 0o077, 0o777]

# Python tells of each step before it is taken, so that every mode is seen that a file has between two of them.
WATCHING = """
import contextlib, json, os, sys
tree, umask = sys.argv[1], int(sys.argv[2], 8)
seen, looking = {}, False

def look(event, _arguments):
    global looking
    if looking or not (event == "open" or event.startswith(("os.", "fcntl.", "shutil."))):
        return
    looking = True
    for folder, folders, files in os.walk(tree):
        for name in (*folders, *files):
            path = os.path.join(folder, name)
            with contextlib.suppress(FileNotFoundError):
                seen.setdefault(os.path.relpath(path, tree), []).append(os.lstat(path).st_mode)
    looking = False

os.umask(umask)
sys.addaudithook(look)
"""
WORK = """
import keyring, keyring.backend
from sectigo_cli.main import main
from sectigo_iot import FileTokenStore, remember_login, write_private

class Keyring(keyring.backend.KeyringBackend):
    priority = 1
    kept = {}
    set_password = lambda self, service, username, password: self.kept.update({(service, username): password})
    get_password = lambda self, service, username: self.kept.get((service, username))

keyring.set_keyring(Keyring())
codes = [main(words.split()) for words in (
    "auth",
    "--trace run.har licenses",
    "create -d example.com --password-out pkcs12.password --download ordered",
    "download -i 10000 -o fetched/",
)]
write_private("vasp.key", b"a private key")
write_private("vasp.p12", b"a bundle")
write_private("vasp.p12", b"a newer bundle", replace=True)
remember_login("https://example.com", "jane", "correct horse")
look("open", ())
print(json.dumps([codes, seen]), file=sys.stderr)
"""


@pytest.mark.parametrize("umask", UMASKS[:: share(1, 3)], ids=oct)
def test_every_file_at_every_moment(umask: int, emulator: Emulator, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    done = subprocess.run(
        [sys.executable, "-B", "-c", WATCHING + WORK, str(tmp_path), oct(umask)[2:]],
        env={
            **os.environ,
            **emulator.environ,
            "PYTHONPATH": PYTHONPATH,
            "SECTIGO_PROFILE": "CipherTrace EE",
            "HOME": str(work),
            "XDG_CACHE_HOME": str(work / "home" / ".cache"),
            "XDG_CONFIG_HOME": str(work / "home" / ".config"),
        },
        cwd=work,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    codes, seen = json.loads(done.stderr.splitlines()[-1])
    del seen["work"]
    assert codes == [0, 0, 0, 0], done.stderr
    assert {Path(path).name for path in seen} >= {
        "logins.json",
        "10000.zip",
        "vasp.key",
        "vasp.p12",
        "pkcs12.password",
        "run.har",
    }
    assert {Path(path).suffix for path in seen} >= {".json", ".lock", UNFINISHED}
    wider = [(path, mode) for path, modes in seen.items() for mode in modes if stat.S_IMODE(mode) & ~most(mode)]
    assert wider == []
    for path, modes in seen.items():
        assert UNFINISHED in path or stat.S_IMODE(modes[-1]) == most(modes[-1]), (path, modes)
    assert not list(work.rglob(f"*{UNFINISHED}"))
    looks = sum(len(modes) for modes in seen.values())
    figure(
        "files",
        f"umask {umask:04o}: {len(seen)} files and folders, looked at {looks} times: {len(wider)} times wider than "
        "0600 and 0700",
    )


def most(mode: int) -> int:
    """Return the permissions that may be there."""
    return 0o700 if stat.S_ISDIR(mode) else 0o600


# The first lines, as root, import all that is needed: nobody may not be able to read the interpreter's files.
AS_NOBODY = """
import os, sys, time
from pathlib import Path
import filelock
from sectigo_iot import FileTokenStore, TokenPair, private_folder, write_private
folder, token = Path(sys.argv[1]), sys.argv[2]
store = FileTokenStore(folder / "cache" / "deep")
if os.geteuid() == 0:
    os.chown(folder, 65534, 65534)
    os.setgroups([]), os.setgid(65534), os.setuid(65534)
os.umask(0o777)
write_private(private_folder(folder / "a" / "b") / "key", b"key")
for _ in range(2):
    write_private(folder / "a" / "b" / "key", b"newer", replace=True)
    with store.lock("https://example.com", "jane"):
        store.save("https://example.com", "jane", TokenPair(token, token, time.time()))
assert store.load("https://example.com", "jane").access_token == token
assert (folder / "a" / "b" / "key").read_bytes() == b"newer"
"""


def test_a_umask_that_takes_everything_from_a_plain_user() -> None:
    from tests.unit.lying_server import token

    with tempfile.TemporaryDirectory() as work:
        done = subprocess.run(
            [sys.executable, "-B", "-c", AS_NOBODY, work, token()],
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in Path(work).rglob("*")}
    assert (done.returncode, done.stderr) == (0, "")
    folders = {"a", "b", "cache", "deep"}
    assert {name: mode for name, mode in modes.items() if name in folders} == dict.fromkeys(folders, 0o700)
    assert {mode for name, mode in modes.items() if name not in folders} == {0o600}


@pytest.mark.parametrize("mode", [0o755, 0o777, 0o750])
def test_our_folders_are_shut_to_others(mode: int, home: Path, emulator: Emulator, sectigo: Runner) -> None:
    folders = [home / ".cache" / "sectigo-iot", home / ".config" / "sectigo-iot"]
    for folder in folders:
        folder.mkdir(parents=True)
        folder.chmod(mode)
    assert sectigo("auth", env=emulator.environ).code == 0
    remember_login(emulator.url, "jane", "correct horse")
    assert [stat.S_IMODE(folder.stat().st_mode) for folder in folders] == [0o700, 0o700]
    assert stat.S_IMODE(folders[0].parent.stat().st_mode) == 0o777 & ~umask_of_now(), "what is not ours alone is left"


def umask_of_now() -> int:
    before = os.umask(0o077)
    os.umask(before)
    return before


SWEEP = """
import sys
from pathlib import Path
from sectigo_iot.files import sweep
while True:
    sweep(Path(sys.argv[1]))
"""


@pytest.fixture
def swept(tmp_path: Path) -> Iterator[Path]:
    """A folder that another process sweeps without a pause."""
    left_over = tmp_path / f".24.zip.0123456789ab{UNFINISHED}"
    left_over.touch(0o600)
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    with subprocess.Popen([sys.executable, "-c", SWEEP, str(tmp_path)], env=environ) as process:
        try:
            until = time.monotonic() + 30
            while left_over.exists():
                assert time.monotonic() < until, "what is left over is not swept"
                time.sleep(0.01)
            yield tmp_path
        finally:
            process.kill()


def test_what_is_being_written_is_never_swept(swept: Path) -> None:
    times, whole = share(5_000, 100), 0
    for number in range(times):
        target = swept / f"{number % 7}.zip"
        with private_file(target, replace=True) as file:
            file.write(b"%d" % number)
        assert target.read_bytes() == b"%d" % number
        whole += 1
    figure("files", f"{times} files written while another process swept: {whole} whole")
