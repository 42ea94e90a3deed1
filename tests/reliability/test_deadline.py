"""Every request ends within its deadline and a second, wherever the server stops, or goes on by one byte a time."""

from __future__ import annotations

import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import (
    DeadlineError,
    IoTManager,
    MemoryTokenStore,
    OutcomeUnknownError,
    Settings,
    TransportError,
    UnreachableError,
)
from sectigo_iot.emulator import Emulator
from tests.packages import PYTHONPATH
from tests.reliability.authority import Authority
from tests.reliability.figures import FULL, figure
from tests.reliability.stalls import PLACES, Stalls, TLSProxy
from tests.unit.lying_server import answer, jwt, lies

SECONDS = 3.0 if FULL else 1.0
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


def test_a_download_has_a_deadline_of_its_own(tmp_path: Path) -> None:
    def dribble(seen: object) -> bytes:
        return answer(200, b"PK", "application/zip")[:-2].replace(b"Content-Length: 2", b"Content-Length: 2000000")

    with lies(dribble, timeout=SECONDS * 10, download_timeout=SECONDS) as (_, client):
        begun = time.monotonic()
        with pytest.raises(TransportError):
            client.download(24, tmp_path)
        longest.append(time.monotonic() - begun - SECONDS)
    assert longest[-1] < 1
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("option", ["flag", "variable"])
def test_the_command_says_that_the_time_is_over(option: str, authority: Authority) -> None:
    words = ["--request-timeout", f"{SECONDS:g}"] if option == "flag" else []
    with Stalls("dribbled-head") as server:
        environ = {
            "SECTIGO_ENDPOINT": server.url,
            "SECTIGO_ENVIRONMENT": "staging",
            "SECTIGO_USERNAME": "jane",
            "SECTIGO_PASSWORD": "correct-horse",
            **({"SECTIGO_TIMEOUT": f"{SECONDS:g}"} if option == "variable" else {}),
        }
        begun = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "sectigo_cli", *words, "licenses"],
            env={**os.environ, "PYTHONPATH": PYTHONPATH, **environ},
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        assert time.monotonic() - begun < SECONDS + 3
    assert (done.returncode, done.stdout) == (1, "")
    assert f"did not answer within {SECONDS:g} s" in done.stderr
    assert "SECTIGO_TIMEOUT" in done.stderr


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
