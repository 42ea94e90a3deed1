"""What every test stands on: a home of its own, no SECTIGO_ variables, no keyring, an emulator, the command."""

from __future__ import annotations

import gc
import io
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import keyring
import keyring.backend
import pytest

from sectigo_iot import IoTManager, MemoryTokenStore, Settings
from sectigo_iot.emulator import Emulator
from sectigo_iot.refusals import IN_PROCESS
from tests.packages import PYTHONPATH


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Name a case of bytes by its argument: a ZIP's date or a new key would name it anew in each worker."""
    return argname if isinstance(val, bytes) else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip a test whose program is missing, and say which; under CI nothing may be missing."""
    for item in items:
        missing = [
            str(program)
            for marker in item.iter_markers("needs")
            for program in marker.args
            if shutil.which(program) is None
        ]
        if missing and os.environ.get("CI") != "true":
            item.add_marker(pytest.mark.skip(reason=f"{', '.join(missing)} is not installed (make system-deps)"))


def pytest_collection_finish() -> None:
    """Keep what was collected out of every later collection of garbage: it is large, and is there until the end."""
    gc.collect()
    gc.freeze()


def pytest_sessionfinish(session: pytest.Session) -> None:
    """Give it back where a summary follows: hypothesis, if that is first loaded there, asks who refers to what."""
    if session.config.pluginmanager.hasplugin("terminalreporter"):
        gc.unfreeze()


@pytest.fixture(autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Give the test an empty home folder, and take away every variable that speaks to us."""
    folder = tmp_path_factory.mktemp("home")
    for name in list(os.environ):
        if name.startswith(("SECTIGO_", "SIAS_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(folder))
    # A process takes the packages that are under test, not those of the folder that it happens to be started in.
    monkeypatch.setenv("PYTHONSAFEPATH", "1")
    monkeypatch.setenv("PYTHONPATH", PYTHONPATH)
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder / ".cache"))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(folder / ".config"))
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    return folder


def skip_without_ipv6() -> None:
    """Skip the test where this machine has no IPv6 loopback."""
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")


@pytest.fixture(autouse=True)
def nothing_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hold no password against a server of this test that a server of another test refused at the same port."""
    monkeypatch.setattr(IN_PROCESS, "_noted", {})


class MemoryKeyring(keyring.backend.KeyringBackend):
    """A keyring that lives as long as the test."""

    priority = 1.0

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.entries: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.entries.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.entries[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.entries.pop((service, username), None) is None:
            raise keyring.errors.PasswordDeleteError("not found")


@pytest.fixture(autouse=True)
def memory_keyring() -> Iterator[MemoryKeyring]:
    """Keep the keyring of whoever runs the tests out of them."""
    before = keyring.get_keyring()
    backend = MemoryKeyring()
    keyring.set_keyring(backend)
    yield backend
    keyring.set_keyring(before)


@pytest.fixture
def emulator() -> Iterator[Emulator]:
    """An emulator of its own, issuing at once."""
    with Emulator() as service:
        yield service


@pytest.fixture
def manual() -> Iterator[Emulator]:
    """The account of TRISA's manual."""
    with Emulator("manual") as service:
        yield service


def settings_for(service: Emulator, **changes: object) -> Settings:
    """Return settings that point at an emulator, tokens kept in memory."""
    values: dict[str, object] = {
        "username": service.username,
        "password": service.password,
        "endpoint": service.url,
        "environment": "testing",
        "token_store": MemoryTokenStore(),
        "environ": {},
    }
    return Settings(**{**values, **changes})  # type: ignore[arg-type]


@pytest.fixture
def client(emulator: Emulator) -> Iterator[IoTManager]:
    """A client that is logged in at the emulator."""
    with IoTManager(settings_for(emulator)) as manager:
        yield manager


class Result(NamedTuple):
    """What one run of the command left."""

    code: int
    out: str
    err: str


Runner = Callable[..., Result]


class _Terminal(io.TextIOWrapper):
    """A stream that says that it is a terminal."""

    def isatty(self) -> bool:
        return True


def _stream(data: bytes = b"", *, terminal: bool = False) -> io.TextIOWrapper:
    kind = _Terminal if terminal else io.TextIOWrapper
    return kind(io.BytesIO(data), encoding="utf-8", write_through=True)


@pytest.fixture
def sectigo(monkeypatch: pytest.MonkeyPatch) -> Runner:
    """Run the command in this process: `sectigo("auth", "-d", env=emulator.environ, stdin="...", terminal=False)`."""

    def run(*words: str, env: Mapping[str, str] | None = None, stdin: str = "", terminal: bool = False) -> Result:
        from sectigo_cli.main import main

        out, err = _stream(terminal=terminal), _stream(terminal=terminal)
        with monkeypatch.context() as patch:
            for name, value in (env or {}).items():
                patch.setenv(name, value)
            patch.setattr(sys, "stdin", _stream(stdin.encode(), terminal=terminal))
            patch.setattr(sys, "stdout", out)
            patch.setattr(sys, "stderr", err)
            code = main(list(words))
        return Result(code, *(s.buffer.getvalue().decode() for s in (out, err)))  # type: ignore[attr-defined]

    return run


@pytest.fixture
def sectigo_process() -> Runner:
    """Run the command as a process of its own, as a shell does."""

    def run(*words: str, env: Mapping[str, str] | None = None, stdin: str = "", timeout: float = 30) -> Result:
        command = [sys.executable, "-m", "sectigo_cli", *words]
        done = subprocess.run(
            command,
            env={**os.environ, "PYTHONPATH": PYTHONPATH, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run
