"""How an emulator is set up: by arguments, or by the `SIAS_` variables of TRISA's staging server."""

from __future__ import annotations

import base64
import binascii
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import Any, TypedDict, Unpack

from sectigo_iot.emulator.accounts import ACCOUNTS, Account
from sectigo_iot.emulator.sense import LOG_LEVELS, MODES, check, one_of

DEFAULT_ADDRESS = "127.0.0.1:8831"
DEFAULT_USERNAME = "tester"
DEFAULT_PASSWORD = "supersecretsquirrel"  # noqa: S105 - public: the fallback of the testing environment
MASK = "********"

_TRUE = frozenset(("1", "t", "true", "y", "yes", "on"))
_FALSE = frozenset(("0", "f", "false", "n", "no", "off"))


class Options(TypedDict, total=False):
    """The keyword arguments of `Emulator`; `EmulatorSettings` says what each means."""

    host: str
    port: int
    username: str | None
    password: str | None
    issuer: str | None
    subject: str | None
    scopes: tuple[str, ...]
    secret: bytes | None
    ca_path: str | os.PathLike[str] | None
    key_type: str
    key_pool: int
    delay: float
    balances: Mapping[int, int] | None
    allow_remote: bool
    access_lifetime: int
    refresh_lifetime: int
    authorized: bool
    certificate_login: str | None
    no_balance_status: int
    not_ready_status: int
    revoke_twice: bool
    duplicates: str
    log_level: str
    console_log: bool
    mode: str
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """Everything that can be chosen about an emulator. Raises ValueError for a value that makes no sense."""

    account: str = "staging"
    """Which account is played: `staging` or `manual`."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port."""
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    issuer: str | None = None
    """The tokens' `iss`; None means the emulator's own URL."""
    subject: str | None = None
    """The tokens' `sub`; None means that of the account."""
    scopes: tuple[str, ...] = ("ROLE_USER",)
    secret: bytes | None = field(default=None, repr=False)
    """The key that signs the tokens; None makes one at each start."""
    ca_path: str | os.PathLike[str] | None = None
    """A PEM of a CA certificate and its key to issue under; None makes a new CA at each start."""
    key_type: str = "p256"
    """The keys that the emulator makes: `rsa4096`, `rsa3072`, `rsa2048`, `p256` or `p384`."""
    key_pool: int = 0
    """How many RSA keys to make in advance, in the background."""
    delay: float = 0.0
    """Seconds from order to issued; 0 issues before the reply leaves."""
    balances: Mapping[int, int] | None = None
    """Licences by authority id, in place of what the account has."""
    allow_remote: bool = False
    """Whether `host` may be another than the loopback."""
    access_lifetime: int = 600
    """Seconds that an access token lives."""
    refresh_lifetime: int = 7200
    """Seconds that a refresh token lives."""
    authorized: bool = True
    """False: a login with the right password is answered by 403."""
    certificate_login: str | None = None
    """A URL of http or https: a login with the right password is answered by 307 to it."""
    no_balance_status: int = 400
    """What an order beyond the balance is answered with; what the live service does is unknown."""
    not_ready_status: int = 400
    """What a download too early is answered with; what the live service does is unknown."""
    revoke_twice: bool = False
    """Whether a second revocation is accepted; what the live service does is unknown."""
    duplicates: str = "issue"
    """What becomes of an upload that names a subject twice: `issue` or `refuse`."""
    log_level: str = "info"
    console_log: bool = False
    mode: str = "release"
    clock: Callable[[], float] = field(default=time.time, repr=False)
    """Tells the seconds since the epoch."""

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def from_environ(
        cls, environ: Mapping[str, str], *, account: str = "staging", **overrides: Unpack[Options]
    ) -> EmulatorSettings:
        """Return the settings that the `SIAS_` variables describe, with `overrides` winning over them.

        Unlike `Emulator` this binds 127.0.0.1:8831 and makes RSA-4096 keys unless told otherwise. An address
        without a host means the loopback. A variable that is empty counts as absent.
        Raises ValueError that names the variable at fault, and never shows the value of a secret.
        """
        values: dict[str, Any] = {"key_type": "rsa4096", "key_pool": 4}
        values["host"], values["port"] = split_address(DEFAULT_ADDRESS)
        for variable, read in _VARIABLES.items():
            text = environ.get(variable)
            if text:
                values.update(_named(variable, read, text))
        values.update(overrides)
        try:
            return cls(account=account, **values)
        except ValueError as fault:
            raise ValueError(_with_variable(str(fault), environ, overrides)) from None

    @property
    def played_account(self) -> Account:
        """The data of the account that is played."""
        return ACCOUNTS[self.account]

    @property
    def login(self) -> tuple[str, str]:
        """The user name and the password that are accepted."""
        return self.username or DEFAULT_USERNAME, self.password or DEFAULT_PASSWORD

    def masked(self) -> dict[str, object]:
        """Return the settings as JSON can show them, password and secret masked."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "clock"}
        shown["username"] = self.login[0]
        shown["password"] = MASK
        shown["secret"] = MASK if self.secret else None
        shown["ca_path"] = None if self.ca_path is None else os.fspath(self.ca_path)
        shown["scopes"] = list(self.scopes)
        shown["balances"] = None if self.balances is None else {str(k): v for k, v in self.balances.items()}
        return shown


def make_settings(account: str, **options: Unpack[Options]) -> EmulatorSettings:
    """Return settings for an account; raises ValueError for an unknown one or a wrong option."""
    return EmulatorSettings(account=account, **options)


def split_address(address: str) -> tuple[str, int]:
    """Return host and port of `host:port`, `[::1]:port` or `:port`, whose host is the loopback.

    Raises ValueError for anything else.
    """
    host, colon, port = address.rpartition(":")
    bracketed = host.startswith("[") and host.endswith("]")
    if (
        not colon
        or not (port.isascii() and port.isdigit())
        or int(port[:6]) > 65535
        or (":" in host and not bracketed)
    ):
        raise ValueError(f"{address!r} is no address such as 127.0.0.1:8831, [::1]:8831 or :0")
    return (host[1:-1] if bracketed else host) or "127.0.0.1", int(port)


def _address(text: str) -> dict[str, object]:
    host, port = split_address(text)
    return {"host": host, "port": port}


def _secret(text: str) -> dict[str, object]:
    try:
        secret = base64.b64decode(text, validate=True)
    except binascii.Error:
        secret = b""
    if len(secret) != 32:
        raise ValueError("must be 32 bytes in base64")
    return {"secret": secret}


def _boolean(text: str) -> dict[str, object]:
    if text.lower() not in _TRUE | _FALSE:
        raise ValueError(f"{text!r} is neither true nor false")
    return {"console_log": text.lower() in _TRUE}


def _text(name: str) -> Callable[[str], dict[str, object]]:
    return lambda text: {name: text}


def _choice(name: str, allowed: tuple[str, ...]) -> Callable[[str], dict[str, object]]:
    def read(text: str) -> dict[str, object]:
        one_of(name, text.lower(), allowed)
        return {name: text.lower()}

    return read


def _scopes(text: str) -> dict[str, object]:
    return {"scopes": tuple(text.replace(",", " ").split())}


def _named(variable: str, read: Callable[[str], dict[str, object]], text: str) -> dict[str, object]:
    try:
        return read(text)
    except ValueError as fault:
        raise ValueError(f"{variable}: {fault}") from None


def _with_variable(fault: str, environ: Mapping[str, str], overrides: Mapping[str, object]) -> str:
    name = fault.split(" ", 1)[0]
    variable = _SOURCES.get(name)
    from_variable = variable is not None and name not in overrides and environ.get(variable)
    return f"{variable}: {fault}" if from_variable else fault


_SOURCES = {"host": "SIAS_BIND_ADDR", "scopes": "SIAS_AUTH_SCOPES"}
"""Where a field comes from whose faults are found only with all the others at hand."""

_VARIABLES: dict[str, Callable[[str], dict[str, object]]] = {
    "SIAS_BIND_ADDR": _address,
    "SIAS_AUTH_USERNAME": _text("username"),
    "SIAS_AUTH_PASSWORD": _text("password"),
    "SIAS_AUTH_ISSUER": _text("issuer"),
    "SIAS_AUTH_SUBJECT": _text("subject"),
    "SIAS_AUTH_SCOPES": _scopes,
    "SIAS_AUTH_SECRET": _secret,
    "SIAS_CA_PATH": _text("ca_path"),
    "SIAS_LOG_LEVEL": _choice("log_level", LOG_LEVELS),
    "SIAS_CONSOLE_LOG": _boolean,
    "SIAS_MODE": _choice("mode", MODES),
}
