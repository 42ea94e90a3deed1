"""The 17 typed calls against the emulator, the raw call, and clients side by side."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from sectigo_iot import (
    APIError,
    BatchStatus,
    CRLReason,
    FileTokenStore,
    InvalidInputError,
    InvalidReplyError,
    IoTManager,
    NotFoundError,
    NotImplementedByServiceError,
    OutcomeUnknownError,
    PKCSPasswordRequiredError,
    Settings,
    UnknownReasonError,
)
from sectigo_iot.emulator import Emulator
from tests.conftest import settings_for
from tests.emulator.csrs import make_csr
from tests.unit.lying_server import BATCH, PARAMS, RESET, LyingServer, answer, json_answer, lies, settings_at


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator(balances={489: 7}) as running:
        yield running


@pytest.fixture(scope="module")
def client(service: Emulator) -> Iterator[IoTManager]:
    with IoTManager(settings_for(service)) as manager:
        yield manager


def order(client: IoTManager, name: str) -> int:
    return client.create_single_cert_batch(423, f"batch of {name}", {**PARAMS, "commonName": name}).batch_id


# Each typed call


def test_authenticate_and_refresh_give_tokens_that_are_kept(client: IoTManager) -> None:
    pair = client.authenticate()
    assert client.creds.tokens == pair
    assert client.refresh() != pair
    assert client.creds.valid


def test_create_single_cert_batch_orders_and_spends_one_licence(client: IoTManager) -> None:
    before = client.authority_available_balance(423)
    batch = client.create_single_cert_batch(423, "first", PARAMS)
    assert (batch.batch_name, batch.size, batch.status) == ("first", 1, BatchStatus.CREATED)
    assert (batch.profile, batch.user_id, batch.active, batch.downloadable) == ("CipherTrace EE", 295, False, True)
    assert batch.order_number != batch.batch_id
    assert batch.creation_date is not None
    assert client.authority_available_balance(423) == before - 1


def test_upload_csr_batch_orders_for_each_request(client: IoTManager) -> None:
    requests = make_csr("a.example.com", "a.example.com") + make_csr("b.example.com", "b.example.com")
    batch = client.upload_csr_batch(423, "requests.csr", requests)
    assert (batch.batch_name, batch.size, batch.status, batch.active) == (
        "requests.csr",
        2,
        BatchStatus.PENDING,
        True,
    )
    assert client.wait(batch.batch_id).success == 2


def test_batch_detail_status_and_processing_info(client: IoTManager) -> None:
    number = order(client, "detail.example.com")
    assert client.batch_detail(number).status == "READY_FOR_DOWNLOAD"
    assert client.batch_status(number).text == "Ready for download"
    info = client.processing_info(number)
    assert (info.active, info.success, info.failed) == (0, 1, 0)


def test_licenses_used_counts_what_was_ordered_and_issued(client: IoTManager) -> None:
    before = client.licenses_used()
    order(client, "counted.example.com")
    after = client.licenses_used()
    assert before.issued is not None
    assert before.ordered is not None
    assert (after.ordered, after.issued) == (before.ordered + 1, before.issued + 1)


def test_user_authorities_lists_both(client: IoTManager) -> None:
    end, ee = client.user_authorities()
    assert (end.id, end.balance, end.profile_id) == (489, 7, 489)
    assert end.profile_name == "CipherTrace End Entity Certificate_#85"
    assert (ee.id, ee.ecosystem_id, ee.ecosystem_name, ee.enabled) == (423, 21, "Staging", True)


def test_authority_available_balance_is_an_integer(client: IoTManager) -> None:
    assert client.authority_available_balance(489) == 7
    with pytest.raises(NotFoundError):
        client.authority_available_balance(1)


def test_profiles_detail_and_parameters(client: IoTManager) -> None:
    assert [each.profile_id for each in client.profiles()] == [489, 423]
    detail = client.profile_detail(423)
    assert (detail.profile_id, detail.name, detail.profile_name) == (423, "CipherTrace EE", "CipherTrace EE_#17")
    assert detail.raw_profile_config is not None
    parameters = client.profile_params(423)
    assert [each.name for each in parameters] == ["commonName", "dNSName", "pkcs12Password"]
    assert all(each.required and each.validation_pattern and each.message for each in parameters)


def test_organization_is_that_of_the_user(client: IoTManager) -> None:
    found = client.organization()
    assert (found.organization_id, found.organization_name, found.org_status) == (1042, "Staging", "ACTIVE")
    assert [each.id for each in found.authorities] == [489, 423]
    assert found.organization_parameters == {"Organization": "Staging"}


def test_find_certificate_by_name_by_serial_number_and_by_both(client: IoTManager) -> None:
    order(client, "found.example.com")
    by_name = client.find_certificate("found.example.com")
    assert by_name.total_count == 1
    (found,) = by_name.items
    assert (found.common_name, found.status) == ("found.example.com", BatchStatus.READY_FOR_DOWNLOAD)
    assert found.serial_number is not None
    spelt = "0x" + ":".join(found.serial_number.lower()[i : i + 2] for i in range(0, len(found.serial_number), 2))
    assert client.find_certificate(serial_number=spelt).items[0] == found
    assert client.find_certificate("found.example.com", found.serial_number).total_count == 1
    assert client.find_certificate("other.example.com", found.serial_number).items == ()


@pytest.mark.parametrize(
    ("name", "serial", "sent"),
    [
        ("a", "", {"commonName": "a"}),
        ("", "ab", {"serialNumber": "AB"}),
        (" a ", " ", {"commonName": "a"}),
        ("a", "0xAB", {"commonName": "a", "serialNumber": "AB"}),
    ],
)
def test_a_search_leaves_out_what_is_empty(name: str, serial: str, sent: dict[str, str]) -> None:
    with lies(json_answer({"totalCount": 0, "items": []})) as (server, client):
        client.find_certificate(name, serial)
        assert server.calls[0].document == sent


def test_revoke_certificate_revokes(client: IoTManager) -> None:
    order(client, "revoked.example.com")
    serial = client.find_certificate("revoked.example.com").items[0].serial_number
    assert serial is not None
    client.revoke_certificate(423, CRLReason.superseded, serial)
    assert client.find_certificate("revoked.example.com").items[0].status == "REVOKED"
    with pytest.raises(APIError, match="already revoked"):
        client.revoke_certificate(423, "superseded", serial)


# Bad input is named before anything is sent


def test_bad_input_is_named_and_nothing_is_sent() -> None:
    with lies(answer(200)) as (server, client):
        for wrong in (
            lambda: client.create_single_cert_batch(1, " ", PARAMS),
            lambda: client.create_single_cert_batch(1, "a", {**PARAMS, "pkcs12Password": ""}),
            lambda: client.upload_csr_batch(1, "empty.csr", b""),
            lambda: client.find_certificate(),
            lambda: client.find_certificate(" ", ""),
            lambda: client.find_certificate("", "12 g4"),
            lambda: client.revoke_certificate(1, 7, "AB"),
            lambda: client.revoke_certificate(1, -1, "AB"),
            lambda: client.revoke_certificate(1, 0, ""),
            lambda: client.batch_detail("abc"),  # type: ignore[arg-type]
            lambda: client.batch_detail(""),  # type: ignore[arg-type]
            lambda: client.download(24, "/nowhere/at/all"),
        ):
            with pytest.raises(InvalidInputError) as caught:
                wrong()
            assert caught.value.faults
        assert server.seen == []


def test_an_empty_pkcs12_password_and_a_wrong_reason_have_errors_of_their_own(client: IoTManager) -> None:
    with pytest.raises(PKCSPasswordRequiredError):
        client.create_single_cert_batch(423, "a", {"pkcs12Password": ""})
    with pytest.raises(UnknownReasonError):
        client.revoke_certificate(423, "value 7 is not used", "AB")


def test_a_parameter_against_the_profile_spends_nothing(client: IoTManager) -> None:
    before = client.authority_available_balance(423)
    with pytest.raises(APIError, match="status 400: pkcs12Password"):
        client.create_single_cert_batch(423, "a", {**PARAMS, "pkcs12Password": "short"})
    assert client.authority_available_balance(423) == before


@pytest.mark.parametrize("body", ['"x"', "1.5", "true", "{}", "[1]", "NaN", "Infinity", "null", ""])
def test_a_balance_that_is_no_integer_is_an_invalid_reply(body: str) -> None:
    with lies(answer(200, body)) as (_, client), pytest.raises(InvalidReplyError):
        client.authority_available_balance(1)


@pytest.mark.parametrize(("body", "read"), [("0", 0), ("100", 100), ('"100"', 100), (" 5\n", 5)])
def test_a_balance_is_a_bare_integer(body: str, read: int) -> None:
    with lies(answer(200, body)) as (_, client):
        assert client.authority_available_balance(1) == read


def test_an_unknown_batch_is_not_found(client: IoTManager) -> None:
    for call in (
        client.batch_detail,
        client.batch_status,
        client.processing_info,
        client.wait,
        client.download_bytes,
    ):
        with pytest.raises(NotFoundError, match="404"):
            call(99)


# The raw call


def test_a_raw_call_by_name_with_ids(client: IoTManager) -> None:
    number = order(client, "raw.example.com")
    reply = client.raw("batchDetail", number)
    assert (reply.status, reply.media_type, reply.document["batchId"]) == (200, "application/json", number)
    assert client.raw("batchStatus", number).text == "Ready for download"


def test_a_raw_call_by_path(client: IoTManager) -> None:
    assert client.raw("/api/v1/devices").document["ordered"] == client.licenses_used().ordered
    assert client.raw("/api/v1/authorities/{id}/balanceavailable", 489).document == 7


def test_a_raw_call_of_a_call_without_schema_is_answered_by_the_service(client: IoTManager) -> None:
    with pytest.raises(NotImplementedByServiceError, match="batches failed with status 501"):
        client.raw("batches")


def test_a_raw_call_sends_json_data_and_method_as_they_are() -> None:
    with lies(answer(200, b"\x00\x01", "application/octet-stream")) as (server, client):
        assert client.raw("revokeDeviceCertificate", method="post", json={"a": [1]}).body == b"\x00\x01"
        client.raw("/api/v2/x?page=2&size=1", method="PATCH", data=b"as it is")
        client.raw("users", json=[])
        first, second, third = server.calls
        assert (first.method, first.path, first.document) == ("POST", "/api/v1/certificates/revoke", {"a": [1]})
        assert (second.method, second.path, second.body) == ("PATCH", "/api/v2/x?page=2&size=1", b"as it is")
        assert (third.method, third.document) == ("GET", [])


@pytest.mark.parametrize(
    "path",
    [
        "nothing",
        "",
        "api/v1/devices",
        "https://iot.example.com/x",
        "//iot.example.com/x",
        "/api//v1",
        "/api/../../x",
        "/api/./x",
        "/..",
        "/api/%2e%2e/%2E./x",
        "/api/v1/a b",
        "/api/v1/a\nb",
        "/api/v1/a\tb",
        "/api\\v1",
        "/api/v1/x#top",
        "/api/v1/\x7f",
    ],
)
def test_a_raw_call_stays_below_the_endpoint(path: str) -> None:
    with lies(answer(200)) as (server, client):
        with pytest.raises(InvalidInputError):
            client.raw(path)
        assert server.seen == []


@pytest.mark.parametrize(("name", "ids"), [("batchDetail", ()), ("devices", (1,)), ("batchDetail", ("..",))])
def test_a_raw_call_takes_the_ids_of_its_path(name: str, ids: tuple[int | str, ...], client: IoTManager) -> None:
    with pytest.raises(InvalidInputError):
        client.raw(name, *ids)


@pytest.mark.parametrize("method", ["", "GE T", "GET\r\n", "\uff27", "1"])
def test_a_raw_call_needs_a_method(method: str, client: IoTManager) -> None:
    with pytest.raises(InvalidInputError, match="no HTTP method"):
        client.raw("devices", method=method)


def test_a_raw_get_is_repeated_and_everything_else_is_sent_once() -> None:
    with lies(RESET, answer(200, "[]"), RESET, answer(200)) as (server, client):
        assert client.raw("batches").document == []
        assert len(server.calls) == 2
        with pytest.raises(OutcomeUnknownError, match="batches") as caught:
            client.raw("batches", method="POST", json={})
        assert caught.value.batch_name is None
        assert len(server.calls) == 3


def test_a_raw_call_by_the_name_of_an_order_is_no_read() -> None:
    with lies(RESET, answer(200)) as (server, client):
        with pytest.raises(OutcomeUnknownError):
            client.raw("createSingleCertBatch", method="PUT", json={"batchName": "x"})
        assert len(server.calls) == 1


def test_what_a_raw_call_sends_is_not_repeated_in_errors() -> None:
    with lies(lambda seen: answer(400, seen.body, "text/plain")) as (_, client), pytest.raises(APIError) as caught:
        client.raw("users", method="POST", json={"a": [{"newPassword": ["hidden-word"]}]})
    assert "hidden-word" not in str(caught.value)


# Clients side by side


def test_two_clients_of_two_services_do_not_mix() -> None:
    first, second = json_answer({"ordered": 1, "issued": 1}), json_answer({"ordered": 2, "issued": 2})
    with LyingServer(first) as one, LyingServer(second) as two:
        store = FileTokenStore()
        with (
            IoTManager(settings_at(f"{one.url}/a", token_store=store)) as a,
            IoTManager(settings_at(f"{two.url}/b", token_store=store)) as b,
        ):
            found = [client.licenses_used().issued for client in (a, b, a, b)]
        assert found == [1, 2, 1, 2]
        assert {seen.path for seen in one.seen} == {"/a/auth/pwd", "/a/api/v1/devices"}
        assert {seen.headers["authorization"] for seen in one.calls if "authorization" in seen.headers}.isdisjoint(
            seen.headers.get("authorization") for seen in two.calls
        )


def test_one_client_serves_many_threads(client: IoTManager) -> None:
    found: list[int | None] = []
    threads = [threading.Thread(target=lambda: found.append(client.licenses_used().ordered)) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [client.licenses_used().ordered] * 16


def test_leaving_the_block_closes_the_connections() -> None:
    with LyingServer(json_answer(BATCH)) as server:
        with IoTManager(settings_at(server.url)) as client:
            client.batch_detail(24)
        # A closed client opens a new connection rather than failing; closing twice is no error.
        client.batch_detail(24)
        client.close()
        client.close()
        assert len(server._connections) == 2


def test_making_a_client_sends_nothing() -> None:
    with LyingServer(answer(200)) as server:
        IoTManager(settings_at(server.url)).close()
        assert server.seen == []


def test_a_client_tells_its_profile_and_its_endpoint_and_no_secret() -> None:
    client = IoTManager(Settings("jane", "hidden-word", "17", environ={}))
    assert client.profile == "17"
    assert repr(client) == "<IoTManager at https://iot.sectigo.com>"
    assert "hidden-word" not in repr(vars(client))
