"""How much a command asks of the service where the tokens are kept: one connection, and no request too many."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.relay import Relay, relay
from tests.commands.signing_requests import request
from tests.conftest import Runner

ALLOWED = "GET /api/v1/authorities/allowed"
PARAMETERS = "GET /api/v1/profiles/423/parameters"
ORDER = "PUT /api/v1/batches/createSingleCertBatch"
UPLOAD = "POST /api/v1/batches/upload"
FIND = "POST /api/v1/certificates/find"
REVOKE = "POST /api/v1/certificates/423/revoke"


class Standing(NamedTuple):
    """An emulator behind a relay, with a session, a batch and a certificate."""

    relay: Relay
    environ: Mapping[str, str]
    words: Mapping[str, str]


@pytest.fixture
def standing(sectigo: Runner, tmp_path: Path) -> Iterator[Standing]:
    """Order a certificate, so that there is something to ask about; what that took is forgotten."""
    (tmp_path / "request.csr").write_bytes(request("example.com"))
    with Emulator() as service, relay(urlsplit(service.url).port or 0) as before:
        environ = {**service.environ, "SECTIGO_ENDPOINT": before.url}
        ordered = sectigo("create", "-a", "423", "-d", "example.com", "-p", "correct-horse", env=environ)
        assert ordered.code == 0, ordered
        found = json.loads(sectigo("find", "-n", "example.com", env=environ).out)
        words = {
            "batch": str(json.loads(ordered.out)["batchId"]),
            "serial": found["items"][0]["serialNumber"],
            "csr": str(tmp_path / "request.csr"),
            "folder": str(tmp_path),
        }
        before.start_anew()
        yield Standing(before, environ, words)


CREATE = "create -a 423 -d www.example.com -p correct-horse"
ASKED = {
    "auth": ["GET /api/v1/devices"],
    "auth --debug": [],
    "auth --cache": [],
    "validate": [],
    "licenses": ["GET /api/v1/devices"],
    "organization": ["GET /api/v1/organizations/user"],
    "authorities": [ALLOWED],
    "authorities -b": [ALLOWED, *(f"GET /api/v1/authorities/{i}/balanceavailable" for i in (489, 423))],
    "profiles": ["GET /api/v1/profiles"],
    "profiles -i 423": ["GET /api/v1/profiles/423"],
    "profiles -i 423 --params": [PARAMETERS],
    CREATE: [ALLOWED, PARAMETERS, ORDER],
    f"{CREATE} --dry-run": [ALLOWED, PARAMETERS],
    "upload -p 423 {csr}": [PARAMETERS, UPLOAD],
    "upload -p 423 {csr} --check-only": [PARAMETERS],
    "upload {csr} --check-only": [],
    "--profile 423 upload {csr}": [PARAMETERS, UPLOAD],
    "--profile CipherTrace~EE upload {csr}": [ALLOWED, PARAMETERS, UPLOAD],
    "batches -i {batch}": ["GET /api/v1/batches/{batch}"],
    "batches -i {batch} --info": ["GET /api/v1/batches/{batch}/processing_info"],
    "batches -i {batch} --status": [
        "GET /api/v1/batches/{batch}/status",
        "GET /api/v1/batches/{batch}/processing_info",
    ],
    "download -i {batch} -o {folder}": ["GET /api/v1/batches/{batch}/download"],
    "find -n example.com": [FIND],
    "revoke -p 423 -s {serial}": [REVOKE],
    "--profile CipherTrace~EE revoke -s {serial}": [ALLOWED, REVOKE],
    "call devices": ["GET /api/v1/devices"],
}
"""A line (with ~ for a blank in a word), and what it asks; `batches --status` has the counts from a second call."""


@pytest.mark.parametrize("line", ASKED)
def test_what_a_command_asks(sectigo: Runner, standing: Standing, line: str) -> None:
    words = [word.replace("~", " ").format_map(standing.words) for word in line.split()]
    done = sectigo(*words, env=standing.environ)
    assert done.code == 0, done
    assert standing.relay.requests == [request.format_map(standing.words) for request in ASKED[line]]
    assert standing.relay.connections == min(1, len(ASKED[line]))


def test_a_revocation_at_a_terminal_shows_first_what_it_is_about(sectigo: Runner, standing: Standing) -> None:
    words = ("revoke", "-p", "423", "-s", standing.words["serial"])
    done = sectigo(*words, env=standing.environ, terminal=True, stdin="y\n")
    assert done.code == 0, done
    assert standing.relay.requests == [FIND, REVOKE]
    assert standing.relay.connections == 1


def test_waiting_and_fetching_go_on_on_the_same_connection(sectigo: Runner, standing: Standing) -> None:
    words = [*CREATE.split(), "--download", standing.words["folder"]]
    done = sectigo(*words, env=standing.environ)
    assert done.code == 0, done
    assert standing.relay.requests[:3] == [ALLOWED, PARAMETERS, ORDER]
    assert standing.relay.requests[-1].endswith("/download")
    assert standing.relay.connections == 1


def test_a_log_in_is_one_request_more_on_the_same_connection(sectigo: Runner, standing: Standing) -> None:
    assert sectigo("auth", "--logout", env=standing.environ).code == 0
    assert sectigo("licenses", env=standing.environ).code == 0
    assert standing.relay.requests == ["POST /auth/pwd", "GET /api/v1/devices"]
    assert standing.relay.connections == 1
