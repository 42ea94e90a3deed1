"""The two kinds of tokens that the service hands out: JWTs under HS512, as they were seen in 2020."""

from __future__ import annotations

import functools
import math
import secrets
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jwt

from sectigo_iot.emulator.sense import REFRESH_SCOPE

if TYPE_CHECKING:
    from jwt.types import Options

_ALGORITHM = "HS512"
# The clock is ours, so the times in a token are not PyJWT's to judge.
_CHECKS: Options = {
    "require": ["exp"],
    "verify_exp": False,
    "verify_iat": False,
    "verify_nbf": False,
    "verify_aud": False,
    "verify_sub": False,
}


class BadTokenError(Exception):
    """A token that is not accepted here; says why, and never shows the token."""


class TokenMint:
    """Makes and checks tokens. Its repr shows no key."""

    def __init__(
        self,
        *,
        secret: bytes | None,
        issuer: str,
        subject: str,
        scopes: tuple[str, ...],
        access_lifetime: int,
        refresh_lifetime: int,
        clock: Callable[[], float],
    ) -> None:
        # HMAC pads a short key with zeros itself: the signatures are the same, and PyJWT does not complain.
        self._key = (secret or secrets.token_bytes(64)).ljust(64, b"\0")
        self._base = {"sub": subject, "iss": issuer}
        self._scopes = list(scopes)
        self._lifetimes = (access_lifetime, refresh_lifetime)
        self._clock = clock
        self._claims = functools.lru_cache(maxsize=256)(self._decode)

    def pair(self) -> dict[str, str]:
        """Return a new access token and a new refresh token, under the names that a reply gives them."""
        now = int(self._clock())
        access, refresh = self._lifetimes
        return {
            "accessToken": self._encode(now, access, self._scopes, {"first-login": False}),
            "refreshToken": self._encode(now, refresh, [REFRESH_SCOPE], {"jti": str(uuid.uuid4())}),
        }

    def check_access(self, token: str) -> None:
        """Accept a token as bearer, or raise BadTokenError."""
        if self._valid(token):
            raise BadTokenError("a refresh token is no access token")

    def check_refresh(self, token: str) -> None:
        """Accept a token for a renewal, or raise BadTokenError."""
        if not self._valid(token):
            raise BadTokenError("an access token is no refresh token")

    def _valid(self, token: str) -> bool:
        expiry, refreshes = self._claims(token)
        if expiry <= self._clock():
            raise BadTokenError("the token is expired")
        return refreshes

    def _encode(self, now: int, lifetime: int, scopes: list[str], more: dict[str, Any]) -> str:
        claims = self._base | {"scopes": scopes} | more | {"iat": now, "exp": now + lifetime}
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def _decode(self, token: str) -> tuple[float, bool]:
        try:
            claims = jwt.decode(token, self._key, algorithms=[_ALGORITHM], options=_CHECKS)
            return _seconds(claims["exp"]), REFRESH_SCOPE in claims.get("scopes", ())
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError):
            raise BadTokenError("the token is not valid") from None


def _seconds(expiry: object) -> float:
    if not isinstance(expiry, int | float) or not math.isfinite(expiry):
        raise ValueError("exp is not a time")
    return float(expiry)
