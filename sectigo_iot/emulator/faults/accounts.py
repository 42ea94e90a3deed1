"""Faults of the account: what was checked a moment ago is no longer so."""

from __future__ import annotations

from starlette.responses import Response

from sectigo_iot.emulator.faults.acts import ORDERS, Act, Fault, Option
from sectigo_iot.emulator.routes.order import authority_asked_for


async def balance_gone(act: Act) -> Response:
    """Take every licence of the order's authority before the order is carried out."""
    authority = await authority_asked_for(act.visit)
    if authority is not None:
        act.visit.service.state.ledger.set_balance(authority.id, 0)
    return await act.handle()


async def mandatory_parameter(act: Act) -> Response:
    """Make a parameter mandatory before the order is carried out."""
    authority = await authority_asked_for(act.visit)
    if authority is not None:
        act.visit.service.state.ledger.require_parameter(authority.profile, str(act.rule.value))
    return await act.handle()


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
