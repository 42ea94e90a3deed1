"""One batch seen from every side: the reference's table decides, what contradicts is named, a call may fail."""

from __future__ import annotations

import itertools
import json
import pickle
import random
import time

import pytest

from sectigo_iot import (
    Batch,
    Explanation,
    InvalidCredentialsError,
    IoTManager,
    NotAuthorizedError,
    NotFoundError,
    ProcessingInfo,
    SectigoError,
    StatusText,
    Verdict,
)
from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.config.lives import KNOWN, known_lives
from sectigo_iot.explaining import weighed
from tests.conftest import settings_for
from tests.unit.lying_server import (
    BATCH,
    PARAMS,
    RESET,
    Answer,
    Seen,
    answer,
    json_answer,
    lies,
)

ACCEPTED = "Not Acceptable. Status: CREATED"
READY_TEXT = "Ready for download"
WORDS = {
    READY_TEXT: "READY_FOR_DOWNLOAD",
    "Processing": "PROCESSING",
    "Failed": "FAILED",
    ACCEPTED: "CREATED",
    "Not Acceptable. Status: PENDING": "PENDING",
    "Not Acceptable. Status: REJECTED": "REJECTED",
    "Not Acceptable. Status: BROKEN": "BROKEN",
    "Not Acceptable. Status: REVOKED": "REVOKED",
    "Not Acceptable. Status: REMOVED_AFTER_EXPIRATION": "REMOVED_AFTER_EXPIRATION",
    "Not Acceptable. Status: ON_THE_MOON": "ON_THE_MOON",
    "Partly issued": "PARTLY_ISSUED",
}
DETAILS = (
    *("", "CREATED", "PENDING", "PROCESSING", "READY_FOR_DOWNLOAD", "COLLECTED", "FAILED", "REJECTED"),
    *("NOT_ACCEPTABLE", "REMOVED_AFTER_EXPIRATION", "BROKEN", "REVOKED", "ON_THE_MOON"),
)
OVER = {"REJECTED", "FAILED", "BROKEN", "REVOKED", "REMOVED_AFTER_EXPIRATION"}
COUNTS = [(a, s, f) for a in (0, 1) for s in (0, 1, 2) for f in (0, 1)]
COMBINATIONS = list(itertools.product(COUNTS, WORDS, DETAILS))


def due(counts: tuple[int, int, int], words: str, detail: str) -> str:
    """What the reference's table says, row by row."""
    active, success, failed = counts
    if {WORDS.get(words), detail} & OVER:
        return "over"
    if active > 0 or counts == (0, 0, 0):
        return "wait"
    if success > 0:
        ready = words == READY_TEXT or detail in ("READY_FOR_DOWNLOAD", "COLLECTED")
        return ("partly ready" if failed else "ready") if ready else "wait"
    return "over"


def verdict_of(told: Explanation) -> str:
    if told.verdict is None:
        return "unknown"
    words = {Verdict.WAITING: "wait", Verdict.FAILED: "over", Verdict.READY: "ready"}
    return "partly ready" if told.partly else words[told.verdict]


def info(counts: tuple[int, int, int]) -> ProcessingInfo:
    return ProcessingInfo.read(dict(zip(("active", "success", "failed"), counts, strict=True)))


def batch(status: str, **changes: bool) -> Batch:
    return Batch.read({**BATCH, "status": status, **changes})


def test_the_verdict_is_that_of_the_table_for_every_combination() -> None:
    wrong = [
        each
        for each in COMBINATIONS
        if verdict_of(weighed(24, batch(each[2]), info(each[0]), StatusText.read(each[1]))) != due(*each)
    ]
    assert len(COMBINATIONS) > 1500
    assert wrong == []


@pytest.mark.parametrize("without", [{"detail"}, {"info"}, {"text"}, {"detail", "text"}, {"detail", "info"}])
def test_what_is_missing_leaves_the_verdict_open_where_it_might_decide(without: set[str]) -> None:
    for counts, words, status in COMBINATIONS:
        told = weighed(
            24,
            None if "detail" in without else batch(status),
            None if "info" in without else info(counts),
            None if "text" in without else StatusText.read(words),
        )
        hidden_end = ("detail" in without and status in OVER) or ("text" in without and WORDS[words] in OVER)
        assert verdict_of(told) in {"unknown", due(counts, words, status)} or hidden_end, (counts, words, status)
        if "info" in without:
            assert verdict_of(told) in {"unknown", "over"}


AGREEING = [
    ((1, 0, 0), "Processing", "PROCESSING", True, False),
    ((0, 1, 0), READY_TEXT, "READY_FOR_DOWNLOAD", False, True),
    ((0, 0, 1), "Failed", "FAILED", False, False),
    ((0, 0, 1), "Not Acceptable. Status: REJECTED", "REJECTED", False, False),
    ((0, 1, 0), "Not Acceptable. Status: REVOKED", "REVOKED", False, False),
    ((0, 1, 0), "Not Acceptable. Status: REMOVED_AFTER_EXPIRATION", "REMOVED_AFTER_EXPIRATION", False, False),
]


@pytest.mark.parametrize(("counts", "words", "status", "active", "downloadable"), AGREEING)
def test_nothing_contradicts_where_all_agree(
    counts: tuple[int, int, int], words: str, status: str, active: bool, downloadable: bool
) -> None:
    detail = batch(status, active=active, downloadable=downloadable)
    assert weighed(24, detail, info(counts), StatusText.read(words)).contradictions == ()


CONTRADICTIONS: dict[str, tuple[tuple[int, int, int], str, dict[str, object], str]] = {
    "December 2021": ((0, 1, 0), READY_TEXT, {"status": "COLLECTED"}, "seen live in December 2021"),
    "an empty status": ((0, 1, 0), READY_TEXT, {"status": ""}, "the detail says nothing while the status text says"),
    "the detail is ahead": (
        (1, 0, 0),
        "Processing",
        {"status": "COLLECTED"},
        "the detail says COLLECTED while the status text says 'Processing': one of them is ahead",
    ),
    "the text is ahead": ((1, 0, 0), READY_TEXT, {"status": "PROCESSING"}, "one of them is ahead"),
    "rejected, and ready by its text": (
        (0, 1, 0),
        READY_TEXT,
        {"status": "REJECTED"},
        "the detail says REJECTED while the status text says 'Ready for download': an end counts",
    ),
    "an end in the text": ((0, 0, 0), "Failed", {"status": "CREATED"}, "an end counts, wherever it stands"),
    "downloadable right after the order": ((0, 0, 0), ACCEPTED, {"downloadable": True}, "downloadable is true, but"),
    "not downloadable, and ready": (
        (0, 1, 0),
        READY_TEXT,
        {"status": "READY_FOR_DOWNLOAD", "downloadable": False},
        "downloadable is false, although",
    ),
    "inactive with nothing": ((0, 0, 0), ACCEPTED, {}, "active is false and the counts are 0/0/0"),
    "inactive in work": ((2, 0, 0), "Processing", {"status": "PROCESSING"}, "active is false, but 2 in work"),
    "active with nothing": ((0, 1, 0), READY_TEXT, {"status": "COLLECTED", "active": True}, "active is true, but"),
    "active at the end": (
        (0, 0, 1),
        "Failed",
        {"status": "FAILED", "active": True},
        "active is true, but the detail says FAILED, which is an end",
    ),
    "counts and size": ((0, 2, 0), READY_TEXT, {"size": 3}, "the counts add up to 2, but the size is 3"),
    "issued in part": (
        (0, 2, 1),
        READY_TEXT,
        {"status": "READY_FOR_DOWNLOAD", "size": 3},
        "detail and status text say READY_FOR_DOWNLOAD, but 1 failed: it is issued in part",
    ),
    "ready, and in work": ((1, 1, 0), READY_TEXT, {"size": 2}, "READY_FOR_DOWNLOAD, but 1 in work"),
    "ready, and nothing issued": ((0, 0, 0), READY_TEXT, {}, "but none is issued (0 in work, 0 issued, 0 failed)"),
    "failed, and issued": ((0, 1, 0), "Failed", {"status": "FAILED"}, "although 1 issued: they may be paid for"),
    "rejected, and in work": (
        (1, 0, 0),
        "Not Acceptable. Status: REJECTED",
        {"status": "REJECTED"},
        "REJECTED, but 1 in work",
    ),
    "processing nothing": ((0, 0, 0), "Processing", {"status": "PROCESSING"}, "PROCESSING, but the counts are 0/0/0"),
    "processing what is done": ((0, 1, 0), "Processing", {}, "PROCESSING, but nothing is in work any more"),
    "a reason without an end": ((0, 1, 0), READY_TEXT, {"rejectReason": "no"}, "there is a reject reason, but"),
    "another batch": (
        (0, 1, 0),
        READY_TEXT,
        {"batchId": 25},
        "batch 24 was asked for, and the detail is that of batch 25",
    ),
    "an unknown status": ((0, 1, 0), "Partly issued", {}, "PARTLY_ISSUED: a status that nobody has heard of"),
}


@pytest.mark.parametrize("what", CONTRADICTIONS)
def test_what_contradicts_is_named(what: str) -> None:
    counts, words, changes, expected = CONTRADICTIONS[what]
    told = weighed(24, Batch.read({**BATCH, **changes}), info(counts), StatusText.read(words))
    assert any(expected in each for each in told.contradictions), told.contradictions


LIVES = {
    "ready": ["wait", "wait", "ready"],
    "rejected": ["wait", "over"],
    "failed": ["wait", "wait", "over"],
    "broken": ["wait", "wait", "over"],
    "not-acceptable": ["wait", "wait"],
    "partly-issued": ["wait", "wait", "over"],
    "unknown-status": ["wait", "wait", "ready"],
    "disagreeing": ["wait", "wait", "wait", "wait", "ready"],
    "zero-counts": ["wait", "wait", "ready"],
    "stuck": ["wait", "wait"],
    "revoked": ["wait", "wait", "ready", "over"],
    "removed": ["wait", "wait", "ready", "over"],
}


def test_every_life_is_looked_at() -> None:
    assert set(LIVES) == set(KNOWN)


@pytest.mark.parametrize("name", LIVES)
def test_every_life_at_every_step(name: str) -> None:
    config = {"lives": [{"like": name}]}
    steps = known_lives(8)[name].steps
    verdicts = []
    with (
        Emulator(config=config, clock=lambda: 1_800_000_000.0, delay=8) as emulator,
        IoTManager(settings_for(emulator)) as client,
    ):
        number = client.create_single_cert_batch(423, "first", PARAMS).batch_id
        for before, step in itertools.pairwise((steps[0], *steps)):
            emulator.control.advance(step.after - before.after)
            told = client.explain(number)
            assert told.detail is not None and told.info is not None and told.text is not None
            counts = (told.info.active, told.info.success, told.info.failed)
            verdicts.append(verdict_of(told))
            assert verdicts[-1] == due(counts, told.text.text, told.detail.status)
            assert told.verdict is client.look(number).verdict
            assert (told.audit_log, told.missing) == (None, {})
    assert verdicts == LIVES[name]


# A call that fails

DONE = {
    "batchDetail": json_answer({**BATCH, "status": "READY_FOR_DOWNLOAD"}),
    "batchProcessingInfo": json_answer({"active": 0, "success": 1, "failed": 0}),
    "batchStatus": answer(200, READY_TEXT, "text/plain"),
    "batchAuditLog": answer(501, "{}"),
}
ENDS = {"processing_info": "batchProcessingInfo", "status": "batchStatus", "auditLog": "batchAuditLog"}


def service(**changes: bytes) -> Answer:
    """A service with a batch that is ready, but for what is changed."""
    answers = {**DONE, **changes}

    def reply(seen: Seen) -> bytes:
        return answers[ENDS.get(seen.path.rpartition("/")[2], "batchDetail")]

    return reply


PAGE = answer(200, "<html>Log in</html>", "text/html")
FAULTS = {
    "500": answer(500, "{}"),
    "503": answer(503, ""),
    "403": answer(403, "{}"),
    "404": answer(404, "no such batch", "text/plain"),
    "a redirect": answer(302, Location="http://elsewhere.example.test/"),
    "a page": PAGE,
    "null": answer(200, "null"),
    "nothing": answer(200, ""),
    "a reset": RESET,
    "nonsense": b"nonsense",
}
UNKNOWN = {"batchDetail": "ready", "batchProcessingInfo": "unknown", "batchStatus": "ready"}


@pytest.mark.parametrize("fault", FAULTS)
@pytest.mark.parametrize("name", UNKNOWN)
def test_each_call_may_fail_on_its_own(name: str, fault: str) -> None:
    with lies(service(**{name: FAULTS[fault]})) as (_, client):
        told = client.explain(24)
    assert list(told.missing) == [name]
    assert [each is None for each in (told.detail, told.info, told.text)] == [each == name for each in UNKNOWN]
    assert verdict_of(told) == UNKNOWN[name]


@pytest.mark.parametrize("fault", FAULTS)
def test_where_none_answers_that_is_the_error(fault: str) -> None:
    each = FAULTS[fault]
    lying = service(batchDetail=each, batchProcessingInfo=each, batchStatus=each)
    with lies(lying) as (server, client), pytest.raises(SectigoError) as caught:
        client.explain(24)
    assert "batchDetail" in str(caught.value)
    assert isinstance(caught.value, NotFoundError) is (fault == "404")
    assert not any(seen.path.endswith("/auditLog") for seen in server.calls)


@pytest.mark.parametrize(("status", "kind"), [(401, InvalidCredentialsError), (403, NotAuthorizedError)])
def test_a_refused_log_in_is_not_tried_again_for_each_call(status: int, kind: type[Exception]) -> None:
    refused = answer(status, "{}")
    with lies(service(), login=refused) as (server, client), pytest.raises(kind):
        client.explain(24)
    assert len(server.logins) == 1
    assert server.calls == []


# The audit log

NO_LOG = {
    "404": answer(404, "{}"),
    "405": answer(405, ""),
    "501": answer(501, "{}"),
    "null": answer(200, "null"),
    "nothing": answer(200, " \n"),
    "a page": PAGE,
    "a page of no type": answer(200, "<!doctype html><html></html>", None),
}


@pytest.mark.parametrize("what", NO_LOG)
def test_an_audit_log_that_is_not_offered(what: str) -> None:
    with lies(service(batchAuditLog=NO_LOG[what])) as (_, client):
        told = client.explain(24)
    assert (told.audit_log, told.missing, verdict_of(told)) == (None, {}, "ready")


@pytest.mark.parametrize("fault", ["500", "503", "403", "a redirect", "a reset", "nonsense"])
def test_an_audit_log_that_fails_is_no_fault_of_the_batch(fault: str) -> None:
    with lies(service(batchAuditLog=FAULTS[fault])) as (_, client):
        told = client.explain(24)
    assert (told.audit_log, list(told.missing), verdict_of(told)) == (None, ["batchAuditLog"], "ready")


def test_an_audit_log_that_is_refused_costs_no_session() -> None:
    with lies(service(batchAuditLog=answer(401, '{"message": "not for you"}'))) as (server, client):
        for _ in range(2):
            told = client.explain(24)
            assert (list(told.missing), verdict_of(told)) == (["batchAuditLog"], "ready")
            assert "not for you" in str(told.missing["batchAuditLog"])
    assert (len(server.logins), len(server.refreshes)) == (1, 0)
    assert [seen.path.rpartition("/")[2] for seen in server.calls].count("auditLog") == 2


def test_a_session_that_is_over_is_renewed_for_what_counts_alone() -> None:
    asked: list[str] = []
    usual = service()
    assert callable(usual)

    def each_once(seen: Seen) -> bytes:
        """Refuse each token at its second call."""
        asked.append(seen.headers["authorization"])
        return answer(401, "{}") if asked.count(asked[-1]) == 2 else usual(seen)

    with lies(each_once) as (server, client):
        told = client.explain(24)
    assert (list(told.missing), len(server.logins) + len(server.refreshes)) == (["batchAuditLog"], 3)


@pytest.mark.parametrize("log", ['[{"at": 1, "what": "CREATED"}]', "12:00 created\n12:01 issued", '"x"', "0"])
def test_an_audit_log_is_handed_on_as_it_came(log: str) -> None:
    with lies(service(batchAuditLog=answer(200, log, "application/json"))) as (_, client):
        assert client.explain(24).audit_log == log


# Secrets

HIDDEN = 'hunter2\\"ü'
HOLDING = {
    "an object": {"commonName": "a.example.com", "pkcs12Password": HIDDEN},
    "a list of pairs": [
        {"name": "pkcs12Password", "value": HIDDEN},
        {"name": "commonName", "value": "a.example.com"},
    ],
    "a list of values": [{"key": "keystorePassphrase", "values": [HIDDEN]}],
    "a document in a text": json.dumps({"profileParams": {"pkcs12Password": HIDDEN}}),
    "deep inside": {"a": [{"b": json.dumps([{"secret": {"x": [HIDDEN]}}])}]},
}


@pytest.mark.parametrize("held", HOLDING)
def test_a_password_in_the_detail_is_hidden_wherever_it_is_repeated(held: str) -> None:
    detail = {**BATCH, "rejectReason": f"{HIDDEN} is too short", "generatorParametersValues": HOLDING[held]}
    log = f"ordered with {HIDDEN} by jane"
    answers = service(batchDetail=json_answer(detail), batchAuditLog=answer(200, log, "text/plain"))
    with lies(answers) as (_, client):
        told = client.explain(24)
    assert told.audit_log == "ordered with [redacted] by jane"
    assert told.redacted(str(told.reason)) == "[redacted] is too short"
    assert "hunter2" not in repr(told)


@pytest.mark.parametrize("log", HOLDING)
def test_a_password_in_the_audit_log_is_hidden(log: str) -> None:
    came = HOLDING[log] if isinstance(HOLDING[log], str) else json.dumps(HOLDING[log])
    with lies(service(batchAuditLog=answer(200, str(came)))) as (_, client):
        told = client.explain(24)
    assert told.audit_log is not None
    assert "hunter2" not in told.audit_log
    assert "[redacted]" in told.audit_log


@pytest.mark.parametrize("log", ["pkcs12Password=hunter2; ok", "password: 'hunter2'", "p12passwd = hunter2"])
def test_a_password_in_words_is_hidden(log: str) -> None:
    with lies(service(batchAuditLog=answer(200, log, "text/plain"))) as (_, client):
        assert client.explain(24).audit_log == log.replace("hunter2", "[redacted]")


def test_what_is_nested_without_end_does_no_harm() -> None:
    deep = "[" * 900 + json.dumps({"password": "hunter2"}) + "]" * 900
    with lies(service(batchAuditLog=answer(200, deep))) as (_, client):
        log = client.explain(24).audit_log
    assert log is not None and "hunter2" not in log
    endless = "[" * 200_000
    with lies(service(batchAuditLog=answer(200, endless))) as (_, client):
        assert client.explain(24).audit_log == endless[: 64 * 1024]


@pytest.mark.parametrize(
    "log",
    [
        "\n".join(f"password=secret{number}" for number in range(4000)),
        "\n".join(f"password=secret{number}" for number in range(300_000)),
        "x" * 100_000,
        "password=" * 10_000,
        "a:" * 50_000,
    ],
    ids=["many passwords", "more passwords", "one word", "one assignment", "many assignments"],
)
def test_a_log_that_is_made_to_take_long_does_not(log: str) -> None:
    told = weighed(24, batch("CREATED"), info((0, 0, 0)), StatusText.read(ACCEPTED))
    began = time.monotonic()
    shown = told.redacted(log)
    assert time.monotonic() - began < 2
    assert "secret1" not in shown


def odd(length: int, number: int) -> list[str]:
    draw = random.Random(5)
    return ["".join(draw.choices("!$%&#@^*()+<>-", k=length)) for _ in range(number)]


HELD: dict[str, list[str]] = {
    "a few long ones": odd(4000, 60),
    "many": odd(16, 9000),
    "too many": odd(12, 12_000),
    "what is too long": odd(8000, 150),
}


@pytest.mark.parametrize("what", HELD)
def test_a_detail_that_is_made_to_take_long_does_not(what: str) -> None:
    secrets = HELD[what]
    held = [{"name": "pkcs12Password", "value": secret} for secret in secrets]
    detail = Batch.read({**BATCH, "generatorParametersValues": held, "rejectReason": f"weak: {secrets[0]}"})
    told = weighed(24, detail, info((0, 0, 1)), StatusText.read(ACCEPTED))
    began = time.process_time()
    shown = [told.redacted(f"{secret} and password={secret[::-1]}!") for secret in secrets[:50]]
    assert time.process_time() - began < 5
    assert not any(secret in text or secret[::-1] in text for secret, text in zip(secrets, shown, strict=False))


def test_numbers_under_a_value_are_hidden_and_a_count_of_any_length_is_told() -> None:
    held = [{"name": "pin", "value": 123456}]
    detail = Batch.read({**BATCH, "generatorParametersValues": held, "size": 3})
    told = weighed(24, detail, info((10**4299 * 9, 10**4299 * 9, 0)), StatusText.read(ACCEPTED))
    assert told.redacted("is 123456 a PIN?") == "is [redacted] a PIN?"
    assert "the counts add up to far more, but the size is 3" in told.contradictions
    assert pickle.loads(pickle.dumps(told)) == told
