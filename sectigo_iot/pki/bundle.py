"""A ZIP from elsewhere, read within limits; nothing is written and no name or size in it is believed."""

from __future__ import annotations

import io
import re
import stat
import struct
import sys
import unicodedata
import zipfile
import zlib
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import copy
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from sectigo_iot.errors import BundleError

_CHUNK = 1 << 16
_LONGEST_STEM = 100
_LONGEST_RECORD = 320
"""Bytes in the directory for each entry: 46, its name, and whatever else is told about it."""
_RECORD = b"PK\x01\x02"
_LOCAL_HEADER = struct.Struct("<4s22xHH")
_REGULAR = (0, stat.S_IFREG, stat.S_IFDIR)
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)


class Limits(NamedTuple):
    """What a ZIP may hold: entries, unpacked bytes in all, and unpacked bytes per packed byte.

    The ratio counts once more than `ratio_from` bytes have been unpacked: what is small may be very regular.
    """

    entries: int = 100_000
    total_bytes: int = 1 << 30
    ratio: int = 100
    ratio_from: int = 1 << 20


_DEFAULT = Limits()


def check_zip(file: IO[bytes] | str | PathLike[str], limits: Limits = _DEFAULT) -> list[str]:
    """Read a ZIP through, keeping nothing, and return the names of its entries in order, without the folders.

    Raises `BundleError` when it is no ZIP, cut or damaged, empty, beyond the limits, or when it holds encrypted or
    overlapping entries, links, twins, or names that lead outside. A path that cannot be opened raises `OSError`.
    """
    if isinstance(file, (str, PathLike)):
        with Path(file).open("rb") as opened:
            return check_zip(opened, limits)
    with _faults_as_bundle_errors():
        names = []
        for name, chunks in _entries(file, limits):
            deque(chunks, maxlen=0)
            names.append(name)
        return names


def read_entries(data: bytes, limits: Limits = _DEFAULT) -> dict[str, bytes]:
    """The contents of a ZIP by name, in order, after the same checks as `check_zip` and with the same errors."""
    with _faults_as_bundle_errors():
        return {name: b"".join(chunks) for name, chunks in _entries(io.BytesIO(data), limits)}


class CheckedZip:
    """An open ZIP whose list of entries was checked, for one that is too large to be taken whole."""

    def __init__(self, archive: zipfile.ZipFile, files: list[zipfile.ZipInfo], limits: Limits) -> None:
        self._archive = archive
        self._files = deque(files)
        self._limits = limits

    @property
    def names(self) -> list[str]:
        """The names of the entries, in order, without the folders."""
        return [entry.filename for entry in self._files]

    def contents(self, largest: int, wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield each entry whose name is wanted, in order, with what it holds; or every one, and then for good.

        Without `wanted` the list is given up as it is read, since that of a large ZIP is large. Raises `BundleError`
        for an entry that is damaged, that unpacks to more than `largest` bytes, or that goes beyond the limits of the
        whole.
        """
        budget = _Budget(self._limits)
        for entry in self._given_up() if wanted is None else self._files:
            if wanted is None or wanted(entry.filename):
                yield entry.filename, self._content(entry, largest, budget)

    def _given_up(self) -> Iterator[zipfile.ZipInfo]:
        while self._files:
            yield self._files.popleft()

    def _content(self, entry: zipfile.ZipInfo, largest: int, budget: _Budget) -> bytes:
        content = bytearray()
        with _faults_as_bundle_errors():
            for chunk in _read_through(self._archive, entry, budget):
                content += chunk
                if len(content) > largest:
                    raise BundleError(f"the entry {entry.filename!r} unpacks to more than {largest} bytes")
        return bytes(content)


@contextmanager
def opened_zip(file: IO[bytes], limits: Limits = _DEFAULT) -> Iterator[CheckedZip]:
    """Open a ZIP and check everything that its directory tells, as `check_zip` does; the entries are read later.

    Raises `BundleError` where `check_zip` does.
    """
    with _faults_as_bundle_errors():
        archive = _opened(file, limits)
    with archive:
        with _faults_as_bundle_errors():
            files = _checked_list(archive, limits)
            _check_overlap(archive, file)
            # The list is kept once.
            archive.filelist.clear()
            archive.NameToInfo.clear()
        opened = CheckedZip(archive, files, limits)
        del files
        yield opened


def safe_stem(name: str) -> str:
    """What a request or certificate of this name is called as an entry, file or folder; empty where nothing is left.

    `*.example.com` becomes `_.example.com`.
    """
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:_LONGEST_STEM].lstrip(".-")


@contextmanager
def _faults_as_bundle_errors() -> Iterator[None]:
    try:
        yield
    except zipfile.BadZipFile as fault:
        raise BundleError(f"the ZIP is damaged: {fault}") from fault
    except (EOFError, zlib.error, struct.error) as fault:
        raise BundleError("the ZIP is damaged: an entry cannot be unpacked") from fault
    except (NotImplementedError, RuntimeError, ValueError, OSError) as fault:
        raise BundleError(f"the ZIP cannot be read: {fault}") from fault


def _entries(file: IO[bytes], limits: Limits) -> Iterator[tuple[str, Iterator[bytes]]]:
    with _opened(file, limits) as archive:
        files = _checked_list(archive, limits)
        _check_overlap(archive, file)
        budget = _Budget(limits)
        for entry in files:
            yield entry.filename, _read_through(archive, entry, budget)


def _opened(file: IO[bytes], limits: Limits) -> zipfile.ZipFile:
    file.seek(0)
    start = file.read(4)
    sparing = _Sparing(file, limits)
    try:
        return zipfile.ZipFile(cast(IO[bytes], sparing))
    except zipfile.BadZipFile as fault:
        if start == b"PK\x03\x04":
            raise BundleError("the ZIP is cut short or damaged: its directory is missing") from fault
        raise BundleError("this is not a ZIP" if start else "this is not a ZIP: it is empty") from fault


class _Sparing:
    """A file whose directory is not handed out if it is too long: `zipfile` takes it whole, and makes more of it."""

    def __init__(self, file: IO[bytes], limits: Limits) -> None:
        self.seek, self.tell, self.seekable = file.seek, file.tell, file.seekable
        self._read = file.read
        self._entries = limits.entries

    def read(self, size: int = -1) -> bytes:
        if size <= _CHUNK:
            return self._read(size)
        # Nothing but the directory is read in more than a chunk.
        allowed = f"the ZIP holds more than the {self._entries} entries allowed"
        if size > max(self._entries * _LONGEST_RECORD, _CHUNK):
            raise BundleError(f"{allowed}, or very long names")
        data = self._read(size)
        if data.count(_RECORD) > self._entries:
            raise BundleError(allowed)
        return data


def _checked_list(archive: zipfile.ZipFile, limits: Limits) -> list[zipfile.ZipInfo]:
    entries = archive.infolist()
    if len(entries) > limits.entries:
        raise BundleError(f"the ZIP holds {len(entries)} entries, more than the {limits.entries} allowed")
    for entry in entries:
        _check_entry(entry)
    files = [entry for entry in entries if not entry.is_dir()]
    if not files:
        raise BundleError("the ZIP holds no entries")
    _check_twins([entry.filename for entry in files])
    return files


def _check_entry(entry: zipfile.ZipInfo) -> None:
    _check_name(entry.orig_filename)
    if stat.S_IFMT(entry.external_attr >> 16) not in _REGULAR:
        raise BundleError(f"the ZIP holds {entry.filename!r}, which is a link or a device, not a file")
    if entry.flag_bits & 1:
        raise BundleError(f"the entry {entry.filename!r} is encrypted")
    if entry.compress_type not in _METHODS:
        raise BundleError(f"the entry {entry.filename!r} is packed by a method other than deflate")


def _check_name(name: str) -> None:
    parts = name.removesuffix("/").split("/")
    if any(part in ("", ".", "..") for part in parts) or re.match(r"[A-Za-z]:", name):
        raise BundleError(f"the ZIP holds an entry with the unsafe name {name!r}")
    if "\\" in name or any(unicodedata.category(character).startswith("C") for character in name):
        raise BundleError(f"the ZIP holds an entry with a backslash or control character in its name: {name!r}")


def _check_twins(names: list[str]) -> None:
    """No two names may be one on a file system that ignores case or composes letters; no file may be a folder."""
    seen: dict[str, str] = {}
    for name in names:
        folded = _folded(name)
        if folded in seen:
            raise BundleError(f"the ZIP holds two entries with one name: {seen[folded]!r} and {name!r}")
        seen[folded] = name
    for name in names:
        for folder in PurePosixPath(_folded(name)).parents:
            if str(folder) in seen:
                raise BundleError(f"the ZIP holds {seen[str(folder)]!r} both as a file and as a folder")


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", unicodedata.normalize("NFC", name).casefold())


def _check_overlap(archive: zipfile.ZipFile, file: IO[bytes]) -> None:
    """Refuse entries whose bytes are shared (CVE-2024-0450): a few bytes would unpack many times over."""
    entries = sorted(archive.infolist(), key=lambda entry: entry.header_offset)
    bounds = [entry.header_offset for entry in entries[1:]] + [archive.start_dir]
    for entry, bound in zip(entries, bounds, strict=True):
        if _end(file, entry) > bound:
            raise BundleError(f"the entry {entry.filename!r} overlaps what follows it")


def _end(file: IO[bytes], entry: zipfile.ZipInfo) -> int:
    file.seek(entry.header_offset)
    signature, name_length, extra_length = _LOCAL_HEADER.unpack(file.read(_LOCAL_HEADER.size))
    if signature != b"PK\x03\x04":
        raise BundleError(f"the ZIP is damaged: the header of {entry.filename!r} is missing")
    return int(entry.header_offset + _LOCAL_HEADER.size + name_length + extra_length + entry.compress_size)


def _read_through(archive: zipfile.ZipFile, entry: zipfile.ZipInfo, budget: _Budget) -> Iterator[bytes]:
    read = 0
    budget.packed += entry.compress_size
    # Left to itself, `zipfile` ends where the declared size is reached, though other programs would unpack more.
    unpacked = copy(entry)
    unpacked.file_size = sys.maxsize
    with archive.open(unpacked) as stream:
        while chunk := stream.read(_CHUNK):
            read += len(chunk)
            budget.spend(len(chunk), read, entry)
            yield chunk
    if read != entry.file_size:
        raise BundleError(f"the ZIP is damaged: {entry.filename!r} has not the size that it declares")


class _Budget:
    """How much has been unpacked so far, from how much."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.packed = 0
        self.unpacked = 0

    def spend(self, size: int, of_entry: int, entry: zipfile.ZipInfo) -> None:
        self.unpacked += size
        if self.unpacked > self.limits.total_bytes:
            raise BundleError(f"the ZIP unpacks to more than the {self.limits.total_bytes} bytes allowed")
        if self._too_dense(of_entry, entry.compress_size) or self._too_dense(self.unpacked, self.packed):
            raise BundleError(f"the entry {entry.filename!r} unpacks to more than {self.limits.ratio} times its size")

    def _too_dense(self, unpacked: int, packed: int) -> bool:
        return unpacked > self.limits.ratio_from and unpacked > self.limits.ratio * packed
