"""What becomes of an order that was sent and not answered: found where it is, else put before a human."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Any

import pytest

from sectigo_iot import IoTManager
from sectigo_iot.errors import LeaseLostError, TransportError
from sectigo_iot.models import RawReply
from sectigo_iot.orders import Order, OrderState, WorkerRules
from sectigo_iot.orders.lease import boot_time
from sectigo_iot.orders.steps.evidence import keep_lease
from sectigo_iot.orders.steps.gathering import gather
from sectigo_iot.orders.steps.reconciling import interrupted, reconcile
from sectigo_iot.orders.store import engine
from sectigo_iot.orders.work import Work
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.orders.desk import AUTHORITY, PASSWORD, Desk, open_desk, swapped

ORDERS = ("createSingleCertBatch", "upload")
PROFILE = 423
LATER = 3600.0
CAREFUL = WorkerRules(first_wait=1.0, longest_wait=2.0)
BOLD = dataclasses.replace(CAREFUL, reorder=True)

Opened = Callable[..., Desk]


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Opened]:
    """Open a desk whose emulator is as the keyword arguments say."""
    with ExitStack() as held:

        def open_one(rules: WorkerRules = CAREFUL, **options: Any) -> Desk:
            desk = held.enter_context(open_desk(tmp_path, **options))
            desk.rules = rules
            return desk

        yield open_one


def lose(desk: Desk, fault: str = "lost-reply") -> None:
    """Have the next order go wrong: by default it is carried out, and its reply is lost."""
    desk.control.queue_fault(fault, calls=ORDERS)


def lost(desk: Desk, key: str = "vasp", *names: str, fault: str = "lost-reply", **wanted: Any) -> Order:
    """Place an order and send it, so that its outcome is unknown, and do no more."""
    lose(desk, fault)
    return desk.put(key, *names, until=OrderState.UNKNOWN, **wanted)


def by_hand(desk: Desk, name: str, host: str = "other.example.com") -> int:
    """Order as somebody else would, past the book."""
    params = {"commonName": host, "dNSName": host, "pkcs12Password": PASSWORD}
    return desk.client.create_single_cert_batch(AUTHORITY, name, params).batch_id


def accepted(desk: Desk) -> int:
    """Return how many orders the service has accepted."""
    return int(desk.control.orders()["accepted"])


def look(desk: Desk, key: str = "vasp", times: int = 1) -> Order:
    """Have the worker look at an unknown order so many times."""
    for _ in range(times):
        desk.book.retry(key)
        desk.step()
    return desk.book.get(key)


# Found by its name


@pytest.mark.parametrize("form", ["array", "page"])
def test_the_list_has_it_by_its_name(opened: Opened, form: str) -> None:
    desk = opened(batch_list=form)
    lose(desk)
    desk.place()
    order = desk.carry()
    assert order.state is OrderState.DELIVERED
    assert accepted(desk) == 1
    assert desk.reasons(kind="evidence") == [
        f"it was accepted as batch {order.batch_id}: the list of batches has it by its name"
    ]
    assert desk.reasons(kind="attention") == []


def test_a_page_further_on_has_it(opened: Opened) -> None:
    desk = opened(batch_list="page", delay=LATER)
    lost(desk)
    for number in range(25):
        by_hand(desk, f"other-{number}")
    assert look(desk).state is OrderState.ISSUING


@pytest.mark.parametrize("shift", [-300.0, 300.0])
def test_a_service_whose_clock_is_off_is_understood(opened: Opened, shift: float) -> None:
    desk = opened(batch_list="array", upload_name="number", clock=lambda: time.time() + shift)
    lost(desk, csr=request("vasp.example.com"))
    assert look(desk).state is OrderState.DELIVERED


def test_two_of_the_same_name_are_told_apart(opened: Opened) -> None:
    desk = opened(batch_list="array")
    first, second = lost(desk, "first"), lost(desk, "second")
    desk.book.retry("first")
    desk.step()
    batches = {key: desk.book.get(key).batch_id for key in ("first", "second")}
    names = {each["name"]: each["id"] for each in desk.control.batches()}
    assert batches == {"first": names[first.batch_name], "second": names[second.batch_name]}
    assert accepted(desk) == 2


def test_a_name_that_is_there_twice_is_taken_for_neither(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page", delay=LATER)
    order = lost(desk)
    assert order.batch_name
    by_hand(desk, order.batch_name)
    desk.wait(LATER)
    order = look(desk)
    assert order.state is OrderState.UNKNOWN
    assert "has its name more than once" in str(order.attention)


def test_another_attempt_that_was_accepted_too_is_told(opened: Opened) -> None:
    desk = opened(batch_list="array")
    order = lost(desk)
    assert order.batch_name
    earlier = by_hand(desk, order.batch_name[:-1] + "0")
    order = look(desk)
    assert order.state is OrderState.DELIVERED
    assert order.batch_id != earlier
    [told] = desk.reasons(kind="attention")
    assert f"batch {earlier} " in told
    assert "revoke what it issues" in told


class Another(IoTManager):
    """A client that is answered other lists than the service has."""

    change: Callable[[Any], Any] = staticmethod(lambda listed: listed)

    def raw(self, name_or_path: str, *ids: int | str, **options: Any) -> RawReply:
        reply = super().raw(name_or_path, *ids, **options)
        return RawReply(reply.status, reply.media_type, json.dumps(self.change(reply.document)).encode())


def answered_otherwise(desk: Desk, change: Callable[[Any], Any]) -> AbstractContextManager[IoTManager]:
    client = Another(settings_for(desk.emulator, timeout=5.0), clock=desk.clock)
    client.change = change
    desk.client = client
    return client


def test_a_list_with_other_numbers_than_those_of_batches_is_not_believed(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page", delay=LATER)
    other = by_hand(desk, "other")
    lost(desk)
    desk.wait(LATER)
    with answered_otherwise(
        desk, lambda listed: {"total": 2, "items": [{**each, "batchId": other} for each in listed["items"]]}
    ):
        order = look(desk)
    assert order.state is OrderState.UNKNOWN
    assert f"has its name beside {other}, which is no batch of that name" in str(order.attention)


# Found by its key


@pytest.mark.parametrize(("named", "how"), [("file", "by its name"), ("number", "for the order's own key")])
def test_an_upload_is_found_by_its_name_or_by_its_key(opened: Opened, named: str, how: str) -> None:
    desk = opened(batch_list="array", upload_name=named)
    desk.client.upload_csr_batch(PROFILE, "before.csr", request("a.example.com"))
    lost(desk, csr=request("vasp.example.com"))
    desk.client.upload_csr_batch(PROFILE, "after.csr", request("a.example.com"))
    order = look(desk)
    assert order.state is OrderState.DELIVERED
    assert how in desk.reasons(kind="evidence")[0]
    assert accepted(desk) == 3


def test_an_upload_that_is_not_issued_yet_is_found_once_it_is(opened: Opened) -> None:
    desk = opened(batch_list="page", upload_name="number", delay=60.0)
    lost(desk, csr=request("vasp.example.com"))
    assert "not clear whether they are for its key" in str(look(desk).attention)
    desk.wait(61.0)
    assert look(desk).state is OrderState.DELIVERED


def test_two_uploads_of_its_key_are_taken_for_neither(opened: Opened) -> None:
    desk = opened(batch_list="array", upload_name="number")
    lost(desk, csr=request("vasp.example.com"))
    desk.client.upload_csr_batch(PROFILE, "again.csr", request("vasp.example.com"))
    order = look(desk)
    assert order.state is OrderState.UNKNOWN
    assert "several batches have certificates for its key" in str(order.attention)


def test_the_batch_of_another_order_in_the_book_is_left_to_it(opened: Opened) -> None:
    desk = opened(batch_list="array", upload_name="number")
    first = desk.put("first", until=OrderState.DELIVERED, csr=request("vasp.example.com"))
    lost(desk, csr=request("vasp.example.com"), fault="reset")
    order = look(desk)
    assert order.state is OrderState.UNKNOWN
    assert order.batch_id is None
    assert first.batch_id is not None


# Batch ids, one by one


@pytest.mark.parametrize("csr", [False, True])
def test_probing_finds_it_among_batches_of_others(opened: Opened, csr: bool) -> None:
    desk = opened(dataclasses.replace(CAREFUL, probe=6), upload_name="number")
    known = desk.put("first", until=OrderState.DELIVERED).batch_id
    assert known is not None
    for number in range(3):
        by_hand(desk, f"other-{number}")
    lost(desk, csr=request("vasp.example.com") if csr else None)
    order = look(desk)
    assert order.state is OrderState.DELIVERED
    assert order.batch_id == known + 4
    assert f"batch ids {known + 1} to {known + 6}" in desk.reasons(kind="evidence")[0]


def test_probing_ends_at_its_bound(opened: Opened) -> None:
    desk = opened(dataclasses.replace(CAREFUL, probe=2), delay=LATER)
    desk.put("first", until=OrderState.ISSUING)
    for number in range(3):
        by_hand(desk, f"other-{number}")
    lost(desk)
    order = look(desk)
    assert order.state is OrderState.UNKNOWN
    assert "did not find it" in str(order.attention)


def test_without_a_batch_that_is_known_there_is_no_probing(opened: Opened) -> None:
    desk = opened(dataclasses.replace(CAREFUL, probe=5), delay=LATER)
    lost(desk)
    assert "no batch was known when it was sent" in str(look(desk).attention)


# Put before a human


def test_a_human_is_told_once_and_again_when_more_is_known(opened: Opened) -> None:
    desk = opened(delay=60.0)
    order = lost(desk, "it is")
    first = look(desk, "it is", times=4)
    assert first.attention is not None
    assert str(order.batch_name) in first.attention
    assert "`sectigo orders resolve 'it is' --batch ID`, or --absent, or --give-up" in first.attention
    assert "the service has no list of batches" in first.attention
    desk.wait(61.0)
    second = look(desk, "it is", times=4)
    assert second.state is OrderState.UNKNOWN
    [certificate] = desk.control.certificates(common_name="vasp.example.com")
    assert certificate["serial"].lstrip("0") in str(second.attention)
    assert desk.reasons("it is", "attention") == [first.attention, second.attention]
    assert len(desk.book.history("it is")) == 5
    assert [event.reason for event in desk.told if event.kind == "attention"] == [first.attention, second.attention]


def test_a_human_is_told_once_however_the_evidence_flaps(opened: Opened) -> None:
    desk = opened(batch_list="array", delay=60.0)
    lost(desk, fault="reset")
    texts = {attention_amid(desk, *fault) for fault in (*FLAPPING, *FLAPPING)}
    assert len(texts) == len(FLAPPING)
    assert [event.kind for event in desk.told].count("attention") == len(desk.reasons(kind="attention")) == 1
    by_hand(desk, "other", "vasp.example.com")
    desk.wait(61.0)
    later = [attention_amid(desk, *fault) for fault in (*FLAPPING, *FLAPPING)]
    assert "that no order in the book has" in later[0]
    assert "that no order in the book has" not in later[-1]
    assert [event.kind for event in desk.told].count("attention") == len(desk.reasons(kind="attention")) == 2


FLAPPING: tuple[tuple[str, ...], ...] = (
    (),
    ("json-error", "batches"),
    ("reset", "batches"),
    ("json-error", "findCertificate"),
    ("hang", "findCertificate"),
)


def attention_amid(desk: Desk, *fault: str) -> str:
    """Return what an order says of itself that was looked at while a call goes wrong."""
    name, *calls = fault or ("", "")
    if fault:
        desk.control.add_fault(name, calls=calls)
    timeout, patient = 0.5 if fault else 5.0, desk.client
    with IoTManager(settings_for(desk.emulator, timeout=timeout), clock=desk.clock) as desk.client:
        for _ in range(2):
            desk.step()
            desk.wait(3.0)
    desk.client = patient
    desk.control.clear_faults()
    return str(desk.book.get("vasp").attention)


@pytest.mark.parametrize("options", [{}, {"device_id": "number"}, {"faults": ("ints-as-strings", "unknown-fields")}])
def test_a_certificate_of_another_order_is_no_evidence(opened: Opened, options: dict[str, Any]) -> None:
    desk = opened(**options)
    desk.put("first", until=OrderState.DELIVERED)
    lost(desk, fault="reset")
    assert "a search shows no certificate that could be its own" in str(look(desk).attention)


def test_rules_may_keep_the_list_from_being_asked_for(opened: Opened) -> None:
    desk = opened(dataclasses.replace(CAREFUL, use_list=False), batch_list="page", delay=LATER)
    lost(desk)
    assert "the list of batches was not asked for" in str(look(desk).attention)
    assert desk.control.journal(call="batches") == []


def test_a_service_that_is_away_for_a_while_alarms_nobody_at_once(opened: Opened) -> None:
    desk = opened(batch_list="array", delay=LATER)
    lost(desk)
    desk.control.add_fault("unavailable", calls=["batches"], seconds=0)
    desk.client = IoTManager(settings_for(desk.emulator, timeout=0.3), clock=desk.clock)
    with desk.client:
        desk.step()
        assert desk.book.get("vasp").attention is None
        desk.control.clear_faults()
        assert look(desk).state is OrderState.ISSUING


def test_a_service_whose_list_never_comes_is_told_with_what_else_is_known(opened: Opened) -> None:
    desk = opened(delay=LATER)
    lost(desk)
    desk.control.add_fault("reset", calls=["batches"])
    desk.client = IoTManager(settings_for(desk.emulator, timeout=0.2), clock=desk.clock)
    with desk.client:
        for _ in range(4):
            desk.step()
            desk.wait(3.0)
    attention = str(desk.book.get("vasp").attention)
    assert "the list of batches does not come through" in attention
    assert "a search shows no certificate" in attention


# Absence


def test_absence_counts_once_the_time_is_over_and_the_operator_allows_it(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page")
    desk.put("before", until=OrderState.DELIVERED)
    order = lost(desk, fault="reset")
    assert order.sent_until is not None
    desk.wait(order.sent_until + BOLD.settle - desk.clock() - 5.0)
    waiting = look(desk)
    assert waiting.state is OrderState.UNKNOWN
    assert "is complete, and without it" in str(waiting.attention)
    desk.wait(6.0)
    order = look(desk)
    assert order.state is OrderState.DELIVERED
    assert order.attempt == 2
    assert order.attention is None
    assert accepted(desk) == 2
    assert desk.clock.ahead > BOLD.settle
    assert "it was not accepted" in desk.reasons(kind="evidence")[0]


def test_the_time_is_never_shorter_than_two_deadlines(opened: Opened) -> None:
    desk = opened(dataclasses.replace(BOLD, settle=0.0), batch_list="page")
    desk.put("before", until=OrderState.DELIVERED)
    order = lost(desk, fault="reset")
    assert order.sent_until is not None
    desk.wait(order.sent_until + 9.0 - desk.clock())
    assert look(desk).state is OrderState.UNKNOWN
    desk.wait(2.0)
    assert look(desk).state is OrderState.DELIVERED


@pytest.mark.parametrize(
    ("rules", "options"),
    [
        (CAREFUL, {"batch_list": "page"}),
        (BOLD, {"batch_list": "array"}),
        (BOLD, {"batch_list": "off"}),
        (dataclasses.replace(BOLD, use_list=False), {"batch_list": "page"}),
        (BOLD, {"batch_list": "page", "faults": ("nulls,call=batches,value=batchName",)}),
        (BOLD, {"batch_list": "page", "faults": ("json-error,call=findCertificate,status=404",)}),
    ],
    ids=["not allowed", "no total", "no list", "not asked for", "no names", "no search"],
)
def test_nothing_less_proves_absence(opened: Opened, rules: WorkerRules, options: dict[str, Any]) -> None:
    desk = opened(rules, **options)
    desk.put("before", until=OrderState.DELIVERED)
    lost(desk, fault="reset")
    desk.wait(2 * rules.settle)
    order = look(desk, times=2)
    assert order.state is OrderState.UNKNOWN
    assert order.attention is not None
    assert accepted(desk) == 1


def test_a_clock_that_was_set_ahead_does_not_make_absence_count(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page")
    desk.put("before", until=OrderState.DELIVERED)
    lost(desk, fault="reset")
    with swapped(engine, "boot_time", boot_time):
        desk.clock.ahead += 2 * BOLD.settle
        assert look(desk, times=2).state is OrderState.UNKNOWN
    desk.clock.ahead += 10.0
    assert look(desk).state is OrderState.DELIVERED


def test_without_a_batch_that_the_list_must_have_no_list_proves_absence(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page")
    by_hand(desk, "other")
    lost(desk, fault="reset")
    desk.wait(2 * BOLD.settle)
    order = look(desk, times=2)
    assert order.state is OrderState.UNKNOWN
    assert "may not be complete" in str(order.attention)


def test_a_certificate_that_may_be_its_own_keeps_it_from_being_ordered_anew(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page")
    lost(desk, fault="reset")
    by_hand(desk, "other", "vasp.example.com")
    desk.wait(2 * BOLD.settle)
    assert "that no order in the book has" in str(look(desk).attention)
    assert accepted(desk) == 1


def test_a_search_that_shows_not_all_keeps_it_from_being_ordered_anew(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page", find_limit=1)
    for key in ("first", "second"):
        desk.put(key, until=OrderState.DELIVERED)
    lost(desk, fault="reset")
    desk.wait(2 * BOLD.settle)
    assert "shows not all certificates" in str(look(desk).attention)


def test_a_list_without_a_batch_that_exists_is_of_others(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page")
    desk.put("first", until=OrderState.DELIVERED)
    lost(desk, fault="reset")
    desk.wait(2 * BOLD.settle)
    with answered_otherwise(desk, lambda _: {"items": [], "total": 0}):
        assert "may not be complete" in str(look(desk).attention)


def test_what_was_withdrawn_is_not_given_up_for_absent(opened: Opened) -> None:
    desk = opened(BOLD, batch_list="page")
    lost(desk, fault="reset")
    desk.book.cancel("vasp", "no longer wanted")
    desk.wait(2 * BOLD.settle)
    order = look(desk)
    assert order.state is OrderState.UNKNOWN
    assert order.attention is not None


def test_an_order_that_is_carried_out_late_is_found(opened: Opened) -> None:
    desk = opened(dataclasses.replace(BOLD, settle=0.0), batch_list="page")
    desk.control.queue_fault("accepted-late", calls=ORDERS, seconds=0.6)
    with IoTManager(settings_for(desk.emulator, timeout=0.3), clock=desk.clock) as desk.client:
        desk.place()
        desk.step()
        assert desk.book.get("vasp").state is OrderState.UNKNOWN
        time.sleep(0.6)
        assert look(desk).state is OrderState.DELIVERED
    assert accepted(desk) == 1


# Under a lease


def work_on(desk: Desk, seconds: float) -> Work:
    [lease] = desk.book.claim("a worker", seconds=seconds)
    return Work(desk.book, desk.client, desk.rules, lease, None, desk.told.append, desk.clock)


def test_an_order_that_was_being_sent_is_taken_for_unknown(opened: Opened) -> None:
    desk = opened()
    desk.place()
    work = work_on(desk, 60.0)
    assert desk.book.begin_sending(work.lease, authority_id=AUTHORITY, profile_id=PROFILE, seconds=1.0, balance=None)
    interrupted(work)
    assert desk.book.get("vasp").state is OrderState.UNKNOWN


def test_a_lease_is_kept_while_much_is_asked(opened: Opened) -> None:
    desk = opened(delay=LATER)
    lost(desk)
    work = work_on(desk, 2.0)
    gather(work)
    assert work.lease.left() > 2 * desk.client.settings.timeout
    keep_lease(work, downloading=True)
    assert work.lease.left() > 2 * desk.client.settings.download_timeout


def test_who_has_lost_the_lease_changes_nothing(opened: Opened) -> None:
    desk = opened(batch_list="array")
    lost(desk)
    work = work_on(desk, 0.0)
    work_on(desk, 60.0)
    with pytest.raises(LeaseLostError):
        reconcile(work)
    assert desk.book.get("vasp").state is OrderState.UNKNOWN
    assert desk.reasons(kind="evidence") == []


def test_what_passes_is_left_to_the_worker(opened: Opened) -> None:
    desk = opened(batch_list="array")
    lost(desk)
    work = work_on(desk, 60.0)
    nowhere = IoTManager(settings_for(desk.emulator, endpoint="http://127.0.0.1:9", timeout=0.2))
    with nowhere as work.service, pytest.raises(TransportError):
        reconcile(work)
