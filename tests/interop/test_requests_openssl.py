"""Keys and requests before the real `openssl`: it takes what is made here, and makes the same of TRISA's manual."""

from __future__ import annotations

import functools
import itertools
import json
import re
import subprocess
from pathlib import Path

import pytest

from sectigo_iot.emulator import Emulator
from sectigo_iot.pki import (
    KEY_KINDS,
    RequestKey,
    RequestSpec,
    build_request,
    generate_key,
    make_requests,
    private_key_pem,
    read_openssl_config,
    read_private_key,
)
from tests.conftest import Runner
from tests.interop.test_pki_openssl import openssl

pytestmark = pytest.mark.needs("openssl")

PASSWORD = "a long one, with blänks"
FULL = RequestSpec(("node.example.com", "*.example.org"), "Example & Söhne", "München", "Bayern", "DE")
CONFIG = """[req]
distinguished_name = dn
req_extensions = v3_req
prompt = no
default_bits = 4096
{strings}
[dn]
CN = node.example.com
O = Example & Söhne
L = München
ST = Bayern
C = DE
[v3_req]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment, nonRepudiation
extendedKeyUsage = clientAuth, serverAuth
subjectAltName = @alt_names
[alt_names]
DNS.1 = node.example.com
DNS.2 = *.example.org
"""
# For openssl to read the umlauts as UTF-8.
TRISA = CONFIG.format(strings="utf8 = yes\nstring_mask = utf8only")


@functools.cache
def key_of(kind: str) -> RequestKey:
    return generate_key(kind)


@functools.cache
def made(kind: str, password: str | None = None) -> tuple[bytes, bytes]:
    """Return a key and the request for it."""
    return private_key_pem(key_of(kind), password), build_request(key_of(kind), FULL)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "trisa.conf").write_text(TRISA)
    return tmp_path


def text_of(path: Path) -> str:
    return openssl(
        "req", "-in", path, "-verify", "-noout", "-text", "-nameopt", "utf8,sep_comma_plus"
    ).stdout.decode()


@pytest.mark.parametrize("kind", KEY_KINDS)
def test_openssl_verifies_the_request_and_checks_the_key(folder: Path, kind: str) -> None:
    key, request = made(kind)
    (folder / "a.key").write_bytes(key)
    (folder / "a.csr").write_bytes(request)
    text = text_of(folder / "a.csr")
    assert "CN=node.example.com,O=Example & Söhne,L=München,ST=Bayern,C=DE" in text
    assert "DNS:node.example.com, DNS:*.example.org" in text
    assert "CA:FALSE" in text
    assert "TLS Web Client Authentication, TLS Web Server Authentication" in text
    assert "critical" not in text
    usages = "Digital Signature, Non Repudiation" + (", Key Encipherment" if kind.startswith("RSA") else "")
    assert re.search(rf"Key Usage: ?\n +{usages}\n", text)
    algorithm = {"R": "sha384WithRSAEncryption", "P": "ecdsa-with-SHA384", "E": "ED25519"}[kind[0]]
    assert f"Signature Algorithm: {algorithm} \n" in text.replace("\n", " \n")
    verified = openssl("req", "-in", folder / "a.csr", "-verify", "-noout").stderr
    assert b"verify OK" in verified
    assert b"Key is valid" in check_key(folder)
    public = openssl("pkey", "-in", folder / "a.key", "-pubout").stdout
    assert openssl("req", "-in", folder / "a.csr", "-noout", "-pubkey").stdout == public


def check_key(folder: Path, *options: str) -> bytes:
    done = openssl("pkey", "-in", folder / "a.key", "-check", "-noout", *options)
    return done.stdout + done.stderr


@pytest.mark.parametrize("kind", ["RSA-2048", "Ed25519"])
def test_of_the_manual_openssl_makes_the_same_bytes(folder: Path, kind: str) -> None:
    """Nothing in these signatures is random (RFC 8017, RFC 8032), so that like requests are like to the last bit."""
    (folder / "a.key").write_bytes(made(kind)[0])
    config = folder / "trisa.conf"
    if kind == "Ed25519":
        config.write_text(TRISA.replace("keyEncipherment, ", ""))
    openssl("req", "-new", "-sha384", "-config", config, "-key", folder / "a.key", "-out", folder / "a.csr")
    assert made(kind)[1] == (folder / "a.csr").read_bytes()


def test_of_the_manual_as_it_stands_openssl_makes_the_same_bytes(folder: Path) -> None:
    config, fields = CONFIG.format(strings=""), [FULL.organization, FULL.locality, FULL.state, FULL.country]
    for letter, spelt in {"&": "and", "ö": "oe", "ü": "ue"}.items():
        config = config.replace(letter, spelt)
        fields = [field.replace(letter, spelt) for field in fields]
    (folder / "trisa.conf").write_text(config)
    (folder / "a.key").write_bytes(made("RSA-2048")[0])
    options = ("-config", folder / "trisa.conf", "-key", folder / "a.key", "-out", folder / "a.csr")
    openssl("req", "-new", "-sha384", *options)
    assert build_request(key_of("RSA-2048"), RequestSpec(FULL.names, *fields)) == (folder / "a.csr").read_bytes()


@pytest.mark.parametrize("kind", ["P-256", "P-384"])
def test_of_the_manual_openssl_makes_the_same_but_for_the_signature(folder: Path, kind: str) -> None:
    key, request = made(kind)
    (folder / "a.key").write_bytes(key)
    (folder / "ours.csr").write_bytes(request)
    (folder / "trisa.conf").write_text(TRISA.replace("keyEncipherment, ", ""))
    options = ("-config", folder / "trisa.conf", "-key", folder / "a.key", "-out", folder / "theirs.csr")
    openssl("req", "-new", "-sha384", *options)
    ours, theirs = (text_of(folder / f"{whose}.csr").partition("Signature Value")[0] for whose in ("ours", "theirs"))
    assert ours == theirs


def test_a_configuration_read_here_makes_what_openssl_makes_of_it(folder: Path) -> None:
    found = read_openssl_config(TRISA.encode(), "trisa.conf")
    assert build_request(key_of("RSA-2048"), found.spec) == made("RSA-2048")[1]


@pytest.mark.parametrize("kind", ["RSA-2048", "P-256", "Ed25519"])
def test_openssl_opens_an_encrypted_key(folder: Path, kind: str) -> None:
    (folder / "a.key").write_bytes(made(kind, PASSWORD)[0])
    (folder / "password").write_text(f"{PASSWORD}\n")
    assert b"valid" in check_key(folder, "-passin", f"file:{folder / 'password'}")
    wrong = openssl("pkey", "-in", folder / "a.key", "-noout", "-passin", "pass:wrong", check=False)
    assert wrong.returncode != 0
    parsed = openssl("asn1parse", "-in", folder / "a.key").stdout
    assert b"aes-256-cbc" in parsed
    assert b"hmacWithSHA256" in parsed


PLAIN = {
    "PKCS#8": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"),
    "Ed25519": ("genpkey", "-algorithm", "ED25519"),
    "EC with its parameters": ("ecparam", "-name", "prime256v1", "-genkey"),
    "PKCS#1": ("genrsa", "-traditional", "2048"),
}
ENCRYPTED = {
    "PKCS#8, AES": ("genpkey", "-algorithm", "ED25519", "-aes-256-cbc"),
    "PKCS#1, 3DES": ("genrsa", "-traditional", "-des3", "2048"),
}


@pytest.mark.parametrize(
    ("command", "password"),
    [*zip(PLAIN.values(), itertools.repeat(None)), *zip(ENCRYPTED.values(), itertools.repeat(PASSWORD))],
    ids=[*PLAIN, *ENCRYPTED],
)
def test_a_key_that_openssl_made_is_read(folder: Path, command: tuple[str, ...], password: str | None) -> None:
    (folder / "password").write_text(f"{PASSWORD}\n")
    options = ("-pass" if command[0] == "genpkey" else "-passout", f"file:{folder / 'password'}") if password else ()
    # The number of bits stands behind the options.
    where = -1 if command[0] == "genrsa" else len(command)
    openssl(*command[:where], *options, "-out", folder / "a.key", *command[where:])
    pem = (folder / "a.key").read_bytes()
    passin = ("-passin", f"file:{folder / 'password'}")
    der = openssl("pkey", "-in", folder / "a.key", "-outform", "DER", *passin).stdout
    theirs = openssl("pkey", "-in", folder / "a.key", "-pubout", *passin).stdout
    for data, secret in ((pem, password), (der, None)):
        (folder / "b.csr").write_bytes(build_request(read_private_key(data, secret), FULL))
        assert openssl("req", "-in", folder / "b.csr", "-verify", "-noout", "-pubkey").stdout == theirs


def test_openssl_verifies_each_of_many(tmp_path: Path) -> None:
    for each in make_requests([RequestSpec((f"n{number}.example.com",)) for number in range(5)], kind="P-256"):
        path = tmp_path / f"{each.name}.csr"
        path.write_bytes(each.request_pem)
        key = subprocess.run(["openssl", "pkey", "-pubout"], input=each.key_pem, capture_output=True, check=True)
        assert openssl("req", "-in", path, "-verify", "-noout", "-pubkey").stdout == key.stdout


def public_keys(certificate: Path, key: Path) -> tuple[bytes, bytes]:
    return (
        openssl("x509", "-in", certificate, "-noout", "-pubkey").stdout,
        openssl("pkey", "-in", key, "-pubout").stdout,
    )


@pytest.mark.needs("unzip")
def test_from_a_name_to_a_certificate_for_ones_own_key(
    sectigo: Runner, emulator: Emulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    made = sectigo("csr", "node.example.com", "--dns", "api.example.com", "--key-type", "RSA-2048")
    request = json.loads(made.out)["csrFile"]
    ordered = sectigo("upload", request, "-p", "423", "--download", "certs", env=emulator.environ)
    assert ordered.code == 0, ordered
    subprocess.run(["unzip", "-q", *Path("certs").glob("*.zip"), "-d", "certs"], check=True)
    certificate = Path("certs/node.example.com.pem")
    one, other = public_keys(certificate, Path("node.example.com.key"))
    assert one == other
    names = openssl("x509", "-in", certificate, "-noout", "-ext", "subjectAltName").stdout
    assert b"DNS:node.example.com, DNS:api.example.com" in names


@pytest.mark.needs("unzip")
@pytest.mark.parametrize(("option", "name"), [("--zip", "all.zip"), ("--pem", "all.pem")])
def test_from_a_table_to_certificates(
    sectigo: Runner,
    emulator: Emulator,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    option: str,
    name: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("hosts.csv").write_text("name,dns\na.example.com,\nb.example.com,b1.example.com\n")
    words = ("--batch", "hosts.csv", "--key-type", "P-256", "-o", "keys", option, name)
    assert sectigo("csr", *words).code == 0
    ordered = sectigo("upload", name, "-p", "423", "--download", "certs", env=emulator.environ)
    assert ordered.code == 0, ordered
    assert json.loads(ordered.out)["size"] == 2
    subprocess.run(["unzip", "-q", *Path("certs").glob("*.zip"), "-d", "certs"], check=True)
    for stem in ("a.example.com", "b.example.com"):
        one, other = public_keys(Path(f"certs/{stem}.pem"), Path(f"keys/{stem}.key"))
        assert one == other
