"""The pytest plugin, as a project of somebody else's uses it: in a pytest process of its own."""

from __future__ import annotations

import configparser
import inspect
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from sectigo_iot.emulator import Control, Emulator
from sectigo_iot.emulator.config.lives import KNOWN
from sectigo_iot.pytest_markers import NAMES
from sectigo_iot.pytest_plugin import IotManager, Journal
from tests.docs.pages import ROOT, examples, text_of

Run = Callable[..., str]
FIRST = """
    import requests

    def order(manager, name="first"):
        login = {"username": manager.username, "password": manager.password}
        token = requests.post(f"{manager.url}/auth/pwd", json=login, timeout=10).json()["accessToken"]
        params = {"commonName": "example.com", "dNSName": "example.com", "pkcs12Password": "secrtpasswrd"}
        document = {"authorityId": 423, "batchName": name, "profileParams": params}
        headers = {"Authorization": f"Bearer {token}"}
        address = f"{manager.url}/api/v1/batches/createSingleCertBatch"
        return requests.put(address, json=document, headers=headers, timeout=10)
"""


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Run pytest over a file with some tests; return what it printed, which ends with the counts.

    The plugin is named to pytest, unless it is to be `found` as an installed package's.
    """

    def tried(
        tests: str, *options: str, conftest: str = "", code: int = 0, found: bool = False, strict: bool = True
    ) -> str:
        (tmp_path / "order.py").write_text(textwrap.dedent(FIRST))
        (tmp_path / "conftest.py").write_text(textwrap.dedent(conftest))
        (tmp_path / "test_it.py").write_text("import pytest\nfrom order import order\n" + textwrap.dedent(tests))
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"]
        command += ["--strict-markers"] * strict
        path = os.pathsep.join((str(tmp_path), os.environ["PYTHONPATH"]))
        environ = {**os.environ, "PYTHONPATH": path}
        if not found:
            environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
            command += ["-p", "xdist", "-p", "sectigo_iot.pytest_plugin"]
        done = subprocess.run(
            [*command, *options],
            cwd=tmp_path,
            env=environ,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == code, done.stdout + done.stderr
        return done.stdout + done.stderr

    return tried


def test_the_fixture_is_an_emulator(run: Run) -> None:
    out = run(
        """
        from sectigo_iot import IoTManager
        from sectigo_iot.pytest_plugin import IotManager

        def test_order(iot_manager: IotManager) -> None:
            assert isinstance(iot_manager, IotManager)
            assert order(iot_manager).status_code == 201
            assert iot_manager.journal.orders()["accepted"] == 1
            assert iot_manager.control.batches()[0]["name"] == "first"
            assert iot_manager.environ["SECTIGO_ENDPOINT"] == iot_manager.url
            assert iot_manager.root_certificate.startswith(b"-----BEGIN CERTIFICATE")
            assert repr(iot_manager) == f"<IotManager {iot_manager.url}>"

        def test_each_has_its_own(iot_manager):
            with IoTManager(iot_manager.settings(timeout=5)) as client:
                assert client.licenses_used().issued == 0
                assert client.settings.timeout == 5
            assert iot_manager.journal.orders()["count"] == 0
        """
    )
    assert "2 passed" in out


def test_pytest_finds_the_plugin_by_itself(run: Run, tmp_path: Path) -> None:
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg")
    installed = tmp_path / "sectigo_iot-0.0.dist-info"
    installed.mkdir()
    (installed / "METADATA").write_text("Metadata-Version: 2.1\nName: sectigo-iot\nVersion: 0.0\n")
    (installed / "entry_points.txt").write_text(f"[pytest11]{setup['options.entry_points']['pytest11']}\n")
    assert "1 passed" in run("def test_it(iot_manager): pass", found=True)


def test_every_question_can_be_asked(run: Run) -> None:
    out = run(
        """
        def test_questions(iot_manager):
            order(iot_manager)
            iot_manager.control.advance(1)
            order(iot_manager)
            journal = iot_manager.journal
            assert [each["by"] for each in journal.doubled()] == ["batchName", "commonName"]
            assert len(journal.simultaneous()) == 2
            assert journal.simultaneous(within=0.0) in ([], journal.simultaneous())
            assert [each["batch"] for each in journal.unfetched()] == [10000, 10001]
            assert len(journal.unfetched(downloads=True)) == 2
            assert (journal.twins(), journal.gaps(), journal.repeated(1), journal.late_polls()) == ([], [], [], [])
            assert journal.logins("tester")["accepted"] == 2
            assert journal.polls(10000)["count"] == journal.downloads(10000)["count"] == 0
            assert [each["status"] for each in journal.requests(call="createSingleCertBatch")] == [201, 201]
        """
    )
    assert "1 passed" in out


def test_markers_script_batches_and_faults(run: Run) -> None:
    out = run(
        """
        import requests

        @pytest.mark.iot_batch("rejected", reason="not known to us", times=2)
        @pytest.mark.iot_batch(steps=[{"status": "ODD"}])
        def test_batches(iot_manager):
            for name in "abcd":
                order(iot_manager, name)
            iot_manager.control.advance(2)
            seen = [(each["name"], each["status"], each["reason"]) for each in iot_manager.control.batches()]
            assert seen[0] == ("d", "READY_FOR_DOWNLOAD", "")
            assert sorted(seen[1:]) == [
                ("a", "REJECTED", "not known to us"), ("b", "REJECTED", "not known to us"), ("c", "ODD", "")
            ]

        @pytest.mark.iot_fault("lost-reply", call="createSingleCertBatch")
        def test_once(iot_manager):
            with pytest.raises(requests.ConnectionError):
                order(iot_manager)
            assert order(iot_manager).status_code == 201
            assert len(iot_manager.journal.doubled()) == 2

        @pytest.mark.iot_fault("json-error", calls="createSingleCertBatch+upload", nth=2, status=503)
        @pytest.mark.iot_fault("lost-reply", call=["createSingleCertBatch"], times=1)
        def test_later(iot_manager):
            with pytest.raises(requests.ConnectionError):
                order(iot_manager)
            assert [order(iot_manager).status_code for _ in range(2)] == [503, 201]

        @pytest.mark.iot_scenario("batch-id-zero")
        def test_scenario(iot_manager):
            assert order(iot_manager).json()["batchId"] == 0

        @pytest.mark.iot_manager("manual", balances={1: 7})
        class TestAccount:
            def test_manual(self, iot_manager):
                assert iot_manager.control.authorities()[0]["balance"] == 7

            @pytest.mark.iot_manager(balances={1: 8}, delay=60)
            def test_nearer(self, iot_manager):
                assert iot_manager.control.authorities()[0]["balance"] == 8
        """
    )
    assert "6 passed" in out


def test_the_options_of_a_conftest(run: Run) -> None:
    out = run(
        """
        def test_it(iot_manager):
            assert iot_manager.control.authorities()[0]["balance"] == 5
            assert order(iot_manager).status_code == 200

        @pytest.mark.iot_manager(create_status=201)
        def test_marked(iot_manager):
            assert order(iot_manager).status_code == 201
        """,
        conftest="""
        import pytest

        @pytest.fixture
        def iot_manager_options():
            return {"balances": {489: 5}, "create_status": 200}
        """,
    )
    assert "2 passed" in out


def test_several_at_once_are_all_stopped(run: Run) -> None:
    out = run(
        """
        import socket
        ADDRESSES = []

        def test_several(iot_manager_factory, iot_manager):
            managers = [iot_manager, iot_manager_factory(), iot_manager_factory("manual", balances={1: 0})]
            assert len({each.url for each in managers}) == 3
            ADDRESSES.extend(each.url.rpartition(":")[2] for each in managers)

        def test_stopped():
            assert len(ADDRESSES) == 3
            for port in ADDRESSES:
                with pytest.raises(ConnectionRefusedError):
                    socket.create_connection(("127.0.0.1", int(port)))
        """
    )
    assert "2 passed" in out


MISTAKES = {
    "iot_scenario('lost-rply')": "iot_manager: scenario 'lost-rply' is none of",
    "iot_scenario": "iot_scenario: the name of a scenario is wanted",
    "iot_scenario(3)": "iot_scenario: the name of a scenario is wanted",
    "iot_scenario('bomb', 'busy')": "iot_scenario: there is one scenario at a time, and 2 are named",
    "iot_scenario('bomb', nme='busy')": "iot_scenario: there is no argument 'nme'; did you mean 'name'?",
    "iot_manager(balance={423: 1})": "iot_manager: there is no argument 'balance'; did you mean 'balances'?",
    "iot_manager('manual', 'staging')": "iot_manager: one argument may stand without its name, account, and there",
    "iot_manager('manual', account='staging')": "iot_manager: account is given twice",
    "iot_manager(zzz=3)": "iot_manager: there is no argument 'zzz'",
    "iot_manager(delay=-3)": "iot_manager: delay -3 is not a number of seconds from 0 to 316224000",
    "iot_batch('rejectd')": "iot_batch: life 'rejectd' is not known; did you mean 'rejected'?",
    "iot_batch('zzz')": "iot_batch: life 'zzz' is not known; known are ready, rejected, ",
    "iot_batch(3)": "iot_batch: life 3 is no text; it is one of ready, ",
    "iot_batch": "iot_batch: either the name of a life or steps are wanted",
    "iot_batch('ready', reason='none')": "iot_batch: ready does not end with a reason; rejected and broken do",
    "iot_batch(steps=[{'status': 'A'}], reason='none')": "iot_batch: reason: it goes with the name of a life",
    "iot_batch('rejected', resaon='none')": "iot_batch: there is no argument 'resaon'; did you mean 'reason'?",
    "iot_batch('ready', times='two')": "iot_batch: times",
    "iot_batch('ready', optional=1)": "iot_batch: optional 1 is neither True nor False",
    "iot_batch(steps=[{'stats': 'A'}])": "iot_batch: steps",
    "iot_batch(steps=3)": "iot_batch: steps: a list of dictionaries is wanted",
    "iot_fault('lost-rply')": "iot_fault: fault 'lost-rply' is not known; did you mean 'lost-reply'?",
    "iot_fault('hang', call='creat')": "iot_fault: calls: there is no endpoint 'creat'",
    "iot_fault('hang', calls=['batchStats'])": "iot_fault: calls: there is no endpoint 'batchStats'; did you mean 'b",
    "iot_fault('hang', call='auth', calls='auth')": "iot_fault: call and calls mean the same, and both are given",
    "iot_fault('hang', calls=3)": "iot_fault: call 3 is neither a text nor a list of texts",
    "iot_fault('hang', nth=0)": "iot_fault: nth 0 is not 1 or more",
    "iot_fault('hang', second=3)": "iot_fault: there is no argument 'second'; did you mean 'seconds'?",
    "iot_fault": "iot_fault: the name of a fault is wanted",
}
"""Markers that make no sense, and how the line begins that says so."""


def test_a_mistake_in_a_marker_is_one_line(run: Run) -> None:
    tests = [f"@pytest.mark.{marker}\ndef test_{n}(iot_manager): pass" for n, marker in enumerate(MISTAKES)]
    out = run("\n".join(tests), "--tb=short", code=1)
    assert f"{len(MISTAKES)} errors in" in out
    told = re.findall(r"^_+ ERROR at setup of test_(\d+) _+\n(.*)\n(?=_|=)", out, re.MULTILINE)
    assert [int(number) for number, _ in told] == list(range(len(MISTAKES)))
    for (_, line), words in zip(told, MISTAKES.values(), strict=True):
        assert line.startswith(words)


def test_what_is_no_argument_of_the_emulator_is_refused_elsewhere_too(run: Run) -> None:
    out = run(
        """
        def test_it(iot_manager_factory):
            iot_manager_factory(balance={423: 1})
        """,
        code=1,
    )
    assert "iot_manager: there is no argument 'balance'; did you mean 'balances'?" in out


MISSPELT = """
    @pytest.mark.iot_scenaro("lost-reply")
    def test_it(iot_manager): pass

    @pytest.mark.iot_faults("hang")
    class TestAll:
        def test_without_the_fixture(self): pass

    @pytest.mark.iot_device
    @pytest.mark.iot_slow(3)
    def test_of_their_own(iot_manager): pass

    @pytest.mark.iot_zigbee
    def test_of_another_kind(): pass

    @pytest.mark.iot_zigbee
    def test_unknown(iot_manager): pass
"""


def test_a_misspelt_marker_is_refused(run: Run) -> None:
    conftest = """
        def pytest_configure(config):
            config.addinivalue_line("markers", "iot_device: needs a device")
            config.addinivalue_line("markers", "iot_slow(seconds): takes long")
    """
    lenient = ("-W", "ignore::pytest.PytestUnknownMarkWarning", "--tb=short")
    out = run(MISSPELT, *lenient, conftest=conftest, code=1, strict=False)
    assert "2 passed, 3 errors" in out
    assert "\niot_scenaro: there is no such marker; did you mean 'iot_scenario'?\n" in out
    assert "\niot_faults: there is no such marker; did you mean 'iot_fault'?\n" in out
    assert "\niot_zigbee: there is no such marker; known are iot_manager, iot_scenario, iot_batch, iot_fault\n" in out


def test_what_a_marker_asked_for_must_happen(run: Run) -> None:
    out = run(
        """
        @pytest.mark.iot_fault("lost-reply", call="createSingleCertBatch")
        def test_fault(iot_manager): pass

        @pytest.mark.iot_fault("unavailable", calls=["authenticate", "batchStatus"], times=3)
        def test_not_used_up(iot_manager):
            with pytest.raises(KeyError):
                order(iot_manager)

        @pytest.mark.iot_batch("rejected", times=2)
        @pytest.mark.iot_batch(steps=[{"status": "ODD"}])
        def test_batches(iot_manager):
            order(iot_manager)

        @pytest.mark.iot_batch("failed")
        def test_another(iot_manager): pass
        """,
        "--tb=short",
        code=1,
    )
    assert "4 errors in" in out
    for line in (
        "iot_fault: no call met lost-reply at createSingleCertBatch; optional=True allows that",
        "iot_fault: fewer than 3 calls met unavailable at authenticate, batchStatus; optional=True allows that",
        "iot_batch: fewer than 2 batches took rejected; optional=True allows that",
        "iot_batch: no batch took failed; optional=True allows that",
    ):
        assert out.count(f"_\n{line}\n") == 1, line
    assert "Traceback" not in out


def test_what_a_marker_asked_for_need_not_happen(run: Run) -> None:
    out = run(
        """
        @pytest.mark.iot_fault("lost-reply", optional=True)
        @pytest.mark.iot_batch("rejected", times=2, optional=True)
        def test_optional(iot_manager): pass

        @pytest.mark.iot_fault("lost-reply", percent=1)
        @pytest.mark.iot_fault("unavailable", call="batchStatus", nth=7)
        def test_chance(iot_manager): pass

        @pytest.mark.iot_fault("lost-reply")
        def test_skipped(iot_manager):
            pytest.skip("not today")

        @pytest.mark.iot_fault("lost-reply")
        @pytest.mark.xfail
        def test_expected(iot_manager):
            assert not iot_manager

        @pytest.mark.iot_fault("lost-reply")
        @pytest.mark.xfail(strict=False)
        def test_unexpected(iot_manager): pass

        @pytest.mark.iot_fault("lost-reply")
        def test_taken_away(iot_manager):
            iot_manager.control.clear_faults()

        @pytest.mark.iot_fault("lost-reply")
        def test_that_fails_anyway(iot_manager):
            assert not iot_manager
        """,
        code=1,
    )
    assert "1 failed, 3 passed, 1 skipped, 1 xfailed, 1 xpassed" in out
    assert "optional=True allows that" not in out


def test_a_marker_without_the_fixture_is_refused(run: Run) -> None:
    out = run("@pytest.mark.iot_scenario('bomb')\ndef test_it(): pass", code=1)
    assert "iot_scenario: the test does not use the fixture iot_manager" in out


FAILING = """
    def test_it(iot_manager):
        order(iot_manager)
        assert iot_manager.seed == 0

    def test_other(iot_manager):
        assert iot_manager.seed == 0
"""


def test_a_test_that_fails_shows_seed_and_journal(run: Run) -> None:
    out = run(FAILING, code=1)
    first, second = [line for line in out.splitlines() if line.startswith("seed ")]
    assert first != second
    assert "POST /auth/pwd: 200" in out
    assert "PUT /api/v1/batches/createSingleCertBatch: 201, batch 10000" in out
    assert "supersecretsquirrel" not in out
    assert run(FAILING, "-n", "2", code=1).count(first) == 1


def test_only_the_end_of_the_journal_is_shown(run: Run) -> None:
    out = run(
        """
        def test_it(iot_manager):
            for number in range(15):
                order(iot_manager, f"order {number}")
            assert not iot_manager

        @pytest.mark.iot_manager(control_port=None)
        def test_without_control(iot_manager):
            assert not iot_manager
        """,
        code=1,
    )
    assert out.count("POST /auth/pwd: 200") == out.count(": 201, batch 100") == 10
    assert "the journal cannot be read: the emulator has no control port" in out


def test_in_several_processes(run: Run) -> None:
    tests = """
        @pytest.mark.parametrize("number", range(6))
        def test_it(iot_manager, number):
            assert order(iot_manager).json()["batchId"] == 10000
    """
    assert "6 passed" in run(tests, "-n", "2")


def test_without_the_extra_a_fixture_says_what_to_install(run: Run) -> None:
    blocked = "import sys\nsys.modules['starlette'] = sys.modules['msgspec'] = None"
    tests = """
        def test_it(iot_manager): pass

        @pytest.mark.iot_scenario("bomb")
        def test_scenario(iot_manager): pass

        def test_ours(): pass
    """
    out = run(tests, conftest=blocked, code=1)
    assert "1 passed, 2 errors" in out
    assert out.count("pip install 'sectigo-iot[emulator]'") >= 2
    assert "Traceback" not in out


def test_loading_the_plugin_costs_nothing(run: Run) -> None:
    out = run(
        """
        import subprocess, sys

        HEAVY = {"starlette", "uvicorn", "cryptography", "requests", "msgspec", "jwt", "sectigo_iot.emulator"}

        def test_it():
            code = "import sys, pytest; before = set(sys.modules); import sectigo_iot.pytest_plugin; "
            code += "print(*sorted(set(sys.modules) - before))"
            done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            assert not HEAVY & set(done.stdout.split())
            assert len(done.stdout.split()) < 6, done.stdout
        """
    )
    assert "1 passed" in out


def test_where_sockets_are_not_allowed(run: Run) -> None:
    plain = "def test_it(iot_manager): pass"
    out = run(plain, "-p", "pytest_socket", "--disable-socket", code=1)
    assert "A test tried to use socket." in out
    assert "1 passed" in run(plain, "-p", "pytest_socket", "--disable-socket", "--allow-hosts=127.0.0.1")


def test_the_journal_is_shown_where_another_fixture_fails(run: Run) -> None:
    out = run(
        """
        @pytest.fixture
        def service(iot_manager):
            order(iot_manager)
            raise OSError("the service did not start")

        def test_it(service): pass
        """,
        code=1,
    )
    assert "PUT /api/v1/batches/createSingleCertBatch: 201, batch 10000" in out


def test_the_markers_are_listed(run: Run) -> None:
    out = run("", "--markers")
    for name in ("iot_manager(account", "iot_scenario(name", "iot_batch(like", "iot_fault(fault"):
        assert f"@pytest.mark.{name}" in out


def test_the_example_of_the_readme_passes(run: Run) -> None:
    (example,) = (each.code for each in examples("README.md") if "iot_manager" in each.code)
    assert "1 passed" in run(example)


def test_the_examples_of_the_page_pass(run: Run) -> None:
    blocks = [each.code for each in examples("docs/testing.md")]
    tests = [block for block in blocks if "def test_" in block]
    (conftest,) = [block for block in blocks if "def test_" not in block]
    count = sum(block.count("def test_") for block in tests)
    assert count > 4
    assert f"{count} passed" in run("\n".join(tests))
    assert "2 passed" in run(BALANCES, conftest=conftest)


BALANCES = """
    def test_balance(iot_manager):
        assert iot_manager.control.authorities()[1]["balance"] == 5

    def test_balance_of_another(iot_manager_factory):
        assert iot_manager_factory().control.authorities()[1]["balance"] == 100
"""


def test_the_page_names_every_marker_and_every_life() -> None:
    page = text_of("docs/testing.md")
    (row,) = re.findall(r"^\| `iot_batch\(\"rejected\".*$", page, re.MULTILINE)
    assert re.findall(r"`([a-z-]+)`", row.partition("this life:")[2].partition(";")[0]) == list(KNOWN)
    named = re.findall(r"^\| `(iot_\w+)\(", page, re.MULTILINE)
    assert set(named) == set(NAMES)


def signature(of: object, name: str) -> str:
    """Return how a method is called, without its types."""
    parameters = list(inspect.signature(getattr(of, name)).parameters.values())[1:]
    plain = [each.replace(annotation=inspect.Parameter.empty) for each in parameters]
    return f"{name}{inspect.Signature(plain)}"


def first_cells(after: str) -> list[str]:
    """Return what stands in the first column of the page's table below a heading, without its head."""
    table = text_of("docs/testing.md").partition(f"\n{after}\n")[2].partition("\n| ")[2].partition("\n\n")[0]
    return [line.split(" | ")[0].removeprefix("| ") for line in table.splitlines()[2:]]


def test_the_page_lists_what_the_fixture_has() -> None:
    with Emulator() as emulator:
        there = [name for name in dir(IotManager(emulator)) if not name.startswith("_")]
    listed = [each for cell in first_cells("### What the fixture has") for each in re.findall(r"`([^`]+)`", cell)]
    assert sorted(listed) == sorted(signature(IotManager, each) if each == "settings" else each for each in there)


def test_the_page_lists_every_question_in_three_spellings() -> None:
    page = text_of("docs/testing.md")
    rows = re.findall(r"^\| `([^`]+)` \| `control\.(\w+)\(\)` \| `(GET /[^`?]+)[^`]*` \|", page, re.MULTILINE)
    questions = [name for name in vars(Journal) if not name.startswith("_")]
    assert [asked for asked, _, _ in rows] == [signature(Journal, name) for name in questions]
    for asked, method, address in rows:
        assert method == asked.partition("(")[0].replace("requests", "journal")
        assert f"API: {address}\n" in f"{getattr(Control, method).__doc__}\n"
