"""Certificate revocation lists (RFC 5280, section 5): what to believe of one."""

from __future__ import annotations

from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from sectigo_iot.errors import InvalidReplyError
from sectigo_iot.pki.chain import extension_of, is_authority
from sectigo_iot.pki.status import WEAK_HASHES, RevocationStatus, check_fresh, first_http


def crl_url(certificate: x509.Certificate) -> str:
    """The URL of the CRL that the certificate names. Raises `BundleError` when it names none."""
    return first_http(_places(certificate), "CRL")


def read_crl(
    body: bytes, subject: x509.Certificate, authority: x509.Certificate, source: str, now: datetime
) -> RevocationStatus:
    """What a CRL says about `subject`, believed only if `authority` itself signed it and it counts at `now`.

    `source` is the URL asked. Raises `InvalidReplyError` when it is no CRL, is partial, or cannot be believed.
    """
    try:
        crl = x509.load_pem_x509_crl(body) if body.startswith(b"-----") else x509.load_der_x509_crl(body)
        _check_scope(crl, subject)
        _check_signature(crl, authority)
        check_fresh(crl.last_update_utc, crl.next_update_utc, now, "CRL")
        entry = crl.get_revoked_certificate_by_serial_number(subject.serial_number)
        reason = None if entry is None else _entry_reason(entry)
    except (ValueError, UnsupportedAlgorithm) as fault:
        raise InvalidReplyError(f"the answer from {source} is not a CRL") from fault
    if entry is None:
        return RevocationStatus("good", None, None, source, crl.last_update_utc)
    return RevocationStatus("revoked", reason, entry.revocation_date_utc, source, crl.last_update_utc)


def _check_signature(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> None:
    algorithm = crl.signature_hash_algorithm
    if algorithm is not None and algorithm.name in WEAK_HASHES:
        raise InvalidReplyError(f"the CRL is signed with {algorithm.name.upper()}")
    if crl.issuer != authority.subject or not _is_signed_by(crl, authority):
        raise InvalidReplyError("the CRL is not signed by the issuer")
    usage = extension_of(authority, x509.KeyUsage)
    if usage is not None and not usage.crl_sign:
        raise InvalidReplyError("the issuer may not sign CRLs (keyUsage)")


def _is_signed_by(crl: x509.CertificateRevocationList, authority: x509.Certificate) -> bool:
    key = authority.public_key()
    if not isinstance(key, (rsa.RSAPublicKey, ec.EllipticCurvePublicKey, ed25519.Ed25519PublicKey)):
        return False
    return crl.is_signature_valid(key)


def _check_scope(crl: x509.CertificateRevocationList, subject: x509.Certificate) -> None:
    for extension in crl.extensions:
        point = extension.value
        if isinstance(point, x509.IssuingDistributionPoint):
            covered = _covers(point, subject)
        else:
            covered = not extension.critical
        if not covered:
            raise InvalidReplyError("the CRL covers only a part of what the issuer has revoked")


def _covers(point: x509.IssuingDistributionPoint, subject: x509.Certificate) -> bool:
    """RFC 5280, section 6.3.3 (b): whether a CRL of this scope can hold the certificate, for every reason."""
    if point.only_contains_attribute_certs or point.indirect_crl or point.only_some_reasons or point.relative_name:
        return False
    if point.only_contains_user_certs if is_authority(subject) else point.only_contains_ca_certs:
        return False
    return point.full_name is None or not set(_places(subject)).isdisjoint(point.full_name)


def _places(certificate: x509.Certificate) -> list[x509.GeneralName]:
    points = extension_of(certificate, x509.CRLDistributionPoints)
    return [place for point in points or () for place in point.full_name or ()]


def _entry_reason(entry: x509.RevokedCertificate) -> str | None:
    try:
        return entry.extensions.get_extension_for_class(x509.CRLReason).value.reason.value
    except x509.ExtensionNotFound:
        return None
