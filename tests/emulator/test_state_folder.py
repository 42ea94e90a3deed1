"""What is kept in a folder: across restarts and kills, never by halves, and never for others to read."""

from __future__ import annotations

import contextlib
import copy
import json
import os
import random
import re
import shlex
import shutil
import sqlite3
import stat
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests
from cryptography import x509

from sectigo_iot.emulator import Control, Emulator
from sectigo_iot.emulator.config.lives import KNOWN
from tests.conftest import Runner
from tests.emulator.api import PARAMETERS, Api, refused
from tests.emulator.csrs import make_csr
from tests.emulator.soak import SCALE
from tests.emulator.test_given_ca import made_ca
from tests.packages import PYTHONPATH

FILE = "emulator.sqlite3"
NOW = 1_700_000_000.0


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def used(folder: Path) -> Path:
    """A folder in which something is kept."""
    with Emulator(state_path=folder) as emulator, calling(emulator) as api:
        assert api.order().status_code == 201
    return folder


@contextlib.contextmanager
def calling(emulator: Emulator) -> Iterator[Api]:
    api = Api(emulator)
    with api.session:
        yield api


def seen(api: Api) -> dict[str, Any]:
    """Return what a client sees of three batches, of which the first can be downloaded, and of all else."""
    return {
        "files": api.files(10000),
        "batches": [api.batch(number) for number in range(10000, 10003)],
        "found": api.find(commonName="example.com").json(),
        "authorities": api.get("/api/v1/authorities/allowed").json(),
        "devices": api.get("/api/v1/devices").json(),
        "chain": api.get("/ca/chain.pem").content,
        "revoked": revoked_by(api.get("/crl/issuing.crl").content),
    }


def revoked_by(crl: bytes) -> set[str]:
    return {f"{each.serial_number:X}" for each in x509.load_der_x509_crl(crl)}


def test_everything_is_there_after_a_restart(folder: Path) -> None:
    with Emulator(state_path=folder, clock=lambda: NOW) as emulator, calling(emulator) as api:
        assert api.order().status_code == api.order(name="second").status_code == 201
        assert api.upload(make_csr("up.example.com")).status_code == 201
        assert api.revoke(api.serial("example.com")).status_code == 200
        emulator.control.advance(300)
        emulator.control.set_balance(489, 17)
        emulator.control.require_parameter(423, "countryName")
        before, tokens = seen(api), api.tokens
    with Emulator(state_path=folder, clock=lambda: NOW) as emulator, calling(emulator) as api:
        assert emulator.control.now() == NOW + 300
        assert seen(api) == before
        refused(api.order(), 400, "countryName")
        assert api.call("POST", "/auth/refresh", data=tokens["refreshToken"]).status_code == 200
        api.session.headers["Authorization"] = f"Bearer {tokens['accessToken']}"
        assert api.order({**PARAMETERS, "countryName": "US"}).json()["batchId"] == 10003
    assert [each["status"] for each in before["batches"]] == ["COLLECTED", "REVOKED", "BROKEN"]
    assert {each["id"]: each["balance"] for each in before["authorities"]} == {489: 17, 423: 98}
    assert before["devices"] == {"ordered": 1002, "issued": 2}
    assert len(before["revoked"]) == 1


def test_an_account_stays_locked(folder: Path) -> None:
    with Emulator(state_path=folder, lock_after=2) as emulator, calling(emulator) as api:
        assert [api.login(emulator.username, "guessed").status_code for _ in range(2)] == [401, 401]
        token = api.tokens["accessToken"]
    with Emulator(state_path=folder, lock_after=2) as emulator:
        login = {"username": emulator.username, "password": emulator.password}
        refused(requests.post(f"{emulator.url}/auth/pwd", json=login, timeout=10), 401, "locked")
        headers = {"Authorization": f"Bearer {token}"}
        assert requests.get(f"{emulator.url}/api/v1/devices", headers=headers, timeout=10).status_code == 200
        emulator.control.unlock(emulator.username)
    with Emulator(state_path=folder, lock_after=2) as emulator, calling(emulator) as api:
        assert "accessToken" in api.tokens


def test_what_waits_for_its_time_goes_on(folder: Path) -> None:
    with Emulator(state_path=folder, clock=lambda: NOW, delay=100) as emulator, calling(emulator) as api:
        assert api.order().json()["status"] == "CREATED"
        emulator.control.advance(60)
    with Emulator(state_path=folder, clock=lambda: NOW, delay=100) as emulator, calling(emulator) as api:
        assert api.batch(10000)["status"] == "PROCESSING"
        emulator.control.advance(40)
        assert api.batch(10000)["status"] == "READY_FOR_DOWNLOAD"
        emulator.control.advance(days=30)
    with Emulator(state_path=folder, clock=lambda: NOW) as emulator, calling(emulator) as api:
        assert api.batch(10000)["status"] == "REMOVED_AFTER_EXPIRATION"


def test_nobody_else_may_read_it(folder: Path) -> None:
    before = os.umask(0)
    try:
        with Emulator(state_path=folder) as emulator, calling(emulator) as api:
            api.order()
            modes = {each.name: stat.S_IMODE(each.stat().st_mode) for each in folder.iterdir()}
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert modes[FILE] == 0o600
    assert set(modes.values()) == {0o600}


# Kills


class Killed:
    """A real process on a folder, with what it was seen to accept before each of its ends."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.accepted: dict[int, str] = {}
        self.revoked: set[str] = set()
        self.chain = b""

    def start(self) -> None:
        """Run it, and wait until it serves."""
        words = ("-a", "127.0.0.1:0", "--key-type", "p256", "--delay", "0.03", "--state", str(self.folder))
        self.process = subprocess.Popen(
            [sys.executable, "-m", "sectigo_cli", "serve", *words],
            env={**os.environ, "PYTHONPATH": PYTHONPATH},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        told = dict(shlex.split(self.process.stdout.readline())[1].split("=", 1) for _ in range(5))
        self.url, self.control = told["SECTIGO_ENDPOINT"], Control(told["SIAS_CONTROL_URL"])
        login = {"username": told["SECTIGO_USERNAME"], "password": told["SECTIGO_PASSWORD"]}
        token = requests.post(f"{self.url}/auth/pwd", json=login, timeout=10).json()["accessToken"]
        self.headers = {"Authorization": f"Bearer {token}"}

    def kill(self) -> str:
        """Kill it, and return what it said."""
        self.process.kill()
        _, said = self.process.communicate()
        return said

    def call(self, session: requests.Session, method: str, path: str, document: Any = None) -> requests.Response:
        return session.request(method, self.url + path, headers=self.headers, json=document, timeout=10)

    def order(self, name: str, stopped: threading.Event) -> None:
        """Order until it is gone; what is accepted is noted, and every third one is revoked."""
        document = {"authorityId": 423, "profileParams": {**PARAMETERS, "commonName": f"{name}.example.com"}}
        with requests.Session() as session, contextlib.suppress(requests.RequestException):
            for count in range(1000):
                named = {**document, "batchName": f"{name}-{count}"}
                reply = self.call(session, "PUT", "/api/v1/batches/createSingleCertBatch", named)
                if reply.status_code == 201:
                    self.accepted[reply.json()["batchId"]] = f"{name}-{count}"
                if count % 3 == 0:
                    self.revoke_one(session, f"{name}.example.com")
        stopped.set()

    def revoke_one(self, session: requests.Session, name: str) -> None:
        found = self.call(session, "POST", "/api/v1/certificates/find", {"commonName": name}).json()["items"]
        for serial in [each["serialNumber"] for each in found if each["status"] != "REVOKED"][:1]:
            document = {"reasonCode": 4, "serialNumber": serial}
            if self.call(session, "POST", "/api/v1/certificates/423/revoke", document).status_code == 200:
                self.revoked.add(serial)

    def check(self) -> None:
        """Everything that was accepted is there, and nothing by halves."""
        batches = {each["id"]: each for each in self.control.batches(limit=100_000)}
        assert {number: batches[number]["name"] for number in self.accepted} == self.accepted
        (left,) = (each["balance"] for each in self.control.authorities() if each["id"] == 423)
        with requests.Session() as session:
            used = self.call(session, "GET", "/api/v1/devices").json()
            chain = session.get(f"{self.url}/ca/chain.pem", timeout=10).content
            crl = session.get(f"{self.url}/crl/issuing.crl", timeout=10).content
        assert left == BALANCE - len(batches)
        assert used["ordered"] == 1000 + len(batches)
        assert self.revoked <= revoked_by(crl)
        assert self.chain in (b"", chain)
        self.chain = chain
        until(lambda: all(each["status"] in DONE for each in self.control.batches(limit=100_000)))

    def check_certificates(self) -> None:
        """Each batch has one certificate, signed by the CA of the first start, and whole in its archive."""
        issuing = x509.load_pem_x509_certificates(self.chain)[0]
        issued = self.control.certificates(limit=100_000)
        assert len(issued) == len(self.control.batches(limit=100_000))
        for each in issued:
            text = self.control.certificate(each["serial"])["pem"]
            x509.load_pem_x509_certificate(text.encode()).verify_directly_issued_by(issuing)


BALANCE = 50_000
DONE = ("READY_FOR_DOWNLOAD", "REVOKED")


def until(true: Callable[[], bool]) -> None:
    end = time.monotonic() + 10
    while not true():
        assert time.monotonic() < end
        time.sleep(0.02)


@pytest.fixture
def killed(folder: Path) -> Iterator[Killed]:
    process = Killed(folder)
    process.start()
    yield process
    # Nothing is left running, however the test went.
    process.kill()


def test_a_kill_at_any_moment(killed: Killed) -> None:
    chance = random.Random(7)
    killed.control.set_balance(423, BALANCE)
    for round_ in range(8 * SCALE):
        stopped = threading.Event()
        orders = [threading.Thread(target=killed.order, args=(f"r{round_}-{n}", stopped)) for n in range(2)]
        for each in orders:
            each.start()
        stopped.wait(chance.uniform(0.02, 0.12))
        assert "Traceback" not in killed.kill()
        for each in orders:
            each.join(20)
        killed.start()
        killed.check()
    killed.check_certificates()
    assert len(killed.accepted) > 8, "orders were under way when it was killed, however busy the machine is"
    assert killed.revoked


# What cannot be used


def corrupt(path: Path) -> None:
    path.write_bytes(b"not a database, but long enough to be read as one" * 100)


def cut(path: Path) -> None:
    os.truncate(path, 5000)


def foreign(path: Path) -> None:
    path.unlink()
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE bookmarks (name TEXT)")


def of_another_form(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection:
        connection.execute("PRAGMA user_version = 99")


def with_rows_of_nothing(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("INSERT INTO rows (name, key, value) VALUES ('horses', '1', x'01')")


def with_a_broken_world(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE rows SET value = x'c403414243' WHERE name = 'world'")


def with_a_broken_ca(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("UPDATE rows SET value = x'c403414243' WHERE key = 'authority'")


def symlinked(path: Path) -> None:
    path.rename(path.with_name("elsewhere"))
    path.symlink_to("elsewhere")


def a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


UNUSABLE = {
    corrupt: "it cannot be read as an emulator's memory; use another folder, or remove it",
    cut: "it cannot be read as an emulator's memory; use another folder, or remove it",
    foreign: "it is another program's file",
    of_another_form: "it was written by another version of the emulator (form 99)",
    with_rows_of_nothing: "it cannot be read as an emulator's memory; use another folder, or remove it",
    with_a_broken_world: "it cannot be read as an emulator's memory; use another folder, or remove it",
    with_a_broken_ca: "the CA that was kept cannot be read",
    symlinked: "Too many levels of symbolic links",
    a_folder: "Is a directory",
}


@pytest.mark.parametrize(("spoil", "said"), UNUSABLE.items(), ids=[each.__name__ for each in UNUSABLE])
def test_a_file_that_cannot_be_used(sectigo: Runner, used: Path, spoil: Callable[[Path], None], said: str) -> None:
    spoil(used / FILE)
    before = {each.name: each.is_file() and each.read_bytes() for each in used.iterdir()}
    done = sectigo("serve", "-a", ":0", "--state", str(used))
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(f"sectigo: error: serve: {used}")
    assert done.err.endswith(f": {said}\n")
    assert done.err.count("\n") == 1
    assert {each.name: each.is_file() and each.read_bytes() for each in used.iterdir()} == before


def without_its_world(path: Path) -> None:
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        assert connection.execute("DELETE FROM rows WHERE name = 'world'").rowcount == 1


def test_another_account_s_orders(sectigo: Runner, used: Path) -> None:
    without_its_world(used / FILE)
    done = sectigo("serve", "-a", ":0", "--account", "manual", "--state", str(used))
    said = "it holds orders with authorities that there are not"
    assert done == (2, "", f"sectigo: error: serve: {used / FILE}: {said}\n")


@pytest.mark.parametrize(
    ("words", "unlike"),
    [
        (("--scenario", "no-balance"), "the balance of authority 423 is another"),
        (("--scenario", "batch-id-zero"), "the first batch's number is another"),
        (("--account", "manual"), "the first batch's number is another"),
    ],
    ids=["balance", "number", "account"],
)
def test_another_world(sectigo: Runner, used: Path, words: tuple[str, ...], unlike: str) -> None:
    before = (used / FILE).read_bytes()
    done = sectigo("serve", "-a", ":0", "--state", str(used), *words)
    why = f"{used / FILE}: it was kept for another world ({unlike})"
    advice = "use another folder, or the one world that it was kept for"
    assert done == (2, "", f"sectigo: error: serve: {why}: {advice}\n")
    assert (used / FILE).read_bytes() == before


@pytest.mark.parametrize(
    ("change", "unlike"),
    [
        (lambda world: world["profiles"][0].update(days_to_live=7), "profile 7 is another"),
        (lambda world: world["organizations"][0].update(name="Other"), "organization 1 is another"),
        (lambda world: world["organizations"][0]["authorities"][0].update(enabled=False), "authority 70 is another"),
        (lambda world: world["organizations"][0]["authorities"].pop(), "authority 71 is missing"),
        (lambda world: world["organizations"][0]["authorities"].reverse(), "the order is another"),
        (lambda world: world["organizations"][0]["users"][0].update(role="ADMIN"), "user 1 is another"),
        (lambda world: world["organizations"][0]["users"].append(EVE), "user 2 is new"),
        (lambda world: world.update(first_order=5), "the first order's number is another"),
    ],
)
def test_what_makes_another_world(folder: Path, change: Callable[[dict[str, Any]], object], unlike: str) -> None:
    with Emulator(config=WORLD, state_path=folder):
        pass
    world = copy.deepcopy(WORLD)
    change(world)
    with pytest.raises(ValueError, match=re.escape(f"another world ({unlike})")):
        Emulator(config=world, state_path=folder).start()


NAMED = {"commonName": "example.com", "pkcs12Password": "a password of one"}
EVE: dict[str, Any] = {"id": 2, "username": "eve", "password": "guess what that is"}
WORLD: dict[str, Any] = {
    "profiles": [{"id": 7, "name": "Seven", "parameters": [{"name": "commonName"}, {"name": "pkcs12Password"}]}],
    "organizations": [
        {
            "id": 1,
            "name": "One",
            "authorities": [{"id": 70, "profile": 7}, {"id": 71, "profile": 7}],
            "users": [{"id": 1, "username": "adam", "password": "guess what this is"}],
        }
    ],
}


def test_what_may_differ(folder: Path) -> None:
    with Emulator(config=WORLD, state_path=folder, seed=1) as emulator, calling(emulator) as api:
        assert api.order(NAMED, 70).status_code == 201
    world = copy.deepcopy(WORLD)
    world["organizations"][0]["users"][0]["password"] = "another one altogether"
    world["lives"] = [{"steps": [{"status": "FAILED", "after": 0}]}]
    world["faults"] = [{"fault": "unavailable", "calls": ["download"]}]
    world["behaviour"] = {"create_status": 200}
    with Emulator(config=world, state_path=folder, seed=2, delay=3) as emulator, calling(emulator) as api:
        assert api.batch(10000)["status"] == "READY_FOR_DOWNLOAD"
        assert api.order(NAMED, 70).status_code == 200
        assert api.get("/api/v1/authorities/70/balanceavailable").json() == 98


def test_no_password_of_a_user_is_kept(folder: Path) -> None:
    with Emulator(config=WORLD, state_path=folder):
        assert not [each for each in folder.iterdir() if b"guess what this is" in each.read_bytes()]


def test_a_world_that_was_refused_leaves_the_folder_free(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        Emulator(config=WORLD, state_path=folder, ca_path=tmp_path / "there-is-none.pem").start()
    with Emulator(state_path=folder) as emulator, calling(emulator) as api:
        assert api.order().status_code == 201


# The CA


@pytest.mark.parametrize("path_length", [None, 0])
def test_the_ca_is_the_one_that_was_kept(folder: Path, tmp_path: Path, path_length: int | None) -> None:
    given = tmp_path / "ca.pem"
    made_ca(given, path_length)
    chains = []
    for ca_path in (given, given, None):
        with Emulator(state_path=folder, ca_path=ca_path) as emulator, calling(emulator) as api:
            assert api.order().status_code == 201
            chains.append(api.get("/ca/chain.pem").content)
    assert chains[0] == chains[1] == chains[2]


def test_another_ca_is_refused(sectigo: Runner, used: Path, tmp_path: Path) -> None:
    """Be it kept under one of its own, or under one that was given."""
    given, other, below = tmp_path / "ca.pem", tmp_path / "other.pem", tmp_path / "below"
    made_ca(given, None)
    made_ca(other, None)
    with Emulator(state_path=below, ca_path=given):
        pass
    for folder, path in ((used, given), (below, other)):
        done = sectigo("serve", "-a", ":0", "--state", str(folder), "--ca", str(path))
        why = f"{path}: {folder} was kept under another CA"
        advice = "use another folder, or the one CA that it was kept under"
        assert done == (2, "", f"sectigo: error: serve: {why}: {advice}\n")


def test_a_foreign_ca_that_was_kept_is_asked_for_again(sectigo: Runner, folder: Path, tmp_path: Path) -> None:
    made_ca(tmp_path / "ca.pem", None, name="Example CA")
    with Emulator(state_path=folder, ca_path=tmp_path / "ca.pem", foreign_ca=True):
        pass
    done = sectigo("serve", "-a", ":0", "--state", str(folder))
    why = f"{folder}: the subject of the CA that was kept does not say TEST"
    assert (done.code, done.out) == (2, "")
    assert done.err.splitlines()[0] == f"sectigo: error: serve: {why}"
    assert "--foreign-ca takes it all the same" in done.err
    with Emulator(state_path=folder, foreign_ca=True) as emulator:
        assert "the CA is CN=Example CA: keep what it signs to yourself" in emulator.remarks


def test_a_ca_that_ended_meanwhile_is_used_again(folder: Path, tmp_path: Path) -> None:
    made_ca(tmp_path / "ca.pem", None, days=30)
    for days in (31, 0):
        with Emulator(state_path=folder, ca_path=tmp_path / "ca.pem") as emulator, calling(emulator) as api:
            emulator.control.advance(days=days)
            assert api.login(emulator.username, emulator.password).status_code == 200


def test_a_second_emulator_on_the_same_folder(sectigo: Runner, folder: Path) -> None:
    with Emulator(state_path=folder) as emulator, calling(emulator) as api:
        done = sectigo("serve", "-a", ":0", "--state", str(folder))
        assert done == (2, "", f"sectigo: error: serve: {folder / FILE}: another emulator is using it\n")
        assert api.order().status_code == 201


def test_a_file_in_place_of_the_folder(sectigo: Runner, folder: Path) -> None:
    folder.write_text("")
    done = sectigo("serve", "-a", ":0", "--state", str(folder))
    assert done == (2, "", f"sectigo: error: serve: {folder}: it is no folder\n")


def test_an_empty_folder_and_an_empty_file_are_a_beginning(folder: Path) -> None:
    folder.mkdir()
    (folder / FILE).touch()
    with Emulator(state_path=folder) as emulator, calling(emulator) as api:
        assert api.order().status_code == 201


def test_bytes_that_went_wrong_are_never_a_traceback(used: Path, tmp_path: Path) -> None:
    whole, chance, said = (used / FILE).read_bytes(), random.Random(7), []
    for number in range(60):
        folder = tmp_path / str(number)
        folder.mkdir()
        spoilt = bytearray(whole)
        for _ in range(chance.choice((1, 20, 500))):
            spoilt[chance.randrange(len(spoilt))] = chance.randrange(256)
        (folder / FILE).write_bytes(spoilt)
        try:
            with Emulator(state_path=folder):
                pass
        except (ValueError, OSError) as fault:
            said.append(str(fault).removeprefix(f"{folder}"))
    assert len(said) > 10
    assert {each.partition(": ")[0] for each in said} <= {"", f"/{FILE}"}
    assert "\n" not in "".join(said)


AS_NOBODY = """
import os, sys
from sectigo_cli.main import main
main(["serve", "-a", "127.0.0.1:0", "--state", "/dev/null"])
os.setgroups([]), os.setgid(65534), os.setuid(65534)
print("as nobody", file=sys.stderr)
for folder in sys.argv[1:]:
    print(main(["serve", "-a", "127.0.0.1:0", "--key-type", "p256", "--state", folder]), file=sys.stderr)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become nobody")
def test_what_nobody_may_write(used: Path) -> None:
    with tempfile.TemporaryDirectory() as work:
        top = Path(work)
        top.chmod(0o755)
        for name, mode in (("closed", 0o755), ("of-root", 0o755), ("empty", 0o755), ("no-entry", 0o700)):
            (top / name).mkdir()
            if name != "empty":
                shutil.copy(used / FILE, top / name)
            (top / name).chmod(mode)
        (top / "closed" / FILE).chmod(0o444)
        folders = [str(top / name) for name in ("closed", "of-root", "empty", "no-entry", "new")]
        environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
        done = subprocess.run(
            [sys.executable, "-B", "-c", AS_NOBODY, *folders],
            env=environ,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
        said = done.stderr.partition("as nobody\n")[2].splitlines()
        places = [*(f"{each}/{FILE}" for each in folders[:4]), folders[4]]
        expected = [f"sectigo: error: serve: {each}: Permission denied" for each in places]
        assert said == [line for each in expected for line in (each, "2")]


FULL_DISK = """
import json, os, resource, signal, sys, time
import requests
from sectigo_iot.emulator import Emulator
from sectigo_iot.emulator.config.lives import KNOWN
from tests.emulator.api import Api
folder = sys.argv[1]
with Emulator(state_path=folder, delay=0.001) as emulator:
    api = Api(emulator)
    number = api.order().json()["batchId"]
    while api.batch(number)["status"] != "READY_FOR_DOWNLOAD":
        time.sleep(0.01)
    largest = max(os.stat(f"{folder}/{name}").st_size for name in os.listdir(folder))
    resource.setrlimit(resource.RLIMIT_FSIZE, (largest + 60000, -1))
    answers = [api.order(name=str(n)) for n in range(12)]
    balance = api.get("/api/v1/authorities/423/balanceavailable")
    resource.setrlimit(resource.RLIMIT_FSIZE, (-1, -1))
    after = api.order(name="after").status_code
    end = time.monotonic() + 10
    while any(each["status"] != "READY_FOR_DOWNLOAD" for each in emulator.control.batches()):
        assert time.monotonic() < end
        time.sleep(0.05)
    left = api.get("/api/v1/authorities/423/balanceavailable").json()
    print(json.dumps([[a.status_code for a in answers], [a.text for a in answers if a.status_code != 201][:1],
        balance.status_code, after, left]))
"""


def test_a_full_disk(folder: Path) -> None:
    environ = {**os.environ, "PYTHONPATH": os.pathsep.join((PYTHONPATH, str(Path(__file__).parents[2])))}
    done = subprocess.run(
        [sys.executable, "-c", FULL_DISK, str(folder)],
        env=environ,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    answers, refusals, balance, after, left = json.loads(done.stdout)
    accepted = answers.count(201)
    assert set(answers) == {201, 500}
    assert answers == sorted(answers)
    assert json.loads(refusals[0])["message"] == "the emulator cannot write to its folder"
    assert (balance, after) == (200, 201)
    assert left == 100 - 2 - accepted
    with Emulator(state_path=folder) as emulator, calling(emulator) as api:
        assert len(emulator.control.batches()) == 2 + accepted
        assert api.get("/api/v1/devices").json() == {"ordered": 1002 + accepted, "issued": 2 + accepted}


@pytest.mark.parametrize("life", KNOWN)
def test_a_folder_keeps_every_life(tmp_path: Path, life: str) -> None:
    with Emulator(state_path=tmp_path / "state") as emulator:
        emulator.control.next_life(life)
        api = Api(emulator)
        api.order()
        api.session.close()
    with Emulator(state_path=tmp_path / "state") as emulator:
        assert [each["id"] for each in emulator.control.batches()] == [10000]
