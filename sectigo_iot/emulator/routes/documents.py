"""The service's JSON documents: field names, order and spelling as on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from sectigo_iot.emulator.config.lives import FAILED
from sectigo_iot.emulator.config.world import Authority, Organization, Parameter, Profile
from sectigo_iot.emulator.memory.entities import Batch, Certificate
from sectigo_iot.emulator.memory.state import REJECTABLE

if TYPE_CHECKING:
    from sectigo_iot.emulator.settings import EmulatorSettings

_STATUS_TEXTS = {
    "READY_FOR_DOWNLOAD": "Ready for download",
    "COLLECTED": "Ready for download",
    "PROCESSING": "Processing",
    "FAILED": "Failed",
}
_DOWNLOADABLE = ("CREATED", "READY_FOR_DOWNLOAD", "COLLECTED")
_ALGORITHMS = {
    "rsa4096": {"keyType": "RSA", "keySize": "4096"},
    "rsa3072": {"keyType": "RSA", "keySize": "3072"},
    "rsa2048": {"keyType": "RSA", "keySize": "2048"},
    "p256": {"keyType": "EC", "keySize": "P-256"},
    "p384": {"keyType": "EC", "keySize": "P-384"},
}


def timestamp(seconds: float) -> str:
    """Return a time as the service writes it: UTC, milliseconds, the offset without a colon."""
    moment = datetime.fromtimestamp(seconds, UTC)
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03d}+0000"


def batch_document(batch: Batch, *, no_reason: str | None = "") -> dict[str, object]:
    """Return a Batch. A fresh one claims to be downloadable, as the live service has it."""
    status, told = batch.status, batch.step.downloadable
    return {
        "batchId": batch.id,
        "orderNumber": batch.order_number,
        "creationDate": timestamp(batch.created),
        "profile": batch.profile_name,
        "size": batch.size,
        "status": status,
        "active": status in ("PENDING", "PROCESSING"),
        "batchName": batch.name,
        "rejectReason": batch.step.reason or no_reason,
        "generatorParametersValues": None,
        "userId": batch.user_id,
        "downloadable": status in _DOWNLOADABLE if told is None or batch.revoked else told,
        "rejectable": status in REJECTABLE,
    }


def no_reason(settings: EmulatorSettings) -> str | None:
    """Return what the reject reason of a batch is that has none."""
    return None if settings.no_reason == "null" else ""


def status_text(batch: Batch) -> str:
    """Return the words of the status call; what has been downloaded is still ready for download."""
    if batch.step.text is not None and not batch.revoked:
        return batch.step.text
    return _STATUS_TEXTS.get(batch.status, f"Not Acceptable. Status: {batch.status}")


def processing_document(batch: Batch) -> dict[str, int]:
    """Return the counts of certificates: being made, made, and not to be had."""
    active, success, failed = batch.step.info or _counts(batch)
    return {"active": active, "success": success, "failed": failed}


def _counts(batch: Batch) -> tuple[int, int, int]:
    status = batch.step.status
    if status == "PROCESSING":
        return batch.size, 0, 0
    if status in FAILED:
        return 0, 0, batch.size
    return (0, batch.success, batch.failed) if batch.ready is not None else (0, 0, 0)


def authority_document(
    authority: Authority, organization: Organization, profile: Profile, balance: int
) -> dict[str, object]:
    """Return an Authority with the balance as it stands."""
    return {
        "id": authority.id,
        "ecosystemId": organization.ecosystem_id,
        "signerCertificateId": authority.signer_certificate_id,
        "ecosystemName": authority.ecosystem_name,
        "balance": balance,
        "enabled": authority.enabled,
        "profileId": profile.id,
        "profileName": profile.title or profile.name,
    }


def organization_document(organization: Organization, authorities: list[dict[str, object]]) -> dict[str, object]:
    """Return an organization with its authorities."""
    return {
        "organizationId": organization.id,
        "organizationName": organization.name,
        "address": organization.address,
        "primaryContactName": organization.contact_name,
        "primaryContactEmail": organization.contact_email,
        "primaryContactPhone": organization.contact_phone,
        "manufactureId": "",
        "logo": "",
        "authorities": authorities,
        "ecosystemId": organization.ecosystem_id,
        "organizationParameters": {"Organization": organization.name},
        "orgStatus": "ACTIVE",
    }


def profile_document(profile: Profile, key_type: str) -> dict[str, object]:
    """Return a profile as the list of them shows it."""
    algorithm = _ALGORITHMS[key_type]
    return {
        "profileId": profile.id,
        "algorithms": [f"{algorithm['keyType']}/{algorithm['keySize']}"],
        "ca": "TEST Issuing CA",
    }


def _validity(profile: Profile) -> dict[str, int]:
    return {"validityMonths": 13} if profile.validity_days is None else {"validityDays": profile.validity_days}


def profile_detail_document(profile: Profile, key_type: str) -> dict[str, object]:
    """Return a profile in full; its raw configuration is JSON inside a text."""
    algorithm = _ALGORITHMS[key_type]
    raw = {
        "profileId": profile.id,
        "profileName": profile.title or profile.name,
        **_validity(profile),
        "key": algorithm,
        "parameters": [parameter.name for parameter in profile.parameters],
    }
    return {
        "profileName": profile.title or profile.name,
        "profileId": profile.id,
        "rawProfileConfig": json.dumps(raw),
        "name": profile.name,
        "keyAlgorithmInfo": algorithm,
    }


def parameter_document(parameter: Parameter) -> dict[str, object]:
    """Return one parameter of a profile."""
    return {
        "name": parameter.name,
        "inputType": parameter.input_type,
        "required": parameter.required,
        "placeholder": parameter.placeholder,
        "validationPattern": parameter.pattern,
        "message": parameter.message,
        "value": None,
        "title": parameter.title or parameter.name,
        "scopes": ["BATCH"],
        "dynamic": False,
    }


def certificate_document(certificate: Certificate, batch: Batch, *, numbered: bool) -> dict[str, object]:
    """Return a certificate as a search shows it: with the status of its batch, unless it is revoked itself.

    `numbered` gives its device a number, as in 2020, in place of a text.
    """
    return {
        "deviceId": certificate.serial % 1_000_000 if numbered else certificate.device_id,
        "commonName": certificate.common_name,
        "serialNumber": f"{certificate.serial:X}",
        "creationDate": timestamp(certificate.created),
        "status": "REVOKED" if certificate.revoked is not None else batch.status,
    }
