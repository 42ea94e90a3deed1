"""Certification paths (RFC 5280, section 6): putting certificates in order, and proving what the order says."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from itertools import pairwise
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.x509.oid import ExtensionOID, NameOID

from sectigo_iot.errors import BundleError

_Extension = TypeVar("_Extension", bound=x509.ExtensionType)
_WEAK_HASHES = ("md5", "sha1")
# Critical extensions that are acted upon here, or that do not bear on whether the path holds.
_UNDERSTOOD = (
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.CERTIFICATE_POLICIES,
)


def order_chain(leaf: x509.Certificate, others: Iterable[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    """The issuers of `leaf` among `others`, each one the issuer of the one before, as far as they go.

    The order is derived from names and signatures. What does not belong to the path is left out.
    """
    remaining = [other for other in others if other != leaf]
    path: list[x509.Certificate] = []
    current = leaf
    while not is_self_signed(current):
        issuer = next((other for other in remaining if is_issued_by(current, other)), None)
        if issuer is None:
            break
        remaining = [other for other in remaining if other != issuer]
        path.append(issuer)
        current = issuer
    return tuple(path)


def is_issued_by(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Whether `issuer` bears the issuer's name and its key fits the signature."""
    if certificate.issuer != issuer.subject:
        return False
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


def is_self_signed(certificate: x509.Certificate) -> bool:
    """Whether the certificate is its own issuer."""
    return is_issued_by(certificate, certificate)


def is_authority(certificate: x509.Certificate) -> bool:
    """Whether basicConstraints say CA:TRUE."""
    constraints = extension_of(certificate, x509.BasicConstraints)
    return constraints is not None and constraints.ca


def display_name(certificate: x509.Certificate) -> str:
    """The common name of the subject, or the whole subject where it has none."""
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def dns_names(certificate: x509.Certificate) -> tuple[str, ...]:
    """The dNSNames of the subjectAltName, in order."""
    names = extension_of(certificate, x509.SubjectAlternativeName)
    return () if names is None else tuple(names.get_values_for_type(x509.DNSName))


def verify_path(
    leaf: x509.Certificate,
    chain: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    *,
    at: datetime,
    name: str | None = None,
) -> None:
    """Prove that one of `roots` stands behind `leaf` by way of `chain` at the time `at` (aware).

    Checked are: names and signatures (neither MD5 nor SHA-1), validity, CA:TRUE, pathLenConstraint, keyCertSign, and,
    when `name` is given, that a dNSName of the leaf fits it (RFC 9525: one `*` may stand for the first label).
    A critical extension that is not acted upon here, such as nameConstraints, is refused. Revocation and extended
    key usage are not looked at. Raises `BundleError` that says which certificate fails, and why.
    """
    path = _anchored((leaf, *chain), roots)
    for certificate in path:
        _check_certificate(certificate, at)
    for child, issuer in pairwise(path):
        _check_signature(child, issuer)
    for below, authority in enumerate(path[1:]):
        _check_authority(authority, below)
    if name is not None and not any(_fits(pattern, name) for pattern in dns_names(leaf)):
        raise BundleError(f"the certificate {display_name(leaf)!r} is not for the name {name!r}")


def _anchored(path: tuple[x509.Certificate, ...], roots: Sequence[x509.Certificate]) -> tuple[x509.Certificate, ...]:
    for index, certificate in enumerate(path):
        if certificate in roots:
            return path[: index + 1]
        for root in roots:
            if is_issued_by(certificate, root):
                return (*path[: index + 1], root)
    last = path[-1]
    raise BundleError(f"the chain ends at {display_name(last)!r}, which none of the given roots has issued")


def _check_certificate(certificate: x509.Certificate, at: datetime) -> None:
    name = display_name(certificate)
    if at < certificate.not_valid_before_utc:
        raise BundleError(
            f"the certificate {name!r} is not valid before {certificate.not_valid_before_utc:%F %T} UTC"
        )
    if at > certificate.not_valid_after_utc:
        raise BundleError(f"the certificate {name!r} expired on {certificate.not_valid_after_utc:%F %T} UTC")
    for extension in _extensions(certificate):
        if extension.critical and extension.oid not in _UNDERSTOOD:
            raise BundleError(
                f"the certificate {name!r} has a critical extension that is not checked here: "
                f"{extension.oid.dotted_string}"
            )


def _check_signature(child: x509.Certificate, issuer: x509.Certificate) -> None:
    algorithm = child.signature_hash_algorithm
    if algorithm is not None and algorithm.name in _WEAK_HASHES:
        raise BundleError(f"the certificate {display_name(child)!r} is signed with {algorithm.name.upper()}")
    if not is_issued_by(child, issuer):
        raise BundleError(f"{display_name(issuer)!r} did not issue the certificate {display_name(child)!r}")


def _check_authority(authority: x509.Certificate, below: int) -> None:
    """`below` is the number of authorities between this one and the leaf."""
    name = display_name(authority)
    constraints = extension_of(authority, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        raise BundleError(f"the certificate {name!r} has issued another, and is no CA")
    if constraints.path_length is not None and below > constraints.path_length:
        raise BundleError(f"the CA {name!r} allows {constraints.path_length} authorities below it, not {below}")
    usage = extension_of(authority, x509.KeyUsage)
    if usage is not None and not usage.key_cert_sign:
        raise BundleError(f"the CA {name!r} may not sign certificates (keyUsage)")


def _fits(pattern: str, name: str) -> bool:
    pattern, name = pattern.lower().rstrip("."), name.lower().rstrip(".")
    if pattern.startswith("*."):
        return "." in name and name.split(".", 1)[1] == pattern[2:]
    return pattern == name


def _extensions(certificate: x509.Certificate) -> x509.Extensions:
    try:
        return certificate.extensions
    except (ValueError, x509.DuplicateExtension) as fault:
        raise BundleError(f"the extensions of the certificate {display_name(certificate)!r} are damaged") from fault


def extension_of(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """The value of an extension, or None. Raises `BundleError` when the extensions are damaged."""
    try:
        return _extensions(certificate).get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
