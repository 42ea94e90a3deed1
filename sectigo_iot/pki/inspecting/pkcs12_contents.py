"""A PKCS#12 that is inspected: what is told of it without the password, and what it holds."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import pkcs12

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.inspecting.descriptions import KeyDescription, PKCS12Description
from sectigo_iot.pki.inspecting.keys import told_private
from sectigo_iot.pki.inspecting.protection import Protection, protection_of
from sectigo_iot.pki.pfx.bounds import check_iterations
from sectigo_iot.pki.pfx.structure import read_store
from sectigo_iot.pki.pkcs12 import needs_legacy, open_pkcs12


def read_pkcs12(data: bytes, password: str | None) -> list[PKCS12Description | x509.Certificate | KeyDescription]:
    """Describe a PKCS#12, and what it holds as far as it can be opened: the key, its certificate, the others."""
    protection = protection_of(data)
    if password is None:
        return [_described(data, protection, locked=True)]
    try:
        opened = open_pkcs12(data, password)
    except BundleError as error:
        found = _without_a_pair(data, password, protection)
        return [_described(data, protection, fault="" if found else error.message), *found]
    key = told_private(opened.key, "PKCS#12", encrypted=bool(protection.keys))
    return [_described(data, protection), key, opened.leaf, *opened.chain, *opened.others]


def _described(data: bytes, told: Protection, *, locked: bool = False, fault: str = "") -> PKCS12Description:
    return PKCS12Description(told.keys, told.certificates, told.mac, needs_legacy(data), locked, fault)


def _without_a_pair(data: bytes, password: str, protection: Protection) -> list[x509.Certificate | KeyDescription]:
    """What is in a PKCS#12 that has no key, or a key of another certificate; nothing where it does not open."""
    if "\0" in password:
        return []
    try:
        store = read_store(data)
        check_iterations(store)
        loaded = pkcs12.load_pkcs12(store.der(), password.encode())
        key = [] if loaded.key is None else [told_private(loaded.key, "PKCS#12", encrypted=bool(protection.keys))]
    except (BundleError, ValueError, TypeError, UnsupportedAlgorithm):
        return []
    entries = (loaded.cert, *loaded.additional_certs)
    return [*key, *(entry.certificate for entry in entries if entry is not None)]
