"""A client of the control port, for tests in Python: it needs nothing but the standard library."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import quote, urlencode, urlsplit

_TIMEOUT = 60.0

Document = dict[str, Any]


class ControlError(Exception):
    """The control port refused a call. `status` is HTTP's, `message` says why in one line."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(f"{status}: {message}")
        self.status = status
        self.message = message


class Control:
    """Moves the clock and the batches of the emulator at `url`, lets faults strike, and asks the journal.

    What comes back is JSON as it was sent: dictionaries and lists; times are texts by ISO 8601. Every method raises
    ControlError where the emulator refuses, and OSError where it cannot be reached. May be used from several threads.
    """

    def __init__(self, url: str) -> None:
        self.url = (url or "").rstrip("/")
        parts = urlsplit(self.url)
        if parts.scheme != "http" or not parts.hostname or parts.path:
            raise ValueError(f"{url!r} is no URL such as http://127.0.0.1:8832, where a control port is")
        self._address = parts.hostname, parts.port or 80

    def __repr__(self) -> str:
        return f"<Control {self.url}>"

    def status(self) -> Document:
        """Return what runs there: version, URLs, seed, time. API: GET /status"""
        return self._object("GET", "/status")

    def now(self) -> float:
        """Return the emulator's time in seconds since the epoch. API: GET /clock"""
        return float(self._object("GET", "/clock")["seconds"])

    def advance(self, seconds: float | None = None, *, days: float | None = None) -> Document:
        """Move the clock ahead; whatever is due by then is there on return. API: POST /clock/advance"""
        given = {name: value for name, value in (("seconds", seconds), ("days", days)) if value is not None}
        return self._object("POST", "/clock/advance", given)

    def authorities(self) -> list[Document]:
        """Return every authority with its balance. API: GET /authorities"""
        return self._list("/authorities")

    def set_balance(self, authority: int, balance: int) -> Document:
        """Set the licences that an authority has left. API: PUT /authorities/{id}/balance"""
        return self._object("PUT", f"/authorities/{authority}/balance", {"balance": balance})

    def require_parameter(self, profile: int, parameter: str) -> list[Document]:
        """Make a parameter of a profile mandatory; return its parameters. API: POST /profiles/{id}/require"""
        parameters: list[Document] = self._ask("POST", f"/profiles/{profile}/require", {"parameter": parameter})
        return parameters

    def users(self) -> list[Document]:
        """Return every user, without the password. API: GET /users"""
        return self._list("/users")

    def unlock(self, username: str) -> Document:
        """Let a user log in again. API: POST /users/{username}/unlock"""
        return self._object("POST", f"/users/{_quoted(username)}/unlock")

    def batches(self, *, limit: int = 100, before: int | None = None) -> list[Document]:
        """Return the batches, the newest first. API: GET /batches"""
        return self._list("/batches", limit=limit, before=before)

    def batch(self, batch: int) -> Document:
        """Return a batch as it stands. API: GET /batches/{id}"""
        return self._object("GET", f"/batches/{batch}")

    def push(self, batch: int, status: str, **details: Any) -> Document:
        """Put a batch into a state, in which it stays. API: POST /batches/{id}/push

        The details are `text`, `info`, `downloadable`, `reason` and `issued`.
        """
        return self._object("POST", f"/batches/{batch}/push", {"status": status, **details})

    def reject(self, batch: int, reason: str = "") -> Document:
        """Reject a batch, as the portal does. API: POST /batches/{id}/reject"""
        return self._object("POST", f"/batches/{batch}/reject", {"reason": reason})

    def revoke_batch(self, batch: int, reason: str | int = "unspecified") -> Document:
        """Revoke every certificate of a batch. API: POST /batches/{id}/revoke"""
        return self._object("POST", f"/batches/{batch}/revoke", {"reason": reason})

    def certificates(
        self, *, batch: int | None = None, common_name: str | None = None, limit: int = 100
    ) -> list[Document]:
        """Return certificates, the newest first. API: GET /certificates"""
        return self._list("/certificates", batch=batch, commonName=common_name, limit=limit)

    def certificate(self, serial: str) -> Document:
        """Return the certificate of a serial number in hexadecimal, with its PEM. API: GET /certificates/{serial}"""
        return self._object("GET", f"/certificates/{_quoted(serial)}")

    def revoke(self, serial: str, reason: str | int = "unspecified") -> Document:
        """Revoke a certificate; `removeFromCRL` lifts a hold. API: POST /certificates/{serial}/revoke"""
        return self._object("POST", f"/certificates/{_quoted(serial)}/revoke", {"reason": reason})

    def lives(self) -> Document:
        """Return the lives that are known, and those that wait for a batch. API: GET /lives"""
        return self._object("GET", "/lives")

    def next_life(self, life: str | Iterable[Mapping[str, Any]], **details: Any) -> Document:
        """Let the next batch take a life that is known by name, or these steps. API: POST /lives

        The details are `times` (for how many batches), `fails` and `name`.
        """
        path: Document = {"like": life} if isinstance(life, str) else {"steps": [dict(step) for step in life]}
        return self._object("POST", "/lives", path | details)

    def clear_lives(self) -> Document:
        """Let no life wait any more. API: DELETE /lives"""
        return self._object("DELETE", "/lives")

    def faults(self) -> Document:
        """Return the rules, the one-shots that wait, and every fault that there is. API: GET /faults"""
        return self._object("GET", "/faults")

    def queue_fault(self, fault: str, *, calls: Iterable[str] = (), **details: Any) -> Document:
        """Let a fault strike the next call that fits. API: POST /faults

        The details are `times`, `percent`, `nth` and what the fault takes.
        """
        return self._object("POST", "/faults", _rule(fault, calls, details))

    def add_fault(self, fault: str, *, calls: Iterable[str] = (), **details: Any) -> Document:
        """Let a fault strike from now on, as often as the details say. API: POST /faults/rules"""
        return self._object("POST", "/faults/rules", _rule(fault, calls, details))

    def remove_fault(self, index: int) -> Document:
        """Take a rule away, by its place in the list. API: DELETE /faults/rules/{index}"""
        return self._object("DELETE", f"/faults/rules/{index}")

    def clear_faults(self) -> Document:
        """Take every rule and every one-shot away. API: DELETE /faults"""
        return self._object("DELETE", "/faults")

    def reset(self, seed: int | None = None) -> Document:
        """Put everything back to the start; snapshots stay. API: POST /reset"""
        return self._object("POST", "/reset", {"seed": seed})

    def snapshots(self) -> list[str]:
        """Return the names of the snapshots. API: GET /snapshots"""
        return list(self._object("GET", "/snapshots")["snapshots"])

    def snapshot(self, name: str) -> None:
        """Keep everything as it is under a name. API: PUT /snapshots/{name}"""
        self._ask("PUT", f"/snapshots/{_quoted(name)}")

    def restore(self, name: str) -> Document:
        """Put everything back as it was. API: POST /snapshots/{name}/restore"""
        return self._object("POST", f"/snapshots/{_quoted(name)}/restore")

    def forget_snapshot(self, name: str) -> None:
        """Give a snapshot up. API: DELETE /snapshots/{name}"""
        self._ask("DELETE", f"/snapshots/{_quoted(name)}")

    def journal(
        self, after: int = 0, call: str | None = None, batch: int | None = None, *, limit: int = 100_000
    ) -> list[Document]:
        """Return the requests behind the number `after`, the newest last, secrets masked. API: GET /journal"""
        return self._list("/journal", after=after, call=call, batch=batch, limit=limit)

    def clear_journal(self) -> Document:
        """Forget every request. API: DELETE /journal"""
        return self._object("DELETE", "/journal")

    def orders(self, batch_name: str | None = None, common_name: str | None = None) -> Document:
        """Return the orders for a name, and how many were accepted and refused. API: GET /journal/orders"""
        return self._object("GET", "/journal/orders" + _query(batchName=batch_name, commonName=common_name))

    def logins(self, username: str | None = None) -> Document:
        """Return how many log-ins were accepted and refused. API: GET /journal/logins"""
        return self._object("GET", "/journal/logins" + _query(username=username))

    def polls(self, batch: int | None = None) -> Document:
        """Return how often batches were looked at, and how often a minute. API: GET /journal/polls"""
        return self._object("GET", "/journal/polls" + _query(batch=batch))

    def downloads(self, batch: int | None = None) -> Document:
        """Return how often batches were downloaded, and when. API: GET /journal/downloads"""
        return self._object("GET", "/journal/downloads" + _query(batch=batch))

    def doubled(self) -> list[Document]:
        """Return the names that were ordered more than once with success. API: GET /journal/doubled"""
        return self._list("/journal/doubled")

    def simultaneous(self, within: float = 60.0) -> list[Document]:
        """Return the names that two ordered at the same time. API: GET /journal/simultaneous"""
        return self._list("/journal/simultaneous", within=within)

    def twins(self) -> list[Document]:
        """Return the common names for which two batches are alive. API: GET /journal/twins"""
        return self._list("/journal/twins")

    def unfetched(self, *, downloads: bool = False) -> list[Document]:
        """Return the batches that were ready and never downloaded. API: GET /journal/unfetched

        With `downloads` those too that were, each with how often.
        """
        return self._list("/journal/unfetched", downloads="true" if downloads else None)

    def gaps(self) -> list[Document]:
        """Return the common names that were without a certificate for a while. API: GET /journal/gaps"""
        return self._list("/journal/gaps")

    def repeated(self, times: int = 3) -> list[Document]:
        """Return the orders refused with the same words more than so often. API: GET /journal/repeated"""
        return self._list("/journal/repeated", times=times)

    def late_polls(self) -> list[Document]:
        """Return the batches that were looked at after they were known to have ended. API: GET /journal/late-polls"""
        return self._list("/journal/late-polls")

    def _object(self, method: str, path: str, body: object = None) -> Document:
        __tracebackhide__ = True
        document: Document = self._ask(method, path, body)
        return document

    def _list(self, path: str, **query: object) -> list[Document]:
        __tracebackhide__ = True
        documents: list[Document] = self._ask("GET", path + _query(**query))
        return documents

    def _ask(self, method: str, path: str, body: object = None) -> Any:
        __tracebackhide__ = True
        # It costs 20 ms, which whoever only imports the emulator need not pay.
        import http.client

        content = None if body is None else json.dumps(body).encode()
        headers = {} if content is None else {"Content-Type": "application/json"}
        connection = http.client.HTTPConnection(*self._address, timeout=_TIMEOUT)
        with contextlib.closing(connection):
            try:
                connection.request(method, path, content, headers)
                reply = connection.getresponse()
                text = reply.read()
            except http.client.HTTPException as fault:
                raise ConnectionError(f"{self.url}: the answer is no HTTP: {fault}") from None
        return _document(reply.status, text)


def _document(status: int, text: bytes) -> Any:
    __tracebackhide__ = True
    try:
        document = json.loads(text)
    except ValueError:
        raise ControlError(status, "the answer is no JSON") from None
    if status >= 300:
        raise ControlError(status, _reason(document))
    return document


def _reason(document: object) -> str:
    """Return why a call was refused: in the one field of the control port, or in those of the service's port."""
    fields = document if isinstance(document, dict) else {}
    return str(fields.get("error") or fields.get("message") or "it was refused without a word")


def _rule(fault: str, calls: Iterable[str], details: Mapping[str, Any]) -> Document:
    return {"fault": fault, "calls": list(calls), **details}


def _query(**values: object) -> str:
    given = {name: value for name, value in values.items() if value is not None}
    return "?" + urlencode(given) if given else ""


def _quoted(text: str) -> str:
    return quote(text, safe="")
