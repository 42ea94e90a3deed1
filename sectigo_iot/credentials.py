"""Who logs in, and with what: argument, environment, keyring, prompt, in this order.

Where the user name and the password came from can be told; what the password is cannot.
"""

from __future__ import annotations

import logging
import threading
from typing import TYPE_CHECKING

from sectigo_iot.config import Environment, Settings
from sectigo_iot.errors import (
    AmbiguousUserError,
    ConfigError,
    CredentialsMismatchError,
    NoCredentialsError,
)
from sectigo_iot.inputs import read_first_line
from sectigo_iot.keychain import keyring_password, remembered_user

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from sectigo_iot.tokens import TokenStore

_log = logging.getLogger("sectigo_iot.credentials")

TESTING_USERNAME = "tester"
TESTING_PASSWORD = "supersecretsquirrel"  # noqa: S105 - the public login of the testing environment
_HINT = "set SECTIGO_USERNAME and SECTIGO_PASSWORD, or give --username and --password, or run `sectigo auth --login`"


class Login:
    """The login of one client: each half asked for once, when it is first needed.

    `username_source` and `password_source` tell where each came from. `quiet`: whom a session belongs to that is used
    because it is the only one is not told, for somebody else tells it.
    """

    def __init__(
        self,
        endpoint: str,
        *,
        username: str | None = None,
        password: str | None = None,
        password_file: str | None = None,
        credentials: Callable[[], tuple[str, str]] | None = None,
        use_keyring: bool = False,
        prompt: Callable[[str, bool], str] | None = None,
        testing: bool = False,
        store: TokenStore,
        sources: Mapping[str, str] | None = None,
        quiet: bool = False,
    ) -> None:
        self._endpoint = endpoint
        self._username = username or None
        self._password = self._given = password or None
        self._password_file = password_file
        self._credentials = credentials
        self._use_keyring = use_keyring
        self._prompt = prompt
        self._testing = testing
        self._store = store
        self._quiet = quiet
        self.username_source = (sources or {}).get("username", "argument" if username else "nowhere")
        self.password_source = (sources or {}).get("password", "argument" if password else "nowhere")
        self._guard = threading.RLock()

    def __repr__(self) -> str:
        return f"<Login {self._username!r} at {self._endpoint}>"

    def username(self) -> str:
        """Return the user name. Raises NoCredentialsError, CredentialsMismatchError, AmbiguousUserError."""
        with self._guard:
            if self._username is None:
                self._username, self.username_source = self._find_username()
            return self._username

    def password(self) -> str:
        """Return the password of that user. Raises CredentialsMismatchError where there is none."""
        with self._guard:
            if self._credentials is not None:
                self._ask_credentials()
            elif self._password is None:
                self._password, self.password_source = self._find_password(self.username())
            if not self._password:
                raise CredentialsMismatchError(f"there is no password for the user {self._username}", hint=_HINT)
            return self._password

    @property
    def was_typed(self) -> bool:
        """Whether somebody was asked for the password, who wants it tried; a prompt asks anew after each refusal."""
        return self.password_source == "prompt"  # noqa: S105 - the name of a source

    def forget_password(self) -> None:
        """Drop a password that was refused, so that a prompt may ask again; one that was given stays the one."""
        self._password = self._given

    def _ask_credentials(self) -> None:
        assert self._credentials is not None
        username, self._password = self._credentials()
        if not username:
            raise CredentialsMismatchError("the credentials hold no user name", hint=_HINT)
        self.username_source = self.password_source = "callable"  # noqa: S105
        if self._username not in (None, username):
            raise ConfigError(f"the credentials are for {username} now, and were for {self._username} before")
        self._username = username

    def _find_username(self) -> tuple[str, str]:
        if self._credentials is not None:
            self._ask_credentials()
            assert self._username is not None
            return self._username, "callable"
        if self._password is not None:
            raise CredentialsMismatchError("there is a password, and no user name", hint=_HINT)
        remembered = remembered_user(self._endpoint) if self._use_keyring else None
        if remembered:
            return remembered, "config folder"
        return self._from_cache_or_prompt()

    def _from_cache_or_prompt(self) -> tuple[str, str]:
        users = self._store.users(self._endpoint)
        if len(users) > 1:
            raise AmbiguousUserError(
                f"several users have tokens for {self._endpoint}: {', '.join(users)}",
                users=tuple(users),
                hint="choose one with --username or SECTIGO_USERNAME",
            )
        if users:
            self._tell(users[0])
            return users[0], "token cache"
        if self._testing:
            return TESTING_USERNAME, "default of the testing environment"
        answer = self._prompt(f"Sectigo user name at {self._endpoint}: ", False) if self._prompt else ""
        if not answer:
            raise NoCredentialsError(f"there are no credentials for {self._endpoint}", hint=_HINT)
        return answer, "prompt"

    def _tell(self, username: str) -> None:
        if not self._quiet:
            said = "no user name given: using the only one with tokens for this endpoint, %s"
            _log.info(said, username, extra={"notice": True})

    def _find_password(self, username: str) -> tuple[str | None, str]:
        if self._password_file:
            return read_password_file(self._password_file), "password file"
        if self._use_keyring:
            kept = keyring_password(self._endpoint, username)
            if kept:
                return kept, "keyring"
        if self._testing and username == TESTING_USERNAME:
            return TESTING_PASSWORD, "default of the testing environment"
        if self._prompt is not None:
            return self._prompt(f"Sectigo password of {username} at {self._endpoint}: ", True), "prompt"
        return None, "nowhere"


def login_of(settings: Settings, store: TokenStore, *, quiet: bool = False) -> Login:
    """Return the login that these settings describe; nothing is asked for yet."""
    return Login(
        settings.endpoint,
        username=settings.username,
        password=settings.password,
        password_file=settings.password_file,
        credentials=settings.credentials,
        use_keyring=settings.use_keyring,
        prompt=settings.prompt,
        testing=settings.environment is Environment.TESTING,
        store=store,
        sources=settings.sources,
        quiet=quiet,
    )


def read_password_file(path: str) -> str:
    """Return the first line of a file that holds a password. Raises ConfigError."""
    try:
        password = read_first_line(path)
    except OSError as error:
        raise ConfigError(
            f"the password file {path} cannot be read: {error.strerror}", setting="password_file"
        ) from None
    if not password:
        raise ConfigError(f"the password file {path} has an empty first line", setting="password_file")
    return password
