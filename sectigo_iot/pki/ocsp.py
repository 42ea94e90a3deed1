"""The Online Certificate Status Protocol (RFC 6960): what to ask, and what to believe."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID

from sectigo_iot.errors import BundleError, InvalidReplyError
from sectigo_iot.pki.chain import extension_of, is_issued_by
from sectigo_iot.pki.status import WEAK_HASHES, RevocationStatus, check_fresh, first_http

_STATUSES: dict[ocsp.OCSPCertStatus, Literal["good", "revoked", "unknown"]] = {
    ocsp.OCSPCertStatus.GOOD: "good",
    ocsp.OCSPCertStatus.REVOKED: "revoked",
    ocsp.OCSPCertStatus.UNKNOWN: "unknown",
}


def responder_url(certificate: x509.Certificate) -> str:
    """The URL of the OCSP responder that the certificate names. Raises `BundleError` when it names none."""
    access = extension_of(certificate, x509.AuthorityInformationAccess)
    places = [
        entry.access_location for entry in access or () if entry.access_method == AuthorityInformationAccessOID.OCSP
    ]
    return first_http(places, "OCSP responder")


def build_request(subject: x509.Certificate, authority: x509.Certificate) -> bytes:
    """The OCSP request for one certificate, as DER."""
    # RFC 5019, section 2.1.1: SHA-1 names the issuer here, and responders need not know another hash.
    builder = ocsp.OCSPRequestBuilder().add_certificate(subject, authority, hashes.SHA1())  # noqa: S303
    return builder.build().public_bytes(Encoding.DER)


def read_response(
    body: bytes, subject: x509.Certificate, authority: x509.Certificate, source: str, now: datetime
) -> RevocationStatus:
    """What a response says about `subject`, believed only if `authority` stands behind it and it counts at `now`.

    The signer is `authority`, or holds a certificate from it with the usage OCSPSigning. `source` is the URL asked.
    Raises `InvalidReplyError` when the response is no answer to the question or cannot be believed.
    """
    try:
        response = ocsp.load_der_ocsp_response(body)
        if response.response_status is not ocsp.OCSPResponseStatus.SUCCESSFUL:
            raise InvalidReplyError(f"the OCSP responder refused: {response.response_status.name}")
        _check_responder(response, authority, now)
        answer = _answer_for(response, subject, authority)
    except (ValueError, UnsupportedAlgorithm, BundleError) as fault:
        raise InvalidReplyError(f"the answer from {source} is not an OCSP response") from fault
    check_fresh(answer.this_update_utc, answer.next_update_utc, now, "OCSP response")
    status = _STATUSES[answer.certificate_status]
    reason = answer.revocation_reason
    name = None if reason is None else reason.value
    return RevocationStatus(status, name, answer.revocation_time_utc, source, response.produced_at_utc)


def _answer_for(
    response: ocsp.OCSPResponse, subject: x509.Certificate, authority: x509.Certificate
) -> ocsp.OCSPSingleResponse:
    for answer in response.responses:
        if answer.serial_number == subject.serial_number:
            builder = ocsp.OCSPRequestBuilder().add_certificate(subject, authority, answer.hash_algorithm)
            asked = builder.build()
            if (asked.issuer_name_hash, asked.issuer_key_hash) == (answer.issuer_name_hash, answer.issuer_key_hash):
                return answer
    raise InvalidReplyError("the OCSP response is about another certificate")


def _check_responder(response: ocsp.OCSPResponse, authority: x509.Certificate, now: datetime) -> None:
    for signer in _signers(response, authority, now):
        if _is_named(signer, response) and _signed(response, signer):
            return
    raise InvalidReplyError("the OCSP response is not signed by the issuer or a responder that it has named")


def _signers(response: ocsp.OCSPResponse, authority: x509.Certificate, now: datetime) -> Iterator[x509.Certificate]:
    yield authority
    for candidate in response.certificates:
        usage = extension_of(candidate, x509.ExtendedKeyUsage)
        in_date = candidate.not_valid_before_utc <= now <= candidate.not_valid_after_utc
        named = usage is not None and ExtendedKeyUsageOID.OCSP_SIGNING in usage
        if named and in_date and is_issued_by(candidate, authority):
            yield candidate


def _is_named(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    if response.responder_name is not None:
        return response.responder_name == signer.subject
    return response.responder_key_hash == x509.SubjectKeyIdentifier.from_public_key(signer.public_key()).digest


def _signed(response: ocsp.OCSPResponse, signer: x509.Certificate) -> bool:
    key, algorithm = signer.public_key(), response.signature_hash_algorithm
    signature, content = response.signature, response.tbs_response_bytes
    try:
        if isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signature, content)
        elif algorithm is None or algorithm.name in WEAK_HASHES:
            return False
        elif isinstance(key, rsa.RSAPublicKey):
            key.verify(signature, content, padding.PKCS1v15(), algorithm)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signature, content, ec.ECDSA(algorithm))
        else:
            return False
    except InvalidSignature:
        return False
    return True
