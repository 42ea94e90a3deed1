"""The environment does not win: what it says of authorities, log-ins and keys is not heard; servers' logs tell."""

from __future__ import annotations

import inspect
import itertools
import re
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlsplit

import pytest

from sectigo_cli.grammar import COMMANDS as COMMANDS_OF_THE_GRAMMAR
from sectigo_cli.grammar import command_parser
from sectigo_iot import IoTManager, MemoryTokenStore, Settings, UnreachableError
from sectigo_iot.config import VARIABLES
from sectigo_iot.emulator import Emulator
from tests.commands.signing_requests import request
from tests.conftest import Result, Runner
from tests.reliability.figures import FULL, figure, share
from tests.reliability.witnesses import Authority, Relay, authority

REQUEST = re.compile(rb"(?:^|\n)?((?:GET|POST|PUT) /\S* HTTP/1\.1\r\n(?:[^\r\n]+\r\n)*)\r\n")
BEARER = re.compile(rb"\r\nAuthorization: (.*)\r\n")
# As an error this warning would hinder what it warns of, and no server would hear of it.
pytestmark = pytest.mark.filterwarnings("ignore:Unverified HTTPS request")
HOSTILE = "password-of-netrc"
ELSEWHERE = {
    "GIT_SSL_NO_VERIFY": "1",
    "NODE_TLS_REJECT_UNAUTHORIZED": "0",
    "SSL_NO_VERIFY": "1",
    "SSL_VERIFY": "false",
    "CURL_INSECURE": "1",
    "AWS_CA_BUNDLE": "",
    "PIP_TRUSTED_HOST": "localhost",
    "SECTIGO_INSECURE": "1",
    "SECTIGO_SKIP_VERIFY": "1",
    "SECTIGO_TLS_VERIFY": "0",
    "SECTIGO_VERIFY": "false",
}
"""What turns the verification off in other programs, or might be thought to do so here."""

COMMANDS = (
    "auth",
    "licenses",
    "authorities",
    "organization",
    "profiles",
    "profiles -i 423",
    "batches -i {batch}",
    "batches -i {batch} --status",
    "find -n example.com",
    "call generators",
    "download -i {batch} -o {folder} --force",
    "upload -p 423 {csr}",
    "create -a 423 -d www.example.com -p correct-horse",
    "revoke -p 423 -s {serial} --yes",
)


class World(NamedTuple):
    """A service whose certificate is from our CA, a forged one whose certificate is from another, and both CAs."""

    service: Emulator
    honest: Relay
    forged: Relay
    ours: Path
    theirs: Path
    words: dict[str, str]

    def environ(self, relay: Relay) -> dict[str, str]:
        named = {"SECTIGO_ENDPOINT": relay.at("localhost"), "SECTIGO_ENVIRONMENT": "staging"}
        return {**self.service.environ, **named, "SECTIGO_CA_FILE": str(self.ours), "SECTIGO_TIMEOUT": "20"}

    def settings(self, relay: Relay, ca_file: str | None) -> Settings:
        return Settings(
            self.service.username,
            self.service.password,
            endpoint=relay.at("localhost"),
            environment="staging",
            ca_file=ca_file,
            token_store=MemoryTokenStore(),
            environ={},
        )


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing be tried again: who is not trusted now is not a moment later."""
    monkeypatch.setattr("sectigo_iot.transport.pause", lambda *_: None)


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    ours, theirs = authority(), authority()
    with Emulator(balances={423: 10_000}) as service:
        port = urlsplit(service.url).port or 0
        words = words_about(service, tmp_path)
        with Relay(port, context=ours.context) as honest, Relay(port, context=theirs.context) as forged:
            yield World(
                service,
                honest,
                forged,
                written(tmp_path / "ours.pem", ours),
                written(tmp_path / "x.pem", theirs),
                words,
            )


def written(path: Path, of: Authority) -> Path:
    path.write_bytes(of.root)
    return path


def words_about(service: Emulator, folder: Path) -> dict[str, str]:
    """Order a certificate, so that there is something to ask about."""
    settings = Settings(environ=service.environ, token_store=MemoryTokenStore())
    with IoTManager(settings) as client:
        params = {"commonName": "example.com", "dNSName": "example.com", "pkcs12Password": "correct horse"}
        batch = client.create_single_cert_batch(423, "first", params)
        serial = client.find_certificate("example.com").items[0].serial_number
    (folder / "request.csr").write_bytes(request("example.com"))
    return {
        "batch": str(batch.batch_id),
        "serial": str(serial),
        "csr": str(folder / "request.csr"),
        "folder": str(folder),
    }


def hostile(world: World, home: Path) -> dict[str, dict[str, str]]:
    """Return what an environment may say, by name, each of it against us."""
    hosts = "".join(
        f"{word} login intruder password {HOSTILE}\n"
        for word in ("machine localhost", "machine 127.0.0.1", f"machine localhost:{world.honest.port}", "default")
    )
    for path in (home / ".netrc", home / "netrc"):
        path.write_text(hosts)
        path.chmod(0o600)
    theirs, folder = str(world.theirs), hashed(world.theirs, home / "authorities")
    missing = str(home / "missing.pem")
    return {
        "~/.netrc": {},
        "NETRC": {"NETRC": str(home / "netrc")},
        "another CA": {"REQUESTS_CA_BUNDLE": theirs, "CURL_CA_BUNDLE": theirs},
        "another CA for OpenSSL": {"SSL_CERT_FILE": theirs, "SSL_CERT_DIR": str(folder)},
        "a CA that is not there": {
            "REQUESTS_CA_BUNDLE": missing,
            "CURL_CA_BUNDLE": missing,
            "SSL_CERT_FILE": missing,
        },
        "an empty folder of CAs": {"SSL_CERT_DIR": str(home / "nothing"), "REQUESTS_CA_BUNDLE": str(home)},
        "no verification": {"PYTHONHTTPSVERIFY": "0", "REQUESTS_CA_BUNDLE": "", "CURL_CA_BUNDLE": ""},
        "no CA": dict.fromkeys(("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "SSL_CERT_FILE"), "/dev/null"),
        "no verification elsewhere": {**ELSEWHERE, "SSL_CERT_FILE": "/dev/null", "SSL_CERT_DIR": ""},
        "warnings are errors": {"PYTHONWARNINGS": "error"},
        "keys on disk": {"SSLKEYLOGFILE": str(home / "session-keys")},
        "keys to nowhere": {"SSLKEYLOGFILE": "/proc/none/session-keys"},
    }


def hashed(certificate: Path, folder: Path) -> Path:
    """Return a folder of authorities as OpenSSL looks for them."""
    folder.mkdir()
    name = subprocess.run(
        ["openssl", "x509", "-hash", "-noout", "-in", certificate], capture_output=True, text=True, check=True
    )
    (folder / f"{name.stdout.strip()}.0").write_bytes(certificate.read_bytes())
    return folder


def requests_in(heard: bytes) -> list[bytes]:
    return [found[1] for found in REQUEST.finditer(heard)]


def judged(relay: Relay, before: int) -> tuple[int, int]:
    """Return how many requests came since then, and how many of them carried a token of the service, as is due."""
    heads = requests_in(relay.heard)[before:]
    right = 0
    for head in heads:
        sent = BEARER.findall(head)
        if b" /auth/" in head.split(b"\r\n")[0]:
            right += sent == []
        else:
            right += len(sent) == 1 and sent[0].startswith(b"Bearer eyJ")
    return len(heads), right


COUNTED = {"requests": 0, "right": 0, "forged": 0, "switches": 0}
HEARD: list[bytes] = []
"""What a forged server heard, each time that somebody looked."""


@pytest.mark.needs("openssl")
def test_our_authorities_and_our_token_hold(
    world: World, home: Path, sectigo: Runner, sectigo_process: Runner
) -> None:
    before = 0
    for name, variables in hostile(world, home).items():
        for command in chosen(name):
            # A process reads its environment anew; the rest is quicker in this one.
            runner = sectigo_process if FULL and command in COMMANDS[1::4] else sectigo
            done = run(runner, world, command, {**world.environ(world.honest), **variables})
            total, right = judged(world.honest, before)
            assert done.code in (0, 1) and total > 0, (name, command, done)
            assert right == total, (name, command)
            assert "is not trusted" not in done.err
            before += total
            COUNTED["requests"] += total
            COUNTED["right"] += right
    assert HOSTILE.encode() not in world.honest.heard
    assert b"Basic" not in world.honest.heard
    assert not (home / "session-keys").exists()
    assert COUNTED["requests"] == COUNTED["right"] > 0


def chosen(name: str) -> tuple[str, ...]:
    """All commands where a netrc is against us; an order under the rest."""
    return COMMANDS if FULL or name == "~/.netrc" else COMMANDS[-2:-1]


def run(runner: Runner, world: World, command: str, environ: Mapping[str, str]) -> Result:
    return runner(*command.format(**world.words).split(), env=environ)


@pytest.mark.needs("openssl")
def test_a_forged_service_hears_nothing(world: World, home: Path, sectigo: Runner, sectigo_process: Runner) -> None:
    for name, variables in hostile(world, home).items():
        for command in COMMANDS if FULL else COMMANDS[-2:-1]:
            anew = command in COMMANDS[1::4] if FULL else name == "another CA for OpenSSL"
            runner = sectigo_process if anew else sectigo
            done = run(runner, world, command, {**world.environ(world.forged), **variables})
            assert (done.code, done.out) == (1, ""), (name, command, done)
            assert "is not trusted" in done.err, (name, command, done)
            COUNTED["forged"] += 1
        for ca_file in (str(world.ours), None):
            refuses(world, variables, ca_file)
            COUNTED["forged"] += 1
    assert world.forged.connections >= COUNTED["forged"]
    hears_nothing(world)
    assert not (home / "session-keys").exists(), "no session key is written, whatever is trusted"


def hears_nothing(world: World) -> None:
    heard = world.forged.heard
    assert heard == b""
    HEARD.append(heard)


def refuses(world: World, variables: Mapping[str, str], ca_file: str | None) -> None:
    with pytest.MonkeyPatch.context() as patch:
        for variable, value in variables.items():
            patch.setenv(variable, value)
        with (
            IoTManager(world.settings(world.forged, ca_file)) as client,
            pytest.raises(UnreachableError, match="is not trusted"),
        ):
            client.authenticate()


@pytest.mark.needs("openssl")
def test_what_is_hostile_here_would_win_elsewhere(world: World, home: Path) -> None:
    """A client that hears these variables trusts the forged service, and sends another log-in than its own."""
    import requests

    variables = hostile(world, home)
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {**variables["another CA"], **variables["NETRC"]}.items():
            patch.setenv(name, value)
        answer = requests.get(
            f"{world.forged.at('localhost')}/api/v1/devices",
            headers={"Authorization": "Bearer ours"},
            verify=True,
            timeout=10,
        )
    assert answer.status_code == 401
    assert b"Authorization: Basic" in world.forged.heard
    assert b"Bearer ours" not in world.forged.heard


# Nothing turns the verification off

OFF = ("", "0", "false", "none", "no", "/dev/null", "/dev", "disabled", "*", "localhost")
"""Values by which one might try it."""
ABOUT_TRUST = re.compile("verif|insecure|unsafe|check|trust|skip|ignore|tls|ssl")
OF_OTHER_THINGS = {"csr": ["--skip-bad"], "serve": ["--tls"], "upload": ["--check-only"]}
"""Options about rows of a table, about the emulator's own certificate, and about signing requests."""
TALKING = [name for name in COMMANDS_OF_THE_GRAMMAR if name not in ("serve", "validate", "completion", "help")]


@pytest.mark.parametrize("command", COMMANDS_OF_THE_GRAMMAR)
def test_no_option_has_a_name_that_is_about_trust(command: str) -> None:
    found = [flag for flag in command_parser(command).by_flag if ABOUT_TRUST.search(flag)]
    assert found == OF_OTHER_THINGS.get(command, [])


def reaches(world: World, before: int) -> bool:
    """Whether somebody has connected to the forged server since then, and said nothing."""
    hears_nothing(world)
    COUNTED["switches"] += 1
    return world.forged.connections > before


@pytest.mark.parametrize("command", TALKING if FULL else ["licenses"])
def test_no_option_turns_the_verification_off(
    world: World, sectigo: Runner, command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    line = next((each for each in COMMANDS if each.partition(" ")[0] == command), command)
    reached = 0
    for flag, action in command_parser(command).by_flag.items():
        for value in [[]] if action.nargs == 0 else [[each] for each in OFF[:: share(1, 5)]]:
            before = world.forged.connections
            words = [*line.format(**world.words).split(), flag, *value]
            done = sectigo(*words, env=world.environ(world.forged))
            assert "Traceback" not in done.err, (words, done)
            reached += reaches(world, before)
    assert reached > 5


def test_no_variable_of_ours_turns_the_verification_off(world: World, sectigo: Runner) -> None:
    reached = 0
    for variable in (*VARIABLES.values(), *(name for name in ELSEWHERE if name.startswith("SECTIGO_"))):
        for value in OFF if variable == "SECTIGO_CA_FILE" else OFF[:: share(1, 5)]:
            before = world.forged.connections
            done = sectigo("licenses", env={**world.environ(world.forged), variable: value})
            assert done.code != 0, (variable, value, done)
            reached += reaches(world, before)
    assert reached > 5


def test_no_argument_turns_the_verification_off(world: World) -> None:
    reached = 0
    right = {"endpoint": world.forged.at("localhost"), "environment": "staging", "ca_file": str(world.ours)}
    known: dict[str, Any] = {**right, "username": world.service.username, "password": world.service.password}
    names = [name for name in inspect.signature(Settings).parameters if name not in ("endpoint", "environ")]
    for name, value in itertools.product(names, (None, False, 0, *OFF[:: share(1, 5)])):
        before = world.forged.connections
        # What is of a wrong kind may be an error of any kind: what counts is what the server hears.
        with (
            pytest.raises(Exception),  # noqa: B017
            IoTManager(Settings(**{**known, name: value}, environ={})) as client,
        ):
            client.authenticate()
        reached += reaches(world, before)
    assert reached > 5


@pytest.fixture(scope="module", autouse=True)
def counted() -> Iterator[None]:
    """Note what all tests of this module have seen."""
    yield
    if all(COUNTED.values()):
        figure(
            "environment",
            f"{COUNTED['right']} of {COUNTED['requests']} requests with our token alone; "
            f"{COUNTED['forged']} commands before a forged server, which heard {len(b''.join(HEARD))} bytes",
        )
        what = "values of options, variables and arguments by which the verification might be turned off"
        figure("environment", f"{COUNTED['switches']} {what}: the forged server heard {len(b''.join(HEARD))} bytes")
