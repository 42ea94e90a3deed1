"""Revoking by hand: the reason, by name or by code, and what stands against it."""

from __future__ import annotations

from typing import Annotated

from msgspec import Meta, Struct

from sectigo_iot.emulator.exchange.replies import RefusalError
from sectigo_iot.emulator.memory.registry import AlreadyRevokedError, NotOnHoldError
from sectigo_iot.emulator.memory.state import State
from sectigo_iot.reasons import CRLReason

_BY_NAME = {each.name.casefold(): each for each in CRLReason}


class Revocation(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why a certificate is revoked: a reason of RFC 5280 by name or by code; removeFromCRL lifts a hold."""

    reason: Annotated[str, Meta(max_length=40)] | Annotated[int, Meta(ge=0, le=255)] = "unspecified"

    @property
    def code(self) -> CRLReason:
        """The reason. Refuses (422) one that there is not."""
        try:
            return CRLReason(self.reason) if isinstance(self.reason, int) else _BY_NAME[self.reason.casefold()]
        except (KeyError, ValueError):
            names = ", ".join(f"{each.name} ({int(each)})" for each in CRLReason)
            raise RefusalError(422, f"reason: RFC 5280 knows {names}") from None


def revoke_one(state: State, serial: int, reason: CRLReason) -> None:
    """Revoke a certificate, or lift its hold. Refuses (409) what cannot be done as it stands."""
    try:
        state.revoke(serial, reason)
    except AlreadyRevokedError:
        raise RefusalError(409, "the certificate is already revoked") from None
    except NotOnHoldError:
        raise RefusalError(409, "the certificate is on no hold that could be lifted") from None
