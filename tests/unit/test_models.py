"""Replies as values: nothing is lost, nothing is invented, and nothing odd is more than an error of ours."""

from __future__ import annotations

import contextlib
import copy
import datetime
import json
import pickle
from collections.abc import Callable
from typing import Any
from unittest import mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sectigo_iot import (
    Authority,
    Batch,
    BatchStatus,
    Certificate,
    CertificateSearch,
    InvalidReplyError,
    LicensesUsed,
    Organization,
    ProcessingInfo,
    Profile,
    ProfileDetail,
    ProfileParameter,
    RawReply,
    fields,
)
from sectigo_iot.answers import Field
from tests.unit.lying_server import BATCH

MODELS: tuple[Any, ...] = (
    *(Authority, Batch, ProcessingInfo, LicensesUsed, Profile, ProfileDetail, ProfileParameter),
    *(Organization, Certificate, CertificateSearch),
)
AUTHORITY = {
    "id": 1,
    "ecosystemId": 100,
    "signerCertificateId": 0,
    "ecosystemName": "TRISA",
    "balance": 10,
    "enabled": True,
    "profileId": 42,
    "profileName": "CipherTrace EE_#17",
}
CERTIFICATE = {
    "deviceId": 17,
    "commonName": "example.com",
    "serialNumber": "C017C2",
    "creationDate": "2021-06-23T17:53:43.484+0000",
    "status": "REVOKED",
}
MOMENT = datetime.datetime(2021, 6, 23, 17, 53, 43, 484_000, datetime.UTC)


def test_a_batch_is_read_field_by_field() -> None:
    batch = Batch.read(BATCH)
    assert batch.as_dict() == {
        "batch_id": 24,
        "order_number": 1024,
        "creation_date": MOMENT,
        "profile": "TRISA Profile",
        "size": 1,
        "status": BatchStatus.CREATED,
        "active": False,
        "batch_name": "first",
        "reject_reason": "",
        "generator_parameters_values": None,
        "user_id": 10,
        "downloadable": True,
        "rejectable": True,
    }


def test_an_authority_is_read_field_by_field() -> None:
    authority = Authority.read(AUTHORITY)
    assert tuple(authority.as_dict().values()) == (1, 100, 0, "TRISA", 10, True, 42, "CipherTrace EE_#17")


def test_a_certificate_is_read_field_by_field() -> None:
    found = Certificate.read(CERTIFICATE)
    assert tuple(found.as_dict().values()) == ("17", "example.com", "C017C2", MOMENT, BatchStatus.REVOKED)


def test_a_search_holds_its_certificates_and_may_count_more() -> None:
    found = CertificateSearch.read({"totalCount": 500, "items": [CERTIFICATE]})
    assert (found.total_count, found.items) == (500, (Certificate.read(CERTIFICATE),))


def test_what_the_staging_server_sends_is_read() -> None:
    """Nine digits in a time, order number and signer 0, the whole name where the common name is due."""
    batch = Batch.read({**BATCH, "orderNumber": 0, "creationDate": "2026-11-21T19:20:09.857497059Z"})
    assert batch.order_number == 0
    assert batch.creation_date == datetime.datetime(2026, 11, 21, 19, 20, 9, 857_497, datetime.UTC)
    assert batch.document["creationDate"] == "2026-11-21T19:20:09.857497059Z"
    assert Authority.read({**AUTHORITY, "signerCertificateId": 0}).signer_certificate_id == 0
    name = "CN=example.com,O=Staging,L=Queenstown,ST=MD,C=US"
    assert Certificate.read({**CERTIFICATE, "commonName": name}).common_name == name


def test_an_organization_holds_its_authorities_and_parameters() -> None:
    document = {
        "organizationId": 100,
        "organizationName": "TRISA",
        "primaryContactName": "Alex Example",
        "authorities": [AUTHORITY],
        "organizationParameters": {"Organization": "TRISA", "more": None, "n": 5},
    }
    found = Organization.read(document)
    assert (found.organization_id, found.organization_name, found.primary_contact_name) == (
        100,
        "TRISA",
        "Alex Example",
    )
    assert found.authorities == (Authority.read(AUTHORITY),)
    assert found.organization_parameters == {"Organization": "TRISA", "more": None, "n": "5"}
    assert found.address is None


def test_a_profile_parameter_is_read_field_by_field() -> None:
    document = {
        "name": "dNSName",
        "inputType": "textarea",
        "required": True,
        "placeholder": None,
        "validationPattern": "^.*$",
        "message": "m",
        "value": ["a"],
        "title": "DNS",
        "scopes": ["BATCH", 5],
        "dynamic": False,
    }
    found = ProfileParameter.read(document)
    assert tuple(found.as_dict().values()) == (
        *("dNSName", "textarea", True, None, "^.*$", "m", '["a"]', "DNS", ("BATCH", "5"), False),
    )


def test_profiles_are_read() -> None:
    assert Profile.read({"profileId": 42, "algorithms": ["RSA/4096"], "ca": "CA"}).algorithms == ("RSA/4096",)
    detail = ProfileDetail.read({"profileId": "42", "rawProfileConfig": "{}", "keyAlgorithmInfo": {"keyType": "RSA"}})
    assert (detail.profile_id, detail.raw_profile_config, detail.key_algorithm_info) == (42, "{}", {"keyType": "RSA"})


def test_the_document_keeps_unknown_fields_and_the_order() -> None:
    document = {"zeta": 1, **BATCH, "alpha": {"deep": [1, None]}}
    assert json.dumps(Batch.read(document).document) == json.dumps(document)


def test_the_document_is_a_copy() -> None:
    batch = Batch.read({**BATCH, "more": {"a": 1}})
    batch.document["more"]["a"] = 2
    assert batch.document["more"] == {"a": 1}


def test_values_do_not_change() -> None:
    batch = Batch.read(BATCH)
    with pytest.raises(AttributeError, match="a Batch is frozen: batch_id cannot be set"):
        batch.batch_id = 5  # type: ignore[assignment]
    with pytest.raises(AttributeError, match="a Batch is frozen: more cannot be set"):
        batch.more = 5  # type: ignore[assignment]
    with pytest.raises(AttributeError, match="a Batch is frozen: batch_id cannot be deleted"):
        del batch.batch_id
    batch.as_dict()["batch_id"] = 5
    assert batch.batch_id == 24


def test_values_are_compared_by_what_was_read() -> None:
    batch, same = Batch.read(BATCH), Batch.read({**BATCH, "batchId": "24", "unheard-of": 1})
    assert (batch, hash(batch)) == (same, hash(same))
    assert batch != Batch.read({**BATCH, "batchId": 25})
    assert CertificateSearch.read({"totalCount": 1}) != Search.read({"totalCount": 1})
    assert batch != 24
    assert batch == mock.ANY
    assert hash(batch) != hash(Batch.read({**BATCH, "batchId": 25}))


class Search(CertificateSearch):
    """A subclass has the fields of its base."""

    more = Field("more", fields.text)


def test_a_subclass_has_the_fields_of_its_base() -> None:
    found = Search.read({"totalCount": 5, "items": [], "more": "x"})
    assert (found.total_count, found.more) == (5, "x")
    assert found != Search.read({"totalCount": 6, "items": [], "more": "x"})
    assert repr(found) == "Search(total_count=5, items=(), more='x')"


def test_values_with_lists_and_mappings_have_a_hash() -> None:
    organization = Organization.read({"organizationId": 1, "organizationParameters": {"a": "b"}})
    assert hash(organization) == hash(Organization.read({"organizationId": 1, "organizationParameters": {"a": "b"}}))
    with pytest.raises(TypeError):
        organization.organization_parameters["a"] = "c"  # type: ignore[index]
    assert hash(Batch.read({**BATCH, "generatorParametersValues": {"a": []}}))


def test_values_are_read_not_made() -> None:
    with pytest.raises(TypeError, match=r"a Batch is made by read\(\) from a document"):
        Batch(BATCH)  # type: ignore[arg-type]
    with pytest.raises(TypeError):
        Batch()  # type: ignore[call-arg]


@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_values_can_be_copied_and_pickled(again: Callable[[Any], Any]) -> None:
    for batch in (Batch.read(BATCH), Batch.read({**BATCH, "status": "UNHEARD_OF", "unheard-of": 1})):
        assert again(batch) == batch
        assert again(batch).document == batch.document


def test_the_repr_names_the_fields_and_not_the_document() -> None:
    shown = repr(Batch.read({**BATCH, "unheard-of": 1, "generatorParametersValues": {"pkcs12Password": "hush"}}))
    assert "hush" not in shown, "what was ordered with is not shown"
    assert "batch_id=24" in shown
    assert "unheard-of" not in shown


@pytest.mark.parametrize("model", MODELS)
def test_nulls_are_read_as_none_where_they_can_be(model: Any) -> None:
    needed = {"batchId": 1, "id": 1, "profileId": 1, "organizationId": 1, "name": "x"}
    keys = [field.key for field in model._fields]
    found = model.read({key: needed.get(key) for key in keys})
    assert found == model.read({key: needed[key] for key in keys if key in needed})


@pytest.mark.parametrize(
    ("model", "key"),
    [(Batch, "batchId"), (Authority, "id"), (Profile, "profileId"), (Organization, "organizationId")],
)
@pytest.mark.parametrize("value", [None, "x", "", 1.5, True, [], {}, "9" * 5000])
def test_an_answer_without_its_id_is_of_no_use(model: Any, key: str, value: object) -> None:
    with pytest.raises(InvalidReplyError, match=f"without a usable {key}"):
        model.read({key: value})


@pytest.mark.parametrize(("value", "read"), [(24, 24), ("24", 24), (0, 0), ("0", 0), (-1, -1)])
def test_ids_may_be_integers_or_text(value: object, read: int) -> None:
    assert Batch.read({"batchId": value}).batch_id == read


@pytest.mark.parametrize(("value", "read"), [(5, "5"), ("0ef9-a", "0ef9-a"), (None, None), ([1], "[1]")])
def test_device_ids_have_been_integers_and_text(value: object, read: str | None) -> None:
    assert Certificate.read({"deviceId": value}).device_id == read


@pytest.mark.parametrize(
    "text",
    [
        "2021-06-23T17:53:43.484+0000",
        "2021-06-23T17:53:43.484Z",
        "2021-06-23T17:53:43.484000123Z",
        "2021-06-23T19:53:43.484+0200",
        "2021-06-23T19:53:43.484+02:00",
        "2021-06-23T17:53:43.484",
    ],
)
def test_times_are_aware_and_in_utc(text: str) -> None:
    found = fields.time(text)
    assert found == MOMENT
    assert found is not None
    assert found.utcoffset() == datetime.timedelta(0)


@pytest.mark.parametrize("value", [None, "", "soon", 5, [], "0001-01-01T00:00:00+1400", "9999-12-31T23:59:59-1400"])
def test_a_time_that_cannot_be_read_is_none(value: object) -> None:
    assert fields.time(value) is None
    assert Batch.read({**BATCH, "creationDate": value}).document["creationDate"] == value


@pytest.mark.parametrize(("value", "read"), [(True, True), ("true", True), ("TRUE", True), (1, False), (None, False)])
def test_flags(value: object, read: bool) -> None:
    assert fields.flag(value) is read


@pytest.mark.parametrize("value", ["PARTLY_ISSUED", "processing reject", "", "ready_for_download"])
def test_an_unknown_status_is_carried_through(value: str) -> None:
    status = Batch.read({**BATCH, "status": value}).status
    assert str(status) == value
    assert not status.known
    assert not status.terminal


@pytest.mark.parametrize("document", [None, [], "x", 5, 1.5, True])
@pytest.mark.parametrize("model", MODELS)
def test_what_is_no_object_is_an_invalid_reply(model: Any, document: object) -> None:
    with pytest.raises(InvalidReplyError, match=f"where a {model.__name__} is due"):
        model.read(document)


@pytest.mark.parametrize("document", [None, {}, "x", 5])
def test_what_is_no_list_is_an_invalid_reply(document: object) -> None:
    with pytest.raises(InvalidReplyError, match="where a list of Authority is due"):
        Authority.read_list(document)


KEYS = sorted({field.key for model in MODELS for field in model._fields})
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.just("24")
ANYTHING = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=6)
)


@given(ANYTHING)
def test_any_document_gives_a_value_or_an_invalid_reply(document: Any) -> None:
    for model in MODELS:
        for read in (model.read, model.read_list):
            with contextlib.suppress(InvalidReplyError):
                repr(read(document))


@given(
    st.fixed_dictionaries({"batchId": st.integers()}, optional={name: SCALARS for name in BATCH if name != "batchId"})
)
def test_any_batch_keeps_its_document(document: dict[str, Any]) -> None:
    try:
        found = Batch.read(document)
    except InvalidReplyError:
        return
    assert json.dumps(found.document) == json.dumps(document)


def test_a_very_deep_document_is_no_crash() -> None:
    deep: Any = 1
    for _ in range(900):
        deep = [deep]
    assert Batch.read({**BATCH, "generatorParametersValues": deep}).batch_id == 24
    with contextlib.suppress(InvalidReplyError):
        Batch.read({**BATCH, "rejectReason": deep})


def test_a_raw_reply_is_bytes_text_and_json() -> None:
    reply = RawReply(200, "application/json", '{"a": "ö"}'.encode())
    assert (reply.text, reply.document) == ('{"a": "ö"}', {"a": "ö"})
    assert RawReply(200, "text/plain", b"gr\xfc").text == "gr�"
    assert RawReply(200, "", b"null").document is None
    assert "secret" not in repr(RawReply(200, "", b"secret"))


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff", b"[" * 100_000])
def test_a_raw_reply_that_is_no_json_says_so(body: bytes) -> None:
    with pytest.raises(InvalidReplyError, match="no JSON but text/html"):
        _ = RawReply(200, "text/html", body).document
