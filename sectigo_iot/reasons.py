"""Why a certificate is revoked: RFC 5280, section 5.3.1 (https://www.rfc-editor.org/rfc/rfc5280#section-5.3.1)."""

from __future__ import annotations

import enum

from sectigo_iot.errors import UnknownReasonError


class CRLReason(enum.IntEnum):
    """The reason codes of RFC 5280, under the RFC's own spelling. There is no 7."""

    unspecified = 0
    keyCompromise = 1  # noqa: N815
    cACompromise = 2  # noqa: N815
    affiliationChanged = 3  # noqa: N815
    superseded = 4
    cessationOfOperation = 5  # noqa: N815
    certificateHold = 6  # noqa: N815
    removeFromCRL = 8  # noqa: N815
    privilegeWithdrawn = 9  # noqa: N815
    aACompromise = 10  # noqa: N815


def _squash(text: str) -> str:
    return "".join(c for c in text if c not in "-_" and not c.isspace()).lower()


_BY_NAME = {_squash(reason.name): reason for reason in CRLReason}
_BY_CODE = {str(int(reason)): reason for reason in CRLReason}


def revoke_reason_code(text: str | int | None = None) -> CRLReason:
    """Return the reason that a name or a code stands for; nothing given means `unspecified`.

    Names match without regard to case, blanks, hyphens and underscores. Raises UnknownReasonError.
    """
    given = "" if text is None else str(int(text) if isinstance(text, int) else text).strip()
    # Only a name may hold hyphens: -1 is not 1.
    found = _BY_CODE.get(given) if given in _BY_CODE else _BY_NAME.get(_squash(given or "unspecified"))
    if found is None:
        names = ", ".join(f"{reason.name} ({int(reason)})" for reason in CRLReason)
        raise UnknownReasonError(f"unknown revocation reason {text!r}", hint=f"RFC 5280 knows: {names}")
    return found
