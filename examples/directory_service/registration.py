"""What a VASP sends to be registered, checked field by field."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, NamedTuple
from urllib.parse import urlsplit

from sectigo_iot import InvalidInputError
from sectigo_iot.pki import read_requests

LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
_IDENTIFIER = re.compile(r"[a-z0-9][a-z0-9-]{0,63}")
_FIELDS = frozenset({"id", "name", "names", "webhook", "csr"})


class Registration(NamedTuple):
    """A VASP that wants a certificate.

    `identifier` becomes the order's key, `names` are its DNS names, the common name first. `csr` is its signing
    request in PEM; None where it has the key made for it.
    """

    identifier: str
    name: str
    names: tuple[str, ...]
    webhook: str
    csr: bytes | None


def read_registration(document: object, hosts: Collection[str]) -> Registration:
    """Return what a JSON document registers; webhooks lead to `hosts` alone.

    Raises InvalidInputError, which lists every fault.
    """
    if not isinstance(document, dict):
        raise InvalidInputError("a registration is a JSON object")
    faults = [f"{name}: there is no such field" for name in sorted(document.keys() - _FIELDS)]
    faults += [*_text_faults(document), *_webhook_faults(document.get("webhook"), hosts)]
    csr = document.get("csr")
    names = _names(document, faults) if csr is None else _names_of(csr, document, faults)
    if faults:
        raise InvalidInputError("the registration is refused", faults=tuple(faults))
    pem = csr.encode() if isinstance(csr, str) else None
    return Registration(document["id"], document["name"], names, document["webhook"], pem)


def _text_faults(document: Mapping[str, Any]) -> list[str]:
    identifier, name = document.get("id"), document.get("name")
    faults = []
    if not isinstance(identifier, str) or not _IDENTIFIER.fullmatch(identifier):
        faults.append("id: 1 to 64 lower-case letters, digits and hyphens")
    if not isinstance(name, str) or not 0 < len(name) <= 200 or not name.isprintable():
        faults.append("name: 1 to 200 printable characters")
    return faults


def _webhook_faults(address: object, hosts: Collection[str]) -> list[str]:
    try:
        parts = urlsplit(address if isinstance(address, str) and address.isascii() and address.isprintable() else "")
        host, _port = parts.hostname, parts.port
    except ValueError:
        return ["webhook: it is no URL"]
    if parts.scheme != "https" and not (parts.scheme == "http" and host in LOOPBACK):
        return ["webhook: an https URL (on this machine http will do)"]
    if parts.username is not None or parts.query or parts.fragment:
        return ["webhook: a URL without user name, query and fragment: it is shown to operators"]
    return [] if host in hosts else ["webhook: its host is not among those that are allowed"]


def _names(document: Mapping[str, Any], faults: list[str]) -> tuple[str, ...]:
    names = document.get("names")
    if not isinstance(names, list) or not 0 < len(names) <= 50 or not all(isinstance(one, str) for one in names):
        faults.append("names: a list of 1 to 50 DNS names, the common name first")
        return ()
    return tuple(names)


def _names_of(csr: object, document: Mapping[str, Any], faults: list[str]) -> tuple[str, ...]:
    """Return the names in a signing request; a list beside it would be a second opinion."""
    if "names" in document:
        faults.append("names: those of the signing request count; leave the field away")
    try:
        (request,) = read_requests(csr.encode() if isinstance(csr, str) else b"")
    except InvalidInputError as error:
        faults += [f"csr: {fault}" for fault in error.faults]
    except ValueError:
        faults.append("csr: exactly one signing request")
    else:
        return tuple(dict.fromkeys((request.common_name, *request.dns_names)))
    return ()
