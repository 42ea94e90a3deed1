"""Logging in, renewing, and what tokens are good for."""

from __future__ import annotations

import base64
import hmac
import json
import math
from collections.abc import Callable

import jwt
import pytest
import requests

from sectigo_iot.emulator import Emulator
from sectigo_iot.endpoints import ENDPOINTS
from tests.emulator.api import Api, refused


def claims_of(token: str) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(token, options={"verify_signature": False})
    return claims


def test_tokens_carry_the_claims_of_2020(emulator: Emulator, api: Api) -> None:
    access = claims_of(api.tokens["accessToken"])
    refresh = claims_of(api.tokens["refreshToken"])
    assert jwt.get_unverified_header(api.tokens["accessToken"])["alg"] == "HS512"
    assert set(access) == {"sub", "scopes", "first-login", "iss", "iat", "exp"}
    assert access["scopes"] == ["ROLE_USER"]
    assert access["iss"] == emulator.url + "/"
    assert access["sub"] == "/account/42/user/295"
    assert set(refresh) == {"sub", "scopes", "jti", "iss", "iat", "exp"}
    assert refresh["scopes"] == ["ROLE_REFRESH_TOKEN"]


@pytest.mark.parametrize(("kind", "lifetime"), [("accessToken", 600), ("refreshToken", 7200)])
def test_lifetimes(api: Api, kind: str, lifetime: int) -> None:
    claims = claims_of(api.tokens[kind])
    assert int(str(claims["exp"])) - int(str(claims["iat"])) == lifetime


@pytest.mark.parametrize(("username", "password"), [("tester", "wrong"), ("wrong", "supersecretsquirrel"), ("", "")])
def test_wrong_credentials(api: Api, username: str, password: str) -> None:
    refused(api.login(username, password), 401, "wrong user name or password")


@pytest.mark.parametrize("body", [b"", b"notjson", b"[]", b"null", b"\xff", b"[" * 100_000, b'{"username": "x"}'])
def test_malformed_login(api: Api, body: bytes) -> None:
    refused(api.call("POST", "/auth/pwd", data=body), 400)


@pytest.mark.parametrize("value", [1, None, ["x"], "\ud800"])
def test_credentials_of_another_type(api: Api, value: object) -> None:
    refused(api.login("tester", value), 400, "password")


def test_refresh_takes_the_bare_token(api: Api) -> None:
    reply = api.call(
        "POST", "/auth/refresh", data=api.tokens["refreshToken"], headers={"Content-Type": "application/json"}
    )
    assert reply.status_code == 200
    assert set(reply.json()) == {"accessToken", "refreshToken"}


@pytest.mark.parametrize(
    "change", [lambda t: t["accessToken"], lambda t: f'"{t["refreshToken"]}"', lambda _: "", lambda _: "é"]
)
def test_refresh_takes_nothing_else(api: Api, change: Callable[[dict[str, str]], str]) -> None:
    refused(api.call("POST", "/auth/refresh", data=change(api.tokens).encode()), 401)


@pytest.mark.parametrize("header", ["", "Basic x", "Bearer", "Bearer bad", "Bearer a.b.c"])
def test_no_call_without_a_bearer(api: Api, header: str) -> None:
    refused(api.call("GET", "/api/v1/devices", headers={"Authorization": header}), 401)


def test_a_refresh_token_is_no_bearer(api: Api) -> None:
    header = {"Authorization": f"Bearer {api.tokens['refreshToken']}"}
    refused(api.call("GET", "/api/v1/devices", headers=header), 401, "refresh token")


def test_a_token_of_another_key_is_refused(api: Api) -> None:
    claims = claims_of(api.tokens["accessToken"])
    for forged in (jwt.encode(claims, "k" * 64, "HS512"), jwt.encode(claims, "", "none")):
        refused(api.call("GET", "/api/v1/devices", headers={"Authorization": f"Bearer {forged}"}), 401)


def signed(claims: object, secret: bytes) -> str:
    """Return a token of any claims, where PyJWT makes none of some."""
    parts = [json.dumps(each).encode() for each in ({"alg": "HS512", "typ": "JWT"}, claims)]
    text = b".".join(base64.urlsafe_b64encode(each).rstrip(b"=") for each in parts)
    signature = hmac.digest(secret, text, "sha512")
    return (text + b"." + base64.urlsafe_b64encode(signature).rstrip(b"=")).decode()


def test_an_expiry_that_is_no_time() -> None:
    secret = b"s" * 64
    with Emulator(secret=secret) as emulator:
        times: tuple[object, ...] = (10**400, -(10**400), math.inf, math.nan, "4000000000", None, [], 4_000_000_000)
        for expiry in times:
            token = signed({"sub": "/account/42/user/295", "scopes": ["ROLE_USER"], "exp": expiry}, secret)
            bearer = {"Authorization": f"Bearer {token}"}
            reply = requests.get(emulator.url + "/api/v1/devices", headers=bearer, timeout=10)
            assert reply.status_code == (200 if expiry == 4_000_000_000 else 401), expiry


@pytest.mark.parametrize("name", [n for n, row in ENDPOINTS.items() if row.needs_token])
def test_every_call_wants_a_token(emulator: Emulator, name: str) -> None:
    row = ENDPOINTS[name]
    path = row.path.replace("{id}", "1")
    refused(requests.request(row.method or "GET", emulator.url + path, timeout=10), 401)


def test_tokens_expire_by_the_clock() -> None:
    now = [1_800_000_000.0]
    with Emulator(clock=lambda: now[0], secret=b"s" * 32) as emulator:
        api = Api(emulator)
        now[0] += 599
        assert api.get("/api/v1/devices").status_code == 200
        now[0] += 1
        refused(api.get("/api/v1/devices"), 401, "expired")
        assert api.call("POST", "/auth/refresh", data=api.tokens["refreshToken"]).status_code == 200
        now[0] += 6600
        refused(api.call("POST", "/auth/refresh", data=api.tokens["refreshToken"]), 401, "expired")
        api.session.close()


def test_the_secret_that_was_given_signs() -> None:
    secret = bytes(range(32))
    with Emulator(secret=secret, issuer="https://issuer.example.com/", subject="me", scopes=("A", "B")) as emulator:
        tokens = Api(emulator).tokens
    # HMAC pads a key with zeros itself: the signature is the same, and newer PyJWT does not complain of a short key.
    claims = jwt.decode(tokens["accessToken"], secret.ljust(64, b"\0"), algorithms=["HS512"])
    assert (claims["iss"], claims["sub"], claims["scopes"]) == ("https://issuer.example.com/", "me", ["A", "B"])


def test_a_user_without_authority() -> None:
    with Emulator(authorized=False) as emulator:
        login = {"username": emulator.username, "password": emulator.password}
        refused(requests.post(emulator.url + "/auth/pwd", json=login, timeout=10), 403)
        refused(requests.post(emulator.url + "/auth/pwd", json=login | {"password": "x"}, timeout=10), 401)


def test_an_account_that_demands_a_certificate() -> None:
    elsewhere = "https://login.example.com:8443/auth/pwd"
    with Emulator(certificate_login=elsewhere) as emulator:
        login = {"username": emulator.username, "password": emulator.password}
        reply = requests.post(emulator.url + "/auth/pwd", json=login, timeout=10, allow_redirects=False)
    assert (reply.status_code, reply.headers["Location"]) == (307, elsewhere)


def test_two_sessions_of_one_second_are_told_apart() -> None:
    with Emulator(clock=lambda: 1_800_000_000.0) as emulator:
        tokens = [Api(emulator).tokens["accessToken"] for _ in range(5)]
    assert len(set(tokens)) == 5
    assert sorted(int(str(claims_of(each)["iat"])) for each in tokens) == list(range(1_799_999_996, 1_800_000_001))
