"""When the certificates in folders run out: what is installed, each certificate once, with all its places."""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime

from cryptography import x509

from sectigo_iot.errors import BundleError, InvalidInputError
from sectigo_iot.pki.chain import extension_of, is_authority
from sectigo_iot.pki.inspecting import tree
from sectigo_iot.pki.inspecting.contents import (
    Contents,
    LockedError,
    contents_of,
    contents_of_pkcs12,
)
from sectigo_iot.pki.inspecting.encodings import is_pkcs12
from sectigo_iot.pki.inspecting.items import InstalledPlace, Inventory, InventoryItem, KeyBeside
from sectigo_iot.pki.inspecting.naming import common_name, key_and_encoding
from sectigo_iot.pki.inspecting.tree import File, UnreadFile
from sectigo_iot.pki.serial import serial_text


def inventory(
    paths: Iterable[str | os.PathLike[str]],
    *,
    at: datetime | None = None,
    passwords: Iterable[str] = (),
    versions: bool = False,
    on_progress: Callable[[int, int], None] | None = None,
) -> Inventory:
    """Read the certificates that stand in folders, and in what is below them, or in files.

    Looked into are files whose names end as those of certificates (PEM, DER, PKCS#7), PKCS#12 and keys do, of 4 MiB
    at the most. Each certificate is told once, with all the places that it stands in. The link of an installed
    certificate is followed to its current version; former versions are read only with `versions`. Links to files are
    followed, those to folders only within `paths`; FIFOs and devices are passed over. `passwords` are tried on each
    PKCS#12. `at` (aware; now, if None) is the time that the days are counted from. `on_progress` is told how many
    files are read, of how many.

    What cannot be read is told in the result, and nothing is raised for it. Raises `InvalidInputError` for a time
    without zone.
    """
    moment = datetime.now(UTC) if at is None else at
    if moment.tzinfo is None:
        raise InvalidInputError("the time to take the inventory at has no time zone")
    walk = tree.Walk(paths, versions=versions)
    files = list(walk.files())
    reader = _Reader(tuple(passwords))
    with warnings.catch_warnings():
        # The library warns of what RFC 5280 forbids, such as a serial number below 0; here it is no less installed.
        warnings.simplefilter("ignore")
        for done, file in enumerate(files, 1):
            reader.read(file)
            if on_progress is not None:
                on_progress(done, len(files))
        return reader.inventory(moment.astimezone(UTC), walk.unread)


@dataclass(slots=True)
class _Known:
    """A certificate, the fingerprint of its key, and its places, each with whether that key came along."""

    item: InventoryItem
    key: bytes | None
    places: list[tuple[File, bool]] = field(default_factory=list)


@dataclass(slots=True)
class _Keys:
    """The private keys of a folder, and the keys of the certificates in it, and of those for end entities."""

    present: set[bytes] = field(default_factory=set)
    certified: set[bytes] = field(default_factory=set)
    of_ends: set[bytes] = field(default_factory=set)
    encrypted: bool = False
    unreadable: bool = False

    def beside(self, key: bytes | None) -> KeyBeside:
        """What the keys of the folder are to a certificate with this one."""
        if key in self.present:
            return KeyBeside.FITS
        if self.encrypted:
            return KeyBeside.ENCRYPTED
        if self.unreadable:
            return KeyBeside.UNREADABLE
        # Where several lack theirs, as in a folder of everybody's certificates, nobody can tell for which one it was.
        is_meant = bool(self.present - self.certified) and len(self.of_ends - self.present) == 1
        return KeyBeside.OTHER if is_meant else KeyBeside.NONE


class _Reader:
    """Collects certificates and keys, file by file."""

    def __init__(self, passwords: tuple[str, ...]) -> None:
        self._passwords = passwords
        self._known: dict[bytes, _Known] = {}
        self._refused: dict[bytes, str] = {}
        self._keys: dict[str, _Keys] = {}
        self._lost: dict[str, bool] = {}
        self._locked: list[UnreadFile] = []
        self._unread: list[UnreadFile] = []

    def read(self, file: File) -> None:
        """Read one file, and keep what is in it."""
        try:
            data = tree.read(file.path)
            contents = self._contents(file, data)
        except OSError as fault:
            self._miss(file, fault)
        except LockedError as fault:
            self._locked.append(UnreadFile(file.path, str(fault)))
        except BundleError as fault:
            self._unread.append(UnreadFile(file.path, fault.message))
        else:
            self._keep(file, contents)

    def _contents(self, file: File, data: bytes) -> Contents:
        name = file.path.lower()
        if name.endswith(tree.PKCS12) or is_pkcs12(data):
            return contents_of_pkcs12(data, self._passwords)
        # A .pem is as often a key, a request or parameters.
        return contents_of(data, expected=file.named or not name.endswith((".pem", *tree.KEYS)))

    def _miss(self, file: File, fault: OSError) -> None:
        if isinstance(fault, PermissionError) and tree.may_be_key(file.path):
            self._keys_in(file.folder).unreadable = True
        else:
            self._unread.append(UnreadFile(file.path, tree.why(fault)))

    def _keep(self, file: File, contents: Contents) -> None:
        keys = self._keys_in(file.folder)
        keys.present.update(contents.keys)
        keys.encrypted |= contents.encrypted > 0
        faults = list(contents.faults)
        for der in contents.certificates:
            known, fault = self._certificate(der)
            if known is None:
                faults.append(fault)
                continue
            known.places.append((file, known.key in contents.keys))
            if known.key is not None:
                keys.certified.add(known.key)
                keys.of_ends |= set() if known.item.ca else {known.key}
        self._unread += [UnreadFile(file.path, fault) for fault in dict.fromkeys(faults)]

    def _keys_in(self, folder: str) -> _Keys:
        if folder not in self._keys:
            self._keys[folder] = _Keys()
        return self._keys[folder]

    def _certificate(self, der: bytes) -> tuple[_Known | None, str]:
        """A certificate, met before or not, since a chain stands in thousands of places; or what is wrong with it."""
        fingerprint = hashlib.sha256(der).digest()
        if fingerprint not in self._known and fingerprint not in self._refused:
            try:
                self._known[fingerprint] = _described(x509.load_der_x509_certificate(der), fingerprint.hex())
            except (ValueError, BundleError) as fault:
                self._refused[fingerprint] = getattr(fault, "message", "a certificate in it is damaged")
        return self._known.get(fingerprint), self._refused.get(fingerprint, "")

    def inventory(self, at: datetime, unread: Iterable[UnreadFile]) -> Inventory:
        """What was collected, as it stands at this time, by the dates of expiry."""
        items = sorted((self._item(each, at) for each in self._known.values()), key=_by_expiry)
        return Inventory(
            at,
            tuple(item for item in items if not item.ca),
            tuple(item for item in items if item.ca),
            tuple(self._locked),
            (*unread, *self._unread),
        )

    def _item(self, known: _Known, at: datetime) -> InventoryItem:
        places = tuple(InstalledPlace(file.path, self._beside(known, file, came)) for file, came in known.places)
        superseded = all(file.superseded for file, _ in known.places)
        return replace(known.item, at=at, places=places, superseded=superseded)

    def _beside(self, known: _Known, file: File, came_along: bool) -> KeyBeside:
        if came_along:
            return KeyBeside.FITS
        beside = self._keys_in(file.folder).beside(known.key)
        if known.item.ca:
            # The key beside a chain is not the CA's, and need not be.
            return beside if beside is KeyBeside.FITS else KeyBeside.NONE
        lost = beside is KeyBeside.NONE and not file.superseded and self._has_lost_key(file.folder)
        return KeyBeside.MISSING if lost else beside

    def _has_lost_key(self, folder: str) -> bool:
        if folder not in self._lost:
            self._lost[folder] = tree.has_lost_key(folder)
        return self._lost[folder]


def _by_expiry(item: InventoryItem) -> tuple[datetime, list[tuple[int, str]], str]:
    return item.not_after, _natural(item.name), item.sha256


def _natural(name: str) -> list[tuple[int, str]]:
    """What to sort a name by, so that `dev2` comes before `dev10`."""
    # Of two numbers the one with more digits is the larger: a name may have more of them than `int` takes.
    parts = enumerate(re.split("([0-9]+)", name))
    return [(len(part.lstrip("0")), part.lstrip("0")) if number % 2 else (0, part) for number, part in parts]


def _described(certificate: x509.Certificate, fingerprint: str) -> _Known:
    """What is told of a certificate. Raises `ValueError` and `BundleError` for one that is damaged."""
    key, encoded = key_and_encoding(certificate)
    item = InventoryItem(
        at=certificate.not_valid_before_utc,
        subject=certificate.subject.rfc4514_string(),
        common_name=common_name(certificate.subject),
        names=_names(certificate),
        serial_number=serial_text(certificate.serial_number),
        not_before=certificate.not_valid_before_utc,
        not_after=certificate.not_valid_after_utc,
        issuer=certificate.issuer.rfc4514_string(),
        key=key,
        sha256=fingerprint,
        ca=is_authority(certificate),
    )
    return _Known(item, hashlib.sha256(encoded).digest() if encoded else None)


def _names(certificate: x509.Certificate) -> tuple[str, ...]:
    names = extension_of(certificate, x509.SubjectAlternativeName)
    if names is None:
        return ()
    addresses = names.get_values_for_type(x509.IPAddress)
    return (*names.get_values_for_type(x509.DNSName), *map(str, addresses))
