"""Where passwords, keys and bundles of orders are kept: in private files, in the platform's keyring, or in memory."""

from __future__ import annotations

import contextlib
import errno
import os
import re
import stat
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from sectigo_iot.errors import InvalidInputError, SectigoError, TargetExistsError
from sectigo_iot.files import private_folder, write_private
from sectigo_iot.keychain import forget_text, keep_text, kept_text

if TYPE_CHECKING:
    from sectigo_iot.orders.protocols import SecretStore

PASSWORD = "password"  # noqa: S105 - the word itself
"""The kind of secret that opens the PKCS#12."""
KEY = "key"
"""The kind of secret that is the private key of an order's own signing request, PEM."""
ARCHIVE = "zip"
"""The kind of secret that is the ZIP as the service sent it."""

_NAME = re.compile(r"[a-z0-9]+(\.[a-z0-9]+)?")


def secret_name(uid: str, kind: str, number: int = 0) -> str:
    """Return the name under which a secret of an order is kept. Raises InvalidInputError for what is no name.

    `number`: of a password that a worker made, that of its lease, see `Order.password_number`; of a ZIP, that of its
    batch. So no worker can ever write over what another has sent or proven, however late it comes.
    """
    return checked_name(f"{uid}.{kind}{number or ''}")


def checked_name(name: str) -> str:
    """Return a name of a secret, and raise InvalidInputError for what is none: it may become the name of a file."""
    if len(name) > 100 or _NAME.fullmatch(name) is None:
        raise InvalidInputError(f"{name[:100]!r} is no name of a secret: lower-case letters and digits, one dot")
    return name


class MemorySecretStore:
    """Secrets for the life of this object alone. What is in it when the process ends is lost, and paid for."""

    def __init__(self) -> None:
        self._values: dict[str, bytes] = {}

    def __repr__(self) -> str:
        return f"<MemorySecretStore of {len(self._values)}>"

    def put(self, name: str, value: bytes) -> None:
        """Keep this under the name, in place of any other."""
        self._values[checked_name(name)] = bytes(value)

    def get(self, name: str) -> bytes | None:
        """Return what is kept under the name, or None."""
        return self._values.get(checked_name(name))

    def remove(self, name: str) -> None:
        """Forget what is kept under the name, if anything is."""
        self._values.pop(checked_name(name), None)


class FileSecretStore:
    """A private file for each secret, in a folder of its own, which need not exist: 0600 in 0700, whole or not there.

    It has a folder for each beginning of a name, two characters, so that none grows large. What is put is on the disk
    before `put` returns, the folder that was made for it included. A file that is a link, belongs to somebody else or
    can be read by others is neither read nor written through.
    """

    def __init__(self, folder: str | os.PathLike[str]) -> None:
        self._folder = Path(folder)
        self._ready: set[Path] = set()
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return f"<FileSecretStore in {self._folder}>"

    def put(self, name: str, value: bytes) -> None:
        """Keep this under the name, in place of any other.

        Raises SectigoError where it cannot be kept: the disk is full, the folder is somebody else's, ….
        """
        path = self._path(name)
        with _told(f"{path} cannot be written"):
            self._make_folder(path.parent)
            # A link that stands there is replaced, not followed; a folder is refused.
            write_private(path, value, replace=True)
            _check(path.lstat())

    def get(self, name: str) -> bytes | None:
        """Return what is kept under the name, or None. Raises SectigoError where it cannot be read or trusted."""
        path = self._path(name)
        with _told(f"{path} cannot be read"):
            try:
                return _content(path)
            except (FileNotFoundError, NotADirectoryError):
                return None

    def remove(self, name: str) -> None:
        """Forget what is kept under the name, if anything is. Raises SectigoError where it stays."""
        path = self._path(name)
        with _told(f"{path} cannot be removed"), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()

    def _path(self, name: str) -> Path:
        return self._folder / checked_name(name).partition(".")[0][:2] / name

    def _make_folder(self, folder: Path) -> None:
        """Make a folder, and have the disk know that it is there; once, unless it has gone since."""
        with self._guard:
            if folder in self._ready and folder.is_dir():
                return
            missing = [each for each in (folder, *folder.parents) if not each.is_dir()]
            for each in (self._folder, folder):
                private_folder(each, tighten=True)
                if each.stat().st_uid != os.geteuid():
                    raise ValueError(f"{each} belongs to somebody else")
            for each in missing or [folder]:
                _sync(each.parent)
            self._ready.add(folder)


class KeyringSecretStore:
    """Passwords and keys in the platform's keyring, bundles, which are too large for it, in `archives`.

    `service`: what they stand under in the keyring, beside the secret's name. A key must be text there, as PEM is.
    Every method raises SectigoError where the keyring fails, is locked, or does not answer in two seconds.
    """

    def __init__(self, service: str, archives: SecretStore) -> None:
        self._service = service
        self._archives = archives
        # Backends are not known to bear several threads.
        self._guard = threading.Lock()

    def __repr__(self) -> str:
        return f"<KeyringSecretStore {self._service!r}>"

    def put(self, name: str, value: bytes) -> None:
        """Keep this under the name, in place of any other. Raises SectigoError where it is not kept."""
        if _is_archive(name):
            self._archives.put(name, value)
            return
        try:
            text = value.decode()
        except UnicodeDecodeError:
            raise SectigoError(f"{name} is no text, and a keyring keeps text alone") from None
        with self._guard:
            keep_text(self._service, name, text)

    def get(self, name: str) -> bytes | None:
        """Return what is kept under the name, or None. Raises SectigoError where nobody can tell."""
        if _is_archive(name):
            return self._archives.get(name)
        with self._guard:
            text = kept_text(self._service, name)
        return None if text is None else text.encode()

    def remove(self, name: str) -> None:
        """Forget what is kept under the name, if anything is. Raises SectigoError where it may stay."""
        if _is_archive(name):
            self._archives.remove(name)
            return
        with self._guard:
            forget_text(self._service, name)


def _is_archive(name: str) -> bool:
    return checked_name(name).partition(".")[2].startswith(ARCHIVE)


@contextlib.contextmanager
def _told(what: str) -> Iterator[None]:
    """Say in one line what went wrong with a file; never what was to stand in it."""
    try:
        yield
    except TargetExistsError as fault:
        raise SectigoError(f"{what}: {fault}", hint="move away what stands there") from None
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror or type(error).__name__
        raise SectigoError(f"{what}: {why}", hint="make room, or mend the folder's owner and modes") from None
    except ValueError as fault:
        raise SectigoError(f"{what}: {fault}", hint="only its owner may be able to read or change it") from None


def _content(path: Path) -> bytes:
    """Read a plain file that only its owner, who is us, can open; never through a link, never blocking on a FIFO."""
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor))
        with os.fdopen(descriptor, "rb", closefd=False) as file:
            return file.read()
    finally:
        os.close(descriptor)


def _check(state: os.stat_result) -> None:
    if not stat.S_ISREG(state.st_mode):
        raise ValueError("it is no file")
    if state.st_uid != os.geteuid():
        raise ValueError("it belongs to somebody else")
    if state.st_mode & 0o077:
        raise ValueError("it can be read by others")


def _sync(folder: Path) -> None:
    """Have the disk know what stands in a folder. One that may not be read, or cannot be synchronized, is passed."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except PermissionError:
        return
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):
            raise
    finally:
        os.close(descriptor)
