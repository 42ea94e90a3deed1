"""The calls about batches: order, upload, look, download."""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.requests import Request
from starlette.responses import Response

from sectigo_iot.emulator import documents
from sectigo_iot.emulator.accounts import Authority
from sectigo_iot.emulator.bodies import integer_in, read_body, read_object, text_in, texts_in
from sectigo_iot.emulator.forms import parse_form
from sectigo_iot.emulator.parameters import first_fault
from sectigo_iot.emulator.paths import path_id
from sectigo_iot.emulator.replies import ENDING, RefusalError, binary_reply, json_reply, text_reply
from sectigo_iot.emulator.service import Handler, Service
from sectigo_iot.emulator.signing_requests import common_name_of, split_requests
from sectigo_iot.emulator.state import Batch, Job, NoBalanceError
from sectigo_iot.emulator.upload_form import check_upload


async def create(service: Service, request: Request) -> Response:
    """Order one certificate. Spends a licence."""
    document = await read_object(request)
    authority = service.state.authority(integer_in(document, "authorityId"))
    name = text_in(document, "batchName", "")
    parameters = texts_in(document, "profileParams")
    if authority is None or not authority.enabled:
        raise RefusalError(400, "authorityId: the account has no such authority, or it is not enabled")
    fault = first_fault(authority.profile, parameters)
    if fault:
        raise RefusalError(400, fault)
    return await _accept(service, authority, name, 1, "CREATED", Job(parameters=parameters))


async def upload(service: Service, request: Request) -> Response:
    """Order a certificate for each signing request in a file. Spends as many licences."""
    parts = parse_form(request.headers.get("content-type", ""), await read_body(request))
    profile_id = check_upload(parts)
    authority = service.state.authority_of_profile(profile_id)
    if authority is None or not authority.enabled:
        raise RefusalError(403, f"the profile {profile_id} is not allowed to this user")
    file = parts["files"]
    try:
        requests = await asyncio.to_thread(split_requests, file.content)
    except ValueError as fault:
        raise RefusalError(400, f"files: {fault}") from None
    if not requests:
        raise RefusalError(400, "files: there is no certificate signing request in PEM")
    if service.settings.duplicates == "refuse":
        await asyncio.to_thread(_refuse_duplicates, requests)
    name = file.filename or ""
    return await _accept(service, authority, name, len(requests), "PENDING", Job(requests=requests))


async def detail(service: Service, request: Request) -> Response:
    """One batch as it stands."""
    return json_reply(documents.batch_document(_batch(service, request), service.state.account.user_id))


async def status(service: Service, request: Request) -> Response:
    """The status of a batch in words."""
    return text_reply(documents.status_text(_batch(service, request)))


async def processing_info(service: Service, request: Request) -> Response:
    """How many certificates of a batch are being made, made, and failed."""
    return json_reply(documents.processing_document(_batch(service, request)))


async def download(service: Service, request: Request) -> Response:
    """The ZIP of a batch, as often as it is asked for."""
    batch = _batch(service, request)
    if batch.archive is None or batch.status == "REVOKED":
        message = f"the batch {batch.id} cannot be downloaded in status {batch.status}"
        raise RefusalError(service.settings.not_ready_status, message)
    service.state.collect(batch.id)
    return binary_reply(batch.archive, "application/octet-stream", f"{batch.id}.zip")


async def _accept(service: Service, authority: Authority, name: str, size: int, status: str, job: Job) -> Response:
    """Take the licences and issue. The reply shows the batch as it was first, even if it is ready by then."""
    try:
        batch = service.state.open_batch(authority, name, size, status, job)
    except NoBalanceError:
        message = f"the balance of authority {authority.id} does not suffice for {size} certificate(s)"
        raise RefusalError(service.settings.no_balance_status, message) from None
    fresh = documents.batch_document(batch, service.state.account.user_id)
    await service.issuer.accept(batch)
    if service.issuer.stopped:
        raise RefusalError(503, ENDING)
    return json_reply(fresh, 201)


def _batch(service: Service, request: Request) -> Batch:
    batch = service.state.batch(path_id(request))
    if batch is None:
        raise RefusalError(404, "there is no such batch")
    return batch


def _refuse_duplicates(requests: tuple[bytes, ...]) -> None:
    counts = Counter(name.casefold() for name in map(common_name_of, requests) if name)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise RefusalError(400, f"files: duplicate names: {', '.join(twice[:3])}")


HANDLERS: dict[str, Handler] = {
    "createSingleCertBatch": create,
    "upload": upload,
    "batchDetail": detail,
    "batchStatus": status,
    "batchProcessingInfo": processing_info,
    "download": download,
}
