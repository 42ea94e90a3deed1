"""Whether what came is what was ordered: one certificate, of the right key, for the right names, and proven."""

from __future__ import annotations

import hashlib
import ssl
from datetime import UTC, datetime
from typing import NamedTuple

from sectigo_iot.errors import BundleError, InvalidRequestError, PKCSPasswordRequiredError
from sectigo_iot.orders.order import Order, OrderedCertificate
from sectigo_iot.orders.signing_requests import requests_in
from sectigo_iot.pki import IssuedCertificate, open_bundle
from sectigo_iot.pki.requesting.names import dns_name
from sectigo_iot.pki.unpacking.keys import fingerprint_of


class Examined(NamedTuple):
    """What a ZIP holds. `fault` says what is not as it was ordered; `further` are names that nobody asked for."""

    certificates: tuple[IssuedCertificate, ...]
    fault: str | None
    further: tuple[str, ...] = ()
    foreign: bool = False
    """Whether it is for another key than that of the order's own request: somebody else's, not to be revoked."""


def examine(order: Order, archive: bytes, password: str | None, roots: bytes | None, now: float) -> Examined:
    """Return what came for an order, and what is not as it was ordered.

    `roots`: PEM of the roots that it must lead to; without, the root that came with it has to do. `now` is in seconds
    since the epoch. Raises BundleError where the ZIP or what is in it is damaged, InvalidInputError for roots that
    cannot be read.
    """
    try:
        certificates = open_bundle(archive, password)
    except PKCSPasswordRequiredError:
        return Examined((), "what came needs a password, and the order has none")
    except BundleError as error:
        # The library that opens it says no more than that; a damaged file may look like this, too.
        if "password" not in error.message:
            raise
        return Examined((), error.message)
    if len(certificates) != 1:
        return Examined(certificates, f"what came holds {len(certificates)} certificates, and one was ordered")
    other = _other_key(order, certificates[0])
    fault = other or _missing_names(order, certificates[0])
    fault = fault or _unproven(certificates[0], roots, now)
    return Examined(certificates, fault, _further_names(order, certificates[0]), other is not None)


def facts_of(certificate: IssuedCertificate) -> OrderedCertificate:
    """Return what the book keeps of a certificate."""
    der = ssl.PEM_cert_to_DER_cert(certificate.certificate_pem.decode())
    return OrderedCertificate(
        serial_number=certificate.serial_number,
        fingerprint=hashlib.sha256(der).hexdigest(),
        not_before=certificate.not_before,
        not_after=certificate.not_after,
        dns_names=_names_in(certificate),
    )


def _other_key(order: Order, certificate: IssuedCertificate) -> str | None:
    """Say that the key is another than that of the signing request; of a PKCS#12 the key was compared already."""
    csr = order.wanted.csr
    if csr is None:
        alone = certificate.private_key is None
        return "what came holds no private key, and the service was to make it" if alone else None
    if fingerprint_of(certificate.leaf).hex() == requests_in(csr)[0].public_key_fingerprint:
        return None
    return f"the certificate {certificate.common_name!r} is for another key than that of the signing request"


def _names_in(certificate: IssuedCertificate) -> tuple[str, ...]:
    names = certificate.dns_names
    return names if names or not certificate.common_name else (certificate.common_name,)


def _missing_names(order: Order, certificate: IssuedCertificate) -> str | None:
    # A profile may put the common name into the subject alone.
    held = {_plain(name) for name in (*certificate.dns_names, certificate.common_name)}
    missing = [name for name in order.wanted.names if _plain(name) not in held]
    return f"the certificate lacks {', '.join(missing)}, which was ordered" if missing else None


def _further_names(order: Order, certificate: IssuedCertificate) -> tuple[str, ...]:
    ordered = {_plain(name) for name in order.wanted.names}
    return tuple(name for name in certificate.dns_names if _plain(name) not in ordered)


def _plain(name: str) -> str:
    """Return a name as it stands in a certificate, however it was typed."""
    try:
        return dns_name(name)
    except InvalidRequestError:
        return name.casefold()


def _unproven(certificate: IssuedCertificate, roots: bytes | None, now: float) -> str | None:
    """Say why the certificate is not proven. What was issued a moment ago may be ahead of this machine's clock."""
    moment = max(datetime.fromtimestamp(now, UTC), certificate.not_before)
    try:
        certificate.verify(root=roots, at=moment)
    except BundleError as error:
        return error.message
    return None
