"""A valid access token for every call, with as few log-ins as possible."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sectigo_iot import (
    APIError,
    FileTokenStore,
    InvalidClaimsError,
    InvalidCredentialsError,
    InvalidReplyError,
    IoTManager,
    MemoryTokenStore,
    MustUseTLSAuthError,
    NotAuthenticatedError,
    NotAuthorizedError,
    RedirectError,
    SectigoError,
    TokenPair,
    TokensExpiredError,
    TokensMismatchError,
    TransportError,
)
from sectigo_iot.auth import Authenticator
from sectigo_iot.credentials import login_of
from sectigo_iot.emulator import Emulator
from sectigo_iot.transport import Transport
from tests.conftest import settings_for
from tests.unit.lying_server import (
    BATCH,
    PARAMS,
    PASSWORD,
    RESET,
    USERNAME,
    Clock,
    LyingServer,
    Seen,
    answer,
    json_answer,
    jwt,
    lies,
    settings_at,
    token,
    tokens,
)

LICENCES = json_answer({"ordered": 1, "issued": 1})
DENIED = json_answer({"status": 401, "message": "no", "errorCode": 1, "timestamp": 1}, 401)


def bearer(seen: Seen) -> str:
    return seen.headers["authorization"].removeprefix("Bearer ")


def test_threads_that_wait_for_a_login_that_is_not_answered_wait_once(emulator: Emulator) -> None:
    emulator.control.add_fault("hang", calls=["authenticate"])
    raised: list[type[Exception]] = []

    def ask(client: IoTManager) -> None:
        try:
            client.licenses_used()
        except TransportError as error:
            raised.append(type(error))

    with IoTManager(settings_for(emulator, timeout=0.5)) as client:
        threads = [threading.Thread(target=ask, args=(client,)) for _ in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(raised) == 6
        # Those who came while it was waited for share what came of it.
        assert 1 <= len(emulator.control.journal(call="authenticate")) < 4
        emulator.control.clear_faults()
        assert client.licenses_used()


def test_the_login_is_sent_as_json_once_and_the_token_used() -> None:
    given = tokens()
    with lies(LICENCES, login=json_answer(given)) as (server, client):
        client.licenses_used()
        client.licenses_used()
        (login,) = server.logins
        assert (login.method, login.document) == ("POST", {"username": USERNAME, "password": PASSWORD})
        assert "authorization" not in login.headers
        assert [bearer(seen) for seen in server.calls] == [given["accessToken"]] * 2


def test_kept_tokens_need_no_login() -> None:
    store = MemoryTokenStore()
    for _ in range(2):
        with LyingServer(LICENCES) as server:
            store.save(server.url, USERNAME, TokenPair(token(), token(), time.time()))
            with IoTManager(settings_at(server.url, password=None, token_store=store)) as client:
                client.licenses_used()
            assert server.logins == server.refreshes == []


def test_an_expired_access_token_is_refreshed_with_the_bare_refresh_token() -> None:
    clock = Clock(time.time())
    given, renewed = tokens(600), tokens()
    with lies(LICENCES, login=json_answer(given), refresh=json_answer(renewed), clock=clock) as (server, client):
        client.licenses_used()
        clock.now += 596
        client.licenses_used()
        (refresh,) = server.refreshes
        assert refresh.body == given["refreshToken"].encode()
        assert refresh.headers["content-type"] == "application/json;charset=UTF-8"
        assert "authorization" not in refresh.headers
        assert bearer(server.calls[1]) == renewed["accessToken"]
        assert len(server.logins) == 1


def test_a_session_that_is_over_begins_with_a_login() -> None:
    clock = Clock(time.time())
    with lies(LICENCES, clock=clock) as (server, client):
        client.licenses_used()
        clock.now += 7200
        client.licenses_used()
        assert (len(server.logins), len(server.refreshes)) == (2, 0)


@pytest.mark.parametrize("off", [-3600, 3600])
def test_a_clock_that_is_off_by_an_hour_does_no_harm(off: float) -> None:
    with lies(LICENCES, clock=lambda: time.time() + off) as (server, client):
        for _ in range(3):
            client.licenses_used()
        assert (len(server.logins), len(server.refreshes)) == (1, 0)


def test_a_not_before_that_our_clock_has_not_reached_does_no_harm() -> None:
    now = time.time()
    pair = {name: token(3600, at=now, nbf=now) for name in ("accessToken", "refreshToken")}
    with lies(LICENCES, login=json_answer(pair), clock=lambda: now - 30) as (server, client):
        for _ in range(3):
            client.licenses_used()
        assert (len(server.logins), len(server.refreshes)) == (1, 0)


@pytest.mark.parametrize(
    "refused",
    [
        DENIED,
        answer(403),
        answer(500),
        answer(404, "<html>", "text/html"),
        json_answer({}),
        json_answer(None),
        answer(200, "x"),
        RESET,
    ],
    ids=range(8),
)
def test_a_refresh_that_fails_in_any_way_is_followed_by_a_login(refused: bytes) -> None:
    clock = Clock(time.time())
    with lies(LICENCES, refresh=refused, clock=clock) as (server, client):
        client.licenses_used()
        clock.now += 700
        client.licenses_used()
        assert (len(server.logins), len(server.refreshes), len(server.calls)) == (2, 1, 2)


def test_a_refresh_reply_without_a_refresh_token_keeps_the_old_one() -> None:
    clock = Clock(time.time())
    given = tokens()
    with lies(LICENCES, login=json_answer(given), refresh=json_answer({"accessToken": token()}), clock=clock) as (
        server,
        client,
    ):
        client.authenticate()
        pair = client.refresh()
        assert pair.refresh_token == given["refreshToken"]
        client.refresh()
        assert [seen.body for seen in server.refreshes] == [given["refreshToken"].encode()] * 2


def test_a_refresh_that_is_asked_for_and_refused_is_told() -> None:
    with lies(LICENCES, refresh=DENIED) as (server, client):
        client.authenticate()
        with pytest.raises(InvalidCredentialsError):
            client.refresh()
        assert len(server.logins) == 1


def test_a_refresh_without_a_refresh_token_sends_nothing() -> None:
    with lies(LICENCES) as (server, client):
        with pytest.raises(TokensExpiredError):
            client.refresh()
        assert server.seen == []


def dropping(reply: bytes) -> tuple[Callable[[Seen], bytes], set[str]]:
    """Return a server that accepts each token once, and the tokens seen."""
    used: set[str] = set()

    def serve(seen: Seen) -> bytes:
        if bearer(seen) in used:
            return DENIED
        used.add(bearer(seen))
        return reply

    return serve, used


def test_a_401_in_mid_session_is_answered_by_one_renewal_and_one_repetition() -> None:
    serve, used = dropping(LICENCES)
    with lies(serve) as (server, client):
        client.licenses_used()
        assert client.licenses_used().issued == 1
        assert (len(server.calls), len(server.logins), len(server.refreshes)) == (3, 1, 1)
        assert len(used) == 2


def test_a_401_to_the_new_token_as_well_is_the_end() -> None:
    with lies(DENIED) as (server, client):
        with pytest.raises(InvalidCredentialsError, match="devices failed with status 401: no"):
            client.licenses_used()
        assert (len(server.calls), len(server.logins), len(server.refreshes)) == (2, 1, 1)


def test_an_order_answered_by_401_is_sent_once_more() -> None:
    serve, _ = dropping(json_answer(BATCH))
    with lies(serve) as (server, client):
        client.batch_detail(24)
        assert client.create_single_cert_batch(1, "first", PARAMS).batch_id == 24
        orders = [seen for seen in server.calls if seen.method == "PUT"]
        assert len(orders) == 2
        assert orders[0].body == orders[1].body
        assert orders[0].headers["authorization"] != orders[1].headers["authorization"]


def test_an_order_with_a_token_that_the_service_dropped_spends_one_licence() -> None:
    ahead = Clock(time.time())
    with Emulator(clock=ahead) as service, IoTManager(settings_for(service)) as client:
        before = client.authority_available_balance(423)
        ahead.now += 700
        client.create_single_cert_batch(423, "first", PARAMS)
        assert client.authority_available_balance(423) == before - 1


def test_a_refused_password_is_tried_once() -> None:
    with lies(LICENCES, login=DENIED) as (server, client):
        for words in ("failed with status 401: no", "refused before", "refused before"):
            with pytest.raises(InvalidCredentialsError, match=words):
                client.licenses_used()
        assert len(server.logins) == 1
        assert server.calls == []


@pytest.mark.parametrize("body", [b"", b'{"message": "wro'], ids=["head", "half"])
def test_a_refusal_whose_reasons_break_off_is_one_refusal(body: bytes) -> None:
    with lies(login=answer(401, body + b"x" * 100)[:-100]) as (server, client):
        for _ in range(2):
            with pytest.raises(InvalidCredentialsError):
                client.licenses_used()
        assert len(server.logins) == 1


def test_a_login_whose_answer_is_lost_is_tried_a_few_times_only() -> None:
    # What was lost may have been a refusal, and five refusals lock an account.
    with lies(login=RESET) as (server, client):
        with pytest.raises(TransportError):
            client.licenses_used()
        assert len(server.logins) == 3


def test_a_refused_password_is_tried_once_by_all_clients_of_a_process() -> None:
    # A service may make a client, and a store in memory, for each call.
    with LyingServer(login=DENIED) as server:
        for _ in range(3):
            with IoTManager(settings_at(server.url)) as client, pytest.raises(InvalidCredentialsError):
                client.licenses_used()
        assert len(server.logins) == 1


def test_a_locked_account_says_nothing_against_the_password() -> None:
    locked = json_answer({"message": "the account is locked"}, 401)
    logins = iter([locked, json_answer(tokens())])
    with lies(LICENCES, login=lambda _: next(logins)) as (_, client):
        with pytest.raises(InvalidCredentialsError, match="the account is locked") as caught:
            client.licenses_used()
        assert "unlocked" in (caught.value.hint or "")
        assert client.licenses_used().issued == 1


def test_a_refused_password_is_tried_again_by_intent() -> None:
    with lies(LICENCES, login=DENIED) as (server, client):
        with pytest.raises(InvalidCredentialsError):
            client.licenses_used()
        for tries in (2, 3):
            with pytest.raises(InvalidCredentialsError, match="401: no"):
                client.authenticate()
            assert len(server.logins) == tries
        with pytest.raises(InvalidCredentialsError, match=r"refused before \(\d{4}-\d\d-\d\d .*\)") as caught:
            client.licenses_used()
        assert caught.value.hint is not None
        assert "authenticate()" in caught.value.hint
        assert len(server.logins) == 3


def test_a_password_that_is_found_right_after_all_is_used_again(tmp_path: Path) -> None:
    replies = iter([DENIED, json_answer(tokens()), DENIED])
    with LyingServer(LICENCES, login=lambda _: next(replies)) as server:
        settings = settings_at(server.url, token_store=FileTokenStore(tmp_path))
        for words in ("401: no", "refused before"):
            with IoTManager(settings) as client, pytest.raises(InvalidCredentialsError, match=words):
                client.licenses_used()
        with IoTManager(settings) as client:
            client.authenticate()
            assert len(server.logins) == 2
            assert not list(tmp_path.glob("*.refused"))
            client.forget_tokens()
            with pytest.raises(InvalidCredentialsError, match="401: no"):
                client.licenses_used()


def test_a_password_that_was_refused_is_looked_for_again_the_next_time(tmp_path: Path) -> None:
    kept = tmp_path / "password"
    kept.write_text("wrong")

    def judge(seen: Seen) -> bytes:
        return json_answer(tokens()) if seen.document["password"] == "right" else DENIED

    with lies(LICENCES, login=judge, password=None, password_file=str(kept)) as (server, client):
        for words in ("401: no", "refused before", "refused before"):
            with pytest.raises(InvalidCredentialsError, match=words):
                client.licenses_used()
        kept.write_text("right")
        assert client.licenses_used().issued == 1
        assert len(server.logins) == 2


def test_a_login_that_is_denied_is_not_tried_again_for_a_while() -> None:
    ticks = Clock()
    with LyingServer(LICENCES, login=answer(403)) as server:
        settings = settings_at(server.url)
        transport, store = Transport(settings), MemoryTokenStore()
        auth = Authenticator(transport, login_of(settings, store), store, monotonic=ticks)
        for after, logins in ((0, 1), (1, 1), (298, 1), (2, 2), (10, 2)):
            ticks.now += after
            with pytest.raises(NotAuthorizedError):
                auth.token()
            assert len(server.logins) == logins
        with pytest.raises(NotAuthorizedError):
            auth.authenticate()
        assert len(server.logins) == 3
        transport.close()


def test_a_password_that_was_just_typed_is_tried_even_if_it_was_refused() -> None:
    with lies(LICENCES, login=DENIED, password=None, prompt=lambda *_: "typed") as (server, client):
        for tries in (1, 2):
            with pytest.raises(InvalidCredentialsError, match="401: no"):
                client.licenses_used()
            assert len(server.logins) == tries


def test_another_password_is_tried_after_a_refused_one() -> None:
    def judge(seen: Seen) -> bytes:
        return json_answer(tokens()) if seen.document["password"] == "right" else DENIED

    typed = iter(["wrong", "right"])
    with lies(LICENCES, login=judge, password=None, prompt=lambda *_: next(typed)) as (server, client):
        with pytest.raises(InvalidCredentialsError):
            client.licenses_used()
        assert client.licenses_used().issued == 1
        assert len(server.logins) == 2


def test_a_wrong_password_given_to_the_testing_user_is_not_replaced_by_the_known_one(emulator: Emulator) -> None:
    with IoTManager(settings_for(emulator, password="wrong")) as client:
        for _ in range(2):
            with pytest.raises(InvalidCredentialsError):
                client.licenses_used()


def test_certificate_login_is_told_with_its_address_and_nothing_is_sent_there() -> None:
    with (
        LyingServer(LICENCES) as elsewhere,
        Emulator(certificate_login=f"{elsewhere.url}/auth/pwd") as service,
        IoTManager(settings_for(service)) as client,
    ):
        with pytest.raises(MustUseTLSAuthError, match="client certificate") as caught:
            client.licenses_used()
        assert caught.value.location == f"{elsewhere.url}/auth/pwd"
        assert isinstance(caught.value, NotAuthenticatedError)
        assert elsewhere.seen == []


@pytest.mark.parametrize("status", [301, 302, 303, 308])
def test_a_login_that_is_redirected_to_another_host_sends_nothing_there(status: int) -> None:
    with LyingServer(LICENCES) as elsewhere:
        moved = answer(status, Location=f"{elsewhere.url}/auth/pwd")
        with lies(LICENCES, login=moved) as (server, client):
            with pytest.raises(RedirectError) as caught:
                client.licenses_used()
            assert (caught.value.status, caught.value.location) == (status, f"{elsewhere.url}/auth/pwd")
            assert len(server.seen) == 1
        assert elsewhere.seen == []


def test_a_user_without_authority_is_told_apart_from_a_wrong_password() -> None:
    with Emulator(authorized=False) as service, IoTManager(settings_for(service)) as client:
        with pytest.raises(NotAuthorizedError, match="no authority") as caught:
            client.licenses_used()
        assert caught.value.status == 403
        assert not isinstance(caught.value, NotAuthenticatedError)


@pytest.mark.parametrize(
    "reply",
    [
        json_answer(None),
        json_answer([]),
        json_answer("x"),
        json_answer(5),
        json_answer({}),
        json_answer({"accessToken": token()}),
        json_answer({"refreshToken": token()}),
        json_answer({"accessToken": 5, "refreshToken": token()}),
        json_answer({"accessToken": token(), "refreshToken": None}),
        answer(200, ""),
        answer(204),
        answer(200, "<html><body>Welcome</body></html>", "text/html"),
        answer(200, '{"accessToken": "'),
        answer(200, b"\xff\xfe"),
        answer(200, "[" * 100_000),
    ],
    ids=range(15),
)
def test_a_login_reply_without_tokens_is_an_invalid_reply(reply: bytes) -> None:
    with lies(LICENCES, login=reply) as (server, client):
        with pytest.raises(InvalidReplyError) as caught:
            client.licenses_used()
        assert caught.value.message.isprintable()
        assert token()[:30] not in str(caught.value)
        assert len(server.logins) == 1


@pytest.mark.parametrize("half", ["accessToken", "refreshToken"])
def test_an_empty_token_is_a_mismatch(half: str) -> None:
    with lies(LICENCES, login=json_answer({**tokens(), half: ""})) as (_, client), pytest.raises(TokensMismatchError):
        client.licenses_used()


@pytest.mark.parametrize("bad", ["opaque", jwt({"sub": "jane"}), "a.b.c", f"{token()}\r\nX: y"])
@pytest.mark.parametrize("half", ["accessToken", "refreshToken"])
def test_a_token_without_claims_is_refused(half: str, bad: str) -> None:
    with lies(LICENCES, login=json_answer({**tokens(), half: bad})) as (server, client):
        with pytest.raises(InvalidClaimsError):
            client.licenses_used()
        assert server.calls == []


def test_a_login_that_the_service_cannot_answer_now_is_tried_again() -> None:
    replies = iter([answer(503), RESET, json_answer(tokens())])
    with lies(LICENCES, login=lambda _: next(replies)) as (server, client):
        assert client.licenses_used().issued == 1
        assert len(server.logins) == 3


def test_an_error_of_the_service_at_login_is_no_wrong_password() -> None:
    with lies(LICENCES, login=answer(500, "down", "text/plain")) as (server, client):
        for _ in range(2):
            with pytest.raises(APIError, match="500: down") as caught:
                client.licenses_used()
            assert not isinstance(caught.value, NotAuthenticatedError)
        assert len(server.logins) == 2


def test_forgotten_tokens_are_gone_from_client_and_store(tmp_path: Path) -> None:
    with lies(LICENCES, token_store=FileTokenStore(tmp_path)) as (server, client):
        client.authenticate()
        path = client.creds.cache_file
        assert path is not None
        assert path.exists()
        client.forget_tokens()
        assert not path.exists()
        client.licenses_used()
        assert len(server.logins) == 2


def test_authenticate_logs_in_whatever_tokens_there_are() -> None:
    with lies(LICENCES) as (server, client):
        assert client.authenticate() != client.authenticate()
        assert len(server.logins) == 2


def together(count: int, work: Callable[[], object]) -> list[SectigoError]:
    start = threading.Barrier(count)
    faults: list[SectigoError] = []

    def run() -> None:
        start.wait()
        try:
            work()
        except SectigoError as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return faults


def slow_login(_: Seen) -> bytes:
    time.sleep(0.05)
    return json_answer(tokens())


def test_eight_threads_that_start_at_once_log_in_once() -> None:
    with lies(LICENCES, login=slow_login) as (server, client):
        assert together(8, client.licenses_used) == []
        assert (len(server.logins), len(server.calls)) == (1, 8)


def test_eight_threads_whose_token_was_dropped_renew_once() -> None:
    dropped: list[str] = []

    def serve(seen: Seen) -> bytes:
        return DENIED if bearer(seen) in dropped else LICENCES

    with lies(serve) as (server, client):
        dropped.append(client.authenticate().access_token)
        assert together(8, client.licenses_used) == []
        assert (len(server.logins), len(server.refreshes)) == (1, 1)


def test_clients_that_share_a_store_log_in_once(tmp_path: Path) -> None:
    with LyingServer(LICENCES, login=slow_login) as server:

        def work() -> None:
            with IoTManager(settings_at(server.url, token_store=FileTokenStore(tmp_path))) as client:
                client.licenses_used()

        assert together(6, work) == []
        assert len(server.logins) == 1


PROCESS = """
import sys
from sectigo_iot import FileTokenStore, IoTManager, Settings
store = FileTokenStore(sys.argv[2])
settings = Settings("jane", "correct-horse", None, sys.argv[1], "testing", token_store=store, environ={})
with IoTManager(settings) as client:
    sys.stdin.readline()
    print(client.licenses_used().issued)
"""


def test_processes_that_share_a_folder_log_in_once(tmp_path: Path) -> None:
    with LyingServer(LICENCES, login=slow_login) as server:
        command = [sys.executable, "-c", PROCESS, server.url, str(tmp_path / "cache")]
        processes = [
            subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) for _ in range(4)
        ]
        for process in processes:
            assert process.stdin is not None
            process.stdin.write("go\n")
            process.stdin.flush()
        results = [process.communicate(timeout=30)[0] for process in processes]
        assert results == ["1\n"] * 4
        assert len(server.logins) == 1
        assert len(server.calls) == 4


def test_two_users_of_one_endpoint_do_not_share_tokens(tmp_path: Path) -> None:
    with LyingServer(LICENCES) as server:
        for user in ("jane", "joe"):
            with IoTManager(settings_at(server.url, username=user, token_store=FileTokenStore(tmp_path))) as client:
                client.licenses_used()
        assert [login.document["username"] for login in server.logins] == ["jane", "joe"]


def test_no_failure_to_log_in_shows_the_password() -> None:
    def echo(seen: Seen) -> bytes:
        return answer(500, json.dumps({"message": f"bad request {seen.body.decode()}"}))

    with lies(LICENCES, login=echo) as (_, client), pytest.raises(SectigoError) as caught:
        client.licenses_used()
    assert PASSWORD not in f"{caught.value!r} {caught.value} {vars(caught.value)}"
    assert not isinstance(caught.value, TransportError)


def test_a_log_in_that_is_not_answered_leaves_no_password_with_what_is_remembered_of_it(emulator: Emulator) -> None:
    """The frames of a traceback hold it, and error reports show them."""
    emulator.control.add_fault("hang", calls=["authenticate"])
    with IoTManager(settings_for(emulator, timeout=0.4)) as client:
        with pytest.raises(TransportError) as raised:
            client.licenses_used()
        assert client._auth._unanswered is not None
        remembered = client._auth._unanswered[1]
        assert (type(remembered), str(remembered)) == (raised.type, str(raised.value))
        assert raised.value.__traceback__ is not None
        assert (remembered.__traceback__, remembered.__context__, remembered.__cause__) == (None, None, None)
