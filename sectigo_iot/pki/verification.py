"""Proving a certification path (RFC 5280, section 6): `cryptography` decides, and here a refusal gets a reason.

It takes `cryptography` 49: before, wildcard names slip through nameConstraints (46.0.6 mended only the excluded).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import NoReturn

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, ExtensionOID, ObjectIdentifier
from cryptography.x509.verification import (
    Criticality,
    ExtensionPolicy,
    Policy,
    PolicyBuilder,
    ServerVerifier,
    Store,
    VerificationError,
)

from sectigo_iot.errors import BundleError, clean
from sectigo_iot.pki.chain import (
    WEAK_SIGNATURES,
    display_name,
    extension_of,
    extensions_of,
    find_path,
    is_self_signed,
)

_LEAST_RSA_BITS = 2048
_PURPOSES = {ExtendedKeyUsageOID.CLIENT_AUTH: "clients", ExtendedKeyUsageOID.SERVER_AUTH: "servers"}
_CHECKED_NAMES = (x509.DNSName, x509.IPAddress)
_UNDERSTOOD = (
    ExtensionOID.AUTHORITY_INFORMATION_ACCESS,
    ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.BASIC_CONSTRAINTS,
    ExtensionOID.EXTENDED_KEY_USAGE,
    ExtensionOID.KEY_USAGE,
    ExtensionOID.NAME_CONSTRAINTS,
    ExtensionOID.SUBJECT_ALTERNATIVE_NAME,
    ExtensionOID.SUBJECT_KEY_IDENTIFIER,
)


def verify_path(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    *,
    at: datetime,
    name: str | None = None,
) -> None:
    """Prove that one of `roots` stands behind `leaf`, by way of any of `others`, at the time `at` (aware).

    One path that holds is enough, of at most eight CAs between leaf and root. Checked by `cryptography` are: X.509
    v3, names and signatures (SHA-2; RSA, or ECDSA on a NIST curve), validity (the root's too), CA:TRUE,
    pathLenConstraint, the size of the CAs' RSA keys, and nameConstraints on DNS names and IP addresses, critical or
    not. Checked here are: the leaf's RSA key (2048 bits are the least), keyCertSign where a CA has a keyUsage, and
    that every extendedKeyUsage on the path allows TLS servers when `name` is given, and else either TLS clients or
    TLS servers. A dNSName of the leaf must fit `name`, and `*` may stand for the whole first label (RFC 9525);
    neither the common name nor an IP address counts, and a name with a `_` or beyond ASCII fits nothing.

    Refused for being unchecked are nameConstraints on names of other kinds, and every other critical extension,
    certificate policies among them. Not looked at: revocation, the leaf's keyUsage and whether it is a CA itself, key
    identifiers, and policies. Raises `BundleError` that says which certificate fails, and why.
    """
    for fault in _key_faults(leaf):
        raise BundleError(fault)
    purposes = _purposes(leaf) if name is None else [ExtendedKeyUsageOID.SERVER_AUTH]
    failures = []
    for purpose in purposes:
        failure = _attempt(leaf, others, roots, at, name, purpose)
        if failure is None:
            return
        failures.append(failure)
    path = find_path(leaf, (*others, *roots), roots.__contains__, at)
    for fault in _faults(path, roots, at):
        raise BundleError(fault)
    if name is not None and _attempt(leaf, others, roots, at, None, purposes[0]) is None:
        raise _wrong_name(leaf, name)
    raise BundleError(failures[0])


def _purposes(leaf: x509.Certificate) -> list[ObjectIdentifier]:
    usage = extension_of(leaf, x509.ExtendedKeyUsage)
    return [purpose for purpose in _PURPOSES if _allows(usage, purpose)] or list(_PURPOSES)


def _allows(usage: x509.ExtendedKeyUsage | None, purpose: ObjectIdentifier) -> bool:
    return usage is None or purpose in usage or ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE in usage


def _attempt(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    roots: Sequence[x509.Certificate],
    at: datetime,
    name: str | None,
    purpose: ObjectIdentifier,
) -> str | None:
    """What stands against it, or None."""
    rules = _Rules(purpose)
    ca, end = rules.for_authorities(), rules.for_leaf(named=name is not None)
    builder = PolicyBuilder().store(Store(list(roots))).time(at).extension_policies(ca_policy=ca, ee_policy=end)
    verifier = builder.build_client_verifier() if name is None else _server_verifier(builder, leaf, name)
    try:
        verifier.verify(leaf, list(others))
    except VerificationError as fault:
        return rules.refusal or f"the certificate {display_name(leaf)!r} does not verify: {clean(str(fault))}"
    return None


def _server_verifier(builder: PolicyBuilder, leaf: x509.Certificate, name: str) -> ServerVerifier:
    host = name.removesuffix(".")
    # An IP address would be taken for a DNS name, and `*.2.3.4` for a pattern that fits it.
    if host.rpartition(".")[2].isdigit():
        raise _wrong_name(leaf, name)
    try:
        return builder.build_server_verifier(x509.DNSName(host))
    except ValueError:
        raise _wrong_name(leaf, name) from None


class _Rules:
    """What extensions must say. The first refusal is kept: what `cryptography` raises tells of the last one only."""

    def __init__(self, purpose: ObjectIdentifier) -> None:
        self.purpose = purpose
        self.refusal = ""

    def for_authorities(self) -> ExtensionPolicy:
        return (
            ExtensionPolicy.permit_all()
            .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)
            .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, self._key_usage)
            .may_be_present(x509.NameConstraints, Criticality.AGNOSTIC, self._name_constraints)
            .may_be_present(x509.ExtendedKeyUsage, Criticality.AGNOSTIC, self._extended_key_usage)
        )

    def for_leaf(self, *, named: bool) -> ExtensionPolicy:
        policy = ExtensionPolicy.permit_all().may_be_present(
            x509.ExtendedKeyUsage, Criticality.AGNOSTIC, self._extended_key_usage
        )
        if not named:
            return policy
        return policy.require_present(x509.SubjectAlternativeName, Criticality.AGNOSTIC, None)

    def _key_usage(self, _: Policy, authority: x509.Certificate, value: x509.KeyUsage | None) -> None:
        if value is not None and not value.key_cert_sign:
            self._refuse(f"the CA {display_name(authority)!r} may not sign certificates (keyUsage)")

    def _name_constraints(self, _: Policy, authority: x509.Certificate, value: x509.NameConstraints | None) -> None:
        bases = () if value is None else (*(value.permitted_subtrees or ()), *(value.excluded_subtrees or ()))
        if not all(isinstance(base, _CHECKED_NAMES) for base in bases):
            self._refuse(f"the CA {display_name(authority)!r} has nameConstraints of a kind that is not checked here")

    def _extended_key_usage(
        self, _: Policy, certificate: x509.Certificate, value: x509.ExtendedKeyUsage | None
    ) -> None:
        if not _allows(value, self.purpose):
            whom = _PURPOSES[self.purpose]
            self._refuse(f"the certificate {display_name(certificate)!r} is not for TLS {whom} (extendedKeyUsage)")

    def _refuse(self, why: str) -> NoReturn:
        self.refusal = self.refusal or why
        raise ValueError(why)


def _faults(path: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], at: datetime) -> Iterator[str]:
    """What can be told of the best path in words better than the verifier's, the most telling first."""
    # First, for an issuer is not found by a signature whose hash is not even computed.
    for certificate in path:
        yield from _signature_faults(certificate)
    if path[-1] not in roots:
        issuer = path[-1].issuer.rfc4514_string()
        yield (
            f"the chain ends at {display_name(path[-1])!r}, which none of the given roots has issued "
            f"(it names {issuer!r} as its issuer)"
        )
    for certificate in path:
        yield from date_faults(certificate, at)
        yield from _key_faults(certificate)
        yield from _extension_faults(certificate)
    for below, authority in enumerate(path[1:]):
        yield from _authority_faults(authority, below)


def date_faults(certificate: x509.Certificate, at: datetime) -> Iterator[str]:
    """Yield in words why the certificate is out of date at the time `at` (aware), if it is."""
    start, end = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if at < start:
        yield f"the certificate {display_name(certificate)!r} is not valid before {start:%F %T} UTC"
    if at > end:
        yield f"the certificate {display_name(certificate)!r} expired on {end:%F %T} UTC"


def _key_faults(certificate: x509.Certificate) -> Iterator[str]:
    name = display_name(certificate)
    try:
        key = certificate.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield f"the key of the certificate {name!r} is of an unknown kind or damaged"
        return
    if isinstance(key, rsa.RSAPublicKey) and key.key_size < _LEAST_RSA_BITS:
        yield f"the certificate {name!r} has an RSA key of {key.key_size} bits, and {_LEAST_RSA_BITS} are the least"


def _signature_faults(certificate: x509.Certificate) -> Iterator[str]:
    weak = WEAK_SIGNATURES.get(certificate.signature_algorithm_oid)
    if weak is not None and not is_self_signed(certificate):
        yield f"the certificate {display_name(certificate)!r} is signed with {weak}"


def _extension_faults(certificate: x509.Certificate) -> Iterator[str]:
    for extension in extensions_of(certificate):
        if extension.critical and extension.oid not in _UNDERSTOOD:
            yield (
                f"the certificate {display_name(certificate)!r} has a critical extension that is not checked here: "
                f"{extension.oid.dotted_string}"
            )


def _authority_faults(authority: x509.Certificate, below: int) -> Iterator[str]:
    """`below` is the number of authorities between this one and the leaf."""
    constraints = extension_of(authority, x509.BasicConstraints)
    if constraints is None or not constraints.ca:
        yield f"the certificate {display_name(authority)!r} has issued another, and is no CA"
    elif constraints.path_length is not None and below > constraints.path_length:
        yield f"the CA {display_name(authority)!r} allows {constraints.path_length} authorities below it, not {below}"


def _wrong_name(leaf: x509.Certificate, name: str) -> BundleError:
    return BundleError(f"the certificate {display_name(leaf)!r} is not for the name {name!r}")
