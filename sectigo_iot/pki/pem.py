"""Textual encodings of RFC 7468: finding the armoured blocks in a text."""

from __future__ import annotations

import base64
import binascii
import codecs
import re
from typing import NamedTuple

_BOUNDARY = re.compile(r"-----(BEGIN|END) ([A-Z0-9#][A-Z0-9# ]*)-----")


class Block(NamedTuple):
    """One block: its label, what stands between the boundaries, and the line (from 1) it begins on.

    `fault` is None, or says why the block is not whole.
    """

    label: str
    body: str
    line: int
    fault: str | None = None

    @property
    def is_private_key(self) -> bool:
        """Whether the label names a private key of any form."""
        return self.label.endswith("PRIVATE KEY")

    def der(self) -> bytes | None:
        """The DER bytes, or None when the body is not base64."""
        try:
            return base64.b64decode("".join(self.body.split()), validate=True)
        except (binascii.Error, ValueError):
            return None


def read_blocks(data: bytes) -> list[Block]:
    """Every block in the text, broken ones too, in order, whatever the line ends and the text between them."""
    found: list[Block] = []
    label, body, start = "", list[str](), 0
    for number, line in enumerate(re.split(r"\r\n|\r|\n", _text(data)), 1):
        match = _BOUNDARY.fullmatch(line.strip(" \t\f\ufeff"))
        if match is None:
            body.append(line)
            continue
        kind, name = match.groups()
        if kind == "BEGIN":
            found += _unfinished(label, start)
            label, body, start = name, [], number
        else:
            found.append(_finished(label, name, body, start or number))
            label, start = "", 0
    return found + _unfinished(label, start)


def _text(data: bytes) -> str:
    if data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return data.decode("utf-16", "replace")
    return data.decode("utf-8", "replace")


def _unfinished(label: str, line: int) -> list[Block]:
    if not label:
        return []
    return [Block(label, "", line, f"the block that begins on line {line} is cut short: its END line is missing")]


def _finished(label: str, end: str, body: list[str], line: int) -> Block:
    if not label:
        return Block(end, "", line, f"the END line {line} has no BEGIN line before it")
    if label != end:
        return Block(label, "", line, f"the block that begins on line {line} as {label} ends as {end}")
    return Block(label, "\n".join(body), line)
