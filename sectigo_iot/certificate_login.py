"""A log-in with a client certificate: where the service's 307 may lead, and what goes there.

The same user name and password are sent once more, over TLS, by a client that shows its certificate. That is done for
the tokens alone; every other request goes as usual, without the certificate.
"""

from __future__ import annotations

import contextlib
import re
import ssl
from typing import TYPE_CHECKING
from urllib.parse import urljoin, urlsplit

from sectigo_iot.client_certificate import ClientCertificate
from sectigo_iot.config import Environment
from sectigo_iot.errors import MustUseTLSAuthError, RedirectError, TransportError, UnreachableError
from sectigo_iot.tls import hint_about_trust, tls_error

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.calls import Call
    from sectigo_iot.replies import Reply
    from sectigo_iot.transport import Transport

_PLAIN_URL = re.compile(r"https://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_.-]+)(:[0-9]{1,5})?(/[!-\[\]-~]*)?", re.IGNORECASE)
_REFUSING = ("UNKNOWN_CA", "ACCESS_DENIED", "DECRYPT_ERROR", "HANDSHAKE_FAILURE")
"""Alerts that answer a client's certificate, beside those that name it."""


class CertificateLogin:
    """Follows the 307 by which the service demands a certificate. `clock` counts in seconds since the epoch."""

    def __init__(self, transport: Transport, clock: Callable[[], float]) -> None:
        self._transport = transport
        self._settings = transport.settings
        self._clock = clock
        self._certificate = ClientCertificate(transport.settings)
        self._demand: RedirectError | None = None

    def follow(self, call: Call, redirect: RedirectError, username: str) -> Reply:
        """Send a log-in again to where a 307 points, showing the certificate, and return the answer.

        Raises MustUseTLSAuthError where there is no certificate to show, RedirectError where the 307 points to where
        no password is sent, ConfigError and NotAuthenticatedError for a certificate or key that cannot be used,
        UnreachableError and TransportError where the service or its TLS library refuses. Nobody is asked for the
        key's password here; `ask` does that.
        """
        if not self._settings.client_cert:
            raise _must_use_certificate(username, redirect)
        url = self._target(call.url, redirect)
        self._demand = redirect
        context = self._certificate.context(self._clock())
        self._demand = None
        with contextlib.closing(self._transport.presenting(context)) as secure:
            try:
                return secure.send(call._replace(url=url))
            except TransportError as error:
                raise self._explained(error, urlsplit(url).netloc) from None

    def ask(self) -> RedirectError | None:
        """Ask for the key's password, if the last log-in failed for want of it.

        Returns the 307 that can be followed now; None where nothing was lacking, or nobody gave it.
        """
        demand, self._demand = self._demand, None
        return demand if demand is not None and self._certificate.ask() else None

    def _target(self, origin: str, redirect: RedirectError) -> str:
        url = _joined(origin, redirect.location)
        if url is None or not self._is_allowed(urlsplit(url).hostname or "", urlsplit(origin).hostname or ""):
            redirect.hint = (
                "a log-in with a certificate goes by https to the same host, or to the one that --allow-host or "
                "SECTIGO_ALLOWED_HOST names"
            )
            raise redirect
        self._settings.guard(url)
        return url

    def _is_allowed(self, host: str, origin: str) -> bool:
        # In testing the guard lets nothing leave this machine, whichever of its names is used.
        named = {origin.rstrip("."), (self._settings.allowed_host or origin).lower().rstrip(".")}
        return host.rstrip(".") in named or self._settings.environment is Environment.TESTING

    def _explained(self, error: TransportError, host: str) -> TransportError:
        """Return the error with what it says about the certificates, if it is about one."""
        said, path = tls_error(error), self._certificate.path
        if isinstance(said, ssl.SSLCertVerificationError):
            error.hint = hint_about_trust(said, self._settings.ca_file)
            return error
        alert = _alert_of(said)
        kind = UnreachableError if isinstance(error, UnreachableError) else TransportError
        if alert is not None:
            return kind(f"{host} refuses the client certificate {path}: {alert}", hint=self._about_refusal())
        if type(error) is TransportError:
            hint = f"that is how a certificate is refused under TLS 1.3; {self._about_refusal()}"
            return kind(
                f"{host} broke off the connection after it was shown the client certificate {path}", hint=hint
            )
        return error

    def _about_refusal(self) -> str:
        return "; ".join(self._certificate.doubts) or "was it issued for this account, by an authority known there?"


def _alert_of(error: ssl.SSLError | None) -> str | None:
    """Return the alert by which the other side refused a certificate, if that is what it said."""
    reason = (error.reason or "") if error is not None else ""
    alert = reason.partition("ALERT_")[2]
    refusing = "CERTIFICATE" in alert or alert in _REFUSING
    return alert.lower().replace("_", " ") if refusing else None


def _joined(origin: str, location: str | None) -> str | None:
    """Return where a Location points, if it is a plain https URL, which every reader of URLs reads alike."""
    try:
        url = urljoin(origin, location or "")
        plain = _PLAIN_URL.fullmatch(url) is not None and urlsplit(url).port != 0
    except ValueError:
        return None
    return url if location and plain else None


def _must_use_certificate(username: str, redirect: RedirectError) -> MustUseTLSAuthError:
    return MustUseTLSAuthError(
        f"the account {username} must log in with a client certificate",
        location=redirect.location,
        hint="name it with --client-cert and --client-key, or SECTIGO_CLIENT_CERT and SECTIGO_CLIENT_KEY",
    )
