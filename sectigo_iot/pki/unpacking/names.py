"""By what name a certificate is put in place."""

from __future__ import annotations

from sectigo_iot.pki.bundle import safe_stem
from sectigo_iot.pki.certificates import IssuedCertificate


def folder_name(issued: IssuedCertificate) -> str:
    """Return the name of a certificate as a folder may have it: that of its entry, where it has one, else its own.

    It is made by the rule of `write_zip`, so that a certificate is found under the name of its request.
    """
    return safe_stem(issued.name) or safe_stem(next(iter([*issued.dns_names, issued.common_name]))) or "certificate"
