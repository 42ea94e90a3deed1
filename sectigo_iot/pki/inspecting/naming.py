"""Names, usages and algorithms in the words that standards and other programs have for them."""

from __future__ import annotations

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, SignatureAlgorithmOID

from sectigo_iot.pki.request_rules import key_name

_SIGNATURES = {
    SignatureAlgorithmOID.RSA_WITH_MD5: "md5WithRSAEncryption",
    SignatureAlgorithmOID.RSA_WITH_SHA1: "sha1WithRSAEncryption",
    SignatureAlgorithmOID.RSA_WITH_SHA224: "sha224WithRSAEncryption",
    SignatureAlgorithmOID.RSA_WITH_SHA256: "sha256WithRSAEncryption",
    SignatureAlgorithmOID.RSA_WITH_SHA384: "sha384WithRSAEncryption",
    SignatureAlgorithmOID.RSA_WITH_SHA512: "sha512WithRSAEncryption",
    SignatureAlgorithmOID.RSASSA_PSS: "rsassaPss",
    SignatureAlgorithmOID.ECDSA_WITH_SHA1: "ecdsa-with-SHA1",
    SignatureAlgorithmOID.ECDSA_WITH_SHA224: "ecdsa-with-SHA224",
    SignatureAlgorithmOID.ECDSA_WITH_SHA256: "ecdsa-with-SHA256",
    SignatureAlgorithmOID.ECDSA_WITH_SHA384: "ecdsa-with-SHA384",
    SignatureAlgorithmOID.ECDSA_WITH_SHA512: "ecdsa-with-SHA512",
    SignatureAlgorithmOID.ED25519: "ED25519",
    SignatureAlgorithmOID.ED448: "ED448",
}
"""The names that `openssl x509` prints, which are those of RFC 3279, 4055, 5758 and 8410."""
_PURPOSES = {
    ExtendedKeyUsageOID.SERVER_AUTH: "serverAuth",
    ExtendedKeyUsageOID.CLIENT_AUTH: "clientAuth",
    ExtendedKeyUsageOID.CODE_SIGNING: "codeSigning",
    ExtendedKeyUsageOID.EMAIL_PROTECTION: "emailProtection",
    ExtendedKeyUsageOID.TIME_STAMPING: "timeStamping",
    ExtendedKeyUsageOID.OCSP_SIGNING: "OCSPSigning",
    ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE: "anyExtendedKeyUsage",
}
"""RFC 5280, section 4.2.1.12."""
_USAGES = {
    "digital_signature": "digitalSignature",
    "content_commitment": "nonRepudiation",
    "key_encipherment": "keyEncipherment",
    "data_encipherment": "dataEncipherment",
    "key_agreement": "keyAgreement",
    "key_cert_sign": "keyCertSign",
    "crl_sign": "cRLSign",
}
"""RFC 5280, section 4.2.1.3; the two that stand with keyAgreement alone are apart."""


def signature_name(oid: x509.ObjectIdentifier) -> str:
    """The signature algorithm by name, or by its object identifier where it has none here."""
    return _SIGNATURES.get(oid, oid.dotted_string)


def common_name(name: x509.Name) -> str:
    """The first common name; empty where there is none."""
    return next((str(each.value) for each in name.get_attributes_for_oid(NameOID.COMMON_NAME)), "")


def other_names(names: x509.SubjectAlternativeName | None) -> tuple[str, ...]:
    """The names that are no dNSNames, in order, each with its kind in front."""
    return tuple(_general_name(name) for name in names or () if not isinstance(name, x509.DNSName))


def _general_name(name: x509.GeneralName) -> str:
    if isinstance(name, x509.IPAddress):
        return f"IP:{name.value}"
    if isinstance(name, x509.RFC822Name):
        return f"email:{name.value}"
    if isinstance(name, x509.UniformResourceIdentifier):
        return f"URI:{name.value}"
    if isinstance(name, x509.DirectoryName):
        return f"dirName:{name.value.rfc4514_string()}"
    if isinstance(name, x509.RegisteredID):
        return f"RID:{name.value.dotted_string}"
    return f"otherName:{name.type_id.dotted_string}" if isinstance(name, x509.OtherName) else "a name of another kind"


def usages(usage: x509.KeyUsage | None) -> tuple[str, ...]:
    """The key usages by name; nothing where there is no such extension."""
    if usage is None:
        return ()
    named = [text for attribute, text in _USAGES.items() if getattr(usage, attribute)]
    if usage.key_agreement:
        named += ["encipherOnly"] * usage.encipher_only + ["decipherOnly"] * usage.decipher_only
    return tuple(named)


def purposes(usage: x509.ExtendedKeyUsage | None) -> tuple[str, ...]:
    """The extended key usages by name, or by object identifier where they have none here."""
    return tuple(_PURPOSES.get(oid, oid.dotted_string) for oid in usage or ())


def key_and_encoding(holder: x509.Certificate | x509.CertificateSigningRequest) -> tuple[str, bytes]:
    """The kind of a public key, and its SubjectPublicKeyInfo as DER; both empty where it cannot be read."""
    try:
        key = holder.public_key()
        return key_name(key), encoded(key)
    except (ValueError, UnsupportedAlgorithm):
        return "", b""


def encoded(key: CertificatePublicKeyTypes) -> bytes:
    """The SubjectPublicKeyInfo as DER."""
    return key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
