"""A PKCS#12 changed inside, the MAC made anew: what the fast way to open it takes, the plain way takes too."""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Callable
from functools import cache

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding

from sectigo_iot.errors import BundleError
from sectigo_iot.pki import PKCS12Contents, open_pkcs12
from sectigo_iot.pki.pfx.bounds import check_iterations
from sectigo_iot.pki.pfx.opening import open_quickly
from sectigo_iot.pki.pfx.structure import read_store
from sectigo_iot.pki.pkcs12 import open_pkcs12_plainly
from tests.reliability.figures import figure, share
from tests.unit.pki.home import PASSWORD, home, name
from tests.unit.pki.pfx_making import (
    FRIENDLY_NAME,
    LOCAL_KEY_ID,
    NULL,
    SHROUDED_KEY_BAG,
    attribute,
    bag,
    certificate_bag,
    element,
    encrypted,
    encrypted_part,
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

# A serial number that has become negative; both ways say so.
pytestmark = pytest.mark.filterwarnings(
    "ignore:Parsed a serial number:cryptography.utils.CryptographyDeprecationWarning"
)
RSA = sequence(oid("1.2.840.113549.1.1.1"), NULL)
BITS = 2048
Numbers = list[int]
"""Of RSAPrivateKey (RFC 8017, A.1.2), without the version: n, e, d, p, q, and the three of the CRT."""
N, E, D, P, Q, DP, DQ, QI = range(8)


def of_key(key: rsa.RSAPrivateKey) -> Numbers:
    own = key.private_numbers()
    return [own.public_numbers.n, own.public_numbers.e, own.d, own.p, own.q, own.dmp1, own.dmq1, own.iqmp]


@cache
def numbers() -> tuple[int, ...]:
    return tuple(of_key(home().leaf_key))


@cache
def others() -> tuple[int, ...]:
    return tuple(of_key(rsa.generate_private_key(65537, BITS)))


def info(values: Numbers, version: int = 0) -> bytes:
    return sequence(number(0), RSA, octets(sequence(number(version), *map(number, values))))


def attributes() -> tuple[bytes, bytes]:
    return attribute(FRIENDLY_NAME, element(0x1E, "leaf".encode("utf-16-be"))), attribute(LOCAL_KEY_ID, octets(b"\1"))


def with_key(content: bytes, leaf: x509.Certificate | bytes | None = None) -> bytes:
    certificates = encrypted_part(
        certificate_bag(leaf or home().leaf, *attributes()), certificate_bag(home().issuing)
    )
    return made(certificates, open_part(shrouded_bag(content, *attributes())))


def damaged(content: bytes, dice: random.Random) -> bytes:
    """The content with a bit or octet changed, or some left out, doubled or put in."""
    at, some = dice.randrange(len(content)), dice.randrange(1, 4)
    return dice.choice(
        [
            content[:at] + bytes([content[at] ^ 1 << dice.randrange(8)]) + content[at + 1 :],
            content[:at] + dice.randbytes(1) + content[at + 1 :],
            content[:at] + content[at + some :],
            content[:at] + content[at : at + some] + content[at:],
            content[:at] + dice.randbytes(some) + content[at:],
        ]
    )


def one_number(dice: random.Random) -> bytes:
    """One number of the key is another."""
    values = list(numbers())
    at = dice.randrange(8)
    was = values[at]
    modulus = dice.choice(values)
    values[at] = dice.choice(
        [
            was ^ 1 << dice.randrange(was.bit_length() + 8),
            was + dice.choice([-2, -1, 1, 2, values[E]]),
            was + modulus,
            was - modulus,
            -was,
            dice.choice([0, 1, 2, 3, 65537, 1 << 2047]),
            dice.choice(numbers()),
            others()[at],
            was * dice.choice([2, 3, 65537]),
            was // 2,
            dice.getrandbits(was.bit_length()),
        ]
    )
    return with_key(info(values, version=dice.choice([0] * 9 + [1])))


def several_numbers(dice: random.Random) -> bytes:
    """Numbers change places, or are another key's; some of these are as good as before."""
    values = list(numbers())
    swapped = dice.sample(range(8), 2)
    product = math.lcm(values[P] - 1, values[Q] - 1)
    small = next(e for e in range(3, 100, 2) if math.gcd(e, product) == 1)
    changes: list[dict[int, int]] = [
        {swapped[0]: values[swapped[1]], swapped[1]: values[swapped[0]]},
        {P: values[Q], Q: values[P]},
        {P: values[Q], Q: values[P], DP: values[DQ], DQ: values[DP]},
        {P: values[Q], Q: values[P], DP: values[DQ], DQ: values[DP], QI: pow(values[P], -1, values[Q])},
        {D: values[D] % product},
        {D: values[D] + product},
        {D: values[D] + (values[P] - 1) * (values[Q] - 1)},
        {P: values[N], Q: 1},
        {P: 1, Q: values[N], DP: 0},
        {P: -values[P], Q: -values[Q]},
        {at: others()[at] for at in (P, Q, DP, DQ, QI)},
        {at: others()[at] for at in (N, E, D)},
        {at: others()[at] for at in range(8)},
        {E: small, D: pow(small, -1, product)},
        {QI: values[QI] + values[P]},
        {DP: values[DP] + values[P] - 1},
        {DQ: values[DQ] + values[Q] - 1},
    ]
    for at, value in dice.choice(changes).items():
        values[at] = value
    return with_key(info(values))


def odd(bits: int, dice: random.Random) -> int:
    """An odd number, hardly ever prime, whose square has twice the bits, and that leaves an inverse of 65537."""
    while True:
        found = dice.getrandbits(bits) | 3 << bits - 2 | 1
        if math.gcd(found - 1, 65537) == 1:
            return found


def factors_that_are_not_prime(dice: random.Random) -> bytes:
    """All the equations hold, and the certificate is for this key; but a factor, or both, are no primes."""
    q = dice.choice([numbers()[Q], odd(BITS // 2, dice)])
    p = dice.choice([odd(BITS // 2, dice), odd(BITS // 4, dice) * odd(BITS // 4, dice)])
    e, product = 65537, math.lcm(p - 1, q - 1)
    if math.gcd(p, q) != 1 or math.gcd(e, product) != 1:
        return factors_that_are_not_prime(dice)
    d = pow(e, -1, product)
    values = [p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
    public_key = rsa.RSAPublicNumbers(e, p * q).public_key()
    return with_key(info(values), issued(public_key))


def issued(public_key: rsa.RSAPublicKey) -> x509.Certificate:
    own = home()
    builder = x509.CertificateBuilder().subject_name(name("a.example.com")).issuer_name(own.issuing.subject)
    builder = builder.public_key(public_key).serial_number(1)
    builder = builder.not_valid_before(own.leaf.not_valid_before_utc).not_valid_after(own.leaf.not_valid_after_utc)
    return builder.sign(own.issuing_key, SHA256())


def key_octets(dice: random.Random) -> bytes:
    return with_key(damaged(private_key_info(home().leaf_key), dice))


def certificate_octets(dice: random.Random) -> bytes:
    return with_key(private_key_info(home().leaf_key), damaged(home().leaf.public_bytes(Encoding.DER), dice))


def issuer_octets(dice: random.Random) -> bytes:
    own = home()
    issuer = certificate_bag(damaged(own.issuing.public_bytes(Encoding.DER), dice))
    return made(open_part(certificate_bag(own.leaf), issuer), open_part(shrouded_bag(private_key_info(own.leaf_key))))


def algorithms(dice: random.Random) -> bytes:
    algorithm, ciphertext = encrypted(private_key_info(home().leaf_key))
    value = sequence(damaged(algorithm, dice), octets(ciphertext))
    return made(encrypted_part(certificate_bag(home().leaf)), open_part(bag(SHROUDED_KEY_BAG, value)))


def ciphertexts(dice: random.Random) -> bytes:
    algorithm, ciphertext = encrypted(private_key_info(home().leaf_key))
    value = sequence(algorithm, octets(damaged(ciphertext, dice)))
    return made(encrypted_part(certificate_bag(home().leaf)), open_part(bag(SHROUDED_KEY_BAG, value)))


def attribute_octets(dice: random.Random) -> bytes:
    own, changed = home(), damaged(b"".join(attributes()), dice)
    key = shrouded_bag(private_key_info(own.leaf_key), changed)
    return made(encrypted_part(certificate_bag(own.leaf)), open_part(key))


def any_octets(dice: random.Random) -> bytes:
    """Whatever the MAC is over, at any place, and mostly where no ciphertext is."""
    own = home()
    plain = open_part(certificate_bag(own.leaf, *attributes()), certificate_bag(own.issuing))
    content = sequence(plain, open_part(shrouded_bag(private_key_info(own.leaf_key), *attributes())))
    return made_of(damaged(content, dice))


def after_the_mac(dice: random.Random) -> bytes:
    """Any place of the file, and the MAC stays as it was."""
    return damaged(with_key(private_key_info(home().leaf_key)), dice)


KINDS: tuple[Callable[[random.Random], bytes], ...] = (
    one_number,
    several_numbers,
    factors_that_are_not_prime,
    key_octets,
    certificate_octets,
    issuer_octets,
    algorithms,
    ciphertexts,
    attribute_octets,
    any_octets,
    after_the_mac,
)


def is_taken_by_the_fast_way(data: bytes) -> bool:
    try:
        store = read_store(data)
        check_iterations(store)
    except BundleError:
        return False
    return open_quickly(store, PASSWORD) is not None


def outcome(way: Callable[[bytes, str], PKCS12Contents], data: bytes) -> tuple[object, ...]:
    try:
        opened = way(data, PASSWORD)
    except BundleError as fault:
        return (fault.message,)
    return private_key_info(opened.key), opened.leaf, opened.chain, opened.others


def test_the_fast_way_takes_nothing_that_the_plain_way_refuses() -> None:
    dice, taken = random.Random(12), Counter[str]()
    tried = share(10_000, 250)
    for count in range(tried):
        make = KINDS[count % len(KINDS)]
        data = make(dice)
        if is_taken_by_the_fast_way(data):
            assert outcome(open_pkcs12, data) == outcome(open_pkcs12_plainly, data)
            taken[make.__name__] += 1
    # Some changes do no harm: else nothing would have been compared.
    assert taken
    assert not taken["factors_that_are_not_prime"]
    figure(
        "pkcs12-mutations",
        f"{tried:,} changes: {taken.total():,} taken by the fast way, and the plain way came to the same",
    )


def test_whatever_is_changed_no_other_error_escapes() -> None:
    dice = random.Random(13)
    for count in range(share(1000, 20)):
        try:
            open_pkcs12(KINDS[count % len(KINDS)](dice), PASSWORD)
        except BundleError:
            continue


CARMICHAEL = 0x39E7BDD14CE594CECA2E7F97ECEA53F8DC973F0ED4D907C87A98A8BC5907D2EA976B91B2C6ED1421F3F67


def test_a_carmichael_number_is_what_the_page_on_security_says_of_it() -> None:
    """Chernick's form: three primes whose product passes Fermat's test to every base that has no factor with it."""
    p, q, e = math.prod(factor * CARMICHAEL + 1 for factor in (6, 12, 18)), numbers()[Q], 65537
    d = pow(e, -1, math.lcm(p - 1, q - 1))
    values = [p * q, e, d, p, q, d % (p - 1), d % (q - 1), pow(q, -1, p)]
    leaf = issued(rsa.RSAPublicNumbers(e, p * q).public_key())
    data = with_key(info(values), leaf)
    assert is_taken_by_the_fast_way(data)
    with pytest.raises(BundleError):
        open_pkcs12_plainly(data, PASSWORD)
