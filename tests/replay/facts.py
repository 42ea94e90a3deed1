"""What is known of the wire, how surely, and what a recording of a real account has proven of it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple
from urllib.parse import urljoin, urlsplit

from sectigo_iot import ENDPOINTS, TokenPair
from tests.replay.reading import READING

WIDTH = 50
NOT_HERE = "unproven, not shown by reading"
_OPEN = {"A": "not recorded", "B": "unproven", "C": "unproven", "D": "unproven"}


class Recorded(NamedTuple):
    """An answer as it came, the call that it is to, and where that went."""

    call: str
    response: dict[str, Any]
    url: str = ""

    @property
    def status(self) -> int:
        number: int = self.response["status"]["code"]
        return number

    @property
    def body(self) -> bytes:
        data: bytes = self.response["body"]["string"]
        return data

    @property
    def location(self) -> str | None:
        """Where the answer points to."""
        named = {name.lower(): values for name, values in self.response["headers"].items()}.get("location")
        return urljoin(self.url, named[0]) if named else None

    @property
    def document(self) -> Any:
        try:
            return json.loads(self.body)
        except ValueError:
            return None


Answers = Sequence[Recorded]


class Fact(NamedTuple):
    """Something that is believed of the wire. `shown` says what the answers show of it, and None where nothing."""

    words: str
    sure: str
    shown: Callable[[Answers], str | None]


def _of(answers: Answers, *calls: str) -> list[Recorded]:
    return [each for each in answers if each.call in calls and each.status // 100 == 2]


def _lifetimes(answers: Answers) -> str | None:
    for each in _of(answers, "authenticate"):
        pair = TokenPair(each.document["accessToken"], each.document["refreshToken"], 0.0)
        return f"{pair.valid_until:.0f} s, {pair.current_until:.0f} s"
    return None


def _refresh(answers: Answers) -> str | None:
    found = _of(answers, "refresh")
    return ("with" if "refreshToken" in (found[0].document or {}) else "without") + " a new one" if found else None


def _errors(answers: Answers) -> str | None:
    failed = [each for each in answers if each.status >= 400]
    forms = {", ".join(each.document) if isinstance(each.document, dict) else "no object" for each in failed}
    return "; ".join(sorted(forms)) or None


def _balance(answers: Answers) -> str | None:
    found = _of(answers, "authorityUserBalanceAvailable")
    return ("yes" if all(type(each.document) is int for each in found) else "no") if found else None


def _device_ids(answers: Answers) -> str | None:
    items = [item for each in _of(answers, "findCertificate") for item in each.document.get("items") or []]
    return ", ".join(sorted({type(item.get("deviceId")).__name__ for item in items})) or None


def _more_than_sent(answers: Answers) -> str | None:
    for each in _of(answers, "findCertificate"):
        return f"{len(each.document.get('items') or [])} of {each.document.get('totalCount')}"
    return None


def _times(answers: Answers) -> str | None:
    text = "\n".join(each.body.decode("utf-8", "replace") for each in answers)
    found = re.findall(r"\"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}(\+0000)?\"", text)
    return ("yes" if all(found) else "no, otherwise") if found else None


def _shape(call: str) -> Callable[[Answers], str | None]:
    def shown(answers: Answers) -> str | None:
        for each in answers:
            if each.call == call and each.status // 100 == 2:
                document = each.document
                return "list" if isinstance(document, list) else ", ".join(document or {}) or "nothing"
            if each.call == call:
                return f"GET is answered by {each.status}"
        return None

    return shown


def _headers(answers: Answers) -> str | None:
    names = {name.lower() for each in answers for name in each.response["headers"]}
    marked = sorted(name for name in names if re.search(r"rate|limit|request-id|correlation|retry", name))
    return (", ".join(marked) or "none") if answers else None


def _certificate_host(answers: Answers) -> str | None:
    for each in answers:
        if each.call == "authenticate" and each.status // 100 == 3 and each.location:
            asked, named = urlsplit(each.url), urlsplit(each.location)
            host = "the same host" if named.hostname == asked.hostname else "another host"
            return host + (", another port" if named.port != asked.port else "")
    return None


def _never(_: Answers) -> None:
    return None


FACTS = (
    Fact("what access and refresh token live", "A", _lifetimes),
    Fact("a refresh may answer without a refresh token", "A", _refresh),
    Fact("times have milliseconds, an offset without colon", "A", _times),
    Fact("the available balance is a bare integer", "A", _balance),
    Fact("an error has status, message, errorCode, time", "B", _errors),
    Fact("deviceId is a text", "B", _device_ids),
    Fact("totalCount may exceed the items sent", "B", _more_than_sent),
    Fact("the list of batches: method and shape", "D", _shape("batches")),
    Fact("the audit log of a batch: method and shape", "D", _shape("batchAuditLog")),
    Fact("headers for rate limits and request ids", "D", _headers),
    Fact("which host a 307 at the log-in points to", "D", _certificate_host),
    Fact("the batch of an upload has the file's name", "C", _never),
    Fact("an order without balance", "D", _never),
    Fact("a download that is not ready: its body", "D", _never),
    Fact("a certificate that is revoked twice", "D", _never),
    Fact("a search: case, several criteria, paging", "D", _never),
)
"""Beside the rows of the table of endpoints. Those that no reading call shows stand at the end."""


def beliefs() -> int:
    """Return how many rows the table has."""
    return len(list(_rows([])))


def unproven(answers: Answers) -> str:
    """Return a table: each call with a public schema and each fact, how sure it was, and what the answers prove.

    A was seen live by others, B is from the vendor's guide, C from an imitation, D is what nobody knows.
    """
    head = f"{'What is believed':<{WIDTH}}Sure  Shown by this account"
    return "\n".join([head, *(f"{words:<{WIDTH}}{sure:<6}{shown}" for words, sure, shown in _rows(answers))])


def _rows(answers: Answers) -> Iterator[tuple[str, str, str]]:
    for name, endpoint in ENDPOINTS.items():
        if endpoint.typed:
            statuses = sorted({each.status for each in answers if each.call == name})
            proven = any(status // 100 == 2 for status in statuses)
            shown = f"{'proven' if proven else 'refused'}: {', '.join(map(str, statuses))}" if statuses else None
            yield name, endpoint.sure, shown or (_OPEN[endpoint.sure] if name in READING else NOT_HERE)
    for fact in FACTS:
        unseen = NOT_HERE if fact.shown is _never else _OPEN[fact.sure]
        shown = fact.shown(answers)
        yield fact.words, fact.sure, unseen if shown is None else f"seen: {shown}"
