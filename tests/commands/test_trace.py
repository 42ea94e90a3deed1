"""--trace: refused before anything is sent, or written whatever the end is, and never in the way of the command."""

from __future__ import annotations

import json
import os
import resource
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.conftest import names_in
from tests.commands.lying_service import AUTH, CREATE, CUT, HANG, PASSWORD, LyingService, html
from tests.conftest import Runner
from tests.unit.test_har import check

LICENSES = "GET /api/v1/devices"


def traced(path: str = "run.har") -> list[dict[str, Any]]:
    """Return the exchanges of a trace that is as it should be."""
    file = Path(path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    document = json.loads(file.read_text("ascii"))
    check(document)
    entries: list[dict[str, Any]] = document["log"]["entries"]
    return entries


def calls(path: str = "run.har") -> list[tuple[str, int]]:
    return [(entry["_call"], entry["response"]["status"]) for entry in traced(path)]


@pytest.mark.usefixtures("here")
def test_it_holds_what_was_exchanged(sectigo: Runner, shared: Emulator) -> None:
    plain = sectigo("licenses", env=shared.environ)
    done = sectigo("--trace", "run.har", "licenses", env=shared.environ)
    assert done == (0, plain.out, "sectigo: 1 exchange written to run.har\n")
    assert calls() == [("devices", 200)]
    done = sectigo("find", "-n", "none.example.com", "--trace", "find.har", env=shared.environ)
    assert done.code == 0
    assert calls("find.har") == [("findCertificate", 200)]


@pytest.mark.usefixtures("here")
def test_the_log_in_the_refresh_and_the_redirect_are_in_it(sectigo: Runner, home: Path, shared: Emulator) -> None:
    sectigo("--trace", "login.har", "licenses", env=shared.environ)
    assert calls("login.har") == [("authenticate", 200), ("devices", 200)]
    (cache,) = (home / ".cache").rglob("*.json")
    kept = json.loads(cache.read_text())
    cache.write_text(json.dumps({**kept, "received": kept["received"] - 1000}))
    sectigo("--trace", "refresh.har", "licenses", env=shared.environ)
    assert calls("refresh.har") == [("refresh", 200), ("devices", 200)]


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("words", [("auth", "--cache"), ("validate",), ("completion", "bash")])
def test_a_command_that_asks_nobody_writes_that(sectigo: Runner, shared: Emulator, words: tuple[str, ...]) -> None:
    done = sectigo("--trace", "run.har", *words, env=shared.environ)
    assert (done.code, calls()) == (0, [])
    assert done.err.endswith("sectigo: 0 exchanges written to run.har\n")


@pytest.mark.usefixtures("here")
def test_an_error_is_told_first_and_leaves_its_exit_code(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[AUTH] = html(401)
    done = sectigo("--trace", "run.har", "licenses", env=liar.environ)
    assert done.code == 4
    assert done.err.splitlines()[-1] == "sectigo: 1 exchange written to run.har"
    assert calls() == [("authenticate", 401)]
    done = sectigo("--trace", "lost.har", "licenses", env={**liar.environ, "SECTIGO_ENDPOINT": "http://127.0.0.1:1"})
    assert done.code == 1
    assert {entry["response"]["status"] for entry in traced("lost.har")} == {0}
    assert "cannot be reached" in traced("lost.har")[0]["response"]["_error"]


@pytest.mark.usefixtures("here")
def test_an_unknown_outcome_is_in_it(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[CREATE] = CUT
    done = sectigo("--trace", "run.har", "create", "-d", "example.com", "-p", "secrtpasswrd", env=liar.environ)
    assert done.code == 5
    *_, order = traced()
    assert (order["_call"], order["response"]["status"]) == ("createSingleCertBatch", 0)
    assert "secrtpasswrd" not in Path("run.har").read_text()
    assert PASSWORD not in Path("run.har").read_text()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_what_was_interrupted_is_in_it(here: Path, liar: LyingService, number: signal.Signals) -> None:
    liar.answers[LICENSES] = HANG
    with subprocess.Popen(
        [sys.executable, "-m", "sectigo_cli", "--trace", "run.har", "licenses"],
        env={**os.environ, **liar.environ},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        try:
            assert liar.hanging.wait(15)
            process.send_signal(number)
            _, err = process.communicate(timeout=15)
        finally:
            process.kill()
    assert (process.returncode, err) == (-number, "sectigo: 2 exchanges written to run.har\n")
    assert calls() == [("authenticate", 200), ("devices", 0)]
    assert traced()[1]["response"]["_error"] == "interrupted"
    assert names_in() == ["run.har"]


REFUSED = {
    "-": "the trace goes to a file: stdout is for what was asked for",
    "there": "there exists already, and is left as it is",
    "link": "link exists already, and is left as it is",
    "folder": "folder is a folder",
    ".": ". is a folder",
    "missing/run.har": "missing cannot be written to: No such file or directory",
    "there/run.har": "the trace cannot be written to there/run.har: Not a directory",
    "x" * 300: f"the trace cannot be written to {'x' * 300}: File name too long",
    "/proc/run.har": "/proc cannot be written to: No such file or directory",
    "": "argument --trace: the value is empty",
    "run.har/": "run.har/ names a folder",
    "run.har/.": "run.har/. names a folder",
}


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("path", REFUSED, ids=lambda path: path[:20])
def test_what_cannot_be_written_is_refused_before_anything_is_sent(
    sectigo: Runner, liar: LyingService, path: str
) -> None:
    Path("there").write_text("as it was")
    Path("link").symlink_to("nowhere")
    Path("folder").mkdir()
    words = ("--trace", path, "create", "-d", "example.com", "-p", "secrtpasswrd")
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == f"sectigo: error: {REFUSED[path]}"
    assert liar.asked == []
    assert names_in() == ["folder", "link", "there"]
    assert Path("there").read_text() == "as it was"


@pytest.mark.usefixtures("here")
def test_a_name_of_two_lines_is_said_in_one(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("--trace", "a\nb.har", "licenses", env=shared.environ)
    assert done.err.splitlines()[-1].endswith("written to a\\nb.har")
    assert names_in() == ["a\nb.har"]


@pytest.mark.usefixtures("here")
def test_a_line_that_is_wrong_leaves_no_trace(sectigo: Runner, liar: LyingService) -> None:
    assert sectigo("--trace", "run.har", "licenses", "--bogus", env=liar.environ).code == 2
    assert sectigo("--trace", "run.har", "licenses", "--help", env=liar.environ).code == 0
    assert names_in() == []


@pytest.mark.usefixtures("here")
def test_a_trace_that_gets_lost_is_told_and_changes_nothing(shared: Emulator) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sectigo_cli", "--trace", "run.har", "licenses"],
        env={**os.environ, **shared.environ},
        capture_output=True,
        text=True,
        check=False,
        # No file may be longer: so does a disk that is full.
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100)),
    )
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert done.stderr.splitlines()[-1] == "sectigo: the trace could not be written to run.har: File too large"
    assert names_in() == []


def test_a_folder_that_may_not_be_written_to_is_refused(sectigo: Runner, liar: LyingService, here: Path) -> None:
    if os.geteuid() == 0:
        pytest.skip("root may write anywhere")
    (here / "closed").mkdir(mode=0o500)
    done = sectigo("--trace", "closed/run.har", "licenses", env=liar.environ)
    assert (done.code, liar.asked) == (2, [])
    assert "closed cannot be written to: Permission denied" in done.err
