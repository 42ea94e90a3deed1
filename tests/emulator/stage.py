"""One fault on a real socket, around a handler whose answer is known."""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import socket
import threading
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from starlette.requests import Request
from starlette.responses import Response

from sectigo_iot.emulator.config.world import Authority, Organization, Parameter, Profile, User, World
from sectigo_iot.emulator.exchange.jwts import TokenMint
from sectigo_iot.emulator.exchange.visit import Visit
from sectigo_iot.emulator.faults.catalogue import parse_rule, strike
from sectigo_iot.emulator.faults.plan import Plan
from sectigo_iot.emulator.memory.ledger import Ledger, fresh_tables
from sectigo_iot.emulator.memory.records import Records
from sectigo_iot.emulator.memory.users import Users
from sectigo_iot.emulator.net.running import ServerThread

USER = User(id=2, username="tester", password="unused")
ORGANIZATION = Organization(id=1, name="Example", authorities=(Authority(id=7, profile=17),), users=(USER,))
WORLD = World(
    profiles=(Profile(id=17, name="First", parameters=(Parameter(name="commonName"),)),),
    organizations=(ORGANIZATION,),
)


class Stage:
    """An application that answers each request as told, after a fault has been at it."""

    def __init__(self, rule: str, answer: Response | list[Response], endpoint: str) -> None:
        self.rule = parse_rule(rule)
        self.answers = answer if isinstance(answer, list) else [answer]
        self.endpoint = endpoint
        self.handled = threading.Semaphore(0)
        self.visits: list[Visit] = []
        self.plan = Plan(7)
        self.clock = [time.time()]
        self.mint = TokenMint(
            secret=b"s" * 64,
            issuer="http://example.test/",
            access_lifetime=600,
            refresh_lifetime=7200,
            clock=lambda: self.clock[0],
        )
        self.ledger = Ledger(WORLD, Records(fresh_tables(WORLD), None))
        self.service: Any = SimpleNamespace(
            now=self.clock[0],
            mint=self.mint,
            door=None,
            tls_url=None,
            users=Users(WORLD, None),
            state=SimpleNamespace(ledger=self.ledger),
        )
        self.port = 0

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "lifespan":
            while (await receive())["type"] == "lifespan.startup":
                await send({"type": "lifespan.startup.complete"})
            await send({"type": "lifespan.shutdown.complete"})
            return
        visit = Visit(self.service, Request(scope, receive), self.endpoint)
        self.visits.append(visit)
        number = len(self.visits)

        async def handle() -> Response:
            await asyncio.sleep(0)
            self.handled.release()
            return self.answers[min(number, len(self.answers)) - 1]

        def fraction() -> float:
            return self.plan.fraction(number, time.perf_counter_ns())

        response = await strike(self.rule, visit, handle, fraction)
        with contextlib.suppress(asyncio.CancelledError):
            if response is not None:
                await response(scope, receive, send)

    @property
    def was_handled(self) -> bool:
        """Whether the handler ran, told once for each time that it did."""
        return self.handled.acquire(blocking=False)

    def bearer(self) -> str:
        """Return a header by which the user is known."""
        tokens = self.mint.pair("/account/1/user/2", ("ROLE_USER",), "tester")
        return f"Bearer {tokens['accessToken']}"

    def call(self, method: str = "GET", path: str = "/", body: bytes = b"", **headers: str) -> Reply:
        """Send one request on a connection of its own."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        with contextlib.closing(connection):
            connection.request(method, path, body, headers)
            reply = connection.getresponse()
            return Reply(reply.status, reply.headers, reply.read())


class Reply:
    """What came back."""

    def __init__(self, status: int, headers: Any, body: bytes) -> None:
        self.status = status
        self.headers = headers
        self.body = body


@contextlib.contextmanager
def staged(rule: str, answer: Response | list[Response] | None = None, endpoint: str = "devices") -> Iterator[Stage]:
    """Serve a stage on a port of its own."""
    stage = Stage(rule, Response(b"true") if answer is None else answer, endpoint)
    listener = socket.socket()
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind(("127.0.0.1", 0))
    listener.listen()
    stage.port = listener.getsockname()[1]
    thread = ServerThread(stage, listener, lambda: None, lambda: None)
    stage.service.door = thread.door
    thread.start()
    try:
        yield stage
    finally:
        thread.stop()
