"""What a pair of tokens allows, and when."""

from __future__ import annotations

import contextlib
import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sectigo_iot import InvalidClaimsError, SectigoError, TokenPair, TokensMismatchError
from sectigo_iot.tokens import read_claims
from tests.unit.lying_server import jwt

NOW = 1_600_000_000.0
CLAIMS_2020 = {
    "sub": "/account/1/user/2",
    "scopes": ["ROLE_USER"],
    "first-login": False,
    "iss": "https://iot.sectigo.com/",
    "iat": NOW,
    "exp": NOW + 900,
}
CLAIMS_2019 = {"sub": "jane", "Authorities": ["ROLE_ADMIN"], "iat": int(NOW), "exp": int(NOW) + 600}
STAGING = {
    "iss": "https://staging.example.test",
    "sub": "/account/42/user/staging",
    "exp": NOW + 3600,
    "nbf": NOW,
    "iat": NOW,
    "jti": "380733f3-817a-4e9c-99f0-d884ddd28184",
    "scopes": ["ROLE_USER"],
    "first-login": True,
}
"""The claims of both tokens of TRISA's staging server, but for `exp`, which is an hour later in the refresh token."""
REFRESH = {"sub": "jane", "scopes": ["ROLE_REFRESH_TOKEN"], "jti": "1", "iat": NOW, "exp": NOW + 7200}


def pair(
    access: dict[str, object] | None = None, refresh: dict[str, object] | None = None, at: float = NOW
) -> TokenPair:
    return TokenPair(jwt(access or CLAIMS_2020), jwt(refresh or REFRESH), at)


def test_claims_of_2020_are_read() -> None:
    assert read_claims(jwt(CLAIMS_2020)) == (NOW, NOW + 900, NOW, ("ROLE_USER",))


def test_claims_of_2019_are_read() -> None:
    assert read_claims(jwt(CLAIMS_2019)) == (NOW, NOW + 600, NOW, ())


def test_claims_of_the_staging_server_are_read() -> None:
    assert read_claims(jwt(STAGING)) == (NOW, NOW + 3600, NOW, ("ROLE_USER",))


@pytest.mark.parametrize("value", [int(NOW), NOW + 0.5, str(int(NOW)), f"{NOW:e}"])
def test_times_may_be_integers_floats_and_text(value: object) -> None:
    assert read_claims(jwt({"iat": value, "exp": NOW + 60})).issued_at == float(str(value))


def test_not_before_is_read_and_otherwise_the_time_of_issue() -> None:
    assert read_claims(jwt({**REFRESH, "nbf": NOW + 600})).not_before == NOW + 600
    assert read_claims(jwt(REFRESH)).not_before == NOW


NO_TIMES: list[object] = [None, "soon", "", [], {}, True, 1e300, "nan", "inf", -1e300, -5, "-5", 10**400]


@pytest.mark.parametrize("value", NO_TIMES, ids=lambda value: str(value)[:8])
def test_a_token_without_any_usable_time_is_refused(value: object) -> None:
    with pytest.raises(InvalidClaimsError, match="iat and exp"):
        read_claims(jwt({**CLAIMS_2020, "iat": value, "exp": value}))
    with pytest.raises(InvalidClaimsError, match="iat and exp"):
        read_claims(jwt({"sub": "jane"}))


@pytest.mark.parametrize("value", NO_TIMES, ids=lambda value: str(value)[:8])
@pytest.mark.parametrize("claim", ["iat", "exp"])
def test_a_token_that_lacks_one_time_lives_as_long_as_any_does(claim: str, value: object) -> None:
    for claims in ({claim: value}, {}):
        access = {**{k: v for k, v in CLAIMS_2020.items() if k != claim}, **claims}
        refresh = {**{k: v for k, v in REFRESH.items() if k != claim}, **claims}
        tokens = pair(access, refresh, at=NOW + 3600)
        assert (tokens.valid_until, tokens.current_until) == (NOW + 3600 + 600, NOW + 3600 + 7200)
        assert tokens.valid(NOW + 3600)
        assert tokens.refreshable(NOW + 3600)


def test_a_token_that_does_not_say_when_it_was_issued_may_be_used_at_once() -> None:
    tokens = pair({"exp": NOW + 300, "nbf": NOW})
    assert tokens.valid(NOW)
    assert not tokens.valid(NOW + 600)


@pytest.mark.parametrize("lifetime", [0, -1, -1e9])
def test_a_token_that_says_that_it_does_not_live_is_never_valid(lifetime: float) -> None:
    tokens = pair({**CLAIMS_2020, "exp": NOW + lifetime})
    assert not tokens.valid(NOW)
    assert tokens.lifetime == lifetime
    assert tokens.refreshable(NOW)


GOOD = jwt(CLAIMS_2020)


@pytest.mark.parametrize(
    "token",
    [
        "x",
        "a.b",
        "a.b.c.d",
        "..",
        "a.!!!!.c",
        "a.é.c",
        jwt(b"null"),
        jwt(b"[]"),
        jwt(b"\xff\xfe"),
        jwt(b"[" * 100_000),
        f"{GOOD}\r\nX-Injected: 1",
        f"{GOOD} ",
        f"é{GOOD}",
        GOOD.replace(".", ".\n", 1),
        f"Bearer {GOOD}",
    ],
    ids=range(15),
)
def test_what_is_no_jwt_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(InvalidClaimsError) as caught:
        TokenPair(GOOD, token, NOW)
    assert GOOD not in str(caught.value)
    with pytest.raises(InvalidClaimsError):
        TokenPair(token, GOOD, NOW)


@given(st.text())
def test_any_text_is_a_token_or_an_error_of_ours(text: str) -> None:
    with contextlib.suppress(SectigoError):
        TokenPair(text, text, NOW)


@pytest.mark.parametrize(("access", "refresh", "missing"), [("", GOOD, "access"), (GOOD, "", "refresh")])
def test_half_a_pair_is_refused(access: str, refresh: str, missing: str) -> None:
    with pytest.raises(TokensMismatchError, match=f"the {missing} token"):
        TokenPair(access, refresh, NOW)


@pytest.mark.parametrize("off", [-3600, 0, 3600])
def test_lifetimes_count_from_receipt_on_our_own_clock(off: float) -> None:
    received = NOW + off
    tokens = pair(at=received)
    assert (tokens.valid_until, tokens.current_until) == (received + 900, received + 7200)
    assert tokens.valid(received)
    assert tokens.valid(received + 899)
    assert not tokens.valid(received + 900)
    assert tokens.refreshable(received + 7199)
    assert not tokens.refreshable(received + 7200)


@pytest.mark.parametrize("ahead", [0.2, 2, 90])
def test_a_not_before_that_our_clock_has_not_reached_does_no_harm(ahead: float) -> None:
    received = NOW - ahead
    tokens = pair(STAGING, {**STAGING, "exp": NOW + 7200}, at=received)
    assert tokens.valid(received)
    assert tokens.refreshable(received)
    assert (tokens.valid_until, tokens.current_until) == (int(received) + 3600, int(received) + 7200)


def test_a_margin_shortens_the_life_of_the_access_token() -> None:
    assert pair().valid(NOW + 894, margin=5)
    assert not pair().valid(NOW + 895, margin=5)


def test_a_refresh_token_without_not_before_may_be_used_at_once() -> None:
    assert pair().refreshable(NOW)


def test_a_refresh_token_may_not_be_used_before_its_not_before() -> None:
    tokens = pair(refresh={**REFRESH, "nbf": NOW + 600})
    assert not tokens.refreshable(NOW + 599)
    assert tokens.refreshable(NOW + 600)


def test_a_pair_from_the_future_is_not_used() -> None:
    assert not pair(at=NOW + 3600).current(NOW)


def test_a_session_is_current_while_either_token_may_be_used() -> None:
    assert pair().current(NOW)
    assert pair().current(NOW + 901)
    assert not pair().current(NOW + 7201)


def test_the_repr_shows_no_token() -> None:
    shown = repr(pair())
    assert "valid until 1600000900" in shown
    assert not any(part in shown for part in GOOD.split("."))


def test_a_pair_does_not_change() -> None:
    tokens = pair()
    with pytest.raises(AttributeError):
        tokens.access_token = "other"
    with pytest.raises(AttributeError):
        tokens.more = 1
    with pytest.raises(AttributeError):
        del tokens.access_token


def test_pairs_are_equal_by_their_tokens() -> None:
    assert pair() == pair(at=NOW + 1)
    assert hash(pair()) == hash(pair())
    assert pair() != pair(CLAIMS_2019)
    assert pair() != "pair"


def test_a_pair_can_be_copied() -> None:
    assert copy.copy(pair()) == pair()
    assert copy.deepcopy(pair()) == pair()
