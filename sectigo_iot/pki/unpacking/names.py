"""By what name a certificate is put in place."""

from __future__ import annotations

import re

from sectigo_iot.pki.certificates import IssuedCertificate

_LONGEST = 100


def folder_name(issued: IssuedCertificate) -> str:
    """Return the name of a certificate as a folder may have it: that of its entry, where it has one, else its own.

    `*.example.com` becomes `_.example.com`, by the rule of `write_zip`, so that a certificate is found under the name
    of its request.
    """
    return _safe(issued.name) or _safe(next(iter([*issued.dns_names, issued.common_name]))) or "certificate"


def _safe(name: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]", "_", name)[:_LONGEST].lstrip(".-")
