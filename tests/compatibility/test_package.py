"""The Go package's table of names, as a test: each Python method sends the request of its row, arguments in order."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest
import requests

from sectigo_iot import ENDPOINTS, Credentials, InvalidInputError, IoTManager, Settings
from sectigo_iot.emulator import Emulator
from tests.compatibility.test_package_errors import ERRORS
from tests.conftest import settings_for
from tests.emulator.csrs import make_csr
from tests.unit.lying_server import PARAMS, settings_at

ROOT = Path(__file__).parents[2]


class Row(NamedTuple):
    """One method of the Go package: its name here, its arguments in order, its call, and ids of its path."""

    method: str
    parameters: tuple[str, ...]
    call: str
    arguments: Callable[[int, str, Path], tuple[Any, ...]] = lambda batch, serial, folder: ()
    ids: Callable[[int], tuple[int, ...]] = lambda batch: ()


def of_batch(method: str, call: str, **more: Any) -> Row:
    return Row(method, ("batch_id",), call, lambda batch, *_: (batch,), lambda batch: (batch,), **more)


def of_profile(method: str, call: str, name: str = "profile_id") -> Row:
    return Row(method, (name,), call, lambda *_: (423,), lambda _: (423,))


METHODS = {
    "Authenticate": Row("authenticate", (), "authenticate"),
    "Refresh": Row("refresh", (), "refresh"),
    "CreateSingleCertBatch": Row(
        "create_single_cert_batch",
        ("authority", "name", "params"),
        "createSingleCertBatch",
        lambda *_: (423, "example.com certs", PARAMS),
    ),
    "UploadCSRBatch": Row(
        "upload_csr_batch",
        ("profile_id", "filename", "csr_data", "params"),
        "upload",
        lambda *_: (423, "example.com.csr", make_csr("example.com", "example.com"), {}),
    ),
    "BatchDetail": of_batch("batch_detail", "batchDetail"),
    "BatchStatus": of_batch("batch_status", "batchStatus"),
    "ProcessingInfo": of_batch("processing_info", "batchProcessingInfo"),
    "Download": Row(
        "download",
        ("batch", "directory"),
        "download",
        lambda batch, _, folder: (batch, folder),
        lambda batch: (batch,),
    ),
    "LicensesUsed": Row("licenses_used", (), "devices"),
    "UserAuthorities": Row("user_authorities", (), "userAuthorities"),
    "AuthorityAvailableBalance": of_profile(
        "authority_available_balance", "authorityUserBalanceAvailable", "authority_id"
    ),
    "Profiles": Row("profiles", (), "profiles"),
    "ProfileParams": of_profile("profile_params", "profileParameters"),
    "ProfileDetail": of_profile("profile_detail", "profileDetail"),
    "Organization": Row("organization", (), "currentUserOrganization"),
    "FindCertificate": Row(
        "find_certificate",
        ("common_name", "serial_number"),
        "findCertificate",
        lambda _, serial, __: ("example.com", serial),
    ),
    "RevokeCertificate": Row(
        "revoke_certificate",
        ("profile_id", "reason_code", "serial_number"),
        "revokeCertificate",
        lambda _, serial, __: (423, 4, serial),
        lambda _: (423,),
    ),
}
"""By the Go names; ids are those of the emulator's account, where authority and profile 423 belong together."""


class Ordered(NamedTuple):
    """A client that is logged in, and what it has ordered."""

    client: IoTManager
    batch: int
    serial: str


@pytest.fixture(scope="module")
def ordered() -> Iterator[Ordered]:
    with Emulator() as service, IoTManager(settings_for(service)) as client:
        batch = client.create_single_cert_batch(423, "first", PARAMS).batch_id
        serial = client.find_certificate("example.com").items[0].serial_number
        assert serial is not None
        yield Ordered(client, batch, serial)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, str]]:
    """Method and path of each request that leaves."""
    seen: list[tuple[str, str]] = []
    send = requests.Session.send

    def record(session: requests.Session, request: requests.PreparedRequest, **options: Any) -> requests.Response:
        seen.append((str(request.method), urlsplit(str(request.url)).path))
        return send(session, request, **options)

    monkeypatch.setattr(requests.Session, "send", record)
    return seen


@pytest.mark.parametrize("row", METHODS.values(), ids=METHODS)
def test_a_method_sends_the_request_of_its_row(
    ordered: Ordered, sent: list[tuple[str, str]], tmp_path: Path, row: Row
) -> None:
    method = getattr(ordered.client, row.method)
    assert tuple(inspect.signature(method).parameters)[: len(row.parameters)] == row.parameters
    found = method(*row.arguments(ordered.batch, ordered.serial, tmp_path))
    endpoint = ENDPOINTS[row.call]
    assert sent == [(endpoint.method, endpoint.path_of(*row.ids(ordered.batch)))]
    if row.method == "download":
        assert found == tmp_path / f"{ordered.batch}.zip"


def test_the_rows_are_the_17_calls_with_a_schema() -> None:
    assert {row.call for row in METHODS.values()} == {name for name, row in ENDPOINTS.items() if row.typed}
    assert len(METHODS) == 17


def documented() -> dict[str, tuple[str, str]]:
    """Return the table of docs/python.md: each Go name with its Python and its call; a row may hold several."""
    rows = re.findall(r"^\| (`.+?) \| (.+?) \| (.*?) ?\|$", (ROOT / "docs/python.md").read_text(), re.MULTILINE)
    return {
        name: (python, call.strip("` ")) for names, python, call in rows for name in re.findall(r"`(.+?)`", names)
    }


def test_the_documented_table_has_the_same_rows() -> None:
    table = documented()
    for go, row in METHODS.items():
        python, call = table[go]
        assert f"`{row.method}({', '.join(row.parameters)})`" in python, go
        assert call == row.call
    for go, error in ERRORS.items():
        assert table[go] == (f"`{error.__name__}`", "")
    others = set(table) - set(METHODS) - set(ERRORS)
    assert others == {
        *("New(Config{…})", "Creds", "Profile", "Endpoint", "RevokeReasonCode", "CRLReason…", "BatchStatus…"),
        *("Param…", "Config.Validate", "APIError{Status, Message, ErrorCode, Timestamp}"),
        *("Credentials.Valid", "Current", "Refreshable", "CacheFile", "Check", "Clear", "Load", "Dump", "Update"),
    }


# A client, its session, its URLs


def test_new_takes_the_settings_in_the_order_of_config() -> None:
    names = ("username", "password", "profile", "endpoint", "environment")
    assert tuple(inspect.signature(Settings).parameters)[:5] == names
    assert f"`IoTManager(Settings({', '.join(names)}))`" in documented()["New(Config{…})"][0]
    settings = Settings("jane", "secret", "42", "http://127.0.0.1:1", "testing", environ={})
    with IoTManager(settings) as client:
        assert (client.profile, client.creds.username) == ("42", "jane")
        assert client.endpoint("devices").startswith("http://127.0.0.1:1/")


def test_creds_is_a_copy_that_shows_no_secret(ordered: Ordered) -> None:
    copy = ordered.client.creds
    copy.clear()
    assert ordered.client.creds.valid
    pair = ordered.client.creds.tokens
    assert pair is not None
    shown = repr(ordered.client.creds)
    for secret in (pair.access_token, pair.refresh_token, ordered.client.settings.password):
        assert str(secret) not in shown


@pytest.mark.parametrize("go", ["Valid", "Current", "Refreshable", "CacheFile"])
def test_what_credentials_tell_is_a_property(ordered: Ordered, go: str) -> None:
    name = {"CacheFile": "cache_file"}.get(go, go.lower())
    assert isinstance(inspect.getattr_static(Credentials, name), property)
    assert getattr(ordered.client.creds, name) is (None if go == "CacheFile" else True)


@pytest.mark.parametrize(
    ("method", "parameters"),
    [
        ("check", ()),
        ("clear", ()),
        ("load", ("username", "password")),
        ("dump", ()),
        ("update", ("access_token", "refresh_token")),
    ],
)
def test_what_credentials_do_is_a_method(method: str, parameters: tuple[str, ...]) -> None:
    assert tuple(inspect.signature(getattr(Credentials, method)).parameters)[1:] == parameters


@pytest.mark.parametrize("name", [*ENDPOINTS, "uploadCSR"])
def test_endpoint_gives_the_url_of_every_call(name: str) -> None:
    row = ENDPOINTS["upload" if name == "uploadCSR" else name]
    ids = tuple(range(1, row.ids + 1))
    with IoTManager(settings_at("http://127.0.0.1:1/prefix")) as client:
        assert client.endpoint(name, *ids) == "http://127.0.0.1:1/prefix" + row.path.replace("{id}", "%s") % ids
        with pytest.raises(InvalidInputError):
            client.endpoint(name, *ids, 99)


def test_there_are_53_calls() -> None:
    assert len(ENDPOINTS) == 53
