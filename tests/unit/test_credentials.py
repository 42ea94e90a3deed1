"""Who logs in and with what: the order of the sources, and what is reported of them."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import (
    AmbiguousUserError,
    ConfigError,
    CredentialsMismatchError,
    IoTManager,
    Login,
    MemoryTokenStore,
    NoCredentialsError,
    Settings,
    TokenPair,
    login_of,
    remember_login,
)
from sectigo_iot.credentials import read_password_file
from tests.conftest import MemoryKeyring
from tests.unit.lying_server import token

ENDPOINT = "https://iot.example.com"


def login(store: MemoryTokenStore | None = None, environ: dict[str, str] | None = None, **more: Any) -> Login:
    values: dict[str, Any] = {"endpoint": ENDPOINT, "environment": "staging", "environ": environ or {}}
    return login_of(Settings(**{**values, **more}), store or MemoryTokenStore())


def with_tokens(*users: str) -> MemoryTokenStore:
    store = MemoryTokenStore()
    for user in users:
        store.save(ENDPOINT, user, TokenPair(token(), token(), 1.0))
    return store


@pytest.fixture
def password_file(tmp_path: Path) -> str:
    path = tmp_path / "password"
    path.write_text("from-the-file\nsecond line\n")
    return str(path)


def answers(question: str, secret: bool) -> str:
    return "typed-secret" if secret else "typed-user"


def ask(it: Login) -> tuple[str, str, str, str]:
    username, password = it.username(), it.password()
    return username, it.username_source, password, it.password_source


def test_every_source_in_its_order(password_file: str) -> None:
    remember_login(ENDPOINT, "kept-user", "kept-secret")
    everything: dict[str, Any] = {"use_keyring": True, "prompt": answers, "password_file": password_file}
    environ = {"SECTIGO_USERNAME": "env-user", "SECTIGO_PASSWORD": "env-secret"}
    of_env = "environment variable SECTIGO_USERNAME"
    assert ask(login(username="joe", password="x1", environ=environ, **everything)) == (
        *("joe", "argument", "x1", "argument"),
    )
    assert ask(login(environ=environ, **everything)) == (
        *("env-user", of_env, "env-secret", "environment variable SECTIGO_PASSWORD"),
    )
    del environ["SECTIGO_PASSWORD"]
    assert ask(login(environ=environ, **everything)) == ("env-user", of_env, "from-the-file", "password file")
    del everything["password_file"]
    assert ask(login(**everything)) == ("kept-user", "config folder", "kept-secret", "keyring")
    assert ask(login(username="joe", **everything)) == ("joe", "argument", "typed-secret", "prompt")
    assert ask(login(prompt=answers)) == ("typed-user", "prompt", "typed-secret", "prompt")


def test_the_keyring_is_not_asked_unless_it_is_wanted(memory_keyring: MemoryKeyring) -> None:
    remember_login(ENDPOINT, "kept-user", "kept-secret")
    with pytest.raises(CredentialsMismatchError):
        login(username="kept-user").password()
    with pytest.raises(NoCredentialsError):
        login().username()


def test_what_was_not_given_has_no_source_until_it_is_found() -> None:
    it = login(prompt=answers)
    assert (it.username_source, it.password_source) == ("nowhere", "nowhere")


def test_a_client_tells_the_sources_and_not_the_values() -> None:
    settings = Settings("jane", endpoint=ENDPOINT, environment="staging", environ={"SECTIGO_PASSWORD": "secret-word"})
    with IoTManager(settings) as client:
        assert client.credential_sources == ("argument", "environment variable SECTIGO_PASSWORD")


def test_a_user_name_without_a_password_is_a_mismatch() -> None:
    with pytest.raises(CredentialsMismatchError, match="no password for the user jane") as caught:
        login(username="jane").password()
    assert caught.value.hint


def test_a_password_without_a_user_name_is_a_mismatch() -> None:
    with pytest.raises(CredentialsMismatchError, match="no user name"):
        login(password="x").username()


@pytest.mark.parametrize("blank", ["", None])
def test_an_empty_user_name_counts_as_none(blank: str | None) -> None:
    with pytest.raises(CredentialsMismatchError, match="no user name"):
        login(username=blank, password="x").username()


def test_without_any_source_there_are_no_credentials() -> None:
    with pytest.raises(NoCredentialsError, match=ENDPOINT) as caught:
        login().username()
    assert caught.value.hint
    assert "SECTIGO_USERNAME" in caught.value.hint


def test_an_empty_answer_at_the_prompt_is_no_user() -> None:
    with pytest.raises(NoCredentialsError):
        login(prompt=lambda *_: "").username()


def test_several_users_with_tokens_are_listed() -> None:
    with pytest.raises(AmbiguousUserError, match="jane, joe") as caught:
        login(with_tokens("joe", "jane"), prompt=answers).username()
    assert caught.value.users == ("jane", "joe")


def test_the_only_user_with_tokens_is_used_with_a_notice(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "sectigo_iot")
    it = login(with_tokens("jane"), prompt=answers)
    assert (it.username(), it.username_source) == ("jane", "token cache")
    (record,) = caplog.records
    assert record.__dict__["notice"] is True
    assert "jane" in record.getMessage()


def test_a_named_user_needs_no_choice() -> None:
    assert login(with_tokens("joe", "jane"), username="eve").username() == "eve"


def test_a_callable_gives_both_and_is_asked_at_each_login() -> None:
    given = iter([("jane", "first"), ("jane", "second"), ("jane", "third")])
    it = login(credentials=lambda: next(given))
    assert it.username() == "jane"
    assert (it.password(), it.password()) == ("second", "third")
    assert (it.username_source, it.password_source) == ("callable", "callable")


def test_a_callable_may_not_change_the_user() -> None:
    given = iter([("jane", "first"), ("joe", "second")])
    it = login(credentials=lambda: next(given))
    assert it.username() == "jane"
    with pytest.raises(ConfigError, match="joe now, and were for jane"):
        it.password()


def test_a_callable_without_a_user_name_is_a_mismatch() -> None:
    with pytest.raises(CredentialsMismatchError):
        login(credentials=lambda: ("", "secret")).username()


def test_testing_has_a_login_of_its_own() -> None:
    it = login(endpoint="http://127.0.0.1:1", environment="testing")
    assert ask(it) == (
        *("tester", "default of the testing environment"),
        *("supersecretsquirrel", "default of the testing environment"),
    )


def test_the_login_of_testing_is_for_its_own_user_alone() -> None:
    with pytest.raises(CredentialsMismatchError):
        login(endpoint="http://127.0.0.1:1", environment="testing", username="jane").password()


def test_no_other_environment_has_the_login_of_testing() -> None:
    with pytest.raises(CredentialsMismatchError):
        login(username="tester").password()


def test_each_half_is_asked_for_once() -> None:
    questions: list[str] = []

    def prompt(question: str, secret: bool) -> str:
        questions.append(question)
        return "answer"

    it = login(prompt=prompt)
    for _ in range(3):
        assert (it.username(), it.password()) == ("answer", "answer")
    assert questions == [f"Sectigo user name at {ENDPOINT}: ", f"Sectigo password of answer at {ENDPOINT}: "]


def test_a_prompt_asks_again_after_a_refused_password() -> None:
    typed = iter(["wrong", "right"])
    it = login(username="jane", prompt=lambda *_: next(typed))
    assert it.password() == "wrong"
    it.forget_password()
    assert it.password() == "right"


def test_a_refused_argument_is_not_replaced_from_elsewhere(password_file: str) -> None:
    it = login(username="jane", password="wrong", password_file=password_file, prompt=answers)
    it.forget_password()
    assert (it.password(), it.password_source) == ("wrong", "argument")


def test_the_repr_shows_no_password() -> None:
    assert "secret-word" not in repr(login(username="jane", password="secret-word"))


@pytest.mark.parametrize(
    ("content", "password"),
    [
        (b"word\n", "word"),
        (b"word", "word"),
        (b"word\r\nmore", "word"),
        (b" w ord \n", " w ord "),
        ("ö\n".encode(), "ö"),
    ],
)
def test_the_first_line_of_a_password_file_is_the_password(content: bytes, password: str, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    assert read_password_file(str(path)) == password


@pytest.mark.parametrize("content", [b"", b"\nword\n", b"\xff\xfe\n"])
def test_a_password_file_without_a_password_is_refused(content: bytes, tmp_path: Path) -> None:
    path = tmp_path / "password"
    path.write_bytes(content)
    with pytest.raises(ConfigError) as caught:
        read_password_file(str(path))
    assert caught.value.setting == "password_file"
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("name", ["missing", "."])
def test_a_password_file_that_cannot_be_opened_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        read_password_file(str(tmp_path / name))
