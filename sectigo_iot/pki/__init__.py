"""Signing requests, downloaded bundles, PKCS#12, chains and serial numbers: what is done without the network.

Every name is handed on when it is first asked for, so that importing this package does not load `cryptography`.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sectigo_iot.pki.bundle import Limits, check_zip, read_entries
    from sectigo_iot.pki.certificates import IssuedCertificate, open_bundle
    from sectigo_iot.pki.csr import CertificateRequest, ExaminedRequest, examine_requests, read_requests, write_zip
    from sectigo_iot.pki.inspecting.descriptions import (
        CertificateDescription,
        ChainVerdict,
        Inspection,
        KeyDescription,
        OtherDescription,
        PKCS12Description,
        RequestDescription,
        RevocationListDescription,
    )
    from sectigo_iot.pki.inspecting.inspection import inspect, inspect_files
    from sectigo_iot.pki.inspecting.inventory import inventory
    from sectigo_iot.pki.inspecting.items import InstalledPlace, Inventory, InventoryItem, KeyBeside, Validity
    from sectigo_iot.pki.inspecting.spreadsheet import inventory_csv
    from sectigo_iot.pki.inspecting.timeline import inventory_page
    from sectigo_iot.pki.inspecting.tree import UnreadFile
    from sectigo_iot.pki.installing.hooks import HookOutcome, run_deploy_hook
    from sectigo_iot.pki.installing.proof import ReadProof, proven_readable
    from sectigo_iot.pki.installing.staging import Staged
    from sectigo_iot.pki.installing.switching import Installed, Installer, install
    from sectigo_iot.pki.pkcs12 import PKCS12Contents, needs_legacy, open_pkcs12, write_pkcs12
    from sectigo_iot.pki.requesting.building import build_request, request_fits
    from sectigo_iot.pki.requesting.keys import (
        KEY_KINDS,
        RequestKey,
        generate_key,
        private_key_pem,
        read_private_key,
    )
    from sectigo_iot.pki.requesting.many import MadeRequest, make_requests
    from sectigo_iot.pki.requesting.openssl_config import OpenSSLConfig, read_openssl_config
    from sectigo_iot.pki.requesting.spec import RequestSpec, checked_spec, warnings_of
    from sectigo_iot.pki.requesting.table import RequestTable, TableRow, read_request_table
    from sectigo_iot.pki.serial import normalise_serial
    from sectigo_iot.pki.unpacking.keys import FittingKey, KeyRing
    from sectigo_iot.pki.unpacking.unpack import Unpacked, unpack
else:
    _HOMES = {
        "CertificateDescription": "inspecting.descriptions",
        "CertificateRequest": "csr",
        "ChainVerdict": "inspecting.descriptions",
        "ExaminedRequest": "csr",
        "FittingKey": "unpacking.keys",
        "HookOutcome": "installing.hooks",
        "Inspection": "inspecting.descriptions",
        "Installed": "installing.switching",
        "InstalledPlace": "inspecting.items",
        "Installer": "installing.switching",
        "Inventory": "inspecting.items",
        "InventoryItem": "inspecting.items",
        "IssuedCertificate": "certificates",
        "KEY_KINDS": "requesting.keys",
        "KeyBeside": "inspecting.items",
        "KeyDescription": "inspecting.descriptions",
        "KeyRing": "unpacking.keys",
        "Limits": "bundle",
        "MadeRequest": "requesting.many",
        "OpenSSLConfig": "requesting.openssl_config",
        "OtherDescription": "inspecting.descriptions",
        "PKCS12Contents": "pkcs12",
        "PKCS12Description": "inspecting.descriptions",
        "ReadProof": "installing.proof",
        "RequestDescription": "inspecting.descriptions",
        "RequestKey": "requesting.keys",
        "RequestSpec": "requesting.spec",
        "RequestTable": "requesting.table",
        "RevocationListDescription": "inspecting.descriptions",
        "Staged": "installing.staging",
        "TableRow": "requesting.table",
        "Unpacked": "unpacking.unpack",
        "UnreadFile": "inspecting.tree",
        "Validity": "inspecting.items",
        "build_request": "requesting.building",
        "check_zip": "bundle",
        "checked_spec": "requesting.spec",
        "examine_requests": "csr",
        "generate_key": "requesting.keys",
        "inspect": "inspecting.inspection",
        "inspect_files": "inspecting.inspection",
        "install": "installing.switching",
        "inventory": "inspecting.inventory",
        "inventory_csv": "inspecting.spreadsheet",
        "inventory_page": "inspecting.timeline",
        "make_requests": "requesting.many",
        "needs_legacy": "pkcs12",
        "normalise_serial": "serial",
        "open_bundle": "certificates",
        "open_pkcs12": "pkcs12",
        "private_key_pem": "requesting.keys",
        "proven_readable": "installing.proof",
        "read_entries": "bundle",
        "read_openssl_config": "requesting.openssl_config",
        "read_private_key": "requesting.keys",
        "read_request_table": "requesting.table",
        "read_requests": "csr",
        "request_fits": "requesting.building",
        "run_deploy_hook": "installing.hooks",
        "unpack": "unpacking.unpack",
        "warnings_of": "requesting.spec",
        "write_pkcs12": "pkcs12",
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
    "KEY_KINDS",
    "CertificateDescription",
    "CertificateRequest",
    "ChainVerdict",
    "ExaminedRequest",
    "FittingKey",
    "HookOutcome",
    "Inspection",
    "Installed",
    "InstalledPlace",
    "Installer",
    "Inventory",
    "InventoryItem",
    "IssuedCertificate",
    "KeyBeside",
    "KeyDescription",
    "KeyRing",
    "Limits",
    "MadeRequest",
    "OpenSSLConfig",
    "OtherDescription",
    "PKCS12Contents",
    "PKCS12Description",
    "ReadProof",
    "RequestDescription",
    "RequestKey",
    "RequestSpec",
    "RequestTable",
    "RevocationListDescription",
    "Staged",
    "TableRow",
    "Unpacked",
    "UnreadFile",
    "Validity",
    "build_request",
    "check_zip",
    "checked_spec",
    "examine_requests",
    "generate_key",
    "inspect",
    "inspect_files",
    "install",
    "inventory",
    "inventory_csv",
    "inventory_page",
    "make_requests",
    "needs_legacy",
    "normalise_serial",
    "open_bundle",
    "open_pkcs12",
    "private_key_pem",
    "proven_readable",
    "read_entries",
    "read_openssl_config",
    "read_private_key",
    "read_request_table",
    "read_requests",
    "request_fits",
    "run_deploy_hook",
    "unpack",
    "warnings_of",
    "write_pkcs12",
    "write_zip",
]
