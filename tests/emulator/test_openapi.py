"""What the OpenAPI document says of the control port, held against the port itself."""

from __future__ import annotations

import http.client
import json
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote, urlsplit

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.control.calls import Call
from sectigo_iot.emulator.control.client import Control
from sectigo_iot.emulator.control.routes import CALLS
from tests.emulator.api import Api
from tests.emulator.soak import SCALE

_KINDS: dict[str, type | tuple[type, ...]] = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "integer": int,
    "number": (int, float),
    "null": type(None),
}
_METHODS = ("get", "post", "put", "delete")


class Port:
    """A connection to a control port, and the document that describes it."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self.connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=10)
        self.document: dict[str, Any] = json.loads(self.ask("GET", "/openapi.json")[1])

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes, str]:
        """Return status, body and media type of a reply."""
        headers = {} if body is None else {"Content-Type": "application/json"}
        self.connection.request(method, path, body, headers)
        reply = self.connection.getresponse()
        return reply.status, reply.read(), reply.headers.get_content_type()

    def fits(self, path: str, method: str, path_asked: str, body: object = None) -> Any:
        """Assert that a call is answered as described, and return the answer."""
        content = None if body is None else json.dumps(body).encode()
        status, text, media_type = self.ask(method, path_asked, content)
        described = self.document["paths"][path][method.lower()]["responses"][str(status)]["content"][media_type]
        if media_type != "application/json":
            return text
        document = json.loads(text)
        assert not list(self.mistakes(document, described["schema"], "$")), text
        return document

    def mistakes(self, value: Any, schema: dict[str, Any], spot: str) -> Iterator[str]:
        """Yield what does not fit a schema: as much of JSON Schema as the document uses."""
        if "$ref" in schema:
            name = schema["$ref"].removeprefix("#/components/schemas/")
            yield from self.mistakes(value, self.document["components"]["schemas"][name], spot)
        if "anyOf" in schema and all(list(self.mistakes(value, each, spot)) for each in schema["anyOf"]):
            yield f"{spot}: {value!r} is none of those allowed"
        kind = schema.get("type")
        if kind is not None and (
            not isinstance(value, _KINDS[kind]) or (isinstance(value, bool) and kind != "boolean")
        ):
            yield f"{spot}: {value!r} is no {kind}"
        elif "enum" in schema and value not in schema["enum"]:
            yield f"{spot}: {value!r} is none of {schema['enum']}"
        elif isinstance(value, dict):
            yield from self._mistakes_inside(value, schema, spot)
        elif isinstance(value, list):
            for index, each in enumerate(value):
                inside = schema.get("prefixItems", [])
                fitting = inside[index] if index < len(inside) else schema.get("items", {})
                yield from self.mistakes(each, fitting if isinstance(fitting, dict) else {}, f"{spot}[{index}]")

    def _mistakes_inside(self, value: dict[str, Any], schema: dict[str, Any], spot: str) -> Iterator[str]:
        known, further = (
            schema.get("properties", {}),
            schema.get("additionalProperties", not schema.get("properties")),
        )
        yield from (f"{spot}.{name} is missing" for name in schema.get("required", []) if name not in value)
        for name, each in value.items():
            if name in known:
                yield from self.mistakes(each, known[name], f"{spot}.{name}")
            elif isinstance(further, dict):
                yield from self.mistakes(each, further, f"{spot}.{name}")
            elif not further:
                yield f"{spot}.{name} is not described"


@pytest.fixture(scope="module")
def port(emulator: Emulator) -> Iterator[Port]:
    port = Port(str(emulator.control_url))
    yield port
    port.connection.close()


def test_every_call_of_the_table_stands_in_the_document(port: Port) -> None:
    described = {(m.upper(), path) for path, item in port.document["paths"].items() for m in item}
    assert described == {(call.method, call.plain_path) for call in CALLS}
    assert len(described) == len(CALLS)


def test_the_document_holds_together(port: Port) -> None:
    document, text = port.document, json.dumps(port.document)
    assert document["openapi"].startswith("3.1")
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in document["components"]["schemas"]
    operations = [item[method] for item in document["paths"].values() for method in _METHODS if method in item]
    names = [each["operationId"] for each in operations]
    assert len(names) == len(set(names))
    assert all(each["summary"] for each in operations)
    for path, item in document["paths"].items():
        for each in item.values():
            inside = {p["name"] for p in each.get("parameters", []) if p["in"] == "path"}
            assert inside == set(re.findall(r"\{(\w+)\}", path))


def test_parameters_and_bodies_are_described(port: Port) -> None:
    batches = port.document["paths"]["/batches"]["get"]["parameters"]
    assert [each["name"] for each in batches] == ["limit", "before"]
    assert batches[0]["schema"]["maximum"] == 100_000
    assert not batches[0]["required"]
    push = port.document["paths"]["/batches/{id}/push"]["post"]
    assert push["requestBody"] == {
        "required": True,
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Step"}}},
    }
    assert {"200", "400", "404", "409", "413", "415", "422"} <= set(push["responses"])
    assert "requestBody" not in port.document["paths"]["/journal"]["delete"]


def test_the_checker_of_this_test_finds_mistakes(port: Port) -> None:
    schema = {"$ref": "#/components/schemas/ClockTime"}
    good = {"time": "2026-01-01T00:00:00.000Z", "seconds": 1.5, "ahead": 0}
    assert not list(port.mistakes(good, schema, "$"))
    wrong: list[Any] = [{**good, "seconds": "1"}, {"time": ""}, [], {**good, "ahead": None}, {**good, "ahead": True}]
    for bad in wrong:
        assert list(port.mistakes(bad, schema, "$"))
    assert list(port.mistakes([1, 2, "x"], {"type": "array", "prefixItems": [{"type": "integer"}] * 3}, "$"))


def test_every_reply_is_as_described(emulator: Emulator, port: Port) -> None:
    api = Api(emulator)
    first, second = (api.order(name=name).json()["batchId"] for name in ("one", "two"))
    api.files(first)
    api.batch(first)
    api.order(authority=1)
    port.fits("/lives", "POST", "/lives", {"steps": [{"status": "PROCESSING", "info": [1, 0, 0]}], "times": 2})
    third = api.order(name="three").json()["batchId"]
    serial = port.fits("/batches/{id}", "GET", f"/batches/{first}")["serials"][0]
    asked = set()
    for method, path, values, body in _run(first, second, third, serial):
        where = path.format(**values) if isinstance(values, dict) else path + values
        port.fits(path, method, where, body)
        asked.add((method, path))
    api.session.close()
    left = {(call.method, call.plain_path) for call in CALLS} - asked
    assert left == {("GET", "/events"), ("POST", "/ocsp"), ("POST", "/lives"), ("GET", "/openapi.json")}


def _run(first: int, second: int, third: int, serial: str) -> Iterator[tuple[str, str, Any, object]]:
    """Yield calls: method, path, what fills it or a query behind it, body."""
    for path in (
        "/",
        "/status",
        "/clock",
        "/authorities",
        "/users",
        "/batches",
        "/certificates",
        "/lives",
        "/faults",
    ):
        yield "GET", path, "", None
    yield "GET", "/batches", "?limit=1&before=99999", None
    yield "GET", "/batches/{id}", {"id": first}, None
    yield "GET", "/batches/{id}", {"id": 1}, None
    yield "POST", "/batches/{id}/push", {"id": first}, {"status": "X"}
    yield "POST", "/batches/{id}/reject", {"id": third}, {}
    yield "POST", "/batches/{id}/reject", {"id": third}, {}
    yield "POST", "/certificates/{serial}/revoke", {"serial": serial}, {"reason": 6}
    yield "POST", "/certificates/{serial}/revoke", {"serial": serial}, {"reason": "superseded"}
    yield "POST", "/certificates/{serial}/revoke", {"serial": serial}, {}
    yield "GET", "/certificates/{serial}", {"serial": serial}, None
    yield "GET", "/certificates/{serial}.pem", {"serial": serial}, None
    yield "POST", "/batches/{id}/revoke", {"id": second}, {"reason": "keyCompromise"}
    for path in ("/ca/chain.pem", "/snapshots"):
        yield "GET", path, "", None
    yield "GET", "/ca/{name}.crt", {"name": "root"}, None
    yield "GET", "/crl/{name}.crl", {"name": "root"}, None
    yield "GET", "/ocsp/{asked}", {"asked": "eA=="}, None
    yield "PUT", "/authorities/{id}/balance", {"id": 423}, {"balance": 3}
    yield "POST", "/profiles/{id}/require", {"id": 423}, {"parameter": "employee"}
    yield "POST", "/users/{username}/unlock", {"username": "tester"}, None
    yield "GET", "/journal", "?limit=1000", None
    for name in ("orders", "logins", "polls", "downloads", "doubled", "simultaneous", "twins", "gaps", "late-polls"):
        yield "GET", f"/journal/{name}", "", None
    yield "GET", "/journal/unfetched", "?downloads=true", None
    yield "GET", "/journal/repeated", "?times=0", None
    yield "POST", "/faults", "", {"fault": "lost-reply", "calls": ["upload"]}
    yield "POST", "/faults/rules", "", {"fault": "lost-reply", "percent": 1.5}
    yield "DELETE", "/faults/rules/{index}", {"index": 0}, None
    yield "DELETE", "/faults/rules/{index}", {"index": 0}, None
    yield "DELETE", "/faults", "", None
    yield "DELETE", "/lives", "", None
    yield "PUT", "/snapshots/{name}", {"name": "one"}, None
    yield "POST", "/snapshots/{name}/restore", {"name": "one"}, None
    yield "DELETE", "/snapshots/{name}", {"name": "one"}, None
    yield "POST", "/clock/advance", "", {"days": 40}
    yield "GET", "/batches", "", None
    yield "DELETE", "/journal", "", None
    yield "POST", "/reset", "", {}


def test_each_method_of_the_client_names_its_call() -> None:
    calls = {f"{call.method} {call.plain_path}" for call in CALLS}
    methods = [each for name, each in vars(Control).items() if not name.startswith("_")]
    named = {re.findall(r"API: (\w+ \S+)", str(each.__doc__))[0] for each in methods}
    assert named <= calls
    for_others = {"/", "/events", "/openapi.json", "/certificates/{serial}.pem", "/ocsp", "/ocsp/{asked}"}
    left = {each.split()[1] for each in calls - named}
    assert left == for_others | {"/ca/chain.pem", "/ca/{name}.crt", "/crl/{name}.crl"}


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)
TEXTS = st.sampled_from(("", "1", "first", "tester", "lost-reply", "ready", "../..", "%", "\x00", "é", "x" * 300))
FUZZED = [call for call in CALLS if call.path != "/events"]


@st.composite
def requests_like(draw: st.DrawFn) -> tuple[Call, str, bytes]:
    """Draw a call, a path for it and a body whose fields are those wanted, as a rule."""
    call = draw(st.sampled_from(FUZZED))
    values = {
        name: quote(draw(TEXTS | st.sampled_from(("423", "10000"))), safe="") for name, _ in call.path_parameters()
    }
    names = st.sampled_from(getattr(call.body, "__struct_fields__", None) or ("x",)) | st.text(max_size=3)
    likely = st.dictionaries(names, st.integers(-1, 9) | TEXTS | JSON, max_size=4).map(json.dumps).map(str.encode)
    body = draw(likely | JSON.map(json.dumps).map(str.encode) | st.binary(max_size=20))
    queries = getattr(call.query, "__struct_encode_fields__", None) or ("x",)
    query = "&".join(f"{name}={quote(draw(TEXTS))}" for name in draw(st.lists(st.sampled_from(queries), max_size=2)))
    return call, call.plain_path.format(**values) + (f"?{query}" if query else ""), body


@pytest.fixture(scope="module")
def fuzzed() -> Iterator[Port]:
    with Emulator() as emulator:
        api = Api(emulator)
        api.order()
        api.session.close()
        port = Port(str(emulator.control_url))
        yield port
        port.connection.close()


@settings(max_examples=150 * SCALE, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(request=requests_like())
def test_whatever_is_sent_is_answered(fuzzed: Port, request: tuple[Call, str, bytes]) -> None:
    call, path, body = request
    status, text, media_type = fuzzed.ask(call.method, path, None if call.method == "GET" else body)
    assert 200 <= status < 500, text
    if status >= 400 and media_type == "application/json":
        assert list(json.loads(text)) == ["error"]
