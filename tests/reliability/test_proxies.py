"""Proxies, through a real one: every spelling of every variable, and every way in which a proxy can fail."""

from __future__ import annotations

import base64
import contextlib
import logging
import os
import re
import select
import socket
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from sectigo_iot import (
    APIError,
    ConfigError,
    DeadlineError,
    ForbiddenHostError,
    IoTManager,
    MemoryTokenStore,
    OutcomeUnknownError,
    SectigoError,
    Settings,
    UnreachableError,
)
from sectigo_iot.calls import Call
from sectigo_iot.emulator import Emulator
from sectigo_iot.failures import pause
from sectigo_iot.proxies import proxy_for
from tests.conftest import Runner
from tests.reliability.figures import FULL, figure, share
from tests.reliability.names import ask_no_name_server
from tests.reliability.tinyproxy import Tinyproxy, tinyproxy
from tests.reliability.witnesses import CHUNK, Listener, Relay, Witness, secured
from tests.unit.lying_server import PARAMS, closed_port

needs_tinyproxy = pytest.mark.needs("tinyproxy")
SECRET = "word-of-the-proxy"
PASSWORD = SECRET.replace("-", "_")
"""The same, as tinyproxy's configuration takes it."""
LOGIN = "operator"
TIMEOUT = 0.5
COUNTED = {"spellings": 0, "exceptions": 0}
FAILED: dict[str, list[str]] = {"the proxy's name": [], "the variable's name": [], "the batch's name": []}
"""What was told of each failure, by what it holds; each without the proxy's password."""


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    """Note what all tests of this module have tried, where they all have."""
    yield
    if all(COUNTED.values()) and all(FAILED.values()):
        counts = ", ".join(f"{len(told)} with {name}" for name, told in FAILED.items())
        shown = [form for several in FAILED.values() for text in several for form in shown_in(text)]
        figure(
            "proxies",
            f"{COUNTED['spellings']} spellings through tinyproxy, {COUNTED['exceptions']} of NO_PROXY; "
            f"failures told: {counts}, {len(shown)} with the proxy's password",
        )


def noted(told: str, holds: str, name: str) -> None:
    """Fail unless this is told of a failure, and the proxy's password is not."""
    assert name in told
    assert not shown_in(told), told
    FAILED[holds].append(told)


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let what is tried again be tried at once, unless time is given to all of it."""

    def at_once(call: Call, error: SectigoError, attempt: int) -> float | None:
        wait = pause(call, error, attempt)
        return wait if wait is None or FULL else 0.0

    monkeypatch.setattr("sectigo_iot.transport.pause", at_once)


class Bed(NamedTuple):
    """An emulator, over http and behind TLS, and what its TLS is trusted by."""

    service: Emulator
    http: str
    https: str
    ca_file: str
    relay: Relay

    def url(self, scheme: str) -> str:
        return self.https if scheme == "https" else self.http

    def settings(self, scheme: str, **changes: Any) -> Settings:
        values = {"endpoint": self.url(scheme), "ca_file": self.ca_file, "token_store": MemoryTokenStore()}
        more = {"environment": "staging", "environ": {}, "timeout": 10.0}
        return Settings(self.service.username, self.service.password, **{**values, **more, **changes})

    def environ(self, scheme: str) -> dict[str, str]:
        named = {"SECTIGO_ENDPOINT": self.url(scheme), "SECTIGO_ENVIRONMENT": "staging"}
        return {**self.service.environ, **named, "SECTIGO_CA_FILE": self.ca_file, "SECTIGO_TIMEOUT": "5"}

    @property
    def orders(self) -> int:
        return int(self.service.control.orders()["count"])


@pytest.fixture(scope="module")
def bed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Bed]:
    with Emulator(balances={423: 1000}) as service, secured(port_of(service.url)) as (relay, root):
        ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
        ca_file.write_bytes(root)
        yield Bed(service, service.url, relay.at("localhost"), str(ca_file), relay)


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tinyproxy]:
    with tinyproxy(tmp_path_factory.mktemp("tinyproxy")) as running:
        yield running


@pytest.fixture(scope="module")
def locked_proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tinyproxy]:
    """A proxy that wants a user name and a password."""
    with tinyproxy(tmp_path_factory.mktemp("locked"), f"BasicAuth {LOGIN} {PASSWORD}") as running:
        yield running


def port_of(url: str) -> int:
    return urlsplit(url).port or 0


def logged_in(bed: Bed, scheme: str, **changes: Any) -> None:
    with IoTManager(bed.settings(scheme, **changes)) as client:
        client.authenticate()


def asked(bed: Bed, scheme: str) -> str:
    """What a proxy is asked for where a log-in goes through it."""
    return f"CONNECT {urlsplit(bed.https).netloc}" if scheme == "https" else f"POST {bed.http}/auth/pwd"


@contextlib.contextmanager
def variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set these, while nothing else says anything about proxies."""
    before = dict(os.environ)
    os.environ.update(values)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


FORMS = ("{}", "http://{}", "http://{}/", "HTTP://{}", " {} ")


@needs_tinyproxy
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_is_used_however_it_is_spelt(bed: Bed, proxy: Tinyproxy, scheme: str) -> None:
    names = (f"{scheme}_proxy", f"{scheme}_proxy".upper(), "all_proxy", "ALL_PROXY")
    for name in names:
        for form in FORMS[:: share(1, 2)]:
            before = proxy.requests
            with variables({name: form.format(proxy.host)}):
                logged_in(bed, scheme)
            assert proxy.requests[len(before) :] == [asked(bed, scheme)], (name, form)
            COUNTED["spellings"] += 1


def test_what_is_more_specific_is_heard(bed: Bed) -> None:
    with Witness(b"") as dead:
        wrong = dead.at("127.0.0.1")
        with variables({"http_proxy": "127.0.0.1:1", "HTTP_PROXY": wrong, "ALL_PROXY": wrong}):
            found = proxy_for(bed.http)
            assert found is not None
            assert (found.host, found.variable) == ("127.0.0.1:1", "http_proxy")
        with variables({"HTTPS_PROXY": "127.0.0.1:1", "http_proxy": wrong, "ALL_PROXY": wrong}):
            found = proxy_for(bed.https)
            assert found is not None
            assert (found.host, found.variable) == ("127.0.0.1:1", "HTTPS_PROXY")
        with variables({"http_proxy": wrong}):
            assert proxy_for(bed.https) is None
        with variables({"http_proxy": "", "HTTP_PROXY": ""}):
            assert proxy_for(bed.http) is None
        assert dead.connections == 0


EXCEPTIONS = {
    "the host": ("{host}", True),
    "everything": ("*", True),
    "among others": ("example.com, {host} ,example.org", True),
    "a network": ("127.0.0.0/8,localhost", True),
    "another host": ("example.com", False),
    "another network": ("10.0.0.0/8", False),
    "nothing": ("", False),
    "nonsense": (",,/,1/2/3, 127.0.0.1/abc", False),
}


@needs_tinyproxy
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_names_hosts_that_need_none(bed: Bed, proxy: Tinyproxy, variable: str, scheme: str) -> None:
    for what, (value, direct) in EXCEPTIONS.items():
        before = proxy.requests
        with variables(
            {f"{scheme}_proxy": proxy.host, variable: value.format(host=urlsplit(bed.url(scheme)).hostname)}
        ):
            logged_in(bed, scheme)
        assert proxy.requests[len(before) :] == ([] if direct else [asked(bed, scheme)]), what
        COUNTED["exceptions"] += 1


NAMES = {
    "iot.example.com": True,
    "example.com": True,
    ".example.com": True,
    "EXAMPLE.com": True,
    "iot.example.com:8443": True,
    "iot.example.com:443": False,
    "ample.com": False,
    "example.org": False,
}


@pytest.mark.parametrize("variable", ["no_proxy", "NO_PROXY"])
def test_no_proxy_knows_domains_and_ports(variable: str) -> None:
    for value, direct in NAMES.items():
        with variables({"HTTPS_PROXY": "127.0.0.1:3128", variable: value}):
            assert (proxy_for("https://iot.example.com:8443") is None) is direct, value
            COUNTED["exceptions"] += 1


@needs_tinyproxy
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_with_a_password(
    bed: Bed, locked_proxy: Tinyproxy, scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with variables({f"{scheme}_proxy": f"{LOGIN}:{PASSWORD}@{locked_proxy.host}"}):
        logged_in(bed, scheme)
        assert PASSWORD not in repr(proxy_for(bed.url(scheme)))
    assert asked(bed, scheme) in locked_proxy.requests
    assert b"Proxy-Authorization" not in bed.relay.heard
    assert not shown_in(caplog.text)


def shown_in(text: str) -> list[str]:
    """Return in which forms the proxy's password stands there."""
    forms = (
        SECRET,
        PASSWORD,
        *(base64.b64encode(f"{LOGIN}:{each}".encode()).decode() for each in (SECRET, PASSWORD)),
    )
    return [form for form in forms if form in text]


@needs_tinyproxy
def test_a_proxy_that_lets_nobody_in_without_a_password(bed: Bed, locked_proxy: Tinyproxy, sectigo: Runner) -> None:
    for login in ("", f"{LOGIN}:wrong_{PASSWORD}@", f"{PASSWORD}:{LOGIN}@"):
        env = {**bed.environ("https"), "HTTPS_PROXY": f"http://{login}{locked_proxy.host}"}
        done = sectigo("--verbose", "licenses", env=env)
        error = error_of(done.err)
        assert (done.code, done.out) == (1, "")
        status = "401" if login else "407"
        assert f"the proxy {locked_proxy.host} of HTTPS_PROXY refuses to connect to" in error
        assert f"status {status}" in error
        hint = "are those in HTTPS_PROXY right?" if login else "or http://user:password@127.0.0.1:3128"
        assert "wants a user name and a password" in done.err
        assert hint in done.err
        noted(done.err, "the proxy's name", locked_proxy.host)


def test_a_log_in_that_a_proxy_demands_of_a_plain_request(bed: Bed) -> None:
    refusal = b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
    with Witness(refusal) as proxy, variables({"HTTP_PROXY": f"{LOGIN}:{SECRET}@{proxy.at('127.0.0.1')[7:]}"}):
        with pytest.raises(APIError, match="407") as caught:
            logged_in(bed, "http")
        assert base64.b64encode(f"{LOGIN}:{SECRET}".encode()) in proxy.heard
    assert "are those in HTTP_PROXY right?" in str(caught.value.hint)
    noted(told(caught.value), "the proxy's name", proxy.at("127.0.0.1")[7:])


def error_of(text: str) -> str:
    """Return the one line that tells an error."""
    lines = [line for line in text.splitlines() if line.startswith("sectigo: error: ")]
    assert len(lines) == 1, text
    assert "Traceback" not in text
    return lines[0]


def told(error: SectigoError) -> str:
    return f"{error!r} {error} {error.hint}"


# Proxies that fail


class DyingProxy(Listener):
    """Connects to whatever is asked for, and dies as soon as `is_over` says so, keeping the answer back."""

    def __init__(self, is_over: Callable[[], bool]) -> None:
        self._is_over = is_over
        super().__init__()

    def serve(self, connection: Any) -> None:
        head = connection.recv(CHUNK)
        method, target, _ = head.split(b" ", 2)
        plain = method != b"CONNECT"
        port = urlsplit(target.decode()).port if plain else int(target.rpartition(b":")[2])
        service = socket.create_connection(("127.0.0.1", port or 0))
        if plain:
            service.sendall(head.replace(target, urlsplit(target).path, 1))
        else:
            connection.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
        self._pass_on(connection, service)

    def _pass_on(self, client: Any, service: Any) -> None:
        with service:
            while True:
                for source in select.select([client, service], [], [])[0]:
                    data = source.recv(CHUNK)
                    if not data or self._is_over():
                        return
                    (service if source is client else client).sendall(data)


def order(bed: Bed, scheme: str, values: Mapping[str, str], **changes: Any) -> SectigoError:
    """Log in past the proxy, order through it, and return what is raised."""
    with IoTManager(bed.settings(scheme, **changes)) as client:
        client.authenticate()
        with variables(values), pytest.raises(SectigoError) as caught:
            client.create_single_cert_batch(423, "first", PARAMS)
    return caught.value


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_order_whose_proxy_dies_is_unknown(bed: Bed, scheme: str) -> None:
    before = bed.orders
    with DyingProxy(lambda: bed.orders > before) as proxy:
        error = order(bed, scheme, {f"{scheme}_proxy": with_login(proxy)})
    assert isinstance(error, OutcomeUnknownError)
    assert error.batch_name == "first"
    assert bed.orders == before + 1
    noted(told(error), "the proxy's name", f"through the proxy 127.0.0.1:{proxy.port} of {scheme}_proxy")


def with_login(proxy: Listener) -> str:
    """Return what a variable says that names this proxy and the log-in there."""
    return f"http://{LOGIN}:{SECRET}@127.0.0.1:{proxy.port}"


def status(number: int) -> bytes:
    return b"HTTP/1.1 %d Word\r\nContent-Length: 0\r\n\r\n" % number


REFUSED = "refuses to connect to"
BROKEN = {
    "403": (status(403), REFUSED),
    "407": (status(407), REFUSED),
    "500": (status(500), REFUSED),
    "502": (status(502), REFUSED),
    "503": (status(503), REFUSED),
    "garbage": (b"\x1b[31mnonsense\r\n\r\n", "sends no usable HTTP answer"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n", "sends no usable HTTP answer"),
    "an endless line": (b"HTTP/1.1 200 " + b"x" * 200_000, "sends no usable HTTP answer"),
    "a tunnel to nowhere": (b"HTTP/1.1 200 OK\r\n\r\n", "no TLS is agreed"),
}


@pytest.mark.parametrize(("reply", "what"), BROKEN.values(), ids=BROKEN)
def test_an_order_that_a_proxy_does_not_let_through_is_certain_not_to_exist(
    bed: Bed, reply: bytes, what: str
) -> None:
    before = bed.orders
    with Witness(reply) as proxy:
        error = order(bed, "https", {"HTTPS_PROXY": with_login(proxy)}, timeout=3.0)
        heard = proxy.heard
    assert isinstance(error, UnreachableError), error
    assert what in error.message
    assert len(error.message) < 300
    assert "\x1b" not in told(error)
    assert b"Bearer" not in heard
    assert bed.orders == before
    noted(told(error), "the proxy's name", f"the proxy 127.0.0.1:{proxy.port} of HTTPS_PROXY")


@pytest.mark.parametrize("number", [500, 502, 503, 504])
def test_an_order_that_a_proxy_may_have_answered_itself_is_unknown(bed: Bed, number: int) -> None:
    with Witness(status(number)) as proxy:
        error = order(bed, "http", {"HTTP_PROXY": with_login(proxy)})
    assert isinstance(error, OutcomeUnknownError)
    assert error.batch_name == "first"
    noted(told(error), "the batch's name", "'first'")


NOWHERE = {
    "nobody listens": (lambda: f"127.0.0.1:{closed_port()}", "Connection refused"),
    "no such host": (lambda: "proxy.test:3128", "Name or service not known"),
}


@pytest.mark.parametrize(("address", "reason"), NOWHERE.values(), ids=NOWHERE)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_is_not_there_is_named(
    bed: Bed,
    scheme: str,
    address: Callable[[], str],
    reason: str,
    sectigo: Runner,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    ask_no_name_server(monkeypatch)
    before, host = bed.orders, address()
    variable = f"{scheme}_proxy".upper()
    error = order(bed, scheme, {variable: f"http://{LOGIN}:{SECRET}@{host}"})
    assert isinstance(error, UnreachableError)
    assert error.message.startswith(f"the proxy {host} of {variable} cannot be reached: ")
    assert re.search(reason, error.message)
    done = sectigo("--verbose", "licenses", env={**bed.environ(scheme), variable: f"{LOGIN}:{SECRET}@{host}"})
    assert (done.code, done.out) == (1, "")
    assert error_of(done.err).startswith(f"sectigo: error: the proxy {host} of {variable} cannot be reached: ")
    assert f"is {variable} right, and does the proxy run?" in done.err
    assert bed.orders == before
    for text in (told(error), done.err):
        noted(text, "the proxy's name", f"the proxy {host} of {variable}")


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_a_proxy_that_hangs_is_waited_for_no_longer_than_any_server(bed: Bed, scheme: str) -> None:
    with Witness(b"") as proxy:
        began = time.monotonic()
        with (
            variables({f"{scheme}_proxy": f"{LOGIN}:{SECRET}@127.0.0.1:{proxy.port}"}),
            pytest.raises((DeadlineError, UnreachableError)) as caught,
        ):
            logged_in(bed, scheme, timeout=TIMEOUT)
        took = time.monotonic() - began
    assert took < TIMEOUT + 1
    noted(told(caught.value), "the proxy's name", f"through the proxy 127.0.0.1:{proxy.port} of {scheme}_proxy")


def test_a_proxy_that_looks_into_tls_is_not_trusted(bed: Bed) -> None:
    with secured(port_of(bed.http)) as (inspecting, _), DyingProxy(lambda: False) as proxy:
        url = inspecting.at("localhost")
        with (
            variables({"HTTPS_PROXY": proxy.at("127.0.0.1")}),
            pytest.raises(UnreachableError, match="is not trusted") as caught,
        ):
            logged_in(bed, "https", endpoint=url)
        assert inspecting.heard == b""
    assert f"(through the proxy 127.0.0.1:{proxy.port} of HTTPS_PROXY)" in caught.value.message


# What a proxy does not change


def test_what_the_environment_forbids_stays_forbidden(bed: Bed) -> None:
    with Witness(b"") as proxy, variables({"ALL_PROXY": proxy.at("127.0.0.1")}):
        for environment, url in (
            ("production", bed.https),
            ("testing", "http://192.0.2.1"),
            ("staging", "https://iot.sectigo.com"),
        ):
            with pytest.raises(ForbiddenHostError):
                logged_in(bed, "https", endpoint=url, environment=environment)
        assert proxy.connections == 0


def test_the_testing_environment_uses_no_proxy(bed: Bed) -> None:
    with Witness(b"") as proxy, variables({"HTTP_PROXY": proxy.at("127.0.0.1"), "http_proxy": "nonsense://"}):
        logged_in(bed, "http", environment="testing")
        assert proxy.connections == 0


def test_under_cgi_the_variable_that_a_client_can_set_is_not_heard(bed: Bed) -> None:
    # A web server hands a request's header `Proxy:` on as HTTP_PROXY.
    with Witness(b"") as proxy, variables({"REQUEST_METHOD": "GET", "HTTP_PROXY": proxy.at("127.0.0.1")}):
        logged_in(bed, "http")
        assert proxy.connections == 0
        os.environ["http_proxy"] = "127.0.0.1:1"
        found = proxy_for(bed.http)
        assert found is not None
        assert found.variable == "http_proxy"


@needs_tinyproxy
def test_an_order_goes_through_a_proxy_once(bed: Bed, proxy: Tinyproxy, sectigo: Runner, tmp_path: Path) -> None:
    before, heard = bed.orders, proxy.requests
    env = {**bed.environ("https"), "ALL_PROXY": proxy.host, "SECTIGO_PROFILE": "CipherTrace EE"}
    done = sectigo(
        "--verbose", "create", "-d", "example.com", "-p", "Very-Secret-12", "--download", str(tmp_path), env=env
    )
    assert done.code == 0, done
    assert bed.orders == before + 1
    assert len(list(tmp_path.glob("*.zip"))) == 1
    assert set(proxy.requests[len(heard) :]) == {asked(bed, "https")}


NONSENSE = (
    "http://",
    "://",
    ":::",
    "http://{}@",
    "http://{}@127.0.0.1:99999",
    "http://{}@127.0.0.1:abc",
    "http://{}@127.0.0.1:0",
    "http://{}@[::1",
    "{}@127.0.0.1:31 28",
    "http://{}@a b",
    "http://{}@pro\nxy:3128",
    "http://{}@" + "x" * 300,
    "http://{}@a..b",
    "http://{}@\udcff",
    "http://{}\u20ac@127.0.0.1:3128",
    "http://{}%E2%82%AC@127.0.0.1:3128",
    "http://{}#1@127.0.0.1:3128",
    "http://{}/1@127.0.0.1:3128",
    "socks5://{}@127.0.0.1:1080",
    "socks5h://{}@127.0.0.1:1080",
    "ftp://{}@127.0.0.1:21",
    "file:///etc/passwd",
)
COMMANDS = (
    ("licenses",),
    ("auth",),
    ("authorities",),
    ("create", "-d", "example.com", "-p", "Very-Secret-12"),
    ("revoke", "-p", "17", "-s", "AB"),
    ("find", "-n", "example.com"),
)


@pytest.mark.parametrize("command", COMMANDS[: share(len(COMMANDS), 4)], ids=lambda words: str(words[0]))
def test_a_variable_that_names_no_proxy_is_a_wrong_setting(
    bed: Bed, command: tuple[str, ...], sectigo: Runner
) -> None:
    before = len(bed.service.control.journal())
    for value in NONSENSE:
        written = value.format(f"{LOGIN}:{SECRET}")
        done = sectigo("--verbose", *command, env={**bed.environ("http"), "HTTP_PROXY": written})
        assert (done.code, done.out) == (2, ""), (value, done)
        assert error_of(done.err).startswith("sectigo: error: HTTP_PROXY"), value
        assert len(done.err.splitlines()) <= 3
        noted(done.err, "the variable's name", "HTTP_PROXY")
    assert len(bed.service.control.journal()) == before
    with variables({"HTTP_PROXY": NONSENSE[0]}), pytest.raises(ConfigError) as caught:
        logged_in(bed, "http")
    assert caught.value.setting == "HTTP_PROXY"
