"""The service's JSON documents: field names, order and spelling as on the wire."""

from __future__ import annotations

import json
from datetime import UTC, datetime

from sectigo_iot.emulator.accounts import Account, Authority, Parameter, Profile
from sectigo_iot.emulator.state import Batch, Certificate, State

_STATUS_TEXTS = {
    "READY_FOR_DOWNLOAD": "Ready for download",
    "COLLECTED": "Ready for download",
    "PROCESSING": "Processing",
    "FAILED": "Failed",
}
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


def batch_document(batch: Batch, user_id: int) -> dict[str, object]:
    """Return a Batch. A fresh one claims to be downloadable, as the live service has it."""
    status = batch.status
    return {
        "batchId": batch.id,
        "orderNumber": batch.order_number,
        "creationDate": timestamp(batch.created),
        "profile": batch.profile.name,
        "size": batch.size,
        "status": status,
        "active": status in ("PENDING", "PROCESSING"),
        "batchName": batch.name,
        "rejectReason": batch.reject_reason,
        "generatorParametersValues": None,
        "userId": user_id,
        "downloadable": status in ("CREATED", "READY_FOR_DOWNLOAD", "COLLECTED"),
        "rejectable": status in ("CREATED", "PENDING", "PROCESSING"),
    }


def status_text(batch: Batch) -> str:
    """Return the words of the status call; what has been downloaded is still ready for download."""
    return _STATUS_TEXTS.get(batch.status, f"Not Acceptable. Status: {batch.status}")


def processing_document(batch: Batch) -> dict[str, int]:
    """Return the counts of certificates: being made, made, and not to be had."""
    active = batch.size if batch.status == "PROCESSING" else 0
    return {"active": active, "success": batch.success, "failed": batch.failed}


def authority_document(authority: Authority, balance: int) -> dict[str, object]:
    """Return an Authority with the balance as it stands."""
    return {
        "id": authority.id,
        "ecosystemId": authority.ecosystem_id,
        "signerCertificateId": authority.signer_certificate_id,
        "ecosystemName": authority.ecosystem_name,
        "balance": balance,
        "enabled": authority.enabled,
        "profileId": authority.profile.id,
        "profileName": authority.profile.title,
    }


def authority_documents(state: State) -> list[dict[str, object]]:
    """Return every authority of the account."""
    return [authority_document(each, state.balance(each.id)) for each in state.account.authorities]


def organization_document(account: Account, state: State) -> dict[str, object]:
    """Return the organization that the account belongs to."""
    organization = account.organization
    return {
        "organizationId": organization.id,
        "organizationName": organization.name,
        "address": organization.address,
        "primaryContactName": organization.contact_name,
        "primaryContactEmail": organization.contact_email,
        "primaryContactPhone": organization.contact_phone,
        "manufactureId": "",
        "logo": "",
        "authorities": authority_documents(state),
        "ecosystemId": account.authorities[0].ecosystem_id,
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


def profile_detail_document(profile: Profile, key_type: str) -> dict[str, object]:
    """Return a profile in full; its raw configuration is JSON inside a text."""
    algorithm = _ALGORITHMS[key_type]
    raw = {
        "profileId": profile.id,
        "profileName": profile.title,
        "validityMonths": 13,
        "key": algorithm,
        "parameters": [parameter.name for parameter in profile.parameters],
    }
    return {
        "profileName": profile.title,
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
        "title": parameter.title,
        "scopes": ["BATCH"],
        "dynamic": False,
    }


def certificate_document(certificate: Certificate, batch: Batch) -> dict[str, object]:
    """Return a certificate as a search shows it: with the status of its batch, unless it is revoked itself."""
    return {
        "deviceId": certificate.device_id,
        "commonName": certificate.common_name,
        "serialNumber": f"{certificate.serial:X}",
        "creationDate": timestamp(certificate.created),
        "status": "REVOKED" if certificate.revoked is not None else batch.status,
    }
