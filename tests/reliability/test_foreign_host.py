"""Tokens, passwords and orders go to nobody else: another server's own log is the witness, and it stays empty."""

from __future__ import annotations

import contextlib
import itertools
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_iot import (
    CredentialsMismatchError,
    FileTokenStore,
    InvalidInputError,
    IoTManager,
    MemoryTokenStore,
    SectigoError,
    Settings,
    TokenPair,
    TransportError,
)
from sectigo_iot.emulator.ca.authority import create_authority
from sectigo_iot.emulator.net.tls import identity
from sectigo_iot.revocation import check_crl, check_ocsp
from tests.commands.signing_requests import request
from tests.conftest import Runner, skip_without_ipv6
from tests.reliability.figures import figure, share
from tests.reliability.names import ask_no_name_server
from tests.reliability.witnesses import Relay, Witness, authority
from tests.unit.lying_server import (
    PARAMS,
    PASSWORD,
    USERNAME,
    LyingServer,
    Seen,
    answer,
    json_answer,
    settings_at,
    token,
    tokens,
)

HEARD = answer(401, "{}")
COUNTED = {"redirects": 0, "near": 0, "endpoints": 0, "caches": 0}
"""What was tried."""
REACHED = {"foreign": 0, "near": 0}
"""What came of it: bytes that reached a foreign server, and requests that reached another path of the own one."""

# How a redirect may name another server: {bad} is its port, {good} that of the service.
NAMES = (
    "http://localhost:{bad}/x",
    "http://127.0.0.1:{bad}/x",
    "HTTP://LOCALHOST:{bad}/x",
    "//localhost:{bad}/x",
    "//127.0.0.1:{bad}",
    "///127.0.0.1:{bad}/x",
    "http:///127.0.0.1:{bad}/x",
    "http:127.0.0.1:{bad}/x",
    "http:/127.0.0.1:{bad}/x",
    "http://127.0.0.1:{good}@127.0.0.1:{bad}/x",
    "http://127.0.0.1:{good}@localhost:{bad}",
    "http://localhost:{bad}\\@127.0.0.1:{good}/x",
    "http://127.0.0.1:{good}\\@localhost:{bad}/x",
    "http:\\\\127.0.0.1:{bad}\\x",
    "\\\\127.0.0.1:{bad}/x",
    "/\\127.0.0.1:{bad}/x",
    "http://localhost:{bad}#@127.0.0.1:{good}/x",
    "http://localhost:{bad}?@127.0.0.1:{good}/x",
    "http://localhost:{bad};@127.0.0.1:{good}/x",
    "http://localhost.:{bad}/x",
    "http://2130706433:{bad}/x",
    "http://127.1:{bad}/x",
    "http://0x7f000001:{bad}/x",
    "http://0177.0.0.1:{bad}/x",
    "http://[::ffff:127.0.0.1]:{bad}/x",
    "http://127.0.0.1:0{bad}/x",
    "http://127.0.0.1 :{bad}/x",
    "ht\ttp://localhost:{bad}/x",
    " http://localhost:{bad}/x",
    "http://\xef\xbc\x91\xef\xbc\x92\xef\xbc\x97.0.0.1:{bad}/x",
    "http://127\xe3\x80\x820\xe3\x80\x820\xe3\x80\x821:{bad}/x",
    "http://\xe9.test:{bad}/x",
    "http://%6cocalhost:{bad}/x",
    "https://127.0.0.1:{bad}/x",
    "//[",
    "file:///etc/passwd",
    "data:text/plain,x",
    "",
)
STATUSES = (301, 302, 303, 307, 308, 300, 305)

CALLS: dict[str, Callable[[IoTManager], object]] = {
    "authenticate": lambda client: client.authenticate(),
    "refresh": lambda client: client.refresh(),
    "devices": lambda client: client.licenses_used(),
    "findCertificate": lambda client: client.find_certificate("example.com"),
    "createSingleCertBatch": lambda client: client.create_single_cert_batch(1, "first", PARAMS),
    "upload": lambda client: client.upload_csr_batch(1, "requests.csr", request("example.com")),
    "revokeCertificate": lambda client: client.revoke_certificate(17, "superseded", "AB"),
    "download": lambda client: client.download_bytes(24),
    "raw": lambda client: client.raw("/api/v1/generators", method="POST", json={"secret": PASSWORD}),
}


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be tried again, as a redirect never is, and ask nobody for a name."""
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)
    ask_no_name_server(monkeypatch)


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    """Note what all tests of this module have seen."""
    yield
    if all(COUNTED.values()):
        figure(
            "foreign-host",
            f"{COUNTED['redirects']} redirects, {COUNTED['endpoints']} endpoints that look like another, "
            f"{COUNTED['caches']} caches of others: the foreign server heard {REACHED['foreign']} bytes",
        )
        figure(
            "foreign-host",
            f"{COUNTED['near']} redirects of log-ins, orders and revocations on the service's own host: "
            f"{REACHED['near']} followed",
        )


class Pointing:
    """Answers everything with a redirect, which changes."""

    status = 307
    location = ""

    def __call__(self, seen: Seen) -> bytes:
        return redirect(self.status, self.location)


def redirect(status: int, location: str) -> bytes:
    return f"HTTP/1.1 {status} Word\r\nContent-Length: 0\r\nLocation: {location}\r\n\r\n".encode("latin-1")


def store_with(endpoint: str) -> MemoryTokenStore:
    """Return a store with a session that may be used, and refreshed."""
    store = MemoryTokenStore()
    store.save(endpoint, USERNAME, TokenPair(token(n="kept"), token(7200, jti="kept"), time.time()))
    return store


def refused(settings: Settings, call: Callable[[IoTManager], object]) -> SectigoError:
    with IoTManager(settings) as client, pytest.raises(SectigoError) as caught:
        call(client)
    said = f"{caught.value!r} {caught.value} {caught.value.hint}"
    assert PASSWORD not in said
    assert "eyJ" not in said
    return caught.value


@pytest.mark.parametrize("call", CALLS)
def test_no_redirect_leads_away(call: str) -> None:
    lots = list(itertools.product(NAMES, STATUSES))
    shift, step = list(CALLS).index(call), share(1, 8)
    away = Pointing()
    with Witness(HEARD) as foreign, LyingServer(away, login=away, refresh=away) as server:
        good = urlsplit(server.url).port
        for name, away.status in lots[shift % step :: step]:
            away.location, before = name.format(bad=foreign.port, good=good), len(server.seen)
            refused(settings_at(server.url, token_store=store_with(server.url)), CALLS[call])
            assert len(server.seen) > before
            assert foreign.connections == 0, (away.location, away.status)
            COUNTED["redirects"] += 1
        hears_nothing(foreign)


def hears_nothing(*witnesses: Witness) -> None:
    heard = b"".join(witness.heard for witness in witnesses)
    assert heard == b""
    REACHED["foreign"] += len(heard)


NEAR = ("/moved", "moved", "?moved", "//{host}/moved", "{url}", "./moved")
WRITES = [name for name in CALLS if name not in ("devices", "findCertificate", "download")]


@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("call", WRITES)
def test_what_changes_something_is_not_sent_elsewhere_on_the_same_host(call: str, status: int) -> None:
    away = Pointing()
    away.status = status
    with LyingServer(away, login=away, refresh=away) as server:
        for name in NEAR[:: share(1, 3)]:
            away.location = name.format(host=server.host, url=f"{server.url}/moved")
            server.seen.clear()
            refused(settings_at(server.url, token_store=store_with(server.url)), CALLS[call])
            followed = [seen for seen in server.seen if "moved" in seen.path]
            assert (len(server.seen), followed) == (1, []), away.location
            COUNTED["near"] += 1
            REACHED["near"] += len(followed)


def test_where_others_follow_the_witness_hears_it() -> None:
    """The names lead to the foreign server: a client that follows every redirect ends up there, its body with it."""
    followed, away = 0, Pointing()
    with Witness(HEARD) as foreign, LyingServer(away) as server:
        good = urlsplit(server.url).port
        for name in NAMES:
            if "::ffff:" in name:
                # The tests' own guard of sockets does not know it for this machine.
                continue
            away.location, before = name.format(bad=foreign.port, good=good), foreign.connections
            with contextlib.suppress(requests.RequestException, ValueError):
                requests.post(server.url, data=PASSWORD, timeout=5)
            followed += foreign.connections > before
        assert followed > 10
        assert foreign.hears(PASSWORD.encode())


def test_no_redirect_leads_to_another_family_of_addresses() -> None:
    skip_without_ipv6()
    with Witness(HEARD, "::1") as foreign:
        away = redirect(307, f"{foreign.at('::1')}/x")
        with LyingServer(away, login=away, refresh=away) as server:
            for call in CALLS.values():
                refused(settings_at(server.url, token_store=store_with(server.url)), call)
                COUNTED["redirects"] += 1
        assert foreign.connections == 0
        hears_nothing(foreign)


def test_no_redirect_leads_out_of_tls(tmp_path: Path) -> None:
    """From https to http of the same host, and to others with a certificate that is as good as the service's."""
    ca = authority()
    (tmp_path / "ca.pem").write_bytes(ca.root)
    away = Pointing()
    with (
        Witness(HEARD) as plain,
        Witness(HEARD, context=ca.context) as secured,
        LyingServer(away, login=away, refresh=away) as server,
        Relay(urlsplit(server.url).port or 0, context=ca.context) as relay,
    ):
        endpoint, ca_file = relay.at("localhost"), str(tmp_path / "ca.pem")
        for away.location, away.status in itertools.product(places(plain, secured, relay), STATUSES[: share(7, 2)]):
            for call in list(CALLS.values())[: share(len(CALLS), 5)]:
                refused(settings_at(endpoint, ca_file=ca_file, token_store=store_with(endpoint)), call)
                COUNTED["redirects"] += 1
        assert server.seen
        assert plain.connections == secured.connections == 0
        hears_nothing(plain, secured)


def places(plain: Witness, secured: Witness, relay: Relay) -> list[str]:
    return [
        *(f"http://{name}:{plain.port}/x" for name in ("localhost", "127.0.0.1")),
        *(f"https://{name}:{secured.port}/x" for name in ("localhost", "127.0.0.1")),
        f"//127.0.0.1:{secured.port}/x",
        f"https://localhost:{relay.port}@127.0.0.1:{secured.port}/x",
        f"https://127.0.0.1:{secured.port}\\@localhost:{relay.port}/x",
    ]


def test_a_log_in_with_a_certificate_goes_to_its_own_host(tmp_path: Path) -> None:
    """Only by https, and to the host of the endpoint; the foreign one has a certificate that would be trusted."""
    ca, away = authority(), Pointing()
    (tmp_path / "ca.pem").write_bytes(ca.root)
    (tmp_path / "client.pem").write_bytes(client_certificate())
    (tmp_path / "client.pem").chmod(0o600)
    with (
        Witness(HEARD) as plain,
        Witness(HEARD, context=ca.context) as secured,
        LyingServer(HEARD, login=away) as server,
        Relay(urlsplit(server.url).port or 0, context=ca.context) as relay,
    ):
        values = {"ca_file": str(tmp_path / "ca.pem"), "client_cert": str(tmp_path / "client.pem")}
        settings = settings_at(relay.at("127.0.0.1"), environment="staging", **values)
        for name in NAMES:
            for form in {name, name.replace("http:", "https:", 1)}:
                port = secured.port if form.startswith("https:") or form[:2] == "//" else plain.port
                away.location = form.format(bad=port, good=relay.port)
                if is_own_host(away.location):
                    continue
                refused(settings, CALLS["authenticate"])
                assert plain.heard == secured.heard == b"", away.location
                COUNTED["redirects"] += 1
        hears_nothing(plain, secured)
        # The witness would be heard: the host of the endpoint may be at another port.
        away.location = f"https://127.0.0.1:{secured.port}/auth/cert"
        refused(settings, CALLS["authenticate"])
        assert secured.hears(PASSWORD.encode())


def is_own_host(location: str) -> bool:
    try:
        parts = urlsplit(f"https:{location}" if location.startswith("//") else location)
        return parts.scheme == "https" and parts.hostname == "127.0.0.1" and "@" not in location
    except ValueError:
        return False


def client_certificate() -> bytes:
    certificate, key = identity(create_authority("p256", "http://127.0.0.1:1", time.time), ["client.example.com"])
    return key + certificate


# Endpoints that look like another

ENDPOINTS = (
    "https://iot.sectigo.com@127.0.0.1:{bad}",
    "https://iot.sectigo.com:443@127.0.0.1:{bad}",
    "https://iot.sectigo.com\\@127.0.0.1:{bad}",
    "https://127.0.0.1:{bad}\\@iot.sectigo.com",
    "https://127.0.0.1:{bad}#@iot.sectigo.com",
    "https://127.0.0.1:{bad}?@iot.sectigo.com",
    "https://127.0.0.1:{bad}/iot.sectigo.com",
    "https://127.0.0.1:{bad}",
    "http://127.0.0.1:{bad}",
    "https://iot.sectigo.com.localhost:{bad}",
    "https://iot\u3002sectigo\u3002com:{bad}",
    "https://\uff49ot.sectigo.com:{bad}",
    "https://iot.sectigo.com%40127.0.0.1:{bad}",
    "https://iot.sectigo.com,127.0.0.1:{bad}",
    "https://iot.sectigo.com\t@127.0.0.1:{bad}",
    "https:127.0.0.1:{bad}",
    "//127.0.0.1:{bad}",
)


@pytest.mark.parametrize("environment", ["production", "staging"])
def test_no_endpoint_passes_for_another(environment: str, sectigo: Runner) -> None:
    looks = ENDPOINTS if environment == "production" else tuple(each for each in ENDPOINTS if "sectigo" in each)
    with Witness(HEARD, context=authority().context) as foreign:
        for look in looks:
            endpoint = look.format(bad=foreign.port)
            if environment == "staging" and urlsplit(endpoint).hostname == "127.0.0.1" and "@" not in endpoint:
                continue
            settings = settings_at(endpoint, environment=environment, token_store=MemoryTokenStore())
            with pytest.raises(SectigoError):
                IoTManager(settings).authenticate()
            env = {"SECTIGO_ENDPOINT": endpoint, "SECTIGO_ENVIRONMENT": environment}
            done = sectigo("-u", USERNAME, "-p", PASSWORD, "licenses", env=env)
            assert done.code in (1, 2), (look, done)
            assert PASSWORD not in done.out + done.err
            COUNTED["endpoints"] += 1
        hears_nothing(foreign)


@pytest.mark.parametrize(
    "path", ["//{host}/x", "/\\{host}/x", "http://{host}/x", "/../..//{host}", "@{host}/", "{host}"]
)
def test_no_path_of_a_raw_call_leads_away(path: str) -> None:
    with Witness(HEARD) as foreign, LyingServer(json_answer({})) as server:
        settings = settings_at(server.url, token_store=store_with(server.url))
        with IoTManager(settings) as client, contextlib.suppress(InvalidInputError, TransportError):
            client.raw(path.format(host=f"127.0.0.1:{foreign.port}"), method="POST", data=PASSWORD.encode())
        assert foreign.connections == 0
        hears_nothing(foreign)
        COUNTED["endpoints"] += 1


# Caches of another


def cached(endpoint: str, username: str = USERNAME, password: str | None = PASSWORD) -> Settings:
    """Return settings with the cache on disk."""
    return Settings(username, password, endpoint=endpoint, environment="testing", environ={})


def secrets_in(server: LyingServer) -> set[str]:
    """Return the tokens that reached a server."""
    headers = [seen.headers.get("authorization", "") for seen in server.seen]
    return {word for text in (*headers, *(seen.body.decode() for seen in server.refreshes)) for word in text.split()}


def test_a_session_belongs_to_its_endpoint_and_user(home: Path) -> None:
    given: dict[str, str] = {}

    def log_in(seen: Seen) -> bytes:
        pair = tokens()
        given[pair["accessToken"]] = (
            f"{seen.headers['host']} {seen.path.removesuffix('/auth/pwd')} {seen.document['username']}"
        )
        return json_answer(pair)

    licences = json_answer({"issued": 1, "ordered": 2})
    with LyingServer(licences, login=log_in) as one, LyingServer(licences, login=log_in) as other:
        port = urlsplit(one.url).port
        spellings = [
            *(
                f"http://{host}:{port}{path}"
                for host in ("127.0.0.1", "localhost")
                for path in ("", "/a", "/A", "/a/b", "/a%2Fb")
            ),
            other.url,
            f"{other.url}/a",
        ]
        for endpoint, username in itertools.product(spellings, (USERNAME, "eve", USERNAME.upper())):
            before = len(one.logins) + len(other.logins)
            for _ in range(2):
                with IoTManager(cached(endpoint, username)) as client:
                    client.licenses_used()
            assert len(one.logins) + len(other.logins) == before + 1, (endpoint, username)
            COUNTED["caches"] += 1
        # With a dot at its end it is another endpoint.
        assert FileTokenStore().load(f"http://localhost.:{port}", USERNAME) is None
        assert FileTokenStore().load(f"http://localhost:{port}", USERNAME) is not None
        for server in (one, other):
            for seen in server.calls:
                sent = seen.headers["authorization"].removeprefix("Bearer ")
                host, path, _ = given[sent].split(" ")
                assert (seen.headers["host"], seen.path.partition("/api/")[0]) == (host, path)


def test_nobody_gets_a_session_without_a_password(home: Path) -> None:
    with LyingServer(json_answer({"issued": 1})) as one, LyingServer(json_answer({"issued": 1})) as other:
        with IoTManager(cached(one.url)) as client:
            client.licenses_used()
        with IoTManager(cached(one.url, "eve", None)) as client, pytest.raises(CredentialsMismatchError):
            client.licenses_used()
        with IoTManager(cached(other.url, USERNAME, None)) as client, pytest.raises(CredentialsMismatchError):
            client.licenses_used()
        assert len(one.calls) == 1
        assert other.seen == []
        COUNTED["caches"] += 2


def test_a_file_of_another_session_is_not_believed(home: Path) -> None:
    """Whoever moves or copies a cache moves no token to another server."""
    store = FileTokenStore()
    with LyingServer(json_answer({"issued": 1})) as one, LyingServer(json_answer({"issued": 1})) as other:
        with IoTManager(cached(one.url)) as client:
            client.licenses_used()
        kept = {word for word in secrets_in(one) if word.startswith("eyJ")}
        assert len(kept) == 1
        for endpoint, username in ((other.url, USERNAME), (one.url, "eve"), (f"{other.url}/a", "eve")):
            shutil.copy(store.path(one.url, USERNAME), store.path(endpoint, username))
            before = len(one.logins) + len(other.logins)
            with IoTManager(cached(endpoint, username)) as client:
                client.licenses_used()
            assert len(one.logins) + len(other.logins) == before + 1
            COUNTED["caches"] += 1
        assert not kept & secrets_in(other)
        assert len([seen for seen in one.calls if seen.headers["authorization"].split()[1] in kept]) == 1


def test_production_and_staging_share_nothing(home: Path, sectigo: Runner) -> None:
    store, production = FileTokenStore(), "https://iot.sectigo.com"
    store.save(production, USERNAME, TokenPair(token(n="production"), token(7200, jti="production"), time.time()))
    with Witness(HEARD, context=authority().context) as foreign, LyingServer(json_answer({"issued": 1})) as staging:
        env = {"SECTIGO_USERNAME": USERNAME, "SECTIGO_ENVIRONMENT": "staging"}
        assert sectigo("licenses", env={**env, "SECTIGO_ENDPOINT": staging.url}).code == 4
        assert sectigo("licenses", env={**env, "SECTIGO_ENDPOINT": production}).code == 2
        hers = {**env, "SECTIGO_ENDPOINT": foreign.at("localhost"), "SECTIGO_ENVIRONMENT": "production"}
        assert sectigo("licenses", env=hers).code == 2
        assert sectigo("licenses", env={**hers, "SECTIGO_ALLOWED_HOST": "localhost"}).code in (1, 4)
        assert staging.seen == []
        hears_nothing(foreign)
        COUNTED["caches"] += 4


# Where strangers are asked


def test_ocsp_and_crl_are_asked_without_credentials(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (home / ".netrc").write_text(f"default login {USERNAME} password {PASSWORD}\n")
    (home / ".netrc").chmod(0o600)
    subject, issuer = issued()
    with Witness(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nSet-Cookie: a=b\r\n\r\nx") as responder:
        for check in (check_ocsp, check_crl):
            for _ in range(2):
                with pytest.raises(SectigoError):
                    check(subject, issuer, url=responder.at("127.0.0.1"), timeout=5)
        heard = responder.heard.lower()
        for port in (responder.port,):
            with pytest.raises(InvalidInputError):
                check_ocsp(subject, issuer, url=f"http://{USERNAME}:{PASSWORD}@127.0.0.1:{port}")
        assert responder.heard.lower() == heard
    assert heard.count(b" http/1.1\r\n") == 4
    for word in (b"authorization", b"cookie", PASSWORD.encode(), b"bearer"):
        assert word not in heard
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = "Bearer ours"
        with pytest.raises(InvalidInputError, match="no credentials"):
            check_ocsp(subject, issuer, url="http://127.0.0.1:1", session=session)


def issued() -> tuple[bytes, bytes]:
    """Return a certificate and that of its issuer, in PEM."""
    ca = create_authority("p256", "http://127.0.0.1:1", time.time)
    chain = x509.load_pem_x509_certificates(identity(ca)[0])
    return chain[0].public_bytes(Encoding.PEM), chain[1].public_bytes(Encoding.PEM)
