"""Which password was refused last: it is not tried again by itself, because repeated failures lock an account.

Kept in memory, or, where there is a folder, in a file beside the tokens, so that it holds for every process. The file
does not hold the password, but two bytes of a salted scrypt of it: enough to know it again, and to take one other
password in 65,536 for it; too few to guess it by, because of all guesses one in 65,536 fits as well.
"""

from __future__ import annotations

import logging
import math
import os
from typing import TYPE_CHECKING

from sectigo_iot.errors import TargetExistsError

if TYPE_CHECKING:
    from sectigo_iot.records import Records

_log = logging.getLogger("sectigo_iot.refusals")

_SALT_BYTES, _MARK_BYTES = 16, 2
_LATEST = 1e11
"""Epoch seconds; a later moment is none."""


class Refusals:
    """The last refused password of each user of each endpoint. Whoever notes or asks holds the token store's lock."""

    def __init__(self, records: Records | None = None) -> None:
        self._records = records
        self._noted: dict[tuple[str, str], tuple[str, float]] = {}

    def moment(self, endpoint: str, username: str, password: str) -> float | None:
        """Return when this password was refused (epoch seconds), or None where the last refused one was another."""
        noted = self._noted.get((endpoint, username))
        if noted is not None and noted[0] == password:
            return noted[1]
        document = self._records.read(endpoint, username) if self._records else None
        return _moment(document, password) if document else None

    def note(self, endpoint: str, username: str, password: str, now: float) -> None:
        """Keep that this password was refused now. Where no file can be kept, that is said in the log."""
        self._noted[endpoint, username] = password, now
        if self._records is None:
            return
        salt = os.urandom(_SALT_BYTES)
        try:
            mark = _mark(password, salt)
            self._records.write(endpoint, username, {"refused": now, "salt": salt.hex(), "mark": mark.hex()})
        except (OSError, TargetExistsError, ValueError, AttributeError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            _log.warning("other processes will not know that this password was refused: %s", reason)
        else:
            # Whoever logs in with it after all, in whatever process, removes the file.
            del self._noted[endpoint, username]

    def forget(self, endpoint: str, username: str) -> None:
        """Forget it: the user has logged in."""
        self._noted.pop((endpoint, username), None)
        if self._records is not None:
            try:
                self._records.remove(endpoint, username)
            except OSError as error:
                _log.warning("what is kept of a refused password cannot be removed: %s", error.strerror)


def _mark(password: str, salt: bytes) -> bytes:
    """Return what a password is known again by. Raises AttributeError or ValueError where OpenSSL has no scrypt."""
    import hashlib

    return hashlib.scrypt(password.encode("utf-8", "surrogatepass"), salt=salt, n=2**14, r=8, p=1, dklen=_MARK_BYTES)


def _moment(document: dict[str, object], password: str) -> float | None:
    """Return when this password was refused, or None where the document is about another, or makes no sense."""
    try:
        moment, salt = float(str(document.get("refused"))), bytes.fromhex(str(document.get("salt")))
        sensible = math.isfinite(moment) and 0 <= moment < _LATEST and len(salt) == _SALT_BYTES
        return moment if sensible and _mark(password, salt).hex() == document.get("mark") else None
    except (ValueError, AttributeError):
        return None


IN_PROCESS = Refusals()
"""Those of every client of this process whose store has no place for them: many a service makes a client per call."""
