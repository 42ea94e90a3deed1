"""`sectigo doctor`: what it prints, what it says to do, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from sectigo_cli.exits import ATTENTION, DONE, FAILED, NOT_AUTHENTICATED, USAGE
from sectigo_iot import FileTokenStore
from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import AUTHORITIES, AUTHORITY, HANG, LyingService, document, html
from tests.conftest import Runner
from tests.packages import PYTHONPATH
from tests.terminals import run_at_terminal
from tests.unit.lying_server import closed_port
from tests.unit.tls_server import client_files, new_authority

DEVICES = "GET /api/v1/devices"
CHECKS = [
    *("clock", "dns", "tcp", "tls", "http", "proxy", "environment", "cache", "keyring"),
    *("credentials", "role", "balance"),
]
STATES = ("ok", "attention", "wrong", "not checked")


@pytest.fixture
def patient(liar: LyingService) -> LyingService:
    """A service with which all is well."""
    liar.answers[DEVICES] = document({"status": 401}, 401)
    liar.answers[AUTHORITIES] = document([{**AUTHORITY, "balance": 60}])
    return liar


def states(out: str) -> dict[str, str]:
    """Return how each check ended, as printed."""
    lines = [line for line in out.splitlines() if line and not line.startswith((" ", "What", "Nothing"))]
    return {line[12:].split()[0]: line[:12].strip() for line in lines}


def advice(out: str) -> str:
    """Return what is said last, and that it is said after all else."""
    return " ".join(out.rpartition("\n\n")[2].split())


@pytest.mark.parametrize("words", [("doctor",), ("--verbose", "doctor")])
def test_whose_session_it_is_is_said_once(sectigo: Runner, emulator: Emulator, words: tuple[str, ...]) -> None:
    assert sectigo("auth", env=emulator.environ).code == 0
    done = sectigo(*words, env={**emulator.environ, "SECTIGO_USERNAME": "", "SECTIGO_PASSWORD": ""})
    assert done.err.count("using the only one with tokens for this endpoint, tester") == 1


def test_all_is_well(sectigo: Runner, emulator: Emulator) -> None:
    done = sectigo("doctor", env=emulator.environ)
    assert (done.code, done.err) == (DONE, "")
    assert list(states(done.out)) == CHECKS
    assert set(states(done.out).values()) == {"ok", "not checked"}
    assert advice(done.out) == "Nothing is wrong with what could be checked."
    # A path is not broken in two.
    folder = str(FileTokenStore().folder)
    assert max(len(line) for line in done.out.splitlines() if folder not in line) < 80
    assert emulator.control.logins()["count"] == 1
    assert emulator.control.orders()["count"] == 0


def test_a_second_run_needs_no_log_in(sectigo: Runner, emulator: Emulator) -> None:
    for said in ("there was no session, so logged in just now", "the session there was is accepted"):
        done = sectigo("doctor", env=emulator.environ)
        assert said in " ".join(done.out.split())
    assert emulator.control.logins()["count"] == 1


def test_json(sectigo: Runner, emulator: Emulator) -> None:
    done = sectigo("doctor", "--json", env=emulator.environ)
    findings = json.loads(done.out)
    assert [each["check"] for each in findings] == CHECKS
    assert {each["state"] for each in findings} <= set(STATES)
    assert all(set(each) == {"check", "state", "facts", "hint", "details"} for each in findings)
    assert (done.code, done.err) == (DONE, "")


def test_nobody_listens(sectigo: Runner) -> None:
    endpoint = f"http://127.0.0.1:{closed_port()}"
    done = sectigo("doctor", env={"SECTIGO_ENDPOINT": endpoint, "SECTIGO_ENVIRONMENT": "testing"})
    assert (done.code, done.err) == (FAILED, "")
    assert states(done.out)["tcp"] == "wrong"
    assert advice(done.out) == (
        "What to do about tcp: does the service run, and on this port? `sectigo serve` runs an emulator"
    )


@pytest.mark.parametrize(
    "words",
    [
        ("-E", "production", "-e", "http://127.0.0.1:1"),
        ("-E", "nowhere"),
        ("-e", "nonsense"),
        ("--ca-file", "nothing"),
    ],
)
def test_a_setting_is_wrong(sectigo: Runner, patient: LyingService, words: tuple[str, ...]) -> None:
    done = sectigo(*words, "doctor", env=patient.environ)
    assert done.code == USAGE
    assert advice(done.out).startswith("What to do about ")
    assert patient.asked == []


def test_a_wrong_password_is_tried_once_over_several_runs(sectigo: Runner, emulator: Emulator) -> None:
    for _ in range(3):
        done = sectigo("doctor", env={**emulator.environ, "SECTIGO_PASSWORD": "wrong-password-4711"})
        assert done.code == NOT_AUTHENTICATED
        assert states(done.out)["credentials"] == "wrong"
        assert "wrong-password-4711" not in done.out + done.err
    assert emulator.control.logins()["count"] == 1


def test_no_credentials(sectigo: Runner, patient: LyingService) -> None:
    done = sectigo("doctor", env={"SECTIGO_ENDPOINT": patient.url, "SECTIGO_ENVIRONMENT": "docker"})
    assert done.code == NOT_AUTHENTICATED
    assert "SECTIGO_USERNAME" in advice(done.out)


def test_a_user_without_authority(sectigo: Runner) -> None:
    with Emulator(authorized=False) as emulator:
        assert sectigo("doctor", env=emulator.environ).code == NOT_AUTHENTICATED


def test_no_licence_is_left(sectigo: Runner) -> None:
    with Emulator(scenario="no-balance") as emulator:
        done = sectigo("doctor", env=emulator.environ)
    assert done.code == ATTENTION
    assert states(done.out)["balance"] == "attention"
    assert "buy licences" in advice(done.out)


def test_a_session_that_others_can_read(sectigo: Runner, emulator: Emulator) -> None:
    assert sectigo("auth", env=emulator.environ).code == DONE
    (path,) = FileTokenStore().folder.glob("*.json")
    path.chmod(0o644)
    done = sectigo("doctor", env=emulator.environ)
    assert done.code == ATTENTION
    assert states(done.out)["cache"] == "attention"
    assert str(path) in advice(done.out)
    assert sectigo("doctor", env=emulator.environ).code == DONE, "it is healed"


def test_the_first_that_is_wrong_counts_before_what_needs_attention(sectigo: Runner, patient: LyingService) -> None:
    FileTokenStore().folder.mkdir(parents=True)
    FileTokenStore().folder.chmod(0o755)
    patient.answers[AUTHORITIES] = document({"message": "no"}, 403)
    done = sectigo("doctor", env=patient.environ)
    assert (done.code, states(done.out)["cache"], states(done.out)["balance"]) == (FAILED, "attention", "wrong")
    assert "ask whoever administers the account" in advice(done.out)


def test_a_client_key_that_others_can_read_has_its_line(
    sectigo: Runner, patient: LyingService, tmp_path: Path
) -> None:
    files = client_files(new_authority(), tmp_path, days=(-1, 90))
    Path(files.key).chmod(0o644)
    done = sectigo(*files.flags, "doctor", env=patient.environ)
    assert (done.code, done.err) == (ATTENTION, "")
    assert advice(done.out).startswith("What to do about client certificate: `chmod 600 ")
    table = done.out.rpartition("\n\n")[0].splitlines()
    assert all(line[30] == " " != line[31] for line in table), "the facts stand in one column"


def test_a_log_in_page_of_a_network(sectigo: Runner, patient: LyingService) -> None:
    patient.answers[DEVICES] = html()
    done = sectigo("doctor", env=patient.environ)
    assert done.code == FAILED
    assert patient.asked == [DEVICES]


def test_what_a_service_says_does_no_harm(sectigo: Runner, patient: LyingService) -> None:
    name = "EE\x1b[2J\x9b\u202e" + "x" * 400
    patient.answers[AUTHORITIES] = document([{**AUTHORITY, "profileName": name}, {**AUTHORITY, "id": 8}])
    for words in ((), ("--json",)):
        out = sectigo("doctor", *words, env=patient.environ).out
        assert not {"\x1b", "\x9b", "\u202e"} & set(out)


def test_a_terminal_is_asked_for_the_password(patient: LyingService, tmp_path: Path) -> None:
    environ = {**os.environ, **patient.environ, "PYTHONPATH": PYTHONPATH}
    del environ["SECTIGO_PASSWORD"]
    command = [sys.executable, "-m", "sectigo_cli", "doctor"]
    prompt = f"Sectigo password of jane at {patient.url}: "
    code, seen = run_at_terminal(command, {prompt: "correct-horse-battery"}, env=environ, cwd=tmp_path)
    assert code == DONE
    assert "password: prompt" in seen
    assert "correct-horse-battery" not in seen


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_it_can_be_interrupted(patient: LyingService, number: signal.Signals) -> None:
    patient.answers[DEVICES] = HANG
    environ = {**os.environ, **patient.environ, "PYTHONPATH": PYTHONPATH}
    command = [sys.executable, "-m", "sectigo_cli", "doctor"]
    with subprocess.Popen(command, env=environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert patient.hanging.wait(10)
        process.send_signal(number)
        begun = time.monotonic()
        out, err = process.communicate(timeout=10)
    assert time.monotonic() - begun < 2
    assert process.returncode == -number
    assert b"Traceback" not in out + err


def test_a_service_that_hangs_is_given_so_long_and_no_longer(sectigo_process: Runner, patient: LyingService) -> None:
    patient.answers[DEVICES] = HANG
    begun = time.monotonic()
    done = sectigo_process("--request-timeout", "0.5", "doctor", env=patient.environ)
    assert time.monotonic() - begun < 4
    assert done.code == FAILED
    assert states(done.out)["http"] == "wrong"
