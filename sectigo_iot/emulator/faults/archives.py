"""Faults in the ZIP that is downloaded. A reply that is no ZIP stays as it is."""

from __future__ import annotations

import asyncio
import datetime
import io
import secrets
import zipfile
from collections.abc import Callable, Iterable
from pathlib import PurePosixPath

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from sectigo_iot.emulator.ca.bundles import make_pkcs12
from sectigo_iot.emulator.exchange.visit import Visit
from sectigo_iot.emulator.faults.acts import Act, Fault, Option, Strike
from sectigo_iot.emulator.faults.bombs import overlapping_bomb, plain_bomb
from sectigo_iot.emulator.faults.replies import with_body

Entries = list[tuple[str, bytes]]
_WRONG_LENGTH = 100
_FLIPPED = 16


class Overlong(Response):
    """A response that goes on after the end that its `Content-Length` announces."""

    def __init__(self, visit: Visit, response: Response, length: int) -> None:
        content = bytes(response.body)
        super().__init__(content[:length], response.status_code)
        self.raw_headers = with_body(response, content[:length]).raw_headers
        self._visit = visit
        self._rest = content[length:]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, and what is left of the body behind it."""
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": self.body, "more_body": True})
        # The server would not send it, and might close the connection once it has sent the end.
        self._visit.wire.write(self._rest)
        await send({"type": "http.response.body", "body": b"", "more_body": False})


async def zip_cut(act: Act) -> Response:
    """Hand out the beginning of the ZIP, under its own length."""
    return await _with_zip(act, lambda archive: archive[: _length(act, len(archive) // 2)])


async def zip_wrong_length(act: Act) -> Response:
    """Hand out the ZIP under a length that is not its own."""
    response = await act.handle()
    content = bytes(response.body)
    if not _is_zip(response):
        return response
    difference = _length(act, _WRONG_LENGTH)
    if act.rule.value == "less":
        return Overlong(act.visit, response, max(0, len(content) - difference))
    # What is missing is written too, so that the server sees a whole reply, and cut off below it.
    act.visit.wire.cut(len(content))
    return with_body(response, content + bytes(difference))


async def zip_corrupt(act: Act) -> Response:
    """Hand out a ZIP that is sound, with files that are not."""
    return await _with_zip(act, lambda archive: _pack((name, _flipped(file)) for name, file in _unpack(archive)))


async def zip_wrong_password(act: Act) -> Response:
    """Hand out each PKCS#12 under a password that nobody knows, with a key and certificate of its own."""
    return await _with_zip(act, lambda archive: _pack((name, _locked(name, file)) for name, file in _unpack(archive)))


def _traversing(entries: Entries) -> Entries:
    return [(f"../../escaped{PurePosixPath(name).suffix}", file) for name, file in entries]


def _doubled(entries: Entries) -> Entries:
    path = PurePosixPath(entries[0][0])
    return [*entries, (f"{path.stem} - 1{path.suffix}", entries[0][1])]


def _repacked(change: Callable[[Entries], Entries]) -> Strike:
    return _replaced(lambda _rule_value, archive: _pack(change(_unpack(archive))))


def _replaced(make: Callable[[str | None, bytes], bytes]) -> Strike:
    async def strike(act: Act) -> Response:
        return await _with_zip(act, lambda archive: make(act.rule.value, archive))

    return strike


def _bomb(form: str | None, _archive: bytes) -> bytes:
    return overlapping_bomb() if form == "overlap" else plain_bomb()


async def _with_zip(act: Act, change: Callable[[bytes], bytes]) -> Response:
    response = await act.handle()
    if not _is_zip(response):
        return response
    return with_body(response, await asyncio.to_thread(change, bytes(response.body)))


def _is_zip(response: Response) -> bool:
    return response.status_code == 200 and bytes(response.body[:2]) == b"PK"


def _length(act: Act, default: int) -> int:
    return default if act.rule.bytes is None else act.rule.bytes


def _unpack(archive: bytes) -> Entries:
    with zipfile.ZipFile(io.BytesIO(archive)) as opened:
        return [(name, opened.read(name)) for name in opened.namelist()]


def _pack(entries: Iterable[tuple[str, bytes]]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, file in entries:
            archive.writestr(name, file)
    return content.getvalue()


def _flipped(file: bytes) -> bytes:
    start = max(0, (len(file) - _FLIPPED) // 2)
    middle = bytes(byte ^ 0xFF for byte in file[start : start + _FLIPPED])
    return file[:start] + middle + file[start + _FLIPPED :]


def _locked(name: str, file: bytes) -> bytes:
    if not name.endswith(".p12"):
        return file
    friendly = name.removesuffix(".p12")
    key = ec.generate_private_key(ec.SECP256R1())
    return make_pkcs12(friendly, key, _self_signed(friendly, key), (), secrets.token_urlsafe(24))


def _self_signed(name: str, key: ec.EllipticCurvePrivateKey) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name[:64])])
    now = datetime.datetime.now(datetime.UTC).replace(microsecond=0)
    builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(now).not_valid_after(now + datetime.timedelta(days=1))
    return builder.sign(key, hashes.SHA256())


def _fault(name: str, summary: str, strike: Strike, options: dict[str, Option] | None = None) -> Fault:
    return Fault(name, summary, strike, calls=("download",), options=options or {})


FAULTS = (
    _fault(
        "zip-cut",
        "The ZIP is cut short, with a length that fits.",
        zip_cut,
        {"bytes": Option(None, "how much of it is left; half where left out")},
    ),
    _fault(
        "zip-wrong-length",
        "`Content-Length` says more than comes before the connection closes, or less than comes.",
        zip_wrong_length,
        {
            "bytes": Option(_WRONG_LENGTH, "the difference", least=1),
            "value": Option("more", "what the length says", ("more", "less")),
        },
    ),
    _fault("zip-empty", "A reply of no bytes is answered instead of the ZIP.", _replaced(lambda _value, _zip: b"")),
    _fault("zip-no-entries", "The ZIP holds nothing.", _repacked(lambda _entries: [])),
    _fault("zip-two-entries", "The ZIP holds one file more, a copy of the first.", _repacked(_doubled)),
    _fault(
        "zip-traversal",
        "The files in the ZIP have names that lead outside: `../../escaped.p12`.",
        _repacked(_traversing),
    ),
    _fault(
        "zip-bomb",
        "The ZIP is small and unpacks to more than 1 GiB.",
        _replaced(_bomb),
        {"value": Option("plain", "one entry, or many that overlap", ("plain", "overlap"))},
    ),
    _fault(
        "zip-wrong-password",
        "The PKCS#12 is under another password; it holds another key and certificate.",
        zip_wrong_password,
    ),
    _fault("zip-corrupt", "The ZIP is sound, the bytes of the files in it are not.", zip_corrupt),
)
"""The faults of this kind."""
