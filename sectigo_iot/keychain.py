"""Passwords in the platform's keyring, under `sectigo-iot:<endpoint>`, and whose they are, in the config folder."""

from __future__ import annotations

import json
import logging
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sectigo_iot.errors import SectigoError
from sectigo_iot.files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("sectigo_iot.keychain")
_T = TypeVar("_T")

KEYRING_SECONDS = 2.0
"""How long a keyring may take: one on a locked desktop waits for somebody to type."""


def within(seconds: float, work: Callable[[], _T]) -> _T | None:
    """Return what the keyring answers in this time, or None, saying so in the log."""
    answer: list[_T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(work())
        except Exception as error:  # noqa: BLE001 - a backend may raise anything; the login goes on without it
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    if not answer:
        reason = type(failure[0]).__name__ if failure else f"no answer in {seconds:g} s"
        # A server without any keyring is the usual case, and no news to its operator.
        level = logging.INFO if reason == "NoKeyringError" else logging.WARNING
        _log.log(level, "the keyring cannot be used (%s), going on without it", reason)
        return None
    return answer[0]


def keyring_service(endpoint: str) -> str:
    """Return the service name under which passwords of this endpoint stand in the keyring."""
    return f"sectigo-iot:{endpoint}"


def keyring_password(endpoint: str, username: str) -> str | None:
    """Return the password that the keyring holds, or None where it holds none or does not answer in time."""

    def get() -> str | None:
        import keyring

        return keyring.get_password(keyring_service(endpoint), username)

    return within(KEYRING_SECONDS, get)


def remember_login(endpoint: str, username: str, password: str) -> None:
    """Remember the user name, and put the password into the keyring, so that it can be asked for later.

    Raises SectigoError where there is no keyring to be had.
    """
    # The user is remembered in any case: a password may be put into the keyring from outside.
    _write_remembered({**_remembered(), endpoint: username})
    reason = _keep(keyring_service(endpoint), username, password)
    if reason is not None:
        raise SectigoError(
            f"the password cannot be kept: {reason}",
            hint="the session itself stands; use SECTIGO_PASSWORD or SECTIGO_PASSWORD_FILE for later ones",
        )


def _keep(service: str, username: str, password: str) -> str | None:
    """Put a password into the keyring, and return why it is not there, or None: the null backend takes anything."""
    try:
        import keyring

        keyring.set_password(service, username, password)
        kept = keyring.get_password(service, username) == password
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        missing = type(error).__name__ == "NoKeyringError"
        return "this machine has no keyring" if missing else f"the keyring says {type(error).__name__}"
    return None if kept else "there is no keyring that keeps it"


def forget_login(endpoint: str, username: str) -> None:
    """Remove the password from the keyring and the user name from what is remembered."""

    def delete() -> bool:
        import keyring
        from keyring.errors import PasswordDeleteError

        try:
            keyring.delete_password(keyring_service(endpoint), username)
        except PasswordDeleteError:
            return False
        return True

    within(KEYRING_SECONDS, delete)
    remembered = _remembered()
    if remembered.get(endpoint) == username:
        del remembered[endpoint]
        _write_remembered(remembered)


def remembered_user(endpoint: str) -> str | None:
    """Return the user name that `remember_login` kept for this endpoint, if any."""
    return _remembered().get(endpoint)


def _config_file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("sectigo-iot", appauthor=False) / "logins.json"


def _remembered() -> dict[str, str]:
    try:
        document = json.loads(_config_file().read_bytes()).get("users", {})
        return {str(endpoint): str(username) for endpoint, username in document.items()}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _write_remembered(users: dict[str, str]) -> None:
    path = _config_file()
    private_folder(path.parent)
    write_private(path, json.dumps({"users": users}, indent=2).encode(), replace=True)
