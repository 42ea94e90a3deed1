"""The verdict on a certificate's chain, from what stands in the files that are inspected together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime

from cryptography import x509

from sectigo_iot.errors import BundleError
from sectigo_iot.pki.chain import WEAK_SIGNATURES, display_name, is_self_signed, is_valid
from sectigo_iot.pki.inspecting.descriptions import ChainState, ChainVerdict
from sectigo_iot.pki.inspecting.issuers import Issuers, has_names
from sectigo_iot.pki.inspecting.naming import key_and_encoding
from sectigo_iot.pki.request_rules import MIN_RSA_BITS
from sectigo_iot.pki.verification import verify_path

_FEW = 10
"""Issuers, and issuers' issuers, among which every way may be tried that leads to an anchor."""
_NAMELESS = ChainVerdict("invalid", "its subject or its issuer cannot be read", (), False)


class Chains:
    """The certificates of all files, the roots that are trusted (None: those among them), and the time (aware)."""

    def __init__(
        self, certificates: Iterable[x509.Certificate], roots: Sequence[x509.Certificate] | None, at: datetime
    ) -> None:
        self._roots = roots
        self._at = at
        self._issuers = Issuers((*certificates, *(roots or ())), roots, at)
        self._judged: dict[x509.Certificate, tuple[ChainVerdict, tuple[x509.Certificate, ...]]] = {}

    def judged(self, certificate: x509.Certificate) -> tuple[ChainVerdict, tuple[x509.Certificate, ...]]:
        """The verdict on its chain, and its issuers in order, as far as they are there."""
        if not has_names(certificate):
            return _NAMELESS, ()
        if certificate not in self._judged:
            self._judged[certificate] = self._judge(certificate)
        return self._judged[certificate]

    def _judge(self, certificate: x509.Certificate) -> tuple[ChainVerdict, tuple[x509.Certificate, ...]]:
        path = self._issuers.path(certificate)
        reached = self._issuers.is_anchor(path[-1])
        state, reason = next(self._faults(path, reached=reached), ("incomplete", self._missing(path)))
        if reached and state == "incomplete":
            state, reason = _good(path, self._roots)
        lenient = self._roots is None and not self._issuers.is_crowded(path[-1])
        holds = state in ("verified", "self-contained") or (state == "incomplete" and lenient)
        return ChainVerdict(state, reason, tuple(display_name(each) for each in path), holds), path[1:]

    def _faults(self, path: Sequence[x509.Certificate], *, reached: bool) -> Iterator[tuple[ChainState, str]]:
        """What speaks against the path, the most telling first; of one that ends too early, against what there is."""
        for certificate in path:
            if not is_valid(certificate, self._at):
                yield _overdue(certificate, self._at)
        if len(path) == 1:
            yield from (("invalid", fault) for fault in _own_faults(path[0]))
            return
        # The last stands in for an anchor that is missing, so that the others are checked all the same.
        others, anchors = path[1:-1], [path[-1]]
        above = self._issuers.above(path[0], _FEW) if reached else ()
        if reached and len(above) <= _FEW:
            others, anchors = above, [*filter(self._issuers.is_anchor, above)]
        try:
            verify_path(path[0], others, anchors, at=self._at)
        except BundleError as error:
            yield "invalid", error.message

    def _missing(self, path: Sequence[x509.Certificate]) -> str:
        name, issuer = display_name(path[-1]), path[-1].issuer.rfc4514_string()
        if self._issuers.is_crowded(path[-1]):
            return f"more certificates bear the name of the issuer of {name!r} than are tried: {issuer}"
        if self._roots is None:
            return f"the issuer of {name!r} is not here: {issuer}"
        return f"none of the given roots has issued {name!r}, whose issuer is {issuer}"


def _overdue(certificate: x509.Certificate, at: datetime) -> tuple[ChainState, str]:
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    name = display_name(certificate)
    if at < start:
        return "not yet valid", f"the certificate {name!r} is not valid before {start:%F %T} UTC"
    return "expired", f"the certificate {name!r} expired on {end:%F %T} UTC"


def _own_faults(certificate: x509.Certificate) -> Iterator[str]:
    """What speaks against a certificate that stands alone."""
    name = display_name(certificate)
    weak = WEAK_SIGNATURES.get(certificate.signature_algorithm_oid)
    # Nobody relies on the signature of an anchor on itself (RFC 5280, section 6.1.1).
    if weak is not None and not is_self_signed(certificate):
        yield f"the certificate {name!r} is signed with {weak}"
    kind, _, bits = key_and_encoding(certificate)[0].partition("-")
    if kind == "RSA" and int(bits) < MIN_RSA_BITS:
        yield f"the certificate {name!r} has an RSA key of {bits} bits, and {MIN_RSA_BITS} are the least"


def _good(path: Sequence[x509.Certificate], roots: Sequence[x509.Certificate] | None) -> tuple[ChainState, str]:
    if roots is not None:
        what = "root" if is_self_signed(path[-1]) else "given certificate"
        return "verified", f"the {what} {display_name(path[-1])!r} stands behind it"
    if len(path) == 1:
        return "self-contained", "it is its own issuer; whether to trust it is another question"
    return "self-contained", f"it leads to {display_name(path[-1])!r}; whether to trust that is another question"
