"""The pytest plugin, as a project of somebody else's uses it: in a pytest process of its own."""

from __future__ import annotations

import configparser
import os
import re
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from sectigo_iot import pytest_plugin
from sectigo_iot.emulator.config.lives import KNOWN
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

    def tried(tests: str, *options: str, conftest: str = "", code: int = 0, found: bool = False) -> str:
        (tmp_path / "order.py").write_text(textwrap.dedent(FIRST))
        (tmp_path / "conftest.py").write_text(textwrap.dedent(conftest))
        (tmp_path / "test_it.py").write_text("import pytest\nfrom order import order\n" + textwrap.dedent(tests))
        (tmp_path / "pytest.ini").write_text("[pytest]\n")
        command = [sys.executable, "-m", "pytest", "-q", "-W", "error", "--strict-markers", "-p", "no:cacheprovider"]
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

        @pytest.mark.iot_fault("json-error", call="createSingleCertBatch+upload", nth=2, status=503)
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
    "iot_scenario()": "iot_scenario: ",
    "iot_manager(delai=3)": "iot_manager: ",
    "iot_manager(delay=-3)": "iot_manager: delay -3 is not a number of seconds from 0 to 316224000",
    "iot_batch('rejectd')": "iot_batch: like: known are ",
    "iot_batch()": "iot_batch: either the name of a life or steps are wanted",
    "iot_batch('ready', reason='none')": "iot_batch: ready does not end with a reason; rejected and broken do",
    "iot_batch(steps=[{'stats': 'A'}])": "iot_batch: steps",
    "iot_fault('lost-rply')": "iot_fault: fault 'lost-rply' is not known; did you mean 'lost-reply'?",
    "iot_fault('hang', call='creat')": "iot_fault: calls: there is no endpoint 'creat'",
    "iot_fault('hang', nth=0)": "iot_fault: nth 0 is not 1 or more",
    "iot_fault('hang', second=3)": "iot_fault: second: there is no such field",
    "iot_fault()": "iot_fault: ",
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
    assert set(named) == set(pytest_plugin._NAMES)
    questions = {name for name in vars(pytest_plugin.Journal) if not name.startswith("_")}
    (row,) = re.findall(r"^\| `journal` \|.*$", page, re.MULTILINE)
    assert set(re.findall(r"`(\w+)\(\)`", row)) == questions
