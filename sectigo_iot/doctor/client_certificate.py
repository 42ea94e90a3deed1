"""The client certificate that a log-in may be done with: its files, whether they belong together, and how long."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from cryptography import x509

from sectigo_iot.client_certificate import ClientCertificate
from sectigo_iot.doctor.certificates import SOON_DAYS, days_left, issuer
from sectigo_iot.doctor.findings import Finding, doubtful, well, wrong
from sectigo_iot.errors import ConfigError, NotAuthenticatedError
from sectigo_iot.pki.chain import display_name
from sectigo_iot.tls import read_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.config import Settings

CHECK = "client certificate"
_RENEW = "have a new one issued, and name it with --client-cert or SECTIGO_CLIENT_CERT"


def examine_client_certificate(settings: Settings, clock: Callable[[], float]) -> Finding | None:
    """Look at the files that the settings name; None, where they name none."""
    if settings.client_cert is None and settings.client_key is None:
        return None
    try:
        return _examined(settings, clock)
    except (ConfigError, NotAuthenticatedError) as error:
        return wrong(CHECK, error)


def _examined(settings: Settings, clock: Callable[[], float]) -> Finding:
    if settings.client_cert is None:
        hint = "name the certificate with --client-cert or SECTIGO_CLIENT_CERT"
        raise ConfigError("there is a client key, and no client certificate", setting="client_key", hint=hint)
    doubts, note = _loaded(settings, clock())
    certificate = _certificate(settings.client_cert)
    days = days_left(certificate, clock)
    facts = f"{display_name(certificate)}, from {issuer(certificate)}, {days} days left{note}"
    details = {
        "file": settings.client_cert,
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "days_left": days,
    }
    if doubts:
        return doubtful(CHECK, f"{facts}: {'; '.join(doubts)}", f"a server may refuse it: {_RENEW}", **details)
    if days <= SOON_DAYS:
        return doubtful(CHECK, facts, _RENEW, **details)
    return well(CHECK, facts, **details)


def _loaded(settings: Settings, at: float) -> tuple[tuple[str, ...], str]:
    """Load certificate and key as a log-in does; return what a server may mind, and what is to be added.

    Nobody is asked for a password here: a log-in does that, if it needs the key. Raises ConfigError, and
    NotAuthenticatedError where the password is missing or wrong.
    """
    unasked = copy.copy(settings)
    unasked.prompt = None
    certificate = ClientCertificate(unasked)
    try:
        certificate.context(at)
    except NotAuthenticatedError:
        if settings.client_key_password or settings.prompt is None:
            raise
        return certificate.doubts, "; its key's password is asked for at the log-in"
    return certificate.doubts, ""


def _certificate(path: str) -> x509.Certificate:
    data = read_plain(path, f"the client certificate {path}", "client_cert")
    try:
        return x509.load_pem_x509_certificate(data)
    except ValueError:
        raise ConfigError(f"the client certificate {path} cannot be read", setting="client_cert") from None
