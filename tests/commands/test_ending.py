"""How a process ends: by a signal, by a pipe that nobody reads any more, without streams."""

from __future__ import annotations

import contextlib
import getpass
import itertools
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from sectigo_cli.context import Context
from tests.commands.conftest import names_in
from tests.commands.lying_service import (
    AUTH,
    BATCH,
    CREATE,
    HANG,
    PARAMETERS,
    REVOKE,
    UPLOAD,
    Answer,
    LyingService,
    document,
    waiting,
)
from tests.commands.signing_requests import request
from tests.conftest import Runner
from tests.packages import PYTHONPATH, run_program

UNCHECKED = (
    "sectigo: the parameters are not checked before ordering: the service does not list them "
    "(profileParameters failed with status 501)\n"
)
ENVIRON = {"PYTHONPATH": PYTHONPATH, "PYTHONUNBUFFERED": ""}
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def start(
    *words: str, env: Mapping[str, str], stdout: int = subprocess.PIPE, ignored: int | None = None
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "sectigo_cli", *words],
        # Buffered as usual, whatever the environment of the tests says.
        env={**os.environ, **ENVIRON, **env},
        stdin=subprocess.DEVNULL,
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: _heed(ignored),
    )


def _heed(ignored: int | None) -> None:
    """Take signals as at a terminal: a runner in the background ignores some, and children inherit that."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN if number == ignored else signal.SIG_DFL)


def interrupt(
    liar: LyingService, number: signal.Signals, *words: str, env: Mapping[str, str] | None = None
) -> tuple[int, str, str]:
    """Run the command until the liar hangs, send the signal, return what is left of it."""
    with start(*words, env={**liar.environ, **(env or {})}) as process:
        try:
            assert liar.hanging.wait(15), "the command never came there"
            process.send_signal(number)
            out, err = process.communicate(timeout=15)
        finally:
            process.kill()
    assert "Traceback" not in err
    return process.returncode, out, err


@pytest.mark.parametrize("number", SIGNALS)
def test_in_mid_wait_it_dies_of_the_signal(liar: LyingService, number: signal.Signals) -> None:
    liar.answers.update(waiting(24))
    liar.answers["GET /api/v1/batches/24/status"] = HANG
    code, out, err = interrupt(liar, number, "create", "-d", "example.com", "-p", "secrtpasswrd", "--wait")
    assert code == -number
    assert json.loads(out) == BATCH, "the batch is out before the first poll"
    assert "the order stands: `sectigo download -i 24 --wait` goes on" in err
    assert "nobody knows" not in err


def test_in_mid_wait_the_folder_is_kept_in_mind(liar: LyingService, here: Path) -> None:
    liar.answers.update(waiting(24))
    liar.answers["GET /api/v1/batches/24/status"] = HANG
    words = ("create", "-d", "example.com", "-p", "secrtpasswrd", "--download", "my certs")
    for command in (words, ("download", "-i", "24", "--wait", "-o", "my certs")):
        liar.hanging.clear()
        _, _, err = interrupt(liar, signal.SIGINT, *command)
        assert "the order stands: `sectigo download -i 24 -o 'my certs' --wait` goes on" in err
        assert names_in() == []


def test_under_nohup_a_hangup_is_ignored(liar: LyingService) -> None:
    liar.answers["GET /api/v1/devices"] = HANG
    with start("licenses", env=liar.environ, ignored=signal.SIGHUP) as process:
        try:
            assert liar.hanging.wait(15)
            process.send_signal(signal.SIGHUP)
            process.send_signal(signal.SIGTERM)
            process.communicate(timeout=5)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGTERM


@pytest.mark.parametrize("number", SIGNALS)
def test_while_the_batch_is_printed_its_id_is_told(liar: LyingService, number: signal.Signals) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while os.write(writer, b"x" * 4096):
            """The pipe is filled."""
    os.set_blocking(writer, True)
    with start("create", "-d", "example.com", "-p", "secrtpasswrd", env=liar.environ, stdout=writer) as process:
        os.close(writer)
        try:
            wait_until_it_prints(process.pid)
            process.send_signal(number)
            _, err = process.communicate(timeout=5)
        finally:
            process.kill()
    os.close(reader)
    assert process.returncode == -number
    assert err == f"{UNCHECKED}sectigo: the order was accepted as batch 24\n"


def wait_until_it_prints(number: int) -> None:
    """Wait until a process is in a call about descriptor 1: for the full pipe."""
    end = time.monotonic() + 15
    while Path(f"/proc/{number}/syscall").read_text().split()[1:2] != ["0x1"]:
        assert time.monotonic() < end, "it never printed"
        time.sleep(0.005)


def test_in_mid_log_in_nothing_was_sent(liar: LyingService, here: Path) -> None:
    Path("one.csr").write_bytes(request("one.example.com"))
    liar.answers[AUTH] = HANG
    for words in (
        ("upload", "one.csr", "-p", "8"),
        ("create", "-d", "example.com"),
        ("revoke", "-p", "8", "-s", "AB"),
    ):
        liar.hanging.clear()
        code, out, err = interrupt(liar, signal.SIGINT, *words)
        assert (code, out) == (-signal.SIGINT, "")
        assert "nobody knows" not in err
        assert set(liar.asked) == {AUTH}


@pytest.mark.parametrize("method", ["POST", "get"])
def test_in_mid_call(liar: LyingService, method: str) -> None:
    liar.answers[f"{method.upper()} /x"] = HANG
    code, out, err = interrupt(liar, signal.SIGINT, "call", "/x", "--method", method)
    assert (code, out) == (-signal.SIGINT, "")
    assert ("the call was under way: nobody knows its outcome" in err) == (method == "POST")


@pytest.mark.parametrize(
    "words",
    [("upload", "one.csr", "-p", "8"), ("revoke", "-p", "8", "-s", "AB", "--yes"), ("call", "/x", "--method", "PUT")],
)
def test_at_the_log_in_s_prompt_nothing_was_sent(
    sectigo: Runner, liar: LyingService, here: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    from sectigo_cli import main

    def interrupted(*_: object) -> str:
        raise KeyboardInterrupt

    Path("one.csr").write_bytes(request("one.example.com"))
    monkeypatch.setattr(getpass, "getpass", interrupted)
    monkeypatch.setattr(main, "die", lambda number: 128 + number)
    env = {**liar.environ, "SECTIGO_PASSWORD": "", "SECTIGO_ENVIRONMENT": "staging"}
    done = sectigo(*words, env=env, terminal=True)
    assert (done.code, done.out) == (130, "")
    assert "nobody knows" not in done.err
    assert liar.asked == []


def test_a_session_that_is_there_is_used_as_it_is(sectigo: Runner, liar: LyingService, here: Path) -> None:
    Path("one.csr").write_bytes(request("one.example.com"))
    for _ in range(2):
        assert sectigo("upload", "one.csr", "-p", "8", env=liar.environ).code == 0
    assert [asked for asked in liar.asked if asked != PARAMETERS] == [AUTH, UPLOAD, UPLOAD]


@pytest.mark.parametrize("number", SIGNALS)
def test_in_mid_order_nobody_knows_its_outcome(liar: LyingService, here: Path, number: signal.Signals) -> None:
    liar.answers[CREATE] = HANG
    words = ("create", "-d", "example.com", "-b", "my batch", "--password-out", "pw")
    code, out, err = interrupt(liar, number, *words)
    assert (code, out) == (-number, "")
    assert "the order 'my batch' was under way: nobody knows its outcome" in err
    assert "do not repeat it" in err
    assert Path("pw").is_file(), "the password of an order that may exist is kept"


def test_in_mid_upload(liar: LyingService, here: Path) -> None:
    Path("one.csr").write_bytes(request("one.example.com"))
    liar.answers[UPLOAD] = HANG
    code, out, err = interrupt(liar, signal.SIGTERM, "upload", "one.csr", "-p", "8")
    assert (code, out) == (-signal.SIGTERM, "")
    assert "the order 'one.csr' was under way: nobody knows its outcome" in err


def test_in_mid_revocation(liar: LyingService) -> None:
    liar.answers[REVOKE] = HANG
    code, out, err = interrupt(liar, signal.SIGINT, "revoke", "-p", "8", "-s", "AB")
    assert (code, out) == (-signal.SIGINT, "")
    assert "nobody knows whether AB was revoked" in err
    assert "`sectigo find -s AB`" in err


@pytest.mark.parametrize("number", SIGNALS)
def test_in_mid_download_nothing_is_left_behind(liar: LyingService, here: Path, number: signal.Signals) -> None:
    Path("24.zip").write_text("the good one")
    liar.answers["GET /api/v1/batches/24/download"] = Answer(
        b"0" * 400_000, media_type="application/octet-stream", stall=True
    )
    code, out, err = interrupt(liar, number, "download", "-i", "24", "--force")
    assert (code, out, err) == (-number, "", "")
    assert names_in() == ["24.zip"]
    assert Path("24.zip").read_text() == "the good one"


def unread() -> int:
    """Return the end of a pipe that nobody reads."""
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def run(*words: str, env: Mapping[str, str], stdout: Callable[[], int]) -> tuple[int, str]:
    end = stdout()
    with start(*words, env=env, stdout=end) as process:
        os.close(end)
        _, err = process.communicate(timeout=15)
    return process.returncode, err


def test_head_stops_reading(liar: LyingService) -> None:
    liar.answers["GET /api/v1/profiles"] = document([{"profileId": n, "ca": "x" * 50} for n in range(20_000)])
    script = '"$0" -m sectigo_cli profiles | head -1; echo "${PIPESTATUS[0]}"'
    done = subprocess.run(
        ["bash", "-c", script, sys.executable],
        env={**os.environ, **ENVIRON, **liar.environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[\n141\n", "")


def test_a_pipe_that_nobody_reads_does_not_lose_the_order(liar: LyingService) -> None:
    words = ("create", "-d", "example.com", "-p", "secrtpasswrd")
    code, err = run(*words, env=liar.environ, stdout=unread)
    assert code == -signal.SIGPIPE
    assert "sectigo: the order was accepted as batch 24\n" in err
    assert "Traceback" not in err
    assert run("licenses", "--help", env={}, stdout=unread) == (-signal.SIGPIPE, "")


def test_a_full_stdout(liar: LyingService) -> None:
    liar.answers["GET /api/v1/devices"] = document({"ordered": 1, "issued": 0})

    def full() -> int:
        return os.open("/dev/full", os.O_WRONLY)

    code, err = run("licenses", env=liar.environ, stdout=full)
    assert (code, err) == (1, "sectigo: error: No space left on device\n")
    for words in (("--help",), ("create", "--help"), ("help", "create")):
        for unbuffered in ("", "1"):
            assert run(*words, env={"PYTHONUNBUFFERED": unbuffered}, stdout=full)[0] == 1
    code, err = run("create", "-d", "example.com", "-p", "secrtpasswrd", env=liar.environ, stdout=full)
    assert code == 8
    assert "sectigo: the order was accepted as batch 24\n" in err
    assert "`sectigo batches -i 24` prints it" in err


@pytest.mark.parametrize("where", ["2>/dev/full", "2>&1 >/dev/null | true"])
def test_an_order_whose_password_cannot_be_told_is_not_sent(liar: LyingService, where: str) -> None:
    script = f'"$0" -m sectigo_cli create -d example.com {where}'
    env = {**os.environ, **ENVIRON, **liar.environ}
    subprocess.run(["sh", "-c", script, sys.executable], env=env, capture_output=True, timeout=30, check=False)
    assert "GET /api/v1/profiles/8/parameters" in liar.asked
    assert CREATE not in liar.asked


def test_a_password_that_nobody_would_be_told_is_not_made(liar: LyingService, here: Path) -> None:
    env = {**os.environ, **ENVIRON, **liar.environ}
    script = 'exec "$0" -m sectigo_cli create -d example.com "$@" 2>&-'

    def create(*words: str) -> int:
        return subprocess.run(
            ["sh", "-c", script, sys.executable, *words], env=env, stdout=subprocess.DEVNULL, timeout=30, check=False
        ).returncode

    assert (create(), liar.asked) == (2, [])
    assert create("--password-out", "pw") == 0
    assert create("-p", "secrtpasswrd") == 0
    assert liar.asked.count(CREATE) == 2


def test_an_error_that_cannot_be_told_keeps_its_exit_code() -> None:
    env = {**os.environ, **ENVIRON}
    script = '"$0" -m sectigo_cli nonsense 2>/dev/full'
    done = subprocess.run(["sh", "-c", script, sys.executable], env=env, timeout=30, check=False)
    assert done.returncode == 2


@pytest.mark.parametrize(
    ("closing", "code"),
    [(">&-", 1), ("<&-", 0), ("2>&-", 0), ("<&- 2>&-", 0), (">&- 2>&-", 1)],
)
def test_streams_that_a_shell_has_closed(liar: LyingService, closing: str, code: int) -> None:
    liar.answers["GET /api/v1/devices"] = document({"ordered": 1, "issued": 0})
    done = subprocess.run(
        ["sh", "-c", f'exec "$0" -m sectigo_cli licenses --verbose {closing}', sys.executable],
        env={**os.environ, **ENVIRON, **liar.environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )
    assert done.returncode == code, done
    assert "Traceback" not in done.stderr
    if code:
        assert liar.asked == [], "what nobody can be told is not asked"
    else:
        assert json.loads(done.stdout) == {"ordered": 1, "issued": 0}


def test_the_handler_of_whoever_calls_it_is_put_back() -> None:
    from sectigo_cli.main import main

    def mine(*_: object) -> None:
        """Do nothing."""

    before = [signal.signal(number, mine) for number in SIGNALS]
    try:
        assert main(["--version"]) == 0
        assert [signal.getsignal(number) for number in SIGNALS] == [mine] * 3
    finally:
        for number, handler in zip(SIGNALS, before, strict=True):
            signal.signal(number, handler)


def test_in_a_thread_no_signal_is_listened_for() -> None:
    from sectigo_cli.main import main

    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(main(["--version"])))
    thread.start()
    thread.join(10)
    assert codes == [0]


@pytest.mark.parametrize(
    "pair", list(itertools.permutations(SIGNALS, 2)), ids=lambda pair: "-".join(n.name for n in pair)
)
def test_a_second_signal_disturbs_nothing(liar: LyingService, pair: tuple[signal.Signals, signal.Signals]) -> None:
    liar.answers[CREATE] = HANG
    for pause in (0, 0.001, 0.003):
        liar.hanging.clear()
        with start("create", "-d", "example.com", "-p", "correct-horse", env=liar.environ) as process:
            try:
                assert liar.hanging.wait(15)
                process.send_signal(pair[0])
                time.sleep(pause)
                process.send_signal(pair[1])
                _, err = process.communicate(timeout=15)
            finally:
                process.kill()
        assert -process.returncode in pair
        assert "Traceback" not in err
        assert "nobody knows its outcome" in err


def test_an_interruption_that_python_dropped_is_not_forgotten(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An exception in a callback, such as that of a module's lock, comes to nothing; yet no order is sent."""
    from sectigo_cli import main, once, ordered

    class Dropping:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGTERM)

    log_in = once.log_in_first

    def dropped(context: Context) -> None:
        log_in(context)
        Dropping()

    monkeypatch.setattr(ordered, "log_in_first", dropped)
    monkeypatch.setattr(main, "die", lambda number: 128 + number)
    monkeypatch.setattr(sys, "unraisablehook", lambda _: None)
    done = sectigo("create", "-d", "example.com", "-p", "correct-horse", env=liar.environ)
    assert (done.code, done.out) == (143, "")
    assert CREATE not in liar.asked
    assert "nobody knows" not in done.err


def test_a_signal_that_insists_ends_it_whatever_it_does() -> None:
    """As where what cleans up hangs."""
    program = """
import os, signal, time
from sectigo_cli.endings import Endings
endings = Endings()
with endings:
    try:
        os.kill(os.getpid(), signal.SIGINT)
    finally:
        endings.rest()
        while True:
            os.kill(os.getpid(), signal.SIGTERM)
            time.sleep(0.01)
"""
    done = run_program(program)
    assert (done.returncode, done.stderr) == (-signal.SIGTERM, "")


def test_a_signal_is_heard_that_breaks_off_no_wait() -> None:
    """As one does that comes just before the wait: here it comes to another thread, which only notes it."""
    program = """
import signal, socket, threading, time
from sectigo_cli.endings import Endings, Interrupted

def strike():
    time.sleep(0.1)
    signal.pthread_kill(threading.get_ident(), signal.SIGTERM)

with Endings() as endings:
    endings.be_prompt()
    one, other = socket.socketpair()
    threading.Thread(target=strike).start()
    try:
        one.recv(1)
    except Interrupted as interrupted:
        print(interrupted.signal.name)
"""
    done = run_program(program)
    assert (done.stdout, done.stderr) == ("SIGTERM\n", "")


def test_an_interruption_that_python_wraps_is_one(
    sectigo: Runner, liar: LyingService, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As Python 3.11 does where a class is made."""
    from sectigo_cli import main
    from sectigo_cli.commands import licenses

    def run(*_: object) -> None:
        try:
            signal.raise_signal(signal.SIGTERM)
        except KeyboardInterrupt as interruption:
            raise RuntimeError("Error calling __set_name__") from interruption

    monkeypatch.setattr(licenses, "run", run)
    monkeypatch.setattr(main, "die", lambda number: 128 + number)
    assert sectigo("licenses", env=liar.environ) == (143, "", "")


def test_a_program_that_is_woken_up_itself_goes_on_being_so(sectigo: Runner, liar: LyingService) -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    try:
        assert sectigo("auth", env=liar.environ).out == "user authenticated and credentials cached\n"
    finally:
        kept = signal.set_wakeup_fd(-1)
        os.close(reader)
        os.close(writer)
    assert kept == writer


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_well_also_when_it_is_told_twice(number: signal.Signals) -> None:
    with start("serve", "--addr", ":0", "--key-type", "p256", env={}) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline().startswith("export ")
            process.send_signal(number)
            time.sleep(0.008)
            process.send_signal(number)
            _, err = process.communicate(timeout=15)
        finally:
            process.kill()
    assert (process.returncode, "Traceback" in err) == (0, False)


def test_a_process_that_goes_on_is_asked_again() -> None:
    program = """
import signal, socket
from sectigo_cli import endings
endings.VOLLEY, endings.STUCK = 0.05, 0.2

with endings.Endings() as heard:
    heard.be_prompt()
    one, other = socket.socketpair()
    try:
        signal.raise_signal(signal.SIGTERM)
    except endings.Interrupted:
        print("dropped")
    try:
        one.recv(1)
    except endings.Interrupted as interrupted:
        print(interrupted.signal.name)
"""
    done = run_program(program)
    assert (done.stdout, done.stderr) == ("dropped\nSIGTERM\n", "")


CLEANING = """
import os, signal, sys, time
from pathlib import Path
from sectigo_cli import endings
endings.VOLLEY, endings.STUCK, endings.STILL = 0.05, 0.1, 0.3
with endings.Endings() as heard:
    heard.be_prompt()
    try:
        os.kill(os.getpid(), signal.SIGTERM)
        time.sleep(5)
    except endings.Interrupted:
        until = time.monotonic() + 1.5
        while time.monotonic() < until:
            Path("left").exists()
        print("cleaned", flush=True)
"""


def test_cleaning_up_that_takes_long_is_not_broken_off() -> None:
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    command = [sys.executable, "-c", CLEANING]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=30, check=False)
    assert (done.stdout, done.stderr) == ("cleaned\n", "")
