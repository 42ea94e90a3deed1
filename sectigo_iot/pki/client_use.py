"""A certificate for a TLS client: what speaks against it before a server does."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.x509.oid import ExtendedKeyUsageOID

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.chain import extension_of

_FOR_CLIENTS = {ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE}


def doubts_about(der: bytes, at: datetime) -> tuple[str, ...]:
    """Why a server may refuse this certificate of a client at the time `at` (aware); nothing where it need not.

    Raises BundleError where it is damaged.
    """
    try:
        certificate = x509.load_der_x509_certificate(der)
    except (ValueError, x509.InvalidVersion):
        raise BundleError("the certificate is damaged") from None
    return (*_doubts_about_validity(certificate, at), *_doubts_about_use(certificate))


def _doubts_about_validity(certificate: x509.Certificate, at: datetime) -> list[str]:
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at > ends:
        return [f"it expired on {ends:%Y-%m-%d at %H:%M} UTC"]
    return [f"it is not valid before {begins:%Y-%m-%d at %H:%M} UTC"] if at < begins else []


def _doubts_about_use(certificate: x509.Certificate) -> list[str]:
    usage = extension_of(certificate, x509.ExtendedKeyUsage)
    if usage is None or _FOR_CLIENTS & set(usage):
        return []
    return ["it is not meant for clients: clientAuth is missing in its extended key usage"]
