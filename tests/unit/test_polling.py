"""Waiting for a batch: what the service says of it, read together."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import pytest

from sectigo_iot import (
    APIError,
    Batch,
    BatchFailedError,
    DeadlineError,
    InvalidReplyError,
    IoTManager,
    Look,
    NotReadyError,
    ProcessingInfo,
    StatusText,
    TransportError,
    Verdict,
    judge,
)
from sectigo_iot.emulator import Emulator
from tests.conftest import settings_for
from tests.unit.lying_server import (
    BATCH,
    HANG,
    PARAMS,
    RESET,
    Answer,
    Clock,
    LyingServer,
    Seen,
    answer,
    json_answer,
    lies,
    settings_at,
)

WAITING, READY, FAILED = Verdict.WAITING, Verdict.READY, Verdict.FAILED
ACCEPTED = "Not Acceptable. Status: CREATED"
READY_TEXT = "Ready for download"


def info(counts: str) -> ProcessingInfo:
    active, success, failed = map(int, counts.split("/"))
    return ProcessingInfo.read({"active": active, "success": success, "failed": failed})


@pytest.mark.parametrize(
    ("counts", "text", "detail", "verdict"),
    [
        # active > 0
        ("1/0/0", "Processing", None, WAITING),
        ("1/3/0", READY_TEXT, "READY_FOR_DOWNLOAD", WAITING),
        ("1/0/2", "Processing", "PROCESSING", WAITING),
        # 0/0/0
        ("0/0/0", ACCEPTED, "CREATED", WAITING),
        ("0/0/0", READY_TEXT, "READY_FOR_DOWNLOAD", WAITING),
        ("0/0/0", "Processing", None, WAITING),
        # the text says that it is not over
        ("0/1/0", "Processing", "PROCESSING", WAITING),
        ("0/1/0", ACCEPTED, "CREATED", WAITING),
        ("0/1/0", "Not Acceptable. Status: UNHEARD_OF", "UNHEARD_OF", WAITING),
        # an unknown status
        ("0/1/0", "Partly issued", "PARTLY_ISSUED", WAITING),
        ("0/1/0", "Partly issued", "", WAITING),
        # ready by text or by detail
        ("0/1/0", READY_TEXT, None, READY),
        ("0/1/0", READY_TEXT, "COLLECTED", READY),
        ("0/1/0", READY_TEXT, "", READY),
        ("0/1/0", READY_TEXT, "UNHEARD_OF", READY),
        ("0/1/0", "Processing", "READY_FOR_DOWNLOAD", READY),
        ("0/1/0", ACCEPTED, "COLLECTED", READY),
        ("0/1/0", "Collected", None, READY),
        # partly
        ("0/2/1", READY_TEXT, None, READY),
        ("0/2/1", ACCEPTED, "READY_FOR_DOWNLOAD", READY),
        # over
        ("0/0/1", "Processing", None, FAILED),
        ("0/0/1", READY_TEXT, "READY_FOR_DOWNLOAD", FAILED),
        ("0/0/0", "Failed", None, FAILED),
        ("0/0/0", "Not Acceptable. Status: REJECTED", None, FAILED),
        ("0/0/0", ACCEPTED, "BROKEN", FAILED),
        ("1/0/0", "Processing", "REJECTED", FAILED),
        ("0/1/0", READY_TEXT, "REVOKED", FAILED),
        ("0/1/0", "Not Acceptable. Status: REMOVED_AFTER_EXPIRATION", None, FAILED),
        ("0/1/0", READY_TEXT, "REMOVED_AFTER_EXPIRATION", FAILED),
    ],
)
def test_ready_or_not(counts: str, text: str, detail: str | None, verdict: Verdict) -> None:
    batch = None if detail is None else Batch.read({**BATCH, "status": detail})
    assert judge(info(counts), StatusText.read(text), batch) is verdict


class Course:
    """How a batch goes: (counts, text, detail) at each look, the last for ever."""

    def __init__(self, *looks: tuple[str, str, str], reason: object = "") -> None:
        self.looks = list(looks)
        self.reason = reason
        self.now = looks[0]

    def __call__(self, seen: Seen) -> bytes:
        if seen.path.endswith("/processing_info"):
            self.now = self.looks.pop(0) if len(self.looks) > 1 else self.looks[0]
            active, success, failed = map(int, self.now[0].split("/"))
            return json_answer({"active": active, "success": success, "failed": failed})
        if seen.path.endswith("/status"):
            return answer(200, self.now[1], "text/plain")
        if seen.path.endswith("/download"):
            return answer(400, "not now", "text/plain")
        return json_answer({**BATCH, "status": self.now[2], "rejectReason": self.reason})


FRESH = ("0/0/0", ACCEPTED, "CREATED")
WORKING = ("1/0/0", "Processing", "PROCESSING")
DONE = ("0/1/0", READY_TEXT, "READY_FOR_DOWNLOAD")


@contextlib.contextmanager
def batch(*looks: tuple[str, str, str], reason: object = "") -> Iterator[tuple[IoTManager, Clock, LyingServer]]:
    ticks = Clock()
    with lies(Course(*looks, reason=reason), ticks=ticks) as (server, client):
        yield client, ticks, server


def test_waiting_ends_when_the_batch_is_ready() -> None:
    with batch(FRESH, WORKING, DONE) as (client, ticks, _):
        assert client.wait(24).success == 1
        assert ticks.slept == [1.0, 1.5]


def test_a_ready_batch_is_not_waited_for() -> None:
    with batch(DONE) as (client, ticks, server):
        assert client.wait(24, timeout=0).success == 1
        assert ticks.slept == []
        assert [seen.path.rpartition("/")[2] for seen in server.calls] == ["processing_info", "status"]


def test_pauses_grow_from_one_second_to_thirty() -> None:
    with batch(*[WORKING] * 20, DONE) as (client, ticks, _):
        client.wait(24)
        assert ticks.slept[0] == 1
        assert ticks.slept[-1] == 30
        assert max(ticks.slept) == 30
        assert ticks.slept == sorted(ticks.slept)


def test_the_time_allowed_is_kept() -> None:
    with batch(FRESH) as (client, ticks, _):
        with pytest.raises(
            NotReadyError, match="batch 24 is not ready after 100 s: the service says CREATED"
        ) as caught:
            client.wait(24, timeout=100)
        assert sum(ticks.slept) == pytest.approx(100)
        assert (caught.value.batch_id, caught.value.status) == (24, "CREATED")
        assert caught.value.hint
        assert "the order stands" in caught.value.hint


def test_every_look_is_told() -> None:
    looks: list[Look] = []
    with batch(FRESH, WORKING, DONE) as (client, _, _):
        client.wait(24, on_progress=looks.append)
    assert [look.verdict for look in looks] == [WAITING, WAITING, READY]
    assert [look.status for look in looks] == ["CREATED", "PROCESSING", "READY_FOR_DOWNLOAD"]
    assert [look.elapsed for look in looks] == [0, 1, 2.5]


def test_a_partly_issued_batch_is_ready_and_says_how_many_failed() -> None:
    with batch(WORKING, ("0/2/1", READY_TEXT, "READY_FOR_DOWNLOAD")) as (client, _, _):
        found = client.wait(24)
        assert (found.success, found.failed) == (2, 1)


@pytest.mark.parametrize("status", ["REJECTED", "FAILED", "BROKEN", "REVOKED", "REMOVED_AFTER_EXPIRATION"])
@pytest.mark.parametrize("by_text", [True, False])
def test_a_terminal_state_ends_the_waiting_with_the_reason(status: str, by_text: bool) -> None:
    text = f"Not Acceptable. Status: {status}" if by_text else ACCEPTED
    with batch(FRESH, ("0/0/0", text, status), reason="the name is taken") as (client, ticks, _):
        with pytest.raises(BatchFailedError, match=f"batch 24 ended as {status}: the name is taken") as caught:
            client.wait(24)
        error = caught.value
        assert (error.batch_id, error.status, error.reason) == (24, status, "the name is taken")
        assert len(ticks.slept) == 1


def test_a_batch_whose_certificates_all_failed_is_over_and_has_a_reason() -> None:
    with (
        batch(("0/0/1", "Processing", "PROCESSING"), reason="no SAN") as (client, _, _),
        pytest.raises(BatchFailedError, match="no SAN"),
    ):
        client.wait(24)


@pytest.mark.parametrize("reason", [None, "", {"a": 1}, 5])
def test_a_reason_of_any_type_does_no_harm(reason: object) -> None:
    with batch(("0/0/0", "Failed", "FAILED"), reason=reason) as (client, _, _), pytest.raises(BatchFailedError):
        client.wait(24)


def test_the_services_words_are_one_printable_line() -> None:
    with (
        batch(("0/0/0", "Failed", "FAILED"), reason="two\nlines\x1b[31m") as (client, _, _),
        pytest.raises(BatchFailedError) as failed,
    ):
        client.wait(24)
    assert failed.value.message.isprintable()
    with (
        batch(("0/0/0", "Odd\x1b[31m", "CREATED")) as (client, _, _),
        pytest.raises(NotReadyError) as not_ready,
    ):
        client.wait(24, timeout=0)
    assert not_ready.value.message.isprintable()


def test_an_empty_status_is_no_status() -> None:
    for text in ("", "null", "<html>Maintenance</html>", "x" * 600):
        with (
            lies(answer(200, text, "text/plain")) as (_, client),
            pytest.raises(InvalidReplyError, match="batchStatus"),
        ):
            client.batch_status(24)


def test_the_detail_is_read_only_where_it_is_needed() -> None:
    with batch(WORKING) as (client, _, server):
        assert client.look(24).detail is None
        assert len(server.calls) == 2
    with batch(FRESH) as (client, _, server):
        assert client.look(24).detail is not None
        assert len(server.calls) == 3


def test_an_error_of_the_service_ends_the_waiting() -> None:
    with (
        lies(answer(404, "no such batch", "text/plain")) as (_, client),
        pytest.raises(APIError, match="no such batch"),
    ):
        client.wait(24)


def test_a_download_too_early_says_so() -> None:
    with batch(WORKING) as (client, _, _), pytest.raises(NotReadyError, match="batch 24 is not ready yet") as caught:
        client.download_bytes(24)
    assert caught.value.batch_id == 24


def test_a_download_of_a_failed_batch_gives_the_reason() -> None:
    with (
        batch(("0/0/0", "Failed", "FAILED"), reason="no SAN") as (client, _, _),
        pytest.raises(BatchFailedError, match="ended as FAILED: no SAN"),
    ):
        client.download_bytes(24)


def test_a_download_of_a_failed_batch_without_a_reason_keeps_the_services_words() -> None:
    with (
        batch(("0/1/0", "REVOKED", "REVOKED")) as (client, _, _),
        pytest.raises(BatchFailedError, match="ended as REVOKED: not now") as caught,
    ):
        client.download_bytes(24)
    assert caught.value.reason == "not now"


def test_a_download_of_a_ready_batch_that_is_refused_keeps_the_services_words() -> None:
    with batch(DONE) as (client, _, _), pytest.raises(APIError, match="status 400: not now"):
        client.download_bytes(24)


def test_the_emulator_is_waited_for() -> None:
    with Emulator(delay=0.1) as service, IoTManager(settings_for(service), sleep=lambda _: None) as client:
        ordered = client.create_single_cert_batch(423, "first", PARAMS)
        with pytest.raises(NotReadyError):
            client.download_bytes(ordered)
        assert client.wait(ordered.batch_id, timeout=10).success == 1
        assert client.look(ordered.batch_id).verdict is READY


class Outage(Course):
    """A course that is broken off from the n-th request on, for so many requests."""

    def __init__(self, first: int, count: int, fault: bytes) -> None:
        super().__init__(FRESH, WORKING, DONE)
        self.faults = range(first, first + count)
        self.fault = fault
        self.asked = 0

    def __call__(self, seen: Seen) -> bytes:
        self.asked += 1
        return self.fault if self.asked in self.faults else super().__call__(seen)


@contextlib.contextmanager
def patient(course: Answer, ticks: Clock) -> Iterator[IoTManager]:
    """A client whose time passes only where it sleeps."""
    with (
        LyingServer(course) as server,
        IoTManager(settings_at(server.url), monotonic=ticks, sleep=ticks.sleep) as client,
    ):
        yield client


@pytest.mark.parametrize("fault", [answer(500), answer(200, "<html>", "text/html"), answer(429), RESET, b"nonsense"])
def test_a_wait_outlives_a_service_that_fails_for_a_while(fault: bytes) -> None:
    ticks = Clock()
    with patient(Outage(4, 3, fault), ticks) as client:
        assert client.wait(24).success == 1


def test_a_service_that_fails_at_the_first_look_is_not_waited_for() -> None:
    ticks = Clock()
    with patient(answer(500), ticks) as client, pytest.raises(APIError):
        client.wait(24)


def test_a_service_that_does_not_come_back_is_given_up_after_two_minutes() -> None:
    ticks = Clock()
    with patient(Outage(4, 10**6, answer(500)), ticks) as client, pytest.raises(APIError):
        client.wait(24)
    assert 120 <= sum(ticks.slept) < 200


@pytest.mark.parametrize("fault", [answer(403), answer(404), answer(302, Location="http://elsewhere.example.test/")])
def test_a_wait_ends_with_what_does_not_pass(fault: bytes) -> None:
    ticks = Clock()
    with patient(Outage(4, 1, fault), ticks) as client, pytest.raises((APIError, TransportError)):
        client.wait(24)
    assert sum(ticks.slept) < 10


def test_a_look_takes_no_longer_than_the_wait_may() -> None:
    began = time.monotonic()
    with (
        LyingServer(HANG) as server,
        IoTManager(settings_at(server.url, timeout=30)) as client,
        pytest.raises(DeadlineError),
    ):
        client.wait(24, timeout=0.3)
    assert time.monotonic() - began < 5
