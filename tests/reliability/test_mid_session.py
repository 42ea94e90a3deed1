"""A session that breaks off in the middle: every command goes on, for one renewal and one log-in at most."""

from __future__ import annotations

import itertools
import json
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from sectigo_iot import FileTokenStore, IoTManager
from sectigo_iot.auth import FRESH_SECONDS
from sectigo_iot.emulator import Emulator
from tests.commands.signing_requests import request
from tests.conftest import Runner, settings_for
from tests.reliability.figures import FULL, figure
from tests.unit.lying_server import PARAMS

CREATE = "create -a 423 -d example.com -p correct-horse"
LOGIN = "auth --login"
COMMANDS: dict[str, str | None] = {
    "auth": "devices",
    LOGIN: None,
    "doctor": "authorityUserBalanceAvailable",
    "licenses": "devices",
    "organization": "currentUserOrganization",
    "authorities": "userAuthorities",
    "authorities -b": "authorityUserBalanceAvailable",
    "profiles": "profiles",
    "profiles -i 423": "profileDetail",
    "profiles -i 423 --params": "profileParameters",
    "batches -i {batch}": "batchDetail",
    "batches -i {batch} --info": "batchProcessingInfo",
    "batches -i {batch} --status": "batchStatus",
    "batches -i {batch} --explain": "batchStatus",
    "batches -i {batch} --wait": "batchProcessingInfo",
    "download -i {batch} -o {folder} --force": "download",
    "find -n example.com": "findCertificate",
    "call devices": "devices",
    CREATE: "createSingleCertBatch",
    f"{CREATE} --wait": "batchProcessingInfo",
    f"{CREATE} --download {{folder}}": "download",
    "upload -p 423 {csr}": "upload",
    "revoke -p 423 -s {serial}": "revokeCertificate",
}
"""Every command that asks the service for something, and the call at which its token is dropped, if it has one."""
ORDERS = ("createSingleCertBatch", "upload")


class Standing(NamedTuple):
    """A service with a batch and a certificate, and another one, whose tokens are signed with another key."""

    service: Emulator
    other: Emulator
    words: Mapping[str, str]

    @property
    def path(self) -> Path:
        return FileTokenStore().path(self.service.url, self.service.username)

    def break_off(self, *, after: float = 0, refresh: str | None = None, **details: object) -> None:
        """Let time pass, and let a fault strike the next renewal."""
        if refresh is not None:
            self.service.control.queue_fault(refresh, calls=["refresh"], **details)
        self.service.control.advance(after)


@pytest.fixture(scope="module")
def services(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standing]:
    folder = tmp_path_factory.mktemp("folder")
    (folder / "request.csr").write_bytes(request("www.example.com"))
    balances = {423: 10_000, 489: 10_000}
    with Emulator(balances=balances, revoke_twice=True) as service, Emulator() as other:
        with IoTManager(settings_for(service)) as client:
            batch = client.create_single_cert_batch(423, "first", PARAMS)
            client.create_single_cert_batch(423, "to be revoked", {**PARAMS, "commonName": "revoked.example.com"})
            (found,) = client.find_certificate(common_name="revoked.example.com").items
        words = {"batch": str(batch.batch_id), "serial": str(found.serial_number)}
        paths = {"csr": str(folder / "request.csr"), "folder": str(folder)}
        yield Standing(service, other, words | paths)


@pytest.fixture
def standing(services: Standing, sectigo: Runner) -> Standing:
    """A session whose tokens are kept."""
    assert sectigo("auth", env=services.service.environ).code == 0
    return services


def another_key(standing: Standing) -> None:
    """Put tokens into the cache that the service has never signed, as if it had been restarted with another key."""
    with IoTManager(settings_for(standing.other)) as client:
        pair = client.authenticate()
    document = json.loads(standing.path.read_bytes())
    document |= {"accessToken": pair.access_token, "refreshToken": pair.refresh_token}
    standing.path.write_text(json.dumps(document))


RUN_OUT = 700.0
Break = Callable[[Standing], None]


class Tried(NamedTuple):
    """A command that went on: what broke off, what it cost to go on, and how many orders of its were accepted."""

    line: str
    how: str
    cost: Mapping[str, int]
    accepted: int


@pytest.fixture(scope="module")
def tally() -> Iterator[list[Tried]]:
    """One list of all that was tried."""
    tried: list[Tried] = []
    yield tried
    if tried:
        lines, ways = {each.line for each in tried}, {each.how for each in tried}
        figure("mid-session", f"{len(lines)} commands, {len(ways)} ways to break off, {len(tried)} of all pairs")
        most = " and ".join(f"{max(each.cost.get(name, 0) for each in tried)} {name}" for name in PRICED)
        orders = [each.accepted for each in tried]
        figure("mid-session", f"{most} at the most; {sum(orders)} orders accepted, {max(orders)} of a command")


PRICED = ("refresh", "authenticate")
"""The calls that it costs to go on."""


def refused(fault: str, **details: object) -> Break:
    return lambda standing: standing.break_off(after=RUN_OUT, refresh=fault, **details)


BREAKS: dict[str, tuple[Break, dict[str, int]]] = {
    "run out": (lambda standing: standing.break_off(after=RUN_OUT), {"refresh": 1}),
    "over": (lambda standing: standing.break_off(after=8_000), {"refresh": 1, "authenticate": 1}),
    "another key": (another_key, {"refresh": 1, "authenticate": 1}),
    "refresh rotated": (refused("refresh-rotated"), {"refresh": 1}),
    "refresh missing": (refused("refresh-missing"), {"refresh": 1}),
    "refresh 401": (refused("refresh-refused"), {"refresh": 1, "authenticate": 1}),
    "refresh 403": (refused("json-error", status=403), {"refresh": 1, "authenticate": 1}),
    "refresh 500": (refused("json-error", status=500), {"refresh": 1, "authenticate": 1}),
    "refresh 503": (refused("unavailable"), {"refresh": 1, "authenticate": 1}),
    "refresh HTML": (refused("html"), {"refresh": 1, "authenticate": 1}),
    "refresh null": (refused("null"), {"refresh": 1, "authenticate": 1}),
    "refresh empty": (refused("empty"), {"refresh": 1, "authenticate": 1}),
    "refresh reset": (refused("reset"), {"refresh": 1, "authenticate": 1}),
    "refresh lost": (refused("lost-reply"), {"refresh": 1, "authenticate": 1}),
    "refresh hangs": (refused("hang"), {"refresh": 1, "authenticate": 1}),
}
"""How a session breaks off, and what it costs to go on."""


def cases() -> list[tuple[str, str]]:
    """Every command with every break; in the share one command with all, and all commands with one."""
    if FULL:
        return list(itertools.product(COMMANDS, BREAKS))
    some = zip(COMMANDS, itertools.cycle(("over", "another key", "refresh 401")), strict=False)
    return [*itertools.product(["licenses"], BREAKS), (CREATE, "refresh hangs"), *some]


class Asked(NamedTuple):
    """What a command asked for: its calls, and the orders that were accepted."""

    calls: Counter[str]
    accepted: int

    @property
    def cost(self) -> dict[str, int]:
        return {name: self.calls[name] for name in PRICED if self.calls[name]}


def run(sectigo: Runner, standing: Standing, line: str, seconds: str = "20") -> Asked:
    """Run a command, which must succeed; return what was asked, and see to it that an order was accepted once."""
    control = standing.service.control
    control.clear_journal()
    before = control.authorities()
    words = [word.format_map(standing.words) for word in line.split()]
    done = sectigo("--request-timeout", seconds, *words, env=standing.service.environ)
    assert done.code == 0, done
    journal = control.journal()
    accepted = [each for each in journal if each["call"] in ORDERS and each["status"] in (200, 201)]
    spent = sum(each["balance"] for each in before) - sum(each["balance"] for each in control.authorities())
    assert len(accepted) == spent == (1 if line.startswith(("create", "upload")) else 0)
    return Asked(Counter(str(each["call"]) for each in journal), len(accepted))


@pytest.mark.parametrize(("line", "how"), sorted(set(cases())))
def test_a_command_goes_on_after_the_session_broke_off(
    sectigo: Runner, standing: Standing, tally: list[Tried], line: str, how: str
) -> None:
    break_off, cost = BREAKS[how]
    break_off(standing)
    asked = run(sectigo, standing, line, "0.5" if how == "refresh hangs" else "20")
    # Who logs in on purpose needs no session.
    assert asked.cost == ({"authenticate": 1} if line == LOGIN else cost)
    standing.service.control.clear_faults()
    assert run(sectigo, standing, "licenses").cost == {}, "the session is sound again, for whoever comes next"
    tally.append(Tried(line, how, asked.cost, asked.accepted))


@pytest.mark.parametrize("line", [line for line, call in COMMANDS.items() if call is not None])
def test_a_command_goes_on_after_its_token_was_dropped_at_its_last_call(
    sectigo: Runner, standing: Standing, tally: list[Tried], line: str
) -> None:
    call = str(COMMANDS[line])
    standing.service.control.queue_fault("token-dropped", calls=[call])
    asked = run(sectigo, standing, line)
    assert asked.cost == {"refresh": 1}
    assert asked.calls[call] >= 2
    tally.append(Tried(line, "dropped", asked.cost, asked.accepted))


@pytest.mark.parametrize("fault", ["refresh-rotated", "refresh-missing"])
def test_one_renewal_after_another(sectigo: Runner, standing: Standing, fault: str) -> None:
    for _ in range(5):
        standing.break_off(after=RUN_OUT, refresh=fault)
        assert run(sectigo, standing, "licenses").cost == {"refresh": 1}


def test_a_service_that_is_started_anew_with_another_key_costs_one_log_in() -> None:
    with Emulator() as service:
        client = IoTManager(settings_for(service))
        port = int(service.url.rpartition(":")[2])
        assert client.licenses_used().issued == 0
    with client, Emulator(port=port) as service:
        client.create_single_cert_batch(423, "first", PARAMS)
        asked = Counter(str(each["call"]) for each in service.control.journal())
        assert asked == {"createSingleCertBatch": 2, "refresh": 1, "authenticate": 1}
        assert service.control.orders("first")["accepted"] == 1


def test_what_another_process_got_may_have_been_dropped_with_ours(tmp_path: Path) -> None:
    clock, store = [time.time()], FileTokenStore(tmp_path)
    with Emulator() as service, Emulator() as before:
        client = IoTManager(settings_for(service, token_store=store), clock=lambda: clock[0])
        client.authenticate()
        with IoTManager(settings_for(before)) as other:
            # Signed with the key that the service had before it was restarted.
            store.save(service.url, service.username, other.authenticate())
        clock[0] += 2 * FRESH_SECONDS
        service.control.clear_journal()
        service.control.queue_fault("token-dropped", calls=["devices"])
        with client:
            assert client.licenses_used().issued == 0
        asked = Counter(str(each["call"]) for each in service.control.journal())
        assert asked == {"devices": 2, "refresh": 1, "authenticate": 1}
