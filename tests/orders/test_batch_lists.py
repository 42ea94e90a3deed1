"""The list of batches, in whatever form it comes: presence is read, and no more completeness than there is."""

from __future__ import annotations

import json
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sectigo_iot import IoTManager, Settings
from sectigo_iot.emulator import Emulator
from sectigo_iot.errors import APIError, InvalidCredentialsError
from sectigo_iot.models import RawReply
from sectigo_iot.orders.steps import batch_lists
from sectigo_iot.orders.steps.batch_lists import BatchList, ListedBatch, ask_for_batches, read_batch_list
from tests.conftest import settings_for

BATCHES: list[dict[str, Any]] = [
    {"batchId": 7, "batchName": "a", "creationDate": "2021-06-23T17:53:43.484+0000", "size": 1, "x": {"id": 3}},
    {"batchId": "8", "batchName": None, "creationDate": None, "size": None, "status": "CREATED"},
]
READ = (ListedBatch(7, "a", 1624470823.484, 1), ListedBatch(8, None, None, None))


def read(document: object) -> BatchList | None:
    return read_batch_list(json.dumps(document).encode())


@pytest.mark.parametrize(
    ("document", "complete"),
    [
        (BATCHES, False),
        ({"items": BATCHES, "total": 2}, True),
        ({"items": BATCHES, "total": 3}, False),
        ({"content": BATCHES, "totalElements": "2", "last": True}, True),
        ({"content": BATCHES, "totalElements": 2, "last": False}, False),
        ({"batches": BATCHES, "totalCount": 2, "count": 2}, True),
        ({"batches": BATCHES, "totalCount": 2, "total": 50}, False),
        ({"data": {"results": BATCHES, "total": 2}}, True),
        ({"data": BATCHES, "page": {"size": 20, "totalElements": 2}}, True),
        ({"_embedded": {"batchList": BATCHES}, "page": {"totalElements": 2}}, True),
        ({"whatever": BATCHES, "total": 2, "errors": []}, True),
        ({"items": BATCHES, "total": 2, "next": "/api/v1/batches?page=2"}, False),
        # It may be how many are on this page.
        ({"items": BATCHES, "count": 2}, False),
        ({"items": BATCHES, "total": True}, False),
        ({"items": [*BATCHES, *BATCHES], "total": 4}, False),
    ],
)
def test_many_forms_are_read_and_few_are_complete(document: Any, complete: bool) -> None:
    found = read(document)
    assert found is not None
    assert set(found.batches) == set(READ)
    assert found.complete is complete


@pytest.mark.parametrize(
    "entry",
    [None, 5, "text", [], {"name": "a"}, {"batchId": 0, "batchName": "a"}, {"batchId": -4}, {"id": True, "name": 3}],
)
def test_an_entry_without_a_usable_id_keeps_the_list_from_being_complete(entry: object) -> None:
    found = read({"items": [BATCHES[0], entry], "total": 2})
    assert found is not None
    assert found.batches[0] == READ[0]
    assert found.batches[1].batch_id is None
    assert not found.complete


def test_ids_and_names_have_other_names_too() -> None:
    found = read(
        [{"id": 4, "name": "b", "createdAt": 1624470823484, "size": "1"}, {"id": 5, "createdAt": 1624470823}]
    )
    assert found == BatchList(
        (ListedBatch(4, "b", 1624470823.484, 1), ListedBatch(5, None, 1624470823.0, None)), None
    )


def test_no_batches_at_all_are_a_list() -> None:
    assert read([]) == BatchList((), None)
    assert read({"items": [], "total": 0}) == BatchList((), 0)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"12",
        b'"batches"',
        b"<!DOCTYPE html><title>Sign in</title>",
        b"{",
        b"[1, 2",
        b"[1, 2]",
        b"\xff\xfe[",
        b"[" * 100_000,
        b'{"status": 500, "message": "no"}',
        b'{"items": "none", "total": 0}',
        b'{"items": {"items": {"items": {"items": {"items": []}}}}}',
        b'{"errors": []}',
        b"[" + b"9" * 5000 + b"]",
    ],
)
def test_what_is_no_list_is_none(body: bytes) -> None:
    assert read_batch_list(body) is None


_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.sampled_from(["12", "1e9"]),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.sampled_from(["items", "data", "total", "id", "batchId", "name", "creationDate", "size", "page", "x"]),
            inner,
            max_size=5,
        )
    ),
    max_leaves=20,
)


@settings(deadline=None)
@given(_VALUES)
def test_any_document_is_read_or_not_without_an_error(document: object) -> None:
    found = read(document)
    if found is not None and found.complete:
        assert isinstance(document, dict)
        assert found.total == len(found.batches)


def test_a_long_list_takes_little_memory() -> None:
    item = {**BATCHES[0], "generatorParametersValues": {str(number): "x" * 100 for number in range(20)}}
    body = json.dumps({"items": [{**item, "batchId": number} for number in range(1, 2001)], "total": 2000}).encode()
    tracemalloc.start()
    found = read_batch_list(body)
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert found is not None
    assert found.complete
    assert kept < 800_000
    assert peak < len(body) + 2_000_000


@pytest.mark.parametrize(("limit", "value"), [("MOST_BATCHES", 10), ("LARGEST_LIST", 90)])
def test_a_list_beyond_all_measure_is_not_read(limit: str, value: int, monkeypatch: pytest.MonkeyPatch) -> None:
    body = b"[" + b'{"id":1},' * 10 + b'{"id":2}]'
    assert read_batch_list(body) is not None
    monkeypatch.setattr(batch_lists, limit, value)
    assert read_batch_list(body) is None


@contextmanager
def client_of(**options: Any) -> Iterator[IoTManager]:
    with Emulator(**options) as service, IoTManager(settings_for(service)) as client:
        yield client


def place(client: IoTManager, count: int) -> list[str]:
    authority = next(each.id for each in client.user_authorities() if each.balance)
    names = [f"batch-{number}" for number in range(count)]
    for name in names:
        host = f"{name}.example.com"
        params = {"commonName": host, "dNSName": host, "pkcs12Password": "Qq1-Qq1-Qq1"}
        client.create_single_cert_batch(authority, name, params)
    return names


def never(_: ListedBatch) -> bool:
    return False


def test_pages_are_followed_until_all_have_come_and_no_further_than_needed() -> None:
    with client_of(batch_list="page", delay=3600) as client:
        place(client, 25)
        whole = ask_for_batches(client, never)
        assert whole is not None
        assert whole.complete
        assert {each.name for each in whole.batches} == {f"batch-{number}" for number in range(25)}
        first = ask_for_batches(client, lambda each: each.name == "batch-24")
        assert first is not None
        assert len(first.batches) == 20


def test_an_array_has_all_and_proves_no_absence() -> None:
    with client_of(batch_list="array", delay=3600) as client:
        place(client, 3)
        whole = ask_for_batches(client, never)
        assert whole is not None
        assert len(whole.batches) == 3
        assert not whole.complete


def test_a_service_without_a_list_has_none() -> None:
    with client_of() as client:
        assert ask_for_batches(client, never) is None


class Asked(IoTManager):
    """A client whose raw call answers as it is told, by the number of the call."""

    def __init__(self, answer: Callable[[int], object]) -> None:
        super().__init__(Settings(endpoint="http://127.0.0.1:9", environment="testing", environ={}))
        self._answer, self.calls = answer, 0

    def raw(self, name_or_path: str, *ids: int | str, **_: Any) -> RawReply:
        self.calls += 1
        document = self._answer(self.calls)
        if isinstance(document, Exception):
            raise document
        return RawReply(200, "application/json", json.dumps(document).encode())


def page_of(first: int, count: int, total: int) -> object:
    return {
        "items": [{"batchId": number, "batchName": "x"} for number in range(first, first + count)],
        "total": total,
    }


def test_a_service_that_knows_no_pages_is_asked_twice_and_its_list_stays_incomplete() -> None:
    with Asked(lambda _: page_of(1, 20, 100)) as client:
        found = ask_for_batches(client, never)
        assert found is not None
        assert not found.complete
        assert client.calls == 2


def test_a_list_that_grows_while_it_is_read_proves_nothing() -> None:
    with Asked(lambda call: page_of(1 + 20 * (call - 1), 20, 39 + call)) as client:
        found = ask_for_batches(client, never)
        assert found is not None
        assert not found.complete


def test_pages_without_end_are_given_up() -> None:
    with Asked(lambda call: page_of(1 + 20 * call, 20, 1_000_000)) as client:
        found = ask_for_batches(client, never)
        assert found is not None
        assert not found.complete
        assert client.calls == 51


@pytest.mark.parametrize("status", [400, 403, 404, 405, 406, 500, 501])
def test_a_refusal_means_that_there_is_no_list(status: int) -> None:
    with Asked(lambda _: APIError(status)) as client:
        assert ask_for_batches(client, never) is None


@pytest.mark.parametrize("error", [APIError(503), APIError(429), InvalidCredentialsError(401)])
def test_what_passes_and_who_is_not_logged_in_is_told(error: APIError) -> None:
    with Asked(lambda _: error) as client, pytest.raises(type(error)):
        ask_for_batches(client, never)
