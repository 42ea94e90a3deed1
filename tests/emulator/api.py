"""A bare client for the tests: requests and nothing of ours, so that no shared mistake can hide."""

from __future__ import annotations

import io
import json
import zipfile
from typing import Any

import requests

from sectigo_iot.emulator import Emulator

PASSWORD = "secrtpasswrd"
PARAMETERS = {"commonName": "example.com", "dNSName": "example.com\nwww.example.com", "pkcs12Password": PASSWORD}


class Api:
    """Logged in to one emulator."""

    def __init__(self, emulator: Emulator) -> None:
        self.url = emulator.url
        self.session = requests.Session()
        self.session.trust_env = False
        self.tokens: dict[str, str] = self.login(emulator.username, emulator.password).json()
        self.session.headers["Authorization"] = f"Bearer {self.tokens['accessToken']}"

    def login(self, username: object, password: object) -> requests.Response:
        return self.call("POST", "/auth/pwd", json={"username": username, "password": password})

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        return self.session.request(method, self.url + path, timeout=10, allow_redirects=False, **options)

    def get(self, path: str) -> requests.Response:
        return self.call("GET", path)

    def order(
        self, parameters: object = PARAMETERS, authority: object = 423, name: str = "first"
    ) -> requests.Response:
        document = {"authorityId": authority, "batchName": name, "profileParams": parameters}
        return self.call("PUT", "/api/v1/batches/createSingleCertBatch", json=document)

    def upload(
        self,
        content: bytes,
        profile: int = 423,
        name: str = "requests.csr",
        batch_request: dict[str, object] | None = None,
        **options: Any,
    ) -> requests.Response:
        document = batch_request or {"profileId": profile, "batchType": "BATCH", "profileParams": {}}
        parts = [
            ("profileId", (None, str(profile))),
            ("csrBatchRequest", ("blob", json.dumps(document), "application/json")),
            ("files", (name, content, "application/octet-stream")),
        ]
        return self.call("POST", "/api/v1/batches/upload", files=parts, **options)

    def batch(self, number: int) -> dict[str, Any]:
        document: dict[str, Any] = self.get(f"/api/v1/batches/{number}").json()
        return document

    def files(self, number: int) -> dict[str, bytes]:
        reply = self.get(f"/api/v1/batches/{number}/download")
        assert reply.status_code == 200, reply.text
        with zipfile.ZipFile(io.BytesIO(reply.content)) as archive:
            return {name: archive.read(name) for name in archive.namelist()}

    def find(self, **criteria: object) -> requests.Response:
        return self.call("POST", "/api/v1/certificates/find", json=criteria)

    def serial(self, common_name: str) -> str:
        found: str = self.find(commonName=common_name).json()["items"][-1]["serialNumber"]
        return found

    def revoke(self, serial: object, reason: object = 0, profile: object = 423) -> requests.Response:
        document = {"reasonCode": reason, "serialNumber": serial}
        return self.call("POST", f"/api/v1/certificates/{profile}/revoke", json=document)


def refused(reply: requests.Response, status: int, words: str = "") -> None:
    """Assert that a reply is an error in the four fields, and that its message holds some words."""
    assert reply.status_code == status, reply.text
    assert reply.headers["Content-Type"] == "application/json;charset=UTF-8"
    document = reply.json()
    assert list(document) == ["status", "message", "errorCode", "timestamp"]
    assert document["status"] == status
    assert isinstance(document["errorCode"], int)
    assert isinstance(document["timestamp"], int)
    assert words in document["message"]
