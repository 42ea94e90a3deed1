"""Asking the service for everything that shows what became of an order that was sent and never answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from sectigo_iot.errors import APIError, InvalidInputError, InvalidReplyError, NotAuthenticatedError, TransportError
from sectigo_iot.orders.steps.batch_lists import BatchList, ListedBatch, ask_for_batches
from sectigo_iot.orders.steps.evidence import Evidence, Sought, batch_of, keep_lease, raise_passing
from sectigo_iot.orders.steps.recognising import recognise

if TYPE_CHECKING:
    from sectigo_iot.models import Batch, Certificate, CertificateSearch
    from sectigo_iot.orders.work import Work


def gather(work: Work) -> Evidence:
    """Ask the service what became of this order, as far as the rules allow, and return what was found out.

    The list of batches comes first, then batch ids one by one, then the search for its certificate; what proves its
    presence ends it. Only reads are sent. Raises NotAuthenticatedError, LeaseLostError, StoppedError; and
    TransportError, or APIError with the status of a fault that passes, as long as no human is told of it yet.
    """
    sought, evidence = Sought.of(work), Evidence()
    for ask, what in _WAYS:
        try:
            ask(work, sought, evidence)
        except NotAuthenticatedError:
            raise
        except (TransportError, APIError):
            if work.order.failures + 1 < work.rules.told_after:
                raise
            evidence.doubt(f"{what} does not come through")
        if evidence.batch_id is not None:
            break
    return evidence


def _ask_list(work: Work, sought: Sought, evidence: Evidence) -> None:
    if not work.rules.use_list:
        evidence.note("the list of batches was not asked for")
        return
    listed = ask_for_batches(work.service, lambda each: sought.is_named(each.name), lambda: keep_lease(work))
    if listed is None:
        evidence.note("the service has no list of batches")
        return
    recognise(work, sought, evidence, listed.batches, "the list of batches")
    if evidence.batch_id is None and not evidence.doubts:
        _note_absence(work, evidence, listed)


def _note_absence(work: Work, evidence: Evidence, listed: BatchList) -> None:
    known = work.order.known_batch_id
    # A list that lacks a batch which certainly exists is of other batches than ours.
    newest = work.book.highest_batch_id()
    ids = {each.batch_id for each in listed.batches}
    evidence.complete = listed.complete and known is not None and {known, newest} <= ids
    how = "is complete, and" if evidence.complete else "may not be complete, and"
    evidence.note(f"the list of batches {how} without it", news=evidence.complete)


def _probe(work: Work, sought: Sought, evidence: Evidence) -> None:
    """Look at the batches above the last one that was known when it was sent: others' are among them, and gaps."""
    known = work.order.known_batch_id
    if not work.rules.probe:
        return
    if known is None:
        evidence.note("no batch was known when it was sent, above which to look for it")
        return
    numbers = range(known + 1, known + 1 + work.rules.probe)
    where, seen = f"batch ids {numbers[0]} to {numbers[-1]}", []
    for number in sorted({*numbers} - work.book.known_batches(numbers)):
        batch = batch_of(work, number)
        if batch is not None and sought.is_named(batch.batch_name):
            evidence.prove(number, f"a look at {where} found it by its name")
            return
        seen += [] if batch is None else [_listed(batch)]
    recognise(work, sought, evidence, seen, f"a look at {where}")
    if evidence.batch_id is None:
        evidence.note(f"a look at {where} did not find it")


def _listed(batch: Batch) -> ListedBatch:
    created = None if batch.creation_date is None else batch.creation_date.timestamp()
    return ListedBatch(batch.batch_id, batch.batch_name, created, batch.size)


def _search(work: Work, sought: Sought, evidence: Evidence) -> None:
    """Look for a certificate of its common name that no order of the book has: it may exist, and has no batch id."""
    name = work.order.wanted.common_name
    found = _found(work, name)
    if found is None:
        evidence.doubt("the service does not answer a search")
        return
    known = {_digits(each) for each in work.book.known_serials(name)}
    serials = [
        str(each.serial_number)
        for each in found.items
        if _is_fresh(each, name, sought.start) and _digits(each.serial_number) not in known
    ]
    if serials:
        shown = ", ".join(sorted(serials)[:3])
        evidence.doubt(f"a search shows a certificate that no order in the book has: {shown}", news=True)
    elif found.total_count is None or found.total_count > len(found.items):
        evidence.doubt("a search shows not all certificates, and none that could be its own")
    else:
        evidence.unseen = True
        evidence.note("a search shows no certificate that could be its own")


def _found(work: Work, name: str) -> CertificateSearch | None:
    keep_lease(work)
    try:
        return work.service.find_certificate(name)
    except (InvalidReplyError, InvalidInputError):
        return None
    except APIError as error:
        raise_passing(error)
        return None


def _is_fresh(certificate: Certificate, name: str, since: float) -> bool:
    if (certificate.common_name or name).casefold() != name.casefold():
        return False
    return certificate.creation_date is None or certificate.creation_date.timestamp() >= since


def _digits(serial: str | None) -> str:
    return (serial or "").upper().lstrip("0")


_WAYS: tuple[tuple[Callable[[Work, Sought, Evidence], None], str], ...] = (
    (_ask_list, "the list of batches"),
    (_probe, "a look at batch ids"),
    (_search, "a search for its certificate"),
)
