"""Asking the issuers whether certificates are revoked, by OCSP and by CRL, for the commands that offer it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from sectigo_cli.progress import counting

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from sectigo_cli.context import Context
    from sectigo_iot.pki import CertificateDescription
    from sectigo_iot.revocation import RevocationStatus

NO_ISSUER = "its issuer is not here"
TIMEOUT = 10.0
"""Seconds for one question, unless --request-timeout says otherwise."""


class Answers(NamedTuple):
    """What OCSP and CRL say of one certificate: each an answer, or why there is none."""

    ocsp: RevocationStatus | str
    crl: RevocationStatus | str

    @property
    def doubt(self) -> str | None:
        """What speaks against the certificate, if anything does."""
        statuses = [each.status for each in self if not isinstance(each, str)]
        if "revoked" in statuses:
            return "it is revoked"
        if "unknown" in statuses:
            return "it is not known to its issuer's OCSP responder"
        why = NO_ISSUER if self.is_without_issuer else "neither OCSP nor CRL could tell"
        return None if "good" in statuses else f"not known whether it is revoked: {why}"

    @property
    def is_without_issuer(self) -> bool:
        """Whether nobody was asked, because the certificate of its issuer is not there to believe answers by."""
        return self.ocsp == f"not asked: {NO_ISSUER}"

    def rows(self) -> Iterator[tuple[str, str]]:
        """Yield a label and a value for each."""
        yield "OCSP", _told(self.ocsp)
        yield "CRL", _told(self.crl)

    def to_dict(self) -> dict[str, Any]:
        """Return both as a document for JSON."""
        return {"ocsp": _document(self.ocsp), "crl": _document(self.crl)}


def asked(context: Context, certificates: Sequence[CertificateDescription]) -> dict[str, Answers]:
    """Ask about each certificate; return the answers by the certificate's SHA-256."""
    asking = _Asking(context.options.request_timeout or TIMEOUT)
    answers: dict[str, Answers] = {}
    with counting(context, "asking about revocation", len(certificates)) as count:
        for done, told in enumerate(certificates, 1):
            if told.sha256 not in answers:
                answers[told.sha256] = asking.about(told)
            count(done)
    return answers


class _Asking:
    """Asks, and does not ask again where nobody answered for the same issuer: each wait may take ten seconds."""

    def __init__(self, timeout: float) -> None:
        self._timeout = timeout
        self._silent: dict[tuple[str, str], str] = {}
        self._crls: dict[str, bytes] = {}

    def about(self, told: CertificateDescription) -> Answers:
        from functools import partial

        from sectigo_iot.revocation import check_crl, check_ocsp

        by_crl = partial(check_crl, downloaded=self._crls)
        return Answers(self._answer("OCSP", check_ocsp, told), self._answer("CRL", by_crl, told))

    def _answer(
        self, kind: str, check: Callable[..., RevocationStatus], told: CertificateDescription
    ) -> RevocationStatus | str:
        from sectigo_iot import DeadlineError, SectigoError, UnreachableError

        if not told.issuers:
            return f"not asked: {NO_ISSUER}"
        if (kind, told.issuer) in self._silent:
            return f"not asked again: {self._silent[kind, told.issuer]}"
        try:
            return check(told.certificate, told.issuers[0], timeout=self._timeout)
        except (DeadlineError, UnreachableError) as error:
            self._silent[kind, told.issuer] = str(error)
            return str(error)
        except SectigoError as error:
            return str(error)


def _told(answer: RevocationStatus | str) -> str:
    if isinstance(answer, str):
        return f"no answer: {answer}"
    status: str = answer.status
    if answer.status == "revoked":
        when = "" if answer.revoked_at is None else f" on {answer.revoked_at:%F %T} UTC"
        status = f"REVOKED{when} ({answer.reason or 'no reason given'})"
    return f"{status}, says {answer.source} as of {answer.produced_at:%F %T} UTC"


def _document(answer: RevocationStatus | str) -> dict[str, Any]:
    if isinstance(answer, str):
        return {"status": None, "why": answer}
    at = answer.revoked_at
    return {
        "status": answer.status,
        "reason": answer.reason,
        "revoked_at": None if at is None else f"{at:%FT%TZ}",
        "source": answer.source,
        "produced_at": f"{answer.produced_at:%FT%TZ}",
    }
