"""The replies of TRISA's own staging server, played to the command: what it prints, and what the user is told.

The server differs from the real service in statuses, in the shape of its errors, in its tokens and its times. What is
in the recordings, and what had to be filled in, tells `tests/cassettes/staging/README.md`.
"""

from __future__ import annotations

import base64
import json
import time
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from sectigo_iot import FileTokenStore, TokenPair
from tests.replay import cassettes
from tests.replay.cassettes import FOLDER, indented
from tests.replay.conftest import Replay
from tests.replay.record import REQUEST
from tests.replay.scrubbing import SCRUBBED, TOKEN, harmless_zip

ENDPOINT = "http://staging.test:8831"
ENVIRON = {
    "SECTIGO_USERNAME": "tester",
    "SECTIGO_PASSWORD": SCRUBBED,
    "SECTIGO_ENDPOINT": ENDPOINT,
    "SECTIGO_ENVIRONMENT": "staging",
}
SERIAL = "C017C2BBF424254E864629513A8611F9"
CREATE = ("create", "-a", "423", "-d", "example.com", "-p", SCRUBBED, "-b", "first")
REVOKE = ("revoke", "-p", "423", "-r", "cessation of operation", "-s", SERIAL)
FIND = ("find", "-n", "example.com")
ORDER_CALL = ("call", "createSingleCertBatch", "--method", "PUT", "--data")
"""An order that the command itself would never send."""

AUTHENTICATED = "user authenticated and credentials cached\n"
UNCHECKED = (
    "sectigo: the parameters are not checked before ordering: the service does not list them "
    "(profileParameters failed with status 501: not implemented yet)\n"
)
UPLOAD_UNCHECKED = (
    "sectigo: what the profile demands is not checked before ordering: the service does not list it "
    "(profileParameters failed with status 501: not implemented yet)\n"
)
REVOKED = f"sectigo: revoked {SERIAL} (cessationOfOperation)\n"
AUTHORITIES = "`sectigo authorities` lists the names and ids of the profiles that may be ordered from"


def cassette(name: str) -> Path:
    return FOLDER / "staging" / f"{name}.yaml"


def answers(name: str) -> list[Any]:
    return cassettes.answers(cassette(name))


def failed(error: str, hint: str | None = None) -> str:
    return f"sectigo: error: {error}\n" + (f"sectigo: hint: {hint}\n" if hint else "")


READS: dict[str, tuple[tuple[str, ...], str]] = {
    "authorities": (("authorities",), ""),
    "licenses": (("licenses",), ""),
    "organization": (("organization",), ""),
    "create": (CREATE, UNCHECKED),
    "find": (FIND, ""),
}
"""What prints the last reply of the recording: what is typed, and what is said beside it."""


@pytest.mark.parametrize("name", READS)
def test_the_reply_is_printed(replay: Replay, name: str) -> None:
    words, said = READS[name]
    assert replay(cassette(name), [words], ENVIRON) == [(0, indented(answers(name)[-1]), said)]


def test_the_server_s_order_and_digits_are_kept(replay: Replay) -> None:
    [result] = replay(cassette("create"), [CREATE], ENVIRON)
    first = '{\n  "batchId": 10000,\n  "orderNumber": 0,\n  "creationDate": "2026-11-21T19:20:09.857497059Z",\n'
    assert result.out.startswith(first)
    assert result.out.endswith('  "userId": 295,\n  "downloadable": false,\n  "rejectable": true\n}\n')


def test_authorities_balances(replay: Replay) -> None:
    [result] = replay(cassette("authorities_balances"), [("authorities", "-b")], ENVIRON)
    expected = [each | {"availableBalance": 100} for each in json.loads(answers("authorities_balances")[1])]
    assert result == (0, indented(json.dumps(expected)), "")


class Refusal(NamedTuple):
    """What is typed, and what comes of it: nothing is printed."""

    words: tuple[str, ...]
    said: str
    code: int = 1


REFUSALS = {
    "auth_refused": Refusal(
        ("auth",),
        failed(
            "authenticate failed with status 403: could not authenticate user with password",
            "are user name and password right, and may this user log in?",
        ),
        4,
    ),
    "authentication_required": Refusal(
        ("licenses",), failed("devices failed with status 403: authentication required")
    ),
    "profiles": Refusal(("profiles",), failed("profiles failed with status 501: not implemented yet", AUTHORITIES)),
    "profile_detail": Refusal(
        ("profiles", "-i", "17"), failed("profileDetail failed with status 501: not implemented yet", AUTHORITIES)
    ),
    "profile_parameters": Refusal(
        ("profile", "-i", "423", "--params"),
        failed(
            "profileParameters failed with status 501: not implemented yet",
            "`sectigo create` orders all the same, without checking the parameters",
        ),
    ),
    "create_refused": Refusal(
        CREATE,
        UNCHECKED + failed("createSingleCertBatch failed with status 400: unknown profile", "nothing was ordered"),
    ),
    "upload": Refusal(
        ("upload", "-p", "423", str(REQUEST)),
        UPLOAD_UNCHECKED
        + "sectigo: ordering 1 certificate of profile 423\n"
        + failed(
            "upload failed with status 501: this endpoint has not been implemented yet",
            "nothing was ordered: this service does not offer it",
        ),
    ),
    "batches_list": Refusal(
        ("batches",), failed("this service lists no batches: resource not found", "name one with --id ID")
    ),
    "batches_missing": Refusal(
        ("batches", "-i", "99", "--status"), failed("batchStatus failed with status 404: batch not found")
    ),
    "batch_id_missing": Refusal(
        ("call", "batchDetail", "abc"), failed("batchDetail failed with status 404: batch id not found")
    ),
    "download_missing": Refusal(
        ("download", "-i", "99", "-o", "."), failed("download failed with status 404: batch not found")
    ),
    "download_revoked": Refusal(
        ("download", "-i", "10000", "-o", "."),
        failed("batch 10000 ended as REVOKED: cannot get certs in status REVOKED"),
    ),
    "revoke_unknown": Refusal(
        ("revoke", "-p", "1", "-s", "AB"),
        failed(
            "revokeCertificate failed with status 404: certificate not found",
            "nothing was revoked; `sectigo find -s AB` tells what the service knows of it",
        ),
    ),
}


@pytest.mark.parametrize("name", REFUSALS)
def test_the_server_s_words_are_said(
    replay: Replay, name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words, said, code = REFUSALS[name]
    assert replay(cassette(name), [words], ENVIRON) == [(code, "", said)]
    assert list(tmp_path.iterdir()) == []


REFUSED_CALLS = {
    "{}": "unknown profile",
    '{"authorityId":423,"profileParams":{}}': "common name required",
    '{"authorityId":423,"profileParams":{"commonName":"x"}}': "pkcs12 password required",
    '{"authorityId":"423"}': (
        "json: cannot unmarshal string into Go struct field CreateSingleCertBatchRequest.authorityId of type int"
    ),
}


def test_what_is_wrong_with_an_order_is_said(replay: Replay) -> None:
    lines = [(*ORDER_CALL, body) for body in REFUSED_CALLS]
    said = [failed(f"createSingleCertBatch failed with status 400: {words}") for words in REFUSED_CALLS.values()]
    assert replay(cassette("call_refused"), lines, ENVIRON) == [(1, "", each) for each in said]


# Sessions


def test_auth(replay: Replay) -> None:
    assert replay(cassette("auth"), [("auth",)], ENVIRON) == [(0, AUTHENTICATED, "")]


def after_an_hour() -> None:
    """Let the kept access token, which lives for an hour, have come an hour ago."""
    store = FileTokenStore()
    kept = store.load(ENDPOINT, "tester")
    assert kept is not None
    store.save(ENDPOINT, "tester", TokenPair(kept.access_token, kept.refresh_token, time.time() - 3600))


def test_a_session_that_has_run_out_is_refreshed(replay: Replay) -> None:
    results = replay(cassette("auth_refresh"), [("auth",), ("licenses",)], ENVIRON, after=after_an_hour)
    assert results == [(0, AUTHENTICATED, ""), (0, indented(answers("auth_refresh")[-1]), "")]


@pytest.mark.parametrize("name", ["session_refused", "session_lost"])
def test_a_token_that_is_refused_is_renewed_once(replay: Replay, name: str) -> None:
    results = replay(cassette(name), [("auth",), ("licenses",)], ENVIRON)
    assert results == [(0, AUTHENTICATED, ""), (0, indented(answers(name)[-1]), "")]
    kept = FileTokenStore().load(ENDPOINT, "tester")
    renewed = json.loads(answers(name)[-2])
    assert kept is not None
    assert (kept.access_token, kept.refresh_token) == (renewed["accessToken"], renewed["refreshToken"])


def test_a_token_that_is_refused_again_is_not_renewed_again(replay: Replay) -> None:
    _, refused = replay(cassette("session_refused_again"), [("auth",), ("licenses",)], ENVIRON)
    assert refused == (4, "", failed("devices failed with status 401: invalid credentials"))


# A batch, from PROCESSING to READY_FOR_DOWNLOAD


@pytest.mark.parametrize(("name", "flag"), [("batches", ()), ("batches_info", ("--info",))])
def test_a_batch_and_its_counts(replay: Replay, name: str, flag: tuple[str, ...]) -> None:
    results = replay(cassette(name), [("batches", "-i", "10000", *flag)] * 2, ENVIRON)
    assert results == [(0, indented(answer), "") for answer in answers(name)[1:]]


def test_the_status(replay: Replay) -> None:
    assert replay(cassette("batches_status"), [("batches", "-i", "10000", "--status")] * 2, ENVIRON) == [
        (0, "PROCESSING\n", "1 in work, 0 issued, 0 failed\n"),
        (0, "READY_FOR_DOWNLOAD\n", "0 in work, 1 issued, 0 failed\n"),
    ]


def told(target: Path) -> str:
    opened = "`openssl pkcs12 -in example.com.p12 -out example.com.crt -nodes`"
    return f"downloaded batch 10000 to {target}\nafter unzipping, unencrypt with your password using {opened}\n"


def test_download(replay: Replay, tmp_path: Path) -> None:
    [result] = replay(cassette("download"), [("download", "-i", "10000", "-o", str(tmp_path))], ENVIRON)
    target = tmp_path / "10000.zip"
    assert result == (0, told(target), "")
    assert target.read_bytes() == harmless_zip(["example.com.p12"])


def test_revoked_twice(replay: Replay) -> None:
    results = replay(cassette("revoke"), [REVOKE, FIND, REVOKE], ENVIRON)
    assert results == [(0, "", REVOKED), (0, indented(answers("revoke")[2]), ""), (0, "", REVOKED)]
    assert json.loads(results[1].out)["items"][0]["status"] == "REVOKED"


def test_a_whole_session(replay: Replay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sectigo_iot.polling.FIRST_PAUSE", 0.0)
    create = (*CREATE, "--wait", "--download", str(tmp_path))
    results = replay(cassette("session"), [("auth",), create, FIND, REVOKE, FIND], ENVIRON)
    _, _, _, _, ordered, *_, found, _, found_revoked = answers("session")
    assert results == [
        (0, AUTHENTICATED, ""),
        (
            0,
            indented(ordered),
            f"{UNCHECKED}sectigo: batch 10000 is ready: 1 issued\n{told(tmp_path / '10000.zip')}",
        ),
        (0, indented(found), ""),
        (0, "", REVOKED),
        (0, indented(found_revoked), ""),
    ]
    assert (tmp_path / "10000.zip").read_bytes() == harmless_zip(["example.com.p12"])


# The recordings themselves

PLAYED = {
    *READS,
    *REFUSALS,
    *("authorities_balances", "call_refused", "auth", "auth_refresh"),
    *("session_refused", "session_lost", "session_refused_again"),
    *("batches", "batches_info", "batches_status", "download", "revoke", "session"),
}


def test_every_recording_is_played() -> None:
    assert {path.stem for path in (FOLDER / "staging").glob("*.yaml")} == PLAYED


@pytest.mark.parametrize("name", sorted(PLAYED))
def test_the_tokens_have_the_claims_of_this_server(name: str) -> None:
    found = TOKEN.findall(cassette(name).read_text())
    for _, payload, signature in found:
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        assert list(claims) == ["iss", "sub", "exp", "nbf", "iat", "jti", "scopes", "first-login"]
        assert claims["nbf"] == claims["iat"]
        assert claims["exp"] - claims["iat"] in (3600, 7200)
        assert (claims["scopes"], signature) == (["ROLE_USER"], SCRUBBED)
    assert bool(found) == (name != "auth_refused")
