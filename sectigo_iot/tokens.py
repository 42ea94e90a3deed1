"""What a pair of JWTs allows at a given time.

Claims are read without verifying them, because the signing key is the server's alone. Lifetimes (`exp` less
`iat`) count from the moment of receipt on our own clock, so that a clock that runs ahead or behind does no harm.
"""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, NamedTuple, Protocol

from sectigo_iot.errors import InvalidClaimsError, TokensMismatchError

if TYPE_CHECKING:
    from contextlib import AbstractContextManager

ACCESS_SECONDS = 600.0
REFRESH_SECONDS = 7200.0
"""The shortest lifetimes that the service documents, for a token that does not tell its own."""


class Claims(NamedTuple):
    """The claims of one token that say when it may be used, in epoch seconds of the server's clock."""

    issued_at: float
    expires: float
    not_before: float
    scopes: tuple[str, ...] = ()


def read_claims(token: str, lifetime: float = ACCESS_SECONDS) -> Claims:
    """Read a JWT's claims. `lifetime`: the seconds between `iat` and `exp` where one of the two is missing.

    Raises InvalidClaimsError if it is no JWT, or has neither `iat` nor `exp`.
    """
    document = _payload(token)
    issued_at, expires = _seconds(document.get("iat")), _seconds(document.get("exp"))
    not_before = _seconds(document.get("nbf"))
    if issued_at is None:
        if expires is None:
            raise InvalidClaimsError("the service's token does not say how long it lives (claims iat and exp)")
        # When it was issued is a guess now, and no measure of when it may be used from.
        issued_at, not_before = expires - lifetime, None
    scopes = document.get("scopes")
    return Claims(
        issued_at,
        issued_at + lifetime if expires is None else expires,
        issued_at if not_before is None else not_before,
        tuple(map(str, scopes)) if isinstance(scopes, list) else (),
    )


def _payload(token: str) -> dict[str, object]:
    parts = token.split(".")
    # Decoding skips what is not of the alphabet, and a header field would carry it.
    if not all(c.isascii() and (c.isalnum() or c in "-_=.") for c in token):
        raise InvalidClaimsError("the service's token is no JWT")
    try:
        document = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (IndexError, ValueError, RecursionError):
        document = None
    if len(parts) != 3 or not isinstance(document, dict):
        raise InvalidClaimsError("the service's token is no JWT")
    return document


def _seconds(value: object) -> float | None:
    try:
        number = isinstance(value, int | float | str) and not isinstance(value, bool)
        seconds = float(str(value)) if number else float("nan")
    except (ValueError, OverflowError):
        return None
    return seconds if 0 <= seconds < 1e12 else None


class TokenPair:
    """An access token, the refresh token that came with it, and when they came (epoch seconds). Immutable.

    Raises TokensMismatchError if one is missing, InvalidClaimsError if one cannot be read.
    """

    __slots__ = ("_access", "_refresh", "access_token", "received", "refresh_token")

    access_token: str
    refresh_token: str
    received: float
    _access: Claims
    _refresh: Claims

    def __init__(self, access_token: str, refresh_token: str, received: float) -> None:
        if not access_token or not refresh_token:
            missing = "refresh" if access_token else "access"
            raise TokensMismatchError(f"the {missing} token is missing from the pair")
        for name, value in (
            ("access_token", access_token),
            ("refresh_token", refresh_token),
            ("received", received),
            ("_access", read_claims(access_token, ACCESS_SECONDS)),
            ("_refresh", read_claims(refresh_token, REFRESH_SECONDS)),
        ):
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError("a TokenPair does not change")

    def __delattr__(self, name: str) -> None:
        raise AttributeError("a TokenPair does not change")

    def __reduce__(self) -> tuple[type[TokenPair], tuple[str, str, float]]:
        return TokenPair, (self.access_token, self.refresh_token, self.received)

    def __repr__(self) -> str:
        return f"<TokenPair received {self.received:.0f}, valid until {self.valid_until:.0f}>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, TokenPair) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def _key(self) -> tuple[str, str]:
        return self.access_token, self.refresh_token

    @property
    def valid_until(self) -> float:
        """When the access token runs out, in epoch seconds of our clock."""
        return self._on_our_clock(self._access, self._access.expires)

    @property
    def current_until(self) -> float:
        """When the refresh token runs out, in epoch seconds of our clock."""
        return self._on_our_clock(self._refresh, self._refresh.expires)

    @property
    def lifetime(self) -> float:
        """How many seconds the access token lives; 0 or less for one that never may be used."""
        return self._access.expires - self._access.issued_at

    def _on_our_clock(self, claims: Claims, moment: float) -> float:
        # The difference first: it is exact where the sum of two large numbers is not.
        return int(self.received) + (moment - claims.issued_at)

    def valid(self, now: float, *, margin: float = 0.0) -> bool:
        """Whether the access token may be used at `now`, and for `margin` seconds more."""
        begins = self._on_our_clock(self._access, self._access.not_before)
        return begins <= now and now + margin < self.valid_until

    def refreshable(self, now: float) -> bool:
        """Whether the refresh token may be used at `now`; without `nbf` it may be from the start."""
        begins = self._on_our_clock(self._refresh, self._refresh.not_before)
        return begins <= now < self.current_until

    def current(self, now: float) -> bool:
        """Whether the session can go on at `now` without a password."""
        return self.valid(now) or self.refreshable(now)


class TokenStore(Protocol):
    """Where tokens are kept between sessions, one pair for each endpoint and user.

    A store may be shared by threads and processes. It never raises for a pair that it cannot read or keep:
    `load` gives None, `save` keeps nothing; tokens can be had again, an order cannot.
    """

    def load(self, endpoint: str, username: str) -> TokenPair | None:
        """Return the pair kept for this endpoint and user, if any."""

    def save(self, endpoint: str, username: str, pair: TokenPair) -> None:
        """Keep this pair in place of any other of this endpoint and user."""

    def delete(self, endpoint: str, username: str) -> None:
        """Forget the pair."""

    def users(self, endpoint: str) -> list[str]:
        """Return the users that have a pair for this endpoint, sorted."""

    def lock(self, endpoint: str, username: str) -> AbstractContextManager[object]:
        """Exclude every other thread and process that renews this pair."""
