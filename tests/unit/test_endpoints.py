"""The table of 53 calls, and the typed methods beside it."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
import re

import pytest

import sectigo_iot.api
from sectigo_iot import ENDPOINTS, InvalidInputError, IoTManager, Repeat, Settings, find_endpoint

NAMES = [
    "authenticate",
    "refresh",
    "createSingleCertBatch",
    "batchDetail",
    "batchStatus",
    "batchProcessingInfo",
    "download",
    "upload",
    "devices",
    "userAuthorities",
    "authorityUserBalanceAvailable",
    "profiles",
    "profileDetail",
    "profileParameters",
    "currentUserOrganization",
    "findCertificate",
    "revokeCertificate",
    "batches",
    "batchAuditLog",
    "batchDevicesAuditLog",
    "batchPreview",
    "uploadCSV",
    "generators",
    "authorityBalanceUsed",
    "authorityBalanceAvailable",
    "users",
    "checkEmail",
    "userDetail",
    "userProfiles",
    "usersOrganizations",
    "removeUser",
    "currentUser",
    "updateEmail",
    "checkUser",
    "userCredentials",
    "profileBalance",
    "profileSubjectDN",
    "organizations",
    "organizationDetail",
    "checkOrganization",
    "updateAuthority",
    "organizationAuthorities",
    "authorityDetail",
    "authorities",
    "organizationListItems",
    "organizationParameters",
    "ecosystems",
    "userEcosystem",
    "ecosystemBalance",
    "ecosystemsStatistics",
    "ecosystemAdminDetail",
    "ecosystemAdmins",
    "revokeDeviceCertificate",
]

PATHS = [
    "/auth/pwd",
    "/auth/refresh",
    "/api/v1/batches/createSingleCertBatch",
    "/api/v1/batches/{id}",
    "/api/v1/batches/{id}/status",
    "/api/v1/batches/{id}/processing_info",
    "/api/v1/batches/{id}/download",
    "/api/v1/batches/upload",
    "/api/v1/devices",
    "/api/v1/authorities/allowed",
    "/api/v1/authorities/{id}/balanceavailable",
    "/api/v1/profiles",
    "/api/v1/profiles/{id}",
    "/api/v1/profiles/{id}/parameters",
    "/api/v1/organizations/user",
    "/api/v1/certificates/find",
    "/api/v1/certificates/{id}/revoke",
    "/api/v1/batches",
    "/api/v1/batches/{id}/auditLog",
    "/api/v1/batches/{id}/devices/auditLog",
    "/api/v1/batches/preview",
    "/api/v2/organizations/{id}/profiles/{id}/batches/csv-upload",
    "/api/v1/generators",
    "/api/v1/authorities/{id}/balanceused/{id}",
    "/api/v1/authorities/{id}/balanceavailable/{id}",
    "/api/v1/users",
    "/api/v1/users/check_email",
    "/api/v1/users/{id}",
    "/api/v1/users/profiles",
    "/api/v1/users/organizations/{id}",
    "/api/v1/users/remove_user",
    "/api/v1/users/current",
    "/api/v1/users/update_email",
    "/api/v1/users/check_user",
    "/api/v1/users/credentials",
    "/api/v1/profiles/{id}/balance",
    "/api/v1/profiles/{id}/dn",
    "/api/v1/organizations",
    "/api/v1/organizations/{id}",
    "/api/v1/organizations/check_organization",
    "/api/v1/organizations/{id}/authorities/{id}",
    "/api/v1/organizations/{id}/all_authorities",
    "/api/v1/organizations/{id}/authority/{id}",
    "/api/v1/organizations/{id}/authority",
    "/api/v1/organizations/select/items",
    "/api/v1/organizations/profile_parameters/{id}",
    "/api/v1/ecosystems",
    "/api/v1/ecosystems/ecosystem",
    "/api/v1/ecosystems/ecosystem/balance",
    "/api/v1/ecosystems/statistics",
    "/api/v1/ecosystems/users/{id}",
    "/api/v1/ecosystems/users",
    "/api/v1/certificates/revoke",
]

METHODS = {
    "Authenticate": ("authenticate", (), "authenticate"),
    "Refresh": ("refresh", (), "refresh"),
    "CreateSingleCertBatch": ("create_single_cert_batch", ("authority", "name", "params"), "createSingleCertBatch"),
    "UploadCSRBatch": ("upload_csr_batch", ("profile_id", "filename", "csr_data", "params"), "upload"),
    "BatchDetail": ("batch_detail", ("batch_id",), "batchDetail"),
    "BatchStatus": ("batch_status", ("batch_id",), "batchStatus"),
    "ProcessingInfo": ("processing_info", ("batch_id",), "batchProcessingInfo"),
    "Download": ("download", ("batch", "directory"), "download"),
    "LicensesUsed": ("licenses_used", (), "devices"),
    "UserAuthorities": ("user_authorities", (), "userAuthorities"),
    "AuthorityAvailableBalance": (
        *("authority_available_balance", ("authority_id",), "authorityUserBalanceAvailable"),
    ),
    "Profiles": ("profiles", (), "profiles"),
    "ProfileParams": ("profile_params", ("profile_id",), "profileParameters"),
    "ProfileDetail": ("profile_detail", ("profile_id",), "profileDetail"),
    "Organization": ("organization", (), "currentUserOrganization"),
    "FindCertificate": ("find_certificate", ("common_name", "serial_number"), "findCertificate"),
    "RevokeCertificate": ("revoke_certificate", ("profile_id", "reason_code", "serial_number"), "revokeCertificate"),
}
"""Go name -> Python name, its arguments in the Go package's order, the endpoint."""

API_LINE = re.compile(r"API: ([A-Z]+) (/\S+?)[.,]?(?:\s|$)")


def shape(path: str) -> str:
    return re.sub(r"\{\w+\}", "{id}", path)


def test_there_are_53_calls_of_these_names_and_paths() -> None:
    assert len(ENDPOINTS) == 53
    assert list(ENDPOINTS) == NAMES
    assert [row.path for row in ENDPOINTS.values()] == PATHS
    assert all(name == row.name for name, row in ENDPOINTS.items())


def test_17_calls_are_typed_and_36_have_no_method() -> None:
    typed = [row.name for row in ENDPOINTS.values() if row.typed]
    assert typed == NAMES[:17]
    assert all(row.sure == "D" for row in ENDPOINTS.values() if not row.typed)


def test_only_the_two_auth_calls_need_no_token() -> None:
    assert [row.name for row in ENDPOINTS.values() if not row.needs_token] == ["authenticate", "refresh"]


def test_what_may_be_sent_again_is_what_the_reference_says() -> None:
    freely = {row.name for row in ENDPOINTS.values() if row.repeat is Repeat.FREELY}
    assert freely == {row.name for row in ENDPOINTS.values() if row.method == "GET"} | {
        "findCertificate",
        "authenticate",
    }
    assert {row.name for row in ENDPOINTS.values() if row.repeat is Repeat.IF_UNSENT} == {
        "refresh",
        "revokeCertificate",
    }


def test_the_second_name_of_upload_is_known() -> None:
    assert find_endpoint("uploadCSR") is ENDPOINTS["upload"]
    assert find_endpoint("nothing") is None


@pytest.mark.parametrize(("method", "arguments", "endpoint"), METHODS.values(), ids=METHODS)
def test_each_go_method_has_its_python_method(method: str, arguments: tuple[str, ...], endpoint: str) -> None:
    parameters = list(inspect.signature(getattr(IoTManager, method)).parameters.values())[1:]
    assert tuple(p.name for p in parameters if p.kind is p.POSITIONAL_OR_KEYWORD) == arguments
    assert ENDPOINTS[endpoint].typed


def test_every_typed_call_has_a_method() -> None:
    assert {endpoint for _, _, endpoint in METHODS.values()} == {row.name for row in ENDPOINTS.values() if row.typed}


@pytest.mark.parametrize(("method", "endpoint"), [(m, e) for m, _, e in METHODS.values()])
def test_each_docstring_names_its_call(method: str, endpoint: str) -> None:
    text = inspect.getdoc(getattr(IoTManager, method)) or ""
    found = API_LINE.search(text)
    assert found is not None
    assert (found[1], shape(found[2])) == (ENDPOINTS[endpoint].method, ENDPOINTS[endpoint].path)
    assert "aise" in text, "what it raises"
    assert "Source: " in text


def test_each_function_of_the_api_names_a_call_of_the_table() -> None:
    known = {(row.method, row.path) for row in ENDPOINTS.values()}
    named = set()
    for module in pkgutil.iter_modules(sectigo_iot.api.__path__):
        home = importlib.import_module(f"sectigo_iot.api.{module.name}")
        for function in vars(home).values():
            if inspect.isfunction(function) and function.__module__ == home.__name__:
                named |= {(m, shape(path)) for m, path in API_LINE.findall(function.__doc__ or "")}
    assert named <= known
    assert len(named) == 15


@pytest.fixture
def client() -> IoTManager:
    return IoTManager(Settings(endpoint="https://iot.sectigo.com/prefix/", environ={}))


def test_an_endpoint_has_a_url_below_the_clients_own(client: IoTManager) -> None:
    assert client.endpoint("batchDetail", 24) == "https://iot.sectigo.com/prefix/api/v1/batches/24"
    assert client.endpoint("uploadCSV", 1, 2).endswith("/api/v2/organizations/1/profiles/2/batches/csv-upload")
    assert client.endpoint("uploadCSR") == client.endpoint("upload")
    assert client.endpoint("batchDetail", 0).endswith("/batches/0")


@pytest.mark.parametrize("name", NAMES)
def test_every_endpoint_has_a_url(client: IoTManager, name: str) -> None:
    url = client.endpoint(name, *range(1, ENDPOINTS[name].ids + 1))
    assert url.startswith("https://iot.sectigo.com/prefix/a")
    assert "{" not in url


@pytest.mark.parametrize(
    ("name", "ids"),
    [
        ("nothing", ()),
        ("", ()),
        ("batchDetail", ()),
        ("batchDetail", (1, 2)),
        ("devices", (1,)),
        ("batchDetail", ("",)),
    ],
)
def test_a_wrong_name_or_number_of_ids_is_refused(client: IoTManager, name: str, ids: tuple[int | str, ...]) -> None:
    with pytest.raises(InvalidInputError):
        client.endpoint(name, *ids)


@pytest.mark.parametrize(("value", "coded"), [("a/b", "a%2Fb"), ("a b?c#d", "a%20b%3Fc%23d"), ("..%2f", "..%252f")])
def test_an_id_cannot_leave_its_segment(client: IoTManager, value: str, coded: str) -> None:
    assert client.endpoint("batchDetail", value) == f"https://iot.sectigo.com/prefix/api/v1/batches/{coded}"


@pytest.mark.parametrize("value", [".", "..", "%2e%2e", "%2E."])
def test_an_id_that_is_a_way_up_is_never_one(client: IoTManager, value: str) -> None:
    try:
        url = client.endpoint("batchStatus", value)
    except InvalidInputError:
        return
    assert url.endswith(f"/batches/{value.replace('%', '%25')}/status")
