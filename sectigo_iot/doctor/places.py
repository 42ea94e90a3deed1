"""What is kept on this machine: the token cache and its modes, the keyring."""

from __future__ import annotations

import contextlib
import errno
import os
import shlex
import stat
import tempfile
from typing import TYPE_CHECKING

from sectigo_iot.doctor.deadlines import within
from sectigo_iot.doctor.findings import Finding, doubtful, short, unchecked, well
from sectigo_iot.errors import DeadlineError, clean
from sectigo_iot.keychain import KEYRING_SECONDS, keyring_service
from sectigo_iot.records import fault as fault_of
from sectigo_iot.tokencache import FileTokenStore

if TYPE_CHECKING:
    from pathlib import Path

    from sectigo_iot.config import Settings
    from sectigo_iot.tokens import TokenStore

_REASONS = {"KeyringLocked": "is locked", "InitError": "cannot be opened"}
_ROOM = b"\0" * 16384
"""More than a session takes."""
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_ANYBODY = "sectigo-iot"
"""Whose password is asked for where no user is known: there is none, and the keyring has answered."""


def examine_cache(store: TokenStore) -> Finding:
    """Look at the folder of the token cache, and judge each file in it as the cache does."""
    if not isinstance(store, FileTokenStore):
        return unchecked("cache", f"the tokens are kept by a {type(store).__name__} of the program's own")
    folder = store.folder
    try:
        state = _state(folder)
        if state is None:
            return _to_be_made(folder)
        return _of_folder(folder, state) if stat.S_ISDIR(state.st_mode) else _useless(folder, "it is no folder")
    except (OSError, ValueError) as error:
        full = getattr(error, "errno", None) in _FULL
        return _useless(folder, clean(getattr(error, "strerror", None) or str(error)), full=full)


def _state(folder: Path) -> os.stat_result | None:
    """Return the state of the folder, through a link, or of a link that leads to nothing; None: nothing is there."""
    try:
        state = folder.lstat()
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(state.st_mode):
        with contextlib.suppress(FileNotFoundError):
            return folder.stat()
    return state


def _to_be_made(folder: Path) -> Finding:
    above = next((each for each in folder.parents if os.access(each, os.F_OK)), folder)
    if not os.access(above, os.W_OK | os.X_OK):
        return _useless(folder, f"{above} cannot be written to")
    _try_writing(above)
    return well("cache", f"{folder} is made, 0700, at the first log-in", folder=str(folder))


def _try_writing(folder: Path) -> None:
    """Write as much as a session takes to a file that has no name, and is gone after that. Raises OSError."""
    with tempfile.TemporaryFile(dir=folder, buffering=0) as file:
        if file.write(_ROOM) < len(_ROOM):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _useless(folder: Path, reason: str, *, full: bool = False) -> Finding:
    remedy = "make room there" if full else f"make {folder} a folder of yours, 0700"
    hint = f"each command logs in anew: {remedy}, or let XDG_CACHE_HOME name another place"
    return doubtful("cache", f"no tokens can be kept in {folder}: {reason}", hint, folder=str(folder))


def _of_folder(folder: Path, state: os.stat_result) -> Finding:
    mode = stat.S_IMODE(state.st_mode)
    details = {"folder": str(folder), "mode": f"{mode:04o}"}
    if state.st_uid != os.geteuid():
        hint = f"whoever owns it reads your tokens: move it away, or chown {os.geteuid()} {folder}"
        return doubtful("cache", f"{folder} belongs to another user ({state.st_uid})", hint, **details)
    if mode & 0o077:
        hint = f"make it yours alone: chmod 700 {folder}"
        return doubtful("cache", f"{folder} is open to others ({mode:04o})", hint, **details)
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return _useless(folder, f"its mode is {mode:04o}")
    _try_writing(folder)
    return _of_files(folder, details)


def _of_files(folder: Path, details: dict[str, str]) -> Finding:
    kept = sorted(folder.glob("*.json"))
    faults = [(path, fault) for path in kept if (fault := fault_of(path)) is not None]
    if faults:
        path, fault = faults[0]
        others = f", and {len(faults) - 1} more" if len(faults) > 1 else ""
        command = "rm -r" if path.is_dir() and not path.is_symlink() else "rm"
        hint = f"it is not trusted: remove it, and the next command logs in anew: {command} {shlex.quote(str(path))}"
        return doubtful("cache", f"{path} {fault}{others}", hint, **details, sessions=len(kept) - len(faults))
    sessions = f"{len(kept)} session{'s' * (len(kept) != 1)}"
    return well("cache", f"{folder} ({details['mode']}), {sessions}", **details, sessions=len(kept))


def examine_keyring(settings: Settings, username: str | None) -> Finding:
    """Open the keyring, within the time that a command gives it."""
    if not settings.use_keyring:
        return unchecked("keyring", "this program does not use one")
    needless = _elsewhere(settings)
    try:
        backend, held = within(KEYRING_SECONDS, lambda: _opened(settings.endpoint, username), what="the keyring")
    except Exception as error:  # noqa: BLE001 - a backend may raise anything
        return _closed(error, needless)
    told = f"holds {'the' if held else 'no'} password of {clean(username)}" if username else "answers"
    return well("keyring", f"{backend} {told}", backend=backend, password=held)


def _elsewhere(settings: Settings) -> str | None:
    """Return where the password comes from before the keyring is asked, if it does."""
    if settings.credentials is not None:
        return "callable"
    if settings.password:
        return short(settings.sources.get("password", "argument"))
    return "password file" if settings.password_file else None


def _opened(endpoint: str, username: str | None) -> tuple[str, bool]:
    import keyring

    backend = keyring.get_keyring()
    held = backend.get_password(keyring_service(endpoint), username or _ANYBODY)
    return clean(str(backend.name)), held is not None


def _closed(error: Exception, needless: str | None) -> Finding:
    kind = type(error).__name__
    late = isinstance(error, DeadlineError)
    reason = f"does not answer within {KEYRING_SECONDS:g} s" if late else _REASONS.get(kind, f"fails ({kind})")
    facts = f"the keyring {reason}"
    if kind == "NoKeyringError":
        # The usual case on a server, and no fault.
        facts = "this machine has none"
        return well("keyring", facts, backend=None)
    if needless is not None:
        return well("keyring", f"{facts}; not needed: the password is from {needless}", backend=None)
    hint = "unlock it (log in at the desktop), or use SECTIGO_PASSWORD_FILE, or PYTHON_KEYRING_BACKEND"
    return doubtful("keyring", facts, hint, backend=None)
