"""Private keys: made, written, and read in all the forms that they come in."""

from __future__ import annotations

import functools
import math

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import dsa, ec, ed448, ed25519, rsa
from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from cryptography.hazmat.primitives.serialization.pkcs12 import serialize_key_and_certificates

from sectigo_iot.errors import InvalidInputError, PKCSPasswordRequiredError
from sectigo_iot.pki import KEY_KINDS, RequestKey, generate_key, private_key_pem, read_private_key
from sectigo_iot.pki.request_rules import key_name
from tests.commands.signing_requests import request
from tests.unit.pki.home import home, pem

PASSWORD = "not a secret, ünderstood"
CHEAP = ("P-256", "P-384", "Ed25519")


@functools.cache
def key_of(kind: str) -> RequestKey:
    return generate_key(kind)


def encoded(key: RequestKey, form: PrivateFormat, encoding: Encoding, password: str | None = None) -> bytes:
    encryption = NoEncryption() if password is None else BestAvailableEncryption(password.encode())
    return key.private_bytes(encoding, form, encryption)


# The long RSA keys, which take long to make, are made for openssl to judge.
@pytest.mark.parametrize("kind", [*CHEAP, "RSA-2048"])
def test_a_key_of_each_kind_is_made(kind: str) -> None:
    assert kind in KEY_KINDS
    key = key_of(kind)
    assert key_name(key.public_key()) == kind
    assert not isinstance(key, rsa.RSAPrivateKey) or key.public_key().public_numbers().e == 65537


def test_the_first_kind_is_what_trisa_asks_for() -> None:
    assert KEY_KINDS[0] == "RSA-4096"


def test_no_two_keys_are_the_same() -> None:
    assert generate_key("P-256").public_key() != generate_key("P-256").public_key()


@pytest.mark.parametrize("kind", ["", "RSA", "rsa-4096", "RSA-1024", "P-521", "secp256k1"])
def test_another_kind_is_refused(kind: str) -> None:
    with pytest.raises(InvalidInputError, match="no kind of key") as refused:
        generate_key(kind)
    assert refused.value.hint == "one of: RSA-4096, RSA-3072, RSA-2048, P-256, P-384, Ed25519"


@pytest.mark.parametrize("password", [None, PASSWORD, "x", "ä" * 511])
@pytest.mark.parametrize("kind", [*CHEAP, "RSA-2048"])
def test_what_is_written_is_read(kind: str, password: str | None) -> None:
    text = private_key_pem(key_of(kind), password)
    label = "PRIVATE KEY" if password is None else "ENCRYPTED PRIVATE KEY"
    assert text.startswith(f"-----BEGIN {label}-----\n".encode())
    assert read_private_key(text, password).public_key() == key_of(kind).public_key()


@pytest.mark.parametrize("password", ["", "ä" * 512])
def test_a_password_that_nothing_would_open_is_refused(password: str) -> None:
    with pytest.raises(InvalidInputError, match="at least one byte and at most 1023"):
        private_key_pem(key_of("P-256"), password)


FORMS = [
    (form, encoding, password)
    for form in (PrivateFormat.PKCS8, PrivateFormat.TraditionalOpenSSL)
    for encoding in (Encoding.PEM, Encoding.DER)
    for password in (None, PASSWORD)
    # The form of old OpenSSL knows no encryption in DER.
    if (form, encoding, password) != (PrivateFormat.TraditionalOpenSSL, Encoding.DER, PASSWORD)
]


@pytest.mark.parametrize(("form", "encoding", "password"), FORMS)
@pytest.mark.parametrize("kind", ["P-256", "RSA-2048"])
def test_every_form_is_read(kind: str, form: PrivateFormat, encoding: Encoding, password: str | None) -> None:
    data = encoded(key_of(kind), form, encoding, password)
    # Testing the primes would take most of the time, and has a test of its own.
    assert read_private_key(data, password, check=False).public_key() == key_of(kind).public_key()
    if password is not None:
        for none in (None, ""):
            with pytest.raises(PKCSPasswordRequiredError, match="the private key is encrypted"):
                read_private_key(data, none)
        with pytest.raises(InvalidInputError, match="the password does not open the private key"):
            read_private_key(data, "wrong")


def test_a_password_that_is_not_needed_is_ignored() -> None:
    assert read_private_key(private_key_pem(key_of("P-256")), "anything").public_key() == key_of("P-256").public_key()


AROUND = {
    "line ends of Windows": lambda text: text.replace(b"\n", b"\r\n"),
    "line ends of old Macs": lambda text: text.replace(b"\n", b"\r"),
    "a byte order mark": lambda text: b"\xef\xbb\xbf" + text,
    "UTF-16": lambda text: text.decode().encode("utf-16"),
    "words before and after it": lambda text: b"Bag Attributes\n  friendlyName: x\n" + text + b"\nthe end",
    "a certificate beside it": lambda text: pem(home().leaf) + text,
    "blanks at its line ends": lambda text: text.replace(b"\n", b" \n"),
}


@pytest.mark.parametrize("around", AROUND.values(), ids=AROUND)
def test_what_is_around_it_does_not_matter(around: object) -> None:
    assert callable(around)
    for password in (None, PASSWORD):
        data = around(private_key_pem(key_of("P-256"), password))
        assert read_private_key(data, password).public_key() == key_of("P-256").public_key()


def public(encoding: Encoding) -> bytes:
    return key_of("P-256").public_key().public_bytes(encoding, PublicFormat.SubjectPublicKeyInfo)


def bundled() -> bytes:
    key = key_of("P-256")
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    return serialize_key_and_certificates(b"", key, None, None, BestAvailableEncryption(b"x"))


PLAIN = private_key_pem(generate_key("P-256"))
NO_KEYS = {
    "nothing": (b"", "there is no private key"),
    "a text": (b"hello\n", "there is no private key"),
    "a certificate": (pem(home().leaf), "there is no private key, only CERTIFICATE"),
    "a request": (request("a.example.com"), "there is no private key, only CERTIFICATE REQUEST"),
    "a public key": (public(Encoding.PEM), "there is no private key, only PUBLIC KEY"),
    "a certificate in DER": (home().leaf.public_bytes(Encoding.DER), "there is no private key: the file is a cert"),
    "a PKCS#12": (bundled(), "there is no private key by itself: the file is a PKCS#12"),
    "a PKCS#12 of indefinite length": (b"\x30\x80\x02\x01\x03\x30\x80\x06\x09", "the file is a PKCS#12"),
    "a request in DER": (
        x509.load_pem_x509_csr(request("a.example.com")).public_bytes(Encoding.DER),
        "the file is a signing request",
    ),
    "a public key in DER": (public(Encoding.DER), "the file is a public key"),
    "two keys": (PLAIN + PLAIN, "there are 2 private keys, and one is wanted"),
    "one that is cut short": (PLAIN[:100], "damaged: the block that begins on line 1 is cut short"),
    "one of which a line is missing": (b"\n".join([*PLAIN.split(b"\n")[:1], *PLAIN.split(b"\n")[2:]]), "is damaged"),
    "one that is no base64": (PLAIN.replace(b"M", b"!"), "is damaged, or it is none"),
    "DER of something else": (b"\x30\x03\x02\x01\x05", "is damaged, or it is none"),
    "DER that is cut short": (b"\x30", "is damaged, or it is none"),
    "OpenSSH's form": (encoded(key_of("P-256"), PrivateFormat.OpenSSH, Encoding.PEM), "in OpenSSH's own form"),
}


@pytest.mark.parametrize(("data", "said"), NO_KEYS.values(), ids=NO_KEYS)
def test_what_is_no_private_key_is_told(data: bytes, said: str) -> None:
    for password in (None, PASSWORD):
        with pytest.raises(InvalidInputError, match=said) as refused:
            read_private_key(data, password)
        assert "BEGIN" not in refused.value.message


@functools.cache
def other_keys() -> dict[str, bytes]:
    made: dict[str, PrivateKeyTypes] = {
        "DSA": dsa.generate_private_key(1024),
        "Ed448": ed448.Ed448PrivateKey.generate(),
        "secp256k1": ec.generate_private_key(ec.SECP256K1()),
        "1024 bits": rsa.generate_private_key(65537, 1024),
    }
    form = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {name: key.private_bytes(*form) for name, key in made.items()}


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("DSA", "the key is DSA: RSA, P-256, P-384, P-521 and Ed25519 are accepted"),
        ("Ed448", "the key is Ed448: "),
        ("secp256k1", "the key is secp256k1: "),
        ("1024 bits", "the RSA key has 1024 bits, and 2048 are needed"),
    ],
)
def test_keys_that_no_certificate_is_issued_for(name: str, said: str) -> None:
    with pytest.raises(InvalidInputError) as refused:
        read_private_key(other_keys()[name])
    assert refused.value.message.startswith(said)


def test_p_521_is_read_though_none_is_made() -> None:
    key = ec.generate_private_key(ec.SECP521R1())
    data = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    assert read_private_key(data).public_key() == key.public_key()


def with_a_prime_that_is_none() -> bytes:
    """Return an RSA key of 2048 bits that signs and verifies, and is made of three primes, two of them short."""
    long = key_of("RSA-2048")
    assert isinstance(long, rsa.RSAPrivateKey)
    p, q = 1, long.private_numbers().q
    while (p * q).bit_length() != 2048:
        short = rsa.generate_private_key(65537, 1024).private_numbers()
        p = short.p * short.q
    d = pow(65537, -1, math.lcm(short.p - 1, short.q - 1, q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), rsa.RSAPublicNumbers(65537, p * q)
    )
    key = numbers.private_key(unsafe_skip_rsa_key_validation=True)
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def test_the_primes_are_tested_unless_that_is_left_out() -> None:
    data = with_a_prime_that_is_none()
    with pytest.raises(InvalidInputError, match="is damaged"):
        read_private_key(data)
    assert key_name(read_private_key(data, check=False).public_key()) == "RSA-2048"


def test_a_key_is_what_cryptography_reads() -> None:
    key = load_pem_private_key(private_key_pem(key_of("Ed25519")), None)
    assert isinstance(key, ed25519.Ed25519PrivateKey)
    assert key.private_bytes_raw() == key_of("Ed25519").private_bytes(Encoding.Raw, PrivateFormat.Raw, NoEncryption())
