"""Keys from passwords, and what is checked of an RSA key."""

from __future__ import annotations

from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from sectigo_iot.pki.pfx.derivation import FOR_ENCRYPTION, FOR_IV, FOR_MAC, derive
from sectigo_iot.pki.pfx.rsa_numbers import holds_together
from tests.unit.pki.home import rsa_key

# From OpenSSL's test/recipes/30-test_evp_data/evpkdf_pkcs12.txt.
VECTORS = [
    ("smeg", "0A58CF64530D823F", FOR_ENCRYPTION, 1, "8AAAE6297B6CB04642AB5B077851284EB7128F1A2A7FBCA3"),
    ("smeg", "0A58CF64530D823F", FOR_IV, 1, "79993DFE048D3B76"),
    ("smeg", "642B99AB44FB4B1F", FOR_ENCRYPTION, 1, "F3A95FEC48D7711E985CFE67908C5AB79FA3D7C5CAA5D966"),
    ("smeg", "3D83C0E4546AC140", FOR_MAC, 1, "8D967D88F6CAA9D714800AB3D48051D63F73A312"),
    ("queeg", "05DEC959ACFF72F7", FOR_ENCRYPTION, 1000, "ED2034E36328830FF09DF1E1A07DD357185DAC0D4F9EB3D4"),
    ("queeg", "05DEC959ACFF72F7", FOR_IV, 1000, "11DEDAD7758D4860"),
    ("queeg", "263216FCC2FAB31C", FOR_MAC, 1000, "5EC4C7A80DF652294C3925B6489A7AB857C83476"),
]


@pytest.mark.parametrize(("password", "salt", "purpose", "iterations", "expected"), VECTORS)
def test_the_derivation_of_pkcs12(password: str, salt: str, purpose: int, iterations: int, expected: str) -> None:
    characters, wanted = (password + "\0").encode("utf-16-be"), bytes.fromhex(expected)
    assert derive("sha1", characters, bytes.fromhex(salt), purpose, iterations, len(wanted)) == wanted


def changed(**changes: int) -> rsa.RSAPrivateNumbers:
    """The numbers of a whole key, some of them others."""
    own = rsa_key().private_numbers()
    values = {name: getattr(own, name) for name in ("p", "q", "d", "dmp1", "dmq1", "iqmp")}
    public = {"e": own.public_numbers.e, "n": own.public_numbers.n}
    values |= {name: value for name, value in changes.items() if name in values}
    public |= {name: value for name, value in changes.items() if name in public}
    return rsa.RSAPrivateNumbers(**values, public_numbers=rsa.RSAPublicNumbers(**public))


def made_of(p: int, q: int, e: int = 65537) -> rsa.RSAPrivateNumbers:
    """A key whose equations all hold."""
    d = pow(e, -1, (p - 1) * (q - 1))
    public_numbers = rsa.RSAPublicNumbers(e, p * q)
    return rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public_numbers)


@cache
def own() -> rsa.RSAPrivateNumbers:
    return rsa_key().private_numbers()


def test_a_whole_key_holds_together() -> None:
    assert holds_together(changed())
    assert holds_together(made_of(own().q, own().p))


@pytest.mark.parametrize("name", ["p", "q", "d", "dmp1", "dmq1", "iqmp", "e", "n"])
def test_one_number_that_is_another(name: str) -> None:
    was = getattr(changed(), name, None) or getattr(changed().public_numbers, name)
    for other in (was + 2, was - 2, 0, 1, 3, was * 2, was << 64):
        assert not holds_together(changed(**{name: other}))


def test_numbers_that_are_right_but_too_large() -> None:
    p, q = own().p, own().q
    assert not holds_together(changed(dmp1=own().dmp1 + p - 1))
    assert not holds_together(changed(dmq1=own().dmq1 + q - 1))
    assert not holds_together(changed(iqmp=own().iqmp + p))
    assert not holds_together(changed(d=own().d + (p - 1) * (q - 1)))


def test_factors_of_wrong_sizes() -> None:
    n, p, q = own().public_numbers.n, own().p, own().q
    assert not holds_together(changed(p=n, q=1))
    assert not holds_together(changed(p=1, q=n))
    assert not holds_together(changed(p=-p, q=-q))
    assert not holds_together(made_of(p, p + 2 if (p + 1) % 65537 else p + 4))


def test_a_small_exponent_is_left_to_the_plain_way() -> None:
    e = next(number for number in (3, 5, 7, 11, 13, 17, 19) if (own().p - 1) % number and (own().q - 1) % number)
    assert not holds_together(made_of(own().p, own().q, e))


def test_a_short_private_exponent_is_left_to_the_plain_way() -> None:
    """Wiener's attack finds it."""
    p, q = own().p, own().q
    product = (p - 1) * (q - 1)
    d = next(number for number in range(65537, 1 << 20, 2) if _fits(number, product))
    e = pow(d, -1, product)
    public_numbers = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public_numbers)
    assert not holds_together(numbers)


def _fits(number: int, product: int) -> bool:
    try:
        return pow(number, -1, product) > 0
    except ValueError:
        return False
