"""The same seed gives the same journal twice, in whatever process."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from sectigo_iot.emulator import Emulator
from tests.packages import PYTHONPATH, ROOT

START = 1_700_000_000.0
FAULTS = (
    "lost-reply,call=createSingleCertBatch,percent=30",
    "reset,call=batchStatus,percent=30",
    "unavailable,call=batchDetail,percent=30",
    "token-dropped,percent=10",
    "zip-cut,percent=30",
    "content-type,percent=30",
    "unknown-fields,percent=30",
    "reordered-lists,percent=30",
    "ints-as-strings,percent=30",
    "nulls,percent=30",
)
ORDER = {
    "authorityId": 423,
    "profileParams": {"commonName": "a.example.com", "dNSName": "a.example.com", "pkcs12Password": "secrtpasswrd"},
}


class Program:
    """A client that always asks the same, whatever it is answered."""

    def __init__(self, emulator: Emulator, clock: list[float]) -> None:
        self.emulator = emulator
        self.clock = clock
        self.connection = http.client.HTTPConnection(emulator.url.removeprefix("http://"), timeout=10)
        self.token = ""

    def ask(self, method: str, path: str, document: object = None) -> bytes:
        """Return the body of the reply; nothing where there is none."""
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        body = b"" if document is None else json.dumps(document).encode()
        try:
            self.connection.request(method, path, body, headers)
            return self.connection.getresponse().read()
        except (http.client.HTTPException, OSError):
            self.connection.close()
            return b""

    def log_in(self) -> None:
        login = {"username": self.emulator.username, "password": self.emulator.password}
        reply = self.ask("POST", "/auth/pwd", login)
        with contextlib.suppress(ValueError, TypeError):
            self.token = json.loads(reply)["accessToken"]

    def run(self) -> None:
        """Order ten certificates, poll and download each, look for it, and let the time go on."""
        for number in range(10):
            self.log_in()
            self.ask("PUT", "/api/v1/batches/createSingleCertBatch", {**ORDER, "batchName": f"batch {number}"})
            path = f"/api/v1/batches/{10000 + number}"
            for more in ("", "/status", "/processing_info", "/status", "/download", "/download"):
                self.ask("GET", path + more)
                self.clock[0] += 1
            self.ask("POST", "/api/v1/certificates/find", {"commonName": "A.example.com"})
            self.ask("GET", "/api/v1/authorities/allowed")
            self.ask("GET", "/api/v1/authorities/423/balanceavailable")
            self.clock[0] += 50
        self.connection.close()


def journal_of(seed: int) -> list[dict[str, Any]]:
    """Return what an emulator's journal shows of the program, in every field that is not left to chance."""
    clock = [START]
    with Emulator(seed=seed, clock=lambda: clock[0], faults=FAULTS) as emulator:
        Program(emulator, clock).run()
        return [told_apart(each) for each in emulator.control.journal(limit=1000)]


def told_apart(entry: dict[str, Any]) -> dict[str, Any]:
    """Leave out the time that it took, ports, and, of a download, what depends on a key that was made by chance."""
    shown = {name: value for name, value in entry.items() if name not in ("seconds", "client")}
    for side in ("request", "reply"):
        headers = {name: value for name, value in shown[side]["headers"].items() if name.lower() != "host"}
        shown[side] = {**shown[side], "headers": headers}
    if entry["call"] == "download":
        shown["reply"] = shown["reply"]["headers"].get("content-type")
    return shown


def journal_in_a_process(seed: int, hash_seed: int) -> str:
    """Return the same, out of a process whose sets and dictionaries of texts are in an order of their own."""
    program = f"import json, tests.emulator.test_repeatable as it; print(json.dumps(it.journal_of({seed})))"
    path = os.pathsep.join((PYTHONPATH, str(ROOT)))
    environ = {**os.environ, "PYTHONPATH": path, "PYTHONHASHSEED": str(hash_seed)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environ, capture_output=True, text=True, timeout=60, check=True
    )
    return done.stdout


@pytest.fixture(scope="module")
def journal() -> list[dict[str, Any]]:
    return journal_of(7)


def test_the_same_seed_gives_the_same_journal(journal: list[dict[str, Any]]) -> None:
    assert journal_of(7) == journal
    assert len(journal) == 110


def test_enough_went_wrong_for_that_to_mean_something(journal: list[dict[str, Any]]) -> None:
    struck = {each["fault"] for each in journal if each["fault"]}
    assert struck >= {"lost-reply", "reset", "unavailable", "zip-cut", "ints-as-strings"}
    assert 20 < sum(each["fault"] is not None for each in journal) < 90


def test_another_seed_gives_another_journal(journal: list[dict[str, Any]]) -> None:
    assert [each["fault"] for each in journal_of(8)] != [each["fault"] for each in journal]


def test_in_other_processes_too(journal: list[dict[str, Any]]) -> None:
    with ThreadPoolExecutor() as threads:
        first, second = threads.map(lambda hash_seed: journal_in_a_process(7, hash_seed), (1, 2))
    assert first == second
    assert json.loads(first) == json.loads(json.dumps(journal))


def test_a_clock_that_is_moved_makes_nothing_late() -> None:
    """The keys take longer than it takes to ask for the next month: the certificate is as old as if they did not."""
    with Emulator(clock=lambda: START, delay=2, key_type="rsa2048") as emulator:
        program = Program(emulator, [START])
        program.log_in()
        program.ask("PUT", "/api/v1/batches/createSingleCertBatch", ORDER)
        emulator.control.advance(days=31)
        program.log_in()
        assert json.loads(program.ask("GET", "/api/v1/batches/10000"))["status"] == "REMOVED_AFTER_EXPIRATION"
        program.connection.close()
