"""The two calls that spend licences: an order of one certificate, and an upload of signing requests."""

from __future__ import annotations

import asyncio
from collections import Counter

from starlette.responses import Response

from sectigo_iot.emulator.ca.signing_requests import common_name_of, split_requests
from sectigo_iot.emulator.config.world import Authority
from sectigo_iot.emulator.exchange.bodies import (
    clean_text,
    integer_in,
    parse_object,
    read_body,
    read_object,
    text_in,
    texts_in,
)
from sectigo_iot.emulator.exchange.forms import Part, parse_form
from sectigo_iot.emulator.exchange.replies import ENDING, RefusalError, json_reply
from sectigo_iot.emulator.exchange.visit import Handler, Visit
from sectigo_iot.emulator.memory.entities import Batch, Job
from sectigo_iot.emulator.memory.ledger import NoBalanceError
from sectigo_iot.emulator.routes import documents
from sectigo_iot.emulator.routes.account import allowed_authorities
from sectigo_iot.emulator.routes.auth import check_bearer
from sectigo_iot.emulator.routes.parameters import first_fault
from sectigo_iot.emulator.routes.upload_form import check_upload

_NAMES_KEPT = 10


async def create(visit: Visit) -> Response:
    """Order one certificate. Spends a licence."""
    document = await read_object(visit.request)
    number = integer_in(document, "authorityId")
    visit.batch_name = text_in(document, "batchName", "")
    parameters = texts_in(document, "profileParams")
    visit.common_name = parameters.get("commonName", "")
    authority = _usable(visit, "id", number)
    if authority is None:
        raise RefusalError(400, "authorityId: the account has no such authority, or it is not enabled")
    fault = first_fault(visit.service.state.ledger.profile(authority.profile), parameters)
    if fault:
        raise RefusalError(400, fault)
    return await _accept(visit, authority, "CREATED", [visit.common_name], Job(parameters=parameters))


async def upload(visit: Visit) -> Response:
    """Order a certificate for each signing request in a file. Spends as many licences."""
    parts = _form(visit, await read_body(visit.request))
    profile_id = check_upload(parts)
    file = parts["files"]
    visit.batch_name = file.filename or ""
    authority = _usable(visit, "profile", profile_id)
    if authority is None:
        raise RefusalError(403, f"the profile {profile_id} is not allowed to this user")
    try:
        requests = await asyncio.to_thread(split_requests, file.content)
    except ValueError as fault:
        raise RefusalError(400, f"files: {fault}") from None
    if not requests:
        raise RefusalError(400, "files: there is no certificate signing request in PEM")
    rule = visit.service.state.ledger.profile(profile_id).duplicates or visit.service.settings.duplicates
    names = await asyncio.to_thread(_names, requests if rule == "refuse" else requests[:_NAMES_KEPT])
    visit.common_name = names[0] if names else ""
    if rule == "refuse":
        _refuse_twice(names)
    return await _accept(visit, authority, "PENDING", names, Job(requests=requests))


def name_asked_for(visit: Visit) -> None:
    """Note the names in an order that a fault keeps from being handled, as far as they can be read."""
    try:
        if visit.endpoint == "createSingleCertBatch":
            document = parse_object(visit.body)
            visit.batch_name = text_in(document, "batchName", "")
            visit.common_name = texts_in(document, "profileParams").get("commonName", "")
        elif visit.endpoint == "upload":
            file = _form(visit, visit.body).get("files")
            visit.batch_name = "" if file is None else clean_text("files", file.filename or "")
    except RefusalError:
        return


async def authority_asked_for(visit: Visit) -> Authority | None:
    """Return the authority with which an order will be carried out; None where it will be refused for lack of one."""
    try:
        body = await read_body(visit.request)
        check_bearer(visit)
        if visit.endpoint == "upload":
            return _usable(visit, "profile", check_upload(_form(visit, body)))
        return _usable(visit, "id", integer_in(parse_object(body), "authorityId"))
    except RefusalError:
        return None


def _form(visit: Visit, body: bytes) -> dict[str, Part]:
    return parse_form(visit.request.headers.get("content-type", ""), body)


def _usable(visit: Visit, field: str, number: int) -> Authority | None:
    """Return the first authority of this `id` or `profile` that is enabled and that the caller may order with."""
    usable = (each for each in allowed_authorities(visit) if each.enabled)
    return next((each for each in usable if getattr(each, field) == number), None)


async def _accept(visit: Visit, authority: Authority, status: str, names: list[str], job: Job) -> Response:
    """Take the licences and issue. The reply shows the batch as it was first, even if it is ready by then."""
    service = visit.service
    size = len(job.requests) or 1
    try:
        with service.destiny.choice():
            batch = service.state.open_batch(_wanted(visit, authority, status, names, size), job)
    except NoBalanceError:
        message = f"the balance of authority {authority.id} does not suffice for {size} certificate(s)"
        raise RefusalError(service.settings.no_balance_status, message) from None
    visit.batch_id, visit.batch_name = batch.id, batch.name
    fresh = documents.batch_document(batch, no_reason=documents.no_reason(service.settings))
    await service.issuer.accept(batch)
    if service.issuer.stopped:
        raise RefusalError(503, ENDING)
    return json_reply(fresh, service.settings.create_status)


def _wanted(visit: Visit, authority: Authority, status: str, names: list[str], size: int) -> Batch:
    """Return the batch that an order asks for; its numbers are not known yet."""
    service = visit.service
    profile = service.state.ledger.profile(authority.profile)
    life = service.destiny.choose(visit.batch_name, status)
    return Batch(
        id=-1,
        order_number=-1,
        created=service.now,
        organization_id=visit.organization.id,
        user_id=visit.caller.user.id,
        authority_id=authority.id,
        profile_id=profile.id,
        profile_name=profile.name,
        name=visit.batch_name,
        common_names=tuple(names[:_NAMES_KEPT]),
        size=size,
        life=life,
        step=life.steps[0],
        days_to_live=profile.days_to_live,
    )


def _names(requests: tuple[bytes, ...]) -> list[str]:
    return [name for name in map(common_name_of, requests) if name]


def _refuse_twice(names: list[str]) -> None:
    """Refuse (400) names that stand there twice."""
    counts = Counter(name.casefold() for name in names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        raise RefusalError(400, f"files: duplicate names: {', '.join(twice[:3])}")


HANDLERS: dict[str, Handler] = {"createSingleCertBatch": create, "upload": upload}
