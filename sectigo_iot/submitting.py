"""What an upload of signing requests would be refused for, or pay for in vain, settled before anything is sent.

`pki` has read the requests and found key, signature and hash sound. Here they are looked at as an order: one beside
the other, and against the profile's own list of parameters.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from sectigo_iot.errors import InvalidInputError, clean
from sectigo_iot.matching import matches
from sectigo_iot.statuses import Param

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from sectigo_iot.models import ProfileParameter
    from sectigo_iot.pki import CertificateRequest

UPLOAD_CHECKS = (
    "missing-san",
    "repeated-san",
    "same-name",
    "same-key",
    "missing-subject",
    "refused-subject",
    "odd-subject",
)
"""The checks that somebody who knows the profile better may leave out, by name."""
SAME_REQUEST = "same-request"
"""The check that nobody may leave out: of two requests that are one, the second is paid for in vain."""

_FIELDS: dict[str, str] = {
    Param.ORGANIZATION: "organization",
    Param.LOCALITY: "locality",
    Param.STATE: "state",
    Param.COUNTRY: "country",
}
_SHORT: dict[str, str] = {
    Param.COMMON_NAME: "CN",
    Param.ORGANIZATION: "O",
    Param.LOCALITY: "L",
    Param.STATE: "ST",
    Param.COUNTRY: "C",
}
_NO_SAN = "Cert subject name error: SubjectAlternativeName dNSName value is missing"
_MOST_SHOWN = 60
# Labels with dots between them, the last of them no number (RFC 1123, section 2.1).
_HOST = re.compile(r"(\*\.)?([\w-]+\.)+(?![0-9]+\Z)[\w-]+")


class UploadFault(NamedTuple):
    """One thing that is wrong with one request of an upload.

    `check` is the name of the check that found it, one of `UPLOAD_CHECKS` or `same-request`; empty for a warning.
    """

    request: CertificateRequest
    check: str
    text: str

    def __str__(self) -> str:
        return f"{_place(self.request)}: {self.text}"


class UploadCheck(NamedTuple):
    """What was found: `faults` to mend, `warnings` to think about, and in words what could not be checked."""

    faults: tuple[UploadFault, ...]
    warnings: tuple[UploadFault, ...]
    unchecked: tuple[str, ...]


def check_upload(
    requests: Sequence[CertificateRequest],
    rules: Sequence[ProfileParameter] | None = None,
    allow: Collection[str] = (),
) -> UploadCheck:
    """Return every fault of these requests as one order, and what is odd about them.

    `rules` is the profile's own list of parameters, or None where the service has none, or was not asked: a request
    must have in its subject what is required there, and in the form that is demanded. `allow` names checks of
    `UPLOAD_CHECKS` to leave out. Raises InvalidInputError for another name.
    """
    unknown = sorted({*allow} - {*UPLOAD_CHECKS})
    if unknown:
        raise InvalidInputError(f"there is no check {unknown[0]!r}", hint=f"there are {', '.join(UPLOAD_CHECKS)}")
    refused, untried = _refused(requests, rules or ())
    faults = [fault for request in requests for fault in _own(request, rules or ())]
    faults += [*refused, *_twins(requests)]
    order = {id(request): place for place, request in enumerate(requests)}
    faults.sort(key=lambda fault: order[id(fault.request)])
    return UploadCheck(
        tuple(fault for fault in faults if fault.check not in allow),
        tuple(warning for request in requests for warning in _odd(request)),
        (*_beyond_a_request(rules or ()), *untried),
    )


def _own(request: CertificateRequest, rules: Sequence[ProfileParameter]) -> Iterator[UploadFault]:
    """Yield what is wrong with a request by itself."""
    if not request.dns_names:
        right = f": make it with subjectAltName=DNS:{request.common_name}" if request.common_name else ""
        yield UploadFault(request, "missing-san", f"it has no dNSName, and the service says {_NO_SAN!r}{right}")
    first: set[str] = set()
    for name in request.dns_names:
        if name.casefold() in first:
            yield UploadFault(request, "repeated-san", f"its dNSName {name!r} stands there twice: make it with one")
        first.add(name.casefold())
    for rule in rules:
        if _lacks(request, rule):
            right = f"make it with {_SHORT.get(rule.name, rule.name)}=… there"
            text = f"its subject has no {rule.name}, which the profile demands: {right}"
            yield UploadFault(request, "missing-subject", text)
    for name, value in request.subject:
        for text in _template_text(name, value):
            yield UploadFault(request, "odd-subject", f"its {name} {text}")


def _template_text(name: str, value: str) -> Iterator[str]:
    """Yield why a value of the subject is nothing that was meant: a placeholder, blank at an end, no country, ….

    What was typed for a request that is made here is judged by the same rules.
    """
    from sectigo_iot.pki.request_rules import ATTRIBUTE_NAMES
    from sectigo_iot.pki.requesting.subject import subject_field
    from sectigo_iot.pki.requesting.typed import check_typed

    field = _FIELDS.get(name)
    written = value
    try:
        if not value.strip():
            yield "is empty, which RFC 5280 allows no attribute to be: leave it out, or write what is to stand there"
        elif field is not None:
            written = subject_field(field, value)
        elif name in ATTRIBUTE_NAMES:
            # `pki` tells of a blank at an end of a common name.
            check_typed(value.strip() if name == Param.COMMON_NAME else value)
    except InvalidInputError as fault:
        yield f"{fault.message}{f': {fault.hint}' if fault.hint else ''}"
    if written != value:
        yield f"{_shown(value)} is not as ISO 3166-1 writes it: write {written}"


def _lacks(request: CertificateRequest, rule: ProfileParameter) -> bool:
    """Whether the profile demands an attribute of the subject that this one has not, and has no value for it."""
    if not rule.required or not _in_subject(rule) or (rule.value or "").strip():
        return False
    return not any(name == rule.name and value.strip() for name, value in request.subject)


def _in_subject(rule: ProfileParameter) -> bool:
    from sectigo_iot.pki.request_rules import ATTRIBUTE_NAMES

    return rule.name in ATTRIBUTE_NAMES


def _values(request: CertificateRequest, rule: ProfileParameter) -> list[str]:
    if rule.name == Param.DNS_NAMES:
        return list(request.dns_names)
    return [value for name, value in request.subject if name == rule.name and value.strip()]


def _refused(
    requests: Sequence[CertificateRequest], rules: Sequence[ProfileParameter]
) -> tuple[list[UploadFault], list[str]]:
    """Return the values that break the profile's patterns, and in words which patterns could not be tried."""
    tried = [
        (request, rule, value)
        for rule in rules
        if rule.validation_pattern and rule.name != Param.PKCS12_PASSWORD
        for request in requests
        for value in _values(request, rule)
    ]
    found = matches((rule.validation_pattern or "", value) for _, rule, value in tried)
    faults, untried = [], {}
    for request, rule, value in tried:
        verdict = found[rule.validation_pattern or "", value]
        if verdict is None:
            untried[rule.name] = f"{rule.name} is not checked: the profile's pattern for it cannot be tried here"
        elif not verdict:
            why = clean(rule.message or f"it must match {rule.validation_pattern}")
            text = f"its {rule.name} {_shown(value)} is refused by the profile: {why}"
            faults.append(UploadFault(request, "refused-subject", text))
    return faults, list(untried.values())


def _beyond_a_request(rules: Sequence[ProfileParameter]) -> Iterator[str]:
    """Say which of the profile's demands are about nothing that a request holds."""
    for rule in rules:
        elsewhere = rule.name in (Param.DNS_NAMES, Param.PKCS12_PASSWORD)
        if rule.required and not elsewhere and not _in_subject(rule):
            yield f"{rule.name} is not checked: the profile demands it, and a request has no place for it"


def _twins(requests: Sequence[CertificateRequest]) -> Iterator[UploadFault]:
    """Yield a fault for each request that another one stands for already."""
    same: dict[bytes, CertificateRequest] = {}
    names: dict[str, CertificateRequest] = {}
    keys: dict[str, CertificateRequest] = {}
    for request in requests:
        first = same.setdefault(request.pem, request)
        if first is not request:
            text = f"it is the same as {_place(first)}, and each would be paid for"
            yield UploadFault(request, SAME_REQUEST, text)
            continue
        first = names.setdefault(_name(request).casefold(), request)
        if first is not request:
            text = f"its name {_name(request)!r} is that of {_place(first)}: the service refuses it, or issues it as"
            yield UploadFault(request, "same-name", f"{text} a second one and takes a licence: leave one out")
        first = keys.setdefault(request.public_key_fingerprint, request)
        if first is not request:
            text = f"its key is that of {_place(first)}: make each request with a key of its own"
            yield UploadFault(request, "same-key", text)


def _odd(request: CertificateRequest) -> Iterator[UploadFault]:
    """Yield what the service is not known to refuse, and may be a mistake.

    Where there is a dNSName, nobody looks for a host in the common name (RFC 9525, section 2; RFC 6125, section
    6.4.4); but a device's number may stand there on purpose, so that this is no fault.
    """
    from sectigo_iot.pki.requesting.subject import oddities

    name = _as_in_dns(request.common_name)
    if name and request.dns_names and not _covered(name, {dns.casefold() for dns in request.dns_names}):
        text = f"its common name {_shown(request.common_name)} is none of its dNSNames: what connects by that name"
        yield UploadFault(request, "", f"{text} will refuse it")
    names = [value for attribute, value in request.subject if attribute == Param.COMMON_NAME]
    if len(names) > 1:
        text = f"its subject has {len(names)} common names: which of them the service goes by is not known"
        yield UploadFault(request, "", text)
    if request.key == "Ed25519":
        yield UploadFault(request, "", "its key is Ed25519: whether the profile takes it is not known")
    for name, value in request.subject:
        for text in oddities(_FIELDS.get(name, ""), value):
            yield UploadFault(request, "", f"its {name} {text}")


def _as_in_dns(name: str) -> str:
    """Return a common name as a dNSName would have it (RFC 5890), empty where it is no name of a host.

    The number of a device, or an address, is nothing by which a host is found in DNS.
    """
    import idna

    if not _HOST.fullmatch(name):
        return ""
    star = "*." * name.startswith("*.")
    try:
        return star + idna.encode(name.removeprefix(star), uts46=True).decode().casefold()
    except UnicodeError:
        # An underscore, for instance.
        return name.casefold()


def _covered(name: str, dns_names: Collection[str]) -> bool:
    return name in dns_names or f"*.{name.partition('.')[2]}" in dns_names


def _name(request: CertificateRequest) -> str:
    return request.common_name or next(iter(request.dns_names), "")


def _place(request: CertificateRequest) -> str:
    return f"{request.source}, request {request.position}"


def _shown(value: str) -> str:
    return repr(value) if len(value) <= _MOST_SHOWN else f"{value[:_MOST_SHOWN]!r}…"
