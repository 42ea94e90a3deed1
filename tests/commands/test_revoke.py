"""revoke: reasons, what is asked on a terminal, and what becomes of a lost reply."""

from __future__ import annotations

import json

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import CUT, FIND, REVOKE, Answer, LyingService, document, html, text
from tests.conftest import Runner

REASONS = {
    "unspecified": 0,
    "keycompromise": 1,
    "ca compromise": 2,
    "affiliation changed": 3,
    "superseded": 4,
    "cessation of operation": 5,
    "certificate hold": 6,
    "remove from crl": 8,
    "privilege withdrawn": 9,
    "aa compromise": 10,
    "KEY-Compromise": 1,
    "cessationOfOperation": 5,
    "4": 4,
    "10": 10,
}
FOUND = document(
    {"totalCount": 1, "items": [{"commonName": "example.com", "serialNumber": "ABCD", "status": "ISSUED"}]}
)


@pytest.fixture(autouse=True)
def accepts(liar: LyingService) -> None:
    liar.answers[REVOKE] = Answer()
    liar.answers[FIND] = FOUND


@pytest.mark.parametrize(("typed", "code"), REASONS.items())
def test_reasons_by_name_and_by_code(sectigo: Runner, liar: LyingService, typed: str, code: int) -> None:
    done = sectigo("revoke", "-p", "8", "-r", typed, "-s", "abcd", env=liar.environ)
    assert (done.code, done.out) == (0, ""), done
    assert json.loads(liar.bodies[REVOKE]) == {"reasonCode": code, "serialNumber": "ABCD"}
    assert done.err.startswith("sectigo: revoked ABCD (")


def test_no_reason_is_unspecified(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("revoke", "--profile", "8", "--serial-number", "AB", env=liar.environ)
    assert done.err == "sectigo: revoked AB (unspecified)\n"
    assert json.loads(liar.bodies[REVOKE])["reasonCode"] == 0


def test_off_a_terminal_nothing_is_asked_or_looked_up(sectigo: Runner, liar: LyingService) -> None:
    assert sectigo("revoke", "-p", "8", "-s", "ABCD", env=liar.environ).code == 0
    assert FIND not in liar.asked


@pytest.mark.parametrize("answer", ["y\n", "YES\n", " yes \n"])
def test_on_a_terminal_it_shows_and_asks(sectigo: Runner, liar: LyingService, answer: str) -> None:
    done = sectigo("revoke", "-p", "8", "-s", "AB:CD", "-r", "4", env=liar.environ, stdin=answer, terminal=True)
    assert (done.code, done.out) == (0, "")
    assert json.loads(liar.bodies[FIND]) == {"serialNumber": "ABCD"}
    assert done.err.index("example.com, serial number ABCD, ISSUED") < done.err.index("Revoke ABCD for superseded?")
    assert done.err.endswith("sectigo: revoked ABCD (superseded)\n")


@pytest.mark.parametrize("answer", ["", "\n", "n\n", "ye\n", "no, yes\n"])
def test_anything_but_yes_revokes_nothing(sectigo: Runner, liar: LyingService, answer: str) -> None:
    done = sectigo("revoke", "-p", "8", "-s", "ABCD", env=liar.environ, stdin=answer, terminal=True)
    assert (done.code, done.out) == (1, "")
    assert "nothing was revoked" in done.err
    assert REVOKE not in liar.asked


def test_yes_skips_the_question(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("revoke", "-p", "8", "-s", "ABCD", "--yes", env=liar.environ, terminal=True)
    assert (done.code, FIND in liar.asked) == (0, False)


@pytest.mark.parametrize("answer", [document({"message": "no search"}, 501), html(), document(None), CUT])
def test_a_failed_look_up_never_blocks(
    sectigo: Runner, liar: LyingService, answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)
    liar.answers[FIND] = answer
    done = sectigo("revoke", "-p", "8", "-s", "ABCD", env=liar.environ, stdin="y\n", terminal=True)
    assert (done.code, done.out) == (0, "")
    assert "cannot be looked up" in done.err
    assert "revoked ABCD" in done.err


def test_one_that_the_service_does_not_find(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[FIND] = document({"totalCount": 0, "items": []})
    done = sectigo("revoke", "-p", "8", "-s", "ABCD", env=liar.environ, stdin="y\n", terminal=True)
    assert done.code == 0
    assert "finds no certificate with the serial number ABCD" in done.err


@pytest.mark.parametrize("answer", [CUT, document({"message": "oops"}, 500), html(502)])
def test_a_reply_that_is_lost(sectigo: Runner, liar: LyingService, answer: Answer) -> None:
    liar.answers[REVOKE] = answer
    done = sectigo("revoke", "-p", "8", "-s", "ABCD", env=liar.environ)
    assert (done.code, done.out) == (5, "")
    assert "`sectigo find -s ABCD` tells" in done.err
    assert "revoked ABCD" not in done.err
    assert liar.asked.count(REVOKE) == 1


IGNORED = {
    "nothing": Answer(b"", 204),
    "nothing, called a page": Answer(b"\r\n", 200, "text/html"),
    "null": document(None),
    "a document": document({"success": True}),
    "a document that speaks of pages": Answer(b'{"note": "<html>"}', 201),
    "words": text("Certificate revoked"),
    "words of no type": Answer(b"OK", 202, ""),
}


@pytest.mark.parametrize("body", IGNORED)
def test_the_body_of_the_reply_is_ignored(sectigo: Runner, liar: LyingService, body: str) -> None:
    liar.answers[REVOKE] = IGNORED[body]
    done = sectigo("revoke", "-p", "8", "-s", "ABCD", env=liar.environ)
    assert done == (0, "", "sectigo: revoked ABCD (unspecified)\n")


PAGES = {
    "a page": html(),
    "a page for proxies": html(203),
    "a page of another type": Answer(b"\n<HTML><body>Log in</body></HTML>", 200, "text/plain"),
    "a page of no type": Answer(b"<!DOCTYPE html><title>Log in</title>", 200, ""),
    "a part of a page": Answer(b"<p>Log in</p>", 200, "Text/HTML; charset=utf-8"),
}


@pytest.mark.parametrize("page", PAGES)
def test_a_page_is_no_answer_of_this_service(sectigo: Runner, liar: LyingService, page: str) -> None:
    liar.answers[REVOKE] = PAGES[page]
    done = sectigo("revoke", "-p", "8", "-s", "ABCD", env=liar.environ)
    assert (done.code, done.out) == (5, "")
    assert "nobody knows whether revokeCertificate was carried out" in done.err
    assert "an HTML page" in done.err
    assert "`sectigo find -s ABCD` tells" in done.err
    assert liar.asked.count(REVOKE) == 1


def test_the_profile_by_name(sectigo: Runner, shared: Emulator) -> None:
    sectigo("create", "-d", "revoked.example.com", "-p", "secrtpasswrd", env=shared.environ)
    found = json.loads(sectigo("find", "-n", "revoked.example.com", env=shared.environ).out)
    serial = found["items"][0]["serialNumber"]
    done = sectigo("revoke", "-s", serial, "-r", "superseded", env=shared.environ)
    assert done == (0, "", f"sectigo: revoked {serial} (superseded)\n")
    found = json.loads(sectigo("find", "-n", "revoked.example.com", env=shared.environ).out)
    assert found["items"][0]["status"] == "REVOKED"
    again = sectigo("revoke", "-s", serial, env=shared.environ)
    assert (again.code, again.out) == (1, "")


def test_no_profile(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("revoke", "-s", "ABCD", env=liar.environ)
    assert (done.code, done.out) == (2, "")
    assert "which profile?" in done.err
    assert liar.asked == []
