"""The session of the manual of TRISA's Go tool, typed as its readers type it, from log-in to revocation.

What is typed is the manual's, but for what it forgets: `unzip` needs the folder (`-d certs`). What is shown is
compared with the manual's, dates and later numbers apart, and with one exception: after the upload the manual repeats
the block of `create`, where the service gives a first status of PENDING, active, and the file's name.
"""

from __future__ import annotations

import json
import re
import time
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.transcripts import shown
from tests.transcripts.shell import Shell, Typed

pytestmark = pytest.mark.needs("bash", "openssl", "unzip")

CREATE = 'sectigo create -a 42 -d example.com -p secrtpasswrd -b "example.com certs"'
DOWNLOAD = "sectigo download -i 24 -o certs/"
OPEN = "openssl pkcs12 -in certs/example.com.p12 -out certs/example.com.pem -nodes"
PROMPTS = {OPEN: {"Enter Import Password:": "secrtpasswrd"}}
REQUEST = (
    "openssl req -new -newkey rsa:4096 -nodes -sha384 -config trisa.conf -keyout example.com.key -out example.com.csr"
)
READ_REQUEST = "openssl req -in example.com.csr -noout -text -verify"
UPLOAD = "sectigo upload -p 42 example.com.csr"
FIND = "sectigo find -n example.com"
REVOKE = 'sectigo revoke -p 42 -r "cessation of operation" -s '
VERIFY = "openssl verify -CAfile chain.pem -purpose sslserver own/example.com.pem"
VERIFY_CRL = "openssl verify -CAfile chain.pem -crl_check -CRLfile issuing.crl.pem own/example.com.pem"
OCSP = "openssl ocsp -issuer issuing.pem -CAfile chain.pem -resp_text"
OF_KEY = "openssl pkey -in example.com.key -pubout"
OF_LEAF = "openssl x509 -in own/example.com.pem -noout -pubkey"

BEFORE = (
    "sectigo auth",
    "sectigo auth --cache",
    "sectigo auth --debug",
    "sectigo authorities",
    "sectigo licenses",
    "sectigo profiles -i 42",
    "sectigo profile -i 42 --params",
    CREATE,
    "sectigo batches -i 24",
    "sectigo batches -i 24 --status",
    DOWNLOAD,
    "unzip certs/24.zip -d certs",
    OPEN,
    "openssl x509 -in certs/example.com.pem -noout -subject -nameopt RFC2253",
    "openssl pkey -in certs/example.com.pem -noout -check",
    REQUEST,
    READ_REQUEST,
    UPLOAD,
    "sectigo download -i 25 -o certs/",
    "unzip certs/25.zip -d own",
)
AFTER = (VERIFY, OF_KEY, OF_LEAF, "openssl x509 -in own/example.com.pem -noout -text", FIND)

CONFIGURATION = """\
[req]
distinguished_name = dn_req
req_extensions = v3ext_req
prompt = no
default_bits = 4096
[dn_req]
CN = example.com
O = Example Organization
L = Queenstown
ST = Maryland
C = US
[v3ext_req]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment, nonRepudiation
extendedKeyUsage = clientAuth, serverAuth
subjectAltName = @alt_names
[alt_names]
DNS.1 = example.com
"""


@pytest.fixture(scope="module")
def shell(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shell]:
    """The whole session, typed once; each test looks at a part of what it left."""
    shell = Shell(tmp_path_factory.mktemp("manual"))
    server = shell.serve()
    try:
        _type_session(shell)
        yield shell
    finally:
        server.terminate()
        server.communicate(timeout=10)
    assert server.returncode == 0


def _type_session(shell: Shell) -> None:
    (shell.folder / "trisa.conf").write_text(CONFIGURATION)
    for line in BEFORE:
        if line in PROMPTS:
            shell.type_at_terminal(line, PROMPTS[line])
        else:
            shell.type(line)
    _fetch(shell, "/ca/chain.pem", "chain.pem")
    _fetch(shell, "/ca/issuing.crt", "issuing.crt")
    shell.type("openssl x509 -inform DER -in issuing.crt -out issuing.pem")
    for line in AFTER:
        shell.type(line)
    _look_revocation_up(shell)
    shell.type(REVOKE + _serial_of_own(shell))
    shell.type(FIND)
    _look_revocation_up(shell)


def _serial_of_own(shell: Shell) -> str:
    return shell.type("openssl x509 -in own/example.com.pem -noout -serial").out.strip().partition("=")[2]


def _look_revocation_up(shell: Shell) -> None:
    """Ask where the certificates themselves say: OCSP for both, the list for the one with a key of our own."""
    _fetch(shell, "/crl/issuing.crl", "issuing.crl")
    shell.type("openssl crl -inform DER -in issuing.crl -out issuing.crl.pem")
    shell.type("openssl crl -in issuing.crl.pem -noout -text -CAfile chain.pem")
    shell.type(VERIFY_CRL)
    for path in ("own/example.com.pem", "certs/example.com.pem"):
        where = shell.type(f"openssl x509 -in {path} -noout -ocsp_uri").out.strip()
        shell.type(f"{OCSP} -cert {path} -url {where} # {path}")


def _fetch(shell: Shell, path: str, name: str) -> None:
    with urllib.request.urlopen(shell.environ["SECTIGO_ENDPOINT"] + path, timeout=10) as reply:
        (shell.folder / name).write_bytes(reply.read())


def typed(shell: Shell, line: str, time: int = 0) -> str:
    """Return what a line printed, having made sure that it succeeded."""
    done = shell.seen[line][time]
    assert done.code == 0, done
    return done.out


def document(shell: Shell, line: str, time: int = 0) -> Any:
    """Return the one JSON document that a line printed, having made sure of its form."""
    out = typed(shell, line, time)
    read = json.loads(out)
    assert out == json.dumps(read, indent=2, ensure_ascii=False) + "\n"
    return read


def same(printed: dict[str, Any], expected: dict[str, Any]) -> None:
    """Compare two documents with the order of their keys; the date is checked to be one of today's, and ours."""
    assert list(printed) == list(expected)
    date = printed["creationDate"]
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}\+0000", date), date
    assert abs(datetime.strptime(date, "%Y-%m-%dT%H:%M:%S.%f%z").timestamp() - time.time()) < 120
    assert printed | {"creationDate": None} == expected


def test_every_line_succeeds(shell: Shell) -> None:
    failed = {line: done for line, times in shell.seen.items() for done in times if done.code != 0}
    assert list(failed) == [VERIFY_CRL], failed


def test_auth(shell: Shell) -> None:
    assert shell.seen["sectigo auth"] == [Typed(0, "user authenticated and credentials cached\n", "")]


def test_auth_cache(shell: Shell) -> None:
    path = Path(typed(shell, "sectigo auth --cache").removesuffix("\n"))
    assert path.is_relative_to(shell.environ["HOME"])
    assert path.stat().st_mode & 0o777 == 0o600
    assert set(json.loads(path.read_text())) >= {"accessToken", "refreshToken"}


def test_auth_debug(shell: Shell) -> None:
    found = re.fullmatch(
        r"credentials are valid until (\d{4}-\d\d-\d\d \d\d:\d\d:\d\d \+0000) UTC\n",
        typed(shell, "sectigo auth --debug"),
    )
    assert found
    until = datetime.strptime(found[1], "%Y-%m-%d %H:%M:%S %z")
    assert 480 < (until - datetime.now(UTC)).total_seconds() <= 600


def test_authorities(shell: Shell) -> None:
    printed = document(shell, "sectigo authorities")
    assert printed == shown.AUTHORITIES
    assert [list(each) for each in printed] == [list(each) for each in shown.AUTHORITIES]


def test_licenses(shell: Shell) -> None:
    printed = document(shell, "sectigo licenses")
    assert list(printed.items()) == list(shown.LICENSES.items())


def test_profile(shell: Shell) -> None:
    printed = document(shell, "sectigo profiles -i 42")
    assert list(printed) == shown.PROFILE_FIELDS
    assert (printed["profileId"], printed["profileName"]) == (42, "TRISA Profile")
    assert json.loads(printed["rawProfileConfig"])["profileId"] == 42


def test_profile_parameters(shell: Shell) -> None:
    printed = document(shell, "sectigo profile -i 42 --params")
    assert [each["name"] for each in printed] == shown.PARAMETERS
    assert all(list(each) == shown.PARAMETER_FIELDS and each["required"] is True for each in printed)


def test_create(shell: Shell) -> None:
    same(document(shell, CREATE), shown.CREATED)
    note = "sectigo: 42 is a profile id: ordering from the authority 1 of that profile\n"
    assert shell.seen[CREATE][0].err == note


def test_batches(shell: Shell) -> None:
    same(document(shell, "sectigo batches -i 24"), shown.ISSUED)


def test_batch_status(shell: Shell) -> None:
    assert typed(shell, "sectigo batches -i 24 --status") == "READY_FOR_DOWNLOAD\n"


def test_download(shell: Shell) -> None:
    lines = typed(shell, DOWNLOAD).splitlines()
    assert lines[0] == "downloaded batch 24 to certs/24.zip"
    command = re.fullmatch(r"after unzipping, unencrypt with your password using `(.*)`", lines[1])
    assert len(lines) == 2 and command
    assert command[1] == "openssl pkcs12 -in example.com.p12 -out example.com.crt -nodes"
    assert (shell.folder / "certs/24.zip").stat().st_mode & 0o777 == 0o600
    assert "certs/example.com.p12" in typed(shell, "unzip certs/24.zip -d certs")


def test_opening_what_was_downloaded(shell: Shell) -> None:
    typed(shell, OPEN)
    pem = (shell.folder / "certs/example.com.pem").read_text()
    assert (pem.count("BEGIN CERTIFICATE"), pem.count("BEGIN PRIVATE KEY")) == (3, 1)
    subject = typed(shell, "openssl x509 -in certs/example.com.pem -noout -subject -nameopt RFC2253")
    assert subject == "subject=CN=example.com\n"
    assert "Key is valid" in typed(shell, "openssl pkey -in certs/example.com.pem -noout -check")


def test_another_password_does_not_open_it(shell: Shell) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(shell, "seen", {})
        done = shell.type(f"{OPEN} -noout -passin pass:secrtpasswrD")
    assert done.code != 0 and "invalid password" in done.err


def test_request_has_what_trisa_asks_for(shell: Shell) -> None:
    text = typed(shell, READ_REQUEST)
    for expected in (
        "Subject: CN = example.com, O = Example Organization, L = Queenstown, ST = Maryland, C = US\n",
        "Public-Key: (4096 bit)\n",
        "X509v3 Basic Constraints: \n                    CA:FALSE\n",
        "X509v3 Key Usage: \n                    Digital Signature, Non Repudiation, Key Encipherment\n",
        "TLS Web Client Authentication, TLS Web Server Authentication\n",
        "X509v3 Subject Alternative Name: \n                    DNS:example.com\n",
        "Signature Algorithm: sha384WithRSAEncryption\n",
    ):
        assert expected in text
    assert "verify OK" in shell.seen[READ_REQUEST][0].err


def test_upload(shell: Shell) -> None:
    same(document(shell, UPLOAD), shown.UPLOADED)


def test_own_certificate_is_verified_and_has_the_own_key(shell: Shell) -> None:
    assert typed(shell, VERIFY) == "own/example.com.pem: OK\n"
    assert typed(shell, OF_LEAF) == typed(shell, OF_KEY)
    text = typed(shell, "openssl x509 -in own/example.com.pem -noout -text")
    for expected in (
        "Subject: CN = example.com",
        "Public-Key: (4096 bit)",
        "X509v3 Key Usage: critical\n                Digital Signature, Non Repudiation, Key Encipherment\n",
        "X509v3 Basic Constraints: critical\n                CA:FALSE\n",
        "TLS Web Client Authentication, TLS Web Server Authentication\n",
        "DNS:example.com\n",
    ):
        assert expected in text
    assert "PRIVATE KEY" not in (shell.folder / "own/example.com.pem").read_text()


def test_find(shell: Shell) -> None:
    printed = document(shell, FIND)
    assert list(printed) == ["totalCount", "items"] and printed["totalCount"] == 2
    assert all(list(each) == shown.FOUND_FIELDS for each in printed["items"])
    assert {(each["commonName"], each["status"]) for each in printed["items"]} == {("example.com", "COLLECTED")}
    assert _serial_of_own(shell) in [each["serialNumber"] for each in printed["items"]]


def test_revoke(shell: Shell) -> None:
    serial = _serial_of_own(shell)
    said = f"sectigo: revoked {serial} (cessationOfOperation)\n"
    assert shell.seen[REVOKE + serial] == [Typed(0, "", said)]


def test_find_shows_it_revoked(shell: Shell) -> None:
    serial = _serial_of_own(shell)
    before, after = (document(shell, FIND, time)["items"] for time in (0, 1))
    assert {each["serialNumber"]: each["status"] for each in after} == {
        each["serialNumber"]: "REVOKED" if each["serialNumber"] == serial else each["status"] for each in before
    }


def ocsp(shell: Shell, path: str, time: int) -> str:
    return typed(shell, next(line for line in shell.seen if line.startswith(OCSP) and line.endswith(path)), time)


def test_ocsp_says_why(shell: Shell) -> None:
    before, after = (ocsp(shell, "own/example.com.pem", time) for time in (0, 1))
    assert "own/example.com.pem: good\n" in before
    assert "own/example.com.pem: revoked\n" in after
    assert "\tReason: cessationOfOperation\n" in after


def test_ocsp_leaves_the_other_certificate_alone(shell: Shell) -> None:
    assert all("certs/example.com.pem: good\n" in ocsp(shell, "certs/example.com.pem", time) for time in (0, 1))


def test_list_says_why(shell: Shell) -> None:
    line = "openssl crl -in issuing.crl.pem -noout -text -CAfile chain.pem"
    before, after = (typed(shell, line, time) for time in (0, 1))
    assert "No Revoked Certificates." in before
    assert re.findall(r"Serial Number: (\w+)", after) == [_serial_of_own(shell)]
    assert "X509v3 CRL Reason Code: \n                Cessation Of Operation\n" in after
    assert "verify OK" in shell.seen[line][1].err
    assert [done.code for done in shell.seen[VERIFY_CRL]] == [0, 2]
    assert "certificate revoked" in shell.seen[VERIFY_CRL][1].err
