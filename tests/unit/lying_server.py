"""A server on the loopback that answers as it is told, wrong, cut, or not at all, and a clock that is set by hand."""

from __future__ import annotations

import base64
import contextlib
import json
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple, Self

from sectigo_iot import IoTManager, MemoryTokenStore, Settings

RESET = b"<reset>"
"""An answer: the connection is reset."""
HANG = b"<hang>"
"""An answer: nothing, until the server is closed."""
USERNAME, PASSWORD = "jane", "correct-horse-battery"


class Seen(NamedTuple):
    """One request as it came."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


Answer = bytes | Callable[[Seen], bytes]


def answer(
    status: int = 200, body: bytes | str = b"", media_type: str | None = "application/json", **headers: str
) -> bytes:
    """Return an answer as bytes; header names are written with underscores."""
    data = body.encode() if isinstance(body, str) else body
    fields = {"Content-Length": str(len(data))}
    if media_type is not None:
        fields["Content-Type"] = media_type
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status} Word\r\n{head}\r\n".encode("latin-1") + data


def json_answer(document: object, status: int = 200, **headers: str) -> bytes:
    return answer(status, json.dumps(document), **headers)


def jwt(claims: Mapping[str, object] | bytes) -> str:
    """Return an unsigned token with these claims."""
    payload = claims if isinstance(claims, bytes) else json.dumps(claims).encode()
    coded = base64.urlsafe_b64encode(payload).rstrip(b"=").decode()
    return f"eyJhbGciOiJIUzUxMiJ9.{coded}.c2lnbmF0dXJl"


def token(lifetime: float = 600, *, at: float | None = None, **more: object) -> str:
    begins = time.time() if at is None else at
    return jwt({"sub": "/account/1/user/2", "iat": begins, "exp": begins + lifetime, **more})


_numbers = iter(range(10**9))


def tokens(lifetime: float = 600, *, refresh: float = 7200, at: float | None = None) -> dict[str, str]:
    """Return a reply to a log-in, different each time."""
    number = next(_numbers)
    return {"accessToken": token(lifetime, at=at, n=number), "refreshToken": token(refresh, at=at, jti=str(number))}


class LyingServer:
    """Gives these answers one after the other, the last one for ever; log-ins are answered apart, with new tokens."""

    def __init__(self, *answers: Answer, login: Answer | None = None, refresh: Answer | None = None) -> None:
        self._answers = list(answers)
        self._login = login
        self._refresh = refresh
        self.seen: list[Seen] = []
        self._guard = threading.Lock()
        self._closing = threading.Event()
        self._connections: list[socket.socket] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.host = f"127.0.0.1:{self._listener.getsockname()[1]}"
        self.url = f"http://{self.host}"
        self._threads = [threading.Thread(target=self._accept, daemon=True)]

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in self._connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    @property
    def calls(self) -> list[Seen]:
        """The requests that were no log-in and no refresh."""
        return [seen for seen in self.seen if "/auth/" not in seen.path]

    @property
    def logins(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.endswith("/auth/pwd")]

    @property
    def refreshes(self) -> list[Seen]:
        return [seen for seen in self.seen if seen.path.endswith("/auth/refresh")]

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, connection.makefile("rb") as file, contextlib.suppress(OSError):
            while (seen := _read(file)) is not None:
                reply = self._reply(seen)
                if reply == HANG:
                    self._closing.wait()
                    return
                if reply == RESET:
                    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                connection.sendall(reply)
                if not _whole(reply):
                    return

    def _reply(self, seen: Seen) -> bytes:
        with self._guard:
            self.seen.append(seen)
            chosen = self._chosen(seen)
        return chosen if isinstance(chosen, bytes) else chosen(seen)

    def _chosen(self, seen: Seen) -> Answer:
        if seen.path.endswith("/auth/pwd"):
            return self._login or json_answer(tokens())
        if seen.path.endswith("/auth/refresh"):
            return self._refresh or json_answer(tokens())
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]


def _read(file: Any) -> Seen | None:
    line = file.readline().decode("latin-1")
    if not line.strip():
        return None
    method, path, _ = line.split(" ", 2)
    headers: dict[str, str] = {}
    while (line := file.readline().decode("latin-1").strip()) != "":
        name, _, value = line.partition(":")
        headers[name.lower()] = value.strip()
    return Seen(method, path, headers, file.read(int(headers.get("content-length", "0"))))


def _whole(reply: bytes) -> bool:
    """Whether the connection can go on after this answer."""
    head, separator, body = reply.partition(b"\r\n\r\n")
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    return bool(separator and lengths) and lengths[0].partition(b":")[2].strip() == str(len(body)).encode()


@contextlib.contextmanager
def blunt_server(reply: bytes, *, stall: bool = False, dribble: bytes = b"") -> Iterator[str]:
    """Answer the first bytes of every connection, whatever they are, and close or stall it; gives `host:port`.

    `dribble` is sent again and again after that, a little at a time.
    """
    over = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def serve() -> None:
            while not over.is_set():
                with contextlib.suppress(OSError):
                    connection, _ = listener.accept()
                    with connection:
                        connection.recv(65536)
                        connection.sendall(reply)
                        while dribble and not over.wait(0.05):
                            connection.sendall(dribble)
                        over.wait(5 if stall else 0)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield f"127.0.0.1:{listener.getsockname()[1]}"
        over.set()
        with contextlib.suppress(OSError):
            listener.shutdown(socket.SHUT_RDWR)
        thread.join(5)


class Clock:
    """Time that passes only where somebody sleeps; `slept` lists the pauses."""

    def __init__(self, now: float = 1_000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def settings_at(url: str, **changes: Any) -> Settings:
    values: dict[str, Any] = {
        "username": USERNAME,
        "password": PASSWORD,
        "endpoint": url,
        "environment": "testing",
        "token_store": MemoryTokenStore(),
        "environ": {},
    }
    return Settings(**{**values, **changes})


@contextlib.contextmanager
def lies(
    *answers: Answer,
    login: Answer | None = None,
    refresh: Answer | None = None,
    clock: Callable[[], float] = time.time,
    ticks: Clock | None = None,
    **changes: Any,
) -> Iterator[tuple[LyingServer, IoTManager]]:
    """Run a server that gives these answers, and a client of it whose pauses take no time."""
    waiting = ticks or Clock()
    with LyingServer(*answers, login=login, refresh=refresh) as server:
        settings = settings_at(server.url, **changes)
        with IoTManager(settings, clock=clock, monotonic=waiting, sleep=waiting.sleep) as client:
            yield server, client


def closed_port() -> int:
    """Return a port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


BATCH = {
    "batchId": 24,
    "orderNumber": 1024,
    "creationDate": "2021-06-23T17:53:43.484+0000",
    "profile": "TRISA Profile",
    "size": 1,
    "status": "CREATED",
    "active": False,
    "batchName": "first",
    "rejectReason": "",
    "generatorParametersValues": None,
    "userId": 10,
    "downloadable": True,
    "rejectable": True,
}
PARAMS = {"commonName": "example.com", "dNSName": "example.com", "pkcs12Password": "Very-Secret-12"}
