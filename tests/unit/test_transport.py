"""HTTP: what is sent, what is repeated, what an answer means, and what is never shown."""

from __future__ import annotations

import contextlib
import datetime
import email
import email.policy
import gzip
import json
import logging
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from email.utils import formatdate
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sectigo_iot import (
    APIError,
    DeadlineError,
    ForbiddenHostError,
    InvalidCredentialsError,
    InvalidReplyError,
    IoTManager,
    NotAuthorizedError,
    NotFoundError,
    NotImplementedByServiceError,
    OutcomeUnknownError,
    RedirectError,
    Settings,
    TransportError,
    UnreachableError,
)
from sectigo_iot.calls import call_of
from sectigo_iot.transport import Transport
from tests.unit.lying_server import (
    BATCH,
    HANG,
    PARAMS,
    PASSWORD,
    RESET,
    Clock,
    LyingServer,
    Seen,
    answer,
    blunt_server,
    closed_port,
    json_answer,
    lies,
    settings_at,
    tokens,
)

JSON = "application/json;charset=UTF-8"
LICENCES = json_answer({"ordered": 2, "issued": 1})
ORDERED = json_answer(BATCH, 201)
CUT = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 500\r\n\r\n" + json.dumps(BATCH).encode()
NO_HTTP = b"SSH-2.0-OpenSSH_9.9\r\n\r\n"
CSR = b"-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----\n"


# What is sent


def test_a_read_carries_the_headers_of_the_reference() -> None:
    with lies(LICENCES) as (server, client):
        client.licenses_used()
        headers = server.calls[0].headers
        assert (headers["content-type"], headers["accept"]) == (JSON, JSON)
        assert headers["authorization"].startswith("Bearer ey")
        assert headers["user-agent"] == "sectigo-iot"
        assert server.calls[0].body == b""


def test_an_order_is_json_as_the_reference_has_it() -> None:
    with lies(ORDERED) as (server, client):
        client.create_single_cert_batch(423, "first", PARAMS)
        (order,) = server.calls
        assert (order.method, order.path) == ("PUT", "/api/v1/batches/createSingleCertBatch")
        assert order.document == {"authorityId": 423, "batchName": "first", "profileParams": PARAMS}
        assert (order.headers["content-type"], order.headers["accept"]) == (JSON, JSON)


def test_a_download_asks_for_octets() -> None:
    with lies(answer(404)) as (server, client):
        with pytest.raises(NotFoundError):
            client.download_bytes(24)
        headers = server.calls[0].headers
        assert (headers["content-type"], headers["accept"]) == ("application/octet-stream",) * 2


@pytest.mark.parametrize(("data", "media_type"), [(CSR, "text/plain"), (b"PK\x03\x04rest", "application/zip")])
def test_an_upload_has_three_parts_in_order(data: bytes, media_type: str) -> None:
    with lies(ORDERED) as (server, client):
        client.upload_csr_batch(42, "/tmp/../requests.csr", data, {"a": "b"})
        (seen,) = server.calls
    assert (seen.method, seen.path) == ("POST", "/api/v1/batches/upload")
    head = f"Content-Type: {seen.headers['content-type']}\r\n\r\n".encode()
    form = email.message_from_bytes(head + seen.body, policy=email.policy.HTTP)
    profile, request, files = form.iter_parts()
    assert profile.get_param("name", header="content-disposition") == "profileId"
    assert (profile.get_filename(), profile.get_payload()) == (None, "42")
    assert request.get_param("name", header="content-disposition") == "csrBatchRequest"
    assert (request.get_filename(), request.get_content_type()) == ("blob", "application/json")
    assert json.loads(str(request.get_payload())) == {
        "profileId": 42,
        "batchType": "BATCH",
        "profileParams": {"a": "b"},
    }
    assert files.get_param("name", header="content-disposition") == "files"
    assert (files.get_filename(), files.get_content_type()) == ("requests.csr", media_type)
    assert data in seen.body
    assert seen.headers["content-type"].startswith("multipart/form-data; boundary=")
    assert seen.headers["accept"] == JSON


def test_a_netrc_does_not_replace_the_token(home: Path) -> None:
    (home / ".netrc").write_text("machine 127.0.0.1 login eve password netrc-secret\n")
    (home / ".netrc").chmod(0o600)
    with lies(LICENCES) as (server, client):
        client.licenses_used()
        assert server.calls[0].headers["authorization"].startswith("Bearer ")
        assert "authorization" not in server.logins[0].headers


@pytest.mark.parametrize("variable", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_variable_does_not_replace_the_certificates(
    variable: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(variable, str(tmp_path / "missing.pem"))
    url = f"https://127.0.0.1:{closed_port()}"
    clock = Clock()
    with (
        IoTManager(settings_at(url), monotonic=clock, sleep=clock.sleep) as client,
        pytest.raises(UnreachableError, match="cannot be reached"),
    ):
        client.licenses_used()


def test_a_proxy_is_not_used_for_the_loopback_of_testing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", f"http://127.0.0.1:{closed_port()}")
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with lies(LICENCES) as (_, client):
        assert client.licenses_used().issued == 1


def test_a_proxy_is_used_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    with LyingServer(LICENCES) as proxy:
        monkeypatch.setenv("http_proxy", proxy.url)
        settings = settings_at("http://iot.example.com", environment="staging")
        with IoTManager(settings) as client:
            assert client.licenses_used().issued == 1
        assert proxy.seen[0].path == "http://iot.example.com/auth/pwd"


def test_cookies_are_not_kept() -> None:
    reply = json_answer({"issued": 1}, Set_Cookie="session=1; Path=/")
    with lies(reply) as (server, client):
        client.licenses_used()
        client.licenses_used()
        assert not any("cookie" in seen.headers for seen in server.seen)


def test_connections_are_kept() -> None:
    with lies(LICENCES) as (server, client):
        for _ in range(5):
            client.licenses_used()
        assert len(server._connections) == 1


def test_a_compressed_answer_is_read() -> None:
    body = gzip.compress(b'{"ordered": 5, "issued": 4}')
    with lies(answer(200, body, "application/json", Content_Encoding="gzip")) as (_, client):
        assert client.licenses_used().issued == 4


# What is repeated


@pytest.mark.parametrize("fault", [answer(429), answer(502), answer(503), answer(504), RESET, CUT])
def test_a_read_is_repeated_after_a_fault_that_passes(fault: bytes) -> None:
    ticks = Clock()
    with lies(fault, fault, LICENCES, ticks=ticks) as (server, client):
        assert client.licenses_used().issued == 1
        assert len(server.calls) == 3
        assert len(ticks.slept) == 2
        assert 0.2 <= ticks.slept[0] <= 0.4
        assert 0.4 <= ticks.slept[1] <= 0.8


@pytest.mark.parametrize("status", [400, 404, 409, 500, 501])
def test_a_read_is_not_repeated_after_a_fault_that_stays(status: int) -> None:
    with lies(answer(status)) as (server, client):
        with pytest.raises(APIError) as caught:
            client.licenses_used()
        assert caught.value.status == status
        assert len(server.calls) == 1


def test_a_search_is_repeated_as_a_read_is() -> None:
    with lies(RESET, json_answer({"totalCount": 0, "items": []})) as (server, client):
        assert client.find_certificate("example.com").items == ()
        assert len(server.calls) == 2


def test_retry_after_in_seconds_is_honoured() -> None:
    ticks = Clock()
    with lies(answer(503, Retry_After="7"), LICENCES, ticks=ticks) as (_, client):
        client.licenses_used()
        assert ticks.slept == [7]


def test_retry_after_as_a_date_is_honoured() -> None:
    ticks = Clock()
    when = formatdate(time.time() + 20, usegmt=True)
    with lies(answer(429, Retry_After=when), LICENCES, ticks=ticks) as (_, client):
        client.licenses_used()
        assert 15 < ticks.slept[0] <= 20


@pytest.mark.parametrize("value", ["soon", "-5", "", "0", formatdate(1, usegmt=True)])
def test_a_retry_after_of_no_use_never_makes_a_hot_loop(value: str) -> None:
    ticks = Clock()
    with lies(answer(503, Retry_After=value), answer(503, Retry_After=value), LICENCES, ticks=ticks) as (_, client):
        client.licenses_used()
        assert all(pause >= 0.2 for pause in ticks.slept)


def test_a_retry_after_beyond_the_time_allowed_ends_at_once() -> None:
    ticks = Clock()
    with lies(answer(503, Retry_After="3600"), ticks=ticks) as (server, client):
        with pytest.raises(APIError) as caught:
            client.licenses_used()
        assert caught.value.retry_after == 3600
        assert (ticks.slept, len(server.calls)) == ([], 1)


def test_all_repetitions_share_one_budget() -> None:
    ticks = Clock()
    with lies(answer(503), ticks=ticks, timeout=30) as (_, client):
        with pytest.raises(APIError, match="503"):
            client.licenses_used()
        assert 15 < sum(ticks.slept) < 30
        assert max(ticks.slept) <= 8


def test_a_host_that_cannot_be_reached_is_given_up_after_three_attempts(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sectigo_iot")
    ticks = Clock()
    settings = settings_at(f"http://127.0.0.1:{closed_port()}")
    with IoTManager(settings, monotonic=ticks, sleep=ticks.sleep) as client:
        with pytest.raises(
            UnreachableError, match=r"127\.0\.0\.1:[0-9]+ cannot be reached: Connection refused"
        ) as caught:
            client.licenses_used()
        assert len(ticks.slept) == 2
        assert "`sectigo serve` runs an emulator" in (caught.value.hint or "")


def test_a_name_that_does_not_exist_is_unreachable(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    ticks = Clock()
    settings = settings_at("http://iot.example.test", environment="staging")
    with (
        IoTManager(settings, monotonic=ticks, sleep=ticks.sleep) as client,
        pytest.raises(
            UnreachableError, match=r"iot\.example\.test cannot be reached: Name or service not known"
        ) as caught,
    ):
        client.licenses_used()
    assert "emulator" not in (caught.value.hint or "")


def test_https_where_http_is_spoken_is_unreachable_and_soon_over() -> None:
    ticks = Clock()
    with blunt_server(answer(400)) as host:
        settings = settings_at(f"https://{host}")
        with (
            IoTManager(settings, monotonic=ticks, sleep=ticks.sleep) as client,
            pytest.raises(UnreachableError, match="TLS"),
        ):
            client.licenses_used()
    assert len(ticks.slept) == 2


def test_a_server_that_never_answers_is_given_up_in_time() -> None:
    began = time.monotonic()
    with LyingServer(HANG) as server, IoTManager(settings_at(server.url, timeout=0.3)) as client:
        client.authenticate()
        with pytest.raises(DeadlineError, match=r"devices: .* did not answer within 0\.3 s"):
            client.licenses_used()
    assert time.monotonic() - began < 3


def test_a_body_that_stops_is_given_up_in_time() -> None:
    with (
        blunt_server(b"HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n{", stall=True) as host,
        IoTManager(settings_at(f"http://{host}", timeout=0.3)) as client,
        pytest.raises(DeadlineError, match="authenticate"),
    ):
        client.authenticate()


@pytest.mark.parametrize(
    ("begin", "dribble"),
    [
        (b"HTTP/1.1 200 OK\r\n", b"X-More: 1\r\n"),
        (b"HTTP/1.1 200 OK\r\nX-Long: ", b"x"),
        (b"HTTP/1.1 200 OK\r\nContent-Length: 10000\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n", b" "),
        (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n"),
    ],
    ids=["fields", "a field", "body", "body without length", "chunks"],
)
def test_an_answer_that_dribbles_in_is_given_up_in_time(begin: bytes, dribble: bytes) -> None:
    began = time.monotonic()
    with (
        blunt_server(begin, dribble=dribble) as host,
        IoTManager(settings_at(f"http://{host}", timeout=0.3)) as client,
        pytest.raises(DeadlineError, match=r"authenticate: .* did not answer within 0\.3 s"),
    ):
        client.authenticate()
    assert time.monotonic() - began < 2


FORKED = """
import os, sys
from sectigo_iot import DeadlineError, IoTManager, MemoryTokenStore, Settings

def give_up():
    store = MemoryTokenStore()
    settings = Settings("jane", "x", None, sys.argv[1], "testing", token_store=store, timeout=0.2, environ={})
    with IoTManager(settings) as client:
        try:
            client.authenticate()
        except DeadlineError:
            return 0
    return 1

from sectigo_iot import UnreachableError
settings = Settings("jane", "x", None, sys.argv[2], "testing", token_store=MemoryTokenStore(), environ={})
with IoTManager(settings, sleep=lambda seconds: None) as client:
    try:
        # From now on a deadline far away is watched.
        client.authenticate()
    except UnreachableError:
        pass
child = os.fork()
if child == 0:
    os._exit(give_up())
sys.exit(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""


def test_the_deadline_holds_in_a_forked_process() -> None:
    with blunt_server(b"HTTP/1.1 200 OK\r\nX-Long: ", dribble=b"x") as host:
        command = [
            sys.executable,
            "-W",
            "ignore::DeprecationWarning",
            "-c",
            FORKED,
            f"http://{host}",
            f"http://127.0.0.1:{closed_port()}",
        ]
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# Orders


def order(client: IoTManager) -> object:
    return client.create_single_cert_batch(423, "first order", PARAMS)


def upload(client: IoTManager) -> object:
    return client.upload_csr_batch(42, "first order", CSR)


def test_an_upload_whose_answer_is_lost_is_named_as_it_was_sent() -> None:
    with lies(RESET) as (server, client):
        client.authenticate()
        with pytest.raises(OutcomeUnknownError) as caught:
            client.upload_csr_batch(42, "requests/a,b.csr", CSR)
        assert caught.value.batch_name == "a_b.csr"
        assert b'filename="a_b.csr"' in server.calls[0].body


@pytest.mark.parametrize("send", [order, upload])
@pytest.mark.parametrize(
    "lost",
    [
        RESET,
        CUT,
        NO_HTTP,
        b"",
        answer(500, "down", "text/plain"),
        answer(502),
        answer(503, Retry_After="1"),
        answer(504, "<html>", "text/html"),
        answer(200, ""),
        answer(204),
        answer(200, "null"),
        answer(200, "<html><body>Maintenance</body></html>", "text/html"),
        answer(200, "{"),
        answer(200, b"\xff"),
        answer(200, b"garbage", "application/json", Content_Encoding="gzip"),
        json_answer([]),
        json_answer({}),
        json_answer({"batchId": None}),
        json_answer({"batchId": "x"}),
    ],
    ids=range(19),
)
def test_an_order_without_a_usable_answer_is_unknown_and_never_repeated(lost: bytes, send: Any) -> None:
    ticks = Clock()
    with lies(lost, ORDERED, ticks=ticks) as (server, client):
        client.authenticate()
        with pytest.raises(OutcomeUnknownError, match="first order") as caught:
            send(client)
        assert caught.value.batch_name == "first order"
        assert caught.value.hint
        assert "do not repeat" in caught.value.hint
        assert caught.value.message.isprintable()
        assert PARAMS["pkcs12Password"] not in f"{caught.value} {caught.value.hint}"
        assert (len(server.calls), ticks.slept) == (1, [])


@pytest.mark.parametrize("send", [order, upload])
@pytest.mark.parametrize("status", [400, 403, 404, 405, 409, 413, 429, 501])
def test_an_order_that_was_refused_is_not_unknown_and_not_repeated(status: int, send: Any) -> None:
    with lies(json_answer({"status": status, "message": "no such thing"}, status), ORDERED) as (server, client):
        with pytest.raises(APIError, match=f"status {status}: no such thing"):
            send(client)
        assert len(server.calls) == 1


def test_an_order_that_hangs_is_unknown() -> None:
    with LyingServer(HANG) as server, IoTManager(settings_at(server.url, timeout=0.3)) as client:
        client.authenticate()
        with pytest.raises(OutcomeUnknownError, match=r"did not answer within 0\.3 s"):
            order(client)
        assert len(server.calls) == 1


@pytest.mark.parametrize("send", [order, upload])
def test_an_order_that_never_left_is_not_unknown(send: Any) -> None:
    ticks = Clock()
    with LyingServer(ORDERED) as server:
        settings = settings_at(server.url)
        client = IoTManager(settings, monotonic=ticks, sleep=ticks.sleep)
        client.authenticate()
    client._transport.close()
    with client, pytest.raises(UnreachableError, match="Connection refused"):
        send(client)
    assert ticks.slept == []


@pytest.mark.parametrize("status", [301, 307, 308])
@pytest.mark.parametrize("same_host", [True, False])
def test_an_order_is_never_redirected(status: int, same_host: bool) -> None:
    with LyingServer(ORDERED) as elsewhere:
        target = "/api/v2/batches" if same_host else f"{elsewhere.url}/api/v1/batches"
        with lies(answer(status, Location=target), ORDERED) as (server, client):
            with pytest.raises(RedirectError) as caught:
                order(client)
            assert (caught.value.status, caught.value.location) == (status, target)
            assert len(server.calls) == 1
        assert elsewhere.seen == []


@pytest.mark.parametrize("status", [200, 201, 202])
def test_any_success_is_one(status: int) -> None:
    with lies(json_answer(BATCH, status)) as (_, client):
        assert client.create_single_cert_batch(423, "first", PARAMS).batch_id == 24


@pytest.mark.parametrize("lost", [RESET, CUT, answer(500), answer(503), NO_HTTP])
def test_a_revocation_without_an_answer_is_unknown(lost: bytes) -> None:
    with lies(lost, answer(200)) as (server, client):
        client.authenticate()
        with pytest.raises(OutcomeUnknownError, match="revokeCertificate") as caught:
            client.revoke_certificate(42, "superseded", "AB")
        assert caught.value.batch_name is None
        assert caught.value.hint
        assert "find" in caught.value.hint
        assert len(server.calls) == 1


@pytest.mark.parametrize("reply", [answer(200), answer(204), answer(202, "null"), answer(200, "done", "text/plain")])
def test_the_body_of_a_revocation_is_ignored(reply: bytes) -> None:
    with lies(reply) as (server, client):
        client.revoke_certificate(42, "superseded", "0xab:cd")
        assert server.calls[0].path == "/api/v1/certificates/42/revoke"
        assert server.calls[0].document == {"reasonCode": 4, "serialNumber": "ABCD"}


# Where requests may go


def test_a_read_follows_a_redirect_on_the_same_host() -> None:
    with lies(answer(301, Location="/elsewhere"), LICENCES) as (server, client):
        assert client.licenses_used().issued == 1
        assert server.calls[1].path == "/elsewhere"
        assert server.calls[1].headers["authorization"].startswith("Bearer ")


@pytest.mark.parametrize(
    "target",
    [
        "{elsewhere}/x",
        "//{host}/x",
        "http://{own}@{host}/x",
        "http://{host}\\@{own}/x",
        "https://{own}/x",
        "ftp://{own}/x",
        "http://[",
        "http://[::1",
        "http://{own}:99999/",
        "javascript:alert(1)",
        "",
    ],
)
def test_a_read_never_takes_its_token_elsewhere(target: str) -> None:
    with LyingServer(LICENCES) as elsewhere:

        def moved(seen: Seen) -> bytes:
            values = {"elsewhere": elsewhere.url, "host": elsewhere.host, "own": seen.headers["host"]}
            return answer(307, Location=target.format(**values))

        with lies(moved) as (server, client):
            with pytest.raises(RedirectError) as caught:
                client.licenses_used()
            assert caught.value.message.isprintable()
            assert len(server.calls) == 1
        assert elsewhere.seen == []


@pytest.mark.parametrize("target", ["/a b\\c", "/\xe9", "/%zz", "?x", "x/../../y", "#top"])
def test_an_odd_redirect_on_the_same_host_ends_in_an_answer_or_an_error_of_ours(target: str) -> None:
    with lies(answer(302, Location=target), LICENCES) as (_, client), contextlib.suppress(TransportError):
        assert client.licenses_used().issued == 1


def test_a_circle_of_redirects_ends() -> None:
    with lies(answer(302, Location="/again")) as (server, client):
        with pytest.raises(RedirectError, match="in a circle"):
            client.licenses_used()
        assert len(server.calls) == 6


def test_a_redirect_without_an_address_is_an_error() -> None:
    with lies(answer(307)) as (_, client), pytest.raises(RedirectError, match="nowhere"):
        client.licenses_used()


def test_the_guard_is_asked_before_every_request(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []
    guard = Settings.guard

    def record(self: Settings, url: str) -> None:
        asked.append(url)
        guard(self, url)

    monkeypatch.setattr(Settings, "guard", record)
    with lies(answer(301, Location="/elsewhere"), LICENCES) as (server, client):
        client.licenses_used()
        paths = [url.removeprefix(server.url) for url in asked]
        assert paths == ["", "/auth/pwd", "/api/v1/devices", "/elsewhere"]


def test_a_request_to_a_forbidden_host_is_not_sent() -> None:
    with LyingServer(LICENCES) as server:
        transport = Transport(settings_at("http://localhost:1"))
        call = call_of(transport, "devices")._replace(url="http://127.0.0.2:1/x")
        with pytest.raises(ForbiddenHostError):
            transport.send(call)
        transport.close()
        assert server.seen == []


# What an answer means


FOUR = {"status": 400, "message": "commonName: required", "errorCode": 17, "timestamp": 1624470823}


def test_the_four_fields_are_the_error() -> None:
    with lies(json_answer(FOUR, 400)) as (_, client), pytest.raises(APIError) as caught:
        client.licenses_used()
    error = caught.value
    assert (error.status, error.server_message, error.error_code, error.timestamp) == (
        *(400, "commonName: required", 17, 1624470823),
    )
    assert str(error) == "devices failed with status 400: commonName: required (error code 17)"
    assert error.action == "devices"


@pytest.mark.parametrize(
    "media_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON;charset=UTF-8",
        "application/problem+json",
        "text/plain",
        None,
    ],
)
def test_the_services_words_are_read_whatever_the_media_type_says(media_type: str | None) -> None:
    with lies(answer(400, json.dumps(FOUR), media_type)) as (_, client), pytest.raises(APIError) as caught:
        client.licenses_used()
    assert caught.value.server_message == "commonName: required"


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (json_answer({"success": False, "error": "batch not found"}, 404), "batch not found"),
        (answer(400, "Processing failed\n", "text/plain"), "Processing failed"),
        (answer(400, "<html><body>Bad</body></html>", "text/html"), "an HTML page"),
        (answer(400, " \n<!DOCTYPE html><HTML>Bad", None), "an HTML page"),
        (answer(400), None),
        (answer(400, "null"), None),
        (answer(400, " null\n", "text/plain"), None),
        (answer(400, b"\x00\x01", "application/octet-stream"), None),
        (answer(400, '{"message": null, "error": null}'), '{"message": null, "error": null}'),
        (answer(400, '{"message": {"a": 1}}'), "{'a': 1}"),
        (answer(400, '["x"]'), '["x"]'),
        (answer(400, "[" * 100_000), "[" * 297 + "..."),
        (answer(400, b"gr\xfc\xdfe", "text/plain"), "gr��e"),
        (answer(400, "two\nlines\x1b[31m\tand\x00more", "text/plain"), "two lines [31m and more"),
        (json_answer({"message": "two\r\nlines\u202e"}, 400), "two lines"),
    ],
    ids=range(15),
)
def test_an_error_of_any_shape_is_one_printable_line(reply: bytes, words: str | None) -> None:
    with lies(reply) as (_, client), pytest.raises(APIError) as caught:
        client.licenses_used()
    assert caught.value.server_message == words
    assert caught.value.message.isprintable()
    assert len(caught.value.message) < 400


@pytest.mark.parametrize(
    ("given", "read"),
    [("17", 17), (True, None), (1.5, None), ("x", None), (None, None), ([], None), ("9" * 5000, None), ("²", None)],
    ids=range(8),
)
def test_odd_error_codes_do_no_harm(given: object, read: int | None) -> None:
    reply = json_answer({"message": "m", "errorCode": given, "timestamp": given}, 400)
    with lies(reply) as (_, client), pytest.raises(APIError) as caught:
        client.licenses_used()
    assert (caught.value.error_code, caught.value.timestamp) == (read, read)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (401, InvalidCredentialsError),
        (403, NotAuthorizedError),
        (404, NotFoundError),
        (405, NotImplementedByServiceError),
        (501, NotImplementedByServiceError),
        (400, APIError),
        (418, APIError),
        (500, APIError),
        (304, APIError),
    ],
)
def test_each_status_is_its_error(status: int, kind: type[APIError]) -> None:
    with lies(answer(status)) as (_, client), pytest.raises(APIError) as caught:
        client.licenses_used()
    assert type(caught.value) is kind
    assert caught.value.status == status


@pytest.mark.parametrize(
    ("reply", "words"),
    [
        (answer(200), "with nothing in it"),
        (answer(204), "with nothing in it"),
        (answer(200, "null"), "with null"),
        (answer(200, "<html>", "text/html"), "with text/html"),
        (answer(200, "{", None), "with something"),
        (answer(200, "x", "text/\x1b[31mplain"), "with something else"),
        (json_answer([]), "a list where a LicensesUsed is due"),
        (json_answer("x"), "text where"),
        (json_answer(1), "a number where"),
    ],
    ids=range(9),
)
def test_an_answer_of_another_shape_is_named(reply: bytes, words: str) -> None:
    with lies(reply) as (server, client):
        with pytest.raises(InvalidReplyError) as caught:
            client.licenses_used()
        assert words in str(caught.value)
        assert caught.value.message.isprintable()
        assert len(server.calls) == 1


def test_what_is_no_http_is_an_error_of_ours() -> None:
    with lies(NO_HTTP) as (_, client), pytest.raises(TransportError) as caught:
        client.licenses_used()
    assert caught.value.message.isprintable()


def test_an_answer_without_end_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sectigo_iot.transport.LARGEST_DOCUMENT", 100_000)
    with lies(answer(200, b" " * 200_000)) as (_, client), pytest.raises(InvalidReplyError, match="longer than any"):
        client.licenses_used()


# What is never shown


@pytest.mark.parametrize(
    "secret",
    ["Very-Secret-12", "two  blanks in it", 'quo"te\\d-secret', "ünïcode-secret", "tab\tin-secret", "<&>-secret"],
)
@pytest.mark.parametrize("padding", ["", "x" * 275])
@pytest.mark.parametrize("as_text", [True, False])
def test_a_secret_that_the_service_repeats_is_hidden(secret: str, padding: str, as_text: bool) -> None:
    def echo(seen: Seen) -> bytes:
        if as_text:
            return answer(400, padding + seen.body.decode(), "text/plain")
        return json_answer(
            {"message": f"{padding} bad value {seen.document['profileParams']['pkcs12Password']}"}, 400
        )

    with lies(echo) as (_, client), pytest.raises(APIError) as caught:
        client.create_single_cert_batch(423, "first", {"commonName": "a", "pkcs12Password": secret})
    shown = f"{caught.value} {caught.value.server_message} {caught.value!r}"
    assert not any(form in shown for form in (secret, json.dumps(secret)[1:-1], " ".join(secret.split())))
    assert secret[:8] not in shown
    if not padding:
        assert "[redacted]" in shown


def test_a_token_that_the_service_repeats_is_hidden() -> None:
    def echo(seen: Seen) -> bytes:
        return answer(400, f"what is {seen.headers['authorization']}?", "text/plain")

    with lies(echo) as (_, client), pytest.raises(APIError, match=r"what is Bearer \[redacted\]\?"):
        client.licenses_used()


def test_a_redirect_that_repeats_the_token_is_hidden() -> None:
    def echo(seen: Seen) -> bytes:
        return answer(302, Location=f"http://iot.example.com/?t={seen.headers['authorization'][7:]}")

    with lies(echo) as (server, client):
        with pytest.raises(RedirectError) as caught:
            client.licenses_used()
        assert server.calls[0].headers["authorization"][7:] not in str(caught.value)


def test_the_log_says_what_was_done_and_shows_no_secret(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("urllib3", "requests", "sectigo_iot", "filelock"):
        caplog.set_level(logging.DEBUG, name)
    given = tokens()
    echo = answer(503, f"who is {given['accessToken']}?", "text/plain")
    with lies(echo, ORDERED, login=json_answer(given)) as (_, client):
        client.batch_detail(24)
        client.create_single_cert_batch(423, "first", PARAMS)
        client.refresh()
    ours = [record for record in caplog.records if record.name.startswith("sectigo_iot")]
    assert "GET /api/v1/batches/24 503" in caplog.text
    assert "PUT /api/v1/batches/createSingleCertBatch 201" in caplog.text
    assert {record.__dict__["batch_id"] for record in ours if "batches/24" in record.getMessage()} == {24}
    for secret in (PASSWORD, PARAMS["pkcs12Password"], *given.values()):
        assert secret not in caplog.text
        assert not any(secret in str(record.__dict__) for record in caplog.records)


# TLS


def tls_context(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    pem = made.public_bytes(Encoding.PEM)
    pem += key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (folder / "server.pem").write_bytes(pem)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    return context


@contextlib.contextmanager
def tls_server(folder: Path) -> Iterator[str]:
    """Shake hands with whoever comes, under a certificate that nobody trusts; gives `host:port`."""
    context = tls_context(folder)
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while True:
                try:
                    connection, _ = listener.accept()
                except OSError:
                    return
                with (
                    connection,
                    contextlib.suppress(OSError),
                    context.wrap_socket(connection, server_side=True) as tls,
                ):
                    tls.recv(65536)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


def test_why_it_was_repeated_is_told_rather_than_that_no_time_was_left() -> None:
    with lies(RESET, HANG, timeout=0.5) as (server, client), pytest.raises(TransportError, match="broke off"):
        client.licenses_used()
    assert len(server.calls) == 2


@pytest.mark.parametrize("variable", ["", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_a_certificate_that_nobody_vouches_for_is_not_trusted(
    variable: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticks = Clock()
    with tls_server(tmp_path) as host:
        if variable:
            # A variable may not make it trusted.
            monkeypatch.setenv(variable, str(tmp_path / "server.pem"))
        settings = settings_at(f"https://{host}")
        with (
            IoTManager(settings, monotonic=ticks, sleep=ticks.sleep) as client,
            pytest.raises(UnreachableError, match=r"is not trusted: .*self-signed") as caught,
        ):
            client.licenses_used()
    assert ticks.slept == [], "it will be no more trusted a second later"
    assert "--ca-file" in (caught.value.hint or "")
