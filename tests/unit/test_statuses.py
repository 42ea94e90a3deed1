"""The service's words about how far a batch is."""

from __future__ import annotations

import copy
import pickle

import pytest

from sectigo_iot import BatchStatus, Param, StatusText


@pytest.mark.parametrize(
    ("text", "status", "internal"),
    [
        ("Ready for download", "READY_FOR_DOWNLOAD", None),
        ("Processing", "PROCESSING", None),
        ("Failed", "FAILED", None),
        ("READY_FOR_DOWNLOAD", "READY_FOR_DOWNLOAD", None),
        (' "Ready for  download"\n', "READY_FOR_DOWNLOAD", None),
        ("Not Acceptable. Status: CREATED", "NOT_ACCEPTABLE", "CREATED"),
        ("not acceptable. status: Processing Reject", "NOT_ACCEPTABLE", "PROCESSING_REJECT"),
        ("Not Acceptable", "NOT_ACCEPTABLE", None),
        ("Partly issued", "PARTLY_ISSUED", None),
    ],
)
def test_a_status_text_is_read(text: str, status: str, internal: str | None) -> None:
    read = StatusText.read(text)
    assert (str(read), str(read.status), read.internal) == (status, status, internal)


def test_the_text_itself_is_kept() -> None:
    assert StatusText.read("Not Acceptable. Status: CREATED").text == "Not Acceptable. Status: CREATED"


@pytest.mark.parametrize(
    ("text", "terminal"),
    [
        ("Failed", True),
        ("Rejected", True),
        ("Broken", True),
        ("Revoked", True),
        ("Removed after expiration", True),
        ("Not Acceptable. Status: REJECTED", True),
        ("Not Acceptable. Status: CREATED", False),
        ("Not Acceptable", False),
        ("Ready for download", False),
        ("Processing", False),
        ("Collected", False),
        ("Unheard of", False),
    ],
)
def test_terminal_texts(text: str, terminal: bool) -> None:
    assert StatusText.read(text).terminal is terminal


@pytest.mark.parametrize("status", list(BatchStatus))
def test_every_known_status_is_found_by_its_word(status: BatchStatus) -> None:
    assert BatchStatus(str(status)) is status
    assert status.known


def test_an_unknown_status_is_a_status_of_that_name() -> None:
    status = BatchStatus("UNHEARD_OF")
    assert isinstance(status, BatchStatus)
    assert (status.value, status.name, str(status)) == ("UNHEARD_OF",) * 3
    assert status == BatchStatus("UNHEARD_OF") == "UNHEARD_OF"
    assert hash(status) == hash(BatchStatus("UNHEARD_OF"))
    assert status != BatchStatus.CREATED
    assert "UNHEARD_OF" not in BatchStatus.__members__


def test_an_unknown_status_can_be_copied_and_pickled() -> None:
    status = BatchStatus("UNHEARD_OF")
    assert copy.deepcopy(status) == status
    assert pickle.loads(pickle.dumps(status)) == status


def test_param_names_are_those_of_the_wire() -> None:
    assert [str(name) for name in Param] == [
        *("commonName", "dNSName", "pkcs12Password"),
        *("organizationName", "localityName", "stateOrProvinceName", "countryName"),
    ]
