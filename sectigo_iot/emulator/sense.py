"""Which settings make sense."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, TypeGuard

from sectigo_iot.emulator.accounts import ACCOUNTS, Account

if TYPE_CHECKING:
    from sectigo_iot.emulator.settings import EmulatorSettings

KEY_TYPES = ("rsa4096", "rsa3072", "rsa2048", "p256", "p384")
MODES = ("release", "debug", "test")
LOG_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic", "disabled")
REFRESH_SCOPE = "ROLE_REFRESH_TOKEN"
"""What tells a refresh token from an access token."""

_CHOICES = {
    "account": tuple(ACCOUNTS),
    "key_type": KEY_TYPES,
    "duplicates": ("issue", "refuse"),
    "log_level": LOG_LEVELS,
    "mode": MODES,
}
_RANGES = {
    "port": (0, 65535),
    "key_pool": (0, None),
    "access_lifetime": (1, None),
    "refresh_lifetime": (1, None),
    "no_balance_status": (400, 599),
    "not_ready_status": (400, 599),
}
_URL = re.compile(r"(?i:https?)://(?![/?#])[!-~]+")


def check(settings: EmulatorSettings) -> None:
    """Raise ValueError that begins with the field at fault, and never shows a secret."""
    for name, allowed in _CHOICES.items():
        one_of(name, getattr(settings, name), allowed)
    for name, (least, most) in _RANGES.items():
        _between(name, getattr(settings, name), least, most)
    if not isinstance(settings.delay, int | float) or not settings.delay >= 0:
        raise ValueError(f"delay {settings.delay!r} is not a number of seconds from 0 on")
    if settings.secret is not None and (not isinstance(settings.secret, bytes) or not settings.secret):
        raise ValueError("secret must be bytes, at least one")
    if not settings.allow_remote and not _is_loopback(settings.host):
        raise ValueError(f"host {settings.host!r} is not the loopback; allow_remote=True permits it")
    login = settings.certificate_login
    if login is not None and not (isinstance(login, str) and _URL.fullmatch(login)):
        raise ValueError("certificate_login must be a URL of http or https in printable ASCII")
    _check_scopes(settings.scopes)
    _check_balances(ACCOUNTS[settings.account], settings.balances or {})


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is none of those allowed."""
    if value not in allowed:
        raise ValueError(f"{name} {value!r} is none of {', '.join(allowed)}")


def _between(name: str, value: object, least: int, most: int | None) -> None:
    if not _is_integer(value):
        raise ValueError(f"{name} {value!r} is not an integer")
    if value < least or (most is not None and value > most):
        allowed = f"{least} or more" if most is None else f"between {least} and {most}"
        raise ValueError(f"{name} {value} is not {allowed}")


def _is_integer(value: object) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_loopback(host: str) -> bool:
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _check_scopes(scopes: object) -> None:
    if not isinstance(scopes, tuple) or not all(isinstance(each, str) for each in scopes):
        raise ValueError(f"scopes {scopes!r} is not a tuple of texts")
    if REFRESH_SCOPE in scopes:
        raise ValueError(f"scopes may not hold {REFRESH_SCOPE}: an access token with it is none")


def _check_balances(account: Account, balances: Mapping[int, int]) -> None:
    unknown = set(balances) - {authority.id for authority in account.authorities}
    if unknown:
        raise ValueError(f"balances: the account {account.name!r} has no authority {unknown.pop()!r}")
    for authority, balance in balances.items():
        _between(f"balances: {authority}:", balance, 0, None)
