"""Renewing in time, and revoking what was replaced."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.orders import OrderedCertificate, OrderState, Renewal
from sectigo_iot.orders.replacements import renewed_request
from sectigo_iot.orders.steps.dates import renewal_time
from sectigo_iot.pki import RequestSpec, build_request, generate_key, private_key_pem, read_private_key, read_requests
from tests.orders.desk import DAY, PASSWORD, Desk, open_desk
from tests.orders.test_delivering import serial_of, status_of

S = OrderState
NAMES = ("vasp.example.com", "api.vasp.example.com")
START = datetime(2030, 1, 1, tzinfo=UTC)


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[Desk]:
    with open_desk(tmp_path) as opened:
        yield opened


def lasting(days: float) -> OrderedCertificate:
    end = START + timedelta(days=days)
    return OrderedCertificate(
        serial_number="01", fingerprint="", not_before=START, not_after=end, dns_names=("vasp.example.com",)
    )


@given(st.text("0123456789abcdef", min_size=16, max_size=16), st.floats(1, 60))
def test_it_is_renewed_so_many_days_before_its_end_or_a_bit_earlier(uid: str, days: float) -> None:
    before = lasting(398).not_after.timestamp() - renewal_time(uid, Renewal(days), lasting(398))
    assert days * DAY - 1 <= before <= days * DAY * 1.1 + 1


@pytest.mark.parametrize(
    ("uid", "before", "days"),
    [
        ("0" * 16, 1 / 3, 100.0),
        ("f" * 16, 1 / 3, 110.0),
        ("8" + "0" * 15, 30.0, 31.5),
        ("0" * 16, 400.0, 150.0),  # not longer than half of its lifetime: it would be renewed for ever
        ("f" * 16, 0.999, 300.0),
    ],
)
def test_how_long_before_its_end_it_is_renewed(uid: str, before: float, days: float) -> None:
    at = renewal_time(uid, Renewal(before), lasting(300))
    assert lasting(300).not_after.timestamp() - at == pytest.approx(days * DAY, abs=1)


def renewed(desk: Desk, key: str = "vasp") -> str:
    """Let time pass to when an order is renewed, and return the key of the renewal."""
    order = desk.book.get(key)
    assert order.renew_at is not None
    assert order.next_at == pytest.approx(order.renew_at)
    desk.wait(order.renew_at - desk.clock() + 1)
    desk.step()
    new = desk.book.get(key).renewed_by
    assert new is not None
    return new


def test_the_renewal_is_an_order_like_any_other(desk: Desk) -> None:
    old = desk.put("vasp", *NAMES, until=S.DELIVERED, renewal=Renewal(30.0), labels={"vasp": "7"})
    key = renewed(desk)
    new = desk.carry(key, S.DELIVERED)
    assert (new.state, new.renews) == (S.DELIVERED, "vasp")
    assert (new.wanted.names, new.wanted.labels) == (NAMES, {"vasp": "7"})
    assert serial_of(new) != serial_of(old)
    assert new.renew_at is not None
    assert [order.key for order, _ in desk.delivered] == ["vasp", key]
    desk.wait(40 * DAY)
    desk.step()
    old = desk.book.get("vasp")
    assert (old.state, old.revoked_at, old.next_at, old.attention) == (S.DELIVERED, None, None, None)


def test_what_was_replaced_is_revoked_after_its_days_of_grace(desk: Desk) -> None:
    desk.put(until=S.DELIVERED, renewal=Renewal(30.0, revoke_after=7.0))
    new = desk.carry(renewed(desk), S.DELIVERED)
    old = desk.book.get("vasp")
    assert old.revoke_at == pytest.approx(desk.clock() + 7 * DAY, abs=60)
    desk.wait(6.9 * DAY)
    desk.step()
    assert desk.book.get("vasp").revoked_at is None
    assert status_of(desk, old) != "REVOKED"
    desk.wait(0.2 * DAY)
    desk.step()
    old = desk.book.get("vasp")
    assert old.revoked_at == pytest.approx(desk.clock(), abs=60)
    assert (old.state, old.next_at) == (S.DELIVERED, None)
    assert (status_of(desk, old), status_of(desk, new)) == ("REVOKED", "COLLECTED")
    assert desk.reasons(kind="revoked") == [f"certificate {serial_of(old)} is revoked: superseded"]
    desk.step()
    assert len(desk.reasons(kind="revoked")) == 1


def test_nothing_is_revoked_before_what_replaces_it_is_delivered(desk: Desk) -> None:
    desk.put(until=S.DELIVERED, renewal=Renewal(30.0, revoke_after=0.0))
    desk.deliver = None
    order = desk.book.get("vasp")

    def refuse(*_: object) -> None:
        raise ConnectionError("shut")

    desk.deliver = refuse
    key = renewed(desk)
    desk.step()
    desk.wait(20 * DAY)
    desk.step()
    assert desk.book.get(key).state is S.FETCHED
    assert desk.book.get("vasp").revoked_at is None
    assert status_of(desk, order) != "REVOKED"
    desk.deliver = None
    assert desk.carry(key, S.DELIVERED).state is S.DELIVERED
    desk.wait(60)
    desk.step()
    assert desk.book.get("vasp").revoked_at is not None


def test_a_renewal_that_came_to_nothing_is_told_where_it_is_missed(desk: Desk) -> None:
    desk.put(until=S.DELIVERED, renewal=Renewal(30.0))
    desk.control.next_life("rejected")
    key = renewed(desk)
    assert desk.carry(key, S.REJECTED).state is S.REJECTED
    for _ in range(3):
        desk.wait(DAY)
        desk.step()
    old = desk.book.get("vasp")
    assert (old.attention or "").startswith(f"its renewal {key!r} is rejected: ")
    assert desk.reasons(kind="attention") == [old.attention]
    desk.book.retry(key)
    assert desk.carry(key, S.DELIVERED).state is S.DELIVERED
    desk.wait(DAY)
    desk.step()
    assert desk.book.get("vasp").attention is None


def test_an_own_key_is_renewed_with_a_new_one(desk: Desk) -> None:
    key = generate_key("P-256")
    csr = build_request(key, RequestSpec(NAMES, "Example Ltd", "Berlin", "Berlin", "DE"))
    desk.place("vasp", *NAMES, csr=csr, renewal=Renewal(30.0), private_key=private_key_pem(key))
    old = desk.carry("vasp", S.DELIVERED)
    assert desk.delivered[0][1].private_key == private_key_pem(key)
    new = desk.carry(renewed(desk), S.DELIVERED)
    assert new.state is S.DELIVERED
    (asked,) = read_requests(new.wanted.csr or b"")
    (before,) = read_requests(csr)
    assert (asked.subject, asked.dns_names, asked.key) == (before.subject, before.dns_names, "P-256")
    assert asked.public_key_fingerprint != before.public_key_fingerprint
    assert read_private_key(desk.delivered[1][1].private_key or b"") != key
    assert serial_of(new) != serial_of(old)


def test_a_request_of_the_callers_own_is_asked_for(desk: Desk) -> None:
    csr = build_request(generate_key("P-256"), RequestSpec(NAMES))
    desk.put("vasp", *NAMES, until=S.DELIVERED, csr=csr, renewal=Renewal(30.0))
    order = desk.book.get("vasp")
    assert order.renew_at is not None
    desk.wait(order.renew_at - desk.clock() + 1)
    for _ in range(3):
        desk.step()
        desk.wait(DAY)
    order = desk.book.get("vasp")
    assert order.attention == "its renewal needs a new signing request: its key is not kept here"
    assert desk.reasons(kind="attention") == [order.attention]
    assert order.renewed_by is None
    desk.wait(60 * DAY)
    desk.step()
    assert desk.book.get("vasp").next_at is None


@pytest.mark.parametrize(
    ("spec", "kind", "names"),
    [(RequestSpec(NAMES, country="DE"), "Ed25519", NAMES), (RequestSpec(NAMES), "P-384", NAMES[:1])],
)
def test_a_new_request_is_like_the_old_one(spec: RequestSpec, kind: str, names: tuple[str, ...]) -> None:
    csr, key = renewed_request(build_request(generate_key(kind), spec), names)
    (made,) = read_requests(csr)
    assert (made.key, made.dns_names, made.common_name) == (kind, names, names[0])
    assert made.subject[-1] == (("countryName", "DE") if spec.country else ("commonName", names[0]))
    assert read_private_key(key)


def test_a_request_that_says_more_is_not_made_anew() -> None:
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.x509.oid import NameOID

    unit = x509.NameAttribute(NameOID.ORGANIZATIONAL_UNIT_NAME, "Devices")
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAMES[0]), unit])
    san = x509.SubjectAlternativeName([x509.DNSName(NAMES[0])])
    builder = x509.CertificateSigningRequestBuilder().subject_name(name).add_extension(san, critical=False)
    csr = builder.sign(generate_key("P-256"), SHA256()).public_bytes(Encoding.PEM)
    with pytest.raises(InvalidInputError, match="attributes that are not made here"):
        renewed_request(csr, NAMES[:1])


def test_a_renewal_of_somebodys_password_is_under_a_new_one(desk: Desk) -> None:
    desk.put(until=S.DELIVERED, renewal=Renewal(30.0))
    desk.carry(renewed(desk), S.DELIVERED)
    first, second = (bundle.password for _, bundle in desk.delivered)
    assert first == PASSWORD
    assert second not in (None, PASSWORD)


def test_a_renewal_by_hand_has_the_old_one_revoked_as_well(desk: Desk) -> None:
    desk.put(until=S.DELIVERED, renewal=Renewal(30.0, revoke_after=2.0))
    key = desk.book.renew("vasp").key
    assert desk.carry(key, S.DELIVERED).state is S.DELIVERED
    old = desk.book.get("vasp")
    assert old.revoke_at == pytest.approx(desk.clock() + 2 * DAY, abs=60)
    desk.wait(2 * DAY + 60)
    desk.step()
    assert status_of(desk, old) == "REVOKED"
    assert desk.book.get("vasp").revoked_at is not None
    assert desk.book.get("vasp").next_at is None
