"""Whom a connection trusts, and the certificate and key of a client: each mistake named, with its file."""

from __future__ import annotations

import logging
import os
import shutil
import ssl
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import certifi
import pytest
import requests.adapters
from cryptography.x509.oid import ExtendedKeyUsageOID

from sectigo_iot import ConfigError, IoTManager, NotAuthenticatedError, UnreachableError
from sectigo_iot.client_certificate import ClientCertificate
from sectigo_iot.emulator.ca.authority import CertificateAuthority
from sectigo_iot.tls import LARGEST, complete_context, server_context, tls_error
from tests.reliability.authority import Authority
from tests.unit import tls_server
from tests.unit.lying_server import json_answer, settings_at
from tests.unit.tls_server import KEY_PASSWORD, Files, TLSServer, client_files, open_to_all

authority, stranger = tls_server.authority, tls_server.stranger
LICENCES = json_answer({"ordered": 1, "issued": 1})


@pytest.fixture
def files(authority: CertificateAuthority, tmp_path: Path) -> Files:
    return client_files(authority, tmp_path / "of a client")


def openssl(*words: str) -> None:
    subprocess.run(["openssl", *words], check=True, capture_output=True, timeout=30)


@pytest.mark.parametrize("alternative", [True, False])
def test_a_name_counts_in_subject_alt_name_alone(tmp_path: Path, alternative: bool) -> None:
    maker = Authority(tmp_path)
    with TLSServer(maker.server_context("localhost", alternative=alternative), LICENCES) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        with IoTManager(settings_at(url, ca_file=str(maker.file))) as client:
            if alternative:
                assert client.licenses_used().issued == 1
            else:
                with pytest.raises(UnreachableError, match=r"(?i)hostname mismatch"):
                    client.licenses_used()
                assert server.seen == []


def test_without_a_file_the_default_holds() -> None:
    assert server_context(None) is None
    assert complete_context(None).cert_store_stats()["x509_ca"] == Path(certifi.where()).read_text().count(
        "BEGIN CERT"
    )


def test_the_authorities_of_a_file_alone_are_trusted(files: Files) -> None:
    for context in (server_context(files.ca), complete_context(files.ca), complete_context(None)):
        assert context is not None
        assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
        assert context.minimum_version is ssl.TLSVersion.TLSv1_2
    one = server_context(files.ca)
    assert one is not None
    assert one.cert_store_stats() == {"x509": 1, "x509_ca": 1, "crl": 0}


@pytest.mark.parametrize("form", ["{}", "Bäume\n\n{}\nthe end\n", "\ufeff{}", "{}{}"])
def test_what_stands_around_a_certificate_does_no_harm(files: Files, tmp_path: Path, form: str) -> None:
    path = tmp_path / "around.pem"
    path.write_bytes(form.replace("{}", Path(files.ca).read_text()).replace("\n", "\r\n").encode())
    context = server_context(str(path))
    assert context is not None
    assert context.cert_store_stats()["x509_ca"] == 1


def put(name: str, content: bytes) -> Callable[[Path, Files], None]:
    def make(folder: Path, _: Files) -> None:
        (folder / name).write_bytes(content)

    return make


CA_FILES: dict[str, tuple[Callable[[Path, Files], object], str, str | None]] = {
    "missing": (lambda *_: None, "cannot be read: No such file", None),
    "a folder": (lambda folder, _: (folder / "x").mkdir(), "is no plain file", None),
    "a FIFO": (lambda folder, _: os.mkfifo(folder / "x"), "is no plain file", None),
    "a device": (lambda folder, _: (folder / "x").symlink_to("/dev/zero"), "is no plain file", None),
    "empty": (put("x", b""), "is empty", None),
    "blank": (put("x", b" \r\n"), "is empty", None),
    "huge": (put("x", b"x" * (LARGEST + 1)), "is larger than 16 MiB", None),
    "a text": (put("x", b"hello"), "holds no certificate in PEM", "authority"),
    "a key": (lambda folder, files: shutil.copy(files.key, folder / "x"), "holds a private key, and no", "authority"),
    "a leaf": (
        lambda folder, files: openssl("x509", "-in", files.certificate, "-out", str(folder / "x")),
        "holds no certificate of an authority",
        "not the server's own",
    ),
    "DER": (
        lambda folder, files: openssl("x509", "-in", files.ca, "-outform", "DER", "-out", str(folder / "x")),
        "holds no certificate in PEM",
        "it is DER; make PEM of it: openssl x509 -inform DER",
    ),
    "PKCS#7": (
        lambda folder, files: openssl(
            "crl2pkcs7", "-nocrl", "-certfile", files.ca, "-outform", "DER", "-out", str(folder / "x")
        ),
        "holds no certificate in PEM",
        "it is a PKCS#7; make PEM of it: openssl pkcs7",
    ),
    "PKCS#12": (
        lambda folder, files: openssl(
            "pkcs12", "-export", "-nokeys", "-in", files.ca, "-out", str(folder / "x"), "-passout", "pass:x"
        ),
        "holds no certificate in PEM",
        "it is a PKCS#12; make PEM of it: openssl pkcs12 -cacerts -nokeys -in",
    ),
    "cut": (
        lambda folder, files: (folder / "x").write_bytes(Path(files.ca).read_bytes()[:300]),
        "is damaged: the block that begins on line 1 is cut short",
        "authority",
    ),
    "damaged": (
        lambda folder, files: (folder / "x").write_text(Path(files.ca).read_text().replace("\nMI", "\nNI")),
        "is damaged: the certificate on line 1 cannot be read",
        "authority",
    ),
    "no base64": (
        lambda folder, files: (folder / "x").write_text(Path(files.ca).read_text().replace("\nMI", "\n!!")),
        "is damaged: the certificate on line 1 cannot be read",
        "authority",
    ),
}


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("case", CA_FILES)
def test_a_ca_file_of_no_use_is_named(files: Files, tmp_path: Path, case: str) -> None:
    make, message, hint = CA_FILES[case]
    make(tmp_path, files)
    with pytest.raises(ConfigError) as caught:
        server_context(str(tmp_path / "x"))
    assert caught.value.message.startswith(f"the CA file {tmp_path / 'x'} {message}")
    assert (hint or "") in (caught.value.hint or "")
    assert caught.value.setting == "ca_file"


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000])
def test_what_is_no_name_of_a_file_is_named(name: str) -> None:
    with pytest.raises(ConfigError, match="cannot be read"):
        server_context(name)


def asked(url: str, **changes: Any) -> int | None:
    with IoTManager(settings_at(url, timeout=3.0, **changes)) as client:
        return client.licenses_used().issued


def test_a_private_authority_is_trusted_by_its_file_and_by_it_alone(
    authority: CertificateAuthority, stranger: CertificateAuthority, files: Files, tmp_path: Path
) -> None:
    other = client_files(stranger, tmp_path / "other")
    with TLSServer(open_to_all(authority), LICENCES) as server:
        assert asked(server.url, ca_file=files.ca) == 1
        assert asked(server.url, environ={"SECTIGO_CA_FILE": files.ca}) == 1
        seen = len(server.seen)
        for changes in ({}, {"ca_file": other.ca}):
            with pytest.raises(UnreachableError, match=f"{server.host} is not trusted: "):
                asked(server.url, **changes)
        assert len(server.seen) == seen


def test_what_the_http_library_trusts_does_not_come_beside_the_file(
    authority: CertificateAuthority,
    stranger: CertificateAuthority,
    files: Files,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    theirs = client_files(stranger, tmp_path / "theirs").ca
    monkeypatch.setattr(requests.adapters, "DEFAULT_CA_BUNDLE_PATH", theirs)
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"):
        monkeypatch.setenv(name, theirs)
    with TLSServer(open_to_all(stranger), LICENCES) as server:
        with pytest.raises(UnreachableError, match="is not trusted"):
            asked(server.url, ca_file=files.ca)
        assert server.seen == []


def test_the_host_name_counts(authority: CertificateAuthority, files: Files) -> None:
    with TLSServer(open_to_all(authority, ["iot.example.com"]), LICENCES) as server:
        with pytest.raises(
            UnreachableError, match=r"127\.0\.0\.1:\d+ is not trusted: .*not valid for '127\.0\.0\.1'"
        ):
            asked(server.url, ca_file=files.ca)
        assert server.seen == []


def certificate_of(files: Files, **changes: Any) -> ClientCertificate:
    return ClientCertificate(settings_at("https://iot.example.com", **{**files.settings, **changes}))


def test_a_pair_and_one_file_do(files: Files, tmp_path: Path) -> None:
    certificate_of(files).context(time.time())
    both = tmp_path / "both.pem"
    both.touch(0o600)
    for order in ((files.key, files.certificate), (files.certificate, files.key)):
        both.write_bytes(b"".join(Path(path).read_bytes() for path in order))
        certificate_of(files, client_cert=str(both), client_key=None).context(time.time())


@pytest.mark.parametrize("traditional", [False, True], ids=["PKCS#8", "traditional"])
def test_a_key_with_a_password(authority: CertificateAuthority, tmp_path: Path, traditional: bool) -> None:
    files = client_files(authority, tmp_path / "locked", password=KEY_PASSWORD, traditional=traditional)
    questions: list[tuple[str, bool]] = []

    def prompt(question: str, secret: bool) -> str:
        questions.append((question, secret))
        return KEY_PASSWORD

    certificate_of(files, client_key_password=KEY_PASSWORD, prompt=prompt).context(time.time())
    assert questions == []
    asking = certificate_of(files, prompt=prompt)
    assert not asking.ask()
    with pytest.raises(NotAuthenticatedError, match="is encrypted, and there is no password"):
        asking.context(time.time())
    assert questions == []
    assert asking.ask()
    for _ in range(2):
        asking.context(time.time())
        assert not asking.ask()
    assert questions == [(f"Password of the client key {files.key}: ", True)]
    assert KEY_PASSWORD not in repr(asking)


def test_an_open_key_asks_for_nothing(files: Files) -> None:
    def prompt(question: str, secret: bool) -> str:
        raise AssertionError(question)

    certificate = certificate_of(files, prompt=prompt)
    certificate.context(time.time())
    assert not certificate.ask()


def test_a_password_in_another_encoding_than_utf_8(authority: CertificateAuthority, tmp_path: Path) -> None:
    # As Python reads the bytes `p\xe4ss` of a variable.
    password = "p\udce4ss"
    files = client_files(authority, tmp_path / "locked", password=password)
    certificate_of(files, environ={"SECTIGO_CLIENT_KEY_PASSWORD": password}).context(time.time())


PASSWORDS: dict[str, tuple[dict[str, Any], str, str]] = {
    "none": (
        {},
        "is encrypted, and there is no password for it",
        "set SECTIGO_CLIENT_KEY_PASSWORD, or run this at a",
    ),
    "given and wrong": (
        {"client_key_password": "wrong-one"},
        "does not open",
        "is SECTIGO_CLIENT_KEY_PASSWORD right?",
    ),
    "typed and wrong": ({"prompt": lambda *_: "wrong-one"}, "does not open the client key", "SECTIGO_CLIENT_KEY_"),
    "nothing typed": ({"prompt": lambda *_: ""}, "there is no password for it", "SECTIGO_CLIENT_KEY_PASSWORD"),
    "no text": ({"client_key_password": "wrong-one\ud800"}, "is no text", "SECTIGO_CLIENT_KEY_PASSWORD"),
    "too long": ({"client_key_password": "wrong-one" * 200}, "is too long", "SECTIGO_CLIENT_KEY_PASSWORD"),
}


@pytest.mark.parametrize("case", PASSWORDS)
def test_a_password_that_does_not_open_is_told_once(
    authority: CertificateAuthority, tmp_path: Path, case: str
) -> None:
    changes, message, hint = PASSWORDS[case]
    files = client_files(authority, tmp_path / "locked", password=KEY_PASSWORD)
    with pytest.raises(NotAuthenticatedError, match=message) as caught:
        asking(certificate_of(files, **changes))
    assert files.key in caught.value.message
    assert hint in (caught.value.hint or "")
    assert "wrong-one" not in f"{caught.value}{caught.value.hint}"


def asking(certificate: ClientCertificate) -> None:
    """Make a context as a log-in does: whoever can be asked for a password is asked where it is lacking."""
    try:
        certificate.context(time.time())
    except NotAuthenticatedError:
        if not certificate.ask():
            raise
        certificate.context(time.time())


def test_a_wrong_password_is_not_kept(authority: CertificateAuthority, tmp_path: Path) -> None:
    files = client_files(authority, tmp_path / "locked", password=KEY_PASSWORD)
    typed = iter(["wrong", KEY_PASSWORD])
    certificate = certificate_of(files, prompt=lambda *_: next(typed))
    with pytest.raises(NotAuthenticatedError, match="does not open"):
        asking(certificate)
    asking(certificate)


def pkcs12(files: Files, path: Path, *more: str) -> str:
    words = ("pkcs12", "-export", "-in", files.certificate, "-inkey", files.key, "-out", str(path))
    openssl(*words, "-passout", "pass:x", *more)
    return str(path)


def der_key(files: Files, path: Path) -> str:
    openssl("pkey", "-in", files.key, "-outform", "DER", "-out", str(path))
    return str(path)


def text(path: Path, content: str) -> str:
    path.write_text(content)
    return str(path)


def another_key(path: Path, algorithm: str) -> str:
    option = ("-pkeyopt", "ec_paramgen_curve:P-256") if algorithm == "EC" else ("-pkeyopt", "rsa_keygen_bits:2048")
    openssl("genpkey", "-algorithm", algorithm, *option, "-out", str(path))
    return str(path)


CLIENT_FILES: dict[str, tuple[Callable[[Files, Path], dict[str, str | None]], str, str]] = {
    "certificate missing": (lambda *_: {"client_cert": "/nowhere.pem"}, "/nowhere.pem cannot be read: No such", ""),
    "key missing": (lambda *_: {"client_key": "/nowhere.pem"}, "client key /nowhere.pem cannot be read: No such", ""),
    "key nowhere": (
        lambda *_: {"client_key": None},
        "client.pem holds no private key",
        "--client-key or SECTIGO_CLI",
    ),
    "key for certificate": (
        lambda files, _: {"client_cert": files.key},
        "the client certificate {key} holds no certificate in PEM",
        "in PEM",
    ),
    "certificate for key": (lambda files, _: {"client_key": files.ca}, "ca.pem holds no private key", "in PEM"),
    "another RSA key": (
        lambda _, x: {"client_key": another_key(x, "RSA")},
        "is not the key of the certificate",
        "first",
    ),
    "another EC key": (
        lambda _, x: {"client_key": another_key(x, "EC")},
        "is not the key of the certificate",
        "first",
    ),
    "issuer first": (
        lambda files, x: {"client_cert": text(x, Path(files.ca).read_text() + Path(files.certificate).read_text())},
        "is not the key of the certificate",
        "first in its file",
    ),
    "PKCS#12": (
        lambda files, x: {"client_cert": pkcs12(files, x), "client_key": None},
        "holds no certificate in PEM",
        "openssl pkcs12 -in {x} -out {x}.pem",
    ),
    "old PKCS#12": (
        lambda files, x: {"client_cert": pkcs12(files, x, "-legacy"), "client_key": None},
        "holds no certificate in PEM",
        "openssl pkcs12 -legacy -in {x} -out {x}.pem",
    ),
    "DER key": (
        lambda files, x: {"client_key": der_key(files, x)},
        "holds no private key in PEM",
        "openssl pkey -inform DER -in {x} -out {x}.pem",
    ),
    "cut key": (lambda files, x: {"client_key": text(x, Path(files.key).read_text()[:99])}, "damaged: the block", ""),
    "OpenSSH key": (
        lambda _, x: {
            "client_key": text(x, "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----\n")
        },
        "is in OpenSSH's form; PKCS#8 in PEM is wanted",
        "",
    ),
    "damaged key": (
        lambda files, x: {"client_key": text(x, Path(files.key).read_text().replace("\nMI", "\nNI"))},
        "is of no use",
        "",
    ),
    "damaged certificate": (
        lambda files, x: {"client_cert": text(x, Path(files.certificate).read_text().replace("\nMI", "\n!!"))},
        "is damaged: what stands between BEGIN and END is not base64",
        "",
    ),
}


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("case", CLIENT_FILES)
def test_a_client_file_of_no_use_is_named(files: Files, tmp_path: Path, case: str) -> None:
    changes, message, hint = CLIENT_FILES[case]
    path = tmp_path / "x"
    path.touch(0o600)
    with pytest.raises(ConfigError) as caught:
        certificate_of(files, **changes(files, path)).context(time.time())
    assert message.format(key=files.key) in caught.value.message
    assert hint.format(x=path) in (caught.value.hint or "")
    assert caught.value.setting in ("client_cert", "client_key")


DOUBTS: dict[str, tuple[dict[str, Any], str]] = {
    "expired": ({"days": (-9, -2)}, "it expired on "),
    "not yet valid": ({"days": (2, 9)}, "it is not valid before "),
    "not for clients": (
        {"usage": ExtendedKeyUsageOID.SERVER_AUTH},
        "it is not meant for clients: clientAuth is missing",
    ),
}


@pytest.mark.parametrize("case", DOUBTS)
def test_what_a_server_will_hardly_take_is_said_and_yet_shown(
    authority: CertificateAuthority, tmp_path: Path, caplog: pytest.LogCaptureFixture, case: str
) -> None:
    form, doubt = DOUBTS[case]
    files = client_files(authority, tmp_path / "doubtful", **form)
    certificate = certificate_of(files)
    certificate.context(time.time())
    assert certificate.doubts[0].startswith(doubt)
    assert [record.levelno for record in caplog.records] == [logging.WARNING]
    assert caplog.messages[0].startswith(f"the client certificate {files.certificate} may be refused: {doubt}")


def test_a_good_certificate_is_not_talked_about(files: Files, caplog: pytest.LogCaptureFixture) -> None:
    certificate = certificate_of(files)
    certificate.context(time.time())
    assert (certificate.doubts, caplog.messages) == ((), [])


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o620, 0o602])
def test_a_key_that_others_can_read_is_said(files: Files, caplog: pytest.LogCaptureFixture, mode: int) -> None:
    Path(files.key).chmod(mode)
    certificate_of(files).context(time.time())
    assert caplog.messages == [
        f"others can read the client key {files.key}; `chmod 600 '{files.key}'` keeps it private"
    ]


def test_what_tls_said_is_found_whatever_was_wrapped_around_it() -> None:
    said = ssl.SSLError(1, "an alert")
    inner = ValueError(OSError(said))
    outer = RuntimeError("outer")
    outer.__context__ = inner
    inner.__context__ = outer
    assert tls_error(outer) is said
    assert tls_error(ValueError("nothing")) is None
