"""The two kinds of tokens that the service hands out: JWTs under HS512, as they were seen in 2020 or in 2019."""

from __future__ import annotations

import functools
import hashlib
import math
import secrets
import uuid
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import jwt

from sectigo_iot.emulator.sense import REFRESH_SCOPE

if TYPE_CHECKING:
    from jwt.types import Options

_ALGORITHM = "HS512"
_APART = 60
"""How many tokens of one user and one second are told apart, by dating them back; in seconds."""
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


class _Read(NamedTuple):
    """What a token with a good signature says."""

    expiry: float
    not_before: float
    refreshes: bool
    subject: str


class Notes(NamedTuple):
    """What a mint has noted of tokens: a time for each of some, never the token."""

    revoked: dict[bytes, float]
    altered: dict[bytes, float]
    handed_out: dict[bytes, float]


class TokenMint:
    """Makes and checks tokens. Its repr shows no key.

    Tokens of 2020 have the user's path as `sub`, and `iss`; those of 2019 have the login as `sub`, the roles in
    `Authorities`, and no `iss`.
    """

    def __init__(
        self,
        *,
        secret: bytes | None,
        issuer: str,
        access_lifetime: int,
        refresh_lifetime: int,
        clock: Callable[[], float],
        claims: Literal["2020", "2019"] = "2020",
    ) -> None:
        # HMAC pads a short key with zeros itself: the signatures are the same, and PyJWT does not complain.
        self._key = (secret or secrets.token_bytes(64)).ljust(64, b"\0")
        self._issuer = issuer
        self._lifetimes = (access_lifetime, refresh_lifetime)
        self._clock = clock
        self._form = claims
        self._read = functools.lru_cache(maxsize=4096)(self._decode)
        self._revoked = _Noted(clock)
        self._altered = _Noted(clock)
        self._handed_out = _Noted(clock)

    def pair(self, subject: str, scopes: tuple[str, ...], login: str) -> dict[str, str]:
        """Return a new access token and a new refresh token, under the names that a reply gives them.

        `subject` is the `sub` of tokens of 2020, `login` that of tokens of 2019.
        """
        access, refresh = self._lifetimes
        owner = self._owner(subject, login)
        return {
            "accessToken": self._fresh(access, owner | self._roles(scopes)),
            "refreshToken": self._fresh(refresh, owner | {"scopes": [REFRESH_SCOPE], "jti": str(uuid.uuid4())}),
        }

    def check_access(self, token: str) -> str:
        """Accept a token as bearer and return its `sub`, or raise BadTokenError."""
        read = self._valid(token)
        if read.refreshes:
            raise BadTokenError("a refresh token is no access token")
        return read.subject

    def check_refresh(self, token: str) -> str:
        """Accept a token for a renewal and return its `sub`, or raise BadTokenError."""
        read = self._valid(token)
        if not read.refreshes:
            raise BadTokenError("an access token is no refresh token")
        return read.subject

    def revoke(self, token: str) -> None:
        """Accept a token no more. Does nothing for one that is not accepted anyway."""
        try:
            expiry = self._expiry(token)
        except BadTokenError:
            return
        self._revoked.note(token, expiry)

    def claims(self, token: str) -> dict[str, Any]:
        """Return the claims of a token of ours. Raises BadTokenError for one that is not."""
        self._read(token)
        return self._verified(token)

    def altered(self, token: str, **claims: object) -> str:
        """Return a token of ours with other claims, signed anew. Raises BadTokenError for one that is not ours.

        Whatever its `exp` says then, it is accepted for as long as the one that it was made from.
        """
        expiry = self._expiry(token)
        changed = self._sign(self.claims(token) | claims)
        self._altered.note(changed, expiry)
        return changed

    def notes(self) -> Notes:
        """Return what is noted now, which later calls leave as it is."""
        return Notes(self._revoked.copied(), self._altered.copied(), self._handed_out.copied())

    def restore(self, notes: Notes) -> None:
        """Know of tokens what was noted then, and nothing else."""
        for noted, times in zip((self._revoked, self._altered, self._handed_out), notes, strict=True):
            noted.restore(times)

    def _valid(self, token: str) -> _Read:
        read, now = self._read(token), self._clock()
        if self._altered.get(token, read.expiry) <= now:
            raise BadTokenError("the token is expired")
        if read.not_before > now:
            raise BadTokenError("the token is not valid yet")
        if token in self._revoked:
            raise BadTokenError("the token is revoked")
        return read

    def _expiry(self, token: str) -> float:
        return self._altered.get(token, self._read(token).expiry)

    def _owner(self, subject: str, login: str) -> dict[str, Any]:
        return {"sub": login} if self._form == "2019" else {"sub": subject, "iss": self._issuer}

    def _roles(self, scopes: tuple[str, ...]) -> dict[str, Any]:
        if self._form == "2019":
            return {"Authorities": list(scopes)}
        return {"scopes": list(scopes), "first-login": False}

    def _fresh(self, lifetime: int, claims: dict[str, Any]) -> str:
        # Two tokens of one second would be the same text: a session must be told from another, and a token must not
        # be born revoked. One that is dated back is accepted for as long as the others.
        issued = int(self._clock())
        for earlier in range(_APART):
            token = self._sign(claims | {"iat": issued - earlier, "exp": issued - earlier + lifetime})
            if token not in self._handed_out and token not in self._revoked:
                break
        self._handed_out.note(token, issued + _APART)
        if earlier:
            self._altered.note(token, issued + lifetime)
        return token

    def _sign(self, claims: dict[str, Any]) -> str:
        return jwt.encode(claims, self._key, algorithm=_ALGORITHM)

    def _verified(self, token: str) -> dict[str, Any]:
        return jwt.decode(token, self._key, algorithms=[_ALGORITHM], options=_CHECKS)

    def _decode(self, token: str) -> _Read:
        try:
            claims = self._verified(token)
            refreshes = REFRESH_SCOPE in claims.get("scopes", ())
            not_before = _seconds(claims["nbf"]) if "nbf" in claims else -math.inf
            return _Read(_seconds(claims["exp"]), not_before, refreshes, str(claims.get("sub", "")))
        except (jwt.InvalidTokenError, ValueError, TypeError, OverflowError, RecursionError):
            raise BadTokenError("the token is not valid") from None


class _Noted:
    """A time for each of some tokens, which is forgotten once it is past. Keeps no token."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._times: dict[bytes, float] = {}
        self._most = 1024

    def __contains__(self, token: str) -> bool:
        return bool(self._times) and _digest(token) in self._times

    def get(self, token: str, default: float) -> float:
        return self._times.get(_digest(token), default) if self._times else default

    def copied(self) -> dict[bytes, float]:
        return dict(self._times)

    def restore(self, times: dict[bytes, float]) -> None:
        self._times = dict(times)

    def note(self, token: str, until: float) -> None:
        self._times[_digest(token)] = until
        if len(self._times) > self._most:
            now = self._clock()
            self._times = {each: time for each, time in self._times.items() if time > now}
            self._most = max(1024, 2 * len(self._times))


def _digest(token: str) -> bytes:
    # What is signed, not the signature: that one can be spelled in several ways.
    signed = token.rpartition(".")[0]
    return hashlib.blake2b(signed.encode(), digest_size=16).digest()


def _seconds(time: object) -> float:
    if not isinstance(time, int | float) or not math.isfinite(time):
        raise ValueError("not a time")
    return float(time)
