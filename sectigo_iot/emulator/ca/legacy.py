"""PKCS#12 as the live service makes it: certificates under 40-bit RC2, the key under 3DES, a MAC of one iteration."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Iterable
from contextlib import closing

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.serialization import PrivateFormat, pkcs12

from sectigo_iot.emulator.ca.authority import pem
from sectigo_iot.emulator.ca.keypool import PrivateKey

_EXPORT = (
    *("pkcs12", "-export", "-legacy", "-keypbe", "PBE-SHA1-3DES", "-certpbe", "PBE-SHA1-RC2-40"),
    *("-macalg", "sha1", "-nomaciter"),
)
_SECONDS = 20


def legacy_form() -> str:
    """Return, in words, what `make_legacy_pkcs12` makes on this machine."""
    if shutil.which("openssl") is None:
        return "certificates and key under 3DES (there is no `openssl` here, which RC2 needs), SHA-1 MAC"
    return "certificates under 40-bit RC2, key under 3DES, SHA-1 MAC of one iteration"


def make_legacy_pkcs12(
    name: str, key: PrivateKey, certificate: x509.Certificate, chain: Iterable[x509.Certificate], password: str
) -> bytes:
    """Return a PKCS#12 of key, certificate and chain in the live service's form.

    RC2 is made by the `openssl` binary, since `cryptography` reads it and does not write it; without that binary, or
    with one that has no legacy algorithms, the certificates are under 3DES as well.
    """
    chain = tuple(chain)
    openssl = shutil.which("openssl")
    made = None if openssl is None else _by_openssl(openssl, name, key, (certificate, *chain), password)
    return made or _by_cryptography(name, key, certificate, chain, password)


def _by_openssl(
    openssl: str, name: str, key: PrivateKey, certificates: tuple[x509.Certificate, ...], password: str
) -> bytes | None:
    private = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    reader, writer = os.pipe()
    # Neither key nor password is an argument, which every user of the machine could read.
    with closing(os.fdopen(reader, "rb")), os.fdopen(writer, "wb") as secret:
        secret.write(password.encode() + b"\n")
        secret.close()
        done = subprocess.run(
            [openssl, *_EXPORT, "-name", name, "-passout", f"fd:{reader}"],
            input=private + pem(*certificates),
            capture_output=True,
            pass_fds=(reader,),
            timeout=_SECONDS,
            check=False,
        )
    return done.stdout if done.returncode == 0 and done.stdout else None


def _by_cryptography(
    name: str, key: PrivateKey, certificate: x509.Certificate, chain: tuple[x509.Certificate, ...], password: str
) -> bytes:
    encryption = (
        PrivateFormat.PKCS12.encryption_builder()
        .kdf_rounds(1)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC)
        .hmac_hash(hashes.SHA1())  # noqa: S303 - the form that is asked for
        .build(password.encode())
    )
    return pkcs12.serialize_key_and_certificates(name.encode(), key, certificate, list(chain), encryption)
