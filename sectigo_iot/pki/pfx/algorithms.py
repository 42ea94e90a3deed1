"""The parameters of password-based encryption (RFC 8018, appendix A; RFC 7292, appendix C; RFC 7914, section 7)."""

from __future__ import annotations

from cryptography.hazmat import asn1

PBES2 = "1.2.840.113549.1.5.13"
PBMAC1 = "1.2.840.113549.1.5.14"
PBKDF2 = "1.2.840.113549.1.5.12"
SCRYPT = "1.3.6.1.4.1.11591.4.11"


@asn1.sequence
class PBEParameters:
    """PBEParameter, and pkcs-12PbeParams."""

    salt: bytes
    iterations: int


@asn1.sequence
class Schemes:
    """PBES2-params and PBMAC1-params: what derives the key, and what uses it."""

    derivation: list[asn1.TLV]
    use: list[asn1.TLV]


@asn1.sequence
class PBKDF2Parameters:
    """PBKDF2-params; without `prf`, HMAC-SHA-1 is meant."""

    salt: bytes
    iterations: int
    key_length: int | None
    prf: list[asn1.TLV] | None


@asn1.sequence
class ScryptParameters:
    """scrypt-params."""

    salt: bytes
    cost: int
    block_size: int
    parallelization: int
    key_length: int | None
