"""What became of an order: certain where it is, unknown where nobody knows, and never somebody else's answer."""

from __future__ import annotations

import contextlib
import json
import os
import socket
import ssl
import threading
import time
from collections.abc import Iterator

import pytest

from sectigo_iot import (
    APIError,
    Batch,
    ConfigError,
    Exchange,
    InvalidInputError,
    IoTManager,
    MemoryTokenStore,
    NotAuthenticatedError,
    NotAuthorizedError,
    OutcomeUnknownError,
    SectigoError,
    Settings,
    TokenPair,
    TokensExpiredError,
    UnreachableError,
    to_har,
)
from sectigo_iot.calls import call_of
from tests.unit.lying_server import (
    BATCH,
    HANG,
    PARAMS,
    RESET,
    USERNAME,
    Clock,
    LyingServer,
    Seen,
    answer,
    closed_port,
    json_answer,
    lies,
    settings_at,
    token,
    tokens,
)

ORDERED = json_answer(BATCH, 201)
LICENCES = json_answer({"ordered": 2, "issued": 1})
CLOSE = b""
# Python 3.12 warns of what is tested here: a fork beside threads.
FORKS = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


def behind(proxy: str, monkeypatch: pytest.MonkeyPatch, **changes: object) -> IoTManager:
    """Return a client of a host that is reached by way of this proxy alone, logged in already."""
    monkeypatch.setenv("http_proxy", proxy)
    store = MemoryTokenStore()
    store.save("http://iot.example.test", USERNAME, TokenPair(token(), token(), time.time()))
    values = {"environment": "staging", "token_store": store, "timeout": 0.5, **changes}
    return IoTManager(settings_at("http://iot.example.test", **values))


@pytest.mark.parametrize("lost", [CLOSE, RESET, HANG], ids=["close", "reset", "hang"])
def test_an_answer_lost_behind_a_proxy_is_unknown(lost: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    with LyingServer(lost) as proxy, behind(proxy.url, monkeypatch) as client:
        with pytest.raises(OutcomeUnknownError) as caught:
            client.create_single_cert_batch(1, "first", PARAMS)
        assert caught.value.batch_name == "first"
        with pytest.raises(OutcomeUnknownError):
            client.revoke_certificate(17, "superseded", "AB")
        assert [seen.method for seen in proxy.calls] == ["PUT", "POST"]


@pytest.mark.parametrize("size", [b"-5", b"-" + b"9" * 40, b"x"])
def test_a_chunk_of_no_size_leaves_it_unknown(size: bytes) -> None:
    head = b"HTTP/1.1 201 Created\r\nTransfer-Encoding: chunked\r\nContent-Type: application/json\r\n\r\n"
    with lies(head + size + b"\r\n{}\r\n") as (server, client):
        with pytest.raises(OutcomeUnknownError):
            client.create_single_cert_batch(1, "first", PARAMS)
        assert len(server.calls) == 1


def test_a_proxy_that_is_not_there_has_carried_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    with (
        behind(f"http://127.0.0.1:{closed_port()}", monkeypatch) as client,
        pytest.raises(UnreachableError, match="the proxy"),
    ):
        client.create_single_cert_batch(1, "first", PARAMS)


def test_a_proxy_that_repeats_its_password_tells_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[Exchange] = []
    refusal = answer(403, "log-in failed for joe:Pr0xy s3cret, Pr0xy%20s3cret", "text/plain")
    with LyingServer(refusal) as proxy:
        address = proxy.url.replace("://", "://joe:Pr0xy%20s3cret@")
        with behind(address, monkeypatch, observer=told.append) as client, pytest.raises(APIError) as caught:
            client.create_single_cert_batch(1, "first", PARAMS)
    assert "log-in failed for" in str(caught.value)
    assert "s3cret" not in str(caught.value)
    assert "s3cret" not in to_har(told)


def test_a_proxy_that_wants_a_login_is_not_taken_for_the_service(monkeypatch: pytest.MonkeyPatch) -> None:
    refusal = answer(401, "<html>", "text/html", WWW_Authenticate='Basic realm="a proxy"')
    with LyingServer(json_answer({"ordered": 2, "issued": 1}), login=refusal) as proxy:
        with behind(proxy.url, monkeypatch, token_store=MemoryTokenStore()) as client:
            for _ in range(2):
                with pytest.raises(APIError, match=f"the proxy {proxy.host} of http_proxy") as caught:
                    client.licenses_used()
                assert not isinstance(caught.value, NotAuthenticatedError)
                assert "http_proxy" in (caught.value.hint or "")
        # Nothing is known against the password: each time it was tried.
        assert len(proxy.logins) == 2


def test_a_proxy_that_may_have_refused_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    with LyingServer(answer(403, "<html>", "text/html")) as proxy, behind(proxy.url, monkeypatch) as client:
        with pytest.raises(NotAuthorizedError) as caught:
            client.licenses_used()
        assert f"the proxy {proxy.host} of http_proxy" in (caught.value.hint or "")


def test_an_address_with_its_port_needs_no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{closed_port()}")
    with lies(LICENCES, environment="staging") as (server, client):
        monkeypatch.setenv("no_proxy", f"example.com, {server.host}")
        assert client.licenses_used().issued == 1


@pytest.mark.parametrize("proxy", ["socks5://127.0.0.1:1", "http://", "http://127.0.0.1:99999"])
def test_a_variable_that_names_no_proxy_is_named(proxy: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with behind(proxy, monkeypatch) as client, pytest.raises(ConfigError, match=r"(?i)http_proxy"):
        client.create_single_cert_batch(1, "first", PARAMS)


def test_a_tls_handshake_that_hangs_has_carried_nothing() -> None:
    with LyingServer(ORDERED) as server, socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"https://127.0.0.1:{silent.getsockname()[1]}"
        store = MemoryTokenStore()
        store.save(url, USERNAME, TokenPair(token(), token(), time.time()))
        with (
            IoTManager(settings_at(url, token_store=store, timeout=0.3)) as client,
            pytest.raises(UnreachableError),
        ):
            client.create_single_cert_batch(1, "first", PARAMS)
        assert server.calls == []


def test_an_error_that_the_caller_is_handling_is_not_ours() -> None:
    ticks = Clock()
    with IoTManager(settings_at(f"http://127.0.0.1:{closed_port()}"), monotonic=ticks, sleep=ticks.sleep) as client:
        try:
            raise ssl.SSLCertVerificationError(1, "untrusted")
        except ssl.SSLError:
            with pytest.raises(UnreachableError, match="Connection refused"):
                client.create_single_cert_batch(1, "first", PARAMS)


@pytest.mark.parametrize("status", [101, 103, 202, 204, 300, 302, 303, 304, 500, 502, 504])
def test_only_a_refusal_is_certain(status: int) -> None:
    with lies(answer(status, Location="/api/v1/batches/24")) as (server, client):
        with pytest.raises(OutcomeUnknownError):
            client.create_single_cert_batch(1, "first", PARAMS)
        assert len(server.calls) == 1


@pytest.mark.parametrize("status", [400, 402, 403, 404, 409, 413, 422, 429, 501])
def test_a_refusal_is_certain(status: int) -> None:
    with lies(answer(status)) as (server, client):
        with pytest.raises(APIError) as caught:
            client.create_single_cert_batch(1, "first", PARAMS)
        assert caught.value.status == status
        assert str(caught.value.hint).startswith("nothing was ordered")
        assert ("does not offer it" in str(caught.value.hint)) == (status == 501)
        assert len(server.calls) == 1


@contextlib.contextmanager
def late_server(interim: bytes, first: bytes, second: bytes) -> Iterator[str]:
    """Answer the first connection in two steps, a moment apart, and the second at once; gives `host:port`."""

    def serve() -> None:
        for replies in ((interim, first), (second,)):
            with contextlib.suppress(OSError), listener.accept()[0] as connection:
                connection.recv(65536)
                for reply in replies:
                    connection.sendall(reply)
                    time.sleep(0.2)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        thread.join(5)


def test_the_answer_after_an_interim_one_is_nobody_elses() -> None:
    second = json_answer({**BATCH, "batchId": 25, "batchName": "second"}, 201)
    with late_server(b"HTTP/1.1 103 Early Hints\r\n\r\n", ORDERED, second) as host:
        url = f"http://{host}"
        store = MemoryTokenStore()
        store.save(url, USERNAME, TokenPair(token(), token(), time.time()))
        with IoTManager(settings_at(url, token_store=store, timeout=5)) as client:
            with pytest.raises(OutcomeUnknownError):
                client.create_single_cert_batch(1, "first", PARAMS)
            assert client.create_single_cert_batch(1, "second", PARAMS).batch_id == 25


def _own_name(seen: Seen) -> bytes:
    time.sleep(0.1)
    return json_answer({**BATCH, "batchName": seen.document["batchName"]}, 201)


@FORKS
def test_a_fork_does_not_share_connections() -> None:
    with LyingServer(LICENCES, _own_name) as server, IoTManager(settings_at(server.url, timeout=5)) as client:
        client.licenses_used()
        child = os.fork()
        who = "parent" if child else "child"
        try:
            told = [client.create_single_cert_batch(1, f"{who} {n}", PARAMS).batch_name for n in range(2)]
            right = told == [f"{who} 0", f"{who} 1"]
        except SectigoError:
            right = False
        if not child:
            os._exit(0 if right else 1)
        assert right
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


@FORKS
def test_a_fork_while_a_thread_logs_in_does_not_hang() -> None:
    begun = threading.Event()

    def slow(_: Seen) -> bytes:
        begun.set()
        time.sleep(0.3)
        return json_answer(tokens())

    with LyingServer(LICENCES, login=slow) as server, IoTManager(settings_at(server.url, timeout=5)) as client:
        thread = threading.Thread(target=client.authenticate)
        thread.start()
        begun.wait(5)
        child = os.fork()
        if not child:
            threading.Timer(3, lambda: os._exit(1)).start()
            client._auth._store = MemoryTokenStore()
            client.licenses_used()
            os._exit(0)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
        thread.join()


def test_an_order_after_a_pause_takes_a_new_connection() -> None:
    ticks = Clock()
    with LyingServer(LICENCES, ORDERED) as server:
        with IoTManager(settings_at(server.url), monotonic=ticks, sleep=ticks.sleep) as client:
            client.licenses_used()
            client.create_single_cert_batch(1, "first", PARAMS)
            assert len(server._connections) == 1
            ticks.sleep(6)
            client.create_single_cert_batch(1, "second", PARAMS)
        assert len(server._connections) == 2


# What a server sends back of a secret, and what is too deep to walk


def test_what_a_server_echoes_of_an_upload_is_hidden() -> None:
    with lies(lambda seen: answer(400, seen.body, "text/plain")) as (_, client), pytest.raises(APIError) as caught:
        client.upload_csr_batch(42, "a.csr", b"-----BEGIN", {"pkcs12Password": "hidden-word"})
    assert "hidden-word" not in str(caught.value)


@pytest.mark.parametrize("body", [b'{"password": "hidden-word"}', b"hidden-word"])
def test_what_a_server_echoes_of_a_raw_body_is_hidden(body: bytes) -> None:
    with lies(lambda seen: answer(400, seen.body, "text/plain")) as (_, client), pytest.raises(APIError) as caught:
        client.raw("users", method="POST", data=body)
    assert "hidden-word" not in str(caught.value)


def test_json_and_data_together_are_refused() -> None:
    with lies(LICENCES) as (server, client):
        with pytest.raises(InvalidInputError, match="not both"):
            client.raw("users", method="POST", json={}, data=b"{}")
        assert server.seen == []


def test_reprs_show_no_secret() -> None:
    with lies(LICENCES) as (_, client):
        call = call_of(client._transport, "createSingleCertBatch")._replace(payload={"pkcs12Password": "hidden-word"})
        assert repr(call) == "<Call PUT /api/v1/batches/createSingleCertBatch>"
    batch = Batch.read({**BATCH, "generatorParametersValues": {"pkcs12Password": "hidden-word"}})
    assert "hidden-word" not in repr(batch)


@pytest.mark.parametrize("depth", [70, 700, 100_000])
def test_a_reply_that_is_nested_too_deep_is_unknown(depth: int) -> None:
    nested = "[" * depth + "]" * depth
    body = json.dumps(BATCH)[:-1] + f', "more": {nested}}}'
    with lies(answer(201, body)) as (_, client), pytest.raises(OutcomeUnknownError):
        client.create_single_cert_batch(1, "first", PARAMS)


@pytest.mark.parametrize("endpoint", ["http://[::1]^", "http://a..b", "http://.a", "http://a:1:2", "http://"])
def test_an_endpoint_that_the_http_library_cannot_read_is_refused(endpoint: str) -> None:
    with pytest.raises(ConfigError):
        Settings(endpoint=endpoint, environment="staging", environ={}).validate()


# A session that is over


def _with_refresh_token(url: str) -> MemoryTokenStore:
    store = MemoryTokenStore()
    store.save(url, USERNAME, TokenPair(token(-1), token(), time.time()))
    return store


def test_a_refresh_that_fails_for_a_while_is_what_is_said_without_a_password() -> None:
    ticks = Clock()
    with LyingServer(LICENCES, refresh=answer(500)) as server:
        settings = settings_at(server.url, password=None, token_store=_with_refresh_token(server.url))
        with IoTManager(settings, monotonic=ticks, sleep=ticks.sleep) as client:
            with pytest.raises(APIError) as caught:
                client.licenses_used()
            assert caught.value.status == 500


def test_a_session_that_is_refused_is_over_without_a_password() -> None:
    with LyingServer(LICENCES, refresh=answer(401)) as server:
        settings = settings_at(server.url, password=None, token_store=_with_refresh_token(server.url))
        with IoTManager(settings) as client, pytest.raises(TokensExpiredError, match="the session is over"):
            client.licenses_used()


def test_a_password_is_asked_for_before_others_are_made_to_wait() -> None:
    held: list[bool] = []

    class Store(MemoryTokenStore):
        locked = False

        @contextlib.contextmanager
        def lock(self, endpoint: str, username: str) -> Iterator[None]:  # type: ignore[override]
            self.locked = True
            yield
            self.locked = False

    store = Store()

    def ask(_question: str, _secret: bool) -> str:
        held.append(store.locked)
        return "correct-horse-battery"

    with LyingServer(LICENCES) as server:
        settings = settings_at(server.url, password=None, prompt=ask, token_store=store)
        with IoTManager(settings) as client:
            client.licenses_used()
    assert held == [False]
