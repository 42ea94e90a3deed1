"""Folders of installed certificates: which files stand in them, each folder once, and no link out of them."""

from __future__ import annotations

import os
import stat
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import NamedTuple

CERTIFICATES = (".pem", ".crt", ".cer", ".cert", ".der", ".p7b", ".p7c")
KEYS = (".key",)
PKCS12 = (".p12", ".pfx")
VERSIONS = ".versions"
"""The folder beside the links of what is installed, in which all versions stand, the current and the former ones."""
LARGEST = 4 << 20
"""Bytes of a file: all roots that Debian trusts are a twentieth of it."""
_INSTALLED_KEYS = ("privkey.pem", "privkey.der")
_UNFINISHED = ".sectigo-part"


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file or folder of which nothing is known, and `reason`, why."""

    path: str
    reason: str


class File(NamedTuple):
    """A file to look into.

    `folder` is where it stands. `superseded`: it was reached by way of the folder of versions, and not by its link.
    `named`: somebody named it.
    """

    path: str
    folder: str
    superseded: bool = False
    named: bool = False


class _Folder(NamedTuple):
    path: str
    superseded: bool


class Walk:
    """One walk through folders; `unread` collects what could not be entered."""

    def __init__(self, paths: Iterable[str | os.PathLike[str]], *, versions: bool = False) -> None:
        self.unread: list[UnreadFile] = []
        self._paths = [os.fspath(path) for path in paths]
        # A name with a NUL byte is a ValueError.
        self._roots = [os.path.realpath(path) for path in self._paths if "\0" not in path]
        self._versions = versions
        self._seen: set[tuple[int, int]] = set()
        self._waiting: deque[_Folder] = deque()
        self._kept: deque[_Folder] = deque()

    def files(self) -> Iterator[File]:
        """Yield the files that may hold certificates or keys, by their names; what was named itself, whatever it is.

        Each folder is entered once, by whatever way it is reached first: links make no circle. Links to files are
        followed, and links to folders as long as they stay within what was named. The former versions come last.
        """
        for path in self._paths:
            yield from self._named(path)
        while self._waiting or self._kept:
            folder = (self._waiting or self._kept).popleft()
            yield from self._entries(folder)

    def _named(self, path: str) -> Iterator[File]:
        try:
            mode = os.stat(path).st_mode  # noqa: PTH116 - a path of bytes that are no UTF-8 stays as it is
        except (OSError, ValueError) as fault:
            self._miss(path, fault)
            return
        if stat.S_ISDIR(mode):
            self._waiting.append(_Folder(path, False))
        elif stat.S_ISREG(mode):
            yield File(path, os.path.dirname(path) or os.curdir, named=True)  # noqa: PTH120 - as above
        else:
            self.unread.append(UnreadFile(path, "it is neither a file nor a folder"))

    def _entries(self, folder: _Folder) -> Iterator[File]:
        try:
            state = os.stat(folder.path)  # noqa: PTH116 - as above
            if (state.st_dev, state.st_ino) in self._seen:
                return
            self._seen.add((state.st_dev, state.st_ino))
            with os.scandir(folder.path) as found:
                entries = sorted(found, key=lambda entry: entry.name)
        except OSError as fault:
            self._miss(folder.path, fault)
            return
        for entry in entries:
            if not entry.name.endswith(_UNFINISHED):
                yield from self._entry(entry, folder)

    def _entry(self, entry: os.DirEntry[str], folder: _Folder) -> Iterator[File]:
        try:
            mode = entry.stat().st_mode
        except OSError as fault:
            if is_wanted(entry.name) or (entry.is_symlink() and VERSIONS in _target(entry.path)):
                self._miss(entry.path, fault)
            return
        if stat.S_ISDIR(mode):
            self._subfolder(entry, folder)
        elif stat.S_ISREG(mode) and is_wanted(entry.name):
            yield File(entry.path, folder.path, folder.superseded)

    def _subfolder(self, entry: os.DirEntry[str], folder: _Folder) -> None:
        if entry.is_symlink() and not self._is_within(entry.path):
            self.unread.append(UnreadFile(entry.path, "it leads out of the folder: name what it leads to, too"))
        elif entry.name != VERSIONS:
            (self._kept if folder.superseded else self._waiting).append(_Folder(entry.path, folder.superseded))
        elif self._versions:
            self._kept.append(_Folder(entry.path, True))

    def _is_within(self, path: str) -> bool:
        real = os.path.realpath(path)
        return any(os.path.commonpath((real, root)) == root for root in self._roots)

    def _miss(self, path: str, fault: OSError | ValueError) -> None:
        self.unread.append(UnreadFile(path, why(fault)))


def _target(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - a path of bytes that are no UTF-8 stays as it is
    except OSError:
        return ""


def is_wanted(name: str) -> bool:
    """Whether a file of this name may hold a certificate or a key."""
    return name.lower().endswith((*CERTIFICATES, *KEYS, *PKCS12))


def may_be_key(path: str) -> bool:
    """Whether a file of this name may hold a private key, so that others are rightly kept from reading it."""
    name = os.path.basename(path).lower()  # noqa: PTH119 - as above
    return "key" in name or name == "full.pem"


def has_lost_key(folder: str) -> bool:
    """Whether a folder is a version of what is installed, and an older version of the same holds a private key."""
    home, version = os.path.split(os.path.realpath(folder))
    if os.path.basename(os.path.dirname(home)) != VERSIONS:  # noqa: PTH119, PTH120 - as above
        return False
    try:
        older = [name for name in os.listdir(home) if name < version]  # noqa: PTH208 - as above
    except OSError:
        return False
    return any(os.path.lexists(f"{home}/{each}/{name}") for each in older for name in _INSTALLED_KEYS)


def read(path: str) -> bytes:
    """Return what stands in a plain file. Raises OSError, whose `strerror` says why, also where it is too large."""
    # It may have become a FIFO in the meantime, which nobody waits for.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC | os.O_NOCTTY)
    with os.fdopen(descriptor, "rb") as file:
        state = os.fstat(descriptor)
        if not stat.S_ISREG(state.st_mode):
            raise OSError(0, "it is no plain file", path)
        data = file.read(LARGEST + 1)
    if len(data) > LARGEST:
        raise OSError(0, f"it is larger than {LARGEST >> 20} MiB", path)
    return data


def why(fault: Exception) -> str:
    """Return a fault of the operating system in words."""
    return str(getattr(fault, "strerror", None) or fault)
