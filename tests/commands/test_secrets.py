"""A certificate's whole life, as loud as it can be made: no password and no token comes out anywhere."""

from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.conftest import names_in
from tests.commands.lying_service import BATCH, CREATE, LyingService, document, text
from tests.commands.signing_requests import request
from tests.conftest import Runner

LOGIN, GIVEN, FROM_FILE, WRONG = "log-in-Pa55word", "giv3n-Pa55word", "f1le-Pa55word", "wr0ng-Pa55word"
TOLD = "pkcs12 password: "


@pytest.fixture
def log() -> Iterator[io.StringIO]:
    """Everything that any library logs, at DEBUG."""
    text = io.StringIO()
    handler = logging.StreamHandler(text)
    loggers = [logging.getLogger(), logging.getLogger("sectigo_iot")]
    for name in ("transport", "auth", "credentials", "keychain", "tokencache"):
        loggers.append(logging.getLogger(f"sectigo_iot.{name}"))
    before = [(logger, logger.level) for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    # The command takes its own logger out of the root's hands while it runs.
    for logger in loggers[:2]:
        logger.addHandler(handler)
    yield text
    for logger, level in before:
        logger.setLevel(level)
        logger.removeHandler(handler)


@pytest.fixture
def service() -> Iterator[Emulator]:
    with Emulator(username="jane", password=LOGIN) as emulator:
        yield emulator


class Life:
    """Runs commands, and gathers what comes out and which secrets are in use."""

    def __init__(self, sectigo: Runner, service: Emulator, home: Path) -> None:
        self._sectigo, self._env, self._home = sectigo, service.environ, home
        self.said = ""
        self.traces: tuple[str, ...] = ()
        self.secrets = {LOGIN, GIVEN, FROM_FILE, WRONG}

    def run(self, *words: str, code: int = 0, stdin: str = "") -> str:
        trace = self._home / f"{len(self.traces)}.har"
        done = self._sectigo("--verbose", "--trace", str(trace), *words, env=self._env, stdin=stdin)
        self.traces += (trace.read_text(),)
        assert done.code == code, done
        err = done.err
        for line in err.splitlines():
            if line.startswith(TOLD):
                self.secrets.add(line.removeprefix(TOLD))
                err = err.replace(f"{line}\n", "", 1)
        self.said += done.out + err
        for path in self.caches():
            tokens = json.loads(path.read_text())
            self.secrets |= {tokens["accessToken"], tokens["refreshToken"]}
        return done.out

    def caches(self) -> list[Path]:
        return list((self._home / ".cache").rglob("*.json"))

    def age(self, seconds: int) -> None:
        """Make the kept session older than it is."""
        for path in self.caches():
            kept = json.loads(path.read_text())
            path.write_text(json.dumps({**kept, "received": kept["received"] - seconds}))


def test_no_secret_comes_out(sectigo: Runner, service: Emulator, home: Path, here: Path, log: io.StringIO) -> None:
    life = Life(sectigo, service, home)
    Path("pw").write_text(f"{FROM_FILE}\n")
    Path("pw").chmod(0o600)
    Path("one.csr").write_bytes(request("one.example.com"))
    life.run("-p", WRONG, "auth", code=4)
    life.run("auth")
    life.run("create", "-d", "a.example.com", "-p", GIVEN, "--wait")
    life.run("create", "-d", "b.example.com", "--password-file", "pw")
    life.run("create", "-d", "b.example.com", "--password-file", "-", stdin=FROM_FILE)
    life.run("create", "-d", "c.example.com")
    life.run("create", "-d", "d.example.com", "--password-out", "generated")
    life.secrets.add(Path("generated").read_text().strip())
    life.run("create", "-a", "489", "-P", "489", "-d", "e.example.com", "-p", GIVEN, code=2)
    life.run("create", "-d", "f.example.com", "-p", GIVEN, "--dry-run")
    life.age(1000)
    batch = str(json.loads(life.run("upload", "one.csr", "-p", "423"))["batchId"])
    life.run("batches", "-i", batch, "--status")
    life.run("download", "-i", batch, "-o", "certs")
    life.run("download", "-i", "99", code=1)
    found = json.loads(life.run("find", "-n", "a.example.com"))
    life.age(10_000)
    life.run("revoke", "-p", "423", "-s", found["items"][0]["serialNumber"])
    life.run("call", "currentUserOrganization")
    life.run("call", "batches", "--method", "POST", "--data", json.dumps({"password": GIVEN}), code=1)
    for words in (("--debug",), ("--cache",), ("--login",), ()):
        life.run("auth", *words)
    life.run("validate")
    life.run("auth", "--logout")

    tokens = {secret for secret in life.secrets if secret.count(".") == 2}
    assert len(tokens) >= 5, "a log-in, a refresh, which keeps or renews, and log-ins again"
    assert len(life.secrets - tokens) == 6
    assert "POST /auth/refresh 200" in life.said
    assert "PUT /api/v1/batches/createSingleCertBatch 201" in life.said
    assert '"createSingleCertBatch"' in "".join(life.traces)
    assert '"PUT /api/v1/batches/createSingleCertBatch HTTP/1.1" 201' in log.getvalue(), "urllib3 is loud as well"
    for secret in life.secrets:
        for where, shown in (("output", life.said), ("log", log.getvalue()), ("traces", "".join(life.traces))):
            assert secret not in shown, where
            assert json.dumps(secret)[1:-1] not in shown, where


def test_files_with_secrets_are_private(
    sectigo: Runner, service: Emulator, home: Path, here: Path, log: io.StringIO
) -> None:
    life = Life(sectigo, service, home)
    Path("given").write_text(f"{GIVEN}\n")
    Path("given").chmod(0o600)
    life.run("create", "-d", "a.example.com", "--password-out", "generated", "--download", "certs")
    life.run("create", "-d", "a.example.com", "--password-file", "given", "--download", "certs")
    life.run("auth", "--login")
    life.secrets.add(Path("generated").read_text().strip())
    assert names_in() == ["certs", "generated", "given"]
    assert len(names_in("certs")) == 2
    files = [path for folder in (home, here) for path in folder.rglob("*") if path.is_file()]
    assert any("accessToken" in path.read_text(errors="replace") for path in files)
    for path in files:
        private = path.stat().st_mode & 0o777 == 0o600
        content = path.read_bytes()
        assert private or not any(secret.encode() in content for secret in life.secrets), path
        assert private or path.suffix == ".lock", path


@pytest.mark.parametrize("generated", [False, True], ids=["given", "generated"])
@pytest.mark.parametrize("wrote", ["reject reason", "status text", "refusal"])
def test_what_a_later_call_repeats_is_hidden(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch, wrote: str, generated: bool
) -> None:
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)
    usual = liar.answer

    def repeat(handler: BaseHTTPRequestHandler) -> None:
        """Answer what comes after the order with the password that was ordered with."""
        if CREATE in liar.asked:
            ordered = json.loads(liar.bodies[CREATE])["profileParams"]["pkcs12Password"]
            words = f"{ordered} is weak"
            liar.answers |= {
                "GET /api/v1/batches/24/processing_info": document({"active": 0, "success": 0, "failed": 1}),
                "GET /api/v1/batches/24/status": text(f"Not Acceptable. Status: {ordered}"),
                "GET /api/v1/batches/24": document({**BATCH, "status": "REJECTED", "rejectReason": words}),
                **({"GET /api/v1/batches/24": document({"message": words}, 400)} if wrote == "refusal" else {}),
            }
        usual(handler)

    monkeypatch.setattr(liar, "answer", repeat)
    words = ("create", "-d", "a.example.com", "--wait", *(() if generated else ("-p", GIVEN)))
    done = sectigo("--verbose", *words, env=liar.environ)
    ordered = json.loads(liar.bodies[CREATE])["profileParams"]["pkcs12Password"]
    assert done.code in (1, 8)
    assert done.err.count(ordered) == generated, "it is told once, on purpose"
    assert "[redacted] is weak" in done.err or wrote == "status text"


def test_a_short_word_is_no_gap_in_every_line(sectigo: Runner, liar: LyingService) -> None:
    liar.answers |= {"GET /api/v1/devices": document({"message": "batches"}, 400)}
    done = sectigo("-p", "sectigo", "licenses", env=liar.environ)
    assert done.err == "sectigo: error: devices failed with status 400: batches\n"
