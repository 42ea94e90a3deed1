"""Certificates as they are installed: a folder of versions, and links to those that are in force."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from sectigo_iot.pki import install
from tests.unit.pki.home import NOW, Key, build, ec_key, pem

AT = NOW
"""The time at which tests take an inventory."""


@cache
def authorities() -> tuple[x509.Certificate, x509.Certificate]:
    """The issuing CA and its root."""
    root = build("TEST Root", ec_key("root"), "TEST Root", ec_key("root"), ca=True, pathlen=1, days=3650)
    return build("TEST Issuing", ec_key("issuing"), "TEST Root", ec_key("root"), ca=True, pathlen=0, days=1800), root


def certificate(
    name: str = "a.example.com",
    *,
    expires: datetime = AT + timedelta(days=100, seconds=1),
    days: int = 365,
    names: tuple[str, ...] | None = None,
    key: Key | None = None,
    serial: int | None = None,
) -> x509.Certificate:
    """A certificate of an end entity whose last second is the one before `expires`."""
    dns = [x509.DNSName(each) for each in ((name,) if names is None else names)]
    extra = ((x509.SubjectAlternativeName(dns), False),) if dns else ()
    start = expires - timedelta(days=days)
    owner = key or ec_key("leaf")
    return build(
        name, owner, "TEST Issuing", ec_key("issuing"), ca=False, start=start, days=days, serial=serial, extra=extra
    )


def key_pem(key: Key, password: str | None = None) -> bytes:
    """A private key as PKCS#8."""
    protection = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, protection)


def put(folder: Path, leaf: x509.Certificate, *, name: str = "a.example.com", key: Key | None = None) -> None:
    """Install a certificate as `sectigo unpack` does."""
    private = key_pem(key or ec_key("leaf"))
    files = {
        "cert.pem": pem(leaf),
        "chain.pem": pem(*authorities()),
        "fullchain.pem": pem(leaf, *authorities()),
        "privkey.pem": private,
        "full.pem": private + pem(leaf, *authorities()),
    }
    install(folder, name, files)


def other_key() -> ec.EllipticCurvePrivateKey:
    """A key of no certificate here."""
    return ec_key("other")
