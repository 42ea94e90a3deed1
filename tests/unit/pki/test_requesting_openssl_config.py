"""OpenSSL configurations: what is read from them is what `openssl req` makes of them, and the rest is told."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID

from sectigo_iot.errors import InvalidInputError, InvalidRequestError
from sectigo_iot.pki import OpenSSLConfig, RequestSpec, read_openssl_config

MANUAL = """\
[req]
distinguished_name = dn
req_extensions = ext
prompt = no
default_bits = 4096

[dn]
CN = node.example.com
O = Example Inc.
L = Menlo Park
ST = California
C = US

[ext]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment, nonRepudiation
extendedKeyUsage = clientAuth, serverAuth
subjectAltName = @alt

[alt]
DNS.1 = node.example.com
DNS.2 = *.example.com
"""
SPEC = RequestSpec(("node.example.com", "*.example.com"), "Example Inc.", "Menlo Park", "California", "US")
FIELDS = (
    NameOID.ORGANIZATION_NAME,
    NameOID.LOCALITY_NAME,
    NameOID.STATE_OR_PROVINCE_NAME,
    NameOID.COUNTRY_NAME,
)


def changed(old: str, new: str) -> str:
    assert old in MANUAL
    return MANUAL.replace(old, new)


SAME = {
    "the manual's own": MANUAL,
    "byte order mark": "\ufeff" + MANUAL,
    "carriage returns": MANUAL.replace("\n", "\r\n"),
    "no blanks": MANUAL.replace(" = ", "="),
    "indented": MANUAL.replace("\n", "\n\t  "),
    "blanks at the ends": MANUAL.replace("\n", "  \t\n"),
    "comments": changed("Menlo Park", "Menlo Park # the city\n#L = elsewhere \n  # O = nobody"),
    "double quotes": changed("Menlo Park", '"Menlo Park"').replace("Example Inc.", '"Example"" Inc."'),
    "single quotes": changed("Menlo Park", "'Menlo Park' # \"the city"),
    "backticks": changed("Menlo Park", "`Menlo Park`"),
    "backslash": changed("Menlo Park", r"Menlo\ P\ark"),
    "quote that stays open": changed("Menlo Park", '"Menlo Park'),
    "line that goes on": changed("Menlo Park", "Menlo \\\nPark").replace("CN = node", "CN = \\\r\nnode"),
    "comment that goes on": changed("L = Menlo", "# comment \\\nL = elsewhere\nL = Menlo"),
    "two backslashes end a line": changed("L = Menlo", "# comment \\\\\nL = Menlo"),
    "long names": changed("CN =", "commonName =")
    .replace("O =", "organizationName =")
    .replace("ST =", "stateOrProvinceName =")
    .replace("\nL =", "\nlocalityName =")
    .replace("\nC =", "\ncountryName ="),
    "numbered": changed("CN =", "0.CN =").replace("O =", "0.organizationName =").replace("ST =", "1.ST ="),
    "numbered otherwise": changed("O =", "first.O =").replace("\nL =", "\na,L ="),
    "list of names": changed("@alt", "DNS:node.example.com, DNS:*.example.com"),
    "list on two lines": changed("@alt", "DNS:node.example.com,\\\n  DNS:*.example.com"),
    "names in other order": changed(
        "DNS.1 = node.example.com\nDNS.2 = *.example.com", "DNS.a = *.example.com\nDNS = node.example.com"
    ),
    "section in two parts": MANUAL + "[ dn ]\n[other]\nx = y\n",
    "section's name with blanks": changed("[alt]", "[ alt names ] # here").replace("@alt", "@alt names"),
    "defaults": "prompt = no\ndefault_bits = 4096\n" + changed("prompt = no\ndefault_bits = 4096\n", ""),
    "from another section": changed("L = Menlo Park\n", "") + "[x]\ndn::L = Menlo Park\n",
    "set elsewhere with a variable": "home = $nowhere_to_be_seen\n".replace("$nowhere_to_be_seen", "/") + MANUAL,
    "settings without effect": changed(
        "prompt = no", "prompt = no\nencrypt_key = no\nutf8 = yes\nstring_mask = utf8only"
    ),
    "hash as prescribed": changed("prompt = no", "prompt = no\ndefault_md = sha384"),
    "critical constraints": changed("CA:FALSE", "critical, CA:FALSE").replace("= digital", "= critical,digital"),
    "constraint in other letters": changed("CA:FALSE", "CA:false").replace(
        "clientAuth, serverAuth", "serverAuth,clientAuth"
    ),
    "semicolon is no comment": changed("[dn]", "[other]\n;CN = x\n[dn]"),
}
"""Ways to write what the manual's configuration says."""

OTHER = {
    "no alternative names": (changed("subjectAltName = @alt\n", ""), "'node.example.com' is added to the DNS names"),
    "no extensions": (changed("req_extensions = ext\n", ""), "basicConstraints, extendedKeyUsage, keyUsage added"),
    "extensions for self-signed certificates": (
        changed("req_ext", "x509_ext"),
        "x509_extensions counts for self-signed",
    ),
    "common name that is no DNS name yet": (
        changed("DNS.1 = node.example.com\n", ""),
        "line 8.*is added to the DNS names",
    ),
    "no common name": (changed("CN = node.example.com\n", ""), "there is no common name: the first DNS name, 'node"),
    "further field": (
        changed("C = US", "C = US\nOU = Certificates"),
        "line 13, section dn: 'OU' is left out: TRISA asks",
    ),
    "mail": (changed("C = US", "C = US\nemailAddress = me@example.com"), "'emailAddress' is left out"),
    "further extension": (changed("[alt]", "subjectKeyIdentifier = hash\n[alt]"), "subjectKeyIdentifier is left out"),
    "other key usage": (changed("keyEncipherment, ", ""), "keyUsage is not what TRISA prescribes"),
    "other extended usage": (changed("clientAuth, ", "emailProtection,"), "extendedKeyUsage is not what TRISA"),
    "critical names": (changed("@alt", "critical,@alt"), "subjectAltName is not made critical"),
    "weaker hash": (
        changed("prompt", "default_md = sha256\nprompt"),
        "line 4.*default_md is 'sha256', which is left out",
    ),
    "smaller key": (changed("4096", "2048"), "default_bits chooses RSA-2048, and TRISA asks for RSA-4096"),
    "larger key": (changed("4096", "8192"), "default_bits is 8192, which is left out"),
    "set twice": (
        changed("L = Menlo Park", "L = Elsewhere\nL = Menlo Park"),
        "L was set on line 10 already: the last",
    ),
    "name set twice": (changed("DNS.2", "DNS.1"), "DNS.1 was set on line 21 already"),
    "unknown setting": (
        changed("prompt = no", "prompt = no\nreq_extension = v3"),
        r"'req_extension'.*mean req_extensions",
    ),
    "file of the key": (
        changed("prompt = no", "prompt = no\ndefault_keyfile = node.key"),
        "default_keyfile is left out",
    ),
    "questions": (
        changed("prompt = no\n", "")
        .replace("O = Example Inc.", "O = Which?\nO_default = Example Inc.\nO_max = 64")
        .replace("ST = California\n", "ST = Which state?\nST_value = California\n"),
        "CN has no default, and is left out",
    ),
}
"""Configurations that say something else, or more than is taken over, and what is told of them."""

WRONG = {
    "empty": ("", r"has no section \[req\]", True),
    "no section": ("CN = example.com\n", r"has no section \[req\]", True),
    "no subject": (changed("distinguished_name = dn\n", ""), "section req: there is no distinguished_name", True),
    "subject elsewhere": (
        changed("= dn", "= nowhere"),
        "line 2, section req: distinguished_name names the section 'nowhere'",
        True,
    ),
    "extensions elsewhere": (
        changed("= ext", "= v3_req"),
        "line 3, section req: req_extensions names the section 'v3_req'",
        True,
    ),
    "names elsewhere": (changed("@alt", "@names"), "line 18, section ext: there is no section 'names'", True),
    "bracket missing": (changed("[dn]", "[dn"), r"line 7: '\[dn' is no section's name in brackets", True),
    "comment with a semicolon": (
        changed("[dn]", "; the subject\n[dn]"),
        "line 7, section req: '; the subject' is no",
        True,
    ),
    "section's name with a sign": (changed("[dn]", "[d$n]"), "is no section's name in brackets", True),
    "no setting": (
        changed("ST = California", "ST: California"),
        "line 11, section dn: 'ST: California' is no setting",
        True,
    ),
    "include": (
        changed("prompt = no", ".include other.cnf\nprompt = no"),
        r"line 4, section req: \.include cannot",
        False,
    ),
    "include with sign": (
        changed("prompt = no", ".include = /other\nprompt = no"),
        r"\.include cannot be followed",
        False,
    ),
    "pragma": (changed("prompt = no", ".pragma = dollarid:true\nprompt = no"), r"\.pragma cannot be followed", False),
    "variable of the environment": (
        changed("Menlo Park", "$ENV::CITY"),
        r"line 10, section dn: L has the variable '\$ENV::CITY'",
        True,
    ),
    "variable": (
        changed("node.example.com\nO", "${host}.example.com\nO"),
        r"line 8, section dn: CN has the variable '\${host}'",
        True,
    ),
    "variable in the names": (
        changed("DNS.2 = *", "DNS.2 = $x"),
        r"line 22, section alt: DNS.2 has the variable '\$x.",
        True,
    ),
    "address": (
        changed("DNS.2 = *.example.com", "IP.1 = 10.0.0.1"),
        "line 22, section alt: 'IP:10.0.0.1' is no DNS name",
        False,
    ),
    "address in a list": (
        changed("@alt", "DNS:a.example.com,IP:10.0.0.1"),
        "line 18, section ext: 'IP:10.0.0.1' is no DNS",
        False,
    ),
    "mail as a name": (changed("@alt", "email:copy"), "line 18, section ext: 'email:copy' is no DNS name", False),
    "kind in small letters": (
        changed("DNS.2", "dns.2"),
        r"line 22, section alt: 'dns:\*.example.com' is no DNS name",
        True,
    ),
    "list without kind": (
        changed("@alt", "node.example.com"),
        r"line 18.*is no DNS name \(write it as in DNS:",
        True,
    ),
    "address as DNS name": (
        changed("*.example.com", "10.0.0.1"),
        "line 22, section alt: '10.0.0.1' is an IP address",
        False,
    ),
    "name twice": (
        changed("*.example", "Node.example"),
        "line 22, section alt: the same name twice: 'node.example.com'",
        False,
    ),
    "quoted blank": (
        changed("Menlo Park", '"Menlo Park "'),
        "line 10, section dn: 'Menlo Park ' begins or ends",
        False,
    ),
    "non-breaking blank": (
        changed("Menlo Park", "Menlo Park\u00a0"),
        "line 10, section dn: .* begins or ends",
        False,
    ),
    "placeholder": (changed("Menlo Park", "[city]"), r"line 10, section dn: '\[city\]' is a placeholder", False),
    "country": (
        changed("= US", "= USA"),
        r"line 12, section dn: 'USA' is no country code of ISO 3166 \(write US",
        True,
    ),
    "field in small letters": (
        changed("CN =", "cn ="),
        r"line 8, section dn: 'cn' is no field of a subject \(write CN\)",
        True,
    ),
    "S for ST": (changed("ST =", "S ="), r"line 11, section dn: 'S' is no field of a subject \(write ST\)", True),
    "two organizations": (
        changed("L =", "1.O = Other\nL ="),
        "line 10, section dn: O stands on line 9 already",
        False,
    ),
    "several in one": (changed("L =", "+L ="), "line 10, section dn: '.L' is no field of a subject", False),
    "authority": (
        changed("CA:FALSE", "CA:TRUE"),
        "line 15, section ext: asks for the certificate of an authority",
        False,
    ),
    "extension in small letters": (changed("subjectAlt", "subjectalt"), "'subjectaltName' is no extension", True),
    "small key": (changed("4096", "1024"), "line 5, section req: default_bits is '1024'", False),
    "no number": (changed("4096", "many"), "line 5, section req: default_bits is 'many'", False),
    "no answers": (
        changed("prompt = no\n", ""),
        "line 7, section dn: the values here are what openssl would ask",
        False,
    ),
}
"""Configurations that are refused: what is told, and whether openssl refuses them too."""


@pytest.fixture(scope="module")
def key(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("key") / "key.pem"
    parameters = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
    subprocess.run(["openssl", "genpkey", *parameters, "-out", path], check=True, capture_output=True)
    return path


def openssl(text: str, key: Path, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Let openssl make a request; in the environment is nothing that a configuration could ask for."""
    (folder / "request.conf").write_bytes(text.encode())
    command = ("openssl", "req", "-new", "-batch", "-utf8", "-sha384", "-key", key, "-config", "request.conf")
    return subprocess.run(command, capture_output=True, cwd=folder, env={"PATH": os.environ["PATH"]}, check=False)


def made(text: str, key: Path, folder: Path) -> tuple[list[str], list[str], list[str]]:
    """Return common names, DNS names and the other fields of the request that openssl makes."""
    done = openssl(text, key, folder)
    assert done.returncode == 0, done.stderr
    request = x509.load_pem_x509_csr(done.stdout)
    try:
        alternative = request.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        names = alternative.get_values_for_type(x509.DNSName)
    except x509.ExtensionNotFound:
        names = []
    common = [str(one.value) for one in request.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
    fields = [request.subject.get_attributes_for_oid(field) for field in FIELDS]
    return common, names, [str(one[0].value) if one else "" for one in fields]


def read(text: str) -> OpenSSLConfig:
    return read_openssl_config(text.encode(), "trisa.conf")


def refusal(text: str) -> InvalidInputError:
    with pytest.raises(InvalidInputError) as caught:
        read(text)
    return caught.value


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("text", SAME.values(), ids=SAME)
def test_what_is_written_in_other_ways_is_read_as_openssl_reads_it(text: str, key: Path, tmp_path: Path) -> None:
    found = read(text)
    assert found == OpenSSLConfig(SPEC, "RSA-4096", ())
    common, names, fields = made(text, key, tmp_path)
    assert common == [SPEC.names[0]]
    assert sorted(names) == sorted(SPEC.names)
    assert fields == [SPEC.organization, SPEC.locality, SPEC.state, SPEC.country]


@pytest.mark.needs("openssl")
@pytest.mark.parametrize(("text", "told"), OTHER.values(), ids=OTHER)
def test_what_is_not_taken_over_is_told(text: str, told: str, key: Path, tmp_path: Path) -> None:
    found = read(text)
    assert any(re.search(told, note) for note in found.notes), found.notes
    assert all(re.match(r"trisa\.conf, (line \d+, )?section \w+: ", note) for note in found.notes)
    common, names, fields = made(text, key, tmp_path)
    assert set(found.spec.names) == {*common, *names}
    assert [found.spec.names[0]] == (common or names[:1])
    assert fields == [found.spec.organization, found.spec.locality, found.spec.state, found.spec.country]


@pytest.mark.parametrize(("text", "told", "_"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_told_with_its_line_and_section(text: str, told: str, _: bool) -> None:
    refused = refusal(text)
    assert any(re.search(told, fault) for fault in refused.faults), refused.faults
    assert refused.faults[0].startswith("trisa.conf")
    assert all(fault.isprintable() for fault in refused.faults)


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("name", [name for name, (_, _, too) in WRONG.items() if too])
def test_openssl_refuses_it_too(name: str, key: Path, tmp_path: Path) -> None:
    assert openssl(WRONG[name][0], key, tmp_path).returncode != 0


@pytest.mark.parametrize(
    ("bits", "kind"), [("2048", "RSA-2048"), ("3072", "RSA-3072"), ("4096", "RSA-4096"), ("8192", None)]
)
def test_the_bits_choose_the_key(bits: str, kind: str | None) -> None:
    assert read(changed("4096", bits)).key == kind
    assert read(changed("default_bits = 4096\n", "")).key is None


def test_a_configuration_may_leave_the_names_to_its_reader() -> None:
    found = read(changed("CN = node.example.com\n", "").replace("subjectAltName = @alt\n", ""))
    assert found.spec == RequestSpec((), *(SPEC.organization, SPEC.locality, SPEC.state, SPEC.country))


def test_names_and_country_are_brought_into_form() -> None:
    found = read(MANUAL.replace("node.example.com", "Node.Example.com").replace("= US", "= us"))
    assert (found.spec, found.notes) == (SPEC, ())


def test_all_faults_are_told_at_once() -> None:
    refused = refusal(changed("Menlo Park", "[city]").replace("= US", "= UK").replace("*.example.com", "10.0.0.1"))
    assert isinstance(refused, InvalidRequestError)
    assert refused.message == "3 faults in trisa.conf"
    assert len(refused.faults) == 3


def test_what_is_no_utf_8_is_refused_with_its_line() -> None:
    data = b"\xef\xbb\xbf" + changed("Menlo", "M\u00fcnlo").encode("latin-1")
    with pytest.raises(InvalidInputError, match=r"trisa\.conf, line 10: is not UTF-8"):
        read_openssl_config(data, "trisa.conf")


def test_no_secret_of_a_configuration_is_told() -> None:
    found = read(changed("prompt = no", "prompt = no\noutput_password = correct-horse\nattributes = more"))
    assert [note.split(": ")[1] for note in found.notes] == ["output_password is left out", "attributes is left out"]
