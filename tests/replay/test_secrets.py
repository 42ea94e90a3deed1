"""No recording holds a secret; that one would be found is shown by planting some."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]
from vcr.request import Request  # type: ignore[import-untyped]

from tests.replay.cassettes import FOLDER
from tests.replay.scan import secrets_in
from tests.replay.scrubbing import ENDPOINT, SCRUBBED, Scrubber, harmless_zip

CASSETTES = sorted(FOLDER.rglob("*.yaml"))
PRIVATE_KEY = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIA==\n-----END PRIVATE KEY-----\n"
ZIP = {"Content-Type": ["application/octet-stream"]}


def encoded(claims: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")


def token(signature: str, **claims: object) -> str:
    return f"{encoded({'alg': 'HS512'})}.{encoded({'iat': 1, 'exp': 601, **claims})}.{signature}"


REAL = token("c2lnbmF0dXJl")
HARMLESS = token(SCRUBBED)


def zipped(content: bytes, comment: bytes = b"") -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as archive:
        archive.writestr("example.com.p12", content)
        archive.comment = comment
    return stream.getvalue()


def cassette(path: Path, **planted: object) -> Path:
    """Write a recording of one exchange with nothing in it but what is planted."""
    request = {"method": "POST", "uri": planted.get("uri", ENDPOINT + "/x"), "body": planted.get("sent")}
    headers = {"sent": planted.get("headers", {}), "answered": planted.get("answered", {})}
    response = {
        "status": {"code": 200, "message": "OK"},
        "headers": headers["answered"],
        "body": {"string": planted.get("reply", "")},
    }
    interaction = {"request": {**request, "headers": headers["sent"]}, "response": response}
    path.write_text(yaml.safe_dump({"version": 1, "interactions": [interaction]}) + str(planted.get("after", "")))
    return path


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: f"{path.parent.name}-{path.stem}")
def test_no_recording_holds_a_secret(path: Path) -> None:
    assert secrets_in(path) == []


def test_there_are_recordings_of_every_origin() -> None:
    assert {path.parent.name for path in CASSETTES} - {"live"} == {"emulator", "manual", "staging"}
    assert all((path.parent / "README.md").is_file() for path in CASSETTES)


def test_what_is_scrubbed_is_let_through(tmp_path: Path) -> None:
    path = cassette(
        tmp_path / "a.yaml",
        sent=json.dumps({"username": "tester", "password": SCRUBBED, "pkcs12Password": SCRUBBED}),
        headers={"Authorization": [f"Bearer {HARMLESS}"]},
        reply=json.dumps({"accessToken": HARMLESS, "refreshToken": HARMLESS}),
    )
    assert secrets_in(path) == []
    assert secrets_in(cassette(tmp_path / "b.yaml", sent=HARMLESS, reply=harmless_zip(["a.p12"]))) == []


FORM = (
    '--edge\r\nContent-Disposition: form-data; name="csrBatchRequest"\r\n\r\n'
    '{"profileParams": {"pkcs12Password": "hunter2hunter2"}}\r\n--edge--\r\n'
)
PLANTED: dict[str, tuple[dict[str, object], str]] = {
    "a token in a reply": ({"reply": json.dumps({"accessToken": REAL})}, "a token"),
    "a token in a refresh": ({"sent": REAL}, "a token with its signature"),
    "a token in the bytes of a refresh": ({"sent": REAL.encode()}, "a token with its signature"),
    "a token in a header": ({"headers": {"Authorization": [f"Bearer {REAL}"]}}, "the header Authorization"),
    "a token in a header of a reply": ({"answered": {"Location": [f"/?t={REAL}"]}}, "a token with its signature"),
    "a token in a URL": ({"uri": f"{ENDPOINT}/x?t={REAL}"}, "a token with its signature"),
    "a token in a comment": ({"after": f"# {REAL}\n"}, "a token with its signature"),
    "an opaque token": ({"reply": json.dumps({"refreshToken": "0123456789"})}, "a token that is not scrubbed"),
    "basic credentials": ({"headers": {"authorization": ["Basic dGVzdGVyOng="]}}, "the header authorization"),
    "an opaque bearer": ({"headers": {"Authorization": ["Bearer 0123456789"]}}, "the header Authorization"),
    "a cookie": ({"answered": {"Set-Cookie": ["session=1"]}}, "the header Set-Cookie"),
    "a login's password": ({"sent": json.dumps({"username": "a", "password": "hunter2"})}, "a password"),
    "a PKCS#12 password": (
        {"sent": json.dumps({"profileParams": {"pkcs12Password": "secrtpasswrd"}})},
        "a password",
    ),
    "a password in a form": ({"sent": FORM}, "a password"),
    "a password in a URL-encoded form": ({"sent": "username=a&password=hunter2"}, "a password"),
    "a password in a query": ({"uri": f"{ENDPOINT}/x?password=hunter2"}, "a password"),
    "a password in a URL": ({"uri": "http://a:hunter2@127.0.0.1:8831/x"}, "a user name in a URL"),
    "a password in a reply": ({"reply": json.dumps([{"keystorePassword": "hunter2"}])}, "a password"),
    "a password as a default": (
        {"reply": json.dumps([{"name": "pkcs12Password", "value": "hunter2"}])},
        "a password",
    ),
    "a password in JSON inside a text": (
        {"reply": json.dumps({"rawProfileConfig": json.dumps({"password": "hunter2"})})},
        "a password",
    ),
    "a private key in a body": ({"reply": PRIVATE_KEY}, "a private key"),
    "a private key in JSON": ({"reply": json.dumps({"key": PRIVATE_KEY})}, "a private key"),
    "a private key in a comment": ({"after": "# -----BEGIN RSA PRIVATE KEY-----\n"}, "a private key"),
    "a ZIP": ({"reply": zipped(b"\x30\x82\x01\x02"), "answered": ZIP}, "a ZIP with content"),
    "a ZIP with a comment": ({"reply": zipped(b"scrubbed\n", PRIVATE_KEY.encode())}, "a ZIP with content"),
    "a ZIP with something in front": ({"reply": PRIVATE_KEY.encode() + zipped(b"scrubbed\n")}, "a ZIP with content"),
    "a PKCS#12": (
        {"reply": b"\x30\x82\xff\xfe\x06\x0b\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01\x02"},
        "a PKCS#12",
    ),
    "unknown bytes": ({"reply": b"\x30\x82\xff\xfe"}, "bytes of which nobody knows what they are"),
}


@pytest.mark.parametrize("what", PLANTED)
def test_a_planted_secret_is_found(tmp_path: Path, what: str) -> None:
    planted, expected = PLANTED[what]
    found = secrets_in(cassette(tmp_path / "planted.yaml", **planted))
    assert any(each.startswith(expected) for each in found), found
    assert not any(secret in each for each in found for secret in ("hunter2", "secrtpasswrd", REAL, "MC4C"))


def test_a_secret_planted_in_each_recording_is_found(tmp_path: Path) -> None:
    for path in CASSETTES:
        text = path.read_text()
        assert f'"password": "{SCRUBBED}"' in text
        planted = tmp_path / path.name
        planted.write_text(text.replace(f'"password": "{SCRUBBED}"', '"password": "hunter2"'))
        assert secrets_in(planted) == ["a password"]


def scrubbed(media_type: str, body: bytes) -> bytes:
    headers = {"Content-Type": media_type, "Authorization": f"Bearer {REAL}", "Cookie": "session=1"}
    request = Scrubber().request(Request("POST", "http://127.0.0.1:1/x", body, headers))
    assert request.uri == f"{ENDPOINT}/x"
    assert dict(request.headers) == {"Content-Type": media_type, "Authorization": f"Bearer {HARMLESS}"}
    return bytes(request.body)


@pytest.mark.parametrize("media_type", ["application/json;charset=UTF-8", "text/plain", "application/x-unknown"])
def test_requests_are_scrubbed_whatever_their_media_type(media_type: str) -> None:
    body = b'{"username": "tester", "password": "hunter2\\"hunter2", "pkcs12Password": "x"}'
    expected = b'{"username": "tester", "password": "scrubbed", "pkcs12Password": "scrubbed"}'
    assert scrubbed(media_type, body) == expected
    assert scrubbed(media_type, REAL.encode()) == HARMLESS.encode()


def test_forms_are_scrubbed_and_get_a_boundary_that_stays() -> None:
    headers = {"Content-Type": "multipart/form-data; boundary=edge"}
    request = Scrubber().request(Request("POST", "http://127.0.0.1:1/x", FORM.encode(), headers))
    assert dict(request.headers) == {"Content-Type": "multipart/form-data; boundary=boundary"}
    assert b'"pkcs12Password": "scrubbed"' in request.body and b"hunter2" not in request.body


def test_replies_are_scrubbed() -> None:
    def answered(body: bytes) -> dict[str, Any]:
        headers = {"Content-Type": ["x"], "Content-Length": ["9"], "Set-Cookie": ["session=1"], "Date": ["today"]}
        return Scrubber().response({"status": {"code": 200}, "headers": headers, "body": {"string": body}})

    reply = answered(json.dumps({"accessToken": REAL, "refreshToken": "opaque", "p12Password": "x"}).encode())
    assert json.loads(reply["body"]["string"]) == {
        "accessToken": HARMLESS,
        "refreshToken": SCRUBBED,
        "p12Password": SCRUBBED,
    }
    assert reply["headers"] == {"content-type": ["x"], "content-length": [str(len(reply["body"]["string"]))]}
    assert answered(zipped(b"a key"))["body"]["string"] == harmless_zip(["example.com.p12"])


def test_claims_stay_readable_and_what_is_random_is_numbered() -> None:
    one, other = "0ef9380a-8a9e-416c-82ab-74bbe9936ba2", "8832ad04-9abc-429d-817d-4bbb2a6a8eea"
    scrubber = Scrubber()
    text = scrubber.text(f"{token('x', jti=one)} {other} {one} C017C2BBF424254E864629513A8611F9")
    jwt, second, first, serial = text.split()
    claims = json.loads(base64.urlsafe_b64decode(jwt.split(".")[1] + "=="))
    assert claims == {"iat": 1, "exp": 601, "jti": first}
    assert (first[-4:], second[-4:], serial) == ("0001", "0002", "4" + "0" * 30 + "1")
    assert scrubber.text(text) == text
