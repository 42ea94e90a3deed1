"""What an issuer says about a certificate, and how long it counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal
from urllib.parse import urlsplit

from cryptography import x509

from sectigo_iot.errors import BundleError, InvalidReplyError

# Clocks differ; and an answer that names no next update is taken for this long.
CLOCK_SKEW = timedelta(minutes=5)
LONGEST_WITHOUT_NEXT_UPDATE = timedelta(days=7)
# No answer is believed that is signed with these.
WEAK_HASHES = ("md5", "sha1")


@dataclass(frozen=True, slots=True)
class RevocationStatus:
    """What the issuer says: `good`, `revoked`, or `unknown` (an OCSP responder that does not know the certificate).

    `reason` is the name in RFC 5280, section 5.3.1, such as `keyCompromise`; None where none was given. `revoked_at`
    and `produced_at` (of a CRL: its thisUpdate) are aware and in UTC. `source` is the URL that answered.
    """

    status: Literal["good", "revoked", "unknown"]
    reason: str | None
    revoked_at: datetime | None
    source: str
    produced_at: datetime


def check_fresh(since: datetime, until: datetime | None, now: datetime, what: str) -> None:
    """Raise `InvalidReplyError` unless an answer given at `since` counts at `now` (RFC 6960, section 4.2.2.1)."""
    if since > now + CLOCK_SKEW:
        raise InvalidReplyError(f"the {what} is from the future: {since:%F %T} UTC")
    end = since + LONGEST_WITHOUT_NEXT_UPDATE if until is None else until
    if end < now - CLOCK_SKEW:
        raise InvalidReplyError(f"the {what} is stale: it counted until {end:%F %T} UTC")


def first_http(places: Iterable[x509.GeneralName], what: str) -> str:
    """The first http or https URL among the places. Raises `BundleError` when there is none."""
    for place in places:
        if isinstance(place, x509.UniformResourceIdentifier) and urlsplit(place.value).scheme in ("http", "https"):
            return place.value
    raise BundleError(f"the certificate names no {what}", hint="give the URL yourself")
