"""batches, profiles, authorities, licenses, organization, find: what is read, and how it is printed."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.conftest import names_in
from tests.commands.lying_service import BATCH, FIND, Answer, LyingService, document, html, ready, text, waiting
from tests.conftest import Runner

PLAIN = (("licenses",), ("authorities",), ("profiles",), ("profiles", "-i", "423"), ("organization",))


@pytest.fixture
def batch(sectigo: Runner, shared: Emulator) -> int:
    """A batch that is ready."""
    done = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", env=shared.environ)
    number: int = json.loads(done.out)["batchId"]
    return number


@pytest.mark.parametrize("words", PLAIN)
def test_one_document_and_nothing_else(sectigo: Runner, shared: Emulator, words: tuple[str, ...]) -> None:
    done = sectigo(*words, env=shared.environ)
    assert (done.code, done.err) == (0, "")
    assert done.out == json.dumps(json.loads(done.out), indent=2, ensure_ascii=False) + "\n"


# The service's document, and the very text that is due for it.
AS_SENT = (
    b'{"zeta":1,"issued":2,"ordered":3,"new":{"a":[]},'
    b'"note":"<b>&\'\xc3\xa4\xe2\x82\xac","none":null,"big":12345678901234567890}'
)
DUE = """{
  "zeta": 1,
  "issued": 2,
  "ordered": 3,
  "new": {
    "a": []
  },
  "note": "<b>&'ä€",
  "none": null,
  "big": 12345678901234567890
}
"""


def test_order_and_unknown_fields_are_kept_and_nothing_is_escaped(sectigo: Runner, liar: LyingService) -> None:
    liar.answers["GET /api/v1/devices"] = Answer(AS_SENT)
    assert sectigo("licenses", env=liar.environ).out == DUE
    assert sectigo("call", "devices", env=liar.environ).out == DUE


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "cp1252"])
def test_a_stdout_that_knows_few_characters(sectigo_process: Runner, liar: LyingService, encoding: str) -> None:
    liar.answers["GET /api/v1/devices"] = document({"ordered": 1, "issued": 0, "note": "日本 ä"})
    done = sectigo_process("licenses", env={**liar.environ, "PYTHONIOENCODING": encoding})
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"ordered": 1, "issued": 0, "note": "日本 ä"}


def test_a_lone_surrogate(sectigo: Runner, liar: LyingService) -> None:
    liar.answers["GET /api/v1/devices"] = Answer(b'{"ordered": 1, "issued": 0, "note": "\\ud800"}')
    done = sectigo("licenses", env=liar.environ)
    assert done.code == 0, done
    assert json.loads(done.out)["note"] == "\ud800"


def test_balances_stand_in_the_one_document(sectigo: Runner, shared: Emulator) -> None:
    for flag in ("-b", "--balances"):
        done = sectigo("authorities", flag, env=shared.environ)
        listed = json.loads(done.out)
        assert [(a["id"], type(a["availableBalance"])) for a in listed] == [(489, int), (423, int)]
    plain = json.loads(sectigo("authorities", env=shared.environ).out)
    assert [{k: v for k, v in a.items() if k != "availableBalance"} for a in listed] == plain


# Profiles


@pytest.mark.parametrize("command", ["profile", "profiles"])
def test_profiles_and_its_alias(sectigo: Runner, manual: Emulator, command: str) -> None:
    assert [p["profileId"] for p in json.loads(sectigo(command, env=manual.environ).out)] == [42]
    detail = json.loads(sectigo(command, "-i", "42", env=manual.environ).out)
    assert detail["profileId"] == 42
    assert isinstance(detail["rawProfileConfig"], str)
    for flag in ("-p", "--params"):
        listed = json.loads(sectigo(command, "-i", "42", flag, env=manual.environ).out)
        assert [rule["name"] for rule in listed] == ["commonName", "pkcs12Password"]
    config = sectigo(command, "--id", "42", "--config", env=manual.environ)
    assert config.out == json.dumps(json.loads(detail["rawProfileConfig"]), indent=2) + "\n"


def test_a_configuration_that_is_no_json(sectigo: Runner, liar: LyingService) -> None:
    detail = {"profileId": 8, "profileName": "P", "rawProfileConfig": "key = ü\nsize = 2"}
    liar.answers["GET /api/v1/profiles/8"] = document(detail)
    done = sectigo("profiles", "-i", "8", "--config", env=liar.environ)
    assert (done.code, done.out) == (0, "key = ü\nsize = 2\n")


def test_a_configuration_that_is_nested_too_deep_is_shown_as_it_came(sectigo: Runner, liar: LyingService) -> None:
    config = "[" * 100_000
    liar.answers["GET /api/v1/profiles/8"] = document({"profileId": 8, "rawProfileConfig": config})
    assert sectigo("profiles", "-i", "8", "--config", env=liar.environ).out == config + "\n"


@pytest.mark.parametrize("terminal", [True, False])
def test_what_is_printed_is_no_order_to_a_terminal(sectigo: Runner, liar: LyingService, terminal: bool) -> None:
    config = "a\tb \x1b[2J\x9b2J"
    liar.answers["GET /api/v1/profiles/8"] = document({"profileId": 8, "rawProfileConfig": config})
    done = sectigo("profiles", "-i", "8", "--config", env=liar.environ, terminal=terminal)
    assert done.out == ("a?b ?[2J?2J\n" if terminal else config + "\n")


def test_json_holds_no_control_character_as_it_is(sectigo: Runner, liar: LyingService) -> None:
    organization = {"organizationId": 1, "organizationName": "\x9b2J\x7fü\x1b"}
    liar.answers["GET /api/v1/organizations/user"] = document(organization)
    done = sectigo("organization", env=liar.environ)
    assert json.loads(done.out) == organization
    assert "\\u009b2J\\u007fü\\u001b" in done.out


# Batches


def test_a_batch(sectigo: Runner, shared: Emulator, batch: int) -> None:
    detail = json.loads(sectigo("batches", "-i", str(batch), env=shared.environ).out)
    assert (detail["batchId"], detail["status"]) == (batch, "READY_FOR_DOWNLOAD")
    for flag in ("-I", "--info"):
        info = sectigo("batches", "--id", str(batch), flag, env=shared.environ)
        assert json.loads(info.out) == {"active": 0, "success": 1, "failed": 0}
    for flag in ("-s", "--status"):
        status = sectigo("batches", "-i", str(batch), flag, env=shared.environ)
        assert status == (0, "READY_FOR_DOWNLOAD\n", "0 in work, 1 issued, 0 failed\n")


def test_the_status_text_becomes_its_constant(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(waiting(24))
    done = sectigo("batches", "-i", "24", "--status", env=liar.environ)
    assert done.code == 0
    assert done.out == "NOT_ACCEPTABLE\n"
    assert done.err.splitlines() == [
        "0 in work, 0 issued, 0 failed",
        "sectigo: not ready yet: the service says CREATED",
    ]
    for words, constant in (("Processing", "PROCESSING"), ("partly issued", "PARTLY_ISSUED"), ("Failed", "FAILED")):
        liar.answers["GET /api/v1/batches/24/status"] = text(words)
        assert sectigo("batches", "-i", "24", "-s", env=liar.environ).out == f"{constant}\n"


@pytest.mark.parametrize(
    ("flags", "out"),
    [
        ((), json.dumps({**BATCH, "status": "READY_FOR_DOWNLOAD"}, indent=2)),
        (("--info",), json.dumps({"active": 0, "success": 1, "failed": 0}, indent=2)),
        (("--status",), "READY_FOR_DOWNLOAD"),
    ],
)
def test_wait_then_print(sectigo: Runner, liar: LyingService, flags: tuple[str, ...], out: str) -> None:
    liar.answers.update(ready(24))
    done = sectigo("batches", "-i", "24", "--wait", *flags, env=liar.environ)
    assert (done.code, done.out) == (0, out + "\n")
    assert done.err.startswith("sectigo: batch 24 is ready: 1 issued\n")


def test_wait_in_vain(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(waiting(24))
    done = sectigo("batches", "-i", "24", "--wait", "--timeout", "0", env=liar.environ)
    assert (done.code, done.out) == (8, "")
    assert "batch 24 is not ready after 0 s: the service says CREATED" in done.err
    assert "the order stands" in done.err


def test_the_service_s_own_list(sectigo: Runner, liar: LyingService) -> None:
    listed = {"content": [BATCH], "totalPages": 1}
    liar.answers["GET /api/v1/batches"] = document(listed)
    done = sectigo("batches", env=liar.environ)
    assert (done.code, done.err) == (0, "")
    assert done.out == json.dumps(listed, indent=2) + "\n"


@pytest.mark.parametrize("status", [404, 405, 501])
def test_a_service_without_a_list(sectigo: Runner, liar: LyingService, status: int) -> None:
    liar.answers["GET /api/v1/batches"] = document({"message": "what list?"}, status)
    done = sectigo("batches", env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert "this service lists no batches: what list?" in done.err
    assert "--id ID" in done.err


# Answers that are none

READS = {
    "licenses": ("GET /api/v1/devices", ("licenses",)),
    "authorities": ("GET /api/v1/authorities/allowed", ("authorities",)),
    "organization": ("GET /api/v1/organizations/user", ("organization",)),
    "profiles": ("GET /api/v1/profiles", ("profiles",)),
    "profile": ("GET /api/v1/profiles/8", ("profiles", "-i", "8")),
    "parameters": ("GET /api/v1/profiles/8/parameters", ("profiles", "-i", "8", "-p")),
    "batch": ("GET /api/v1/batches/24", ("batches", "-i", "24")),
    "info": ("GET /api/v1/batches/24/processing_info", ("batches", "-i", "24", "-I")),
    "list of batches": ("GET /api/v1/batches", ("batches",)),
    "find": (FIND, ("find", "-n", "example.com")),
}
NONSENSE = {
    "HTML": html(),
    "null": document(None),
    "empty": Answer(),
    "a number": document(1),
    "half": Answer(b'{"ordered": 1, '),
    "deep": Answer(b"[" * 100_000),
}


@pytest.mark.parametrize("answer", NONSENSE.values(), ids=NONSENSE)
@pytest.mark.parametrize(("request_line", "words"), READS.values(), ids=READS)
def test_an_answer_that_is_none(
    sectigo: Runner, liar: LyingService, request_line: str, words: tuple[str, ...], answer: Answer
) -> None:
    if (answer, words) == (NONSENSE["a number"], ("batches",)):
        return  # The list of batches has no public schema: any JSON is printed as sent.
    liar.answers[request_line] = answer
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out) == (1, ""), done
    assert done.err.startswith("sectigo: error: ")
    assert "unexpected" not in done.err
    hint = [line for line in done.err.splitlines()[1:] if not line.startswith("sectigo: hint: ")]
    assert hint == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("batches", "-i", "99"), "there is no such batch"),
        (("batches", "-i", "99", "-s"), "there is no such batch"),
        (("profiles", "-i", "99"), "there is no such profile"),
    ],
)
def test_what_does_not_exist(sectigo: Runner, shared: Emulator, words: tuple[str, ...], said: str) -> None:
    done = sectigo(*words, env=shared.environ)
    assert (done.code, done.out) == (1, "")
    assert said in done.err
    assert done.err.count("\n") == 1


# Find


def test_find(sectigo: Runner, shared: Emulator, batch: int) -> None:
    for flag in ("-n", "--common-name"):
        done = sectigo("find", flag, "EXAMPLE.com", env=shared.environ)
        assert (done.code, done.err) == (0, "")
        found = json.loads(done.out)
        assert list(found) == ["totalCount", "items"]
        assert found["items"][0]["commonName"] == "example.com"
    serial = found["items"][0]["serialNumber"]
    colons = ":".join(serial[i : i + 2] for i in range(0, len(serial), 2)).lower()
    for flag, spelling in (("-s", serial), ("--serial-number", colons), ("-s", f"0x{serial.lower()}")):
        done = sectigo("find", flag, spelling, env=shared.environ)
        assert [item["serialNumber"] for item in json.loads(done.out)["items"]] == [serial]
    both = sectigo("find", "-n", "example.com", "-s", serial, env=shared.environ)
    assert json.loads(both.out)["totalCount"] == 1


def test_nothing_found_is_no_error(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("find", "-n", "nobody.example.org", env=shared.environ)
    assert (done.code, done.err) == (0, "")
    assert json.loads(done.out) == {"totalCount": 0, "items": []}


def test_more_than_was_sent(sectigo: Runner, liar: LyingService) -> None:
    items = [{"deviceId": 1, "commonName": "example.com", "serialNumber": "AB"}]
    liar.answers[FIND] = document({"totalCount": 3, "items": items})
    done = sectigo("find", "-n", "example.com", env=liar.environ)
    assert (done.code, json.loads(done.out)["items"]) == (0, items)
    assert "1 of 3 shown" in done.err


@pytest.mark.parametrize(
    ("typed", "sent"),
    [
        ("0xab:cd", "ABCD"),
        (" AB CD ", "ABCD"),
        ("ab-cd", "ABCD"),
        ("0012", "0012"),
        ("12345", "12345"),
        ("0Xff", "FF"),
    ],
)
def test_serial_numbers_are_hexadecimal_and_never_decimal(
    sectigo: Runner, liar: LyingService, typed: str, sent: str
) -> None:
    liar.answers[FIND] = document({"totalCount": 0, "items": []})
    assert sectigo("find", "-s", typed, env=liar.environ).code == 0
    assert json.loads(liar.bodies[FIND]) == {"serialNumber": sent}
    liar.answers["POST /api/v1/certificates/8/revoke"] = Answer()
    assert sectigo("revoke", "-p", "8", "-s", typed, env=liar.environ).code == 0
    assert json.loads(liar.bodies["POST /api/v1/certificates/8/revoke"])["serialNumber"] == sent


# Progress


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make rich believe in the terminal of a test."""
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")


def test_progress_shows_on_a_terminal_alone(sectigo: Runner, liar: LyingService, eager: None) -> None:
    liar.answers.update(ready(24))
    quiet = sectigo("batches", "-i", "24", "--wait", env=liar.environ)
    assert "\x1b[" not in quiet.err
    shown = sectigo("batches", "-i", "24", "--wait", env=liar.environ, terminal=True)
    assert shown.code == 0
    assert "\x1b[" in shown.err
    assert shown.out == quiet.out


@pytest.mark.usefixtures("here")
def test_a_download_shows_its_progress_on_a_terminal_alone(sectigo: Runner, emulator: Emulator, eager: None) -> None:
    sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", env=emulator.environ)
    quiet = sectigo("download", "-i", "10000", "--force", env=emulator.environ)
    shown = sectigo("download", "-i", "10000", "--force", env=emulator.environ, terminal=True)
    assert (quiet.code, quiet.err) == (0, "")
    assert "batch 10000" in shown.err
    assert "\x1b[" in shown.err
    assert shown.out == quiet.out


def test_a_status_is_neither_markup_nor_orders_to_the_terminal(
    sectigo: Runner, liar: LyingService, eager: None
) -> None:
    liar.answers.update(waiting(24))
    liar.answers["GET /api/v1/batches/24/status"] = text("[/bold] \x1b]0;title\x07[red]soon")
    done = sectigo("batches", "-i", "24", "--wait", "--timeout", "0", env=liar.environ, terminal=True)
    assert done.code == 8, done
    assert "[/bold] ?]0;title?[red]soon" in done.err
    assert "\x1b]0;" not in done.err


def test_control_characters_of_a_server_are_harmless(sectigo: Runner, liar: LyingService) -> None:
    liar.answers["GET /api/v1/devices"] = document({"message": "\x1b[2Jgone\r\n\x07"}, 400)
    done = sectigo("licenses", env=liar.environ)
    assert done.code == 1
    assert not set("\x1b\r\x07") & set(done.err)
    assert "gone" in done.err


def test_no_terminal_no_question(sectigo: Runner, here: Path) -> None:
    done = sectigo("licenses", env={"SECTIGO_ENDPOINT": "http://127.0.0.1:1", "SECTIGO_ENVIRONMENT": "staging"})
    assert (done.code, done.out) == (4, "")
    assert "SECTIGO_USERNAME" in done.err
    assert names_in() == []


def test_a_profile_without_a_configuration_says_so(sectigo: Runner, liar: LyingService) -> None:
    liar.answers["GET /api/v1/profiles/42"] = document({"profileId": 42, "rawProfileConfig": None})
    done = sectigo("profiles", "-i", "42", "--config", env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert done.err == "sectigo: error: the service sent no configuration of profile 42\n"
