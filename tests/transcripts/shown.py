"""What the manual of TRISA's Go tool shows after each command of its session, as data.

Times are left out, because they are never the same twice; so are the counters that go on with each order.
"""

from __future__ import annotations

from typing import Any

Document = dict[str, Any]

AUTHORITIES: list[Document] = [
    {
        "id": 1,
        "ecosystemId": 100,
        "signerCertificateId": 0,
        "ecosystemName": "TRISA",
        "balance": 10,
        "enabled": True,
        "profileId": 42,
        "profileName": "TRISA Profile",
    }
]
"""The manual's block after `sectigo authorities`, complete."""

LICENSES: Document = {"ordered": 2, "issued": 2}
"""The manual's block after `sectigo licenses`, complete."""

PARAMETERS = ["commonName", "pkcs12Password"]
"""The names in the manual's block after `sectigo profile -i 42 --params`, in its order."""

PARAMETER_FIELDS = [
    "name",
    "inputType",
    "required",
    "placeholder",
    "validationPattern",
    "message",
    "value",
    "title",
    "scopes",
    "dynamic",
]
"""The fields of a parameter as the service has them; the manual shows the names of the parameters alone."""

PROFILE_FIELDS = ["profileName", "profileId", "rawProfileConfig", "name", "keyAlgorithmInfo"]
"""The fields of a profile as the service has them; after `sectigo profiles -i 42` the manual shows its own values."""

CREATED: Document = {
    "batchId": 24,
    "orderNumber": 1024,
    "creationDate": None,
    "profile": "TRISA Profile",
    "size": 1,
    "status": "CREATED",
    "active": False,
    "batchName": "example.com certs",
    "rejectReason": "",
    "generatorParametersValues": None,
    "userId": 10,
    "downloadable": True,
    "rejectable": True,
}
"""The manual's block after `sectigo create`; its date, 2020-12-10T16:35:32.805+0000, is not repeated here."""

ISSUED: Document = {**CREATED, "status": "READY_FOR_DOWNLOAD", "rejectable": False}
"""After `sectigo batches -i 24` the manual shows the block of `create` once more; here the batch is ready by then."""

UPLOADED: Document = {
    **CREATED,
    "batchId": 25,
    "orderNumber": 1025,
    "status": "PENDING",
    "active": True,
    "batchName": "example.com.csr",
    "downloadable": False,
}
"""After `sectigo upload` the manual shows the block of `create`; id, status and name are those the service gives."""

FOUND_FIELDS = ["deviceId", "commonName", "serialNumber", "creationDate", "status"]
"""The fields of a certificate as the service has them; the manual only says that the serial number is among them."""
