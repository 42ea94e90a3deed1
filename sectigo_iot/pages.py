"""Whether something for a browser came, where a service is meant to answer."""

from __future__ import annotations

_TYPES = frozenset({"text/html", "application/xhtml+xml"})


def is_page(media_type: str, body: bytes) -> bool:
    """Whether a body is an HTML page: by its type, in lower case and without parameters, or by how it begins.

    Nothing at all is no page, of whatever type.
    """
    text = body[:2000].lstrip(b"\xef\xbb\xbf \t\r\n")
    begins = text[:1000].lower() if text.startswith(b"<") else b""
    return bool(text) and (media_type in _TYPES or b"<html" in begins or b"<!doctype html" in begins)
