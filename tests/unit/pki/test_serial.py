from __future__ import annotations

import pytest

from sectigo_iot.errors import InvalidInputError
from sectigo_iot.pki.serial import normalise_serial, serial_text


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("0x0abc", "0ABC"),
        (" 0A:bc:01 ", "0ABC01"),
        ("0a-bc 01", "0ABC01"),
        ("123456", "123456"),
        ("00" + "f" * 40, "00" + "F" * 40),
    ],
)
def test_separators_go_and_digits_stay(text: str, normal: str) -> None:
    assert normalise_serial(text) == normal


@pytest.mark.parametrize("text", ["", "  ", "0x", "xyz", "12G4", "\u0661\u0662", "0x0x12", "a" * 43])
def test_what_is_no_serial_is_refused(text: str) -> None:
    with pytest.raises(InvalidInputError, match="serial number"):
        normalise_serial(text)


@pytest.mark.parametrize(("number", "text"), [(0xABC, "0ABC"), (0, "00"), (0xBEEF, "BEEF"), (1, "01")])
def test_a_certificates_serial_has_whole_octets(number: int, text: str) -> None:
    assert serial_text(number) == text
