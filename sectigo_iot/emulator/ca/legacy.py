"""PKCS#12 as the live service makes it: certificates under 40-bit RC2, the key under 3DES, a MAC of one iteration."""

from __future__ import annotations

import logging
import os
import secrets
import shutil
import subprocess
import time
from collections.abc import Iterable
from contextlib import closing
from functools import cache

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from sectigo_iot.emulator.ca.authority import create_authority, pem
from sectigo_iot.emulator.ca.keypool import PrivateKey
from sectigo_iot.emulator.ca.mac import with_one_iteration

logger = logging.getLogger("sectigo_iot.emulator")

_EXPORT = (
    *("pkcs12", "-export", "-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40"),
    *("-macalg", "sha1", "-nomaciter"),
)
_RC2 = bytes.fromhex("060a2a864886f70d010c0106")
"""The identifier in DER of what the certificates are then under."""
_PROBE_SECONDS = 5
_SECONDS = 20
_ROUNDS = 2048
"""OpenSSL's own number."""


def legacy_form() -> str:
    """Return, in words, what `make_legacy_pkcs12` makes on this machine. It is tried once for each `openssl`."""
    openssl = shutil.which("openssl")
    if openssl is not None and _makes_rc2(openssl):
        return "certificates under 40-bit RC2, key under 3DES, SHA-1 MAC of one iteration"
    lack = "there is no `openssl` here, which RC2 needs" if openssl is None else f"{openssl} makes no RC2"
    return f"certificates and key under 3DES ({lack}), SHA-1 MAC of one iteration"


def make_legacy_pkcs12(
    name: str, key: PrivateKey, certificate: x509.Certificate, chain: Iterable[x509.Certificate], password: str
) -> bytes:
    """Return a PKCS#12 of key, certificate and chain in the live service's form.

    RC2 is made by the `openssl` binary, since `cryptography` reads it and does not write it; without that binary, or
    with one that has no legacy algorithms, the certificates are under 3DES as well.
    """
    chain = tuple(chain)
    openssl = shutil.which("openssl")
    if openssl is not None and _makes_rc2(openssl):
        made = _by_openssl(openssl, name, key, (certificate, *chain), password, _SECONDS)
        if made is not None:
            return made
        logger.warning("openssl failed: the certificates of a PKCS#12 are under 3DES")
    return _by_cryptography(name, key, certificate, chain, password)


@cache
def _makes_rc2(openssl: str) -> bool:
    own = create_authority("p256", "http://127.0.0.1", time.time).issuing
    made = _by_openssl(openssl, "TEST", own.key, (own.certificate,), secrets.token_hex(8), _PROBE_SECONDS)
    return made is not None and _RC2 in made


def _by_openssl(
    openssl: str,
    name: str,
    key: PrivateKey,
    certificates: tuple[x509.Certificate, ...],
    password: str,
    seconds: float,
) -> bytes | None:
    """Return what a program makes within some seconds; None where it fails."""
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    reader, writer = os.pipe()
    # Neither key nor password is an argument, which every user of the machine could read.
    with closing(os.fdopen(reader, "rb")), os.fdopen(writer, "wb") as secret:
        secret.write(password.encode() + b"\n")
        secret.close()
        try:
            done = subprocess.run(
                [openssl, *_EXPORT, "-name", name, "-passout", f"fd:{reader}"],
                input=private + pem(*certificates),
                capture_output=True,
                pass_fds=(reader,),
                timeout=seconds,
                check=False,
            )
        except (OSError, subprocess.TimeoutExpired):
            return None
    return done.stdout if done.returncode == 0 and done.stdout else None


def _by_cryptography(
    name: str, key: PrivateKey, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...], password: str
) -> bytes:
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(_ROUNDS)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - the form that is asked for
        .build(password.encode())
    )
    made = pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, list(chain), encryption)
    return with_one_iteration(made, password)
