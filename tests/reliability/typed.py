"""The calls with a public schema: how each is known on the wire, a valid answer to it, and how it is made."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from sectigo_iot import (
    Batch,
    CertificateSearch,
    IoTManager,
    LicensesUsed,
    Organization,
    ProcessingInfo,
    Profile,
    ProfileDetail,
    StatusText,
    TokenPair,
)
from sectigo_iot.models import Authority, ProfileParameter
from tests.commands.lying_service import AUTH, AUTHORITY
from tests.reliability.answering import Said
from tests.unit.lying_server import BATCH, PARAMS, Seen, answer, json_answer, tokens

JSON = "application/json;charset=UTF-8"


def _zip() -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr("example.com.p12", b"\x30\x82" * 100)
    return file.getvalue()


PARAMETER = {
    "name": "commonName",
    "inputType": "TEXT",
    "required": True,
    "placeholder": "host",
    "validationPattern": "^.*$",
    "message": "a name",
    "value": None,
    "title": "Common Name",
    "scopes": ["BATCH"],
    "dynamic": False,
}
PARAMETERS = [PARAMETER, {**PARAMETER, "name": "dNSName"}, {**PARAMETER, "name": "pkcs12Password"}]
PROFILE = {"profileId": 8, "algorithms": ["RSA/4096"], "ca": "CA"}
DETAIL = {
    "profileName": "EE",
    "profileId": 8,
    "rawProfileConfig": '{"a": [1]}',
    "name": "EE",
    "keyAlgorithmInfo": {"keyType": "RSA"},
}
ORGANIZATION = {
    "organizationId": 1042,
    "organizationName": "Example",
    "address": "123 Main Street",
    "primaryContactName": "Jane Example",
    "primaryContactEmail": "jane@example.com",
    "primaryContactPhone": "555",
    "manufactureId": "",
    "logo": "",
    "authorities": [AUTHORITY],
    "ecosystemId": 21,
    "organizationParameters": {"Organization": "Example"},
    "orgStatus": "ACTIVE",
}
FOUND = {
    "deviceId": "17",
    "commonName": "example.com",
    "serialNumber": "C017C2",
    "creationDate": "2021-06-23T17:53:43.484+0000",
    "status": "REVOKED",
}


class Typed(NamedTuple):
    """A typed call: the request line by which it is known, a valid answer to it, how it is made, what it returns."""

    request: str
    valid: Any
    call: Callable[[IoTManager, Path], Any]
    kind: type
    media_type: str = JSON


BATCHES = "/api/v1/batches"
TYPED = {
    "authenticate": Typed(AUTH, tokens(), lambda c, _: c.authenticate(), TokenPair),
    "refresh": Typed("POST /auth/refresh", tokens(), lambda c, _: c.refresh(), TokenPair),
    "createSingleCertBatch": Typed(
        f"PUT {BATCHES}/createSingleCertBatch", BATCH, lambda c, _: c.create_single_cert_batch(7, "n", PARAMS), Batch
    ),
    "batchDetail": Typed(f"GET {BATCHES}/24", BATCH, lambda c, _: c.batch_detail(24), Batch),
    "batchStatus": Typed(
        f"GET {BATCHES}/24/status", b"Ready for download", lambda c, _: c.batch_status(24), StatusText, "text/plain"
    ),
    "batchProcessingInfo": Typed(
        f"GET {BATCHES}/24/processing_info",
        {"active": 0, "success": 1, "failed": 0},
        lambda c, _: c.processing_info(24),
        ProcessingInfo,
    ),
    "download": Typed(
        f"GET {BATCHES}/24/download",
        _zip(),
        lambda c, folder: c.download(24, folder, replace=True),
        Path,
        "application/octet-stream",
    ),
    "upload": Typed(
        f"POST {BATCHES}/upload", BATCH, lambda c, _: c.upload_csr_batch(8, "a.csr", b"-----BEGIN"), Batch
    ),
    "devices": Typed(
        "GET /api/v1/devices", {"ordered": 1, "issued": 0}, lambda c, _: c.licenses_used(), LicensesUsed
    ),
    "userAuthorities": Typed(
        "GET /api/v1/authorities/allowed", [AUTHORITY], lambda c, _: c.user_authorities(), Authority
    ),
    "authorityUserBalanceAvailable": Typed(
        "GET /api/v1/authorities/7/balanceavailable", 100, lambda c, _: c.authority_available_balance(7), int
    ),
    "profiles": Typed("GET /api/v1/profiles", [PROFILE], lambda c, _: c.profiles(), Profile),
    "profileDetail": Typed("GET /api/v1/profiles/8", DETAIL, lambda c, _: c.profile_detail(8), ProfileDetail),
    "profileParameters": Typed(
        "GET /api/v1/profiles/8/parameters", PARAMETERS, lambda c, _: c.profile_params(8), ProfileParameter
    ),
    "currentUserOrganization": Typed(
        "GET /api/v1/organizations/user", ORGANIZATION, lambda c, _: c.organization(), Organization
    ),
    "findCertificate": Typed(
        "POST /api/v1/certificates/find",
        {"totalCount": 1, "items": [FOUND]},
        lambda c, _: c.find_certificate("example.com"),
        CertificateSearch,
    ),
    "revokeCertificate": Typed(
        "POST /api/v1/certificates/8/revoke", {}, lambda c, _: c.revoke_certificate(8, 4, "AB"), type(None)
    ),
}
"""The 17 calls with a public schema."""


def rightly(seen: Seen) -> Said:
    """Answer a request as the service would, by what is valid for it; what is none of the typed calls is 404."""
    found = next((each for each in TYPED.values() if each.request == f"{seen.method} {seen.path}"), None)
    if found is None:
        return Said(answer(404), keep=True)
    if isinstance(found.valid, bytes):
        return Said(answer(200, found.valid, found.media_type), keep=True)
    return Said(json_answer(found.valid), keep=True)
