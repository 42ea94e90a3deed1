"""Whether an IoT Manager answers, asked without a token; and how far its clock is from ours, by its Date."""

from __future__ import annotations

import contextlib
import copy
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING

from sectigo_iot.calls import call_of
from sectigo_iot.doctor.findings import Finding, doubtful, unchecked, well, wrong
from sectigo_iot.errors import APIError, InvalidReplyError, SectigoError
from sectigo_iot.pages import is_page
from sectigo_iot.transport import Transport

if TYPE_CHECKING:
    from collections.abc import Callable

    from sectigo_iot.config import Settings
    from sectigo_iot.exchanges import Exchange
    from sectigo_iot.replies import Reply

SKEW_SECONDS = 300.0
"""Clocks that differ by more are told of."""
_PASSING = (408, 425, 429)
_ADDRESS = "is the address right, with its path (--endpoint, SECTIGO_ENDPOINT)?"
_WAIT = "the service is not well: try again later, and if it stays so, ask its operator"


class Question:
    """One request without a token, and what came back."""

    def __init__(self, settings: Settings, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.date: tuple[str, float] | None = None
        """The last Date that came, and the moment on our clock."""
        self._passed_on = settings.observer
        self._settings = copy.copy(settings)
        self._settings.observer = self._observe

    def _observe(self, exchange: Exchange) -> None:
        dates = [value for name, value in exchange.response_headers if name.lower() == "date"]
        if dates:
            self.date = dates[-1], self.clock()
        if self._passed_on is not None:
            self._passed_on(exchange)

    def ask(self, seconds: float) -> Reply | SectigoError:
        """Ask, and return the answer, or what it means."""
        try:
            transport = Transport(self._settings)
            with contextlib.closing(transport):
                return transport.limited(seconds).send(call_of(transport, "devices"))
        except SectigoError as error:
            return error


def examine_answer(answer: Reply | SectigoError) -> Finding:
    """Say whether it is that of an IoT Manager, which wants a token."""
    if isinstance(answer, APIError):
        return _refused(answer)
    if isinstance(answer, SectigoError):
        return wrong(
            "http", answer, "a firewall, a proxy or the service itself keeps the answer back: try again later"
        )
    facts = f"the answer to a request without a token is {answer.status}"
    if is_page(answer.media_type, answer.body):
        hint = f"{_ADDRESS} Or does the log-in page of a network stand in between?"
        return wrong("http", InvalidReplyError("an HTML page answers, and not the IoT Manager", hint=hint))
    return doubtful("http", f"{facts}, which an IoT Manager refuses", _ADDRESS, status=answer.status)


def _refused(error: APIError) -> Finding:
    facts = f"the answer to a request without a token is {error.status}"
    if error.status in (401, 403):
        return well("http", facts, status=error.status)
    if error.status in _PASSING or (error.status >= 500 and error.status != 501):
        return wrong("http", error, _WAIT, status=error.status)
    return doubtful("http", f"{facts}, where 401 is due", _ADDRESS, status=error.status)


def examine_clock(date: tuple[str, float] | None) -> Finding:
    """Compare the server's Date with our clock at the moment when it came."""
    if date is None:
        return unchecked("clock", "no answer with a Date came")
    try:
        # It counts whole seconds: on the average it is half a second behind.
        skew = date[1] - parsedate_to_datetime(date[0]).timestamp() - 0.5
    except (ValueError, TypeError, IndexError, OverflowError):
        return unchecked("clock", "the service's Date cannot be read")
    if abs(skew) <= SKEW_SECONDS:
        away = f"{abs(skew):.0f} s away from" if abs(skew) >= 2 else "within 2 s of"
        return well("clock", f"this machine's clock is {away} the service's", skew_seconds=round(skew, 1))
    facts = f"this machine's clock is {_length(abs(skew))} {'ahead of' if skew > 0 else 'behind'} the service's"
    hint = "set this machine's clock, and keep it right by NTP (`timedatectl set-ntp true`)"
    return doubtful("clock", facts, hint, skew_seconds=round(skew, 1))


def _length(seconds: float) -> str:
    for unit, size in (("days", 86400), ("hours", 3600), ("minutes", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.1f} {unit}"
    return f"{seconds:.0f} s"
