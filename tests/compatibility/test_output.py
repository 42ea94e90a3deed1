"""What is printed, to the letter: the lines of the Go tool, and the JSON of its manual's session."""

from __future__ import annotations

import io
import json
import re
import shlex
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from sectigo_iot import FileTokenStore, TokenPair
from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import Answer, LyingService, text, waiting
from tests.commands.signing_requests import request
from tests.compatibility.conftest import variables
from tests.conftest import Runner
from tests.transcripts import shown
from tests.unit.lying_server import token

URL = "http://127.0.0.1:1"
MANUAL_CREATE = ("create", "-a", "42", "-d", "example.com", "-p", "secrtpasswrd", "-b", "example.com certs")

# auth


def test_auth(sectigo: Runner, manual: Emulator) -> None:
    assert sectigo("auth", env=manual.environ).out == "user authenticated and credentials cached\n"


def test_where_the_cache_is(sectigo: Runner, manual: Emulator, home: Path) -> None:
    assert sectigo("auth", "--cache", env=manual.environ).out == "no credentials cache file exists\n"
    sectigo("auth", env=manual.environ)
    out = sectigo("auth", "--cache", env=manual.environ).out
    assert out.endswith(".json\n")
    assert Path(out.removesuffix("\n")).is_relative_to(home)


ZONES = {
    "UTC": "2026-11-21 18:38:09 +0000 UTC",
    "CET-1CEST,M3.5.0,M10.5.0/3": "2026-11-21 19:38:09 +0100 CET",
    "EST5EDT,M3.2.0,M11.1.0": "2026-11-21 13:38:09 -0500 EST",
    "IST-5:30": "2026-11-22 00:08:09 +0530 IST",
    "AEST-10AEDT,M10.1.0,M4.1.0/3": "2026-11-22 05:38:09 +1100 AEDT",
}
UNTIL = datetime(2026, 11, 21, 18, 38, 9, tzinfo=UTC).timestamp()


@pytest.fixture(params=ZONES.items(), ids=[zone.partition(",")[0] for zone in ZONES])
def until(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The moment as Go prints it: in a zone that the process is set to while the test runs."""
    zone, printed = request.param
    with monkeypatch.context() as patch:
        patch.setenv("TZ", zone)
        time.tzset()
        yield printed
    time.tzset()


def keep(access_left: float, refresh_left: float, now: float) -> None:
    """Keep a session whose tokens have these seconds left at `now`."""
    age = 60.0
    pair = TokenPair(token(access_left + age, at=0), token(refresh_left + age, at=0), now - age)
    FileTokenStore().save(URL, "jane", pair)


@pytest.mark.parametrize(
    ("left", "line"),
    [
        ((300, 7000), "credentials are valid until {until}\n"),
        ((-1, 300), "credentials are current until {until}\n"),
        ((-9, -1), "credentials are expired or invalid\n"),
    ],
    ids=["valid", "current", "expired"],
)
def test_how_long_the_session_lives(
    sectigo: Runner, monkeypatch: pytest.MonkeyPatch, until: str, left: tuple[float, float], line: str
) -> None:
    now = UNTIL - 300
    monkeypatch.setattr(time, "time", lambda: now)
    keep(*left, now)
    assert sectigo("auth", "--debug", env=variables(URL)).out == line.format(until=until)


def test_a_process_prints_its_own_local_time(sectigo_process: Runner) -> None:
    keep(600, 7200, time.time())
    out = sectigo_process("auth", "--debug", env={**variables(URL), "TZ": "NST3:30"}).out
    assert re.fullmatch(r"credentials are valid until \d{4}-\d\d-\d\d \d\d:\d\d:\d\d -0330 NST\n", out)


# Orders


def test_a_generated_password_is_told_in_the_go_tool_s_words(sectigo: Runner, manual: Emulator) -> None:
    done = sectigo("create", "-d", "example.com", env=manual.environ)
    assert re.fullmatch(r"pkcs12 password: [A-Za-z0-9]{24}\n", done.err), "on stderr: stdout is one JSON document"
    assert list(json.loads(done.out)) == list(shown.CREATED)


GO_OPEN = (
    "after unzipping, unencrypt with your password using `openssl pkcs12 -in INFILE.p12 -out OUTFILE.crt -nodes`"
)


def archive(*names: str) -> Answer:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as opened:
        for name in names:
            opened.writestr(name, b"0")
    return Answer(target.getvalue(), 200, "application/octet-stream")


def test_a_download_says_where_it_is_and_how_to_open_it(sectigo: Runner, liar: LyingService, here: Path) -> None:
    liar.answers["GET /api/v1/batches/24/download"] = archive("example.com.p12")
    first, second = sectigo("download", "-i", "24", "-o", "certs/", env=liar.environ).out.splitlines()
    assert first == "downloaded batch 24 to certs/24.zip"
    own = GO_OPEN.replace("INFILE", "example.com").replace("OUTFILE", "example.com")
    assert second == own, "with the file's own name in place of INFILE"
    liar.answers["GET /api/v1/batches/24/download"] = archive("a.p12", "b.p12")
    out = sectigo("download", "-i", "24", "-o", "more", env=liar.environ).out
    assert out.splitlines()[1].startswith(GO_OPEN)


def test_the_status_is_the_constant(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(waiting(24))
    for words, constant in (
        ("Ready for download", "READY_FOR_DOWNLOAD"),
        ("Processing", "PROCESSING"),
        ("Failed", "FAILED"),
    ):
        liar.answers["GET /api/v1/batches/24/status"] = text(words)
        assert sectigo("batches", "-i", "24", "--status", env=liar.environ).out == f"{constant}\n"


# JSON

AS_SENT = (
    b'{"ordered":2,"zeta":null,"issued":2,"nested":{"b":[],"a":{}},"text":"a/b <c> & d","big":12345678901234567890}'
)
PRINTED = """{
  "ordered": 2,
  "zeta": null,
  "issued": 2,
  "nested": {
    "b": [],
    "a": {}
  },
  "text": "a/b <c> & d",
  "big": 12345678901234567890
}
"""


def test_json_has_two_spaces_and_the_server_s_fields_in_the_server_s_order(
    sectigo: Runner, liar: LyingService
) -> None:
    liar.answers["GET /api/v1/devices"] = Answer(AS_SENT)
    assert sectigo("licenses", env=liar.environ).out == PRINTED


FIELDS = {
    "authorities": ("authorities", list(shown.AUTHORITIES[0])),
    "licenses": ("licenses", ["ordered", "issued"]),
    "profiles": ("profiles", ["profileId", "algorithms", "ca"]),
    "a profile": ("profiles -i 42", shown.PROFILE_FIELDS),
    "parameters": ("profile --id 42 --params", shown.PARAMETER_FIELDS),
    "organization": (
        "organization",
        [
            *("organizationId", "organizationName", "address", "primaryContactName", "primaryContactEmail"),
            *("primaryContactPhone", "manufactureId", "logo", "authorities", "ecosystemId"),
            *("organizationParameters", "orgStatus"),
        ],
    ),
    "a batch": ("batches -i 24", list(shown.CREATED)),
    "counts": ("batches -i 24 --info", ["active", "success", "failed"]),
    "a search": ("find -n example.com", ["totalCount", "items"]),
}


@pytest.fixture(scope="module")
def account() -> Iterator[Emulator]:
    """The account of the manual."""
    with Emulator("manual") as service:
        yield service


@pytest.fixture
def session(sectigo: Runner, account: Emulator) -> Runner:
    """What types at the account of the manual, where at least one batch is."""
    if sectigo("batches", "-i", "24", env=account.environ).code != 0:
        assert sectigo(*MANUAL_CREATE, env=account.environ).code == 0
    return lambda line: sectigo(*shlex.split(line), env=account.environ)


@pytest.mark.parametrize(("line", "fields"), FIELDS.values(), ids=FIELDS)
def test_each_document_has_its_fields_in_their_order(session: Runner, line: str, fields: list[str]) -> None:
    done = session(line)
    assert (done.code, done.err) == (0, "")
    document = json.loads(done.out)
    assert done.out == json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    assert list(document[0] if isinstance(document, list) else document) == fields


# The manual's session


def test_the_manual_s_blocks(sectigo: Runner, manual: Emulator, here: Path) -> None:
    def block(*words: str) -> str:
        done = sectigo(*words, env=manual.environ)
        assert done.code == 0, done
        return re.sub(r'"creationDate": "[^"]+"', '"creationDate": null', done.out)

    def printed(document: object) -> str:
        return json.dumps(document, indent=2) + "\n"

    assert block("authorities") == printed(shown.AUTHORITIES)
    assert block("licenses") == printed(shown.LICENSES)
    assert block(*MANUAL_CREATE) == printed(shown.CREATED)
    assert block("batches", "-i", "24") == printed(shown.ISSUED)
    assert block("batches", "-i", "24", "--status") == "READY_FOR_DOWNLOAD\n"
    Path("example.com.csr").write_bytes(request("example.com"))
    assert block("upload", "-p", "42", "example.com.csr") == printed(shown.UPLOADED)
    serial = json.loads(block("find", "-n", "example.com"))["items"][0]["serialNumber"]
    assert block("revoke", "-p", "42", "-r", "cessation of operation", "-s", serial) == ""
