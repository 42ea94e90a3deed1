"""Fetching what was issued: each step is gone on from, and nothing but what was ordered counts as fetched."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from sectigo_iot.errors import BundleError, InvalidInputError
from sectigo_iot.orders import OrderState, WorkerRules
from sectigo_iot.orders.steps.verifying import examine, facts_of
from sectigo_iot.pki import RequestSpec, build_request, generate_key, open_bundle
from tests.orders.desk import DAY, PASSWORD, Desk, open_desk

S = OrderState
NAMES = ("vasp.example.com", "api.vasp.example.com")


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def csr_for(*names: str) -> bytes:
    return build_request(generate_key("P-256"), RequestSpec(names))


def retried(desk: Desk, times: int = 1) -> None:
    """Step as often, each time when it is due."""
    for _ in range(times):
        desk.step()
        order = desk.book.get("vasp")
        if order.next_at is not None:
            desk.wait(max(order.next_at - desk.clock(), 0.0) + 0.01)


def test_what_is_fetched_is_verified_and_stands_in_the_book(desk: Desk) -> None:
    desk.rules = WorkerRules(roots=desk.emulator.root_certificate)
    order = desk.put("vasp", *NAMES, until=S.FETCHED)
    archive = desk.secret("vasp", "zip")
    assert archive is not None
    (issued,) = open_bundle(archive, PASSWORD)
    assert order.certificate == facts_of(issued)
    assert order.certificate is not None
    assert order.certificate.serial_number == issued.serial_number
    assert set(order.certificate.dns_names) == set(NAMES)
    assert order.reason.startswith(f"verified and kept: certificate {issued.serial_number}, until ")
    assert order.renew_at is None


def test_what_is_kept_already_is_not_fetched_again(desk: Desk) -> None:
    order = desk.put(until=S.READY)
    assert order.batch_id is not None
    desk.book.secrets.put(f"{order.uid}.zip{order.batch_id}", desk.client.download_bytes(order.batch_id))
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED
    assert desk.control.downloads(order.batch_id)["count"] == 1


@pytest.mark.parametrize("fault", ["zip-traversal", "null"])
def test_what_does_not_come_whole_is_fetched_again_for_as_long_as_it_takes(desk: Desk, fault: str) -> None:
    desk.put(until=S.READY)
    desk.control.add_fault(fault, calls=["download"])
    retried(desk, 4)
    order = desk.book.get("vasp")
    assert (order.state, order.failures) == (S.READY, 4)
    assert order.attention is not None
    assert len(desk.reasons(kind="attention")) == 1
    assert desk.secret("vasp", "zip") is None
    desk.control.clear_faults()
    order = desk.carry("vasp", S.DELIVERED)
    assert (order.state, order.attention) == (S.DELIVERED, None)


@pytest.mark.parametrize("fault", ["zip-wrong-password", "zip-two-entries"])
def test_what_is_not_what_was_ordered_is_fetched_again_and_then_told(desk: Desk, fault: str) -> None:
    desk.put(until=S.READY)
    desk.control.add_fault(fault, calls=["download"])
    retried(desk, 2)
    assert (desk.book.get("vasp").state, desk.book.get("vasp").failures) == (S.READY, 2)
    retried(desk)
    order = desk.book.get("vasp")
    assert (order.state, order.next_at) == (S.FAILED, None)
    assert order.attention == order.reason
    assert order.reason.startswith("what came is not what was ordered: ")
    assert desk.secret("vasp", "zip") is None
    desk.control.clear_faults()
    desk.book.retry("vasp")
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED


def test_somebody_elses_bundle_is_fetched_again(desk: Desk) -> None:
    desk.put(until=S.READY)
    desk.control.queue_fault("zip-wrong-password", calls=["download"])
    order = desk.carry("vasp", S.DELIVERED)
    assert (order.state, order.attention) == (S.DELIVERED, None)


def test_roots_that_did_not_issue_it_are_told(desk: Desk, tmp_path: Path) -> None:
    folder = tmp_path / "other"
    folder.mkdir()
    with open_desk(folder) as other:
        desk.rules = WorkerRules(roots=other.emulator.root_certificate, told_after=1)
    order = desk.put(until=S.FAILED)
    assert "which none of the given roots has issued" in order.reason


def test_roots_that_are_none_are_told_and_nothing_is_lost(desk: Desk) -> None:
    desk.rules = WorkerRules(roots=b"no certificate")
    desk.place()
    retried(desk, 2)
    order = desk.book.get("vasp")
    assert order.state is S.READY
    assert order.attention == "the root certificates to verify against are not PEM"
    desk.rules = WorkerRules()
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED


def test_without_its_password_it_is_told_at_once(desk: Desk) -> None:
    order = desk.put(until=S.READY)
    desk.book.secrets.remove(f"{order.uid}.password")
    order = desk.carry("vasp", S.FAILED)
    assert order.attention == order.reason
    assert "password" in order.reason
    desk.book.secrets.put(f"{order.uid}.password", PASSWORD.encode())
    desk.book.retry("vasp")
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED


def test_what_the_service_has_removed_by_then_has_expired(desk: Desk) -> None:
    order = desk.put(until=S.READY)
    desk.wait(31 * DAY)
    order = desk.carry("vasp", S.EXPIRED)
    assert order.state is S.EXPIRED
    assert order.attention == order.reason
    assert "REMOVED_AFTER_EXPIRATION" in order.reason


def test_what_is_not_ready_after_all_is_looked_at_again(desk: Desk) -> None:
    order = desk.put(until=S.READY)
    assert order.batch_id is not None
    desk.control.push(order.batch_id, "PROCESSING")
    desk.step()
    assert desk.book.get("vasp").state is S.ISSUING
    desk.control.push(order.batch_id, "READY_FOR_DOWNLOAD")
    assert desk.carry("vasp", S.DELIVERED).state is S.DELIVERED


def test_a_certificate_for_an_own_request(desk: Desk) -> None:
    order = desk.put("vasp", *NAMES, until=S.FETCHED, csr=csr_for(*NAMES))
    assert order.certificate is not None
    assert set(order.certificate.dns_names) == set(NAMES)


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """An order whose key the service made, and one for a signing request, both fetched."""
    with open_desk(tmp_path_factory.mktemp("desk")) as desk:
        desk.put("own", *NAMES, until=S.FETCHED)
        desk.put("csr", *NAMES, until=S.FETCHED, csr=csr_for(*NAMES))
        yield desk


class TestExamined:
    """What came, judged beside what was ordered."""

    def wanted(self, desk: Desk, key: str, **changes: object) -> object:
        order = desk.book.get(key)
        return replace(order, wanted=replace(order.wanted, **changes))  # type: ignore[arg-type]

    def test_as_ordered(self, fetched: Desk) -> None:
        order, archive = fetched.book.get("own"), fetched.secret("own", "zip")
        assert archive is not None
        found = examine(order, archive, PASSWORD, None, fetched.clock())
        assert (found.fault, found.further, len(found.certificates)) == (None, (), 1)

    @pytest.mark.parametrize("names", [("VASP.example.com", "API.VASP.Example.COM"), ("vasp.example.com",)])
    def test_names_are_the_same_in_any_case(self, fetched: Desk, names: tuple[str, ...]) -> None:
        archive = fetched.secret("own", "zip")
        assert archive is not None
        found = examine(self.wanted(fetched, "own", names=names), archive, PASSWORD, None, fetched.clock())  # type: ignore[arg-type]
        assert found.fault is None
        assert found.further == (() if len(names) == 2 else ("api.vasp.example.com",))

    def test_a_name_that_is_missing(self, fetched: Desk) -> None:
        archive = fetched.secret("own", "zip")
        assert archive is not None
        order = self.wanted(fetched, "own", names=(*NAMES, "third.example.com"))
        found = examine(order, archive, PASSWORD, None, fetched.clock())  # type: ignore[arg-type]
        assert found.fault == "the certificate lacks third.example.com, which was ordered"

    def test_a_certificate_for_another_key(self, fetched: Desk) -> None:
        archive = fetched.secret("csr", "zip")
        assert archive is not None
        order = self.wanted(fetched, "csr", csr=csr_for(*NAMES))
        found = examine(order, archive, None, None, fetched.clock())  # type: ignore[arg-type]
        assert "another key" in (found.fault or "")

    def test_no_key_where_the_service_was_to_make_it(self, fetched: Desk) -> None:
        archive = fetched.secret("csr", "zip")
        assert archive is not None
        found = examine(fetched.book.get("own"), archive, PASSWORD, None, fetched.clock())
        assert "holds no private key" in (found.fault or "")

    def test_a_password_where_there_is_none(self, fetched: Desk) -> None:
        archive = fetched.secret("own", "zip")
        assert archive is not None
        found = examine(fetched.book.get("csr"), archive, None, None, fetched.clock())
        assert found.fault == "what came needs a password, and the order has none"

    def test_a_certificate_that_has_ended(self, fetched: Desk) -> None:
        archive = fetched.secret("own", "zip")
        assert archive is not None
        found = examine(fetched.book.get("own"), archive, PASSWORD, None, fetched.clock() + 800 * DAY)
        assert "expired on" in (found.fault or "")

    def test_a_clock_that_is_behind_makes_nothing_wrong(self, fetched: Desk) -> None:
        archive = fetched.secret("own", "zip")
        assert archive is not None
        found = examine(fetched.book.get("own"), archive, PASSWORD, None, fetched.clock() - 100 * DAY)
        assert found.fault is None

    def test_what_is_no_zip(self, fetched: Desk) -> None:
        with pytest.raises(BundleError):
            examine(fetched.book.get("own"), b"<html>", PASSWORD, None, fetched.clock())

    def test_roots_that_cannot_be_read(self, fetched: Desk) -> None:
        archive = fetched.secret("own", "zip")
        assert archive is not None
        with pytest.raises(InvalidInputError):
            examine(fetched.book.get("own"), archive, PASSWORD, b"none", fetched.clock())
