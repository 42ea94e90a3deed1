"""A certificate authority as bytes, to be the same again after a restart."""

from __future__ import annotations

from collections.abc import Callable

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from sectigo_iot.emulator.ca.authority import CertificateAuthority, Signer, pem


class _Packed(msgspec.Struct, frozen=True):
    issuing: bytes
    root: bytes | None
    chain: bytes


def pack_authority(authority: CertificateAuthority) -> bytes:
    """Return an authority with its private keys, which are not encrypted."""
    root = None if authority.root is None else _packed(authority.root)
    return msgspec.msgpack.encode(_Packed(_packed(authority.issuing), root, pem(*authority.chain)))


def unpack_authority(content: bytes, base_url: str, clock: Callable[[], float]) -> CertificateAuthority:
    """Return the authority that was packed, reached under another URL from now on. Raises ValueError."""
    try:
        packed = msgspec.msgpack.decode(content, type=_Packed)
        root = None if packed.root is None else _signer("root", packed.root)
        chain = tuple(x509.load_pem_x509_certificates(packed.chain))
        return CertificateAuthority(_signer("issuing", packed.issuing), root, chain, base_url, clock)
    except (msgspec.MsgspecError, ValueError, TypeError, UnsupportedAlgorithm):
        raise ValueError("the CA that was kept cannot be read") from None


def _packed(signer: Signer) -> bytes:
    key = signer.key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return pem(signer.certificate) + key


def _signer(name: str, content: bytes) -> Signer:
    key = serialization.load_pem_private_key(content, None)
    if not isinstance(key, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey):
        raise TypeError("the key of the CA that was kept is of no kind that signs here")
    return Signer(name, x509.load_pem_x509_certificate(content), key)
