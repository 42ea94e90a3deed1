"""The way to the service, with everything on it that can be wrong: names, ports, certificates, proxies."""

from __future__ import annotations

import socket
import ssl
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sectigo_iot import APIError, ConfigError, ForbiddenHostError, Health, UnreachableError
from tests.reliability.tinyproxy import tinyproxy
from tests.unit.doctor_patients import LATIN_1, VERSION_6, X400, Maker, examined, healths, service, staging, unchecked
from tests.unit.lying_server import LyingServer, answer, blunt_server, closed_port, json_answer, settings_at
from tests.unit.tls_server import TLSServer

NETWORK = {"clock", "dns", "tcp", "tls", "http"}
ACCOUNT = {"credentials", "role", "balance"}


def test_nobody_listens() -> None:
    port = closed_port()
    found = examined(settings_at(f"http://127.0.0.1:{port}"))
    assert healths(found) == {"tcp": "wrong"}
    assert found["tcp"].facts == f"127.0.0.1:{port} failed: connection refused"
    assert isinstance(found["tcp"].error, UnreachableError)
    assert "sectigo serve" in (found["tcp"].hint or "")
    assert {"clock", "tls", "http", *ACCOUNT} <= unchecked(found)
    assert found["credentials"].facts == "there is no connection"


def test_a_name_that_nobody_knows() -> None:
    found = examined(settings_at("", **staging("https://nowhere.test", timeout=5.0)))
    assert healths(found) == {"dns": "wrong"}
    assert "nowhere.test cannot be looked up" in found["dns"].facts
    assert {"clock", "tcp", "tls", "http", *ACCOUNT} <= unchecked(found)


def test_a_name_server_that_does_not_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    over = threading.Event()

    def hanging(*_: object, **__: object) -> list[object]:
        over.wait(10)
        return []

    # The system's resolver has no way to make it hang for one process alone.
    monkeypatch.setattr(socket, "getaddrinfo", hanging)
    begun = time.monotonic()
    found = examined(settings_at("", **staging("https://node.example.com", timeout=0.3)))
    over.set()
    assert time.monotonic() - begun < 2
    assert healths(found) == {"dns": "wrong"}
    assert "no name server answered in time" in found["dns"].facts


def test_every_address_is_tried_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    with LyingServer(service()) as server:
        port = int(server.host.rpartition(":")[2])
        both = [(socket.AF_UNSPEC, socket.SOCK_STREAM, 6, "", (host, port)) for host in ("::1", "127.0.0.1")]
        find = socket.getaddrinfo

        def two(host: str, *rest: object, **more: object) -> object:
            return both if host == "localhost" else find(host, *rest, **more)  # type: ignore[arg-type]

        monkeypatch.setattr(socket, "getaddrinfo", two)
        found = examined(settings_at(f"http://localhost:{port}"))
    assert found["dns"].details["addresses"] == ["::1", "127.0.0.1"]
    assert found["tcp"].health is Health.OK
    assert found["tcp"].facts.startswith(f"[::1]:{port} failed: ")
    assert f"; 127.0.0.1:{port} connected in " in found["tcp"].facts


def test_a_port_that_takes_nobody() -> None:
    # Connections beyond the backlog are not accepted: they hang as if a firewall dropped them.
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener:
        port = listener.getsockname()[1]
        fillers = [socket.socket() for _ in range(4)]
        for filler in fillers:
            filler.setblocking(False)
            filler.connect_ex(("127.0.0.1", port))
        begun = time.monotonic()
        found = examined(settings_at("", **staging(f"https://127.0.0.1:{port}", timeout=0.3)))
        for filler in fillers:
            filler.close()
    assert time.monotonic() - begun < 3
    assert healths(found) == {"tcp": "wrong"}
    assert "did not answer within 0.3 s" in found["tcp"].facts


def test_a_host_that_the_environment_forbids_hears_nothing() -> None:
    with LyingServer(service()) as server:
        found = examined(settings_at(server.url, environment="production"))
        assert server.seen == []
        assert server._connections == []
    assert healths(found) == {"environment": "wrong"}
    assert isinstance(found["environment"].error, ForbiddenHostError)
    assert {*NETWORK, "proxy", *ACCOUNT} <= unchecked(found)


@pytest.mark.parametrize(
    "changes",
    [{"environment": "nowhere"}, {"endpoint": "ftp://x"}, {"endpoint": "http://a b"}, {"timeout": -1.0}],
    ids=str,
)
def test_a_setting_that_is_wrong(changes: dict[str, object]) -> None:
    found = examined(settings_at("http://127.0.0.1:1", **changes))
    assert found["environment"].facts.startswith("a setting is wrong: ")
    assert healths(found) == {"environment": "wrong"}
    assert isinstance(found["environment"].error, ConfigError)


# TLS


def test_a_private_authority(tmp_path: Path) -> None:
    maker = Maker()
    with TLSServer(maker.context(tmp_path), service()) as server:
        found = examined(settings_at(server.url, ca_file=maker.file(tmp_path)))
    assert healths(found) == {}
    assert found["tls"].health is Health.OK
    assert found["tls"].facts.startswith("TLSv1.3; certificate from Example Test Authority, by ")
    assert found["tls"].details["days_left"] == 299
    assert found["tls"].details["names"] == ["localhost", "127.0.0.1"]


def test_a_certificate_that_soon_expires(tmp_path: Path) -> None:
    maker = Maker()
    with TLSServer(maker.context(tmp_path, days=(-1, 10.5)), service()) as server:
        found = examined(settings_at(server.url, ca_file=maker.file(tmp_path)))
    assert healths(found) == {"tls": "attention"}
    assert "10 days left" in found["tls"].facts
    assert found["credentials"].health is Health.OK


def test_an_authority_in_between_that_soon_expires(tmp_path: Path) -> None:
    root = Maker()
    issuer = root.below((-1, 20.5))
    with TLSServer(issuer.context(tmp_path, chain=[issuer, root]), service()) as server:
        found = examined(settings_at(server.url, ca_file=root.file(tmp_path)))
    assert healths(found) == {"tls": "attention"}
    assert "20 days left (that of Example Test Issuer)" in found["tls"].facts


# What is wrong with the certificate, and what is said of it.
BAD: dict[str, tuple[Callable[[Maker, Path], ssl.SSLContext], str, str]] = {
    "expired": (lambda maker, folder: maker.context(folder, days=(-9, -2)), "expired on ", "must renew the"),
    "too early": (
        lambda maker, folder: maker.context(folder, days=(2, 9)),
        "is not valid before ",
        "is the clock of this machine right? (it says ",
    ),
    "self-signed": (
        lambda maker, folder: maker.context(folder, self_signed=True),
        "is self-signed",
        "nobody else is",
    ),
    "other names": (
        lambda maker, folder: maker.context(folder, names=["node.example.com", "example.org"]),
        "is not for 127.0.0.1, but for node.example.com, example.org",
        "--endpoint",
    ),
    "nobody's": (lambda maker, folder: maker.context(folder, names=[]), "but for no name at all", "--endpoint"),
    "foreign": (
        lambda maker, folder: Maker("Foreign").context(folder),
        "not known (it comes from Foreign)",
        "stand in",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_certificate_that_is_not_trusted(tmp_path: Path, case: str) -> None:
    make, said, advice = BAD[case]
    maker = Maker()
    with TLSServer(make(maker, tmp_path), service()) as server:
        found = examined(settings_at(server.url, ca_file=maker.file(tmp_path)))
        assert server.seen == [], "nothing is said to somebody who is not trusted"
    assert healths(found) == {"tls": "wrong"}
    assert said in found["tls"].facts
    assert advice in (found["tls"].hint or "")
    assert isinstance(found["tls"].error, UnreachableError)
    assert {"clock", "http", *ACCOUNT} <= unchecked(found)


def test_a_private_authority_that_nobody_named(tmp_path: Path) -> None:
    with TLSServer(Maker("Example\x1b[31m Authority").context(tmp_path), service()) as server:
        found = examined(settings_at(server.url))
    assert "comes from an authority that is not known" in found["tls"].facts
    assert "--ca-file or SECTIGO_CA_FILE" in (found["tls"].hint or "")
    assert "\x1b" not in found["tls"].facts


def test_a_ca_file_that_is_not_there(tmp_path: Path) -> None:
    with TLSServer(Maker().context(tmp_path), service()) as server:
        found = examined(settings_at(server.url, ca_file=str(tmp_path / "nothing.pem")))
    assert healths(found) == {"tls": "wrong"}
    assert isinstance(found["tls"].error, ConfigError)


def test_a_ca_file_of_no_use_is_no_fault_of_the_service(tmp_path: Path) -> None:
    with LyingServer(service()) as server:
        found = examined(settings_at(server.url, ca_file=str(tmp_path)))
        assert server.seen == []
    assert healths(found) == {"tls": "wrong"}
    assert isinstance(found["tls"].error, ConfigError)
    assert "SECTIGO_CA_FILE" in (found["tls"].hint or "")
    assert found["http"].facts == "the CA file is of no use"


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_server_that_demands_a_client_certificate_of_everybody(
    tmp_path: Path, scheme: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # What breaks off is tried again until time is up, and then time may be what the last attempt lacked.
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)
    maker = Maker()
    context = maker.context(tmp_path)
    context.verify_mode = ssl.CERT_REQUIRED
    with TLSServer(context, service()) as server:
        url = server.url.replace("https:", f"{scheme}:")
        found = examined(settings_at(url, ca_file=maker.file(tmp_path)))
    assert healths(found) == {"http": "wrong"}
    hint = found["http"].hint or ""
    assert "try again later" not in hint
    assert "does the service speak https there" in hint if scheme == "http" else "address" in hint


def test_a_version_of_tls_that_is_too_old() -> None:
    # The alert protocol_version, as a server sends it that speaks none of our versions.
    with blunt_server(b"\x15\x03\x01\x00\x02\x02\x46") as host:
        found = examined(settings_at(f"https://{host}"))
    assert found["tls"].hint == "the service must speak TLS 1.2 or newer"


def test_http_where_https_is_asked_for() -> None:
    with blunt_server(b"HTTP/1.1 400 Bad Request\r\n\r\n") as host:
        found = examined(settings_at(f"https://{host}"))
    assert healths(found) == {"tls": "wrong"}
    assert "no TLS is agreed" in found["tls"].facts


@pytest.mark.parametrize(("stall", "said"), [(False, "broke off"), (True, "did not answer within 0.3 s")])
def test_a_handshake_that_comes_to_nothing(stall: bool, said: str) -> None:
    begun = time.monotonic()
    with blunt_server(b"", stall=stall) as host:
        found = examined(settings_at(f"https://{host}", timeout=0.3))
        assert time.monotonic() - begun < 3
    assert healths(found) == {"tls": "wrong"}
    assert said in found["tls"].facts


def test_a_handshake_that_dribbles() -> None:
    begun = time.monotonic()
    with blunt_server(b"\x16\x03\x03\x3f\xff", dribble=b"\x00") as host:
        found = examined(settings_at(f"https://{host}", timeout=0.3))
        assert time.monotonic() - begun < 3
    assert "did not answer within 0.3 s" in found["tls"].facts


class Sluggish(TLSServer):
    """Thinks for so many seconds before it agrees on TLS."""

    def __init__(self, context: ssl.SSLContext, pause: float) -> None:
        super().__init__(context, service())
        self.pause = pause

    def _serve(self, connection: socket.socket) -> None:
        time.sleep(self.pause)
        super()._serve(connection)


def test_a_handshake_has_more_than_the_share_of_an_address(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    maker = Maker()
    find = socket.getaddrinfo

    def two(host: str, port: int, *rest: object, **more: object) -> object:
        hosts = {"127.0.0.1": socket.AF_INET, "::1": socket.AF_INET6} if host == "localhost" else {}
        found = [(family, socket.SOCK_STREAM, 6, "", (each, port)) for each, family in hosts.items()]
        return found or find(host, port, *rest, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    with Sluggish(maker.context(tmp_path), 0.6) as server:
        url = server.url.replace("127.0.0.1", "localhost")
        found = examined(settings_at(url, ca_file=maker.file(tmp_path), timeout=1.1))
    assert found["tls"].health is Health.OK
    assert found["credentials"].health is Health.OK


def test_two_handshakes_are_one_step(tmp_path: Path) -> None:
    with Sluggish(Maker().context(tmp_path), 0.8) as server:
        begun = time.monotonic()
        found = examined(settings_at(server.url, timeout=1.1))
        assert time.monotonic() - begun < 1.55
    assert "comes from an authority that is not known" in found["tls"].facts


@pytest.mark.parametrize("trusted", [False, True])
def test_a_name_in_another_encoding_than_it_says(tmp_path: Path, trusted: bool) -> None:
    maker = Maker("AAAABBBB", spoilt=LATIN_1)
    with TLSServer(maker.context(tmp_path), service()) as server:
        found = examined(settings_at(server.url, ca_file=(maker if trusted else Maker()).file(tmp_path)))
    assert healths(found) == ({} if trusted else {"tls": "wrong"})
    assert "an authority without a name that can be read" in found["tls"].facts
    assert found["tls"].details["names"] == ["localhost", "127.0.0.1"]


def test_names_of_a_kind_that_cannot_be_read(tmp_path: Path) -> None:
    with TLSServer(Maker(spoilt=X400).context(tmp_path), service()) as server:
        found = examined(settings_at(server.url))
    assert healths(found) == {"tls": "wrong"}
    assert found["tls"].details["names"] == []


def test_a_certificate_that_is_trusted_and_cannot_be_read(tmp_path: Path) -> None:
    maker = Maker()
    context = maker.context(tmp_path, spoilt=VERSION_6)
    with TLSServer(context, service()) as server:
        found = examined(settings_at(server.url, ca_file=maker.file(tmp_path)))
    assert healths(found) == {"tls": "attention"}
    assert "cannot be read here" in found["tls"].facts


def test_http_in_the_open() -> None:
    with LyingServer(service()) as server:
        found = examined(settings_at("", **staging(server.url)))
        assert healths(found) == {"tls": "attention"}
        docker = examined(settings_at("", **staging(server.url, environment="docker")))
    assert healths(docker) == {}


# Proxies


@pytest.mark.needs("tinyproxy")
@pytest.mark.parametrize("secure", [False, True], ids=["http", "https"])
def test_by_way_of_a_proxy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, secure: bool) -> None:
    maker = Maker()
    server = TLSServer(maker.context(tmp_path), service()) if secure else LyingServer(service())
    with server, tinyproxy(tmp_path) as proxy:
        name = "https_proxy" if secure else "HTTP_PROXY"
        monkeypatch.setenv(name, proxy.host)
        ca_file = maker.file(tmp_path) if secure else None
        environment = "staging" if secure else "docker"
        found = examined(settings_at("", **staging(server.url, ca_file=ca_file, environment=environment)))
        assert proxy.requests[0].startswith("CONNECT" if secure else "GET http://")
    assert healths(found) == {}
    assert found["proxy"].facts == f"{proxy.host}, from {name}"
    assert f"(the proxy of {name})" in found["dns"].facts
    assert f"{proxy.host} connected" in found["tcp"].facts


@pytest.mark.needs("tinyproxy")
@pytest.mark.parametrize(("login", "well"), [("", False), ("jane:wrong-one@", False), ("jane:opens-it@", True)])
def test_a_proxy_that_wants_a_password(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str, well: bool
) -> None:
    maker = Maker()
    with (
        TLSServer(maker.context(tmp_path), service()) as server,
        tinyproxy(tmp_path, "BasicAuth jane opens-it") as proxy,
    ):
        monkeypatch.setenv("https_proxy", f"http://{login}{proxy.host}")
        found = examined(settings_at("", **staging(server.url, ca_file=maker.file(tmp_path))))
    assert healths(found) == ({} if well else {"proxy": "wrong"})
    assert "opens-it" not in repr(found)
    assert "wrong-one" not in repr(found)
    if not well:
        assert "of https_proxy wants a user name and a password" in (found["proxy"].hint or "")
        assert found["credentials"].facts == "the proxy leads nowhere"


@pytest.mark.needs("tinyproxy")
@pytest.mark.parametrize("login", ["", "jane:wrong-one@"])
def test_a_proxy_for_http_that_wants_a_password(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, login: str) -> None:
    with LyingServer(service()) as server, tinyproxy(tmp_path, "BasicAuth jane opens-it") as proxy:
        monkeypatch.setenv("http_proxy", f"http://{login}{proxy.host}")
        found = examined(settings_at("", **staging(server.url, environment="docker")))
        assert server.logins == []
    assert healths(found) == {"proxy": "wrong"}
    assert isinstance(found["proxy"].error, APIError)
    assert "of http_proxy wants a user name and a password" in (found["proxy"].hint or "")
    assert "credentials" in unchecked(found)


PAGE = "<!DOCTYPE html><html>Filtered</html>"
BY_PROXY = {
    "401": answer(401, PAGE, "text/html", **{"WWW-Authenticate": 'Basic realm="proxy"'}),
    "403": answer(403, PAGE, "text/html"),
}


@pytest.mark.parametrize("status", BY_PROXY)
def test_a_proxy_for_http_that_answers_itself(monkeypatch: pytest.MonkeyPatch, status: str) -> None:
    with LyingServer(BY_PROXY[status]) as proxy:
        monkeypatch.setenv("http_proxy", f"http://jane:opens-it@{proxy.host}")
        found = examined(settings_at("", **staging("http://node.example.com", environment="docker")))
        assert proxy.logins == []
    assert healths(found) == {"proxy": "wrong"}
    assert "of http_proxy" in (found["proxy"].hint or "")
    assert found["credentials"].facts == "the proxy lets nothing through"
    assert "opens-it" not in repr(found)


def test_a_service_behind_a_proxy_that_refuses_in_words_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    with LyingServer(json_answer({"status": 403, "message": "no token"}, 403)) as proxy:
        monkeypatch.setenv("http_proxy", proxy.host)
        found = examined(settings_at("", **staging("http://node.example.com", environment="docker")))
    assert {found["http"].health, found["proxy"].health} == {Health.OK}


def test_a_service_that_answers_as_a_proxy_does() -> None:
    with LyingServer(answer(407, "")) as server:
        found = examined(settings_at(server.url, timeout=1.0))
    assert found["http"].health is Health.ATTENTION
    assert "proxy" in unchecked(found)


def test_a_proxy_that_is_down(monkeypatch: pytest.MonkeyPatch) -> None:
    proxy = f"127.0.0.1:{closed_port()}"
    monkeypatch.setenv("HTTPS_PROXY", f"http://jane:opens-it@{proxy}")
    found = examined(settings_at("", **staging("https://node.example.com")))
    assert healths(found) == {"tcp": "wrong"}
    assert found["tcp"].facts == f"{proxy} failed: connection refused"
    assert "HTTPS_PROXY" in (found["tcp"].hint or "")
    assert "opens-it" not in repr(found)


@pytest.mark.parametrize(
    ("reply", "stall", "said"),
    [
        (b"HTTP/1.1 403 Filtered\r\n\r\n", False, "refuses to connect to node.example.com:443: status 403"),
        (b"HTTP/1.1 502 Bad\r\n\r\n", False, ": status 502"),
        (b"SSH-2.0-OpenSSH\r\n\r\n", False, "gave no answer that is one of HTTP"),
        (b"", False, "gave no answer that is one of HTTP"),
        (b"HTTP/1.1 200", True, "did not answer within 0.3 s"),
    ],
)
def test_a_proxy_that_leads_nowhere(monkeypatch: pytest.MonkeyPatch, reply: bytes, stall: bool, said: str) -> None:
    begun = time.monotonic()
    with blunt_server(reply, stall=stall) as proxy:
        monkeypatch.setenv("https_proxy", proxy)
        found = examined(settings_at("", **staging("https://node.example.com", timeout=0.3)))
        assert time.monotonic() - begun < 3
    assert healths(found) == {"proxy": "wrong"}
    assert said in found["proxy"].facts
    assert {"tls", "http", "clock", *ACCOUNT} <= unchecked(found)


def test_a_host_that_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"127.0.0.1:{closed_port()}")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with LyingServer(service()) as server:
        found = examined(settings_at("", **staging(server.url, environment="docker")))
    assert healths(found) == {}
    assert "no_proxy names it" in found["proxy"].facts


@pytest.mark.parametrize("value", ["http://", "http://jane:opens-it@", "127.0.0.1:port", "socks5://127.0.0.1:1080"])
def test_a_variable_that_names_no_proxy(monkeypatch: pytest.MonkeyPatch, value: str) -> None:
    monkeypatch.setenv("https_proxy", value)
    found = examined(settings_at("", **staging("https://node.example.com")))
    assert healths(found) == {"proxy": "wrong"}
    assert isinstance(found["proxy"].error, ConfigError)
    assert "opens-it" not in repr(found)
