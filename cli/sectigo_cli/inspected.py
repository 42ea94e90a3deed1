"""What `inspect` shows: rows of a label and a value, in lines of at most 80 characters where words allow it."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING

from sectigo_cli.context import harmless

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from sectigo_cli.revocations import Answers
    from sectigo_iot.pki import (
        CertificateDescription,
        Inspection,
        KeyDescription,
        OtherDescription,
        PKCS12Description,
        RequestDescription,
        RevocationListDescription,
    )

    Row = tuple[str, str]

WIDTH = 80
LABEL = 14
NOTHING = "nothing that can be told"


def lines(told: Inspection, answers: Mapping[str, Answers]) -> Iterator[str]:
    """Return what one file holds, line by line; `answers` by a certificate's SHA-256 where they were asked for."""
    for part in told.everything():
        yield from _filled(f"{part.source}: {_summary(part)}", "", "  ")
        for fault in part.faults:
            yield from _filled(f"fault: {fault}", "  ", "    ")
        for item in part.items:
            yield ""
            for label, value in (*_ROWS[item.kind](item), *_answered(getattr(item, "sha256", ""), answers)):
                yield from _row(label, value)
        yield ""


def _answered(sha256: str, answers: Mapping[str, Answers]) -> Iterable[Row]:
    return answers[sha256].rows() if sha256 in answers else ()


def _summary(part: Inspection) -> str:
    kinds = [item.kind for item in part.items if item.kind != part.form]
    counted = [f"{kinds.count(kind)} {kind}{'s' * (kinds.count(kind) > 1)}" for kind in dict.fromkeys(kinds)]
    entries = [f"{len(part.entries)} entr{'y' if len(part.entries) == 1 else 'ies'}"] if part.form == "ZIP" else []
    return ", ".join([part.form or NOTHING, *counted, *entries])


def _certificate(told: CertificateDescription) -> Iterator[Row]:
    yield "certificate", told.common_name.strip() or told.subject or told.serial_number
    yield "subject", told.subject
    yield "names", ", ".join((*told.dns_names, *told.other_names))
    yield "serial", told.serial_number
    yield "valid", f"{told.not_before:%F %T} to {told.not_after:%F %T} UTC"
    yield "", _time_left(told)
    yield "key", told.key
    yield "signature", told.signature_algorithm
    yield "issuer", "itself" if told.self_signed else told.issuer
    yield "CA", "yes" if told.ca else ""
    yield "key usage", ", ".join(told.key_usage)
    yield "purposes", ", ".join(told.extended_key_usage)
    yield "SHA-256", told.sha256
    yield "SHA-1", told.sha1
    yield "key SHA-256", told.public_key_sha256
    if told.chain is not None:
        yield "chain", " < ".join(told.chain.path)
        yield "", f"{told.chain.state}: {told.chain.reason}"
    yield "private key", _key_beside(told.private_key, "" if told.ca else "none here")
    yield from (("fault", fault) for fault in told.faults)


def _key_beside(source: str | None, otherwise: str) -> str:
    return otherwise if source is None else f"fits: {source}"


def _time_left(told: CertificateDescription) -> str:
    if told.validity == "not yet valid":
        return "NOT YET VALID"
    if told.validity == "expired":
        over = -told.days_left - 1
        return f"EXPIRED {_days(over)} ago" if over else "EXPIRED less than a day ago"
    return f"{_days(told.days_left)} left" if told.days_left else "less than a day left"


def _days(count: int) -> str:
    return f"{count} day{'s' * (count != 1)}"


def _request(told: RequestDescription) -> Iterator[Row]:
    yield "request", told.common_name.strip() or told.subject or ", ".join(told.dns_names)
    yield "subject", told.subject
    yield "names", ", ".join((*told.dns_names, *told.other_names))
    yield "key", told.key
    yield "signature", f"{told.signature_algorithm}, {'fits' if told.signature_fits else 'DOES NOT FIT'} the key"
    yield "key usage", ", ".join(told.key_usage)
    yield "purposes", ", ".join(told.extended_key_usage)
    yield "key SHA-256", told.public_key_sha256
    yield "private key", _key_beside(told.private_key, "none here")
    yield from (("fault", fault) for fault in told.faults)


def _key(told: KeyDescription) -> Iterator[Row]:
    encrypted = "encrypted" if told.encrypted else "not encrypted" if told.private else ""
    yield "private key" if told.private else "public key", ", ".join(filter(None, (told.key, encrypted)))
    yield "form", told.form
    yield "key SHA-256", told.public_key_sha256
    if told.fits is not None or told.stray:
        yield "fits", told.fits if told.fits is not None else "NOTHING in its file"
    yield "fault", told.fault


def _pkcs12(told: PKCS12Description) -> Iterator[Row]:
    yield "PKCS#12", "LOCKED: needs --password-file" if told.locked else "does not open" if told.fault else "opened"
    yield "keys", "; ".join(told.key_encryption)
    yield "certificates", "; ".join(told.certificate_encryption)
    yield "MAC", told.mac
    yield "-legacy", "OpenSSL 3 needs it" if told.needs_legacy else "OpenSSL 3 does not need it"
    yield "fault", told.fault


def _list(told: RevocationListDescription) -> Iterator[Row]:
    until = "" if told.next_update is None else f" to {told.next_update:%F %T}"
    yield "CRL", f"{told.count} revoked"
    yield "issuer", told.issuer
    yield "number", "" if told.number is None else f"{told.number:X}"
    yield "counts", f"{told.this_update:%F %T}{until} UTC{': STALE' if told.stale else ''}"
    yield "signature", told.signature_algorithm
    yield "SHA-256", told.sha256


def _other(told: OtherDescription) -> Iterator[Row]:
    yield "other", told.label


_ROWS: dict[str, Callable[..., Iterator[Row]]] = {
    "certificate": _certificate,
    "certificate request": _request,
    "key": _key,
    "PKCS#12": _pkcs12,
    "CRL": _list,
    "other": _other,
}


def _row(label: str, value: str) -> Iterator[str]:
    """Return a row as lines; nothing where there is no value."""
    if value:
        yield from _filled(value, f"  {label:<{LABEL}}", " " * (LABEL + 2))


def _filled(text: str, begin: str, indent: str) -> list[str]:
    return textwrap.wrap(
        harmless(text),
        WIDTH,
        initial_indent=begin,
        subsequent_indent=indent,
        break_long_words=False,
        break_on_hyphens=False,
    )
