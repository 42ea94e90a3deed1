"""serve, and validate, which shows what it would serve with."""

from __future__ import annotations

import base64
import contextlib
import json
import os
import re
import shlex
import signal
import socket
import stat
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
import requests

from sectigo_iot.emulator import Emulator
from tests.conftest import Runner
from tests.packages import PYTHONPATH, run_program


@contextlib.contextmanager
def serving(*words: str, env: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """Run `sectigo serve` as a process; give it and what its export lines say."""
    command = [sys.executable, "-m", "sectigo_cli", "serve", "-a", "127.0.0.1:0", "--key-type", "p256", *words]
    process = subprocess.Popen(
        command,
        env={**os.environ, "PYTHONPATH": PYTHONPATH, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    with process:
        try:
            assert process.stdout is not None
            told = {}
            last = "SIAS_CONTROL_URL"
            while last not in told:
                name, _, value = process.stdout.readline().removeprefix("export ").rstrip("\n").partition("=")
                told[name] = shlex.split(value)[0]
            yield process, told
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_real_process(sectigo: Runner, number: signal.Signals) -> None:
    with serving("--delay", "0", env={}) as (process, told):
        assert list(told) == [
            "SECTIGO_USERNAME",
            "SECTIGO_PASSWORD",
            "SECTIGO_ENDPOINT",
            "SECTIGO_ENVIRONMENT",
            "SIAS_CONTROL_URL",
        ]
        done = sectigo("create", "-d", "example.com", "-p", "secrtpasswrd", "--wait", env=told)
        assert done.code == 0, done
        process.send_signal(number)
        assert process.wait(10) == 0
        assert process.stderr is not None
        said = process.stderr.read().splitlines()
    seed = said[2].split()[2].rstrip(":")
    assert said == [
        f"sectigo: an emulator with a TEST CA listens on {told['SECTIGO_ENDPOINT']}; end it with Ctrl-C",
        f"sectigo: {told['SIAS_CONTROL_URL']} controls it, and shows it in a browser",
        f"sectigo: seed {seed}: `--seed {seed}` repeats what chance decides",
        "sectigo: the emulator has ended",
    ]


def test_a_password_that_was_chosen_is_named_and_not_shown(sectigo: Runner) -> None:
    secret = base64.b64encode(b"s" * 32).decode()
    env = {"SIAS_AUTH_USERNAME": "jane", "SIAS_AUTH_PASSWORD": "chosen-by-me", "SIAS_AUTH_SECRET": secret}
    with serving("--account", "manual", env=env) as (process, told):
        assert told["SECTIGO_USERNAME"] == "jane"
        assert told["SECTIGO_PASSWORD"] == "$SIAS_AUTH_PASSWORD"
        done = sectigo("authorities", env={**told, "SECTIGO_PASSWORD": "chosen-by-me"})
        assert [a["profileId"] for a in json.loads(done.out)] == [42]
        process.terminate()
        assert process.wait(10) == 0
        assert process.stderr is not None
        assert "chosen-by-me" not in process.stderr.read()


def test_a_port_that_is_taken(sectigo: Runner, shared: Emulator) -> None:
    address = shared.url.removeprefix("http://")
    done = sectigo("serve", "-a", address)
    hint = "sectigo: hint: `--addr :0` takes a free port\n"
    assert done == (1, "", f"sectigo: error: {address}: Address already in use\n{hint}")
    assert sectigo("serve", env={"SIAS_BIND_ADDR": address}) == done


def test_a_control_port_that_is_taken(sectigo: Runner, shared: Emulator) -> None:
    address = str(shared.control_url).removeprefix("http://")
    done = sectigo("serve", "-a", ":0", "--control", address.rpartition(":")[2])
    hint = "sectigo: hint: `--control 0` takes a free port\n"
    assert done == (1, "", f"sectigo: error: {address}: Address already in use\n{hint}")


def test_without_a_control_port() -> None:
    command = [sys.executable, "-m", "sectigo_cli", "serve", "-a", ":0", "--key-type", "p256", "--control", "off"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None and process.stderr is not None
        lines = [process.stdout.readline() for _ in range(4)]
        process.terminate()
        assert process.stdout.read() == ""
        assert "controls it" not in process.stderr.read()
    assert lines[-1] == "export SECTIGO_ENVIRONMENT=testing\n"


def test_a_password_of_a_configuration_is_not_shown(here: Path) -> None:
    user = '{id = 1, username = "jane", password = "MyOwnChosenPw"}'
    Path("own.toml").write_text(
        'profiles = [{id = 1, name = "p", parameters = [{name = "commonName"}]}]\n'
        f'organizations = [{{id = 1, name = "o", authorities = [{{id = 1, profile = 1}}], users = [{user}]}}]\n'
    )
    with serving("--config", "own.toml", env={}) as (process, told):
        process.terminate()
        assert process.stderr is not None
        said = process.stderr.read()
    assert "the password of jane stands in the configuration: export SECTIGO_PASSWORD yourself\n" in said
    assert "SECTIGO_PASSWORD" not in told
    assert "MyOwnChosenPw" not in said + str(told)


def test_what_goes_wrong_is_said_with_where() -> None:
    faults = ("--fault", "lost-reply,call=createSingleCertBatch,nth=2", "--fault", "unavailable,percent=10")
    with serving(*faults, "--legacy-pkcs12", env={}) as (process, _):
        process.terminate()
        assert process.stderr is not None
        said = process.stderr.read()
    assert "what goes wrong: lost-reply at createSingleCertBatch (call 2); unavailable (10 %)\n" in said
    assert "PKCS#12 in the live service's form: " in said


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full here")
def test_nobody_can_read_what_it_prints() -> None:
    command = [sys.executable, "-m", "sectigo_cli", "serve", "-a", ":0", "--key-type", "p256"]
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, timeout=30, check=False)
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1] == "sectigo: error: No space left on device"


def test_what_it_can_show(sectigo: Runner, here: Path) -> None:
    shown = sectigo("serve", "--show", "config", "--account", "manual")
    assert (shown.code, shown.err) == (0, "")
    Path("own.toml").write_text(shown.out)
    assert tomllib.loads(shown.out)["organizations"][0]["name"] == "TRISA"
    with serving("--config", "own.toml", env={}) as (_, told):
        assert json.loads(sectigo("authorities", env=told).out)[0]["profileId"] == 42
    assert re.search(r"^lost-reply: \S", sectigo("serve", "--show", "faults").out, re.MULTILINE)
    assert re.search(r"^lost-reply: \S", sectigo("serve", "--show", "scenarios").out, re.MULTILINE)


def test_the_tls_port(sectigo: Runner, here: Path) -> None:
    with serving("--tls", "keys", env={}) as (_, told):
        assert sorted(each.name for each in Path("keys").iterdir()) == ["ca.pem", "client-key.pem", "client.pem"]
        assert {stat.S_IMODE(each.stat().st_mode) for each in Path("keys").iterdir()} == {0o600}
        login = {"username": told["SECTIGO_USERNAME"], "password": told["SECTIGO_PASSWORD"]}
        sent = requests.post(f"{told['SECTIGO_ENDPOINT']}/auth/pwd", json=login, timeout=10, allow_redirects=False)
        assert sent.status_code == 307
        where = sent.headers["Location"]
        certificate = ("keys/client.pem", "keys/client-key.pem")
        reply = requests.post(where, json=login, timeout=10, verify="keys/ca.pem", cert=certificate)
        assert set(reply.json()) == {"accessToken", "refreshToken"}
        with pytest.raises(requests.ConnectionError):
            requests.post(where, json=login, timeout=10, verify="keys/ca.pem")


def test_a_folder_for_keys_that_does_not_stay_is_said_to_be_gone(sectigo: Runner, here: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as busy:
        done = sectigo("serve", "-a", f"127.0.0.1:{busy.getsockname()[1]}", "--tls", "keys")
    assert (done.code, done.out, Path("keys").exists()) == (1, "", False)
    assert done.err.splitlines()[:2] == ["sectigo: made the folder keys", "sectigo: removed the folder keys again"]
    assert "Address already in use" in done.err


def test_a_host_that_is_unknown(sectigo: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    done = sectigo("serve", "-a", "nowhere.test:80", "--allow-remote")
    assert done == (1, "", "sectigo: error: nowhere.test:80: Name or service not known\n")


REFUSED = {
    "a remote address": (("-a", "0.0.0.0:0"), {}, "host '0.0.0.0' is not the loopback"),
    "a remote address by variable": ((), {"SIAS_BIND_ADDR": "0.0.0.0:0"}, "SIAS_BIND_ADDR: host '0.0.0.0' is not"),
    "no address": (("-a", "here"), {}, "--addr: 'here' is no address such as 127.0.0.1:8831"),
    "no address by variable": ((), {"SIAS_BIND_ADDR": "here"}, "SIAS_BIND_ADDR: 'here' is no address"),
    "a port beyond all": (("-a", ":65536"), {}, "--addr: ':65536' is no address"),
    "a secret that is none": ((), {"SIAS_AUTH_SECRET": "hush"}, "SIAS_AUTH_SECRET: must be 32 bytes in base64"),
    "a mode that is none": ((), {"SIAS_MODE": "fast"}, "SIAS_MODE"),
    "a key type that is none": (("--key-type", "dsa"), {}, "invalid choice: 'dsa'"),
    "a delay that is none": (("--delay=-1",), {}, "no number of seconds"),
    "a CA that is none": (("-a", ":0", "--ca", "junk"), {}, "junk"),
    "a control port that is none": (("--control", "x"), {}, "--control: 'x' is no port from 0 to 65535, nor `off`"),
    "a seed that is none": (("--seed", "x"), {}, "'x' is no whole number"),
    "a scenario that is none": (("--scenario", "lost-replies"), {}, "--scenario 'lost-replies' is none of"),
    "a fault that is none": (("-a", ":0", "--fault", "lost-replies"), {}, "did you mean 'lost-reply'?"),
    "a detail that is none": (("-a", ":0", "--fault", "reset,seconds=1"), {}, "seconds"),
    "a configuration that is missing": (("--config", "none.toml"), {}, "none.toml: No such file or directory"),
    "a configuration that is none": (("--config", "junk"), {}, "junk:1: not valid TOML"),
    "a folder for keys that is a file": (("-a", ":0", "--tls", "junk"), {}, "junk is no folder"),
    "another account than the configuration's": (("--config", "manual.toml", "--account", "staging"), {}, "'manual'"),
    "a state that is a file": (("-a", ":0", "--state", "junk"), {}, "junk"),
}


@pytest.mark.parametrize(("words", "env", "said"), REFUSED.values(), ids=REFUSED)
def test_wrong_settings(sectigo: Runner, here: Path, words: tuple[str, ...], env: dict[str, str], said: str) -> None:
    Path("junk").write_text("junk")
    Path("manual.toml").write_text('account = "manual"')
    done = sectigo("serve", *words, env=env)
    assert (done.code, done.out) == (2, "")
    first, *hints = done.err.splitlines()
    assert said in first
    assert "allow_remote" not in done.err
    assert "hush" not in done.err
    assert ("--allow-remote" in "".join(hints)) == ("remote" in said or "loopback" in said or "0.0.0.0" in said)


def test_a_ca_that_is_missing(sectigo: Runner, here: Path) -> None:
    done = sectigo("serve", "-a", ":0", "--ca", "none.pem")
    assert (done.code, done.out, done.err) == (2, "", "sectigo: error: serve: none.pem: No such file or directory\n")


def test_the_extra_is_missing() -> None:
    code = (
        "import sys; sys.modules['starlette'] = None\n"
        "from sectigo_cli.main import main\n"
        "sys.exit(main(['serve', '-a', ':0']))"
    )
    done = run_program(code)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.splitlines()[0] == "sectigo: error: the emulator is not installed"
    assert "pip install 'sectigo-iot[emulator]'" in done.stderr


# validate


def test_validate_shows_no_secret(sectigo: Runner) -> None:
    secret = base64.b64encode(b"s" * 32).decode()
    env = {
        "SECTIGO_USERNAME": "jane",
        "SECTIGO_PASSWORD": "client-password",
        "SIAS_AUTH_PASSWORD": "server-password",
        "SIAS_AUTH_SECRET": secret,
        "SIAS_BIND_ADDR": "127.0.0.1:9999",
    }
    done = sectigo("validate", env=env)
    assert (done.code, done.err) == (0, "")
    shown = json.loads(done.out)
    assert set(shown) == {"client", "server"}
    assert shown["client"]["password"] == {
        "value": "********",
        "source": "environment variable SECTIGO_PASSWORD",
    }
    server = shown["server"]
    assert (server["password"], server["secret"]) == ("********", "********")
    assert (server["host"], server["port"], server["delay"]) == ("127.0.0.1", 9999, 2.0)
    for value in ("client-password", "server-password", secret):
        assert value not in done.out


BROKEN = {
    "endpoint": ({"SECTIGO_ENDPOINT": "iot.example.com"}, ["the endpoint 'iot.example.com' has no scheme"]),
    "environment": ({"SECTIGO_ENVIRONMENT": "live"}, ["unknown environment 'live'"]),
    "host": ({"SECTIGO_ENDPOINT": "http://example.com"}, ["does not allow requests to http://example.com"]),
    "allowed host": ({"SECTIGO_ALLOWED_HOST": "https://x"}, ["'https://x' is no host name"]),
    "server address": ({"SIAS_BIND_ADDR": "here"}, ["SIAS_BIND_ADDR: 'here' is no address"]),
    "remote server address": (
        {"SIAS_BIND_ADDR": "0.0.0.0:1"},
        ["SIAS_BIND_ADDR: host '0.0.0.0' is not the"],
    ),
    "server secret": ({"SIAS_AUTH_SECRET": "hush"}, ["SIAS_AUTH_SECRET: must be 32 bytes"]),
    "both": (
        {"SECTIGO_ENDPOINT": "x", "SIAS_MODE": "fast"},
        ["2 settings are wrong:", "the endpoint 'x' has no scheme", "SIAS_MODE"],
    ),
}


@pytest.mark.parametrize(("env", "said"), BROKEN.values(), ids=BROKEN)
def test_broken_settings_are_named(sectigo: Runner, env: dict[str, str], said: list[str]) -> None:
    done = sectigo("validate", env=env)
    assert done.code == 2
    assert set(json.loads(done.out)) == {"client", "server"}
    lines = [line for line in done.err.splitlines() if not line.startswith("sectigo: hint: ")]
    assert len(lines) == len(said)
    for line, part in zip(lines, said, strict=True):
        assert part in line
    assert "hush" not in done.out + done.err
