"""What is checked of an RSA private key instead of its primes: the equations between its numbers (RFC 8017, 3.2)."""

from __future__ import annotations

import math

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateNumbers

_BITS = range(2048, 8193)
"""Sizes of moduli. Others are unusual, and go the plain way."""
_LEAST_EXPONENT, _LONGEST_EXPONENT = 65537, 64
"""FIPS 186-5, appendix A.1.1, and the bits that OpenSSL takes beside a long modulus."""


def holds_together(numbers: RSAPrivateNumbers) -> bool:
    """Whether each number of the key follows from the others, and all have the sizes of FIPS 186-5, appendix A.1.

    Whether the factors are prime is not tested.
    """
    n, e = numbers.public_numbers.n, numbers.public_numbers.e
    size = n.bit_length()
    return (
        size in _BITS
        and size % 2 == 0
        and e % 2 == 1
        and e >= _LEAST_EXPONENT
        and e.bit_length() <= _LONGEST_EXPONENT
        and _are_factors(numbers.p, numbers.q, n)
        and 1 << size // 2 < numbers.d < n
        and _are_inverse(numbers, e)
    )


def _are_factors(p: int, q: int, n: int) -> bool:
    half = n.bit_length() // 2
    return (
        p.bit_length() == q.bit_length() == half
        and p % 2 == q % 2 == 1
        and abs(p - q) > 1 << (half - 100)
        and p * q == n
        and math.gcd(p, q) == 1
    )


def _are_inverse(numbers: RSAPrivateNumbers, e: int) -> bool:
    p, q, d = numbers.p, numbers.q, numbers.d
    return (
        numbers.dmp1 == d % (p - 1)
        and numbers.dmq1 == d % (q - 1)
        and e * numbers.dmp1 % (p - 1) == 1
        and e * numbers.dmq1 % (q - 1) == 1
        and numbers.iqmp < p
        and numbers.iqmp * q % p == 1
    )
