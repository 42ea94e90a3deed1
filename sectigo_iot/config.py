"""Settings, and the guard that says which hosts each environment may reach."""

from __future__ import annotations

import enum
import os
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import SplitResult, urlsplit

from sectigo_iot.errors import ConfigError, ForbiddenHostError
from sectigo_iot.kinds import check_kinds

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sectigo_iot.exchanges import Exchange
    from sectigo_iot.tokens import TokenStore

DEFAULT_ENDPOINT = "https://iot.sectigo.com"
DEFAULT_PROFILE = "CipherTrace EE"
DEFAULT_TIMEOUT = 60.0
DEFAULT_DOWNLOAD_TIMEOUT = 900.0
SHORTEST_TIMEOUT, LONGEST_TIMEOUT = 0.1, 1e6
PRODUCTION_HOST = "iot.sectigo.com"
VENDOR_DOMAIN = "sectigo.com"
LOOPBACK = ("localhost", "127.0.0.1", "::1")


class Environment(enum.Enum):
    """Which hosts may be reached."""

    PRODUCTION = "production"
    """https to iot.sectigo.com, or to the one allowed host."""
    STAGING = "staging"
    """Any host that is not the vendor's."""
    DOCKER = "docker"
    """Any host that is not the vendor's."""
    TESTING = "testing"
    """This machine only: localhost, 127.0.0.1, [::1]."""


VARIABLES = {
    "username": "SECTIGO_USERNAME",
    "password": "SECTIGO_PASSWORD",
    "profile": "SECTIGO_PROFILE",
    "endpoint": "SECTIGO_ENDPOINT",
    "environment": "SECTIGO_ENVIRONMENT",
    "allowed_host": "SECTIGO_ALLOWED_HOST",
    "password_file": "SECTIGO_PASSWORD_FILE",
    "ca_file": "SECTIGO_CA_FILE",
    "client_cert": "SECTIGO_CLIENT_CERT",
    "client_key": "SECTIGO_CLIENT_KEY",
    "client_key_password": "SECTIGO_CLIENT_KEY_PASSWORD",
    "timeout": "SECTIGO_TIMEOUT",
    "download_timeout": "SECTIGO_DOWNLOAD_TIMEOUT",
}
"""The environment variable of each setting that has one."""

_DEFAULTS = {
    "profile": DEFAULT_PROFILE,
    "endpoint": DEFAULT_ENDPOINT,
    "environment": Environment.PRODUCTION.value,
    "timeout": f"{DEFAULT_TIMEOUT:g}",
    "download_timeout": f"{DEFAULT_DOWNLOAD_TIMEOUT:g}",
}


class Settings:
    """What one client needs to know: each value from its argument, else its environment variable, else its default.
    What is empty counts as absent.

    `username`, `password`: the login. `credentials` instead: a callable that returns both, asked when they are
    first needed and at each log-in. `profile`: name or id. `endpoint`: base URL, which may carry a path prefix.
    `environment`: a name of Environment. `allowed_host`: one more https host for production.
    `token_store`: where tokens are kept; default is the platform's cache folder. `use_keyring`, `prompt`: further
    sources for the login, off by default; `prompt(question, secret)` returns an answer. `timeout`: seconds that
    one request may take in all, repetitions included; `download_timeout`: those that a download may take from the
    first byte of its ZIP to the last. `ca_file`: the only authorities that a server's certificate may come from, PEM;
    by default those that requests brings along. `client_cert`, `client_key`, `client_key_password`: what a log-in is
    done with that demands a client certificate; PEM files, the key in either, its password asked for if it has one.
    `observer`: is told of every exchange. `environ`: read instead of os.environ.

    Nothing is checked until `validate()`, which IoTManager calls.
    """

    def __init__(
        self,
        username: str | None = None,
        password: str | None = None,
        profile: str | None = None,
        endpoint: str | None = None,
        environment: str | Environment | None = None,
        *,
        credentials: Callable[[], tuple[str, str]] | None = None,
        token_store: TokenStore | None = None,
        use_keyring: bool = False,
        prompt: Callable[[str, bool], str] | None = None,
        allowed_host: str | None = None,
        password_file: str | os.PathLike[str] | None = None,
        timeout: float | None = None,
        download_timeout: float | None = None,
        ca_file: str | os.PathLike[str] | None = None,
        client_cert: str | os.PathLike[str] | None = None,
        client_key: str | os.PathLike[str] | None = None,
        client_key_password: str | None = None,
        observer: Callable[[Exchange], None] | None = None,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self.sources: dict[str, str] = {}
        if isinstance(environment, Environment):
            environment = environment.value
        self.username = self._resolve("username", username)
        self.password = self._resolve("password", password)
        self.profile = self._resolve("profile", profile) or DEFAULT_PROFILE
        self.endpoint: str = _plain(self._resolve("endpoint", endpoint) or DEFAULT_ENDPOINT)
        self.environment_name = self._resolve("environment", environment) or ""
        self.allowed_host = self._resolve("allowed_host", allowed_host)
        self.password_file = self._resolve("password_file", password_file)
        self.credentials = credentials
        self.token_store = token_store
        self.use_keyring = use_keyring
        self.prompt = prompt
        self.observer = observer
        self.ca_file = self._resolve("ca_file", ca_file)
        self.client_cert = self._resolve("client_cert", client_cert)
        self.client_key = self._resolve("client_key", client_key)
        self.client_key_password = self._resolve("client_key_password", client_key_password)
        self.timeout = self._seconds("timeout", timeout)
        self.download_timeout = self._seconds("download_timeout", download_timeout)

    def _seconds(self, name: str, argument: float | None) -> float:
        """Return a duration; what is none is not a number, or as it was given, which `validate` refuses."""
        if argument or argument == 0:
            self.sources[name] = "argument"
            return argument
        try:
            return float(self._resolve(name, None) or "nan")
        except ValueError:
            return float("nan")

    def _resolve(self, name: str, argument: str | os.PathLike[str] | None) -> str | None:
        variable = VARIABLES[name]
        if argument:
            value, source = os.fspath(argument) if isinstance(argument, os.PathLike) else argument, "argument"
        elif self._environ.get(variable):
            value, source = self._environ[variable], f"environment variable {variable}"
        elif name in _DEFAULTS:
            value, source = _DEFAULTS[name], "default"
        else:
            return None
        self.sources[name] = source
        return value

    def __repr__(self) -> str:
        return (
            f"<Settings endpoint={self.endpoint!r} environment={self.environment_name!r} "
            f"username={self.username!r} profile={self.profile!r}>"
        )

    @property
    def environment(self) -> Environment:
        """The environment. Raises ConfigError for an unknown one, naming the four."""
        try:
            return Environment(self.environment_name.strip().lower())
        except ValueError:
            names = ", ".join(e.value for e in Environment)
            raise ConfigError(
                f"unknown environment {self.environment_name!r}", setting="environment", hint=f"it is one of: {names}"
            ) from None

    def validate(self) -> None:
        """Check every value; no file is read. Raises ConfigError, ForbiddenHostError."""
        check_kinds(self)
        _check_endpoint(self.endpoint)
        if self.allowed_host is not None:
            _check_allowed_host(self.allowed_host)
        for name in ("timeout", "download_timeout"):
            self._check_seconds(name)
        if self.client_key and not self.client_cert:
            raise ConfigError(
                "there is a client's key, and no certificate to it",
                setting="client_cert",
                hint="name the certificate's file with --client-cert or SECTIGO_CLIENT_CERT",
            )
        self.guard(self.endpoint)

    def _check_seconds(self, name: str) -> None:
        if not SHORTEST_TIMEOUT <= getattr(self, name) <= LONGEST_TIMEOUT:
            where = self.sources[name].removeprefix("environment variable ")
            limits = f"seconds from {SHORTEST_TIMEOUT:g} to {LONGEST_TIMEOUT:.0f}"
            raise ConfigError(f"{name.replace('_', ' ')} ({where}): a number of {limits} is due", setting=name)

    def guard(self, url: str) -> None:
        """Raise ForbiddenHostError unless the environment allows a request to this URL."""
        parts = urlsplit(url)
        host = (parts.hostname or "").rstrip(".")
        environment = self.environment
        if environment is Environment.PRODUCTION:
            allowed = parts.scheme == "https" and host in (
                PRODUCTION_HOST,
                (self.allowed_host or "").lower().rstrip("."),
            )
        elif environment is Environment.TESTING:
            allowed = host in LOOPBACK
        else:
            allowed = host != VENDOR_DOMAIN and not host.endswith("." + VENDOR_DOMAIN)
        if not host or not allowed:
            raise _forbidden(environment, parts, host)


def _plain(endpoint: Any) -> Any:
    """Write scheme and host in small letters, and no slash at the end: one service has one session."""
    if not isinstance(endpoint, str):
        return endpoint
    shorter = endpoint.rstrip("/")
    shorter = endpoint if shorter.endswith(":") else shorter
    scheme, mark, rest = shorter.partition("://")
    host, slash, path = rest.partition("/")
    return f"{scheme.lower()}{mark}{host.lower()}{slash}{path}"


def _forbidden(environment: Environment, parts: SplitResult, host: str) -> ForbiddenHostError:
    rule = {
        Environment.PRODUCTION: f"only https://{PRODUCTION_HOST}, and the one host that SECTIGO_ALLOWED_HOST or "
        "--allow-host names; for the emulator choose the environment testing",
        Environment.TESTING: "only localhost, 127.0.0.1 and [::1]",
    }.get(environment, f"any host but {VENDOR_DOMAIN} and those below it")
    return ForbiddenHostError(
        f"the environment {environment.value} does not allow requests to {_address(parts, host)}",
        host=host,
        hint=f"{environment.value} allows {rule}",
    )


def _address(parts: SplitResult, host: str) -> str:
    try:
        port = f":{parts.port}" if parts.port is not None else ""
    except ValueError:
        port = ""
    return f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"


def _check_endpoint(endpoint: str) -> None:
    """Only what urlsplit and the HTTP library read alike: they differ on backslashes, blanks and user names."""
    example = f"write it like {DEFAULT_ENDPOINT}"
    if "@" in endpoint:
        raise ConfigError("the endpoint holds a user name", setting="endpoint", hint=f"give it apart; {example}")
    if not endpoint.isascii() or any(c in endpoint for c in "\\?#") or any(c <= " " or c == "\x7f" for c in endpoint):
        raise ConfigError(f"the endpoint {endpoint!r} is no plain URL", setting="endpoint", hint=example)
    try:
        parts = urlsplit(endpoint)
        port_is_right = parts.port is None or parts.port > 0
    except ValueError:
        raise ConfigError(f"the endpoint {endpoint!r} is no URL", setting="endpoint", hint=example) from None
    if parts.scheme not in ("http", "https") or not parts.hostname or not port_is_right:
        what = "has no scheme" if "://" not in endpoint else "is no http or https URL"
        raise ConfigError(f"the endpoint {endpoint!r} {what}", setting="endpoint", hint=example)
    if not re.fullmatch(r"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9_-]+(\.[A-Za-z0-9_-]+)*\.?)(:\d*)?", parts.netloc):
        raise ConfigError(f"the endpoint {endpoint!r} names no host", setting="endpoint", hint=example)


def _check_allowed_host(host: str) -> None:
    if not host.isascii() or not all(c.isalnum() or c in "-." for c in host) or not host.strip(".-"):
        raise ConfigError(
            f"{host!r} is no host name",
            setting="allowed_host",
            hint="name one host, without scheme, port or wildcard, such as iot.example.com",
        )
