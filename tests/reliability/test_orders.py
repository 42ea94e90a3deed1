"""An order is sent once: what the client believes of each is compared with what the emulator's journal says."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import pytest

from sectigo_iot import Batch, IoTManager, OutcomeUnknownError, SectigoError
from sectigo_iot.emulator import Emulator
from sectigo_iot.pool import IDLE_SECONDS
from tests.commands.signing_requests import request
from tests.conftest import settings_for
from tests.reliability.answering import Answering
from tests.reliability.figures import FULL, figure, share
from tests.reliability.typed import rightly
from tests.unit.lying_server import PARAMS, Clock, settings_at

ORDERS = ("createSingleCertBatch", "upload")
REVOKE = "revokeCertificate"
FAULTS: dict[str, dict[str, Any]] = {
    "lost-reply": {},
    "silent-reply": {},
    "reset": {},
    "hang": {},
    "refuse": {"seconds": 0.02},
    "cut-reply": {},
    "accepted-late": {"seconds": 0.2},
    "garbled-reply": {},
    "unavailable": {},
    "too-many": {},
    "token-dropped": {},
    "html": {},
    "html - carried out": {"value": "handled"},
    "html with 404": {"status": 404},
    "null": {},
    "null - carried out": {"value": "handled"},
    "empty - carried out": {"value": "handled"},
    "json-error": {"status": 500},
    "json-error - carried out": {"status": 500, "value": "handled"},
    "json-error with 400": {"status": 400},
    "redirect-host": {},
}
"""Faults at 30 %, under names that say what is special about them."""
ENDLESS = ("silent-reply", "hang", "accepted-late")
"""They are answered when the client has given up."""
SHORT = 0.1
"""Seconds that a call has under these."""
CSR = request("one.example.com")


class Belief(NamedTuple):
    """What the client believes of one order: its batch, `refused`, `unreachable` or `unknown`."""

    name: str
    outcome: str
    batch: int | None = None


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator(balances={423: 10**6}, seed=None if FULL else 6, journal_size=20_000) as emulator:
        yield emulator


class Tally:
    """What became of all that was sent: by what the client believes, and how often one was sent at the most."""

    def __init__(self) -> None:
        self.beliefs = {"orders": Counter[str](), "revocations": Counter[str]()}
        self.faults = {"orders": 0, "revocations": 0}
        self.most = 0

    def add(self, what: str, beliefs: list[Belief]) -> None:
        self.faults[what] += 1
        self.beliefs[what].update(belief.outcome.partition(",")[0] for belief in beliefs)

    def told(self, what: str) -> str:
        counts = ", ".join(f"{count} {outcome}" for outcome, count in sorted(self.beliefs[what].items()))
        return f"{self.beliefs[what].total()} {what} under {self.faults[what]} faults at 30 % each: {counts}"


@pytest.fixture(scope="module")
def tally() -> Iterator[Tally]:
    """One tally for all faults."""
    counted = Tally()
    yield counted
    told = f"{counted.told('orders')}; {counted.told('revocations')}"
    figure("orders", f"{told}; sent {counted.most} times at the most, but for 401, and as the journal says")


@pytest.fixture
def struck(service: Emulator) -> Iterator[Callable[[str, tuple[str, ...]], IoTManager]]:
    """Let a fault strike these calls from now on; gives a client that has time enough, or little."""
    clients: list[IoTManager] = []

    def strike(fault: str, calls: tuple[str, ...]) -> IoTManager:
        service.control.add_fault(fault.partition(" ")[0], calls=calls, percent=30, **FAULTS[fault])
        clients.append(IoTManager(settings_for(service, timeout=SHORT if fault in ENDLESS else 20.0)))
        # A log-in under load would be as short of time as what is tried here.
        with IoTManager(settings_for(service, token_store=clients[0].settings.token_store)) as patient:
            patient.authenticate()
        return clients[0]

    yield strike
    service.control.clear_faults()
    for client in clients:
        client.close()


def outcome_of(name: str, send: Callable[[], Batch | None]) -> Belief:
    """Send, and return what the client believes."""
    try:
        batch = send()
    except OutcomeUnknownError as error:
        return Belief(name, "unknown" if error.batch_name == name else f"unknown, and named {error.batch_name}")
    except SectigoError:
        return Belief(name, "refused")
    return Belief(name, "accepted", batch.batch_id if batch is not None else None)


def ordered(client: IoTManager, name: str) -> Belief:
    """Order, by turns with and without signing requests of one's own."""
    if name.endswith(".csr"):
        return outcome_of(name, lambda: client.upload_csr_batch(423, name, CSR))
    return outcome_of(name, lambda: client.create_single_cert_batch(423, name, PARAMS))


def check(belief: Belief, requests: list[dict[str, Any]], statuses: dict[int, int | None]) -> int:
    """Fail where the client believes what is not so, or has sent an order twice; return how often it was sent.

    What was answered by 401 does not count: it is certain that nothing was done.
    """
    sent = [each for each in requests if statuses[each["number"]] != 401]
    assert len(sent) <= 1, (belief, requests)
    batches = [each["batch"] for each in requests if each["batch"] is not None]
    if belief.outcome == "accepted":
        assert batches == [belief.batch], (belief, requests)
    elif belief.outcome == "refused":
        assert batches == [], (belief, requests)
    else:
        assert belief.outcome == "unknown", "by its name it is looked for"
        assert len(sent) == 1, (belief, requests)
    return len(sent)


@pytest.mark.parametrize("fault", FAULTS)
def test_orders_under_a_fault(
    service: Emulator, struck: Callable[[str, tuple[str, ...]], IoTManager], tally: Tally, fault: str
) -> None:
    count = share(1000, 12)
    client = struck(fault, ORDERS)
    before = balance(service)
    names = [f"{fault} {number}{'.csr' if number % 2 else ''}" for number in range(count)]
    last = service.control.journal(limit=1)[-1]["number"]
    beliefs = [ordered(client, name) for name in names if paced(service, fault, name)]
    if fault == "accepted-late":
        time.sleep(0.4)
    spent = before - balance(service)
    journal: dict[str, list[dict[str, Any]]] = {name: [] for name in names}
    for each in service.control.orders()["orders"]:
        journal.get(each["batchName"], []).append(each)
    statuses = {each["number"]: each["status"] for each in service.control.journal(after=last)}
    tally.most = max(tally.most, *(check(belief, journal[belief.name], statuses) for belief in beliefs))
    requests = [each for name in names for each in journal[name]]
    assert spent == sum(each["batch"] is not None for each in requests)
    assert any(each["fault"] for each in requests)
    tally.add("orders", beliefs)


def paced(service: Emulator, fault: str, name: str) -> bool:
    """Let a minute pass by the emulator's clock now and then: it tells no more than sixty tokens of one apart."""
    if fault == "token-dropped" and name.endswith("0"):
        service.control.advance(seconds=60)
    return True


def balance(service: Emulator) -> int:
    """Return the licences that are left, as the control port says it."""
    return int(next(each["balance"] for each in service.control.authorities() if each["id"] == 423))


REVOKED_UNDER = ("lost-reply", "reset", "hang", "refuse", "unavailable", "token-dropped", "null - carried out")
STATES = {"accepted": {"revoked"}, "refused": {"good"}, "unknown, and named None": {"revoked", "good"}}
"""What a certificate is, by what the client believes of its revocation."""


@pytest.fixture(scope="module")
def serials(service: Emulator) -> list[str]:
    """Serial numbers of certificates that are good."""
    with IoTManager(settings_for(service)) as client:
        for number in range(share(300, 6) * len(REVOKED_UNDER)):
            client.create_single_cert_batch(423, f"to be revoked {number}", PARAMS)
    return [str(each["serial"]) for each in service.control.certificates(limit=share(300, 6) * len(REVOKED_UNDER))]


@pytest.mark.parametrize("fault", REVOKED_UNDER)
def test_revocations_under_a_fault(
    service: Emulator,
    serials: list[str],
    struck: Callable[[str, tuple[str, ...]], IoTManager],
    tally: Tally,
    fault: str,
) -> None:
    client = struck(fault, (REVOKE,))
    beliefs = []
    last = service.control.journal(limit=1)[-1]["number"]
    for _ in range(share(300, 6)):
        serial = serials.pop()
        paced(service, fault, f"{len(serials)}")
        belief = outcome_of(serial, lambda serial=serial: client.revoke_certificate(423, 4, serial))  # type: ignore[misc]
        assert service.control.certificate(serial)["status"] in STATES[belief.outcome], belief
        requests = service.control.journal(after=last, call=REVOKE)
        sent = [each for each in requests if each["status"] != 401]
        assert len(sent) <= 1, (belief, requests)
        assert all(serial in each["request"]["body"] for each in sent)
        last = max([last, *(each["number"] for each in requests)])
        beliefs.append(belief)
    tally.add("revocations", beliefs)


SENDING: dict[str, Callable[[IoTManager], object]] = {
    "createSingleCertBatch": lambda client: client.create_single_cert_batch(7, "n", PARAMS),
    "upload": lambda client: client.upload_csr_batch(8, "a.csr", CSR),
}


@pytest.mark.parametrize("call", SENDING)
def test_after_idleness_an_order_has_a_new_connection(call: str) -> None:
    ticks = Clock()
    with (
        Answering(rightly) as server,
        IoTManager(settings_at(server.url), monotonic=ticks, sleep=ticks.sleep) as client,
    ):
        SENDING[call](client)
        made = server.connections
        ticks.sleep(IDLE_SECONDS - 0.1)
        SENDING[call](client)
        assert server.connections == made, "a short pause costs none"
        ticks.sleep(IDLE_SECONDS + 0.1)
        client.licenses_used()
        assert server.connections == made, "a read may be sent again"
        ticks.sleep(IDLE_SECONDS + 0.1)
        SENDING[call](client)
        assert server.connections == made + 1
