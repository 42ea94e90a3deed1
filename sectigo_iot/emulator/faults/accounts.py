"""Faults of the account: what was checked a moment ago is no longer so."""

from __future__ import annotations

from starlette.responses import Response

from sectigo_iot.emulator.config.world import Authority
from sectigo_iot.emulator.exchange.bodies import integer_in, parse_object, read_body
from sectigo_iot.emulator.exchange.forms import parse_form
from sectigo_iot.emulator.exchange.jwts import BadTokenError
from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.faults.acts import ORDERS, Act, Fault, Option
from sectigo_iot.emulator.routes.upload_form import check_upload


async def balance_gone(act: Act) -> Response:
    """Take every licence of the order's authority before the order is carried out."""
    authority = await _authority(act)
    if authority is not None:
        act.visit.service.state.ledger.set_balance(authority.id, 0)
    return await act.handle()


async def mandatory_parameter(act: Act) -> Response:
    """Make a parameter mandatory before the order is carried out."""
    authority = await _authority(act)
    if authority is not None:
        act.visit.service.state.ledger.require_parameter(authority.profile, str(act.rule.value))
    return await act.handle()


async def _authority(act: Act) -> Authority | None:
    """Return the authority that an order names, if the user has it; an order that is none names none."""
    body = await read_body(act.visit.request)
    try:
        if act.visit.endpoint == "upload":
            content_type = act.visit.request.headers.get("content-type", "")
            return _first(act, "profile", check_upload(parse_form(content_type, body)))
        return _first(act, "id", integer_in(parse_object(body), "authorityId"))
    except RefusalError:
        return None


def _first(act: Act, field: str, number: int) -> Authority | None:
    return next((each for each in _authorities(act) if getattr(each, field) == number), None)


def _authorities(act: Act) -> tuple[Authority, ...]:
    service = act.visit.service
    try:
        member = service.users.of_token(service.mint.check_access(act.token))
    except BadTokenError:
        return ()
    return () if member is None else member.organization.authorities


FAULTS = (
    Fault(
        "balance-gone",
        "Just before the order is carried out, the balance of its authority becomes 0.",
        balance_gone,
        calls=ORDERS,
    ),
    Fault(
        "mandatory-parameter",
        "Just before the order is carried out, its profile comes to demand a parameter, and does so from then on.",
        mandatory_parameter,
        calls=("createSingleCertBatch",),
        options={"value": Option("organizationName", "the parameter", pattern=r"\S+")},
    ),
)
"""The faults of this kind."""
