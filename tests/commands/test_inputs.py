"""Every file that a line or a variable names: a pipe is read, and nothing is read or waited for without end."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from sectigo_iot import inputs
from tests.commands.lying_service import CREATE, UPLOAD, LyingService, document
from tests.commands.signing_requests import request
from tests.conftest import Runner
from tests.packages import PYTHONPATH

ORDER = ("create", "-d", "example.com")
READERS: dict[str, tuple[tuple[str, ...], str]] = {
    "the log-in's password": (("licenses",), "the password file {} cannot be read: "),
    "--env-file": (("--env-file", "{}", "licenses"), "the file {} given with --env-file cannot be read: "),
    "a PKCS#12's password": ((*ORDER, "--password-file", "{}"), "the password file {} cannot be read: "),
    "upload": (("upload", "{}", "-p", "8"), "{}: "),
    "call": (("call", "/x", "--method", "POST", "--data", "@{}"), "call: {}: "),
    "serve --config": (("serve", "-a", ":0", "--config", "{}"), "serve: {}: "),
    "serve --ca": (("serve", "-a", ":0", "--key-type", "p256", "--ca", "{}"), "serve: {}: "),
}
"""The words of each, and what is said before the reason."""
LIMITS = {
    "the log-in's password": "its first line is longer than 4096 bytes",
    "--env-file": "it is larger than 1 MiB",
    "a PKCS#12's password": "its first line is longer than 4096 bytes",
    "upload": "that is more than 64 MiB in all",
    "call": "it is larger than 64 MiB",
    "serve --config": "it is larger than 10 MiB; a configuration is wanted",
    "serve --ca": "it is larger than 10 MiB",
}


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inputs, "PATIENCE", 0.2)


def words_of(reader: str, path: str) -> list[str]:
    return [word.replace("{}", path) for word in READERS[reader][0]]


def environ_of(liar: LyingService, reader: str, path: str) -> dict[str, str]:
    """Variables under which nothing but a log-in's own reader takes the password from a file."""
    named = {"SECTIGO_PASSWORD": "", "SECTIGO_PASSWORD_FILE": path}
    return {**liar.environ, **(named if reader == "the log-in's password" else {})}


@pytest.fixture
def big(here: Path) -> str:
    with Path("big").open("wb") as file:
        file.truncate(3 << 30)
    return "big"


@pytest.mark.usefixtures("impatient", "here")
@pytest.mark.parametrize("reader", READERS)
def test_a_fifo_that_nobody_writes_to_ends_the_wait(sectigo: Runner, liar: LyingService, reader: str) -> None:
    os.mkfifo("fifo")
    done = sectigo(*words_of(reader, "fifo"), env=environ_of(liar, reader, "fifo"))
    before = READERS[reader][1].replace("{}", "fifo")
    assert done == (2, "", f"sectigo: error: {before}nothing came through it for 0.2 seconds\n")
    assert liar.asked == []


@pytest.mark.parametrize("path", ["/dev/zero", "big"])
@pytest.mark.parametrize("reader", READERS)
def test_what_is_too_large_is_refused_by_its_limit(
    sectigo: Runner, liar: LyingService, big: str, reader: str, path: str
) -> None:
    done = sectigo(*words_of(reader, path), env=environ_of(liar, reader, path))
    before = READERS[reader][1].replace("{}", path)
    assert done == (2, "", f"sectigo: error: {before}{LIMITS[reader]}\n")
    assert liar.asked == []


@pytest.mark.parametrize("reader", ["upload", "call"])
def test_a_large_file_needs_no_memory(liar: LyingService, big: str, reader: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "sectigo_cli", *words_of(reader, big)],
        env={**os.environ, "PYTHONPATH": PYTHONPATH, **liar.environ},
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (2 << 30, 2 << 30)),
    )
    before = READERS[reader][1].replace("{}", big)
    assert (done.returncode, done.stderr) == (2, f"sectigo: error: {before}{LIMITS[reader]}\n")


@pytest.mark.usefixtures("here")
def test_the_files_of_an_upload_have_one_limit(sectigo: Runner, liar: LyingService) -> None:
    for name in ("a.csr", "b.csr"):
        Path(name).write_bytes(request("a.example.com") + b"\n" * (40 << 20))
    done = sectigo("upload", "a.csr", "b.csr", "-p", "8", env=liar.environ)
    assert done == (2, "", "sectigo: error: b.csr: that is more than 64 MiB in all\n")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (READERS["call"][0], "call: what came on stdin is larger than 64 MiB"),
        (READERS["a PKCS#12's password"][0], "the password file - cannot be read: its first line is longer than"),
    ],
)
def test_a_standard_input_without_end(liar: LyingService, words: tuple[str, ...], said: str) -> None:
    command = [sys.executable, "-m", "sectigo_cli", *(word.replace("{}", "-") for word in words)]
    with Path("/dev/zero").open("rb") as zeros:
        done = subprocess.run(
            command,
            env={**os.environ, **liar.environ},
            stdin=zeros,
            capture_output=True,
            text=True,
            timeout=30,
            check=False,
        )
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"sectigo: error: {said}")
    assert liar.asked == []


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize("reader", ["the log-in's password", "a PKCS#12's password"])
@pytest.mark.parametrize("content", [b"pass\0word\n", "password\n".encode("utf-16-le"), b"pass\x1bword\n"])
def test_control_characters_are_no_password(sectigo: Runner, liar: LyingService, reader: str, content: bytes) -> None:
    Path("pw").write_bytes(content)
    done = sectigo(*words_of(reader, "pw"), env=environ_of(liar, reader, "pw"))
    said = "the password file pw cannot be read: its first line holds control characters"
    assert done == (2, "", f"sectigo: error: {said}\n")
    assert liar.asked == []


@pytest.fixture
def pipe() -> Iterator[tuple[str, int]]:
    """The name of a pipe, as a shell has it for `<(…)`, and the end to write into."""
    reader, writer = os.pipe()
    yield f"/dev/fd/{reader}", writer
    os.close(reader)


def piped(pipe: tuple[str, int], content: bytes) -> str:
    os.write(pipe[1], content)
    os.close(pipe[1])
    return pipe[0]


def test_the_log_in_s_password_through_a_pipe(sectigo: Runner, liar: LyingService, pipe: tuple[str, int]) -> None:
    path = piped(pipe, liar.environ["SECTIGO_PASSWORD"].encode())
    liar.answers["GET /api/v1/devices"] = document({"ordered": 1, "issued": 0})
    done = sectigo("licenses", env=environ_of(liar, "the log-in's password", path))
    assert done.code == 0, done
    assert liar.environ["SECTIGO_PASSWORD"].encode() in liar.bodies["POST /auth/pwd"]


def test_variables_through_a_pipe(sectigo: Runner, liar: LyingService, pipe: tuple[str, int]) -> None:
    path = piped(pipe, "".join(f"{name}={value}\n" for name, value in liar.environ.items()).encode())
    liar.answers["GET /api/v1/devices"] = document({"ordered": 1, "issued": 0})
    assert sectigo("--env-file", path, "licenses").code == 0


def test_a_pkcs12_s_password_through_a_pipe(sectigo: Runner, liar: LyingService, pipe: tuple[str, int]) -> None:
    path = piped(pipe, b"secrtpasswrd\nsecond line\n")
    assert sectigo(*ORDER, "--password-file", path, env=liar.environ).code == 0
    assert b'"secrtpasswrd"' in liar.bodies[CREATE]


def test_a_request_through_a_pipe(sectigo: Runner, liar: LyingService, pipe: tuple[str, int]) -> None:
    path = piped(pipe, request("a.example.com"))
    assert sectigo("upload", path, "-p", "8", env=liar.environ).code == 0
    assert request("a.example.com") in liar.bodies[UPLOAD]


def test_a_body_through_a_pipe(sectigo: Runner, liar: LyingService, pipe: tuple[str, int]) -> None:
    path = piped(pipe, b"\x00 as it is")
    liar.answers["POST /x"] = document({})
    assert sectigo("call", "/x", "--method", "POST", "--data", f"@{path}", env=liar.environ).code == 0
    assert liar.bodies["POST /x"] == b"\x00 as it is"


def test_a_configuration_through_a_pipe(sectigo: Runner, pipe: tuple[str, int]) -> None:
    path = piped(pipe, b"x = [\n")
    done = sectigo("serve", "-a", ":0", "--config", path)
    assert (done.code, f"serve: {path}:1: not valid TOML" in done.err) == (2, True)


@pytest.mark.usefixtures("here")
def test_a_fifo_by_the_name_of_an_env_file_that_nobody_asked_for(sectigo: Runner, liar: LyingService) -> None:
    os.mkfifo(".env")
    liar.answers["GET /api/v1/devices"] = document({"ordered": 1, "issued": 0})
    assert sectigo("licenses", env=liar.environ).err == ""


def interrupted(command: list[str], environ: Mapping[str, str], fifo: Path) -> tuple[int, float]:
    """Start it, interrupt it as soon as it waits at the FIFO; return how it ended, and after how long."""
    process = subprocess.Popen(
        command,
        env=environ,
        stderr=subprocess.DEVNULL,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        while True:
            try:
                # Only where somebody waits at its other end it opens.
                writer = os.open(fifo, os.O_WRONLY | os.O_NONBLOCK)
                break
            except OSError:
                time.sleep(0.02)
        time.sleep(0.1)
        before = time.monotonic()
        process.send_signal(signal.SIGINT)
        code = process.wait(20)
        os.close(writer)
        return code, time.monotonic() - before
    finally:
        process.kill()
        process.wait()


@pytest.mark.parametrize("reader", ["upload", "a PKCS#12's password"])
def test_ctrl_c_ends_the_wait(liar: LyingService, here: Path, reader: str) -> None:
    os.mkfifo("fifo")
    command = [sys.executable, "-m", "sectigo_cli", *words_of(reader, "fifo")]
    code, seconds = interrupted(command, {**os.environ, **liar.environ}, here / "fifo")
    assert code == -signal.SIGINT
    assert seconds < 5
    assert liar.asked == []
