"""The listener that speaks TLS and demands a certificate of its clients."""

from __future__ import annotations

import os
import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from sectigo_iot.emulator.ca.authority import CertificateAuthority, create_authority, pem
from sectigo_iot.emulator.net.running import Listening
from sectigo_iot.emulator.net.tls import identity, server_context
from tests.emulator.raw import BODY, App, answer, ask, connect, listener, reset, serving


@pytest.fixture(scope="module")
def authority() -> CertificateAuthority:
    return create_authority("p256", "http://127.0.0.1:1", time.time)


@pytest.fixture(scope="module")
def secure(authority: CertificateAuthority) -> Iterator[tuple[str, int]]:
    beside = listener()
    context = server_context(*identity(authority), pem(authority.chain[0]))
    with serving(App(), [Listening("tls", App(reset), beside, context)]):
        yield beside.getsockname()


def client_context(authority: CertificateAuthority) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pem(authority.chain[-1]).decode())


def client_identity(authority: CertificateAuthority, folder: Path) -> Path:
    certificate, key = identity(authority, ["client.example.com"])
    path = folder / "client.pem"
    path.write_bytes(key + certificate)
    return path


@pytest.mark.parametrize("name", ["localhost", "127.0.0.1", "::1"])
def test_a_client_certificate_opens(
    authority: CertificateAuthority, secure: tuple[str, int], tmp_path: Path, name: str
) -> None:
    context = client_context(authority)
    context.load_cert_chain(client_identity(authority, tmp_path))
    with connect(secure) as plain, context.wrap_socket(plain, server_hostname=name) as connection:
        ask(connection, "/")
        assert answer(connection) == BODY
        ask(connection, "/fault")
        # The ssl module makes an end of it, so look below.
        with socket.socket(fileno=os.dup(connection.fileno())) as below:
            below.settimeout(10)
            with pytest.raises(ConnectionResetError):
                below.recv(1)


def is_refused(address: tuple[str, int], context: ssl.SSLContext) -> bool:
    """Tell whether there is no reply; in TLS 1.3 the client's own part of the handshake succeeds nevertheless."""
    try:
        with connect(address) as plain, context.wrap_socket(plain, server_hostname="localhost") as connection:
            ask(connection, "/")
            return connection.recv(1) == b""
    except (ssl.SSLError, ConnectionError):
        return True


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_without_a_client_certificate_there_is_no_reply(
    authority: CertificateAuthority, secure: tuple[str, int], version: ssl.TLSVersion
) -> None:
    context = client_context(authority)
    context.minimum_version = context.maximum_version = version
    assert is_refused(secure, context)


def test_another_authority_s_client_is_turned_away(
    authority: CertificateAuthority, secure: tuple[str, int], tmp_path: Path
) -> None:
    context = client_context(authority)
    context.load_cert_chain(client_identity(create_authority("p256", "http://127.0.0.1:1", time.time), tmp_path))
    assert is_refused(secure, context)


def test_what_is_no_identity_is_named(authority: CertificateAuthority) -> None:
    certificate, key = identity(authority)
    ca = pem(authority.chain[0])
    for case in [(b"x", key, ca), (certificate, b"x", ca), (certificate, key, b"x"), (certificate, key, b"\xff")]:
        with pytest.raises(ValueError, match="cannot be used for TLS"):
            server_context(*case)
    with pytest.raises(ValueError, match="cannot be used for TLS"):
        server_context(certificate, identity(authority)[1], ca)
    with pytest.raises(ValueError, match="needs a name"):
        identity(authority, [])


def test_an_identity_is_for_the_names_that_were_asked_for(authority: CertificateAuthority) -> None:
    certificate = x509.load_pem_x509_certificate(identity(authority, ["127.0.0.1", "a.example.com"])[0])
    names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["a.example.com"]
    assert [str(each) for each in names.get_values_for_type(x509.IPAddress)] == ["127.0.0.1"]
    assert certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == "127.0.0.1"
