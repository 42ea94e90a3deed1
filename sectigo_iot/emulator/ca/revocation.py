"""What the CA says about its certificates: revocation lists (CRL) and the answers of an OCSP responder."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509 import ocsp

from sectigo_iot.emulator.ca.authority import DIGEST, Signer, authority_key
from sectigo_iot.reasons import CRLReason

VALIDITY = timedelta(days=1)
"""How long a list or an answer may be relied on."""

Lookup = Callable[[Signer, int], "tuple[float | None, CRLReason | None] | None"]
"""Tells of a CA and a serial number when and why it was revoked; None if the CA never issued it."""

_ALGORITHMS = ("sha1", "sha224", "sha256", "sha384", "sha512")

_FLAGS = {
    CRLReason.unspecified: x509.ReasonFlags.unspecified,
    CRLReason.keyCompromise: x509.ReasonFlags.key_compromise,
    CRLReason.cACompromise: x509.ReasonFlags.ca_compromise,
    CRLReason.affiliationChanged: x509.ReasonFlags.affiliation_changed,
    CRLReason.superseded: x509.ReasonFlags.superseded,
    CRLReason.cessationOfOperation: x509.ReasonFlags.cessation_of_operation,
    CRLReason.certificateHold: x509.ReasonFlags.certificate_hold,
    CRLReason.removeFromCRL: x509.ReasonFlags.remove_from_crl,
    CRLReason.privilegeWithdrawn: x509.ReasonFlags.privilege_withdrawn,
    CRLReason.aACompromise: x509.ReasonFlags.aa_compromise,
}


def make_crl(signer: Signer, number: int, revoked: Iterable[tuple[int, float, CRLReason]], now: float) -> bytes:
    """Return a revocation list in DER: serial number, time and reason of each certificate.

    As RFC 5280 asks, `unspecified` is said by leaving the reason out.
    """
    update = _moment(now)
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(signer.certificate.subject)
        .last_update(update)
        .next_update(update + VALIDITY)
        .add_extension(authority_key(signer.certificate), critical=False)
        .add_extension(x509.CRLNumber(number), critical=False)
    )
    for serial, time, reason in revoked:
        builder = builder.add_revoked_certificate(_entry(serial, time, reason))
    return builder.sign(signer.key, DIGEST).public_bytes(serialization.Encoding.DER)


class Responder:
    """Answers OCSP requests about what some CAs issued."""

    def __init__(self, signers: Iterable[Signer]) -> None:
        self._signers = {names: signer for signer in signers for names in _names_of(signer)}

    def answer(self, request: bytes, lookup: Lookup, now: float) -> bytes:
        """Return the answer in DER, signed by the CA asked about; never raises for a bad request."""
        try:
            asked = ocsp.load_der_ocsp_request(request)
            names = (asked.hash_algorithm.name, asked.issuer_name_hash, asked.issuer_key_hash)
            nonce = _nonce(asked)
        except (ValueError, TypeError, NotImplementedError, UnsupportedAlgorithm, x509.DuplicateExtension):
            return _unsuccessful(ocsp.OCSPResponseStatus.MALFORMED_REQUEST)
        signer = self._signers.get(names)
        if signer is None:
            return _unsuccessful(ocsp.OCSPResponseStatus.UNAUTHORIZED)
        builder = _answered(asked, lookup(signer, asked.serial_number), _moment(now))
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer.certificate)
        if nonce is not None:
            builder = builder.add_extension(nonce, critical=False)
        return builder.sign(signer.key, DIGEST).public_bytes(serialization.Encoding.DER)


def _entry(serial: int, time: float, reason: CRLReason) -> x509.RevokedCertificate:
    builder = x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(_moment(time))
    if reason is not CRLReason.unspecified:
        builder = builder.add_extension(x509.CRLReason(_FLAGS[reason]), critical=False)
    return builder.build()


def _answered(
    asked: ocsp.OCSPRequest, found: tuple[float | None, CRLReason | None] | None, now: datetime
) -> ocsp.OCSPResponseBuilder:
    revoked, reason = (None, None) if found is None else found
    status = ocsp.OCSPCertStatus.GOOD if revoked is None else ocsp.OCSPCertStatus.REVOKED
    return ocsp.OCSPResponseBuilder().add_response_by_hash(
        asked.issuer_name_hash,
        asked.issuer_key_hash,
        asked.serial_number,
        asked.hash_algorithm,
        ocsp.OCSPCertStatus.UNKNOWN if found is None else status,
        now,
        now + VALIDITY,
        None if revoked is None else _moment(revoked),
        None if reason in (None, CRLReason.unspecified) else _FLAGS[reason],
    )


def _names_of(signer: Signer) -> Iterator[tuple[str, bytes, bytes]]:
    """The ways in which a request can name a CA: a hash algorithm, the hash of its name, that of its key."""
    name, key = signer.certificate.subject.public_bytes(), _key_bits(signer)
    for algorithm in _ALGORITHMS:
        yield algorithm, _hashed(algorithm, name), _hashed(algorithm, key)


def _hashed(algorithm: str, data: bytes) -> bytes:
    # A name is looked up here, nothing secured: a machine that forbids SHA-1 must not refuse it.
    return hashlib.new(algorithm, data, usedforsecurity=False).digest()


def _key_bits(signer: Signer) -> bytes:
    # OCSP hashes the key's bit string alone, without what says which algorithm the key is for.
    key = signer.key.public_key()
    if isinstance(key, rsa.RSAPublicKey):
        return key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.PKCS1)
    return key.public_bytes(serialization.Encoding.X962, serialization.PublicFormat.UncompressedPoint)


def _nonce(asked: ocsp.OCSPRequest) -> x509.OCSPNonce | None:
    try:
        return asked.extensions.get_extension_for_class(x509.OCSPNonce).value
    except x509.ExtensionNotFound:
        return None


def _unsuccessful(status: ocsp.OCSPResponseStatus) -> bytes:
    return ocsp.OCSPResponseBuilder.build_unsuccessful(status).public_bytes(serialization.Encoding.DER)


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(int(seconds), UTC)
