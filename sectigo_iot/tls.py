"""TLS: whom a connection trusts. Nothing here can turn the verification off.

A context that is made here holds all that it trusts. Whoever hands it to an HTTP library must keep that from loading
authorities of its own into it, as requests does for each connection in `HTTPAdapter.cert_verify`.
"""

from __future__ import annotations

import os
import shlex
import ssl
import stat
from typing import TYPE_CHECKING

from sectigo_iot.errors import ConfigError, UnreachableError
from sectigo_iot.pki.pem import read_blocks

if TYPE_CHECKING:
    from sectigo_iot.pki.pem import Block

LARGEST = 16 * 1024 * 1024
"""Bytes; what is longer is no file of certificates."""
CERTIFICATES = ("CERTIFICATE", "X509 CERTIFICATE")
TOO_EARLY, EXPIRED, SELF_SIGNED, OTHER_NAMES = (9,), (10,), (18,), (62, 63, 64)
"""What OpenSSL's verification calls X509_V_ERR_…"""
UNKNOWN_AUTHORITY = (*SELF_SIGNED, 19, 20, 21)
"""A chain that ends in nobody who is trusted."""
_WANTED = "it is to hold the certificate of the authority that the server's certificate comes from, in PEM"


def server_context(ca_file: str | None) -> ssl.SSLContext | None:
    """Return a context that trusts the authorities in this file, and no others; None without a file.

    Each certificate of an authority in it is trusted as it stands, though it be no root. The host name is checked;
    TLS is 1.2 or newer. Raises ConfigError for a file that cannot be read, is no PEM, or holds no authority.
    """
    if ca_file is None:
        return None
    context = _context()
    what = f"the CA file {ca_file}"
    for block in _certificates(ca_file, what):
        _trust(context, block, what)
    if not context.cert_store_stats()["x509_ca"]:
        hint = f"{_WANTED}, not the server's own"
        raise ConfigError(f"{what} holds no certificate of an authority", setting="ca_file", hint=hint)
    return context


def complete_context(ca_file: str | None) -> ssl.SSLContext:
    """Return a context of its own that trusts the authorities in this file or, without one, those of requests."""
    context = server_context(ca_file)
    if context is None:
        from requests.utils import DEFAULT_CA_BUNDLE_PATH

        context = _context()
        context.load_verify_locations(DEFAULT_CA_BUNDLE_PATH)
    return context


def _context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # A name counts where RFC 9525 has it, in subjectAltName; OpenSSL would go on to look for it in the subject.
    context.hostname_checks_common_name = False
    context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN
    return context


def _trust(context: ssl.SSLContext, block: Block, what: str) -> None:
    try:
        context.load_verify_locations(cadata=block.der() or b"")
    except (ssl.SSLError, ValueError):
        reason = block.fault or f"the certificate on line {block.line} cannot be read"
        raise ConfigError(f"{what} is damaged: {reason}", setting="ca_file", hint=_WANTED) from None


def _certificates(path: str, what: str) -> list[Block]:
    data = read_plain(path, what, "ca_file")
    blocks = read_blocks(data)
    found = [block for block in blocks if block.label in CERTIFICATES]
    if not found:
        keys = any(block.is_private_key for block in blocks)
        reason = "holds a private key, and no certificate" if keys else "holds no certificate in PEM"
        raise ConfigError(f"{what} {reason}", setting="ca_file", hint=converting(data, path, keys=False) or _WANTED)
    return found


def converting(data: bytes, path: str, *, keys: bool = True) -> str | None:
    """Return how to make PEM of what is in a file, where it is of another known form.

    Without `keys` it is told how to get the certificates of the authorities alone out of a PKCS#12.
    """
    if data[:1] != b"\x30":
        return None
    files = f"-in {shlex.quote(path)} -out {shlex.quote(path + '.pem')}"
    # What follows the outermost tag and length: a PKCS#12 begins with its version, a PKCS#7 with its type.
    inner = data[2 + (data[1] & 0x7F if data[1:2] >= b"\x80" else 0) :]
    if inner.startswith(b"\x02\x01\x03"):
        what = "" if keys else "-cacerts -nokeys "
        return f"it is a PKCS#12; make PEM of it: openssl pkcs12 {_legacy(data)}{what}{files}"
    if inner[:1] == b"\x06":
        return f"it is a PKCS#7; make PEM of it: openssl pkcs7 -inform DER -print_certs {files}"
    return f"it is DER; make PEM of it: openssl x509 -inform DER {files}"


def _legacy(data: bytes) -> str:
    from sectigo_iot.pki.pkcs12 import needs_legacy

    return "-legacy " if needs_legacy(data) else ""


def read_plain(path: str, what: str, setting: str) -> bytes:
    """Return what is in a plain file; whatever else stands there does not block. Raises ConfigError.

    `what` says what the file is, for the message.
    """
    try:
        data = _content(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "that is no name of a file"
        raise ConfigError(f"{what} cannot be read: {reason}", setting=setting) from None
    if data is None or len(data) > LARGEST:
        reason = "is no plain file" if data is None else f"is larger than {LARGEST >> 20} MiB"
        raise ConfigError(f"{what} {reason}", setting=setting)
    if not data.strip():
        raise ConfigError(f"{what} is empty", setting=setting)
    return data


def _content(path: str) -> bytes | None:
    # A FIFO would keep us waiting for whoever writes into it.
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return None
        with os.fdopen(os.dup(descriptor), "rb") as file:
            return file.read(LARGEST + 1)
    finally:
        os.close(descriptor)


def tls_error(error: BaseException) -> ssl.SSLError | None:
    """Return what TLS said, out of all that was wrapped around it; None where it said nothing."""
    seen: list[object] = [error]
    for one in seen:
        if isinstance(one, ssl.SSLError):
            return one
        if isinstance(one, BaseException):
            inner = (one.__cause__, one.__context__, getattr(one, "reason", None), *one.args[:1])
            seen += [each for each in inner if isinstance(each, BaseException) and each not in seen]
    return None


def hint_about_trust(error: ssl.SSLCertVerificationError, ca_file: str | None = None) -> str | None:
    """Return what to do about a server's certificate that was not trusted; `ca_file`: what was trusted alone."""
    if error.verify_code in TOO_EARLY:
        return "is the clock of this machine right?"
    if error.verify_code in EXPIRED:
        return "is the clock of this machine right? If it is, the service's operator must renew the certificate"
    if error.verify_code in OTHER_NAMES:
        return "name the service as its certificate does, with --endpoint or SECTIGO_ENDPOINT"
    if error.verify_code not in UNKNOWN_AUTHORITY:
        return None
    if ca_file:
        return f"its authority does not stand in {ca_file}, and nobody else is trusted"
    return "if it has an authority of its own, name a file that holds it with --ca-file or SECTIGO_CA_FILE"


def not_agreed(host: str, error: ssl.SSLError) -> UnreachableError:
    """Return what it means that no TLS is agreed with a host, for another reason than its certificate."""
    reason = (error.reason or "it was broken off").lower().replace("_", " ")
    hint = "does the service speak https there? The emulator speaks http"
    if "VERSION" in (error.reason or "") or "PROTOCOL" in (error.reason or ""):
        hint = "the service must speak TLS 1.2 or newer"
    return UnreachableError(f"{host} cannot be reached: no TLS is agreed ({reason})", hint=hint)
