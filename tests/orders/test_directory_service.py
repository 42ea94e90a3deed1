"""The example service, from registration to delivery, as a process that is killed in between."""

from __future__ import annotations

import base64
import http.client
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import OrderBook
from sectigo_iot.pki import RequestSpec, build_request, generate_key, open_pkcs12
from tests.packages import PYTHONPATH, ROOT

SERVICE = ROOT / "examples" / "directory_service"


class Receiver(ThreadingHTTPServer):
    """The webhooks of the VASPs: fails as often as it is told to; `struck` as soon as there was one request."""

    def __init__(self, failures: int) -> None:
        self.failures, self.struck = failures, False
        self.received: list[tuple[str, dict[str, Any]]] = []
        super().__init__(("127.0.0.1", 0), _Hook)

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Hook(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        fails = self.server.failures > 0
        self.server.failures -= fails
        if not fails:
            self.server.received.append((self.headers["Idempotency-Key"], body))
        self.server.struck = True
        self.send_response(500 if fails else 204)
        self.end_headers()

    def log_message(self, *_args: object) -> None:
        """Say nothing."""


@contextmanager
def receiving(failures: int = 0) -> Iterator[Receiver]:
    with Receiver(failures) as receiver:
        thread = threading.Thread(target=receiver.serve_forever, args=(0.02,))
        thread.start()
        try:
            yield receiver
        finally:
            receiver.shutdown()
            thread.join()


class Service:
    """The example as a process."""

    def __init__(self, data: Path, *words: str, **environ: str) -> None:
        self.log = data.parent / "log"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, SERVICE, "--port", "0", "--data", data, *words],
                env={**os.environ, "PYTHONPATH": PYTHONPATH, **environ},
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        found = re.match(r"http://127\.0\.0\.1:(\d+) ", line)
        assert found, line + self.log.read_text()
        self.port, self.token = int(found[1]), (data / "api-token").read_text()

    def ask(
        self,
        method: str,
        path: str,
        document: object = None,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> tuple[int, Any]:
        """Return the status and the document, or the page, of one answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        sent = json.dumps(document).encode() if document is not None else body
        usual = {"Content-Type": "application/json", "Authorization": f"Bearer {self.token}"}
        try:
            connection.request(method, path, sent, {**usual, **(headers or {})})
            reply = connection.getresponse()
            text = reply.read().decode()
        finally:
            connection.close()
        is_json = reply.headers["Content-Type"] == "application/json"
        return reply.status, json.loads(text) if is_json else text

    def state(self, identifier: str) -> str:
        return str(self.ask("GET", f"/vasps/{identifier}")[1]["state"])

    def end(self, number: int) -> int:
        self.process.send_signal(number)
        code = self.process.wait(30)
        assert self.process.stdout is not None
        self.process.stdout.close()
        return code


def registration(identifier: str, webhook: str) -> dict[str, Any]:
    names = [f"{identifier}.example.com", f"api.{identifier}.example.com"]
    return {"id": identifier, "name": identifier.title(), "names": names, "webhook": webhook}


def wait_for(what: Callable[[], bool], seconds: float = 40.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it does not come"
        time.sleep(0.02)


@pytest.fixture
def manager() -> Iterator[Emulator]:
    with Emulator(batch_list="page") as emulator:
        yield emulator


@pytest.fixture
def start(manager: Emulator, tmp_path: Path) -> Iterator[Callable[[], Service]]:
    """Start the service, as often as a test likes, on one folder; whatever still runs in the end is killed."""
    started: list[Service] = []
    roots = tmp_path / "roots.pem"
    roots.write_bytes(manager.root_certificate)
    environ = {**manager.environ, "SECTIGO_TIMEOUT": "1", "SECTIGO_DOWNLOAD_TIMEOUT": "0.5"}
    words = ("--no-emulator", "--roots", str(roots), "--first-wait", "0.2", "--lease", "2")

    def begin() -> Service:
        started.append(Service(tmp_path / "data", *words, **environ))
        return started[-1]

    yield begin
    for service in started:
        if service.process.poll() is None:
            service.end(signal.SIGKILL)


def test_three_are_verified_though_the_service_is_killed_and_a_webhook_fails_twice(
    manager: Emulator, start: Callable[[], Service], tmp_path: Path
) -> None:
    csr = build_request(generate_key("P-256"), RequestSpec(names=("gamma.example.com",))).decode()
    with receiving(failures=1000) as receiver:
        wanted = [registration(one, receiver.address) for one in ("alpha", "beta")]
        wanted.append({"id": "gamma", "name": "G <b>amma</b>", "webhook": receiver.address, "csr": csr})
        service = start()
        answers = [service.ask("POST", "/vasps", each) for each in wanted]
        # One that was killed before its bytes left would wait for a human, as it should.
        wait_for(lambda: receiver.struck and manager.control.orders()["accepted"] == len(wanted))
        service.end(signal.SIGKILL)  # while orders are on their way, one of them being delivered, or just after that
        receiver.failures = 2
        service = start()
        again = service.ask("POST", "/vasps", wanted[0])
        wait_for(lambda: all(service.state(each["id"]) == "verified" for each in wanted))
        page = service.ask("GET", "/")[1]
        assert service.end(signal.SIGINT) == 0

    assert [status for status, _ in answers] == [201] * 3
    passwords = {answer["id"]: answer["password"] for _, answer in answers if "password" in answer}
    assert {*passwords} == {"alpha", "beta"}, "gamma has its key, and needs none"
    assert "password" not in again[1], "it is shown once"
    assert {key.partition("/")[0] for key, _ in receiver.received} == {"alpha", "beta", "gamma"}
    assert manager.control.orders()["accepted"] == 3
    assert manager.control.doubled() == []
    for key, delivered in receiver.received:
        check_delivery(key, delivered, passwords, page)
    assert "G &lt;b&gt;amma&lt;/b&gt;" in page
    said = (tmp_path / "log").read_text()
    assert "answered 500" in said
    assert not [secret for secret in (*passwords.values(), service.token, manager.password) if secret in said]
    assert (tmp_path / "data" / "api-token").stat().st_mode & 0o777 == 0o600


def check_delivery(key: str, delivered: Mapping[str, Any], passwords: Mapping[str, str], page: str) -> None:
    identifier, _, serial = key.partition("/")
    assert identifier == delivered["id"]
    assert serial == delivered["serialNumber"]
    assert serial in page
    assert delivered["chain"].count("BEGIN CERTIFICATE") >= 2
    assert ("pkcs12" in delivered) is (identifier in passwords)
    if "pkcs12" in delivered:
        opened = open_pkcs12(base64.b64decode(delivered["pkcs12"]), passwords[identifier])
        assert opened.leaf.serial_number == int(serial, 16)


def test_what_is_wrong_is_refused_and_nothing_is_ordered(start: Callable[[], Service], tmp_path: Path) -> None:
    service = start()
    good = registration("delta", "http://127.0.0.1:1/hook")

    def status(document: object = good, method: str = "POST", path: str = "/vasps", **headers: str) -> int:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return service.ask(method, path, document, headers=named)[0]

    assert status(Authorization="Bearer guessed") == 401
    assert status(method="DELETE", path="/vasps/delta", Authorization="") == 401
    assert status(Host="directory.example.com") == 400
    assert status(Content_Type="text/plain") == 415
    assert service.ask("POST", "/vasps", body=b"{")[0] == 400
    assert service.ask("POST", "/vasps", body=b"[" * 60_000)[0] in (400, 422)
    assert service.ask("POST", "/vasps", body=b" " * 70_000)[0] == 413
    assert status(method="GET", path="/vasps/nobody") == 404
    wrong = {**good, "id": "../etc", "webhook": "https://elsewhere.example.net/?token=1", "pasword": "x", "names": []}
    code, told = service.ask("POST", "/vasps", wrong)
    assert code == 422
    assert [fault.partition(":")[0] for fault in told["faults"]] == ["pasword", "id", "webhook", "names"]
    assert status({**good, "webhook": "http://10.0.0.1/"}) == status({**good, "webhook": "http://[::1"}) == 422
    assert status({**good, "csr": "no request"}) == 422
    assert status() == 201
    assert status({**good, "names": ["other.example.com"]}) == 409
    assert service.end(signal.SIGTERM) == 0
    with OrderBook(tmp_path / "data" / "orders.sqlite3") as book:
        assert [order.key for order in book.find()] == ["delta"]


def test_it_starts_its_own_emulator_and_leaves_nothing(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, SERVICE, "--port", "0"],
        env={**os.environ, "PYTHONPATH": PYTHONPATH, "TMPDIR": str(tmp_path)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stdout.readline().startswith("http://127.0.0.1:")
        (folder,) = tmp_path.iterdir()
        assert {"api-token", "emulator", "orders.sqlite3"} <= {path.name for path in folder.iterdir()}
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        assert process.stderr.read() == ""
    assert list(tmp_path.iterdir()) == []
