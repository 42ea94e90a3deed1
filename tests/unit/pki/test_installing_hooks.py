"""What is run after an installation: what it is told, what it is not told, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sectigo_iot.pki import Installed, install, run_deploy_hook
from sectigo_iot.pki.installing import hooks
from tests.packages import PYTHONPATH

FILES = {f"{stem}.pem": b"" for stem in ("cert", "chain", "fullchain", "privkey", "full")}


@pytest.fixture
def installed(tmp_path: Path) -> Installed:
    return install(tmp_path / "live", "example.com", FILES)


def test_the_paths_of_one_certificate(installed: Installed) -> None:
    told = run_deploy_hook("env | grep ^SECTIGO_ | sort", [installed])
    assert told.succeeded
    assert dict(line.split("=", 1) for line in told.output.splitlines()) == {
        "SECTIGO_INSTALLED_COUNT": "1",
        "SECTIGO_INSTALLED_NAME": "example.com",
        "SECTIGO_INSTALLED_PATH": str(installed.path),
        "SECTIGO_INSTALLED_FOLDER": str(installed.path.resolve()),
        "SECTIGO_INSTALLED_CERT": str(installed.folder / "cert.pem"),
        "SECTIGO_INSTALLED_CHAIN": str(installed.folder / "chain.pem"),
        "SECTIGO_INSTALLED_FULLCHAIN": str(installed.folder / "fullchain.pem"),
        "SECTIGO_INSTALLED_KEY": str(installed.folder / "privkey.pem"),
        "SECTIGO_INSTALLED_FULL": str(installed.folder / "full.pem"),
        "SECTIGO_INSTALLED_PKCS12": "",
    }


def test_many_are_told_line_by_line_in_one_run(installed: Installed, tmp_path: Path) -> None:
    other = install(tmp_path / "live", "*.example.net", {"_.example.net.p12": b"", "cert.der": b""})
    told = run_deploy_hook(
        'printf "%s\\n" "$SECTIGO_INSTALLED_PKCS12" "$SECTIGO_INSTALLED_CERT"; cat', [installed, other]
    )
    none, pkcs12, first, second, *documents = told.output.splitlines()
    assert (none, pkcs12) == ("", str(other.folder / "_.example.net.p12"))
    assert (first, second) == (str(installed.folder / "cert.pem"), str(other.folder / "cert.der"))
    assert [json.loads(document)["name"] for document in documents] == ["example.com", "_.example.net"]
    assert json.loads(documents[0]) == {
        "name": "example.com",
        "path": str(installed.path),
        "folder": str(installed.folder),
        "files": {name: str(path) for name, path in installed.files.items()},
    }


def test_more_than_an_environment_holds_come_on_standard_input(installed: Installed) -> None:
    told = run_deploy_hook(
        'wc -l; echo "$SECTIGO_INSTALLED_COUNT" "${SECTIGO_INSTALLED_PATH-none}"', [installed] * 10_000
    )
    assert told.output.split() == ["10000", "10000", "none"]


def test_a_path_with_a_line_end_makes_no_list_of_lines(tmp_path: Path) -> None:
    one, other = (install(tmp_path / "li\nve", f"{each}.example.com", FILES) for each in "ab")
    tell = 'printf "%s|" "$SECTIGO_INSTALLED_COUNT" "${SECTIGO_INSTALLED_KEY-none}"'
    assert run_deploy_hook(tell, [one]).output == f"1|{one.files['privkey.pem']}|"
    assert run_deploy_hook(tell, [one, other]).output == "2|none|"


def test_no_secret_of_ours_is_handed_on(installed: Installed, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SECTIGO_PASSWORD", "SECTIGO_ACCESS_TOKEN", "SECTIGO_REFRESH_TOKEN", "SIAS_PASSWORD"):
        monkeypatch.setenv(name, "s3cret-of-ours")
    monkeypatch.setenv("HOOKS_OWN", "kept")
    told = run_deploy_hook("cat /proc/$$/environ 2>/dev/null | tr '\\0' '\\n'; env", [installed])
    assert "s3cret-of-ours" not in told.output
    assert "HOOKS_OWN=kept" in told.output


def test_a_hook_that_fails_is_told_and_undoes_nothing(installed: Installed) -> None:
    told = run_deploy_hook("echo out; echo err >&2; exit 3", [installed])
    assert (told.code, told.output, told.timed_out, told.succeeded) == (3, "out\nerr\n", False, False)
    assert installed.path.resolve() == installed.folder
    assert run_deploy_hook("kill -KILL $$", [installed]).code == -signal.SIGKILL
    assert run_deploy_hook("no-such-program-at-all", [installed]).code == 127


def test_the_last_of_what_it_writes_is_kept(installed: Installed) -> None:
    told = run_deploy_hook("yes 0123456 | head -n 100000; printf '\\377 end'", [installed])
    assert len(told.output) <= 4096
    assert told.output.endswith("0123456\n\ufffd end")


def test_what_it_writes_goes_where_it_is_sent(installed: Installed, tmp_path: Path) -> None:
    with (tmp_path / "stderr").open("wb") as stderr:
        assert run_deploy_hook("echo out; echo err >&2", [installed], output=stderr).output == ""
        assert run_deploy_hook("echo again", [installed], output=stderr.fileno()).succeeded
    assert (tmp_path / "stderr").read_text() == "out\nerr\nagain\n"


def is_running(file: Path) -> bool:
    """Whether the process runs whose number is in the file; it may take a moment to go."""
    state = Path("/proc", file.read_text().strip(), "stat")
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if state.read_text().rpartition(")")[2].split()[0] in "ZX":
                return False
        except (FileNotFoundError, ProcessLookupError):
            return False
        time.sleep(0.01)
    return True


STUBBORN = 'trap "" TERM; (trap "" TERM; sleep 60) & echo $! > "{0}"; wait; sleep 60'


def test_what_hangs_is_ended_with_all_it_started(
    installed: Installed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hooks, "_GRACE", 0.3)
    begun = time.monotonic()
    told = run_deploy_hook(STUBBORN.format(tmp_path / "child"), [installed], timeout=0.3)
    assert (told.timed_out, told.succeeded, told.code) == (True, False, -signal.SIGKILL)
    assert time.monotonic() - begun < 10
    assert not is_running(tmp_path / "child")


def test_a_daemon_that_it_starts_is_not_waited_for(installed: Installed, tmp_path: Path) -> None:
    begun = time.monotonic()
    told = run_deploy_hook(f'sleep 60 & echo $! > "{tmp_path}/child"; echo started', [installed], timeout=30)
    try:
        assert (told.succeeded, told.output) == (True, "started\n")
        assert time.monotonic() - begun < 20
    finally:
        os.kill(int((tmp_path / "child").read_text()), signal.SIGKILL)


INTERRUPTED = """
import pathlib, subprocess, sys
from sectigo_iot.pki import Installed, run_deploy_hook
place, wait = pathlib.Path(sys.argv[1]), subprocess.Popen.wait
def told(*words):
    (place / "waiting").touch()
    return wait(*words)
subprocess.Popen.wait = told
try:
    run_deploy_hook(f'sleep 60 & echo $! > {place}/child.new; mv {place}/child.new {place}/child; wait', [])
except KeyboardInterrupt:
    print("interrupted")
"""


def test_ctrl_c_ends_it_too(tmp_path: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    words = [sys.executable, "-c", INTERRUPTED, str(tmp_path)]
    with subprocess.Popen(words, env=environ, stdout=subprocess.PIPE, text=True) as process:
        until = time.monotonic() + 30
        # The shell may be there before whoever started it waits for it.
        while not ((tmp_path / "child").exists() and (tmp_path / "waiting").exists()):
            assert time.monotonic() < until
            time.sleep(0.01)
        process.send_signal(signal.SIGINT)
        out, _ = process.communicate(timeout=30)
    assert out == "interrupted\n"
    assert not is_running(tmp_path / "child")
