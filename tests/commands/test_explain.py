"""batches --explain: one view that fits a terminal, a verdict, the next command, and an exit code."""

from __future__ import annotations

import json

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import (
    AUTH,
    BATCH,
    CUT,
    Answer,
    LyingService,
    document,
    html,
    ready,
    text,
    waiting,
)
from tests.conftest import Result, Runner

DETAIL = "GET /api/v1/batches/24"
COUNTS = f"{DETAIL}/processing_info"
TEXT = f"{DETAIL}/status"
LOG = f"{DETAIL}/auditLog"
EXPLAIN = ("batches", "-i", "24", "--explain")


def counts(active: int, success: int, failed: int) -> Answer:
    return document({"active": active, "success": success, "failed": failed})


def section(done: Result, name: str) -> str:
    """Return what stands below a heading, its lines joined."""
    below: list[str] = []
    inside = False
    for line in done.out.splitlines():
        if not line.startswith(" "):
            inside = line.partition(" (")[0] == name
        elif inside:
            below.append(line.strip())
    assert below, (name, done)
    return " ".join(below)


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do without the pauses between repetitions."""
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)


@pytest.fixture(autouse=True)
def is_ready(liar: LyingService) -> None:
    liar.answers.update(ready(24))


WHOLE = """\
batch 24
detail (batchDetail)
  status         READY_FOR_DOWNLOAD
  active         false
  downloadable   true
  size           1
  created        2021-06-23T17:53:43.484+0000
  name           b
  order number   1024
  profile        EE
  reject reason  none
status text (batchStatus)
  Ready for download
counts (batchProcessingInfo)
  0 in work, 1 issued, 0 failed
audit log (batchAuditLog)
  this service does not offer it
what contradicts
  nothing
verdict
  ready: 1 issued
next
  sectigo download -i 24
"""
SOUND = {**BATCH, "status": "READY_FOR_DOWNLOAD", "downloadable": True, "active": False}


def test_the_whole_view(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[DETAIL] = document({**SOUND, "creationDate": "2021-06-23T17:53:43.484+0000"})
    assert sectigo(*EXPLAIN, env=liar.environ) == (0, WHOLE, "")
    assert sectigo("batches", "-explain", "-id=24", env=liar.environ).out == WHOLE


def test_one_that_waits(sectigo: Runner, liar: LyingService) -> None:
    liar.answers.update(waiting(24))
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert (done.code, done.err) == (8, "")
    assert section(done, "verdict") == "wait: the service says CREATED; the order stands"
    assert section(done, "next") == "sectigo batches -i 24 --wait"
    assert "neither in work nor done" in section(done, "what contradicts")


def test_one_that_is_issued_in_part(sectigo: Runner, liar: LyingService) -> None:
    liar.answers |= {DETAIL: document({**SOUND, "size": 3}), COUNTS: counts(0, 2, 1)}
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert (done.code, done.err) == (0, "")
    assert section(done, "verdict") == "partly ready: 2 issued, 1 failed; what there is can be fetched"
    assert section(done, "next").startswith("sectigo download -i 24 ")
    assert "but 1 failed: it is issued in part" in section(done, "what contradicts")


OVER: dict[str, tuple[dict[str, object], Answer, str, str]] = {
    "rejected": (
        {"status": "REJECTED", "rejectReason": "the domain is not yours", "profile": "EE_#17"},
        counts(0, 0, 1),
        "over: REJECTED: the domain is not yours",
        "sectigo profiles -i 17 -p",
    ),
    "broken, without a reason": (
        {"status": "BROKEN", "rejectReason": None},
        counts(0, 0, 0),
        "over: BROKEN; the service gives no reason",
        "(`sectigo authorities` lists each profileId): sectigo profiles -i ID -p",
    ),
    "by its counts": (
        {"status": "PROCESSING"},
        counts(0, 0, 1),
        "over: every certificate failed, at READY_FOR_DOWNLOAD; the service gives no reason",
        "then order again, under a new name",
    ),
    "revoked": ({"status": "REVOKED"}, counts(0, 1, 0), "over: REVOKED", "they were revoked"),
    "removed": ({"status": "REMOVED_AFTER_EXPIRATION"}, counts(0, 1, 0), "over: REMOVED", "the days for fetching"),
}


@pytest.mark.parametrize("name", OVER)
def test_one_that_is_over(sectigo: Runner, liar: LyingService, name: str) -> None:
    changes, info, verdict, following = OVER[name]
    liar.answers |= {DETAIL: document({**SOUND, **changes}), COUNTS: info}
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert (done.code, done.err) == (1, "")
    assert section(done, "verdict").startswith(verdict)
    assert following in section(done, "next")


@pytest.mark.parametrize(
    ("call", "name", "verdict", "code"),
    [
        (DETAIL, "detail", "ready: 1 issued", 0),
        (COUNTS, "counts", "unknown: without batchProcessingInfo it cannot be told", 1),
        (TEXT, "status text", "ready: 1 issued", 0),
        (LOG, "audit log", "ready: 1 issued", 0),
    ],
)
@pytest.mark.parametrize("fault", [document({"message": "out of order"}, 500), CUT], ids=["500", "cut"])
def test_each_call_may_fail(
    sectigo: Runner, liar: LyingService, call: str, name: str, verdict: str, code: int, fault: Answer
) -> None:
    liar.answers[call] = fault
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert done.code == code
    assert section(done, name).startswith("not known: ")
    assert section(done, "verdict") == verdict
    assert done.err.startswith("sectigo: error: batchProcessingInfo") is (code == 1)
    assert ("--explain" in section(done, "next")) is (code == 1)


def test_what_may_be_decided_by_what_is_missing_is_not_known(sectigo: Runner, liar: LyingService) -> None:
    liar.answers |= waiting(24) | {DETAIL: html()}
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert done.code == 1
    assert section(done, "verdict") == "unknown: without batchDetail it cannot be told"
    assert "sectigo: error: batchDetail" in done.err


def test_a_batch_that_there_is_not(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("batches", "-i", "99999999", "--explain", env=shared.environ)
    assert (done.code, done.out) == (1, "")
    assert "batchDetail failed with status 404: there is no such batch" in done.err
    assert "sectigo: hint: `sectigo batches` lists" in done.err


def test_a_password_that_is_refused_is_tried_once(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[AUTH] = document({"message": "wrong"}, 401)
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert (done.code, done.out, liar.asked) == (4, "", [AUTH])


def test_a_real_batch(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("create", "-d", "explained.example.com", "-p", "secrtpasswrd", env=shared.environ)
    number = json.loads(done.out)["batchId"]
    done = sectigo("batches", "-i", str(number), "--explain", env=shared.environ)
    assert (done.code, done.err) == (0, "")
    assert section(done, "next") == f"sectigo download -i {number}"


# How it looks

LONG = "Cert subject name error: " + "SubjectAlternativeName " * 40


def test_every_line_fits_a_terminal(sectigo: Runner, liar: LyingService) -> None:
    detail = {**SOUND, "status": "BROKEN", "rejectReason": LONG, "batchName": "x" * 500, "profile": {"a": [1]}}
    log = json.dumps([{"what": LONG, "by": "y" * 200}])
    liar.answers |= {DETAIL: document(detail), LOG: Answer(log.encode()), COUNTS: counts(1, 2, 10**30)}
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert done.code == 1
    assert max(map(len, done.out.splitlines())) <= 80
    assert all(line == line.rstrip() for line in done.out.splitlines())
    assert "SubjectAlternativeName" in section(done, "verdict")


def test_control_characters_are_harmless(sectigo: Runner, liar: LyingService) -> None:
    evil = "a\x1b[2J\x07\r\nverdict\n  ready\u202e"
    detail = {**SOUND, "batchName": evil, "rejectReason": evil, "status": evil, "profile": evil, "size": evil}
    liar.answers |= {DETAIL: document(detail), TEXT: text(evil), LOG: text(evil), COUNTS: counts(0, 0, 1)}
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert done.code == 1
    assert all(c.isprintable() or c == "\n" for c in done.out)
    assert done.out.splitlines().count("verdict") == 1


@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_any_terminal(sectigo_process: Runner, liar: LyingService, encoding: str) -> None:
    liar.answers[DETAIL] = document({**SOUND, "batchName": "Zürich 日本"})
    done = sectigo_process(*EXPLAIN, env={**liar.environ, "PYTHONIOENCODING": encoding})
    assert (done.code, done.err) == (0, "")
    assert ("Z\\xfcrich" if encoding == "ascii" else "Zürich 日本") in done.out


def test_an_audit_log(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[LOG] = document([{"at": "2021-06-23", "what": "CREATED"}])
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert section(done, "audit log") == '[ { "at": "2021-06-23", "what": "CREATED" } ]'
    liar.answers[LOG] = text("10:00 created\n10:01 issued")
    assert section(sectigo(*EXPLAIN, env=liar.environ), "audit log") == "10:00 created 10:01 issued"


@pytest.mark.parametrize("log", ["one line\n" * 500, "x" * 100_000, "[" * 900 + "]" * 900, "[" * 100_000])
def test_an_audit_log_is_cut(sectigo: Runner, liar: LyingService, log: str) -> None:
    liar.answers[LOG] = text(log)
    done = sectigo(*EXPLAIN, env=liar.environ)
    assert done.code == 0
    assert len(done.out.splitlines()) < 100
    assert section(done, "audit log").endswith("… `sectigo call batchAuditLog 24` prints all of it")
    assert max(map(len, done.out.splitlines())) <= 80


def test_no_password_is_shown(sectigo: Runner, liar: LyingService) -> None:
    secret = "correct horse battery staple and more of it, longer than a line of a terminal is wide, or so"
    detail = {
        **SOUND,
        "batchName": f"with {secret}",
        "rejectReason": f"{secret}?",
        "generatorParametersValues": [{"name": "pkcs12Password", "value": secret}],
    }
    liar.answers |= {DETAIL: document(detail), LOG: text(f"by jane, with {secret}"), TEXT: text(f"Odd {secret}")}
    done = sectigo("--verbose", *EXPLAIN, env=liar.environ)
    assert "horse" not in done.out + done.err
    assert done.out.count("[redacted]") >= 4


# How it is asked for

WRONG = {
    "without an id": (("batches", "--explain"), "--explain and --wait are about one batch"),
    "with --wait": ((*EXPLAIN, "--wait"), "--explain looks once, and does not wait"),
    "with --info": ((*EXPLAIN, "--info"), "not allowed with"),
    "with --status": ((*EXPLAIN, "--status"), "not allowed with"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_it_does_not_go_with(sectigo: Runner, liar: LyingService, name: str) -> None:
    words, said = WRONG[name]
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out, liar.asked) == (2, "", [])
    assert said in done.err
