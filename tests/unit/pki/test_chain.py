"""Which way is taken where there are several."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from time import perf_counter

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_iot.pki.chain import order_chain
from tests.unit.pki.home import NOW, build, ec_key, home


def ca(subject: str, issuer: str, *, start: int = -10, days: int = 100) -> x509.Certificate:
    began = NOW + timedelta(days=start)
    return build(subject, ec_key(subject), issuer, ec_key(issuer), ca=True, start=began, days=days)


LEAF = build("leaf", ec_key("leaf"), "mid", ec_key("mid"), ca=False)
MID, LONGER, EXPIRED = ca("mid", "new"), ca("mid", "new", days=200), ca("mid", "new", days=5)
FUTURE = ca("mid", "new", start=5)
NEW, CROSS, OLD = ca("new", "new"), ca("new", "old"), ca("old", "old")
EXPIRED_CROSS, EXPIRED_OLD, EXPIRED_NEW = (
    ca(*names, days=5) for names in (("new", "old"), ("old", "old"), ("new", "new"))
)


@pytest.mark.parametrize(
    ("others", "chain"),
    [
        ([MID, LONGER, NEW], [LONGER, NEW]),
        ([EXPIRED, FUTURE, MID], [MID]),
        ([EXPIRED, NEW], [EXPIRED, NEW]),
        ([MID, NEW, CROSS, OLD], [MID, CROSS, OLD]),
        ([MID, CROSS, NEW], [MID, NEW]),
        ([MID, CROSS], [MID, CROSS]),
        ([MID, CROSS, EXPIRED_OLD, NEW], [MID, NEW]),
        ([MID, EXPIRED_CROSS, OLD, NEW], [MID, NEW]),
        ([MID, EXPIRED_CROSS, OLD], [MID, EXPIRED_CROSS, OLD]),
        ([MID, EXPIRED_CROSS, EXPIRED_NEW], [MID, EXPIRED_NEW]),
        ([OLD], []),
    ],
)
def test_the_best_way_is_taken_in_any_order(others: list[x509.Certificate], chain: list[x509.Certificate]) -> None:
    assert list(order_chain(LEAF, others)) == chain
    assert list(order_chain(LEAF, [LEAF, *reversed(others), *others])) == chain


def test_the_time_counts() -> None:
    assert order_chain(LEAF, [MID, EXPIRED, FUTURE], NOW + timedelta(days=99)) == (FUTURE,)
    assert order_chain(LEAF, [LONGER, EXPIRED, FUTURE], NOW - timedelta(days=9))[0] == LONGER


def test_certificates_that_issue_each_other_end() -> None:
    one, other = ca("mid", "loop"), ca("loop", "mid")
    assert order_chain(LEAF, [one, other]) == (one, other)


def test_a_path_has_ten_certificates_at_most() -> None:
    names = ["leaf", *(f"ca {number}" for number in range(20))]
    chain = [build(one, ec_key(one), above, ec_key(above), ca=True) for one, above in pairwise(names)]
    assert order_chain(chain[0], chain) == tuple(chain[1:10])
    root = ca("ca 19", "ca 19")
    assert order_chain(chain[0], [*chain, root]) == tuple(chain[1:10])
    assert order_chain(chain[-9], [*chain, root]) == (*chain[-8:], root)
    assert len(order_chain(chain[-10], [*chain, root])) == 9


def test_a_thicket_of_cross_certificates_is_left_in_time() -> None:
    names = [f"thicket {number}" for number in range(9)]
    crossed = [ca(one, other) for one in names for other in names if one != other]
    leaf = build("leaf", ec_key("leaf"), names[0], ec_key(names[0]), ca=False)
    start = perf_counter()
    assert order_chain(leaf, crossed)
    assert perf_counter() - start < 2


def test_the_root_is_not_followed_by_its_cross_certificate() -> None:
    assert order_chain(NEW, [NEW, CROSS, OLD]) == ()
    assert order_chain(home().leaf, [home().root, home().issuing]) == (home().issuing, home().root)


def test_a_name_that_cannot_be_read_is_nobody_s() -> None:
    whole = build("damaged", ec_key("damaged"), "damaged", ec_key("damaged"), ca=True)
    damaged = x509.load_der_x509_certificate(whole.public_bytes(Encoding.DER).replace(b"damaged", b"dam\xff\xfeed"))
    with pytest.raises((ValueError, KeyError)):
        _ = damaged.subject
    assert order_chain(LEAF, [damaged, MID]) == (MID,)
    assert order_chain(damaged, [damaged, MID]) == ()
