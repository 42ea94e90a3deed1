"""How an emulator is set up: by arguments, or by the `SIAS_` variables of TRISA's staging server."""

from __future__ import annotations

import difflib
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, TypedDict, Unpack

from sectigo_iot.emulator.sense import as_setting, check
from sectigo_iot.emulator.variables import read_variables, split_address, with_variable

if TYPE_CHECKING:
    from sectigo_iot.emulator.setup import Setup

DEFAULT_ADDRESS = "127.0.0.1:8831"
DEFAULT_USERNAME = "tester"
DEFAULT_PASSWORD = "supersecretsquirrel"  # noqa: S105 - public: the fallback of the testing environment
MASK = "********"
MISSING = "the emulator needs packages that are not installed: pip install 'sectigo-iot[emulator]'"

_NOT_IN_FILES = frozenset(
    (
        *("account", "config", "scenario", "host", "port", "control_port", "tls", "allow_remote", "clock", "faults"),
        *("username", "password", "secret", "log_level", "console_log", "mode"),
    )
)

Source = str | os.PathLike[str] | Mapping[str, Any]
"""A configuration: the path of a TOML file, or what would stand in it."""


class Options(TypedDict, total=False):
    """The keyword arguments of `Emulator`; `EmulatorSettings` says what each means."""

    host: str
    port: int
    control_port: int | None
    tls: bool
    username: str | None
    password: str | None
    issuer: str | None
    subject: str | None
    scopes: tuple[str, ...] | None
    secret: bytes | None
    ca_path: str | os.PathLike[str] | None
    foreign_ca: bool
    state_path: str | os.PathLike[str] | None
    key_type: str
    key_pool: int
    delay: float
    legacy_pkcs12: bool
    balances: Mapping[int, int] | None
    allow_remote: bool
    body_limit: int
    journal_size: int
    seed: int | None
    faults: tuple[str, ...]
    hostile: bool
    access_lifetime: int
    refresh_lifetime: int
    authorized: bool
    certificate_login: str | None
    lock_after: int
    locked_status: int
    jwt_claims: str
    create_status: int
    no_balance_status: int
    not_ready_status: int
    not_ready_body: str
    refund_failed: bool
    no_reason: str
    batch_list: str
    upload_name: str
    revoke_twice: bool
    lift_holds: bool
    duplicates: str
    find_match: str
    find_case: bool
    find_limit: int | None
    device_id: str
    log_level: str
    console_log: bool
    mode: str
    clock: Callable[[], float]


@dataclass(frozen=True, slots=True, kw_only=True)
class EmulatorSettings:
    """Everything that can be chosen about an emulator. Raises ValueError for a value that makes no sense.

    From `lock_after` to `device_id` they are about what nobody outside knows of the service: each has the answers
    that are possible, and the default is a guess. The table `behaviour` of a configuration has the same names.
    """

    account: str = "staging"
    """Which account is played: `staging` or `manual`."""
    config: str | os.PathLike[str] | Mapping[str, Any] | None = field(default=None, repr=False)
    """A TOML file, or the same as a mapping: organizations, users, profiles, lives, faults."""
    scenario: str | None = None
    """The name of a scenario that is shipped: what the service does on one of its bad days."""
    host: str = "127.0.0.1"
    port: int = 0
    """0 takes any free port."""
    control_port: int | None = 0
    """Where it is controlled, on the loopback always; None for nowhere."""
    tls: bool = False
    """Whether there is a TLS port, which demands a client certificate; a log-in is then sent there."""
    username: str | None = None
    """In place of the first user's name."""
    password: str | None = field(default=None, repr=False)
    """In place of the first user's password."""
    issuer: str | None = None
    """The tokens' `iss`; None means the emulator's own URL."""
    subject: str | None = None
    """The `sub` of the first user's tokens; None means that of the account."""
    scopes: tuple[str, ...] | None = None
    """The scopes of every token; None means the user's role."""
    secret: bytes | None = field(default=None, repr=False)
    """The key that signs the tokens; None makes one at each start."""
    ca_path: str | os.PathLike[str] | None = None
    """A PEM of a CA certificate and its key to issue under; None makes a new CA at each start."""
    foreign_ca: bool = False
    """Whether that CA may be one whose subject does not say TEST."""
    state_path: str | os.PathLike[str] | None = None
    """A folder in which everything is kept across restarts; None keeps it in memory."""
    key_type: str = "p256"
    """The keys that the emulator makes: `rsa4096`, `rsa3072`, `rsa2048`, `p256` or `p384`."""
    key_pool: int = 0
    """How many RSA keys to make in advance, in the background."""
    delay: float = 0.0
    """Seconds from order to issued; 0 issues before the reply leaves."""
    legacy_pkcs12: bool = False
    """Whether PKCS#12 is made as the live service makes it, which OpenSSL 3 opens with `-legacy` alone."""
    balances: Mapping[int, int] | None = None
    """Licences by authority id, in place of what the account has."""
    allow_remote: bool = False
    """Whether `host` may be another than the loopback."""
    body_limit: int = 10 * 1024 * 1024
    """The most bytes that a request may carry."""
    journal_size: int = 2000
    """How many requests the journal keeps."""
    seed: int | None = None
    """What chance is drawn from; None draws a seed at each start."""
    faults: tuple[str, ...] = ()
    """Faults as on the command line: `lost-reply,call=createSingleCertBatch,nth=1`."""
    hostile: bool = False
    """Whether the mixture of faults strikes that a good client gets along with."""
    access_lifetime: int = 600
    """Seconds that an access token lives."""
    refresh_lifetime: int = 7200
    """Seconds that a refresh token lives."""
    authorized: bool = True
    """False: a login with the right password is answered by 403."""
    certificate_login: str | None = None
    """A URL of http or https: a login with the right password is answered by 307 to it."""
    lock_after: int = 5
    """How many refused passwords in a row lock an account; 0 for never."""
    locked_status: int = 401
    """What a log-in to a locked account is answered with."""
    jwt_claims: str = "2020"
    """The form of a token's claims: `2020` or `2019`."""
    create_status: int = 201
    """What an order that is accepted is answered with: 201 or 200."""
    no_balance_status: int = 400
    """What an order beyond the balance is answered with."""
    not_ready_status: int = 400
    """What a download too early is answered with."""
    not_ready_body: str = "json"
    """The body of that answer: `json`, `text`, `html` or `empty`."""
    refund_failed: bool = True
    """Whether a batch that ends as FAILED, REJECTED or BROKEN, without a certificate, gives its licences back."""
    no_reason: str = "empty"
    """The reject reason of a batch that has none: an `empty` text, or `null`."""
    batch_list: str = "off"
    """The list of batches: `off` (501), an `array`, or a `page` with `items` and `total`."""
    upload_name: str = "file"
    """The batch's name after an upload: that of the `file`, or the batch's `number`."""
    revoke_twice: bool = False
    """Whether a second revocation is accepted."""
    lift_holds: bool = True
    """Whether removeFromCRL makes a certificate good again that is on hold."""
    duplicates: str = "issue"
    """What becomes of an upload that names a subject twice: `issue` or `refuse`."""
    find_match: str = "all"
    """What a search for name and number finds: what matches `all` of them, or `any`."""
    find_case: bool = False
    """Whether a search heeds upper and lower case."""
    find_limit: int | None = None
    """The most certificates that a search sends, whatever it counts; None for all."""
    device_id: str = "text"
    """A certificate's device id: a `text`, as since 2022, or a `number`, as in 2020."""
    log_level: str = "info"
    console_log: bool = False
    mode: str = "release"
    clock: Callable[[], float] = field(default=time.time, repr=False)
    """Tells the seconds since the epoch."""

    def __post_init__(self) -> None:
        check(self)

    @classmethod
    def from_environ(
        cls,
        environ: Mapping[str, str],
        *,
        account: str | None = None,
        config: Source | None = None,
        scenario: str | None = None,
        **overrides: Unpack[Options],
    ) -> EmulatorSettings:
        """Return the settings that the `SIAS_` variables describe, with `overrides` winning over them.

        Unlike `Emulator` this binds 127.0.0.1:8831 with the control port above it, makes RSA-4096 keys, and issues
        after 2 seconds (at once for the account `manual`), unless told otherwise. An address without a host means
        the loopback. A variable that is empty counts as absent. What a configuration or a scenario says comes before
        these defaults, and after everything else.
        Raises ValueError that names the variable at fault, and never shows the value of a secret.
        """
        values: dict[str, Any] = {}
        values["host"], values["port"] = split_address(DEFAULT_ADDRESS)
        values.update(read_variables(environ))
        values.update(overrides)
        values.setdefault("control_port", values["port"] + 1 if 0 < values["port"] < 65535 else 0)
        try:
            return _settings(account, config, scenario, _of_the_command, values)
        except ValueError as fault:
            raise ValueError(with_variable(str(fault), environ, overrides)) from None

    def masked(self) -> dict[str, object]:
        """Return the settings as JSON can show them, password and secret masked."""
        shown = {f.name: getattr(self, f.name) for f in fields(self) if f.name not in ("clock", "config")}
        shown["config"] = "(given)" if isinstance(self.config, Mapping) else _path(self.config)
        shown["username"] = self.username or DEFAULT_USERNAME
        shown["password"] = MASK
        shown["secret"] = MASK if self.secret else None
        shown["ca_path"], shown["state_path"] = _path(self.ca_path), _path(self.state_path)
        shown["scopes"] = None if self.scopes is None else list(self.scopes)
        shown["faults"] = list(self.faults)
        shown["balances"] = None if self.balances is None else {str(k): v for k, v in self.balances.items()}
        return shown


def make_settings(
    account: str | None = None, config: Source | None = None, scenario: str | None = None, **options: Unpack[Options]
) -> EmulatorSettings:
    """Return settings: those of a configuration and a scenario, over which `options` win.

    Raises ValueError for an unknown account or a wrong option, OSError for a configuration that cannot be read, and
    ImportError where one is given and the extra `emulator` is not installed.
    """
    return _settings(account, config, scenario, lambda _account: {}, options)


def _settings(
    account: str | None,
    config: Source | None,
    scenario: str | None,
    defaults: Callable[[str], dict[str, Any]],
    options: Mapping[str, Any],
) -> EmulatorSettings:
    behaviour: Mapping[str, Any] = {}
    if config is not None or scenario is not None:
        setup = setup_of(config, scenario)
        if account is not None and setup.account not in (None, account):
            raise ValueError(f"account {account!r} is not that of the configuration, {setup.account!r}")
        account, behaviour = account or setup.account, setup.behaviour
    account = account or "staging"
    values = {**defaults(account), **behaviour, **options}
    return EmulatorSettings(account=account, config=config, scenario=scenario, **values)


def _of_the_command(account: str) -> dict[str, Any]:
    return {"key_type": "rsa4096", "key_pool": 4, "delay": 0.0 if account == "manual" else 2.0}


def setup_of(config: Source | None, scenario: str | None) -> Setup:
    """Return what a configuration and a scenario say. Raises as `make_settings` does."""
    try:
        from sectigo_iot.emulator.setup import read_setup
    except ModuleNotFoundError as missing:
        raise ImportError(MISSING) from missing
    return read_setup(config, scenario, _check_behaviour)


def _check_behaviour(values: Mapping[str, Any]) -> None:
    """Raise ValueError that begins with the name at fault, for a setting that there is not or that makes no sense."""
    known = [each.name for each in fields(EmulatorSettings) if each.name not in _NOT_IN_FILES]
    for name, value in values.items():
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            raise ValueError(f"{name} is no setting" + (f"; did you mean {near[0]}?" if near else ""))
        given: Any = {name: as_setting(value)}
        EmulatorSettings(**given)


def _path(value: object) -> str | None:
    return os.fspath(value) if isinstance(value, str | os.PathLike) else None
