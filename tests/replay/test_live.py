"""Recording a real account: what is asked, that nothing else leaves, what is scrubbed, and that it can be played.

Whatever stands in `tests/cassettes/live` is played here too. The emulator takes the place of the account.
"""

from __future__ import annotations

import base64
import io
import json
import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests
import yaml  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]

from sectigo_iot import ENDPOINTS, IoTManager, MemoryTokenStore, RedirectError, Repeat, Settings
from sectigo_iot.config import VARIABLES
from sectigo_iot.emulator import Emulator
from tests.conftest import settings_for
from tests.docs.console import matches
from tests.docs.pages import blocks
from tests.packages import PYTHONPATH, ROOT
from tests.reliability.authority import Authority
from tests.replay.cassettes import FOLDER, player
from tests.replay.disguise import LIVE, Disguise
from tests.replay.live import LOGIN, NAME, Exchange, Recording, call_of, leaks, main, only_reading, scrubbed
from tests.replay.reading import ORDER, READING, NotReadingError, Outcome, Reading, Wanted
from tests.replay.scan import secrets_in
from tests.replay.scrubbing import SCRUBBED
from tests.terminals import run_at_terminal
from tests.unit import lying_server
from tests.unit.lying_server import USERNAME, LyingServer

COMMON_NAME = "node.secret-customer.test"
PASSWORD = "Very-Secret-12"
PARAMS = {"commonName": COMMON_NAME, "dNSName": COMMON_NAME, "pkcs12Password": PASSWORD}


class Made(NamedTuple):
    """One recording that was made of an emulator."""

    code: int
    said: str
    folder: Path
    emulator: Emulator

    @property
    def text(self) -> str:
        return (self.folder / f"{NAME}.yaml").read_text() + (self.folder / f"{NAME}.json").read_text()


def recorded(emulator: Emulator, folder: Path, keys: Mapping[str, str] | None = None, /, **environ: str) -> Made:
    with IoTManager(settings_for(emulator, **(keys or {}))) as client:
        number = client.create_single_cert_batch(423, "certs of the secret customer", PARAMS).batch_id
    given = {"RECORD_BATCH_ID": str(number), "RECORD_COMMON_NAME": COMMON_NAME, "RECORD_CONSENT": "yes"}
    given |= {VARIABLES[name]: path for name, path in (keys or {}).items()}
    out = io.StringIO()
    code = main({**emulator.environ, **given, "RECORD_FOLDER": str(folder), **environ}, io.StringIO(), out)
    return Made(code, out.getvalue(), folder, emulator)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """A recording of everything."""
    with Emulator(batch_list="array", username="jane.doe@secret-customer.test") as emulator:
        yield recorded(emulator, tmp_path_factory.mktemp("recorded") / "live")


# Playing


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A client's certificate and its key, for a recording in which one was demanded; who it is of does not matter."""
    return Authority(tmp_path_factory.mktemp("authority")).server_files()


def play(folder: Path, certificate: Path) -> list[Outcome]:
    """Make the calls of a recording again, of the recording."""
    asked = json.loads((folder / f"{NAME}.json").read_text())
    settings = Settings(
        asked["username"],
        SCRUBBED,
        endpoint=LIVE,
        environment="staging",
        token_store=MemoryTokenStore(),
        client_cert=str(certificate),
        allowed_host=urlsplit(LOGIN).hostname,
        environ={},
    )
    cassette: Any
    with player().use_cassette(str(folder / f"{NAME}.yaml")) as cassette, IoTManager(settings) as client:
        outcomes = Reading(client, Wanted(**asked["wanted"])).run()
        assert cassette.all_played
    return outcomes


def recordings(folder: Path) -> list[Path]:
    return sorted(path.parent for path in folder.glob(f"**/{NAME}.yaml"))


@pytest.mark.parametrize("kind", ["kept", "new"])
def test_what_was_recorded_is_played_and_ends_as_it_did(kind: str, made: Made, certificate: Path) -> None:
    for folder in recordings(FOLDER / "live") if kind == "kept" else [made.folder]:
        due = [Outcome(*each) for each in json.loads((folder / f"{NAME}.json").read_text())["outcomes"]]
        assert play(folder, certificate) == due
        assert secrets_in(folder / f"{NAME}.yaml") == []


def test_a_recording_that_is_changed_is_noticed(made: Made, certificate: Path, tmp_path: Path) -> None:
    for name in (f"{NAME}.yaml", f"{NAME}.json"):
        (tmp_path / name).write_text((made.folder / name).read_text())
    path = tmp_path / f"{NAME}.yaml"
    path.write_text(path.read_text().replace('"ordered":', '"ordered": nothing,'))
    assert Outcome("devices", "InvalidReplyError") in play(tmp_path, certificate)


# What is asked


def test_it_makes_every_call_that_reads(made: Made) -> None:
    assert made.code == 0, made.said
    ended = [Outcome(*each) for each in json.loads((made.folder / f"{NAME}.json").read_text())["outcomes"]]
    assert {each.call for each in ended} == set(READING) == set(ORDER)
    assert [each for each in ended if each.ended != "answered"] == [
        Outcome("batchAuditLog", "NotImplementedByServiceError")
    ]


def test_only_reading_calls_reach_the_service(made: Made) -> None:
    asked = [each["call"] for each in made.emulator.control.journal()]
    assert asked.count("createSingleCertBatch") == 1
    assert set(asked[asked.index("createSingleCertBatch") + 1 :]) == set(READING)


def test_what_may_be_recorded_is_what_reads() -> None:
    assert set(READING) - {"refresh", "batches", "batchAuditLog"} == {
        name for name, each in ENDPOINTS.items() if each.repeat is Repeat.FREELY and name != "download"
    }
    assert all(method == "GET" for name, method in READING.items() if not ENDPOINTS[name].typed)


FORBIDDEN: dict[str, Callable[[IoTManager], object]] = {
    "an order": lambda client: client.create_single_cert_batch(423, "first", PARAMS),
    "an upload": lambda client: client.upload_csr_batch(423, "a.csr", b"-----BEGIN"),
    "a revocation": lambda client: client.revoke_certificate(423, 0, "AB"),
    "a download": lambda client: client.download_bytes(10000),
    "a raw order": lambda client: client.raw("createSingleCertBatch", method="PUT", json={}),
    "a raw POST": lambda client: client.raw("batches", method="POST", json={}),
    "another path": lambda client: client.raw("/api/v1/users/remove_user"),
    "a name for an id": lambda client: client.raw("batchDetail", "preview"),
}


@pytest.mark.parametrize("what", FORBIDDEN)
def test_anything_else_is_refused_before_it_leaves(what: str, emulator: Emulator) -> None:
    with IoTManager(settings_for(emulator)) as client:
        client.authenticate()
        before = len(emulator.control.journal())
        # A connection that is open already must make no difference.
        with pytest.raises(NotReadingError, match="it was not sent"), only_reading(emulator.url):
            FORBIDDEN[what](client)
    assert len(emulator.control.journal()) == before


@pytest.mark.parametrize("uri", ["https://elsewhere.test/api/v1/devices", "http://iot.example.com/api/v1/devices"])
def test_another_host_is_refused(uri: str) -> None:
    with pytest.raises(NotReadingError, match="is none to the service"):
        call_of("https://iot.example.com", "GET", uri)


def test_a_path_in_front_belongs_to_the_service() -> None:
    base = "https://iot.example.com/sub"
    assert call_of(base, "GET", f"{base}/api/v1/batches/5/status") == "batchStatus"


# An account that demands a client certificate


@pytest.fixture
def strict() -> Iterator[Emulator]:
    """An emulator that demands one."""
    with Emulator(tls=True) as emulator:
        yield emulator


def keys_of(emulator: Emulator, folder: Path) -> dict[str, str]:
    folder.mkdir()
    emulator.write_client_files(str(folder))
    names = {"ca_file": "ca.pem", "client_cert": "client.pem", "client_key": "client-key.pem"}
    return {setting: str(folder / name) for setting, name in names.items()}


def test_an_account_that_demands_a_certificate_is_recorded_and_played(
    strict: Emulator, certificate: Path, tmp_path: Path
) -> None:
    made = recorded(strict, tmp_path / "live", keys_of(strict, tmp_path / "keys"))
    assert made.code == 0, made.said
    assert "The log-in is repeated where a 307 points to, with the client certificate" in made.said
    assert {each.ended for each in play(made.folder, certificate)} == {"answered", "NotImplementedByServiceError"}
    assert re.search(r"authenticate +A +proven: 200, 307\n", made.said)
    assert re.search(r"which host a 307 at the log-in points to +D +seen: the same host, another port\n", made.said)
    assert strict.tls_url is not None
    for kept in (strict.password, strict.url, strict.tls_url, urlsplit(strict.tls_url).netloc):
        assert kept not in made.text
    asked = yaml.safe_load((made.folder / f"{NAME}.yaml").read_text())["interactions"][:2]
    assert [each["response"]["status"]["code"] for each in asked] == [307, 200]
    assert asked[0]["response"]["headers"]["location"] == [asked[1]["request"]["uri"]] == [f"{LIVE}:8443/auth/pwd"]


def test_without_its_certificate_it_is_said_what_is_due(strict: Emulator, tmp_path: Path) -> None:
    out = io.StringIO()
    environ = {**strict.environ, "RECORD_CONSENT": "yes", "RECORD_FOLDER": str(tmp_path / "live")}
    assert main(environ, io.StringIO(), out) == 1
    error, hint = out.getvalue().splitlines()[-2:]
    assert error == f"record: error: the account {strict.username} must log in with a client certificate"
    assert hint.startswith("record: hint: ") and "SECTIGO_CLIENT_CERT" in hint
    assert not (tmp_path / "live").exists()


def test_a_log_in_may_be_followed_and_nothing_else_goes_there(strict: Emulator, tmp_path: Path) -> None:
    settings = settings_for(strict, **keys_of(strict, tmp_path / "keys"))
    with IoTManager(settings) as client, only_reading(strict.url):
        client.authenticate()
        elsewhere = f"{strict.tls_url}/auth/pwd"
        for method, url, body in (
            ("POST", elsewhere, b"{}"),
            ("GET", elsewhere, None),
            ("POST", f"{strict.tls_url}/api/v1/batches/upload", json.dumps({"password": "x"}).encode()),
        ):
            with pytest.raises(NotReadingError, match="is none to the service: it was not sent"):
                requests.Session().send(requests.Request(method, url, data=body).prepare())
    assert [(each["call"], each["status"]) for each in strict.control.journal()] == [
        ("authenticate", 307),
        ("authenticate", 200),
    ]


STAGED: Any = {"environment": "staging", "token_store": MemoryTokenStore(), "environ": {}}


@pytest.mark.parametrize("location", ["https://iot.example.com/auth/pwd", "http://127.0.0.1:1/auth/pwd"])
def test_where_the_client_follows_no_307_the_recorder_lets_none_through(location: str, certificate: Path) -> None:
    answered = lying_server.answer(307, Location=location)
    with LyingServer(login=answered) as server, only_reading(server.url) as memory:
        settings = Settings(USERNAME, "hush", client_cert=str(certificate), endpoint=server.url, **STAGED)
        with IoTManager(settings) as client, pytest.raises(RedirectError):
            client.authenticate()
    assert (len(server.seen), memory.logins) == (1, set())


@pytest.mark.parametrize(
    ("endpoint", "location", "played"),
    [
        ("https://iot.acme.test", "https://iot.acme.test/auth/cert/acme", f"{LIVE}/elsewhere"),
        ("https://iot.acme.test", "https://iot.acme.test:8443/auth/pwd", f"{LIVE}:8443/auth/pwd"),
        ("https://iot.acme.test", "https://login.acme.test/auth/pwd?tenant=acme", f"{LOGIN}/auth/pwd"),
        ("http://iot.acme.test:8080/sub", "https://iot.acme.test/sub/auth/pwd", f"{LIVE}/auth/pwd"),
    ],
)
def test_where_a_307_points_to_says_not_whose_it_is(endpoint: str, location: str, played: str) -> None:
    login = Request("POST", f"{endpoint}/auth/pwd", b'{"username": "jane", "password": "hush"}', {})
    response = {"status": {"code": 307}, "headers": {"Location": [location]}, "body": {"string": b""}}
    again = Request("POST", location, login.body, {})
    exchanges = [Exchange("authenticate", each, response) for each in (login, again)]
    (first, answer), (second, _) = scrubbed(Recording(exchanges, []), endpoint, Disguise())
    assert answer["headers"]["location"] == [second.uri] == [played]
    assert first.uri == f"{LIVE}/auth/pwd"
    assert "acme" not in str([first.uri, answer, second.uri])


# Consent


def test_it_says_what_it_will_ask_before_it_asks(emulator: Emulator) -> None:
    out = io.StringIO()
    assert main({**emulator.environ, "RECORD_BATCH_ID": "5"}, io.StringIO("y\n"), out) == 1
    said = out.getvalue()
    assert said.count("/api/v1/") == len(READING) - 3
    assert "GET /api/v1/batches/{id}/status" in said and "for batch 5" in said
    assert "no licence is spent" in said
    assert "Nobody can be asked here: RECORD_CONSENT=yes consents." in said
    assert emulator.control.journal() == []
    assert "What that shows of 33 things that are believed of the service, a table says then." in said
    assert "unproven" not in said
    assert max(map(len, said.splitlines())) <= 100


def without_record() -> dict[str, str]:
    """The environment without what whoever runs the tests may have said for a recording of their own."""
    return {name: value for name, value in os.environ.items() if not name.startswith("RECORD_")}


@pytest.mark.parametrize(("answer", "recorded"), [("y", True), ("", False), ("n", False)])
def test_at_a_terminal_it_asks(answer: str, recorded: bool, emulator: Emulator, tmp_path: Path) -> None:
    environ = {
        **without_record(),
        **emulator.environ,
        "PYTHONPATH": f"{PYTHONPATH}{os.pathsep}{ROOT}",
        "RECORD_FOLDER": str(tmp_path),
    }
    command = [sys.executable, "-m", "tests.replay.live"]
    code, shown = run_at_terminal(command, {"recorded? [y/N] ": answer}, env=environ, cwd=ROOT)
    assert (code == 0) is recorded, shown
    assert bool(list(tmp_path.iterdir())) is recorded
    assert bool(emulator.control.journal()) is recorded


WRONG = {
    "a host that is not allowed": ({"SECTIGO_ENDPOINT": "http://elsewhere.example.com"}, "elsewhere.example.com"),
    "no id": ({"RECORD_BATCH_ID": "five"}, "RECORD_BATCH_ID: 'five' is no id of a batch"),
    "a wrong password": ({"SECTIGO_PASSWORD": "hunter2"}, "401"),
    "no user": ({"SECTIGO_USERNAME": ""}, "there is a password, and no user name"),
}


@pytest.mark.parametrize("what", WRONG)
def test_what_is_wrong_is_said_in_a_line(what: str, emulator: Emulator, tmp_path: Path) -> None:
    changes, said = WRONG[what]
    made = recorded(emulator, tmp_path / "live", **changes)
    assert made.code == 1
    (error,) = [line for line in made.said.splitlines() if line.startswith("record: error: ")]
    assert said in error
    assert made.said.splitlines()[-1].startswith("record: hint: ") or what == "no id"
    assert "hunter2" not in made.said
    assert not (tmp_path / "live").exists()


@pytest.mark.parametrize("kept", ["yaml", "json"])
def test_an_earlier_recording_is_replaced_only_if_that_is_wanted(
    kept: str, emulator: Emulator, tmp_path: Path
) -> None:
    earlier = tmp_path / f"{NAME}.{kept}"
    earlier.write_text("of another day")
    made = recorded(emulator, tmp_path)
    said = f"record: error: {earlier} is there already: RECORD_REPLACE=yes replaces it"
    assert (made.code, made.said) == (1, f"{said}\n")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["of another day"]
    asked = len(emulator.control.journal())
    assert emulator.control.journal()[-1]["call"] == "createSingleCertBatch", "nothing was asked for the recording"
    again = recorded(emulator, tmp_path, RECORD_REPLACE="yes")
    assert again.code == 0, again.said
    assert earlier.read_text() != "of another day"
    assert len(emulator.control.journal()) > asked + 5


def test_a_service_that_is_out_of_order_for_a_moment_is_not_recorded(tmp_path: Path) -> None:
    with Emulator(faults=("unavailable,call=devices,nth=1,seconds=0",)) as emulator:
        made = recorded(emulator, tmp_path / "live")
    assert (made.code, "record again" in made.said) == (1, True)
    assert not (tmp_path / "live").exists()


def test_what_the_service_refuses_is_recorded_and_played(certificate: Path, tmp_path: Path) -> None:
    faults = ("json-error,call=profiles,status=403", "html,call=currentUserOrganization", "null,call=devices")
    with Emulator(faults=faults) as emulator:
        made = recorded(emulator, tmp_path / "live")
    assert made.code == 0, made.said
    ended = dict(play(made.folder, certificate))
    assert ended["profiles"] == "NotAuthorizedError"
    assert ended["currentUserOrganization"] == ended["devices"] == "InvalidReplyError"
    assert "refused: 403" in made.said


# Scrubbing


def test_nothing_of_the_account_is_left(made: Made) -> None:
    text = made.text
    emulator = made.emulator
    for kept in ("secret-customer", PASSWORD, emulator.password, "jane.doe", emulator.url, "Staging", "Wilkerson"):
        assert kept.lower() not in text.lower(), kept
    assert "10000" not in re.findall(r"\b\d+\b", text)
    assert not re.search(r"20(?!20-12-10)\d\d-\d\d-\d\dT", text)


def test_shapes_and_types_stay(made: Made) -> None:
    interactions = yaml.safe_load((made.folder / f"{NAME}.yaml").read_text())["interactions"]
    bodies = {each["request"]["uri"].removeprefix(LIVE): each["response"]["body"]["string"] for each in interactions}
    detail = json.loads(bodies["/api/v1/batches/10001"])
    assert list(detail)[:3] == ["batchId", "orderNumber", "creationDate"]
    assert (detail["batchId"], detail["creationDate"]) == (10001, "2020-12-10T16:35:32.805+0000")
    assert (detail["status"], detail["size"], detail["downloadable"]) == ("READY_FOR_DOWNLOAD", 1, True)
    found = json.loads(bodies["/api/v1/certificates/find"])["items"][0]
    assert re.fullmatch(r"host-\d+\.example\.com", found["commonName"])
    assert re.fullmatch(r"4[0-9]{31}", found["serialNumber"])
    assert bodies["/api/v1/batches/10001/status"] == "Ready for download"
    login = json.loads(bodies["/auth/pwd"])["accessToken"].split(".")
    claims = json.loads(base64.urlsafe_b64decode(login[1] + "=="))
    assert (claims["exp"] - claims["iat"], claims["scopes"], login[2]) == (600, ["ROLE_USER"], SCRUBBED)


def test_the_same_thing_has_the_same_placeholder_everywhere(made: Made) -> None:
    interactions = yaml.safe_load((made.folder / f"{NAME}.yaml").read_text())["interactions"]
    bodies = {each["request"]["uri"].removeprefix(LIVE): each["response"]["body"]["string"] for each in interactions}
    listed = json.loads(bodies["/api/v1/authorities/allowed"])
    for each in listed:
        assert f"/api/v1/authorities/{each['id']}/balanceavailable" in bodies
        assert re.search(r"_#\d+$", each["profileName"])
        detail = json.loads(bodies[f"/api/v1/profiles/{each['profileId']}"])
        assert detail["profileName"] == each["profileName"]
        assert json.loads(detail["rawProfileConfig"])["profileId"] == each["profileId"]


VALUES: dict[str, tuple[object, str]] = {
    "a mail address": ({"contact": "jane@customer.test"}, "person-1@example.com"),
    "a telephone number": ({"phone": "+41 (0)44 123-45.67"}, "+55 (5)55 555-55.55"),
    "a wildcard": ({"commonName": "*.customer.test"}, "*.host-1.example.com"),
    "names, one a line": ({"dNSName": "a.customer.test\nb.customer.test"}, "host-1.example.com\\nhost-2.example.com"),
    "an address": ({"logo": "https://customer.test/a?b"}, "https://host-1.example.com/"),
    "a serial number": ({"serialNumber": "0F" * 16}, f"4{1:031d}"),
    "a UUID": ({"deviceId": "394506b5-7cca-4db7-95cc-5314cb5a022f"}, "00000000-0000-4000-8000-000000000001"),
    "an id as text": ({"deviceId": "0123"}, "0101"),
    "a time": ({"creationDate": "2021-06-23T17:53:43.4+0000"}, "2020-12-10T16:35:32.8+0000"),
    "an unknown number": ({"taxNumber": 123456}, "100001"),
    "an unknown text": ({"favourite": "Zürich"}, "favourite 1"),
    "a password": ({"keystorePassword": "hunter2"}, SCRUBBED),
    "a password beside its name": ({"name": "pkcs12Password", "value": "hunter2"}, SCRUBBED),
    "a document in a text": ({"raw": json.dumps({"owner": "Jane Doe"})}, "owner 1"),
    "a mail address in words": ({"message": "ask jane@customer.test"}, "ask person-1@example.com"),
    "a host in words": ({"message": "see www.customer.test"}, "see host-1.example.com"),
    "an id in words": ({"message": "batch 12345 is not yours"}, "batch 10001 is not yours"),
}


@pytest.mark.parametrize("what", VALUES)
def test_what_stands_in_place_of_it(what: str) -> None:
    document, expected = VALUES[what]
    shown = Disguise().body(json.dumps(document).encode()).decode()
    assert expected in shown
    for part in ("customer", "hunter2", "jane", "Jane", "394506b5", "0F0F", "123456", "rich", "2021-06"):
        assert part not in shown


def test_what_is_learned_later_is_taken_out_of_words_before_it() -> None:
    disguise = Disguise()
    bodies = [b'{"message": "Acme Corp may not do that"}', b'{"organizationName": "Acme Corp"}']
    for _ in range(2):
        shown = [disguise.body(each).decode() for each in bodies]
    assert shown == [
        '{"message": "organizationName 1 may not do that"}',
        '{"organizationName": "organizationName 1"}',
    ]


@pytest.mark.parametrize("value", [0, -1, True, False, None, "", "READY_FOR_DOWNLOAD"])
def test_what_says_nothing_stays(value: object) -> None:
    document = json.dumps({"status": value}).encode()
    assert Disguise().body(document) == document


def test_a_page_and_bytes_are_not_kept() -> None:
    assert Disguise().body(b"<html>Welcome Jane</html>") == b"<html>scrubbed</html>"
    with pytest.raises(ValueError):
        Disguise().body(b"\xff\xfe\x00")


@pytest.mark.parametrize("token", ["opaque-token-0123", "eyJhbGciOiJIUzUxMiJ9.eyJzdWIiOiJqYW5lIn0.c2lnbmF0dXJl"])
def test_a_token_is_no_more_than_its_claims(token: str) -> None:
    disguise = Disguise()
    shown = disguise.body(json.dumps({"accessToken": token}).encode()).decode()
    assert token not in shown and "c2lnbmF0dXJl" not in shown
    assert token in disguise.tokens
    assert leaks({"a": [f"x{token}"]}, disguise, {}) == ["a token"]


LEAKS = {
    "in a header": {"headers": {"x": ["by Acme Corp"]}},
    "as a key": {"acme corp": 1},
    "in bytes": {"body": b"ACME CORP"},
    "escaped in a document": {"body": json.dumps({"a": {"b": "Acme\u0020Corp"}})},
    "in a document in a text": {"body": json.dumps({"a": json.dumps({"b": "Acme Corp"})})},
}


@pytest.mark.parametrize("where", LEAKS)
def test_what_was_replaced_is_found_wherever_it_is_left(where: str) -> None:
    disguise = Disguise()
    disguise.name("Acme Corp", "organizationName")
    assert leaks(LEAKS[where], disguise, {}) == ["something that was replaced elsewhere"]
    assert leaks({"a": "nothing"}, disguise, {}) == []


@pytest.mark.parametrize("hole", ["password", "name"])
def test_nothing_is_written_where_something_is_left(
    hole: str, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = Disguise.body

    def leaking(self: Disguise, body: bytes) -> bytes:
        left = emulator.password if hole == "password" else COMMON_NAME
        return whole(self, body).replace(b'"issued"', f'"{left}": 1, "issued"'.encode())

    monkeypatch.setattr(Disguise, "body", leaking)
    made = recorded(emulator, tmp_path / "live")
    assert made.code == 1
    assert "nothing was written, because this would be in it" in made.said
    assert emulator.password not in made.said
    assert not (tmp_path / "live").exists()


def test_a_file_that_stood_there_is_replaced_whole(made: Made) -> None:
    before = made.text
    again = recorded(made.emulator, made.folder, RECORD_REPLACE="yes")
    assert again.code == 0
    assert sorted(path.name for path in made.folder.iterdir()) == [f"{NAME}.json", f"{NAME}.yaml"]
    assert len(again.text) > 0.9 * len(before)


# What is proven


def test_what_is_proven_and_what_is_not(made: Made) -> None:
    before, _, after = made.said.partition("Recorded ")
    assert "proven" not in before and "What is believed" not in before
    rows = dict(re.findall(r"^(\S.{48}\S?) *[ABCD]     (.+)$", after, re.MULTILINE))
    rows = {name.strip(): shown for name, shown in rows.items()}
    assert {name for name, shown in rows.items() if shown == "proven: 200"} == {
        name for name in READING if ENDPOINTS[name].typed
    }
    assert rows["createSingleCertBatch"] == "unproven, not shown by reading"
    assert rows["what access and refresh token live"] == "seen: 600 s, 7200 s"
    assert rows["the available balance is a bare integer"] == "seen: yes"
    assert rows["the list of batches: method and shape"] == "seen: list"
    assert rows["the audit log of a batch: method and shape"] == "seen: GET is answered by 501"
    assert rows["a certificate that is revoked twice"] == "unproven, not shown by reading"


# The target, and the page that explains it


def test_make_record_runs_it() -> None:
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^record: \$\(READY\) ## .+\n\t@\$\(PY\) -m tests\.replay\.live$", makefile, re.MULTILINE)


def test_what_the_page_shows_is_what_happens(emulator: Emulator, tmp_path: Path) -> None:
    (shown,) = [block for block in blocks("docs/recording.md", "text") if "These calls" in block]
    with IoTManager(settings_for(emulator)) as client:
        client.create_single_cert_batch(423, "first", {**PARAMS, "commonName": "vasp.example.com"})
    given = {"RECORD_BATCH_ID": "10000", "RECORD_COMMON_NAME": "vasp.example.com", "RECORD_CONSENT": "yes"}
    done = subprocess.run(
        [sys.executable, "-m", "tests.replay.live"],
        env={
            **without_record(),
            **emulator.environ,
            **given,
            "PYTHONPATH": f"{PYTHONPATH}{os.pathsep}{ROOT}",
            "RECORD_FOLDER": str(tmp_path),
        },
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert matches(shown.strip(), done.stdout.strip()), done.stdout
