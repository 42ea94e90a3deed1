"""The rules of the service once more, in plain dictionaries, without a line of the emulator's: what it must answer.

Each question is answered by a status and, where there is one, by what the reply shows. Times are seconds since the
epoch.
"""

from __future__ import annotations

import string
import time
from typing import Any

START = 1_700_000_000.0
DAY = 86400
RULES: dict[int, dict[str, Any]] = {
    17: {"name": "Plain", "days": 30, "password": 8, "parameters": {"commonName", "dNSName", "pkcs12Password"}},
    85: {
        "name": "Full",
        "days": 2,
        "password": 10,
        "parameters": {"commonName", "dNSName", "pkcs12Password", "countryName", "note"},
    },
}
"""The profiles by id. Days are those for which a batch can be downloaded."""
_DNS = set(string.ascii_letters + string.digits + "-.")
_CODES = (0, 1, 2, 3, 4, 5, 6, 8, 9, 10)
_HOLD, _LIFT = 6, 8
_TEXTS = {
    "READY_FOR_DOWNLOAD": "Ready for download",
    "COLLECTED": "Ready for download",
    "PROCESSING": "Processing",
    "FAILED": "Failed",
}
_BEGINNING = ("CREATED", "PENDING", "PROCESSING")
_READY = ("READY_FOR_DOWNLOAD", "COLLECTED")

Said = tuple[int, Any]
"""A status, and what the reply shows: None where that is left open."""


def parameters_at_fault(profile: int, values: dict[str, str]) -> set[str]:
    """Return the parameters of an order that break a rule."""
    rules = RULES[profile]
    known: set[str] = rules["parameters"]
    unknown = set(values) - known
    missing = known - {"note"} - set(values)
    wrong = {name for name, value in values.items() if not _keeps_rule(name, value, rules["password"])}
    return unknown | missing | wrong


def _keeps_rule(name: str, value: str, shortest: int) -> bool:
    if name == "pkcs12Password":
        return shortest <= len(value) <= 64 and all(" " <= each <= "~" for each in value)
    if name == "dNSName":
        return all(_is_dns_name(each) for each in value.removesuffix("\n").split("\n"))
    if name == "countryName":
        return len(value) == 2 and all(each in string.ascii_uppercase for each in value)
    return 0 < len(value) <= 64 and value.isprintable() and value == value.strip()


def _is_dns_name(name: str) -> bool:
    labels = name.split(".")
    return set(name) <= _DNS and all(each and len(each) < 64 and each.strip("-") == each for each in labels)


class Model:
    """One service. `switches` are the settings that the sequence was drawn under, `world` is its configuration."""

    def __init__(self, switches: dict[str, Any], world: dict[str, Any]) -> None:
        self.switches = switches
        self.now = START
        self.batches: list[dict[str, Any]] = []
        self.certificates: list[dict[str, Any]] = []
        self.users: dict[str, dict[str, Any]] = {}
        self.authorities: dict[int, dict[str, Any]] = {}
        self.used = {each["id"]: {"ordered": 0, "issued": 0} for each in world["organizations"]}
        for organization in world["organizations"]:
            for each in organization["authorities"]:
                self.authorities[each["id"]] = {"enabled": True, **each, "organization": organization["id"]}
            for user in organization["users"]:
                self.users[user["username"]] = {
                    **user,
                    "organization": organization["id"],
                    "refused": 0,
                    "locked": False,
                    "access": None,
                    "refresh": None,
                }

    # Time

    def advance(self, seconds: float) -> None:
        """Let time pass; every batch goes on."""
        self.now += seconds
        for each in self.batches:
            self._go_on(each)

    def _go_on(self, batch: dict[str, Any]) -> None:
        delay = self.switches["delay"]
        if batch["status"] in ("CREATED", "PENDING") and delay and self.now >= batch["created"] + delay / 2:
            batch["status"] = "PROCESSING"
        if batch["status"] in _BEGINNING and self.now >= batch["created"] + delay:
            self._become_due(batch, batch["created"] + delay)
        if batch["status"] in _READY and self.now >= batch["ready"] + RULES[batch["profile"]]["days"] * DAY:
            batch["status"] = "REMOVED_AFTER_EXPIRATION"

    def _become_due(self, batch: dict[str, Any], due: float) -> None:
        if batch["flaw"]:
            self._end(batch, "BROKEN", batch["flaw"])
            return
        batch.update(status="READY_FOR_DOWNLOAD", ready=due)
        self.used[batch["organization"]]["issued"] += batch["size"]
        for name in batch["names"]:
            certificate = {"name": name, "batch": batch, "state": "good", "reason": 0, "serial": None, "since": due}
            batch["certificates"].append(certificate)
            self.certificates.append(certificate)

    def _end(self, batch: dict[str, Any], status: str, reason: str) -> None:
        batch.update(status=status, reason=reason)
        if self.switches["refund_failed"]:
            self.authorities[batch["authority"]]["balance"] += batch["size"]
            self.used[batch["organization"]]["ordered"] -= batch["size"]

    # Log-ins

    def login(self, username: str, password: str) -> int:
        """Tell how a log-in is answered; one that is accepted gives tokens."""
        user = self.users.get(username)
        if user is None:
            return 401
        if user["locked"]:
            return int(self.switches["locked_status"])
        if password != user["password"]:
            user["refused"] += 1
            user["locked"] = user["refused"] == self.switches["lock_after"]
            return 401
        user["refused"] = 0
        if user.get("authorities") == []:
            return 403
        self._give_tokens(user)
        return 200

    def refresh(self, username: str) -> int:
        """Tell how the user's refresh token is answered."""
        user = self.users[username]
        if user["refresh"] is None or user["refresh"] <= self.now:
            return 401
        self._give_tokens(user)
        return 200

    def is_known(self, username: str) -> bool:
        """Whether the user's access token is accepted."""
        until = self.users[username]["access"]
        return until is not None and until > self.now

    def _give_tokens(self, user: dict[str, Any]) -> None:
        user.update(access=int(self.now) + 600, refresh=int(self.now) + 7200)

    # Orders

    def create(self, username: str, authority: object, name: str, parameters: dict[str, str]) -> Said:
        """Tell how an order is answered. What is shown of a refusal are the parameters that may be named in it."""
        if not self.is_known(username):
            return 401, None
        if not isinstance(authority, int) or not self._may_use(username, authority):
            return 400, {"authorityId"}
        profile = self.authorities[authority]["profile"]
        wrong = parameters_at_fault(profile, parameters)
        if wrong:
            return 400, wrong
        return self._accept(username, authority, name, [parameters["commonName"]], "CREATED", "")

    def upload(self, username: str, profile: int, file: str, requests: list[tuple[str, str]]) -> Said:
        """Tell how an upload of signing requests is answered, each of them a name and what is wrong with it."""
        if not self.is_known(username):
            return 401, None
        usable = [
            n for n, each in self.authorities.items() if each["profile"] == profile and self._may_use(username, n)
        ]
        if not usable:
            return 403, {"profile"}
        if not requests:
            return 400, {"files"}
        names = [name.lower() for name, flaw in requests if not flaw]
        twice = [name for name in dict.fromkeys(names) if names.count(name) > 1]
        if twice and self.switches["duplicates"] == "refuse":
            return 400, set(twice)
        flaw = next((flaw for _, flaw in requests if flaw), "")
        return self._accept(username, usable[0], file, [name for name, _ in requests], "PENDING", flaw)

    def _may_use(self, username: str, authority: int) -> bool:
        user, found = self.users[username], self.authorities.get(authority)
        if found is None or found["organization"] != user["organization"] or not found["enabled"]:
            return False
        return "authorities" not in user or authority in user["authorities"]

    def _accept(
        self, username: str, authority: int, name: str, names: list[str], first: str, flaw: str
    ) -> tuple[int, Any]:
        account, user = self.authorities[authority], self.users[username]
        if account["balance"] < len(names):
            return int(self.switches["no_balance_status"]), {"balance"}
        account["balance"] -= len(names)
        self.used[user["organization"]]["ordered"] += len(names)
        number = len(self.batches)
        numbered = first == "PENDING" and self.switches["upload_name"] == "number"
        batch = {
            "id": 500 + number,
            "order": 11000 + number,
            "name": str(500 + number) if numbered else name,
            "organization": user["organization"],
            "user": user["id"],
            "authority": authority,
            "profile": account["profile"],
            "size": len(names),
            "names": names,
            "uploaded": first == "PENDING",
            "flaw": flaw,
            "created": self.now,
            "status": first,
            "reason": "",
            "ready": None,
            "certificates": [],
        }
        self.batches.append(batch)
        shown = self.document(batch)
        self._go_on(batch)
        return int(self.switches["create_status"]), shown

    # Batches

    def seen(self, username: str, number: int) -> Said:
        """Tell whether a user sees a batch: its status, and the batch."""
        if not self.is_known(username):
            return 401, None
        organization = self.users[username]["organization"]
        found = next((each for each in self.batches if each["id"] == number), None)
        return (404, None) if found is None or found["organization"] != organization else (200, found)

    def status(self, batch: dict[str, Any]) -> str:
        """Return what the detail says."""
        return "REVOKED" if self._is_revoked(batch) else str(batch["status"])

    def words(self, batch: dict[str, Any]) -> str:
        """Return what the status call says."""
        status = self.status(batch)
        return _TEXTS.get(status, f"Not Acceptable. Status: {status}")

    def counts(self, batch: dict[str, Any]) -> dict[str, int]:
        """Return the processing info."""
        size, status = batch["size"], batch["status"]
        return {
            "active": size if status == "PROCESSING" else 0,
            "success": 0 if batch["ready"] is None else size,
            "failed": size if status in ("BROKEN", "REJECTED") else 0,
        }

    def document(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Return the detail of a batch."""
        status, created = self.status(batch), batch["created"]
        none = None if self.switches["no_reason"] == "null" else ""
        return {
            "batchId": batch["id"],
            "orderNumber": batch["order"],
            "creationDate": time.strftime(f"%Y-%m-%dT%H:%M:%S.{created % 1 * 1000:03.0f}+0000", time.gmtime(created)),
            "profile": RULES[batch["profile"]]["name"],
            "size": batch["size"],
            "status": status,
            "active": status in ("PENDING", "PROCESSING"),
            "batchName": batch["name"],
            "rejectReason": batch["reason"] or none,
            "generatorParametersValues": None,
            "userId": batch["user"],
            "downloadable": status in ("CREATED", *_READY),
            "rejectable": status in _BEGINNING,
        }

    def listed(self, username: str, page: int, size: int) -> Said:
        """Tell how the list of batches is answered."""
        if not self.is_known(username):
            return 401, None
        form = self.switches["batch_list"]
        if form == "off":
            return 501, None
        own = [each for each in self.batches if each["organization"] == self.users[username]["organization"]]
        documents = [self.document(each) for each in reversed(own)]
        if form == "array":
            return 200, documents
        return 200, {"items": documents[page * size : page * size + size], "total": len(own)}

    def download(self, username: str, number: int) -> Said:
        """Tell how a download is answered: the names of the files in the ZIP."""
        status, batch = self.seen(username, number)
        if status != 200:
            return status, None
        if self.status(batch) not in _READY:
            return int(self.switches["not_ready_status"]), None
        batch["status"] = "COLLECTED"
        return 200, _files(batch["names"], ".pem" if batch["uploaded"] else ".p12")

    def reject(self, number: int, reason: str) -> bool:
        """Reject a batch as the portal does; tell whether that is possible."""
        batch = next(each for each in self.batches if each["id"] == number)
        if batch["status"] not in _BEGINNING:
            return False
        self._end(batch, "REJECTED", reason)
        return True

    # Certificates

    def find(self, username: str, name: str, serial: str) -> Said:
        """Tell how a search is answered: how many there are, and those that are shown, by name, number and status."""
        if not self.is_known(username):
            return 401, None
        if not name and not serial:
            return 400, None
        organization = self.users[username]["organization"]
        own = [each for each in self.certificates if each["batch"]["organization"] == organization]
        found = [each for each in own if self._matches(each, name, serial)]
        shown = [(each["name"], each["serial"], self._state(each)) for each in found[: self.switches["find_limit"]]]
        return 200, (len(found), shown)

    def _matches(self, certificate: dict[str, Any], name: str, serial: str) -> bool:
        same_name = certificate["name"] == name or (
            certificate["name"].lower() == name.lower() and not self.switches["find_case"]
        )
        same_number = certificate["serial"] is not None and certificate["serial"] == serial.upper()
        asked = [same for given, same in ((name, same_name), (serial, same_number)) if given]
        return all(asked) if self.switches["find_match"] == "all" else any(asked)

    def _state(self, certificate: dict[str, Any]) -> str:
        return "REVOKED" if certificate["state"] != "good" else self.status(certificate["batch"])

    def revoke(self, username: str, profile: int, serial: str, code: int) -> int:
        """Tell how a revocation is answered, and carry it out."""
        if not self.is_known(username):
            return 401
        if code not in _CODES or not serial or set(serial) - set("0123456789ABCDEF"):
            return 400
        organization = self.users[username]["organization"]
        found = next((each for each in self.certificates if each["serial"] == serial), None)
        if found is None or (found["batch"]["organization"], found["batch"]["profile"]) != (organization, profile):
            return 404
        return self._revoked(found, code)

    def _revoked(self, certificate: dict[str, Any], code: int) -> int:
        if code == _LIFT:
            if certificate["state"] != "on hold" or not self.switches["lift_holds"]:
                return 400
            certificate.update(state="good", reason=0)
        elif certificate["state"] == "revoked" or (certificate["state"] == "on hold" and code == _HOLD):
            return 200 if self.switches["revoke_twice"] else 400
        else:
            certificate.update(state="on hold" if code == _HOLD else "revoked", reason=code)
        return 200

    def revocation_list(self) -> dict[str, int]:
        """Return the reason of each certificate whose number is known and that is to stand in the list."""
        bad = [each for each in self.certificates if each["state"] != "good"]
        return {each["serial"]: each["reason"] for each in bad}

    def _is_revoked(self, batch: dict[str, Any]) -> bool:
        states = [each["state"] for each in batch["certificates"]]
        return bool(states) and "good" not in states

    # Accounts

    def balances(self, username: str) -> dict[int, int]:
        """Return the licences left with each authority that a user may look at."""
        user = self.users[username]
        return {
            number: each["balance"]
            for number, each in self.authorities.items()
            if each["organization"] == user["organization"] and number in user.get("authorities", [number])
        }


def _files(names: list[str], suffix: str) -> list[str]:
    """Return the names of the files: of a name that was there before, the second one is numbered."""
    lower = [name.lower() for name in names]
    before = [lower[:index].count(name) for index, name in enumerate(lower)]
    return [(f"{name} - {count}" if count else name) + suffix for name, count in zip(names, before, strict=True)]
