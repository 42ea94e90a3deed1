"""The Credentials value: a copy of what a client is logged in with."""

from __future__ import annotations

from pathlib import Path

import pytest

from sectigo_iot import (
    Credentials,
    CredentialsMismatchError,
    FileTokenStore,
    InvalidClaimsError,
    MemoryTokenStore,
    NoCredentialsError,
    NotAuthenticatedError,
    TokenPair,
    TokensExpiredError,
    TokensMismatchError,
    TokenStore,
)
from tests.unit.lying_server import Clock, lies, token

ENDPOINT = "https://iot.example.com"
ISSUED = 1_000.0


def pair() -> TokenPair:
    return TokenPair(token(600, at=0), token(7200, at=0), ISSUED)


def creds(
    username: str | None = "jane",
    password: str | None = None,
    tokens: TokenPair | None = None,
    *,
    now: float = ISSUED,
    store: TokenStore | None = None,
) -> Credentials:
    return Credentials(ENDPOINT, username, password, tokens, store or MemoryTokenStore(), Clock(now))


@pytest.mark.parametrize(
    ("after", "valid", "refreshable"), [(0, True, True), (599, True, True), (600, False, True), (7200, False, False)]
)
def test_valid_refreshable_and_current_follow_the_clock(after: float, valid: bool, refreshable: bool) -> None:
    it = creds(tokens=pair(), now=ISSUED + after)
    assert (it.valid, it.refreshable, it.current) == (valid, refreshable, valid or refreshable)
    if it.current:
        it.check()


def test_without_tokens_nothing_is_current() -> None:
    it = creds()
    assert (it.valid, it.refreshable, it.current, it.tokens) == (False, False, False, None)


@pytest.mark.parametrize(
    ("username", "password", "tokens", "error"),
    [
        (None, None, None, NoCredentialsError),
        ("jane", None, None, CredentialsMismatchError),
        (None, "x", None, CredentialsMismatchError),
        ("jane", None, pair(), TokensExpiredError),
    ],
)
def test_check_names_what_is_missing(
    username: str | None, password: str | None, tokens: TokenPair | None, error: type[NotAuthenticatedError]
) -> None:
    with pytest.raises(error) as caught:
        creds(username, password, tokens, now=ISSUED + 10_000).check()
    assert type(caught.value) is error
    assert caught.value.hint


def test_check_is_content_with_a_login_whatever_the_tokens() -> None:
    creds("jane", "x").check()
    creds("jane", "x", pair(), now=ISSUED + 10_000).check()


def test_clear_forgets_in_the_copy_alone() -> None:
    store = MemoryTokenStore()
    it = creds(tokens=pair(), store=store)
    it.dump()
    it.clear()
    assert it.tokens is None
    assert store.load(ENDPOINT, "jane") == pair()


def test_load_takes_on_a_login_and_its_tokens() -> None:
    store = MemoryTokenStore()
    store.save(ENDPOINT, "joe", pair())
    it = creds(store=store)
    it.load()
    assert (it.username, it.tokens) == ("jane", None)
    it.load("joe", "x")
    assert (it.username, it.tokens) == ("joe", pair())


def test_dump_keeps_the_tokens() -> None:
    store = MemoryTokenStore()
    creds(tokens=pair(), store=store).dump()
    assert store.load(ENDPOINT, "jane") == pair()


def test_dump_without_tokens_is_refused() -> None:
    with pytest.raises(NotAuthenticatedError):
        creds().dump()


def test_update_takes_on_tokens_received_now() -> None:
    it = creds(now=5_000)
    it.update(pair().access_token, pair().refresh_token)
    assert it.tokens is not None
    assert it.tokens.received == 5_000
    assert it.valid


def test_update_refuses_half_a_pair_and_garbage() -> None:
    it = creds()
    with pytest.raises(TokensMismatchError):
        it.update(pair().access_token, "")
    with pytest.raises(InvalidClaimsError):
        it.update("x", "y")
    assert it.tokens is None


def test_the_cache_file_is_named_where_there_is_one(tmp_path: Path) -> None:
    store = FileTokenStore(tmp_path)
    assert creds(store=store).cache_file == store.path(ENDPOINT, "jane")
    assert creds(None, store=store).cache_file is None
    assert creds().cache_file is None


def test_the_repr_shows_no_secret() -> None:
    shown = repr(creds("jane", "secret-word", pair()))
    assert "jane" in shown
    assert "secret-word" not in shown
    assert pair().access_token not in shown
    assert pair().refresh_token not in shown


def test_a_client_hands_out_a_copy() -> None:
    with lies(b"") as (_, client):
        client.authenticate()
        copy = client.creds
        assert copy.valid
        copy.clear()
        assert client.creds.valid
