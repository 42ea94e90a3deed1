"""What is taken out of a recording before it is written, and what is made the same at each recording.

vcrpy's own filters do not know this service's media types, and never look at replies; so these hooks replace, in
both directions, each password by `SCRUBBED`, the signature of each token by the same word (its claims stay
readable: the client counts lifetimes from them), and each ZIP by one with the same names and nothing in them.
Whoever replays types `SCRUBBED` where a password is due, so that requests are compared with nothing left out.
"""

from __future__ import annotations

import base64
import io
import re
import zipfile
from typing import Any

from vcr.request import Request  # type: ignore[import-untyped]

SCRUBBED = "scrubbed"
ENDPOINT = "http://127.0.0.1:8831"
"""Where an emulator listens by default; at recording it listens on any free port."""

TOKEN = re.compile(r"(eyJ[\w-]+)\.(eyJ[\w-]+)\.([\w-]+)")
_PASSWORD = re.compile(r'("\w*password\w*"\s*:\s*")(?:[^"\\]|\\.)*(")', re.IGNORECASE)
_OPAQUE = re.compile(r'("(?:access|refresh)Token"\s*:\s*")(?!eyJ)[^"]*(")')
_UUID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")
_SERIAL = re.compile(r"\b[0-9A-F]{32}\b")
_SENT = ("Accept", "Authorization", "Content-Type")
_ANSWERED = ("content-type", "content-disposition", "content-length", "location", "retry-after")


def serial_number(number: int) -> str:
    """Return the serial number that stands for the n-th one of a recording, counted from 1."""
    return f"4{number:031d}"


def harmless_zip(names: list[str]) -> bytes:
    """Return a ZIP with these names in it, each a file of one word; always the same bytes for the same names."""
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name, (2020, 12, 10, 16, 35, 32)), f"{SCRUBBED}\n")
    return stream.getvalue()


class Scrubber:
    """The two hooks of one recording. What is random is numbered in the order in which it appears."""

    def __init__(self) -> None:
        self._known: dict[str, str] = {}
        self._counts = {"uuid": 0, "serial": 0}

    def request(self, request: Request) -> Request:
        """Scrub what was sent, and leave out the headers that mean nothing to the service."""
        headers = {name: request.headers[name] for name in _SENT if name in request.headers}
        boundary = re.search(r"boundary=(\S+)", headers.get("Content-Type", ""))
        body = request.body
        if boundary:
            body = body.replace(boundary[1].encode(), b"boundary")
            headers["Content-Type"] = headers["Content-Type"].replace(boundary[1], "boundary")
        headers = {name: self.text(value) for name, value in headers.items()}
        uri = ENDPOINT + self.text(request.uri.removeprefix(f"{request.scheme}://{request.parsed_uri.netloc}"))
        return Request(request.method, uri, None if body is None else self.data(body), headers)

    def response(self, response: dict[str, Any]) -> dict[str, Any]:
        """Scrub what was answered, and leave out the headers that a client does not read."""
        body = self.data(response["body"]["string"])
        headers = {name.lower(): values for name, values in response["headers"].items()}
        kept = {name: headers[name] for name in _ANSWERED if name in headers} | {"content-length": [str(len(body))]}
        return {**response, "headers": kept, "body": {"string": body}}

    def data(self, data: bytes) -> bytes:
        """Return the content of a request or of a reply without secrets."""
        if data.startswith(b"PK\x03\x04"):
            with zipfile.ZipFile(io.BytesIO(data)) as archive:
                return harmless_zip(archive.namelist())
        return self.text(data.decode()).encode()

    def text(self, text: str) -> str:
        """Return a text without secrets, and with numbers for what is random in it."""
        text = TOKEN.sub(self._token, text)
        text = _OPAQUE.sub(rf"\1{SCRUBBED}\2", _PASSWORD.sub(rf"\1{SCRUBBED}\2", text))
        return self._numbered(text)

    def _token(self, found: re.Match[str]) -> str:
        claims = base64.urlsafe_b64decode(found[2] + "=" * (-len(found[2]) % 4)).decode()
        steady = base64.urlsafe_b64encode(self._numbered(claims).encode()).decode().rstrip("=")
        return f"{found[1]}.{steady}.{SCRUBBED}"

    def _numbered(self, text: str) -> str:
        text = _UUID.sub(lambda found: self._number("uuid", found[0]), text)
        return _SERIAL.sub(lambda found: self._number("serial", found[0]), text)

    def _number(self, kind: str, value: str) -> str:
        if value in self._known.values():
            return value
        if value not in self._known:
            self._counts[kind] += 1
            number = self._counts[kind]
            self._known[value] = (
                serial_number(number) if kind == "serial" else f"00000000-0000-4000-8000-{number:012d}"
            )
        return self._known[value]
