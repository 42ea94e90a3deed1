"""A valid access token: the kept one, else a refreshed one, else a log-in.

However many threads and processes ask at once, one of them renews, under the store's lock; the others find
what it got.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import weakref
from typing import TYPE_CHECKING, Any

from sectigo_iot.calls import Call
from sectigo_iot.endpoints import ENDPOINTS
from sectigo_iot.errors import (
    CredentialsMismatchError,
    InvalidCredentialsError,
    InvalidReplyError,
    MustUseTLSAuthError,
    NotAuthorizedError,
    RedirectError,
    SectigoError,
    TokensExpiredError,
)
from sectigo_iot.tokens import TokenPair

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.credentials import Login
    from sectigo_iot.tokens import TokenStore
    from sectigo_iot.transport import Transport

_log = logging.getLogger("sectigo_iot.auth")

MARGIN = 5.0
"""Seconds that a token must still live to be sent."""


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
    ) -> None:
        self._transport = transport
        self._login = login
        self._store = store
        self._clock = clock
        self._endpoint = transport.settings.endpoint
        self._guard = threading.RLock()
        _LIVE.add(self)
        self._refused: tuple[str, str] | None = None
        self._pair: TokenPair | None = None

    def renew_lock(self) -> None:
        """Forget who holds the lock between threads."""
        self._guard = threading.RLock()

    def token(self, rejected: str | None = None) -> str:
        """Return an access token that may be used now, and that is not the one just rejected by the service.

        Raises NotAuthenticatedError and its kinds, TransportError and its kinds.
        """
        with self._guard:
            pair = self._usable(self._pair, rejected) or self._usable(self._kept(), rejected)
            if pair is None:
                pair = self._renew(rejected)
            self._pair = pair
            return pair.access_token

    def tokens(self) -> TokenPair | None:
        """Return the pair that there is, whether it may still be used or not."""
        return self._pair or self._kept()

    def authenticate(self) -> TokenPair:
        """Log in with user name and password, whatever tokens there are, and keep the new ones."""
        with self._guard, self._store.lock(self._endpoint, self._login.username()):
            return self._keep(self._log_in())

    def refresh(self) -> TokenPair:
        """Exchange the refresh token for new tokens, and keep them. Raises TokensExpiredError where there is none."""
        with self._guard, self._store.lock(self._endpoint, self._login.username()):
            pair = self.tokens()
            if pair is None or not pair.refreshable(self._clock()):
                raise TokensExpiredError("there is no refresh token that may be used")
            return self._keep(self._refresh(pair))

    def forget(self) -> None:
        """Forget the tokens of this user, here and in the store."""
        with self._guard:
            self._pair = None
            self._store.delete(self._endpoint, self._login.username())

    def _usable(self, pair: TokenPair | None, rejected: str | None) -> TokenPair | None:
        if pair is None or pair.access_token == rejected or not pair.valid(self._clock(), margin=MARGIN):
            return None
        return pair

    def _kept(self) -> TokenPair | None:
        return self._store.load(self._endpoint, self._login.username())

    def _keep(self, pair: TokenPair) -> TokenPair:
        self._pair = pair
        self._store.save(self._endpoint, self._login.username(), pair)
        return pair

    def _renew(self, rejected: str | None) -> TokenPair:
        known = self._kept() or self._pair
        if known is None or not known.refreshable(self._clock()):
            # Whoever is asked for a password takes his time, and nobody shall wait for the lock meanwhile.
            self._login.password()
        with self._store.lock(self._endpoint, self._login.username()):
            # Another thread or process may have renewed it while we waited for the lock.
            kept = self._kept() or self._pair
            found = self._usable(kept, rejected)
            return found or self._keep(self._refreshed_or_logged_in(kept))

    def _refreshed_or_logged_in(self, pair: TokenPair | None) -> TokenPair:
        if pair is None or not pair.refreshable(self._clock()):
            return self._log_in()
        try:
            return self._refresh(pair)
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

    def _refresh(self, pair: TokenPair) -> TokenPair:
        body = pair.refresh_token.encode()
        document = self._exchange("refresh", body=body, secrets=(pair.refresh_token,))
        return self._pair_of(document, document.get("refreshToken") or pair.refresh_token)

    def _log_in(self) -> TokenPair:
        username, password = self._login.username(), self._login.password()
        if (username, password) == self._refused:
            raise InvalidCredentialsError(
                401,
                f"the password of {username} was refused before, and is not tried again",
                action="authenticate",
                hint="repeated failures lock an account",
            )
        try:
            document = self._exchange(
                "authenticate", payload={"username": username, "password": password}, secrets=(password,)
            )
        except InvalidCredentialsError as error:
            self._refused = username, password
            self._login.forget_password()
            error.hint = "are user name and password right? It is not tried again: repeated failures lock an account"
            raise
        except NotAuthorizedError as error:
            error.hint = "are user name and password right, and may this user log in?"
            raise
        except RedirectError as error:
            raise (_tls_auth(username, error) if error.status == 307 else error) from None
        return self._pair_of(document, document.get("refreshToken"))

    def _exchange(self, name: str, *, secrets: tuple[str, ...], **content: Any) -> dict[str, Any]:
        endpoint = ENDPOINTS[name]
        call = Call(endpoint, self._transport.url(endpoint), "POST", secrets=secrets, **content)
        document = self._transport.send(call).document()
        if not isinstance(document, dict):
            raise InvalidReplyError(f"{name}: the service's answer holds no tokens")
        return document

    def _pair_of(self, document: dict[str, Any], refresh: object) -> TokenPair:
        access = document.get("accessToken")
        if not isinstance(access, str) or not isinstance(refresh, str):
            raise InvalidReplyError("the service's answer to the log-in holds no tokens")
        return TokenPair(access, refresh, self._clock())


def _tls_auth(username: str, error: RedirectError) -> SectigoError:
    return MustUseTLSAuthError(
        f"the account {username} must log in with a client certificate",
        location=error.location,
        hint="this version logs in with a password only; ask for password log-in in the portal",
    )
