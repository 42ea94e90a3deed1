"""The calls about batches that were ordered: look, list, download."""

from __future__ import annotations

from starlette.responses import Response

from sectigo_iot.emulator.exchange.paths import path_id
from sectigo_iot.emulator.exchange.replies import RefusalError, binary_reply, json_reply, text_reply
from sectigo_iot.emulator.exchange.visit import Handler, Visit
from sectigo_iot.emulator.memory.entities import Batch
from sectigo_iot.emulator.routes import documents

_PAGE_SIZE = 20


async def detail(visit: Visit) -> Response:
    """One batch as it stands."""
    return json_reply(_document(visit, _batch(visit)))


async def status(visit: Visit) -> Response:
    """The status of a batch in words."""
    return text_reply(documents.status_text(_batch(visit)))


async def processing_info(visit: Visit) -> Response:
    """How many certificates of a batch are being made, made, and failed."""
    return json_reply(documents.processing_document(_batch(visit)))


async def download(visit: Visit) -> Response:
    """The ZIP of a batch, as often as it is asked for."""
    service, batch = visit.service, _batch(visit)
    archive = service.state.archive(batch.id)
    if archive is None or batch.revoked or not batch.step.issues:
        return _not_ready(visit, batch)
    service.state.collect(batch.id)
    return binary_reply(archive, "application/octet-stream", f"{batch.id}.zip")


async def batches(visit: Visit) -> Response:
    """The batches of the organization, the newest first: its form is a guess, and a setting."""
    form = visit.service.settings.batch_list
    if form == "off":
        raise RefusalError(501, "no public schema exists for this call")
    own = [each for each in visit.service.state.batches.values() if each.organization_id == visit.organization.id]
    listed = [_document(visit, each) for each in reversed(own)]
    if form == "array":
        return json_reply(listed)
    page, size = _number(visit, "page", 0), _number(visit, "size", _PAGE_SIZE)
    return json_reply({"items": listed[page * size : (page + 1) * size], "total": len(listed)})


def _document(visit: Visit, batch: Batch) -> dict[str, object]:
    return documents.batch_document(batch, no_reason=documents.no_reason(visit.service.settings))


def _batch(visit: Visit) -> Batch:
    batch = visit.service.state.batch(path_id(visit.request))
    if batch is None or batch.organization_id != visit.organization.id:
        raise RefusalError(404, "there is no such batch")
    visit.batch_id = batch.id
    return batch


def _not_ready(visit: Visit, batch: Batch) -> Response:
    """Return the answer to a download too early, or too late; its form is a setting."""
    settings = visit.service.settings
    message = f"the batch {batch.id} cannot be downloaded in status {batch.status}"
    visit.refusal = message
    if settings.not_ready_body == "json":
        raise RefusalError(settings.not_ready_status, message)
    if settings.not_ready_body == "text":
        return text_reply(message, settings.not_ready_status)
    html = f"<!DOCTYPE html>\n<title>Error</title>\n<p>{message}</p>\n"
    body = html if settings.not_ready_body == "html" else ""
    return Response(body, settings.not_ready_status, media_type="text/html" if body else None)


def _number(visit: Visit, name: str, default: int) -> int:
    text = visit.request.query_params.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        raise RefusalError(400, f"{name}: a number is required")
    return int(text)


HANDLERS: dict[str, Handler] = {
    "batchDetail": detail,
    "batchStatus": status,
    "batchProcessingInfo": processing_info,
    "download": download,
    "batches": batches,
}
