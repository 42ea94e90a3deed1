"""Private keys: making one, reading one that exists, and writing one (PKCS#8: RFC 5208, RFC 5958)."""

from __future__ import annotations

import re
from collections.abc import Callable

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    KeySerializationEncryption,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_der_public_key,
    load_pem_private_key,
)

from sectigo_iot.errors import InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki.pem import Block, read_blocks
from sectigo_iot.pki.request_rules import MIN_RSA_BITS, key_name

RequestKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey
"""A key that a request can be made for."""

KEY_KINDS = ("RSA-4096", "RSA-3072", "RSA-2048", "P-256", "P-384", "Ed25519")
"""The kinds of keys that are made, the one that TRISA asks for first."""

_CURVES: dict[str, ec.EllipticCurve] = {"P-256": ec.SECP256R1(), "P-384": ec.SECP384R1()}
_ACCEPTED = ("P-256", "P-384", "P-521", "Ed25519")
_PUBLIC_EXPONENT = 65537
_LONGEST_PASSWORD = 1023
"""Bytes that OpenSSL takes."""
_PFX_BEGINS = re.compile(rb"\x30(?:[\x00-\x80]|\x81.|\x82..|\x83...|\x84....)\x02\x01\x03\x30", re.DOTALL)
"""PFX, version 3 (RFC 7292, section 4): no private key begins with this version."""
_FORMS = "a private key in PEM or DER: PKCS#8, RSA (PKCS#1) or EC (RFC 5915)"


def generate_key(kind: str = KEY_KINDS[0]) -> RequestKey:
    """Make a new private key, of one of `KEY_KINDS`. An RSA key of 4096 bits takes about half a second, or several.

    Raises `InvalidInputError` for another kind.
    """
    if kind not in KEY_KINDS:
        raise InvalidInputError(f"there is no kind of key {kind!r}", hint=f"one of: {', '.join(KEY_KINDS)}")
    if kind in _CURVES:
        return ec.generate_private_key(_CURVES[kind])
    if kind == "Ed25519":
        return ed25519.Ed25519PrivateKey.generate()
    return rsa.generate_private_key(_PUBLIC_EXPONENT, int(kind.removeprefix("RSA-")))


def private_key_pem(key: RequestKey, password: str | None = None) -> bytes:
    """Return the key as PKCS#8 in PEM, encrypted if there is a password.

    The encryption is PBES2 (RFC 8018) with AES-256-CBC, as `openssl pkcs8 -topk8` has it. It stretches the password
    by 2048 rounds of PBKDF2 and no more, so that only a long one withstands being guessed.
    Raises `InvalidInputError` for a password that is empty or longer than 1023 bytes in UTF-8.
    """
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, _encryption(password))


def check_password(password: str | None) -> None:
    """Raise `InvalidInputError` for a password that `private_key_pem` does not take."""
    if password is not None and not 0 < len(password.encode()) <= _LONGEST_PASSWORD:
        raise InvalidInputError(f"the key's password has at least one byte and at most {_LONGEST_PASSWORD}")


def read_private_key(data: bytes, password: str | None = None, *, check: bool = True) -> RequestKey:
    """Read the private key in a PEM text or a DER file: PKCS#8, RSA (PKCS#1) or EC (RFC 5915), encrypted or not.

    A password that is not needed is ignored. With `check` false the primes of an RSA key are not tested, which takes
    a quarter of a second at 4096 bits: for a key that is compared and not used.
    Raises `PKCSPasswordRequiredError` where the key is encrypted and `password` is None or empty. Raises
    `InvalidInputError` where the password is wrong, where there is no private key or more than one, where it is
    damaged or of a kind that no request is made for, and for RSA under 2048 bits.
    """
    key = _from_der(data, password, check) if data[:1] == b"\x30" else _from_pem(data, password, check)
    return _accepted(key)


def _encryption(password: str | None) -> KeySerializationEncryption:
    if password is None:
        return NoEncryption()
    check_password(password)
    return BestAvailableEncryption(password.encode())


def _from_pem(data: bytes, password: str | None, check: bool) -> object:
    block = _the_block(read_blocks(data))
    if block.fault:
        raise InvalidInputError(f"the private key is damaged: {block.fault}")
    # Written anew, because what a file may have around it and at its line ends is not everybody's.
    pem = f"-----BEGIN {block.label}-----\n{block.body}\n-----END {block.label}-----\n".encode()
    return _loaded(load_pem_private_key, pem, password, check)


def _the_block(blocks: list[Block]) -> Block:
    keys = [block for block in blocks if block.is_private_key]
    if len(keys) == 1:
        if keys[0].label == "OPENSSH PRIVATE KEY":
            hint = "`ssh-keygen -p -m PKCS8 -f FILE` rewrites it as PKCS#8"
            raise InvalidInputError("the private key is in OpenSSH's own form", hint=hint)
        return keys[0]
    if keys:
        raise InvalidInputError(f"there are {len(keys)} private keys, and one is wanted")
    others = sorted({block.label for block in blocks})
    what = f"there is no private key, only {', '.join(others)}" if others else "there is no private key"
    raise InvalidInputError(what, hint=f"wanted is {_FORMS}")


def _from_der(data: bytes, password: str | None, check: bool) -> object:
    if _PFX_BEGINS.match(data):
        raise InvalidInputError(
            "there is no private key by itself: the file is a PKCS#12", hint="`sectigo unpack FILE` takes it out"
        )
    for what, load in (
        ("a certificate", x509.load_der_x509_certificate),
        ("a signing request", x509.load_der_x509_csr),
        ("a public key", load_der_public_key),
    ):
        if _loads(load, data):
            raise InvalidInputError(f"there is no private key: the file is {what}", hint=f"wanted is {_FORMS}")
    return _loaded(load_der_private_key, data, password, check)


def _loads(load: Callable[[bytes], object], data: bytes) -> bool:
    try:
        load(data)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True


def _loaded(load: Callable[..., object], data: bytes, password: str | None, check: bool) -> object:
    try:
        try:
            return load(data, None, unsafe_skip_rsa_key_validation=not check)
        except TypeError:
            # It is encrypted, which the library tells before anything else.
            if not password:
                raise PKCSPasswordRequiredError("the private key is encrypted, and there is no password") from None
            return load(data, password.encode(), unsafe_skip_rsa_key_validation=not check)
    except ValueError as fault:
        wrong = "password" in str(fault)
        what = "the password does not open the private key" if wrong else "the private key is damaged, or it is none"
        raise InvalidInputError(what) from None
    except UnsupportedAlgorithm:
        raise InvalidInputError("the private key is of a kind, or under a cipher, that is not supported") from None


def _accepted(key: object) -> RequestKey:
    if isinstance(key, rsa.RSAPrivateKey):
        if key.key_size < MIN_RSA_BITS:
            raise InvalidInputError(f"the RSA key has {key.key_size} bits, and {MIN_RSA_BITS} are needed")
        return key
    if isinstance(key, ec.EllipticCurvePrivateKey | ed25519.Ed25519PrivateKey):
        name = key_name(key.public_key())
        if name in _ACCEPTED:
            return key
    else:
        name = type(key).__name__.removesuffix("PrivateKey")
    raise InvalidInputError(f"the key is {name}: RSA, {', '.join(_ACCEPTED[:-1])} and {_ACCEPTED[-1]} are accepted")
