"""What the service might have sent: ZIPs of PKCS#12 and of certificates, quick to make."""

from __future__ import annotations

import io
import warnings
import zipfile
from collections.abc import Mapping

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

from tests.unit.pki.home import PASSWORD, Key, build, ec_key, home, leaf_extensions


def issue(name: str, key: Key | None = None, **changes: object) -> x509.Certificate:
    """Return a certificate for a P-256 key, which has the name's own label if none is given."""
    arguments = {"ca": False, "extra": leaf_extensions()} | changes
    return build(name, key or ec_key(name), "TEST Issuing", home().issuing_key, **arguments)  # type: ignore[arg-type]


def store(leaf: x509.Certificate, key: Key, *others: x509.Certificate) -> bytes:
    """Return a PKCS#12 of few iterations."""
    builder = PrivateFormat.PKCS12.encryption_builder().kdf_rounds(1).hmac_hash(hashes.SHA256())
    protection = builder.key_cert_algorithm(pkcs12.PBES.PBESv2SHA256AndAES256CBC).build(PASSWORD.encode())
    return pkcs12.serialize_key_and_certificates(b"leaf", key, leaf, others, protection)


def whole_store(name: str) -> bytes:
    """Return a PKCS#12 with its whole chain, the root first."""
    return store(issue(name), ec_key(name), home().root, home().issuing)


def key_pem(key: Key) -> bytes:
    """Return a private key as PKCS#8."""
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def zipped(entries: Mapping[str, bytes] | list[tuple[str | zipfile.ZipInfo, bytes]]) -> bytes:
    """Return a ZIP; of a list, with whatever names it has."""
    target = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")
        for name, content in entries.items() if isinstance(entries, Mapping) else entries:
            archive.writestr(name, content, zipfile.ZIP_DEFLATED)
    return target.getvalue()
