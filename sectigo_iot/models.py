"""What the service answers, as frozen values.

Each value keeps the document as the server sent it, fields we do not know included, so that printing loses
nothing. Known fields may be null: what is `None` here was null or missing there. Times are aware and in UTC.
Source of the fields: the public Go client of TRISA, which ran against the live service from 2020 to 2025.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from sectigo_iot import fields
from sectigo_iot.answers import Answer, Field
from sectigo_iot.errors import InvalidReplyError, told_type


class Authority(Answer):
    """What may be ordered from: a pool of licences (`id`, `balance`) for one profile. An order takes `id`."""

    id = Field("id", fields.integer)
    ecosystem_id = Field("ecosystemId", fields.maybe_integer)
    signer_certificate_id = Field("signerCertificateId", fields.maybe_integer)
    ecosystem_name = Field("ecosystemName", fields.text)
    balance = Field("balance", fields.maybe_integer)
    enabled = Field("enabled", fields.flag)
    profile_id = Field("profileId", fields.maybe_integer)
    profile_name = Field("profileName", fields.text)


class Batch(Answer):
    """An order and how it stands. Neither `downloadable` nor `active` tells that it is ready: see `wait`."""

    batch_id = Field("batchId", fields.integer)
    order_number = Field("orderNumber", fields.maybe_integer)
    creation_date = Field("creationDate", fields.time)
    profile = Field("profile", fields.text)
    size = Field("size", fields.maybe_integer)
    status = Field("status", fields.status)
    active = Field("active", fields.flag)
    batch_name = Field("batchName", fields.text)
    reject_reason = Field("rejectReason", fields.text)
    generator_parameters_values = Field("generatorParametersValues", fields.anything, shown=False)
    user_id = Field("userId", fields.maybe_integer)
    downloadable = Field("downloadable", fields.flag)
    rejectable = Field("rejectable", fields.flag)


class ProcessingInfo(Answer):
    """How many certificates of a batch are in work, issued, failed. 0/0/0 right after an order."""

    active = Field("active", fields.count)
    success = Field("success", fields.count)
    failed = Field("failed", fields.count)


class LicensesUsed(Answer):
    """How many certificates were ordered and issued, over all authorities."""

    ordered = Field("ordered", fields.maybe_integer)
    issued = Field("issued", fields.maybe_integer)


class Profile(Answer):
    """What kinds of key a profile allows, and its CA."""

    profile_id = Field("profileId", fields.integer)
    algorithms = Field("algorithms", fields.texts)
    ca = Field("ca", fields.text)


class ProfileDetail(Answer):
    """A profile and its raw configuration, which is JSON inside a string."""

    profile_name = Field("profileName", fields.text)
    profile_id = Field("profileId", fields.integer)
    raw_profile_config = Field("rawProfileConfig", fields.text)
    name = Field("name", fields.text)
    key_algorithm_info = Field("keyAlgorithmInfo", fields.anything)


class ProfileParameter(Answer):
    """A parameter that an order of this profile takes, and its rule."""

    name = Field("name", fields.name)
    input_type = Field("inputType", fields.text)
    required = Field("required", fields.flag)
    placeholder = Field("placeholder", fields.text)
    validation_pattern = Field("validationPattern", fields.text)
    message = Field("message", fields.text)
    value = Field("value", fields.text)
    title = Field("title", fields.text)
    scopes = Field("scopes", fields.texts)
    dynamic = Field("dynamic", fields.flag)


class Organization(Answer):
    """The organization of the user who is logged in."""

    organization_id = Field("organizationId", fields.integer)
    organization_name = Field("organizationName", fields.text)
    address = Field("address", fields.text)
    primary_contact_name = Field("primaryContactName", fields.text)
    primary_contact_email = Field("primaryContactEmail", fields.text)
    primary_contact_phone = Field("primaryContactPhone", fields.text)
    manufacture_id = Field("manufactureId", fields.text)
    logo = Field("logo", fields.text)
    authorities = Field("authorities", Authority.read_any)
    ecosystem_id = Field("ecosystemId", fields.maybe_integer)
    organization_parameters = Field("organizationParameters", fields.mapping)
    org_status = Field("orgStatus", fields.text)


class Certificate(Answer):
    """A certificate that the service knows. `serial_number` is upper-case hex, as a revocation wants it."""

    device_id = Field("deviceId", fields.text)
    common_name = Field("commonName", fields.text)
    serial_number = Field("serialNumber", fields.text)
    creation_date = Field("creationDate", fields.time)
    status = Field("status", fields.status)


class CertificateSearch(Answer):
    """What a search found. `total_count` may exceed the items sent: paging is not documented."""

    total_count = Field("totalCount", fields.maybe_integer)
    items = Field("items", Certificate.read_any)


class RawReply(NamedTuple):
    """The answer to a raw call: status, media type and body as they came; `document` where the body is JSON."""

    status: int
    media_type: str
    body: bytes

    def __repr__(self) -> str:
        return f"RawReply(status={self.status}, media_type={self.media_type!r})"

    @property
    def text(self) -> str:
        """The body as text."""
        return self.body.decode("utf-8", "replace")

    @property
    def document(self) -> Any:
        """The body read as JSON. Raises InvalidReplyError where it is none."""
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):
            raise InvalidReplyError(f"the answer is no JSON but {told_type(self.media_type)}") from None
