"""Which settings make sense."""

from __future__ import annotations

import ipaddress
import os
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeGuard

if TYPE_CHECKING:
    from sectigo_iot.emulator.settings import EmulatorSettings

LONGEST = 10 * 366 * 86400.0
"""Seconds: the longest time from order to issued, ten years."""
KEY_TYPES = ("rsa4096", "rsa3072", "rsa2048", "p256", "p384")
MODES = ("release", "debug", "test")
LOG_LEVELS = ("trace", "debug", "info", "warn", "warning", "error", "fatal", "panic", "disabled")
REFRESH_SCOPE = "ROLE_REFRESH_TOKEN"
"""What tells a refresh token from an access token."""

ACCOUNTS = ("staging", "manual")

_CHOICES = {
    "account": ACCOUNTS,
    "key_type": KEY_TYPES,
    "jwt_claims": ("2020", "2019"),
    "not_ready_body": ("json", "text", "html", "empty"),
    "no_reason": ("empty", "null"),
    "batch_list": ("off", "array", "page"),
    "upload_name": ("file", "number"),
    "duplicates": ("issue", "refuse"),
    "find_match": ("all", "any"),
    "device_id": ("text", "number"),
    "log_level": LOG_LEVELS,
    "mode": MODES,
}
_RANGES = {
    "port": (0, 65535),
    "key_pool": (0, None),
    "access_lifetime": (1, None),
    "refresh_lifetime": (1, None),
    "body_limit": (1, None),
    "journal_size": (1, 1_000_000),
    "lock_after": (0, None),
    "locked_status": (400, 599),
    "create_status": (200, 201),
    "no_balance_status": (400, 599),
    "not_ready_status": (400, 599),
}
_OPTIONAL_RANGES = {"control_port": (0, 65535), "find_limit": (0, None), "seed": (0, None)}
_SWITCHES = (
    *("tls", "foreign_ca", "legacy_pkcs12", "allow_remote", "hostile", "authorized"),
    *("refund_failed", "revoke_twice", "lift_holds", "find_case", "console_log"),
)
_URL = re.compile(r"(?i:https?)://(?![/?#])[!-~]+")


def check(settings: EmulatorSettings) -> None:
    """Raise ValueError that begins with the field at fault, and never shows a secret."""
    for name, allowed in _CHOICES.items():
        one_of(name, getattr(settings, name), allowed)
    for name, (least, most) in _RANGES.items():
        _between(name, getattr(settings, name), least, most)
    for name, (least, most) in _OPTIONAL_RANGES.items():
        if getattr(settings, name) is not None:
            _between(name, getattr(settings, name), least, most)
    for name in _SWITCHES:
        if not isinstance(getattr(settings, name), bool):
            raise ValueError(f"{name} {getattr(settings, name)!r} is neither true nor false")
    if not isinstance(settings.delay, int | float) or not 0 <= settings.delay <= LONGEST:
        raise ValueError(f"delay {settings.delay!r} is not a number of seconds from 0 to {LONGEST:.0f}")
    if settings.secret is not None and (not isinstance(settings.secret, bytes) or not settings.secret):
        raise ValueError("secret must be bytes, at least one")
    if not settings.allow_remote and not _is_loopback(settings.host):
        raise ValueError(f"host {settings.host!r} is not the loopback; allow_remote=True permits it")
    login = settings.certificate_login
    if login is not None and not (isinstance(login, str) and _URL.fullmatch(login)):
        raise ValueError("certificate_login must be a URL of http or https in printable ASCII")
    if settings.scopes is not None:
        _check_scopes(settings.scopes)
    _check_faults(settings.faults)
    _check_texts(settings)
    _check_balances(settings.balances)


def as_setting(value: Any) -> Any:
    """Return a value as Python has it: TOML knows no tuples, and no numbers as keys."""
    if isinstance(value, dict):
        return {int(key) if key.isascii() and key.isdigit() else key: each for key, each in value.items()}
    return tuple(value) if isinstance(value, list) else value


def one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    """Raise ValueError for a value that is none of those allowed."""
    if not isinstance(value, str):
        raise ValueError(f"{name} {value!r} is no text; it is one of {', '.join(map(repr, allowed))}")
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


def _check_texts(settings: EmulatorSettings) -> None:
    for name in ("username", "password", "issuer", "subject"):
        if not isinstance(getattr(settings, name), str | None):
            raise ValueError(f"{name} must be a text")
    for name in ("ca_path", "state_path"):
        if not isinstance(getattr(settings, name), str | os.PathLike | None):
            raise ValueError(f"{name} {getattr(settings, name)!r} is no path")


def _check_balances(balances: object) -> None:
    if balances is None:
        return
    if not isinstance(balances, Mapping):
        raise ValueError(f"balances {balances!r} is no table of licences by authority id")
    for authority, balance in balances.items():
        if not _is_integer(authority):
            raise ValueError(f"balances: {authority!r} is no authority id")
        _between(f"balances: {authority}:", balance, 0, None)


def _check_faults(faults: object) -> None:
    if not isinstance(faults, tuple) or not all(isinstance(each, str) for each in faults):
        raise ValueError(f"faults {faults!r} is not a tuple of texts")
