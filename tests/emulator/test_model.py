"""Random sequences of requests: whatever is asked in whatever order, the emulator answers as a plain model does."""

from __future__ import annotations

import asyncio
import base64
import functools
import http.client
import io
import json
import zipfile
from collections.abc import Callable, Coroutine
from typing import Any

import pytest
from cryptography import x509
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule, run_state_machine_as_test

from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.memory.state import NotRejectableError
from sectigo_iot.emulator.service import Service
from tests.emulator.csrs import make_csr, spoil
from tests.emulator.model import Model
from tests.emulator.soak import SCALE

DNS_RULE = r"^([A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)*[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?$"
NAMES = {"name": "dNSName", "pattern": DNS_RULE, "lines": True}
COUNTRY = {"name": "countryName", "pattern": "^[A-Z]{2}$"}
PLAIN: list[dict[str, object]] = [{"name": "commonName"}, NAMES, {"name": "pkcs12Password"}]
WORLD: dict[str, Any] = {
    "first_batch": 500,
    "first_order": 11000,
    "profiles": [
        {"id": 17, "name": "Plain", "days_to_live": 30, "parameters": PLAIN},
        {
            "id": 85,
            "name": "Full",
            "days_to_live": 2,
            "password_minimum": 10,
            "parameters": [*PLAIN, COUNTRY, {"name": "note", "required": False}],
        },
    ],
    "organizations": [
        {
            "id": 1,
            "name": "First",
            "authorities": [
                {"id": 3, "profile": 17, "balance": 5, "enabled": False},
                {"id": 4, "profile": 17, "balance": 5},
                {"id": 5, "profile": 85, "balance": 3},
            ],
            "users": [
                {"id": 21, "username": "alice", "password": "alice's password"},
                {"id": 22, "username": "bob", "password": "bob's password", "authorities": [3, 4]},
                {"id": 23, "username": "dave", "password": "dave's password", "authorities": []},
                {"id": 24, "username": "watcher1", "password": "watcher's password"},
            ],
        },
        {
            "id": 2,
            "name": "Second",
            "authorities": [{"id": 6, "profile": 17, "balance": 4}],
            "users": [
                {"id": 31, "username": "carol", "password": "carol's password"},
                {"id": 32, "username": "watcher2", "password": "watcher's password"},
            ],
        },
    ],
}
VALUES: dict[str, list[str]] = {
    "commonName": ["", " www.example.com", "a" * 65, "www\nexample", "\x7f"],
    "dNSName": ["", "www_example.com", "www.example.com\n\nexample.com", "-.example.com", "münchen.example.com"],
    "pkcs12Password": ["", "short", "nine char", "p" * 65, "pässword-long"],
    "countryName": ["", "us", "USA", "U1"],
    "note": [" blank", "tab\there"],
    "surname": ["of nobody"],
}
"""By parameter, values that break a rule, in one profile at the least."""
COMMON_NAMES = ("www.example.com", "WWW.example.com", "api.example.org", "Example Ltd")
REQUESTS = {
    "a": ("csr.example.com", ""),
    "A": ("CSR.example.com", ""),
    "b": ("other.example.com", ""),
    "forged": ("bad.example.com", "signature"),
    "nameless": ("none.example.com", "Cert subject name error: SubjectAlternativeName dNSName value is missing"),
}
"""Signing requests: the name in each, and what is wrong with it."""
SWITCHES = st.fixed_dictionaries(
    {
        "delay": st.sampled_from((0.0, 2.0)),
        "no_balance_status": st.sampled_from((400, 402)),
        "revoke_twice": st.booleans(),
        "lift_holds": st.booleans(),
        "duplicates": st.sampled_from(("issue", "refuse")),
        "find_match": st.sampled_from(("all", "any")),
        "find_case": st.booleans(),
        "find_limit": st.sampled_from((None, 1)),
        "refund_failed": st.booleans(),
        "batch_list": st.sampled_from(("off", "array", "page")),
        "create_status": st.sampled_from((200, 201)),
        "upload_name": st.sampled_from(("file", "number")),
        "no_reason": st.sampled_from(("empty", "null")),
        "lock_after": st.sampled_from((0, 2, 3)),
        "locked_status": st.sampled_from((401, 403)),
        "not_ready_status": st.sampled_from((400, 409)),
        "not_ready_body": st.sampled_from(("json", "text", "html", "empty")),
    }
)
WHO = st.sampled_from((*5 * ("alice",), *3 * ("carol",), "bob", "bob", "dave"))
WHICH = st.integers(0, 5)
RENEWED = st.sampled_from((*9 * (True,), False))
WRONG = st.sampled_from([*24 * [None], *((name, value) for name, values in VALUES.items() for value in values)])
LEFT_OUT = st.sampled_from([*30 * [None], *sorted(VALUES)])
ORDERS = st.tuples(
    st.sampled_from(("alice", "alice", "carol")), st.sampled_from((4, 4, 5, 6)), st.sampled_from(COMMON_NAMES)
)
"""Who orders with which authority for which name; most of them may."""


@functools.cache
def signing_request(name: str) -> bytes:
    common_name, flaw = REQUESTS[name]
    request = make_csr(common_name, *([] if "missing" in flaw else [common_name]))
    return spoil(request) if flaw == "signature" else request


class Line:
    """A kept connection to one emulator: a request, and status, headers and body of the reply."""

    def __init__(self, url: str) -> None:
        self._connection = http.client.HTTPConnection(url.removeprefix("http://"), timeout=10)
        self.tokens: dict[str, dict[str, str]] = {}

    def close(self) -> None:
        self._connection.close()

    def ask(
        self, user: str, method: str, path: str, body: bytes | str = b"", kind: str = "application/json"
    ) -> tuple[int, bytes]:
        token = self.tokens.get(user, {}).get("accessToken")
        headers = {"Content-Type": kind} | ({"Authorization": f"Bearer {token}"} if token else {})
        self._connection.request(method, path, body, headers)
        reply = self._connection.getresponse()
        return reply.status, reply.read()

    def log_in(self, user: str, password: str) -> int:
        status, body = self.ask("", "POST", "/auth/pwd", json.dumps({"username": user, "password": password}))
        if status == 200:
            self.tokens[user] = json.loads(body)
        return status

    def renew(self, user: str) -> int:
        token = self.tokens.get(user, {}).get("refreshToken", "")
        status, body = self.ask("", "POST", "/auth/refresh", token)
        if status == 200:
            self.tokens[user] = json.loads(body)
        return status


def form(profile: int, file: str, content: bytes) -> tuple[bytes, str]:
    """Return the form of an upload, and its content type."""
    request = json.dumps({"profileId": profile, "batchType": "BATCH", "profileParams": {}})
    parts = (
        f'--edge\r\nContent-Disposition: form-data; name="profileId"\r\n\r\n{profile}\r\n'
        '--edge\r\nContent-Disposition: form-data; name="csrBatchRequest"; filename="blob"\r\n'
        f"Content-Type: application/json\r\n\r\n{request}\r\n"
        f'--edge\r\nContent-Disposition: form-data; name="files"; filename="{file}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    return parts.encode() + content + b"\r\n--edge--\r\n", "multipart/form-data; boundary=edge"


class Sequence(RuleBasedStateMachine):
    """Asks the emulator and the model the same."""

    @initialize(switches=SWITCHES, orders=st.lists(ORDERS, max_size=4))
    def begin(self, switches: dict[str, Any], orders: list[tuple[str, int, str]]) -> None:
        self.model = Model(switches, WORLD)
        self.emulator = Emulator(config=WORLD, clock=lambda: self.model.now, control_port=None, **switches)
        self.emulator.start()
        self.line = Line(self.emulator.url)
        for user, authority, name in orders:
            self.order(user, True, authority, name, None, None)

    def teardown(self) -> None:
        if not hasattr(self, "line"):
            return
        try:
            self.look_at_everything()
        finally:
            self.line.close()
            self.emulator.stop()

    def password(self, user: str) -> str:
        return str(self.model.users[user]["password"])

    def within(self, work: Callable[[Service], Coroutine[Any, Any, None]]) -> None:
        """Do something in the emulator's own loop."""
        running = self.emulator._running
        assert running is not None
        assert running.thread._loop is not None
        asyncio.run_coroutine_threadsafe(work(running.service), running.thread._loop).result(10)

    def come_in(self, user: str, renewed: bool) -> None:
        """Log in again where that is needed, unless it is to be seen what happens without."""
        if renewed and not self.model.is_known(user):
            password = self.password(user)
            self.compare_entry(user, self.line.log_in(user, password), self.model.login(user, password))

    def number(self, user: str, which: int) -> int:
        """Return the id of a batch: mostly of one that the user may see, at times of one that there is not."""
        batches, organization = self.model.batches, self.model.users[user]["organization"]
        own = [each for each in batches if each["organization"] == organization]
        among = own if which < 4 and own else [*batches, {"id": 500 + len(batches)}]
        return int(among[which % len(among)]["id"])

    # Log-ins and time

    @rule(user=WHO | st.just("mallory"), right=st.booleans())
    def log_in(self, user: str, right: bool) -> None:
        password = self.password(user) if right and user in self.model.users else "guessed"
        self.compare_entry(user, self.line.log_in(user, password), self.model.login(user, password))

    @rule(user=WHO)
    def renew(self, user: str) -> None:
        self.compare_entry(user, self.line.renew(user), self.model.refresh(user))

    def compare_entry(self, user: str, status: int, expected: int) -> None:
        """Of two tokens of one second the later says that it ends a little earlier, to be told from the other."""
        assert status == expected
        if status == 200:
            kept = self.model.users[user]
            for name, most in (("access", kept["access"]), ("refresh", kept["refresh"])):
                assert most - 60 <= end_of(self.line.tokens[user][f"{name}Token"]) <= most

    @rule(seconds=st.sampled_from((0.5, 1, 1, 2, 60, 599, 7201, 2 * 86400 - 1, 30 * 86400)))
    def wait(self, seconds: float) -> None:
        self.within(finished)
        self.model.advance(seconds)

    # Orders

    @rule(
        user=WHO,
        renewed=RENEWED,
        authority=st.sampled_from((4, 4, 4, 5, 5, 6, 3, 99)),
        name=st.sampled_from(COMMON_NAMES),
        wrong=WRONG,
        left_out=LEFT_OUT,
    )
    def order(
        self,
        user: str,
        renewed: bool,
        authority: int,
        name: str,
        wrong: tuple[str, str] | None,
        left_out: str | None,
    ) -> None:
        self.come_in(user, renewed)
        parameters = {"commonName": name, "dNSName": "www.example.com", "pkcs12Password": "long enough"}
        parameters |= {"countryName": "US"} if authority == 5 else {}
        parameters |= dict([wrong]) if wrong else {}
        parameters.pop(left_out or "", None)
        document = {"authorityId": authority, "batchName": f"for {name}", "profileParams": parameters}
        status, body = self.line.ask(user, "PUT", "/api/v1/batches/createSingleCertBatch", json.dumps(document))
        expected = self.model.create(user, authority, f"for {name}", parameters)
        self.compare_order((status, body), expected)

    @rule(
        document=st.sampled_from(
            (
                '{"authorityId": 4',
                "[]",
                '{"batchName": "a", "profileParams": {}}',
                '{"authorityId": "4", "profileParams": {}}',
                '{"authorityId": true, "profileParams": {}}',
                '{"authorityId": 4, "batchName": 7, "profileParams": {}}',
                '{"authorityId": 4, "batchName": "a"}',
                '{"authorityId": 4, "profileParams": {"commonName": 7}}',
            )
        )
    )
    def order_wrongly(self, document: str) -> None:
        known = self.model.is_known("alice")
        status, _ = self.line.ask("alice", "PUT", "/api/v1/batches/createSingleCertBatch", document)
        assert status == (400 if known else 401)

    @rule(
        user=WHO,
        renewed=RENEWED,
        profile=st.sampled_from((17, 17, 85, 99)),
        names=st.lists(st.sampled_from(sorted(REQUESTS)), max_size=3),
    )
    def upload(self, user: str, renewed: bool, profile: int, names: list[str]) -> None:
        self.come_in(user, renewed)
        body, kind = form(profile, "requests.pem", b"".join(map(signing_request, names)) or b"nothing")
        reply = self.line.ask(user, "POST", "/api/v1/batches/upload", body, kind)
        expected = self.model.upload(user, profile, "requests.pem", [REQUESTS[name] for name in names])
        self.compare_order(reply, expected)

    def compare_order(self, reply: tuple[int, bytes], expected: tuple[int, Any]) -> None:
        status, shown = expected
        assert reply[0] == status, reply[1]
        if status < 300:
            assert json.loads(reply[1]) == shown
        elif shown is not None:
            message = json.loads(reply[1])["message"]
            assert any(each.lower() in message.lower() for each in shown), (message, shown)

    # Batches

    @precondition(lambda self: self.model.batches)
    @rule(user=WHO, renewed=RENEWED, which=WHICH)
    def look(self, user: str, renewed: bool, which: int) -> None:
        self.come_in(user, renewed)
        self.compare_batch(user, self.number(user, which))

    def compare_batch(self, user: str, number: int) -> None:
        status, batch = self.model.seen(user, number)
        detail, words, counts = (
            self.line.ask(user, "GET", f"/api/v1/batches/{number}{more}")
            for more in ("", "/status", "/processing_info")
        )
        assert [each[0] for each in (detail, words, counts)] == 3 * [status]
        if status == 200:
            self.compare_document(json.loads(detail[1]), self.model.document(batch))
            assert words[1].decode() == self.model.words(batch)
            assert json.loads(counts[1]) == self.model.counts(batch)

    def compare_document(self, shown: dict[str, Any], expected: dict[str, Any]) -> None:
        reason = expected["rejectReason"]
        if reason:
            assert reason in shown["rejectReason"]
            expected = {**expected, "rejectReason": shown["rejectReason"]}
        assert shown == expected

    @rule(user=WHO, page=st.integers(0, 1), size=st.integers(1, 3))
    def list_batches(self, user: str, page: int, size: int) -> None:
        status, body = self.line.ask(user, "GET", f"/api/v1/batches?page={page}&size={size}")
        expected, shown = self.model.listed(user, page, size)
        assert status == expected
        if status == 200:
            found, wanted = json.loads(body), shown
            if isinstance(wanted, dict):
                assert found["total"] == wanted["total"]
                found, wanted = found["items"], wanted["items"]
            assert len(found) == len(wanted)
            for one, other in zip(found, wanted, strict=True):
                self.compare_document(one, other)

    @precondition(lambda self: self.model.certificates)
    @rule(user=WHO, renewed=RENEWED, which=WHICH)
    def download(self, user: str, renewed: bool, which: int) -> None:
        self.come_in(user, renewed)
        number = self.number(user, which)
        known, seen = self.model.is_known(user), self.model.seen(user, number)[0]
        status, body = self.line.ask(user, "GET", f"/api/v1/batches/{number}/download")
        expected, files = self.model.download(user, number)
        assert status == expected
        if files is not None:
            assert zipfile.ZipFile(io.BytesIO(body)).namelist() == files
        elif known and seen == 200:
            self.compare_refusal(body)

    def compare_refusal(self, body: bytes) -> None:
        begins = {"json": b'{"status":', "text": b"the batch", "html": b"<!DOCTYPE html>", "empty": b""}
        form = self.model.switches["not_ready_body"]
        assert body.startswith(begins[form])
        assert bool(body) == (form != "empty")

    @precondition(lambda self: self.model.batches and self.model.switches["delay"])
    @rule(which=WHICH, reason=st.sampled_from(("", "The name is not yours")))
    def reject(self, which: int, reason: str) -> None:
        number = 500 + which % len(self.model.batches)
        possible = self.model.reject(number, reason)

        async def reject(service: Service) -> None:
            service.state.settle()
            service.state.reject(number, reason)

        if possible:
            self.within(reject)
        else:
            with pytest.raises(NotRejectableError):
                self.within(reject)

    # Certificates

    @rule(user=WHO, renewed=RENEWED, name=st.sampled_from((*COMMON_NAMES, "csr.EXAMPLE.com", "")))
    def find_by_name(self, user: str, renewed: bool, name: str) -> None:
        self.come_in(user, renewed)
        self.compare_found(user, name, "")

    @precondition(lambda self: self.model.certificates)
    @rule(user=WHO, which=WHICH, name=st.sampled_from(("", *COMMON_NAMES)), upper=st.booleans())
    def find_by_number(self, user: str, which: int, name: str, upper: bool) -> None:
        serial = self.serial(which)
        self.compare_found(user, name, serial if upper else serial.lower())

    def compare_found(self, user: str, name: str, serial: str) -> None:
        criteria = {"commonName": name} | ({"serialNumber": serial} if serial else {})
        status, body = self.line.ask(user, "POST", "/api/v1/certificates/find", json.dumps(criteria))
        expected, found = self.model.find(user, name, serial)
        assert status == expected
        if found is not None:
            document = json.loads(body)
            items = document["items"]
            assert document["totalCount"] == found[0]
            assert [(each["commonName"], each["status"]) for each in items] == [(n, s) for n, _, s in found[1]]
            for one, other in zip(items, found[1], strict=True):
                assert other[1] in (None, one["serialNumber"])

    def serial(self, which: int) -> str:
        """Return the number of a certificate, or a number that none has where it cannot be found out."""
        certificate = self.model.certificates[which % len(self.model.certificates)]
        if certificate["serial"] is None:
            self.learn(certificate)
        return str(certificate["serial"] or "4D")

    def learn(self, certificate: dict[str, Any]) -> None:
        """Find out the numbers of all certificates of a name."""
        organization = certificate["batch"]["organization"]
        watcher, name = f"watcher{organization}", certificate["name"]
        self.come_in(watcher, True)
        _, body = self.line.ask(watcher, "POST", "/api/v1/certificates/find", json.dumps({"commonName": name}))
        alike = [each for each in self.model.certificates if self.model._matches(each, name, "")]
        alike = [each for each in alike if each["batch"]["organization"] == organization]
        for item, each in zip(json.loads(body)["items"], alike, strict=self.model.switches["find_limit"] is None):
            assert each["serial"] in (None, item["serialNumber"])
            each["serial"] = item["serialNumber"]

    @precondition(lambda self: self.model.certificates)
    @rule(which=WHICH, code=st.sampled_from((6, 6, 8, 8, 0, 1, 2, 3, 4, 5, 9, 10)))
    def revoke(self, which: int, code: int) -> None:
        batch = self.model.certificates[which % len(self.model.certificates)]["batch"]
        user = "alice" if batch["organization"] == 1 else "carol"
        self.compare_revocation(user, batch["profile"], self.serial(which), code)

    @precondition(lambda self: self.model.certificates)
    @rule(which=WHICH)
    def hold_and_lift(self, which: int) -> None:
        for code in (6, 8):
            self.revoke(which, code)

    @precondition(lambda self: self.model.certificates)
    @rule(
        user=st.sampled_from(("alice", "bob", "carol")),
        which=WHICH,
        code=st.sampled_from((1, 1, 7, 11, -1)),
        profile=st.sampled_from((17, 17, 85, 99)),
        spelling=st.sampled_from((str, str, str.lower, lambda serial: f"0x{serial}", lambda _: "")),
    )
    def revoke_wrongly(self, user: str, which: int, code: int, profile: int, spelling: Callable[[str], str]) -> None:
        self.compare_revocation(user, profile, spelling(self.serial(which)), code)

    def compare_revocation(self, user: str, profile: int, serial: str, code: int) -> None:
        self.come_in(user, True)
        document = json.dumps({"reasonCode": code, "serialNumber": serial})
        status, body = self.line.ask(user, "POST", f"/api/v1/certificates/{profile}/revoke", document)
        assert status == self.model.revoke(user, profile, serial, code), body

    # At any time, and at the end

    @rule(user=WHO)
    def look_at_accounts(self, user: str) -> None:
        known = self.model.is_known(user)
        status, body = self.line.ask(user, "GET", "/api/v1/authorities/allowed")
        assert status == (200 if known else 401)
        if known:
            balances = self.model.balances(user)
            assert {each["id"]: each["balance"] for each in json.loads(body)} == balances
            for number in self.model.authorities:
                status, body = self.line.ask(user, "GET", f"/api/v1/authorities/{number}/balanceavailable")
                assert (status, body) == ((200, b"%d" % balances[number]) if number in balances else (404, body))
            used = json.loads(self.line.ask(user, "GET", "/api/v1/devices")[1])
            assert used == self.model.used[self.model.users[user]["organization"]]

    def look_at_everything(self) -> None:
        self.within(finished)
        for watcher in ("watcher1", "watcher2"):
            self.come_in(watcher, True)
            self.look_at_accounts(watcher)
            for batch in self.model.batches:
                self.compare_batch(watcher, batch["id"])
            for name in {each["name"] for each in self.model.certificates}:
                self.compare_found(watcher, name, "")
        revoked = x509.load_der_x509_crl(self.line.ask("", "GET", "/crl/issuing.crl")[1])
        assert {f"{each.serial_number:X}": reason_in(each) for each in revoked} == self.model.revocation_list()


def end_of(token: str) -> int:
    """Return when a token ends, as it says itself."""
    payload = token.split(".")[1]
    return int(json.loads(base64.urlsafe_b64decode(payload + "=="))["exp"])


async def finished(service: Service) -> None:
    """Wait until everything is made that was begun: the time goes on after that."""
    for batch in tuple(service.state.batches.values()):
        if not batch.pushed:
            await service.issuer.make(batch.id)


def reason_in(entry: x509.RevokedCertificate) -> int:
    names = {flag: code for code, flag in enumerate(_FLAGS)}
    try:
        return names[entry.extensions.get_extension_for_class(x509.CRLReason).value.reason]
    except x509.ExtensionNotFound:
        return 0


_FLAGS = (
    x509.ReasonFlags.unspecified,
    x509.ReasonFlags.key_compromise,
    x509.ReasonFlags.ca_compromise,
    x509.ReasonFlags.affiliation_changed,
    x509.ReasonFlags.superseded,
    x509.ReasonFlags.cessation_of_operation,
    x509.ReasonFlags.certificate_hold,
    None,
    x509.ReasonFlags.remove_from_crl,
    x509.ReasonFlags.privilege_withdrawn,
    x509.ReasonFlags.aa_compromise,
)


def test_two_hundred_sequences() -> None:
    run_state_machine_as_test(
        Sequence,
        settings=settings(
            max_examples=200 * SCALE,
            stateful_step_count=14,
            derandomize=True,
            deadline=None,
            database=None,
            print_blob=False,
            report_multiple_bugs=False,
            phases=(Phase.generate, Phase.shrink),
            suppress_health_check=list(HealthCheck),
        ),
    )
