"""What a signing request is to say: its names and the rest of its subject.

TRISA asks for the subject fields CN, O, L, ST and C, and for a dNSName of every name.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from sectigo_iot.errors import InvalidRequestError
from sectigo_iot.pki.requesting import subject
from sectigo_iot.pki.requesting.names import common_name, dns_name
from sectigo_iot.pki.requesting.names import oddities as oddities_of_name
from sectigo_iot.pki.requesting.typed import shown

SUBJECT_FIELDS = ("organization", "locality", "state", "country")


@dataclass(frozen=True, slots=True)
class RequestSpec:
    """What one request is to say.

    `names` are the DNS names as somebody asks for them, the first of which is the common name too. `organization`,
    `locality`, `state` (spelt out) and `country` (ISO 3166-1 alpha-2) are the rest of the subject; an empty one does
    not stand in it. Nothing is checked before `checked_spec` does it.
    """

    names: tuple[str, ...]
    organization: str = ""
    locality: str = ""
    state: str = ""
    country: str = ""


@dataclass(frozen=True, slots=True)
class Remark:
    """A fault of one field, or what is unusual about it.

    `field` is `name` (the common name), `dns` (a further name) or one of `SUBJECT_FIELDS`; `position` counts the
    names from 0. `hint` says what would be right.
    """

    field: str
    text: str
    hint: str | None = None
    position: int = 0


def checked_spec(spec: RequestSpec) -> RequestSpec:
    """Return the spec as it stands in a request: names in lower case and ASCII, the country in upper case.

    Raises `InvalidRequestError`, whose `faults` name everything that is wrong, each with its field: a name that is
    no DNS name, a common name over 64 characters, one name twice, a subject field that is too long, blank at an end
    or a placeholder, a country that ISO 3166-1 does not know.
    """
    checked, faults = examined(spec)
    if not spec.names:
        faults.insert(0, Remark("name", "there is none", "name the host, as in example.com"))
    if faults:
        raise_faults(faults)
    return checked


def warnings_of(spec: RequestSpec) -> tuple[str, ...]:
    """What TRISA or an authority may refuse in a checked spec, in words: an abbreviated state, a missing field, ….

    None of it keeps the request from being made.
    """
    return tuple(_labelled(remark) for remark in warnings(spec))


def examined(spec: RequestSpec) -> tuple[RequestSpec, list[Remark]]:
    """Return the spec with all that is right in it brought into form, and a remark for each fault.

    That there are no names at all is none of them.
    """
    faults: list[Remark] = []
    names = tuple(_names(spec.names, faults))
    checked, others = examined_subject(spec)
    return replace(checked, names=names), [*faults, *others]


def examined_subject(spec: RequestSpec) -> tuple[RequestSpec, list[Remark]]:
    """Do as `examined` does, for the subject without the common name; the names are left as they are."""
    faults: list[Remark] = []
    values = [str(getattr(spec, field)) for field in SUBJECT_FIELDS]
    for position, field in enumerate(SUBJECT_FIELDS):
        try:
            values[position] = subject.subject_field(field, values[position])
        except InvalidRequestError as fault:
            faults.append(Remark(field, fault.message, fault.hint))
    return RequestSpec(spec.names, *values), faults


def warnings(spec: RequestSpec) -> Iterator[Remark]:
    """What `warnings_of` tells, one remark for each."""
    for position, name in enumerate(spec.names):
        for text in oddities_of_name(name):
            yield Remark("dns" if position else "name", text, position=position)
    for field in SUBJECT_FIELDS:
        value = getattr(spec, field)
        if not value:
            yield Remark(field, "is missing, and TRISA asks for it")
        for text in subject.oddities(field, value):
            yield Remark(field, text)


def raise_faults(faults: Iterable[Remark]) -> None:
    """Raise one `InvalidRequestError` for all: one fault has its hint, and many stand in a list."""
    first, *others = faults
    if not others:
        raise InvalidRequestError(_labelled(first), hint=first.hint)
    told = tuple(_labelled(fault) + in_brackets(fault.hint) for fault in (first, *others))
    raise InvalidRequestError(f"{len(told)} faults in what the request is to say", faults=told)


def in_brackets(hint: str | None) -> str:
    """Return a hint as it follows a fault on its line."""
    return f" ({hint})" if hint else ""


def _names(typed: tuple[str, ...], faults: list[Remark]) -> Iterator[str]:
    """Yield each name as it stands in a dNSName, and add the faults."""
    seen: dict[str, str] = {}
    for position, text in enumerate(typed):
        field = "dns" if position else "name"
        try:
            name = dns_name(text) if position else common_name(text)
        except InvalidRequestError as fault:
            faults.append(Remark(field, fault.message, fault.hint, position))
            continue
        if name in seen:
            words = f"the same name twice: {shown(seen[name])} and {shown(text)}"
            faults.append(Remark(field, words, "name it once", position))
        seen.setdefault(name, text)
        yield name


def _labelled(remark: Remark) -> str:
    labels = {"name": "common name", "dns": "DNS name"}
    return f"{labels.get(remark.field, remark.field)}: {remark.text}"
