"""Each recording of the emulator is played to the command, and is recorded anew to see that it still holds.

This proves that client and emulator agree with each other, not that either agrees with the live service.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import FileTokenStore
from tests.conftest import Result
from tests.replay import cassettes
from tests.replay.cassettes import FOLDER, age_tokens, indented
from tests.replay.conftest import Replay
from tests.replay.record import MINUTE, REQUEST, record
from tests.replay.scenarios import SCENARIOS, filled
from tests.replay.scrubbing import ENDPOINT, SCRUBBED, serial_number

ENVIRON = {
    "SECTIGO_USERNAME": "tester",
    "SECTIGO_PASSWORD": SCRUBBED,
    "SECTIGO_ENDPOINT": ENDPOINT,
    "SECTIGO_ENVIRONMENT": "testing",
    "SECTIGO_PROFILE": "CipherTrace EE",
}
AUTHENTICATED = "user authenticated and credentials cached\n"
PRINTED = {
    "auth": [AUTHENTICATED],
    "auth_refused": [""],
    "auth_refresh": [AUTHENTICATED, '{\n  "ordered": 1000,\n  "issued": 0\n}\n'],
    "create_without_balance": [""],
    "batches_status": ["READY_FOR_DOWNLOAD\n"],
    "batches_missing": [""],
}
"""What is printed where it is not just the last reply of the recording."""
SAID = {
    "auth_refused": "401",
    "create_without_balance": "the balance of authority 423 does not suffice for 1 certificate(s)",
    "batches_missing": "there is no such batch",
    "batches_status": "0 in work, 1 issued, 0 failed",
    "revoke": f"sectigo: revoked {serial_number(1)} (cessationOfOperation)\n",
}


def a_minute_later() -> None:
    age_tokens(ENDPOINT, ENVIRON["SECTIGO_USERNAME"], MINUTE)


def played(replay: Replay, name: str, folder: Path) -> list[Result]:
    scenario = SCENARIOS[name]
    values = {"password": SCRUBBED, "serial": serial_number(1), "request": str(REQUEST), "folder": str(folder)}
    lines = [filled(words, **values) for words in scenario.typed]
    results = replay(FOLDER / "emulator" / f"{name}.yaml", lines, ENVIRON, after=a_minute_later)
    assert tuple(result.code for result in results) == scenario.codes, results
    return results


def answers(name: str) -> list[Any]:
    return cassettes.answers(FOLDER / "emulator" / f"{name}.yaml")


@pytest.mark.parametrize("name", sorted(SCENARIOS.keys() - {"authorities_balances", "download", "revoke"}))
def test_played(replay: Replay, name: str, tmp_path: Path) -> None:
    results = played(replay, name, tmp_path)
    expected = PRINTED[name] if name in PRINTED else [indented(answers(name)[-1])]
    assert [result.out for result in results] == expected
    assert SAID.get(name, "") in results[-1].err


def test_authorities_balances(replay: Replay, tmp_path: Path) -> None:
    _, authorities, first, second = answers("authorities_balances")
    expected = [
        authority | {"availableBalance": int(balance)}
        for authority, balance in zip(json.loads(authorities), (first, second), strict=True)
    ]
    assert [authority["availableBalance"] for authority in expected] == [0, 100]
    [result] = played(replay, "authorities_balances", tmp_path)
    assert result.out == indented(json.dumps(expected))


def test_download(replay: Replay, tmp_path: Path) -> None:
    [result] = played(replay, "download", tmp_path)
    target = tmp_path / "10000.zip"
    assert result.out == (
        f"downloaded batch 10000 to {target}\n"
        "after unzipping, unencrypt with your password using "
        "`openssl pkcs12 -in example.com.p12 -out example.com.crt -nodes`\n"
    )
    with zipfile.ZipFile(target) as archive:
        assert archive.read("example.com.p12") == f"{SCRUBBED}\n".encode()


def test_revoke(replay: Replay, tmp_path: Path) -> None:
    revoked, found = played(replay, "revoke", tmp_path)
    assert (revoked.out, revoked.err) == ("", SAID["revoke"])
    assert found.out == indented(answers("revoke")[-1])
    assert json.loads(found.out)["items"][0]["status"] == "REVOKED"


def test_the_refreshed_tokens_are_kept(replay: Replay, tmp_path: Path) -> None:
    played(replay, "auth_refresh", tmp_path)
    kept = FileTokenStore().load(ENDPOINT, "tester")
    refreshed = json.loads(answers("auth_refresh")[2])
    assert kept is not None
    assert (kept.access_token, kept.refresh_token) == (refreshed["accessToken"], refreshed["refreshToken"])
    assert refreshed["accessToken"] != json.loads(answers("auth_refresh")[0])["accessToken"]


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_new_recording_is_the_same(name: str, tmp_path: Path) -> None:
    assert record(name, tmp_path).read_text() == (FOLDER / "emulator" / f"{name}.yaml").read_text()


def test_every_recording_is_played() -> None:
    assert {path.stem for path in (FOLDER / "emulator").glob("*.yaml")} == set(SCENARIOS)
