"""A reader sees the old certificate with its key or the new one with its own, however the switch is interrupted."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from sectigo_iot.files import UNFINISHED
from sectigo_iot.pki import Installer, install
from tests.packages import PYTHONPATH
from tests.reliability.figures import figure, share
from tests.unit.pki.home import build, ec_key, pem

PAIRS = 8
NAME = "example.com"

READER = """
import collections, json, os, sys
link, how, pairs = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])
stop, counts = sys.argv[4], collections.Counter()

def read(path):
    with open(path) as file:
        return file.read()

def resolved():
    folder = os.path.realpath(link)
    return read(f"{folder}/privkey.pem"), read(f"{folder}/cert.pem")

def by_descriptor():
    folder = os.open(link, os.O_RDONLY | os.O_DIRECTORY)
    try:
        with open("privkey.pem", opener=lambda name, flags: os.open(name, flags, dir_fd=folder)) as file:
            key = file.read()
        with open("cert.pem", opener=lambda name, flags: os.open(name, flags, dir_fd=folder)) as file:
            return key, file.read()
    finally:
        os.close(folder)

def combined():
    key, line, rest = read(f"{link}/full.pem").partition("-----BEGIN CERTIFICATE-----")
    return key, line + rest

def naive():
    return read(f"{link}/privkey.pem"), read(f"{link}/cert.pem")

print("ready", flush=True)
while not os.path.exists(stop):
    # A link that is away for a moment would be nothing that was pruned.
    counts["no link"] += not os.path.islink(link)
    try:
        key, certificate = globals()[how]()
    except FileNotFoundError:
        # That version is not kept any more.
        counts["gone"] += 1
        continue
    counts["whole" if pairs.get(key) == certificate else "mixed"] += 1
print(json.dumps(counts))
"""


def files_of(number: int) -> dict[str, bytes]:
    key, issuer = ec_key(f"switched {number}"), ec_key("issuer of switched")
    certificate = pem(build(NAME, key, "TEST Issuing", issuer, ca=False))
    written = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return {"privkey.pem": written, "cert.pem": certificate, "full.pem": written + certificate}


@pytest.fixture(scope="module")
def pairs() -> list[dict[str, bytes]]:
    return [files_of(number) for number in range(PAIRS)]


@pytest.fixture
def live() -> Iterator[Path]:
    """A folder in memory, where that can be: many more switches come about in the same time."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
    with tempfile.TemporaryDirectory(dir=memory) as folder:
        yield Path(folder, "live")


def reader(live: Path, how: str, known: str, stop: Path) -> subprocess.Popen[str]:
    words = [sys.executable, "-I", "-c", READER, str(live / NAME), how, known, str(stop)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_readers_never_see_a_key_with_the_certificate_of_another(
    pairs: list[dict[str, bytes]], live: Path, tmp_path: Path
) -> None:
    install(live, NAME, pairs[0])
    known = json.dumps({files["privkey.pem"].decode(): files["cert.pem"].decode() for files in pairs})
    stop, times = tmp_path / "stop", share(10_000, 150)
    ways = ("resolved", "by_descriptor", "combined", "naive")
    running = {how: reader(live, how, known, stop) for how in ways}
    try:
        for number in range(times):
            install(live, NAME, pairs[number % PAIRS])
    finally:
        stop.touch()
        seen = {how: json.loads(process.communicate(timeout=60)[0]) for how, process in running.items()}
    for how in ways[:3]:
        assert seen[how].get("whole", 0) > times / 10, seen
        assert seen[how].get("mixed", 0) == 0, seen
        assert seen[how]["no link"] == 0, seen
    told = [f"{counts.get('mixed', 0)} of {counts['whole'] + counts.get('mixed', 0)}" for counts in seen.values()]
    figure(
        "switch",
        f"{times} switches; mixed pairs read by who resolves the folder once: {told[0]}, by who opens the folder "
        f"once: {told[1]}, by who loads full.pem: {told[2]}; by who opens two files through the link: {told[3]}",
    )


INSTALLING = """
import json, sys
from pathlib import Path
from sectigo_iot.pki import Installer
live, pairs = Path(sys.argv[1]), json.loads(sys.stdin.read())
number = 0
while True:
    number += 1
    files = {name: text.encode() for name, text in pairs[number % len(pairs)].items()}
    with Installer(live, keep=2) as installer:
        installer.commit([installer.stage(name, files) for name in ("a.example.com", "b.example.com")])
    if number == 1:
        print("ready", flush=True)
"""


def test_a_kill_at_any_moment_leaves_whole_versions(pairs: list[dict[str, bytes]], live: Path) -> None:
    times, swept, chance = share(100, 12), 0, random.Random(4711)
    told = json.dumps([{name: data.decode() for name, data in files.items()} for files in pairs])
    for _ in range(times):
        kill_an_installation(live, told, chance.uniform(0, 0.02))
        for name in ("a.example.com", "b.example.com"):
            assert {path.name: path.read_bytes() for path in (live / name).iterdir()} in pairs
        swept += bool(list((live / ".versions").glob(f".*{UNFINISHED}")))
        with Installer(live, keep=2) as installer:
            staged = installer.stage("a.example.com", pairs[0])
            assert len(list((live / ".versions").glob(f".*{UNFINISHED}"))) == 1, "what was left is swept"
            installer.commit([staged])
        assert not list(live.rglob(f"*{UNFINISHED}"))
        for folder in (live / ".versions" / "a.example.com").iterdir():
            assert {path.name for path in folder.iterdir()} == set(pairs[0]), "every version is whole"
    assert {path.name for path in live.iterdir()} == {".versions", "a.example.com", "b.example.com"}
    figure(
        "switch",
        f"{times} installations killed: each link led to a whole version each time; {swept} times something "
        "unfinished was left, and the next installation swept it",
    )


def kill_an_installation(live: Path, told: str, after: float) -> None:
    environ = {**os.environ, "PYTHONPATH": PYTHONPATH}
    words = [sys.executable, "-c", INSTALLING, str(live)]
    with subprocess.Popen(words, env=environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(told)
        process.stdin.close()
        assert process.stdout.readline() == "ready\n"
        time.sleep(after)
        process.kill()
