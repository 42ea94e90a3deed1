"""Batches: ordering certificates, following the order, fetching what was issued."""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from email.message import Message
from pathlib import Path
from typing import BinaryIO, TypeVar

from sectigo_iot.calls import BINARY, Call, call_of
from sectigo_iot.errors import (
    BundleError,
    InvalidInputError,
    InvalidReplyError,
    PKCSPasswordRequiredError,
    told_type,
)
from sectigo_iot.failures import outcome_unknown
from sectigo_iot.files import private_file, sweep
from sectigo_iot.models import Batch, ProcessingInfo
from sectigo_iot.pages import is_page
from sectigo_iot.pki import check_zip
from sectigo_iot.replies import Reply
from sectigo_iot.statuses import Param, StatusText
from sectigo_iot.transport import Transport

LARGEST_DOWNLOAD = 1 << 30
"""Bytes."""

_T = TypeVar("_T")

Progress = Callable[[int, int | None], None]
"""Told how many bytes have come, and of how many, where the service says so."""


BeforeSend = Callable[[], None]
"""Called when the connection stands and no byte of the order has left; what it raises keeps it from leaving."""


def create_single_cert_batch(
    transport: Transport,
    authority: int,
    name: str,
    params: Mapping[str, str],
    before_send: BeforeSend | None = None,
) -> Batch:
    """API: PUT /api/v1/batches/createSingleCertBatch"""
    if not name.strip():
        raise InvalidInputError("a batch needs a name: by it a lost order is found again")
    if params.get(Param.PKCS12_PASSWORD) == "":
        raise PKCSPasswordRequiredError("the PKCS#12 password is empty")
    payload = {"authorityId": authority, "batchName": name, "profileParams": dict(params)}
    call = call_of(transport, "createSingleCertBatch")
    return _ordered(transport, call._replace(payload=payload, order=name, before_send=before_send))


def upload_csr_batch(
    transport: Transport,
    profile_id: int,
    filename: str,
    csr_data: bytes,
    params: Mapping[str, str],
    before_send: BeforeSend | None = None,
) -> Batch:
    """API: POST /api/v1/batches/upload"""
    if not csr_data:
        raise InvalidInputError(f"{filename}: there is nothing in it")
    # What is sent is what it can be found by.
    name = _plain_name(filename) or "requests.csr"
    request = {"profileId": profile_id, "batchType": "BATCH", "profileParams": dict(params)}
    media_type = "application/zip" if csr_data.startswith(b"PK") else "text/plain"
    call = call_of(transport, "upload")._replace(
        files=(
            ("profileId", (None, str(profile_id))),
            ("csrBatchRequest", ("blob", json.dumps(request).encode(), "application/json")),
            ("files", (name, csr_data, media_type)),
        ),
        order=name,
        secrets=tuple(params.values()),
        before_send=before_send,
    )
    return _ordered(transport, call)


def _ordered(transport: Transport, call: Call) -> Batch:
    reply = transport.send(call)
    try:
        return Batch.read(reply.document())
    except (InvalidReplyError, RecursionError) as error:
        # It was accepted, so it may be paid for; which batch it became is what nobody knows.
        raise outcome_unknown(call, str(error)) from None


def batch_detail(transport: Transport, batch_id: int) -> Batch:
    """API: GET /api/v1/batches/{id}"""
    return Batch.read(transport.send(call_of(transport, "batchDetail", batch_id)).document())


def batch_status(transport: Transport, batch_id: int) -> StatusText:
    """API: GET /api/v1/batches/{id}/status"""
    reply = transport.send(call_of(transport, "batchStatus", batch_id))
    text = reply.text().strip()
    # Whatever its type says: a status is plain text, and some servers call everything text/html.
    if not text or text == "null" or len(text) > 500 or is_page("", reply.body):
        raise InvalidReplyError("batchStatus: the service sent something else where a status in plain text is due")
    return StatusText.read(text)


def processing_info(transport: Transport, batch_id: int) -> ProcessingInfo:
    """API: GET /api/v1/batches/{id}/processing_info"""
    return ProcessingInfo.read(transport.send(call_of(transport, "batchProcessingInfo", batch_id)).document())


def download(
    transport: Transport,
    batch_id: int,
    directory: Path,
    *,
    replace: bool = False,
    on_progress: Progress | None = None,
) -> Path:
    """API: GET /api/v1/batches/{id}/download"""
    if not directory.is_dir():
        raise InvalidInputError(f"{directory} is no folder")
    # Even if nothing comes this time.
    sweep(directory)

    def keep(reply: Reply) -> Path:
        target = directory / bundle_name(reply, batch_id)
        with private_file(target, replace=replace) as file:
            _copy(reply, file, on_progress)
            check_zip(file)
        return target

    return _fetched(transport, batch_id, keep)


def download_bytes(transport: Transport, batch_id: int, on_progress: Progress | None = None) -> bytes:
    """API: GET /api/v1/batches/{id}/download"""

    def keep(reply: Reply) -> bytes:
        file = io.BytesIO()
        _copy(reply, file, on_progress)
        check_zip(file)
        return file.getvalue()

    return _fetched(transport, batch_id, keep)


def _fetched(transport: Transport, batch_id: int, keep: Callable[[Reply], _T]) -> _T:
    """Fetch the ZIP and hand it to `keep`."""

    def checked(reply: Reply) -> _T:
        _check_type(reply)
        return keep(reply)

    call = call_of(transport, "download", batch_id)._replace(media_type=BINARY, stream=True)
    return transport.stream(call, checked)


def _check_type(reply: Reply) -> None:
    # What is no page and no document is looked into: ZIPs come under many names.
    if reply.media_type.startswith("text/") or reply.media_type == "application/json":
        raise InvalidReplyError(f"download: the service sent {told_type(reply.media_type)} where a ZIP is due")


def _copy(reply: Reply, file: BinaryIO, on_progress: Progress | None) -> None:
    length = reply.headers.get("Content-Length", "")
    total = int(length) if length.isascii() and length.isdigit() else None
    done = 0
    for chunk in reply.chunks():
        done += len(chunk)
        if done > LARGEST_DOWNLOAD:
            raise BundleError(f"the download is larger than {LARGEST_DOWNLOAD >> 20} MiB")
        file.write(chunk)
        if on_progress is not None:
            on_progress(done, total)


def bundle_name(reply: Reply, batch_id: int) -> str:
    """Return the server's file name, reduced to a plain name; `<batchId>.zip` where it gives none that is usable."""
    header = Message()
    header["Content-Disposition"] = "".join(c for c in reply.headers.get("Content-Disposition", "") if c >= " ")
    try:
        given = header.get_filename() or ""
    except (LookupError, ValueError, AttributeError, TypeError):
        given = ""
    name = _plain_name(given)
    return name if name.lower().endswith(".zip") and len(name) > 4 else f"{batch_id}.zip"


def _plain_name(name: str) -> str:
    """Return the last component of a name, with nothing in it that a file system or a terminal takes amiss."""
    base = name.replace("\\", "/").rpartition("/")[2]
    plain = "".join(c if c.isalnum() or c in "-_.+@ " else "_" for c in base).strip(" .")
    return plain.encode()[-200:].decode("utf-8", "ignore")
