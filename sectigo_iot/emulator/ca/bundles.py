"""What is downloaded: a ZIP of PKCS#12 files, or of certificate chains in PEM where the client has the keys."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Iterable
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from sectigo_iot.emulator.ca.keypool import PrivateKey

_ROUNDS = 2048
"""OpenSSL's own number: what is kept here are tests' keys, and more rounds would be most of the time of an order."""
_UTF8 = 1 << 11
_UNSAFE = re.compile(r'[\x00-\x1f\x7f<>:"/\\|?*]|^\.+')


def make_pkcs12(
    name: str,
    key: PrivateKey,
    certificate: x509.Certificate,
    chain: Iterable[x509.Certificate],
    password: str,
) -> bytes:
    """Return a PKCS#12 of key, certificate and chain, under AES-256."""
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC)
        .hmac_hash(hashes.SHA256())
        .build(password.encode())
    )
    return pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, list(chain), encryption)


def make_zip(files: Iterable[tuple[str, bytes]], suffix: str) -> bytes:
    """Return a ZIP with one deflated entry a file, named after the names in them made safe and unique.

    It is written as Java does it: with data descriptors, and with the flag for UTF-8 on every name.
    """
    taken: set[str] = set()
    stream = _Pipe()
    now = time.localtime()[:6]
    with zipfile.ZipFile(stream, "w") as archive:
        for name, content in files:
            entry = _Entry(_unique(safe_name(name), taken) + suffix, now)
            archive.writestr(entry, content, zipfile.ZIP_DEFLATED)
    return bytes(stream.content)


def safe_name(name: str) -> str:
    """Return a name that is one plain file on any system: no separators, no wildcards, no leading dots."""
    return _UNSAFE.sub("_", name).strip() or "_"


class _Pipe(io.RawIOBase):
    """Cannot seek, so that zipfile writes lengths and checksum behind each file."""

    def __init__(self) -> None:
        self.content = bytearray()

    def writable(self) -> bool:
        return True

    def write(self, data: Any) -> int:
        self.content += data
        return len(data)


class _Entry(zipfile.ZipInfo):
    """A name always under the flag for UTF-8, which zipfile sets where it must alone."""

    @property
    def flag_bits(self) -> int:
        return self._flags | _UTF8

    @flag_bits.setter
    def flag_bits(self, value: int) -> None:
        self._flags = value


def _unique(name: str, taken: set[str]) -> str:
    # The service's own numbering of duplicates.
    number = 0
    candidate = name
    while candidate.casefold() in taken:
        number += 1
        candidate = f"{name} - {number}"
    taken.add(candidate.casefold())
    return candidate
