"""Several organizations and their users, each of whom sees what is theirs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jwt
import pytest
import requests

from sectigo_iot.emulator import Emulator
from tests.emulator.api import Api, refused
from tests.emulator.csrs import make_csr

PASSWORD = "correct-horse-battery"
NAME = {"name": "commonName"}
SECRET = {"name": "pkcs12Password", "input_type": "password"}
WORLD: dict[str, Any] = {
    "profiles": [
        {"id": 1, "name": "servers", "parameters": [NAME, SECRET]},
        {"id": 2, "name": "devices", "parameters": [NAME, SECRET], "password_minimum": 12, "validity_days": 8},
    ],
    "organizations": [
        {
            "id": 100,
            "name": "North",
            "ecosystem_id": 7,
            "authorities": [{"id": 11, "profile": 1, "balance": 5}, {"id": 12, "profile": 2, "balance": 3}],
            "users": [
                {"id": 1, "username": "nora", "password": PASSWORD, "role": "ADMIN"},
                {"id": 2, "username": "nils", "password": PASSWORD, "authorities": [11]},
                {"id": 3, "username": "nemo", "password": PASSWORD, "authorities": []},
            ],
        },
        {
            "id": 200,
            "name": "South",
            "ordered": 40,
            "authorities": [{"id": 21, "profile": 1, "balance": 9}],
            "users": [{"id": 4, "username": "sue", "password": PASSWORD, "subject": "/the/one"}],
        },
    ],
    "first_batch": 0,
}


class User(Api):
    """One of the users of the world."""

    def __init__(self, emulator: Emulator, username: str) -> None:
        self.url = emulator.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.tokens = self.login(username, PASSWORD).json()
        self.session.headers["Authorization"] = f"Bearer {self.tokens['accessToken']}"


@pytest.fixture
def world() -> Iterator[Emulator]:
    with Emulator(config=WORLD) as emulator:
        yield emulator


@pytest.fixture
def users(world: Emulator) -> Iterator[dict[str, User]]:
    everybody = {name: User(world, name) for name in ("nora", "nils", "sue")}
    yield everybody
    for each in everybody.values():
        each.session.close()


def parameters(name: str, password: str = "secrtpasswrd") -> dict[str, str]:
    return {"commonName": name, "pkcs12Password": password}


def test_what_a_token_says_of_its_user(users: dict[str, User]) -> None:
    claims = {
        name: jwt.decode(user.tokens["accessToken"], options={"verify_signature": False})
        for name, user in users.items()
    }
    assert {name: (each["sub"], each["scopes"]) for name, each in claims.items()} == {
        "nora": ("/account/100/user/1", ["ROLE_ADMIN"]),
        "nils": ("/account/100/user/2", ["ROLE_USER"]),
        "sue": ("/the/one", ["ROLE_USER"]),
    }


def test_a_user_without_authorities_is_not_let_in(world: Emulator, users: dict[str, User]) -> None:
    refused(users["nora"].login("nemo", PASSWORD), 403, "no authority")
    refused(users["nora"].login("nemo", "wrong"), 401)


def test_everybody_sees_the_own_authorities(users: dict[str, User]) -> None:
    seen = {
        name: [each["id"] for each in user.get("/api/v1/authorities/allowed").json()] for name, user in users.items()
    }
    assert seen == {"nora": [11, 12], "nils": [11], "sue": [21]}
    assert [each["profileId"] for each in users["nils"].get("/api/v1/profiles").json()] == [1]
    assert users["sue"].get("/api/v1/organizations/user").json()["organizationName"] == "South"
    assert users["nora"].get("/api/v1/authorities/allowed").json()[0]["ecosystemId"] == 7
    refused(users["nils"].get("/api/v1/authorities/12/balanceavailable"), 404)
    refused(users["nils"].get("/api/v1/profiles/2"), 404)


def test_orders_go_by_the_users_authorities(users: dict[str, User]) -> None:
    assert users["nora"].order(parameters("a.example.com"), 12).json()["userId"] == 1
    refused(users["nils"].order(parameters("b.example.com"), 12), 400, "authorityId")
    refused(users["nils"].order(parameters("b.example.com"), 21), 400, "authorityId")
    refused(users["nils"].upload(make_csr("b.example.com", "b.example.com"), profile=2), 403, "profile 2")
    assert users["nora"].get("/api/v1/authorities/12/balanceavailable").json() == 2
    assert users["nora"].get("/api/v1/authorities/11/balanceavailable").json() == 5


def test_an_organization_does_not_see_what_another_has(users: dict[str, User]) -> None:
    batch = users["nils"].order(parameters("a.example.com"), 11).json()["batchId"]
    assert batch == 0
    serial = users["nils"].serial("a.example.com")
    for path in ("", "/status", "/processing_info", "/download"):
        refused(users["sue"].get(f"/api/v1/batches/{batch}{path}"), 404)
    assert users["sue"].find(commonName="a.example.com").json() == {"totalCount": 0, "items": []}
    refused(users["sue"].revoke(serial, profile=1), 404)
    assert users["sue"].get("/api/v1/devices").json() == {"ordered": 40, "issued": 0}
    assert users["nora"].batch(batch)["status"] == "READY_FOR_DOWNLOAD"
    assert users["nora"].revoke(serial, profile=1).status_code == 200


def test_the_rules_of_a_profile(users: dict[str, User]) -> None:
    nora = users["nora"]
    told = {each["name"]: each for each in nora.get("/api/v1/profiles/2/parameters").json()}
    assert told["pkcs12Password"]["validationPattern"] == r"^[\x20-\x7e]{12,64}$"
    refused(nora.order(parameters("a.example.com", "elevenchars"), 12), 400, "12 to 64 printable ASCII characters")
    assert nora.order(parameters("a.example.com", "twelve-chars"), 12).status_code == 201
    found = nora.find(commonName="a.example.com").json()["items"][0]
    assert found["status"] == "READY_FOR_DOWNLOAD"


def test_a_lock_is_of_one_user(world: Emulator, users: dict[str, User]) -> None:
    for _ in range(5):
        refused(users["nora"].login("nils", "wrong"), 401)
    refused(users["nora"].login("nils", PASSWORD), 401, "locked")
    assert users["nora"].login("sue", PASSWORD).status_code == 200


def test_the_first_user_is_the_one_that_is_told(world: Emulator) -> None:
    assert (world.username, world.password) == ("nora", PASSWORD)
    with Emulator(config=WORLD, username="ann", password="chosen-by-me") as emulator:
        assert (emulator.username, emulator.password) == ("ann", "chosen-by-me")
        assert requests.post(
            emulator.url + "/auth/pwd", json={"username": "ann", "password": "chosen-by-me"}, timeout=10
        ).ok
