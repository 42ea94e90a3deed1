"""Finding out what files are, and describing what they hold."""

from __future__ import annotations

import warnings
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime

from cryptography import x509

from sectigo_iot.errors import BundleError, InvalidInputError
from sectigo_iot.pki.inspecting.certificates import (
    describe_certificate,
    describe_crl,
    describe_request,
    display_of,
    fingerprint_of,
)
from sectigo_iot.pki.inspecting.chains import Chains
from sectigo_iot.pki.inspecting.descriptions import Description, Inspection, KeyDescription, PKCS12Description
from sectigo_iot.pki.inspecting.issuers import issuer_of, name_of
from sectigo_iot.pki.inspecting.reading import Found, Reading, read

_HOLDERS = (x509.Certificate, x509.CertificateSigningRequest)


def inspect(
    data: bytes,
    *,
    password: str | None = None,
    source: str = "",
    at: datetime | None = None,
    roots: bytes | None = None,
) -> Inspection:
    """Find out what these bytes are, and describe what they hold.

    Known are certificates, requests, revocation lists and keys as PEM (one or many, of several kinds) or DER,
    certificates in PKCS#7, PKCS#12, and a ZIP of these. `password` opens a PKCS#12 and private keys; without it there
    is said of them what can be said without it. `source` names the file. `at` (aware; now, if None) is the time at
    which validity is judged, `roots` holds the trusted roots as PEM or DER. No network is used: whether something is
    revoked is another question (`sectigo_iot.revocation`).

    Raises `BundleError` where they are nothing that is known or nothing of it can be read, `InvalidInputError` for
    roots that cannot be read or a time without zone. What is wrong with a part of it stands in `faults`.
    """
    (told,) = inspect_files({source: data}, password=password, at=at, roots=roots)
    if told.faults and not (told.items or told.entries):
        raise BundleError(f"{source}: {told.faults[0]}" if source else told.faults[0])
    return told


def inspect_files(
    files: Mapping[str, bytes],
    *,
    password: str | None = None,
    at: datetime | None = None,
    roots: bytes | None = None,
) -> tuple[Inspection, ...]:
    """Do what `inspect` does for several files by their names, each with what the others tell of it.

    A chain may lead from one file into another, and a key fit a certificate of another. A file that is nothing that
    is known has that in its `faults`, and keeps nothing from being said of the others. Arguments and errors are those
    of `inspect`.
    """
    moment = datetime.now(UTC) if at is None else at
    if moment.tzinfo is None:
        raise InvalidInputError("the time to judge at has no time zone")
    with warnings.catch_warnings():
        # `cryptography` warns of what is odd in a certificate, which is no matter of whoever looks at it.
        warnings.simplefilter("ignore")
        trusted = None if roots is None else _trusted(roots)
        readings = [read(data, source, password) for source, data in files.items()]
        describer = _Describer(readings, trusted, moment)
        return tuple(describer.described(each) for each in readings)


def _trusted(roots: bytes) -> list[x509.Certificate]:
    found = [one for one in read(roots, "", None).found if isinstance(one, x509.Certificate)]
    if not found:
        raise InvalidInputError("the file of roots holds no certificate that can be read")
    return found


class _Describer:
    """Describes what was read of some files, each with what all of them tell."""

    def __init__(self, readings: Iterable[Reading], roots: list[x509.Certificate] | None, at: datetime) -> None:
        self._at = at
        self._keys: dict[str, str] = {}
        self._holders: dict[str, str] = {}
        certificates: list[x509.Certificate] = []
        for reading in (part for whole in readings for part in whole.everything()):
            certificates += (thing for thing in reading.found if isinstance(thing, x509.Certificate))
            for thing in reading.found:
                self._note(thing, reading.source)
        self._chains = Chains(certificates, roots, at)
        self._issuers = Counter(issuer_of(one) for one in dict.fromkeys(certificates))

    def _note(self, thing: Found, source: str) -> None:
        """Keep what belongs together by a public key."""
        if isinstance(thing, KeyDescription) and thing.private and thing.public_key_sha256:
            self._keys.setdefault(thing.public_key_sha256, source)
        elif isinstance(thing, _HOLDERS) and (key := fingerprint_of(thing)):
            self._holders.setdefault(key, display_of(thing))

    def described(self, reading: Reading) -> Inspection:
        """Describe one file, and the entries in it."""
        items = tuple(self._item(thing, reading) for thing in reading.found)
        entries = tuple(self.described(entry) for entry in reading.entries)
        closed = (item.fault for item in items if isinstance(item, KeyDescription | PKCS12Description) and item.fault)
        return Inspection(reading.source, reading.form, items, entries, (*reading.faults, *closed))

    def _item(self, thing: Found, reading: Reading) -> Description:
        if isinstance(thing, x509.Certificate):
            chains = None if self._has_issued(thing) else self._chains
            return describe_certificate(thing, chains, self._keys, self._at)
        if isinstance(thing, x509.CertificateSigningRequest):
            return describe_request(thing, self._keys)
        if isinstance(thing, x509.CertificateRevocationList):
            return describe_crl(thing, self._at)
        return self._paired(thing, reading) if isinstance(thing, KeyDescription) else thing

    def _paired(self, key: KeyDescription, reading: Reading) -> KeyDescription:
        fits = self._holders.get(key.public_key_sha256)
        beside = key.private and any(isinstance(thing, _HOLDERS) for thing in reading.found)
        return replace(key, fits=fits, stray=beside and bool(key.public_key_sha256) and fits is None)

    def _has_issued(self, certificate: x509.Certificate) -> bool:
        """Whether another certificate names it as its issuer."""
        name = name_of(certificate)
        return self._issuers[name] > (issuer_of(certificate) == name)
