"""The replies that TRISA's manual shows, played to the command as the manual's reader types it.

Nothing but user name and password is set, so that this is the way to the live service: production, its address, no
profile named. What is in the recordings is nothing of ours: see `tests/cassettes/manual/README.md`.
"""

from __future__ import annotations

from pathlib import Path

import pytest
from vcr.request import Request  # type: ignore[import-untyped]

from tests.emulator.csrs import make_csr
from tests.replay import printed
from tests.replay.cassettes import FOLDER, same_body, same_headers
from tests.replay.conftest import Replay
from tests.replay.record import REQUEST
from tests.replay.scrubbing import SCRUBBED, harmless_zip

ENVIRON = {"SECTIGO_USERNAME": "trisa", "SECTIGO_PASSWORD": SCRUBBED}
CREATE = ("create", "-a", "42", "-d", "example.com", "-p", SCRUBBED, "-b", "example.com certs")
REVOKE = ("revoke", "-p", "42", "-r", "cessation of operation", "-s", "12345")
UPLOAD = ("upload", "-p", "42", str(REQUEST))

BALANCES = printed.AUTHORITIES.replace('Profile"\n', 'Profile",\n    "availableBalance": 10\n')
COMMANDS = {
    "auth": (("auth",), "user authenticated and credentials cached\n", ""),
    "authorities": (("authorities",), printed.AUTHORITIES, ""),
    "authorities_balances": (("authorities", "-b"), BALANCES, ""),
    "licenses": (("licenses",), printed.LICENSES, ""),
    "profiles": (("profiles",), printed.PROFILES, ""),
    "profile_detail": (("profiles", "-i", "42"), printed.PROFILE_DETAIL, ""),
    "profile_parameters": (("profile", "-i", "42", "--params"), printed.PROFILE_PARAMETERS, ""),
    "organization": (("organization",), printed.ORGANIZATION, ""),
    "create": (
        CREATE,
        printed.BATCH,
        "sectigo: 42 is a profile id: ordering from the authority 1 of that profile\n",
    ),
    "batches": (("batches", "-i", "24"), printed.BATCH, ""),
    "batches_status": (
        ("batches", "-i", "24", "--status"),
        "READY_FOR_DOWNLOAD\n",
        "0 in work, 1 issued, 0 failed\n",
    ),
    "batches_info": (("batches", "-i", "24", "--info"), printed.PROCESSING, ""),
    "upload": (UPLOAD, printed.BATCH, "sectigo: ordering 1 certificate of profile 42\n"),
    "find": (("find", "-n", "example.com"), printed.FOUND, ""),
    "revoke": (REVOKE, "", "sectigo: revoked 12345 (cessationOfOperation)\n"),
}


def cassette(name: str) -> Path:
    return FOLDER / "manual" / f"{name}.yaml"


@pytest.mark.parametrize("name", COMMANDS)
def test_played(replay: Replay, name: str) -> None:
    words, out, err = COMMANDS[name]
    assert replay(cassette(name), [words], ENVIRON) == [(0, out, err)]


def test_download(replay: Replay, tmp_path: Path) -> None:
    folder = tmp_path / "certs"
    [result] = replay(cassette("download"), [("download", "-i", "24", "-o", f"{folder}/")], ENVIRON)
    target = folder / "24.zip"
    assert result == (0, printed.DOWNLOADED.format(target=target), f"sectigo: made the folder {folder}\n")
    assert target.read_bytes() == harmless_zip(["example.com.p12"])


def test_every_recording_is_played() -> None:
    assert {path.stem for path in (FOLDER / "manual").glob("*.yaml")} == {*COMMANDS, "download"}


CHANGED = {
    "another user": ("licenses", ("-u", "asirt", "licenses"), "same_body"),
    "another password": ("licenses", ("-p", "Scrubbed", "licenses"), "same_body"),
    "another path": ("licenses", ("organization",), "uri"),
    "another method": ("licenses", ("call", "/api/v1/devices", "--method", "DELETE"), "method"),
    "another id in the path": ("batches", ("batches", "-i", "25"), "uri"),
    "another path prefix": ("licenses", ("-e", "https://iot.sectigo.com/prefix", "licenses"), "uri"),
    "another host": ("licenses", ("-E", "staging", "-e", "https://iot.example.com", "licenses"), "uri"),
    "a query": ("licenses", ("call", "/api/v1/devices?page=2"), "uri"),
    "another batch name": ("create", (*CREATE[:-1], "example.org certs"), "same_body"),
    "another domain": ("create", (*CREATE[:4], "example.org", *CREATE[5:]), "same_body"),
    "another PKCS#12 password": ("create", (*CREATE[:6], "Scrubbed", *CREATE[7:]), "same_body"),
    "another profile of an upload": ("upload", ("upload", "-p", "43", str(REQUEST)), "uri"),
    "another name to find": ("find", ("find", "-n", "example.org"), "same_body"),
    "one more thing to find by": ("find", ("find", "-n", "example.com", "-s", "12345"), "same_body"),
    "another profile of a revocation": ("revoke", ("revoke", "-p", "43", *REVOKE[3:]), "uri"),
    "another reason": ("revoke", (*REVOKE[:4], "superseded", *REVOKE[5:]), "same_body"),
    "another serial number": ("revoke", (*REVOKE[:-1], "12346"), "same_body"),
}


@pytest.mark.parametrize("change", CHANGED)
def test_a_changed_request_is_refused(replay: Replay, change: str) -> None:
    name, words, what = CHANGED[change]
    with pytest.raises(AssertionError, match=rf"not played: .*the closest differ in {what}\)"):
        replay(cassette(name), [words], ENVIRON)


def test_a_changed_file_is_refused(replay: Replay, tmp_path: Path) -> None:
    path = tmp_path / REQUEST.name
    path.write_bytes(make_csr("example.com", "example.com"))
    with pytest.raises(AssertionError, match=r"not played: .*the closest differ in same_body\)"):
        replay(cassette("upload"), [("upload", "-p", "42", str(path))], ENVIRON)


def changed_request(**changes: str) -> Request:
    headers = {"Accept": "a", "Authorization": "b", "Content-Type": "c/d; boundary=x"}
    return Request("POST", "https://iot.example.com/", changes.pop("body", "--x\r\n1\r\n--x--"), headers | changes)


def test_headers_and_forms_are_compared() -> None:
    stored = changed_request()
    for same in (
        changed_request(Other="z"),
        changed_request(**{"Content-Type": "c/d; boundary=y"}, body="--y\r\n1\r\n--y--"),
    ):
        same_headers(same, stored)
        same_body(same, stored)
    for name in ("Accept", "Authorization", "Content-Type"):
        with pytest.raises(AssertionError):
            same_headers(changed_request(**{name: "z"}), stored)
    for body in ("--x\r\n2\r\n--x--", "--x\n1\n--x--", "--x\r\n1\r\n--x", "--y\r\n1\r\n--y--"):
        with pytest.raises(AssertionError):
            same_body(changed_request(body=body), stored)


def test_a_request_too_few_is_seen(replay: Replay) -> None:
    with pytest.raises(AssertionError, match="not played: GET /api/v1/authorities/1/balanceavailable"):
        replay(cassette("authorities_balances"), [("authorities",)], ENVIRON)


def test_a_request_too_many_is_seen(replay: Replay) -> None:
    first, second = replay(cassette("licenses"), [("licenses",), ("licenses",)], ENVIRON)
    assert (first.code, second.code) == (0, 1)
    assert "CannotOverwriteExistingCassetteException" in second.err
