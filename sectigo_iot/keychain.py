"""Passwords in the platform's keyring, under `sectigo-iot:<endpoint>`, and whose they are, in the config folder."""

from __future__ import annotations

import json
import logging
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from sectigo_iot.errors import SectigoError
from sectigo_iot.files import private_folder, write_private

if TYPE_CHECKING:
    from collections.abc import Callable

_log = logging.getLogger("sectigo_iot.keychain")
_T = TypeVar("_T")

KEYRING_SECONDS = 1.8
"""How long a keyring may take, so that it costs two in all: one on a locked desktop waits for somebody to type."""
LARGEST = 1 << 20
"""Bytes of the list of user names."""
_OTHERWISE = "SECTIGO_PASSWORD or SECTIGO_PASSWORD_FILE"

_UNANSWERED: list[threading.Thread] = []
"""Whoever still waits for the keyring. While one does, it is not asked again: each would cost time and a thread."""


class _UnusableError(Exception):
    """The keyring does not answer, and why; `missing` where there is none, `waits` where it may be locked."""

    def __init__(self, reason: str, *, missing: bool = False, waits: bool = False) -> None:
        super().__init__(reason)
        self.missing = missing
        self.waits = waits


def _answer_of(work: Callable[[], _T]) -> _T:
    """Return what the keyring answers. Raises _UnusableError where it fails, or gives no answer in time.

    In a thread, because not even its import is sure to end; that of a daemon, because the process shall.
    """
    answer: list[_T] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            answer.append(work())
        except BaseException as error:  # noqa: BLE001 - a backend may raise anything
            failure.append(error)

    if any(thread.is_alive() for thread in _UNANSWERED):
        raise _UnusableError("the keyring still gives no answer", waits=True)
    thread = threading.Thread(target=run, name="sectigo-iot-keyring", daemon=True)
    thread.start()
    thread.join(KEYRING_SECONDS)
    if answer:
        return answer[0]
    if failure:
        raise _failed(failure[0])
    _UNANSWERED[:] = [thread]
    raise _UnusableError(f"the keyring gives no answer in {KEYRING_SECONDS:g} s", waits=True)


def _failed(error: BaseException) -> _UnusableError:
    # Its words stay untold: a backend may put the password into them.
    name = type(error).__name__
    if name == "NoKeyringError":
        return _UnusableError("this machine has no keyring", missing=True)
    if name == "KeyringLocked":
        return _UnusableError("the keyring is locked", waits=True)
    return _UnusableError(f"the keyring fails ({name})")


def keyring_service(endpoint: str) -> str:
    """Return the service name under which passwords of this endpoint stand in the keyring."""
    return f"sectigo-iot:{endpoint}"


def keyring_password(endpoint: str, username: str) -> str | None:
    """Return the password that the keyring holds, or None where it holds none or does not answer in time."""

    def get() -> str | None:
        import keyring

        password = keyring.get_password(keyring_service(endpoint), username)
        if password is not None and not isinstance(password, str):
            raise TypeError
        return password

    try:
        return _answer_of(get)
    except _UnusableError as unusable:
        # A server without any keyring is the usual case, and no news to its operator.
        level = logging.INFO if unusable.missing else logging.WARNING
        advice = f"unlock it, or use {_OTHERWISE}" if unusable.waits else f"use {_OTHERWISE}"
        _log.log(level, "%s, going on without it: %s", unusable, advice)
        return None


def remember_login(endpoint: str, username: str, password: str) -> None:
    """Remember the user name, and put the password into the keyring, so that it can be asked for later.

    Raises SectigoError where there is no keyring to be had, or none that answers in time.
    """

    def keep() -> bool:
        import keyring

        keyring.set_password(keyring_service(endpoint), username, password)
        # The null backend takes anything, and keeps nothing.
        return keyring.get_password(keyring_service(endpoint), username) == password

    # The user is remembered in any case: a password may be put into the keyring from outside.
    _write_remembered({**_remembered(), endpoint: username})
    try:
        if not _answer_of(keep):
            raise _UnusableError("there is no keyring that keeps it", missing=True)
    except _UnusableError as unusable:
        unlock = "unlock the keyring and log in again, or " if unusable.waits else ""
        raise SectigoError(
            f"the password cannot be kept: {unusable}",
            hint=f"the session itself stands; {unlock}use {_OTHERWISE} for later ones",
        ) from None


def forget_login(endpoint: str, username: str) -> None:
    """Remove the password from the keyring and the user name from what is remembered.

    Raises SectigoError, the user name forgotten, where the keyring may hold the password still.
    """
    unusable = _delete(keyring_service(endpoint), username)
    remembered = _remembered()
    if remembered.get(endpoint) == username:
        del remembered[endpoint]
        _write_remembered(remembered)
    if unusable is not None:
        unlock = f"unlock it and run `sectigo -u {username} auth --logout`, or " if unusable.waits else ""
        raise SectigoError(
            f"the password of {username} may be in the keyring still: {unusable}",
            hint=f"the user is logged out; {unlock}remove the entry {keyring_service(endpoint)} by other means",
        )


def _delete(service: str, username: str) -> _UnusableError | None:
    """Delete a password, and return why it may be there still, or None where it is not."""

    def is_deleted() -> bool:
        import keyring
        from keyring.errors import PasswordDeleteError

        try:
            keyring.delete_password(service, username)
        except PasswordDeleteError:
            # That is what it says of a password that it does not have, and of one that it cannot delete.
            return keyring.get_password(service, username) is None
        return True

    try:
        return None if _answer_of(is_deleted) else _UnusableError("the keyring does not delete it")
    except _UnusableError as unusable:
        return None if unusable.missing else unusable


def kept_text(service: str, name: str) -> str | None:
    """Return what the keyring keeps under this service and name, or None.

    Raises SectigoError where there is no keyring to be had, or none that answers in time.
    """

    def get() -> str | None:
        import keyring

        text = keyring.get_password(service, name)
        if text is not None and not isinstance(text, str):
            raise TypeError
        return text

    try:
        return _answer_of(get)
    except _UnusableError as unusable:
        raise _entry_error(f"{name} cannot be read", service, unusable) from None


def keep_text(service: str, name: str, text: str) -> None:
    """Have the keyring keep this text under this service and name, in place of any other.

    Raises SectigoError where there is no keyring that keeps it, or none that answers in time.
    """

    def keep() -> bool:
        import keyring

        keyring.set_password(service, name, text)
        return keyring.get_password(service, name) == text

    try:
        if not _answer_of(keep):
            raise _UnusableError("there is no keyring that keeps it", missing=True)
    except _UnusableError as unusable:
        raise _entry_error(f"{name} cannot be kept", service, unusable) from None


def forget_text(service: str, name: str) -> None:
    """Have the keyring forget what it keeps under this service and name, if anything is.

    Raises SectigoError where it may be there still.
    """
    unusable = _delete(service, name)
    if unusable is not None:
        raise _entry_error(f"{name} may be in the keyring still", service, unusable)


def _entry_error(what: str, service: str, unusable: _UnusableError) -> SectigoError:
    unlock = "unlock the keyring and try again; " if unusable.waits else ""
    return SectigoError(f"{what}: {unusable}", hint=f"{unlock}the keyring has it under {service}")


def remembered_user(endpoint: str) -> str | None:
    """Return the user name that `remember_login` kept for this endpoint, if any."""
    return _remembered().get(endpoint)


def _config_file() -> Path:
    from platformdirs import user_config_path

    return user_config_path("sectigo-iot", appauthor=False) / "logins.json"


def _remembered() -> dict[str, str]:
    try:
        users = json.loads(_content(_config_file())).get("users", {})
        return {endpoint: username for endpoint, username in users.items() if isinstance(username, str)}
    except (OSError, ValueError, AttributeError, RecursionError):
        return {}


def _content(path: Path) -> bytes:
    """Return what a plain file holds, up to a limit, never blocking on a FIFO."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        return file.read(LARGEST) if stat.S_ISREG(os.fstat(descriptor).st_mode) else b""


def _write_remembered(users: dict[str, str]) -> None:
    path = _config_file()
    private_folder(path.parent, tighten=True)
    write_private(path, json.dumps({"users": users}, indent=2).encode(), replace=True)
