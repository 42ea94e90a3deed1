"""The client certificate that a log-in may be done with: its files, whether they belong together, and how long."""

from __future__ import annotations

import os
import shlex
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.client_certificate import ClientCertificate
from sectigo_iot.doctor.certificates import SOON_DAYS, days_left, issuer, read_certificate, subject
from sectigo_iot.doctor.findings import Finding, doubtful, well, wrong
from sectigo_iot.errors import ConfigError, NotAuthenticatedError
from sectigo_iot.pki.pem import read_blocks
from sectigo_iot.tls import CERTIFICATES, read_plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from cryptography import x509

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
    if certificate is None:
        facts = f"{settings.client_cert} fits its key, and cannot be read here{note}"
        return doubtful(CHECK, facts, f"a server may refuse it: {_RENEW}", file=settings.client_cert)
    days = days_left(certificate, clock)
    facts = f"{subject(certificate)}, from {issuer(certificate)}, {days} days left{note}"
    details = {
        "file": settings.client_cert,
        "not_after": certificate.not_valid_after_utc.isoformat(),
        "days_left": days,
    }
    if doubts:
        return doubtful(CHECK, f"{facts}: {'; '.join(doubts)}", f"a server may refuse it: {_RENEW}", **details)
    key = settings.client_key or settings.client_cert
    if is_open_to_others(key):
        hint = f"`chmod 600 {shlex.quote(key)}` keeps it private"
        return doubtful(CHECK, f"{facts}; others can read its key {key}", hint, **details)
    if days <= SOON_DAYS:
        return doubtful(CHECK, facts, _RENEW, **details)
    return well(CHECK, facts, **details)


def _loaded(settings: Settings, at: float) -> tuple[tuple[str, ...], str]:
    """Load certificate and key as a log-in does; return what a server may mind, and what is to be added.

    Nobody is asked for a password here: a log-in does that, if it needs the key. Raises ConfigError, and
    NotAuthenticatedError where the password is missing or wrong.
    """
    certificate = ClientCertificate(settings)
    try:
        certificate.context(at)
    except NotAuthenticatedError:
        if settings.client_key_password or settings.prompt is None:
            raise
        return certificate.doubts, "; its key's password is asked for at the log-in"
    return certificate.doubts, ""


def is_open_to_others(path: str) -> bool:
    """Whether somebody else may read the key in this file, as `ClientCertificate` judges it."""
    state = Path(path).stat()
    open_to = 0o037 if state.st_uid == 0 != os.geteuid() else 0o077
    return bool(state.st_mode & open_to)


def _certificate(path: str) -> x509.Certificate | None:
    blocks = read_blocks(read_plain(path, f"the client certificate {path}", "client_cert"))
    der = next((block.der() for block in blocks if block.label in CERTIFICATES), None)
    return read_certificate(der or b"")
