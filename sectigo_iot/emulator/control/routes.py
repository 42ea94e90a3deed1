"""Every call of the control port in one table, from which it is served and described."""

from __future__ import annotations

from typing import Any

from sectigo_iot.emulator.config.lives import Step
from sectigo_iot.emulator.config.rule import Rule
from sectigo_iot.emulator.control import (
    accounts,
    batches,
    certificates,
    clock,
    events,
    faults,
    journal,
    lives,
    orders,
    outcomes,
    page,
    pki,
    questions,
    revoking,
    snapshots,
)
from sectigo_iot.emulator.control.asking import Asked, Handler
from sectigo_iot.emulator.control.calls import Call
from sectigo_iot.emulator.control.openapi import Document, describe
from sectigo_iot.emulator.routes.pki import version


async def openapi(_asked: Asked) -> Document:
    """The table below as an OpenAPI document."""
    return describe(CALLS, version())


def _get(path: str, handler: Handler, summary: str, reply: Any, **details: Any) -> Call:
    return Call(method="GET", path=path, handler=handler, summary=summary, reply=reply, **details)


def _post(path: str, handler: Handler, summary: str, reply: Any, **details: Any) -> Call:
    return Call(method="POST", path=path, handler=handler, summary=summary, reply=reply, **details)


def _put(path: str, handler: Handler, summary: str, reply: Any, **details: Any) -> Call:
    return Call(method="PUT", path=path, handler=handler, summary=summary, reply=reply, **details)


def _delete(path: str, handler: Handler, summary: str, reply: Any) -> Call:
    return Call(method="DELETE", path=path, handler=handler, summary=summary, reply=reply)


_EMULATOR = (
    _get("/", page.page, "The page in the browser", "text/html"),
    _get("/openapi.json", openapi, "This document", Document),
    _get("/status", clock.status, "That the emulator runs, and as what", clock.Status),
    _get("/events", events.events, "Tell of each change, as server-sent events", "text/event-stream"),
    _get("/clock", clock.clock, "The emulator's time", clock.ClockTime),
    _post(
        "/clock/advance",
        clock.advance,
        "Move the clock ahead; whatever is due by then is there",
        clock.ClockTime,
        body=clock.Advance,
    ),
    _post("/reset", snapshots.reset, "Put everything back to the start", clock.Status, body=snapshots.Reset),
    _get("/snapshots", snapshots.snapshots, "The names of the snapshots", snapshots.Snapshots),
    _put("/snapshots/{name}", snapshots.keep, "Keep everything as it is", snapshots.Snapshots, conflicts=True),
    _delete("/snapshots/{name}", snapshots.forget, "Give a snapshot up", snapshots.Snapshots),
    _post("/snapshots/{name}/restore", snapshots.restore, "Put everything back as it was", clock.Status),
)

_ACCOUNTS = (
    _get("/authorities", accounts.authorities, "Every authority", list[accounts.AuthorityState]),
    _put(
        "/authorities/{id}/balance",
        accounts.set_balance,
        "Set the licences that are left",
        accounts.AuthorityState,
        body=accounts.Balance,
    ),
    _post(
        "/profiles/{id}/require",
        accounts.require,
        "Make a parameter mandatory",
        list[accounts.ParameterState],
        body=accounts.Required,
    ),
    _get("/users", accounts.users, "Every user, without the password", list[accounts.UserState]),
    _post("/users/{username:path}/unlock", accounts.unlock, "Let a user log in again", accounts.UserState),
)

_BATCHES = (
    _get(
        "/batches", batches.batches, "Batches, the newest first", list[batches.BatchState], query=batches.BatchQuery
    ),
    _get("/batches/{id}", batches.batch, "One batch", batches.BatchState),
    _post(
        "/batches/{id}/push", batches.push, "Put a batch into a state", batches.BatchState, body=Step, conflicts=True
    ),
    _post(
        "/batches/{id}/reject",
        batches.reject,
        "Reject a batch, as the portal does",
        batches.BatchState,
        body=batches.Rejection,
        conflicts=True,
    ),
    _post(
        "/batches/{id}/revoke",
        batches.revoke,
        "Revoke every certificate of a batch",
        batches.BatchState,
        body=revoking.Revocation,
        conflicts=True,
    ),
    _get("/lives", lives.lives, "Lives that are known, and those that wait", lives.Lives),
    _post("/lives", lives.queue, "Let the next batches take a life", lives.Lives, body=lives.NextLife),
    _delete("/lives", lives.clear, "Let no life wait any more", lives.Lives),
)

_CERTIFICATES = (
    _get(
        "/certificates",
        certificates.certificates,
        "Certificates, the newest first",
        list[certificates.CertificateState],
        query=certificates.CertificateQuery,
    ),
    _get("/certificates/{serial}.pem", certificates.certificate_pem, "One in PEM", "application/x-pem-file"),
    _get("/certificates/{serial}", certificates.certificate, "One certificate", certificates.WholeCertificate),
    _post(
        "/certificates/{serial}/revoke",
        certificates.revoke,
        "Revoke a certificate, or lift its hold",
        certificates.WholeCertificate,
        body=revoking.Revocation,
        conflicts=True,
    ),
    _get("/ca/chain.pem", pki.chain, "The CAs' certificates", "application/x-pem-file"),
    _get("/ca/{name}.crt", pki.ca_certificate, "The certificate of one CA, in DER", "application/pkix-cert"),
    _get("/crl/{name}.crl", pki.crl, "The revocation list of one CA, in DER", "application/pkix-crl"),
    _post("/ocsp", pki.ocsp_post, "Answer an OCSP request", "application/ocsp-response", body=bytes),
    _get("/ocsp/{asked:path}", pki.ocsp_get, "Answer an OCSP request in base64", "application/ocsp-response"),
)

_FAULTS = (
    _get("/faults", faults.faults, "What strikes, and what there is", faults.Faults),
    _post("/faults", faults.queue, "Let a fault strike once, or `times` times", faults.Faults, body=Rule),
    _delete("/faults", faults.clear, "Take all rules and one-shots away", faults.Faults),
    _post("/faults/rules", faults.add, "Let a fault strike from now on", faults.Faults, body=Rule),
    _delete("/faults/rules/{index}", faults.remove, "Take a rule away, by its place in the list", faults.Faults),
)

_JOURNAL = (
    _get(
        "/journal",
        journal.journal,
        "Requests and replies, the newest last",
        list[journal.JournalEntry],
        query=journal.JournalQuery,
    ),
    _delete("/journal", journal.clear, "Forget every request", journal.JournalSize),
    _get("/journal/orders", orders.orders, "The orders for a name", orders.Orders, query=orders.OrderQuery),
    _get("/journal/logins", orders.logins, "How many log-ins", orders.Logins, query=orders.LoginQuery),
    _get("/journal/polls", orders.polls, "How often batches were looked at", orders.Polls, query=orders.OfBatch),
    _get("/journal/downloads", orders.downloads, "Downloads", orders.Downloads, query=orders.OfBatch),
    _get("/journal/doubled", questions.doubled, "Names ordered more than once", list[questions.SameName]),
    _get(
        "/journal/simultaneous",
        questions.simultaneous,
        "Names that two ordered at the same time",
        list[questions.SameName],
        query=questions.WithinQuery,
    ),
    _get(
        "/journal/repeated",
        questions.repeated,
        "Orders refused with the same words again and again",
        list[questions.Repeated],
        query=questions.TimesQuery,
    ),
    _get("/journal/twins", outcomes.twins, "Common names with two batches alive", list[outcomes.Twins]),
    _get(
        "/journal/unfetched",
        outcomes.unfetched,
        "Batches that were ready and never downloaded",
        list[outcomes.Fetched],
        query=outcomes.FetchedQuery,
    ),
    _get("/journal/gaps", outcomes.gaps, "Names without a certificate for a while", list[outcomes.Gap]),
    _get("/journal/late-polls", outcomes.late_polls, "Batches looked at in vain", list[outcomes.LatePolls]),
)

CALLS = (*_EMULATOR, *_ACCOUNTS, *_BATCHES, *_CERTIFICATES, *_FAULTS, *_JOURNAL)
"""Every call. Of two paths that fit, the first is taken."""
