"""What every call has in common: methods, limits, faults, paths without a schema."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Iterator

import pytest
import requests

from sectigo_iot.emulator import Emulator
from sectigo_iot.endpoints import ENDPOINTS, Endpoint
from tests.emulator.api import Api, refused

TYPED = [row for row in ENDPOINTS.values() if row.typed]
UNTYPED = [row for row in ENDPOINTS.values() if not row.typed]


@pytest.mark.parametrize("row", UNTYPED, ids=lambda row: row.name)
def test_calls_without_a_schema(api: Api, row: Endpoint) -> None:
    for method in ("GET", "POST", "PUT", "DELETE", "PATCH"):
        refused(api.call(method, row.path.replace("{id}", "1")), 501, "no public schema")


def test_all_36_are_there() -> None:
    assert (len(TYPED), len(UNTYPED)) == (17, 36)


@pytest.mark.parametrize("row", TYPED, ids=lambda row: row.name)
def test_wrong_methods(api: Api, row: Endpoint) -> None:
    method, path = str(row.method), row.path.replace("{id}", "1")
    for wrong in {"GET", "POST", "PUT", "DELETE", "PATCH"} - {method}:
        reply = api.call(wrong, path)
        refused(reply, 405, method)
        assert reply.headers["Allow"] == method


@pytest.mark.parametrize("path", ["/", "/nope", "/api/v1/nope", "/api/v1/batches/", "/status/", "/api/v1/devices/1"])
def test_paths_that_are_none(api: Api, path: str) -> None:
    refused(api.get(path), 404)


def test_status_is_open(emulator: Emulator) -> None:
    document = requests.get(emulator.url + "/status", timeout=10).json()
    assert list(document) == ["status", "uptime", "version"]
    assert document["status"] == "ok"
    refused(requests.post(emulator.url + "/status", timeout=10), 405)


def test_a_body_over_the_limit(api: Api) -> None:
    limit = 10 * 1024 * 1024
    refused(api.call("POST", "/api/v1/certificates/find", data=b"x" * (limit + 1)), 413)
    refused(api.call("POST", "/api/v1/certificates/find", data=b"x" * limit), 400)


def test_a_body_over_the_limit_in_chunks(api: Api) -> None:
    def chunks() -> Iterator[bytes]:
        for _ in range(11):
            yield b"x" * 1024 * 1024

    refused(api.call("POST", "/auth/pwd", data=chunks()), 413)


@pytest.mark.parametrize(
    "raw",
    [
        b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n",
    ],
)
def test_what_is_no_http(emulator: Emulator, raw: bytes) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(raw)
        reply = connection.recv(65536)
        while b"timestamp" not in reply and (more := connection.recv(65536)):
            reply += more
    assert reply.startswith(b"HTTP/1.1 400")
    assert b'"status":400' in reply


def test_a_body_that_ends_before_its_length(emulator: Emulator) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /auth/pwd HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
        connection.shutdown(socket.SHUT_WR)
        reply = b"".join(iter(lambda: connection.recv(65536), b""))
    head, _, body = reply.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 500") and b"content-type: application/json;charset=UTF-8" in head
    document = json.loads(body)
    assert list(document) == ["status", "message", "errorCode", "timestamp"]
    assert "Content-Length" in document["message"]
    # The journal tells the answer that was given; the application hears of the end a moment later.
    end = time.monotonic() + 10
    while not (entry := emulator.control.journal(call="authenticate")[-1])["ended"]:
        assert time.monotonic() < end
    assert entry["status"] == 500
    assert "Content-Length" in entry["reply"]["body"]


@pytest.mark.parametrize(
    "path", ["/x%0Ay", "/x%0D%0A2026-01-01 DEBUG forged".replace(" ", "%20"), "/%C2%85%E2%80%A8"]
)
def test_a_path_forges_no_line_of_the_log(api: Api, caplog: pytest.LogCaptureFixture, path: str) -> None:
    with caplog.at_level("DEBUG", "sectigo_iot.emulator"):
        refused(api.get(path), 404)
    lines = [record.getMessage() for record in caplog.records if record.name == "sectigo_iot.emulator"]
    assert lines == [f"GET {path} 404"]


def test_a_client_that_leaves_does_no_harm(emulator: Emulator, api: Api) -> None:
    host, port = emulator.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as connection:
        connection.sendall(b"POST /auth/pwd HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf")
    assert api.get("/api/v1/devices").status_code == 200


@pytest.mark.parametrize("path", ["/status", "/ca/root.crt", "/ca/chain.pem", "/crl/issuing.crl"])
def test_heads_of_what_anybody_may_fetch(emulator: Emulator, path: str) -> None:
    head = requests.head(emulator.url + path, timeout=10)
    assert (head.status_code, head.content) == (200, b"")
    assert int(head.headers["Content-Length"]) > 0
    refused(requests.get(emulator.url + "/ocsp", timeout=10), 405)
