"""One exchange with the service, as a value: what was sent, what came back, how long it took."""

from __future__ import annotations

from typing import NamedTuple


class Exchange(NamedTuple):
    """One request, and the answer to it if there was one. It is as it went over the wire, with all its secrets.

    Every attempt is an exchange of its own: repetitions, redirects, log-ins and refreshes too. `started` counts in
    seconds since the epoch, `seconds` from there to the end of the answer, or to the moment when it was given up.
    Of an answer that never came, `status` is None and `error` says why; of one that was cut short, both are there.
    `response_body` is None where it was not read, or is a download; `response_size` counts its bytes as far as they
    are known. `secrets` are the values that nothing may show, beside those that headers and bodies name as such.
    """

    name: str
    """The call, as `endpoints` names it."""
    method: str
    url: str
    started: float
    seconds: float
    request_headers: tuple[tuple[str, str], ...] = ()
    request_body: bytes | None = None
    status: int | None = None
    reason: str = ""
    response_headers: tuple[tuple[str, str], ...] = ()
    response_body: bytes | None = None
    response_size: int | None = None
    error: str | None = None
    secrets: tuple[str, ...] = ()

    def __repr__(self) -> str:
        shown = "no answer" if self.status is None else str(self.status)
        return f"<Exchange {self.name}: {self.method}, {shown}>"
