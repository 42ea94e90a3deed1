"""Settings, and the guard that says which hosts each environment may reach."""

from __future__ import annotations

import enum
import os
import re
from typing import TYPE_CHECKING
from urllib.parse import SplitResult, urlsplit

from sectigo_iot.errors import ConfigError, ForbiddenHostError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sectigo_iot.tokens import TokenStore

DEFAULT_ENDPOINT = "https://iot.sectigo.com"
DEFAULT_PROFILE = "CipherTrace EE"
DEFAULT_TIMEOUT = 60.0
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
}
"""The environment variable of each setting that has one."""

_DEFAULTS = {
    "profile": DEFAULT_PROFILE,
    "endpoint": DEFAULT_ENDPOINT,
    "environment": Environment.PRODUCTION.value,
}


class Settings:
    """What one client needs to know: each value from its argument, else its environment variable, else its default.
    What is empty counts as absent.

    `username`, `password`: the login. `credentials` instead: a callable that returns both, asked when they are
    first needed and at each log-in. `profile`: name or id. `endpoint`: base URL, which may carry a path prefix.
    `environment`: a name of Environment. `allowed_host`: one more https host for production.
    `token_store`: where tokens are kept; default is the platform's cache folder. `use_keyring`, `prompt`: further
    sources for the login, off by default; `prompt(question, secret)` returns an answer. `timeout`: seconds that
    one request may take in all, repetitions included. `environ`: read instead of os.environ.

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
        password_file: str | None = None,
        timeout: float = DEFAULT_TIMEOUT,
        environ: Mapping[str, str] | None = None,
    ) -> None:
        self._environ = os.environ if environ is None else environ
        self.sources: dict[str, str] = {}
        if isinstance(environment, Environment):
            environment = environment.value
        self.username = self._resolve("username", username)
        self.password = self._resolve("password", password)
        self.profile = self._resolve("profile", profile) or DEFAULT_PROFILE
        self.endpoint = _without_slash(self._resolve("endpoint", endpoint) or DEFAULT_ENDPOINT)
        self.environment_name = self._resolve("environment", environment) or ""
        self.allowed_host = self._resolve("allowed_host", allowed_host)
        self.password_file = self._resolve("password_file", password_file)
        self.credentials = credentials
        self.token_store = token_store
        self.use_keyring = use_keyring
        self.prompt = prompt
        self.timeout = timeout

    def _resolve(self, name: str, argument: str | None) -> str | None:
        variable = VARIABLES[name]
        if argument:
            value, source = argument, "argument"
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
        """Check every value. Raises ConfigError, ForbiddenHostError."""
        _check_endpoint(self.endpoint)
        if self.allowed_host is not None:
            _check_allowed_host(self.allowed_host)
        if not 0 < self.timeout < 1e6:
            raise ConfigError(f"a timeout of {self.timeout} seconds makes no sense", setting="timeout")
        self.guard(self.endpoint)

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


def _without_slash(endpoint: str) -> str:
    shorter = endpoint.rstrip("/")
    return endpoint if shorter.endswith(":") else shorter


def _forbidden(environment: Environment, parts: SplitResult, host: str) -> ForbiddenHostError:
    rule = {
        Environment.PRODUCTION: f"only https://{PRODUCTION_HOST}, and the one host that SECTIGO_ALLOWED_HOST or "
        "--allow-host names; for the emulator choose the environment testing",
        Environment.TESTING: "only localhost, 127.0.0.1 and [::1]",
    }.get(environment, f"any host but {VENDOR_DOMAIN} and those below it")
    return ForbiddenHostError(
        f"the environment {environment.value} does not allow requests to {parts.scheme}://{host}",
        host=host,
        hint=f"{environment.value} allows {rule}",
    )


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
