"""The calls that are recorded of a real account: they read, and none of them spends, changes or revokes anything."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import partial
from typing import NamedTuple, TypeVar

from sectigo_iot import (
    ENDPOINTS,
    InvalidReplyError,
    IoTManager,
    RedirectError,
    Repeat,
    SectigoError,
    TransportError,
)

MOST = 3
"""Of authorities and of profiles so many are looked at."""
_LISTED = ("batches", "batchAuditLog")
"""Calls without a public schema that are read all the same: what they answer is what nobody knows."""
READING: Mapping[str, str] = {
    **{
        name: each.method
        for name, each in ENDPOINTS.items()
        if each.method is not None and each.repeat is Repeat.FREELY and name != "download"
    },
    "refresh": "POST",
    **dict.fromkeys(_LISTED, "GET"),
}
"""The rows of the table that may be recorded, and their methods. No download: it marks a batch as collected."""
ORDER = (
    *("authenticate", "refresh", "devices", "userAuthorities", "authorityUserBalanceAvailable"),
    *("profiles", "profileDetail", "profileParameters", "currentUserOrganization", "findCertificate"),
    *("batches", "batchDetail", "batchStatus", "batchProcessingInfo", "batchAuditLog"),
)
"""In which they are made."""

_T = TypeVar("_T")


class NotReadingError(Exception):
    """A request was about to be sent that is none of those that read; it was not sent."""


class Wanted(NamedTuple):
    """What the owner of the account adds: a common name to find, a batch to look at."""

    common_name: str = ""
    batch_id: int | None = None


class Outcome(NamedTuple):
    """How a call ended: `answered`, or the name of the error."""

    call: str
    ended: str


def call_named(method: str, path: str) -> str:
    """Return the name of the call that a request is, of those that read. Raises NotReadingError for any other."""
    for name, wanted in READING.items():
        pattern = re.escape(ENDPOINTS[name].path).replace(re.escape("{id}"), r"\d+")
        if method == wanted and re.fullmatch(pattern, path):
            return name
    raise NotReadingError(f"{method} {path} is no call that only reads: it was not sent")


def plan(wanted: Wanted) -> list[tuple[str, str]]:
    """Return each call that will be made, as method and path, and how often."""
    some = f"for {MOST} at the most"
    often = {
        "authorityUserBalanceAvailable": some,
        "profileDetail": some,
        "profileParameters": some,
        "findCertificate": f"for {wanted.common_name}",
        **{name: f"for batch {wanted.batch_id}" for name in READING if name.startswith("batch")},
        "batches": "once",
    }
    return [
        (f"{READING[name]} {ENDPOINTS[name].path}", often.get(name, "once"))
        for name in ORDER
        if _is_wanted(name, wanted)
    ]


def _is_wanted(name: str, wanted: Wanted) -> bool:
    if name == "findCertificate":
        return bool(wanted.common_name)
    return wanted.batch_id is not None or not re.match("batch[A-Z]", name)


class Reading:
    """Makes the calls, one after the other, and notes how each ended."""

    def __init__(self, client: IoTManager, wanted: Wanted) -> None:
        self._client = client
        self._wanted = wanted
        self.outcomes: list[Outcome] = []

    def run(self) -> list[Outcome]:
        """Make them all. Raises what a log-in raises that fails, and TransportError where no answer comes."""
        self._client.authenticate()
        self.outcomes.append(Outcome("authenticate", "answered"))
        self._ask("refresh", self._client.refresh)
        self._ask("devices", self._client.licenses_used)
        self._authorities_and_profiles()
        self._ask("currentUserOrganization", self._client.organization)
        if self._wanted.common_name:
            self._ask("findCertificate", lambda: self._client.find_certificate(self._wanted.common_name))
        self._ask("batches", lambda: self._client.raw("batches"))
        if self._wanted.batch_id is not None:
            self._batch(self._wanted.batch_id)
        return self.outcomes

    def _authorities_and_profiles(self) -> None:
        client = self._client
        authorities = self._ask("userAuthorities", client.user_authorities) or ()
        for each in authorities[:MOST]:
            self._ask("authorityUserBalanceAvailable", partial(client.authority_available_balance, each.id))
        profiles = self._ask("profiles", client.profiles) or ()
        ids = dict.fromkeys([*(a.profile_id for a in authorities), *(p.profile_id for p in profiles)])
        for number in [each for each in ids if each is not None][:MOST]:
            self._ask("profileDetail", partial(client.profile_detail, number))
            self._ask("profileParameters", partial(client.profile_params, number))

    def _batch(self, number: int) -> None:
        self._ask("batchDetail", lambda: self._client.batch_detail(number))
        self._ask("batchStatus", lambda: self._client.batch_status(number))
        self._ask("batchProcessingInfo", lambda: self._client.processing_info(number))
        self._ask("batchAuditLog", lambda: self._client.raw("batchAuditLog", number))

    def _ask(self, name: str, ask: Callable[[], _T]) -> _T | None:
        try:
            answer = ask()
        except SectigoError as error:
            if isinstance(error, TransportError) and not isinstance(error, InvalidReplyError | RedirectError):
                raise
            self.outcomes.append(Outcome(name, type(error).__name__))
            return None
        self.outcomes.append(Outcome(name, "answered"))
        return answer
