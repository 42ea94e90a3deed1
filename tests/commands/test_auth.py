"""auth: the session, what is said of it without asking anybody, the keyring; and every way not to be let in."""

from __future__ import annotations

import getpass
import json
import os
import re
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from tests.commands.lying_service import (
    AUTH,
    PASSWORD,
    USERNAME,
    Answer,
    LyingService,
    document,
    html,
    jwt,
    tokens,
)
from tests.conftest import MemoryKeyring, Runner
from tests.packages import PYTHONPATH
from tests.terminals import run_at_terminal

DEVICES = "GET /api/v1/devices"
COUNTS = document({"ordered": 2, "issued": 1})
MOMENT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d [+-]\d{4} \S+"


@pytest.fixture(autouse=True)
def counts(liar: LyingService) -> None:
    liar.answers[DEVICES] = COUNTS


def without(env: Mapping[str, str], *names: str) -> dict[str, str]:
    return {name: value for name, value in env.items() if name.removeprefix("SECTIGO_") not in names}


def test_auth_logs_in_once(sectigo: Runner, liar: LyingService) -> None:
    for _ in range(2):
        assert sectigo("auth", env=liar.environ) == (0, "user authenticated and credentials cached\n", "")
    assert liar.asked.count(AUTH) == 1


def test_auth_says_what_the_service_thinks(sectigo: Runner, liar: LyingService) -> None:
    assert sectigo("auth", env=liar.environ).code == 0
    liar.answers[DEVICES] = document({"message": "token revoked"}, 401)
    liar.answers[AUTH] = document({"message": "account locked"}, 401)
    done = sectigo("auth", env=liar.environ)
    assert (done.code, done.out) == (4, "")
    assert "account locked" in done.err or "token revoked" in done.err


def test_a_session_that_is_not_kept_is_not_said_to_be(sectigo: Runner, liar: LyingService) -> None:
    env = {**liar.environ, "XDG_CACHE_HOME": "/proc/none"}
    for words in (("auth",), ("-p", PASSWORD, "auth"), ("auth", "--login")):
        done = sectigo(*words, env=env)
        assert (done.code, done.out) == (0, "user authenticated\n")
        assert "the tokens cannot be kept" in done.err


def test_the_end_of_the_input_is_no_answer(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> str:
        raise EOFError

    monkeypatch.setattr(getpass, "getpass", end)
    for words in (("licenses",), ("auth", "--login")):
        for stdin in ("", f"{USERNAME}\n"):
            done = sectigo(*words, env=no_login(liar), stdin=stdin, terminal=True)
            assert (done.code, done.out) == (4, "")
            assert "EOFError" not in done.err
            assert "there is no terminal" not in done.err
    assert liar.asked == []


def test_looking_at_the_session_loads_nothing_that_sends(sectigo_process: Runner) -> None:
    done = sectigo_process("auth", "--debug", env={"PYTHONPROFILEIMPORTTIME": "1"})
    assert done.code == 0
    assert "requests" not in {line.rpartition("|")[2].strip() for line in done.err.splitlines()}


def test_a_password_that_is_given_is_tried(sectigo: Runner, liar: LyingService) -> None:
    assert sectigo("auth", env=liar.environ).code == 0
    assert sectigo("-p", "new", "auth", env=liar.environ).code == 0
    assert json.loads(liar.bodies[AUTH]) == {"username": USERNAME, "password": "new"}


def test_a_service_that_is_ill_says_nothing_against_the_session(sectigo: Runner, liar: LyingService) -> None:
    liar.answers[DEVICES] = document({"message": "no licences here"}, 500)
    done = sectigo("auth", env=liar.environ)
    assert (done.code, done.out) == (0, "user authenticated and credentials cached\n")
    assert "no licences here" in done.err


def test_cache(sectigo: Runner, liar: LyingService, home: Path) -> None:
    for flag in ("-C", "--cache"):
        assert sectigo("auth", flag, env=liar.environ) == (0, "no credentials cache file exists\n", "")
    sectigo("auth", env=liar.environ)
    done = sectigo("auth", "--cache", env=liar.environ)
    path = Path(done.out.rstrip("\n"))
    assert path.is_relative_to(home)
    assert path.stat().st_mode & 0o777 == 0o600
    assert "accessToken" in path.read_text()
    assert liar.asked.count(AUTH) == 1


LIFETIMES = {
    "valid": ((600, 7200), rf"credentials are valid until {MOMENT}", (r"\d{3} s left", r"\d{4} s left")),
    "current": ((0, 7200), rf"credentials are current until {MOMENT}", ("expired", r"\d{4} s left")),
    "expired": ((0, 0), "credentials are expired or invalid", ("expired", "expired")),
}


@pytest.mark.parametrize(("lifetimes", "line", "left"), LIFETIMES.values(), ids=LIFETIMES)
def test_debug(
    sectigo: Runner,
    liar: LyingService,
    home: Path,
    lifetimes: tuple[int, int],
    line: str,
    left: tuple[str, str],
) -> None:
    liar.answers[AUTH] = tokens(*lifetimes)
    sectigo("auth", env=liar.environ)
    before = {path: path.stat().st_mtime_ns for path in home.rglob("*")}
    liar.asked.clear()
    for flag in ("-d", "--debug"):
        done = sectigo("auth", flag, env=liar.environ)
        assert done.code == 0
        assert re.fullmatch(line + "\n", done.out), done
        said = done.err.splitlines()
        assert said[:2] == [f"user: {USERNAME}", f"endpoint: {liar.url}"]
        assert re.fullmatch(f"access token: {left[0]}", said[2])
        assert re.fullmatch(f"refresh token: {left[1]}", said[3])
    assert liar.asked == []
    assert {path: path.stat().st_mtime_ns for path in home.rglob("*")} == before


def test_debug_after_the_clock_was_set_back(sectigo: Runner, liar: LyingService) -> None:
    sectigo("auth", env=liar.environ)
    path = Path(sectigo("auth", "--cache", env=liar.environ).out.rstrip("\n"))
    kept = json.loads(path.read_bytes())
    path.write_text(json.dumps({**kept, "received": kept["received"] + 3600}))
    done = sectigo("auth", "--debug", env=liar.environ)
    assert (done.code, done.out) == (0, "credentials are expired or invalid\n")
    assert done.err.splitlines()[2:] == [
        "access token: not to be used yet by this clock",
        "refresh token: not to be used yet by this clock",
    ]


def test_debug_without_a_session(sectigo: Runner, home: Path) -> None:
    done = sectigo("auth", "--debug")
    assert (done.code, done.out) == (0, "credentials are expired or invalid\n")
    assert done.err == "user: none\nendpoint: https://iot.sectigo.com\n"
    assert list(home.rglob("*")) == []


def test_debug_asks_nobody(sectigo: Runner, liar: LyingService) -> None:
    done = sectigo("auth", "--debug", env=no_login(liar), stdin=f"{USERNAME}\n", terminal=True)
    assert (done.code, done.err) == (0, f"user: none\nendpoint: {liar.url}\n")
    assert liar.asked == []


def test_debug_tells_the_local_time(sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch) -> None:
    sectigo("auth", env=liar.environ)
    monkeypatch.setenv("TZ", "XST-5:45")
    time.tzset()
    try:
        done = sectigo("auth", "-d", env=liar.environ)
    finally:
        monkeypatch.undo()
        time.tzset()
    assert done.out.endswith(" +0545 XST\n")


# Whose session it is


def test_the_only_cached_user_is_used_and_said(sectigo: Runner, liar: LyingService) -> None:
    sectigo("auth", env=liar.environ)
    env = {**without(liar.environ, "USERNAME", "PASSWORD"), "SECTIGO_ENVIRONMENT": "staging"}
    for words in (("licenses",), ("auth",), ("auth", "--debug"), ("auth", "--cache")):
        done = sectigo(*words, env=env)
        assert done.code == 0, done
        note = f"sectigo: no user name given: using the only one with tokens for this endpoint, {USERNAME}\n"
        assert done.err.count(note) == 1
    assert liar.asked.count(AUTH) == 1


def test_several_cached_users_are_listed(sectigo: Runner, liar: LyingService) -> None:
    for user in ("jane", "jim"):
        sectigo("-u", user, "auth", env=liar.environ)
    env = without(liar.environ, "USERNAME", "PASSWORD")
    for words in (("licenses",), ("auth",), ("auth", "--debug"), ("auth", "--cache"), ("auth", "--logout")):
        done = sectigo(*words, env=env)
        assert (done.code, done.out) == (4, "")
        assert "jane, jim" in done.err
        assert "--username" in done.err
    assert sectigo("-u", "jim", "licenses", env=env).code == 0


# The keyring


def no_login(liar: LyingService) -> dict[str, str]:
    return {**without(liar.environ, "USERNAME", "PASSWORD"), "SECTIGO_ENVIRONMENT": "staging"}


def test_login_keeps_the_password(
    sectigo: Runner, liar: LyingService, memory_keyring: MemoryKeyring, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []

    def typed(prompt: str, _: object) -> str:
        asked.append(prompt)
        return PASSWORD

    monkeypatch.setattr(getpass, "getpass", typed)
    done = sectigo("auth", "--login", env=no_login(liar), stdin=f"{USERNAME}\n", terminal=True)
    assert done.code == 0, done
    assert done.out == "user authenticated and credentials cached\n"
    assert done.err.startswith(f"Sectigo user name at {liar.url}: ")
    assert asked == [f"Sectigo password of {USERNAME} at {liar.url}: "]
    assert "is kept in the keyring" in done.err
    assert json.loads(liar.bodies[AUTH]) == {"username": USERNAME, "password": PASSWORD}
    assert memory_keyring.entries == {(f"sectigo-iot:{liar.url}", USERNAME): PASSWORD}
    liar.answers[AUTH] = tokens(0, 0)
    sectigo("-p", PASSWORD, "-u", USERNAME, "auth", env=no_login(liar))
    liar.bodies.clear()
    later = sectigo("licenses", env=no_login(liar))
    assert later.code == 0, later
    assert json.loads(liar.bodies[AUTH]) == {"username": USERNAME, "password": PASSWORD}


def test_logout_forgets_both(sectigo: Runner, liar: LyingService, memory_keyring: MemoryKeyring, home: Path) -> None:
    assert sectigo("auth", "--login", env=liar.environ).code == 0
    assert len(memory_keyring.entries) == 1
    done = sectigo("auth", "--logout", env=no_login(liar))
    assert (done.code, done.out) == (0, "")
    assert f"forgot session and password of {USERNAME}" in done.err
    assert memory_keyring.entries == {}
    assert [path for path in home.rglob("*.json") if USERNAME in path.read_text()] == []
    again = sectigo("auth", "--logout", env=no_login(liar))
    assert (again.code, again.out) == (0, "")
    assert "nobody is logged in" in again.err


def test_login_without_a_terminal(sectigo: Runner, liar: LyingService, memory_keyring: MemoryKeyring) -> None:
    done = sectigo("auth", "--login", env=no_login(liar))
    assert (done.code, done.out) == (4, "")
    assert liar.asked == []
    liar.answers[AUTH] = document({"message": "bad"}, 401)
    done = sectigo("auth", "--login", env=liar.environ)
    assert (done.code, done.out) == (4, "")
    assert memory_keyring.entries == {}, "a password that is refused is not kept"


def test_a_log_in_that_is_asked_for_on_the_way(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(getpass, "getpass", lambda *_: PASSWORD)
    done = sectigo("licenses", env=no_login(liar), stdin=f"{USERNAME}\n", terminal=True)
    assert done.code == 0, done
    assert json.loads(liar.bodies[AUTH]) == {"username": USERNAME, "password": PASSWORD}
    nothing = sectigo("-e", f"{liar.url}/other", "licenses", env=no_login(liar), stdin="", terminal=True)
    assert (nothing.code, nothing.out) == (4, "")


KEYRING = """
import json, keyring.backend, os
class Keyring(keyring.backend.KeyringBackend):
    priority = 1
    path = os.environ["HOME"] + "/keyring"
    def get_password(self, service, username):
        if not os.path.exists(self.path):
            return None
        with open(self.path) as file:
            kept = json.load(file)
        return kept[2] if kept[:2] == [service, username] else None
    def delete_password(self, service, username):
        pass
    def set_password(self, service, username, password):
        with open(self.path, "w") as file:
            json.dump([service, username, password], file)
"""


def test_login_at_a_real_terminal(liar: LyingService, home: Path) -> None:
    (home / "file_keyring.py").write_text(KEYRING)
    environ = {
        **os.environ,
        **no_login(liar),
        "PYTHONPATH": os.pathsep.join((PYTHONPATH, str(home))),
        "PYTHON_KEYRING_BACKEND": "file_keyring.Keyring",
    }
    answers = {f"user name at {liar.url}: ": USERNAME, f"password of {USERNAME} at {liar.url}: ": PASSWORD}
    code, seen = run_at_terminal([sys.executable, "-m", "sectigo_cli", "auth", "--login"], answers, env=environ)
    assert code == 0, seen
    assert PASSWORD not in seen, "what is typed is not shown"
    assert "user authenticated and credentials cached" in seen
    assert json.loads((home / "keyring").read_text()) == [f"sectigo-iot:{liar.url}", USERNAME, PASSWORD]


# Not let in


@pytest.mark.parametrize("password", ["wrong", "password", "or"])
def test_a_password_that_is_a_word_of_the_refusal_leaves_no_gap(
    sectigo: Runner, liar: LyingService, password: str
) -> None:
    liar.answers[AUTH] = document({"message": "wrong user name or password"}, 401)
    done = sectigo("auth", env={**liar.environ, "SECTIGO_PASSWORD": password})
    first = done.err.splitlines()[0]
    assert (done.code, first) == (4, "sectigo: error: authenticate failed with status 401")


REFUSALS = {
    "wrong password": (document({"message": "wrong user name or password"}, 401), 4, "wrong user name or password"),
    "no authority": (document({"message": "not you"}, 403), 4, "not you"),
    "the older service's refusal": (document({"error": "could not authenticate", "success": False}, 403), 4, "could"),
    "no claims": (document({"accessToken": jwt(sub="x"), "refreshToken": jwt(sub="x")}), 4, "how long it lives"),
    "no JWT": (document({"accessToken": "abc", "refreshToken": "def"}), 4, "no JWT"),
    "no refresh token": (document({"accessToken": jwt(iat=1, exp=2)}), 1, "holds no tokens"),
    "HTML": (html(), 1, "where a JSON document is due"),
    "null": (document(None), 1, "null"),
    "empty": (Answer(), 1, "nothing in it"),
    "a list": (document([]), 1, "holds no tokens"),
    "a certificate is demanded": (Answer(b"", 307), 4, "client certificate"),
    "a fault of the service": (document({"message": "oops"}, 500), 1, "oops"),
}


@pytest.mark.parametrize(("answer", "code", "said"), REFUSALS.values(), ids=REFUSALS)
@pytest.mark.parametrize("words", [("auth",), ("create", "-d", "example.com")], ids=["auth", "create"])
def test_every_way_not_to_be_let_in(
    sectigo: Runner, liar: LyingService, words: tuple[str, ...], answer: Answer, code: int, said: str
) -> None:
    liar.answers[AUTH] = answer
    done = sectigo(*words, env=liar.environ)
    assert (done.code, done.out) == (code, "")
    first, *hints = done.err.splitlines()
    assert first.startswith("sectigo: error: ")
    assert said in first
    assert all(line.startswith("sectigo: hint: ") for line in hints)
    assert PASSWORD not in done.err
    assert set(liar.asked) == {AUTH}
    if answer.status == 401:
        assert liar.asked == [AUTH], "a refused password is not tried again"


def test_a_wrong_password_at_the_emulator(sectigo: Runner, shared: Emulator, nothing_spent: None) -> None:
    done = sectigo("-p", "squirrel-of-yore", "create", "-d", "example.com", env=shared.environ)
    assert (done.code, done.out) == (4, "")
    assert done.err.startswith("sectigo: error: authenticate failed with status 401")
    assert "squirrel" not in done.err


HALF = {
    "nothing": ({}, "there are no credentials for"),
    "a user without a password": ({"SECTIGO_USERNAME": "jane"}, "there is no password for the user jane"),
    "a password without a user": ({"SECTIGO_PASSWORD": "x"}, "there is a password, and no user name"),
}


@pytest.mark.parametrize(("login", "said"), HALF.values(), ids=HALF)
def test_half_a_log_in(sectigo: Runner, liar: LyingService, login: dict[str, str], said: str) -> None:
    done = sectigo("licenses", env={**no_login(liar), **login})
    assert (done.code, done.out) == (4, "")
    assert said in done.err
    assert "`sectigo auth --login`" in done.err
    assert liar.asked == []


WRONG_SETTINGS = {
    "no scheme": ({"SECTIGO_ENDPOINT": "iot.example.com"}, "has no scheme"),
    "no URL": ({"SECTIGO_ENDPOINT": "http://[::1"}, "is no URL"),
    "another scheme": ({"SECTIGO_ENDPOINT": "ftp://example.com"}, "no http or https URL"),
    "unknown environment": ({"SECTIGO_ENVIRONMENT": "live"}, "unknown environment 'live'"),
    "a host that testing does not allow": ({"SECTIGO_ENDPOINT": "http://example.com"}, "does not allow requests to"),
    "http in production": ({"SECTIGO_ENVIRONMENT": "production"}, "does not allow requests to"),
    "a password file that is missing": (
        {"SECTIGO_PASSWORD": "", "SECTIGO_PASSWORD_FILE": "/no"},
        "/no cannot be read",
    ),
}


@pytest.mark.parametrize(("env", "said"), WRONG_SETTINGS.values(), ids=WRONG_SETTINGS)
@pytest.mark.parametrize("words", [("auth",), ("licenses",), ("create", "-d", "example.com")])
def test_wrong_settings(
    sectigo: Runner, liar: LyingService, words: tuple[str, ...], env: dict[str, str], said: str
) -> None:
    done = sectigo(*words, env={**liar.environ, **env})
    assert (done.code, done.out) == (2, "")
    first, *hints = done.err.splitlines()
    assert said in first
    assert len(hints) <= 1
    assert liar.asked == []


def test_a_host_that_cannot_be_reached(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)
    env = {"SECTIGO_ENDPOINT": "http://127.0.0.1:1", "SECTIGO_ENVIRONMENT": "testing"}
    for words in (("licenses",), ("create", "-d", "example.com"), ("revoke", "-p", "8", "-s", "AB")):
        done = sectigo(*words, env=env)
        assert (done.code, done.out) == (1, "")
        assert done.err.startswith("sectigo: error: 127.0.0.1:1 cannot be reached")
