"""Every request ends within its deadline and a second, wherever the server stops, or goes on by one byte a time."""

from __future__ import annotations

import socket
import ssl
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import (
    DeadlineError,
    FileTokenStore,
    IoTManager,
    MemoryTokenStore,
    OutcomeUnknownError,
    Settings,
    TransportError,
    UnreachableError,
)
from sectigo_iot.emulator import Emulator
from tests.conftest import Runner
from tests.reliability.authority import Authority
from tests.reliability.figures import FULL, figure
from tests.reliability.stalls import PLACES, Stalls, TLSProxy
from tests.unit.lying_server import jwt

SECONDS = 3.0 if FULL else 0.5
"""The deadline that is given."""
NEVER_LEFT = {"accept", "handshake", "dribbled-handshake"}


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


class _Session(MemoryTokenStore):
    """A session that stands, so that the call itself meets the server."""

    def load(self, endpoint: str, username: str) -> Any:
        from sectigo_iot.tokens import TokenPair

        now = time.time()
        token = jwt({"iat": now, "exp": now + 3600, "scopes": ["ROLE_USER"]})
        return TokenPair(token, token, now)


def client_of(server: Stalls, authority: Authority) -> IoTManager:
    return IoTManager(
        Settings(
            "jane",
            "correct-horse",
            None,
            server.url,
            "staging",
            timeout=SECONDS,
            download_timeout=SECONDS,
            ca_file=str(authority.file),
            token_store=_Session(),
            environ={},
        )
    )


CALLS: dict[str, Callable[[IoTManager], object]] = {
    "read": IoTManager.licenses_used,
    "order": lambda client: client.create_single_cert_batch(423, "new certs", {"commonName": "example.com"}),
    "log-in": IoTManager.authenticate,
    "download": lambda client: client.download_bytes(24),
}


def cases() -> list[tuple[str, bool, str]]:
    """Where the server stops, whether it speaks TLS, and what is asked of it; a share has each place once."""
    found = [(place, False) for place in PLACES if "handshake" not in place]
    found += [(place, True) for place in PLACES if FULL or place.endswith(("handshake", "dribbled-body", "head"))]
    names = list(CALLS)
    if FULL:
        return [(place, tls, name) for place, tls in found for name in names]
    return [(place, tls, names[number % len(names)]) for number, (place, tls) in enumerate(found)]


longest: list[float] = []


def _ended(
    case: tuple[str, bool, str], context: ssl.SSLContext, authority: Authority
) -> tuple[float, BaseException | None]:
    place, tls, name = case
    with Stalls(place, context if tls else None) as server, client_of(server, authority) as client:
        begun = time.monotonic()
        try:
            CALLS[name](client)
        except (TransportError, OutcomeUnknownError) as error:
            return time.monotonic() - begun - SECONDS, error
        return time.monotonic() - begun - SECONDS, None


def test_wherever_a_server_stops_the_call_ends_in_time(authority: Authority) -> None:
    # All at once, as in a program of many threads.
    with ThreadPoolExecutor(8) as threads:
        context = authority.server_context()
        results = list(threads.map(lambda case: _ended(case, context, authority), cases()))
    for (place, _, name), (late, error) in zip(cases(), results, strict=True):
        longest.append(late)
        assert late < 1, (place, name, late)
        assert error is not None
        _assert_told(error, name, place)


@pytest.mark.parametrize("place", ["dribbled-head", "dribbled-body"])
def test_behind_a_proxy_that_speaks_tls_it_ends_in_time_too(
    place: str, authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = authority.server_context()
    with TLSProxy(context) as proxy, Stalls(place, context) as server, client_of(server, authority) as client:
        monkeypatch.setenv("https_proxy", proxy.url)
        begun = time.monotonic()
        with pytest.raises(DeadlineError):
            client.licenses_used()
        longest.append(time.monotonic() - begun - SECONDS)
        assert server.connections == 1
    assert longest[-1] < 1


def _assert_told(error: BaseException, name: str, place: str) -> None:
    told = f"{place}: {error}"
    if place in NEVER_LEFT:
        assert isinstance(error, UnreachableError), told
        assert "127.0.0.1" in told
        assert f"within {SECONDS:g} s" in told
    elif name == "order":
        assert isinstance(error, OutcomeUnknownError), told
        assert error.batch_name == "new certs"
        assert "within" in told
    else:
        assert isinstance(error, DeadlineError), told
        assert "127.0.0.1" in told
        assert "timeout" in (error.hint or "")


def test_a_host_name_that_is_not_found_in_time_ends_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    # The system's resolver waits for its servers, and nothing can break it off: this is what it then looks like.
    def resolver(*_: object, **__: object) -> list[object]:
        time.sleep(SECONDS * 2)
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", resolver)
    settings = Settings("jane", "x", None, "http://iot.example.com", "staging", timeout=SECONDS, environ={})
    settings.token_store = MemoryTokenStore()
    with IoTManager(settings) as client:
        begun = time.monotonic()
        with pytest.raises(UnreachableError, match=r"iot\.example\.com"):
            client.authenticate()
        longest.append(time.monotonic() - begun - SECONDS)
    assert longest[-1] < 1


@pytest.mark.parametrize(("timeout", "download_timeout"), [(10, 1), (1, 2)])
def test_a_download_has_a_deadline_of_its_own(
    timeout: int, download_timeout: int, authority: Authority, tmp_path: Path
) -> None:
    with Stalls("dribbled-body") as server, client_of(server, authority) as client:
        client.settings.download_timeout = SECONDS * download_timeout
        client._transport._timeout = SECONDS * timeout
        begun = time.monotonic()
        with pytest.raises(DeadlineError, match=f"did not send it all within {SECONDS * download_timeout:g} s"):
            client.download(24, tmp_path)
        longest.append(time.monotonic() - begun - SECONDS * download_timeout)
    # Nothing but the ZIP itself takes so long: neither ended it.
    assert -0.1 < longest[-1] < 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("by_flag", [True, False])
@pytest.mark.parametrize("line", ["licenses", "download -i 24"])
def test_the_command_says_that_the_time_is_over(
    line: str, by_flag: bool, tmp_path: Path, sectigo: Runner, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    fetches = line.startswith("download")
    flag = "--download-timeout" if fetches else "--request-timeout"
    variable = "SECTIGO_DOWNLOAD_TIMEOUT" if fetches else "SECTIGO_TIMEOUT"
    with Stalls("dribbled-body" if fetches else "dribbled-head") as server:
        environ = _session_at(server)
        words = (flag, f"{SECONDS:g}", *line.split()) if by_flag else tuple(line.split())
        begun = time.monotonic()
        done = sectigo(*words, env=environ if by_flag else {**environ, variable: f"{SECONDS:g}"})
        longest.append(time.monotonic() - begun - SECONDS)
    assert (done.code, done.out) == (1, "")
    assert ("send it all" if fetches else "answer") + f" within {SECONDS:g} s" in done.err
    assert flag in done.err
    assert variable in done.err
    assert longest[-1] < 1
    assert list(tmp_path.iterdir()) == []


def _session_at(server: Stalls) -> dict[str, str]:
    FileTokenStore().save(server.url, "jane", _Session().load(server.url, "jane"))
    return {"SECTIGO_ENDPOINT": server.url, "SECTIGO_ENVIRONMENT": "staging", "SECTIGO_USERNAME": "jane"}


def test_what_may_have_been_carried_out_is_told_so_by_the_command(sectigo: Runner) -> None:
    with Stalls("head") as server:
        environ = _session_at(server)
        words = ("call", "createSingleCertBatch", "--method", "PUT", "--data", "{}")
        begun = time.monotonic()
        done = sectigo("--request-timeout", f"{SECONDS:g}", *words, env=environ)
        longest.append(time.monotonic() - begun - SECONDS)
    assert (done.code, done.out) == (5, "")
    assert f"did not answer within {SECONDS:g} s" in done.err
    assert longest[-1] < 1


def test_what_came_in_time_is_not_disturbed_by_the_deadline(emulator: Emulator) -> None:
    with IoTManager(
        Settings(
            emulator.username,
            emulator.password,
            None,
            emulator.url,
            "testing",
            timeout=SECONDS,
            token_store=MemoryTokenStore(),
            environ={},
        )
    ) as client:
        assert client.licenses_used().issued == 0
        time.sleep(SECONDS + 0.1)
        assert client.licenses_used().issued == 0


def test_the_figure() -> None:
    assert longest
    figure(
        "deadline",
        f"{len(longest)} calls against {len(PLACES)} ways to stop or to dribble, a deadline of {SECONDS:g} s: "
        f"the slowest ended {max(longest):.2f} s after it",
    )
