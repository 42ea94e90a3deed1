"""Exchanges as a HAR 1.2 document that may be shown to others, with all that is, or may be, a secret masked.

Source: http://www.softwareishard.com/blog/har-12-spec/
"""

from __future__ import annotations

import datetime
import email.parser
import email.policy
import json
import sys
from typing import TYPE_CHECKING, Any

from sectigo_iot.masking import Mask
from sectigo_iot.redaction import REDACTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from sectigo_iot.exchanges import Exchange

_COMMENT = (
    "Passwords, tokens, keys, cookies and whatever is not known to be harmless are masked. User names, the names in "
    "certificates and the organization's are not."
)


def to_har(exchanges: Iterable[Exchange], *, secrets: Sequence[str] = ()) -> str:
    """Return exchanges as a HAR 1.2 document (JSON, ASCII), in the order in which they began.

    Every secret that one of them carries is masked in all of them, however it is spelt, and so are `secrets`. Of an
    answer that did not come the status is 0, and `_error` says why; `_call` names the call.
    """
    told = sorted(exchanges, key=lambda exchange: exchange.started)
    mask = Mask(told, secrets)
    # The version stands in the package itself, which is there before any of its modules.
    creator = {"name": "sectigo-iot", "version": sys.modules["sectigo_iot"].__version__}
    entries = [_entry(exchange, mask) for exchange in told]
    return json.dumps(
        {"log": {"version": "1.2", "creator": creator, "entries": entries, "comment": _COMMENT}}, indent=2
    )


def _entry(exchange: Exchange, mask: Mask) -> dict[str, Any]:
    started = datetime.datetime.fromtimestamp(exchange.started, datetime.UTC)
    milliseconds = round(max(exchange.seconds, 0.0) * 1000, 3)
    return {
        "startedDateTime": started.isoformat(timespec="milliseconds"),
        "time": milliseconds,
        "request": _request(exchange, mask),
        "response": _response(exchange, mask),
        "cache": {},
        # How the time divides is not known.
        "timings": {"send": 0, "wait": milliseconds, "receive": 0},
        "_call": mask.url(exchange.name),
    }


def _request(exchange: Exchange, mask: Mask) -> dict[str, Any]:
    posted = _posted(exchange, mask)
    # The length of a body that holds a password would tell how long that is.
    masked = "comment" in posted or REDACTED in json.dumps(posted)
    return {
        "method": mask.text(exchange.method),
        "url": mask.url(exchange.url),
        "httpVersion": "HTTP/1.1",
        "cookies": [],
        "headers": _headers(exchange.request_headers, mask, hidden="content-length" if masked else ""),
        "queryString": _pairs(mask.query(exchange.url)),
        **({"postData": posted} if posted else {}),
        "headersSize": -1,
        "bodySize": -1 if masked else len(exchange.request_body or b""),
    }


def _posted(exchange: Exchange, mask: Mask) -> dict[str, Any]:
    """Return the body that was sent, as HAR has it; nothing where there was none."""
    if not exchange.request_body:
        return {}
    media_type = _header(exchange.request_headers, "content-type")
    if media_type.startswith("multipart/"):
        return {"mimeType": mask.text(media_type), "params": list(_form(exchange.request_body, media_type, mask))}
    text, remark = mask.body(exchange.request_body, media_type, plain=False)
    return {"mimeType": mask.text(media_type), "text": text or "", **({"comment": remark} if remark else {})}


def _form(body: bytes, media_type: str, mask: Mask) -> Iterator[dict[str, str]]:
    """Yield the parts of a form; of a file the size alone."""
    head = f"Content-Type: {media_type}\r\n\r\n".encode()
    for part in email.parser.BytesParser(policy=email.policy.HTTP).parsebytes(head + body).iter_parts():
        name, filename = part.get_param("name", "", "content-disposition"), part.get_filename()
        content = part.get_payload(decode=True)
        assert isinstance(content, bytes)
        text, remark = mask.body(content, part.get_content_type(), plain=False)
        yield {
            "name": mask.text(str(name)),
            "value": text or "",
            "contentType": mask.text(part.get_content_type()),
            **({"fileName": mask.text(filename)} if filename else {}),
            **({"comment": remark} if remark else {}),
        }


def _response(exchange: Exchange, mask: Mask) -> dict[str, Any]:
    error = {} if exchange.error is None else {"_error": _error(exchange.error, exchange.name, mask)}
    location = _header(exchange.response_headers, "location")
    return {
        "status": exchange.status or 0,
        "statusText": mask.text(exchange.reason),
        "httpVersion": "HTTP/1.1" if exchange.status else "",
        "cookies": [],
        "headers": _headers(exchange.response_headers, mask),
        "content": _content(exchange, mask),
        "redirectURL": mask.url(location),
        "headersSize": -1,
        "bodySize": -1 if exchange.response_size is None else exchange.response_size,
        **error,
    }


def _error(error: str, name: str, mask: Mask) -> str:
    # It begins with the call's name, of which what follows would seem to be the value.
    words = error.removeprefix(f"{name}: ")
    return error if mask.text(words) == words and mask.url(name) == name else REDACTED


def _content(exchange: Exchange, mask: Mask) -> dict[str, Any]:
    media_type = _header(exchange.response_headers, "content-type")
    content = {"size": exchange.response_size or 0, "mimeType": mask.text(media_type) or "x-unknown"}
    if not exchange.response_body:
        unread = exchange.status is not None and exchange.response_body is None
        return {**content, **({"comment": "left out: a download, or not read"} if unread else {})}
    # What a log-in answers may be a token, and whatever else in plain text is either a status or an error.
    refused = (exchange.status or 0) >= 400
    text, remark = mask.body(exchange.response_body, media_type, plain=refused or exchange.name == "batchStatus")
    return {**content, **({"text": text} if text is not None else {}), **({"comment": remark} if remark else {})}


def _headers(fields: Iterable[tuple[str, str]], mask: Mask, *, hidden: str = "") -> list[dict[str, str]]:
    shown = ((name, REDACTED if name.lower() == hidden else mask.header(name, value)) for name, value in fields)
    return _pairs((mask.text(name), value) for name, value in shown)


def _pairs(pairs: Iterable[tuple[str, str]]) -> list[dict[str, str]]:
    return [{"name": name, "value": value} for name, value in pairs]


def _header(fields: Iterable[tuple[str, str]], name: str) -> str:
    return next((value for key, value in fields if key.lower() == name), "")
