"""What a command does not import that it does not need: most of the time that it takes would be that."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping

import pytest

from sectigo_cli.grammar import COMMANDS
from sectigo_iot.emulator import Emulator
from tests.conftest import Runner
from tests.packages import PYTHONPATH

HTTP = {"requests", "urllib3", "ssl", "http.client"}
EXTRA = {"cryptography", "keyring", "rich", "jwt", "starlette", "uvicorn", "shtab", "dotenv", "hashlib", "filelock"}
COSTLY = {"dataclasses", "inspect", "importlib.metadata", "asyncio", "unittest"}
"""Modules of the standard library that one would not expect to cost what they do."""


REPORT = "; print(' '.join(sys.modules), file=sys.stderr); sys.exit(code)"
RUN = f"import sys; from sectigo_cli.main import main; code = main(sys.argv[1:]){REPORT}"


def modules_after(program: str, words: list[str], environ: Mapping[str, str]) -> set[str]:
    """Return what a process has imported that has run this."""
    done = subprocess.run(
        [sys.executable, "-c", program, *words],
        env={**os.environ, "PYTHONPATH": PYTHONPATH, **environ},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert done.returncode == 0, done.stderr
    return set(done.stderr.splitlines()[-1].split())


def imported(words: list[str], environ: Mapping[str, str]) -> set[str]:
    """Return what a process has imported when it has run the command."""
    return modules_after(RUN, words, environ)


def commands_of(modules: set[str]) -> set[str]:
    start = "sectigo_cli.commands."
    return {module.removeprefix(start) for module in modules if module.startswith(start)}


@pytest.mark.parametrize("words", [["--help"], ["help"], ["--version"], *([name, "--help"] for name in COMMANDS)])
def test_help_imports_nothing_slow(words: list[str]) -> None:
    modules = imported(words, {})
    assert "sectigo_cli.context" in modules
    assert modules & (HTTP | EXTRA | COSTLY | {"platformdirs", "sectigo_iot.models"}) == set()
    assert commands_of(modules) == set(words[:1]) & set(COMMANDS), "no command but the chosen one"


@pytest.fixture
def session(sectigo: Runner, shared: Emulator) -> Mapping[str, str]:
    """Return the variables of a user whose tokens are kept."""
    assert sectigo("auth", env=shared.environ).code == 0
    return shared.environ


@pytest.mark.parametrize("words", [["auth", "--debug"], ["auth", "--cache"]])
def test_looking_at_the_session_sends_nothing_and_imports_nothing_to_send_it(
    session: Mapping[str, str], words: list[str]
) -> None:
    modules = imported(words, session)
    assert "sectigo_iot.tokencache" in modules
    assert modules & (HTTP | EXTRA - {"hashlib"} | COSTLY | {"sectigo_iot.models", "sectigo_iot.transport"}) == set()


@pytest.mark.parametrize("words", [["licenses"], ["find", "-n", "example.com"], ["call", "userAuthorities"]])
def test_a_request_imports_what_it_takes_and_no_more(session: Mapping[str, str], words: list[str]) -> None:
    modules = imported(words, session)
    assert "requests" in modules
    of_requests = modules_after(f"import sys, requests; code = 0{REPORT}", [], {})
    assert modules & (EXTRA | COSTLY) - of_requests == set()
