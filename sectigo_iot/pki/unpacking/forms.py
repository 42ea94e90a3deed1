"""The files of one certificate, in each of the forms that programs load."""

from __future__ import annotations

from typing import Literal

from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sectigo_iot.errors import BundleError, InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki.certificates import IssuedCertificate
from sectigo_iot.pki.pkcs12 import is_modern, write_pkcs12

Format = Literal["pem", "p12", "der"]
FORMATS: tuple[Format, ...] = ("pem", "p12", "der")


def check_format(form: str, *, modernize: bool) -> None:
    """Raise `InvalidInputError` for a form that there is none of, or one that cannot be modernized."""
    if form not in FORMATS:
        raise InvalidInputError(f"there is no format {form!r}", hint=f"the formats are {', '.join(FORMATS)}")
    if modernize and form != "p12":
        raise InvalidInputError("only a PKCS#12 can be modernized", hint="the format for that is p12")


def pem_files(issued: IssuedCertificate) -> dict[str, bytes]:
    """Return `cert.pem`, `chain.pem`, `fullchain.pem`, and with a key `privkey.pem` and `full.pem`, key first.

    RFC 8446, section 4.4.2, has the leaf first in what a server sends, and each certificate certify the one before.
    """
    certificate, chain = issued.certificate_pem, issued.chain_pem
    files = {"cert.pem": certificate, "chain.pem": chain, "fullchain.pem": certificate + chain}
    if issued.private_key is not None:
        key = issued.private_key_pem()
        files |= {"privkey.pem": key, "full.pem": key + certificate + chain}
    return files


def der_files(issued: IssuedCertificate) -> dict[str, bytes]:
    """Return `cert.der`, `chain-1.der` and so on up to the root, and with a key `privkey.der` (PKCS#8)."""
    files = {"cert.der": issued.leaf.public_bytes(Encoding.DER)}
    for number, authority in enumerate(issued.chain, 1):
        files[f"chain-{number}.der"] = authority.public_bytes(Encoding.DER)
    if issued.private_key is not None:
        key = issued.private_key
        files["privkey.der"] = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return files


def p12_file(issued: IssuedCertificate, store: bytes | None, password: str | None, *, modernize: bool) -> bytes:
    """Return a PKCS#12: the `store` that it came in as it is, unless that is to be modernized, or else a new one.

    Raises `BundleError` where there is no key, `PKCSPasswordRequiredError` where there is no password.
    """
    if store is not None and (not modernize or is_modern(store)):
        return store
    if issued.private_key is None:
        raise BundleError("there is no private key to put into a PKCS#12", hint="give the key of its request")
    if password is None:
        raise PKCSPasswordRequiredError("a password is needed to make a PKCS#12")
    return write_pkcs12(issued.private_key, issued.leaf, issued.chain, password, issued.name)
