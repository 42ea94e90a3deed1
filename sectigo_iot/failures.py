"""What a failed exchange means: which error it is, whether it may be sent again, whether its outcome is unknown."""

from __future__ import annotations

import contextlib
import json
import random
import ssl
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    HTTPError,
    InvalidHeader,
    MaxRetryError,
    NewConnectionError,
    ReadTimeoutError,
)
from urllib3.util.retry import Retry

from sectigo_iot.calls import BINARY
from sectigo_iot.endpoints import Repeat
from sectigo_iot.errors import (
    APIError,
    DeadlineError,
    InvalidCredentialsError,
    InvalidReplyError,
    NotAuthorizedError,
    NotFoundError,
    NotImplementedByServiceError,
    OutcomeUnknownError,
    RedirectError,
    SectigoError,
    TransportError,
    UnreachableError,
    clean,
)
from sectigo_iot.pages import is_page
from sectigo_iot.redaction import REDACTED, redacted
from sectigo_iot.tls import hint_about_trust, not_agreed, tls_error
from sectigo_iot.watch import NoConnectionError, NoThreadError

if TYPE_CHECKING:
    from sectigo_iot.calls import Call

LOOPBACK = ("localhost", "127.", "[::1]")
CONNECT_SECONDS = 10.0
"""How long each of a host's addresses may take to accept a connection."""
_BROKEN_OFF = {
    "https": "a server that demands a client certificate of everybody looks like this; is the address the usual one? "
    "`sectigo doctor` looks further",
    "http:": "does the service speak https there? `sectigo doctor` looks further",
}
LONGEST_PAUSE = 5.0
"""Seconds. With it twelve attempts fit into the default minute, even if every pause is as long as it can be."""
PASSING = frozenset({429, 502, 503, 504})
"""Statuses of a fault that passes, after which a read is repeated."""
UNREACHABLE_ATTEMPTS = 3
LOGIN_ATTEMPTS = 3
"""A password whose answer is lost may have been refused, and five refusals lock many an account."""
_NONSENSE = (requests.exceptions.ContentDecodingError, ValueError, OverflowError)
UNUSABLE = (requests.RequestException, HTTPError, ValueError, OverflowError)
"""What the HTTP library raises where there is no usable answer; the last two for a chunk of a negative size."""

_ERRORS: dict[int, type[APIError]] = {
    401: InvalidCredentialsError,
    403: NotAuthorizedError,
    404: NotFoundError,
    405: NotImplementedByServiceError,
    501: NotImplementedByServiceError,
}


def media_type(response: requests.Response) -> str:
    return clean(str(response.headers.get("Content-Type", "")).partition(";")[0]).lower()


def lost(error: Exception, call: Call, seconds: float, *, sent: bool, ca_file: str | None = None) -> TransportError:
    """Say what a failure of the HTTP library means: was anything sent, was it too slow, was it cut.

    `sent`: whether a connection stood when it failed. What never left is told apart by that, not by the kind of
    exception: behind a proxy a lost answer looks like a proxy that cannot be reached. `ca_file`: whom alone we trust.
    """
    cause = _cause(error)
    if not sent or isinstance(cause, NewConnectionError | ConnectTimeoutError):
        return _unreachable(urlsplit(call.url).netloc, cause, seconds, ca_file)
    if isinstance(error, requests.Timeout) or isinstance(cause, ReadTimeoutError):
        return too_slow(call, seconds)
    if isinstance(error, _NONSENSE):
        return InvalidReplyError(f"{call.endpoint.name}: {urlsplit(call.url).netloc} sent no usable HTTP answer")
    return _broken_off(call, tls_error(error))


def _broken_off(call: Call, alert: ssl.SSLError | None) -> TransportError:
    host = urlsplit(call.url).netloc
    if alert is not None and "ALERT" in (alert.reason or "") and "CERTIFICATE" in (alert.reason or ""):
        # Under TLS 1.3 the server says so only when the request is under way.
        return TransportError(
            f"{call.endpoint.name}: {host} demands a client certificate for this, which is shown at the log-in alone",
            hint="is the address right (--endpoint, SECTIGO_ENDPOINT)?",
        )
    return TransportError(
        f"{call.endpoint.name}: {host} broke off the connection", hint=_BROKEN_OFF.get(call.url[:5])
    )


def _cause(error: Exception) -> object:
    """Return what urllib3 said, out of what requests and a proxy's handling wrap around it."""
    reason: object = error.args[0] if error.args and isinstance(error.args[0], Exception) else error
    reason = reason.reason if isinstance(reason, MaxRetryError) else reason
    return getattr(reason, "original_error", reason)


def _unreachable(host: str, cause: object, seconds: float, ca_file: str | None) -> UnreachableError:
    innermost = _innermost(cause)
    if isinstance(innermost, ssl.SSLCertVerificationError):
        return _untrusted(host, innermost, ca_file)
    if isinstance(innermost, ssl.SSLError):
        return not_agreed(host, innermost)
    # urllib3 counts a refused connection among the timeouts.
    if isinstance(innermost, TimeoutError) or (
        isinstance(cause, ConnectTimeoutError) and not isinstance(cause, NewConnectionError)
    ):
        if isinstance(cause, NoThreadError):
            return UnreachableError(f"{host} cannot be reached: this machine has no thread to spare")
        patience = seconds if isinstance(cause, NoConnectionError) else min(CONNECT_SECONDS, seconds)
        return UnreachableError(f"{host} cannot be reached: no connection within {round(patience, 2):g} s")
    hint = "is the address right (--endpoint, SECTIGO_ENDPOINT), and does the service run?"
    if isinstance(innermost, OSError) and type(innermost).__name__ == "gaierror":
        hint += " If this network has a proxy, name it in https_proxy"
    if host.startswith(LOOPBACK):
        hint += " `sectigo serve` runs an emulator"
    return UnreachableError(f"{host} cannot be reached: {clean(_words(innermost))}", hint=hint)


def _untrusted(host: str, error: ssl.SSLCertVerificationError, ca_file: str | None) -> UnreachableError:
    reason = clean(error.verify_message or str(error))
    untrusted = UnreachableError(f"{host} is not trusted: {reason}", hint=hint_about_trust(error, ca_file))
    untrusted.passes = False
    return untrusted


def too_slow(call: Call, seconds: float) -> DeadlineError:
    return DeadlineError(
        f"{call.endpoint.name}: {urlsplit(call.url).netloc} did not answer within {round(seconds, 2):g} s",
        hint="if it is only slow, give it more time: --request-timeout, SECTIGO_TIMEOUT",
    )


def download_too_slow(call: Call, seconds: float) -> DeadlineError:
    return DeadlineError(
        f"{call.endpoint.name}: {urlsplit(call.url).netloc} did not send it all within {round(seconds, 2):g} s",
        hint="if it is only slow, give it more time: --download-timeout, SECTIGO_DOWNLOAD_TIMEOUT",
    )


def _innermost(error: object) -> object:
    """Follow what was chained on purpose. The context may lead out of this call, to an error of the caller's."""
    while isinstance(error, BaseException):
        inner = error.__cause__ or (error.args[0] if error.args else None)
        if not isinstance(inner, BaseException):
            break
        error = inner
    return error


def _words(error: object) -> str:
    return (getattr(error, "strerror", None) or str(error)).strip()


def pause(call: Call, error: SectigoError, attempt: int) -> float | None:
    """Return the seconds to wait before the call may be sent again, or None if it may not."""
    if not _may_repeat(call, error):
        return None
    if isinstance(error, UnreachableError) and (attempt >= UNREACHABLE_ATTEMPTS or not error.passes):
        return None
    if call.endpoint.name == "authenticate" and isinstance(error, TransportError) and attempt >= LOGIN_ATTEMPTS:
        return None
    asked = getattr(error, "retry_after", None)
    jittered = min(0.2 * 2.0 ** min(attempt, 6), LONGEST_PAUSE) * random.uniform(0.5, 1.0)  # noqa: S311 - no secret
    return max(asked or 0.0, jittered)


def _may_repeat(call: Call, error: SectigoError) -> bool:
    if isinstance(error, UnreachableError):
        return call.endpoint.repeat is not Repeat.NEVER
    if call.endpoint.repeat is not Repeat.FREELY:
        return False
    if isinstance(error, APIError):
        return error.status in PASSING
    return isinstance(error, TransportError) and not isinstance(error, RedirectError | InvalidReplyError)


def judged(call: Call, error: SectigoError) -> SectigoError:
    """Return the error as it is, or, where the request may have been carried out, that nobody knows."""
    harmless = call.endpoint.repeat is Repeat.FREELY or call.endpoint.name == "refresh"
    if not harmless and not _is_certain(error):
        return outcome_unknown(call, error.message)
    if call.order is not None and isinstance(error, APIError):
        unable = ": this service does not offer it" if isinstance(error, NotImplementedByServiceError) else ""
        error.hint = f"nothing was ordered{unable}"
    return error


def _is_certain(error: SectigoError) -> bool:
    """Whether nothing was done: it never left, or was refused. A 302 or 303 often means: done, see there."""
    if isinstance(error, RedirectError):
        return error.status in (301, 307, 308)
    if isinstance(error, APIError):
        return 400 <= error.status < 500 or error.status == 501
    return isinstance(error, UnreachableError) or not isinstance(error, TransportError)


def outcome_unknown(call: Call, what: str) -> OutcomeUnknownError:
    """Return the error that says: this was sent, and nobody knows what became of it."""
    if call.order is not None:
        return OutcomeUnknownError(
            f"nobody knows whether the order {call.order!r} was accepted: {what}",
            batch_name=call.order,
            hint=f"do not repeat it: it may exist and be paid for; look for the batch {call.order!r} in the "
            "portal, or for its certificate with `sectigo find` (to find none proves nothing until it may be issued)",
        )
    return OutcomeUnknownError(
        f"nobody knows whether {call.endpoint.name} was carried out: {what}",
        hint="find out before repeating it, for instance with `sectigo find`",
    )


def api_error(call: Call, response: requests.Response, body: bytes, secrets: tuple[str, ...]) -> APIError:
    """Return the error of an answer that says no; its words without any of these secrets."""
    document = _error_document(body)
    words = document.get("message") or document.get("error") or _plain_words(response, body)
    kind = _ERRORS.get(response.status_code, APIError)
    error = kind(
        response.status_code,
        _said(call, str(words), secrets) if words else None,
        _integer(document.get("errorCode")),
        _integer(document.get("timestamp")),
        action=call.endpoint.name,
    )
    error.retry_after = _retry_after(response)
    return error


def _said(call: Call, words: str, secrets: tuple[str, ...]) -> str | None:
    """Return the service's words, without a secret; nothing of those about a log-in that hold the password.

    A gap in a sentence such as "wrong user name or password" would tell which word of it is the password.
    """
    shown = clean(redacted(words, secrets))
    return None if call.endpoint.name == "authenticate" and REDACTED in shown else shown


def _error_document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


def _plain_words(response: requests.Response, body: bytes) -> str:
    if is_page(media_type(response), body):
        return "an HTML page"
    text = body.decode("utf-8", "replace").strip()
    return "" if text == "null" or media_type(response) == BINARY else text


def _integer(value: object) -> int | None:
    text = str(value) if isinstance(value, int | str) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 20 else None


def _retry_after(response: requests.Response) -> float | None:
    """Return the seconds that the service asks to wait for. A moment counts from its own clock, not from ours."""
    value, now = response.headers.get("Retry-After", ""), response.headers.get("Date", "")
    with contextlib.suppress(ValueError, TypeError, OverflowError):
        return max((parsedate_to_datetime(value) - parsedate_to_datetime(now)).total_seconds(), 0.0)
    with contextlib.suppress(InvalidHeader, ValueError, OverflowError):
        return Retry(0).parse_retry_after(value)
    return None
