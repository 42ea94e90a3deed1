"""A trace: by the rules of HAR 1.2, with what is exchanged in it, and with no secret."""

from __future__ import annotations

import datetime
import json
import random
import time
from typing import Any
from urllib.parse import quote

import pytest

from sectigo_iot import Exchange, IoTManager, SectigoError, __version__, to_har
from sectigo_iot.emulator import Emulator
from sectigo_iot.redaction import REDACTED
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.unit.lying_server import PARAMS, PASSWORD, RESET, LyingServer, answer, json_answer, settings_at, token

JSON = ("Content-Type", "application/json;charset=UTF-8")
SECRET = "correct horse/battery"
LOGIN = Exchange(
    "authenticate",
    "POST",
    "https://iot.example.com/auth/pwd",
    1_700_000_000.25,
    0.125,
    (JSON, ("Content-Length", "50")),
    json.dumps({"username": "jane", "password": SECRET}).encode(),
    200,
    "OK",
    (JSON, ("Set-Cookie", "sid=0123456789; Path=/")),
    json.dumps({"accessToken": "opaque-access", "refreshToken": "opaque-refresh"}).encode(),
    66,
)
READ = Exchange("devices", "GET", "https://iot.example.com/api/v1/devices", 1_700_000_001.0, 0.5, status=200)


def entries(*exchanges: Exchange, secrets: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    document = json.loads(to_har(exchanges, secrets=secrets))
    check(document)
    found: list[dict[str, Any]] = document["log"]["entries"]
    return found


OBJECTS: dict[str, dict[str, type]] = {
    "log": {"version": str, "creator": dict, "entries": list},
    "creator": {"name": str, "version": str},
    "entry": {
        "startedDateTime": str, "time": float, "request": dict, "response": dict, "cache": dict, "timings": dict,
    },
    "request": {
        "method": str, "url": str, "httpVersion": str, "cookies": list, "headers": list, "queryString": list,
        "headersSize": int, "bodySize": int,
    },
    "response": {
        "status": int, "statusText": str, "httpVersion": str, "cookies": list, "headers": list, "content": dict,
        "redirectURL": str, "headersSize": int, "bodySize": int,
    },
    "content": {"size": int, "mimeType": str},
    "timings": {"send": float, "wait": float, "receive": float},
    "postData": {"mimeType": str},
    "pair": {"name": str, "value": str},
    "param": {"name": str},
}  # fmt: skip
"""What HAR 1.2 demands of each object. http://www.softwareishard.com/blog/har-12-spec/"""
OPTIONAL: dict[str, set[str]] = {
    "log": {"browser", "pages", "comment"},
    "entry": {"pageref", "serverIPAddress", "connection", "comment"},
    "request": {"postData", "comment"},
    "response": {"comment"},
    "content": {"compression", "text", "encoding", "comment"},
    "postData": {"params", "text", "comment"},
    "param": {"value", "fileName", "contentType", "comment"},
}


def check_object(kind: str, found: dict[str, Any]) -> None:
    for name, wanted in OBJECTS[kind].items():
        assert isinstance(found[name], (int, float) if wanted is float else wanted), (kind, name)
    others = {name for name in found if not name.startswith("_")} - set(OBJECTS[kind])
    assert others <= OPTIONAL.get(kind, set()), kind


def check(document: dict[str, Any]) -> None:
    """Hold a document against the rules of HAR 1.2."""
    assert set(document) == {"log"}
    log = document["log"]
    check_object("log", log)
    check_object("creator", log["creator"])
    assert log["version"] == "1.2"
    started = [entry["startedDateTime"] for entry in log["entries"]]
    assert started == sorted(started)
    for entry in log["entries"]:
        check_entry(entry)


def check_entry(entry: dict[str, Any]) -> None:
    check_object("entry", entry)
    assert datetime.datetime.fromisoformat(entry["startedDateTime"]).utcoffset() is not None
    check_object("timings", entry["timings"])
    assert min(entry["timings"].values()) >= 0, "these three are not optional, and so never -1"
    assert entry["time"] == sum(entry["timings"].values())
    for kind in ("request", "response"):
        check_object(kind, entry[kind])
        for pair in (*entry[kind]["headers"], *entry[kind].get("queryString", [])):
            check_object("pair", pair)
    check_object("content", entry["response"]["content"])
    posted = entry["request"].get("postData")
    if posted is not None:
        check_object("postData", posted)
        assert ("text" in posted) != ("params" in posted), "they exclude each other"
        for param in posted.get("params", []):
            check_object("param", param)


def headers(side: dict[str, Any]) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in side["headers"]}


def test_no_exchange_is_a_document_too() -> None:
    document = json.loads(to_har([]))
    check(document)
    assert document["log"]["creator"] == {"name": "sectigo-iot", "version": __version__}


def test_an_exchange_is_told_as_it_was() -> None:
    exchange = Exchange(
        "findCertificate", "POST", "https://iot.example.com:8443/x/api/v1/certificates/find?page=2&name=é", 1.5, 0.25,
        (JSON, ("Content-Length", "27")), b'{"commonName":"a.example.com"}', 200, "OK",
        (JSON, ("Date", "today"), ("Retry-After", "3")), '{"totalCount": 0, "items": [], "new": "é"}'.encode(), 42,
    )  # fmt: skip
    (entry,) = entries(exchange)
    assert (entry["startedDateTime"], entry["time"]) == ("1970-01-01T00:00:01.500+00:00", 250)
    assert entry["_call"] == "findCertificate"
    request, response = entry["request"], entry["response"]
    assert request["method"] == "POST"
    assert request["url"] == f"https://iot.example.com:8443/x/api/v1/certificates/find?page={REDACTED}&name=é"
    assert request["queryString"] == [{"name": "page", "value": REDACTED}, {"name": "name", "value": "é"}]
    assert json.loads(request["postData"]["text"]) == {"commonName": "a.example.com"}
    assert (request["bodySize"], headers(request)["Content-Length"]) == (30, "27")
    assert (response["status"], response["statusText"]) == (200, "OK")
    assert headers(response) == {"Content-Type": JSON[1], "Date": "today", "Retry-After": "3"}
    assert json.loads(response["content"]["text"]) == {"totalCount": 0, "items": [], "new": REDACTED}
    assert (response["content"]["size"], response["bodySize"], response["content"]["mimeType"]) == (42, 42, JSON[1])


def test_exchanges_stand_in_the_order_in_which_they_began() -> None:
    assert [entry["_call"] for entry in entries(READ, LOGIN)] == ["authenticate", "devices"]


def test_an_answer_that_never_came() -> None:
    (entry,) = entries(READ._replace(status=None, error="devices: iot.example.com broke off the connection"))
    response = entry["response"]
    assert (response["status"], response["statusText"], response["bodySize"]) == (0, "", -1)
    assert response["_error"] == "devices: iot.example.com broke off the connection"
    assert "comment" not in response["content"]


def test_a_log_in_and_what_it_brought() -> None:
    (entry,) = entries(LOGIN)
    assert json.loads(entry["request"]["postData"]["text"]) == {"username": "jane", "password": REDACTED}
    assert json.loads(entry["response"]["content"]["text"]) == {"accessToken": REDACTED, "refreshToken": REDACTED}
    assert headers(entry["response"])["Set-Cookie"] == REDACTED
    # How long the body is would tell how long the password is.
    assert headers(entry["request"])["Content-Length"] == REDACTED
    assert entry["request"]["bodySize"] == -1


@pytest.mark.parametrize("secret", [SECRET, "opaque-access", "opaque-refresh", "0123456789", "of-the-caller"])
def test_a_secret_of_one_exchange_is_masked_in_all(secret: str) -> None:
    document = json.dumps({"status": 500, "message": f"no: {secret}", secret: 1, "errorCode": 7})
    liar = READ._replace(
        reason=f"Hello {secret}",
        response_headers=(("Server", f"x {secret}"), (f"X-{secret}", "1"), ("Location", f"/a/{secret}/b"), JSON),
        response_body=document.encode(),
        error=f"it broke off at {secret}",
    )
    response = entries(LOGIN, liar, secrets=("of-the-caller",))[1]["response"]
    assert secret not in json.dumps(response)
    assert response["statusText"] == response["_error"] == REDACTED
    assert response["redirectURL"] == f"/{REDACTED}"
    assert json.loads(response["content"]["text"]) == {
        "status": 500, "message": REDACTED, REDACTED: 1, "errorCode": 7,
    }  # fmt: skip


@pytest.mark.parametrize("secret", ["a/b c-d", "a-b?c-d", "a-b#c-d", "a-b=c&d-e", "a-b:c@d-e/f"])
def test_a_secret_in_several_parts_of_a_url_is_masked(secret: str) -> None:
    login = LOGIN._replace(secrets=(secret,))
    for spelt in (secret, quote(secret), quote(secret, safe="")):
        url = f"https://iot.example.com/x/{spelt}/y"
        (entry,) = entries(login._replace(url=url, response_headers=(("Location", url),)))
        assert not any(part in json.dumps(entry) for part in ("a-b", "c-d", "d-e", "b c"))
        assert entry["request"]["queryString"] == []


def test_a_password_that_is_a_word_of_every_trace_is_not_told_by_its_gap() -> None:
    for word in ("batches", "api", "devices"):
        url = "https://iot.example.com/api/v1/batches/24/download"
        login = LOGIN._replace(request_body=json.dumps({"password": word}).encode(), secrets=(word,))
        assert entries(login, READ._replace(url=url))[1]["request"]["url"] == url


def test_what_the_service_is_not_known_to_send_is_masked() -> None:
    document = {
        "batchId": 24,
        "status": "CREATED",
        "active": False,
        "rejectReason": None,
        "sessionKey": 1234567,
        "secretThings": {"status": "shown elsewhere", "list": [1, "x"], "none": None},
        "primaryContactEmail": "jane@example.com",
        "list": ["a", 1, {"commonName": "a.example.com"}],
    }
    (entry,) = entries(READ._replace(response_headers=(JSON,), response_body=json.dumps(document).encode()))
    assert json.loads(entry["response"]["content"]["text"]) == {
        "batchId": 24,
        "status": "CREATED",
        "active": False,
        "rejectReason": None,
        "sessionKey": REDACTED,
        "secretThings": {"status": REDACTED, "list": [REDACTED, REDACTED], "none": None},
        "primaryContactEmail": REDACTED,
        "list": [REDACTED, 1, {"commonName": "a.example.com"}],
    }


@pytest.mark.parametrize(
    "text",
    [
        f"your token {token()} is old",
        "-----BEGIN RSA PRIVATE KEY-----",
        "Bearer abcdefgh1",
        "proxy http://jane:pw@proxy.example.com refused",
        "password=hunter2",
        "A" * 160,
        "word " * 3000,
    ],
)
def test_what_looks_like_a_secret_is_masked_whoever_it_belongs_to(text: str) -> None:
    body = json.dumps({"message": text}).encode()
    (entry,) = entries(READ._replace(status=500, response_headers=(JSON,), response_body=body))
    assert json.loads(entry["response"]["content"]["text"]) == {"message": REDACTED}


@pytest.mark.parametrize(
    ("body", "media_type", "left"),
    [
        (b'{"accessToken": "opa', "application/json", {"comment"}),
        (b"<html><title>Log in</title><p>sid 7", "text/html", {"comment"}),
        (b"PK\x03\x04", "application/zip", {"comment"}),
        (b"opaque", "text/plain", {"comment"}),
        (b"[" * 50_000, "application/json", {"comment"}),
        (b"[" * 900 + b"]" * 900, "application/json", {"comment"}),
        (b'"' + b"x" * (1 << 20) + b'"', "application/json", {"comment"}),
        (b"5", "application/json", {"text"}),
        (b"null", "application/json", {"text"}),
        (b'"opaque"', "application/json", {"text"}),
        (b'{"\\ud800": "\\ud800"}', "application/json", {"text"}),
        (b"", "", set()),
    ],
)
def test_a_body_that_is_not_understood_is_left_out(body: bytes, media_type: str, left: set[str]) -> None:
    answered = READ._replace(response_headers=(("content-type", media_type),), response_body=body)
    (entry,) = entries(answered._replace(response_size=len(body)))
    content = entry["response"]["content"]
    assert set(content) - {"size", "mimeType"} == left
    assert content["size"] == len(body)
    assert "opa" not in json.dumps(content)
    if media_type == "text/html":
        assert content["comment"] == "left out (its title: Log in): not known to hold no secret"


def rejected(held: object) -> Exchange:
    document = {
        "batchId": 7,
        "status": "REJECTED",
        "rejectReason": "pkcs12 password Hunter2-is-weak violates the policy",
        "message": "Hunter2-is-weak",
        "generatorParametersValues": held,
    }
    return READ._replace(response_headers=(JSON,), response_body=json.dumps(document).encode())


PAIRS = [{"name": "pkcs12Password", "value": "Hunter2-is-weak"}, {"name": "pin", "value": 12345678}]


@pytest.mark.parametrize("held", [PAIRS, json.dumps(PAIRS), [json.dumps(PAIRS)], {"deep": PAIRS}])
def test_a_secret_in_pairs_of_name_and_value_is_masked_wherever_it_stands(held: object) -> None:
    liar = READ._replace(
        response_headers=(JSON,), response_body=b'{"message": "12345678 is no PIN", "batchId": 12345678}'
    )
    first, second = entries(rejected(held), liar)
    assert "Hunter2" not in json.dumps(first)
    assert "12345678" not in json.dumps([first, second])
    shown = json.loads(first["response"]["content"]["text"])
    assert (shown["rejectReason"], shown["message"], shown["batchId"]) == (REDACTED, REDACTED, 7)


@pytest.mark.parametrize(
    "text", ["the password: x1", "[{'token': 'x1'}]", json.dumps([{"name": "pin", "value": "x1"}])]
)
def test_a_text_that_tells_a_secret_is_masked_however_short_it_is(text: str) -> None:
    body = json.dumps({"message": text}).encode()
    for each in ((JSON, body), (("Content-Type", "text/plain"), text.encode())):
        (entry,) = entries(READ._replace(status=500, response_headers=(each[0],), response_body=each[1]))
        assert "x1" not in json.dumps(entry)


def test_a_secret_in_a_text_is_masked_elsewhere() -> None:
    told = READ._replace(status=500, response_body=b"password: Hunter2-is-weak", response_headers=(("Server", "x"),))
    liar = READ._replace(response_headers=(JSON,), response_body=b'{"message": "Hunter2-is-weak"}')
    assert "Hunter2" not in json.dumps(entries(told, liar))


def test_the_name_of_a_field_is_no_secret() -> None:
    told = b'{"message": "wrong key: commonName", "commonName": "a.example.com"}'
    (entry,) = entries(READ._replace(status=400, response_headers=(JSON,), response_body=told))
    assert json.loads(entry["response"]["content"]["text"]) == {"message": REDACTED, "commonName": "a.example.com"}


@pytest.mark.parametrize("name", ["userCredentials", "/api/v1/token"])
def test_the_error_of_a_call_that_is_named_like_a_secret_is_told(name: str) -> None:
    error = f"{name}: iot.example.com broke off the connection"
    (entry,) = entries(READ._replace(name=name, status=None, error=error))
    assert entry["response"]["_error"] == error


def many(alphabet: str, length: int, number: int) -> list[str]:
    draw = random.Random(5)
    return ["".join(draw.choices(alphabet, k=length)) for _ in range(number)]


ODD = "!$%&#@^*()+<>-"
KEYS, WORST = many("abcABC012_", 16, 9000), many(ODD, 16, 9000)
SOUGHT = {
    "many keys": KEYS,
    "keys of no letter": WORST,
    "keys of one beginning": [f"aaaa{secret}" for secret in KEYS],
    "long keys": many(ODD, 4000, 100),
    "passwords in words": KEYS,
    "the beginning of a password": [],
    "numbers": [],
}
COSTLY: dict[str, object] = {
    "many keys": [{"key": secret, "name": secret} for secret in KEYS],
    "keys of no letter": [{"key": secret, "message": secret[::-1]} for secret in WORST],
    "keys of one beginning": [{"key": f"aaaa{secret}", "message": f"aaaa{secret[::-1]}"} for secret in KEYS],
    "long keys": [*({"key": a} for a in many(ODD, 4000, 100)), *({"message": a} for a in many(ODD, 500, 1000))],
    "passwords in words": [{"message": f"password={secret}"} for secret in KEYS],
    "the beginning of a password": {"message": [f"{n}{'passwé' * 900}" for n in range(100)]},
    "numbers": list(range(100_000, 200_000)),
}


@pytest.mark.parametrize("what", COSTLY)
def test_no_reply_takes_long_to_mask(what: str) -> None:
    body = json.dumps(COSTLY[what], ensure_ascii=False).encode()
    begun = time.process_time()
    found = entries(LOGIN, READ._replace(status=500, response_headers=(JSON,), response_body=body))
    # About a second where it is worst.
    assert time.process_time() - begun < 5
    text = json.dumps(found)
    assert not any(json.dumps(secret)[1:-1] in text for secret in SOUGHT[what][:200])


def test_a_body_that_is_left_out_is_not_searched() -> None:
    body = json.dumps([{"key": secret} for secret in many("abc012", 16, 200_000)]).encode()
    begun = time.process_time()
    (entry,) = entries(READ._replace(response_headers=(JSON,), response_body=body))
    assert time.process_time() - begun < 1
    assert entry["response"]["content"]["comment"].startswith("left out: longer")


def test_plain_text_is_shown_where_it_is_a_status_or_an_error() -> None:
    plain = READ._replace(response_headers=(("Content-Type", "text/plain"),), response_body=b"Ready for download")
    shown = [
        entry["response"]["content"].get("text")
        for entry in entries(plain, plain._replace(name="batchStatus"), plain._replace(status=406))
    ]
    assert shown == [None, "Ready for download", "Ready for download"]


def test_a_refresh_is_known_to_be_one_and_no_more() -> None:
    refresh = READ._replace(name="refresh", method="POST", request_headers=(JSON,), request_body=b"a.b.c")
    (entry,) = entries(refresh)
    assert entry["request"]["postData"] == {
        "mimeType": JSON[1], "text": "", "comment": "left out: not known to hold no secret",
    }  # fmt: skip


@pytest.mark.parametrize("url", ["https://jane:pw@iot.example.com/x#frag", "https://[::1", "//["])
def test_a_url_shows_no_user(url: str) -> None:
    (entry,) = entries(READ._replace(url=url, response_headers=(("Location", url),)))
    assert "pw" not in json.dumps(entry)
    assert "frag" not in json.dumps(entry)


def test_neither_repr_shows_a_secret() -> None:
    assert repr(LOGIN) == str(LOGIN) == "<Exchange authenticate: POST, 200>"
    assert repr(READ._replace(status=None)) == "<Exchange devices: GET, no answer>"


def test_a_life_with_the_emulator(emulator: Emulator) -> None:
    exchanges: list[Exchange] = []
    with IoTManager(settings_for(emulator, observer=exchanges.append)) as client:
        batch = client.create_single_cert_batch(423, "first", PARAMS)
        client.wait(batch.batch_id)
        client.download_bytes(batch)
        client.refresh()
        client.upload_csr_batch(423, "x.csr", request("one.example.com"), {})
        with pytest.raises(SectigoError):
            client.batch_detail(99)
    found = entries(*exchanges)
    assert [entry["_call"] for entry in found] == [exchange.name for exchange in exchanges]
    order = next(entry for entry in found if entry["_call"] == "createSingleCertBatch")
    assert json.loads(order["request"]["postData"]["text"]) == {
        "authorityId": 423, "batchName": "first", "profileParams": {**PARAMS, "pkcs12Password": REDACTED},
    }  # fmt: skip
    assert headers(order["request"])["Authorization"] == REDACTED
    fetched = next(entry for entry in found if entry["_call"] == "download")["response"]
    assert fetched["bodySize"] > 1000
    assert fetched["content"]["comment"] == "left out: a download, or not read"
    params = next(entry for entry in found if entry["_call"] == "upload")["request"]["postData"]["params"]
    assert [(p["name"], p.get("fileName")) for p in params] == [
        ("profileId", None), ("csrBatchRequest", "blob"), ("files", "x.csr"),
    ]  # fmt: skip
    assert json.loads(params[1]["value"]) == {"profileId": 423, "batchType": "BATCH", "profileParams": {}}
    assert "BEGIN" not in json.dumps(found)
    assert found[-1]["response"]["status"] == 404
    text = json.dumps(found)
    for secret in {secret for exchange in exchanges for secret in exchange.secrets}:
        assert secret not in text
    assert emulator.password not in text


def test_repetitions_redirects_and_lost_answers_are_told() -> None:
    exchanges: list[Exchange] = []
    moved = answer(302, Location="/api/v1/elsewhere?ticket=t1cket-t1cket")
    with LyingServer(RESET, json_answer({"message": PASSWORD}, 503), moved, json_answer({"issued": 1})) as server:
        settings = settings_at(server.url, observer=exchanges.append)
        with IoTManager(settings, sleep=lambda _: None) as client:
            assert client.licenses_used().issued == 1
    found = entries(*exchanges)
    assert [entry["response"]["status"] for entry in found] == [200, 0, 503, 302, 200]
    assert found[1]["response"]["_error"].endswith("broke off the connection")
    assert found[3]["response"]["redirectURL"] == f"/api/v1/elsewhere?ticket={REDACTED}"
    assert found[4]["request"]["url"] == f"{server.url}/api/v1/elsewhere?ticket={REDACTED}"
    assert PASSWORD not in json.dumps(found)
    assert all(entry["time"] > 0 for entry in found)
