"""Tokens between sessions: one private file for each (endpoint, user), or memory."""

from __future__ import annotations

import contextlib
import logging
import math
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.errors import NotAuthenticatedError, TargetExistsError
from sectigo_iot.records import Records, make_way
from sectigo_iot.refusals import Refusals
from sectigo_iot.tokens import TokenPair

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger("sectigo_iot.tokencache")

LOCK_SECONDS = 90.0
"""How long another process may take to log in; after that it is taken to hang, and not waited for."""
_NOWHERE = Path(os.devnull, "sectigo-iot")
"""Where no file can be, for a user without a home."""


class FileTokenStore:
    """A folder of JSON files, 0600, each for one endpoint and user; shared safely between threads and processes.

    `folder`: by default `sectigo-iot` in the platform's cache folder.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._own = folder is None
        self._folder = None if folder is None else Path(folder)
        self._records: Records | None = None
        self._refusals: Refusals | None = None

    @property
    def folder(self) -> Path:
        """The folder, which need not exist yet."""
        if self._folder is None:
            self._folder = _default_folder()
        return self._folder

    @property
    def refusals(self) -> Refusals:
        """Which passwords were refused, kept in the same folder."""
        if self._refusals is None:
            self._refusals = Refusals(Records(self.folder, ".refused", own=self._own))
        return self._refusals

    @property
    def _kept(self) -> Records:
        if self._records is None:
            self._records = Records(self.folder, ".json", own=self._own)
        return self._records

    def path(self, endpoint: str, username: str) -> Path:
        """Where the pair of this endpoint and user is kept; the file need not exist."""
        return self._kept.path(endpoint, username)

    def load(self, endpoint: str, username: str) -> TokenPair | None:
        """Return the pair, or None where there is none that can be trusted and read."""
        document = self._kept.read(endpoint, username)
        return _pair(document) if document is not None else None

    def save(self, endpoint: str, username: str, pair: TokenPair) -> None:
        """Keep the pair. Where that cannot be done (a full or read-only disk) it is said in the log."""
        fields = {
            "accessToken": pair.access_token,
            "refreshToken": pair.refresh_token,
            "received": pair.received,
        }
        try:
            self._kept.write(endpoint, username, fields)
        except (OSError, TargetExistsError) as error:
            _log.warning("the tokens cannot be kept: %s", self._why(error, "a folder is in the way"))

    def delete(self, endpoint: str, username: str) -> None:
        """Forget the pair. Raises OSError where it stays."""
        self._kept.remove(endpoint, username)

    def users(self, endpoint: str) -> list[str]:
        """Return the users that have a pair for this endpoint, sorted."""
        return sorted(username for username, document in self._kept.all(endpoint).items() if _pair(document))

    @contextlib.contextmanager
    def lock(self, endpoint: str, username: str) -> Iterator[None]:
        """Exclude every other thread and process; without a folder to lock in, go on without."""
        from filelock import FileLock

        # An object of its own for each holder: flock then excludes threads as well as processes.
        path = self.path(endpoint, username).with_suffix(".json.lock")
        lock = FileLock(path, mode=0o600, timeout=LOCK_SECONDS)
        with contextlib.ExitStack() as held:
            try:
                self._kept.make_folder()
                make_way(path)
                _close_to_others(path)
                held.enter_context(lock)
            except (OSError, NotImplementedError, RuntimeError) as error:
                _log.warning(
                    "the token cache cannot be locked: %s", self._why(error, "another process holds the lock")
                )
            yield

    def _why(self, error: Exception, otherwise: str) -> str:
        # Itself, for a user with a home may have named the same folder.
        if self.folder is _NOWHERE:
            return "this user has no home folder"
        return f"{self.folder}: {getattr(error, 'strerror', None) or otherwise}"


def _default_folder() -> Path:
    from platformdirs import user_cache_path

    try:
        folder = user_cache_path("sectigo-iot", appauthor=False)
    except RuntimeError:
        return _NOWHERE
    # Older versions of platformdirs take a home that they do not find for a folder of this name, here.
    return folder if folder.is_absolute() else _NOWHERE


def _close_to_others(path: Path) -> None:
    with contextlib.suppress(FileNotFoundError):
        if path.stat().st_mode & 0o777 != 0o600:
            path.chmod(0o600)


def _pair(document: dict[str, object]) -> TokenPair | None:
    """Return the pair that a document holds, or None where it holds none."""
    access, refresh, received = (document.get(name) for name in ("accessToken", "refreshToken", "received"))
    if not isinstance(access, str) or not isinstance(refresh, str) or isinstance(received, bool):
        return None
    try:
        moment = float(str(received))
        return TokenPair(access, refresh, moment) if math.isfinite(moment) else None
    except (NotAuthenticatedError, OverflowError, ValueError):
        return None


class MemoryTokenStore:
    """Tokens for the life of this object alone; for services that keep nothing on disk."""

    def __init__(self) -> None:
        self._pairs: dict[tuple[str, str], TokenPair] = {}
        self._locks: dict[tuple[str, str], threading.Lock] = {}
        self._guard = threading.Lock()

    def load(self, endpoint: str, username: str) -> TokenPair | None:
        """Return the pair, if any."""
        return self._pairs.get((endpoint, username))

    def save(self, endpoint: str, username: str, pair: TokenPair) -> None:
        """Keep the pair."""
        self._pairs[endpoint, username] = pair

    def delete(self, endpoint: str, username: str) -> None:
        """Forget the pair."""
        self._pairs.pop((endpoint, username), None)

    def users(self, endpoint: str) -> list[str]:
        """Return the users that have a pair for this endpoint, sorted."""
        return sorted(user for kept, user in list(self._pairs) if kept == endpoint)

    def lock(self, endpoint: str, username: str) -> threading.Lock:
        """Exclude every other thread."""
        with self._guard:
            return self._locks.setdefault((endpoint, username), threading.Lock())
