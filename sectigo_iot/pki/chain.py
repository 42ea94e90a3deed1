"""Certification paths: putting certificates in order, and what the parts of a path say of themselves."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from functools import lru_cache
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import NameOID, SignatureAlgorithmOID

from sectigo_iot.errors import BundleError

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_LONGEST = 10
_REMEMBERED = 256
"""Authorities, and links between two certificates: they are asked for again with every leaf of a batch."""
WEAK_SIGNATURES = {
    SignatureAlgorithmOID.RSA_WITH_MD5: "MD5",
    SignatureAlgorithmOID.RSA_WITH_SHA1: "SHA1",
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: "SHA1",
}


def order_chain(
    leaf: x509.Certificate, others: Iterable[x509.Certificate], at: datetime | None = None
) -> tuple[x509.Certificate, ...]:
    """The issuers of `leaf` among `others`, each one the issuer of the one before, as far as they go.

    The order is derived from names and signatures. Where several certificates fit, a way that ends at a self-signed
    one is taken before one that does not, a way valid at the time `at` (aware; now, if None) before one that is not,
    and at each step what is valid longest, the self-signed last. What does not belong to that way is left out, and
    what follows the tenth certificate.
    """
    moment = datetime.now(UTC) if at is None else at
    return find_path(leaf, others, is_self_signed, moment)[1:]


def find_path(
    leaf: x509.Certificate,
    others: Iterable[x509.Certificate],
    is_end: Callable[[x509.Certificate], bool],
    at: datetime,
) -> tuple[x509.Certificate, ...]:
    """The best way from `leaf` by its issuers to one that `is_end`; or as far as the best issuers lead."""
    pool = sorted(map(_first_seen, dict.fromkeys(others)), key=lambda one: _preference(one, at))
    valid = [one for one in pool if is_valid(one, at)]
    return _search((leaf,), valid, is_end, set()) or _search((leaf,), pool, is_end, set()) or _as_far_as(leaf, pool)


@lru_cache(maxsize=_REMEMBERED)
def _first_seen(authority: x509.Certificate) -> x509.Certificate:
    """Return the object for these bytes that came first: what it has found out of itself, such as names, it keeps."""
    return authority


def _preference(certificate: x509.Certificate, at: datetime) -> tuple[bool, bool, float]:
    longest = -certificate.not_valid_after_utc.timestamp()
    return not is_valid(certificate, at), is_self_signed(certificate), longest


def _search(
    path: tuple[x509.Certificate, ...],
    pool: Sequence[x509.Certificate],
    is_end: Callable[[x509.Certificate], bool],
    seen: set[x509.Certificate],
) -> tuple[x509.Certificate, ...]:
    if is_end(path[-1]):
        return path
    # What led nowhere once leads nowhere again: without this, crossed certificates cost exponential time.
    seen.add(path[-1])
    if len(path) < _LONGEST:
        for issuer in pool:
            if issuer not in seen and is_issued_by(path[-1], issuer):
                found = _search((*path, issuer), pool, is_end, seen)
                if found:
                    return found
    return ()


def _as_far_as(leaf: x509.Certificate, pool: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    path = [leaf]
    while len(path) < _LONGEST:
        issuer = next((one for one in pool if one not in path and is_issued_by(path[-1], one)), None)
        if issuer is None:
            break
        path.append(issuer)
    return tuple(path)


def is_valid(certificate: x509.Certificate, at: datetime) -> bool:
    """Whether the validity includes the time `at` (aware)."""
    return certificate.not_valid_before_utc <= at <= certificate.not_valid_after_utc


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` bears the issuer's name and its key fits the signature; not where a name cannot be read."""
    try:
        if certificate.issuer != issuer.subject:
            return False
        _prove_link(certificate, issuer)
    except (ValueError, KeyError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


@lru_cache(maxsize=_REMEMBERED)
def _prove_link(certificate: x509.Certificate, issuer: x509.Certificate) -> None:
    """Check names and signature. What holds is remembered, by the bytes of both, and it holds for ever.

    What fails is raised, and so is not remembered: a signal that strikes in here makes a signature fail that holds.
    """
    certificate.verify_directly_issued_by(issuer)


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether the certificate is its own issuer.

    The names alone tell where the signature is by MD5 or SHA-1, as on old roots, for that is not checked any more.
    """
    try:
        if certificate.issuer != certificate.subject:
            return False
    except (ValueError, KeyError):
        return False
    return certificate.signature_algorithm_oid in WEAK_SIGNATURES or is_issued_by(certificate, certificate)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints say CA:TRUE."""
    constraints = extension_of(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def check_readable(certificates: Iterable[x509.Certificate]) -> None:
    """Raise `BundleError` where names or extensions of a certificate are damaged: they are read when asked for."""
    for certificate in certificates:
        try:
            _ = certificate.subject, certificate.issuer
        except (ValueError, KeyError):
            # The latter is `cryptography` 49's.
            raise BundleError(f"a name in the certificate {display_name(certificate)!r} is damaged") from None
        extensions_of(certificate)


def display_name(certificate: x509.Certificate) -> str:
    """The common name of the subject, or the whole subject where it has none."""
    try:
        names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        return str(names[0].value) if names else certificate.subject.rfc4514_string()
    except ValueError:
        return "a subject that cannot be read"


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The dNSNames of the subjectAltName, in order."""
    names = extension_of(certificate, x509.SubjectAlternativeName)
    return () if names is None else tuple(names.get_values_for_type(x509.DNSName))


def extensions_of(certificate: x509.Certificate) -> x509.Extensions:
    """Every extension. Raises `BundleError` when they are damaged."""
    try:
        return certificate.extensions
    except (ValueError, x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as fault:
        raise BundleError(f"the extensions of the certificate {display_name(certificate)!r} are damaged") from fault


def extension_of(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The value of an extension, or None. Raises `BundleError` when the extensions are damaged."""
    try:
        return extensions_of(certificate).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
