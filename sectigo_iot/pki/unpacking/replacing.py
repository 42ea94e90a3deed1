"""What a certificate takes the place of: nobody means to lose the key of a server, or to go back to an older one."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path

from cryptography import x509

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.unpacking.staging import Made

_LARGEST = 1 << 20
_CERTIFICATES = ("cert.pem", "cert.der")


def refuse_loss(folder: Path, made: Iterable[Made]) -> None:
    """Refuse a certificate without its private key where the version in force has one. Raises `BundleError`."""
    for each in made:
        name = each.staged.name
        if each.key_source is None and (key := _key_in(folder / name, name)) is not None:
            raise BundleError(
                f"{each.entry}: it comes without a private key, and the version of {name} in force has one, which "
                "would be missing",
                hint=f"name its key with --key; if that is the same as before, --key {key}",
            )


def _key_in(version: Path, name: str) -> Path | None:
    places = (version / each for each in ("privkey.pem", "privkey.der", f"{name}.p12"))
    return next((place for place in places if place.exists()), None)


def begin_of(version: Path | None) -> datetime | None:
    """Return when the certificate of a version becomes valid, None where that cannot be told."""
    if version is None:
        return None
    for name in _CERTIFICATES:
        with contextlib.suppress(OSError, ValueError, x509.InvalidVersion), (version / name).open("rb") as file:
            data = file.read(_LARGEST)
            pem = name.endswith(".pem")
            loaded = x509.load_pem_x509_certificate(data) if pem else x509.load_der_x509_certificate(data)
            return loaded.not_valid_before_utc
    return None
