"""A server that lies over TLS and may demand a certificate, and the files that a client of it has."""

from __future__ import annotations

import contextlib
import socket
import ssl
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sectigo_iot.emulator.ca.authority import CertificateAuthority, create_authority, pem
from sectigo_iot.emulator.net.tls import LOOPBACK, identity, server_context
from tests.unit.lying_server import Answer, LyingServer

KEY_PASSWORD = "opens-the-key-4711"


class TLSServer(LyingServer):
    """Lies as its base does, over TLS. `shown` holds the certificates of the clients that got in, DER."""

    def __init__(self, context: ssl.SSLContext, *answers: Answer, login: Answer | None = None) -> None:
        super().__init__(*answers, login=login)
        self._context = context
        self.url = f"https://{self.host}"
        self.shown: list[bytes | None] = []

    def _serve(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.settimeout(10)
            with self._context.wrap_socket(connection, server_side=True) as secure:
                self._connections.append(secure)
                self.shown.append(secure.getpeercert(binary_form=True))
                super()._serve(secure)


def new_authority() -> CertificateAuthority:
    return create_authority("p256", "http://127.0.0.1:1", time.time)


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return new_authority()


@pytest.fixture(scope="module")
def stranger() -> CertificateAuthority:
    return new_authority()


def demanding(
    authority: CertificateAuthority,
    clients: CertificateAuthority | None = None,
    names: Sequence[str] = LOOPBACK,
    version: ssl.TLSVersion | None = None,
) -> ssl.SSLContext:
    """Return the context of a server that demands a client certificate of an authority, its own by default."""
    context = server_context(*identity(authority, names), pem(*(clients or authority).chain))
    if version is not None:
        context.minimum_version = context.maximum_version = version
    return context


def open_to_all(authority: CertificateAuthority, names: Sequence[str] = LOOPBACK) -> ssl.SSLContext:
    """Return the context of a server that demands no certificate."""
    context = demanding(authority, names=names)
    context.verify_mode = ssl.CERT_NONE
    return context


class Files(NamedTuple):
    """What a client has: a CA file, a certificate, and its key."""

    ca: str
    certificate: str
    key: str

    @property
    def settings(self) -> dict[str, str]:
        return {"ca_file": self.ca, "client_cert": self.certificate, "client_key": self.key}

    @property
    def environ(self) -> dict[str, str]:
        return {f"SECTIGO_{name.upper()}": value for name, value in self.settings.items()}

    @property
    def flags(self) -> tuple[str, ...]:
        named = {f"--{name.replace('_', '-')}": value for name, value in self.settings.items()}
        return tuple(word for pair in named.items() for word in pair)


def client_files(
    authority: CertificateAuthority,
    folder: Path,
    *,
    days: tuple[float, float] = (-1, 1),
    usage: x509.ObjectIdentifier = ExtendedKeyUsageOID.CLIENT_AUTH,
    password: str | None = None,
    traditional: bool = False,
) -> Files:
    """Write a client certificate, valid from one of these days on until the other, its key, and its root."""
    folder.mkdir(exist_ok=True)
    key = ec.generate_private_key(ec.SECP256R1())
    protection: serialization.KeySerializationEncryption = serialization.NoEncryption()
    if password is not None:
        protection = serialization.BestAvailableEncryption(password.encode("utf-8", "surrogateescape"))
    form = serialization.PrivateFormat.TraditionalOpenSSL if traditional else serialization.PrivateFormat.PKCS8
    files = Files(*(str(folder / name) for name in ("ca.pem", "client.pem", "client-key.pem")))
    Path(files.ca).write_bytes(pem(authority.chain[-1]))
    Path(files.certificate).write_bytes(pem(_certificate(authority, key, days, usage), *authority.chain[:-1]))
    Path(files.key).touch(0o600)
    Path(files.key).write_bytes(key.private_bytes(serialization.Encoding.PEM, form, protection))
    return files


def _certificate(
    authority: CertificateAuthority,
    key: ec.EllipticCurvePrivateKey,
    days: tuple[float, float],
    usage: x509.ObjectIdentifier,
) -> x509.Certificate:
    now = datetime.now(UTC)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "client.example.test")])
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(authority.issuing.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + timedelta(days=days[0]))
        .not_valid_after(now + timedelta(days=days[1]))
        .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        .sign(authority.issuing.key, hashes.SHA256())
    )
