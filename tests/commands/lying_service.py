"""A service that answers whatever a test wants, and keeps what it was asked."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple, Self

JSON = "application/json;charset=UTF-8"
USERNAME, PASSWORD = "jane", "correct-horse-battery"
BATCH = {"batchId": 24, "orderNumber": 1024, "profile": "EE", "size": 1, "status": "CREATED", "batchName": "b"}
AUTHORITY = {"id": 7, "balance": 5, "enabled": True, "profileId": 8, "profileName": "EE_#8"}

AUTH = "POST /auth/pwd"
AUTHORITIES = "GET /api/v1/authorities/allowed"
PARAMETERS = "GET /api/v1/profiles/8/parameters"
CREATE = "PUT /api/v1/batches/createSingleCertBatch"
UPLOAD = "POST /api/v1/batches/upload"
FIND = "POST /api/v1/certificates/find"
REVOKE = "POST /api/v1/certificates/8/revoke"


class Answer(NamedTuple):
    """One answer; `hang` keeps it back until the test is over, `stall` its second half, `cut` closes without any."""

    body: bytes = b""
    status: int = 200
    media_type: str = JSON
    hang: bool = False
    stall: bool = False
    cut: bool = False


HANG = Answer(hang=True)
CUT = Answer(cut=True)


def document(value: object, status: int = 200) -> Answer:
    return Answer(json.dumps(value, ensure_ascii=False).encode(), status)


def text(words: str, status: int = 200) -> Answer:
    return Answer(words.encode(), status, "text/plain")


def html(status: int = 200) -> Answer:
    return Answer(b"<!DOCTYPE html>\n<html><body>Welcome</body></html>", status, "text/html")


def jwt(**claims: object) -> str:
    parts = ({"alg": "HS512"}, claims, "signature")
    return ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)


def tokens(access_seconds: int = 600, refresh_seconds: int = 7200) -> Answer:
    now = int(time.time())
    access = jwt(iat=now, exp=now + access_seconds, sub="/account/1/user/2")
    return document({"accessToken": access, "refreshToken": jwt(iat=now, exp=now + refresh_seconds, jti="r")})


def ready(batch: int) -> dict[str, Answer]:
    """What a batch answers that is ready."""
    return {
        f"GET /api/v1/batches/{batch}/processing_info": document({"active": 0, "success": 1, "failed": 0}),
        f"GET /api/v1/batches/{batch}/status": text("Ready for download"),
        f"GET /api/v1/batches/{batch}": document({**BATCH, "batchId": batch, "status": "READY_FOR_DOWNLOAD"}),
    }


def waiting(batch: int) -> dict[str, Answer]:
    """What a batch answers right after its order."""
    return {
        f"GET /api/v1/batches/{batch}/processing_info": document({"active": 0, "success": 0, "failed": 0}),
        f"GET /api/v1/batches/{batch}/status": text("Not Acceptable. Status: CREATED"),
        f"GET /api/v1/batches/{batch}": document({**BATCH, "batchId": batch}),
    }


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False

    def handle_error(self, *_: object) -> None:
        """Say nothing: that a client is killed is what some tests want."""


def environ_at(url: str) -> Mapping[str, str]:
    """Return the variables of a user of the service at this address."""
    return {
        "SECTIGO_USERNAME": USERNAME,
        "SECTIGO_PASSWORD": PASSWORD,
        "SECTIGO_ENDPOINT": url,
        "SECTIGO_ENVIRONMENT": "testing",
    }


class LyingService:
    """Logs in whoever asks; orders are accepted; anything else is 404, unless `answers` says otherwise."""

    def __init__(self) -> None:
        self.answers: dict[str, Answer] = {
            AUTH: tokens(),
            AUTHORITIES: document([AUTHORITY]),
            PARAMETERS: Answer(b"", 501),
            CREATE: document(BATCH, 201),
            UPLOAD: document(BATCH, 201),
        }
        self.asked: list[str] = []
        self.bodies: dict[str, bytes] = {}
        self.hanging = threading.Event()
        self._over = threading.Event()

    def __enter__(self) -> Self:
        service = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            wbufsize = -1

            def handle_one_request(self) -> None:
                self.raw_requestline = self.rfile.readline(65537)
                if not self.raw_requestline or not self.parse_request():
                    self.close_connection = True
                    return
                service.answer(self)
                self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing."""

        self._server = _Server(("127.0.0.1", 0), Handler)
        threading.Thread(target=self._server.serve_forever, args=(0.002,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler: BaseHTTPRequestHandler) -> None:
        request = f"{handler.command} {handler.path}"
        self.bodies[request] = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        self.asked.append(request)
        answer = self.answers.get(request, Answer(b"", 404))
        if answer.hang:
            self._hang()
        if answer.hang or answer.cut:
            handler.close_connection = True
            return
        handler.send_response(answer.status)
        handler.send_header("Content-Type", answer.media_type)
        handler.send_header("Content-Length", str(len(answer.body)))
        handler.end_headers()
        half = len(answer.body) // 2 if answer.stall else 0
        if half:
            handler.wfile.write(answer.body[:half])
            handler.wfile.flush()
            self._hang()
        handler.wfile.write(answer.body[half:])

    def _hang(self) -> None:
        self.hanging.set()
        self._over.wait(20)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    @property
    def environ(self) -> Mapping[str, str]:
        return environ_at(self.url)
