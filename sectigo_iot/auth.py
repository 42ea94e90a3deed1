"""A valid access token: the kept one, else a refreshed one, else a log-in.

However many threads and processes ask at once, one of them renews, under the store's lock; the others find
what it got.
"""

from __future__ import annotations

import copy
import logging
import math
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from sectigo_iot.calls import Call
from sectigo_iot.endpoints import ENDPOINTS
from sectigo_iot.errors import (
    CredentialsMismatchError,
    DeadlineError,
    InvalidCredentialsError,
    InvalidReplyError,
    NotAuthenticatedError,
    NotAuthorizedError,
    RedirectError,
    SectigoError,
    TokensExpiredError,
    UnreachableError,
)
from sectigo_iot.refusals import IN_PROCESS, Refusals
from sectigo_iot.tokens import TokenPair

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.certificate_login import CertificateLogin
    from sectigo_iot.credentials import Login
    from sectigo_iot.replies import Reply
    from sectigo_iot.tokens import TokenStore
    from sectigo_iot.transport import Transport

_log = logging.getLogger("sectigo_iot.auth")

MARGIN = 5.0
"""Seconds that a token must still live to be sent; a quarter of its life where that is less."""
REFRESH_SECONDS = 15.0
"""How long a renewal may take before a log-in is tried, so that both end before others stop waiting for the lock."""
DENIED_SECONDS = 300.0
"""How long a log-in that was answered by 403 is not tried again by itself: it may pass, and locks no account."""
FRESH_SECONDS = 60.0
"""How long a pair that another process got is believed when the service has just rejected ours."""

_NOT_AGAIN = (
    "Another password is tried at once; this one is not tried again by itself, because repeated failures lock an "
    "account. `sectigo auth --login` and `sectigo -p … auth` try it all the same, and authenticate() of the library"
)
_LOCKED = "have the account unlocked, by an administrator or the vendor: the password may be right"

_LIVE: weakref.WeakSet[Authenticator] = weakref.WeakSet()


def _after_fork() -> None:
    # A thread that held a lock is not there in the child to release it.
    for authenticator in list(_LIVE):
        authenticator.renew_lock()


os.register_at_fork(after_in_child=_after_fork)


class Authenticator:
    """Logs one client in, at most once at a time. Safe to share between threads."""

    def __init__(
        self,
        transport: Transport,
        login: Login,
        store: TokenStore,
        *,
        clock: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._transport = transport
        self._login = login
        self._store = store
        self._clock = clock
        self._monotonic = monotonic
        self._certificate: CertificateLogin | None = None
        self._demand: RedirectError | None = None
        self._endpoint = transport.settings.endpoint
        self._guard = threading.RLock()
        _LIVE.add(self)
        # A store of the caller's own need not know of refusals.
        self._refusals: Refusals = getattr(store, "refusals", None) or IN_PROCESS
        self._denied: tuple[str, str, float] | None = None
        self._unanswered: tuple[float, DeadlineError | UnreachableError] | None = None
        self._pair: TokenPair | None = None
        self._until = 0.0

    def renew_lock(self) -> None:
        """Forget who holds the lock between threads."""
        self._guard = threading.RLock()

    def token(self, rejected: str | None = None) -> str:
        """Return an access token that may be used now, and that is not the one just rejected by the service.

        Raises NotAuthenticatedError and its kinds, TransportError and its kinds.
        """
        came = self._monotonic()
        with self._guard:
            pair = self._usable(self._pair, rejected) or self._found(rejected)
            if pair is None:
                pair = self._renewed(rejected, came)
            self._hold(pair)
            return pair.access_token

    def _renewed(self, rejected: str | None, came: float) -> TokenPair:
        """Renew, for all who wait for it: where no answer comes, none of them waits for another deadline."""
        if self._unanswered is not None and self._unanswered[0] >= came:
            raise copy.copy(self._unanswered[1])
        try:
            return self._renew(rejected)
        except (DeadlineError, UnreachableError) as error:
            # Without its traceback, which holds the password.
            self._unanswered = self._monotonic(), copy.copy(error)
            raise

    def tokens(self) -> TokenPair | None:
        """Return the later pair of store and memory, whether it may still be used or not."""
        pairs = [pair for pair in (self._kept(), self._pair) if pair is not None]
        now = self._clock()
        return max(pairs, key=lambda pair: (pair.received <= now, pair.received), default=None)

    def authenticate(self) -> TokenPair:
        """Log in with user name and password, whatever tokens there are, and keep the new ones.

        This is an act of will: a password is tried even if it was refused before.
        """
        with self._guard:
            self._login.password()
            return self._locked(lambda: self._keep(self._log_in(by_intent=True)))

    def refresh(self) -> TokenPair:
        """Exchange the refresh token for new tokens, and keep them. Raises TokensExpiredError where there is none."""
        with self._guard, self._store.lock(self._endpoint, self._login.username()):
            pair = self.tokens()
            if pair is None or not self._may_refresh(pair):
                raise TokensExpiredError("there is no refresh token that may be used")
            return self._keep(self._refresh(pair))

    def forget(self) -> None:
        """Forget the tokens of this user, here and in the store."""
        with self._guard:
            self._pair = None
            self._store.delete(self._endpoint, self._login.username())

    def _usable(self, pair: TokenPair | None, rejected: str | None) -> TokenPair | None:
        if pair is None or pair.access_token == rejected:
            return None
        margin = max(0.0, min(MARGIN, pair.lifetime / 4))
        # Since it is held here, it has lived by a clock that nobody can set.
        outlived = pair == self._pair and self._monotonic() + margin >= self._until
        return pair if pair.valid(self._clock(), margin=margin) and not outlived else None

    def _found(self, rejected: str | None) -> TokenPair | None:
        """Return what others have got, unless the service, which has just rejected ours, may have dropped it, too."""
        pair = self.tokens()
        stale = pair is not None and rejected is not None and self._clock() - pair.received > FRESH_SECONDS
        return None if stale else self._usable(pair, rejected)

    def _may_refresh(self, pair: TokenPair) -> bool:
        # Of a pair from the future, as it seems where the clock was set back, only the service knows.
        now = self._clock()
        return pair.refreshable(now) or pair.received > now

    def _kept(self) -> TokenPair | None:
        return self._store.load(self._endpoint, self._login.username())

    def _hold(self, pair: TokenPair) -> None:
        if pair != self._pair:
            self._until = self._monotonic() + pair.valid_until - self._clock()
        self._pair = pair

    def _keep(self, pair: TokenPair) -> TokenPair:
        self._hold(pair)
        self._store.save(self._endpoint, self._login.username(), pair)
        return pair

    def _renew(self, rejected: str | None) -> TokenPair:
        known = self.tokens()
        if known is None or not self._may_refresh(known):
            # Whoever is asked for a password takes his time, and nobody shall wait for the lock meanwhile.
            self._login.password()
        return self._locked(
            # Another thread or process may have renewed it while we waited for the lock.
            lambda: self._found(rejected) or self._keep(self._refreshed_or_logged_in(self.tokens())),
            lambda: self._found(rejected) or self._keep(self._log_in()),
        )

    def _locked(self, renew: Callable[[], TokenPair], again: Callable[[], TokenPair] | None = None) -> TokenPair:
        """Renew under the store's lock; where the password of the client's key is lacking, ask, and do it `again`.

        Not before is it known that the account demands a certificate; and nobody shall wait for the lock meanwhile.
        """
        try:
            with self._store.lock(self._endpoint, self._login.username()):
                return renew()
        except NotAuthenticatedError:
            self._demand = self._certificate.ask() if self._certificate is not None else None
            if self._demand is None:
                raise
        try:
            with self._store.lock(self._endpoint, self._login.username()):
                return (again or renew)()
        finally:
            self._demand = None

    def _refreshed_or_logged_in(self, pair: TokenPair | None) -> TokenPair:
        if pair is None or not self._may_refresh(pair):
            return self._log_in()
        try:
            return self._refresh(pair, REFRESH_SECONDS)
        except SectigoError as error:
            _log.info("the session cannot be refreshed (%s), logging in", error)
            return self._log_in_after(error)

    def _log_in_after(self, refused: SectigoError) -> TokenPair:
        """Log in where a refresh has failed; without a password, that failure is what the user must hear of."""
        try:
            return self._log_in()
        except CredentialsMismatchError as error:
            if isinstance(refused, InvalidCredentialsError | NotAuthorizedError):
                raise TokensExpiredError(f"the session is over, and {error}", hint=error.hint) from None
            raise refused from None

    def _refresh(self, pair: TokenPair, seconds: float = math.inf) -> TokenPair:
        body = pair.refresh_token.encode()
        document = self._exchange("refresh", body=body, secrets=(pair.refresh_token,), seconds=seconds)
        return self._pair_of(document, document.get("refreshToken") or pair.refresh_token)

    def _log_in(self, *, by_intent: bool = False) -> TokenPair:
        username, password = self._login.username(), self._login.password()
        if not by_intent and not self._login.was_typed:
            self._check_not_refused(username, password)
            self._check_not_denied(username, password)
        try:
            document = self._exchange(
                "authenticate", payload={"username": username, "password": password}, secrets=(password,)
            )
        except InvalidCredentialsError as error:
            self._login.forget_password()
            if "locked" in (error.server_message or "").lower():
                # Nothing is known against the password, which is right, perhaps, and will do once it is unlocked.
                error.hint = _LOCKED
                raise
            self._refusals.note(self._endpoint, username, password, self._clock())
            error.hint = f"are user name and password right? {_NOT_AGAIN}"
            raise
        except NotAuthorizedError as error:
            self._denied = username, password, self._monotonic()
            error.hint = "are user name and password right, and may this user log in?"
            raise
        self._refusals.forget(self._endpoint, username)
        self._denied = None
        return self._pair_of(document, document.get("refreshToken"))

    def _check_not_refused(self, username: str, password: str) -> None:
        refused = self._refusals.moment(self._endpoint, username, password)
        if refused is not None:
            # The next time another one may be found.
            self._login.forget_password()
            when = time.strftime("%Y-%m-%d %H:%M:%S %z", time.localtime(refused))
            words = f"the password of {username} was refused before ({when}), and is not tried again"
            raise InvalidCredentialsError(401, words, action="authenticate", hint=_NOT_AGAIN)

    def _check_not_denied(self, username: str, password: str) -> None:
        if self._denied is not None and self._denied[:2] == (username, password):
            left = self._denied[2] + DENIED_SECONDS - self._monotonic()
            if left > 0:
                words = f"{username} was not let in before, and is not tried again for {left:.0f} s"
                raise NotAuthorizedError(403, words, action="authenticate", hint="may this user log in?")

    def _exchange(
        self, name: str, *, secrets: tuple[str, ...], seconds: float = math.inf, **content: Any
    ) -> dict[str, Any]:
        endpoint = ENDPOINTS[name]
        call = Call(endpoint, self._transport.url(endpoint), "POST", secrets=secrets, **content)
        document = self._answer(call, seconds).document()
        if not isinstance(document, dict):
            raise InvalidReplyError(f"{name}: the service's answer holds no tokens")
        return document

    def _answer(self, call: Call, seconds: float) -> Reply:
        if self._demand is not None:
            # It is the answer to these very credentials, given before the password of the key was asked for.
            return self._certificate_login().follow(call, self._demand, self._login.username())
        try:
            return self._transport.limited(seconds).send(call)
        except RedirectError as error:
            if error.status != 307 or call.endpoint.name != "authenticate":
                raise
            return self._certificate_login().follow(call, error, self._login.username())

    def _certificate_login(self) -> CertificateLogin:
        from sectigo_iot.certificate_login import CertificateLogin

        if self._certificate is None:
            self._certificate = CertificateLogin(self._transport, self._clock)
        return self._certificate

    def _pair_of(self, document: dict[str, Any], refresh: object) -> TokenPair:
        access = document.get("accessToken")
        if not isinstance(access, str) or not isinstance(refresh, str):
            raise InvalidReplyError("the service's answer to the log-in holds no tokens")
        return TokenPair(access, refresh, self._clock())
