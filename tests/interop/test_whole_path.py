"""From a domain name to files that a server loads, three ways, each proven by a TLS handshake with both sides known.

The emulator issues; `openssl` and `unzip` are the real ones; and the handshake is Python's, with the files as they
lie in the folder in the end: the same certificate shows the server to the client, and the client to the server.
"""

from __future__ import annotations

import json
import shlex
import ssl
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509

from sectigo_iot.emulator import Emulator
from tests.conftest import Runner

NAME, OTHER = "node.example.com", "www.example.com"
SUBJECT = ("--organization", "Example", "-l", "Menlo Park", "-s", "California", "-c", "US")
TRISA_CONF = f"""\
[req]
distinguished_name = dn_req
req_extensions = v3ext_req
prompt = no
default_bits = 4096
[dn_req]
CN = {NAME}
O = Example
L = Menlo Park
ST = California
C = US
[v3ext_req]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment, nonRepudiation
extendedKeyUsage = clientAuth, serverAuth
subjectAltName = @san
[san]
DNS.1 = {NAME}
DNS.2 = {OTHER}
"""
"""As TRISA's manual has it."""


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    """A service whose PKCS#12 is in the live one's form, and whose profile 489 demands a whole subject."""
    with Emulator(balances={423: 100, 489: 100}, legacy_pkcs12=True) as emulator:
        yield emulator


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, service: Emulator) -> Path:
    """An empty folder with the root certificate of the service in it."""
    monkeypatch.chdir(tmp_path)
    Path("root.pem").write_bytes(service.root_certificate)
    return tmp_path


def typed(line: str) -> str:
    """Type a line into a shell."""
    done = subprocess.run(["sh", "-ec", line], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, f"{line}\n{done.stdout}{done.stderr}"
    return done.stdout


def handshake(certificate: Path, key: Path) -> str:
    """Connect a client and a server that both show this certificate, and return the subject that the server saw."""
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for side in (server, client):
        side.load_verify_locations("root.pem")
        side.load_cert_chain(certificate, key)
        side.verify_mode = ssl.CERT_REQUIRED
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    at_client = client.wrap_bio(to_client, to_server, server_hostname=NAME)
    at_server = server.wrap_bio(to_server, to_client, server_side=True)
    for _ in range(4):
        for end in (at_client, at_server):
            try:
                end.do_handshake()
            except ssl.SSLWantReadError:
                continue
    at_client.write(b"hello")
    assert at_server.read(5) == b"hello"
    shown = at_server.getpeercert(binary_form=True)
    assert shown is not None
    leaf = x509.load_der_x509_certificate(shown)
    assert dns_names(leaf) == [NAME, OTHER]
    return leaf.subject.rfc4514_string()


def dns_names(leaf: x509.Certificate) -> list[str]:
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    return names.get_values_for_type(x509.DNSName)


def test_a_handshake_needs_what_was_issued(here: Path, service: Emulator) -> None:
    """What judges the others refuses a certificate that nobody issued, and a key of another one."""
    for name in ("own", "other"):
        new_key = "-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
        typed(f"openssl req -x509 {new_key} -keyout {name}.key -out {name}.crt -subj /CN=x")
    with pytest.raises(ssl.SSLError, match=r"(?i)CERTIFICATE_VERIFY_FAILED"):
        handshake(Path("own.crt"), Path("own.key"))
    with pytest.raises(ssl.SSLError, match=r"(?i)KEY_VALUES_MISMATCH"):
        handshake(Path("own.crt"), Path("other.key"))


@pytest.mark.needs("openssl", "unzip")
def test_the_manuals_way_with_a_request(here: Path, service: Emulator, sectigo: Runner) -> None:
    Path("trisa.conf").write_text(TRISA_CONF)
    made = sectigo("csr", "--from", "trisa.conf", "--key-type", "P-256")
    assert made.code == 0, made
    text = typed(f"openssl req -in {NAME}.csr -noout -verify -text 2>&1")
    assert f"DNS:{NAME}, DNS:{OTHER}" in text
    done = sectigo("upload", f"{NAME}.csr", "-p", "489", "--download", "certs", env=service.environ)
    assert done.code == 0, done
    typed(f"unzip -q certs/{json.loads(done.out)['batchId']}.zip -d certs")
    subject = handshake(Path(f"certs/{NAME}.pem"), Path(f"{NAME}.key"))
    assert "O=Example" in subject
    assert stat.S_IMODE(Path(f"{NAME}.key").stat().st_mode) == 0o600


@pytest.mark.needs("openssl", "unzip")
def test_the_manuals_request_is_the_one_that_openssl_makes(here: Path, service: Emulator, sectigo: Runner) -> None:
    Path("trisa.conf").write_text(TRISA_CONF)
    typed("openssl genpkey -algorithm EC -pkeyopt ec_paramgen_curve:P-256 -out shared.key")
    typed("openssl req -new -key shared.key -sha384 -config trisa.conf -out theirs.csr")
    assert sectigo("csr", "--from", "trisa.conf", "--key", "shared.key").code == 0
    for path in (f"{NAME}.csr", "theirs.csr"):
        done = sectigo("upload", path, "-p", "489", "--check-only", env=service.environ)
        assert done.code == 0, done
    ours, theirs = (typed(f"openssl req -in {path} -noout -subject") for path in (f"{NAME}.csr", "theirs.csr"))
    assert ours == theirs


@pytest.mark.needs("openssl", "unzip")
def test_the_manuals_way_with_a_pkcs12(here: Path, service: Emulator, sectigo: Runner) -> None:
    Path("password").write_text("secrtpasswrd\n")
    words = ("create", "-a", "423", "-d", NAME, "--dns", OTHER, "--password-file", "password", "--download", "certs")
    done = sectigo(*words, env=service.environ)
    assert done.code == 0, done
    command = done.err.split("`")[1]
    assert shlex.split(command)[:3] == ["openssl", "pkcs12", "-legacy"]
    typed(f"unzip -q certs/{json.loads(done.out)['batchId']}.zip && {command} -passin file:password")
    handshake(Path(f"{NAME}.crt"), Path(f"{NAME}.crt"))


def installed(folder: Path) -> str:
    """Prove with openssl and with a handshake what lies in a folder, and return the subject that was seen."""
    files = ("cert.pem", "chain.pem", "fullchain.pem", "privkey.pem", "full.pem")
    assert [name for name in files if not (folder / name).is_file()] == []
    assert all(stat.S_IMODE((folder / name).stat().st_mode) == 0o600 for name in ("privkey.pem", "full.pem"))
    where = shlex.quote(str(folder))
    typed(f"openssl verify -CAfile root.pem -untrusted {where}/chain.pem -verify_hostname {OTHER} {where}/cert.pem")
    typed(f"openssl pkey -in {where}/privkey.pem -check -noout")
    subject = handshake(folder / "fullchain.pem", folder / "privkey.pem")
    assert handshake(folder / "full.pem", folder / "full.pem") == subject
    return subject


@pytest.mark.needs("openssl")
def test_with_a_key_of_the_service_in_one_line(here: Path, service: Emulator, sectigo: Runner) -> None:
    Path("password").write_text("secrtpasswrd\n")
    line = f"create -a 489 -d {NAME} --dns {OTHER} --password-file password --download certs --extract".split()
    done = sectigo(*line, *SUBJECT, env=service.environ)
    assert done.code == 0, done
    assert "O=Example" in installed(here / "certs" / NAME)


@pytest.mark.needs("openssl")
def test_with_a_key_of_our_own_in_two_lines(here: Path, service: Emulator, sectigo: Runner) -> None:
    made = sectigo("csr", NAME, "--dns", OTHER, *SUBJECT, "--key-type", "P-256")
    assert made.code == 0, made
    line = f"upload {NAME}.csr -p 489 --download certs --extract --key {NAME}.key".split()
    done = sectigo(*line, env=service.environ)
    assert done.code == 0, done
    assert "O=Example" in installed(here / "certs" / NAME)
    assert (here / "certs" / NAME / "privkey.pem").read_bytes() == (here / f"{NAME}.key").read_bytes()
