"""What a renewal orders: the names of what it replaces, and a new key where the old one is kept here."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.pki import (
    KEY_KINDS,
    CertificateRequest,
    RequestSpec,
    build_request,
    generate_key,
    private_key_pem,
    read_requests,
)

if TYPE_CHECKING:
    from sectigo_iot.orders.order import Order

_FIELDS = {
    "organizationName": "organization",
    "localityName": "locality",
    "stateOrProvinceName": "state",
    "countryName": "country",
}


def renewed_request(csr: bytes, names: tuple[str, ...]) -> tuple[bytes, bytes]:
    """Return a new signing request like this one, for these names, and its new key of the same kind; both as PEM.

    The first of the names is the common name. Raises InvalidInputError where none can be made that is like it.
    """
    old = read_requests(csr)[0]
    if old.key not in KEY_KINDS:
        raise InvalidInputError(f"no key of the kind {old.key} is made here")
    spec = RequestSpec(names, **_subject(old))
    key = generate_key(old.key)
    return build_request(key, spec), private_key_pem(key)


def renewed_names(order: Order) -> tuple[str, ...]:
    """Return the names for the renewal of an order: all of those in its certificate, the common name first."""
    first = order.wanted.common_name
    held = order.wanted.names if order.certificate is None else order.certificate.dns_names
    return (first, *(name for name in held if name.casefold() != first.casefold()))


def _subject(old: CertificateRequest) -> dict[str, str]:
    """Return the subject beside the common name. Raises InvalidInputError where it says more than is made here."""
    rest = [(name, value) for name, value in old.subject if name != "commonName"]
    names = [name for name, _ in rest]
    if len(old.subject) - len(rest) > 1 or len(names) > len({*names}) or not {*names} <= {*_FIELDS}:
        raise InvalidInputError("the subject of its signing request has attributes that are not made here")
    if old.common_name.casefold() not in {name.casefold() for name in old.dns_names}:
        raise InvalidInputError("the common name of its signing request is none of its DNS names")
    return {_FIELDS[name]: value for name, value in rest}
