"""The signing request of an order, read once: it is looked at when it is sent, and when its certificate comes."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sectigo_iot.pki import CertificateRequest

_KEPT = 256
"""More than the orders that are under way at once in a process."""


@functools.lru_cache(maxsize=_KEPT)
def requests_in(csr: bytes) -> tuple[CertificateRequest, ...]:
    """Return what stands in the signing request of an order. Raises InvalidRequestError with every fault."""
    from sectigo_iot.pki import read_requests

    return tuple(read_requests(csr, "its signing request"))
