"""csr: a key and a request, or one of each for every row of a table; refused before it is made, and never half."""

from __future__ import annotations

import errno
import json
import os
import shlex
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sectigo_cli.commands import csr
from sectigo_iot import write_private
from sectigo_iot.emulator import Emulator
from sectigo_iot.pki import (
    KEY_KINDS,
    RequestSpec,
    generate_key,
    private_key_pem,
    read_private_key,
    read_requests,
    request_fits,
)
from tests.commands.conftest import names_in
from tests.conftest import Result, Runner
from tests.packages import PYTHONPATH
from tests.terminals import run_at_terminal

SUBJECT = ("--organization", "Example Ltd", "-l", "Berlin", "-s", "Berlin", "-c", "DE")
FAST = ("--key-type", "P-256")
NAME = "node.example.com"
PASSWORD = "correct horse battery"


def next_steps(files: str, keys: str, rest: str = "orders the certificate; the key stays with you") -> str:
    """What is said of the next step where no profile is known."""
    return (
        f"sectigo: next: `sectigo upload -p PROFILE_ID {files} --download certs --extract --key {keys}` {rest}\n"
        "sectigo: PROFILE_ID is one of the ids that `sectigo profiles` lists\n"
    )


NEXT = next_steps(f"{NAME}.csr", f"{NAME}.key")
ALL = "orders the certificates; the keys stay with you"
TABLE = """name,dns,organization,locality,state,country
*.example.com,example.com,Example Ltd,Berlin,Berlin,DE
a.example.com,,Example Ltd,Berlin,Berlin,DE
b.example.com,b1.example.com b2.example.com,Example Ltd,Berlin,Berlin,DE
"""
STEMS = ("_.example.com", "a.example.com", "b.example.com")
PAIRS = sorted(f"{stem}{suffix}" for stem in STEMS for suffix in (".csr", ".key"))

pytestmark = pytest.mark.usefixtures("here")


def spec_of(document: dict[str, object]) -> RequestSpec:
    names = document["dns"]
    assert isinstance(names, list)
    return RequestSpec(tuple(names), "Example Ltd", "Berlin", "Berlin", "DE")


def check_pair(document: dict[str, object], password: str | None = None) -> None:
    """Check that what was printed is what stands in the files."""
    key_file, request_file = Path(str(document["keyFile"])), Path(str(document["csrFile"]))
    key = read_private_key(key_file.read_bytes(), password)
    assert request_fits(request_file.read_bytes(), key, spec_of(document))
    (request,) = read_requests(request_file.read_bytes())
    assert (document["name"], document["dns"]) == (request.common_name, list(request.dns_names))
    assert (document["keyType"], document["publicKeySHA256"]) == (request.key, request.public_key_fingerprint)
    assert key_file.stat().st_mode & 0o777 == 0o600


def test_a_key_and_a_request(sectigo: Runner) -> None:
    done = sectigo("csr", NAME, "--dns", "api.example.com", *SUBJECT, *FAST)
    assert (done.code, done.err) == (0, NEXT)
    assert json.loads(done.out) | {"publicKeySHA256": ""} == {
        "name": NAME,
        "dns": [NAME, "api.example.com"],
        "keyType": "P-256",
        "keyFile": f"{NAME}.key",
        "csrFile": f"{NAME}.csr",
        "publicKeySHA256": "",
    }
    check_pair(json.loads(done.out))
    assert names_in() == [f"{NAME}.csr", f"{NAME}.key"]


def test_the_kinds_are_those_of_the_library() -> None:
    assert csr.KINDS == KEY_KINDS
    assert csr.KINDS[0] == csr.DEFAULT_KIND


def test_rsa_of_4096_bits_unless_said_otherwise(sectigo: Runner) -> None:
    done = sectigo("csr", NAME, *SUBJECT)
    assert json.loads(done.out)["keyType"] == "RSA-4096"


@pytest.mark.parametrize("kind", ["RSA-2048", "P-384", "Ed25519"])
def test_each_kind(sectigo: Runner, kind: str) -> None:
    done = sectigo("csr", NAME, *SUBJECT, "--key-type", kind)
    assert json.loads(done.out)["keyType"] == kind
    check_pair(json.loads(done.out))


def test_a_wildcard_and_another_folder(sectigo: Runner) -> None:
    done = sectigo("csr", "*.Example.com", *SUBJECT, *FAST, "-o", "my keys")
    assert done.code == 0
    assert done.err == ("sectigo: made the folder my keys\n") + next_steps(
        "'my keys/_.example.com.csr'", "'my keys/_.example.com.key'"
    )
    assert json.loads(done.out)["name"] == "*.example.com"
    check_pair(json.loads(done.out))
    assert Path("my keys").stat().st_mode & 0o777 == 0o700


def typed(err: str, profile: str = "423") -> list[str]:
    """The words of the line that is printed as the next step, as a shell hands them over."""
    words = shlex.split(err.partition("next: `sectigo ")[2].partition("`")[0].replace("PROFILE_ID", profile))
    return [name for word in words for name in (sorted(map(str, Path().glob(word))) if "*" in word else [word])]


def installed() -> list[str]:
    return sorted(path.parent.name for path in Path("certs").glob("*/privkey.pem"))


def test_the_next_step_works_as_it_is_typed(sectigo: Runner, shared: Emulator) -> None:
    done = sectigo("csr", NAME, *SUBJECT, *FAST, "-o", "my keys")
    upload = sectigo(*typed(done.err), env=shared.environ)
    assert (upload.code, installed()) == (0, [NAME]), upload.err


def test_the_next_step_with_a_profile_that_is_known(sectigo: Runner, shared: Emulator) -> None:
    named = sectigo("-P", "CipherTrace EE", "csr", NAME, *SUBJECT, *FAST)
    line = f"{NAME}.csr --download certs --extract --key {NAME}.key` orders the certificate; the key stays with you\n"
    assert named.err == f"sectigo: next: `sectigo upload -P 'CipherTrace EE' {line}"
    exported = sectigo("csr", NAME, *SUBJECT, "--key", f"{NAME}.key", "--force", env=shared.environ)
    assert exported.err == f"sectigo: next: `sectigo upload {line}"
    upload = sectigo(*typed(exported.err), env=shared.environ)
    assert (upload.code, installed()) == (0, [NAME]), upload.err


def test_the_next_step_after_a_batch_whose_keys_are_under_a_password(sectigo: Runner, shared: Emulator) -> None:
    Path("t.csv").write_text(TABLE)
    Path("the password").write_text(f"{PASSWORD}\n")
    done = sectigo("csr", "--batch", "t.csv", "-o", "out", *FAST, "--key-password-file", "the password")
    assert "--key out --password-file 'the password'` orders" in done.err
    upload = sectigo(*typed(done.err), env=shared.environ)
    assert (upload.code, installed()) == (0, list(STEMS)), upload.err


def test_what_is_unusual_is_said(sectigo: Runner) -> None:
    done = sectigo("csr", NAME, "--organization", "Example", "-l", "Austin", "-s", "TX", "-c", "us", *FAST)
    assert done.code == 0
    assert "TX" in done.err.splitlines()[0]
    assert done.err.endswith(NEXT)


BAD = {
    "no name": ((), "csr: for which name?"),
    "an address": (("192.0.2.1",), "192.0.2.1"),
    "a URL": (("https://example.com/",), "https://example.com/"),
    "a top-level wildcard": (("*.com",), "*.com"),
    "a long common name": ((f"{'n' * 60}.example.com",), "64"),
    "a long label": (("--dns", f"{'n' * 64}.example.com", NAME), "63"),
    "a blank at an end": ((f"{NAME} ",), "blank"),
    "a placeholder": (("[domain]",), "[domain]"),
    "a placeholder in the subject": ((NAME, "-l", "[city]"), "[city]"),
    "an unknown country": ((NAME, "-c", "XX"), "XX"),
    "one name twice": ((NAME, "--dns", "Node.example.com"), "twice"),
    "an empty name": (("",), "the value is empty"),
    "an empty field": ((NAME, "--organization", ""), "the value is empty"),
    "an unknown kind": ((NAME, "--key-type", "RSA-1024"), "RSA-1024"),
    "two names": ((NAME, "b.example.com"), "b.example.com"),
    "force alone": ((NAME, "--force"), "--force goes with --key"),
    "zip alone": ((NAME, "--zip", "a.zip"), "--zip goes with --batch"),
    "skip-bad alone": ((NAME, "--skip-bad"), "--skip-bad goes with --batch"),
    "resume alone": ((NAME, "--resume"), "--resume goes with --batch"),
    "processes alone": ((NAME, "--processes", "2"), "--processes goes with --batch"),
    "batch and a name": ((NAME, "--batch", "t.csv"), "DOMAIN does not go with --batch"),
    "batch and a further name": (("--dns", NAME, "--batch", "t.csv"), "--dns does not go with --batch"),
    "batch and a key": (("--key", "k", "--batch", "t.csv"), "--key does not go with --batch"),
    "batch and from": (("--from", "c", "--batch", "t.csv"), "--from does not go with --batch"),
    "a key that is to be encrypted": ((NAME, "--key", "k", "--encrypt-key"), "--encrypt-key does not go with --key"),
    "key and kind": ((NAME, "--key", "k", *FAST), "not allowed with"),
    "zip and pem": (("--batch", "t.csv", "--zip", "a", "--pem", "b"), "not allowed with"),
    "no processes": (("--batch", "t.csv", "--processes", "0"), "'0' is no whole number from 1 to 256"),
    "too many processes": (("--batch", "t.csv", "--processes", "257"), "'257' is no whole number"),
    "a key that is missing, for a new folder": ((NAME, "--key", "none", "-o", "new"), "none: No such file"),
    "a password that nobody can be asked for": (
        (NAME, "--encrypt-key"),
        "--encrypt-key asks for the password at a te",
    ),
    "a password file that is missing": (
        (NAME, "--key-password-file", "none"),
        "the password file none cannot be read",
    ),
    "a key that is missing": ((NAME, "--key", "none"), "none: No such file"),
    "a configuration that is missing": (("--from", "none"), "none: No such file"),
    "a table that is missing": (("--batch", "none"), "none: No such file"),
    "a folder that cannot be": ((NAME, "-o", "a/b/c"), "a/b/c is missing"),
}


@pytest.mark.parametrize(("words", "said"), BAD.values(), ids=BAD)
def test_what_cannot_be_is_refused_and_nothing_is_made(
    sectigo: Runner, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    from sectigo_iot.pki.requesting import many

    monkeypatch.delattr(many, "_made")
    done = sectigo("csr", *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert names_in() == []


def test_all_that_is_wrong_is_told_at_once(sectigo: Runner) -> None:
    done = sectigo("csr", "192.0.2.1", "--dns", "*.com", "-c", "XX")
    assert done.code == 2
    assert len(done.err.splitlines()) == 4


@pytest.mark.parametrize("there", [(".key",), (".csr",), (".key", ".csr")])
def test_nothing_is_overwritten(sectigo: Runner, monkeypatch: pytest.MonkeyPatch, there: tuple[str, ...]) -> None:
    from sectigo_iot.pki.requesting import many

    monkeypatch.delattr(many, "_made")
    for suffix in there:
        Path(f"{NAME}{suffix}").write_text("mine")
    done = sectigo("csr", NAME, *SUBJECT)
    assert (done.code, done.out) == (2, "")
    for suffix in there:
        assert f"{NAME}{suffix} exists already, and is left as it is\n" in done.err
        assert Path(f"{NAME}{suffix}").read_text() == "mine"
    assert len(names_in()) == len(there)


def test_a_folder_that_may_not_be_written(sectigo: Runner) -> None:
    done = sectigo("csr", NAME, *SUBJECT, *FAST, "-o", "/proc")
    assert (done.code, done.out) == (2, "")
    assert "/proc cannot be written to" in done.err


def test_a_key_that_exists(sectigo: Runner) -> None:
    key = private_key_pem(generate_key("P-384"))
    Path("mine.key").write_bytes(key)
    done = sectigo("csr", NAME, *SUBJECT, "--key", "mine.key", "-o", "out")
    assert done.code == 0
    document = json.loads(done.out)
    assert (document["keyType"], document["keyFile"]) == ("P-384", "mine.key")
    assert names_in("out") == [f"{NAME}.csr"]
    assert Path("mine.key").read_bytes() == key
    assert request_fits(Path(document["csrFile"]).read_bytes(), read_private_key(key), spec_of(document))


def test_a_request_for_a_key_that_exists_is_replaced_when_told_so(sectigo: Runner) -> None:
    first = sectigo("csr", NAME, *SUBJECT, *FAST)
    before = Path(f"{NAME}.csr").read_bytes()
    words = ("csr", NAME, "--dns", "b.example.com", *SUBJECT, "--key", f"{NAME}.key")
    refused = sectigo(*words)
    assert (refused.code, refused.out) == (2, "")
    assert "--force replaces it" in refused.err
    assert Path(f"{NAME}.csr").read_bytes() == before
    done = sectigo(*words, "--force")
    document = json.loads(done.out)
    assert document["publicKeySHA256"] == json.loads(first.out)["publicKeySHA256"]
    check_pair(document)


def test_a_key_where_the_request_would_be_is_never_replaced(sectigo: Runner) -> None:
    plain, encrypted = generate_key("P-256"), private_key_pem(generate_key("P-256"), PASSWORD)
    der = plain.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    write_private("mine.key", private_key_pem(plain))
    for held in (private_key_pem(plain), der, encrypted, b"-----BEGIN PRIVATE KEY-----\nbroken"):
        write_private(f"{NAME}.csr", held, replace=True)
        done = sectigo("csr", NAME, *SUBJECT, "--key", "mine.key", "--force")
        assert (done.code, done.out) == (2, "")
        assert f"{NAME}.csr holds a private key, and is left as it is" in done.err
        assert Path(f"{NAME}.csr").read_bytes() == held
    write_private(f"{NAME}.csr", b"no request of ours", replace=True)
    assert sectigo("csr", NAME, *SUBJECT, "--key", "mine.key", "--force").code == 0


def test_a_request_that_comes_there_meanwhile_stays(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    key = generate_key("P-256")

    def slow(*_: object) -> object:
        Path(f"{NAME}.csr").write_text("mine")
        return key

    monkeypatch.setattr(csr, "existing_key", slow)
    done = sectigo("csr", NAME, *SUBJECT, "--key", "any.key")
    assert (done.code, done.out) == (2, "")
    assert Path(f"{NAME}.csr").read_text() == "mine"


BAD_KEYS = {
    "a request": (f"{NAME}.csr", "only CERTIFICATE REQUEST\nsectigo: hint: wanted is a private key in PEM or DER"),
    "an encrypted one": ("encrypted.key", "there is no password\nsectigo: hint: name a --key-password-file FILE\n"),
    "a folder": (".", ".: Is a directory"),
}


@pytest.mark.parametrize(("path", "said"), BAD_KEYS.values(), ids=BAD_KEYS)
def test_a_key_that_is_none(sectigo: Runner, path: str, said: str) -> None:
    sectigo("csr", NAME, *SUBJECT, *FAST)
    Path("encrypted.key").write_bytes(private_key_pem(generate_key("P-256"), PASSWORD))
    done = sectigo("csr", "other.example.com", *SUBJECT, "--key", path)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert not Path("other.example.com.csr").exists()


def test_under_a_password_from_a_file_or_stdin(sectigo: Runner) -> None:
    Path("password").write_text(f"{PASSWORD}\n")
    done = sectigo("csr", NAME, *SUBJECT, *FAST, "--encrypt-key", "--key-password-file", "password")
    check_pair(json.loads(done.out), PASSWORD)
    other = sectigo("csr", "b.example.com", *SUBJECT, *FAST, "--key-password-file", "-", stdin=f"{PASSWORD}\n")
    check_pair(json.loads(other.out), PASSWORD)
    for each in (done, other):
        assert PASSWORD not in each.out + each.err


def test_an_encrypted_key_is_opened_with_its_password(sectigo: Runner) -> None:
    Path("password").write_text(f"{PASSWORD}\n")
    Path("wrong").write_text("wrong\n")
    write_private("mine.key", private_key_pem(generate_key("P-256"), PASSWORD))
    refused = sectigo("csr", NAME, *SUBJECT, "--key", "mine.key", "--key-password-file", "wrong")
    assert refused.code == 2
    assert "mine.key: the password does not open the private key" in refused.err
    done = sectigo("csr", NAME, *SUBJECT, "--key", "mine.key", "--key-password-file", "password")
    check_pair(json.loads(done.out), PASSWORD)


def test_an_empty_password_is_refused(sectigo: Runner) -> None:
    Path("password").write_text("\n")
    done = sectigo("csr", NAME, *SUBJECT, *FAST, "--key-password-file", "password")
    assert (done.code, done.err) == (2, "sectigo: error: the key's password is empty\n")
    assert names_in() == ["password"]


def at_terminal(here: Path, answers: dict[str, str], *words: str) -> tuple[int, str]:
    command = [sys.executable, "-m", "sectigo_cli", "csr", NAME, *SUBJECT, *words]
    return run_at_terminal(command, answers, env={**os.environ, "PYTHONPATH": PYTHONPATH}, cwd=here)


ASKED, AGAIN = "password of the key: ", "the same again: "


def test_at_a_terminal_the_password_is_asked_for_twice(here: Path) -> None:
    code, shown = at_terminal(here, {ASKED: PASSWORD, AGAIN: "another"}, *FAST, "--encrypt-key")
    assert code == 2
    assert "the two passwords differ, nothing was made" in shown
    assert names_in() == []
    code, shown = at_terminal(here, {ASKED: PASSWORD, AGAIN: PASSWORD}, *FAST, "--encrypt-key")
    assert code == 0
    assert PASSWORD not in shown
    read_private_key(Path(f"{NAME}.key").read_bytes(), PASSWORD)
    code, shown = at_terminal(here, {ASKED: PASSWORD}, "--key", f"{NAME}.key", "--force")
    assert code == 0
    assert PASSWORD not in shown


def test_a_password_that_is_typed_for_a_new_key_is_asked_for_twice(here: Path) -> None:
    words = (*FAST, "--key-password-file", "-")
    code, shown = at_terminal(here, {ASKED: PASSWORD, AGAIN: "another"}, *words)
    assert code == 2
    assert "the two passwords differ, nothing was made" in shown
    assert names_in() == []
    code, shown = at_terminal(here, {ASKED: PASSWORD, AGAIN: PASSWORD}, *words)
    assert code == 0
    read_private_key(Path(f"{NAME}.key").read_bytes(), PASSWORD)
    code, shown = at_terminal(here, {ASKED: PASSWORD}, "--key", f"{NAME}.key", "--force", "--key-password-file", "-")
    assert code == 0
    assert AGAIN not in shown


def test_a_password_that_is_no_text(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("getpass.getpass", lambda *_: b"\xff".decode())
    for words in ("--encrypt-key",), ("--key-password-file", "-"):
        done = sectigo("csr", NAME, *SUBJECT, *FAST, *words, terminal=True)
        assert (done.code, done.out) == (2, "")
        assert "what was typed is no text in the terminal's encoding" in done.err
    assert names_in() == []


CONFIG = f"""[req]
distinguished_name = dn
req_extensions = ext
prompt = no
default_bits = 2048
[dn]
CN = {NAME}
O = Example Ltd
L = Berlin
ST = Berlin
C = DE
[ext]
basicConstraints = CA:FALSE
keyUsage = digitalSignature, keyEncipherment, nonRepudiation
extendedKeyUsage = clientAuth, serverAuth
subjectAltName = @names
[names]
DNS.1 = {NAME}
DNS.2 = api.example.com
"""


def test_from_a_configuration_of_openssl(sectigo: Runner) -> None:
    Path("trisa.conf").write_text(CONFIG)
    done = sectigo("csr", "--from", "trisa.conf")
    document = json.loads(done.out)
    assert (document["dns"], document["keyType"]) == ([NAME, "api.example.com"], "RSA-2048")
    check_pair(document)


def test_what_the_line_says_goes_before_the_configuration(sectigo: Runner) -> None:
    Path("trisa.conf").write_text(CONFIG)
    done = sectigo("csr", "--from", "trisa.conf", "other.example.com", *FAST)
    document = json.loads(done.out)
    assert (document["dns"], document["keyType"]) == (["other.example.com"], "P-256")
    check_pair(document)
    done = sectigo("csr", "--from", "trisa.conf", "--dns", "c.example.com", *FAST)
    document = json.loads(done.out)
    assert document["dns"] == [NAME, "api.example.com", "c.example.com"]
    check_pair(document)


def test_what_is_wrong_in_a_configuration(sectigo: Runner) -> None:
    Path("trisa.conf").write_text(CONFIG.replace("C = DE", "C = XX"))
    done = sectigo("csr", "--from", "trisa.conf")
    assert (done.code, done.out) == (2, "")
    assert "trisa.conf" in done.err
    assert "XX" in done.err


@pytest.fixture
def table(here: Path) -> Path:
    path = here / "t.csv"
    path.write_text(TABLE)
    return path


def batch(sectigo: Runner, *words: str) -> Result:
    return sectigo("csr", "--batch", "t.csv", "-o", "out", *words)


@pytest.mark.usefixtures("table")
def test_a_pair_for_each_row(sectigo: Runner) -> None:
    done = batch(sectigo, *FAST)
    assert done.code == 0
    assert done.err == ("sectigo: made the folder out\nsectigo: made 3 keys and requests in out\n") + next_steps(
        "out/*.csr", "out", ALL
    )
    made = json.loads(done.out)
    assert [each["name"] for each in made] == ["*.example.com", "a.example.com", "b.example.com"]
    assert made[2]["dns"] == ["b.example.com", "b1.example.com", "b2.example.com"]
    for each in made:
        check_pair(each)
    assert names_in("out") == PAIRS


@pytest.fixture
def through(here: Path) -> Iterator[Callable[[str], str]]:
    """Yield a function that makes a pipe through which a text comes, and returns its name."""
    with ThreadPoolExecutor() as writing:

        def pipe(text: str) -> str:
            path = here / f"pipe-{len(text)}"
            os.mkfifo(path)
            writing.submit(path.write_text, text)
            return str(path)

        yield pipe


def test_a_table_a_configuration_and_a_key_may_come_through_a_pipe(
    sectigo: Runner, through: Callable[[str], str]
) -> None:
    table = sectigo("csr", "--batch", through(TABLE), "-o", "out", *FAST)
    assert json.loads(table.out)[0]["name"] == "*.example.com"
    check_pair(json.loads(sectigo("csr", "--from", through(CONFIG), *FAST).out))
    key = private_key_pem(generate_key("P-256"))
    piped = sectigo("csr", "c.example.com", *SUBJECT, "--key", through(key.decode()))
    request, spec = Path("c.example.com.csr").read_bytes(), spec_of(json.loads(piped.out))
    assert request_fits(request, read_private_key(key), spec)
    assert piped.err == next_steps("c.example.com.csr", "KEYFILE")


@pytest.mark.usefixtures("table")
def test_in_several_processes(sectigo: Runner) -> None:
    Path("t.csv").write_text(TABLE + "".join(f"c{n}.example.com,,Example Ltd,Berlin,Berlin,DE\n" for n in range(6)))
    done = batch(sectigo, "--key-type", "RSA-2048", "--processes", "2")
    assert done.code == 0
    for each in json.loads(done.out):
        check_pair(each)
    assert len(names_in("out")) == 18


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("processes", [1, 3])
def test_in_as_many_processes_as_are_asked_for(
    sectigo: Runner, monkeypatch: pytest.MonkeyPatch, processes: int
) -> None:
    from sectigo_iot.pki.requesting import many

    seen: list[int] = []

    def spread_here(
        function: Callable[[object], object], pieces: list[object], *, processes: int
    ) -> Iterator[object]:
        seen.append(processes)
        yield from map(function, pieces)

    monkeypatch.setattr(many, "spread", spread_here)
    monkeypatch.setitem(many._TOGETHER, "RSA-2048", 1)
    done = batch(sectigo, "--key-type", "RSA-2048", "--processes", str(processes))
    assert (done.code, seen) == (0, [processes])


@pytest.mark.usefixtures("table")
def test_the_requests_in_a_zip_or_a_pem_too(sectigo: Runner) -> None:
    done = batch(sectigo, *FAST, "--zip", "all.zip")
    assert done.err.endswith(next_steps("all.zip", "out", ALL))
    names = [each["name"] for each in json.loads(done.out)]
    assert [each.common_name for each in read_requests(Path("all.zip").read_bytes())] == names
    with zipfile.ZipFile("all.zip") as archive:
        assert archive.namelist() == [f"{stem}.csr" for stem in STEMS]
    again = batch(sectigo, *FAST, "--pem", "out/all.csr", "--resume")
    assert again.code == 0
    assert [each.common_name for each in read_requests(Path("out/all.csr").read_bytes())] == names
    assert json.loads(again.out) == json.loads(done.out)
    assert "made 0 keys and requests in out, and passed over 3 that were there\n" in again.err


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize("option", ["--zip", "--pem"])
def test_a_file_for_all_that_cannot_be(sectigo: Runner, option: str) -> None:
    Path("all").write_text("mine")
    for path, said in (
        ("all", "all exists already"),
        ("none/all", "there is no folder none"),
        ("/proc/all", "/proc"),
    ):
        done = batch(sectigo, *FAST, option, path)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    assert Path("all").read_text() == "mine"
    assert names_in() == ["all", "t.csv"]


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--pem", "out/a.example.com.csr"), "out/a.example.com.csr is where a row of the table will be"),
        (("--zip", "./out/../out/_.example.com.key"), "is where a row of the table will be"),
        (("--zip", "out"), "out is where the keys will be"),
    ],
)
def test_a_file_for_all_that_is_in_the_way_of_the_rows(sectigo: Runner, words: tuple[str, str], said: str) -> None:
    done = batch(sectigo, *FAST, *words)
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert names_in() == ["t.csv"]
    Path("out").mkdir()
    assert batch(sectigo, *FAST, *words).code == 2
    assert names_in("out") == []


@pytest.mark.usefixtures("table")
def test_a_file_for_all_that_fails_at_the_end(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from sectigo_iot import pki

    def full(requests: object) -> bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "all.zip")

    with monkeypatch.context() as patched:
        patched.setattr(pki, "write_zip", full)
        done = batch(sectigo, *FAST, "--zip", "all.zip")
    assert (done.code, done.out) == (1, "")
    assert "the keys and requests are in their folder; the same line with --resume makes all.zip\n" in done.err
    assert names_in("out") == PAIRS
    assert batch(sectigo, *FAST, "--zip", "all.zip", "--resume").code == 0
    assert len(read_requests(Path("all.zip").read_bytes())) == 3


@pytest.mark.usefixtures("table")
def test_no_request_of_another_time_is_ordered_by_a_pattern(sectigo: Runner) -> None:
    batch(sectigo, *FAST)
    again = batch(sectigo, *FAST, "--resume")
    rest = "orders the certificates, those that were there included; the keys stay with you"
    assert again.err.endswith(next_steps("out/*.csr", "out", rest))
    Path("t.csv").write_text("name\nz.example.com\n")
    done = batch(sectigo, *FAST, *SUBJECT)
    assert done.code == 0
    rest = "with each csrFile as FILE orders the certificates; the folder has 3 more .csr, so not *.csr"
    assert done.err.endswith(next_steps("FILE…", "out", rest))
    together = sectigo("csr", "--batch", "t.csv", "-o", "out", *FAST, *SUBJECT, "--resume", "--zip", "z.zip")
    assert "upload -p PROFILE_ID z.zip --download" in together.err


BAD_ROWS = TABLE + "192.0.2.1,,,,,\nc.example.com,,,,,XX\n"


@pytest.mark.usefixtures("table")
def test_a_bad_row_keeps_all_from_being_made(sectigo: Runner) -> None:
    Path("t.csv").write_text(BAD_ROWS)
    done = batch(sectigo, *FAST)
    assert (done.code, done.out) == (2, "")
    lines = done.err.splitlines()
    assert lines[0] == "sectigo: error: 2 faults in t.csv, nothing was made:"
    assert lines[1].startswith("  t.csv, line 5, column name: ")
    assert lines[2].startswith("  t.csv, line 6, column country: ")
    assert lines[3] == "sectigo: hint: --skip-bad makes the other rows"
    assert names_in() == ["t.csv"]


@pytest.mark.usefixtures("table")
def test_bad_rows_may_be_left_out(sectigo: Runner) -> None:
    Path("t.csv").write_text(BAD_ROWS)
    done = batch(sectigo, *FAST, "--skip-bad")
    assert done.code == 1
    assert "sectigo: t.csv, line 5, column name: " in done.err
    assert "sectigo: t.csv, line 6, column country: " in done.err
    for each in json.loads(done.out):
        check_pair(each)
    assert names_in("out") == PAIRS


@pytest.mark.usefixtures("table")
def test_nothing_but_bad_rows(sectigo: Runner) -> None:
    Path("t.csv").write_text("name\n192.0.2.1\n")
    done = batch(sectigo, *FAST, "--skip-bad")
    assert (done.code, done.out) == (2, "")
    assert "hint: --skip-bad" not in done.err
    assert names_in() == ["t.csv"]


@pytest.mark.usefixtures("table")
def test_two_names_whose_files_would_be_one(sectigo: Runner) -> None:
    Path("t.csv").write_text(TABLE + "_.example.com,,Example Ltd,Berlin,Berlin,DE\n")
    done = batch(sectigo, *FAST)
    assert done.code == 2
    assert "t.csv, line 5: its files would be called _.example.com, as those of *.example.com" in done.err


@pytest.mark.usefixtures("table")
def test_what_a_whole_table_lacks_is_taken_from_the_line(sectigo: Runner) -> None:
    Path("t.csv").write_text("name\na.example.com\nb.example.com\n")
    done = batch(sectigo, *FAST, *SUBJECT)
    assert done.code == 0
    for each in json.loads(done.out):
        check_pair(each)


@pytest.mark.usefixtures("table")
def test_of_very_many_faults_some_are_told(sectigo: Runner) -> None:
    Path("t.csv").write_text(TABLE + "192.0.2.1,,,,,\n" * 1000)
    done = batch(sectigo, *FAST, "--skip-bad")
    assert done.code == 1
    assert len(done.err.splitlines()) < 110
    assert "sectigo: and 900 more like these\n" in done.err


@pytest.mark.usefixtures("table")
def test_keys_that_are_there_are_all_named(sectigo: Runner) -> None:
    first = batch(sectigo, *FAST)
    before = {path: path.read_bytes() for path in Path("out").iterdir()}
    done = batch(sectigo, *FAST)
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("sectigo: error: 6 files are in the way, nothing was made:\n")
    for name in names_in("out"):
        assert f"  out/{name} exists already, and is left as it is\n" in done.err
    assert "--resume" in done.err
    assert {path: path.read_bytes() for path in Path("out").iterdir()} == before
    resumed = batch(sectigo, *FAST, "--resume")
    assert resumed.out == first.out
    assert {path: path.read_bytes() for path in Path("out").iterdir()} == before


@pytest.mark.usefixtures("table")
def test_what_is_missing_is_made_on_the_second_run(sectigo: Runner) -> None:
    first = json.loads(batch(sectigo, *FAST).out)
    for suffix in (".key", ".csr"):
        Path(f"out/a.example.com{suffix}").unlink()
    done = batch(sectigo, *FAST, "--resume")
    assert "made 1 key and request in out, and passed over 2 that were there" in done.err
    second = json.loads(done.out)
    assert [one == other for one, other in zip(first, second, strict=True)] == [True, False, True]
    for each in second:
        check_pair(each)


UNFIT = {
    "another row": ("a.example.com.csr", "b.example.com.csr", "out/a.example.com.csr is not what its row asks for"),
    "another key": ("a.example.com.key", "b.example.com.key", "out/a.example.com.csr is not what its row asks for"),
    "no request": ("a.example.com.csr", None, "`sectigo csr a.example.com … -o out --key out/a.ex"),
    "no key": ("a.example.com.key", None, "out/a.example.com.csr is there without its key"),
    "no key in it": ("a.example.com.key", "a.example.com.csr", "out/a.example.com.key: there is no private key"),
}


@pytest.mark.usefixtures("table")
@pytest.mark.parametrize(("name", "source", "said"), UNFIT.values(), ids=UNFIT)
def test_what_is_there_and_does_not_fit(sectigo: Runner, name: str, source: str | None, said: str) -> None:
    batch(sectigo, *FAST)
    path = Path("out", name)
    content = Path("out", source).read_bytes() if source else b""
    path.unlink()
    if source:
        path.write_bytes(content)
    for stem in ("b.example.com",):
        for suffix in (".key", ".csr"):
            Path(f"out/{stem}{suffix}").unlink()
    before = names_in("out")
    done = batch(sectigo, *FAST, "--resume")
    assert (done.code, done.out) == (2, "")
    assert said in done.err
    assert names_in("out") == before, "nothing was made"


@pytest.mark.usefixtures("table")
def test_what_is_there_is_of_the_kind_and_under_the_password_that_are_asked_for(sectigo: Runner) -> None:
    Path("password").write_text(f"{PASSWORD}\n")
    batch(sectigo, *FAST)
    other = batch(sectigo, "--key-type", "P-384", "--resume")
    assert other.code == 2
    assert "out/a.example.com.key is P-256, not P-384" in other.err
    encrypted = batch(sectigo, *FAST, "--resume", "--key-password-file", "password")
    assert encrypted.code == 2
    assert "out/a.example.com.key is not encrypted" in encrypted.err


@pytest.mark.usefixtures("table")
def test_encrypted_ones_are_passed_over_too(sectigo: Runner) -> None:
    Path("password").write_text(f"{PASSWORD}\n")
    words = (*FAST, "--key-password-file", "password", "--resume")
    first = batch(sectigo, *words)
    for each in json.loads(first.out):
        check_pair(each, PASSWORD)
    assert batch(sectigo, *words).out == first.out
    without = batch(sectigo, *FAST, "--resume")
    assert without.code == 2
    for stem in STEMS:
        assert f"out/{stem}.key: the private key is encrypted, and there is no password" in without.err


def started(here: Path, count: int) -> subprocess.Popen[str]:
    """Start a batch that takes a while, and wait until some of it is there."""
    rows = "".join(f"n{number}.example.com,,Example Ltd,Berlin,Berlin,DE\n" for number in range(count))
    (here / "t.csv").write_text(TABLE + rows)
    program = "import sectigo_cli.request_files as files; files.MOST = 5; from sectigo_cli.__main__ import run; run()"
    words = ("csr", "--batch", "t.csv", "-o", "out", *FAST)
    process = subprocess.Popen(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    deadline = time.monotonic() + 20
    while not list((here / "out").glob("n*.csr")):
        assert process.poll() is None
        assert time.monotonic() < deadline
        time.sleep(0.005)
    return process


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_what_an_interrupted_batch_leaves_is_whole_and_a_second_run_goes_on(
    here: Path, sectigo: Runner, number: signal.Signals
) -> None:
    process = started(here, 2000)
    process.send_signal(number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (-number, "")
    assert "Traceback" not in err
    whole = len(list(Path("out").glob("*.key")))
    said = f"broken off: {whole} keys and requests in out, and --resume goes on"
    assert (said in err) is (number != signal.SIGKILL)
    if number != signal.SIGKILL:
        keys = {path.stem for path in Path("out").glob("*.key")}
        assert names_in("out") == sorted(f"{stem}{suffix}" for stem in keys for suffix in (".key", ".csr"))
    Path("t.csv").write_text("\n".join(Path("t.csv").read_text().splitlines()[:100]))
    done = batch(sectigo, *FAST, "--resume")
    assert done.code == 0, done.err
    for each in json.loads(done.out):
        check_pair(each)
    assert not list(Path("out").glob(".*"))


@pytest.mark.usefixtures("table")
def test_a_batch_that_is_interrupted_before_anything_is_there() -> None:
    program = (
        "import os, sectigo_iot.pki.requesting.many as many\n"
        "many._made = lambda piece: [os.kill(os.getpid(), 2)] * 3\n"
        "from sectigo_cli.__main__ import run; run()"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "csr", "--batch", "t.csv", "-o", "out", *FAST],
        env={**os.environ, "PYTHONPATH": PYTHONPATH},
        capture_output=True,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        check=False,
    )
    assert (done.returncode, done.stdout) == (-signal.SIGINT, "")
    assert done.stderr == (
        "sectigo: made the folder out\n"
        "sectigo: broken off before anything was put into out\n"
        "sectigo: removed the folder out again\n"
    )
    assert names_in() == ["t.csv"]


@pytest.mark.usefixtures("table")
def test_a_batch_that_fails_in_its_midst_says_what_is_there(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    from sectigo_cli import request_files

    monkeypatch.setattr(request_files, "MOST", 1)
    whole = request_files._write

    def full(path: str, data: bytes) -> None:
        if "b.example" in path:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
        whole(path, data)

    monkeypatch.setattr(request_files, "_write", full)
    done = batch(sectigo, *FAST)
    assert done.code == 1
    assert "broken off: 2 keys and requests in out, and --resume goes on\n" in done.err
    assert "error: out/b.example.com.key: No space left on device\n" in done.err
    assert names_in("out") == PAIRS[:4]


@pytest.mark.usefixtures("table")
def test_a_bar_at_a_terminal(sectigo: Runner) -> None:
    done = sectigo("csr", "--batch", "t.csv", "-o", "out", *FAST, terminal=True)
    assert done.code == 0
    assert "keys and requests" in done.err
    assert "keys and requests" not in done.out
