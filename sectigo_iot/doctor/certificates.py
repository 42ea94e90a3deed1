"""The certificate that the service shows: whether it is trusted, for how long, and why not."""

from __future__ import annotations

import contextlib
import ssl
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, NamedTuple

from cryptography import x509

from sectigo_iot.doctor.connection import closing_when_late
from sectigo_iot.doctor.deadlines import within
from sectigo_iot.doctor.findings import Finding, doubtful, well, wrong
from sectigo_iot.errors import BundleError, ConfigError, DeadlineError, SectigoError, UnreachableError, clean
from sectigo_iot.pki.chain import display_name, dns_names, extension_of
from sectigo_iot.tls import complete_context

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable

    from sectigo_iot.config import Settings
    from sectigo_iot.doctor.route import Route

SOON_DAYS = 30
"""A certificate that lives no longer than this is told of."""
MOST_NAMES = 5
_EXPIRED, _TOO_EARLY, _SELF_SIGNED, _OTHER_NAMES = (10,), (9,), 18, (62, 63, 64)
"""What OpenSSL calls X509_V_ERR_…"""


class TLS(NamedTuple):
    """What TLS is spoken with."""

    route: Route
    settings: Settings
    seconds: float
    clock: Callable[[], float] = time.time


def agree(connection: socket.socket, tls: TLS, again: Callable[[], socket.socket]) -> Finding:
    """Agree on TLS, and say what the certificate is worth. Nothing is sent after that.

    `again` makes a second connection, on which a certificate that is not trusted is looked at.
    """
    try:
        context = complete_context(tls.settings.ca_file)
        with _handshake(connection, context, tls) as agreed:
            return _trusted(agreed, tls)
    except ConfigError as error:
        return wrong("tls", error)
    except ssl.SSLCertVerificationError as error:
        return _distrusted(error, tls, _shown(tls, again))
    except (OSError, ValueError, DeadlineError) as error:
        return wrong("tls", _no_tls(error, tls))


def _handshake(connection: socket.socket, context: ssl.SSLContext, tls: TLS) -> ssl.SSLSocket:
    with closing_when_late(connection):
        return within(
            tls.seconds,
            lambda: context.wrap_socket(connection, server_hostname=tls.route.host),
            what=f"{tls.route}, which was asked for TLS,",
        )


def _no_tls(error: Exception, tls: TLS) -> UnreachableError:
    if isinstance(error, DeadlineError):
        return UnreachableError(error.message, hint="is this the port of an https service?")
    if isinstance(error, ssl.SSLError) and error.reason not in (None, "UNEXPECTED_EOF_WHILE_READING"):
        reason = str(error.reason).lower().replace("_", " ")
        hint = "does the service speak http there? The emulator does"
        return UnreachableError(f"{tls.route}: no TLS is agreed ({reason})", hint=hint)
    return UnreachableError(
        f"{tls.route} broke off the connection when TLS was asked for",
        hint="is this the port of an https service, and does a firewall let it through?",
    )


def _trusted(agreed: ssl.SSLSocket, tls: TLS) -> Finding:
    chain = _chain(agreed)
    first = min(chain, key=lambda each: each.not_valid_after_utc)
    days = days_left(first, tls.clock)
    whose = "" if first is chain[0] else f" (that of {display_name(first)})"
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
    leaf = x509.load_der_x509_certificate(agreed.getpeercert(binary_form=True) or b"")
    with contextlib.suppress(TypeError, ValueError):
        others = [_certificate(each) for each in (known() if known else ())][1:]
        # A root may outlive its date: it is trusted because it is in the list.
        return [leaf, *others[:-1]]
    return [leaf]


def _certificate(found: object) -> x509.Certificate:
    if isinstance(found, bytes):
        return x509.load_der_x509_certificate(found)
    return x509.load_pem_x509_certificate(str(found.public_bytes()).encode())  # type: ignore[attr-defined]


def _shown(tls: TLS, again: Callable[[], socket.socket]) -> x509.Certificate | None:
    """Return a certificate that is not trusted, so that it can be described. Nothing is sent on that connection."""
    looking = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    looking.check_hostname = False
    looking.verify_mode = ssl.CERT_NONE
    try:
        with again() as connection, _handshake(connection, looking, tls) as agreed:
            return x509.load_der_x509_certificate(agreed.getpeercert(binary_form=True) or b"")
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
    today = f"{datetime.fromtimestamp(tls.clock(), UTC):%Y-%m-%d %H:%M} UTC"
    if error.verify_code in _EXPIRED:
        # It may be another one of the chain.
        own = shown is not None and days_left(shown, tls.clock) < 0
        when = f" on {shown.not_valid_after_utc:%Y-%m-%d}" if shown is not None and own else ""
        return f"expired{when}", f"its operator must renew it; unless the clock here is wrong: it says {today}"
    if error.verify_code in _TOO_EARLY:
        when = f" before {shown.not_valid_before_utc:%Y-%m-%d}" if shown is not None else " yet"
        return f"is not valid{when}", f"is the clock here right? It says {today}"
    if error.verify_code in _OTHER_NAMES:
        found = f", but for {', '.join(names(shown)) or 'no name at all'}" if shown is not None else ""
        return f"is not for {tls.route.host}{found}", "name the service as its certificate does, with --endpoint"
    what = "is self-signed" if error.verify_code == _SELF_SIGNED else "comes from an authority that is not known"
    return what, _unknown_authority(tls)


def _unknown_authority(tls: TLS) -> str:
    if tls.settings.ca_file:
        return f"{tls.settings.ca_file} (--ca-file) does not hold the authority it comes from"
    return (
        "if the service has an authority of its own, get its certificate from the operator and name the file with "
        "--ca-file or SECTIGO_CA_FILE; if not, somebody stands between, such as a proxy that reads along"
    )


def days_left(certificate: x509.Certificate, clock: Callable[[], float]) -> int:
    """Return the whole days until it expires; negative, where it has."""
    return int((certificate.not_valid_after_utc.timestamp() - clock()) // 86400)


def issuer(certificate: x509.Certificate) -> str:
    """Return who made it: the issuer's common name, or its whole name."""
    found = certificate.issuer.get_attributes_for_oid(x509.NameOID.COMMON_NAME)
    return clean(str(found[0].value) if found else certificate.issuer.rfc4514_string()) or "an authority without name"


def names(certificate: x509.Certificate) -> tuple[str, ...]:
    """Return whom it is for, the first few of them."""
    try:
        found = extension_of(certificate, x509.SubjectAlternativeName)
        addresses = [] if found is None else found.get_values_for_type(x509.IPAddress)
        return tuple(map(clean, [*dns_names(certificate), *map(str, addresses)][:MOST_NAMES]))
    except BundleError:
        return ()
