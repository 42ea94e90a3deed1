"""The keyring: absent, locked, failing, hanging, a real one; what each costs a command in a process of its own."""

from __future__ import annotations

import os
import re
import select
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import NamedTuple

import pytest

from sectigo_iot.emulator import Emulator
from tests.packages import PYTHONPATH
from tests.reliability.figures import FULL, figure, share
from tests.reliability.secret_service import gnome_keyring, is_locked, session_bus, silent
from tests.terminals import run_at_terminal

SECTIGO = (sys.executable, "-m", "sectigo_cli")
LIMIT = 2.0
"""Seconds that a keyring may cost."""
needs_service = pytest.mark.needs("dbus-run-session", "gnome-keyring-daemon")

BACKEND = """
import time
from keyring.backend import KeyringBackend
from keyring.errors import KeyringError, KeyringLocked, NoKeyringError, PasswordDeleteError
from keyring.errors import PasswordSetError

def act(*_):
    {act}

{loading}

class Keyring(KeyringBackend):
    priority = 1
    get_password = set_password = delete_password = act
"""
HANGS = "time.sleep(60)"
HANGING = {
    "hangs": BACKEND.format(act=HANGS, loading=""),
    "hangs and lets nothing disturb it": BACKEND.format(
        act="\n    ".join(("while True:", "    try: time.sleep(60)", "    except BaseException: pass")), loading=""
    ),
    "hangs as it is loaded": BACKEND.format(act="pass", loading="act = time.sleep(60)"),
    "computes for ever": BACKEND.format(act="while True: pass", loading=""),
    "hangs in threads of its own": BACKEND.format(
        act="import threading; t = threading.Thread(target=time.sleep, args=(60,)); t.start(); t.join()", loading=""
    ),
}
RAISED = (
    "KeyringLocked('x')",
    "KeyringError('x')",
    "PasswordSetError('x')",
    "OSError(5, 'x')",
    "SystemExit(0)",
    "KeyboardInterrupt()",
    "GeneratorExit()",
    "type('Odd\\x1b[31m', (BaseException,), {})()",
    "UnicodeDecodeError('utf-8', b'x', 0, 1, 'x')",
)
# In `make test` every fourth: one that says what it is, one that is no Exception, one that is an ordinary error.
FAILING = {
    **{words.partition("(")[0]: BACKEND.format(act=f"raise {words}", loading="") for words in RAISED},
    "as it is loaded": BACKEND.format(act="pass", loading="raise RuntimeError"),
    "no Python": "this is no Python",
}


class Run(NamedTuple):
    """How a command ended, what it said, and how long it took."""

    code: int
    out: str
    err: str
    seconds: float


@pytest.fixture(scope="module")
def service() -> Iterator[Emulator]:
    with Emulator() as emulator:
        yield emulator


@pytest.fixture
def environ(home: Path, service: Emulator) -> dict[str, str]:
    """A user name and an endpoint, and no password but that of the keyring."""
    names = {"SECTIGO_ENDPOINT": service.url, "SECTIGO_USERNAME": service.username, "SECTIGO_ENVIRONMENT": "staging"}
    return {**os.environ, "PYTHONPATH": os.pathsep.join((PYTHONPATH, str(home))), **names}


def run(environ: Mapping[str, str], *words: str) -> Run:
    began = time.monotonic()
    done = subprocess.run(
        [*SECTIGO, *words],
        env=environ,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=30,
        check=False,
    )
    return Run(done.returncode, done.stdout, done.stderr, time.monotonic() - began)


def answered(environ: Mapping[str, str], *words: str) -> Run:
    """Run a command whose keyring answers at once, up to three times: a busy machine may load it too slowly."""
    for _ in range(TRIES):
        done = run(environ, *words)
        if "the keyring gives no answer" not in done.err:
            break
    return done


def with_backend(environ: Mapping[str, str], home: Path, text: str) -> dict[str, str]:
    (home / "odd_keyring.py").write_text(text, encoding="utf-8")
    return {**environ, "PYTHON_KEYRING_BACKEND": "odd_keyring.Keyring"}


def login(environ: Mapping[str, str], service: Emulator) -> dict[str, str]:
    return {**environ, "SECTIGO_PASSWORD": service.password}


def told(done: Run) -> str:
    """Return what was said, which is clear and holds no secret."""
    assert "Traceback" not in done.err
    assert "unexpected" not in done.err
    assert "\x1b" not in done.err
    return done.err


TRIES = 3
COSTS: list[list[float]] = []
"""What each command cost more in each try: others work here too, and the least of them counts."""


def cost(environ: Mapping[str, str], *words: str) -> Run:
    """Run a command with and without its keyring, up to three times, until it costs no more than it may."""
    without = {**environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    tried: list[float] = []
    for _ in range(TRIES):
        usual = median(run(without, *words).seconds for _ in range(share(3, 1)))
        done = run(environ, *words)
        tried.append(done.seconds - usual)
        if tried[-1] <= LIMIT:
            break
    assert min(tried) <= LIMIT, tried
    COSTS.append(tried)
    return done


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    """Note what all that hangs has cost."""
    yield
    if COSTS:
        again = sum(len(tried) > 1 for tried in COSTS)
        most, worst = max(map(min, COSTS)), max(map(max, COSTS))
        figure(
            "keyring",
            f"{len(COSTS)} commands before a hanging one: {most:.2f} s more at the most, the best of up to {TRIES} "
            f"tries; {again} were tried again, and the slowest try cost {worst:.2f} s",
        )


# Hanging


@pytest.mark.parametrize("kind", list(HANGING)[: share(len(HANGING), 1)])
def test_a_hanging_keyring_costs_a_command_two_seconds(environ: dict[str, str], home: Path, kind: str) -> None:
    done = cost(with_backend(environ, home, HANGING[kind]), "licenses")
    assert (done.code, done.out) == (4, "")
    assert "the keyring gives no answer in 1.8 s, going on without it: unlock it, or use SECTIGO_PASSWORD" in told(
        done
    )
    assert "there is no password for the user tester" in done.err


costing = cost if FULL else run
"""What is done with a hanging keyring is timed in full only: once is enough for `make test`."""


def logs_in(environ: dict[str, str], service: Emulator) -> None:
    """A password that cannot be kept is said to be, and the session stands."""
    done = costing(login(environ, service), "auth", "--login")
    assert (done.code, done.out) == (1, "user authenticated and credentials cached\n")
    assert "the password cannot be kept: the keyring gives no answer in 1.8 s" in told(done)
    assert "the session itself stands; unlock the keyring and log in again, or use SECTIGO_PASSWORD" in done.err
    assert run(environ, "licenses").code == 0


def logs_out(environ: dict[str, str], service: Emulator) -> None:
    """A password that may be there still is said to be, and the session is forgotten."""
    assert run(login(environ, service), "auth").code == 0
    done = costing(environ, "auth", "--logout")
    assert (done.code, done.out) == (1, "")
    assert "the password of tester may be in the keyring still: the keyring gives no answer in 1.8 s" in told(done)
    assert "unlock it and run `sectigo -u tester auth --logout`" in done.err
    assert "no credentials cache file exists" in run(environ, "auth", "--cache").out


def is_asked(environ: dict[str, str], service: Emulator) -> None:
    """Somebody at a terminal is asked instead."""
    answers = {f"password of {service.username} at {service.url}: ": service.password}
    code, seen = run_at_terminal([*SECTIGO, "licenses"], answers, env=environ)
    assert code == 0, seen
    assert "the keyring gives no answer in 1.8 s" in seen
    assert service.password not in seen


def test_whatever_is_done_with_a_hanging_keyring_goes_on(
    environ: dict[str, str], tmp_path: Path, service: Emulator
) -> None:
    homes = [tmp_path / name for name in ("in", "out", "asked")]
    # What is timed is done alone.
    with ThreadPoolExecutor(share(1, 3)) as pool:
        for done in [
            pool.submit(act, at_home(environ, home), service)
            for act, home in zip((logs_in, logs_out, is_asked), homes, strict=True)
        ]:
            done.result()


def at_home(environ: Mapping[str, str], home: Path) -> dict[str, str]:
    """Return the variables of somebody else, whose keyring hangs."""
    home.mkdir()
    own = {"HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), "XDG_CONFIG_HOME": str(home / ".config")}
    path = os.pathsep.join((PYTHONPATH, str(home)))
    return with_backend({**environ, **own, "PYTHONPATH": path}, home, HANGING["hangs"])


# Absent, and failing


def test_a_machine_without_a_keyring_is_told_where_it_matters(environ: dict[str, str], service: Emulator) -> None:
    found = {name: value for name, value in environ.items() if not name.startswith(("DBUS_", "PYTHON_KEYRING"))}
    given = {**environ, "PYTHON_KEYRING_BACKEND": "keyring.backends.fail.Keyring"}
    for absent in (found, given)[: share(2, 1)]:
        done = answered(absent, "--verbose", "licenses")
        assert (done.code, done.out) == (4, "")
        assert "this machine has no keyring, going on without it" in told(done)
        kept = answered(login(absent, service), "auth", "--login")
        assert (kept.code, kept.out) == (1, "user authenticated and credentials cached\n")
        assert "the password cannot be kept: this machine has no keyring" in told(kept)
        gone = answered(absent, "auth", "--logout")
        assert (gone.code, "forgot session and password" in told(gone)) == (0, True)


@pytest.mark.parametrize("kind", list(FAILING)[:: share(1, 4)])
def test_a_failing_keyring_is_gone_on_without(
    environ: dict[str, str], home: Path, service: Emulator, kind: str
) -> None:
    failing = with_backend(environ, home, FAILING[kind])
    done = answered(failing, "licenses")
    assert (done.code, done.out) == (4, "")
    assert re.search(r"the keyring (fails \(.+\)|is locked), going on without it: .*use SECTIGO_PASSWORD", told(done))
    if FULL:
        kept = answered(login(failing, service), "auth", "--login")
        assert (kept.code, kept.out) == (1, "user authenticated and credentials cached\n")
        assert "the password cannot be kept: the keyring" in told(kept)
        gone = answered(failing, "auth", "--logout")
        assert gone.code == 1
        assert "may be in the keyring still" in told(gone)


# A real one


class Desktop(NamedTuple):
    """A SecretService that runs, and the variables that lead there: no user name, no password."""

    environ: dict[str, str]
    address: str


@pytest.fixture
def desktop(environ: dict[str, str], tmp_path: Path) -> Iterator[Desktop]:
    left_out = ("SECTIGO_USERNAME", "PYTHON_KEYRING_BACKEND")
    with session_bus(tmp_path) as bus, gnome_keyring(bus):
        found = {name: value for name, value in {**environ, **bus}.items() if name not in left_out}
        yield Desktop(found, bus["DBUS_SESSION_BUS_ADDRESS"])


@needs_service
def test_a_password_lives_in_a_real_keyring(desktop: Desktop, service: Emulator, home: Path) -> None:
    questions = {
        f"user name at {service.url}: ": service.username,
        f"password of {service.username} at {service.url}: ": service.password,
    }
    code, seen = run_at_terminal([*SECTIGO, "auth", "--login"], questions, env=desktop.environ)
    assert code == 0, seen
    assert "is kept in the keyring" in seen
    assert service.password not in seen
    drop_tokens(home)
    before = logins(service)
    later = answered(desktop.environ, "licenses")
    assert later.code == 0, later
    assert logins(service) == before + 1, "it logged in with the keyring's password"
    gone = answered(desktop.environ, "auth", "--logout")
    assert gone.code == 0, gone
    assert answered({**desktop.environ, "SECTIGO_USERNAME": service.username}, "licenses").code == 4
    assert answered(desktop.environ, "auth", "--logout").code == 0
    assert not [path for path in home.rglob("*") if path.is_file() and service.password in path.read_text()]
    figure(
        "keyring",
        f"gnome-keyring: kept by --login, used by a later process ({later.seconds:.1f} s), gone by --logout",
    )


def drop_tokens(home: Path) -> None:
    for path in (home / ".cache").rglob("*.json"):
        path.unlink()


def logins(service: Emulator) -> int:
    return int(service.control.logins()["accepted"])


@pytest.mark.skipif(not FULL, reason="a real keyring is asked by another test: make reliability")
@needs_service
@pytest.mark.needs("secret-tool")
def test_a_password_that_others_have_put_there_is_found(desktop: Desktop, service: Emulator, home: Path) -> None:
    entry = f"sectigo-iot:{service.url}"
    named = {**desktop.environ, "SECTIGO_USERNAME": service.username}
    for put_there in (with_secret_tool, with_keyring):
        assert run(named, "licenses").code == 4
        put_there(entry, service, desktop.environ)
        assert run(named, "licenses").code == 0
        assert run(named, "auth", "--logout").code == 0


def with_secret_tool(entry: str, service: Emulator, environ: Mapping[str, str]) -> None:
    command = ["secret-tool", "store", "--label=IoT Manager", "service", entry, "username", service.username]
    subprocess.run(command, env=environ, input=service.password, text=True, check=True, timeout=20)


def with_keyring(entry: str, service: Emulator, environ: Mapping[str, str]) -> None:
    command = [sys.executable, "-m", "keyring", "set", entry, service.username]
    question = f"Password for '{service.username}' in '{entry}': "
    code, seen = run_at_terminal(command, {question: service.password}, env=environ)
    assert code == 0, seen


@needs_service
def test_a_locked_keyring_is_told(desktop: Desktop, service: Emulator) -> None:
    named = {**desktop.environ, "SECTIGO_USERNAME": service.username}
    assert is_locked(desktop.address, lock=True)
    done = run(named, "licenses")
    assert (done.code, done.out) == (4, "")
    assert "the keyring is locked, going on without it: unlock it, or use SECTIGO_PASSWORD" in told(done)
    # What asks for the keyring's password waits for somebody to type it.
    with silent(desktop.environ, "org.gnome.keyring.SystemPrompter"):
        done = cost(named, "licenses")
        assert "the keyring gives no answer in 1.8 s" in told(done)
        if FULL:
            logs_in(named, service)
            logs_out(named, service)


@pytest.mark.skipif(not FULL, reason="one silence is much like another: make reliability")
@needs_service
def test_a_service_on_the_bus_that_never_answers(environ: dict[str, str], tmp_path: Path) -> None:
    with session_bus(tmp_path) as bus, silent(bus, "org.freedesktop.secrets"):
        done = cost({**of_the_desktop(environ), **bus}, "licenses")
    assert done.code == 4
    assert "the keyring gives no answer in 1.8 s" in told(done)


def of_the_desktop(environ: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in environ.items() if name != "PYTHON_KEYRING_BACKEND"}


@pytest.mark.skipif(not FULL, reason="one silence is much like another: make reliability")
def test_a_bus_that_never_answers(environ: dict[str, str], home: Path) -> None:
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(home / "bus"))
        listener.listen()
        found = {**of_the_desktop(environ), "DBUS_SESSION_BUS_ADDRESS": f"unix:path={home / 'bus'}"}
        # Whoever looks for keyrings gives up before we do, and finds none.
        done = cost(found, "--verbose", "licenses")
        assert select.select([listener], [], [], 0)[0]
    assert done.code == 4
    assert "going on without it" in told(done)
