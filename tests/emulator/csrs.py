"""Signing requests for the tests."""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID


def make_csr(
    common_name: str, *dns_names: str, key: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | None = None
) -> bytes:
    """Return a request in PEM, for a new P-256 key unless one is given."""
    builder = x509.CertificateSigningRequestBuilder().subject_name(
        x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])
    )
    if dns_names:
        names = [x509.DNSName(name) for name in dns_names]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key or ec.generate_private_key(ec.SECP256R1()), hashes.SHA256()).public_bytes(Encoding.PEM)


def spoil(csr: bytes) -> bytes:
    """Return a request whose signature does not fit any more."""
    request = x509.load_pem_x509_csr(csr)
    der = bytearray(request.public_bytes(Encoding.DER))
    at = bytes(der).index(b"bad.example.com")
    der[at : at + 3] = b"BAD"
    return x509.load_der_x509_csr(bytes(der)).public_bytes(Encoding.PEM)
