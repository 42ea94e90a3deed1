"""order --csr --key-file: a key of one's own finds its request, and what is delivered is complete; renewals too."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from cryptography import x509

from sectigo_iot.emulator import Emulator
from sectigo_iot.orders import OrderBook
from sectigo_iot.pki import RequestSpec, make_requests, private_key_pem, read_private_key
from tests.commands.conftest import names_in
from tests.conftest import Result, Runner

pytestmark = pytest.mark.usefixtures("book")
OFFLINE = {"SECTIGO_ENDPOINT": "http://127.0.0.1:9", "SECTIGO_ENVIRONMENT": "testing"}
PASSWORD = "Very-Secret-123"


def pair(stem: str, name: str | None = None, *, password: str | None = None) -> None:
    """Make a key and a request for a name in files that are called so."""
    spec = RequestSpec((name or f"{stem}.example.com",), country="US")
    (made,) = make_requests([spec], kind="P-256", processes=1)
    Path(f"{stem}.csr").write_bytes(made.request_pem)
    Path(f"{stem}.key").write_bytes(private_key_pem(read_private_key(made.key_pem), password))


def state(done: Result) -> str:
    (order,) = json.loads(done.out)
    return str(order["state"])


def installed_from(stem: str, folder: str) -> bool:
    """Whether the certificate and the key in the folder are those of a key that was made for the test."""
    public = read_private_key(Path(f"{stem}.key").read_bytes(), PASSWORD).public_key()
    key = read_private_key(Path(folder, "privkey.pem").read_bytes())
    certificate = x509.load_pem_x509_certificate(Path(folder, "cert.pem").read_bytes())
    return key.public_key() == public == certificate.public_key()


@pytest.mark.parametrize("password", [None, PASSWORD])
def test_a_key_of_ones_own_is_delivered_with_its_certificate(
    sectigo: Runner, service: Emulator, book: Path, password: str | None
) -> None:
    pair("k", password=password)
    Path("password").write_text(f"{PASSWORD}\n")
    opened = () if password is None else ("--key-password-file", "password")
    line = ("order", "--csr", "k.csr", "--key-file", "k.key", *opened)
    done = sectigo(*line, env=service.environ)
    assert (done.code, state(done)) == (0, "delivered"), done
    assert installed_from("k", "k.example.com")
    again = sectigo(*line, env=service.environ)
    assert (again.code, again.out) == (0, done.out)
    assert "PRIVATE KEY" not in done.out + done.err
    with OrderBook(book) as opened_book:
        assert opened_book.get("k.example.com").key_given, "a renewal makes a new one"


def test_each_request_finds_its_key_in_a_folder(sectigo: Runner, service: Emulator) -> None:
    for stem in ("a", "b", "c"):
        pair(stem)
    line = ("order", "--csr", "a.csr", "--csr", "b.csr", "--key-file", ".", "-o", "certs")
    assert sectigo(*line, env=service.environ).code == 0
    assert installed_from("a", "certs/a.example.com")
    assert installed_from("b", "certs/b.example.com")


REFUSED = {
    "another key": (("--csr", "a.csr", "--key-file", "b.key"), "no key that --key-file names fits a.csr, request 1"),
    "one of two": (
        ("--csr", "a.csr", "--csr", "b.csr", "--key-file", "b.key"),
        "no key that --key-file names fits a.csr, request 1",
    ),
    "no key": (("--csr", "a.csr", "--key-file", "a.csr"), "a.csr: there is no private key"),
    "no file": (("--csr", "a.csr", "--key-file", "no.key"), "no.key: No such file or directory"),
    "no folder of keys": (("--csr", "a.csr", "--key-file", "empty"), "name the files with --key-file"),
    "no request": (("a.example.com", "--key-file", "a.key"), "--key-file is about a signing request"),
    "a password for nothing": (("--csr", "a.csr", "--key-password-file", "pw"), "opens a --key-file"),
    "an encrypted key": (("--csr", "e.csr", "--key-file", "e.key"), "hint: name a --key-password-file FILE"),
    "a wrong password": (
        ("--csr", "e.csr", "--key-file", "e.key", "--key-password-file", "wrong"),
        "e.key: the password does not open the private key",
    ),
}


@pytest.mark.parametrize(("words", "said"), REFUSED.values(), ids=list(REFUSED))
def test_a_key_that_does_not_fit_is_refused_before_anything_is_placed(
    sectigo: Runner, book: Path, words: tuple[str, ...], said: str
) -> None:
    for stem in ("a", "b"):
        pair(stem)
    pair("e", password=PASSWORD)
    Path("empty").mkdir()
    Path("wrong").write_text("another\n")
    done = sectigo("order", *words, "--no-wait", env=OFFLINE)
    assert (done.code, done.out) == (2, ""), done
    assert said in done.err
    assert done.err.startswith("sectigo: error: ")
    assert not book.exists()


def test_at_a_terminal_the_password_of_the_key_is_asked_for(
    sectigo: Runner, service: Emulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    pair("e", password=PASSWORD)
    monkeypatch.setattr("getpass.getpass", lambda *_: PASSWORD)
    done = sectigo("order", "--csr", "e.csr", "--key-file", "e.key", "--no-wait", env=service.environ, terminal=True)
    assert (done.code, state(done)) == (0, "planned"), done
    assert PASSWORD not in done.out + done.err


def test_a_key_that_comes_too_late_is_told(sectigo: Runner, service: Emulator) -> None:
    pair("a")
    assert sectigo("order", "--csr", "a.csr", "--no-wait", env=service.environ).code == 0
    done = sectigo("order", "--csr", "a.csr", "--key-file", "a.key", "--no-wait", env=service.environ)
    assert (done.code, done.out) == (2, "")
    assert "the order a.example.com was placed without its private key" in done.err
    assert "leave --key-file out" in done.err


def test_a_renewal_takes_a_new_request_and_its_key(sectigo: Runner, service: Emulator) -> None:
    pair("old", "r.example.com")
    pair("new", "r.example.com")
    assert sectigo("order", "--csr", "old.csr", "-o", "certs", env=service.environ).code == 0
    assert "privkey.pem" not in names_in("certs/r.example.com")
    for _ in range(2):
        done = sectigo("orders", "renew", "r.example.com", "--csr", "new.csr", "--key-file", "new.key")
        assert (done.code, done.err.split(": ")[1:3]) == (0, ["r.example.com~1", "planned"]), done
    assert sectigo("worker", "--once", env=service.environ).code == 0
    assert installed_from("new", "certs/r.example.com")


def test_a_renewal_takes_no_request_for_something_else(sectigo: Runner, service: Emulator) -> None:
    for stem in ("old", "new", "third"):
        pair(stem, "r.example.com")
    pair("other")
    shutil.copy("old.key", "not-a-request")
    assert sectigo("order", "--csr", "old.csr", env=service.environ).code == 0
    refused = {
        (): "needs a new signing request",
        ("--csr", "other.csr"): "its signing request is for other.example.com, and it is to be for r.example.com",
        ("--csr", "not-a-request"): "holds no certificate signing request",
        ("--csr", "no.csr"): "no.csr: No such file or directory",
        ("--csr", "new.csr", "--key-file", "old.key"): "no key that --key-file names fits new.csr, request 1",
        ("--key-file", "old.key"): "add --csr FILE",
    }
    for words, said in refused.items():
        done = sectigo("orders", "renew", "r.example.com", *words)
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    assert len(json.loads(sectigo("orders", "list", "--json").out)) == 1
    assert sectigo("orders", "renew", "r.example.com", "--csr", "new.csr").code == 0
    late = sectigo("orders", "renew", "r.example.com", "--csr", "third.csr")
    assert late.code == 2
    assert "the order 'r.example.com~1' renews it already, for another request" in late.err
