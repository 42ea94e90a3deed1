"""TLS in front of the emulator: a context that demands a certificate of the client, and one for the server itself."""

from __future__ import annotations

import ipaddress
import ssl
import tempfile
from collections.abc import Sequence
from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import NameOID

from sectigo_iot.emulator.ca.authority import CertificateAuthority, pem
from sectigo_iot.emulator.ca.keypool import make_key

LOOPBACK = ("localhost", "127.0.0.1", "::1")
"""The names by which a client of this machine reaches a server on it."""


def server_context(certificate_pem: bytes, key_pem: bytes, client_ca_pem: bytes) -> ssl.SSLContext:
    """Return a context for TLS 1.2 and later that demands a client certificate of one of these CAs.

    A CA is trusted as it stands, though it be no root. Raises ValueError for what is not PEM, and for a key that is
    not that of the certificate.
    """
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.verify_mode = ssl.CERT_REQUIRED
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    try:
        context.load_verify_locations(cadata=client_ca_pem.decode("ascii"))
        _load(context, certificate_pem, key_pem)
    except (ssl.SSLError, UnicodeDecodeError) as error:
        raise ValueError("the server's certificate and key, or the clients' CA, cannot be used for TLS") from error
    return context


def identity(authority: CertificateAuthority, names: Sequence[str] = LOOPBACK) -> tuple[bytes, bytes]:
    """Return a certificate for these DNS names and IP addresses, its CAs after it, and its new key: both in PEM.

    Raises ValueError for a DNS name that is not ASCII, and where there is no name.
    """
    if not names:
        raise ValueError("a server certificate needs a name")
    key = make_key("p256")
    addresses = {name: address for name in names if (address := _address(name)) is not None}
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0])])
    dns_names = [name for name in names if name not in addresses]
    certificate = authority.issue(subject, dns_names, key.public_key(), addresses=tuple(addresses.values()))
    form = serialization.PrivateFormat.PKCS8
    key_pem = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    return pem(certificate, *authority.chain), key_pem


def _load(context: ssl.SSLContext, certificate_pem: bytes, key_pem: bytes) -> None:
    # The ssl module takes them from files only. The folder is open to nobody else, and gone at once.
    with tempfile.TemporaryDirectory(prefix="sectigo-emulator-") as folder:
        path = Path(folder, "identity.pem")
        path.touch(0o600, exist_ok=False)
        with path.open("wb") as file:
            file.write(key_pem.rstrip() + b"\n" + certificate_pem)
        context.load_cert_chain(path)


def _address(name: str) -> IPv4Address | IPv6Address | None:
    try:
        return ipaddress.ip_address(name)
    except ValueError:
        return None
