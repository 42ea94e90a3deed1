"""What can go wrong, as one tree.

::

    SectigoError                        message, hint
    ├── ConfigError                     a setting is wrong or contradicts another
    │   └── ForbiddenHostError          the environment does not allow this host
    ├── InvalidInputError               an argument is wrong; nothing was sent
    │   ├── UnknownReasonError          no such revocation reason
    │   ├── InvalidRequestError         a certificate signing request is unusable
    │   ├── PKCSPasswordRequiredError   a PKCS#12 or a key needs a password and there is none
    │   ├── TargetExistsError           a file is in the way and may not be replaced
    │   ├── OrderNotFoundError          the order book has no order with this key
    │   └── OrderConflictError          the key is that of an order for something else
    ├── NotAuthenticatedError           there is no valid session and none can be made
    │   ├── NoCredentialsError          neither user name and password nor tokens
    │   ├── CredentialsMismatchError    a user name without a password, or the reverse
    │   ├── TokensMismatchError         an access token without a refresh token, or the reverse
    │   ├── TokensExpiredError          neither token can be used any more
    │   ├── InvalidClaimsError          a token that cannot be read, or has neither iat nor exp
    │   ├── AmbiguousUserError          several users have tokens for this endpoint
    │   └── MustUseTLSAuthError         307: this account logs in with a client certificate
    ├── APIError                        the service answered with an error
    │   ├── InvalidCredentialsError     401   (also a NotAuthenticatedError)
    │   ├── NotAuthorizedError          403
    │   ├── NotFoundError               404
    │   └── NotImplementedByServiceError  405, 501
    ├── TransportError                  no usable answer arrived
    │   ├── UnreachableError            nothing was sent: refused, no such host, TLS failed
    │   ├── DeadlineError               no answer in time
    │   ├── RedirectError               the service points elsewhere, and we do not follow
    │   └── InvalidReplyError           an answer that is not what the service answers
    ├── OutcomeUnknownError             sent, and nobody knows what became of it; never repeat blindly
    ├── BatchError                      batch_id
    │   ├── NotReadyError               issuing is not over yet; the order stands
    │   └── BatchFailedError            issuing is over, and there is nothing to fetch
    ├── BundleError                     a ZIP, PKCS#12 or chain that is not what it should be
    └── OrderBookError                  the order book cannot be used
        └── LeaseLostError              another worker may act on the order; nothing was sent
"""

from __future__ import annotations


def clean(text: str, longest: int = 300) -> str:
    """Return somebody else's words as one printable line of so many characters at the most, fit for a message."""
    plain = text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)
    line = " ".join(plain.split())
    return line if len(line) <= longest else f"{line[: longest - 3]}..."


KNOWN_TYPES = frozenset(
    {
        "application/json",
        "application/octet-stream",
        "application/pdf",
        "application/problem+json",
        "application/xml",
        "application/zip",
        "text/csv",
        "text/html",
        "text/plain",
        "text/xml",
    }
)


def told_type(media_type: str) -> str:
    """Return a media type as a message may tell it: a server may write anything there, a token too."""
    return media_type if media_type in KNOWN_TYPES else "something else"


class SectigoError(Exception):
    """Anything this library raises: one line that says what happened, and, where there is one, a hint."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.of_login = False
        """Whether it is the log-in before a call that failed: the call itself was certainly not carried out."""

    def __str__(self) -> str:
        return self.message


class ConfigError(SectigoError):
    """A setting is wrong, or contradicts another. `setting` names it."""

    def __init__(self, message: str, *, setting: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.setting = setting


class ForbiddenHostError(ConfigError):
    """The environment does not allow requests to this host; nothing was sent. `host` names it."""

    def __init__(self, message: str, *, host: str, hint: str | None = None) -> None:
        super().__init__(message, setting="endpoint", hint=hint)
        self.host = host


class InvalidInputError(SectigoError):
    """An argument is wrong; nothing was sent and nothing was spent. `faults` lists every fault found."""

    def __init__(self, message: str, *, faults: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.faults = faults or (message,)


class UnknownReasonError(InvalidInputError):
    """RFC 5280, section 5.3.1, knows no such revocation reason."""


class InvalidRequestError(InvalidInputError):
    """A certificate signing request cannot be read, or would be refused."""


class PKCSPasswordRequiredError(InvalidInputError):
    """A password is needed to open a PKCS#12 or an encrypted private key, and there is none."""


class TargetExistsError(InvalidInputError):
    """A file stands where one should be written, and may not be replaced. `path` names it."""

    def __init__(self, message: str, *, path: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.path = path


class OrderNotFoundError(InvalidInputError):
    """The order book has no order with this `key`."""

    def __init__(self, message: str, *, key: str, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.key = key


class OrderConflictError(InvalidInputError):
    """The `key` is that of an order for something else, which stays as it is. `faults` says what differs."""

    def __init__(self, message: str, *, key: str, faults: tuple[str, ...] = (), hint: str | None = None) -> None:
        super().__init__(message, faults=faults, hint=hint)
        self.key = key


class NotAuthenticatedError(SectigoError):
    """There is no valid session, and none can be made."""


class NoCredentialsError(NotAuthenticatedError):
    """There are neither a user name and password nor tokens."""


class CredentialsMismatchError(NotAuthenticatedError):
    """There is a user name without a password, or a password without a user name."""


class TokensMismatchError(NotAuthenticatedError):
    """There is an access token without a refresh token, or the reverse."""


class TokensExpiredError(NotAuthenticatedError):
    """Neither the access token nor the refresh token can be used any more."""


class InvalidClaimsError(NotAuthenticatedError):
    """A token is no JWT, or lacks the claims `iat` and `exp` that say how long it lives."""


class AmbiguousUserError(NotAuthenticatedError):
    """Several users have tokens for this endpoint and none was named. `users` lists them."""

    def __init__(self, message: str, *, users: tuple[str, ...], hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.users = users


class MustUseTLSAuthError(NotAuthenticatedError):
    """The service answered 307: this account must log in with a client certificate at `location`."""

    def __init__(self, message: str, *, location: str | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.location = location


class APIError(SectigoError):
    """The service answered with an error.

    `status` is the HTTP status (or the one in the body, where it has one), `server_message` the service's own
    words, `error_code` its `errorCode`, `timestamp` its epoch time; what it did not say is None.
    """

    def __init__(
        self,
        status: int,
        message: str | None = None,
        error_code: int | None = None,
        timestamp: int | None = None,
        *,
        action: str = "request",
        hint: str | None = None,
    ) -> None:
        words = f": {message}" if message else ""
        code = f" (error code {error_code})" if error_code else ""
        super().__init__(f"{action} failed with status {status}{words}{code}", hint=hint)
        self.action = action
        self.status = status
        self.server_message = message
        self.error_code = error_code
        self.timestamp = timestamp
        self.retry_after: float | None = None


class InvalidCredentialsError(APIError, NotAuthenticatedError):
    """401: a wrong user or password, or a token that the service does not accept."""


class NotAuthorizedError(APIError):
    """403: who we are is known, and this is not allowed (or, at login: right password, no authority)."""


class NotFoundError(APIError):
    """404: there is no such batch, profile, authority or certificate, or no such endpoint."""


class NotImplementedByServiceError(APIError):
    """405 or 501: this service does not offer the call."""


class TransportError(SectigoError):
    """No usable answer arrived."""


class UnreachableError(TransportError):
    """The request never left: connection refused, no such host, TLS not agreed. Nothing was spent."""

    passes = True
    """Whether trying again may help; it does not where a server is not trusted."""


class DeadlineError(TransportError):
    """No complete answer came within the time allowed."""


class RedirectError(TransportError):
    """The service points elsewhere, and credentials are not carried there. `status`, and `location` says where."""

    def __init__(self, message: str, *, status: int, location: str | None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.status = status
        self.location = location


class InvalidReplyError(TransportError):
    """The answer is not what the service answers here: HTML, `null`, nothing, or a document of another shape."""


class OutcomeUnknownError(SectigoError):
    """A request that may have been carried out was sent, and no answer says whether it was.

    It may exist and be paid for. Do not repeat it; find out. `batch_name` is the name that an order was sent under,
    by which to look for it; of an upload it is the file's name, and None of what was no order.
    """

    def __init__(self, message: str, *, batch_name: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.batch_name = batch_name


class BatchError(SectigoError):
    """Something about one batch. `batch_id` and the `status` that the service gave."""

    def __init__(self, message: str, *, batch_id: int, status: str | None = None, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.batch_id = batch_id
        self.status = status


class NotReadyError(BatchError):
    """Issuing is not over; the order stands, and waiting helps."""


class BatchFailedError(BatchError):
    """Issuing is over and there is nothing to fetch. `reason` holds the service's words."""

    def __init__(self, message: str, *, batch_id: int, status: str | None = None, reason: str | None = None) -> None:
        super().__init__(message, batch_id=batch_id, status=status)
        self.reason = reason


class BundleError(SectigoError):
    """A ZIP, a PKCS#12 or a chain is damaged, dangerous, or not what was ordered."""


class OrderBookError(SectigoError):
    """The order book cannot be used: it is of a newer version, damaged, full, busy or away. Nothing was changed.

    `passes` says whether trying again later may help.
    """

    def __init__(self, message: str, *, passes: bool = False, hint: str | None = None) -> None:
        super().__init__(message, hint=hint)
        self.passes = passes


class LeaseLostError(OrderBookError):
    """The time in which a worker may act on an order is over, or too short. Nothing was sent, nothing was changed."""

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        super().__init__(message, passes=True, hint=hint)
