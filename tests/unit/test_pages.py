"""What is an HTML page where the service is meant to answer, and what is none."""

from __future__ import annotations

import pytest

from sectigo_iot.pages import is_page


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/html", b"<p>Log in"),
        ("text/html", b"Log in"),
        ("application/xhtml+xml", b"x"),
        ("", b"<html>"),
        ("text/plain", b"\xef\xbb\xbf \r\n<!DOCTYPE HTML>\n<title>Log in"),
        ("application/json", b"<?xml version='1.0'?><!-- a portal --><HTML lang='en'>"),
    ],
)
def test_a_page(media_type: str, body: bytes) -> None:
    assert is_page(media_type, body)


@pytest.mark.parametrize(
    ("media_type", "body"),
    [
        ("text/html", b""),
        ("text/html", b" \n"),
        ("text/plain", b"Ready for download"),
        ("application/json", b'{"message": "<html>"}'),
        ("text/plain", b"no <html> here"),
        ("application/xml", b"<error/>" + b" " * 1000 + b"<html>"),
    ],
)
def test_no_page(media_type: str, body: bytes) -> None:
    assert not is_page(media_type, body)
