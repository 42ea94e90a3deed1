"""What a PKCS#12 may ask for: refused before anything is computed, whichever way it would go."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from sectigo_iot.errors import BundleError
from sectigo_iot.pki import open_pkcs12
from tests.unit.pki.home import PASSWORD, home
from tests.unit.pki.pfx_making import (
    CERT_BAG,
    DATA,
    ENCRYPTED,
    HMAC_SHA256,
    KEY_BAG,
    NULL,
    PBES2,
    PBKDF2,
    PBMAC1,
    SAFE_CONTENTS_BAG,
    SCRYPT,
    SHROUDED_KEY_BAG,
    bag,
    certificate_bag,
    element,
    encrypted_part,
    explicit,
    made,
    made_of,
    number,
    octets,
    oid,
    open_part,
    private_key_info,
    sequence,
    shrouded_bag,
)

MANY = 10_000_001
SALT = octets(b"salt" * 2)


def scheme(derivation: bytes, kind: str = PBES2) -> bytes:
    return sequence(oid(kind), sequence(derivation, sequence(oid("2.16.840.1.101.3.4.1.42"), octets(bytes(16)))))


def pbkdf2(iterations: int, *more: bytes) -> bytes:
    return sequence(oid(PBKDF2), sequence(SALT, number(iterations), *more))


def pbes1(kind: str, iterations: int) -> bytes:
    return sequence(oid(kind), sequence(SALT, number(iterations)))


def key_under(algorithm: bytes) -> bytes:
    return open_part(bag(SHROUDED_KEY_BAG, sequence(algorithm, octets(bytes(1280)))))


def certificates_under(algorithm: bytes) -> bytes:
    info = sequence(oid(DATA), algorithm, element(0x80, bytes(1280)))
    return sequence(oid(ENCRYPTED), explicit(sequence(number(0), info)))


def leaf() -> bytes:
    return encrypted_part(certificate_bag(home().leaf))


def pbmac1(*more: bytes, iterations: int = 1) -> bytes:
    derivation = sequence(oid(PBKDF2), sequence(SALT, number(iterations), *more, sequence(oid(HMAC_SHA256), NULL)))
    algorithm = sequence(oid(PBMAC1), sequence(derivation, sequence(oid(HMAC_SHA256), NULL)))
    mac = sequence(sequence(algorithm, octets(bytes(32))), SALT)
    return sequence(number(3), sequence(oid(DATA), explicit(octets(sequence(leaf())))), mac)


def in_bags(one: bytes, depth: int) -> bytes:
    for _ in range(depth):
        one = bag(SAFE_CONTENTS_BAG, sequence(one))
    return one


BOMBS: dict[str, Callable[[], bytes]] = {
    "the MAC": lambda: made(leaf(), told=MANY),
    "the MAC, beyond 32 bits": lambda: made(leaf(), told=1 << 40),
    "the MAC, 2,000 octets long": lambda: made(leaf(), told=1 << 16_000),
    "PBKDF2 of the key": lambda: made(leaf(), key_under(scheme(pbkdf2(MANY)))),
    "PBKDF2 of the certificates": lambda: made(certificates_under(scheme(pbkdf2(2**31 - 1)))),
    "3DES of the key": lambda: made(leaf(), key_under(pbes1("1.2.840.113549.1.12.1.3", MANY))),
    "RC2 of the certificates": lambda: made(certificates_under(pbes1("1.2.840.113549.1.12.1.6", MANY))),
    "DES of RFC 8018": lambda: made(certificates_under(pbes1("1.2.840.113549.1.5.10", MANY))),
    "an algorithm that nobody knows": lambda: made(certificates_under(pbes1("1.2.3.4", MANY))),
    "a bag in a bag": lambda: made(open_part(in_bags(shrouded_bag(b"x", iterations=MANY), 3))),
    "many small ones": lambda: made(leaf(), *[certificates_under(scheme(pbkdf2(1_000_000)))] * 11),
    "many keys": lambda: made(open_part(*[shrouded_bag(b"x", iterations=9_000_000)] * 2)),
    "PBMAC1": lambda: pbmac1(iterations=MANY),
    "scrypt": lambda: made(
        key_under(scheme(sequence(oid(SCRYPT), sequence(SALT, number(1 << 14), number(8), number(100)))))
    ),
}
UNREADABLE: dict[str, Callable[[], bytes]] = {
    "no iterations of the MAC": lambda: made(leaf(), told=0),
    "less than none": lambda: made(leaf(), key_under(scheme(pbkdf2(-1)))),
    "a number in another place": lambda: made(key_under(sequence(oid("1.2.3.4"), sequence(number(MANY), SALT)))),
    "no parameters": lambda: made(certificates_under(sequence(oid("1.2.840.113549.1.12.1.3")))),
    "PBES2 in PBES2": lambda: made(key_under(scheme(scheme(pbkdf2(MANY))))),
    "bags in bags in bags": lambda: made(open_part(in_bags(shrouded_bag(b"x", iterations=MANY), 100))),
    "a key for the MAC longer than any": lambda: pbmac1(number(1 << 20)),
    "a private key larger than any": lambda: made(open_part(bag(KEY_BAG, octets(bytes(20_000))))),
    "a signature": lambda: sequence(number(3), sequence(oid("1.2.840.113549.1.7.2"), explicit(octets(leaf())))),
    "a bag without a value": lambda: made(open_part(sequence(oid(CERT_BAG)))),
}


def in_ber(data: bytes) -> bytes:
    """The same with indefinite lengths, and octet strings in pieces of a kilobyte."""
    tag, content = data[0], contents(data)
    if tag == 0x04:
        pieces = [content[at : at + 1024] for at in range(0, len(content), 1024)]
        return b"\x24\x80" + b"".join(map(octets, pieces)) + b"\0\0"
    if not tag & 0x20:
        return data
    return bytes([tag, 0x80]) + b"".join(map(in_ber, children(content))) + b"\0\0"


def length_of(data: bytes) -> tuple[int, int]:
    if data[1] < 0x80:
        return 2, data[1]
    size = data[1] & 0x7F
    return 2 + size, int.from_bytes(data[2 : 2 + size], "big")


def contents(data: bytes) -> bytes:
    start, length = length_of(data)
    return data[start : start + length]


def children(content: bytes) -> list[bytes]:
    found = []
    while content:
        end = sum(length_of(content))
        found.append(content[:end])
        content = content[end:]
    return found


def seconds(data: bytes, match: str) -> float:
    before = time.thread_time()
    with pytest.raises(BundleError, match=match):
        open_pkcs12(data, PASSWORD)
    return time.thread_time() - before


@pytest.mark.parametrize("form", [bytes, in_ber], ids=["DER", "BER"])
@pytest.mark.parametrize("bomb", BOMBS)
def test_too_many_iterations_are_refused_at_once(bomb: str, form: Callable[[bytes], bytes]) -> None:
    data = form(BOMBS[bomb]())
    assert (
        min(seconds(data, r"^the PKCS#12 asks for .* iterations; at most 10,000,000 are computed$") for _ in range(3))
        < 0.01
    )


@pytest.mark.parametrize("form", [bytes, in_ber], ids=["DER", "BER"])
@pytest.mark.parametrize("kind", UNREADABLE)
def test_what_cannot_be_counted_is_refused(kind: str, form: Callable[[bytes], bytes]) -> None:
    data = form(UNREADABLE[kind]())
    assert min(seconds(data, "^the PKCS#12 is damaged, or it is none$") for _ in range(3)) < 0.01


def test_many_iterations_that_are_not_too_many() -> None:
    key = shrouded_bag(private_key_info(home().leaf_key), iterations=10_000)
    assert open_pkcs12(made(leaf(), open_part(key), iterations=10_000), PASSWORD).leaf == home().leaf


def test_ber_is_opened() -> None:
    inner = sequence(leaf(), open_part(shrouded_bag(private_key_info(home().leaf_key))))
    for authenticated in (inner, in_ber(inner)):
        for data in (made_of(authenticated), in_ber(made_of(authenticated))):
            assert open_pkcs12(data, PASSWORD).leaf == home().leaf


def test_one_iteration_told_although_der_leaves_it_out() -> None:
    whole = children(contents(made(leaf(), open_part(shrouded_bag(private_key_info(home().leaf_key))))))
    mac = sequence(contents(whole[2]), number(1))
    assert open_pkcs12(sequence(*whole[:2], mac), PASSWORD).leaf == home().leaf


@pytest.mark.parametrize("end", [3, 10, 40, 100])
def test_ber_that_is_cut_short(end: int) -> None:
    whole = in_ber(made(leaf()))
    with pytest.raises(BundleError, match="damaged"):
        open_pkcs12(whole[:-end], PASSWORD)
    with pytest.raises(BundleError, match="damaged"):
        open_pkcs12(whole[:end], PASSWORD)


def test_ber_nested_too_deep() -> None:
    with pytest.raises(BundleError, match="damaged"):
        open_pkcs12(b"\x30\x80" * 100_000, PASSWORD)
