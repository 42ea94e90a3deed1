"""Signing requests, downloaded bundles, PKCS#12, chains and serial numbers: what is done without the network.

Every name is handed on when it is first asked for, so that importing this package does not load `cryptography`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sectigo_iot.pki.bundle import Limits, check_zip, read_entries
    from sectigo_iot.pki.certificates import IssuedCertificate, open_bundle
    from sectigo_iot.pki.csr import CertificateRequest, read_requests, write_zip
    from sectigo_iot.pki.pkcs12 import PKCS12Contents, needs_legacy, open_pkcs12
    from sectigo_iot.pki.serial import normalise_serial
else:
    _HOMES = {
        "CertificateRequest": "csr",
        "IssuedCertificate": "certificates",
        "Limits": "bundle",
        "PKCS12Contents": "pkcs12",
        "check_zip": "bundle",
        "needs_legacy": "pkcs12",
        "normalise_serial": "serial",
        "open_bundle": "certificates",
        "open_pkcs12": "pkcs12",
        "read_entries": "bundle",
        "read_requests": "csr",
        "write_zip": "csr",
    }

    def __getattr__(name: str) -> object:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
        globals()[name] = value
        return value

    def __dir__() -> list[str]:
        return sorted({*globals(), *__all__})


__all__ = [
    "CertificateRequest",
    "IssuedCertificate",
    "Limits",
    "PKCS12Contents",
    "check_zip",
    "needs_legacy",
    "normalise_serial",
    "open_bundle",
    "open_pkcs12",
    "read_entries",
    "read_requests",
    "write_zip",
]
