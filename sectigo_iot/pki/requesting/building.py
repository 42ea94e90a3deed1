"""Building a signing request (PKCS#10, RFC 2986) with the content that TRISA prescribes.

It is what `openssl req -new -sha384` makes of the configuration in TRISA's manual: the same subject, the same four
extensions in the same order, none of them critical.
"""

from __future__ import annotations

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA384
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from sectigo_iot.pki.requesting.keys import RequestKey
from sectigo_iot.pki.requesting.spec import RequestSpec, checked_spec

_ATTRIBUTES = {
    "commonName": NameOID.COMMON_NAME,
    "organizationName": NameOID.ORGANIZATION_NAME,
    "localityName": NameOID.LOCALITY_NAME,
    "stateOrProvinceName": NameOID.STATE_OR_PROVINCE_NAME,
    "countryName": NameOID.COUNTRY_NAME,
}
"""The attributes in the order of TRISA's manual."""
_BOTH_SIDES = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH])


def build_request(key: RequestKey, spec: RequestSpec) -> bytes:
    """Build the request for a key, signed by it with SHA-384 (Ed25519 has a hash of its own), in PEM.

    Its keyUsage is digitalSignature, nonRepudiation and, for RSA, keyEncipherment: the reference prescribes the last
    one, and prescribes RSA. A key on a curve enciphers no keys, and RFC 8813 (for P-256 and the like) and RFC 9295
    (for Ed25519) say that its certificate must not claim to, so there it is left out.
    Raises `InvalidRequestError` with everything that is wrong with the spec.
    """
    return built(key, checked_spec(spec))


def built(key: RequestKey, spec: RequestSpec) -> bytes:
    """Build the request for a spec that `checked_spec` has returned."""
    builder = x509.CertificateSigningRequestBuilder(_subject(spec))
    for extension in _extensions(key, spec):
        builder = builder.add_extension(extension, critical=False)
    algorithm = None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA384()
    return builder.sign(key, algorithm).public_bytes(Encoding.PEM)


def request_fits(request: bytes, key: RequestKey, spec: RequestSpec) -> bool:
    """Whether a request in PEM says what `build_request` would say for this key and spec, and its signature fits.

    Raises `InvalidRequestError` with everything that is wrong with the spec.
    """
    spec = checked_spec(spec)
    try:
        found = x509.load_pem_x509_csr(request)
        return (
            found.public_key() == key.public_key()
            and found.subject == _subject(spec)
            and [extension.value for extension in found.extensions] == _extensions(key, spec)
            and found.is_signature_valid
        )
    except ValueError:
        return False


def subject_of(spec: RequestSpec) -> list[tuple[str, str]]:
    """Return the attributes of the subject that are given, by name (RFC 4519) and in order."""
    values = (spec.names[0], spec.organization, spec.locality, spec.state, spec.country)
    return [(name, value) for name, value in zip(_ATTRIBUTES, values, strict=True) if value]


def _subject(spec: RequestSpec) -> x509.Name:
    return x509.Name([x509.NameAttribute(_ATTRIBUTES[name], value) for name, value in subject_of(spec)])


def _extensions(key: RequestKey, spec: RequestSpec) -> list[x509.ExtensionType]:
    return [
        x509.BasicConstraints(ca=False, path_length=None),
        _key_usage(key_encipherment=isinstance(key, rsa.RSAPrivateKey)),
        _BOTH_SIDES,
        x509.SubjectAlternativeName([x509.DNSName(name) for name in spec.names]),
    ]


def _key_usage(*, key_encipherment: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True,
        content_commitment=True,
        key_encipherment=key_encipherment,
        data_encipherment=False,
        key_agreement=False,
        key_cert_sign=False,
        crl_sign=False,
        encipher_only=False,
        decipher_only=False,
    )
