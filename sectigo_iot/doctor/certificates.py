"""The certificate that the service shows: whether it is trusted, for how long, and why not."""

from __future__ import annotations

import contextlib
import ssl
import threading
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509

from sectigo_iot.doctor.connection import closing_when_late
from sectigo_iot.doctor.deadlines import left, within
from sectigo_iot.doctor.findings import Finding, doubtful, well, wrong
from sectigo_iot.errors import BundleError, ConfigError, DeadlineError, SectigoError, UnreachableError, clean
from sectigo_iot.pki.chain import dns_names, extension_of
from sectigo_iot.tls import (
    EXPIRED,
    OTHER_NAMES,
    SELF_SIGNED,
    TOO_EARLY,
    UNKNOWN_AUTHORITY,
    complete_context,
    hint_about_trust,
    not_agreed,
)

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from sectigo_iot.config import Settings
    from sectigo_iot.doctor.route import Route

SOON_DAYS = 30
"""A certificate that lives no longer than this is told of."""
MOST_NAMES = 5
CA_HINT = "is --ca-file or SECTIGO_CA_FILE right? It is to name a file with certificates of authorities, in PEM"
_BETWEEN = "if it has none of its own, somebody stands between, such as a proxy that reads along"


class TLS(NamedTuple):
    """What TLS is spoken with."""

    route: Route
    settings: Settings
    seconds: float
    clock: Callable[[], float] = time.time


def agree(connection: socket.socket, tls: TLS, again: Callable[[float], socket.socket]) -> Finding:
    """Agree on TLS, and say what the certificate is worth. Nothing is sent after that.

    `again` makes a second connection, on which a certificate that is not trusted is looked at, before a moment of the
    monotonic clock: the end of all this.
    """
    try:
        context = complete_context(tls.settings.ca_file)
    except ConfigError as error:
        return wrong("tls", error, CA_HINT)
    until = time.monotonic() + tls.seconds
    try:
        with _handshake(connection, context, tls, tls.seconds) as agreed:
            chain = _chain(agreed)
            return _trusted(agreed, chain, tls) if chain else _unreadable(agreed)
    except ssl.SSLCertVerificationError as error:
        return _distrusted(error, tls, _shown(tls, until, again))
    except (OSError, ValueError, DeadlineError) as error:
        return wrong("tls", _no_tls(error, tls))


def _handshake(connection: socket.socket, context: ssl.SSLContext, tls: TLS, seconds: float) -> ssl.SSLSocket:
    host, ended, given_up = tls.route.host, threading.Event(), threading.Event()
    agreed = context.wrap_socket(connection, server_hostname=host, do_handshake_on_connect=False)

    def shake_hands() -> None:
        try:
            agreed.do_handshake()
        finally:
            ended.set()
            if given_up.is_set():
                agreed.close()

    try:
        with closing_when_late(agreed):
            within(seconds, shake_hands, what=f"{tls.route}, which was asked for TLS,")
    except BaseException:
        # Who is the last to use it closes it.
        given_up.set()
        if ended.is_set():
            agreed.close()
        raise
    return agreed


def _no_tls(error: Exception, tls: TLS) -> UnreachableError:
    if isinstance(error, DeadlineError):
        return UnreachableError(error.message, hint="is this the port of an https service?")
    if isinstance(error, ssl.SSLError) and error.reason not in (None, "UNEXPECTED_EOF_WHILE_READING"):
        return not_agreed(str(tls.route), error)
    return UnreachableError(
        f"{tls.route} broke off the connection when TLS was asked for",
        hint="is this the port of an https service, and does a firewall let it through?",
    )


def _unreadable(agreed: ssl.SSLSocket) -> Finding:
    facts = f"{agreed.version()}; the certificate is trusted, and cannot be read here"
    hint = "when it ends is not known: ask the operator of the service"
    return doubtful("tls", facts, hint, version=agreed.version())


def _trusted(agreed: ssl.SSLSocket, chain: list[x509.Certificate], tls: TLS) -> Finding:
    first = min(chain, key=lambda each: each.not_valid_after_utc)
    days = days_left(first, tls.clock)
    whose = "" if first is chain[0] else f" (that of {subject(first)})"
    trust = f", by {tls.settings.ca_file}" if tls.settings.ca_file else ""
    facts = f"{agreed.version()}; certificate from {issuer(chain[0])}{trust}, {days} days left{whose}"
    details = {
        "version": agreed.version(),
        "issuer": issuer(chain[0]),
        "names": list(names(chain[0])),
        "not_after": first.not_valid_after_utc.isoformat(),
        "days_left": days,
    }
    if days <= SOON_DAYS:
        hint = f"{tls.route} needs a new certificate before {first.not_valid_after_utc:%Y-%m-%d}: tell its operator"
        return doubtful("tls", facts, hint, **details)
    return well("tls", facts, **details)


def _chain(agreed: ssl.SSLSocket) -> list[x509.Certificate]:
    """Return the certificate with those it was proven by; those are public from Python 3.13 on."""
    inside = getattr(agreed, "_sslobj", None)
    known = getattr(agreed, "get_verified_chain", None) or getattr(inside, "get_verified_chain", None)
    leaf = read_certificate(agreed.getpeercert(binary_form=True) or b"")
    others = [_certificate(each) for each in (known() if known else ())][1:]
    # A root may outlive its date: it is trusted because it is in the list.
    return [leaf, *(each for each in others[:-1] if each is not None)] if leaf is not None else []


def _certificate(found: object) -> x509.Certificate | None:
    if isinstance(found, bytes):
        return read_certificate(found)
    return read_certificate(ssl.PEM_cert_to_DER_cert(str(found.public_bytes())))  # type: ignore[attr-defined]


def read_certificate(der: bytes) -> x509.Certificate | None:
    """Return a certificate, or None where it cannot be read; a TLS library may take it all the same."""
    with contextlib.suppress(ValueError, x509.InvalidVersion):
        return x509.load_der_x509_certificate(der)
    return None


def _shown(tls: TLS, until: float, again: Callable[[float], socket.socket]) -> x509.Certificate | None:
    """Return a certificate that is not trusted, so that it can be described. Nothing is sent on that connection."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname = False
    looking.verify_mode = ssl.CERT_NONE
    try:
        with again(until) as connection, _handshake(connection, looking, tls, left(until)) as agreed:
            return read_certificate(agreed.getpeercert(binary_form=True) or b"")
    except (OSError, ValueError, SectigoError):
        return None


def _distrusted(error: ssl.SSLCertVerificationError, tls: TLS, shown: x509.Certificate | None) -> Finding:
    what, hint = _reason(error, tls, shown)
    origin = "" if shown is None else f" (it comes from {issuer(shown)})"
    failure = UnreachableError(f"{tls.route} is not trusted: its certificate {what}{origin}", hint=hint)
    found = None if shown is None else list(names(shown))
    made_by = None if shown is None else issuer(shown)
    return wrong("tls", failure, reason=clean(error.verify_message), issuer=made_by, names=found)


def _reason(error: ssl.SSLCertVerificationError, tls: TLS, shown: x509.Certificate | None) -> tuple[str, str]:
    """Return what is wrong with a certificate, and what to do about it."""
    hint = hint_about_trust(error, tls.settings.ca_file) or "ask the operator of the service for another certificate"
    today = f"{datetime.fromtimestamp(tls.clock(), UTC):%Y-%m-%d %H:%M} UTC"
    if error.verify_code in EXPIRED:
        # It may be another one of the chain.
        own = shown is not None and days_left(shown, tls.clock) < 0
        when = f" on {shown.not_valid_after_utc:%Y-%m-%d}" if shown is not None and own else ""
        return f"expired{when}", f"{hint} (the clock here says {today})"
    if error.verify_code in TOO_EARLY:
        when = f" before {shown.not_valid_before_utc:%Y-%m-%d}" if shown is not None else " yet"
        return f"is not valid{when}", f"{hint} (it says {today})"
    if error.verify_code in OTHER_NAMES:
        found = f", but for {', '.join(names(shown)) or 'no name at all'}" if shown is not None else ""
        return f"is not for {tls.route.host}{found}", hint
    if error.verify_code in SELF_SIGNED:
        return "is self-signed", f"{hint}; {_BETWEEN}"
    if error.verify_code in UNKNOWN_AUTHORITY:
        return "comes from an authority that is not known", f"{hint}; {_BETWEEN}"
    return f"is not accepted ({clean(error.verify_message)})", hint


def days_left(certificate: x509.Certificate, clock: Callable[[], float]) -> int:
    """Return the whole days until it expires; negative, where it has."""
    return int((certificate.not_valid_after_utc.timestamp() - clock()) // 86400)


def issuer(certificate: x509.Certificate) -> str:
    """Return who made it: the issuer's common name, or its whole name."""
    return _name(lambda: certificate.issuer) or "an authority without a name that can be read"


def subject(certificate: x509.Certificate) -> str:
    """Return whom it names: the subject's common name, or its whole name."""
    return _name(lambda: certificate.subject) or "somebody without a name that can be read"


def _name(read: Callable[[], x509.Name]) -> str:
    """Return a name, or nothing where there is none, or one in another encoding than it says."""
    try:
        found = read().get_attributes_for_oid(x509.NameOID.COMMON_NAME)
        return clean(str(found[0].value) if found else read().rfc4514_string())
    except ValueError:
        return ""


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return whom it is for, the first few of them."""
    try:
        found = extension_of(certificate, x509.SubjectAlternativeName)
        addresses = [] if found is None else found.get_values_for_type(x509.IPAddress)
        return tuple(map(clean, [*dns_names(certificate), *map(str, addresses)][:MOST_NAMES]))
    except (BundleError, ValueError, x509.UnsupportedGeneralNameType):
        return ()
