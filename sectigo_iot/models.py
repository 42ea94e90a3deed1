"""What the service answers, as frozen values.

Each value keeps the document as the server sent it, fields we do not know included, so that printing loses
nothing. Known fields may be null: what is `None` here was null or missing there. Times are aware and in UTC.
Source of the fields: the public Go client of TRISA, which ran against the live service from 2020 to 2025.
"""

from __future__ import annotations

import copy
import dataclasses
import datetime
import json
from typing import TYPE_CHECKING, Any, Self

from sectigo_iot import fields
from sectigo_iot.errors import InvalidReplyError
from sectigo_iot.statuses import BatchStatus

if TYPE_CHECKING:
    from collections.abc import Callable


def _authorities(value: Any) -> tuple[Authority, ...]:
    return Authority.read_list(value) if value is not None else ()


def _certificates(value: Any) -> tuple[Certificate, ...]:
    return Certificate.read_list(value) if value is not None else ()


def _field(key: str, read: Callable[[Any], Any], *, shown: bool = True) -> Any:
    return dataclasses.field(metadata={"key": key, "read": read}, repr=shown)


@dataclasses.dataclass(frozen=True)
class Answer:
    """A document of the service."""

    _document: Any = dataclasses.field(repr=False, compare=False)

    @classmethod
    def read(cls, document: Any) -> Self:
        """Read a document. Raises InvalidReplyError where it is no such thing."""
        if not isinstance(document, dict):
            raise InvalidReplyError(f"the service sent {_kind(document)} where a {cls.__name__} is due")
        values = []
        for field in dataclasses.fields(cls)[1:]:
            try:
                values.append(field.metadata["read"](document.get(field.metadata["key"])))
            except (ValueError, OverflowError):
                key = field.metadata["key"]
                raise InvalidReplyError(f"the service sent a {cls.__name__} without a usable {key}") from None
        return cls(document, *values)

    @classmethod
    def read_list(cls, document: Any) -> tuple[Self, ...]:
        """Read a list of documents. Raises InvalidReplyError."""
        if not isinstance(document, list):
            raise InvalidReplyError(f"the service sent {_kind(document)} where a list of {cls.__name__} is due")
        return tuple(cls.read(item) for item in document)

    @property
    def document(self) -> Any:
        """A copy of the document as the server sent it: every field, in its order."""
        return copy.deepcopy(self._document)


def _kind(document: Any) -> str:
    return {dict: "an object", list: "a list", str: "text", type(None): "null"}.get(type(document), "a number")


@dataclasses.dataclass(frozen=True)
class Authority(Answer):
    """What may be ordered from: a pool of licences (`id`, `balance`) for one profile. An order takes `id`."""

    id: int = _field("id", fields.integer)
    ecosystem_id: int | None = _field("ecosystemId", fields.maybe_integer)
    signer_certificate_id: int | None = _field("signerCertificateId", fields.maybe_integer)
    ecosystem_name: str | None = _field("ecosystemName", fields.text)
    balance: int | None = _field("balance", fields.maybe_integer)
    enabled: bool = _field("enabled", fields.flag)
    profile_id: int | None = _field("profileId", fields.maybe_integer)
    profile_name: str | None = _field("profileName", fields.text)


@dataclasses.dataclass(frozen=True)
class Batch(Answer):
    """An order and how it stands. Neither `downloadable` nor `active` tells that it is ready: see `wait`."""

    batch_id: int = _field("batchId", fields.integer)
    order_number: int | None = _field("orderNumber", fields.maybe_integer)
    creation_date: datetime.datetime | None = _field("creationDate", fields.time)
    profile: str | None = _field("profile", fields.text)
    size: int | None = _field("size", fields.maybe_integer)
    status: BatchStatus = _field("status", fields.status)
    active: bool = _field("active", fields.flag)
    batch_name: str | None = _field("batchName", fields.text)
    reject_reason: str | None = _field("rejectReason", fields.text)
    generator_parameters_values: Any = _field("generatorParametersValues", fields.anything, shown=False)
    user_id: int | None = _field("userId", fields.maybe_integer)
    downloadable: bool = _field("downloadable", fields.flag)
    rejectable: bool = _field("rejectable", fields.flag)


@dataclasses.dataclass(frozen=True)
class ProcessingInfo(Answer):
    """How many certificates of a batch are in work, issued, failed. 0/0/0 right after an order."""

    active: int = _field("active", fields.count)
    success: int = _field("success", fields.count)
    failed: int = _field("failed", fields.count)


@dataclasses.dataclass(frozen=True)
class LicensesUsed(Answer):
    """How many certificates were ordered and issued, over all authorities."""

    ordered: int | None = _field("ordered", fields.maybe_integer)
    issued: int | None = _field("issued", fields.maybe_integer)


@dataclasses.dataclass(frozen=True)
class Profile(Answer):
    """What kinds of key a profile allows, and its CA."""

    profile_id: int = _field("profileId", fields.integer)
    algorithms: tuple[str, ...] = _field("algorithms", fields.texts)
    ca: str | None = _field("ca", fields.text)


@dataclasses.dataclass(frozen=True)
class ProfileDetail(Answer):
    """A profile and its raw configuration, which is JSON inside a string."""

    profile_name: str | None = _field("profileName", fields.text)
    profile_id: int = _field("profileId", fields.integer)
    raw_profile_config: str | None = _field("rawProfileConfig", fields.text)
    name: str | None = _field("name", fields.text)
    key_algorithm_info: Any = _field("keyAlgorithmInfo", fields.anything)


@dataclasses.dataclass(frozen=True)
class ProfileParameter(Answer):
    """A parameter that an order of this profile takes, and its rule."""

    name: str = _field("name", fields.name)
    input_type: str | None = _field("inputType", fields.text)
    required: bool = _field("required", fields.flag)
    placeholder: str | None = _field("placeholder", fields.text)
    validation_pattern: str | None = _field("validationPattern", fields.text)
    message: str | None = _field("message", fields.text)
    value: str | None = _field("value", fields.text)
    title: str | None = _field("title", fields.text)
    scopes: tuple[str, ...] = _field("scopes", fields.texts)
    dynamic: bool = _field("dynamic", fields.flag)


@dataclasses.dataclass(frozen=True)
class Organization(Answer):
    """The organization of the user who is logged in."""

    organization_id: int = _field("organizationId", fields.integer)
    organization_name: str | None = _field("organizationName", fields.text)
    address: str | None = _field("address", fields.text)
    primary_contact_name: str | None = _field("primaryContactName", fields.text)
    primary_contact_email: str | None = _field("primaryContactEmail", fields.text)
    primary_contact_phone: str | None = _field("primaryContactPhone", fields.text)
    manufacture_id: str | None = _field("manufactureId", fields.text)
    logo: str | None = _field("logo", fields.text)
    authorities: tuple[Authority, ...] = _field("authorities", _authorities)
    ecosystem_id: int | None = _field("ecosystemId", fields.maybe_integer)
    organization_parameters: dict[str, str | None] = _field("organizationParameters", fields.mapping)
    org_status: str | None = _field("orgStatus", fields.text)


@dataclasses.dataclass(frozen=True)
class Certificate(Answer):
    """A certificate that the service knows. `serial_number` is upper-case hex, as a revocation wants it."""

    device_id: str | None = _field("deviceId", fields.text)
    common_name: str | None = _field("commonName", fields.text)
    serial_number: str | None = _field("serialNumber", fields.text)
    creation_date: datetime.datetime | None = _field("creationDate", fields.time)
    status: BatchStatus = _field("status", fields.status)


@dataclasses.dataclass(frozen=True)
class CertificateSearch(Answer):
    """What a search found. `total_count` may exceed the items sent: paging is not documented."""

    total_count: int | None = _field("totalCount", fields.maybe_integer)
    items: tuple[Certificate, ...] = _field("items", _certificates)


@dataclasses.dataclass(frozen=True)
class RawReply:
    """The answer to a raw call: status, media type and body as they came; `document` where the body is JSON."""

    status: int
    media_type: str
    body: bytes = dataclasses.field(repr=False)

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
            raise InvalidReplyError(f"the answer is no JSON but {self.media_type or 'something else'}") from None
