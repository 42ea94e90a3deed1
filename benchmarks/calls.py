"""What a call of the library costs beside the same request by `requests` alone, both on a kept connection.

    python benchmarks/calls.py [ROUNDS]

`requests` sends the token, checks the status and reads the JSON, and nothing else. A session for each call is what
`requests.get` makes: it is there to show what the kept connection is worth.
"""

from __future__ import annotations

import os
import statistics
import sys
import time
from collections.abc import Callable

import requests
from serving import emulator, rounds_wanted

from sectigo_iot import IoTManager, MemoryTokenStore, Settings

CALLS = 50
"""Calls of each kind in a round."""


def kinds(client: IoTManager, session: requests.Session) -> dict[str, Callable[[], object]]:
    """Return what is compared."""
    url = client.endpoint("devices")
    tokens = client.creds.tokens
    assert tokens is not None
    headers = {"Authorization": f"Bearer {tokens.access_token}"}

    def plain(get: Callable[..., requests.Response]) -> object:
        reply = get(url, headers=headers, timeout=60)
        reply.raise_for_status()
        return reply.json()

    return {
        "requests.Session().get": lambda: plain(session.get),
        "client.licenses_used()": client.licenses_used,
        "requests.get": lambda: plain(requests.get),
    }


def measure(rounds: int, compared: dict[str, Callable[[], object]]) -> dict[str, list[float]]:
    """Return milliseconds a call of each kind, once a round."""
    took: dict[str, list[float]] = {name: [] for name in compared}
    for _ in range(rounds + 1):
        for name, call in compared.items():
            began = time.perf_counter()
            for _ in range(CALLS):
                call()
            took[name].append((time.perf_counter() - began) / CALLS * 1000)
    return {name: each[1:] for name, each in took.items()}


def main() -> None:
    """Measure and print."""
    rounds = rounds_wanted(20)
    for name in [name for name in os.environ if name.lower().endswith("_proxy")]:
        del os.environ[name]
    with emulator() as environ, requests.Session() as session:
        session.trust_env = False
        with IoTManager(Settings(environ=environ, token_store=MemoryTokenStore())) as client:
            client.authenticate()
            took = measure(rounds, kinds(client, session))
    print(f"Python {sys.version.split()[0]}, {rounds} rounds of {CALLS} calls; ms a call: fastest, median")
    base = min(took["requests.Session().get"])
    for name, each in took.items():
        print(f"{name:<26}{min(each):7.2f} {statistics.median(each):7.2f}  {min(each) / base:.2f} x requests, kept")


if __name__ == "__main__":
    main()
