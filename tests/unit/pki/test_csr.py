from __future__ import annotations

import base64
import io
import re
import warnings
import zipfile

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from sectigo_iot.errors import InvalidInputError, InvalidRequestError
from sectigo_iot.pki import examine_requests, read_requests, write_zip
from tests.unit.pki.home import ec_key, home, pem, request, rsa_key

KEY_PEM = ec_key("request").private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def faults(data: bytes, source: str = "req.csr") -> tuple[str, ...]:
    with pytest.raises(InvalidRequestError) as caught:
        read_requests(data, source)
    return caught.value.faults


def armoured(der: bytes) -> bytes:
    return b"-----BEGIN CERTIFICATE REQUEST-----\n" + base64.encodebytes(der) + b"-----END CERTIFICATE REQUEST-----\n"


def der_of(data: bytes) -> bytes:
    return x509.load_pem_x509_csr(data).public_bytes(Encoding.DER)


def test_one_request_is_described() -> None:
    [read] = read_requests(request(dns=("a.example.com", "b.example.com"), key=rsa_key()), "req.csr")
    assert (read.common_name, read.dns_names) == ("a.example.com", ("a.example.com", "b.example.com"))
    assert (read.key, read.signature_hash, read.position, read.source) == ("RSA-2048", "SHA-384", 1, "req.csr")
    assert len(read.public_key_fingerprint) == 64


def test_many_requests_with_anything_between_them() -> None:
    first, second, third = request("a.example.com"), request("b.example.com"), request("", ("c.example.com",))
    text = b"\xef\xbb\xbf" + first.replace(b"\n", b"\r\n") + b"subject=x\r\n\r\n\xef\xbb\xbf"
    text += second.replace(b"CERTIFICATE REQUEST", b"NEW CERTIFICATE REQUEST") + b"\n  " + third
    read = read_requests(text)
    assert [one.position for one in read] == [1, 2, 3]
    assert [one.pem for one in read] == [first, second, third]
    assert (read[2].common_name, read[2].dns_names, read[0].key) == ("", ("c.example.com",), "P-256")


def test_utf16_and_der_are_read() -> None:
    made = request()
    assert read_requests(made.decode().encode("utf-16"))[0].pem == made
    assert read_requests(der_of(made))[0].pem == made


def test_ed25519_brings_its_own_hash() -> None:
    key = ed25519.Ed25519PrivateKey.generate()
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.com")])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, None)
    [read] = read_requests(made.public_bytes(Encoding.PEM))
    assert (read.key, read.signature_hash) == ("Ed25519", None)


def test_a_false_signature_is_named_with_its_place() -> None:
    der = bytearray(der_of(request("b.example.com")))
    der[der.index(b"b.example")] = ord("c")
    text = request() + armoured(bytes(der))
    assert faults(text) == ("req.csr, request 2: the signature does not fit the key",)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (request(" a.example.com"), "begins or ends with a blank"),
        (request("", ("",)), "empty dNSName"),
        (request("   "), "neither a common name nor a dNSName"),
        (request(""), "neither a common name nor a dNSName"),
        (request(dns=("a.example.com ",)), "has a blank in it"),
        (request(dns=("x" * 64 + ".example.com",)), "longer than RFC 1035"),
        (request(dns=("b*d!.example.com",)), r"its dNSName 'b\*d!.example.com' is no DNS name"),
        (request(dns=("-a.example.com",)), "is no DNS name"),
        (request(dns=("a..example.com",)), "is no DNS name"),
        (request(dns=("a.*.example.com",)), "is no DNS name"),
        (request(key=rsa.generate_private_key(65537, 1024)), "RSA key has 1024 bits, and 2048"),
        (request(key=ec.generate_private_key(ec.SECP256K1())), "its key is secp256k1"),
        (armoured(b"0\x03\x02\x01\x01"), "not a PKCS#10 request"),
        (b"\x30\x82garbage", "not a PKCS#10 request"),
        (request().replace(b"M", b"%", 1), "not base64"),
        (b"hello", "req.csr: holds no certificate signing request"),
        (b"", "req.csr: holds no certificate signing request"),
        (request() + KEY_PEM, "req.csr: holds a private key: it must not be uploaded"),
        (request() + b"key: " + KEY_PEM, "req.csr: holds a private key: it must not be uploaded"),
        (request() + KEY_PEM.decode().encode("utf-16-le"), "req.csr: holds a private key: it must not be uploaded"),
        (request() * 2, "request 2: it is the same as req.csr, request 1"),
        (request() + request()[:150], "request 2: the block that begins on line .* is cut short"),
    ],
)
def test_what_is_wrong_is_named(data: bytes, words: str) -> None:
    assert any(re.search(words, fault) for fault in faults(data))


def of_extensions(*extensions: tuple[str, bytes]) -> bytes:
    """Make a request with extensions of any content, as DER."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.com")])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name)
    for oid, value in extensions:
        unknown = x509.UnrecognizedExtension(x509.ObjectIdentifier(oid), value)
        builder = builder.add_extension(unknown, critical=False)
    return builder.sign(ec.generate_private_key(ec.SECP256R1()), SHA256()).public_bytes(Encoding.DER)


@pytest.mark.parametrize(
    ("der", "words"),
    [
        (der_of(request()).replace(b"\x02\x01\x00", b"\x02\x01\x02", 1), "not a PKCS#10 request"),
        (of_extensions(("2.5.29.17", b"\x30\x02\xa3\x00")), "extensions are damaged"),
        (
            of_extensions(("1.2.3.4", b"\x05\x00"), ("1.2.3.5", b"\x05\x00")).replace(
                b"\x2a\x03\x05", b"\x2a\x03\x04"
            ),
            "extensions are damaged",
        ),
    ],
    ids=["version", "x400", "twice"],
)
def test_what_is_seldom_seen_is_named_too(der: bytes, words: str) -> None:
    assert any(words in fault for fault in faults(armoured(der)))
    assert not any(each.request for each in examine_requests(der, "req.csr") if not each.faults)


@pytest.mark.parametrize("key", [dsa.generate_private_key(1024), ed448.Ed448PrivateKey.generate()])
def test_other_kinds_of_key_are_refused(key: dsa.DSAPrivateKey | ed448.Ed448PrivateKey) -> None:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a.example.com")])
    digest = SHA256() if isinstance(key, dsa.DSAPrivateKey) else None
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(key, digest)
    assert any("its key is" in fault for fault in faults(made.public_bytes(Encoding.PEM)))


def test_a_common_name_of_65_characters_is_refused_and_one_of_64_is_not() -> None:
    assert len(read_requests(request("x" * 64))[0].common_name) == 64
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "x" * 65, _validate=False)])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ec_key("request"), SHA256())
    assert faults(made.public_bytes(Encoding.PEM)) == (
        "req.csr, request 1: its common name has 65 characters, and 64 are allowed",
    )


def test_all_faults_come_at_once() -> None:
    found = faults(request(" a", ("b c",)) + request("") + KEY_PEM + request()[:100])
    assert len(found) == 5
    with pytest.raises(InvalidRequestError, match=r"^5 faults in req\.csr$"):
        read_requests(request(" a", ("b c",)) + request("") + KEY_PEM + request()[:100], "req.csr")


def test_a_certificate_is_no_request() -> None:
    assert faults(pem(home().leaf)) == ("req.csr: holds no certificate signing request, only CERTIFICATE",)


def test_no_fault_shows_the_key() -> None:
    secret = KEY_PEM.decode().splitlines()[1]
    assert not any(secret in fault for fault in faults(KEY_PEM))


def test_a_zip_is_written_the_same_each_time_and_read_again() -> None:
    texts = [request(name) for name in ("a.example.com", "*.example.com", "../../etc/x", "A.example.com", "a/b")]
    requests = read_requests(b"".join(texts))
    data = write_zip(requests)
    assert data == write_zip(requests)
    names = zipfile.ZipFile(io.BytesIO(data)).namelist()
    assert names == ["a.example.com.csr", "_.example.com.csr", "_.._etc_x.csr", "A.example.com-2.csr", "a_b.csr"]
    read = read_requests(data, "batch.zip")
    assert [one.pem for one in read] == texts
    assert read[1].source == "batch.zip/_.example.com.csr"


def test_faults_in_a_zip_name_the_entry() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr("a.csr", request())
        archive.writestr("b.pem", request(" b"))
        archive.writestr("a.key", KEY_PEM)
        archive.writestr("read.me", b"hello")
    found = faults(target.getvalue(), "batch.zip")
    assert [fault.split(": ")[0] for fault in found] == [
        "batch.zip/b.pem, request 1",
        "batch.zip/a.key",
        "batch.zip/read.me",
    ]
    assert "private key" in found[1]


def test_a_broken_zip_is_a_fault() -> None:
    assert faults(write_zip(read_requests(request()))[:50]) == (
        "req.csr: the ZIP is cut short or damaged: its directory is missing",
    )


def test_nothing_to_pack_is_refused() -> None:
    with pytest.raises(InvalidInputError, match="no request"):
        write_zip([])


def test_the_subject_is_read_in_its_order_with_the_services_names() -> None:
    attributes = [
        (NameOID.COUNTRY_NAME, "US"),
        (NameOID.ORGANIZATION_NAME, "Example"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "One"),
        (NameOID.ORGANIZATIONAL_UNIT_NAME, "Two"),
        (NameOID.COMMON_NAME, "a.example.com"),
        (x509.ObjectIdentifier("1.2.3.4"), "own"),
    ]
    name = x509.Name([x509.NameAttribute(oid, value) for oid, value in attributes])
    made = x509.CertificateSigningRequestBuilder().subject_name(name).sign(ec_key("request"), SHA256())
    [read] = read_requests(made.public_bytes(Encoding.PEM))
    assert read.subject == (
        ("countryName", "US"),
        ("organizationName", "Example"),
        ("organizationalUnitName", "One"),
        ("organizationalUnitName", "Two"),
        ("commonName", "a.example.com"),
        ("1.2.3.4", "own"),
    )


def test_the_good_are_told_from_the_others() -> None:
    weak = request("w.example.com", key=rsa.generate_private_key(65537, 1024))
    text = request("a.example.com") + weak + request("b.example.com")[:150] + b"\n" + KEY_PEM
    found = examine_requests(text, "req.csr")
    assert [(each.place, each.request.common_name if each.request else None, len(each.faults)) for each in found] == [
        ("req.csr", None, 1),
        ("req.csr, request 1", "a.example.com", 0),
        ("req.csr, request 2", "w.example.com", 1),
        ("req.csr, request 3", None, 1),
    ]
    assert "private key" in found[0].faults[0]


@pytest.mark.parametrize("data", [b"", b"hello", b"PK\x03\x04", b"\x30\x82"])
def test_of_a_file_without_requests_there_is_one_entry(data: bytes) -> None:
    [only] = examine_requests(data, "req.csr")
    assert (only.source, only.request, len(only.faults)) == ("req.csr", None, 1)


def test_a_request_whose_extensions_are_damaged_is_not_described() -> None:
    der = bytearray(der_of(request(dns=("a.example.com",))))
    at = der.index(b"\x82\x0da.example.com")
    der[at + 1] = 0x7F
    [only] = examine_requests(bytes(der), "req.csr")
    assert only.request is None
    assert "its extensions are damaged" in only.faults


def test_a_zip_of_folders_alone_is_told() -> None:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.mkdir("requests")
    [only] = examine_requests(target.getvalue(), "req.zip")
    assert only.faults
