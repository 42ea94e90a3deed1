"""call: any call by name or path; the answer as it came."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.commands.lying_service import CUT, Answer, LyingService, document, html, text
from tests.conftest import Runner


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (("devices",), "GET /api/v1/devices"),
        (("batchDetail", "24"), "GET /api/v1/batches/24"),
        (("organizationAuthorities", "7"), "GET /api/v1/organizations/7/all_authorities"),
        (("/api/v1/anything", "--method", "delete"), "DELETE /api/v1/anything"),
        (("--method", "PATCH", "/api/v2/x"), "PATCH /api/v2/x"),
    ],
)
def test_by_name_and_by_path(sectigo: Runner, liar: LyingService, words: tuple[str, ...], asked: str) -> None:
    liar.answers[asked] = document({"b": 1, "a": [2]})
    done = sectigo("call", *words, env=liar.environ)
    assert done == (0, '{\n  "b": 1,\n  "a": [\n    2\n  ]\n}\n', "")
    assert liar.asked[-1] == asked


def test_the_body(sectigo: Runner, liar: LyingService, here: Path) -> None:
    Path("body").write_bytes(b"\x00 as it is")
    liar.answers["POST /x"] = document({})
    for data, sent in (('{"a": 1}', b'{"a": 1}'), ("@body", b"\x00 as it is"), ("@-", b"from stdin")):
        done = sectigo("call", "/x", "--method", "POST", "--data", data, env=liar.environ, stdin="from stdin")
        assert done.code == 0, done
        assert liar.bodies["POST /x"] == sent


ANSWERS = {
    "text": (text("Ready for download"), "Ready for download\n", ""),
    "HTML": (html(), html().body.decode() + "\n", ""),
    "JSON that does not say so": (document([1])._replace(media_type="text/plain"), "[\n  1\n]\n", ""),
    "bytes": (Answer(b"PK\x03\x04", 200, "application/zip"), "PK\x03\x04", ""),
    "nothing": (Answer(b"", 200), "", "sectigo: the service answered 200, with nothing in it\n"),
}


@pytest.mark.parametrize(("answer", "out", "err"), ANSWERS.values(), ids=ANSWERS)
def test_the_answer_as_it_came(sectigo: Runner, liar: LyingService, answer: Answer, out: str, err: str) -> None:
    liar.answers["GET /x"] = answer
    assert sectigo("call", "/x", env=liar.environ) == (0, out, err)


FAILURES = {
    "refused": (document({"message": "no", "errorCode": 17}, 400), "GET", 1),
    "unknown": (Answer(b"", 404), "GET", 1),
    "half JSON": (Answer(b"{"), "GET", 1),
    "broken off": (CUT, "POST", 5),
    "a fault of the service": (Answer(b"", 500), "PUT", 5),
}


@pytest.mark.parametrize(("answer", "method", "code"), FAILURES.values(), ids=FAILURES)
def test_failures(sectigo: Runner, liar: LyingService, answer: Answer, method: str, code: int) -> None:
    liar.answers[f"{method} /x"] = answer
    done = sectigo("call", "/x", "--method", method, env=liar.environ)
    assert (done.code, done.out) == (code, "")
    assert done.err.startswith("sectigo: error: ")
    assert liar.asked.count(f"{method} /x") == 1


def test_the_service_s_own_words(sectigo: Runner, liar: LyingService) -> None:
    liar.answers["GET /x"] = Answer(json.dumps({"message": "nope", "errorCode": 17}).encode(), 418)
    done = sectigo("call", "/x", env=liar.environ)
    assert done.err == "sectigo: error: /x failed with status 418: nope (error code 17)\n"


def test_without_a_name_the_ids_are_not_asked_for(sectigo: Runner) -> None:
    first, _ = sectigo("call").err.splitlines()
    assert first == "sectigo: error: call: the following arguments are required: NAME|PATH"
