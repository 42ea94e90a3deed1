"""Certificate serial numbers as text."""

from __future__ import annotations

import re

from sectigo_iot.errors import InvalidInputError

# RFC 5280, section 4.1.2.2: at most 20 octets; a sign octet may be printed in front.
_MOST_DIGITS = 42


def normalise_serial(text: str) -> str:
    """The serial number as the service takes it: upper-case hexadecimal, no `0x`, nothing between the digits.

    Colons, hyphens and blanks are dropped, digits are kept as given, leading zeros too. The text is always read as
    hexadecimal, never as decimal. Raises `InvalidInputError` when it is empty, not hexadecimal, or too long.
    """
    digits = re.sub(r"[\s:-]", "", re.sub(r"^\s*0[xX]", "", text))
    if not digits:
        raise InvalidInputError("the serial number is empty")
    if not re.fullmatch(r"[0-9A-Fa-f]+", digits):
        raise InvalidInputError(f"the serial number {text!r} is not hexadecimal")
    if len(digits) > _MOST_DIGITS:
        raise InvalidInputError(f"the serial number {text!r} is longer than the 20 octets that RFC 5280 allows")
    return digits.upper()


def serial_text(number: int) -> str:
    """The serial number of a certificate as whole octets of upper-case hexadecimal."""
    digits = f"{number:X}"
    return digits.zfill(len(digits) + len(digits) % 2)
