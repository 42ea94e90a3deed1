"""What must be true of a certificate before its files are written."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from cryptography import x509

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.certificates import IssuedCertificate
from sectigo_iot.pki.chain import display_name, is_self_signed
from sectigo_iot.pki.verification import date_faults, verify_path

_HINT = "name the certificate that is lacking with --root FILE, or take it as it is with --allow-incomplete"


class Proof(NamedTuple):
    """That a chain verifies: what in it is out of date, and whether it ends before a root."""

    out_of_date: tuple[str, ...]
    incomplete: bool


def prove(
    issued: IssuedCertificate, roots: Sequence[x509.Certificate], at: datetime, *, allow_incomplete: bool
) -> Proof:
    """Prove the chain of a certificate as `IssuedCertificate.verify` does.

    What is out of date at the time `at` (aware) is proven for the time next to it at which the whole chain is in
    date: its owner may need the key. Without trusted `roots` the chain's own root stands for itself. With
    `allow_incomplete` a chain without a root is taken as far as it goes. Raises `BundleError`.
    """
    path = (issued.leaf, *issued.chain)
    incomplete = not is_self_signed(path[-1])
    if incomplete and not roots and not allow_incomplete:
        raise BundleError(f"the chain is incomplete: {_lacking(path[-1])}", hint=_HINT)
    anchors = roots or (issued.chain[-1:] if incomplete else [*filter(is_self_signed, (path[-1], *issued.others))])
    return Proof(_verified(issued, anchors, at), incomplete)


def _lacking(last: x509.Certificate) -> str:
    return f"it lacks the issuer of {display_name(last)!r}, {last.issuer.rfc4514_string()!r}"


def _verified(issued: IssuedCertificate, anchors: Sequence[x509.Certificate], at: datetime) -> tuple[str, ...]:
    """Return what is out of date. A certificate alone, without any other, has nothing to be proven by."""
    path, known = (issued.leaf, *issued.chain), (*issued.chain, *issued.others)
    try:
        if anchors:
            verify_path(issued.leaf, known, anchors, at=at)
        return tuple(fault for one in path[:1] for fault in date_faults(one, at))
    except BundleError:
        faults = tuple(fault for one in path for fault in date_faults(one, at))
        if not faults:
            raise
        verify_path(issued.leaf, known, anchors, at=_in_date(path, at))
        return faults


def _in_date(path: Sequence[x509.Certificate], at: datetime) -> datetime:
    start = max(certificate.not_valid_before_utc for certificate in path)
    end = min(certificate.not_valid_after_utc for certificate in path)
    return min(max(at, start), end)
