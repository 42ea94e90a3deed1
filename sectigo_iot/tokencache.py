"""Tokens between sessions: one private file for each (endpoint, user), or memory."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import os
import stat
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.errors import NotAuthenticatedError, TargetExistsError
from sectigo_iot.files import private_folder, write_private
from sectigo_iot.tokens import TokenPair

if TYPE_CHECKING:
    from collections.abc import Iterator

_log = logging.getLogger("sectigo_iot.tokencache")

LOCK_SECONDS = 90.0
"""How long another process may take to log in; after that it is taken to hang, and not waited for."""
LARGEST = 64 * 1024
"""Bytes; a file above this is no cache of ours."""


class FileTokenStore:
    """A folder of JSON files, 0600, each for one endpoint and user; shared safely between threads and processes.

    `folder`: by default `sectigo-iot` in the platform's cache folder.
    """

    def __init__(self, folder: str | os.PathLike[str] | None = None) -> None:
        self._folder = None if folder is None else Path(folder)

    @property
    def folder(self) -> Path:
        """The folder, which need not exist yet."""
        if self._folder is None:
            from platformdirs import user_cache_path

            self._folder = user_cache_path("sectigo-iot", appauthor=False)
        return self._folder

    def path(self, endpoint: str, username: str) -> Path:
        """Where the pair of this endpoint and user is kept; the file need not exist."""
        return self.folder / f"{_name(endpoint, username)}.json"

    def load(self, endpoint: str, username: str) -> TokenPair | None:
        """Return the pair, or None where there is none that can be trusted and read."""
        document = _read(self.path(endpoint, username))
        if document is None or (document.get("endpoint"), document.get("username")) != (endpoint, username):
            return None
        try:
            received = float(str(document.get("received")))
            access, refresh = document.get("accessToken") or "", document.get("refreshToken") or ""
            return TokenPair(str(access), str(refresh), received) if math.isfinite(received) else None
        except (NotAuthenticatedError, TypeError, ValueError):
            return None

    def save(self, endpoint: str, username: str, pair: TokenPair) -> None:
        """Keep the pair. Where that cannot be done (a full or read-only disk) it is said in the log."""
        document = {
            "endpoint": endpoint,
            "username": username,
            "accessToken": pair.access_token,
            "refreshToken": pair.refresh_token,
            "received": pair.received,
        }
        try:
            private_folder(self.folder)
            write_private(self.path(endpoint, username), json.dumps(document).encode(), replace=True)
        except (OSError, TargetExistsError) as error:
            reason = getattr(error, "strerror", None) or "a folder is in the way"
            _log.warning("the tokens cannot be kept: %s: %s", self.folder, reason)

    def delete(self, endpoint: str, username: str) -> None:
        """Forget the pair."""
        with contextlib.suppress(FileNotFoundError):
            self.path(endpoint, username).unlink()

    def users(self, endpoint: str) -> list[str]:
        """Return the users that have a pair for this endpoint, sorted."""
        try:
            documents = [_read(path) for path in self.folder.glob("*.json")]
        except OSError:
            return []
        return sorted(
            str(d["username"]) for d in documents if d and d.get("endpoint") == endpoint and "username" in d
        )

    @contextlib.contextmanager
    def lock(self, endpoint: str, username: str) -> Iterator[None]:
        """Exclude every other thread and process; without a folder to lock in, go on without."""
        from filelock import FileLock

        # An object of its own for each holder: flock then excludes threads as well as processes.
        lock = FileLock(str(self.path(endpoint, username)) + ".lock", mode=0o600, timeout=LOCK_SECONDS)
        with contextlib.ExitStack() as held:
            try:
                private_folder(self.folder)
                held.enter_context(lock)
            except (OSError, NotImplementedError) as error:
                reason = getattr(error, "strerror", None) or "another process holds the lock"
                _log.warning("the token cache cannot be locked: %s: %s", self.folder, reason)
            yield


def _name(endpoint: str, username: str) -> str:
    from hashlib import sha256

    return sha256(f"{endpoint}\0{username}".encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _read(path: Path) -> dict[str, object] | None:
    try:
        data = _read_trusted(path)
        document = json.loads(data) if data is not None else None
    except (OSError, ValueError, RecursionError):
        return None
    return document if isinstance(document, dict) else None


def _read_trusted(path: Path) -> bytes | None:
    """Read a plain file that only its owner, who is us, can open; never through a link, never blocking on a FIFO."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(file.fileno())
        if not stat.S_ISREG(state.st_mode) or state.st_size > LARGEST:
            return None
        if state.st_uid != os.geteuid() or state.st_mode & 0o077:
            _log.warning("%s can be read by others, so it is not trusted", path)
            return None
        return file.read()


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
