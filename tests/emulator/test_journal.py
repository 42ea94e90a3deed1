"""What the journal keeps, and what it shows: no more than it has room for, and nothing that may be secret."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import AttributeOID, NameOID
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.control.client import Control, ControlError
from sectigo_iot.emulator.memory.known import KnownSecrets
from tests.emulator.api import PARAMETERS, PASSWORD, Api
from tests.emulator.csrs import make_csr
from tests.emulator.soak import SCALE

SECRET = "Zq7-marked-secret"
CREATE = "/api/v1/batches/createSingleCertBatch"
MASK = "********"


@pytest.fixture
def scene(emulator: Emulator) -> Iterator[tuple[Control, Api]]:
    """The emulator as it was at the start, and a client that has just logged in."""
    emulator.control.reset()
    api = Api(emulator)
    yield emulator.control, api
    api.session.close()


def latest(control: Control) -> dict[str, Any]:
    entry: dict[str, Any] = control.journal()[-1]
    return entry


def everything(control: Control, after: int = 0) -> str:
    """Return all that the control port tells of requests, orders and batches."""
    questions = ("orders", "doubled", "simultaneous", "twins", "gaps", "logins", "polls", "downloads", "late_polls")
    answers = [getattr(control, name)() for name in questions]
    answers += [control.repeated(times=0), control.unfetched(downloads=True), control.batches(), control.users()]
    return json.dumps([control.journal(after=after), control.certificates(), control.status(), answers])


# How much is kept


def test_long_texts_are_cut_before_they_are_kept(scene: tuple[Control, Api], emulator: Emulator) -> None:
    _, api = scene
    journal = emulator._assembly.service.journal
    for size in (1, 3_000_000):
        api.login("u" * size, "x")
        api.order(parameters={"commonName": "c" * size}, name="b" * size)
    api.call("GET", "/" + "p" * 20_000, headers={f"X-{index}": "h" * 9_000 for index in range(4)})
    kept = pickle.dumps((list(journal.entries()), list(journal.orders)))
    assert len(kept) < 100_000


def test_what_was_cut_says_so(scene: tuple[Control, Api]) -> None:
    control, api = scene
    api.login("u" * 300, "x")
    assert latest(control)["user"] == "u" * 255 + "…"
    api.login("u" * 256, "x")
    assert latest(control)["user"] == "u" * 256
    api.get("/" + "p" * 3000 + "?page=1")
    entry = latest(control)
    assert entry["path"] == entry["call"] == "/" + "p" * 2046 + "…"
    assert control.journal(call="/" + "p" * 3000) == [entry]
    api.call("GET", "/status", headers={"Accept-Language": "l" * 2000})
    assert latest(control)["request"]["headers"]["accept-language"] == "l" * 1023 + "…"


def test_headers_beyond_what_is_kept_are_left_out(scene: tuple[Control, Api]) -> None:
    control, api = scene
    api.call("GET", "/status", headers={f"X-Request-Id-{index}": "h" * 1000 for index in range(20)})
    headers = latest(control)["request"]["headers"]
    assert headers["…"] == "…"
    assert 5 < len(headers) < 15


def test_a_long_name_is_found_by_the_whole_of_it(scene: tuple[Control, Api]) -> None:
    control, api = scene
    name, domain = "b" * 5000, "c" * 400
    api.order(parameters={"commonName": domain}, name=name)
    found = control.orders(batch_name=name)
    assert found["count"] == control.orders(common_name=domain.upper())["count"] == 1
    assert found["orders"][0]["batchName"] == "b" * 255 + "…"
    assert control.orders(batch_name="b" * 255)["count"] == 0


def test_a_refused_upload_has_its_names(scene: tuple[Control, Api]) -> None:
    control, api = scene
    control.set_balance(423, 0)
    assert api.upload(make_csr("a.example.com", "a.example.com"), name="short.csr").status_code == 400
    assert api.upload(make_csr("a.example.com", "a.example.com"), profile=1, name="forbidden.csr").status_code == 403
    assert api.upload(b"x", name="empty.csr").status_code == 400
    found = [(each["batchName"], each["commonName"]) for each in control.orders()["orders"]]
    assert sorted(found) == [("empty.csr", ""), ("forbidden.csr", ""), ("short.csr", "a.example.com")]


def test_refused_uploads_of_different_files_are_not_the_same_again(scene: tuple[Control, Api]) -> None:
    control, api = scene
    for index in range(4):
        api.upload(b"x", name=f"{index}.csr")
    assert control.repeated(times=1) == []
    api.upload(b"x", name="3.csr")
    assert [len(each["numbers"]) for each in control.repeated(times=1)] == [2]


def test_an_upload_with_a_name_twice_is_told_by_it() -> None:
    with Emulator(duplicates="refuse") as emulator:
        api = Api(emulator)
        assert (
            api.upload(
                make_csr("a.example.com", "a.example.com") + make_csr("A.example.com", "A.example.com")
            ).status_code
            == 400
        )
        api.session.close()
        (told,) = emulator.control.orders(common_name="a.example.com")["orders"]
        assert told["batchName"] == "requests.csr"


@pytest.mark.parametrize(
    "content_type", [None, "multipart/form-data", "application/json", "multipart/form-data; boundary=x"]
)
def test_an_upload_that_a_fault_struck_has_its_name(scene: tuple[Control, Api], content_type: str | None) -> None:
    control, api = scene
    control.queue_fault("unavailable", calls=["upload"])
    header = {} if content_type is None else {"Content-Type": content_type}
    assert api.upload(b"x", name="struck.csr", headers=header).status_code == 503
    (told,) = control.orders()["orders"]
    assert told["batchName"] == ("struck.csr" if content_type is None else "")


# Which calls may be asked for


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("createSingleCertBach", "did you mean 'createSingleCertBatch'"),
        ("nope", "there is no endpoint 'nope'"),
        ("", "''"),
    ],
)
def test_a_call_that_does_not_exist_is_refused(emulator: Emulator, name: str, words: str) -> None:
    reply = requests.get(f"{emulator.control.url}/journal", params={"call": name}, timeout=10)
    assert reply.status_code == 422
    assert words in reply.json()["error"]


def test_a_call_has_its_name_or_a_path(scene: tuple[Control, Api]) -> None:
    control, api = scene
    api.upload(b"x")
    api.get("/nowhere")
    assert [each["call"] for each in control.journal(call="uploadCSR")] == ["upload"]
    assert [each["status"] for each in control.journal(call="/nowhere")] == [404]
    assert control.journal(call="generators") == control.journal(call="/other") == []
    with pytest.raises(ControlError, match="no endpoint"):
        control.journal(call="nowhere")


# What is shown of what was sent

BROKEN = [
    {"profileParams": {"pkcs12Pwd": SECRET}},
    {"profileParams": {"pkcs12Passwd": SECRET}},
    {"profileParams": {"pkcs12": SECRET}},
    {"profileParams": {"pin": SECRET}},
    {"profileParams": {"commonName": [SECRET]}},
    {"profileParams": {"commonName": {"password": SECRET}}},
    {"profileParams": json.dumps({"pkcs12Password": SECRET})},
    {"profileParams": [{"name": "pkcs12Password", "value": SECRET}]},
    {"pkcs12Password": SECRET},
    {"batchName": [SECRET]},
    {"passwort": SECRET},
    {"username": {"password": SECRET}},
    ["tester", SECRET],
    SECRET,
    {"Username": SECRET, "username": "tester"},
]


@pytest.mark.parametrize("document", BROKEN, ids=json.dumps)
def test_a_client_that_is_wrong_gives_nothing_away(scene: tuple[Control, Api], document: object) -> None:
    control, api = scene
    for method, path in (("POST", "/auth/pwd"), ("POST", "/auth/refresh"), ("PUT", CREATE)):
        api.call(method, path, json=document)
    api.upload(b"x", batch_request=document)  # type: ignore[arg-type]
    entries = control.journal()[-4:]
    assert [each["call"] for each in entries] == ["authenticate", "refresh", "createSingleCertBatch", "upload"]
    assert all(MASK in each["request"]["body"] or "(not shown: " in each["request"]["body"] for each in entries)
    assert SECRET not in everything(control)


def test_what_is_harmless_is_shown(scene: tuple[Control, Api]) -> None:
    control, api = scene
    parameters = {"commonName": "example.com", "dNSName": None, "pkcs12Password": PASSWORD, "wrong": "x"}
    api.call(
        "PUT", CREATE, json={"authorityId": "423", "batchName": "first", "extra": 7, "profileParams": parameters}
    )
    shown = {"commonName": "example.com", "dNSName": None, "pkcs12Password": MASK, "wrong": MASK}
    assert json.loads(latest(control)["request"]["body"]) == {
        "authorityId": "423",
        "batchName": "first",
        "extra": MASK,
        "profileParams": shown,
    }
    assert json.loads(latest(control)["reply"]["body"])["message"] == "authorityId: an integer is required"
    api.login("tester", "x")
    assert json.loads(latest(control)["request"]["body"]) == {"username": "tester", "password": MASK}


def test_a_reply_tells_the_batch_and_no_token(scene: tuple[Control, Api]) -> None:
    control, api = scene
    number = api.order().json()["batchId"]
    batch = json.loads(latest(control)["reply"]["body"])
    assert (batch["batchId"], batch["status"], batch["downloadable"]) == (number, "CREATED", True)
    assert MASK not in latest(control)["reply"]["body"]
    api.call("POST", "/auth/refresh", data=api.tokens["refreshToken"])
    assert json.loads(latest(control)["reply"]["body"]) == {"accessToken": MASK, "refreshToken": MASK}
    control.queue_fault("null", calls=["authenticate"])
    api.login("tester", "x")
    assert latest(control)["reply"]["body"] == "null"
    control.queue_fault("html", calls=["createSingleCertBatch"])
    api.order()
    assert latest(control)["reply"]["body"].startswith("(not shown: ")


def test_a_body_that_was_cut_is_not_shown_where_it_may_hold_a_secret(scene: tuple[Control, Api]) -> None:
    control, api = scene
    body = json.dumps({"username": "tester", "filler": "x" * 5000, "password": SECRET})
    api.call("POST", "/auth/pwd", data=body)
    assert latest(control)["request"]["body"] == f"(not shown: {len(body)} bytes that may hold a secret)"


def test_what_is_sent_to_a_call_without_a_schema_is_masked(scene: tuple[Control, Api]) -> None:
    control, api = scene
    control.queue_fault("json-error", calls=["userCredentials"])
    api.call("POST", "/api/v1/users/credentials", json={"new": SECRET})
    assert json.loads(latest(control)["request"]["body"]) == {"new": MASK}


def test_headers_that_are_not_known_to_be_harmless_are_masked(scene: tuple[Control, Api]) -> None:
    control, api = scene
    hidden = dict.fromkeys(("X-Api-Key", "X-Auth-Token", "X-Password", "Cookie", "Proxy-Authorization"), SECRET)
    api.call("GET", "/status", headers={**hidden, "User-Agent": "mine/1", "X-Request-Id": "7", "X-Empty": ""})
    headers = latest(control)["request"]["headers"]
    assert [headers[name.lower()] for name in hidden] == [MASK] * 5
    assert (headers["user-agent"], headers["x-request-id"], headers["x-empty"]) == ("mine/1", "7", "")
    assert latest(control)["reply"]["headers"]["content-type"].startswith("application/json")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (f"Basic {SECRET}", f"Basic {MASK}"),
        (f"bearer {SECRET}", f"bearer {MASK}"),
        (SECRET, MASK),
        (f"{SECRET} x", MASK),
    ],
)
def test_an_authorization_tells_its_scheme(scene: tuple[Control, Api], value: str, shown: str) -> None:
    control, api = scene
    api.call("GET", "/status", headers={"Authorization": value})
    assert latest(control)["request"]["headers"]["authorization"] == shown


@pytest.mark.parametrize(
    ("sent", "shown"),
    [
        ("page=1&size=20", "page=1&size=20"),
        (f"page={SECRET}&x={SECRET}&{SECRET}&=", f"page={MASK}&x={MASK}&{MASK}&="),
        (f"a=&b=1;c={SECRET}", f"a=&b={MASK}"),
    ],
)
def test_the_query_is_masked(scene: tuple[Control, Api], sent: str, shown: str) -> None:
    control, api = scene
    referer = f"http://me:{SECRET}@example.com/a?{sent}#{SECRET}"
    api.call("GET", f"/api/v1/batches?{sent}", headers={"Referer": referer})
    entry = latest(control)
    assert entry["path"] == f"/api/v1/batches?{shown}"
    assert entry["request"]["headers"]["referer"] == f"http://{MASK}@example.com/a?{shown}#{MASK}"


# The form of an upload


def csr_with_challenge() -> bytes:
    key = ec.generate_private_key(ec.SECP256R1())
    builder = x509.CertificateSigningRequestBuilder(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "example.com")])
    )
    builder = builder.add_attribute(AttributeOID.CHALLENGE_PASSWORD, SECRET.encode())
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.PEM)


def test_an_upload_shows_its_requests_and_what_is_harmless(scene: tuple[Control, Api]) -> None:
    control, api = scene
    request = make_csr("example.org")
    document = {"profileId": 423, "batchType": "BATCH", "profileParams": {"commonName": "a", "pin": SECRET}}
    api.upload(request, name="fleet.csr", batch_request=document)
    body = latest(control)["request"]["body"]
    assert request.decode().strip() in body
    assert 'name="files"; filename="fleet.csr"\nContent-Type: application/octet-stream' in body
    assert f'"profileParams": {{"commonName": "a", "pin": "{MASK}"}}' in body
    assert 'name="profileId"\n\n423\n' in body
    assert "(not shown" not in body


def test_an_upload_shows_nothing_else(scene: tuple[Control, Api]) -> None:
    control, api = scene
    key = ec.generate_private_key(ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    challenge = csr_with_challenge()
    shown = make_csr("example.org")
    false = b"-----BEGIN CERTIFICATE REQUEST-----\nmarked\n-----END CERTIFICATE REQUEST-----\n"
    for content in (key, challenge, SECRET.encode() + b"\n" + shown, false):
        api.upload(content)
        body = latest(control)["request"]["body"]
        assert "bytes that may hold a secret" in body
        assert not any(line in body for line in content.decode().split("\n")[1:2] if line not in shown.decode())
        assert SECRET not in body
    parts: Any = {"profileId": (None, SECRET), "password": (None, SECRET), "files": ("x", SECRET * 500)}
    api.call("POST", "/api/v1/batches/upload", files=parts)
    assert latest(control)["request"]["body"].endswith("…")
    api.call("POST", "/api/v1/batches/upload", json={"files": SECRET})
    assert SECRET not in everything(control)


# Passwords that are known


def test_the_password_of_an_order_is_masked_wherever_it_turns_up(scene: tuple[Control, Api]) -> None:
    control, api = scene
    password = "correct: horse, battery"
    api.order(PARAMETERS | {"pkcs12Password": password})
    api.order(name=password)
    api.order(name=f"the {password}!")
    api.find(commonName=password)
    api.login(password, "x")
    api.call("GET", "/status", headers={"User-Agent": password})
    text = json.dumps([control.journal(), control.orders(), control.doubled(), control.repeated(times=0)])
    assert password not in text
    assert control.orders(batch_name=password)["count"] == 1
    assert control.orders(batch_name=f"the {password}!")["count"] == 1


def test_names_that_are_passwords_are_told_apart(scene: tuple[Control, Api]) -> None:
    control, api = scene
    for name in ("one password", "another password"):
        api.order(PARAMETERS | {"pkcs12Password": name, "commonName": name.replace(" ", "-")}, name=name)
    found = [each["batchName"] for each in control.orders()["orders"]]
    assert all(each.startswith(MASK) for each in found)
    assert len(set(found)) == 2
    assert control.doubled() == []


def test_the_password_of_a_user_is_masked_wherever_it_stands(scene: tuple[Control, Api], emulator: Emulator) -> None:
    control, api = scene
    api.order(name=f"with {emulator.password} in it")
    api.order({"commonName": emulator.password}, name="x" * 240 + emulator.password)
    api.get(f"/{emulator.password}")
    text = json.dumps([control.journal(), control.orders(), control.repeated(times=0)])
    assert emulator.password not in text
    assert emulator.password[:12] not in text


def test_a_password_that_has_waited_in_a_folder_is_known(tmp_path: Path) -> None:
    with Emulator(state_path=tmp_path) as emulator:
        emulator.control.next_life([{"status": "CREATED"}])
        api = Api(emulator)
        assert api.order(PARAMETERS | {"pkcs12Password": SECRET}).status_code == 201
        api.session.close()
    with Emulator(state_path=tmp_path) as emulator:
        api = Api(emulator)
        api.order(name=SECRET)
        assert SECRET not in json.dumps([emulator.control.journal(), emulator.control.orders()])
        api.session.close()


def test_older_passwords_are_known_as_words() -> None:
    known = KnownSecrets()
    for index in range(1000):
        known.note(f"password {index}")
        known.note(f"secret-{index}")
    known.note("abc")
    assert known.mask("password 0") == f"{MASK} (1)"
    assert known.mask('"a secret-3": abc') == f'"a {MASK} (8)": abc'
    assert known.mask("my password 999!") == f"my {MASK} (1999)!"
    assert "password" not in repr(known)


# Whatever is sent

NAMES = st.sampled_from(("pkcs12Pwd", "pin", "passwort", "value", "Username", "batchname", "x", "", "password"))
LEAVES = st.sampled_from((SECRET, f"<{SECRET}>", SECRET, None, 1, "other"))
NESTED = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
WITHIN = st.lists(NESTED, max_size=3) | st.dictionaries(NAMES, NESTED, max_size=4)
HARMLESS = st.sampled_from(
    ("username", "batchName", "authorityId", "profileId", "batchType", "commonName", "message")
)
DOCUMENTS = st.one_of(
    NESTED,
    st.dictionaries(NAMES, NESTED, max_size=4),
    st.dictionaries(HARMLESS, WITHIN, max_size=4),
    st.fixed_dictionaries({"authorityId": st.just(423), "batchName": st.just("b"), "profileParams": NESTED}),
    st.fixed_dictionaries({"profileParams": st.dictionaries(HARMLESS, WITHIN, max_size=3)}),
    st.fixed_dictionaries({"profileParams": WITHIN.map(json.dumps)}),
    st.fixed_dictionaries({"username": st.just("tester"), "password": st.just(SECRET), "more": NESTED}),
)
HEADERS = st.dictionaries(
    st.sampled_from(("X-Api-Key", "X-Auth-Token", "X-Password", "Cookie", "Authorization", "Contents", "Accepted")),
    st.sampled_from((SECRET, f"Basic {SECRET}", f"{SECRET} {SECRET}", f"a={SECRET}")),
    max_size=3,
)
FORMS = st.sampled_from(("json", "cut", "long", "form", "twice", "utf-16", "types"))


def spelled(document: object, form: str) -> tuple[bytes, str]:
    """Return a document as a client may send it, rightly or not, and the type that it declares."""
    text = json.dumps(document)
    spellings = {
        "json": text.encode(),
        "cut": text[:-1].encode(),
        "long": json.dumps({"filler": "x" * 5000, "value": document}).encode(),
        "form": urlencode({"password": text}).encode(),
        "twice": json.dumps(text).encode(),
        "utf-16": text.encode("utf-16"),
        "types": text.encode(),
    }
    return spellings[form], "text/plain" if form in ("types", "form") else "application/json"


@settings(max_examples=50 * SCALE, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(document=DOCUMENTS, headers=HEADERS, form=FORMS)
def test_no_secret_is_told_whatever_was_sent(
    emulator: Emulator, api: Api, document: object, headers: dict[str, str], form: str
) -> None:
    control, body = emulator.control, spelled(document, form)
    last = control.journal(limit=1)[-1]["number"]
    sent = {**headers, "Content-Type": body[1]}
    for method, path in (("POST", "/auth/pwd"), ("POST", "/auth/refresh"), ("PUT", CREATE)):
        api.call(method, f"{path}?x={SECRET}", data=body[0], headers=sent)
    api.call("PUT", CREATE, data=body[0], headers={"Content-Type": body[1]})
    parts: Any = [("profileId", (None, "423")), ("csrBatchRequest", ("blob", *body)), ("files", ("f", SECRET))]
    api.call("POST", "/api/v1/batches/upload", files=parts, headers=headers)
    told = everything(control, after=last)
    assert SECRET not in told
    assert told.count('"createSingleCertBatch"') == 2


def test_a_name_that_is_no_secret_is_told(scene: tuple[Control, Api]) -> None:
    control, api = scene
    api.order(name="Zq7-marked-name")
    assert everything(control).count("Zq7-marked-name") > 3


def test_a_password_that_is_the_batchs_name_too_is_shown_nowhere() -> None:
    secret = "correct-horse-battery"
    with Emulator() as emulator:
        api = Api(emulator)
        assert api.order(PARAMETERS | {"pkcs12Password": secret}, name=secret).status_code == 201
        api.session.close()
        control = emulator.control
        told = [control.batches(), control.batch(10000), control.unfetched(), control.orders(), control.journal()]
    assert secret not in str(told)
