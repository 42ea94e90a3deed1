"""What a client is logged in with, as a value: the Go package's `Credentials`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sectigo_iot.errors import CredentialsMismatchError, NoCredentialsError, NotAuthenticatedError, TokensExpiredError
from sectigo_iot.tokens import TokenPair

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from sectigo_iot.tokens import TokenStore

_HINT = "give a user name and a password, or log in again"


class Credentials:
    """A copy of what a client is logged in with: the Go package's `Credentials`, on values that show no secret."""

    def __init__(
        self,
        endpoint: str,
        username: str | None,
        password: str | None,
        tokens: TokenPair | None,
        store: TokenStore,
        clock: Callable[[], float],
    ) -> None:
        self.endpoint = endpoint
        self.username = username
        self._password = password
        self._tokens = tokens
        self._store = store
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Credentials of {self.username!r} at {self.endpoint}, {self._tokens!r}>"

    @property
    def tokens(self) -> TokenPair | None:
        """The tokens, if there are any."""
        return self._tokens

    @property
    def valid(self) -> bool:
        """Whether the access token may be used now."""
        return self._tokens is not None and self._tokens.valid(self._clock())

    @property
    def refreshable(self) -> bool:
        """Whether the refresh token may be used now."""
        return self._tokens is not None and self._tokens.refreshable(self._clock())

    @property
    def current(self) -> bool:
        """Whether the session can go on without a password."""
        return self.valid or self.refreshable

    @property
    def cache_file(self) -> Path | None:
        """Where the tokens are kept, or None where that is no file."""
        path = getattr(self._store, "path", None)
        return path(self.endpoint, self.username) if path and self.username else None

    def check(self) -> None:
        """Raise NoCredentialsError, CredentialsMismatchError or TokensExpiredError if no request can be made."""
        if self.current:
            return
        if self._tokens is not None and not self._password:
            raise TokensExpiredError("the tokens have run out", hint=_HINT)
        if bool(self.username) != bool(self._password):
            missing = "password" if self.username else "user name"
            raise CredentialsMismatchError(f"the {missing} is missing", hint=_HINT)
        if not self.username:
            raise NoCredentialsError(f"there are no credentials for {self.endpoint}", hint=_HINT)

    def clear(self) -> None:
        """Forget the tokens, in this copy."""
        self._tokens = None

    def load(self, username: str | None = None, password: str | None = None) -> None:
        """Take on a login, and the tokens that are kept for it."""
        self.username, self._password = username or self.username, password or self._password
        self._tokens = self._store.load(self.endpoint, self.username) if self.username else None

    def dump(self) -> None:
        """Keep the tokens. Raises NotAuthenticatedError where there are none."""
        if self._tokens is None or not self.username:
            raise NotAuthenticatedError("there are no tokens to keep")
        self._store.save(self.endpoint, self.username, self._tokens)

    def update(self, access_token: str, refresh_token: str) -> None:
        """Take on new tokens, received now. Raises TokensMismatchError, InvalidClaimsError."""
        self._tokens = TokenPair(access_token, refresh_token, self._clock())
