"""Searching recordings for secrets; knows nothing of how they are scrubbed but the word that then stands there."""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import yaml  # type: ignore[import-untyped]

from tests.replay.scrubbing import SCRUBBED

_JWT = re.compile(r"eyJ[\w-]{4,}\.[\w-]+\.([\w-]*)")
_SCRUBBED_BEARER = re.compile(rf"Bearer eyJ[\w-]+\.eyJ[\w-]+\.{SCRUBBED}")
_HEADERS = {"authorization", "proxy-authorization", "cookie", "set-cookie", "x-api-key"}
_PKCS12 = b"\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x0a\x01"
"""The object identifiers of PKCS#12's bags begin so."""


def secrets_in(path: Path) -> list[str]:
    """Return what is found in a recording that should not be there, without repeating it."""
    text = path.read_text(encoding="utf-8")
    found = list(_in_text(text))
    for interaction in yaml.safe_load(text)["interactions"]:
        request, response = interaction["request"], interaction["response"]
        for message, body in ((request, request.get("body")), (response, response["body"]["string"])):
            found += _in_headers(message.get("headers") or {})
            found += _in_body(body)
        found += _in_pairs(parse_qsl(urlsplit(request["uri"]).query))
        if "@" in urlsplit(request["uri"]).netloc:
            found.append("a user name in a URL")
    return sorted(set(found))


def _in_text(text: str) -> Iterator[str]:
    if any(signature != SCRUBBED for signature in _JWT.findall(text)):
        yield "a token with its signature"
    if "PRIVATE KEY-----" in text:
        yield "a private key"


def _in_headers(headers: dict[str, list[str]]) -> Iterator[str]:
    for name, values in headers.items():
        for value in values:
            yield from _in_text(value)
            bearer = name.lower() == "authorization" and _SCRUBBED_BEARER.fullmatch(value)
            if name.lower() in _HEADERS and not bearer:
                yield f"the header {name}"


def _in_body(content: str | bytes | None) -> Iterator[str]:
    data = content.encode() if isinstance(content, str) else content or b""
    try:
        body = data.decode()
    except UnicodeDecodeError:
        body = ""
    if data and (not body or data.startswith(b"PK\x03\x04")):
        yield from _in_binary(data)
        return
    yield from _in_value(body)
    for part in re.split(r"\r?\n\r?\n|\r?\n--", body):
        yield from _in_value(part)
    if "\n" not in body and "=" in body:
        yield from _in_pairs(parse_qsl(body))


def _in_binary(data: bytes) -> Iterator[str]:
    if _PKCS12 in data:
        yield "a PKCS#12"
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            contents = [archive.read(info) for info in archive.infolist()]
            stray = archive.start_dir != sum(len(i.FileHeader()) + i.compress_size for i in archive.infolist())
    except zipfile.BadZipFile:
        yield "bytes of which nobody knows what they are"
        return
    if stray or archive.comment or any(content != f"{SCRUBBED}\n".encode() for content in contents):
        yield "a ZIP with content"


def _in_value(value: Any) -> Iterator[str]:
    """Look into a value: documents, lists, and texts that are documents themselves."""
    if isinstance(value, list):
        for item in value:
            yield from _in_value(item)
    elif isinstance(value, dict):
        yield from _in_pairs(list(value.items()))
        if "password" in str(value.get("name")).lower() and value.get("value") not in (None, "", SCRUBBED):
            yield "a password"
    elif isinstance(value, str):
        yield from _in_text(value)
        try:
            document = json.loads(value)
        except ValueError:
            return
        if isinstance(document, dict | list):
            yield from _in_value(document)


def _in_pairs(pairs: list[tuple[str, Any]]) -> Iterator[str]:
    for name, value in pairs:
        if "password" in name.lower() and value not in (None, "", SCRUBBED):
            yield "a password"
        if name in ("accessToken", "refreshToken") and not (isinstance(value, str) and _scrubbed(value)):
            yield "a token that is not scrubbed"
        yield from _in_value(value)


def _scrubbed(token: str) -> bool:
    return token == SCRUBBED or (token.count(".") == 2 and token.endswith(f".{SCRUBBED}"))
