"""A log-in with a client certificate, against TLS servers that demand one: the emulator, Python's and OpenSSL's."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtendedKeyUsageOID
from filelock import FileLock

from sectigo_iot import (
    DeadlineError,
    FileTokenStore,
    ForbiddenHostError,
    InvalidCredentialsError,
    InvalidReplyError,
    IoTManager,
    MustUseTLSAuthError,
    NotAuthorizedError,
    RedirectError,
    SectigoError,
    TokenPair,
    TransportError,
    UnreachableError,
)
from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.ca.authority import CertificateAuthority
from tests.conftest import Runner, settings_for
from tests.packages import PYTHONPATH
from tests.reliability.figures import figure, share
from tests.reliability.witnesses import Witness
from tests.terminals import run_at_terminal
from tests.unit import tls_server
from tests.unit.lying_server import (
    HANG,
    PASSWORD,
    RESET,
    USERNAME,
    LyingServer,
    answer,
    closed_port,
    json_answer,
    lies,
    settings_at,
    token,
    tokens,
)
from tests.unit.tls_server import KEY_PASSWORD, Files, TLSServer, client_files, demanding

authority, stranger = tls_server.authority, tls_server.stranger
LICENCES = json_answer({"ordered": 1, "issued": 1})
DENIED = json_answer({"status": 401, "message": "no", "errorCode": 1, "timestamp": 1}, 401)
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]
COMMANDS = (("auth",), ("licenses",), ("create", "-d", "www.example.com", "-b", "by certificate"))


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator(tls=True) as emulator:
        yield emulator


@pytest.fixture(scope="module")
def files(service: Emulator, tmp_path_factory: pytest.TempPathFactory) -> Files:
    folder = tmp_path_factory.mktemp("client")
    service.write_client_files(folder)
    return Files(*(str(folder / name) for name in ("ca.pem", "client.pem", "client-key.pem")))


@pytest.fixture(autouse=True)
def fresh(request: pytest.FixtureRequest) -> None:
    if "service" in request.fixturenames:
        request.getfixturevalue("service").control.clear_journal()


@pytest.fixture
def own(authority: CertificateAuthority, tmp_path: Path) -> Files:
    """What a client of the authority has."""
    return client_files(authority, tmp_path / "own")


def der_of(path: str) -> bytes:
    """The first certificate in a file."""
    return x509.load_pem_x509_certificates(Path(path).read_bytes())[0].public_bytes(serialization.Encoding.DER)


def logins(service: Emulator) -> list[int]:
    """How the log-ins at the emulator were answered, in their order."""
    return [entry["status"] for entry in service.control.journal(call="authenticate")]


def locked(files: Files, folder: Path, *, traditional: bool = False) -> Files:
    """The same with its key under a password."""
    key = folder / f"locked-{traditional}.pem"
    words = ["ec", "-aes256"] if traditional else ["pkcs8", "-topk8"]
    command = ["openssl", *words, "-in", files.key, "-out", str(key), "-passout", f"pass:{KEY_PASSWORD}"]
    subprocess.run(command, check=True, capture_output=True, timeout=30)
    key.chmod(0o600)
    return files._replace(key=str(key))


def joined(files: Files, folder: Path) -> Files:
    """The same with certificate and key in one file."""
    both = folder / "both.pem"
    both.touch(0o600)
    both.write_bytes(Path(files.certificate).read_bytes() + Path(files.key).read_bytes())
    return files._replace(certificate=str(both), key="")


def answering(_question: str, _secret: bool) -> str:
    return KEY_PASSWORD


WAYS: dict[str, Callable[[Files, Path], tuple[Files, dict[str, Any]]]] = {
    "a pair": lambda files, _: (files, {}),
    "one file": lambda files, folder: (joined(files, folder), {}),
    "key with a password": lambda files, folder: (locked(files, folder), {"client_key_password": KEY_PASSWORD}),
    "traditional key": lambda files, folder: (locked(files, folder, traditional=True), {"prompt": answering}),
    "password typed": lambda files, folder: (locked(files, folder), {"prompt": answering}),
}


@pytest.mark.needs("openssl")
def test_tokens_are_had_and_used_without_the_certificate(service: Emulator, files: Files, tmp_path: Path) -> None:
    accepted = 0
    for make in WAYS.values():
        service.control.clear_journal()
        given, more = make(files, tmp_path)
        with IoTManager(settings_for(service, **given.settings, **more)) as client:
            assert client.licenses_used().ordered is not None
            client.refresh()
            assert client.user_authorities()
        assert logins(service) == [307, 200]
        accepted += logins(service).count(200)
    figure("certificate-login", f"{', '.join(WAYS)}: {accepted} of {len(WAYS)} logged in")


def test_without_a_certificate_it_says_what_to_name(service: Emulator) -> None:
    with IoTManager(settings_for(service)) as client:
        with pytest.raises(MustUseTLSAuthError, match="must log in with a client certificate") as caught:
            client.licenses_used()
        assert caught.value.location == f"{service.tls_url}/auth/pwd"
        for word in ("--client-cert", "--client-key", "SECTIGO_CLIENT_CERT", "SECTIGO_CLIENT_KEY"):
            assert word in (caught.value.hint or "")
    assert logins(service) == [307]


def test_one_certificate_login_for_all(service: Emulator, files: Files, tmp_path: Path) -> None:
    many = share(32, 8)
    store = FileTokenStore(tmp_path / "cache")
    clients = [IoTManager(settings_for(service, token_store=store, **files.settings)) for _ in range(many)]
    start = threading.Barrier(many)

    def work(client: IoTManager) -> bool:
        with client:
            start.wait(30)
            return bool(client.user_authorities())

    with ThreadPoolExecutor(many) as pool:
        assert all(pool.map(work, clients))
    assert logins(service) == [307, 200]
    figure("certificate-login", f"{many} clients at once: {logins(service).count(200)} log-in")


# The command


def environ_of(service: Emulator, **more: str) -> dict[str, str]:
    return {**service.environ, **more}


@pytest.mark.parametrize("given", ["flags", "variables"])
@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: command[0])
def test_the_command_logs_in_with_flags_and_with_variables(
    sectigo: Runner, service: Emulator, files: Files, command: tuple[str, ...], given: str
) -> None:
    words = files.flags if given == "flags" else ()
    env = environ_of(service, **(files.environ if given == "variables" else {}))
    done = sectigo(*words, *command, env=env)
    assert (done.code, logins(service)) == (0, [307, 200]), done.err
    # The session is kept: the certificate is not needed any more, and not even looked at.
    again = sectigo("--client-cert", "/nowhere.pem", "licenses", env=environ_of(service))
    assert (again.code, again.err, logins(service)) == (0, "", [307, 200])


@pytest.mark.needs("openssl")
def test_the_command_takes_the_key_s_password_from_a_variable_and_shows_it_nowhere(
    sectigo: Runner, service: Emulator, files: Files, tmp_path: Path, home: Path
) -> None:
    secret = {"SECTIGO_CLIENT_KEY_PASSWORD": KEY_PASSWORD}
    env = environ_of(service, **locked(files, tmp_path).environ, **secret)
    done = sectigo("--verbose", "licenses", env=env)
    assert (done.code, logins(service)) == (0, [307, 200]), done.err
    wrong = sectigo("auth", env={**env, "SECTIGO_CLIENT_KEY_PASSWORD": "wrong-one"})
    shown = sectigo("validate", env=env)
    kept = b"".join(path.read_bytes() for path in home.rglob("*") if path.is_file())
    said = f"{done}{wrong}{shown}{kept!r}"
    assert KEY_PASSWORD not in said
    assert "wrong-one" not in said
    assert service.password not in f"{done}{wrong}"


def test_a_password_of_the_key_that_is_no_utf_8_opens_it_too(
    service: Emulator, authority: CertificateAuthority, tmp_path: Path
) -> None:
    given = client_files(authority, tmp_path / "locked", password="p\udce4ss")
    env: dict[bytes, bytes] = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
    more = {**service.environ, **given.environ, "PYTHONPATH": PYTHONPATH, "PYTHONUTF8": "1"}
    env |= {os.fsencode(name): os.fsencode(value) for name, value in more.items()}
    for password, said in ((b"p\xe4ss", "is not trusted"), (b"p\xe4st", "the password does not open the client key")):
        env[b"SECTIGO_CLIENT_KEY_PASSWORD"] = password
        command = [sys.executable, "-m", "sectigo_cli", "auth"]
        done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=30)
        # The emulator has another authority than this client: it gets as far as a handshake, and no further.
        assert said in done.stderr
        assert "fault of the program" not in done.stderr


@pytest.mark.needs("openssl")
def test_the_key_s_password_is_asked_for_at_a_terminal_when_the_login_demands_it(
    service: Emulator, files: Files, tmp_path: Path
) -> None:
    given = locked(files, tmp_path)
    command = [sys.executable, "-m", "sectigo_cli", *given.flags, "auth"]
    env = {**os.environ, "PYTHONPATH": PYTHONPATH, **service.environ}
    prompt = f"Password of the client key {given.key}: "
    code, seen = run_at_terminal(command, {prompt: KEY_PASSWORD}, env=env)
    assert (code, seen.count(prompt), logins(service)) == (0, 1, [307, 200]), seen
    assert KEY_PASSWORD not in seen
    code, seen = run_at_terminal(command, {}, env=env)
    assert (code, prompt in seen, logins(service)) == (0, False, [307, 200]), seen


@pytest.mark.needs("openssl")
def test_a_wrong_password_typed_at_a_terminal_is_told_once(service: Emulator, files: Files, tmp_path: Path) -> None:
    given = locked(files, tmp_path)
    command = [sys.executable, "-m", "sectigo_cli", *given.flags, "auth"]
    env = {**os.environ, "PYTHONPATH": PYTHONPATH, **service.environ}
    prompt = f"Password of the client key {given.key}: "
    code, seen = run_at_terminal(command, {prompt: "wrong-one"}, env=env)
    assert (code, seen.count(prompt), logins(service)) == (4, 1, [307]), seen
    assert f"the password does not open the client key {given.key}" in seen
    assert "wrong-one" not in seen


def asked_for(client: IoTManager, how: str) -> None:
    if how == "by intent":
        client.authenticate()
    else:
        client.licenses_used()


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("how", ["by intent", "for a call"])
def test_nobody_waits_for_the_lock_while_the_key_s_password_is_typed(
    service: Emulator, files: Files, tmp_path: Path, how: str
) -> None:
    store = FileTokenStore(tmp_path / "cache")
    lock = store.path(service.url, service.username).with_suffix(".json.lock")
    asked, free = [], []

    def prompt(question: str, _secret: bool) -> str:
        asked.append(question)
        with FileLock(lock, timeout=0):
            free.append(logins(service))
        return KEY_PASSWORD

    given = locked(files, tmp_path).settings
    with IoTManager(settings_for(service, token_store=store, prompt=prompt, **given)) as client:
        asked_for(client, how)
        assert (free, logins(service)) == ([[307]], [307, 200])
        client.authenticate()
        assert (len(free), logins(service)) == (1, [307, 200, 307, 200])
    assert len(free) == len(asked)
    times = f"{len(free)} of {len(asked)} times"
    figure("certificate-login", f"password of the key typed {how}: the lock was free {times}")


@pytest.mark.needs("openssl")
def test_what_another_process_got_while_the_password_was_typed_will_do(
    service: Emulator, files: Files, tmp_path: Path
) -> None:
    store = FileTokenStore(tmp_path / "cache")

    def prompt(_question: str, _secret: bool) -> str:
        other = settings_for(service, token_store=FileTokenStore(tmp_path / "cache"), **files.settings)
        with IoTManager(other) as quicker:
            quicker.licenses_used()
        return KEY_PASSWORD

    given = locked(files, tmp_path).settings
    with IoTManager(settings_for(service, token_store=store, prompt=prompt, **given)) as client:
        client.licenses_used()
    assert logins(service) == [307, 307, 200]


@pytest.mark.needs("openssl")
def test_a_session_that_cannot_be_renewed_is_tried_once_before_the_password_is_typed(
    authority: CertificateAuthority, own: Files, tmp_path: Path
) -> None:
    given = locked(own, tmp_path)._replace(ca=own.ca)
    old = TokenPair(token(1), token(7200), time.time() - 100)
    with TLSServer(demanding(authority), LICENCES) as secure:
        sends_on = LyingServer(LICENCES, login=answer(307, Location=f"{secure.url}/auth/pwd"), refresh=DENIED)
        with sends_on:
            settings = settings_at(sends_on.url, prompt=answering, **given.settings)
            assert settings.token_store is not None
            settings.token_store.save(sends_on.url, USERNAME, old)
            with IoTManager(settings) as client:
                assert client.licenses_used().issued == 1
            assert (len(sends_on.refreshes), len(sends_on.logins), len(secure.logins)) == (1, 1, 1)


@pytest.mark.needs("openssl")
def test_nobody_is_asked_where_no_certificate_is_demanded(own: Files, tmp_path: Path) -> None:
    def prompt(question: str, _secret: bool) -> str:
        raise AssertionError(question)

    values: dict[str, Any] = {**locked(own, tmp_path).settings, "prompt": prompt}
    with lies(LICENCES, **values) as (_, client):
        assert client.licenses_used().issued == 1
    with lies(LICENCES, login=DENIED, **values) as (_, client), pytest.raises(InvalidCredentialsError):
        client.licenses_used()


MISTAKES: dict[str, tuple[Callable[[Files, Path], Files], int, str]] = {
    "no terminal to ask at": (locked, 4, "SECTIGO_CLIENT_KEY_PASSWORD"),
    "certificate missing": (lambda files, _: files._replace(certificate="/nowhere.pem"), 2, "/nowhere.pem cannot"),
    "key missing": (lambda files, _: files._replace(key="/nowhere.pem"), 2, "client key /nowhere.pem cannot be read"),
    "CA file missing": (lambda files, _: files._replace(ca="/nowhere.pem"), 2, "CA file /nowhere.pem cannot be read"),
    "certificate and key swapped": (
        lambda files, _: files._replace(certificate=files.key, key=files.certificate),
        2,
        "holds no certificate in PEM",
    ),
}


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_one_line_and_a_code(
    sectigo: Runner, service: Emulator, files: Files, tmp_path: Path, mistake: str
) -> None:
    spoil, code, words = MISTAKES[mistake]
    done = sectigo("auth", env=environ_of(service, **spoil(files, tmp_path).environ))
    assert (done.code, done.out) == (code, "")
    assert words in done.err
    assert done.err.startswith("sectigo: error: ")
    assert 200 not in logins(service)


# Where the 307 may lead


@contextlib.contextmanager
def sent_on(location: str | None, files: Files, **changes: Any) -> Iterator[IoTManager]:
    """A client of a service that answers its log-in by 307; to `location`, if there is one."""
    more = {} if location is None else {"Location": location}
    values = {"environment": "staging", **files.settings, **changes}
    with lies(LICENCES, login=answer(307, **more), **values) as (_, client):
        yield client


TARGETS = {
    "another name": "https://localhost:{port}/auth/pwd",
    "another host": "https://login.example.com/auth/pwd",
    "no https": "http://127.0.0.1:{port}/auth/pwd",
    "no scheme": "//localhost:{port}/auth/pwd",
    "a path of http": "/auth/certificate",
    "nowhere": None,
    "empty": "",
    "a user": "https://127.0.0.1@localhost:{port}/auth/pwd",
    "a user of the host": "https://jane@127.0.0.1:{port}/auth/pwd",
    "a backslash": "https://localhost:{port}\\@127.0.0.1/auth/pwd",
    "a backslash behind": "https://127.0.0.1\\.localhost:{port}/auth/pwd",
    "below the host": "https://127.0.0.1.example.com:{port}/auth/pwd",
    "a fragment": "https://localhost:{port}#@127.0.0.1/auth/pwd",
    "a query": "https://localhost:{port}?@127.0.0.1/auth/pwd",
    "no port": "https://127.0.0.1:x/auth/pwd",
    "port 0": "https://127.0.0.1:0/auth/pwd",
    "a port beyond all": "https://127.0.0.1:99999/auth/pwd",
    "brackets": "https://[127.0.0.1/auth/pwd",
    "no host": "https:///auth/pwd",
    "another scheme": "ftp://127.0.0.1:{port}/auth/pwd",
    "a file": "file:///etc/passwd",
    "a script": "javascript:alert(1)",
    "letters that look alike": "https://127.0.0.\xb9:{port}/auth/pwd",
    "control characters": "https://127.0.0.1:{port}\x01/auth/pwd",
}


def test_no_password_goes_where_a_certificate_login_may_not(authority: CertificateAuthority, own: Files) -> None:
    tried = 0
    with Witness(LICENCES) as plain, TLSServer(demanding(authority), LICENCES) as secure:
        for target, location in TARGETS.items():
            port = plain.port if target == "no https" else secure.host.rpartition(":")[2]
            client_of = sent_on(location and location.format(port=port), own)
            with client_of as client, pytest.raises(RedirectError) as caught:
                client.licenses_used()
            assert "by https to the same host" in (caught.value.hint or ""), target
            assert (plain.connections, secure.shown, secure.seen) == (0, [], []), target
            tried += 1
        there = plain.connections + len(secure.seen)
    figure("certificate-login", f"{tried} places where its 307 may not lead: {there} requests there")


def test_the_vendor_s_host_is_not_reached_from_staging(own: Files) -> None:
    where = sent_on("https://iot.sectigo.com/auth/pwd", own, allowed_host="iot.sectigo.com")
    with where as client, pytest.raises(ForbiddenHostError, match="staging does not allow requests to https://iot"):
        client.licenses_used()


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("127.0.0.1", {}),
        ("localhost", {"allowed_host": "LocalHost"}),
        ("localhost", {"environment": "testing"}),
    ],
)
def test_the_same_host_the_allowed_one_and_this_machine_are_reached(
    authority: CertificateAuthority, own: Files, name: str, changes: dict[str, Any]
) -> None:
    with TLSServer(demanding(authority), json_answer(tokens())) as secure:
        location = f"HTTPS://{name}:{secure.host.rpartition(':')[2]}/auth/pwd?by=certificate"
        with sent_on(location, own, **changes) as client:
            assert client.licenses_used().issued == 1
        assert [seen.document for seen in secure.seen] == [{"username": USERNAME, "password": PASSWORD}]
        assert [seen.path for seen in secure.seen] == ["/auth/pwd?by=certificate"]
        assert len(secure.shown) == 1
        assert secure.shown[0] == ssl.PEM_cert_to_DER_cert(
            Path(own.certificate).read_text().split("-----END")[0] + END
        )


END = "-----END CERTIFICATE-----\n"


@contextlib.contextmanager
def secured(
    context: ssl.SSLContext, files: Files, login: bytes, **changes: Any
) -> Iterator[tuple[TLSServer, IoTManager]]:
    """A server that answers certificate log-ins like that, and a client that is sent there."""
    server = TLSServer(context, LICENCES, login=login)
    with server, sent_on(f"{server.url}/auth/pwd", files, **changes) as client:
        yield server, client


@pytest.mark.parametrize("location", ["{url}/auth/pwd", "{url}/further", "/further"])
def test_a_second_redirect_is_not_followed(authority: CertificateAuthority, own: Files, location: str) -> None:
    with TLSServer(demanding(authority), LICENCES) as further:
        login = answer(307, Location=location.format(url=further.url))
        with secured(demanding(authority), own, login) as (server, client):
            with pytest.raises(RedirectError, match="neither request nor credentials are sent"):
                client.licenses_used()
            assert (len(server.seen), further.seen) == (1, [])


def test_a_refused_password_is_not_repeated(authority: CertificateAuthority, own: Files) -> None:
    with secured(demanding(authority), own, DENIED) as (server, client):
        for words in ("failed with status 401: no", "refused before"):
            with pytest.raises(InvalidCredentialsError, match=words):
                client.licenses_used()
        assert len(server.seen) == 1


ANSWERS: dict[str, tuple[bytes, type[SectigoError]]] = {
    "403": (json_answer({"message": "no authority"}, 403), NotAuthorizedError),
    "HTML": (answer(200, "<html>", "text/html"), InvalidReplyError),
    "null": (json_answer(None), InvalidReplyError),
    "a reset": (RESET, TransportError),
}


@pytest.mark.parametrize("case", ANSWERS)
def test_other_answers_to_a_certificate_login_are_errors_as_usual(
    authority: CertificateAuthority, own: Files, case: str
) -> None:
    login, kind = ANSWERS[case]
    with secured(demanding(authority), own, login) as (server, client):
        with pytest.raises(kind):
            client.licenses_used()
        assert len(server.seen) == (2 if login is RESET else 1)


def test_a_certificate_login_ends_in_time(authority: CertificateAuthority, own: Files) -> None:
    with TLSServer(demanding(authority), LICENCES, login=HANG) as server:
        sends_on = LyingServer(LICENCES, login=answer(307, Location=f"{server.url}/auth/pwd"))
        with sends_on, IoTManager(settings_at(sends_on.url, timeout=1.0, **own.settings)) as client:
            begun = time.monotonic()
            with pytest.raises(DeadlineError, match=f"{server.host} did not answer within 1 s"):
                client.licenses_used()
            assert time.monotonic() - begun < 2


# What TLS says


def test_a_server_of_another_authority_is_never_trusted(
    stranger: CertificateAuthority, authority: CertificateAuthority, own: Files
) -> None:
    context, sent = demanding(stranger, authority), 0
    for given, hint in ((own, f"does not stand in {own.ca}"), (own._replace(ca=""), "--ca-file or SECTIGO_CA_FILE")):
        with secured(context, given, LICENCES) as (server, client):
            with pytest.raises(UnreachableError, match=f"{server.host} is not trusted: ") as caught:
                client.licenses_used()
            assert hint in (caught.value.hint or "")
            assert server.seen == []
            sent += len(server.seen)
    figure("certificate-login", f"a server of another authority, or of nobody that is trusted: {sent} passwords")


def test_a_server_of_another_name_is_not_trusted(authority: CertificateAuthority, own: Files) -> None:
    with secured(demanding(authority, names=["iot.example.com"]), own, LICENCES) as (server, client):
        with pytest.raises(UnreachableError, match=r"is not trusted: .*not valid for"):
            client.licenses_used()
        assert server.seen == []


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    "unknown authority": ({}, "by an authority known there?"),
    "expired": ({"days": (-9, -2)}, "it expired on "),
    "not yet valid": ({"days": (2, 9)}, "it is not valid before "),
    "not for clients": ({"usage": ExtendedKeyUsageOID.SERVER_AUTH}, "clientAuth is missing"),
}


def told(server: TLSServer, client: IoTManager, certificate: str) -> str:
    """The hint of the error that names the server and the certificate that it refused; nothing was said to it."""
    with pytest.raises(TransportError) as caught:
        client.licenses_used()
    message = caught.value.message
    assert server.host in message
    assert f"client certificate {certificate}" in message
    assert "refuses" in message or "broke off" in message
    assert (server.shown, server.seen) == ([], [])
    return caught.value.hint or ""


def test_a_refused_certificate_is_named_with_its_reason(
    authority: CertificateAuthority, stranger: CertificateAuthority, own: Files, tmp_path: Path
) -> None:
    tried, named = 0, 0
    for form, hint in REFUSED.values():
        issuer = authority if form else stranger
        given = client_files(issuer, tmp_path / "refused", **form)._replace(ca=own.ca)
        for version in VERSIONS:
            with secured(demanding(authority, version=version), given, LICENCES) as (server, client):
                tried += 1
                assert hint in told(server, client, given.certificate)
                named += 1
    words = ", ".join(REFUSED)
    figure("certificate-login", f"certificate refused under TLS 1.2 and 1.3 ({words}): {named} of {tried} named")


# A second implementation


class OpenSSLServer:
    """`openssl s_server` that demands a certificate and gives one answer to whatever is sent."""

    def __init__(self, files: Files, server: Files, version: str, port: int) -> None:
        self.port = port
        words = ["s_server", "-accept", f"127.0.0.1:{self.port}", "-quiet", "-Verify", "1", "-verify_return_error"]
        words += ["-CAfile", files.ca, "-cert", server.certificate, "-key", server.key, version]
        words += ["-cert_chain", server.certificate]
        self.process = subprocess.Popen(
            ["openssl", *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.heard = b""
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def listens(self) -> bool:
        """Whether it does, which takes it a moment; where another one has taken the port, it ends."""
        until = time.monotonic() + 10
        while self.process.poll() is None and time.monotonic() < until:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
                time.sleep(0.05)
                return self.process.poll() is None
            time.sleep(0.02)
        return False

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait(10)
        if self._thread.ident is not None:
            self._thread.join(10)
        for pipe in (self.process.stdin, self.process.stdout):
            assert pipe is not None
            with contextlib.suppress(OSError):
                pipe.close()

    @property
    def url(self) -> str:
        return f"https://127.0.0.1:{self.port}/auth/pwd"

    def _serve(self) -> None:
        assert self.process.stdout is not None
        assert self.process.stdin is not None
        while data := os.read(self.process.stdout.fileno(), 65536):
            self.heard += data
            if self.heard.endswith(b"}"):
                with contextlib.suppress(OSError):
                    self.process.stdin.write(json_answer(tokens()))
                    self.process.stdin.flush()


@contextlib.contextmanager
def openssl_server(files: Files, server: Files, version: str) -> Iterator[OpenSSLServer]:
    """Run one that listens. Somebody else may be quicker at a port that was free."""
    for _ in range(5):
        running = OpenSSLServer(files, server, version, closed_port())
        try:
            if running.listens():
                running.start()
                yield running
                return
        finally:
            running.stop()
    raise AssertionError("openssl s_server does not listen")


@pytest.fixture
def server_files(authority: CertificateAuthority, tmp_path: Path) -> Files:
    from sectigo_iot.emulator.net.tls import identity

    certificate, key = identity(authority)
    folder = tmp_path / "server"
    folder.mkdir()
    (folder / "server.pem").write_bytes(certificate)
    (folder / "key.pem").write_bytes(key)
    return Files("", str(folder / "server.pem"), str(folder / "key.pem"))


@pytest.mark.needs("openssl")
@pytest.mark.parametrize("version", ["-tls1_2", "-tls1_3"])
def test_openssl_s_own_server_lets_in_whom_it_knows(
    own: Files, server_files: Files, stranger: CertificateAuthority, tmp_path: Path, version: str
) -> None:
    let_in, refused = 0, 0
    with openssl_server(own, server_files, version) as server:
        other = client_files(stranger, tmp_path / "other")._replace(ca=own.ca)
        with sent_on(server.url, other) as client:
            with pytest.raises(TransportError, match=f"127.0.0.1:{server.port}.* client certificate") as caught:
                client.authenticate()
            assert "by an authority known there?" in (caught.value.hint or "")
        assert server.heard == b""
        refused += 1
        with sent_on(server.url, own) as client:
            assert client.authenticate().access_token
        body = server.heard.partition(b"\r\n\r\n")[2]
        assert json.loads(body) == {"username": USERNAME, "password": PASSWORD}
        let_in += 1
    what = f"{let_in} let in, {refused} with a certificate of another authority refused"
    figure("certificate-login", f"`openssl s_server {version}`: {what}")
