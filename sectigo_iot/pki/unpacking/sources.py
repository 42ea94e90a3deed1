"""What is to be unpacked: a ZIP, read entry by entry, or one file."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import IO, Protocol

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.bundle import opened_zip
from sectigo_iot.pki.certificates import CERTIFICATE_SUFFIXES, is_pkcs12

LARGEST = 16 << 20
"""Bytes of one entry, or of one file that is no ZIP: some ten thousand certificates."""
STREAM = "-"
"""The name of a file that has none."""
_ZIP = (b"PK\x03\x04", b"PK\x05\x06")
_SEQUENCE, _INTEGER = 0x30, 0x02


class Source(Protocol):
    """Entries by name, each read when it is its turn."""

    @property
    def names(self) -> list[str]:
        """Their names, in order."""

    def contents(self, largest: int, wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield the names that are wanted, in order, with what stands there."""


@dataclass(frozen=True, slots=True)
class OneFile:
    """A file as the only entry there is."""

    name: str
    content: bytes

    @property
    def names(self) -> list[str]:
        """The one name."""
        return [self.name]

    def contents(self, largest: int, wanted: Callable[[str], bool] | None = None) -> Iterator[tuple[str, bytes]]:
        """Yield the file, if it is wanted. `largest` was seen to when it was read."""
        if wanted is None or wanted(self.name):
            yield self.name, self.content


@contextlib.contextmanager
def opened_source(file: IO[bytes] | str | PathLike[str]) -> Iterator[Source]:
    """Open what is to be unpacked, and check of a ZIP everything that its directory tells.

    Raises `BundleError` for what is neither a ZIP nor a PKCS#12 nor certificates, `OSError` for a file that cannot be
    read.
    """
    if isinstance(file, str | PathLike):
        with Path(file).open("rb") as opened, _source(opened, Path(file).name) as source:
            yield source
    else:
        with _source(file, STREAM) as source:
            yield source


@contextlib.contextmanager
def _source(file: IO[bytes], name: str) -> Iterator[Source]:
    file.seek(0)
    start = file.read(4)
    if start in _ZIP or name.lower().endswith(".zip"):
        with opened_zip(file) as archive:
            yield archive
        return
    content = start + file.read(LARGEST)
    if len(content) > LARGEST:
        raise BundleError(f"{name}: it is no ZIP, and larger than {LARGEST >> 20} MiB")
    yield OneFile(_telling_name(name, content), content)


def _telling_name(name: str, content: bytes) -> str:
    """Return a name whose end says what the file is, as those of the entries of a ZIP do."""
    if is_pkcs12(name) or name.lower().endswith(CERTIFICATE_SUFFIXES):
        return name
    if _is_pfx(content):
        return f"{name}.p12"
    if content[:1] == bytes([_SEQUENCE]) or b"-----BEGIN " in content:
        return f"{name}.pem"
    raise BundleError(f"{name} is neither a ZIP nor a PKCS#12 nor a certificate")


def _is_pfx(content: bytes) -> bool:
    """A PFX begins with its version (RFC 7292, section 4); a certificate and a PKCS#7 with something else."""
    if content[:1] != bytes([_SEQUENCE]) or len(content) < 2:
        return False
    octets = content[1] & 0x7F if content[1] & 0x80 else 0
    return content[2 + octets : 3 + octets] == bytes([_INTEGER])
