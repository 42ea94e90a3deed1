"""Faults 10 to 18 of the Go tool: wrong results, crashes, and input that should have been refused."""

from __future__ import annotations

import json
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from sectigo_iot import IoTManager, MustUseTLSAuthError, Settings, UnknownReasonError
from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import (
    AUTH,
    AUTHORITY,
    CREATE,
    FIND,
    REVOKE,
    Answer,
    LyingService,
    document,
    html,
    jwt,
    text,
    waiting,
)
from tests.compatibility.conftest import variables
from tests.conftest import Runner, settings_for, skip_without_ipv6
from tests.unit.lying_server import LyingServer, answer, json_answer, settings_at

DEVICES = "GET /api/v1/devices"
LICENCES = json_answer({"ordered": 3, "issued": 1})
DECODER = ("Expecting", "invalid character", "EOF", "JSONDecode", "NoneType", "Traceback", "unexpected:")
"""What a decoder, or a crash, would say."""


def told(err: str) -> str:
    """Return the one line of an error, having made sure that nothing but hints follows it."""
    first, *hints = err.splitlines()
    assert first.startswith("sectigo: error: ")
    assert all(line.startswith("sectigo: hint: ") for line in hints)
    assert not [word for word in DECODER if word in err]
    return first


REFUSAL = json.dumps({"status": 400, "message": "authority is missing", "errorCode": -5, "timestamp": 1})


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json;charset=UTF-8",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/problem+json",
        "text/plain",
        None,
    ],
)
def test_fault_10a_the_service_s_message_is_told_whatever_the_content_type(
    sectigo: Runner, media_type: str | None
) -> None:
    with LyingServer(answer(400, REFUSAL, media_type)) as server:
        done = sectigo("licenses", env=variables(server.url))
    assert (done.code, done.out) == (1, "")
    assert told(done.err).endswith("failed with status 400: authority is missing")


def test_fault_10b_so_is_a_message_in_plain_text(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[DEVICES] = text("authority is missing", 400)
    assert told(sectigo("licenses", env=liar.environ).err).endswith("status 400: authority is missing")


def test_fault_11a_a_token_that_the_server_dropped_is_renewed_once(sectigo: Runner) -> None:
    dropped = json_answer({"message": "token unknown"}, 401)
    with LyingServer(LICENCES, dropped, LICENCES) as server:
        env = variables(server.url)
        assert sectigo("auth", env=env).code == 0
        done = sectigo("licenses", env=env)
        assert (done.code, done.err) == (0, "")
        assert (len(server.logins), len(server.refreshes), len(server.calls)) == (1, 1, 3)
        bearers = [call.headers["authorization"] for call in server.calls]
        assert bearers[0] == bearers[1] != bearers[2]


def test_fault_11b_auth_falls_back_to_the_password(sectigo: Runner) -> None:
    refused = json_answer({"message": "session unknown"}, 401)
    with LyingServer(LICENCES, refused, LICENCES, refresh=refused) as server:
        env = variables(server.url)
        for _ in range(2):
            assert sectigo("auth", env=env) == (0, "user authenticated and credentials cached\n", "")
        assert (len(server.logins), len(server.refreshes)) == (2, 1)


def test_fault_11c_auth_does_not_claim_a_session_that_is_refused(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[DEVICES] = document({"ordered": 1, "issued": 1})
    assert sectigo("auth", env=liar.environ).code == 0
    liar.answers[DEVICES] = liar.answers[AUTH] = document({"message": "user is gone"}, 401)
    done = sectigo("auth", env=liar.environ)
    assert (done.code, done.out) == (4, "")
    assert "user is gone" in told(done.err)


def test_fault_12a_a_file_in_the_way_of_the_folder(sectigo: Runner, liar: LyingService, here: Path) -> None:
    Path("file").write_text("mine")
    done = sectigo("download", "-i", "24", "-o", "file/x", env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    assert "file" in told(done.err)


@pytest.mark.parametrize("claims", [{}, {"iat": None, "exp": None}, {"iat": "soon"}], ids=str)
def test_fault_12b_a_token_without_its_times(sectigo: Runner, liar: LyingService, claims: dict[str, object]) -> None:
    token = jwt(sub="/account/1/user/2", **claims)
    liar.answers[AUTH] = document({"accessToken": token, "refreshToken": token})
    done = sectigo("auth", env=liar.environ)
    assert (done.code, done.out) == (4, "")
    assert "iat and exp" in told(done.err)


def test_fault_12c_null_in_answer_to_a_log_in(sectigo: Runner, liar: LyingService) -> None:
    for status, code in ((200, 1), (500, 1), (401, 4)):
        liar.answers[AUTH] = document(None, status)
        done = sectigo("auth", env=liar.environ)
        assert (done.code, done.out) == (code, "")
        assert ("answered 200 with null" if status == 200 else f"failed with status {status}") in told(done.err)


def test_fault_12d_null_in_place_of_an_error(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[DEVICES] = document(None, 400)
    done = sectigo("licenses", env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert told(done.err).endswith("failed with status 400")


NONSENSE = {"empty": Answer(), "HTML": html(), "null": document(None), "half": Answer(b'{"ordered": 1,')}
READS = {
    "licenses": (DEVICES, ("licenses",)),
    "authorities": ("GET /api/v1/authorities/allowed", ("authorities",)),
    "organization": ("GET /api/v1/organizations/user", ("organization",)),
    "batches": ("GET /api/v1/batches/24", ("batches", "-i", "24")),
    "status": ("GET /api/v1/batches/24/status", ("batches", "-i", "24", "-s")),
    "find": (FIND, ("find", "-n", "example.com")),
}


CASES = {
    f"{read} {what}": (asked, words, reply)
    for read, (asked, words) in READS.items()
    for what, reply in NONSENSE.items()
    if (read, what) != ("status", "half")  # the status is plain text: any words are one
}


@pytest.mark.parametrize(("asked", "words", "reply"), CASES.values(), ids=CASES)
def test_fault_13_nonsense_is_one_clear_line_and_no_success(
    sectigo: Runner, liar: LyingService, asked: str, words: tuple[str, ...], reply: Answer
) -> None:
    liar.answers.update(waiting(24))
    liar.answers[asked] = reply
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out) == (1, "")
    assert len(told(done.err)) < 200


def test_fault_14a_the_prefix_of_the_endpoint_is_kept(sectigo: Runner) -> None:
    with LyingServer(LICENCES) as server:
        done = sectigo("licenses", env=variables(f"{server.url}/pki/iot/"))
        assert done.code == 0, done
        assert [seen.path for seen in server.seen] == ["/pki/iot/auth/pwd", "/pki/iot/api/v1/devices"]


def test_fault_14b_the_loopback_of_ipv6_is_allowed_in_testing() -> None:
    Settings(endpoint="http://[::1]:8831", environment="testing", environ={}).validate()


def test_fault_14c_and_can_be_reached(sectigo: Runner) -> None:
    skip_without_ipv6()
    with Emulator(host="::1") as service:
        assert service.url.startswith("http://[::1]:")
        assert sectigo("licenses", env=service.environ).code == 0


def test_fault_15_not_acceptable_is_read_as_what_it_says(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(waiting(24))
    done = sectigo("batches", "-i", "24", "--status", env=liar.environ)
    assert (done.code, done.out) == (0, "NOT_ACCEPTABLE\n")
    assert "not ready yet: the service says CREATED" in done.err


@pytest.mark.parametrize("reason", ["7", "value 7 is not used", "(value 7 is not used)", "unused(7)", "07"])
def test_fault_16_there_is_no_reason_7(sectigo: Runner, liar: LyingService, reason: str) -> None:
    liar.answers[REVOKE] = Answer()
    done = sectigo("revoke", "-p", "8", "-s", "AB", "-r", reason, env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    told(done.err)
    with LyingServer(LICENCES) as server, IoTManager(settings_at(server.url)) as client:
        for given in (7, reason):
            with pytest.raises(UnknownReasonError):
                client.revoke_certificate(8, given, "AB")
        assert server.seen == []


def ordered(sectigo: Runner, liar: LyingService, *words: str) -> Mapping[str, str]:
    """Order with these options; return the parameters that were sent."""
    done = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", *words, env=liar.environ)
    assert done.code == 0, done
    sent: Mapping[str, str] = json.loads(liar.bodies[CREATE])["profileParams"]
    return sent


def test_fault_17a_what_is_empty_is_not_sent_and_what_is_given_is(sectigo: Runner, liar: LyingService) -> None:
    names = {"commonName", "dNSName", "pkcs12Password"}
    assert set(ordered(sectigo, liar)) == names
    assert set(ordered(sectigo, liar, "-c", "", "-s", " ", "-l", "", "--organization", "")) == names
    given = ordered(sectigo, liar, "--organization", "Example", "-c", "US", "-s", "Maryland", "-l", "Queenstown")
    subject = {"organizationName": "Example", "countryName": "US", "stateOrProvinceName": "Maryland"}
    assert {**given, **subject, "localityName": "Queenstown"} == given


def test_fault_17b_authority_and_profile_must_match(sectigo: Runner, liar: LyingService) -> None:
    for profile in ("9", "Nonesuch"):
        done = sectigo("create", "-a", "7", "-P", profile, "-d", "example.com", env=liar.environ)
        assert (done.code, done.out, CREATE in liar.asked) == (2, "", False)
        assert f"does not have the profile {profile!r}" in done.err
    for profile in ("8", str(AUTHORITY["profileName"]), "ee"):
        assert ordered(sectigo, liar, "-a", "7", "-P", profile)


@pytest.mark.parametrize("domain", [" ", "", "\t"])
def test_fault_17c_a_blank_domain_is_refused(sectigo: Runner, liar: LyingService, domain: str) -> None:
    done = sectigo("create", "-d", domain, env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])


def test_fault_17d_several_names_in_one_certificate(sectigo: Runner, liar: LyingService) -> None:
    sent = ordered(sectigo, liar, "--dns", "www.example.com", "--dns", "*.example.org")
    assert sent["commonName"] == "example.com"
    assert sent["dNSName"].split("\n") == ["example.com", "www.example.com", "*.example.org"]


def test_fault_18a_two_clients_side_by_side(emulator: Emulator, manual: Emulator) -> None:
    with IoTManager(settings_for(emulator)) as one, IoTManager(settings_for(manual)) as other:
        with ThreadPoolExecutor(2) as pool:
            turns = [pool.submit(client.user_authorities) for client in (one, other) * 4]
        found = [{authority.id for authority in turn.result()} for turn in turns]
        assert found == [{423, 489}, {1}] * 4
        assert one.endpoint("devices") == f"{emulator.url}/api/v1/devices"
        assert other.endpoint("devices") == f"{manual.url}/api/v1/devices"


def test_fault_18b_a_certificate_log_in_without_a_certificate_says_what_is_needed(sectigo: Runner) -> None:
    with LyingServer(LICENCES) as elsewhere:
        where = f"{elsewhere.url}/auth/pwd"
        with Emulator(certificate_login=where) as service, IoTManager(settings_for(service)) as client:
            with pytest.raises(MustUseTLSAuthError) as caught:
                client.authenticate()
            done = sectigo("auth", env=service.environ)
        assert caught.value.location == where
        assert (done.code, done.out) == (4, "")
        assert "client certificate" in told(done.err)
        assert elsewhere.seen == []


def test_fault_18c_find_says_that_there_is_more(sectigo: Runner, liar: LyingService) -> None:
    item = {"deviceId": "1", "commonName": "example.com", "serialNumber": "AB"}
    for total, said in ((1, ""), (3, "sectigo: 1 of 3 shown: the service sent no more\n")):
        liar.answers[FIND] = document({"totalCount": total, "items": [item]})
        done = sectigo("find", "-n", "example.com", env=liar.environ)
        assert (done.code, done.err) == (0, said)
        assert json.loads(done.out) == {"totalCount": total, "items": [item]}
