"""The parts of a form as the journal has it: perhaps cut, perhaps not in order, and read all the same."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

from cryptography import x509
from cryptography.x509.oid import AttributeOID

_BOUNDARY = re.compile(r'boundary="?([^";,\s]+)', re.IGNORECASE)
_DISPOSITION = re.compile(rb'[;\s](name|filename)="([^"\r\n]*)"', re.IGNORECASE)
_TYPE = re.compile(rb"^content-type:[ \t]*([\w.+-]+/[\w.+-]+)", re.IGNORECASE | re.MULTILINE)
_REQUEST = re.compile(
    rb"-----BEGIN ((?:NEW )?CERTIFICATE REQUEST)-----[A-Za-z0-9+/=\s]+-----END \1-----",
)


class ShownPart(NamedTuple):
    """One part: its name, what its headers say that is known to be harmless, and its content."""

    name: str
    head: str
    content: bytes


def parts_of(media_type: str, body: bytes) -> list[ShownPart]:
    """Return the parts that can be told apart; none where there is no boundary."""
    found = _BOUNDARY.search(media_type)
    if found is None:
        return []
    pieces = body.split(b"--" + found[1].encode("latin-1", "replace"))[1:]
    heads = (each.partition(b"\r\n\r\n") for each in pieces)
    return [_part(head, content.removesuffix(b"\r\n")) for head, blank, content in heads if blank]


def harmless_requests(content: bytes) -> list[str]:
    """Return the certificate signing requests in a file, but for one with a challenge password."""
    return [each.decode("ascii") for each in _blocks(content) if _is_harmless(each)]


def _part(head: bytes, content: bytes) -> ShownPart:
    said = {key.lower().decode(): value.decode("utf-8", "replace") for key, value in _DISPOSITION.findall(head)}
    shown = "".join(f'; {key}="{said[key]}"' for key in ("name", "filename") if key in said)
    kind = _TYPE.search(head)
    declared = f"\nContent-Type: {kind[1].decode()}" if kind else ""
    return ShownPart(said.get("name", ""), f"Content-Disposition: form-data{shown}{declared}", content)


def _blocks(content: bytes) -> Iterator[bytes]:
    yield from (found[0] for found in _REQUEST.finditer(content))


def _is_harmless(block: bytes) -> bool:
    try:
        request = x509.load_pem_x509_csr(block)
        return all(each.oid != AttributeOID.CHALLENGE_PASSWORD for each in request.attributes)
    except ValueError:
        return False
