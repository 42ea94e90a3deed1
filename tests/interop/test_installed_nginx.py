"""What is installed is served by a real nginx, asked by curl, and renewed under load; and Python's ssl takes it."""

from __future__ import annotations

import contextlib
import os
import shlex
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID

from sectigo_iot.pki import Installed, install, run_deploy_hook
from tests.unit.pki.home import Key, build, ec_key, pem

NAME = "service.example.com"
ROOT = build("TEST Root", ec_key("root"), "TEST Root", ec_key("root"), ca=True, days=3650)
ISSUING = build("TEST Issuing", ec_key("issuing"), "TEST Root", ec_key("root"), ca=True, pathlen=0)


def issued(serial: int, name: str = NAME) -> dict[str, bytes]:
    """The files of a new certificate with a key of its own."""
    key: Key = ec_key(f"{name} {serial}")
    extra = (
        (x509.SubjectAlternativeName([x509.DNSName(name)]), False),
        (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH, ExtendedKeyUsageOID.SERVER_AUTH]), True),
    )
    leaf = build(name, key, "TEST Issuing", ec_key("issuing"), ca=False, serial=serial, extra=extra)
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    chain = pem(ISSUING, ROOT)
    return {
        "cert.pem": pem(leaf),
        "chain.pem": chain,
        "fullchain.pem": pem(leaf) + chain,
        "privkey.pem": private,
        "full.pem": private + pem(leaf) + chain,
    }


CONFIGURATION = """
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/error.log;
events {{ worker_connections 256; }}
http {{
    access_log off;
    client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
    uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
    server {{
        listen 127.0.0.1:{port} ssl;
        include {folder}/certificate.conf;
        location / {{ return 200 "served"; }}
    }}
}}
"""
HOOK = """
printf 'ssl_certificate %s;\\nssl_certificate_key %s;\\n' "$SECTIGO_INSTALLED_FULLCHAIN" "$SECTIGO_INSTALLED_KEY" \
    > {folder}/certificate.new && mv {folder}/certificate.new {folder}/certificate.conf && {reload}
"""


class Server:
    """A real nginx on the loopback, whose certificate is what was installed last."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.live = folder, folder / "live"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        (folder / "root.pem").write_bytes(pem(ROOT))
        (folder / "nginx.conf").write_text(CONFIGURATION.format(folder=folder, port=self.port))
        self.command = ["nginx", "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]

    def renew(self, serial: int, reload: bool = True) -> Installed:
        """Install a certificate, and have the hook tell nginx."""
        done = install(self.live, NAME, issued(serial))
        act = shlex.join([*self.command, "-s", "reload"]) if reload else "true"
        told = run_deploy_hook(HOOK.format(folder=self.folder, reload=act), [done])
        assert told.succeeded, told.output
        return done

    def ask(self) -> str:
        """What curl is answered, which checks chain and name."""
        address = f"{NAME}:{self.port}"
        words = ["-sS", "--cacert", str(self.folder / "root.pem"), "--resolve", f"{address}:127.0.0.1"]
        done = subprocess.run(["curl", *words, f"https://{address}/"], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def serial(self) -> int:
        """The serial number of what is served now; the chain is verified."""
        context = ssl.create_default_context(cafile=str(self.folder / "root.pem"))
        plain = socket.create_connection(("127.0.0.1", self.port), 10)
        with plain, context.wrap_socket(plain, server_hostname=NAME) as secure:
            return x509.load_der_x509_certificate(secure.getpeercert(binary_form=True) or b"").serial_number

    def wait_for(self, serial: int) -> None:
        """Wait until this certificate is served: a reload does not wait for the new workers."""
        until = time.monotonic() + 20
        while (now := self.serial()) != serial:
            assert time.monotonic() < until, f"{now} is served, not {serial}"
            time.sleep(0.02)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    # nginx as root gives its workers to another user, who passes through here for its temporary folders.
    tmp_path.chmod(0o711)
    server = Server(tmp_path)
    server.renew(1001, reload=False)
    with subprocess.Popen(server.command, stderr=subprocess.PIPE, text=True) as process:
        try:
            until = time.monotonic() + 20
            while True:
                assert process.poll() is None, process.stderr and process.stderr.read()
                try:
                    server.serial()
                    break
                except OSError:
                    assert time.monotonic() < until
                    time.sleep(0.02)
            yield server
        finally:
            process.terminate()
            process.wait(20)


@pytest.mark.needs("nginx", "curl")
def test_nginx_serves_what_is_installed_and_what_is_installed_next(server: Server) -> None:
    assert server.ask() == "served"
    assert server.serial() == 1001
    server.renew(1002)
    server.wait_for(1002)
    assert server.ask() == "served"


@pytest.mark.needs("nginx", "curl")
def test_no_handshake_fails_while_certificates_change(server: Server) -> None:
    stop, seen, failed = threading.Event(), set[int](), list[BaseException]()

    def load() -> None:
        while not stop.is_set():
            try:
                seen.add(server.serial())
            except OSError as error:
                failed.append(error)

    askers = [threading.Thread(target=load) for _ in range(3)]
    for asker in askers:
        asker.start()
    try:
        for serial in range(2001, 2006):
            server.renew(serial)
            server.wait_for(serial)
    finally:
        stop.set()
        for asker in askers:
            asker.join()
    assert failed == []
    assert seen >= {2005}
    assert "emerg" not in (server.folder / "error.log").read_text()


@pytest.mark.needs("nginx", "curl")
def test_nginx_takes_the_link_in_its_configuration_too(server: Server) -> None:
    include = "ssl_certificate {0}/fullchain.pem; ssl_certificate_key {0}/privkey.pem;"
    (server.folder / "certificate.conf").write_text(include.format(server.live / NAME))
    install(server.live, NAME, issued(3001))
    subprocess.run([*server.command, "-s", "reload"], check=True, capture_output=True)
    server.wait_for(3001)
    assert server.ask() == "served"


@pytest.mark.parametrize("form", ["full.pem", "two files"])
def test_both_sides_of_a_handshake_take_the_files(form: str, tmp_path: Path) -> None:
    ours = install(tmp_path / "live", NAME, issued(4001))
    theirs = install(tmp_path / "live", "client.example.com", issued(4002, "client.example.com"))
    contexts = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    for context, one in zip(contexts, (ours, theirs), strict=True):
        if form == "full.pem":
            context.load_cert_chain(one.path / "full.pem")
        else:
            context.load_cert_chain(one.folder / "fullchain.pem", one.folder / "privkey.pem")
        context.load_verify_locations(cadata=pem(ROOT).decode())
        context.verify_mode = ssl.CERT_REQUIRED
    assert shake_hands(*contexts) == (4002, 4001)


def shake_hands(server: ssl.SSLContext, client: ssl.SSLContext) -> tuple[int, int]:
    """Return the serial numbers that server and client saw of each other."""
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    sides = (
        server.wrap_bio(incoming, outgoing, server_side=True),
        client.wrap_bio(outgoing, incoming, server_hostname=NAME),
    )
    for _ in range(10):
        for side in sides:
            with contextlib.suppress(ssl.SSLWantReadError):
                side.do_handshake()
    server_side, client_side = (
        x509.load_der_x509_certificate(side.getpeercert(binary_form=True) or b"").serial_number for side in sides
    )
    return server_side, client_side


def test_pythons_ssl_opens_one_file_twice_and_so_is_given_the_resolved_path(tmp_path: Path) -> None:
    fifo, data, opened = tmp_path / "full.pem", issued(4003)["full.pem"], list[float]()
    os.mkfifo(fifo)

    def serve() -> None:
        while len(opened) < 2:
            with fifo.open("wb") as pipe:
                opened.append(time.monotonic())
                pipe.write(data)
            # Whoever reads comes to the end before the next one is served.
            time.sleep(0.05)

    server = threading.Thread(target=serve, daemon=True)
    server.start()
    ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER).load_cert_chain(fifo)
    server.join(10)
    assert len(opened) == 2, "docs/installing.md says that load_cert_chain opens its file twice"


@pytest.mark.needs("nginx")
def test_a_reload_with_a_pair_that_does_not_fit_is_what_this_prevents(tmp_path: Path) -> None:
    """nginx refuses a key with the certificate of another: what a reader that mixes two versions would get."""
    first, second = issued(5001), issued(5002)
    install(tmp_path / "live", NAME, {**first, "privkey.pem": second["privkey.pem"]})
    link = tmp_path / "live" / NAME
    settings = f"ssl_certificate {link}/fullchain.pem; ssl_certificate_key {link}/privkey.pem;"
    (tmp_path / "certificate.conf").write_text(settings)
    (tmp_path / "nginx.conf").write_text(CONFIGURATION.format(folder=tmp_path, port=1))
    words = [
        "nginx",
        "-t",
        "-p",
        str(tmp_path),
        "-c",
        str(tmp_path / "nginx.conf"),
        "-e",
        str(tmp_path / "error.log"),
    ]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "key values mismatch" in done.stderr
