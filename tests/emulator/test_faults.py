"""What each fault does to a call, seen from the other end of a real connection."""

from __future__ import annotations

import contextlib
import http.client
import io
import json
import socket
import subprocess
import time
import tracemalloc
import zipfile
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import jwt
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.responses import Response

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.ca.bundles import make_pkcs12, make_zip
from sectigo_iot.emulator.exchange.jwts import BadTokenError, TokenMint
from sectigo_iot.emulator.exchange.replies import binary_reply, json_reply, text_reply
from sectigo_iot.emulator.faults.bombs import EXPANDED, overlapping_bomb, plain_bomb
from sectigo_iot.errors import BundleError, SectigoError
from sectigo_iot.pki import check_zip, open_pkcs12, read_entries
from tests.emulator.api import Api
from tests.emulator.csrs import make_csr
from tests.emulator.stage import Stage, staged

PASSWORD = "secrtpasswrd"
BATCH = {
    "batchId": 10000,
    "orderNumber": 11000,
    "creationDate": "2021-06-23T17:53:43.484+0000",
    "size": 1,
    "active": False,
    "rejectReason": "",
}


def pair(mint: TokenMint) -> dict[str, str]:
    return mint.pair("/account/42/user/295", ("ROLE_USER",), "tester")


def claims_of(token: str) -> dict[str, Any]:
    claims: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return claims


def until(seconds: float, what: Any) -> bool:
    end = time.monotonic() + seconds
    while not (done := what()) and time.monotonic() < end:
        time.sleep(0.01)
    return bool(done)


@pytest.mark.parametrize(("rule", "handled"), [("lost-reply", True), ("reset", False), ("refuse,seconds=0", False)])
def test_a_reset_comes_before_a_byte_of_the_reply(rule: str, handled: bool) -> None:
    with staged(rule) as stage:
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            stage.call("POST", body=b"x" * 1000)
        assert stage.was_handled is handled
        assert stage.visits[0].fault == rule.partition(",")[0]


@pytest.mark.parametrize(("rule", "handled"), [("silent-reply", True), ("hang", False)])
def test_a_call_that_is_never_answered(rule: str, handled: bool) -> None:
    with staged(rule) as stage, contextlib.closing(socket.create_connection(("127.0.0.1", stage.port))) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        client.settimeout(0.3)
        with pytest.raises(TimeoutError):
            client.recv(1)
        assert stage.was_handled is handled
        begun = time.monotonic()
    assert time.monotonic() - begun < 3


def test_nobody_gets_in_for_a_while() -> None:
    with staged("refuse,seconds=0.5") as stage:
        with pytest.raises((ConnectionResetError, http.client.RemoteDisconnected)):
            stage.call()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", stage.port)).close()
        assert until(5, lambda: _lets_in(stage))


def _lets_in(stage: Stage) -> bool:
    try:
        socket.create_connection(("127.0.0.1", stage.port)).close()
    except ConnectionRefusedError:
        return False
    return True


@pytest.mark.parametrize("rule", ["slow-body,bytes=40", "slow-head,bytes=400"])
def test_a_slow_reply_arrives_whole(rule: str) -> None:
    with staged(rule, Response(b"0123456789" * 2)) as stage:
        begun = time.monotonic()
        assert stage.call().body == b"0123456789" * 2
        assert time.monotonic() - begun > 0.2


@pytest.mark.parametrize(("rule", "arrived"), [("cut-reply", 10), ("cut-reply,bytes=3", 3), ("cut-reply,bytes=0", 0)])
def test_a_reply_that_is_cut(rule: str, arrived: int) -> None:
    with staged(rule, Response(b"0123456789" * 2)) as stage:
        with pytest.raises(http.client.IncompleteRead) as caught:
            stage.call()
        assert (len(caught.value.partial), caught.value.expected) == (arrived, 20 - arrived)


def test_a_late_reply() -> None:
    with staged("late-reply,seconds=0.3") as stage:
        begun = time.monotonic()
        assert stage.call().body == b"true"
        assert time.monotonic() - begun >= 0.3


def test_a_late_reply_to_nobody_waits_for_nothing() -> None:
    with staged("late-reply,seconds=600") as stage:
        client = socket.create_connection(("127.0.0.1", stage.port))
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        assert stage.handled.acquire(timeout=5)
        client.close()
        begun = time.monotonic()
    assert time.monotonic() - begun < 3


def test_an_order_is_accepted_after_the_client_has_gone() -> None:
    with staged("accepted-late,seconds=0.4") as stage:
        client = socket.create_connection(("127.0.0.1", stage.port))
        client.sendall(b"PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc")
        assert until(5, lambda: stage.visits)
        client.close()
        assert not stage.was_handled
        assert stage.handled.acquire(timeout=5)


@pytest.mark.parametrize("body", [json.dumps(BATCH).encode(), b"100", b"null", b"", b"Ready for download", b'"x"'])
def test_garbled_replies_do_not_parse(body: bytes) -> None:
    with staged("garbled-reply", Response(body)) as stage:
        reply = stage.call()
        assert reply.headers["Content-Length"] == str(len(reply.body))
        with pytest.raises(ValueError):
            json.loads(reply.body)
        assert stage.was_handled


@pytest.mark.parametrize(
    ("rule", "status", "media_type", "body"),
    [
        ("html", 200, "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        ("html,status=502", 502, "text/html; charset=utf-8", b"<!DOCTYPE html>"),
        ("null", 200, "application/json;charset=UTF-8", b"null"),
        ("null,status=503", 503, "application/json;charset=UTF-8", b"null"),
        ("empty", 200, "application/json;charset=UTF-8", b""),
        ("html,status=204", 204, "text/html; charset=utf-8", b""),
    ],
)
def test_another_reply(rule: str, status: int, media_type: str, body: bytes) -> None:
    with staged(rule) as stage:
        reply = stage.call("POST", body=b"x" * 100_000)
        assert (reply.status, reply.headers["Content-Type"]) == (status, media_type)
        assert reply.body.startswith(body) if body else not reply.body
        assert not stage.was_handled


@pytest.mark.parametrize(("rule", "status", "said"), [("json-error", 500, 500), ("json-error,status=200", 200, 500)])
def test_an_error_in_four_fields(rule: str, status: int, said: int) -> None:
    with staged(rule) as stage:
        reply = stage.call()
        document = json.loads(reply.body)
        assert (reply.status, document["status"]) == (status, said)
        assert list(document) == ["status", "message", "errorCode", "timestamp"]


@pytest.mark.parametrize("name", ["html", "json-error", "null", "empty"])
def test_another_reply_after_the_call_was_carried_out(name: str) -> None:
    with staged(f"{name},value=handled,status=502") as stage:
        assert stage.call().status == 502
        assert stage.was_handled


@pytest.mark.parametrize(("name", "status"), [("too-many", 429), ("unavailable", 503)])
def test_when_to_come_back(name: str, status: int) -> None:
    with staged(f"{name},seconds=2.5") as stage:
        reply = stage.call()
        assert (reply.status, reply.headers["Retry-After"]) == (status, "3")
        assert not stage.was_handled
    with staged(f"{name},seconds=60,value=date") as stage:
        moment = parsedate_to_datetime(stage.call().headers["Retry-After"])
        assert timedelta(seconds=50) < moment - datetime.now(UTC) <= timedelta(seconds=62)
    with staged(f"{name},value=none") as stage:
        assert "Retry-After" not in stage.call().headers


def test_content_types_vary() -> None:
    with staged("content-type", [json_reply(BATCH) for _ in range(60)]) as stage:
        found = {stage.call().headers["Content-Type"] for _ in range(60)}
    assert found == {
        "application/json; charset=utf-8",
        "APPLICATION/JSON",
        "application/json;charset=UTF-8;x=y",
        "text/plain",
        None,
    }


@pytest.mark.parametrize(
    ("answer", "media_types"),
    [
        (text_reply("Ready"), {"text/plain", None}),
        (binary_reply(b"PK", "application/octet-stream"), {"application/octet-stream", "application/zip", None}),
        (Response(b"", media_type="image/png"), {"image/png"}),
        (Response(b""), {None}),
    ],
)
def test_what_is_no_json_is_never_called_so(answer: Response, media_types: set[str | None]) -> None:
    with staged("content-type", answer) as stage:
        found = {stage.call().headers["Content-Type"] for _ in range(40)}
    assert {each and each.partition(";")[0].lower() for each in found} == media_types
    assert len(found) == 1 or len(found) > len(media_types)


def test_the_content_type_that_was_asked_for() -> None:
    with staged("content-type,value=text/html", json_reply(BATCH)) as stage:
        reply = stage.call()
        assert (reply.headers.get_all("Content-Type"), json.loads(reply.body)) == (["text/html"], BATCH)


def test_some_values_become_null_and_ids_never() -> None:
    with staged("nulls", [json_reply([BATCH]) for _ in range(30)]) as stage:
        documents = [json.loads(stage.call().body)[0] for _ in range(30)]
    nulled = {name for each in documents for name, value in each.items() if value is None}
    assert nulled == {"creationDate", "size", "rejectReason"}
    assert all(list(each) == list(BATCH) for each in documents)
    assert len({json.dumps(each) for each in documents}) > 2


def test_the_nulls_that_were_asked_for() -> None:
    with staged("nulls,value=batchId+size", json_reply(BATCH)) as stage:
        assert json.loads(stage.call().body) == BATCH | {"batchId": None, "size": None}


def test_integers_become_texts() -> None:
    with staged("ints-as-strings", json_reply({"items": [BATCH], "half": 0.5})) as stage:
        expected = BATCH | {"batchId": "10000", "orderNumber": "11000", "size": "1"}
        assert json.loads(stage.call().body) == {"items": [expected], "half": 0.5}
    with staged("ints-as-strings", json_reply(100)) as stage:
        assert stage.call().body == b'"100"'


def test_fields_that_nobody_knows() -> None:
    document = {"items": [BATCH], "organizationParameters": {"Organization": "Example"}}
    with staged("unknown-fields", json_reply(document)) as stage:
        found = json.loads(stage.call().body)
    assert list(found)[1:3] == list(document)
    assert found["organizationParameters"] == document["organizationParameters"]
    assert set(found["items"][0]) > set(BATCH)
    assert {name: found["items"][0][name] for name in BATCH} == BATCH


def test_lists_in_another_order() -> None:
    document = {"items": [1, 2, 3, 4], "one": [1]}
    with staged("reordered-lists,call=findCertificate", [json_reply(document) for _ in range(20)]) as stage:
        found = [json.loads(stage.call().body) for _ in range(20)]
    assert all(sorted(each["items"]) == [1, 2, 3, 4] != each["items"] and each["one"] == [1] for each in found)
    assert len({str(each) for each in found}) > 2


@pytest.mark.parametrize("rule", ["nulls", "ints-as-strings", "unknown-fields", "reordered-lists"])
@pytest.mark.parametrize("answer", [Response(b"Ready"), json_reply({"status": 404, "items": [1, 2]}, 404)])
def test_texts_and_refusals_stay_as_they_are(rule: str, answer: Response) -> None:
    with staged(rule, answer) as stage:
        assert stage.call().body == bytes(answer.body)


def test_a_dropped_token_is_good_for_nothing_more() -> None:
    with staged("token-dropped") as stage:
        tokens = pair(stage.mint)
        stage.mint.check_access(tokens["accessToken"])
        assert stage.call(Authorization=f"Bearer {tokens['accessToken']}").status == 401
        assert not stage.was_handled
        with pytest.raises(BadTokenError, match="revoked"):
            stage.mint.check_access(tokens["accessToken"])
        # Of the same second, and still another one.
        stage.mint.check_access(pair(stage.mint)["accessToken"])
        stage.mint.check_refresh(tokens["refreshToken"])


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer bad", "Bearer a.b.c"])
def test_dropping_what_is_no_token(header: str) -> None:
    with staged("token-dropped") as stage:
        assert stage.call(Authorization=header).status == 401


def test_a_refused_renewal() -> None:
    with staged("refresh-refused", endpoint="refresh") as stage:
        assert stage.call("POST").status == 401
        assert not stage.was_handled


def test_a_refresh_token_that_works_once() -> None:
    with staged("refresh-rotated", [json_reply({}), json_reply({}, 401)], endpoint="refresh") as stage:
        first, second = pair(stage.mint)["refreshToken"], pair(stage.mint)["refreshToken"]
        assert stage.call("POST", body=first.encode()).status == 200
        assert stage.call("POST", body=second.encode()).status == 401
        with pytest.raises(BadTokenError, match="revoked"):
            stage.mint.check_refresh(first)
        stage.mint.check_refresh(second)


def renewed(rule: str) -> tuple[Stage, dict[str, str]]:
    with staged(rule, endpoint="refresh") as stage:
        stage.answers = [json_reply(pair(stage.mint))]
        tokens: dict[str, str] = json.loads(stage.call("POST").body)
        return stage, tokens


def test_a_renewal_without_a_refresh_token() -> None:
    _, tokens = renewed("refresh-missing")
    assert list(tokens) == ["accessToken"]


@pytest.mark.parametrize("seconds", [-3600, 3600])
def test_tokens_of_a_wrong_clock(seconds: int) -> None:
    stage, tokens = renewed(f"clock-skewed,seconds={seconds}")
    claims = claims_of(tokens["accessToken"])
    assert abs(claims["iat"] - stage.clock[0] - seconds) < 2
    assert claims["exp"] - claims["iat"] == 600
    stage.mint.check_access(tokens["accessToken"])
    stage.clock[0] += 601
    stage.mint.check_refresh(tokens["refreshToken"])
    with pytest.raises(BadTokenError, match="expired"):
        stage.mint.check_access(tokens["accessToken"])


@pytest.mark.parametrize(
    ("value", "delayed"), [("refresh", (False, True)), ("access", (True, False)), ("both", (True, True))]
)
def test_tokens_that_may_not_be_used_yet(value: str, delayed: tuple[bool, bool]) -> None:
    stage, tokens = renewed(f"not-yet-valid,seconds=300,value={value}")
    checks = (stage.mint.check_access, stage.mint.check_refresh)
    for token, check, waits in zip(tokens.values(), checks, delayed, strict=True):
        assert ("nbf" in claims_of(token)) is waits
        if waits:
            with pytest.raises(BadTokenError, match="not valid yet"):
                check(token)
    stage.clock[0] += 301
    for token, check in zip(tokens.values(), checks, strict=True):
        check(token)


@pytest.mark.parametrize("rule", ["refresh-missing", "clock-skewed", "not-yet-valid"])
def test_a_refused_renewal_stays_refused(rule: str) -> None:
    with staged(rule, json_reply({"status": 401}, 401), "refresh") as stage:
        assert stage.call("POST").status == 401


def test_tokens_of_2019() -> None:
    clock = time.time
    mint = TokenMint(secret=None, issuer="x", access_lifetime=600, refresh_lifetime=7200, clock=clock, claims="2019")
    tokens = pair(mint)
    claims = claims_of(tokens["accessToken"])
    assert set(claims) == {"sub", "Authorities", "iat", "exp"}
    assert (claims["sub"], claims["Authorities"]) == ("tester", ["ROLE_USER"])
    assert (mint.check_access(tokens["accessToken"]), mint.check_refresh(tokens["refreshToken"])) == ("tester",) * 2


def test_what_is_revoked_is_forgotten_once_it_is_expired() -> None:
    with staged("token-dropped") as stage:
        for _ in range(1500):
            stage.clock[0] += 4
            stage.mint.revoke(pair(stage.mint)["accessToken"])
        noted: Any = stage.mint
        assert len(noted._revoked._times) <= 1024


def order(stage: Stage, authority: object) -> None:
    document = {"authorityId": authority, "profileParams": {}}
    stage.call("PUT", body=json.dumps(document).encode(), Authorization=stage.bearer())
    assert stage.was_handled


def test_a_balance_that_is_gone() -> None:
    with staged("balance-gone", endpoint="createSingleCertBatch") as stage:
        for other in (8, "7", None, [7]):
            order(stage, other)
        stage.call("PUT", body=b'{"authorityId": 7}')
        assert stage.ledger.balance(7) == 100
        order(stage, 7)
        assert stage.ledger.balance(7) == 0


def test_a_parameter_that_becomes_mandatory() -> None:
    with staged("mandatory-parameter,value=localityName", endpoint="createSingleCertBatch") as stage:
        order(stage, 7)
        names = [each.name for each in stage.ledger.profile(17).parameters if each.required]
        assert names == ["commonName", "localityName"]


def test_an_upload_names_a_profile() -> None:
    request = {"profileId": 17, "batchType": "BATCH", "profileParams": {}}
    parts = [
        ("profileId", "", "17"),
        ("csrBatchRequest", '; filename="blob"\r\nContent-Type: application/json', json.dumps(request)),
        ("files", '; filename="a.csr"\r\nContent-Type: text/plain', "x"),
    ]
    text = "".join(
        f'--b\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n{content}\r\n'
        for name, more, content in parts
    )
    with staged("balance-gone", endpoint="upload") as stage:
        headers = {"Content-Type": "multipart/form-data; boundary=b", "Authorization": stage.bearer()}
        stage.call("POST", body=text.encode(), **headers)
        assert stage.ledger.balance(7) == 100
        stage.call("POST", body=f"{text}--b--\r\n".encode(), **headers)
        assert stage.ledger.balance(7) == 0


def test_the_balance_that_goes_is_that_of_the_order() -> None:
    authorities = [
        {"id": 1, "profile": 423, "balance": 5, "enabled": False},
        {"id": 2, "profile": 423, "balance": 5},
        {"id": 3, "profile": 423, "balance": 5},
    ]
    users = [{"id": 1, "username": "tester", "password": "supersecretsquirrel", "authorities": [1, 3]}]
    world = {"organizations": [{"id": 1, "name": "Example", "authorities": authorities, "users": users}]}
    with Emulator(config=world, faults=("balance-gone",)) as emulator:
        api = Api(emulator)
        assert "not enabled" in api.order(authority=1).json()["message"]
        assert {each["balance"] for each in emulator.control.authorities()} == {5}
        told = api.upload(make_csr("example.com", "example.com")).json()["message"]
        assert "balance of authority 3" in told
        api.session.close()
        assert {each["id"]: each["balance"] for each in emulator.control.authorities()} == {1: 5, 2: 5, 3: 0}


def test_redirects() -> None:
    with staged("redirect-host,value=http://other.test/iot/") as stage:
        reply = stage.call(path="/api/v1/devices?a=b%20c")
        assert (reply.status, reply.headers["Location"]) == (308, "http://other.test/iot/api/v1/devices?a=b%20c")
    with staged("redirect-loop") as stage:
        reply = stage.call(path="/auth/pwd")
        assert (reply.status, reply.headers["Location"]) == (308, "/auth/pwd")
        assert not stage.was_handled


def test_a_redirect_to_tls() -> None:
    with staged("redirect-tls", endpoint="authenticate") as stage:
        assert stage.call("POST", "/auth/pwd").status == 501
        stage.service.tls_url = "https://localhost:8443"
        reply = stage.call("POST", "/auth/pwd")
        assert (reply.status, reply.headers["Location"]) == (307, "https://localhost:8443/auth/pwd")


@pytest.fixture(scope="module")
def bundle() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), 1, now, now + timedelta(days=1))
    certificate = builder.sign(key, hashes.SHA256())
    return make_zip([("example.com", make_pkcs12("example.com", key, certificate, (), PASSWORD))], ".p12")


def downloaded(rule: str, content: bytes) -> bytes:
    with staged(rule, Response(content), "download") as stage:
        reply = stage.call()
        assert (reply.status, reply.headers["Content-Length"]) == (200, str(len(reply.body)))
        return reply.body


def refused(archive: bytes, words: str) -> None:
    with pytest.raises(BundleError, match=words):
        check_zip(io.BytesIO(archive))


def unzipped(archive: bytes, folder: Path) -> int:
    path = folder / "x.zip"
    path.write_bytes(archive)
    return subprocess.run(["unzip", "-tqq", path], capture_output=True, check=False).returncode


@pytest.mark.needs("unzip")
@pytest.mark.parametrize(
    ("rule", "words"),
    [
        ("zip-cut", "cut short"),
        ("zip-cut,bytes=3", "not a ZIP"),
        ("zip-empty", "it is empty"),
        ("zip-no-entries", "holds no entries"),
    ],
)
def test_a_zip_that_is_none(rule: str, words: str, bundle: bytes, tmp_path: Path) -> None:
    archive = downloaded(rule, bundle)
    refused(archive, words)
    assert unzipped(archive, tmp_path) != 0


@pytest.mark.needs("unzip")
def test_two_files_for_an_order_of_one(bundle: bytes, tmp_path: Path) -> None:
    archive = downloaded("zip-two-entries", bundle)
    assert check_zip(io.BytesIO(archive)) == ["example.com.p12", "example.com - 1.p12"]
    assert unzipped(archive, tmp_path) == 0


def test_a_name_that_leads_outside(bundle: bytes) -> None:
    archive = downloaded("zip-traversal", bundle)
    assert zipfile.ZipFile(io.BytesIO(archive)).namelist() == ["../../escaped.p12"]
    refused(archive, "unsafe name")


def test_a_bomb(bundle: bytes) -> None:
    archive = downloaded("zip-bomb", bundle)
    assert len(archive) < 2 << 20
    assert zipfile.ZipFile(io.BytesIO(archive)).infolist()[0].file_size == EXPANDED > 1 << 30
    refused(archive, "times its size")


@pytest.mark.needs("unzip")
def test_a_small_bomb_is_what_it_says(tmp_path: Path) -> None:
    archive = plain_bomb(30 << 20)
    assert unzipped(archive, tmp_path) == 0
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        assert opened.read("1.p12") == bytes(30 << 20)


def test_a_bomb_of_entries_that_overlap(bundle: bytes) -> None:
    archive = downloaded("zip-bomb,value=overlap", bundle)
    assert len(archive) < 64 << 10
    refused(archive, "overlaps")
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        entries = opened.infolist()
        assert sum(each.file_size for each in entries) > 1 << 30
        # Each of them unpacks, and its checksum is right: but in a Python that sees that they overlap.
        for each in (entries[0], entries[100], entries[-1]):
            with contextlib.suppress(zipfile.BadZipFile):
                assert len(opened.read(each)) == each.file_size


@pytest.mark.parametrize("make", [plain_bomb, overlapping_bomb])
def test_a_bomb_is_made_in_little_memory(make: Any) -> None:
    tracemalloc.start()
    try:
        make.__wrapped__()
        assert tracemalloc.get_traced_memory()[1] < 16 << 20
    finally:
        tracemalloc.stop()


def test_a_pkcs12_under_another_password(bundle: bytes) -> None:
    entries = read_entries(downloaded("zip-wrong-password", bundle))
    assert list(entries) == ["example.com.p12"]
    with pytest.raises(SectigoError, match="password"):
        open_pkcs12(entries["example.com.p12"], PASSWORD)


def test_a_pkcs12_that_is_corrupt(bundle: bytes) -> None:
    entries = read_entries(downloaded("zip-corrupt", bundle))
    sound = read_entries(bundle)["example.com.p12"]
    assert open_pkcs12(sound, PASSWORD)
    assert len(entries["example.com.p12"]) == len(sound)
    with pytest.raises(SectigoError):
        open_pkcs12(entries["example.com.p12"], PASSWORD)


@pytest.mark.parametrize("name", ["zip-corrupt", "zip-wrong-password"])
def test_a_pem_in_a_zip(name: str) -> None:
    pem = b"-----BEGIN CERTIFICATE-----\n"
    entries = read_entries(downloaded(name, make_zip([("example.com", pem)], ".pem")))
    assert (entries["example.com.pem"] == pem) is (name == "zip-wrong-password")


def test_a_length_that_says_more(bundle: bytes) -> None:
    with staged("zip-wrong-length,bytes=7", Response(bundle), "download") as stage:
        with pytest.raises(http.client.IncompleteRead) as caught:
            stage.call()
        assert (caught.value.partial, caught.value.expected) == (bundle, 7)


@pytest.mark.parametrize("connection", [b"close", b"keep-alive"])
def test_a_length_that_says_less(connection: bytes, bundle: bytes) -> None:
    with staged("zip-wrong-length,value=less", Response(bundle), "download") as stage:
        client = socket.create_connection(("127.0.0.1", stage.port), timeout=10)
        with contextlib.closing(client):
            client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: " + connection + b"\r\n\r\n")
            received = b""
            while not received.endswith(bundle):
                received += client.recv(65536)
        assert f"content-length: {len(bundle) - 100}".encode() in received.lower()


@pytest.mark.parametrize("rule", ["zip-cut", "zip-wrong-length", "zip-bomb", "zip-corrupt", "zip-empty"])
def test_a_refused_download_stays_refused(rule: str) -> None:
    with staged(rule, json_reply({"status": 409}, 409), "download") as stage:
        reply = stage.call()
        assert (reply.status, json.loads(reply.body)) == (409, {"status": 409})
