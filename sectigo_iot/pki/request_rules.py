"""What a signing request must have to be accepted: a fitting signature, a strong key and hash, clean names."""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterator

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.hashes import HashAlgorithm
from cryptography.x509.oid import NameOID

MIN_RSA_BITS = 2048
# X.520 sets the first (ub-common-name), RFC 1035 the other two.
LONGEST_COMMON_NAME = 64
LONGEST_DNS_NAME = 253
LONGEST_LABEL = 63

COMMON_NAME = "commonName"
_ATTRIBUTES = {
    NameOID.COMMON_NAME: COMMON_NAME,
    NameOID.COUNTRY_NAME: "countryName",
    NameOID.DOMAIN_COMPONENT: "domainComponent",
    NameOID.EMAIL_ADDRESS: "emailAddress",
    NameOID.GIVEN_NAME: "givenName",
    NameOID.LOCALITY_NAME: "localityName",
    NameOID.ORGANIZATIONAL_UNIT_NAME: "organizationalUnitName",
    NameOID.ORGANIZATION_NAME: "organizationName",
    NameOID.POSTAL_CODE: "postalCode",
    NameOID.SERIAL_NUMBER: "serialNumber",
    NameOID.STATE_OR_PROVINCE_NAME: "stateOrProvinceName",
    NameOID.STREET_ADDRESS: "streetAddress",
    NameOID.SURNAME: "surname",
    NameOID.TITLE: "title",
    NameOID.USER_ID: "userId",
}
ATTRIBUTE_NAMES = frozenset(_ATTRIBUTES.values())
"""The attributes of a subject that are known by name: RFC 4519, and RFC 2985 for the e-mail address."""

_CURVES = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
_WEAK_HASHES = ("md5", "sha1")
_LABEL = r"[A-Za-z0-9_]([A-Za-z0-9_-]*[A-Za-z0-9_])?"
# RFC 5280, section 4.2.1.6: the preferred name syntax; `_` is seen in the wild, `*` stands for the first label.
_DNS_NAME = re.compile(rf"(\*\.)?{_LABEL}(\.{_LABEL})*")


def faults(request: x509.CertificateSigningRequest) -> list[str]:
    """Everything that is wrong with the request, in words; nothing when it is usable."""
    return [*_key_faults(request), *_signature_faults(request), *_name_faults(request)]


def key_name(key: object) -> str:
    """The key in words: `RSA-4096`, `P-256`, `Ed25519`, or the name of a form that is not accepted."""
    if isinstance(key, rsa.RSAPublicKey):
        return f"RSA-{key.key_size}"
    if isinstance(key, ec.EllipticCurvePublicKey):
        return _CURVES.get(key.curve.name, key.curve.name)
    if isinstance(key, ed25519.Ed25519PublicKey):
        return "Ed25519"
    return type(key).__name__.removesuffix("PublicKey")


def hash_name(algorithm: HashAlgorithm | None) -> str | None:
    """`SHA-384` and the like; None where the signature algorithm brings its own hash."""
    if algorithm is None:
        return None
    name = algorithm.name.upper()
    return name if "-" in name else name.replace("SHA", "SHA-")


def subject(request: x509.CertificateSigningRequest) -> list[tuple[str, str]]:
    """The attributes of the subject, in order, as pairs of name and value; bytes are written in hexadecimal."""
    with warnings.catch_warnings():
        # The library warns of a length that is reported here as a fault.
        warnings.simplefilter("ignore", UserWarning)
        attributes = list(request.subject)
    return [(_ATTRIBUTES.get(each.oid, each.oid.dotted_string), _text(each.value)) for each in attributes]


def common_names(request: x509.CertificateSigningRequest) -> list[str]:
    """The common names in the subject, in order."""
    return [value for name, value in subject(request) if name == COMMON_NAME]


def dns_names(request: x509.CertificateSigningRequest) -> list[str]:
    """The dNSNames of the subjectAltName, in order. Raises `ValueError` when the extensions are damaged."""
    try:
        extension = request.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    except (x509.DuplicateExtension, x509.UnsupportedGeneralNameType) as fault:
        raise ValueError(str(fault)) from None
    return extension.value.get_values_for_type(x509.DNSName)


def _text(value: str | bytes) -> str:
    return value if isinstance(value, str) else value.hex()


def _key_faults(request: x509.CertificateSigningRequest) -> Iterator[str]:
    try:
        key = request.public_key()
    except (ValueError, UnsupportedAlgorithm):
        yield "its public key cannot be read"
        return
    if isinstance(key, rsa.RSAPublicKey):
        if key.key_size < MIN_RSA_BITS:
            yield f"its RSA key has {key.key_size} bits, and {MIN_RSA_BITS} are needed"
    elif key_name(key) not in (*_CURVES.values(), "Ed25519"):
        yield f"its key is {key_name(key)}: RSA, P-256, P-384, P-521 and Ed25519 are accepted"


def _signature_faults(request: x509.CertificateSigningRequest) -> Iterator[str]:
    try:
        algorithm = request.signature_hash_algorithm
        # Nothing is said of the fit of a weak signature: the library may not compute it at all.
        if algorithm is not None and algorithm.name in _WEAK_HASHES:
            yield f"it is signed with {hash_name(algorithm)}, which is broken: use SHA-256 or better"
        elif not request.is_signature_valid:
            yield "the signature does not fit the key"
    except (ValueError, UnsupportedAlgorithm):
        yield "its signature algorithm is not supported"


def _name_faults(request: x509.CertificateSigningRequest) -> Iterator[str]:
    common = common_names(request)
    try:
        names = dns_names(request)
    except ValueError:
        yield "its extensions are damaged"
        return
    if not any(name.strip() for name in (*common, *names)):
        yield "it has neither a common name nor a dNSName"
    for name in common:
        yield from _common_name_faults(name)
    for name in names:
        yield from _dns_name_faults(name)


def _common_name_faults(name: str) -> Iterator[str]:
    if name != name.strip():
        yield f"its common name {name!r} begins or ends with a blank"
    if len(name) > LONGEST_COMMON_NAME:
        yield f"its common name has {len(name)} characters, and {LONGEST_COMMON_NAME} are allowed"


def _dns_name_faults(name: str) -> Iterator[str]:
    if not name:
        yield "it has an empty dNSName"
    if "".join(name.split()) != name:
        yield f"its dNSName {name!r} has a blank in it"
    elif name and not _DNS_NAME.fullmatch(name):
        yield f"its dNSName {name!r} is no DNS name in ASCII"
    if len(name) > LONGEST_DNS_NAME or max(map(len, name.split("."))) > LONGEST_LABEL:
        yield f"its dNSName {name[:40]!r}… is longer than RFC 1035 allows"
