"""Faults 19 to 23 of the Go tool: its command line, and what a script can make of its output."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sectigo_iot import IoTManager, MemoryTokenStore, Settings
from sectigo_iot.emulator import Emulator
from tests.commands.conftest import names_in
from tests.commands.lying_service import AUTHORITIES, AUTHORITY, BATCH, REVOKE, Answer, LyingService, document
from tests.commands.signing_requests import request
from tests.commands.test_serve import serving
from tests.conftest import Runner

COMMANDS = (
    *("auth", "authorities", "licenses", "profiles", "profile", "organization", "create", "upload"),
    *("batches", "download", "find", "revoke", "serve", "validate"),
)
"""Those of the Go tool."""
LIST = "GET /api/v1/batches"
BALANCE = "GET /api/v1/authorities/7/balanceavailable"


@pytest.mark.parametrize("command", COMMANDS)
def test_fault_19a_help_needs_no_variable(sectigo: Runner, command: str) -> None:
    done = sectigo(command, "--help")
    assert (done.code, done.err) == (0, "")
    assert done.out


def test_fault_19b_profile_and_environment_have_defaults(sectigo: Runner, emulator: Emulator) -> None:
    settings = Settings("jane", "secret", token_store=MemoryTokenStore(), environ={})
    with IoTManager(settings) as client:
        assert client.endpoint("devices") == "https://iot.sectigo.com/api/v1/devices"
        assert (client.profile, settings.environment.value) == ("CipherTrace EE", "production")
    for words in (("validate",), ("auth", "--debug"), ("auth", "--cache")):
        assert sectigo(*words).code == 0
    known = {name: value for name, value in emulator.environ.items() if name != "SECTIGO_ENVIRONMENT"}
    assert sectigo("licenses", "--environment", "testing", env=known).code == 0
    assert sectigo("create", "-d", "example.com", "--env", "testing", env=known).code == 0


def test_fault_19c_serve_needs_no_variable(sectigo: Runner) -> None:
    with serving(env={}) as (process, told):
        assert sectigo("licenses", env=told).code == 0
        process.terminate()
        assert process.wait(10) == 0


USAGE = {
    "unknown command": ("order",),
    "no command": (),
    "unknown flag": ("licenses", "--bogus"),
    "unknown flag before the command": ("--bogus", "licenses"),
    "flag without its value": ("batches", "-i"),
    "an id that is none": ("batches", "-i", "x"),
    "a flag that is missing": ("create",),
    "a reason that is none": ("revoke", "-p", "8", "-s", "AB", "-r", "boredom"),
    "parameters of no profile": ("profiles", "--params"),
}


@pytest.mark.parametrize("words", USAGE.values(), ids=USAGE)
def test_fault_20_usage_errors_go_to_stderr_and_exit_2(
    sectigo: Runner, liar: LyingService, words: tuple[str, ...]
) -> None:
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    assert done.err.startswith("sectigo: error: ")


def test_fault_21a_without_a_folder_a_download_comes_here(sectigo: Runner, manual: Emulator, here: Path) -> None:
    assert sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", env=manual.environ).code == 0
    done = sectigo("download", "-i", "24", env=manual.environ)
    assert (done.code, done.err) == (0, "")
    assert names_in() == ["24.zip"]


@pytest.mark.parametrize("words", [("req.csr", "-p", "42"), ("-p", "42", "req.csr")], ids=["after", "before"])
def test_fault_21b_flags_may_stand_after_the_file(
    sectigo: Runner, manual: Emulator, here: Path, words: tuple[str, ...]
) -> None:
    Path("req.csr").write_bytes(request("example.com"))
    done = sectigo("upload", *words, env=manual.environ)
    assert done.code == 0, done
    assert (json.loads(done.out)["batchId"], json.loads(done.out)["profile"]) == (24, "TRISA Profile")


@pytest.mark.parametrize(
    "words",
    [
        ("licenses", "now"),
        ("create", "-d", "example.com", "www.example.com"),
        ("download", "-i", "24", "certs"),
        ("revoke", "-p", "8", "-s", "AB", "CD"),
        ("find", "-n", "example.com", "example.org"),
    ],
)
def test_fault_21c_extra_arguments_are_refused(
    sectigo: Runner, liar: LyingService, here: Path, words: tuple[str, ...]
) -> None:
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    assert words[-1] in done.err


def test_fault_22a_an_order_prints_one_document_although_a_password_is_generated(
    sectigo: Runner, liar: LyingService
) -> None:
    done = sectigo("create", "-d", "example.com", env=liar.environ)
    assert json.loads(done.out) == BATCH
    assert "pkcs12 password: " in done.err


def test_fault_22b_balances_stand_in_the_one_document(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[BALANCE] = Answer(b"5")
    done = sectigo("authorities", "-b", env=liar.environ)
    assert json.loads(done.out) == [{**AUTHORITY, "availableBalance": 5}]


def test_fault_22c_nothing_is_escaped(sectigo: Runner, liar: LyingService) -> None:
    name = '<b> R&D\'s "Zürich" → 日本'
    liar.answers[AUTHORITIES] = document([{**AUTHORITY, "ecosystemName": name}])
    done = sectigo("authorities", env=liar.environ)
    assert json.loads(done.out)[0]["ecosystemName"] == name
    assert '<b> R&D\'s \\"Zürich\\" → 日本' in done.out


def test_fault_23a_info_and_status_together_are_refused(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("batches", "-i", "24", "--info", "--status", env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])


def test_fault_23b_batches_without_an_id_asks_for_the_list(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[LIST] = document([BATCH])
    done = sectigo("batches", env=liar.environ)
    assert (done.code, json.loads(done.out)) == (0, [BATCH])
    liar.answers[LIST] = document({"message": "no list here"}, 501)
    done = sectigo("batches", env=liar.environ)
    assert (done.code, done.out, "no list here" in done.err) == (1, "", True)


def test_fault_23c_a_revocation_is_confirmed(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[REVOKE] = Answer()
    done = sectigo("revoke", "-p", "8", "-r", "superseded", "-s", "ab:cd", env=liar.environ)
    assert done == (0, "", "sectigo: revoked ABCD (superseded)\n")
